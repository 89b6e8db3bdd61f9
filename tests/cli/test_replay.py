"""`git cto replay` puts the question of any verdict together again, to the byte, from objects and ledger alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from git_cto.demo.server import message
from tests.cli.scenes import changed, do, done, everything, ledger, records, saying
from tests.world import World, finding, review_answer, review_reply, task, task_review


def prompt_of(world: World, number: int = -1) -> str:
    """The question of a review as it reached the model, from what was kept of the call."""
    prompts = sorted((world.path / ".codex-cto").glob("*/review-*.prompt.md"))
    return prompts[number].read_text()


def same(world: World, *argv: str) -> dict[str, Any]:
    """Replays, without an artifact to look at; it has to be the very same question."""
    said = world.cto("replay", "--json", *argv)
    assert said.code == 0, said.text
    assert said.json["state"] == "same"
    return dict(said.json)


def parts(world: World, *argv: str) -> tuple[int, dict[str, str]]:
    """The exit code of a replay, and every part that is not the same with the reason."""
    said = world.cto("replay", "--json", *argv)
    return said.code, {one["name"]: one["why"] for one in said.json["parts"] if one["state"] != "same"}


# ---- the very same question ------------------------------------------------------------------------------------------


def test_the_question_of_a_plain_review_is_put_together_to_the_byte(world: World) -> None:
    changed(world)
    reviewed = world.reviewed("All of it works, 日本 too")
    kept = prompt_of(world)
    shutil.rmtree(world.path / ".codex-cto")
    before = everything(world)
    found = same(world)
    assert found["prompt"] == kept
    assert reviewed.question().rstrip() == kept.rstrip()
    assert everything(world) == before
    names = ["change", "policy", "plan", "earlier", "outcomes", "view", "instructions", "schema", "prompt"]
    assert [one["name"] for one in found["parts"]] == names


def test_people_are_told_part_by_part(world: World) -> None:
    changed(world)
    world.reviewed()
    said = world.cto("replay")
    assert said.code == 0
    assert said.out.startswith("✓ same   the very same question, to the byte\n")
    assert "✓ prompt" in said.out
    assert max(map(len, said.out.splitlines())) <= 80


def test_the_plan_and_the_results_are_those_of_that_time(world: World) -> None:
    done(world)
    world.reviewed("--verify", "--allow-commands")
    kept = prompt_of(world)
    do(world, "t1", "app.py", "def version():\n    return 7\n")
    assert same(world, "--record", records(world, "verdict")[0]["id"][:12])["prompt"] == kept
    assert world.cto("replay").code == 2  # nothing is recorded on what came after


def test_a_revised_plan_is_the_one_that_was_asked_about(world: World) -> None:
    done(world)
    revised = task(description="Say 2, and say why", acceptance_criteria=["a comment says why"])
    world.reviewed(verdict="revise", revised_tasks=[revised], task_reviews=[task_review(status="fail")])
    do(world, "t1", "app.py", "def version():\n    return 2  # since 1 is taken\n")
    world.reviewed()
    assert "a comment says why" in prompt_of(world)
    assert same(world)["prompt"] == prompt_of(world)
    assert same(world, "--record", records(world, "verdict")[1]["id"])["prompt"] == prompt_of(world, 0)


def test_a_second_round_has_the_findings_of_the_first(world: World) -> None:
    changed(world)
    world.reviewed(verdict="revise", findings=[finding(), finding("nit", id="f2", body="A space.\nTwo.")])
    world.commit("Say 3", app__py="def version():\n    return 3\n")
    world.reviewed(
        prior_findings=[{"id": "1.1", "ruling": "fixed", "note": ""}, {"id": "1.2", "ruling": "withdrawn", "note": ""}]
    )
    world.commit("Say 4", app__py="def version():\n    return 4\n")
    world.reviewed(verdict="revise")
    for verdict, number in zip(records(world, "verdict"), (-1, -2, -3), strict=True):
        assert same(world, "--record", verdict["id"])["prompt"] == prompt_of(world, number)


def test_a_dispute_is_part_of_the_question(world: World) -> None:
    changed(world)
    world.reviewed(verdict="revise", findings=[finding()])
    world.reviewed("--dispute", "It is right: see the\nspecification")
    assert "see the\nspecification" in prompt_of(world)
    assert same(world)["prompt"] == prompt_of(world)


def test_what_verification_printed_is_part_of_the_question(world: World) -> None:
    world.policy('[verify]\ncommands = ["echo one; exit 1", "echo two"]\n')
    world.branch("topic", "main")
    world.commit("Say 2", app__py="def version():\n    return 2\n")
    world.reviewed("--verify", "--allow-commands")
    assert "exit code 1\none" in prompt_of(world)
    assert same(world)["prompt"] == prompt_of(world)


def test_a_failure_that_an_earlier_verification_saw_was_not_in_the_question(world: World) -> None:
    run = world.planned(task(), task("t2"), verification={"commands": ["false"], "expected": ""})
    do(world, "t1", "app.py", "def version():\n    return 2\n")
    assert world.reviewed("--verify", "--allow-commands").code == 1
    world.cto("start", "t2")
    world.cto("finish", "-m", "Nothing to do")
    assert world.reviewed().code == 1, run
    newest = records(world, "verdict")[0]
    assert [one["exit_code"] for one in newest["body"]["commands"]] == [1]
    assert "not run: false" in prompt_of(world)
    assert same(world)["prompt"] == prompt_of(world)


def test_the_messages_of_commits_are_read_again_where_policy_had_them_sent(world: World) -> None:
    world.policy("[review]\ntitle_and_body = true\n")
    changed(world)
    world.reviewed("I say so")
    assert "Say 2" in prompt_of(world)
    assert same(world)["prompt"] == prompt_of(world)


def test_guidelines_and_policy_are_those_of_the_targets_commit_of_that_time(world: World) -> None:
    world.write("AGENTS.md", "Be kind.\n")
    world.policy('[review]\ncontext = ["RULES"]\n[coverage]\nsummarised = ["*.lock"]\n')
    world.branch("topic", "main")
    world.write("RULES", "none yet\n")
    world.write("a.lock", "1\n")
    world.commit("Say 2", app__py="def version():\n    return 2\n")
    world.reviewed()
    world.git("switch", "--quiet", "main")
    world.write("AGENTS.md", "Be strict.\n")
    world.policy('[review]\nallowed_models = ["another"]\n[gate]\ntrust = "signed"\n')
    world.git("switch", "--quiet", "topic")
    assert "Be kind." in same(world)["prompt"]


def test_settings_of_whoever_asked_or_replays_make_no_difference(world: World) -> None:
    changed(world)
    world.commit("A lot", big__txt="x\n" * 3000)
    world.git("config", "cto.coverage.maxbytes", "5000")
    world.git("config", "cto.gate.trust", "signed")
    world.reviewed()
    assert records(world)[0]["body"]["coverage"]["omitted"] == 1
    for key in ("cto.coverage.maxbytes", "cto.gate.trust"):
        world.git("config", "--unset", key)
    world.git("config", "cto.rounds.max", "1")
    assert same(world)["prompt"] == prompt_of(world)


def test_secrets_that_were_hidden_stay_hidden_and_nobody_has_to_know_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed(world)
    monkeypatch.setenv("DEPLOY_TOKEN", "correct-horse-battery")
    world.reviewed("It needs correct-horse-battery and ghp_" + "a1" * 18, "--json")
    monkeypatch.delenv("DEPLOY_TOKEN")
    assert "needs [redacted] and [redacted]" in prompt_of(world)
    assert same(world)["prompt"] == prompt_of(world)


def test_bytes_of_a_command_line_that_are_no_text_are_asked_and_recorded_alike(world: World) -> None:
    changed(world)
    world.reviewed("caf\udce9")
    assert "caf\ufffd" in prompt_of(world)
    assert same(world)["prompt"] == prompt_of(world)


def test_the_verdict_of_a_change_that_was_merged_long_ago_is_replayed(world: World) -> None:
    judged = changed(world)
    world.reviewed()
    world.git("switch", "--quiet", "main")
    world.git("merge", "--quiet", "--no-ff", "-m", "Merge", "topic")
    world.git("branch", "-D", "topic")
    assert same(world, judged)["head"] == judged
    assert same(world, judged, "--base", "main")["record"] == records(world)[0]["id"]
    said = world.cto("replay")
    assert (said.code, "No verdict is recorded on main." in said.err) == (2, True), said.text


def test_another_clone_with_nothing_but_the_ledger_replays_it(world: World, tmp_path: Path) -> None:
    changed(world)
    world.reviewed("Done")
    kept = prompt_of(world)
    clone = World(tmp_path / "clone", world._monkeypatch)
    clone.git("clone", "--quiet", str(world.path), ".")
    clone.git("fetch", "--quiet", "origin", "refs/notes/cto-records:refs/notes/cto-records")
    assert same(clone, "origin/topic")["prompt"] == kept


def test_after_an_amended_message_the_question_is_the_one_about_the_commit_of_before(world: World) -> None:
    judged = changed(world)
    world.reviewed()
    world.git("commit", "--quiet", "--amend", "-m", "Say it better")
    assert (same(world)["head"], world.head != judged) == (judged, True)


# ---- another question ------------------------------------------------------------------------------------------------


def test_a_claim_that_is_too_long_for_a_record_is_said_to_be_cut(world: World) -> None:
    changed(world)
    world.reviewed("\N{GRINNING FACE}" * 18_000)
    assert records(world)[0]["body"]["shortened"] is True
    code, why = parts(world)
    assert (code, list(why)) == (1, ["prompt"])
    assert why["prompt"] == "texts of the record were cut, since it would have been too long"


def test_a_changed_ledger_is_told_from_an_incomplete_one(world: World) -> None:
    changed(world)
    world.reviewed(verdict="revise", findings=[finding()])
    one = ledger(world)
    world.commit("Say 3", app__py="def version():\n    return 3\n")
    world.reviewed(prior_findings=[{"id": "1.1", "ruling": "fixed", "note": ""}])
    whole = ledger(world)
    line = world.git("notes", "--ref", "cto-records", "show", "HEAD")
    world.git("update-ref", "-d", "refs/notes/cto-records")
    world.git("update-ref", "-d", "refs/cto/records")
    world.git("notes", "--ref", "cto-records", "add", "-m", line, "HEAD")
    code, why = parts(world)
    assert (code, list(why)) == (3, ["earlier", "prompt"]), (code, why, one)
    assert why["earlier"] == "the record before it is not in the ledger; git cto sync may bring it"
    assert why["prompt"] == "it may follow from: earlier"
    assert world.cto("replay").out.startswith("? missing   cannot be said: ")
    world.git("update-ref", "refs/notes/cto-records", whole)
    assert world.cto("replay").code == 0


def test_without_its_plan_a_question_cannot_be_put_together(world: World) -> None:
    done(world)
    world.reviewed()
    line = world.git("notes", "--ref", "cto-records", "show", "HEAD")
    world.git("update-ref", "-d", "refs/notes/cto-records")
    world.git("update-ref", "-d", "refs/cto/records")
    world.git("notes", "--ref", "cto-records", "add", "-m", line, "HEAD")
    code, why = parts(world)
    assert code == 3
    assert why == {
        "plan": "no plan with this digest is in the ledger; git cto sync may bring it",
        "prompt": "it cannot be put together without: plan",
    }
    said = world.ask([], "replay", "--ask")
    assert (said.code, said.requests) == (3, ())
    assert "? missing" in said.out
    assert "note: it was not asked again" in said.err


@pytest.mark.parametrize("what", ["blob", "target"])
def test_a_missing_object_is_named_and_never_taken_for_nothing(world: World, what: str) -> None:
    changed(world)
    world.reviewed()
    world.git("branch", "other", "topic")
    gone = world.git("rev-parse", "topic:app.py" if what == "blob" else "main^{tree}")
    (world.path / ".git" / "objects" / gone[:2] / gone[2:]).unlink()
    code, why = parts(world)
    assert code == 3
    assert f"Object {gone[:12]}" in why["view" if what == "blob" else "change"] or "missing" in why["policy"]
    assert "cannot be put together" in why["prompt"]


# ---- which verdict ---------------------------------------------------------------------------------------------------


def test_an_id_that_names_no_verdict_is_asked_back(world: World) -> None:
    run = done(world)
    world.reviewed()
    plan = records(world, "plan")[0]["id"]
    for wanted, says in (
        ("abc", "names no record"),
        ("0000", "names no record"),
        ("*", "names no record"),
        (plan, "is no verdict"),
    ):
        said = world.cto("replay", "--record", wanted)
        assert (said.code, says in said.err) == (2, True), (said.text, run)
    verdict = records(world, "verdict")[0]["id"]
    assert world.cto("replay", "HEAD", "--record", verdict[:8]).code == 0
    assert world.cto("replay", "main", "--record", verdict[:8]).code == 2


def test_the_last_verdict_on_a_commit_is_meant_and_of_another_target_only_when_it_is_named(world: World) -> None:
    changed(world)
    world.git("branch", "release", "main")
    world.reviewed("--base", "release", verdict="revise")
    world.reviewed()
    assert same(world)["target"] == "refs/heads/main"
    assert same(world, "--base", "release")["target"] == "refs/heads/release"


# ---- asked again -----------------------------------------------------------------------------------------------------


def test_the_same_model_is_asked_the_same_question_and_nothing_is_recorded(world: World) -> None:
    done(world)
    first = world.reviewed("--model", "gpt-5-mini", "--effort", "low")
    before, kept = everything(world), {path.name for path in (world.path / ".codex-cto").rglob("*")}
    again = world.ask([review_reply()], "replay", "--ask", "--json")
    assert again.code == 0, again.text
    assert again.question() == first.question()
    assert (again.requests[0].model, again.json["again"]["engine"]["effort"]) == ("gpt-5-mini", "low")
    assert again.json["again"]["agrees"] is True
    assert again.json["again"]["tasks"] == [{"task_id": "t1", "recorded": "pass", "now": "pass"}]
    assert everything(world) == before
    assert {path.name for path in (world.path / ".codex-cto").rglob("*")} == kept


def test_another_answer_is_told_from_the_recorded_one(world: World) -> None:
    done(world)
    world.reviewed()
    other = review_reply("revise", findings=[finding()], task_reviews=[task_review(status="partial")])
    said = world.ask([other], "replay", "--ask")
    assert said.code == 1, said.text
    assert "Asked again: another answer" in said.out
    assert "approve -> revise" in said.out
    assert "0 findings -> 1 finding" in said.out
    assert "pass -> partial" in said.out
    assert world.cto("gate").code == 0


def test_the_rule_judges_the_second_answer_as_it_did_the_first(world: World) -> None:
    changed(world)
    world.reviewed(injection_suspected=True)
    said = world.ask([review_reply()], "replay", "--ask", "--json")
    assert (said.code, said.json["again"]["verdict"]) == (1, "approve")
    said = world.ask([review_reply(injection_suspected=True)], "replay", "--ask", "--json")
    assert (said.code, said.json["again"]["verdict"], said.json["again"]["model_verdict"]) == (0, "revise", "approve")


def test_an_answer_that_cannot_be_used_is_no_answer(world: World) -> None:
    head = changed(world)
    world.reviewed()
    before = ledger(world)
    said = world.ask(saying("Looks good to me!", "Really."), "replay", "--ask", "--json")
    assert (said.code, said.json["error"]["code"]) == (3, "no_answer")
    said = world.ask([message(json.dumps(review_answer("f" * 40)))] * 2, "replay", "--ask", "--json")
    assert said.code == 3, head
    assert ledger(world) == before
