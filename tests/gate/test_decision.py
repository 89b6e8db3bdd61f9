"""The gate opens for a trusted approval or override of exactly this change for this target, and for nothing else."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from git_cto.gate.decision import Decision, Facts, decide
from git_cto.gate.policy import CoveragePolicy, GatePolicy, Policy, ReviewPolicy
from git_cto.gate.rounds import standing
from git_cto.ledger.records import decode_all, encode, seal
from git_cto.model import Change, CoverageStatus, Digests, Record, Subject, Suspicion, Verdict, VerdictRecord
from tests.gate.values import (
    CHANGE,
    CI,
    HEAD,
    MAIN,
    POLICY,
    SERIES,
    SHA256,
    TARGET,
    TREE,
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
    judged,
    ran,
    record,
    seen,
    thorough,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random


def decision(*records: Record, policy: Policy = POLICY, change: Change | None = None, **facts: Any) -> Decision:  # noqa: ANN401 -- facts
    """The gate's answer for the change, if these are the records about it."""
    where = standing(records, SERIES, policy.rounds)
    return decide(change or a_change(), Facts(TARGET, **facts), records, where, policy)


def closed(*records: Record, **said: Any) -> str:  # noqa: ANN401 -- arguments of `decision`
    """Why the gate is closed; it has to be, to say why in sentences, and to say what to do."""
    found = decision(*records, **said)
    assert not found.allowed
    assert found.by is None
    assert found.reasons
    assert all(reason.endswith((".", "!", "?")) for reason in found.reasons)
    assert found.next_step
    return " ".join(found.reasons)


APPROVED = record(a_verdict(), "approved")


# ---- open


def test_an_approval_of_exactly_this_change_opens() -> None:
    found = decision(APPROVED)
    assert found == Decision(True, ("Approved in round 1 by gpt-5.4 (Codex 0.169.0).",), by=APPROVED)


def test_an_approval_with_its_plan_opens_and_counts_its_tasks() -> None:
    plan = a_plan(a_task("t1"), a_task("t2"))
    approved = record(a_verdict(plan))
    found = decision(approved, record(a_plan_record(plan), "plan"))
    assert found.allowed
    assert found.plan == plan
    assert "2 of 2 tasks" in found.reasons[0]


def test_an_override_of_exactly_this_change_opens() -> None:
    by = record(an_override(), "o")
    assert decision(by) == Decision(True, ("Ada overrode the gate for exactly this change: It is urgent.",), by=by)


def test_an_override_opens_after_a_refusal() -> None:
    refused = record(a_verdict(verdict="revise"), "r")
    assert decision(refused, record(an_override(time=at(1), supersedes="r"))).allowed


def test_a_message_that_was_amended_keeps_the_approval() -> None:
    assert decision(record(a_verdict(), "a", head="9" * 40)).allowed


def test_an_approval_of_another_round_or_series_opens_as_well() -> None:
    assert decision(record(a_verdict(series="run/other-123abc", run="other-123abc", round=4))).allowed


def test_a_later_approval_opens_after_a_refusal_that_was_disputed_or_observed_anew() -> None:
    refusal = record(a_verdict(verdict="revise"), "r")
    assert decision(refusal, record(a_verdict(time=at(1), dispute="It is right"), "a")).allowed
    assert decision(refusal, record(a_verdict(time=at(1), commands=(ran(0),)), "a")).allowed


def test_a_later_approval_of_the_same_question_does_not_take_a_refusal_back() -> None:
    said = decision(record(a_verdict(verdict="revise"), "r"), record(a_verdict(time=at(1)), "a"))
    assert not said.allowed
    assert said.reasons[0].startswith("Exactly this change was refused before: ")


def test_an_approval_in_another_run_does_not_take_a_refusal_back() -> None:
    refusal = record(a_verdict(verdict="revise"), "r")
    assert not decision(refusal, record(a_verdict(time=at(1), run="other-3f2a1c", commands=(ran(0),)), "a")).allowed


def test_small_findings_and_excused_files_do_not_close() -> None:
    body = a_verdict(
        coverage=seen(0, ("uv.lock", "summarised")), review=a_review(findings=(a_finding("nit"),)), commands=(ran(0),)
    )
    assert decision(record(body)).allowed


# ---- closed: nothing that covers this


def test_no_record_at_all_closes() -> None:
    assert closed() == f"{HEAD[:12]} has no approval for main."


@pytest.mark.parametrize("body", [a_plan_record(), a_continue()])
def test_a_plan_or_a_continue_approves_nothing(body: Any) -> None:  # noqa: ANN401 -- a record's body
    assert "has no approval" in closed(record(body))


@pytest.mark.parametrize("body", [a_verdict(), an_override()])
@pytest.mark.parametrize(
    "elsewhere",
    [{"change": "0" * 40}, {"sha256": "0" * 64}, {"change": "", "sha256": ""}, {"change": CHANGE[:-1] + "0"}],
    ids=["another change", "another content of the same id", "no change", "nearly this change"],
)
def test_what_is_about_something_else_approves_nothing(body: Any, elsewhere: dict[str, Any]) -> None:  # noqa: ANN401
    assert "has no approval" in closed(record(body, **elsewhere))


@pytest.mark.parametrize("target", ["refs/heads/release", "refs/heads/mai", "refs/heads/main2", "refs/heads/Main"])
def test_an_approval_for_another_target_approves_nothing(target: str) -> None:
    assert "has no approval for main" in closed(record(a_verdict(target=target)))
    assert "has no approval for main" in closed(record(an_override(target=target)))


def test_the_same_head_with_other_content_is_not_approved() -> None:
    later = a_change(change="0" * 40, sha256="1" * 64)
    assert "has no approval" in closed(APPROVED, change=later)


def test_a_line_of_an_unknown_version_approves_nothing() -> None:
    line = seal(encode(Subject(head=HEAD, tree=TREE, change=CHANGE, sha256=SHA256), a_verdict()).payload)
    assert decision(*decode_all([line])).allowed
    envelope = json.loads(line)
    statement = base64.b64decode(envelope["payload"]).replace(b"/verdict/v1", b"/verdict/v2")
    envelope["payload"] = base64.b64encode(statement).decode()
    assert "has no approval" in closed(*decode_all([json.dumps(envelope).encode()]))


def test_a_push_after_an_approval_closes_and_says_what_came_after_it() -> None:
    earlier = record(a_verdict(round=2), "e", change="0" * 40)
    assert closed(earlier, commits_since=2) == (
        f"{HEAD[:12]} has no approval for main. Round 2 approved. 2 commits came after it and nobody has judged them."
    )
    assert closed(earlier, commits_since=1).endswith("1 commit came after it and nobody has judged it.")
    assert closed(earlier, commits_since=10).endswith("10 commits came after it and nobody has judged them.")
    assert "came after it" not in closed(earlier, commits_since=0)


def test_an_escalated_or_aborted_series_is_a_matter_for_a_human() -> None:
    earlier = [record(a_verdict(verdict="revise", time=at(n)), f"r{n}", change="0" * 40) for n in range(3)]
    assert decision(*earlier).next_step.startswith("git cto continue")
    aborted = record(a_verdict(verdict="abort"), "x", change="0" * 40)
    assert decision(aborted).next_step.startswith("git cto continue")
    assert decision(earlier[0]).next_step == "git cto review"


def test_a_refusal_of_this_very_change_is_a_matter_for_a_human_once_the_series_has_stopped() -> None:
    refused = [record(a_verdict(verdict="revise", time=at(n)), f"r{n}") for n in range(3)]
    assert decision(*refused).next_step.startswith("git cto continue")
    assert decision(record(a_verdict(verdict="abort"))).next_step.startswith("git cto continue")
    assert "git cto continue" not in decision(*refused[:2]).next_step


def test_a_conflict_closes_whatever_was_approved() -> None:
    override = record(an_override(time=at(1)))
    assert closed(APPROVED, override, conflicts=("a", "b", "c", "d")) == "It conflicts with main: a, b, c."
    assert decision(APPROVED, conflicts=("a",)).next_step == "git merge main, then git cto review"


# ---- closed: a refusal


@pytest.mark.parametrize("verdict", ["revise", "abort"])
def test_a_later_refusal_closes(verdict: Verdict) -> None:
    later = record(a_verdict(verdict=verdict, time=at(1), supersedes="approved"), "later")
    assert closed(APPROVED, later).startswith(f"Round 1 said {verdict}: ")
    assert closed(later, APPROVED)


def test_a_later_refusal_in_another_series_closes_as_well() -> None:
    assert closed(APPROVED, record(a_verdict(verdict="revise", time=at(1), series="branch/refs/heads/other")))


def test_a_refusal_whose_clock_was_behind_closes_because_it_names_what_it_supersedes() -> None:
    ahead = record(a_verdict(time=at(50)), "ahead")
    behind = record(a_verdict(verdict="revise", time=at(1), supersedes="ahead"), "behind")
    assert closed(ahead, behind)
    assert closed(behind, ahead)


def test_an_override_overrules_no_refusal_that_came_after_it() -> None:
    override = record(an_override(), "o")
    refused = record(a_verdict(verdict="revise", time=at(1)), "r")
    approved = record(a_verdict(time=at(2), series="branch/refs/heads/elsewhere"), "a")
    assert "was refused before" in closed(override, refused, approved)
    earlier = record(a_verdict(verdict="revise"), "r")
    assert decision(earlier, record(an_override(time=at(1)), "o"), approved).allowed


def test_an_override_and_then_a_refusal_is_closed() -> None:
    override = record(an_override(), "o")
    assert closed(override, record(a_verdict(verdict="revise", time=at(1), supersedes="o")))


def test_a_refusal_for_another_target_or_change_closes_nothing() -> None:
    assert decision(APPROVED, record(a_verdict(verdict="abort", time=at(1), target="refs/heads/release"))).allowed
    assert decision(APPROVED, record(a_verdict(verdict="abort", time=at(1)), "x", change="0" * 40)).allowed


def test_a_refusal_says_why_in_its_own_words_or_in_the_rules() -> None:
    said = a_verdict(verdict="revise", review=a_review(verdict="revise", reason="It asks for a login"))
    assert closed(record(said)) == "Round 1 said revise: It asks for a login."
    summed_up = a_verdict(verdict="revise", review=a_review(verdict="revise", summary="No!"))
    assert closed(record(summed_up)) == "Round 1 said revise: No!"
    made_stricter = a_verdict(
        verdict="revise", model_verdict="approve", review=a_review(), downgrades=("t1 is fail", "t2 was not judged")
    )
    assert closed(record(made_stricter)) == "Round 1 said revise: t1 is fail; t2 was not judged."
    silent = a_verdict(verdict="revise", review=a_review(verdict="revise", summary=" "))
    assert closed(record(silent)) == "Round 1 said revise: it gave no reason."


# ---- closed: an approval that does not hold


@pytest.mark.parametrize(
    "said",
    [
        {"review": a_review(findings=(a_finding("blocker"),))},
        {"review": a_review(verdict="revise")},
        {"review": a_review(verdict="abort")},
        {"review": a_review(injection_suspected=True)},
        {"review": a_review(task_reviews=(judged(a_task(), "fail"),))},
        {"review": a_review(task_reviews=(judged(a_task(), met=False),))},
        {"review": a_review(revised_tasks=(a_task(),))},
        {"carried": (a_finding("major"),)},
        {"carried": (a_finding("nit"),)},
        {"commands": (ran(1),)},
        {"commands": (ran(None),)},
        {"suspicions": (Suspicion(path="a.py", line=1, what="speaks to the reviewer"),)},
    ],
)
def test_a_record_that_says_approve_while_its_review_does_not_satisfy_the_rule_closes(said: dict[str, Any]) -> None:
    assert "Its record says approve, but the rule does not" in closed(record(a_verdict(**said)))


@pytest.mark.parametrize("status", ["omitted", "listed"])
def test_a_record_that_says_approve_without_having_seen_all_closes(status: CoverageStatus) -> None:
    assert "did not see all of it: a.bin" in closed(record(a_verdict(coverage=seen(0, ("a.bin", status)))))


def test_coverage_of_fewer_or_more_files_than_the_change_has_closes() -> None:
    assert "coverage does not fit" in closed(record(a_verdict(coverage=seen(2))))
    assert "coverage does not fit" in closed(APPROVED, change=a_change(a_file("a"), a_file("b")))


def test_an_approval_whose_plan_is_missing_closes() -> None:
    plan = a_plan()
    approved = record(a_verdict(plan))
    assert "The plan that it was approved for is not in the ledger" in closed(approved)
    other = record(a_plan_record(a_plan(a_task("t1", description="Say 3"))), "other plan")
    assert "The plan that it was approved for is not in the ledger" in closed(approved, other)


def test_an_approval_that_skips_a_task_of_its_plan_closes() -> None:
    plan = a_plan(a_task("t1"), a_task("t2"))
    half = a_verdict(plan, review=a_review(a_plan(a_task("t1"))))
    assert "t2 was not judged" in closed(record(half), record(a_plan_record(plan), "plan"))


# ---- today's policy


def test_a_model_that_is_not_allowed_any_more_closes() -> None:
    only = Policy(review=ReviewPolicy(allowed_models=("gpt-5.4-pro",)))
    assert "approved by gpt-5.4, which the policy does not allow" in closed(APPROVED, policy=only)
    assert closed(APPROVED, policy=Policy(review=ReviewPolicy(allowed_models=())))
    assert decision(APPROVED, policy=Policy(review=ReviewPolicy(allowed_models=("gpt-5.4", "x")))).allowed


def test_a_listed_file_opens_only_under_a_policy_that_excuses_it_today() -> None:
    approved = record(a_verdict(coverage=seen(0, ("logo.png", "listed"))))
    assert "logo.png cannot be shown" in closed(approved)
    assert decision(approved, policy=Policy(coverage=CoveragePolicy(listed_ok=("*.png",)))).allowed


def test_a_summarised_file_closes_under_a_policy_that_does_not_name_it_any_more() -> None:
    approved = record(a_verdict(coverage=seen(0, ("uv.lock", "summarised"))))
    assert decision(approved).allowed
    assert "uv.lock was only counted" in closed(approved, policy=Policy(coverage=CoveragePolicy(summarised=())))


def test_suspicious_text_closes_under_a_policy_that_does_not_expect_it_any_more() -> None:
    odd = (Suspicion(path="tests/prompt.py", line=1, what="speaks to the reviewer"),)
    approved = record(a_verdict(suspicions=odd))
    assert decision(approved, policy=Policy(review=ReviewPolicy(suspicious_ok=("tests/**",)))).allowed
    assert "speaks to the reviewer" in closed(approved)


# ---- control paths


CONTROL = (
    ".github/workflows/ci.yml",
    ".GITHUB/workflows/ci.yml",
    ".cto/config.toml",
    ".codex/config.toml",
    ".claude/settings.json",
    ".agents/x",
    ".mcp.json",
    "AGENTS.md",
    "sub/AGENTS.override.md",
    "CLAUDE.local.md",
    "deep/down/CLAUDE.md",
    ".gitattributes",
    "sub/.gitattributes",
    ".gitmodules",
    "docs/CODEOWNERS",
    "sub/GEMINI.md",
    ".cursor/rules/x.mdc",
    ".vscode/tasks.json",
    ".devcontainer/devcontainer.json",
    ".husky/pre-commit",
    ".lfsconfig",
)
ODD = ('.github/workflows/a"b.yml', ".github/a\\b", ".github/a\nb.yml", ".github/a\u200bb.yml", ".github/\x1b[31m")


@pytest.mark.parametrize("path", [*CONTROL, *ODD])
def test_a_control_path_needs_a_human_as_well(path: str) -> None:
    change = a_change(a_file(path))
    assert "It changes what the gate itself rests on" in closed(APPROVED, change=change)
    override = record(an_override(time=at(1)), "o")
    assert decision(APPROVED, override, change=change).allowed


def test_a_control_path_that_only_merging_changes_needs_a_human_as_well() -> None:
    elsewhere = (".github/workflows/ci.yml",)
    assert "rests on (.github/workflows/ci.yml): a human" in closed(APPROVED, renamed=elsewhere)
    assert decision(APPROVED, record(an_override(time=at(1)), "o"), renamed=elsewhere).allowed


def test_a_control_path_that_is_not_utf8_needs_a_human_as_well() -> None:
    assert "rests on" in closed(APPROVED, change=a_change(a_file(b".github/workflows/\xff.yml")))


@pytest.mark.parametrize("path", [".github", ".cto", ".claude"])
def test_a_link_or_submodule_in_the_place_of_a_control_folder_needs_a_human_as_well(path: str) -> None:
    assert "rests on" in closed(APPROVED, change=a_change(a_file(path)))


@pytest.mark.parametrize(
    "path", ["github/ci.yml", "sub/.github/ci.yml", "app.py", "MYAGENTS.md", "agents/x", "x.gitattributes"]
)
def test_other_paths_do_not(path: str) -> None:
    assert decision(APPROVED, change=a_change(a_file(path))).allowed


def test_the_policy_file_is_a_control_path_whatever_the_policy_says() -> None:
    policy = Policy(gate=GatePolicy(control_paths=()))
    assert "rests on" in closed(APPROVED, change=a_change(a_file(".cto/config.toml")), policy=policy)
    assert decision(APPROVED, change=a_change(a_file(".github/x")), policy=policy).allowed


def test_an_override_before_the_approval_agrees_to_control_paths_as_well() -> None:
    override = record(an_override(), "o")
    approved = record(a_verdict(time=at(1), supersedes="o"), "a")
    assert decision(override, approved, change=a_change(a_file(".cto/config.toml"))).allowed


def test_an_override_of_something_else_does_not() -> None:
    override = record(an_override(time=at(1)), "o", change="0" * 40)
    assert "rests on" in closed(APPROVED, override, change=a_change(a_file(".cto/config.toml")))


# ---- trust


SIGNED = Policy(gate=GatePolicy(trust="signed"))


def test_unsigned_records_count_for_nothing_where_signatures_do() -> None:
    said = closed(APPROVED, record(an_override()), policy=SIGNED)
    assert said.endswith("and of 2 about exactly this change none does: it is not signed.")
    assert decision(replace(APPROVED, signers=(CI,)), policy=SIGNED).allowed


def test_a_signed_approval_of_an_unsigned_plan_closes() -> None:
    plan = a_plan()
    approved = record(a_verdict(plan), "a", signers=(CI,))
    assert "is not among the signed records" in closed(approved, record(a_plan_record(plan), "p"), policy=SIGNED)
    assert decision(approved, record(a_plan_record(plan), "p", signers=(CI,)), policy=SIGNED).allowed


def test_an_unsigned_refusal_does_not_close_where_signatures_count() -> None:
    approved = replace(APPROVED, signers=(CI,))
    refused = record(a_verdict(verdict="revise", time=at(1), supersedes="approved"))
    assert decision(approved, refused, policy=SIGNED).allowed
    assert closed(approved, refused)


def test_a_signed_refusal_closes_though_an_unsigned_record_stands_between() -> None:
    approved = record(a_verdict(time=at(30)), "a", signers=(CI,))
    between = record(a_continue(time=at(31), supersedes="a"), "c")
    refused = record(a_verdict(verdict="revise", time=at(1), supersedes="c"), "r", signers=(CI,))
    assert closed(approved, between, refused, policy=SIGNED)


# ---- any records at all


def any_records(*, approving: bool) -> st.SearchStrategy[list[Record]]:
    """Records about this change and others; none that approves exactly this, unless `approving`."""
    elsewhere = st.sampled_from([{}, {"change": "0" * 40}, {"sha256": "0" * 64}])
    verdicts: st.SearchStrategy[Verdict] = st.sampled_from(["approve", "revise", "abort"])
    targets = st.sampled_from([MAIN, "refs/heads/release"])

    def made(
        number: int, what: str, verdict: Verdict, target: str, where: dict[str, Any], minute: int, link: int
    ) -> Record:
        said: dict[str, Any] = {"target": target, "time": at(minute), "supersedes": f"r{link}"}
        here = not where and target == MAIN
        if what == "verdict":
            if here and verdict == "approve" and not approving:
                said["coverage"] = seen(5)  # an approval of something else that poses as one of this
            body: Any = a_verdict(verdict=verdict, **said)
        elif what == "override":
            body = an_override(**said)
            where = where if where or not here or approving else {"change": "1" * 40}
        else:
            body = a_plan_record(**said) if what == "plan" else a_continue(**said)
        return record(body, f"r{number}", **where)

    one = st.tuples(
        st.sampled_from(["verdict", "verdict", "override", "plan", "continue"]),
        verdicts,
        targets,
        elsewhere,
        st.integers(0, 50),
        st.integers(0, 12),
    )
    return st.lists(one, max_size=12).map(lambda many: [made(number, *said) for number, said in enumerate(many)])


@thorough
@given(any_records(approving=False))
def test_no_records_without_an_approval_of_exactly_this_change_open_the_gate(records: list[Record]) -> None:
    assert not decision(*records).allowed


@thorough
@given(any_records(approving=True), st.randoms(use_true_random=False))
def test_an_open_gate_names_the_record_that_opened_it_wherever_records_stand(
    records: list[Record], mixer: Random
) -> None:
    found = decision(*records)
    shuffled = list(records)
    mixer.shuffle(shuffled)
    assert decision(*shuffled) == found
    if found.by is None:
        assert not found.allowed
        return
    assert found.allowed
    assert (found.by.subject.change, found.by.subject.sha256, found.by.body.target) == (CHANGE, SHA256, MAIN)
    assert not _superseded_by_a_refusal(found.by, records)


def _superseded_by_a_refusal(by: Record, records: Iterable[Record]) -> bool:
    return any(
        isinstance(one.body, VerdictRecord)
        and one.body.verdict != "approve"
        and one.body.supersedes == by.id != one.id
        and one.body.time > by.body.time
        and (one.subject.change, one.subject.sha256, one.body.target) == (CHANGE, SHA256, MAIN)
        for one in records
    )


def test_digests_of_a_plan_that_nobody_has_never_match_by_accident() -> None:
    claims = a_verdict(digests=Digests(plan="0" * 64))
    assert "is not in the ledger" in closed(record(claims), record(a_plan_record(), "p"))
