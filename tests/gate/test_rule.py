"""What becomes of a model's verdict: each case of the rule by name, and that nothing ever makes a verdict milder."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from git_cto.gate.policy import CoveragePolicy, Policy, ReviewPolicy
from git_cto.gate.rule import Judged, coverage_gaps, judge, way_out
from git_cto.model import (
    CommandOutcome,
    Coverage,
    CriterionReview,
    Finding,
    Plan,
    Review,
    Severity,
    Suspicion,
    TaskResult,
    TaskReview,
    Verdict,
    VerdictRecord,
)
from tests.gate.values import (
    POLICY,
    a_finding,
    a_plan,
    a_review,
    a_task,
    a_verdict,
    anything,
    judged,
    ran,
    ruled,
    seen,
    thorough,
)

STRICTNESS: dict[Verdict, int] = {"approve": 0, "revise": 1, "abort": 2}


def ruling(review: Review, plan: Plan | None = None, **facts: Any) -> Judged:  # noqa: ANN401 -- arguments of the rule
    """The rule on a review, where everything else is in order."""
    values: dict[str, Any] = {"prior": (), "coverage": seen(), "commands": (), "suspicions": (), "policy": POLICY}
    return judge(review, plan=plan, **values | facts)


def refused(review: Review, plan: Plan | None = None, **facts: Any) -> tuple[str, ...]:  # noqa: ANN401 -- the same
    """Why an approval is none."""
    found = ruling(review, plan, **facts)
    assert review.verdict == "approve"
    assert found.verdict == "revise"
    return found.downgrades


def test_an_approval_without_a_flaw_is_one() -> None:
    plan = a_plan(a_task("t1"), a_task("t2"))
    assert ruling(a_review(plan), plan) == Judged("approve", (), ())
    assert ruling(a_review()) == Judged("approve", (), ())


# ---- tasks


@pytest.mark.parametrize("status", ["fail", "partial"])
def test_a_task_that_does_not_pass_bars_an_approval(status: str) -> None:
    plan = a_plan()
    review = a_review(task_reviews=(TaskReview(task_id="t1", status=status, criteria=judged(a_task()).criteria),))  # type: ignore[arg-type]
    assert refused(review, plan) == (f"t1 is {status}",)
    assert refused(review, None) == (f"t1 is {status}",)


def test_a_task_that_was_not_judged_bars_an_approval() -> None:
    plan = a_plan(a_task("t1"), a_task("t2"))
    assert refused(a_review(a_plan(a_task("t1"))), plan) == ("t2 was not judged",)


def test_a_judgement_of_another_task_does_not_stand_in_for_one() -> None:
    assert refused(a_review(a_plan(a_task("t2"))), a_plan(a_task("t1"))) == ("t1 was not judged",)


def test_an_unmet_criterion_bars_an_approval() -> None:
    plan = a_plan()
    review = a_review(task_reviews=(judged(a_task(), met=False),))
    assert refused(review, plan) == ("1 criterion of t1 not met",)
    assert refused(review, None) == ("1 criterion of t1 not met",)


def test_unmet_criteria_are_counted() -> None:
    task = a_task(acceptance_criteria=("a", "b"))
    assert refused(a_review(task_reviews=(judged(task, met=False),)), a_plan(task)) == ("2 criteria of t1 not met",)


def test_fewer_criteria_judged_than_planned_bar_an_approval() -> None:
    task = a_task(acceptance_criteria=("a", "b", "c"))
    some = TaskReview(task_id="t1", status="pass", criteria=(CriterionReview(criterion="a", met=True),))
    assert refused(a_review(task_reviews=(some,)), a_plan(task)) == ("2 criteria of t1 not judged",)
    none = TaskReview(task_id="t1", status="pass")
    assert refused(a_review(task_reviews=(none,)), a_plan(a_task())) == ("1 criterion of t1 not judged",)


def test_a_criterion_judged_twice_does_not_stand_in_for_another() -> None:
    task = a_task(acceptance_criteria=("a b", "c"))
    twice = tuple(CriterionReview(criterion=one, met=True) for one in ("a b", "a  b"))
    review = a_review(task_reviews=(TaskReview(task_id="t1", status="pass", criteria=twice),))
    assert refused(review, a_plan(task)) == ("1 criterion of t1 not judged",)


def test_a_criterion_planned_twice_is_judged_once() -> None:
    task = a_task(acceptance_criteria=("a", "a "))
    once = TaskReview(task_id="t1", status="pass", criteria=(CriterionReview(criterion="a", met=True),))
    assert ruling(a_review(task_reviews=(once,)), a_plan(task)).verdict == "approve"


def test_criteria_in_other_words_and_more_of_them_are_fine() -> None:
    criteria = tuple(CriterionReview(criterion=one, met=True) for one in ("returns two", "and is tested"))
    review = a_review(task_reviews=(TaskReview(task_id="t1", status="pass", criteria=criteria),))
    assert ruling(review, a_plan()).verdict == "approve"


def test_of_two_judgements_of_a_task_the_stricter_counts() -> None:
    plan = a_plan()
    both = (judged(a_task(), "fail"), judged(a_task()))
    assert refused(a_review(task_reviews=both), plan) == ("t1 is fail",)
    assert refused(a_review(task_reviews=both[::-1]), plan) == ("t1 is fail",)


def test_revised_tasks_bar_an_approval() -> None:
    plan = a_plan()
    review = a_review(plan, revised_tasks=(a_task("t1"), a_task("t9")))
    assert refused(review, plan) == ("tasks were revised: t1, t9",)
    assert refused(a_review(revised_tasks=(a_task("t9"),)), None) == ("tasks were revised: t9",)


# ---- findings


@pytest.mark.parametrize("severity", ["blocker", "major"])
def test_a_finding_that_matters_bars_an_approval(severity: Severity) -> None:
    assert refused(a_review(findings=(a_finding(severity),))) == (f"finding 1.1 is a {severity} one",)


@pytest.mark.parametrize("severity", ["minor", "nit"])
def test_a_small_finding_does_not(severity: Severity) -> None:
    assert ruling(a_review(findings=(a_finding(severity),))).verdict == "approve"


@pytest.mark.parametrize("severity", ["blocker", "major", "minor", "nit"])
def test_an_earlier_finding_without_a_ruling_is_open_and_bars(severity: Severity) -> None:
    earlier = a_finding(severity)
    found = ruling(a_review(), prior=(earlier,))
    assert found == Judged("revise", ("finding 1.1 of an earlier round got no ruling",), (earlier,))


def test_a_ruling_on_another_finding_is_none_on_this() -> None:
    assert refused(a_review(prior_findings=(ruled("fixed", "1.2"),)), prior=(a_finding(),))


@pytest.mark.parametrize("severity", ["blocker", "major"])
def test_an_earlier_finding_that_matters_and_is_still_open_bars(severity: Severity) -> None:
    earlier = a_finding(severity)
    found = ruling(a_review(prior_findings=(ruled("still_open"),)), prior=(earlier,))
    assert found == Judged("revise", (f"finding 1.1 ({severity}) is still open",), (earlier,))


@pytest.mark.parametrize("severity", ["minor", "nit"])
def test_a_small_one_that_is_still_open_is_carried_and_does_not_bar(severity: Severity) -> None:
    earlier = a_finding(severity)
    found = ruling(a_review(prior_findings=(ruled("still_open"),)), prior=(earlier,))
    assert found == Judged("approve", (), (earlier,))


@pytest.mark.parametrize("kind", ["fixed", "withdrawn"])
def test_what_is_fixed_or_withdrawn_is_gone(kind: str) -> None:
    review = a_review(prior_findings=(ruled(kind),))  # type: ignore[arg-type]
    assert ruling(review, prior=(a_finding("blocker"),)) == Judged("approve", (), ())


def test_of_two_rulings_on_a_finding_the_stricter_counts() -> None:
    both = (ruled("still_open"), ruled("fixed"))
    assert refused(a_review(prior_findings=both), prior=(a_finding(),))
    assert refused(a_review(prior_findings=both[::-1]), prior=(a_finding(),))


def test_findings_are_carried_through_a_refusal_as_well() -> None:
    first, second, third = (a_finding("nit", f"1.{number}") for number in (1, 2, 3))
    review = a_review(verdict="revise", prior_findings=(ruled("fixed", "1.1"), ruled("still_open", "1.2")))
    assert ruling(review, prior=(first, second, third)).carried == (second, third)


# ---- what was observed


@pytest.mark.parametrize("exit_code", [1, 2, 127, -9, None])
def test_a_verification_that_failed_or_was_stopped_bars(exit_code: int | None) -> None:
    assert refused(a_review(), commands=(ran(0), ran(exit_code))) == ("verification failed: make test",)


def test_a_verification_that_passed_does_not() -> None:
    assert ruling(a_review(), commands=(ran(0), ran(0))).verdict == "approve"


def test_a_long_command_is_named_in_one_short_line() -> None:
    (why,) = refused(a_review(), commands=(CommandOutcome(command="x\n" * 100, exit_code=1),))
    assert why == f"verification failed: {('x ' * 30)[:59]}…"
    exactly = CommandOutcome(command="x" * 60, exit_code=1)
    assert refused(a_review(), commands=(exactly,)) == (f"verification failed: {'x' * 60}",)


# ---- coverage


def test_a_file_that_was_omitted_bars_whatever_the_policy_says() -> None:
    lax = Policy(coverage=CoveragePolicy(summarised=("**",), listed_ok=("**",)))
    assert refused(a_review(), coverage=seen(1, ("big.py", "omitted")), policy=lax) == ("big.py was not shown: why",)


def test_a_file_that_can_only_be_listed_bars() -> None:
    assert refused(a_review(), coverage=seen(1, ("logo.png", "listed"))) == ("logo.png cannot be shown: why",)


def test_a_listed_file_passes_where_the_policy_excuses_it() -> None:
    policy = Policy(coverage=CoveragePolicy(listed_ok=("*.png",)))
    coverage = seen(1, ("a/logo.png", "listed"))
    assert ruling(a_review(), coverage=coverage, policy=policy).verdict == "approve"
    policy = Policy(coverage=CoveragePolicy(listed_ok=("b/*.png",)))
    assert refused(a_review(), coverage=coverage, policy=policy)


def test_a_summarised_file_passes_only_while_the_policy_names_it() -> None:
    coverage = seen(1, ("uv.lock", "summarised"))
    assert ruling(a_review(), coverage=coverage).verdict == "approve"
    policy = Policy(coverage=CoveragePolicy(summarised=(), listed_ok=("**",)))
    assert refused(a_review(), coverage=coverage, policy=policy) == ("uv.lock was only counted",)


def test_an_excuse_for_one_kind_is_none_for_another() -> None:
    policy = Policy(coverage=CoveragePolicy(summarised=("*.png",)))
    assert refused(a_review(), coverage=seen(1, ("logo.png", "listed")), policy=policy)


def test_a_quoted_path_is_excused_by_no_pattern_for_its_end() -> None:
    policy = Policy(coverage=CoveragePolicy(listed_ok=("*.png",)))
    assert refused(a_review(), coverage=seen(1, ('"a\\nb.png"', "listed")), policy=policy)


def test_a_list_that_was_cut_bars_whatever_the_policy_says() -> None:
    lax = Policy(coverage=CoveragePolicy(summarised=("**",), listed_ok=("**",)))
    assert refused(a_review(), coverage=seen(1, cut=2), policy=lax) == ("2 more files not shown in full",)
    assert refused(a_review(), coverage=seen(1, cut=1), policy=lax) == ("1 more file not shown in full",)


def test_coverage_that_counts_more_files_than_it_names_bars() -> None:
    coverage = Coverage(files=3, full=1, summarised=0, listed=0, omitted=2, digest="")
    assert coverage_gaps(coverage, POLICY) == ["2 more files not shown in full"]


# ---- injection


def test_a_suspected_injection_bars() -> None:
    assert refused(a_review(injection_suspected=True)) == ("an attempt to influence the review is suspected",)


def test_suspicious_text_bars_where_it_is_of_the_barring_kind() -> None:
    odd = Suspicion(path="a.py", line=3, what="speaks to the reviewer")
    assert refused(a_review(), suspicions=(odd,)) == ("a.py:3 speaks to the reviewer",)
    harmless = Suspicion(path="a.py", line=3, what="holds invisible characters", bars=False)
    assert ruling(a_review(), suspicions=(harmless,)).verdict == "approve"


def test_suspicious_text_passes_where_the_policy_expects_it() -> None:
    policy = Policy(review=ReviewPolicy(suspicious_ok=("tests/**",)))
    expected = Suspicion(path="tests/a.py", line=3, what="speaks to the reviewer")
    assert ruling(a_review(), suspicions=(expected,), policy=policy).verdict == "approve"
    elsewhere = Suspicion(path="src/a.py", line=3, what="speaks to the reviewer")
    assert refused(a_review(), suspicions=(expected, elsewhere), policy=policy) == (
        "src/a.py:3 speaks to the reviewer",
    )


def test_the_policy_expects_text_and_no_injection() -> None:
    policy = Policy(review=ReviewPolicy(suspicious_ok=("**",)))
    assert refused(a_review(injection_suspected=True), policy=policy)


# ---- the whole


def test_every_reason_is_told() -> None:
    plan = a_plan(a_task("t1"), a_task("t2"))
    review = a_review(
        task_reviews=(judged(a_task(), "fail", met=False),), findings=(a_finding(),), injection_suspected=True
    )
    why = refused(
        review, plan, prior=(a_finding("nit", "0.1"),), coverage=seen(0, ("a", "omitted")), commands=(ran(1),)
    )
    assert len(why) == 8


@pytest.mark.parametrize("verdict", ["revise", "abort"])
def test_a_refusal_stays_what_it_is(verdict: Verdict) -> None:
    bad: dict[str, Any] = {"commands": (ran(1),), "coverage": seen(0, ("a", "omitted"))}
    assert ruling(a_review(verdict=verdict)) == Judged(verdict, (), ())
    assert ruling(a_review(verdict=verdict), **bad) == Judged(verdict, (), ())


lists = st.lists(anything(Finding), max_size=3)


@thorough
@given(
    review=anything(Review),
    plan=st.none() | anything(Plan),
    prior=lists,
    coverage=anything(Coverage),
    commands=st.lists(anything(CommandOutcome), max_size=2),
    suspicions=st.lists(anything(Suspicion), max_size=2),
)
def test_a_verdict_is_never_made_milder(
    review: Review,
    plan: Plan | None,
    prior: list[Finding],
    coverage: Coverage,
    commands: list[CommandOutcome],
    suspicions: list[Suspicion],
) -> None:
    found = judge(
        review,
        plan=plan,
        prior=prior,
        coverage=coverage,
        commands=commands,
        suspicions=suspicions,
        policy=POLICY,
    )
    assert STRICTNESS[found.verdict] >= STRICTNESS[review.verdict]
    assert (found.verdict != review.verdict) == bool(found.downgrades)
    assert set(found.carried) <= set(prior)
    if found.verdict == "approve":
        assert all(one.passed for one in commands)
        assert not any(one.severity in {"blocker", "major"} for one in (*review.findings, *found.carried))
        assert not review.injection_suspected


def test_a_task_that_was_recorded_as_failed_or_blocked_is_not_approved() -> None:
    plan = a_plan(a_task("t1"), a_task("t2"))
    results = (TaskResult(task_id="t1", outcome="done"), TaskResult(task_id="t2", outcome="failed"))
    assert refused(a_review(plan), plan, results=results) == ("t2 was recorded as failed",)


# ---- the way out


LOOK = "look at it yourself, then git cto override --reason TEXT (or {} in the policy)"
ODD = Suspicion(path="a.py", line=3, what="speaks to the reviewer")
UNRULED = "finding 1.1 of an earlier round got no ruling"


def barred(*downgrades: str, **said: Any) -> VerdictRecord:  # noqa: ANN401 -- fields
    """The reviewer would approve; the rule does not, for these reasons."""
    values: dict[str, Any] = {"verdict": "revise", "model_verdict": "approve", "review": a_review()}
    return a_verdict(**values | {"downgrades": downgrades} | said)


def test_what_no_fix_can_mend_has_another_way_out() -> None:
    unseen = barred("logo.png cannot be shown: why", coverage=seen(0, ("logo.png", "listed")))
    assert way_out(unseen, POLICY) == LOOK.format("[coverage] listed_ok")
    odd = barred("a.py:3 speaks to the reviewer", suspicions=(ODD,))
    assert way_out(odd, POLICY) == LOOK.format("[review] suspicious_ok")
    both = barred("1", "2", suspicions=(ODD,), coverage=seen(0, ("logo.png", "listed")))
    assert way_out(both, POLICY) == LOOK.format("[review] suspicious_ok")


def test_an_earlier_finding_that_got_no_ruling_can_be_disputed() -> None:
    dispute = 'git cto review --dispute "how the earlier finding was mended"'
    assert way_out(barred(UNRULED), POLICY) == dispute
    assert way_out(barred(UNRULED, UNRULED.replace("1.1", "1.2")), POLICY) == dispute
    assert way_out(barred(UNRULED, "t1 is fail"), POLICY) == ""


def test_what_a_fix_can_mend_has_no_way_out() -> None:
    assert way_out(barred("t1 is fail"), POLICY) == ""
    assert way_out(barred("t1 is fail", "a.py:3 speaks to the reviewer", suspicions=(ODD,)), POLICY) == ""
    assert way_out(barred("t1 is fail", suspicions=(replace(ODD, bars=False),)), POLICY) == ""
    excused = Policy(review=ReviewPolicy(suspicious_ok=("a.py",)))
    assert way_out(barred("t1 is fail", suspicions=(ODD,)), excused) == ""
    assert way_out(barred("t1 is fail", suspicions=(replace(ODD, path="b.py"),)), excused) != ""


@pytest.mark.parametrize("verdict, model", [("revise", "revise"), ("abort", "abort"), ("approve", "approve")])
def test_there_is_no_way_out_of_what_the_model_said_itself(verdict: Verdict, model: Verdict) -> None:
    assert way_out(barred(UNRULED, verdict=verdict, model_verdict=model, suspicions=(ODD,)), POLICY) == ""
