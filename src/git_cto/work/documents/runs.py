"""The documents of `git cto run`, `status` and `abandon`: where a run stands, what it took, each thing that happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from git_cto.model import Verdict, VerdictRecord
from git_cto.work.documents.tasks import TaskDocument, task_document

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from git_cto.work.progress import Event, Taken
    from git_cto.work.runs import Run

Ending = Literal["approved", "aborted", "escalated"]


class TakenDocument(Struct, frozen=True, kw_only=True):
    """What one phase of a run took: tokens, and US dollars as far as the agent says."""

    phase: Literal["plan", "task", "review"]
    task: str
    round: int
    agent: str
    tokens: int
    cost: float


class RunDocument(Struct, frozen=True, kw_only=True):
    """How a loop ended (`git cto run`), or where a run stands (`git cto status`)."""

    schema: Literal["git-cto/run/v1"] = "git-cto/run/v1"
    run: str
    ended: Ending | None
    reason: str
    verdict: Verdict | None
    rounds: int
    target: str
    trunk: str | None
    tasks: tuple[TaskDocument, ...]
    taken: tuple[TakenDocument, ...]
    tokens: int
    cost: float
    behind: int | None
    working: bool
    notes: tuple[str, ...]
    next: str


def run_document(
    run: Run,
    taken: Iterable[Taken],
    next_step: str,
    *,
    ended: Ending | None = None,
    reason: str = "",
    behind: int | None = None,
    working: bool = False,
) -> RunDocument:
    """The document of a run: where it stands, and what it has taken. What was said by the way is for callers to add."""
    rows = tuple(
        TakenDocument(
            phase=one.phase, task=one.task, round=one.round, agent=one.agent, tokens=one.tokens, cost=round(one.cost, 6)
        )
        for one in taken
    )
    latest = run.standing.latest.body if run.standing.latest else None
    return RunDocument(
        run=run.id,
        ended=ended,
        reason=reason,
        verdict=latest.verdict if isinstance(latest, VerdictRecord) else None,
        rounds=len(run.standing.verdicts),
        target=run.target.ref,
        trunk=run.trunk,
        tasks=tuple(task_document(view) for view in run.tasks),
        taken=rows,
        tokens=sum(row.tokens for row in rows),
        cost=round(sum(row.cost for row in rows), 6),  # 0.1 + 0.2 is not to be read as 0.30000000000000004
        behind=behind,
        working=working,
        notes=(),
        next=next_step,
    )


class BranchDocument(Struct, frozen=True, kw_only=True):
    """A branch that was removed, and the commit where it stood."""

    name: str
    commit: str


class AbandonDocument(Struct, frozen=True, kw_only=True):
    """A run whose branches and worktrees were removed (`git cto abandon`)."""

    schema: Literal["git-cto/abandon/v1"] = "git-cto/abandon/v1"
    run: str
    branches: tuple[BranchDocument, ...]
    next: str


def abandon_document(run: str, removed: Mapping[str, str], next_step: str) -> AbandonDocument:
    """The document of an abandoned run; `removed` are its branches and where they stood."""
    branches = tuple(BranchDocument(name=name, commit=commit) for name, commit in removed.items())
    return AbandonDocument(run=run, branches=branches, next=next_step)


class EventDocument(Struct, frozen=True, kw_only=True):
    """One line of `git cto run --events`: one thing that happened. The last line is a `RunDocument`."""

    schema: Literal["git-cto/event/v1"] = "git-cto/event/v1"
    at: float
    kind: str
    task: str
    text: str
    outcome: str
    tokens: int
    cost: float
    round: int


def event_document(event: Event, at: float) -> EventDocument:
    """The document of an event, which happened `at` seconds after 1970."""
    return EventDocument(
        at=round(at, 3),
        kind=event.kind,
        task=event.task,
        text=event.text,
        outcome=event.outcome,
        tokens=event.tokens,
        cost=event.cost,
        round=event.round,
    )
