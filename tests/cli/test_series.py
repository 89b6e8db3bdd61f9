"""Rounds: verdicts that stick, findings that are ruled on, escalation, and the humans who let a series go on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.scenes import THREE, TWO, changed, do, ledger, records
from tests.world import Said, World, finding, review_reply, task, task_review


def another(world: World, number: int) -> None:
    """One more commit, so that there is a new question."""
    world.commit(f"Say {number}", app__py=f"def version():\n    return {number}\n")


def refused(world: World, rounds: int) -> list[Said]:
    """A branch that was refused so many times, each time after one more commit."""
    world.branch("topic")
    said = []
    for number in range(2, 2 + rounds):
        another(world, number)
        said.append(world.reviewed(verdict="revise"))
    return said


# ---- refusals stick


def test_the_same_question_gets_the_standing_verdict_and_no_model_is_asked(world: World) -> None:
    """Case 57: other words of the executor, another model or effort are no new question."""
    changed(world)
    first = world.reviewed("It works", verdict="revise", summary="It is wrong.")
    before = ledger(world)
    for argv in ([], ["It works now, really"], ["--model", "gpt-5-mini", "--effort", "low"]):
        again = world.ask([], "review", "--json", *argv)
        assert (again.code, again.requests) == (1, ()), again.text
        assert (again.json["standing"], again.json["record"]) == (True, first.json["record"])
        assert again.json["summary"] == "It is wrong."
    assert ledger(world) == before
    assert "✗ revise   It is wrong." in world.ask([], "review").out


def test_the_same_question_under_another_commit_is_the_same(world: World) -> None:
    changed(world)
    assert world.reviewed(verdict="revise").code == 1
    world.git("commit", "--quiet", "--amend", "-m", "Please approve")
    again = world.ask([], "review", "--json")
    assert (again.code, again.requests, again.json["standing"]) == (1, (), True)


def test_a_fix_that_changes_nothing_is_the_same_question(world: World) -> None:
    """Results are judged by their outcomes: one more empty result of the same outcome is not news."""
    world.planned()
    do(world, "t1", "app.py", TWO)
    assert world.reviewed(verdict="revise", task_reviews=[task_review("t1", "fail")]).code == 1
    world.cto("start", "t1")
    assert world.cto("finish", "-m", "It is fixed, I swear").code == 0
    again = world.ask([], "review", "Fixed!", "--json")
    assert (again.code, again.requests, again.json["standing"]) == (1, (), True), again.text


def test_another_outcome_of_a_task_is_a_new_question(world: World) -> None:
    world.planned()
    world.cto("start", "t1")
    world.write("app.py", TWO)
    world.cto("finish", "--blocked", "-m", "Waiting for Bob")
    assert world.reviewed(verdict="revise", task_reviews=[task_review("t1", "fail")]).code == 1
    world.cto("start", "t1")
    world.cto("finish", "-m", "Bob agrees")
    said = world.reviewed()
    assert (said.code, said.json["round"], len(said.requests)) == (0, 2, 1), said.text


def test_another_outcome_of_the_verification_is_a_new_question(world: World, tmp_path: Path) -> None:
    """Case 57: the machine was repaired, the change is the same."""
    flag = tmp_path / "repaired"
    changed(world)
    world.policy(f'[verify]\ncommands = ["test -e {flag}"]\n')
    verify = ("--verify", "--allow-commands")
    said = world.reviewed(*verify)
    assert said.code == 1
    assert said.json["downgrades"][0].startswith("verification failed: test -e ")
    assert world.ask([], "review", *verify).requests == ()
    flag.touch()
    said = world.reviewed(*verify)
    assert (said.code, said.json["round"], len(said.requests)) == (0, 2, 1), said.text
    assert world.ask([], "review", *verify).code == 0
    assert world.ask([], "review").code == 0  # nothing was observed this time, so what was observed stands


def test_another_target_is_another_question_and_another_series(world: World) -> None:
    world.git("branch", "release")
    changed(world)
    assert world.reviewed(verdict="revise").json["round"] == 1
    said = world.reviewed("--base", "release")
    assert (said.code, said.json["round"]) == (0, 1)
    assert world.cto("gate").code == 1


# ---- disputes


def test_a_dispute_asks_once_more_and_counts_as_a_round(world: World) -> None:
    """It is in the question between fences, in the record, and it is the last one for this question."""
    changed(world)
    assert world.reviewed(verdict="revise", findings=[finding()]).code == 1
    argument = "The finding is about a line that is not part of this change."
    ruling = {"id": "1.1", "ruling": "withdrawn", "note": "True."}
    said = world.reviewed("--dispute", argument, verdict="revise", prior_findings=[ruling])
    assert (said.code, said.json["round"]) == (1, 2), said.text
    assert argument in said.question().split("<<<DISPUTE ")[1].split("<<<END DISPUTE ")[0]
    assert records(world)[0]["body"]["dispute"] == argument
    again = world.ask([], "review", "--dispute", "But really!")
    assert (again.code, again.requests) == (2, ())
    assert "disputed already" in again.err
    assert "git cto override" in again.err


def test_a_dispute_that_convinces_opens_the_gate(world: World) -> None:
    changed(world)
    assert world.reviewed(verdict="revise").code == 1
    assert world.reviewed("--dispute", "It has to be 2: see the ticket.").code == 0
    assert world.cto("gate").code == 0
    assert world.ask([], "review", "--dispute", "x").code == 2  # nobody disputes an approval


def test_an_inconclusive_dispute_is_not_used_up(world: World) -> None:
    changed(world)
    assert world.reviewed(verdict="revise").code == 1
    assert world.ask([], "review", "--dispute", "It has to be 2.").code == 3
    assert world.reviewed("--dispute", "It has to be 2.").code == 0


# ---- findings of earlier rounds


def test_an_earlier_finding_is_asked_about_and_stays_open_without_a_ruling(world: World) -> None:
    world.branch("topic")
    another(world, 2)
    world.reviewed(verdict="revise", findings=[finding("minor", body="Should be a constant.")])
    another(world, 3)
    said = world.reviewed()
    block = said.question().split("<<<FINDINGS ")[1].split("<<<END FINDINGS ")[0]
    assert "1.1 [minor] app.py:2\n  Should be a constant." in block
    assert (said.code, said.json["downgrades"]) == (1, ["finding 1.1 of an earlier round got no ruling"])
    assert [one["id"] for one in said.json["open_findings"]] == ["1.1"]


@pytest.mark.parametrize(
    "severity, ruling, code, left",
    [
        ("major", "fixed", 0, []),
        ("blocker", "withdrawn", 0, []),
        ("major", "still_open", 1, ["1.1"]),
        ("minor", "still_open", 0, ["1.1"]),
    ],
)
def test_a_ruling_decides_what_becomes_of_a_finding(
    world: World, severity: str, ruling: str, code: int, left: list[str]
) -> None:
    world.branch("topic")
    another(world, 2)
    world.reviewed(verdict="revise", findings=[finding(severity)])
    another(world, 3)
    said = world.reviewed(prior_findings=[{"id": "1.1", "ruling": ruling, "note": "See the diff."}])
    assert (said.code, [one["id"] for one in said.json["open_findings"]]) == (code, left), said.text
    assert world.cto("gate").code == code
    shown = world.cto("show")
    assert f"1.1 {ruling}: See the diff." in shown.out


def test_ids_of_findings_are_unique_in_a_series(world: World) -> None:
    """Whatever the model calls them."""
    world.branch("topic")
    another(world, 2)
    world.reviewed(verdict="revise", findings=[finding(id="f1"), finding(id="f1")])
    another(world, 3)
    still = [{"id": one, "ruling": "still_open", "note": ""} for one in ("1.1", "1.2")]
    said = world.reviewed(verdict="revise", prior_findings=still, findings=[finding(id="1.1")])
    assert [one["id"] for one in said.json["open_findings"]] == ["1.1", "1.2", "2.1"]


# ---- the plan is revised


def test_revised_tasks_make_a_new_plan_that_supersedes_the_old(world: World) -> None:
    """A known id amends that task, a new one is appended; the approval that came with it is none."""
    run = world.planned()
    do(world, "t1", "app.py", TWO)
    old = records(world, "plan")[0]["id"]
    amended = task("t1", description="Raise the version to 3", acceptance_criteria=["version() returns 3"])
    added = task("t2", action="create_file", target="other.py", depends_on=["t1"])
    said = world.reviewed(revised_tasks=[amended, added])
    assert (said.code, said.json["verdict"]) == (1, "revise")
    assert said.json["downgrades"] == ["tasks were revised: t1, t2"]
    plans = records(world, "plan")
    assert len(plans) == 2
    assert (plans[0]["body"]["supersedes"], plans[0]["body"]["run"]) == (old, run)
    shown = world.cto("tasks", "--json").json["tasks"]
    assert [(one["id"], one["state"], one["acceptance_criteria"]) for one in shown] == [
        ("t1", "fix", ["version() returns 3"]),
        ("t2", "ready", ["version() returns 2"]),
    ]
    do(world, "t1", "app.py", THREE)
    do(world, "t2", "other.py", "o = 1\n")
    said = world.reviewed()
    assert (said.code, said.json["round"]) == (0, 2), said.text
    assert "version() returns 3" in said.question()
    assert len(said.json["task_reviews"]) == 2
    assert world.cto("gate").code == 0


def test_revised_tasks_that_cannot_be_done_are_asked_for_again(world: World) -> None:
    world.planned()
    do(world, "t1", "app.py", TWO)
    circle = [task("t1", depends_on=["t2"]), task("t2", depends_on=["t1"])]
    said = world.ask([review_reply(revised_tasks=circle), review_reply()], "review", "--json")
    assert (said.code, len(said.requests)) == (0, 2), said.text
    assert "circle" in said.question(1)
    assert len(records(world, "plan")) == 1


# ---- escalation


def test_three_refusals_in_a_row_escalate(world: World) -> None:
    """Exit 5, a human is asked, and nothing is asked of a model until one has spoken."""
    codes = [said.code for said in refused(world, 3)]
    assert codes == [1, 1, 5]
    assert world.ask([], "review").code == 5  # the standing verdict
    another(world, 9)
    said = world.ask([], "review")
    assert (said.code, said.requests) == (5, ()), said.text
    assert "3 times in a row the verdict was revise: a human has to look." in said.err
    assert "Next: git cto continue" in said.err
    disputed = world.ask([], "review", "--dispute", "x")
    assert (disputed.code, disputed.requests) == (2, ())
    gated = world.cto("gate")
    assert gated.code == 1
    assert "git cto continue --reason TEXT" in gated.out
    error = world.ask([], "review", "--json").json
    assert (error["error"]["code"], error["exit_code"]) == ("escalated", 5)


def test_a_human_lets_an_escalated_series_go_on(world: World) -> None:
    """Who and why is recorded; counting starts anew; what was found stays to be ruled on."""
    refused(world, 2)
    another(world, 8)
    world.reviewed(verdict="revise", findings=[finding()])
    said = world.cto("continue", "--reason", "We try another way", "--json")
    assert (said.code, said.json["kind"], said.json["reason"]) == (0, "continue", "We try another way"), said.text
    [record] = records(world, "continue")
    assert record["body"]["actor"]["name"] == "Ada"
    another(world, 9)
    said = world.reviewed(prior_findings=[{"id": "3.1", "ruling": "fixed", "note": ""}])
    assert (said.code, said.json["round"]) == (0, 1), said.text
    assert "3.1 [major]" in said.question()


def test_after_a_continue_the_same_refused_change_still_stands_refused(world: World) -> None:
    """A continue is no override: it takes a change, or a dispute."""
    refused(world, 3)
    assert world.cto("continue", "--reason", "Go on").code == 0
    again = world.ask([], "review")
    assert (again.code, again.requests) == (1, ())
    assert world.reviewed("--dispute", "It is right as it is.").code == 0


def test_five_rounds_escalate_as_well(world: World) -> None:
    world.policy("[rounds]\nescalate_after = 50\n")
    codes = [said.code for said in refused(world, 5)]
    assert codes == [1, 1, 1, 1, 5]
    another(world, 9)
    said = world.ask([], "review")
    assert (said.code, said.requests) == (5, ())
    assert "5 rounds without an approval: a human has to look." in said.err


def test_the_users_settings_narrow_the_rounds_and_never_widen_them(world: World) -> None:
    world.policy("[rounds]\nescalate_after = 2\n")
    world.git("config", "cto.rounds.escalateAfter", "50")
    assert [said.code for said in refused(world, 2)] == [1, 5]
    world.git("config", "cto.rounds.escalateAfter", "1")
    world.cto("continue", "--reason", "Once more")
    another(world, 9)
    assert world.reviewed(verdict="revise").code == 5


def test_an_approval_starts_the_count_anew(world: World) -> None:
    refused(world, 2)
    another(world, 7)
    assert world.reviewed().json["round"] == 3
    another(world, 8)
    said = world.reviewed(verdict="revise")
    assert (said.code, said.json["round"]) == (1, 1)


def test_an_inconclusive_review_counts_as_no_round(world: World) -> None:
    refused(world, 1)
    another(world, 8)
    assert world.ask([], "review").code == 3
    assert world.reviewed(verdict="revise").json["round"] == 2


def test_an_abort_stops_the_series_until_a_human_has_spoken(world: World) -> None:
    run = world.planned()
    do(world, "t1", "app.py", TWO)
    assert world.reviewed(verdict="abort", reason="Not this way.").code == 4
    do(world, "t1", "app.py", THREE)
    said = world.ask([], "review")
    assert (said.code, said.requests) == (4, ()), said.text
    assert f"Next: git cto continue {run} --reason TEXT" in said.err
    assert world.cto("continue", run, "--reason", "This way after all").code == 0
    said = world.reviewed()
    assert (said.code, said.json["round"]) == (0, 1), said.text


def test_a_branch_reviewed_under_another_name_is_another_series_but_the_same_question(world: World) -> None:
    """A new branch name does not shake off a refusal of the same content."""
    changed(world)
    assert world.reviewed(verdict="revise").code == 1
    world.branch("topic-2")
    again = world.ask([], "review", "--json")
    assert (again.code, again.requests) == (1, ()), again.text
    assert again.json["standing"] is True


@pytest.mark.parametrize(
    "argv, words",
    [
        (["continue", "--reason", "x"], "neither escalated nor aborted"),
        (["continue", "--reason", "  "], "needs a reason"),
        (["continue"], "Missing option '--reason'"),
        (["continue", "--reason", "x" * 5000], "be briefer"),
        (["continue", "no-such-run", "--reason", "x"], "There is no run 'no-such-run' here"),
    ],
)
def test_a_continue_that_is_none_is_a_usage_error(world: World, argv: list[str], words: str) -> None:
    changed(world)
    world.reviewed(verdict="revise")
    before = ledger(world)
    said = world.cto(*argv)
    assert (said.code, words in said.err) == (2, True), said.text
    assert "Next: " in said.err
    assert ledger(world) == before


def test_a_continue_needs_to_know_who_says_it(world: World) -> None:
    changed(world)
    assert world.reviewed(verdict="abort").code == 4
    Path(os.environ["HOME"], ".gitconfig").write_text("[user]\n\tuseConfigOnly = true\n")
    said = world.cto("continue", "--reason", "x")
    assert (said.code, "git does not know who you are" in said.err) == (2, True), said.text
    assert records(world, "continue") == []
