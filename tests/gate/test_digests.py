"""The same question has the same digests; what differs in a way that counts does not."""

from __future__ import annotations

import hashlib

from hypothesis import given
from msgspec.structs import replace

from git_cto.gate.digests import outcomes_digest, plan_digest, text_digest
from git_cto.model import CommandOutcome, Plan, TaskResult
from tests.gate.values import a_plan, a_task, anything, quick


def test_a_text_has_the_digest_of_its_bytes() -> None:
    assert text_digest("é") == hashlib.sha256("é".encode()).hexdigest()
    assert len(text_digest("\ud800")) == 64


def test_no_plan_has_no_digest() -> None:
    assert plan_digest(None) == ""


def test_every_word_of_a_plan_counts() -> None:
    plan = a_plan(a_task("t1"), a_task("t2"))
    others = [
        replace(plan, strategy="Another."),
        replace(plan, tasks=plan.tasks[::-1]),
        replace(plan, tasks=plan.tasks[:1]),
        a_plan(a_task("t1"), a_task("t2", acceptance_criteria=())),
        a_plan(a_task("t1"), a_task("t2", context="x")),
    ]
    assert len({plan_digest(one) for one in [plan, *others]}) == 6


@quick
@given(anything(Plan))
def test_equal_plans_have_equal_digests(plan: Plan) -> None:
    try:
        digest = plan_digest(plan)
    except UnicodeEncodeError:
        return  # half a surrogate pair: neither an answer nor a record may hold one
    assert plan_digest(replace(plan)) == digest


def results(*said: tuple[str, str]) -> list[TaskResult]:
    return [TaskResult(task_id=task_id, outcome=outcome) for task_id, outcome in said]  # type: ignore[arg-type]


def ended(*codes: int | None) -> list[CommandOutcome]:
    return [CommandOutcome(command=f"c{place}", exit_code=code) for place, code in enumerate(codes)]


def test_outcomes_are_what_was_observed_and_not_what_was_said() -> None:
    plain = outcomes_digest(results(("t1", "done")), ended(0))
    told = [TaskResult(task_id="t1", outcome="done", summary="Great!", commit="a" * 40, round=3)]
    assert outcomes_digest(told, ended(0)) == plain
    loud = [CommandOutcome(command="c0", exit_code=0, seconds=9.0, output="ok")]
    assert outcomes_digest(results(("t1", "done")), loud) == plain


def test_the_order_of_tasks_says_nothing_and_that_of_commands_does() -> None:
    one, two = ("t1", "done"), ("t2", "failed")
    assert outcomes_digest(results(one, two), []) == outcomes_digest(results(two, one), [])
    assert outcomes_digest([], ended(0, 1)) != outcomes_digest([], ended(1, 0))


def test_every_outcome_counts() -> None:
    asked = [
        (results(), ended()),
        (results(), ended(0)),
        (results(), ended(1)),
        (results(), ended(None)),
        (results(), ended(0, 0)),
        (results(("t1", "done")), ended()),
        (results(("t1", "failed")), ended()),
        (results(("t1", "blocked")), ended()),
        (results(("t2", "done")), ended()),
        (results(("t1", "done"), ("t2", "done")), ended()),
    ]
    assert len({outcomes_digest(*one) for one in asked}) == len(asked)
