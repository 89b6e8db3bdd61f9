"""The verdict rule: from what a model said and what was observed to the verdict that is recorded. Pure.

A model's verdict is an input. It can be made stricter here, never milder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from git_cto.gate.globs import matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from git_cto.gate.policy import Policy
    from git_cto.model import (
        CommandOutcome,
        Coverage,
        Finding,
        Plan,
        Review,
        Suspicion,
        Task,
        TaskResult,
        TaskReview,
        Verdict,
        VerdictRecord,
    )

BARRING = frozenset({"blocker", "major"})


class Judged(Struct, frozen=True):
    """The recorded verdict, why it is stricter than the model's (one phrase each), and earlier findings still open."""

    verdict: Verdict
    downgrades: tuple[str, ...]
    carried: tuple[Finding, ...]


def judge(  # noqa: PLR0913 -- what a verdict rests on
    review: Review,
    *,
    plan: Plan | None,
    prior: Sequence[Finding],
    coverage: Coverage,
    commands: Sequence[CommandOutcome],
    suspicions: Sequence[Suspicion],
    policy: Policy,
    results: Sequence[TaskResult] = (),
) -> Judged:
    """The verdict to record for `review`.

    `plan` is the plan that was asked about (None without one), `prior` the findings that were open before, `results`
    what is recorded of the tasks.
    """
    carried, unruled = _carried(review, prior)
    if review.verdict != "approve":
        return Judged(review.verdict, (), carried)
    why = [
        *_about_tasks(review, plan),
        *(f"{one.task_id} was recorded as {one.outcome}" for one in results if one.outcome != "done"),
        *_about_findings(review.findings, carried, unruled),
        *(f"verification failed: {_short(one.command)}" for one in commands if not one.passed),
        *coverage_gaps(coverage, policy),
        *_about_injection(review, suspicions, policy),
    ]
    return Judged("revise" if why else "approve", tuple(why), carried)


def _carried(review: Review, prior: Sequence[Finding]) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Earlier findings that are still open, and the ids of those that got no ruling (which keeps them open)."""
    ruled = {ruling.id for ruling in review.prior_findings}
    still_open = {ruling.id for ruling in review.prior_findings if ruling.ruling == "still_open"}
    carried = tuple(finding for finding in prior if finding.id not in ruled or finding.id in still_open)
    return carried, tuple(finding.id for finding in prior if finding.id not in ruled)


def _about_tasks(review: Review, plan: Plan | None) -> list[str]:
    why = [phrase for one in review.task_reviews for phrase in _against(one)]
    for task in plan.tasks if plan else ():
        reviews = [one for one in review.task_reviews if one.task_id == task.id]
        if not reviews:
            why.append(f"{task.id} was not judged")
        why += [
            f"{_count(missing, 'criterion', 'criteria')} of {task.id} not judged"
            for one in reviews
            if (missing := _missing(task, one)) > 0
        ]
    if review.revised_tasks:
        why.append("tasks were revised: " + ", ".join(task.id for task in review.revised_tasks))
    return why


def _against(one: TaskReview) -> Iterable[str]:
    if one.status != "pass":
        yield f"{one.task_id} is {one.status}"
    unmet = sum(not criterion.met for criterion in one.criteria)
    if unmet:
        yield f"{_count(unmet, 'criterion', 'criteria')} of {one.task_id} not met"


def _missing(task: Task, one: TaskReview) -> int:
    """How many criteria were left out. Models reword them, so they are counted; one judged twice counts once."""
    judged = {" ".join(criterion.criterion.split()) for criterion in one.criteria}
    return len({" ".join(criterion.split()) for criterion in task.acceptance_criteria}) - len(judged)


def _about_findings(found: Iterable[Finding], carried: Iterable[Finding], unruled: tuple[str, ...]) -> list[str]:
    why = [f"finding {one.id} is a {one.severity} one" for one in found if one.severity in BARRING]
    why += [
        f"finding {one.id} ({one.severity}) is still open"
        for one in carried
        if one.severity in BARRING and one.id not in unruled
    ]
    return why + [f"finding {one} of an earlier round got no ruling" for one in unruled]


def _about_injection(review: Review, suspicions: Sequence[Suspicion], policy: Policy) -> list[str]:
    why = ["an attempt to influence the review is suspected"] if review.injection_suspected else []
    barring = (one for one in suspicions if one.bars and not matches(one.path, policy.review.suspicious_ok))
    return why + [f"{one.path}:{one.line} {one.what}" for one in barring]


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
    unnamed = max(coverage.cut, coverage.files - coverage.full - len(coverage.partly))
    if unnamed:
        why.append(f"{_count(unnamed, 'more file', 'more files')} not shown in full")
    return why


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _short(text: str, width: int = 60) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"


def way_out(verdict: VerdictRecord, policy: Policy) -> str:
    """What to type where the reviewer would approve, and what stands in the way is nothing that a fix could mend.

    "" where there is something to mend.
    """
    if verdict.model_verdict != "approve" or verdict.verdict == "approve":
        return ""
    odd = [one for one in verdict.suspicions if one.bars and not matches(one.path, policy.review.suspicious_ok)]
    if len(coverage_gaps(verdict.coverage, policy)) + len(odd) >= len(verdict.downgrades):
        key = "[review] suspicious_ok" if odd else "[coverage] listed_ok"
        return f"look at it yourself, then git cto override --reason TEXT (or {key} in the policy)"
    if all(phrase.endswith("got no ruling") for phrase in verdict.downgrades):
        return 'git cto review --dispute "how the earlier finding was mended"'
    return ""
