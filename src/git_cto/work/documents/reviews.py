"""The document of `git cto review`: what Codex answered, what the rule made of it, and what it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from msgspec.structs import asdict

from git_cto.model import CommandOutcome, Coverage, EngineUse, Finding, Ruling, Task, TaskReview, Verdict

if TYPE_CHECKING:
    from git_cto.work.verdicts import Reviewed


class ReviewDocument(Struct, frozen=True, kw_only=True):
    """A verdict (`git cto review`). `standing` is true where it was given before and no model was asked."""

    schema: Literal["git-cto/review/v1"] = "git-cto/review/v1"
    phase: Literal["review"]
    verdict: Verdict
    summary: str
    task_reviews: tuple[TaskReview, ...]
    findings: tuple[Finding, ...]
    prior_findings: tuple[Ruling, ...]
    revised_tasks: tuple[Task, ...]
    reason: str
    injection_suspected: bool
    model_verdict: Verdict
    downgrades: tuple[str, ...]
    open_findings: tuple[Finding, ...]
    run: str | None
    series: str
    round: int
    rounds: int
    escalated: bool
    standing: bool
    change: str
    target: str
    head: str
    record: str
    coverage: Coverage
    commands: tuple[CommandOutcome, ...]
    engine: EngineUse
    artifact: str | None
    notes: tuple[str, ...]
    next: str


def review_document(done: Reviewed, next_step: str) -> ReviewDocument:
    """The document of a verdict."""
    verdict, found = done.verdict, done.brief.survey
    answered = asdict(verdict.review) | {"verdict": verdict.verdict, "head": done.record.subject.head}
    return ReviewDocument(
        **answered,
        model_verdict=verdict.model_verdict,
        downgrades=verdict.downgrades,
        open_findings=verdict.open_findings,
        run=verdict.run or None,
        series=verdict.series,
        round=verdict.round,
        rounds=found.policy.rounds.max,
        escalated=done.after.escalated,
        standing=not done.asked,
        change=done.record.subject.change,
        target=verdict.target,
        record=done.record.id,
        coverage=verdict.coverage,
        commands=verdict.commands,
        engine=verdict.engine,
        artifact=done.artifact or None,
        notes=(*done.before, *done.notes),
        next=next_step,
    )
