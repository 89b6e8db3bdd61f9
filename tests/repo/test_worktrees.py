"""Worktrees of tasks: where they are, that they go away, and that nobody gets into another's way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from git_cto.errors import ToolError
from git_cto.repo import worktrees
from git_cto.repo.git import Git, discover
from tests.world import SOURCE, World

HOLD = """
import os, sys
from git_cto.repo import worktrees
from git_cto.repo.git import Git, discover
with worktrees.alone(Git(discover(".", os.environ), os.environ), "run") as alone:
    print(alone, flush=True)
    sys.stdin.read()
"""


def git_of(world: World) -> Git:
    return Git(discover(str(world.path), os.environ), os.environ)


@pytest.fixture
def git(world: World) -> Git:
    return git_of(world)


@pytest.fixture
def another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], World]:
    """Makes a repository of this name."""

    def make(name: str) -> World:
        made = World(tmp_path / name, monkeypatch)
        made.git("init", "--quiet", "--initial-branch=main")
        made.commit("First", app__py="1\n")
        return made

    return make


def test_a_worktree_is_outside_of_the_repository_detached_and_for_its_owner_alone(world: World, git: Git) -> None:
    folder = worktrees.home(git, "run") / "t1"
    worktrees.add(git, folder, world.head)
    there = Git(discover(str(folder), os.environ), os.environ)
    assert not folder.is_relative_to(world.path)
    assert folder.is_relative_to(Path(os.environ["HOME"]))
    assert (there.commit_of("HEAD"), there.head_ref()) == (world.head, None)
    assert (folder / "app.py").read_text() == (world.path / "app.py").read_text()
    assert folder.parent.stat().st_mode & 0o077 == 0
    worktrees.remove(git, folder)
    assert not folder.exists()
    assert world.git("worktree", "list", "--porcelain").count("worktree ") == 1


def test_no_hook_of_the_repository_runs(world: World, git: Git, tmp_path: Path) -> None:
    world.write(".git/hooks/post-checkout", f"#!/bin/sh\ntouch {tmp_path}/ran\n").chmod(0o755)
    worktrees.add(git, worktrees.home(git, "run") / "t1", world.head)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("left", ["worktree", "junk", "file", "link", "locked", "registered", "read-only"])
def test_what_was_left_in_its_place_is_replaced(world: World, git: Git, left: str) -> None:
    folder = worktrees.home(git, "run") / "t1"
    first = world.head
    second = world.commit("Second", app__py="2\n")
    if left in {"junk", "read-only"}:
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "junk.txt").write_text("junk")
        (folder / "deep").chmod(0o500 if left == "read-only" else 0o700)
    elif left == "file":
        folder.parent.mkdir(parents=True)
        folder.write_text("junk")
    elif left == "link":
        folder.parent.mkdir(parents=True)
        folder.symlink_to(world.path)
    else:
        worktrees.add(git, folder, first)
        (folder / "junk.txt").write_text("junk")
    if left == "locked":
        world.git("worktree", "lock", str(folder))
    elif left == "registered":
        folder.rename(folder.with_name("elsewhere"))
    worktrees.add(git, folder, second)
    assert (folder / "app.py").read_text() == "2\n"
    assert (world.path / "app.py").exists()
    assert sorted(path.name for path in folder.iterdir()) == [".git", "app.py"]
    assert world.git("worktree", "list", "--porcelain").count("worktree ") == 2


def test_removing_touches_no_other_worktree_be_it_there_or_not(world: World, git: Git, tmp_path: Path) -> None:
    world.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "theirs"))
    (tmp_path / "theirs").rename(tmp_path / "on another disk")
    worktrees.add(git, worktrees.home(git, "run") / "t1", world.head)
    worktrees.add(git, worktrees.home(git, "other") / "t1", world.head)
    worktrees.clear(git, "run", "refs/heads/cto/run")
    assert str(tmp_path / "theirs") in world.git("worktree", "list")
    assert not (worktrees.home(git, "run") / "t1").exists()
    assert (worktrees.home(git, "other") / "t1" / "app.py").exists()


@pytest.mark.parametrize("name", ["a b", 'it\'s "$(id)" & `x`', "-n", "zażółć", "x" * 200, "d/" * 60 + "deep", "%s\\n"])
def test_repositories_of_any_name_have_worktrees(another: Callable[[str], World], name: str) -> None:
    world = another(name)
    git = git_of(world)
    folder = worktrees.home(git, "health-check-" + "x" * 47) / ("t" * 31)
    worktrees.add(git, folder, world.head)
    assert (folder / "app.py").exists()
    worktrees.remove(git, folder)
    assert not folder.exists()
    assert world.git("worktree", "list", "--porcelain").count("worktree ") == 1


def test_two_repositories_never_share_a_place_and_the_worktrees_of_one_do(
    another: Callable[[str], World], tmp_path: Path
) -> None:
    one, two = another("one/app"), another("two/app")
    one.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"))
    linked = Git(discover(str(tmp_path / "linked"), os.environ), os.environ)
    assert worktrees.home(git_of(one), "run") != worktrees.home(git_of(two), "run")
    assert worktrees.home(git_of(one), "run") == worktrees.home(linked, "run")
    assert worktrees.home(git_of(one), "run") != worktrees.home(git_of(one), "other")


def test_a_commit_that_is_not_there_is_a_plain_error(git: Git) -> None:
    with pytest.raises(ToolError, match="There is no worktree at"):
        worktrees.add(git, worktrees.home(git, "run") / "t1", "0" * 39 + "1")


def test_a_state_folder_that_cannot_be_written_is_a_plain_error(
    world: World, git: Git, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "state").write_text("a file")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with pytest.raises(ToolError, match="There is no room for worktrees") as caught:
        worktrees.add(git, worktrees.home(git, "run") / "t1", world.head)
    assert "XDG_STATE_HOME" in caught.value.hint
    with pytest.raises(ToolError, match="There is no room for worktrees"), worktrees.alone(git, "run"):
        pass
    assert not worktrees.busy(git, "run")


# ---- one at a time ---------------------------------------------------------------------------------------------------


def holder(world: World) -> subprocess.Popen[str]:
    """Another process that is at work on the run, once it has said whether it is."""
    pipe = subprocess.PIPE
    environ = {**os.environ, "PYTHONPATH": SOURCE}
    return subprocess.Popen(
        [sys.executable, "-c", HOLD], cwd=world.path, env=environ, stdin=pipe, stdout=pipe, text=True
    )


def test_only_one_process_is_at_work_on_a_run(world: World, git: Git) -> None:
    with holder(world) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "True\n"
        assert worktrees.busy(git, "run")
        assert not worktrees.busy(git, "other")
        with worktrees.alone(git, "run") as alone:
            assert not alone
        assert worktrees.busy(git, "run")
        with worktrees.alone(git, "other") as alone:
            assert alone
    assert not worktrees.busy(git, "run")
    assert not worktrees.home(git, "run").exists()


def test_one_that_was_killed_is_at_work_no_longer(world: World, git: Git) -> None:
    with holder(world) as first:
        assert first.stdout is not None
        first.stdout.readline()
        first.send_signal(signal.SIGKILL)
    assert worktrees.home(git, "run").exists()
    assert not worktrees.busy(git, "run")
    with worktrees.alone(git, "run") as alone:
        assert alone
    assert not worktrees.home(git, "run").exists()


def test_asking_whether_somebody_is_at_work_leaves_nothing(git: Git) -> None:
    assert not worktrees.busy(git, "run")
    assert not worktrees.home(git, "run").exists()


def test_only_a_worktree_of_its_own_is_ever_put_in_order(
    world: World, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would be the user's checkout whose HEAD is moved, and whose unfinished merge is thrown away."""
    folder = worktrees.home(git, "run") / "t1"
    worktrees.add(git, folder, world.head)
    monkeypatch.setenv("GIT_DIR", str(world.path / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(folder))
    assert worktrees.opened(folder, os.environ).place.git_dir == str(world.path / ".git" / "worktrees" / "t1")
    with pytest.raises(ToolError, match="no worktree of its own"):
        worktrees.opened(world.path, os.environ)
    (folder / ".git").write_text(f"gitdir: {world.path}/.git\n")
    with pytest.raises(ToolError, match="no worktree of its own"):
        worktrees.opened(folder, os.environ)


# ---- what somebody did in one ----------------------------------------------------------------------------------------


def test_an_untouched_worktree_is_in_order(world: World, git: Git) -> None:
    folder = worktrees.home(git, "run") / "t1"
    worktrees.add(git, folder, world.head)
    there = worktrees.opened(folder, os.environ)
    made = worktrees.ties(there, folder)
    (folder / "app.py").write_text("changed\n")
    assert worktrees.settle(there, folder, made, world.head) == worktrees.Settled(world.head, intact=True, notes=())
    assert (folder / "app.py").read_text() == "changed\n"


def test_a_worktree_whose_head_is_broken_is_put_in_order(world: World, git: Git) -> None:
    folder = worktrees.home(git, "run") / "t1"
    worktrees.add(git, folder, world.head)
    there = worktrees.opened(folder, os.environ)
    made = worktrees.ties(there, folder)
    Path(there.place.git_dir, "HEAD").write_text("ref: refs/heads/never-born\n")
    found = worktrees.settle(there, folder, made, world.head)
    assert not found.intact
    assert "no longer stood on the commit" in found.notes[0]
    assert (there.commit_of("HEAD"), there.head_ref()) == (world.head, None)
    assert world.git("branch", "--list", "never-born") == ""
