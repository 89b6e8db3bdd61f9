"""A world for the loop: the real Codex and the real Claude Code (or a small shell script) against scripted models.

Tasks run at the same time, so what a model answers depends on what it is asked and never on when. Where it does not
matter who does the tasks, a script does them: it writes `<task>.txt`, which says `first`, or `again` where the task
came back with something to be heard.
"""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any, Self

import pytest

from git_cto.demo import claude_replies
from git_cto.demo.claude_replies import Use, folder_of, prompt_of, says, task_of
from git_cto.demo.server import ModelServer, Reply, Request, message
from tests.world import SOURCE, Said, World, plan_answer, review_reply, task, task_review

SCRIPT = """
said=$(cat)
case "$said" in *"<<<FEEDBACK"*|*"<<<TROUBLE"*|*"<<<HUMAN"*) word=again;; *) word=first;; esac
"""
WORK = 'echo "$CTO_TASK $word" > "$CTO_TASK.txt"; echo "did $CTO_TASK"\n'

Review = Callable[[Request], Reply]
Answer = Callable[[str, str, str], Sequence[Use] | Reply]
"""What Claude Code is told: of (task, its folder, all that was said) the tools to use one by one, or a whole reply."""


class Loop(World):
    """A repository, a plan, a reviewer and an engineer. A context manager: the models are served meanwhile."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(path, monkeypatch)
        self.plan: dict[str, Any] = plan_answer(a_task("t1"), a_task("t2"))
        self.review: Review = approving
        self.answer: Answer = writes
        self._script = path.parent / "work.sh"
        self.temporary = path.parent / "tmp"
        self.temporary.mkdir()
        monkeypatch.setenv("TMPDIR", str(self.temporary))
        self.does(WORK)
        self.codex = ModelServer(repeat(self._codex))
        self.claude = ModelServer(repeat(self._claude))

    def __enter__(self) -> Self:
        self.codex.__enter__()
        self.claude.__enter__()
        self.log_in(self.codex.codex_config())
        for name, value in claude_replies.environment(self.claude.port).items():
            self._monkeypatch.setenv(name, value)
        return self

    def __exit__(self, *_: object) -> None:
        self.claude.__exit__(None, None, None)
        self.codex.__exit__(None, None, None)

    def _codex(self, request: Request) -> Reply:
        if "Review the change of commit" in request.user_text:
            return self.review(request)
        return message(json.dumps(self.plan))

    def _claude(self, request: Request) -> Reply:
        said = prompt_of(request)
        answer = self.answer(task_of(request), folder_of(request), said)
        if isinstance(answer, Reply):
            return answer
        used = said.count('"tool_result"')
        return says("On it.", answer[used]) if used < len(answer) else says("Done.")

    # ---- what happens

    def tasks(self, *tasks: dict[str, Any], **said: Any) -> None:  # noqa: ANN401 -- JSON
        """The plan has these tasks."""
        self.plan = plan_answer(*tasks, **said)

    def does(self, shell: str) -> None:
        """What the script does for a task; `$CTO_TASK` is its id and `$word` is `first` or `again`."""
        self._script.write_text(SCRIPT + shell)

    @property
    def itself(self) -> str:
        """`git cto` as a shell calls it here, to be used by a script."""
        return f"PYTHONPATH={SOURCE!r} {sys.executable!r} -m git_cto -C {str(self.path)!r}"

    @property
    def by_script(self) -> list[str]:
        """The options that have the script do the tasks."""
        return ["--executor", "command", "--command", f"sh {shlex.quote(str(self._script))}"]

    def run(self, *argv: str) -> Said:
        """`git cto run` with the script as executor."""
        return self.cto("run", "Write the files", *self.by_script, *argv)

    def resume(self, *argv: str) -> Said:
        """`git cto run --resume` with the script as executor."""
        return self.cto("run", "--resume", *self.by_script, *argv)

    def started(self, *argv: str, **options: Any) -> subprocess.Popen[bytes]:  # noqa: ANN401 -- Popen's options
        """`git cto run` as a program of its own, in a process group of its own."""
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        options = {"signalled": True, "start_new_session": True, **quiet, **options}
        return self.process("run", *argv, *self.by_script, **options)

    def on_terminal(self, *argv: str, answers: Sequence[tuple[str, str]] = ()) -> Said:
        """Runs a command line on a terminal of 80 columns; each of `answers` is a text to wait for and what to type."""
        ours, theirs = pty.openpty()
        process = self.process(*argv, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
        os.close(theirs)
        said, waiting, since = "", list(answers), 0
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    chunk = os.read(ours, 65536)
                except OSError:  # it has gone, and the terminal with it
                    break
                if not chunk:
                    break
                said += chunk.decode("utf-8", "replace")
            if waiting and waiting[0][0] in said[since:]:
                since = len(said)
                os.write(ours, waiting.pop(0)[1].encode() + b"\n")
        else:
            process.kill()
            pytest.fail(f"it did not end: {said[-2000:]}")
        os.close(ours)
        return Said(process.wait(), said, "")

    # ---- what came of it

    @property
    def home(self) -> Path:
        """The user's home."""
        return Path(os.environ["HOME"])

    @property
    def runs(self) -> list[str]:
        """The ids of all runs with a trunk."""
        return sorted(
            ref.split("/")[1]
            for ref in self.git("branch", "--format=%(refname:short)", "--list", "cto/*/trunk").split()
        )

    @property
    def id(self) -> str:
        """The id of the only run."""
        (only,) = self.runs
        return only

    @property
    def trunk(self) -> str:
        return f"cto/{self.id}/trunk"

    def files(self, rev: str = "") -> dict[str, str]:
        """The files of trunk and what they say."""
        rev = rev or self.trunk
        names = self.git("ls-tree", "-r", "--name-only", rev).splitlines()
        return {name: self.git("show", f"{rev}:{name}") for name in names}

    def story(self) -> list[str]:
        """What trunk has merged, the oldest first."""
        return self.git("log", "--first-parent", "--reverse", "--format=%s", f"main..{self.trunk}").splitlines()

    def records(self, kind: str = "verdict") -> list[Any]:
        """The bodies of the records of this kind, the oldest first."""
        said = self.cto("log", self.trunk, "--json")
        assert said.code == 0, said.text
        return [one["body"] for one in reversed(said.json["records"]) if one["kind"] == kind]

    def states(self) -> dict[str, str]:
        """The state of each task."""
        said = self.cto("tasks", self.id, "--json")
        assert said.code == 0, said.text
        return {one["id"]: one["state"] for one in said.json["tasks"]}

    def results(self, *revs: str) -> list[tuple[str, str, str]]:
        """Task, outcome and round of all result commits (of trunk), the oldest first."""
        revs = revs or (self.trunk,)
        keys = ("Cto-Task", "Cto-Outcome", "Cto-Round")
        form = "%x09".join(f"%(trailers:key={key},valueonly,separator=%x2C)" for key in keys)
        lines = self.git("log", "--topo-order", "--reverse", f"--format={form}", "^main", *revs).splitlines()
        found = [tuple(line.split("\t")) for line in lines if line.strip("\t")]
        return [(one, outcome, number) for one, outcome, number in found]

    def leftovers(self) -> list[str]:
        """Whatever a loop should have taken away: worktrees, their folders, locks, files of its own."""
        known = self.git("worktree", "list", "--porcelain").splitlines()
        found = [line for line in known if line.startswith("worktree ")][1:]
        found += [str(path) for path in self.temporary.glob("git-cto-*")]
        state = Path(self.home, ".local", "state", "git-cto")
        found += [str(path) for path in state.rglob("*") if path != state / "worktrees"]
        git = self.path / ".git"
        found += [str(path) for path in git.rglob("*.lock") if path.name != "git-cto.lock"]
        return found + [str(path) for path in (git / "worktrees").glob("*")]

    def prompts(self) -> list[str]:
        """What reached Codex, one text for each question."""
        return [request.user_text for request in self.codex.requests]


def a_task(task_id: str, **said: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON
    """A task that creates `<id>.txt`."""
    return task(
        task_id,
        **{
            "action": "create_file",
            "target": f"{task_id}.txt",
            "description": f"Write {task_id}",
            "acceptance_criteria": [f"{task_id}.txt is right"],
            **said,
        },
    )


def writes(task_id: str, folder: str, said: str) -> Sequence[Use]:
    """An engineer who does what the script does."""
    again = any(f"<<<{block}" in said for block in ("FEEDBACK", "TROUBLE", "HUMAN"))
    path = f"{folder}/{task_id}.txt"
    write = ("Write", {"file_path": path, "content": f"{task_id} {'again' if again else 'first'}\n"})
    return [("Read", {"file_path": path}), write] if again else [write]  # it overwrites only what it has read


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    """Waits until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.002)


def screen(said: str) -> list[str]:
    """The lines that are left on a terminal after all of this, as far as the live view draws on it."""
    lines, at, fresh = [""], 0, False
    for piece in re.findall(r"\x1b\[[\d;?]*[a-zA-Z]|\r|\n|[^\x1b\r\n]+", said):
        if piece == "\n":
            at += 1
            lines += [""] * (at + 1 - len(lines))
        elif piece.endswith("A") and piece.startswith("\x1b"):
            at = max(at - int(piece[2:-1] or 1), 0)
        elif piece in {"\x1b[2K", "\x1b[K"}:
            lines[at] = ""
        elif piece == "\r":
            fresh = True
            continue
        elif not piece.startswith("\x1b"):
            lines[at] = piece if fresh else lines[at] + piece
        fresh = False
    return [line.rstrip() for line in lines]


# ---- reviewers


def approving(request: Request) -> Reply:
    """A reviewer who is content, also with how earlier findings were mended."""
    found = re.findall(r"^(\d+\.\d+) \[", request.user_text, re.MULTILINE)
    return review_reply(prior_findings=[{"id": one, "ruling": "fixed", "note": ""} for one in found])(request)


def refusing(*refused: str, **said: Any) -> Review:  # noqa: ANN401 -- JSON
    """A reviewer who refuses these tasks for as long as their file in the change says `first`, and then approves."""

    def review(request: Request) -> Reply:
        question = request.user_text
        wrong = [one for one in refused if f"+{one} first" in question]
        if not wrong:
            return approving(request)
        reviews = [judged(one, "fail" if one in wrong else "pass") for one in tasks_of(question)]
        return review_reply("revise", task_reviews=reviews, reason=f"{', '.join(wrong)} wrong", **said)(request)

    return review


def judged(task_id: str, status: str) -> dict[str, Any]:
    """What a reviewer says of a task of `a_task`."""
    criteria = [{"criterion": f"{task_id}.txt is right", "met": status == "pass", "evidence": f"{task_id}.txt:1"}]
    feedback = "" if status == "pass" else f"{task_id}.txt must not say first"
    return task_review(task_id, status, feedback=feedback, criteria=criteria)


def tasks_of(question: str) -> list[str]:
    """The tasks of the plan in a review question."""
    return re.findall(
        r"^([a-z][a-z0-9-]*) (?:create_file|modify_file|delete_file|run_command|verify) ", question, re.MULTILINE
    )


def round_of(question: str) -> int:
    """Which round a review question says it is."""
    found = re.search(r"This is round (\d+)", question)
    assert found
    return int(found[1])
