"""The documents of questions: what would be asked (`--dry-run`), and what was asked (`git cto replay`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from git_cto.model import EngineUse, Finding, TaskStatus, Verdict

if TYPE_CHECKING:
    from git_cto.agents.base import Question
    from git_cto.model import VerdictRecord
    from git_cto.work.asking_again import Again
    from git_cto.work.replaying import Replayed


class DryRunDocument(Struct, frozen=True, kw_only=True):
    """What would be asked, and how (`plan --dry-run`, `review --dry-run`). Nothing was called."""

    schema: Literal["git-cto/dry-run/v1"] = "git-cto/dry-run/v1"
    argv: tuple[str, ...]
    model: str
    effort: str
    instructions: str
    prompt: str
    answer_schema: dict[str, Any]
    notes: tuple[str, ...]


def dry_run_document(question: Question, argv: tuple[str, ...], notes: tuple[str, ...]) -> DryRunDocument:
    """The document of a question that is not asked."""
    return DryRunDocument(
        argv=argv,
        model=question.model,
        effort=question.effort,
        instructions=question.instructions,
        prompt=question.prompt,
        answer_schema=dict(question.schema),
        notes=notes,
    )


class PartDocument(Struct, frozen=True):
    """One part of a question: as recorded, as found now (digests, or words), and why the two may differ."""

    name: str
    state: Literal["same", "different", "missing"]
    recorded: str
    found: str
    why: str


class TaskAgainDocument(Struct, frozen=True):
    """What two answers say of one task; null where one of them says nothing."""

    task_id: str
    recorded: TaskStatus | None
    now: TaskStatus | None


class AgainDocument(Struct, frozen=True, kw_only=True):
    """What the same model answered this time. `agrees`: on the verdict and on every task."""

    agrees: bool
    verdict: Verdict
    model_verdict: Verdict
    downgrades: tuple[str, ...]
    summary: str
    findings: tuple[Finding, ...]
    findings_recorded: int
    tasks: tuple[TaskAgainDocument, ...]
    engine: EngineUse


class ReplayDocument(Struct, frozen=True, kw_only=True):
    """A verdict's question put together again (`git cto replay`). `prompt` is null where it cannot be."""

    schema: Literal["git-cto/replay/v1"] = "git-cto/replay/v1"
    state: Literal["same", "different", "missing"]
    record: str
    head: str
    change: str
    target: str
    series: str
    round: int
    verdict: Verdict
    engine: EngineUse
    parts: tuple[PartDocument, ...]
    instructions: str | None
    prompt: str | None
    again: AgainDocument | None


def replay_document(replayed: Replayed, again: Again | None) -> ReplayDocument:
    """The document of a replayed question, and of a second answer where one was asked for."""
    verdict, question = replayed.verdict, replayed.question
    return ReplayDocument(
        state=replayed.state,
        record=replayed.record.id,
        head=replayed.record.subject.head,
        change=replayed.record.subject.change,
        target=verdict.target,
        series=verdict.series,
        round=verdict.round,
        verdict=verdict.verdict,
        engine=verdict.engine,
        parts=tuple(PartDocument(one.name, one.state, one.recorded, one.found, one.why) for one in replayed.parts),
        instructions=question.question.instructions if question else None,
        prompt=question.question.prompt if question else None,
        again=_again_document(verdict, again) if again else None,
    )


def _again_document(verdict: VerdictRecord, again: Again) -> AgainDocument:
    return AgainDocument(
        agrees=again.agrees,
        verdict=again.verdict,
        model_verdict=again.review.verdict,
        downgrades=again.downgrades,
        summary=again.review.summary,
        findings=again.review.findings,
        findings_recorded=len(verdict.review.findings),
        tasks=tuple(TaskAgainDocument(task, before, now) for task, before, now in again.tasks),
        engine=again.engine,
    )
