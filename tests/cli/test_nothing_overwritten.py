"""`git cto start` and `finish` among files that only this folder has: ignored ones, conflicts, a sparse checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.scenes import TWO
from tests.world import Said, World, task

MINE = "mine, and nowhere else\n"


@pytest.fixture
def ignoring(world: World) -> World:
    """A run of two tasks in a repository that ignores local.cfg and build."""
    world.commit("Ignore", __gitignore="local.cfg\nbuild\n")
    world.planned(task("t1"), task("t2", target="b.py", action="create_file"))
    return world


def force_added(world: World, *names: str) -> None:
    """Does t1, with ignored files added by force."""
    assert world.cto("start", "t1").code == 0
    world.write("app.py", TWO)
    for name in names:
        world.write(name, "of t1\n")
        world.git("add", "--force", name)
    assert world.cto("finish", "-m", "Done").code == 0


def state(world: World) -> tuple[str, str, str]:
    """Where HEAD, every branch and the worktree are."""
    return (
        world.git("symbolic-ref", "HEAD"),
        world.git("for-each-ref", "refs/heads"),
        world.git("status", "--porcelain"),
    )


def refused(world: World, *argv: str, path: str) -> None:
    """Checks that a verb refuses because of this file of ours, and that nothing moved."""
    before = state(world)
    said = world.cto(*argv, "--json")
    assert said.code == 2, said.text
    error = said.json["error"]
    assert (error["code"], error["hint"]) == ("in_the_way", f"mv {path} elsewhere")
    assert f"would overwrite {path}, which git ignores" in error["message"]
    assert state(world) == before
    assert (world.path / path).read_text() == MINE


def test_a_new_branch_does_not_replace_an_ignored_file(ignoring: World) -> None:
    force_added(ignoring, "local.cfg")
    ignoring.git("switch", "-q", "main")
    mine = ignoring.write("local.cfg", MINE)
    refused(ignoring, "start", "t2", path="local.cfg")
    mine.rename(ignoring.path.parent / "kept")
    assert ignoring.cto("start", "t2").code == 0


def test_a_branch_that_is_moved_up_to_trunk_does_not_either(ignoring: World) -> None:
    assert ignoring.cto("start", "t2").code == 0
    force_added(ignoring, "local.cfg")
    ignoring.git("switch", "-q", "main")
    ignoring.write("local.cfg", MINE)
    refused(ignoring, "start", "t2", path="local.cfg")


def test_nor_does_one_that_is_checked_out_already(ignoring: World) -> None:
    assert ignoring.cto("start", "t2").code == 0
    branch = ignoring.git("branch", "--show-current")
    force_added(ignoring, "local.cfg")
    ignoring.git("switch", "-q", branch)
    ignoring.write("local.cfg", MINE)
    refused(ignoring, "start", "t2", path="local.cfg")


@pytest.mark.parametrize("theirs, mine", [("local.cfg",) * 2, ("build/a", "build"), ("build", "build/a")])
def test_finish_does_not_replace_an_ignored_file(ignoring: World, theirs: str, mine: str) -> None:
    assert ignoring.cto("start", "t2").code == 0
    branch = ignoring.git("branch", "--show-current")
    force_added(ignoring, theirs)
    ignoring.git("switch", "-q", branch)
    ignoring.write(mine, MINE)
    ignoring.write("b.py", "x = 1\n")
    refused(ignoring, "finish", "-m", "Done", path=mine)


def test_a_folder_that_trunk_made_a_file_of_is_no_obstacle(world: World) -> None:
    world.commit("A folder", **{"thing/a": "1\n"})
    world.planned(task("t1"), task("t2", target="b.py", action="create_file"))
    assert world.cto("start", "t1").code == 0
    (world.path / "thing" / "a").unlink()
    (world.path / "thing").rmdir()
    world.write("thing", "now a file\n")
    assert world.cto("finish", "-m", "Done").code == 0
    world.git("switch", "-q", "main")
    assert world.cto("start", "t2").code == 0
    assert (world.path / "thing").read_text() == "now a file\n"


def conflicted(world: World) -> Path:
    """On t1's branch, after a `git stash pop` that ran into a conflict."""
    world.planned()
    assert world.cto("start", "t1").code == 0
    path = world.write("app.py", "stashed\n")
    world.git("stash", "-q")
    world.commit("Other", app__py="committed\n")
    world.git("stash", "pop", ok=False)
    assert "<<<<<<<" in path.read_text()
    return path


@pytest.mark.parametrize("argv", [("finish", "-m", "Done"), ("start", "t1")])
def test_conflict_markers_are_not_committed(world: World, argv: tuple[str, ...]) -> None:
    conflicted(world)
    before = state(world)
    said = world.cto(*argv, "--json")
    assert said.code == 2, said.text
    assert said.json["error"]["message"] == "There are conflicts here that are not resolved: app.py."
    assert said.json["error"]["hint"] == "resolve them, then git add app.py"
    assert state(world) == before
    world.write("app.py", TWO)
    world.git("add", "app.py")
    assert world.cto("finish", "-m", "Done").code == 0


def test_a_file_outside_of_a_sparse_checkout_is_told_and_can_be_added(world: World) -> None:
    world.commit("Two folders", **{"a/x": "1\n", "b/x": "1\n"})
    world.planned()
    world.git("sparse-checkout", "set", "a")
    assert world.cto("start", "t1").code == 0
    world.write("app.py", TWO)
    world.write("b/new one", "1\n")
    before = state(world)
    said: Said = world.cto("finish", "-m", "Done", "--json")
    assert said.code == 2, said.text
    error = said.json["error"]
    assert error["message"] == "git does not add what lies outside of your sparse checkout: b/new one."
    assert error["hint"] == "git add --sparse 'b/new one', or mv it elsewhere"
    assert state(world) == before
    world.git("add", "--sparse", "b/new one")
    assert world.cto("finish", "-m", "Done").code == 0
