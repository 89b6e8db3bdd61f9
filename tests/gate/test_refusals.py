"""A refusal sticks to its change: what is another question, what takes a refusal back, and what never does."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from git_cto.gate.digests import plan_digest
from git_cto.gate.refusals import Asked, asked, asked_for, is_new, last_failure, lifted_aborts, standing_refusal
from git_cto.model import CommandOutcome, Digests, Record, TaskResult, VerdictRecord
from tests.gate.values import a_continue, a_plan, a_task, a_verdict, an_override, ran, record

RUN = "say-2-3f2a1c"
PLAN = a_plan()
DONE = TaskResult(task_id="t1", outcome="done")
QUESTION = asked(RUN, PLAN, [DONE], [ran(1)])


def refusal(name: str = "refused", **said: Any) -> Record:  # noqa: ANN401 -- fields
    """A refusal of `QUESTION`, unless said otherwise."""
    values: dict[str, Any] = {"verdict": "revise", "run": RUN, "results": (DONE,), "commands": (ran(1),)}
    return record(a_verdict(PLAN, **values | said), name)


def approval(**said: Any) -> VerdictRecord:  # noqa: ANN401 -- fields
    """An approval that answers `QUESTION`, unless said otherwise."""
    return a_verdict(PLAN, **{"run": RUN, "results": (DONE,), "commands": (ran(1),)} | said)


def standing(*earlier: Record, lifted: frozenset[str] = frozenset(), **said: Any) -> str:  # noqa: ANN401 -- fields
    """The name of the refusal that an approval leaves standing, "" where it leaves none."""
    found = standing_refusal(approval(**said), earlier, lifted)
    return found.id if found else ""


# ---- the question


def test_a_question_is_its_run_its_plan_and_what_was_observed() -> None:
    assert Asked(
        run=RUN, plan=plan_digest(PLAN), outcomes=frozenset({("t1", "done")}), exits=(("make test", 1),)
    ) == asked(RUN, PLAN, [DONE], [ran(1)])
    assert asked(None, None, (), ()) == Asked(run="", plan="", outcomes=frozenset(), exits=())


def test_a_verdict_answered_the_question_that_was_asked() -> None:
    assert asked_for(approval()) == QUESTION
    assert asked_for(a_verdict()) == asked(None, None, (), ())


def test_prose_makes_no_other_question() -> None:
    told = replace(DONE, summary="I did it better", commit="a" * 40, round=3)
    loud = CommandOutcome(command="make test", exit_code=1, seconds=9.0, output="Trust me")
    assert asked(RUN, PLAN, [told], [loud]) == QUESTION


@pytest.mark.parametrize(
    "question",
    [
        asked(RUN, a_plan(a_task(description="Say 3")), [DONE], [ran(1)]),
        asked(RUN, None, [DONE], [ran(1)]),
        asked(RUN, PLAN, [TaskResult(task_id="t1", outcome="failed")], [ran(1)]),
        asked(RUN, PLAN, [TaskResult(task_id="t2", outcome="done")], [ran(1)]),
        asked(RUN, PLAN, [], [ran(1)]),
        asked(RUN, PLAN, [DONE], [ran(0)]),
        asked(RUN, PLAN, [DONE], [ran(None)]),
        asked(RUN, PLAN, [DONE], [ran(1), ran(0)]),
        asked(RUN, PLAN, [DONE], [CommandOutcome(command="make lint", exit_code=1)]),
    ],
)
def test_another_plan_or_outcome_in_the_same_run_is_another_question(question: Asked) -> None:
    assert is_new(question, QUESTION)
    other_run = replace(question, run="other-3f2a1c")
    assert not is_new(other_run, QUESTION)
    assert not is_new(replace(question, run=""), QUESTION)
    assert not is_new(question, replace(QUESTION, run=""))


def test_the_same_question_is_not_new_and_leaving_verification_out_makes_it_no_newer() -> None:
    assert not is_new(QUESTION, QUESTION)
    assert not is_new(asked(RUN, PLAN, [DONE], []), QUESTION)
    assert is_new(QUESTION, asked(RUN, PLAN, [DONE], []))


# ---- what stands


def test_the_last_refusal_of_the_same_question_stands() -> None:
    assert standing_refusal(approval(), (), frozenset()) is None
    assert standing(refusal("first"), refusal("second"), record(approval(), "a")) == "second"
    assert standing(refusal("aborted", verdict="abort")) == "aborted"


def test_a_dispute_or_a_new_question_takes_a_refusal_back() -> None:
    assert standing(refusal(), dispute="The test is wrong") == ""
    assert standing(refusal(), commands=(ran(0),)) == ""
    assert standing(refusal(), digests=Digests(plan="0" * 64)) == ""
    assert standing(refusal("other", run=""), commands=(ran(0),)) == "other"


def test_one_that_was_taken_back_hides_none_that_was_not() -> None:
    earlier = refusal("same", commands=(ran(0),)), refusal("red")
    assert standing(*earlier, commands=(ran(0),)) == "same"
    assert standing(*earlier) == "red"


def test_what_is_no_refusal_stands_in_nobodys_way() -> None:
    assert standing(record(approval(), "a"), record(an_override(), "o"), record(a_continue(), "c")) == ""
    assert standing(record(an_override(), "o"), refusal(), record(a_continue(), "c")) == "refused"


def test_an_abort_that_was_lifted_does_not_stand_and_others_do() -> None:
    assert standing(refusal("x", verdict="abort"), lifted=frozenset({"x"})) == ""
    assert standing(refusal("x", verdict="abort"), refusal("y"), lifted=frozenset({"x"})) == "y"
    assert standing(refusal("y"), refusal("x", verdict="abort"), lifted=frozenset({"x"})) == "y"
    assert standing(refusal("x", verdict="abort"), lifted=frozenset({"z"})) == "x"


# ---- go on


def abort(name: str, **said: Any) -> Record:  # noqa: ANN401 -- fields
    return record(a_verdict(verdict="abort", **said), name)


GO_ON = record(a_continue(), "go on")


def test_a_human_lifts_every_abort_of_the_series_that_came_before() -> None:
    assert lifted_aborts([abort("a"), abort("b"), GO_ON, abort("c")]) == {"a", "b"}
    assert lifted_aborts([abort("a"), GO_ON, abort("b"), GO_ON]) == {"a", "b"}
    assert lifted_aborts([GO_ON, abort("a")]) == frozenset()
    assert lifted_aborts([GO_ON, GO_ON]) == frozenset()


def test_a_word_on_another_series_or_target_lifts_nothing() -> None:
    assert lifted_aborts([abort("a", series="run/x"), GO_ON]) == frozenset()
    assert lifted_aborts([abort("a", target="refs/heads/release"), GO_ON]) == frozenset()
    assert lifted_aborts([abort("a", series="run/x"), abort("b"), GO_ON]) == {"b"}


def test_a_revise_is_not_lifted_and_an_override_lifts_nothing() -> None:
    assert lifted_aborts([refusal("r"), record(a_verdict(), "ok"), GO_ON]) == frozenset()
    assert lifted_aborts([abort("a"), record(an_override(), "o")]) == frozenset()


# ---- the last failure


def test_the_last_verification_is_told_where_something_failed_in_it() -> None:
    red = refusal("red", commands=(ran(0), ran(2)))
    assert last_failure([red, refusal("silent", commands=()), record(an_override(), "o")]) == (ran(0), ran(2))
    assert last_failure([refusal("first"), red]) == (ran(0), ran(2))


def test_nothing_is_told_after_a_verification_that_passed_or_without_any() -> None:
    assert last_failure([refusal("red"), record(approval(commands=(ran(0),)), "green")]) == ()
    assert last_failure([record(an_override(), "o"), refusal("silent", commands=())]) == ()
    assert last_failure([]) == ()
