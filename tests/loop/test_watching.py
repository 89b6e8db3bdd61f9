"""Seeing a loop: its events, its summary, what it took, the live view, `status` from elsewhere, and `abandon`."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from git_cto.demo.claude_replies import Use, refuses
from git_cto.demo.server import Reply
from git_cto.work.documents.catalogue import DOCUMENTS
from tests.loop.world import WORK, Loop, a_task, approving, refusing, until, writes
from tests.world import Said

jsonschema = pytest.importorskip("jsonschema")


def test_events_are_json_lines_and_nothing_else_on_stdout(loop: Loop) -> None:
    """The last line is the document of the run."""
    loop.review = refusing("t2")
    said = loop.run("--jobs", "2", "--events")
    assert said.code == 0, said.text
    *events, last = [json.loads(line) for line in said.out.splitlines()]
    for event in events:
        valid(event, "event")
    valid(last, "run")
    kinds = [event["kind"] for event in events if event["kind"] != "doing"]
    first = ["planning", "planned", *["started"] * 2, *["ended", "merged"] * 2, "reviewing", "verdict"]
    assert sorted(kinds[: len(first)]) == sorted(first)
    assert kinds[len(first) :] == ["started", "ended", "merged", "reviewing", "verdict"]
    assert [(event["outcome"], event["round"]) for event in events if event["kind"] == "verdict"] == [
        ("revise", 1),
        ("approve", 2),
    ]
    assert (last["ended"], last["verdict"], last["rounds"]) == ("approved", "approve", 2)


def valid(document: Any, kind: str) -> None:  # noqa: ANN401 -- any JSON
    """The document is what its schema says."""
    import msgspec

    jsonschema.validate(document, msgspec.json.schema(DOCUMENTS[kind]))


def test_what_it_took_is_said_per_phase_task_and_round_everywhere_alike(loop: Loop) -> None:
    """In the summary, in the document, in the records, and by `status` afterwards."""
    loop.review = refusing("t2")
    said = loop.cto("run", "Write the files", "--json")
    assert said.code == 0, said.text
    valid(said.json, "run")
    taken = [(one["phase"], one["task"], one["round"]) for one in said.json["taken"]]
    assert taken == [
        ("plan", "", 1),
        ("task", "t1", 1),
        ("task", "t2", 1),
        ("review", "", 1),
        ("task", "t2", 2),
        ("review", "", 2),
    ]
    assert all(one["tokens"] > 0 for one in said.json["taken"])
    assert all((one["cost"] > 0) == (one["phase"] == "task") for one in said.json["taken"])
    assert said.json["tokens"] == sum(one["tokens"] for one in said.json["taken"])

    recorded = {(one["task_id"], one["round"]): one for record in loop.records() for one in record["results"]}
    for one in said.json["taken"]:
        if one["phase"] == "task":
            kept = recorded[one["task"], one["round"]]
            assert (kept["tokens"], kept["executor"]) == (one["tokens"], one["agent"])
            assert kept["cost"] == pytest.approx(one["cost"], abs=1e-6)

    later = loop.cto("status", loop.id, "--json").json
    valid(later, "run")
    assert [one["tokens"] for one in later["taken"]] == [one["tokens"] for one in said.json["taken"]]
    assert later["cost"] == pytest.approx(said.json["cost"], abs=1e-5)


def counted(loop: Loop, said: Said, tries: int) -> None:
    """What was taken for t2 in as many tries is in its result, in the record, and what `status` says later."""
    assert said.code == 0, said.text
    taken = [one for one in said.json["taken"] if one["task"] == "t2"]
    assert len(taken) == tries
    (kept,) = [one for one in loop.records()[-1]["results"] if one["task_id"] == "t2"]
    assert kept["tokens"] == sum(one["tokens"] for one in taken)
    assert kept["cost"] == pytest.approx(sum(one["cost"] for one in taken), abs=1e-6)
    later = loop.cto("status", loop.id, "--json").json
    assert later["tokens"] == said.json["tokens"]
    assert later["cost"] == pytest.approx(said.json["cost"], abs=1e-5)


def to_the_same_file(task: str, folder: str, said: str) -> Sequence[Use]:
    """Both write shared.txt; whoever hears of trouble puts up with what is there."""
    shared = f"{folder}/shared.txt"
    if "<<<TROUBLE" in said:
        return [("Read", {"file_path": shared}), *writes(task, folder, "")]
    return [("Write", {"file_path": shared, "content": f"{task}\n"}), *writes(task, folder, "")]


def test_a_try_that_came_to_nothing_because_of_a_conflict_is_counted_too(loop: Loop) -> None:
    loop.answer = to_the_same_file
    counted(loop, loop.cto("run", "Write the files", "--jobs", "2", "--json"), 2)


def test_a_try_that_came_to_nothing_because_of_a_hook_is_counted_too(loop: Loop) -> None:
    hook = f'#!/bin/sh\n[ ! -e t2.txt ] || [ -e "{loop.home}/once" ] || {{ touch "{loop.home}/once"; exit 1; }}\n'
    loop.write(".git/hooks/pre-commit", hook).chmod(0o755)
    counted(loop, loop.cto("run", "Write the files", "--json"), 2)


def test_a_try_of_an_earlier_loop_is_counted_where_its_result_conflicts(loop: Loop) -> None:
    """t2 was done and not merged when the loop ended; a resume has t2 done again, on top of what t1 did meanwhile."""
    asked = threading.Event()

    def answer(task: str, folder: str, said: str) -> Sequence[Use] | Reply:
        if task == "t1" and not asked.is_set():
            until(lambda: loop.git("rev-parse", "--verify", "--quiet", f"refs/heads/cto/{loop.id}/t2", ok=False))
            asked.set()
            return refuses(400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API.")
        return to_the_same_file(task, folder, said)

    loop.answer = answer
    assert loop.cto("run", "Write the files", "--jobs", "2").code == 3
    assert loop.results(f"cto/{loop.id}/t2") == [("t2", "done", "1")]
    said = loop.cto("run", "--resume", "--jobs", "2", "--json")
    assert said.code == 0, said.text
    counted(loop, said, 2)


def test_the_summary_fits_a_terminal_and_names_task_round_and_money(loop: Loop) -> None:
    loop.tasks(a_task("a-task-with-quite-a-long-name-1"), a_task("t2", depends_on=["a-task-with-quite-a-long-name-1"]))
    said = loop.cto("run", "Write the files", "--allowed-tools", "Read, Write, Bsh")
    assert said.code == 0, said.text
    assert " ".join(said.err.split()).count("has none called Bsh (did you mean Bash?)") == 1
    assert [line for line in said.out.splitlines() if len(line) > 80] == []
    assert re.search(r"task +t2 +round 1 +[\d.]+k tokens +\$0\.0\d  claude ", said.out)
    assert "└ t2  t2.txt  done  after a-task" in said.out


def test_status_shows_from_elsewhere_what_a_loop_is_doing(loop: Loop) -> None:
    loop.does('echo "looking around"; touch "$HOME/$CTO_TASK"; until [ -e "$HOME/go" ]; do sleep 0.01; done\n' + WORK)
    process = loop.started("Write the files", "--jobs", "1")
    until((loop.home / "t1").exists)
    until(lambda: "looking around" in loop.cto("status").out)
    said = loop.cto("status", loop.id)
    assert "at work" in said.out
    assert re.search(r"t1 .*looking around", said.out)
    assert "1.3k tokens" in said.out
    assert f"Next: git cto status {loop.id}" in said.out
    document = loop.cto("status", loop.id, "--json").json
    assert (document["working"], document["ended"], document["tokens"]) == (True, None, 1280)
    (loop.home / "go").touch()
    process.communicate(timeout=60)
    after = loop.cto("status", loop.id)
    assert "at rest" in after.out
    assert "Round 1 said approve" in after.out


def test_status_of_a_run_that_is_not_here_says_so(loop: Loop) -> None:
    said = loop.cto("status", "no-such-run-000000")
    assert said.code == 2
    assert "no-such-run-000000" in said.err


def test_looking_at_a_run_never_keeps_a_loop_from_starting(loop: Loop) -> None:
    """Both look at the same lock."""
    assert loop.run("--max-tokens", "1000").code == 5
    process = loop.process("status", loop.id)
    said = loop.resume()
    process.wait()
    assert said.code == 0, said.text


def test_abandon_removes_branches_and_keeps_the_records(loop: Loop) -> None:
    assert loop.run().code == 0
    run, head = loop.id, loop.git("rev-parse", loop.trunk)
    said = loop.cto("abandon", run)
    assert said.code == 0, said.text
    assert f"  cto/{run}/trunk (was {head[:12]})\n" in said.out
    again = loop.cto("abandon", run)
    assert (again.code, again.out.splitlines()[0]) == (0, f"Abandoned {run}. No branch of it was left.")
    assert loop.git("for-each-ref", "refs/heads/cto") == ""
    assert loop.leftovers() == []
    kinds = [one["kind"] for one in loop.cto("log", head, "--json").json["records"]]
    assert kinds.count("verdict") == 1
    assert loop.cto("show", run).code == 0


def test_abandon_removes_all_branches_of_the_run_and_no_other(loop: Loop) -> None:
    """Also what an executor has put there: a branch below one, a name of any bytes, a link to a branch of the user."""
    loop.run("--max-tokens", "1000")
    run, refs = loop.id, f"refs/heads/cto/{loop.id}"
    loop.git("symbolic-ref", f"{refs}/t1", "refs/heads/main")
    loop.git("update-ref", f"{refs}/t2/deep", "main")
    loop.git("update-ref", "--stdin", data=b"create %s/\xff main\n" % refs.encode())
    before = loop.git("for-each-ref", "refs/heads/main")
    said = loop.cto("abandon", run)
    assert said.code == 0, said.text
    assert loop.git("for-each-ref", "refs/heads") == before


def test_abandon_refuses_while_a_loop_is_at_work_or_a_branch_is_checked_out(loop: Loop) -> None:
    loop.does('touch "$HOME/began"; until [ -e "$HOME/go" ]; do sleep 0.01; done\n' + WORK)
    process = loop.started("Write the files")
    until((loop.home / "began").exists)
    run = loop.id
    said = loop.cto("abandon", run)
    assert said.code == 2, said.text
    assert "at work" in said.err
    (loop.home / "go").touch()
    process.communicate(timeout=60)
    loop.git("switch", "--quiet", f"cto/{run}/t1")
    said = loop.cto("abandon", run)
    assert said.code == 2, said.text
    assert f"cto/{run}/t1 is checked out" in said.err
    loop.git("switch", "--quiet", "main")
    assert loop.cto("abandon", run).code == 0


def test_a_loop_at_work_keeps_its_tasks_to_itself(loop: Loop) -> None:
    """It stops at a branch of the run that is checked out somewhere, and would do the task once more."""
    loop.does('touch "$HOME/$CTO_TASK"; until [ -e "$HOME/go" ]; do sleep 0.01; done\n' + WORK)
    process = loop.started("Write the files", "--jobs", "1")
    until((loop.home / "t1").exists)
    for task in ("t1", "t2"):
        said = loop.cto("start", task, "--json")
        assert (said.code, said.json["error"]["code"]) == (2, "busy"), said.text
        assert said.json["error"]["hint"].startswith(f"git cto status {loop.id}, or stop the loop")
    assert loop.git("branch", "--show-current") == "main"
    assert loop.git("branch", "--list", f"cto/{loop.id}/t2") == ""
    assert loop.cto("tasks", "--json").json["next"] == f"git cto status {loop.id}"
    (loop.home / "go").touch()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert loop.cto("start", "t1").code == 0


def test_the_live_view_has_a_row_for_each_task_and_is_gone_at_the_end(loop: Loop) -> None:
    """Within 80 columns, and without a control character of anybody else's."""
    loop.tasks(a_task("t1"), a_task("t2", depends_on=["t1"]))
    evil = "\\033]0;owned\\007 \\033[31mred\\033[0m " + "wide " * 40
    loop.does(f"printf '{evil}\\n'; sleep 0.6\n{WORK}")
    said = loop.on_terminal("run", "Write the files", *loop.by_script)
    assert said.code == 0, said.text
    assert "▸ t1" in said.out
    assert "owned" in said.out
    assert "\x1b]" not in said.out
    assert "\x07" not in said.out
    assert "\x1b[31m" not in said.out
    shown = screen(said.out)
    assert not any("▸" in line for line in shown)
    assert any("approved" in line for line in shown)
    frames = re.split(r"\x1b\[2K", said.out)
    plain = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for frame in frames for line in frame.splitlines()]
    assert max(map(len, plain)) <= 80


def screen(said: str) -> list[str]:
    """What is left on the screen: lines, after moves up and erasures were obeyed."""
    lines, row = [""], 0
    for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r\n|\r|\n|[^\x1b\r\n]+", said):
        if part in {"\n", "\r\n"}:
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part == "\x1b[2K":
            lines[row] = ""
        elif part.endswith("A") and part.startswith("\x1b"):
            row = max(0, row - int(part[2:-1] or 1))
        elif not part.startswith("\x1b") and part != "\r":
            lines[row] += part
    return lines


def test_quiet_says_the_result_and_nothing_by_the_way(loop: Loop) -> None:
    said = loop.run("--quiet")
    assert said.code == 0
    assert said.err == ""
    assert "approved" in said.out


def test_words_of_an_agent_cannot_draw_on_a_plain_log_either(loop: Loop) -> None:
    loop.does("printf 'done \\033[2J\\007\\n'\n" + WORK)
    loop.review = approving
    said = loop.run()
    assert "\x1b" not in said.text
    assert "\x07" not in said.text
