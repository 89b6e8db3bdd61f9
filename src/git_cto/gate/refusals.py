"""Refusals stick: which question a verdict answered, and what takes a refusal of exactly this change back. Pure.

The same change for the same target stays refused, whoever asks again under whatever name or plan. A new question is
only what was asked within the same run after its plan was amended, its tasks came out differently, or its verification
ended differently. Besides that there is one dispute, and a human's override.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from git_cto.gate.digests import plan_digest
from git_cto.model import ContinueRecord, VerdictRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from git_cto.model import CommandOutcome, Plan, Record, TaskResult

Exits = tuple[tuple[str, int | None], ...]


class Asked(Struct, frozen=True, kw_only=True):
    """What makes a question about a change the same or another one: prose does not count."""

    run: str
    plan: str  # digest
    outcomes: frozenset[tuple[str, str]]
    exits: Exits


def asked(
    run: str | None, plan: Plan | None, results: Iterable[TaskResult], commands: Sequence[CommandOutcome]
) -> Asked:
    """A question that is about to be asked."""
    return Asked(run=run or "", plan=plan_digest(plan), outcomes=_outcomes(results), exits=_exits(commands))


def asked_for(verdict: VerdictRecord) -> Asked:
    """The question that a verdict answered."""
    return Asked(
        run=verdict.run,
        plan=verdict.digests.plan,
        outcomes=_outcomes(verdict.results),
        exits=_exits(verdict.commands),
    )


def _outcomes(results: Iterable[TaskResult]) -> frozenset[tuple[str, str]]:
    return frozenset((one.task_id, one.outcome) for one in results)


def _exits(commands: Sequence[CommandOutcome]) -> Exits:
    return tuple((one.command, one.exit_code) for one in commands)


def is_new(question: Asked, before: Asked) -> bool:
    """Whether `question` about the same change is another one than `before`, so that it may have another answer.

    Without verification nothing new was observed. Another run, or none, is another name for the same change.
    """
    if question.run != before.run:
        return False
    verified_anew = bool(question.exits) and question.exits != before.exits
    return verified_anew or question.plan != before.plan or question.outcomes != before.outcomes


def standing_refusal(approval: VerdictRecord, earlier: Iterable[Record], lifted: frozenset[str]) -> Record | None:
    """The last refusal among earlier verdicts on the same change that this approval does not take back."""
    question = asked_for(approval)
    found = None
    for record in earlier:
        body = record.body
        if not isinstance(body, VerdictRecord) or body.verdict == "approve" or record.id in lifted:
            continue
        if not (approval.dispute or is_new(question, asked_for(body))):
            found = record
    return found


def lifted_aborts(ordered: Iterable[Record]) -> frozenset[str]:
    """The ids of aborts after which a human has said that their series may go on. A revise is not lifted like that."""
    lifted: set[str] = set()
    aborts: dict[tuple[str, str], list[str]] = {}
    for record in ordered:
        body = record.body
        if isinstance(body, VerdictRecord) and body.verdict == "abort":
            aborts.setdefault((body.series, body.target), []).append(record.id)
        elif isinstance(body, ContinueRecord):
            lifted.update(aborts.pop((body.series, body.target), ()))
    return frozenset(lifted)


def last_failure(records: Iterable[Record]) -> tuple[CommandOutcome, ...]:
    """What the last verification of this change observed, where something failed in it; else nothing.

    `records` are those about exactly this change, in order.
    """
    seen: tuple[CommandOutcome, ...] = ()
    for record in records:
        if isinstance(record.body, VerdictRecord) and record.body.commands:
            seen = record.body.commands
    return () if all(one.passed for one in seen) else seen
