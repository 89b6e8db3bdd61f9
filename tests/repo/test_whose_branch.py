"""Whose main is meant: the remote that is named and no other, and where none is named nobody guesses."""

from __future__ import annotations

import pytest

from git_cto.errors import ExitCode, UsageError
from git_cto.model import Target
from git_cto.repo.git import Git, discover
from git_cto.repo.resolve import resolve_target, target_ref
from tests.world import World


def _git(world: World) -> Git:
    environ = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    return Git(discover(str(world.path), environ), environ)


def _target(world: World, name: str | None, configured: str | None = None) -> Target:
    return resolve_target(_git(world), name, configured)


def _has(world: World, remote: str, branch: str = "main") -> str:
    """Lets a remote have a branch, at a commit of its own."""
    tree = world.git("write-tree")
    commit = world.git("commit-tree", "-p", "HEAD", "-m", f"{remote} {branch}", tree)
    world.git("update-ref", f"refs/remotes/{remote}/{branch}", commit)
    return commit


@pytest.mark.parametrize("said", ["upstream/main", "refs/remotes/upstream/main"])
@pytest.mark.parametrize("other", ["alice", "origin"])
@pytest.mark.parametrize("way", ["option", "setting"])
def test_the_remote_that_is_named_is_the_one_that_counts(world: World, said: str, other: str, way: str) -> None:
    _has(world, other)
    upstream = _has(world, "upstream")
    target = _target(world, said) if way == "option" else _target(world, None, said)
    expected = Target(ref="refs/heads/main", commit=upstream, found_at="refs/remotes/upstream/main")
    assert target == expected
    assert target_ref(_git(world), said, None) == "refs/heads/main"


@pytest.mark.parametrize("name", ["main", "refs/heads/main"])
def test_the_setting_says_whose_branch_is_meant_where_the_option_does_not(world: World, name: str) -> None:
    _has(world, "origin")
    upstream = _has(world, "upstream")
    assert _target(world, name, "upstream/main").commit == upstream
    assert _target(world, "origin/main", "upstream/main").found_at == "refs/remotes/origin/main"


def test_a_branch_that_the_named_remote_does_not_have_is_not_taken_from_another(world: World) -> None:
    _has(world, "origin")
    _has(world, "origin", "upstream/main")
    world.git("remote", "add", "upstream", "nowhere")
    for said in ("upstream/main", "refs/remotes/upstream/main"):
        with pytest.raises(UsageError, match="There is no branch 'upstream/main'"):
            _target(world, said)


def test_origin_comes_first_then_the_only_remote_that_has_it(world: World) -> None:
    alice = _has(world, "alice")
    assert _target(world, "main").commit == alice
    assert _target(world, None).commit == alice
    _has(world, "bob")
    origin = _has(world, "origin")
    assert _target(world, "main").commit == origin


@pytest.mark.parametrize("name", [None, "main", "refs/heads/main"])
def test_which_of_several_remotes_is_meant_is_asked_back(world: World, name: str | None) -> None:
    _has(world, "alice")
    upstream = _has(world, "upstream")
    with pytest.raises(UsageError, match="Several remotes have a branch 'main': alice, upstream") as caught:
        _target(world, name)
    assert caught.value.hint == "say whose is meant: --base alice/main or --base upstream/main"
    assert caught.value.exit_code == ExitCode.USAGE
    world.git("config", "branch.main.remote", "upstream")
    assert _target(world, name).commit == upstream


def test_a_remote_may_have_slashes_in_its_name(world: World) -> None:
    world.git("remote", "add", "team/one", "nowhere")
    _has(world, "team", "one/main")
    world.git("update-ref", "-d", "refs/remotes/team/one/main")
    _has(world, "origin")
    there = _has(world, "team/one")
    for said in ("team/one/main", "refs/remotes/team/one/main"):
        target = _target(world, said)
        assert (target.ref, target.commit) == ("refs/heads/main", there)


def test_a_branch_with_a_slash_is_a_branch(world: World) -> None:
    _has(world, "origin", "release/1")
    assert _target(world, "release/1").found_at == "refs/remotes/origin/release/1"
    assert _target(world, "origin/release/1").ref == "refs/heads/release/1"
    world.git("branch", "wip/2")
    assert _target(world, "wip/2").found_at == "refs/heads/wip/2"


def test_the_gate_tells_where_the_target_stands(world: World) -> None:
    _has(world, "alice")
    upstream = _has(world, "upstream")
    world.branch("topic")
    world.commit("Say 2", app__py="def version():\n    return 2\n")
    gate = world.cto("gate", "--base", "upstream/main", "--json")
    assert (gate.json["target_from"], gate.json["target_commit"]) == ("refs/remotes/upstream/main", upstream)
    assert "upstream/main" in world.cto("gate", "--base", "upstream/main").text
    asked = world.cto("gate")
    assert (asked.code, "Next: say whose is meant: --base alice/main" in asked.err) == (2, True)
