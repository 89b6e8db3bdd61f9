"""What a loop is doing right now, and what it has taken so far: told to whoever watches, kept for `git cto status`."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from git_cto.agents.base import Activity
from git_cto.repo.worktrees import busy, home

if TYPE_CHECKING:
    from git_cto.model import EngineUse
    from git_cto.repo.git import Git
    from git_cto.work.doing import Result

LEAST = 1e-4  # US dollars: what is less is nothing, and no budget that Claude Code would take
STATE = "state.json"  # beside the worktrees: what `git cto status` shows of a loop at work
_PER_SECOND = 20  # words of one task that are told within a second

Kind = Literal[
    "planning", "planned", "started", "doing", "ended", "merged", "verifying", "reviewing", "verdict", "note"
]


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that happened. `task` is "" for what concerns the whole run; texts are untrusted."""

    kind: Kind
    task: str = ""
    text: str = ""
    outcome: str = ""
    tokens: int = 0
    cost: float = 0.0
    round: int = 0


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What one phase took: `phase` is plan, task or review."""

    phase: Literal["plan", "task", "review"]
    task: str
    round: int
    agent: str
    tokens: int
    cost: float


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What may be taken before a human is asked: tokens of both agents, US dollars. None is without limit."""

    tokens: int | None = None
    cost: float | None = None


@dataclass
class Progress:
    """Collects events of all threads, one at a time; adds up tokens and costs."""

    watch: Callable[[Event], None]
    round: int = 1
    taken: list[Taken] = field(default_factory=list)
    state: Path | None = None
    by_hand: bool = False  # a person does the tasks
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _now: dict[str, dict[str, object]] = field(default_factory=dict)
    _pace: dict[str, tuple[float, int]] = field(default_factory=dict)
    _noted: set[str] = field(default_factory=set)

    @property
    def tokens(self) -> int:
        """All tokens of both agents so far."""
        return sum(one.tokens for one in self.taken)

    @property
    def cost(self) -> float:
        """US dollars so far, as far as an agent said."""
        return sum(one.cost for one in self.taken)

    def within(self, budget: Budget) -> bool:
        """Whether there is something left of the budget."""
        return (budget.tokens is None or self.tokens < budget.tokens) and (
            budget.cost is None or budget.cost - self.cost >= LEAST
        )

    def tell(self, event: Event) -> None:
        """Passes an event on, and notes it for `git cto status`."""
        with self._lock:
            self._now[event.task] = {"kind": event.kind, "text": event.text[:200], "at": time.time()}
            self._save()
            self.watch(event)

    def started(self, task: str) -> None:
        """An executor starts with a task."""
        self.tell(Event(kind="started", task=task, round=self.round))

    def doing(self, task: str, activity: Activity) -> None:
        """What it is doing. Of a flood of words only some are told: telling takes longer than printing.

        A note is told, and once: all tasks may say the same.
        """
        with self._lock:
            if activity.note and activity.note not in self._noted:
                self._noted.add(activity.note)
                self.tell(Event(kind="note", text=activity.note))
            since, told = self._pace.get(task, (0.0, 0))
            now = time.monotonic()
            since, told = (since, told + 1) if now - since < 1 else (now, 1)
            self._pace[task] = since, told
        if told > _PER_SECOND:
            return
        self.tell(Event(kind="doing", task=task, text=activity.text, tokens=activity.tokens))

    def ended(self, result: Result) -> None:
        """A task has a result."""
        work = result.work
        self.tell(
            Event(
                kind="ended",
                task=result.task,
                outcome=result.outcome,
                text="; ".join((result.summary, *(one for one in result.seen if one not in result.summary))),
                tokens=work.usage.total if work else 0,
                cost=work.cost if work else 0.0,
            )
        )

    def merged(self, result: Result) -> None:
        """A result is in trunk."""
        self.tell(Event(kind="merged", task=result.task, outcome=result.outcome))

    def reviewed(self, engine: EngineUse, verdict: str, text: str) -> None:
        """A verdict was given."""
        self.take("review", "", f"codex {engine.model}", engine.tokens, 0.0)
        self.tell(Event(kind="verdict", outcome=verdict, text=text, tokens=engine.tokens, round=self.round))

    def take(self, phase: Literal["plan", "task", "review"], task: str, agent: str, tokens: int, cost: float) -> None:
        """Adds to what was taken."""
        with self._lock:
            self.taken.append(Taken(phase=phase, task=task, round=self.round, agent=agent, tokens=tokens, cost=cost))

    def _save(self) -> None:
        """The present state for another terminal; it is display only, so it may fail silently."""
        if self.state is None:
            return
        document = {
            "by_hand": self.by_hand,
            "round": self.round,
            "tokens": self.tokens,
            "cost": self.cost,
            "now": self._now,
        }
        with suppress(OSError):
            temporary = self.state.with_suffix(f".{os.getpid()}.tmp")
            temporary.write_text(json.dumps(document), encoding="utf-8")
            temporary.replace(self.state)


@dataclass(frozen=True, kw_only=True)
class AtWork:
    """What a loop in another terminal is doing: what it took so far, and what is being done.

    `active` are the tasks that are under way, `doing` says what is done for a task ("" stands for the whole run).
    `by_hand` is whether it waits for a person to do the tasks, or nobody can tell whether it does.
    """

    by_hand: bool
    tokens: int
    cost: float
    active: frozenset[str]
    doing: Mapping[str, str]


def at_work(git: Git, run: str) -> AtWork | None:
    """What another process is doing on a run right now; None where none is."""
    if not busy(git, run):
        return None
    found = _read_state(home(git, run) / STATE)
    return found or AtWork(by_hand=True, tokens=0, cost=0.0, active=frozenset(), doing={})


_UNDER_WAY = frozenset({"started", "doing"})
# What each kind of event means a while later; of all others the text says it.
_NOW = {"planned": "", "started": "starting", "ended": "", "merged": "", "reviewing": "reviewing · Codex {}"}


def _read_state(path: Path) -> AtWork | None:
    """The state that a loop left at `path`; None where there is none that can be read."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        now = {str(task): (str(one["kind"]), str(one["text"])) for task, one in said["now"].items()}
        return AtWork(
            by_hand=bool(said["by_hand"]),
            tokens=int(said["tokens"]),
            cost=float(said["cost"]),
            active=frozenset(task for task, (kind, _) in now.items() if task and kind in _UNDER_WAY),
            doing={task: _NOW.get(kind, "{}").format(text) for task, (kind, text) in now.items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
