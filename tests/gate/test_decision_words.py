"""What the gate says where it opens or stays closed: each reason and next step word for word, and on what facts."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from git_cto.gate.decision import Decision, Facts, decide
from git_cto.gate.policy import CoveragePolicy, GatePolicy, Policy, ReviewPolicy
from git_cto.gate.rounds import standing
from git_cto.model import Change, Record, Signer, Suspicion, TaskResult
from tests.gate.values import (
    CI,
    HEAD,
    POLICY,
    SERIES,
    TARGET,
    a_change,
    a_continue,
    a_file,
    a_finding,
    a_plan,
    a_plan_record,
    a_review,
    a_task,
    a_verdict,
    an_override,
    at,
    ran,
    record,
    seen,
)

RUN = "say-2-3f2a1c"
BEN = Signer(principal="ben@example.org", key="SHA256:ben", aliases=("ben@example.org",))
SIGNED = Policy(gate=GatePolicy(trust="signed"))
CONTROL = a_change(a_file(".cto/config.toml"))
APPROVED = record(a_verdict(), "approved")
SIGNED_APPROVAL = record(a_verdict(), "approved", signers=(CI,))
NO_APPROVAL = f"{HEAD[:12]} has no approval for main."
RESTS = "It changes what the gate itself rests on (.cto/config.toml)"
OVERRIDE = "git cto override --reason TEXT"
ANOTHER = f"{OVERRIDE}, by an allowed signer who neither wrote it nor signed its approval"
CONTINUE = "git cto continue --reason TEXT, then "


def decision(*records: Record, policy: Policy = POLICY, change: Change | None = None, **facts: Any) -> Decision:  # noqa: ANN401 -- facts
    """The gate's answer for the change, if these are the records about it."""
    where = standing(records, SERIES, policy.rounds)
    return decide(change or a_change(), Facts(TARGET, **facts), records, where, policy)


def refused(verdict: str = "revise", **said: Any) -> Record:  # noqa: ANN401 -- fields
    return record(a_verdict(verdict=verdict, **said), f"refused at {said.get('time', at(0))}")


# ---- nobody judged it


def test_without_any_record_a_review_is_next() -> None:
    assert decision() == Decision(False, (NO_APPROVAL,), "git cto review")
    assert decide(a_change(), Facts(TARGET, commits_since=3), (), None, POLICY) == decision()


def test_what_was_said_of_an_earlier_state_is_told_as_it_was_said() -> None:
    earlier = record(a_verdict(verdict="revise", review=a_review(verdict="revise", summary="No")), change="0" * 40)
    assert decision(earlier) == Decision(False, (NO_APPROVAL, "Round 1 said revise: No."), "git cto review")
    assert decision(record(a_verdict(round=3), change="0" * 40)).reasons == (NO_APPROVAL, "Round 3 approved.")


def test_a_series_that_waits_for_a_human_says_so_first() -> None:
    aborted = record(a_verdict(verdict="abort"), "x", change="0" * 40)
    assert decision(aborted).next_step == f"{CONTINUE}git cto review"
    assert decision(aborted, record(a_continue(time=at(1)), "c")).next_step == "git cto review"


def test_where_signatures_count_and_none_is_there_that_is_said() -> None:
    none = "Only signed records count here, and there is none about exactly this change."
    assert decision(policy=SIGNED) == Decision(False, (NO_APPROVAL, none), "git cto review")
    elsewhere = record(a_verdict(), "e", change="0" * 40)
    assert decision(elsewhere, policy=SIGNED).reasons == (NO_APPROVAL, "Round 1 approved.", none)


def test_an_unsigned_approval_is_told_and_can_be_signed() -> None:
    one = "Only signed records count here, and the one about exactly this change does not: it is not signed."
    sign = "git cto sign, by an allowed signer who vouches for it"
    assert decision(APPROVED, policy=SIGNED) == Decision(False, (NO_APPROVAL, one), sign)


def test_an_approval_that_only_its_author_signed_needs_another_signer_and_no_other_review() -> None:
    ben = record(a_verdict(time=at(2)), "b", signers=(BEN,))
    found = decision(ben, policy=SIGNED, authors=frozenset(BEN.names))
    assert found.next_step == "git cto sign, by an allowed signer who did not write it"


def test_where_a_commit_names_no_address_no_signature_helps() -> None:
    ben = record(a_verdict(time=at(2)), "b", signers=(BEN,))
    found = decision(ben, policy=SIGNED, authors=frozenset({""}))
    assert found.next_step == "commit it with an address (git commit --amend --reset-author), then git cto review"


def test_where_a_signature_would_not_help_a_review_is_next() -> None:
    """What the rule would not take, what is of another run, and what was refused, is not there to be signed."""
    unseen = record(a_verdict(coverage=seen(0, ("app.py", "omitted"))), "u")
    assert decision(unseen, policy=SIGNED).next_step == "git cto review"
    assert decision(APPROVED, policy=SIGNED, run=RUN).next_step == "git cto review"
    assert decision(APPROVED, refused(time=at(1)), policy=SIGNED).next_step == "git cto review"


def test_what_the_plan_does_not_bear_out_is_not_there_to_be_signed() -> None:
    plan = a_plan(a_task("t1"), a_task("t2"))
    planned, whole = record(a_plan_record(plan), "p"), record(a_verdict(plan), "a")
    assert decision(planned, whole, policy=SIGNED).next_step == "git cto sign, by an allowed signer who vouches for it"
    half = record(a_verdict(plan, review=a_review(a_plan(a_task("t1")))), "a")
    assert decision(planned, half, policy=SIGNED).next_step == "git cto review"


def test_an_unsigned_override_can_be_signed_or_a_review_be_asked_for() -> None:
    found = decision(record(an_override(), "o"), policy=SIGNED)
    assert found.next_step == "git cto sign --overrides, by an allowed signer who vouches for it, or git cto review"


def test_an_override_that_a_listed_author_signed_needs_no_word_for_unsigned_ones() -> None:
    """Also where somebody put an unsigned one behind it."""
    hers = record(an_override(), "o", signers=(BEN,))
    for records in ((hers,), (hers, record(an_override(time=at(1)), "p"))):
        found = decision(*records, policy=SIGNED, authors=frozenset(BEN.names))
        assert found.next_step == "git cto sign, by an allowed signer who did not write it, or git cto review"


def test_of_several_that_do_not_count_each_reason_is_told_and_what_was_signed_first() -> None:
    ben = record(a_verdict(time=at(2)), "b", signers=(BEN,))
    unsigned = record(a_verdict(time=at(3)), "x"), record(a_verdict(time=at(4)), "y")
    found = decision(APPROVED, ben, *unsigned, policy=SIGNED, authors=frozenset(BEN.names))
    assert found.reasons[1] == (
        "Only signed records count here, and of 4 about exactly this change none does: "
        "ben@example.org signed it and is an author of the change; 3 are not signed."
    )


def test_four_reasons_of_signed_records_are_told_as_the_three_newest() -> None:
    doubts = ["one", "two", "three", "four", "four"]
    bodies = [a_verdict(time=at(number)) for number in range(5)]
    records = [replace(record(body, f"r{body.time}"), doubt=doubt) for body, doubt in zip(bodies, doubts, strict=True)]
    found = decision(*records, APPROVED, policy=SIGNED)
    assert found.reasons[1].endswith(
        "of 6 about exactly this change none does: four (2 of them); three; two; 1 is not signed."
    )


def test_where_no_signature_can_count_that_is_said_and_no_signature_is_asked_for() -> None:
    nobody, to_mend = "Line 1 of it is no key, so no signature counts.", "mend it on main"
    found = decision(APPROVED, policy=SIGNED, nobody=nobody, to_mend=to_mend)
    assert found.reasons[1].endswith("the one about exactly this change does not: it is not signed.")
    assert (found.reasons[2:], found.next_step) == ((nobody,), to_mend)
    told = replace(record(a_verdict(), "x"), doubt="Line 1 of it is no key, so no signature counts")
    assert len(decision(told, policy=SIGNED, nobody=nobody, to_mend=to_mend).reasons) == 2
    none = decision(policy=SIGNED, nobody=nobody, to_mend=to_mend)
    assert (len(none.reasons), none.next_step) == (2, "git cto review")


def test_reasons_of_signed_ones_stand_alone_where_none_is_unsigned() -> None:
    old, gone = (replace(record(a_verdict(time=at(n)), f"r{n}"), doubt=why) for n, why in ((1, "expired"), (2, "gone")))
    assert decision(old, gone, policy=SIGNED).reasons[1].endswith("none does: gone; expired.")


def test_that_nobody_may_sign_is_said_once() -> None:
    """By the record itself, in the midst of other reasons, or on top of them."""
    nobody: dict[str, Any] = {"nobody": "The list cannot be read.", "to_mend": "mend the list"}
    doubtful = replace(record(a_verdict(time=at(1)), "d"), doubt="The list cannot be read")
    other = record(a_verdict(time=at(2)), "o")
    earlier = record(a_verdict(verdict="revise", time=at(3)), "e", change="0" * 40)
    said = decision(earlier, doubtful, other, policy=SIGNED, **nobody)
    assert said.reasons[-1].endswith("none does: The list cannot be read; 1 is not signed.")
    assert decision(other, policy=SIGNED, **nobody).reasons[-1] == "The list cannot be read."
    assert (said.next_step, decision(policy=SIGNED, **nobody).next_step) == ("mend the list", "git cto review")


def test_where_commits_were_made_anew_it_is_said_what_keeps_the_old_ones() -> None:
    wrote: dict[str, Any] = {"policy": SIGNED, "authors": frozenset(BEN.names)}
    first, last = (
        record(a_verdict(time=at(n)), f"r{n}", signers=(BEN,), head=name * 40) for n, name in ((1, "1"), (2, "2"))
    )
    keeps = "merged as it is (git merge --no-ff), that keeps its own authors."
    assert decision(first, last, **wrote).reasons[-1] == f"It was recorded on 222222222222: {keeps}"
    assert decision(last, **wrote).reasons[-1] == f"It was recorded on 222222222222: {keeps}"
    here, unsigned = record(a_verdict(), "h", signers=(BEN,)), record(a_verdict(), "u", head="3" * 40)
    assert keeps not in " ".join(decision(here, unsigned, **wrote).reasons)


# ---- conflicts


def test_a_conflict_names_three_paths_and_the_way_to_mend_it() -> None:
    said = "It conflicts with main: a, b, c."
    assert decision(APPROVED, conflicts=("a", "b", "c", "d")) == Decision(
        False, (said,), "git merge main, then git cto review"
    )


# ---- the run


def test_an_approval_without_the_plan_of_the_run_does_not_open_its_branch() -> None:
    assert decision(APPROVED, run=RUN) == Decision(
        False, (f"It was approved without the plan of the run {RUN}.",), "git cto review"
    )
    assert decision(record(a_verdict(run="other-3f2a1c")), run=RUN).reasons == decision(APPROVED, run=RUN).reasons
    assert decision(record(a_verdict(run=RUN), "own"), run=RUN).allowed
    assert decision(record(a_verdict(run=RUN), "own")).allowed


def test_a_refusal_or_a_humans_word_counts_on_the_branch_of_a_run_whatever_they_name() -> None:
    assert decision(refused(run="other-3f2a1c"), run=RUN).reasons[0].startswith("Round 1 said revise: ")
    assert decision(record(an_override(), "o"), run=RUN).allowed
    later = refused(time=at(1), run="")
    assert not decision(record(a_verdict(run=RUN), "own"), later, run=RUN).allowed


# ---- a refusal stands


def test_a_refusal_that_was_not_taken_back_is_told_with_both_ways_out() -> None:
    plan = a_plan()
    planned = record(a_plan_record(plan), "plan")
    first = refused(review=a_review(verdict="revise", summary="It lies"), digests=a_verdict(plan).digests)
    found = decision(planned, first, record(a_verdict(plan, time=at(1)), "a"))
    assert found == Decision(
        False,
        (
            "Exactly this change was refused before: It lies.",
            "An approval under another plan or name does not take that back.",
        ),
        f"{OVERRIDE}, or git cto review on its own branch",
        plan=plan,
    )


def test_an_override_at_any_time_outweighs_a_refusal_that_stands() -> None:
    again = record(a_verdict(time=at(2)), "a")
    assert decision(refused(), record(an_override(time=at(1)), "o"), again).allowed
    assert not decision(refused(), again).allowed


def test_an_abort_that_a_human_lifted_does_not_stand_in_the_way_of_an_approval() -> None:
    aborted, again = refused("abort"), record(a_verdict(time=at(2)), "a")
    assert not decision(aborted, again).allowed
    assert decision(aborted, record(a_continue(time=at(1)), "c"), again).allowed
    assert not decision(aborted, record(a_continue(time=at(3)), "c"), again, refused(time=at(1))).allowed


def test_a_word_of_another_series_opens_nothing_for_one_that_waits_for_a_human() -> None:
    """It was stopped under its own name; an approval under another one does not go on in it."""
    stopped = record(a_verdict(verdict="abort"), "x", change="0" * 40)
    other = record(a_verdict(time=at(1), series="branch/refs/heads/other"), "a")
    found = decision(stopped, other, series=SERIES.name)
    assert found.reasons == ("Its series waits for a human: the last verdict was abort, or the rounds are used up.",)
    assert found.next_step == f"{OVERRIDE}, or git cto review on its own branch"
    assert decision(stopped, other).allowed
    assert decision(stopped, other, series="branch/refs/heads/other").allowed
    assert decision(record(a_verdict(), "y", change="0" * 40), other, series=SERIES.name).allowed


# ---- the last word was no


def test_a_refusal_says_what_to_do_and_of_which_plan() -> None:
    plan = a_plan()
    planned = record(a_plan_record(plan), "plan")
    no = a_verdict(plan, verdict="revise", round=2, review=a_review(plan, verdict="revise", summary="No"))
    assert decision(planned, record(no, "r")) == Decision(
        False, ("Round 2 said revise: No.",), "fix it, then git cto review", plan=plan
    )
    assert decision(record(no, "r")).plan is None
    assert decision(refused("abort")).next_step == f"{CONTINUE}fix it and git cto review"


def test_where_the_reviewer_would_approve_the_next_step_is_what_lies_in_the_way() -> None:
    shut = a_verdict(
        verdict="revise",
        model_verdict="approve",
        review=a_review(),
        coverage=seen(0, ("logo.png", "listed")),
        downgrades=("logo.png cannot be shown: why",),
    )
    look = "look at it yourself, then git cto override --reason TEXT (or {} in the policy)"
    assert decision(record(shut)).next_step == look.format("[coverage] listed_ok")


def test_where_the_rule_overruled_the_model_its_reason_is_told_and_not_the_models() -> None:
    overruled = a_verdict(
        verdict="revise", model_verdict="approve", review=a_review(reason="It is fine"), downgrades=("t1 is fail",)
    )
    assert decision(record(overruled)).reasons == ("Round 1 said revise: t1 is fail.",)


@pytest.mark.parametrize("end, told", [(".", "."), ("!", "!"), ("?", "?"), ("", "."), (",", ",.")])
def test_a_sentence_that_ended_gets_no_second_end(end: str, told: str) -> None:
    no = a_verdict(verdict="revise", review=a_review(verdict="revise", summary=f"Why{end}"))
    assert decision(record(no)).reasons == (f"Round 1 said revise: Why{told}",)
    assert decision(record(no, change="0" * 40)).reasons[1] == f"Round 1 said revise: Why{told}"


# ---- an approval that does not hold


def test_a_doubt_names_both_ways_on_and_the_plan() -> None:
    plan = a_plan()
    approved = record(a_verdict(plan, commands=(ran(1), ran(0))), "a")
    assert decision(approved, record(a_plan_record(plan), "p")) == Decision(
        False,
        ("Its record says approve, but the rule does not: verification failed: make test.",),
        f"git cto review again, or {OVERRIDE}",
        plan=plan,
    )


def test_every_doubt_is_told() -> None:
    odd = a_verdict(a_plan(), coverage=seen(3), review=a_review(injection_suspected=True), carried=(a_finding("nit"),))
    policy = Policy(review=ReviewPolicy(allowed_models=("another",)))
    unruled = "Its record says approve, but the rule does not: finding 1.1 of an earlier round got no ruling"
    assert decision(record(odd), policy=policy).reasons == (
        "It was approved by gpt-5.4, which the policy does not allow.",
        "The approval's coverage does not fit the change.",
        "The plan that it was approved for is not in the ledger (git cto sync fetches it).",
        f"{unruled}; an attempt to influence the review is suspected.",
    )


def test_a_plan_that_nobody_signed_is_asked_for_where_signatures_count() -> None:
    plan = a_plan()
    approved = record(a_verdict(plan), "a", signers=(CI,))
    unsigned = decision(approved, record(a_plan_record(plan), "p"), policy=SIGNED)
    assert unsigned.reasons == ("The plan that it was approved for is not among the signed records (git cto sign).",)
    assert unsigned.next_step == f"git cto sign, or git cto review again, or {OVERRIDE}"


@pytest.mark.parametrize("policy", [Policy(), SIGNED])
def test_a_plan_that_is_nowhere_is_to_be_fetched_and_not_to_be_signed(policy: Policy) -> None:
    absent = decision(record(a_verdict(a_plan()), "a", signers=(CI,)), policy=policy)
    assert absent.reasons == ("The plan that it was approved for is not in the ledger (git cto sync fetches it).",)
    assert absent.next_step == f"git cto sync, or git cto review again, or {OVERRIDE}"


def test_what_the_reviewer_did_not_see_is_told_once() -> None:
    approved = record(a_verdict(coverage=seen(0, ("logo.png", "listed"))))
    assert decision(approved).reasons == ("The reviewer did not see all of it: logo.png cannot be shown: why.",)


def test_a_record_that_says_approve_and_whose_model_did_not_is_told_as_such() -> None:
    assert decision(record(a_verdict(review=a_review(verdict="abort")))).reasons == (
        "Its record says approve, but the rule does not: the model said abort.",
    )


def test_what_was_recorded_beside_the_review_is_judged_again() -> None:
    failed = (TaskResult(task_id="t1", outcome="failed"),)
    assert "t1 was recorded as failed" in decision(record(a_verdict(results=failed))).reasons[0]
    odd = (Suspicion(path="a.py", line=3, what="speaks to the reviewer"),)
    assert "a.py:3 speaks to the reviewer" in decision(record(a_verdict(suspicions=odd))).reasons[0]


def test_a_plan_is_found_among_several() -> None:
    plan, other = a_plan(), a_plan(a_task("t1", description="Say 3"))
    records = [record(a_plan_record(other), "o"), record(a_plan_record(plan), "p"), record(a_verdict(plan), "a")]
    assert decision(*records).plan == plan


# ---- control paths


def test_a_control_path_asks_for_a_human_in_words() -> None:
    approved = decision(APPROVED, change=CONTROL)
    assert approved == Decision(False, (f"{RESTS}: a human has to agree as well.",), OVERRIDE)
    assert decision(SIGNED_APPROVAL, change=CONTROL, policy=SIGNED).next_step == ANOTHER


def test_a_change_that_needs_a_human_names_its_plan_as_well() -> None:
    plan = a_plan()
    records = record(a_plan_record(plan), "p"), record(a_verdict(plan), "a")
    assert decision(*records, change=CONTROL).plan == plan
    strict = Policy(gate=GatePolicy(executor_is_not_reviewer=True))
    assert decision(*records, policy=strict, executors=("codex 0.1",)).plan == plan


def test_everybody_who_signed_an_override_is_named() -> None:
    both = record(an_override(), "o", signers=(BEN, CI))
    assert decision(both, policy=SIGNED).reasons[0].startswith("ben@example.org, ci@example.org overrode the gate")


def test_three_control_paths_are_named_and_other_files_are_not() -> None:
    files = [a_file(name) for name in ("a.py", ".cto/a", ".cto/b", ".cto/c", ".cto/d")]
    found = decision(record(a_verdict(coverage=seen(5))), change=a_change(*files))
    assert "(.cto/a, .cto/b, .cto/c)" in found.reasons[0]


def test_somebody_who_approved_this_head_elsewhere_agrees_as_well() -> None:
    assert decision(APPROVED, change=CONTROL, agreed=("ben",)).allowed
    assert not decision(refused(), change=CONTROL, agreed=("ben",)).allowed


def test_who_signed_the_approval_cannot_be_the_human_who_agrees() -> None:
    override = an_override(time=at(1))
    same = record(override, "o", signers=(CI,))
    said = (f"{RESTS}, and who overrode it is who signed the approval.",)
    assert decision(SIGNED_APPROVAL, same, change=CONTROL, policy=SIGNED) == Decision(False, said, ANOTHER)
    assert decision(SIGNED_APPROVAL, record(override, "o", signers=(BEN,)), change=CONTROL, policy=SIGNED) == Decision(
        True,
        ("ben@example.org overrode the gate for exactly this change: It is urgent.",),
        by=record(override, "o", signers=(BEN,)),
    )
    assert decision(APPROVED, record(override, "o"), change=CONTROL).allowed
    earlier = record(an_override(), "o", signers=(CI,))
    later = record(a_verdict(time=at(1)), "a", signers=(CI,))
    assert decision(earlier, later, change=CONTROL, policy=SIGNED) == Decision(False, said, ANOTHER)
    assert decision(earlier, later, policy=SIGNED).allowed


# ---- who wrote it, and how many


def test_who_wrote_it_may_not_have_reviewed_it_where_the_policy_says_so() -> None:
    strict = Policy(gate=GatePolicy(executor_is_not_reviewer=True))
    found = decision(APPROVED, policy=strict, executors=("codex 0.1",))
    assert found.reasons == ("It was written by codex 0.1, and OpenAI reviewed it: its own work.",)
    assert found.next_step == f"{OVERRIDE}, by a human who has read it"
    assert found.allowed is False
    assert not decision(APPROVED, policy=strict, co_authors=("Codex <codex@openai.com>",)).allowed
    assert decision(APPROVED, policy=strict, executors=("claude 2",)).allowed
    assert decision(APPROVED, executors=("codex 0.1",)).allowed
    agreed = record(an_override(), "o"), record(a_verdict(time=at(1)), "a")
    assert decision(*agreed, policy=strict, executors=("codex 0.1",)).allowed


def two(threshold: int = 2) -> Policy:
    return Policy(gate=GatePolicy(trust="signed", threshold=threshold))


def test_as_many_people_as_the_policy_asks_for_have_to_stand_behind_it() -> None:
    plan = a_plan()
    records = record(a_plan_record(plan), "p", signers=(CI,)), record(a_verdict(plan), "a", signers=(CI,))
    assert decision(*records, policy=two()) == Decision(
        False,
        ("1 of the 2 signers that the policy asks for stand behind it: ci@example.org.",),
        "git cto sign, by another allowed signer",
        plan=plan,
    )
    assert decision(record(a_verdict(), "a", signers=(CI, BEN)), policy=two()).allowed
    three = decision(record(a_verdict(), "a", signers=(CI, BEN)), policy=two(3))
    assert three.reasons[0].startswith("2 of the 3 signers")
    assert three.reasons[0].endswith(": ci@example.org, ben@example.org.")


def test_three_of_those_who_signed_and_do_not_count_are_named() -> None:
    authors = [Signer(principal=f"{one}@x", key=f"SHA256:{one}", aliases=(f"{one}@x",)) for one in "abcd"]
    approved, names = record(a_verdict(), "a", signers=(CI, *authors)), frozenset(one.principal for one in authors)
    assert decision(approved, policy=two(), authors=names).reasons == (
        "1 of the 2 signers that the policy asks for stand behind it: ci@example.org.",
        *(f"{one}@x signed it and is an author of the change, so that does not count." for one in "abc"),
    )
    anybody = Policy(gate=GatePolicy(trust="signed", threshold=6, signer_is_not_author=False))
    (only,) = decision(approved, policy=anybody, authors=names).reasons
    assert only.startswith("5 of the 6 signers")


def test_an_override_adds_its_signer_to_those_who_stand_behind_the_approval() -> None:
    override = record(an_override(time=at(1)), "o", signers=(BEN,))
    assert decision(SIGNED_APPROVAL, override, policy=two()).allowed
    assert not decision(override, policy=two()).allowed
    assert not decision(refused("revise"), override, policy=two()).allowed
    assert not decision(record(a_verdict(verdict="revise"), "r", signers=(CI,)), override, policy=two()).allowed


def test_an_open_gate_names_everybody_who_had_to_stand_behind_it() -> None:
    override = record(an_override(time=at(1)), "o", signers=(BEN,))
    found = decision(SIGNED_APPROVAL, override, policy=two())
    assert found.reasons[1:] == ("ben@example.org, ci@example.org stand behind it; the policy asks for 2.",)
    assert len(decision(record(a_verdict(), "a", signers=(CI, BEN)), policy=two()).reasons) == 1
    assert len(decision(SIGNED_APPROVAL, override, policy=SIGNED).reasons) == 1


def test_how_many_signed_says_nothing_where_signatures_do_not_count() -> None:
    assert decision(APPROVED, policy=Policy(gate=GatePolicy(threshold=2))).allowed


# ---- open


@pytest.mark.parametrize("tasks, said", [(1, ", 1 of 1 task"), (2, ", 2 of 2 tasks"), (0, "")])
def test_an_approval_says_how_many_tasks_it_judged(tasks: int, said: str) -> None:
    assert decision(record(a_verdict(tasks=tasks))).reasons == (
        f"Approved in round 1 by gpt-5.4 (Codex 0.169.0){said}.",
    )


def test_a_signed_approval_says_by_whom() -> None:
    found = decision(record(a_verdict(), "a", signers=(CI, BEN)), policy=SIGNED)
    assert found.reasons[0].endswith("(Codex 0.169.0), signed by ci@example.org, ben@example.org.")


def test_an_excused_file_needs_no_more_words() -> None:
    policy = Policy(coverage=CoveragePolicy(listed_ok=("*.png",)))
    approved = record(a_verdict(coverage=seen(0, ("logo.png", "listed"))), "a")
    assert decision(approved, policy=policy).reasons == ("Approved in round 1 by gpt-5.4 (Codex 0.169.0).",)
