"""Plays the demo: the verbs of this very program, in a throw-away repository, one after the other, as a user would."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from git_cto.agents.process import ProgramNotFoundError, find_program
from git_cto.demo import story
from git_cto.demo.server import KEY_VARIABLE, ModelServer
from git_cto.errors import ToolError

Tell = Callable[[str], None]

_AUTHOR = {
    "GIT_AUTHOR_NAME": "Demo",
    "GIT_AUTHOR_EMAIL": "demo@localhost",
    "GIT_COMMITTER_NAME": "Demo",
    "GIT_COMMITTER_EMAIL": "demo@localhost",
}


@dataclass(frozen=True)
class Played:
    """How it ended: the exit codes of the two reviews and of the gate, and where the repository is (if kept)."""

    reviews: tuple[int, int]
    gate: int
    repository: str | None

    @property
    def as_written(self) -> bool:
        """Whether everything came as the story has it: revise, approve, open."""
        return self.reviews == (1, 0) and self.gate == 0


def play(environ: Mapping[str, str], tell: Tell, *, keep: bool) -> Played:
    """Plays the whole story and leaves nothing behind, unless `keep`. Raises `ToolError` where a step fails."""
    try:
        find_program("codex", environ)
    except ProgramNotFoundError as missing:
        raise ToolError(
            "The demo needs the real Codex (it talks to a scripted server, so no key and no login).",
            "npm install -g @openai/codex, then git cto demo",
            code="not_installed",
        ) from missing
    home = Path(tempfile.mkdtemp(prefix="git-cto-demo-"))
    try:
        with ModelServer(story.script()) as server:
            stage = _Stage(home, _environment(environ, home), tell)
            _set_up(stage, server)
            return _play(stage, str(stage.repository) if keep else None)
    finally:
        if keep:
            tell(f"\nKept: {home / 'shop'}")
        else:
            shutil.rmtree(home, ignore_errors=True)


@dataclass(frozen=True)
class _Stage:
    home: Path
    environ: Mapping[str, str]
    tell: Tell

    @property
    def repository(self) -> Path:
        return self.home / "shop"

    def write(self, name: str, text: str) -> None:
        (self.repository / name).write_text(text, encoding="utf-8")

    def quietly(self, *argv: str) -> str:
        """Runs a step of the set-up that must work."""
        return self._run(argv, 0, shown=False)[1]

    def act(self, *argv: str, ends: int = 0) -> int:
        """Runs a step as the user would, shown with what it prints; `ends` is the exit code of the story."""
        self.tell(f"\n$ {shlex.join(argv).replace('git-cto', 'git cto', 1)}")
        return self._run(argv, ends, shown=True)[0]

    def _run(self, argv: tuple[str, ...], ends: int, *, shown: bool) -> tuple[int, str]:
        command = [sys.executable, "-m", "git_cto", *argv[1:]] if argv[0] == "git-cto" else list(argv)
        done = subprocess.run(
            command,
            cwd=self.repository,
            env=dict(self.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if shown:
            self.tell(done.stdout.rstrip())
        if done.returncode != ends:
            raise ToolError(
                f"The demo did not go as written: {shlex.join(argv)} ended with {done.returncode}, not {ends}.\n"
                + ("" if shown else done.stdout),
                "git cto doctor",
                code="demo_failed",
            )
        return done.returncode, done.stdout


def _environment(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    """The least that the steps need: no key, no configuration and no git variable of the user."""
    kept = {name: environ[name] for name in ("PATH", "LANG", "LC_ALL", "SSL_CERT_FILE") if name in environ}
    passed = {name: value for name, value in environ.items() if name.startswith(("COVERAGE_", "COV_"))}
    return {
        **kept,
        **passed,
        **_AUTHOR,
        "HOME": str(home),
        "CODEX_HOME": str(home / ".codex"),
        "TMPDIR": str(home / "tmp"),  # where Codex leaves the lock of its sandbox
        KEY_VARIABLE: "scripted",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_PAGER": "cat",
        "COLUMNS": "80",
    }


def _set_up(stage: _Stage, server: ModelServer) -> None:
    (stage.home / "tmp").mkdir()
    (stage.home / ".codex").mkdir()
    (stage.home / ".codex" / "config.toml").write_text(server.codex_config(), encoding="utf-8")
    stage.repository.mkdir()
    stage.quietly("git", "init", "--quiet", "--initial-branch=main")
    for name, text in story.BEFORE.items():
        stage.write(name, text)
    stage.quietly("git", "add", "--all")
    stage.quietly("git", "commit", "--quiet", "--message=A tiny service")


def _play(stage: _Stage, kept: str | None) -> Played:
    tell = stage.tell
    tell("This is the real Codex. Its answers are scripted: a server inside this package plays the model,")
    tell("on 127.0.0.1, without a key. Everything else is real: git, branches, diffs, notes, the gate.")
    stage.act("git-cto", "plan", story.OBJECTIVE)

    tell("\n# An executor does the tasks, each on its own branch. (Its work is part of the story as well.)")
    stage.act("git-cto", "start", "t1", "--quiet")
    stage.write("app.py", story.FIRST_TRY)
    stage.act("git-cto", "finish", "-m", "Add GET /health")
    stage.act("git-cto", "start", "t2", "--quiet")
    stage.write("test_app.py", story.TESTS)
    stage.act("git-cto", "finish", "-m", "Cover GET /health")

    tell("\n# The actual diff goes to Codex. The plan's test suite runs first, in a clean worktree.")
    first = stage.act("git-cto", "review", "Route added, tests written", "--verify", "--allow-commands", ends=1)
    stage.act("git-cto", "gate", ends=1)

    tell("\n# It is right: the route asks for a login. Fix it on the same task branch and submit again.")
    stage.act("git-cto", "start", "t1", "--quiet")
    stage.write("app.py", story.FIXED)
    stage.act("git-cto", "finish", "-m", "Let /health through without a login")
    second = stage.act("git-cto", "review", "Fixed, tests pass", "--verify", "--allow-commands")
    gate = stage.act("git-cto", "gate")

    tell("\n# And git remembers.")
    stage.act("git", "log", "--notes=cto", "-1")
    return Played((first, second), gate, kept)
