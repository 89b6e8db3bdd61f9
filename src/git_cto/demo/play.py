"""Plays the demo: the verbs of this very program, in a throw-away repository, one after the other, as a user would."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

from git_cto.agents.process import ProgramNotFoundError, find_program
from git_cto.demo import claude_replies, story
from git_cto.demo.server import KEY_VARIABLE, ModelServer
from git_cto.errors import ToolError
from git_cto.model import Verdict

Tell = Callable[[str], None]

_AUTHOR = {
    "GIT_AUTHOR_NAME": "Demo",
    "GIT_AUTHOR_EMAIL": "demo@localhost",
    "GIT_COMMITTER_NAME": "Demo",
    "GIT_COMMITTER_EMAIL": "demo@localhost",
}


@dataclass(frozen=True)
class Played:
    """How it ended: the verdicts in the ledger, the gate's exit code, and where the repository is (if kept)."""

    verdicts: tuple[Verdict, ...]
    gate: int
    repository: str | None


def play(environ: Mapping[str, str], tell: Tell, *, keep: bool) -> Played:
    """Plays the whole story and leaves nothing behind, unless `keep`. Raises `ToolError` where a step fails."""
    _need(environ, "codex", "Codex", "npm install -g @openai/codex")
    _need(environ, "claude", "Claude Code", "npm install -g @anthropic-ai/claude-code")
    home = Path(tempfile.mkdtemp(prefix="git-cto-demo-"))
    try:
        with ModelServer(story.codex_script()) as codex, ModelServer(repeat(story.claude_reply)) as claude:
            stage = _Stage(home, _environment(environ, home) | claude_replies.environment(claude.port), tell)
            _set_up(stage, codex)
            return _play(stage, str(stage.repository) if keep else None)
    finally:
        if keep:
            tell(f"\nKept: {home / 'shop'}")
        else:
            shutil.rmtree(home, ignore_errors=True)


def _need(environ: Mapping[str, str], program: str, name: str, install: str) -> None:
    try:
        find_program(program, environ)
    except ProgramNotFoundError as missing:
        raise ToolError(
            f"The demo needs the real {name} (it talks to a scripted server, so no key and no login).",
            f"{install}, then git cto demo",
            code="not_installed",
        ) from missing


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
        "TMPDIR": str(home / "tmp"),  # both agents leave folders of theirs there
        "CODEX_HOME": str(home / ".codex"),
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
    tell("These are the real Codex and the real Claude Code. Their answers are scripted: a")
    tell("server inside this package plays both models, on 127.0.0.1, without a key.")
    tell("Everything else is real: git, branches, worktrees, edits, tests, diffs, notes.")
    stage.act("git-cto", "run", story.OBJECTIVE, "--jobs", "2", "--allow-commands")

    trunk = stage.quietly("git", "for-each-ref", "--format=%(refname:short)", "refs/heads/cto/*/trunk").strip()
    tell("\n# The first review was right: the route asked for a login. May it be merged now?")
    gate = stage.act("git-cto", "gate", trunk)

    tell("\n# And git remembers: every task on its branch, every verdict on its commit.")
    stage.act("git", "log", "--graph", "--format=%h %s", trunk)
    stage.act("git", "log", "--notes=cto", "-1", trunk)
    return Played(_verdicts(stage, trunk), gate, kept)


def _verdicts(stage: _Stage, trunk: str) -> tuple[Verdict, ...]:
    """The verdicts that the ledger has, the first one first."""
    records = json.loads(stage.quietly("git-cto", "log", trunk, "--json"))["records"]
    return tuple(record["body"]["verdict"] for record in reversed(records) if record["kind"] == "verdict")
