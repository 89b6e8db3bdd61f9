"""Any program as an executor: the task on stdin, the work in the worktree, its exit code as its word."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from git_cto.agents import process
from git_cto.agents.base import Activity, EngineError, Failure, Limits, OnActivity
from git_cto.agents.executor import Job, Work
from git_cto.redaction import secret_values

_KEPT_LINES = 20  # of the end of its output: its summary


class Command:
    """The executor. `command` is one of the user's shell; it gets their environment without other agents' keys."""

    name = "command"

    def __init__(self, command: str, environ: Mapping[str, str]) -> None:
        self._command = command
        secrets = set(secret_values(environ))
        self._environ = {name: value for name, value in environ.items() if value not in secrets}

    def work(self, job: Job, folder: Path, limits: Limits, on_activity: OnActivity, stop: threading.Event) -> Work:
        """Does the job in its worktree (see `Executor`)."""
        began = time.monotonic()
        said: deque[str] = deque(maxlen=_KEPT_LINES)
        problem = ""
        with (folder / "events.jsonl").open("wb") as events:

            def on_line(line: bytes) -> None:
                events.write(line + b"\n")
                said.append(line.decode("utf-8", "replace"))
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
                if done.code:
                    problem = f"{self._command.split()[0]} ended with exit code {done.code}"
                if done.code == 127:
                    raise EngineError(
                        Failure.NOT_INSTALLED, f"The executor's command cannot be run: {done.stderr[-200:]}", "check it"
                    )
            except process.ProgramTimeoutError as error:
                problem = error.message
        return Work(
            executor=self.name,
            version="",
            summary="\n".join(said).strip() or "(it said nothing)",
            problem=problem,
            seconds=time.monotonic() - began,
        )
