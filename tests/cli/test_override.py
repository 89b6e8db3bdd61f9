"""`git cto override`: a human's recorded decision for exactly one change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.scenes import TWO, changed, do, ledger, records
from tests.world import World, finding


def test_an_override_opens_the_gate_for_exactly_this_change(world: World) -> None:
    """Who and why is in the record, in the gate's words and in the note; one more commit, and it is closed again."""
    head = changed(world)
    assert world.reviewed(verdict="revise", findings=[finding("blocker")]).code == 1
    said = world.cto("override", "--reason", "Agreed with Bob", "--json")
    assert (said.code, said.json["kind"], said.json["head"]) == (0, "override", head), said.text
    gated = world.cto("gate", "--json")
    assert (gated.code, gated.json["record"]) == (0, said.json["record"])
    assert "Ada overrode the gate for exactly this change: Agreed with Bob" in gated.json["reasons"][0]
    [record] = records(world, "override")
    assert (record["body"]["actor"]["email"], record["body"]["reason"]) == ("ada@example.org", "Agreed with Bob")
    assert "override · by Ada\nAgreed with Bob" in world.git("log", "-1", "--notes=cto", "--format=%N")
    world.commit("One more", app__py=TWO + "x = 1\n")
    assert world.cto("gate").code == 1


def test_an_override_needs_no_review_and_no_model(world: World) -> None:
    changed(world)
    said = world.ask([], "override", "--reason", "Hotfix")
    assert (said.code, said.requests) == (0, ()), said.text
    assert "Recorded: the change of topic may be merged into main." in said.out
    assert "Next: git cto gate" in said.out
    assert world.cto("gate").code == 0


def test_an_override_of_another_commit_and_another_target(world: World) -> None:
    head = changed(world)
    world.git("branch", "release", "main")
    world.git("switch", "--quiet", "main")
    said = world.cto("override", "topic", "--base", "release", "--reason", "Backport", "--json")
    assert (said.code, said.json["head"], said.json["target"]) == (0, head, "refs/heads/release"), said.text
    assert world.cto("gate", "topic", "--base", "release").code == 0
    assert world.cto("gate", "topic").code == 1


def test_a_later_verdict_wins_over_an_override(world: World, tmp_path: Path) -> None:
    """The last word on a change counts; here verification was run after the human spoke."""
    changed(world)
    world.policy('[verify]\ncommands = ["false"]\n')
    assert world.cto("override", "--reason", "Looks right").code == 0
    assert world.cto("gate").code == 0
    assert world.reviewed("--verify", "--allow-commands").code == 1
    assert world.cto("gate").code == 1


def test_a_control_path_needs_a_human_on_top_of_the_approval(world: World) -> None:
    """An approval alone leaves the gate closed, and says what to type."""
    world.branch("topic")
    world.commit("A workflow", **{".github/workflows/ci.yml": "on: push\n"})
    said = world.reviewed()
    assert said.code == 0, said.text
    assert "git cto override" in said.json["next"]
    gated = world.cto("gate")
    assert gated.code == 1
    assert ".github/workflows/ci.yml" in gated.out
    assert "Next:   git cto override --reason TEXT".replace("   ", " ") in gated.out
    assert world.cto("override", "--reason", "The workflow is what we want").code == 0
    assert world.cto("gate").code == 0


def test_a_file_that_became_a_control_path_meanwhile_is_one_under_its_old_name(world: World) -> None:
    """A merge follows what main has renamed: the change of one file lands in the other."""
    text = "".join(f"echo {number}\n" for number in range(20))
    world.commit("A script", ci__yml=text)
    world.branch("topic")
    world.commit("Do something else", ci__yml=text.replace("echo 7", "echo seven"))
    assert world.reviewed().code == 0
    assert world.cto("gate").code == 0
    world.git("switch", "--quiet", "main")
    world.write(".github/workflows/ci.yml", "")
    world.git("mv", "--force", "ci.yml", ".github/workflows/ci.yml")
    world.commit("Have it run")
    said = world.cto("gate", "topic")
    assert said.code == 1
    assert "It changes what the gate itself rests on (.github/workflows/ci.yml)" in said.out
    assert world.cto("override", "topic", "--reason", "I have read it").code == 0
    assert world.cto("gate", "topic").code == 0
    world.git("merge", "--quiet", "--no-ff", "-m", "Merge topic", "topic")
    assert world.git("diff", "--name-only", "HEAD~1") == ".github/workflows/ci.yml"


def test_a_file_that_was_renamed_to_any_other_path_needs_nobody_on_top(world: World) -> None:
    text = "".join(f"echo {number}\n" for number in range(20))
    world.commit("A script", ci__yml=text)
    world.branch("topic")
    world.commit("Do something else", ci__yml=text.replace("echo 7", "echo seven"))
    assert world.reviewed().code == 0
    world.git("switch", "--quiet", "main")
    world.git("mv", "ci.yml", "script.yml")
    world.commit("Another name")
    assert world.cto("gate", "topic").code == 0


def test_an_override_of_a_run_is_part_of_its_series(world: World) -> None:
    run = world.planned()
    do(world, "t1", "app.py", TWO)
    said = world.cto("override", "--reason", "By hand", "--json")
    assert (said.code, said.json["series"]) == (0, f"run/{run}"), said.text
    assert [one["kind"] for one in world.cto("log", "--json").json["records"]] == ["override", "plan"]


def test_our_secrets_in_a_reason_are_not_recorded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    changed(world)
    monkeypatch.setenv("DEPLOY_TOKEN", "hunter2-hunter2-hunter2")
    assert world.cto("override", "--reason", "With hunter2-hunter2-hunter2").code == 0
    assert records(world)[0]["body"]["reason"] == "With [redacted]"


@pytest.mark.parametrize(
    "argv, words",
    [
        ([], "Missing option '--reason'"),
        (["--reason", " \n "], "needs a reason"),
        (["--reason", "x" * 4001], "be briefer"),
        (["nowhere", "--reason", "x"], "'nowhere' names no commit"),
        (["main", "--reason", "x"], "main changes nothing compared with main"),
        (["--base", "nowhere", "--reason", "x"], "There is no branch 'nowhere'"),
    ],
)
def test_an_override_that_is_none_is_a_usage_error(world: World, argv: list[str], words: str) -> None:
    changed(world)
    said = world.cto("override", *argv)
    assert (said.code, words in said.err) == (2, True), said.text
    assert "Next: " in said.err
    assert ("commit something, or name another --base" in said.err) == ("changes nothing" in words)
    assert ledger(world) == ""


def test_an_override_needs_to_know_who_says_it(world: World) -> None:
    changed(world)
    Path(os.environ["HOME"], ".gitconfig").write_text("[user]\n\tuseConfigOnly = true\n")
    said = world.cto("override", "--reason", "x")
    assert (said.code, "git config --global user.name" in said.err) == (2, True), said.text
    assert ledger(world) == ""
