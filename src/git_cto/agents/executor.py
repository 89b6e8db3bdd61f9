"""What every executor has in common: the job it is given, the work it reports, and what may be believed of it.

An executor changes files in a worktree. Whether that was the task is decided by git and the reviewer; what an executor
says of its own work is a claim. Doing tasks by hand needs none of this: that is `git cto start` and `finish`.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from git_cto.agents.base import Limits, OnActivity, Usage
from git_cto.redaction import printable

DEFAULT_TOOLS = ("Read", "Edit", "Write", "Bash", "Glob", "Grep")


@dataclass(frozen=True, kw_only=True)
class Job:
    """One task for an executor. `guidance` is what the project asks of agents, from a trusted place."""

    task: str
    prompt: str
    worktree: Path
    guidance: str = ""
    tools: tuple[str, ...] = DEFAULT_TOOLS
    model: str | None = None
    fallback_model: str | None = None
    effort: str | None = None
    max_cost: float | None = None  # US dollars, for this job


@dataclass(frozen=True, kw_only=True)
class Work:
    """What an executor says it did, and what it took. `problem` is "" where it claims success."""

    executor: str  # "claude", "command"
    version: str
    summary: str
    problem: str = ""
    denied: tuple[str, ...] = ()  # tools that it wanted and did not get
    model: str = ""
    usage: Usage = field(default_factory=Usage)
    cost: float = 0.0  # US dollars, as the executor reports them

    @property
    def name(self) -> str:
        """Who it was, with what: `claude 2.1.197 some-model`."""
        return printable(" ".join(filter(None, (self.executor, self.version, self.model))))


class Executor(Protocol):
    """Something that does tasks."""

    def require(self) -> None:
        """Raises `EngineError` where it is plain before any task that none could be done. Nothing is paid for."""

    def work(self, job: Job, folder: Path, limits: Limits, on_activity: OnActivity, stop: threading.Event) -> Work:
        """Does the job in its worktree.

        `folder` is an empty directory of this call's own, where `events.jsonl` is left whatever happens. A job that was
        tried and not done is a `Work` with a `problem`; `EngineError` means that it could not even be tried (not
        installed, not logged in, quota), so that no other job could be either. Setting `stop` ends it
        (`process.StoppedError`).
        """
