"""A review from question to record: who is asked, what the rule makes of the answer, what is kept.

Nothing is recorded unless there is an answer that can be read; one code path leads to a verdict.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from git_cto.answers import AnswerError, check_plan, read_review
from git_cto.gate.digests import text_digest
from git_cto.gate.refusals import last_failure
from git_cto.gate.rounds import in_order, standing
from git_cto.gate.rule import Judged, judge
from git_cto.model import (
    PlanRecord,
    Review,
    Subject,
    VerdictRecord,
)
from git_cto.redaction import redact_answer, secret_values
from git_cto.work.asking import Asked, Asker, ask
from git_cto.work.briefing import Brief
from git_cto.work.composing import ReviewQuestion, rests_on
from git_cto.work.documents.reviews import review_document
from git_cto.work.keeping import answer_path, keep, record_fitted, reserve
from git_cto.work.planning import engine_use
from git_cto.work.verdicts import Reviewed, next_step
from git_cto.work.workspace import now

if TYPE_CHECKING:
    from git_cto.work.workspace import Workspace


def review(
    workspace: Workspace, prepared: ReviewQuestion, asker: Asker, *, before: tuple[str, ...] = (), counts: bool = True
) -> Reviewed:
    """Asks, judges, records. Raises `EngineError` where there is no usable answer: then nothing is recorded.

    `before` is what was said of it already; `counts` is False where it is known that the signature will not.
    """
    brief = prepared.brief
    found = brief.survey
    slot, notes = reserve(workspace, found.series.slug, "review")
    asked = ask(asker, prepared.question, reader(brief), slot)
    given = _numbered(cleaned(workspace, brief, asked.value), len(found.standing.verdicts) + 1)
    # What failed in this very change counts until it is run again.
    observed = prepared.outcomes or last_failure(in_order(found.about))
    judged = judge(
        given,
        plan=brief.plan,
        prior=found.standing.open_findings,
        coverage=prepared.view.coverage,
        commands=observed,
        suspicions=prepared.suspicions,
        policy=found.policy,
        results=brief.results,
    )
    body = _verdict(workspace, dataclasses.replace(prepared, outcomes=observed), asked, given, judged)
    change = found.change
    subject = Subject(head=change.head, tree=change.tree, change=change.id, sha256=change.sha256)
    record = record_fitted(workspace, subject, body, change.raw)
    verdict = record.body
    assert isinstance(verdict, VerdictRecord)  # noqa: S101 -- what was just recorded
    if given.revised_tasks:
        _amend_plan(workspace, brief, given)
    after = standing([*found.counted, record], found.series, found.policy.rounds)
    done = Reviewed(
        record=record,
        verdict=verdict,
        asked=True,
        after=after,
        brief=brief,
        artifact=answer_path(slot),
        before=before,
        notes=notes,
        counts=counts,
    )
    keep(slot, review_document(done, next_step(done)))
    return done


def reader(brief: Brief) -> Callable[[str], Review]:
    """Reads an answer to this question: of this head, about this plan's tasks, with a plan that still works."""
    tasks = frozenset(task.id for task in brief.plan.tasks) if brief.plan else frozenset[str]()

    def read(text: str) -> Review:
        answer = read_review(text, head=brief.survey.change.head, task_ids=tasks)
        if answer.revised_tasks:
            if brief.plan is None:
                raise AnswerError("there is no plan, so revised_tasks must be empty")
            check_plan(brief.plan.amended(answer.revised_tasks))
        return answer

    return read


def cleaned(workspace: Workspace, brief: Brief, given: Review) -> Review:
    """The answer without secrets."""
    paths = frozenset(file.name for file in brief.survey.change.files)
    clean = redact_answer(msgspec.to_builtins(given), secret_values(workspace.environ), paths)
    return msgspec.convert(clean, Review)


def _numbered(review: Review, number: int) -> Review:
    """The review with finding ids that are unique in the series: `<verdict>.<finding>`."""
    found = tuple(replace(one, id=f"{number}.{place}") for place, one in enumerate(review.findings, start=1))
    return replace(review, findings=found)


def _verdict(
    workspace: Workspace, prepared: ReviewQuestion, asked: Asked[Review], given: Review, judged: Judged
) -> VerdictRecord:
    brief = prepared.brief
    found = brief.survey
    return VerdictRecord(
        verdict=judged.verdict,
        model_verdict=given.verdict,
        downgrades=judged.downgrades,
        series=found.series.name,
        round=found.standing.round,
        run=found.run or "",
        target=found.target.ref,
        target_commit=found.target.commit,
        merge_base=found.change.base,
        coverage=prepared.view.coverage,
        digests=replace(rests_on(workspace, prepared), answer=text_digest(asked.text)),
        engine=engine_use(asked, prepared.question),
        actor=workspace.actor(),
        time=now(),
        review=given,
        carried=judged.carried,
        results=brief.results,
        commands=prepared.outcomes,
        suspicions=prepared.suspicions,
        control_paths=tuple(file.name for file in found.change.files if found.policy.gate.controls(file.text))[:50],
        tasks=len(brief.plan.tasks) if brief.plan else 0,
        marker=prepared.marker,
        dispute=brief.dispute,
        claim=brief.claim,
        supersedes=found.standing.supersedes,
    )


def _amend_plan(workspace: Workspace, brief: Brief, given: Review) -> None:
    """Records the revised plan, which supersedes the one that was asked about."""
    old = brief.survey.plan_record
    if old is None or not isinstance(old.body, PlanRecord) or brief.plan is None:
        return
    body = replace(
        old.body,
        plan=brief.plan.amended(given.revised_tasks),
        actor=workspace.actor(),
        time=now(),
        supersedes=old.id,
    )
    workspace.record(old.subject, body, series=body.series)
