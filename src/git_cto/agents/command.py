"""Any program as an executor: the task on stdin, the work in the worktree, its exit code as its word."""

from __future__ import annotations

import os
import re
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from git_cto.agents import process
from git_cto.agents.base import Activity, EngineError, Failure, Limits, OnActivity
from git_cto.agents.executor import Job, Work
from git_cto.agents.keeping import Printed
from git_cto.errors import UsageError
from git_cto.redaction import without_secrets
from git_cto.repo.git import elsewhere

_KEPT_LINES = 20  # of the end of its output: its summary
_LONGEST_LINE = 400  # characters of each
_CANNOT_RUN = frozenset({126, 127})  # what a shell says of a command that it cannot start
# The program of a command line that begins with one: assignments before it, nothing in it that a shell takes apart.
_PROGRAM = re.compile(r"\s*(?:[A-Za-z_]\w*=[\w./:,@%+-]*\s+)*(?P<name>[\w./+-]+)(?=\s|;|$)", re.ASCII)
_QUICK = 10.0  # seconds


class Command:
    """The executor. `command` is one of the user's shell.

    It gets their environment without any keys, and without what points git at another repository than the worktree's.
    """

    name = "command"

    def __init__(self, command: str, environ: Mapping[str, str]) -> None:
        if not command.strip():
            raise UsageError("The executor's command is empty.", '--executor command --command "CMD"')
        self._command = command
        self._environ = elsewhere(without_secrets(environ))

    def require(self) -> None:
        """Raises `EngineError` where it is plain that the command cannot be started.

        Only a shell could say so of every command, and a path from the worktree is there only with it.
        """
        found = _PROGRAM.match(self._command)
        name = found["name"] if found else ""
        if name and not self._is_there(name):
            raise EngineError(
                Failure.NOT_INSTALLED,
                f"The executor's command cannot be run: {name} is not installed, or not on the PATH.",
                '--command "CMD" with the whole path of the program, or install it',
            )

    def _is_there(self, name: str) -> bool:
        if os.path.isabs(name):
            return os.path.isfile(name) and os.access(name, os.X_OK)
        if "/" in name:
            return True
        looked = process.run(  # which knows what the shell itself can do
            ["/bin/sh", "-c", 'command -v -- "$1"', "sh", name],
            environ=self._environ,
            cwd=Path("/"),
            idle=_QUICK,
            total=_QUICK,
            grace=1.0,
        )
        return looked.code == 0

    def work(self, job: Job, folder: Path, limits: Limits, on_activity: OnActivity, stop: threading.Event) -> Work:
        """Does the job in its worktree (see `Executor`)."""
        said: deque[str] = deque(maxlen=_KEPT_LINES)
        problem = ""
        with Printed(folder / "events.jsonl") as events:

            def on_line(line: bytes) -> None:
                events.add(line)
                said.append(line.decode("utf-8", "replace")[:_LONGEST_LINE])
                on_activity(Activity(text=said[-1][:200]))

            try:
                done = process.run(
                    ["/bin/sh", "-c", self._command],
                    environ={**self._environ, "CTO_TASK": job.task},
                    cwd=job.worktree,
                    stdin=job.prompt.encode("utf-8", "replace"),
                    on_line=on_line,
                    idle=limits.idle,
                    total=limits.total,
                    grace=limits.grace,
                    stop=stop,
                )
                problem = self._problem(done)
            except process.ProgramTimeoutError as error:
                problem = error.message.replace("sh ", "the executor's command ", 1)
        return Work(
            executor=self.name,
            version="",
            summary="\n".join(said).strip() or "(it said nothing)",
            problem=problem,
        )

    def _problem(self, done: process.Finished) -> str:
        """Why its end is no success, "" if it is one. Raises `EngineError` where it could not even be started."""
        if done.code == 0:
            return ""
        last = next((line.strip() for line in reversed(done.stderr.splitlines()) if line.strip()), "")[:_LONGEST_LINE]
        if done.code in _CANNOT_RUN:
            raise EngineError(
                Failure.NOT_INSTALLED,
                f"The executor's command cannot be run: {last or f'exit code {done.code}'}",
                "try it by hand: echo | sh -c 'CMD'",
            )
        how = f"was ended by signal {-done.code}" if done.code < 0 else f"ended with exit code {done.code}"
        return f"{self._command.split()[0]} {how}" + (f": {last}" if last else "")
