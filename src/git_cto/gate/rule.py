"""The verdict rule: from what a model said and what was observed to the verdict that is recorded. Pure.

A model's verdict is an input. It can be made stricter here, never milder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from git_cto.gate.globs import matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from git_cto.gate.policy import Policy
    from git_cto.model import CommandOutcome, Coverage, Finding, Plan, Review, Suspicion, Verdict

BARRING = frozenset({"blocker", "major"})


@dataclass(frozen=True)
class Judged:
    """The recorded verdict, why it is stricter than the model's (one phrase each), and earlier findings still open."""

    verdict: Verdict
    downgrades: tuple[str, ...]
    carried: tuple[Finding, ...]


def judge(
    review: Review,
    *,
    plan: Plan | None,
    prior: Sequence[Finding],
    coverage: Coverage,
    commands: Sequence[CommandOutcome],
    suspicions: Sequence[Suspicion],
    policy: Policy,
) -> Judged:
    """The verdict to record for `review`.

    `plan` is the plan that was asked about (None without one), `prior` the findings that were open before.
    """
    carried, unruled = _carried(review, prior)
    if review.verdict != "approve":
        return Judged(review.verdict, (), carried)
    why = [
        *_about_tasks(review, plan),
        *_about_findings(review.findings, carried, unruled),
        *(f"verification failed: {_short(one.command)}" for one in commands if not one.passed),
        *coverage_gaps(coverage, policy),
        *_about_injection(review, suspicions),
    ]
    return Judged("revise" if why else "approve", tuple(why), carried)


def _carried(review: Review, prior: Sequence[Finding]) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Earlier findings that are still open, and the ids of those that got no ruling (which keeps them open)."""
    rulings = {ruling.id: ruling.ruling for ruling in review.prior_findings}
    still_open = tuple(finding for finding in prior if rulings.get(finding.id, "still_open") == "still_open")
    return still_open, tuple(finding.id for finding in prior if finding.id not in rulings)


def _about_tasks(review: Review, plan: Plan | None) -> list[str]:
    if plan is None:
        return [f"{one.task_id} is {one.status}" for one in review.task_reviews if one.status != "pass"]
    reviews = {one.task_id: one for one in review.task_reviews}
    why = []
    for task in plan.tasks:
        one = reviews.get(task.id)
        if one is None:
            why.append(f"{task.id} was not judged")
            continue
        if one.status != "pass":
            why.append(f"{task.id} is {one.status}")
        unmet = sum(not criterion.met for criterion in one.criteria)
        if unmet:
            why.append(f"{_count(unmet, 'criterion', 'criteria')} of {task.id} not met")
        missing = len(task.acceptance_criteria) - len(one.criteria)
        if missing > 0:
            why.append(f"{_count(missing, 'criterion', 'criteria')} of {task.id} not judged")
    if review.revised_tasks:
        why.append("tasks were revised: " + ", ".join(task.id for task in review.revised_tasks))
    return why


def _about_findings(found: Iterable[Finding], carried: Iterable[Finding], unruled: tuple[str, ...]) -> list[str]:
    why = [f"finding {one.id} is a {one.severity} one" for one in found if one.severity in BARRING]
    why += [
        f"finding {one.id} ({one.severity}) is still open"
        for one in carried
        if one.severity in BARRING and one.id not in unruled
    ]
    return why + [f"finding {one} of an earlier round got no ruling" for one in unruled]


def _about_injection(review: Review, suspicions: Sequence[Suspicion]) -> list[str]:
    why = ["an attempt to influence the review is suspected"] if review.injection_suspected else []
    return why + [f"{one.path}:{one.line} {one.what}" for one in suspicions if one.bars]


def coverage_gaps(coverage: Coverage, policy: Policy) -> list[str]:
    """What of a change the reviewer did not see and today's policy does not excuse, one phrase each."""
    why = []
    for file in coverage.partly:
        if file.status == "omitted":
            why.append(f"{file.path} was not shown: {file.reason}")
        elif file.status == "listed" and not matches(file.path, policy.coverage.listed_ok):
            why.append(f"{file.path} cannot be shown: {file.reason}")
        elif file.status == "summarised" and not matches(file.path, policy.coverage.summarised):
            why.append(f"{file.path} was only counted")
    if coverage.cut:
        why.append(f"{_count(coverage.cut, 'more file', 'more files')} not shown in full")
    return why


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _short(text: str, width: int = 60) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"
