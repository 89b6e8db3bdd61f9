"""Where refs stand in tables instead of files (git 2.45 and newer), what git keeps as refs is found all the same."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from git_cto.repo import worktrees
from git_cto.repo.git import Git, discover
from git_cto.repo.repository import Repository
from tests.world import World


@pytest.fixture
def tables(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """The same repository with such refs."""
    path = tmp_path / "tables"
    made = subprocess.run(["git", "init", "--quiet", "-b", "main", "--ref-format=reftable", path], check=False)
    if made.returncode != 0:
        pytest.skip("this git knows no such refs")
    subprocess.run(["git", "pull", "--quiet", world.path, "main"], cwd=path, check=True)
    return World(path, monkeypatch)


def git_of(world: World) -> Git:
    return Git(discover(str(world.path), os.environ), os.environ)


def test_what_is_under_way_is_seen(tables: World) -> None:
    tables.branch("other")
    theirs = tables.commit("Theirs", **{"new.txt": "theirs\n"})
    tables.git("switch", "--quiet", "main")
    tables.commit("Mine", **{"new.txt": "mine\n"})
    with Repository(git_of(tables)) as worktree:
        assert worktree.operation() is None
        tables.git("cherry-pick", theirs, ok=False)
        assert worktree.operation() == "cherry-pick"


def test_what_was_left_unfinished_in_a_worktree_is_forgotten(tables: World) -> None:
    git = git_of(tables)
    folder = worktrees.place(git, "run", "t1")
    worktrees.add(git, folder, tables.head)
    there = worktrees.opened(folder, os.environ)
    made = worktrees.ties(there, folder)
    there.run("update-ref", "--no-deref", "CHERRY_PICK_HEAD", tables.head)
    assert worktrees.settle(there, folder, made, tables.head) == worktrees.Settled(tables.head, intact=True, notes=())
    assert there.commit_of("CHERRY_PICK_HEAD") is None


def test_the_stash_is_read(tables: World) -> None:
    git = git_of(tables)
    assert worktrees.stashed(git) == []
    kept = []
    for text in ("one\n", "two\n"):
        tables.write("app.py", text)
        tables.git("stash")
        kept.append(tables.git("rev-parse", "refs/stash"))
    assert sorted(worktrees.stashed(git)) == sorted(kept)
