"""A user's repository and command line, for tests: real git, the real Codex, a scripted model on loopback.

The verbs run inside of the test's process, through the same boundary as the console script, so that they are fast
and covered. `World.process` runs them as a program of their own where that matters.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any, Self

import pytest

import git_cto
from git_cto.answers import read_plan
from git_cto.cli import run
from git_cto.demo.server import KEY_VARIABLE, ModelServer, Reply, Request, Step, message
from git_cto.model import Actor, EngineUse, PlanRecord, Subject
from git_cto.work.workspace import Workspace, now
from tests import quick_codex

PATH_OF_SYSTEM = "/usr/local/bin:/usr/bin:/bin"
TOP = Path(__file__).resolve().parents[1]
SOURCE = str(Path(git_cto.__file__).resolve().parents[1])  # a process is to run the code that is tested here


def agents_folder() -> Path:
    """Where the pinned `codex` and `claude` are: installed by `npm ci`, or where GIT_CTO_TEST_BIN says."""
    named = os.environ.get("GIT_CTO_TEST_BIN")
    return Path(named) if named else TOP / "node_modules" / ".bin"


@dataclass(frozen=True)
class Said:
    """What one command line came to."""

    code: int
    out: str
    err: str
    requests: Sequence[Request] = field(default=())

    @property
    def json(self) -> Any:  # noqa: ANN401 -- any JSON
        """The one document on stdout."""
        return json.loads(self.out)

    @property
    def text(self) -> str:
        """Everything that a person would see."""
        return self.out + self.err

    def question(self, number: int = -1) -> str:
        """The prompt that reached the model."""
        return self.requests[number].user_text


class World:
    """A repository at `path`. It exists once `git("init")` was called."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        self._monkeypatch = monkeypatch
        path.mkdir(parents=True, exist_ok=True)

    @classmethod
    def copied(cls, template: Path, path: Path, monkeypatch: pytest.MonkeyPatch) -> Self:
        """A repository that is a copy of another one."""
        shutil.copytree(template, path, symlinks=True)
        made = cls(path, monkeypatch)
        made.git("update-index", "-q", "--refresh")  # the index knows files by their inodes
        return made

    # ---- git

    def git(self, *argv: str, ok: bool = True, data: bytes | None = None) -> str:
        """Runs git here and returns what it prints; it has to succeed unless `ok` is False."""
        done = subprocess.run(["git", *argv], cwd=self.path, capture_output=True, input=data, check=False)
        if ok and done.returncode != 0:
            raise AssertionError(f"git {' '.join(argv)}: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode("utf-8", "surrogateescape").strip()

    def write(self, name: str, content: str | bytes) -> Path:
        """Writes a file of the worktree."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def commit(self, subject: str = "A commit", **files: str | bytes) -> str:
        """Commits everything that is there (after writing `files`, names with __ for a dot), returns the id."""
        for name, content in files.items():
            self.write(name.replace("__", "."), content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", subject)
        return self.head

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def branch(self, name: str, start: str = "HEAD") -> None:
        """Makes a branch and checks it out."""
        self.git("switch", "--quiet", "-c", name, start)

    def policy(self, text: str) -> None:
        """Commits a policy to main, and comes back to the branch that is checked out."""
        here = self.git("branch", "--show-current")
        if here != "main":
            self.git("switch", "--quiet", "main")
        self.write(".cto/config.toml", text)
        self.commit("Policy")
        if here != "main":
            self.git("switch", "--quiet", here)

    # ---- the command line

    def cto(self, *argv: str, stdin: bytes = b"") -> Said:
        """Runs `git cto <argv>` here, with no model to be asked."""
        out, err = TextIOWrapper(BytesIO(), "utf-8", write_through=True), TextIOWrapper(BytesIO(), "utf-8")
        before = Path.cwd()
        self._monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(stdin), "utf-8"))
        os.chdir(self.path)
        try:
            with redirect_stdout(out), redirect_stderr(err):
                code = run(list(argv))
        finally:
            os.chdir(before)
        out.seek(0)
        err.seek(0)
        return Said(code, out.read(), err.read())

    def ask(self, script: Iterable[Step], *argv: str, **server: Any) -> Said:  # noqa: ANN401 -- the server's options
        """Runs `git cto <argv>` with the real Codex, whose model says what `script` says."""
        with ModelServer(script) as model:
            self.log_in(model.codex_config(**server))
            said = self.cto(*argv)
        return Said(said.code, said.out, said.err, tuple(model.requests))

    def log_in(self, config: str) -> None:
        """Gives Codex this configuration and a key for it."""
        home = Path(os.environ["HOME"]) / ".codex"
        home.mkdir(exist_ok=True)
        (home / "config.toml").write_text(config)
        quick_codex.settle(home, agents_folder() / "codex")
        self._monkeypatch.setenv(KEY_VARIABLE, "sk-scripted-0123456789abcdef")

    def process(self, *argv: str, signalled: bool = False, **options: Any) -> subprocess.Popen[bytes]:  # noqa: ANN401 -- Popen's options
        """Starts `git cto <argv>` here as a program of its own; `signalled` is whether it will be interrupted."""
        options = {"cwd": self.path, "env": {**os.environ, "PYTHONPATH": SOURCE}, **options}
        if signalled:
            options["env"] = unmeasured(options["env"])
        return subprocess.Popen([sys.executable, "-m", "git_cto", *argv], **options)

    # ---- situations

    def planned(self, *tasks: dict[str, Any], **said: Any) -> str:  # noqa: ANN401 -- JSON
        """A run with these tasks (default: one that modifies app.py), without asking anybody. Returns its id.

        Its trunk starts at HEAD. There is the record and no artifact; `planned_by_codex` has both.
        """
        run = f"raise-the-version-{secrets.token_hex(3)}"
        with Workspace(str(self.path), os.environ) as workspace:
            body = PlanRecord(
                run=run,
                series=f"run/{run}",
                target="refs/heads/main",
                target_commit=self.git("rev-parse", "main"),
                start=self.head,
                plan=read_plan(json.dumps(plan_answer(*tasks, **said))),
                engine=EngineUse(engine="codex", version="0.169.0", model="gpt-5.4-pro", effort="high"),
                actor=Actor(name="Ada", email="ada@example.org"),
                time=now(),
            )
            workspace.ledger.add(Subject(head=self.head), body, series=body.series)
        self.git("branch", f"cto/{run}/trunk")
        return run

    def planned_by_codex(self, *tasks: dict[str, Any], **said: Any) -> str:  # noqa: ANN401 -- JSON
        """Plans a run with these tasks as a user does, and returns its id."""
        answer = plan_answer(*tasks, **said)
        done = self.ask([message(json.dumps(answer))], "plan", "Raise the version", "--json")
        assert done.code == 0, done.text
        return str(done.json["run"])

    def reviewed(self, *argv: str, **said: Any) -> Said:  # noqa: ANN401 -- JSON
        """Has the change reviewed by a model that says `said` (see `review_reply`)."""
        return self.ask([review_reply(**said)], "review", "--json", *argv)


def unmeasured(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a program that is to be interrupted: without coverage, which would hang now and then.

    Its tracer takes a lock for each file that is new to it, and keeps it where a signal is heard just then.
    """
    return {name: value for name, value in environ.items() if not name.startswith(("COVERAGE_", "COV_"))}


def task(task_id: str = "t1", **said: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON
    """A task as a model writes it."""
    return {
        "id": task_id,
        "action": "modify_file",
        "target": "app.py",
        "description": "Raise the version",
        "acceptance_criteria": ["version() returns 2"],
        "depends_on": [],
        "context": "",
        **said,
    }


def plan_answer(*tasks: dict[str, Any], **said: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON
    """A plan as a model writes it."""
    return {
        "phase": "plan",
        "objective": "Raise the version",
        "analysis": "app.py says 1.",
        "strategy": "Say 2.",
        "tasks": list(tasks) or [task()],
        "verification": {"commands": [], "expected": ""},
        **said,
    }


def task_review(task_id: str = "t1", status: str = "pass", **said: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON
    """A task's review as a model writes it; its one criterion is met if it passes."""
    criteria = [{"criterion": "version() returns 2", "met": status == "pass", "evidence": "app.py:2"}]
    return {"task_id": task_id, "status": status, "feedback": "", "criteria": criteria, **said}


def finding(severity: str = "major", **said: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON
    """A finding as a model writes it."""
    return {
        "id": "f1",
        "severity": severity,
        "path": "app.py",
        "start_line": 2,
        "end_line": 2,
        "body": "This is wrong.",
        "suggestion": None,
        **said,
    }


def review_answer(head: str, verdict: str = "approve", **said: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON
    """A review as a model writes it."""
    return {
        "phase": "review",
        "head": head,
        "verdict": verdict,
        "summary": "It says 2.",
        "task_reviews": [],
        "findings": [],
        "prior_findings": [],
        "revised_tasks": [],
        "reason": "" if verdict == "approve" else "Not yet.",
        "injection_suspected": False,
        **said,
    }


def review_reply(verdict: str = "approve", **said: Any) -> Callable[[Request], Reply]:  # noqa: ANN401 -- JSON
    """A review by a model that read which commit it was asked about.

    `task_reviews` default to passing ones for every task of the question's plan.
    """

    def reply(request: Request) -> Reply:
        question = request.user_text
        head = head_of(question)
        actions = "create_file|modify_file|delete_file|run_command|verify"
        tasks = re.findall(rf"^([a-z][a-z0-9-]*) (?:{actions}) ", question, re.MULTILINE)
        reviews = [_passing(question, one) for one in tasks]
        answer = review_answer(head, verdict, **({"task_reviews": reviews} if verdict == "approve" else {}) | said)
        return message(json.dumps(answer))

    return reply


def _passing(question: str, task_id: str) -> dict[str, Any]:
    block = re.search(rf"^{re.escape(task_id)} \w+_?\w* .*\n((?:  .*\n)*)", question, re.MULTILINE)
    criteria = re.findall(r"^  - criterion: (.*)$", block[1], re.MULTILINE) if block else []
    return {
        "task_id": task_id,
        "status": "pass",
        "feedback": "",
        "criteria": [{"criterion": one, "met": True, "evidence": "the diff"} for one in criteria],
    }


def head_of(question: str) -> str:
    """The commit that a review question is about."""
    found = re.search(r"Review the change of commit ([0-9a-f]{40,64})", question)
    assert found, question[:300]
    return found[1]
