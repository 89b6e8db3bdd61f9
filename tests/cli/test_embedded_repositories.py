"""A change that brings folders which look like repositories, with settings that name commands: none of them runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.scenes import TWO, changed
from tests.world import World


def embed(world: World, folder: str, settings: str) -> None:
    """Makes a folder of the worktree look like a git directory."""
    world.write(f"{folder}/HEAD", "ref: refs/heads/main\n")
    world.write(f"{folder}/objects/keep", "")
    world.write(f"{folder}/refs/heads/main", world.head + "\n")
    world.write(f"{folder}/config", f"[core]\n\trepositoryformatversion = 0\n\tbare = false\n{settings}")


def trap(world: World) -> tuple[Path, str]:
    """A file that a command would make, and settings that name the command."""
    marker = world.path.parent / "marker"
    return marker, f'\tfsmonitor = "touch {marker}; false"\n'


@pytest.mark.parametrize("folder", ["vendor/x", "vendor/x/wt", "vendor/x/objects"])
@pytest.mark.parametrize("verb", ["gate", "review", "tasks", "start", "log", "doctor"])
def test_nothing_runs_in_a_folder_that_looks_like_a_repository(world: World, folder: str, verb: str) -> None:
    world.planned()
    marker, command = trap(world)
    embed(world, "vendor/x", f"\tworktree = wt\n{command}")
    world.write("vendor/x/wt/f", "x\n")
    # So that even its commits would be found.
    world.write("vendor/x/objects/info/alternates", str(world.path / ".git" / "objects") + "\n")
    argv = [verb, *(["t1"] if verb == "start" else []), *(["--dry-run"] if verb == "review" else [])]
    said = world.cto("-C", folder, *argv)
    assert not marker.exists()
    if verb == "doctor":
        return
    document = world.cto("-C", folder, *argv, "--json")
    assert (said.code, document.code) == (2, 2), said.text
    error = document.json["error"]
    assert error["code"] == "embedded_repository"
    assert f"looks like a bare repository inside of the worktree {world.path}" in error["message"]
    assert error["hint"].startswith(f"cd {world.path}, or git --git-dir=")
    assert not marker.exists()


def test_the_trap_would_go_off(world: World) -> None:
    marker, command = trap(world)
    embed(world, "vendor/x", f"\tworktree = wt\n{command}")
    inner = World(world.path / "vendor" / "x" / "wt", world._monkeypatch)
    inner.git("status", ok=False)
    assert marker.exists()


def test_the_top_of_a_tree_may_look_like_a_repository(world: World) -> None:
    marker, command = trap(world)
    embed(world, "inner", f"\tworktree = wt\n{command}")
    embed(world, ".", "\tworktree = inner/wt\n")
    world.write("inner/wt/f", "x\n")
    world.commit("Two traps")
    world.planned()
    assert world.cto("start", "t1").code == 0
    world.write("app.py", TWO)
    said = world.cto("finish", "-m", "Done")
    assert said.code == 0, said.text
    assert not marker.exists()
    assert world.git("show", "HEAD:app.py") == TWO.strip()


def test_a_bare_repository_in_a_worktree_is_used_where_it_is_named(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed(world)
    world.git("clone", "-q", "--bare", ".", "inner.git")
    assert world.cto("-C", "inner.git", "gate").code == 2
    monkeypatch.setenv("GIT_DIR", str(world.path / "inner.git"))
    assert world.cto("gate", "topic", "--base", "main").code == 1


@pytest.mark.parametrize("bare", ["false", "true"])
def test_a_git_folder_and_what_lies_in_it_stay_what_they_are(world: World, bare: str) -> None:
    changed(world)
    world.git("worktree", "add", "-q", "--detach", str(world.path / "linked"))
    world.git("config", "core.bare", bare)
    # git itself says that this is no worktree, and the gate can do without one.
    for folder in (".git", ".git/objects", "linked/../.git/worktrees/linked"):
        said = world.cto("-C", folder, "gate", "topic", "--base", "main")
        assert said.code == 1, said.text


def test_a_bare_repository_that_holds_its_worktrees_is_used(world: World) -> None:
    changed(world)
    project = World(world.path.parent / "project", world._monkeypatch)
    project.git("clone", "-q", "--bare", str(world.path), ".bare")
    project.write(".git", "gitdir: ./.bare\n")
    project.git("worktree", "add", "-q", "work", "topic")
    for folder in (".", ".bare", "work"):
        said = project.cto("-C", folder, "gate", "topic", "--base", "main")
        assert said.code == 1, said.text
    assert os.path.isdir(project.path / "work")
