"""What is printed after "Next:" leads on, and not round in a circle."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

from tests.keys import known_key
from tests.world import World, finding, review_reply


def test_after_a_human_let_an_abort_go_on_the_same_change_is_asked_about_again(world: World) -> None:
    world.branch("topic")
    world.commit("Say 2", app__py="def version():\n    return 2\n")
    assert world.reviewed(verdict="abort").code == 4
    went_on = world.cto("continue", "--reason", "We try another way")
    assert went_on.code == 0
    assert "Next: git cto review" in went_on.out
    again = world.ask([review_reply()], "review")
    assert (again.code, len(again.requests)) == (0, 1), again.text


def test_after_a_human_let_refusals_go_on_the_same_change_is_still_refused(world: World) -> None:
    world.git("config", "cto.rounds.escalateAfter", "1")
    world.branch("topic")
    world.commit("Say 2", app__py="def version():\n    return 2\n")
    assert world.reviewed(verdict="revise").code == 5
    assert "Next: fix it, then git cto review" in world.cto("continue", "--reason", "Go on").out
    assert world.ask([review_reply()], "review").requests == ()


def test_whoever_finds_no_record_is_told_that_they_may_be_elsewhere(world: World) -> None:
    assert "git cto sync" in world.cto("log").out


def test_the_folder_of_a_dry_run_lies_outside_of_the_repository_as_that_of_a_call_does(world: World) -> None:
    argv = world.cto("plan", "Raise the version", "--dry-run", "--json").json["argv"]
    schema = Path(argv[argv.index("--output-schema") + 1])
    assert not schema.is_relative_to(world.path)


def test_while_a_human_is_asked_neither_gate_nor_tasks_say_to_review_first(world: World) -> None:
    run = world.planned()
    world.cto("start", "t1")
    world.write("app.py", "def version():\n    return 2\n")
    world.cto("finish", "-m", "Says 2")
    assert world.reviewed(verdict="abort").code == 4
    assert world.cto("gate", "--json").json["next"].startswith("git cto continue --reason TEXT")
    assert world.cto("tasks", "--json").json["next"] == f"git cto continue {run} --reason TEXT"
    assert world.cto("continue", "--reason", "We try another way").code == 0
    assert world.cto("gate", "--json").json["next"].endswith("git cto review")


def test_what_is_next_for_another_branch_is_not_done_to_the_one_that_is_checked_out(world: World) -> None:
    world.branch("topic")
    head = world.commit("Say 2", app__py="def version():\n    return 2\n")
    world.git("branch", "stem", "main")
    assert world.cto("gate", "topic", "--json").json["next"] == "git cto review"
    assert world.cto("gate", "--base", "stem", "--json").json["next"] == "git cto review --base stem"
    world.git("switch", "--quiet", "main")
    assert world.cto("gate", "topic", "--json").json["next"] == "git switch topic && git cto review"
    said = world.cto("gate", head, "--base", "stem", "--json").json["next"]
    assert said == f"git switch --detach {head[:12]} && git cto review --base stem"
    world.git("switch", "--quiet", "topic")
    assert world.reviewed(findings=[finding()], verdict="revise").code == 1
    world.git("switch", "--quiet", "main")
    assert world.cto("gate", "topic", "--json").json["next"] == "git switch topic, then fix it, then git cto review"
    assert world.cto("verify", "topic", "--local", "--json").json["next"].startswith("git switch topic")


def test_where_the_gate_is_open_the_next_step_is_the_merge_from_anywhere(world: World) -> None:
    world.branch("topic")
    world.commit("Say 2", app__py="def version():\n    return 2\n")
    assert world.reviewed().code == 0
    world.git("switch", "--quiet", "main")
    assert world.cto("gate", "topic", "--json").json["next"].startswith("git switch main && git merge --no-ff topic")
    world.git("switch", "--quiet", "--detach", "topic")
    land = world.cto("gate", "--json").json["next"].partition(", or")[0]
    assert land == f"git switch main && git merge --no-ff {world.head[:12]}"
    assert subprocess.run(land, shell=True, cwd=world.path, capture_output=True, check=False).returncode == 0
    assert world.git("rev-list", "--count", "main..topic") == "0"


def test_what_was_decided_about_another_branch_is_asked_about_there(world: World) -> None:
    """Where somebody else's branch is decided on from main, main itself has nothing that the gate could be asked of."""
    world.branch("topic")
    world.commit("Say 2", app__py="def version():\n    return 2\n")
    world.git("branch", "stem", "main")
    world.git("switch", "--quiet", "main")
    decided = world.cto("override", "topic", "--base", "stem", "--reason", "Fine", "--json").json["next"]
    assert decided == "git cto gate topic --base stem"
    assert world.cto(*words(decided)[2:]).code == 0
    key = known_key(world.path.parent / "keys", "ben@example.org")
    world.git("config", "gpg.format", "ssh")
    world.git("config", "user.signingkey", str(key.path))
    assert "git cto gate topic --base stem   asks" in world.cto("sign", "topic", "--base", "stem", "--overrides").out
    world.write(".cto/allowed_signers", key.line())
    world.policy('[gate]\ntrust = "signed"\n')
    unlisted = world.cto("override", "topic", "--reason", "Fine", "--no-sign", "--json").json["next"]
    assert unlisted == "git cto sign --overrides topic, by an allowed signer"


def test_what_landed_as_a_row_is_asked_about_as_a_row(world: World) -> None:
    """One commit of it alone is what nobody approved."""
    world.branch("topic")
    world.commit("Say 2", app__py="def version():\n    return 2\n")
    world.commit("And a second file", more__py="1\n")
    assert world.cto("override", "--reason", "Fine").code == 0
    world.git("switch", "--quiet", "main")
    world.commit("Meanwhile", other__py="1\n")
    world.git("switch", "--quiet", "topic")
    world.git("rebase", "--quiet", "main")
    world.git("switch", "--quiet", "main")
    world.git("merge", "--quiet", "--ff-only", "topic")
    for argv in (["gate"], ["verify"], ["log"]):
        said = " ".join(world.cto(*argv).out.split())
        assert "Next: git cto audit main~2..main for what has landed" in said, argv
    assert world.cto("audit", "main~2..main", "--local").code == 0
    assert world.cto("audit", "main~1..main", "--local").code == 1
    world.commit("Nobody judged this", third__py="1\n")
    assert "git cto audit main~1..main" in " ".join(world.cto("gate").out.split())


def test_once_trunk_is_approved_the_tasks_lead_to_the_gate(world: World) -> None:
    world.planned()
    world.cto("start", "t1")
    world.write("app.py", "def version():\n    return 2\n")
    assert world.cto("finish", "-m", "Says 2", "--json").json["next"] == "git cto review"
    assert world.reviewed().code == 0
    assert world.cto("tasks", "--json").json["next"] == "git cto gate"


ODD = "it's;touch$IFS'pwned'"  # what a branch may well be called


def words(hint: str) -> list[str]:
    """What a shell makes of the first command of a hint; it fails where a quote is left open."""
    return shlex.split(re.split(r", (?:or|then|and|resolve)\b", hint)[0])


def test_branches_of_any_name_are_quoted_where_they_are_to_be_typed(world: World) -> None:
    world.git("branch", ODD)
    world.branch("topic")
    world.commit("Ours", app__py="ours\n")
    world.git("switch", "--quiet", ODD)
    world.commit("Theirs", app__py="theirs\n")
    world.git("switch", "--quiet", "topic")
    conflict = world.cto("review", "--base", ODD, "--json").json["error"]["hint"]
    assert words(conflict) == ["git", "merge", ODD]
    assert words(world.cto("gate", "--base", ODD, "--json").json["next"]) == ["git", "merge", ODD]
    world.git("merge", "--quiet", "-s", "ours", ODD)
    assert words(world.reviewed("--base", ODD).json["next"]) == ["git", "cto", "gate", "--base", ODD]
    gate = world.cto("gate", "--base", ODD, "--json")
    assert gate.code == 0, gate.text
    assert words(gate.json["next"])[:3] == ["git", "switch", ODD]


def test_paths_and_remotes_of_any_name_are_quoted_where_they_are_to_be_typed(world: World) -> None:
    run = world.planned()
    elsewhere = world.path.parent / "an other's place"
    world.git("worktree", "add", "--quiet", "-b", f"cto/{run}/t1", str(elsewhere))
    there = world.cto("start", "t1", "--json").json["error"]["hint"]
    assert words(there) == ["cd", str(elsewhere)]
    world.git("remote", "add", "up;stream", str(world.path.parent / "nowhere"))
    world.git("remote", "add", "zero", "nowhere")
    sync = world.cto("sync", "--json").json["error"]["hint"]
    assert words(sync) == ["git", "cto", "sync", "up;stream"]


def test_where_somebody_moved_the_notes_the_gate_says_so_and_asks_for_no_review(world: World) -> None:
    world.branch("topic")
    world.commit("Say 2", app__py="def version():\n    return 2\n")
    assert world.reviewed().code == 0
    world.git("update-ref", "-d", "refs/notes/cto-records")
    closed = world.cto("gate", "--json")
    assert (closed.code, closed.json["next"]) == (1, "git cto doctor, which says how to bring that back")
    assert closed.json["reasons"][-1] == (
        "1 record about it is missing from refs/notes/cto-records: somebody moved it."
    )
    [problem] = [one for one in world.cto("doctor", "--json").json["checks"] if one["name"] == "ledger"]
    assert subprocess.run(problem["hint"], shell=True, cwd=world.path, capture_output=True, check=False).returncode == 0
    assert world.cto("gate").code == 0
    world.commit("Say 3", app__py="def version():\n    return 3\n")
    assert world.cto("gate", "--json").json["next"] == "git cto review"
