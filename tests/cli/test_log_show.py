"""`git cto log` and `git cto show`: what the ledger remembers, for people and for programs."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess

import pytest

from tests.cli.scenes import THREE, changed, do, records
from tests.world import World, finding, task, task_review


def test_the_log_of_a_branch_is_its_series_the_newest_first(world: World) -> None:
    changed(world)
    world.reviewed(verdict="revise", summary="Not right yet, and this sentence is far too long to fit into a line.")
    world.commit("Say 3", app__py=THREE)
    world.reviewed()
    world.cto("override", "--reason", "For the record")
    said = world.cto("log")
    kinds = [line.split()[2] for line in said.out.splitlines()]
    assert (said.code, kinds) == (0, ["override", "approve", "revise"])
    assert all(len(line) <= 80 for line in said.out.splitlines())
    assert "…" in said.out
    assert said.out.splitlines()[0].endswith("just now")
    listed = world.cto("log", "--json").json["records"]
    assert [one["kind"] for one in listed] == ["override", "verdict", "verdict"]
    named = [(one["subject"]["head"][:7], one["id"][:7]) for one in listed]
    assert [tuple(line.split()[:2]) for line in said.out.splitlines()] == named


def test_the_log_of_a_run_has_its_plan_whatever_is_checked_out_of_it(world: World) -> None:
    run = world.planned()
    do(world, "t1", "app.py", THREE)
    for branch in (f"cto/{run}/trunk", f"cto/{run}/t1"):
        assert [one["kind"] for one in world.cto("log", branch, "--json").json["records"]] == ["plan"]


def test_a_commit_without_records_says_so_and_what_to_type(world: World) -> None:
    changed(world)
    said = world.cto("log")
    assert (said.code, said.out.splitlines()[0]) == (0, "No records.")
    assert "git cto review" in said.out.partition("Next: ")[2]
    assert world.cto("log", "--json").json["records"] == []
    assert world.cto("log", "--all").code == 0


def test_on_the_target_itself_the_next_step_is_what_has_landed(world: World) -> None:
    changed(world)
    assert "audit" not in world.cto("log").out
    world.reviewed()
    world.git("switch", "--quiet", "main")
    root = world.cto("gate")
    assert (root.code, "git cto audit" in root.out) == (1, False), "there is nothing before the first commit"
    world.git("merge", "--quiet", "--no-ff", "-m", "Merge it", "topic")
    for argv in (["gate"], ["verify"], ["verify", "HEAD", "--local"], ["log"]):
        said = " ".join(world.cto(*argv).out.split())
        assert "Next: git cto audit main~1..main for what has landed" in said, argv
    assert "No records." in world.cto("log").out
    assert world.cto("audit", "main~1..main", "--local").code == 0
    assert "audit" not in world.cto("log", "--all", "HEAD").out


def test_all_shows_every_series(world: World) -> None:
    changed(world)
    world.reviewed()
    world.git("switch", "--quiet", "main")
    world.planned()
    assert world.cto("log", "--json").json["records"] != records(world)
    assert {one["kind"] for one in records(world)} == {"plan", "verdict"}


def test_show_has_the_whole_verdict(world: World) -> None:
    """Tasks, criteria, findings with suggestion, reasons, coverage, who and when."""
    world.planned()
    do(world, "t1", "app.py", THREE)
    world.reviewed(
        task_reviews=[task_review("t1", "fail", feedback="It says 3.")],
        findings=[finding(suggestion="    return 2")],
    )
    said = world.cto("show")
    assert said.code == 0, said.text
    for words in (
        "✗ revise",
        "t1   fail     0 of 1 criterion",
        "It says 3.",
        "major    app.py:2",
        "[1.1]",
        "|     return 2",
        "git-cto says revise: t1 is fail",
        "target refs/heads/main at ",
        "Ada <ada@example.org> on ",
        "record ",
    ):
        assert words in said.out, words
    [shown] = world.cto("show", "--json").json["records"]
    assert shown["body"]["review"]["task_reviews"][0]["criteria"][0]["evidence"] == "app.py:2"


def test_show_of_a_run_is_its_latest_plan(world: World) -> None:
    run = world.planned(analysis="THE-ANALYSIS")
    for argv in ([run], [f"cto/{run}/trunk"], ["--json", run]):
        said = world.cto("show", *argv)
        assert (said.code, "THE-ANALYSIS" in said.out) == (0, True), said.text


def test_show_of_a_commit_is_the_last_word_on_it(world: World) -> None:
    """The verdict, although the plan that it revised is newer; and the override after it."""
    run = world.planned()
    do(world, "t1", "app.py", THREE)
    world.reviewed(revised_tasks=[task("t2", target="other.py")])
    for argv in ([], [world.head], [world.head[:10]], [f"cto/{run}/trunk"]):
        assert world.cto("show", *argv).out.startswith("✗ revise"), argv
    world.cto("override", "--reason", "By hand, with Bob")
    assert world.cto("show").out.startswith("override   By hand, with Bob\n")


def test_a_record_is_shown_and_exported_by_its_id_as_the_log_prints_it(world: World) -> None:
    run = world.planned()
    do(world, "t1", "app.py", THREE)
    world.reviewed(summary="It says 3.")
    world.cto("override", "--reason", "By hand")
    world.git("switch", "--quiet", "main")
    for line in world.cto("log", "--all").out.splitlines():
        one = line.split()[1]
        [listed] = world.cto("show", one, "--json").json["records"]
        assert listed["id"].startswith(one)
        assert f"record {listed['id']}" in world.cto("show", listed["id"]).out
        envelope = json.loads(world.cto("show", one, "--export", "dsse").out)
        assert hashlib.sha256(base64.b64decode(envelope["payload"])).hexdigest() == listed["id"]
    assert world.cto("show", run).out.startswith(f"Run {run}")


def test_an_id_that_names_no_record_or_several_is_asked_back_and_a_commit_goes_before_it(world: World) -> None:
    changed(world)
    world.reviewed()
    [one] = records(world)
    missing = world.cto("show", "0" * 12)
    assert (missing.code, missing.out) == (2, "")
    assert "'000000000000' names neither a commit nor a record here." in missing.err
    assert world.cto("show", one["id"][:3]).code == 2, "too short"
    world.git("branch", one["id"][:8], "main")
    assert "no record about" in world.cto("show", one["id"][:8]).err
    assert one["id"] in world.cto("show", one["id"][:9]).out


def test_show_names_the_others_about_the_same_change_and_which_of_them_the_gate_rests_on(world: World) -> None:
    changed(world)
    world.reviewed()
    assert world.cto("show").err == "", "there is no other"
    world.cto("override", "--reason", "By hand")
    override, approval = (one["id"] for one in records(world))
    said = world.cto("show")
    assert said.out.startswith("override   By hand\n")
    told = f"note: the gate rests on override {override[:7]}; also about this change: approve {approval[:7]}"
    assert " ".join(said.err.split()) == f"{told} (unsigned); git cto show takes an id"
    assert world.cto("show", approval[:7]).out.startswith("✓ approve")
    world.commit("Say 3", app__py=THREE)
    old = world.cto("show")
    assert " ".join(old.err.split()).startswith("note: this is about commit "), old.text
    assert "not about topic as it is now" in " ".join(old.err.split())


def test_where_the_gate_is_closed_show_says_so_beside_what_else_there_is(world: World) -> None:
    changed(world)
    assert world.reviewed(verdict="revise", findings=[finding()]).code == 1
    assert world.reviewed("--dispute", "Look again", verdict="revise").code == 1
    newest, older = (one["id"][:7] for one in records(world))
    said = world.cto("show")
    told = f"note: this is revise {newest}, and the gate is closed; also about this change: revise {older} (unsigned);"
    assert (f"record {newest}" in said.out, " ".join(said.err.split()).startswith(told)) == (True, True), said.text


@pytest.mark.parametrize(
    "argv", [["show"], ["show", "no-such-run"], ["show", "topic"], ["log", "nowhere"], ["show", "-x"]]
)
def test_what_is_not_there_is_a_usage_error(world: World, argv: list[str]) -> None:
    changed(world)
    said = world.cto(*argv)
    assert (said.code, said.out) == (2, ""), said.text
    assert "Next: " in said.err


def test_git_log_shows_the_verdicts(world: World) -> None:
    """With plain git, without git-cto."""
    changed(world)
    world.reviewed(verdict="revise", summary="Not yet.")
    world.commit("Say 3", app__py=THREE)
    world.reviewed(summary="Right.")
    text = world.git("log", "--notes=cto", "-2")
    assert "Notes (cto):\n    approve · round 2 · 0 open findings" in text
    assert "    Right." in text
    assert "    revise · round 1 · 0 open findings" in text


def test_a_reader_that_stops_early_is_no_error(world: World) -> None:
    """`git cto log --all | head -1`: no message, no traceback."""
    changed(world)
    world.reviewed()
    process = world.process("log", "--all", "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert (process.wait(timeout=30), err) == (3, b"")


def test_json_goes_through_a_pipe_whole(world: World) -> None:
    changed(world)
    world.reviewed(summary="ä" * 5000)
    process = world.process("log", "--all", "--json", stdout=subprocess.PIPE)
    out, _ = process.communicate(timeout=30)
    assert json.loads(out)["records"][0]["body"]["review"]["summary"] == "ä" * 5000
