"""Verdicts as they stand: the one that was given to exactly this question already, and what comes after one.

Refusals stick: asking the same question again would only roll dice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from git_cto.errors import AbortedError, EscalatedError, UsageError, typed
from git_cto.gate.decision import unsound
from git_cto.gate.refusals import asked, asked_for, is_new, lifted_aborts
from git_cto.gate.rounds import in_order
from git_cto.gate.rule import way_out
from git_cto.model import (
    CommandOutcome,
    Record,
    VerdictRecord,
)
from git_cto.work.briefing import Brief
from git_cto.work.runs import current_plan, feedback_of

if TYPE_CHECKING:
    from git_cto.gate.rounds import Standing
    from git_cto.work.surveying import Survey


@dataclass(frozen=True, kw_only=True)
class Reviewed:
    """A verdict. `asked` is False where it stood already; `after` is where the series stands now.

    `before` was said before anybody was asked, `notes` are to be said after it; `counts` is False where the signature
    under it is known to count for nothing.
    """

    record: Record
    verdict: VerdictRecord
    asked: bool
    after: Standing
    brief: Brief
    artifact: str = ""
    before: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    counts: bool = True

    @property
    def to_be_signed(self) -> bool:
        """Whether it counts in this process only until somebody allowed has signed it."""
        unsigned = not self.record.signatures or not self.counts
        return self.asked and unsigned and self.brief.survey.policy.gate.trust == "signed"


def standing_verdict(brief: Brief, outcomes: tuple[CommandOutcome, ...]) -> Reviewed | None:
    """The verdict that was given to exactly this question, if there is one; asking again would only roll dice.

    The question is the same while change, target, plan and observed outcomes are. Without verification nothing new
    was observed, so a verdict that had some stands. Raises `UsageError` for a dispute that is none, `AbortedError`
    and `EscalatedError` where a human has to speak first.
    """
    found = brief.survey
    same = _same_question(brief, outcomes)
    latest = same[-1] if same else None
    verdict = latest.body if latest else None
    if brief.dispute:
        _check_dispute(same)
    elif latest and isinstance(verdict, VerdictRecord):
        return Reviewed(record=latest, verdict=verdict, asked=False, after=found.standing, brief=brief)
    on = f"git cto continue {typed(found.run)} --reason TEXT" if found.run else "git cto continue --reason TEXT"
    if found.standing.aborted:
        raise AbortedError("The reviewer said abort, and nobody has said to go on.", on)
    if found.standing.escalated:
        raise EscalatedError(_why_escalated(found), f"{on}, then git cto review")
    return None


def _same_question(brief: Brief, outcomes: tuple[CommandOutcome, ...]) -> list[Record]:
    found = brief.survey
    question = asked(found.run, brief.plan, brief.results, outcomes)
    ordered = in_order(found.counted)
    lifted = lifted_aborts(ordered)
    same: list[Record] = []
    for record in ordered:
        body = record.body
        if (
            isinstance(body, VerdictRecord)
            and record.subject.change == found.change.id
            and body.target == found.target.ref
            and record.id not in lifted
            and not is_new(question, asked_for(body))
            and _still_holds(body, brief)
        ):
            same.append(record)
    return same


def _still_holds(body: VerdictRecord, brief: Brief) -> bool:
    """Refusals stick; an approval does so only while today's policy would take it."""
    if body.verdict != "approve":
        return True
    if asked_for(body).run != (brief.survey.run or ""):
        return False  # judged without this plan, or by another one
    return not unsound(brief.survey.change, body, brief.plan, brief.survey.policy)


def _check_dispute(same: list[Record]) -> None:
    bodies = [record.body for record in same if isinstance(record.body, VerdictRecord)]
    if not bodies or bodies[-1].verdict == "approve":
        raise UsageError("There is no refusal of exactly this change to dispute.", "git cto review")
    if any(body.dispute for body in bodies):
        raise UsageError(
            "This verdict was disputed already, and once is what there is.",
            "change something, or git cto override --reason TEXT",
        )


def _why_escalated(found: Survey) -> str:
    rounds = found.policy.rounds
    if found.standing.revises >= rounds.escalate_after:
        return f"{found.standing.revises} times in a row the verdict was revise: a human has to look."
    return f"{found.standing.round - 1} rounds without an approval: a human has to look."


def next_step(done: Reviewed) -> str:
    """What to type after this verdict."""
    found = done.brief.survey
    run = f" {typed(found.run)}" if found.run else ""
    if done.verdict.verdict == "approve":
        return _after_approval(done)
    if done.after.escalated or done.after.aborted:
        return f"git cto continue{run} --reason TEXT, or git cto override{_head(done)} --reason TEXT"
    beyond = way_out(done.verdict, found.policy)
    if beyond:
        return beyond
    if done.brief.plan is not None:
        which = "" if done.brief.here else f" --run {typed(found.run or '')}"
        return f"git cto start {_first_to_do(done)}{which}, fix it, git cto finish -m SUMMARY, then git cto review"
    return f"fix it on {found.head.name}, commit, then git cto review"


def _after_approval(done: Reviewed) -> str:
    touched = ", ".join(done.verdict.control_paths[:2])
    decide = f"git cto override{_head(done)} --reason TEXT (it changes {touched})" if touched else ""
    base = _base(done.brief.survey)
    if done.to_be_signed:
        sign = f"git cto sign{_head(done)}{base}, by an allowed signer"
        return f"{sign}, then {decide}" if decide else sign
    return decide or f"git cto gate{_head(done)}{base}"


def _first_to_do(done: Reviewed) -> str:
    """The first task in the plan's order that can be started and has something to be done."""
    plan = current_plan(done.brief.plan, done.after) if done.brief.plan else None
    tasks = plan.in_order() if plan else ()
    asked = feedback_of(plan, done.after) if plan else {}
    finished = {one.task_id for one in done.brief.results}
    to_do = [task.id for task in tasks if task.id not in finished or task.id in asked]
    ready = [task.id for task in tasks if task.id in to_do and finished.issuperset(task.depends_on)]
    return (ready or to_do or [tasks[-1].id])[0]


def _head(done: Reviewed) -> str:
    """The argument that names the change again, where it is not what is checked out."""
    return "" if done.brief.checked_out else f" {typed(done.brief.survey.head.name)}"


def _base(found: Survey) -> str:
    """The option that says again what the user said."""
    return f" --base {typed(found.base)}" if found.base else ""
