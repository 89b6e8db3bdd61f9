"""`git cto tasks`, `start` and `finish`: work on branches, done by hand, with real git. Nothing is ever lost."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.cli.scenes import TWO, do, everything, hook, ledger
from tests.world import World, finding, task, task_review


def states(world: World) -> dict[str, str]:
    """The state of each task."""
    said = world.cto("tasks", "--json")
    assert said.code == 0, said.text
    return {one["id"]: one["state"] for one in said.json["tasks"]}


def trailers(world: World, commit: str) -> list[str]:
    return world.git("log", "-1", "--format=%(trailers:only,unfold)", commit).splitlines()


# ---- the ordinary way


def test_the_five_actions_are_done_in_the_order_of_their_dependencies(world: World) -> None:
    """Each on a branch of its own that starts at trunk and is merged into it; the plan's own order does not matter."""
    world.commit("A thing to delete", old__py="x = 1\n")
    run = world.planned(
        task("suite", action="verify", target="python3 -c 'import app'", depends_on=["edit"]),
        task("edit", depends_on=["make"]),
        task("make", action="create_file", target="new.py"),
        task("drop", action="delete_file", target="old.py"),
        task("build", action="run_command", target="make build"),
    )
    said = world.cto("tasks", "--json")
    assert [one["id"] for one in said.json["tasks"]] == ["make", "edit", "suite", "drop", "build"]
    assert states(world) == {"make": "ready", "edit": "waiting", "suite": "waiting", "drop": "ready", "build": "ready"}
    do(world, "make", "new.py", "n = 1\n")
    do(world, "edit", "app.py", TWO)
    assert world.cto("start", "drop").code == 0
    (world.path / "old.py").unlink()
    for name in ("drop", "suite", "build"):
        assert world.cto("start", name).code == 0
        done = world.cto("finish", "-m", f"{name} is done", "--json")
        assert (done.code, done.json["notes"]) == (0, []), done.text
    assert set(states(world).values()) == {"done"}
    assert world.git("branch", "--show-current") == f"cto/{run}/trunk"
    assert world.git("diff", "--name-status", "main").split() == ["M", "app.py", "A", "new.py", "D", "old.py"]
    said = world.cto("tasks")
    assert "5 of 5 tasks done" in said.out
    assert "Next: git cto review" in said.out


def test_a_result_is_a_commit_with_trailers_merged_without_fast_forward(world: World) -> None:
    run = world.planned()
    done = do(world, "t1", "app.py", TWO, "Says 2\n\nBecause 1 was not enough.")
    result, merge = world.git("rev-parse", "HEAD^2"), world.head
    assert f"{result[:7]}, merged into cto/{run}/trunk" in done.out
    assert world.git("log", "-1", "--format=%s%n%b", result).startswith("Says 2\nBecause 1 was not enough.")
    assert trailers(world, result) == [f"Cto-Run: {run}", "Cto-Task: t1", "Cto-Outcome: done", "Cto-Round: 1"]
    assert world.git("rev-parse", f"cto/{run}/t1") == result
    assert world.git("log", "-1", "--format=%P", merge).split()[1] == result
    [shown] = world.cto("tasks", "--json").json["tasks"]
    assert (shown["state"], shown["commit"]) == ("done", result)
    assert shown["summary"] == "Says 2\n\nBecause 1 was not enough."


def test_work_that_was_committed_before_gets_an_empty_result_commit(world: World) -> None:
    """By the user or by an agent on the task's branch: its commits stay as they are."""
    run = world.planned()
    world.cto("start", "t1")
    own = world.commit("My own message", app__py=TWO)
    done = world.cto("finish", "-m", "Says 2", "--json")
    assert done.code == 0, done.text
    result = done.json["result"]
    assert world.git("rev-parse", f"{result}^") == own
    assert world.git("diff", own, result) == ""
    assert done.json["notes"] == []
    assert world.git("log", "--format=%s", "--first-parent", f"cto/{run}/t1", "-3").splitlines() == [
        "Says 2",
        "My own message",
        "A tiny service",
    ]


def test_a_task_that_changed_nothing_still_has_a_result_and_a_note(world: World) -> None:
    world.planned()
    world.cto("start", "t1")
    done = world.cto("finish", "-m", "It was right already")
    assert done.code == 0, done.text
    assert "note: nothing was changed" in done.err
    assert states(world) == {"t1": "done"}


@pytest.mark.parametrize(
    "action, target, note",
    [
        ("create_file", "new.py", "new.py does not exist"),
        ("delete_file", "app.py", "app.py is still there"),
        ("modify_file", "other.py", "other.py was not changed"),
    ],
)
def test_what_does_not_fit_the_action_is_a_note(world: World, action: str, target: str, note: str) -> None:
    world.commit("Other", other__py="1\n")
    world.planned(task(action=action, target=target))
    world.cto("start", "t1")
    world.write("something.py", "1\n")
    done = world.cto("finish", "-m", "Did something else")
    assert done.code == 0, done.text
    assert f"note: {note}" in done.err


def test_a_blocked_task_is_noted_and_stepped_over(world: World) -> None:
    """What depends on it can start, with a note; the reviewer will know."""
    world.planned(task("t1"), task("t2", depends_on=["t1"]))
    world.cto("start", "t1")
    done = world.cto("finish", "--blocked", "-m", "No access to the API")
    assert done.code == 0, done.text
    assert trailers(world, world.git("rev-parse", "HEAD^2"))[2] == "Cto-Outcome: blocked"
    assert states(world) == {"t1": "blocked", "t2": "ready"}
    assert "→ No access to the API" in world.cto("tasks").out
    started = world.cto("start", "t2")
    assert started.code == 0
    assert "t1, which this depends on, is blocked" in started.err


def test_a_failed_task_says_so(world: World) -> None:
    world.planned()
    world.cto("start", "t1")
    assert world.cto("finish", "--failed", "-m", "The suite hangs").code == 0
    assert states(world) == {"t1": "failed"}
    assert world.cto("finish", "--failed", "--blocked", "-m", "x").code == 2


def test_a_fix_is_made_on_the_same_branch_moved_up_to_trunk(world: World) -> None:
    """After a revise: the task is to be fixed, its branch is fast-forwarded, and the next result is of round 2."""
    run = world.planned(task("t1"), task("t2", target="other.py", action="create_file"))
    do(world, "t1", "app.py", TWO)
    do(world, "t2", "other.py", "o = 1\n")
    failed = task_review("t1", "fail", feedback="It must say 3.")
    passed = task_review("t2", criteria=[{"criterion": "version() returns 2", "met": True, "evidence": ""}])
    said = world.reviewed(verdict="revise", task_reviews=[failed, passed], findings=[finding()])
    assert said.code == 1, said.text
    assert states(world) == {"t1": "fix", "t2": "done"}
    assert "→ It must say 3." in world.cto("tasks").out
    trunk = world.git("rev-parse", f"cto/{run}/trunk")
    started = world.cto("start", "t1")
    assert started.code == 0
    assert "The last review says: It must say 3." in started.out
    assert world.git("rev-parse", f"cto/{run}/t1") == trunk
    world.write("app.py", TWO.replace("2", "3"))
    done = world.cto("finish", "-m", "Says 3", "--json")
    assert trailers(world, done.json["result"])[3] == "Cto-Round: 2"
    assert states(world) == {"t1": "done", "t2": "done"}
    assert f"cto/{run}/t1" in world.git("branch", "--contains", done.json["result"])


def test_a_task_is_left_and_taken_up_again(world: World) -> None:
    world.planned(task("t1"), task("t2", action="create_file", target="other.py"))
    world.cto("start", "t1")
    half = world.commit("Half of it", app__py=TWO)
    assert world.cto("start", "t2").code == 0
    assert states(world) == {"t1": "active", "t2": "active"}
    do(world, "t2", "other.py", "o = 1\n")
    again = world.cto("start", "t1", "--json")
    assert (again.code, again.json["created"]) == (0, False)
    assert world.head == half
    assert world.cto("finish", "-m", "All of it").code == 0
    assert world.git("diff", "--name-only", "main").split() == ["app.py", "other.py"]


def test_starting_a_task_twice_changes_nothing_even_with_work_in_the_tree(world: World) -> None:
    world.planned()
    world.cto("start", "t1")
    world.write("app.py", TWO)
    before = everything(world)
    assert world.cto("start", "t1").code == 0
    assert everything(world) == before


def test_a_summary_that_looks_like_trailers_cannot_speak_for_another_task(world: World) -> None:
    """The trailers that git-cto adds are the ones that count."""
    world.planned(task("t1"), task("t2", action="create_file", target="other.py"))
    do(world, "t1", "app.py", TWO, "Says 2\n\nCto-Task: t2\nCto-Outcome: failed\nCto-Run: other")
    assert states(world) == {"t1": "done", "t2": "ready"}


@pytest.mark.parametrize(
    "summary",
    [
        *("# 1 fixes it", "-m", "--amend", "日本語 🎉", "fixup! x", "a\x1eb\x1fc", "  spaced  "),
        *("fix: a\nNote: b", "Says 2\n\n---\nand more"),
    ],
)
def test_an_odd_summary_is_kept(world: World, summary: str) -> None:
    world.planned()
    world.cto("start", "t1")
    world.write("app.py", TWO)
    done = world.cto("finish", f"-m{summary}")
    assert done.code == 0, done.text
    assert states(world) == {"t1": "done"}
    [shown] = world.cto("tasks", "--json").json["tasks"]
    assert shown["summary"] == summary.strip()


# ---- where files are


def test_untracked_files_are_part_of_the_result_and_ignored_ones_are_not(world: World) -> None:
    world.commit("Ignore", __gitignore="*.log\n")
    world.planned()
    world.cto("start", "t1")
    world.write("app.py", TWO)
    world.write("deep/er/new.py", "1\n")
    world.write("build.log", "noise\n")
    assert world.cto("finish", "-m", "Says 2").code == 0
    assert world.git("diff", "--name-only", "main").split() == ["app.py", "deep/er/new.py"]
    assert (world.path / "build.log").read_text() == "noise\n"


def test_partly_staged_work_is_committed_as_the_worktree_has_it(world: World) -> None:
    world.planned()
    world.cto("start", "t1")
    world.write("app.py", "staged = 1\n")
    world.git("add", "app.py")
    world.write("app.py", TWO)
    assert world.cto("finish", "-m", "Says 2").code == 0
    assert world.git("show", "HEAD:app.py") == TWO.strip()


def test_the_verbs_work_in_a_subdirectory(world: World) -> None:
    world.commit("A folder", **{"sub/x__py": "1\n"})
    world.planned()
    assert world.cto("-C", "sub", "start", "t1").code == 0
    world.write("app.py", TWO)
    world.write("sub/y.py", "1\n")
    assert world.cto("-C", "sub", "finish", "-m", "Says 2").code == 0
    assert world.git("diff", "--name-only", "main").split() == ["app.py", "sub/y.py"]


def test_the_verbs_work_in_a_linked_worktree(world: World, tmp_path: Path) -> None:
    run = world.planned()
    linked = tmp_path / "linked"
    world.git("worktree", "add", "--quiet", "--detach", str(linked))
    assert world.cto("-C", str(linked), "start", "t1", "--run", run).code == 0
    (linked / "app.py").write_text(TWO)
    done = world.cto("-C", str(linked), "finish", "-m", "Says 2")
    assert done.code == 0, done.text
    assert world.git("show", f"cto/{run}/trunk:app.py") == TWO.strip()
    assert world.git("branch", "--show-current") == "main"


# ---- the user's hooks, signatures, settings


def test_a_commit_msg_hook_has_its_say(world: World) -> None:
    """A sign-off that is added by a hook, and a message that is rewritten: the trailers survive."""
    hook(world, "commit-msg", 'sed -i "1s/^/PROJ-1: /" "$1"; echo "Signed-off-by: Ada <ada@example.org>" >> "$1"\n')
    run = world.planned()
    do(world, "t1", "app.py", TWO, "Says 2")
    result = world.git("rev-parse", "HEAD^2")
    assert world.git("log", "-1", "--format=%s", result) == "PROJ-1: Says 2"
    assert "Signed-off-by: Ada <ada@example.org>" in trailers(world, result)
    assert f"Cto-Run: {run}" in trailers(world, result)
    assert states(world) == {"t1": "done"}


@pytest.mark.parametrize("name", ["pre-commit", "commit-msg", "prepare-commit-msg"])
def test_a_hook_that_refuses_is_quoted_and_nothing_is_lost(world: World, name: str) -> None:
    """Not even what was staged apart from what is in the worktree."""
    world.planned()
    world.cto("start", "t1")
    world.write("app.py", "staged = 1\n")
    world.git("add", "app.py")
    world.write("app.py", TWO)
    world.write("new.py", "1\n")
    refusing = hook(world, name, "echo 'app.py:1 line too long' >&2; exit 1\n")
    before = everything(world)
    said = world.cto("finish", "-m", "Says 2")
    assert said.code == 3
    assert "app.py:1 line too long" in said.err
    assert "Next: " in said.err
    assert "Traceback" not in said.err
    assert everything(world) == before
    refusing.unlink()
    assert world.cto("finish", "-m", "Says 2").code == 0


def test_a_hook_that_mends_files_and_stages_them_is_part_of_the_result(world: World) -> None:
    hook(world, "pre-commit", "echo '# formatted' >> app.py; git add app.py\n")
    world.planned()
    do(world, "t1", "app.py", TWO)
    assert world.git("show", "HEAD:app.py").endswith("# formatted")
    assert world.git("status", "--porcelain") == ""


def test_a_hook_that_changes_files_behind_the_commit_stops_the_merge_and_nothing_is_lost(world: World) -> None:
    """The result commit is there; what the hook left is told, and is part of the next finish."""
    run = world.planned()
    world.cto("start", "t1")
    world.write("app.py", TWO)
    meddling = hook(world, "post-commit", "echo '# generated' >> app.py\n")
    said = world.cto("finish", "-m", "Says 2")
    assert said.code == 3, said.text
    assert "Next: " in said.err
    assert world.git("branch", "--show-current") == f"cto/{run}/t1"
    assert (world.path / "app.py").read_text() == TWO + "# generated\n"
    meddling.unlink()
    assert world.cto("finish", "-m", "Says 2").code == 0
    assert world.git("show", "HEAD:app.py") == (TWO + "# generated").strip()


def test_a_post_checkout_hook_that_fails_is_no_failure(world: World) -> None:
    """For git, the branch is checked out then."""
    run = world.planned()
    hook(world, "post-checkout", "exit 1\n")
    do(world, "t1", "app.py", TWO)
    assert world.git("branch", "--show-current") == f"cto/{run}/trunk"


def test_commits_are_signed_where_the_user_signs(world: World, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    for name, value in {"gpg.format": "ssh", "user.signingkey": str(key), "commit.gpgsign": "true"}.items():
        world.git("config", name, value)
    world.planned()
    do(world, "t1", "app.py", TWO)
    for commit in ("HEAD", "HEAD^2"):
        assert "gpgsig -----BEGIN SSH SIGNATURE" in world.git("cat-file", "-p", commit)


def test_a_key_that_cannot_sign_is_said_and_nothing_is_lost(world: World) -> None:
    world.planned()
    world.cto("start", "t1")
    world.write("app.py", TWO)
    for name, value in {"gpg.format": "ssh", "user.signingkey": "/nowhere/key", "commit.gpgsign": "true"}.items():
        world.git("config", name, value)
    before = everything(world)
    said = world.cto("finish", "-m", "Says 2")
    assert said.code == 3
    assert "could not sign the commit" in said.err
    assert "Next: " in said.err
    assert everything(world) == before


def test_no_identity_is_said_and_nothing_is_lost(world: World) -> None:
    world.planned()
    world.cto("start", "t1")
    world.write("app.py", TWO)
    Path(os.environ["HOME"], ".gitconfig").write_text("[user]\n\tuseConfigOnly = true\n")
    before = everything(world)
    said = world.cto("finish", "-m", "Says 2")
    assert said.code == 2
    assert "git does not know who you are" in said.err
    assert "git config --global user.name" in said.err
    assert everything(world) == before


def test_settings_that_bend_a_merge_or_a_commit_do_not_bend_the_result(world: World) -> None:
    for name, value in {
        "merge.ff": "only",
        "commit.verbose": "true",
        "commit.template": "/nowhere",
        "core.editor": "false",
        "trailer.ifexists": "replace",
        "advice.statusHints": "false",
        "status.showUntrackedFiles": "no",
        "core.quotePath": "false",
    }.items():
        world.git("config", name, value)
    world.planned()
    world.cto("start", "t1")
    world.write("ünï.py", "1\n")
    done = world.cto("finish", "-m", "Says 2")
    assert done.code == 0, done.text
    assert world.git("log", "-1", "--format=%P").count(" ") == 1
    assert world.git("ls-tree", "--name-only", "-z", "HEAD").split("\0")[:-1] == ["app.py", "ünï.py"]


# ---- refusals


def test_an_open_dependency_is_a_refusal_that_names_it(world: World) -> None:
    world.planned(task("t1"), task("t2", depends_on=["t1"]))
    before = everything(world)
    said = world.cto("start", "t2")
    assert said.code == 2
    assert said.err == "t2 waits for t1.\nNext: git cto start t1\n"
    assert everything(world) == before


@pytest.mark.parametrize("situation", ["modified", "staged", "untracked"])
def test_a_dirty_tree_is_a_refusal(world: World, situation: str) -> None:
    world.planned()
    world.write("new.py" if situation == "untracked" else "app.py", TWO)
    if situation == "staged":
        world.git("add", "--all")
    before = everything(world)
    said = world.cto("start", "t1")
    assert said.code == 2
    assert "There is work that is not committed: " in said.err
    assert "Next: git stash --include-untracked" in said.err
    assert everything(world) == before


def test_unknown_tasks_and_runs_are_named_with_what_there_is(world: World) -> None:
    run = world.planned(task("t1"), task("t2", target="other.py"))
    said = world.cto("start", "t9")
    assert (said.code, "has no task 't9' (it has t1, t2)" in said.err) == (2, True), said.err
    said = world.cto("tasks", "no-such-run")
    assert (said.code, run in said.err) == (2, True), said.err
    for argv in (["start", "../x"], ["start", "t1", "--run", "-x"], ["tasks", "a/b"], ["finish", "t9", "-m", "x"]):
        said = world.cto(*argv)
        assert said.code == 2, said.text
        assert "Next: " in said.err


def test_finish_is_refused_away_from_the_tasks_branch(world: World) -> None:
    run = world.planned()
    world.write("app.py", TWO)
    before = everything(world)
    for argv in (["finish", "-m", "x"], ["finish", "t1", "-m", "x"], ["finish"], ["finish", "-m", " "]):
        said = world.cto(*argv)
        assert said.code == 2, said.text
        assert "Next: git cto " in said.err
    world.git("switch", "--quiet", f"cto/{run}/trunk")
    assert "You are on no task's branch" in world.cto("finish", "-m", "x").err
    world.git("switch", "--quiet", "main")
    assert everything(world) == before


def test_a_conflict_with_trunk_moves_nothing_and_says_how_to_go_on(world: World) -> None:
    """Merge trunk first, resolve, finish again: as it says, and it works."""
    run = world.planned(task("t1"), task("t2"))
    world.cto("start", "t1")
    world.commit("Mine", app__py=TWO)
    do(world, "t2", "app.py", "def version():\n    return 3\n")
    world.cto("start", "t1")
    world.write("app.py", TWO + "# and more\n")
    before = everything(world)
    said = world.cto("finish", "-m", "Says 2")
    assert said.code == 2
    assert f"would conflict with cto/{run}/trunk in app.py. Nothing has moved." in said.err
    assert "git merge" in said.err
    assert everything(world) == before
    world.git("commit", "--quiet", "--all", "-m", "Mine, more of it")
    world.git("merge", "--quiet", f"cto/{run}/trunk", ok=False)
    under_way = world.cto("finish", "-m", "Says 2")
    assert (under_way.code, "A merge is under way here." in under_way.err) == (2, True), under_way.text
    world.write("app.py", "def version():\n    return 4\n")
    world.git("commit", "--quiet", "--all", "--no-edit")
    done = world.cto("finish", "-m", "Says 4")
    assert done.code == 0, done.text
    assert states(world) == {"t1": "done", "t2": "done"}
    assert "return 4" in world.git("show", f"cto/{run}/trunk:app.py")


def test_trunk_in_another_worktree_is_a_refusal_that_says_where(world: World, tmp_path: Path) -> None:
    run = world.planned()
    world.cto("start", "t1")
    world.write("app.py", TWO)
    world.git("worktree", "add", "--quiet", str(tmp_path / "elsewhere"), f"cto/{run}/trunk")
    before = everything(world)
    said = world.cto("finish", "-m", "Says 2")
    assert said.code == 2
    assert f"cto/{run}/trunk is checked out in {tmp_path / 'elsewhere'}" in said.err
    assert everything(world) == before


def test_a_task_in_another_worktree_is_a_refusal_that_says_where(world: World, tmp_path: Path) -> None:
    world.planned()
    linked = tmp_path / "linked"
    world.git("worktree", "add", "--quiet", "--detach", str(linked))
    assert world.cto("-C", str(linked), "start", "t1").code == 0
    said = world.cto("start", "t1")
    assert (said.code, str(linked) in said.err) == (2, True), said.text


@pytest.mark.parametrize("operation", ["merge", "cherry-pick", "rebase", "revert"])
def test_an_unfinished_operation_is_a_refusal(world: World, operation: str) -> None:
    world.planned()
    world.cto("start", "t1")
    mine = world.commit("Mine", app__py=TWO)
    world.git("switch", "--quiet", "-c", "other", "main")
    theirs = world.commit("Theirs", app__py="def version():\n    return 3\n")
    world.git("switch", "--quiet", "-")
    world.commit("Mine again", app__py=TWO + "\n")
    world.git(operation, mine if operation == "revert" else theirs, ok=False)
    before = everything(world)
    for argv in (["finish", "t1", "-m", "x"], ["start", "t1"]):
        said = world.cto(*argv)
        assert said.code == 2, said.text
        assert f"A {operation} is under way here." in said.err
        assert f"git {operation} --abort" in said.err
    assert everything(world) == before


def test_a_trunk_that_is_not_here_is_said_with_how_to_get_it(world: World) -> None:
    run = world.planned()
    world.git("branch", "--quiet", "-D", f"cto/{run}/trunk")
    said = world.cto("start", "t1", "--run", run)
    assert said.code == 2
    assert f"The branch cto/{run}/trunk is not here: it was abandoned, or it is elsewhere." in said.err
    hint = said.err.splitlines()[-1].removeprefix("Next: ")
    world.git("remote", "add", "up", "nowhere")
    trunk = f"cto/{run}/trunk"
    assert world.cto("tasks", run, "--json").json["next"] == f"git fetch up {trunk}:{trunk}, or {hint}"
    assert "not here" in world.cto("status", run).out
    world.git(*shlex.split(hint)[1:])  # as it is printed
    assert world.cto("start", "t1", "--run", run).code == 0


# ---- interrupted


def test_a_finish_that_did_not_get_to_its_merge_is_called_again(world: World) -> None:
    """The result commit is taken as it is, and merged."""
    run = world.planned()
    world.cto("start", "t1")
    world.write("app.py", TWO)
    stopping = hook(world, "pre-merge-commit", "echo 'not now' >&2; exit 1\n")
    said = world.cto("finish", "-m", "Says 2")
    assert said.code == 3
    assert "not now" in said.err
    assert world.git("branch", "--show-current") == f"cto/{run}/t1"
    result = world.head
    assert trailers(world, result)[1] == "Cto-Task: t1"
    assert world.git("status", "--porcelain") == ""
    stopping.unlink()
    done = world.cto("finish", "-m", "Says 2", "--json")
    assert (done.code, done.json["result"]) == (0, result), done.text
    assert states(world) == {"t1": "done"}


def test_finishing_a_finished_task_is_harmless(world: World) -> None:
    """Called once more on the task's branch: one more result, and trunk has it."""
    run = world.planned()
    do(world, "t1", "app.py", TWO)
    world.git("switch", "--quiet", f"cto/{run}/t1")
    done = world.cto("finish", "-m", "Did it")
    assert done.code == 0, done.text
    assert states(world) == {"t1": "done"}


def test_tasks_start_and_finish_write_nothing_to_the_ledger(world: World) -> None:
    """Results travel with the work."""
    world.planned()
    before = ledger(world)
    do(world, "t1", "app.py", TWO)
    assert ledger(world) == before
