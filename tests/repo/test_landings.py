"""What landed on a branch: the same listing as for a change, alone and in a row."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from git_cto.errors import GitError
from git_cto.repo.change import identify
from git_cto.repo.git import discover
from git_cto.repo.landings import Landing, Row, landings
from git_cto.repo.lens import Lens
from tests.world import World


@pytest.fixture
def lens(world: World) -> Iterator[Lens]:
    with Lens(discover(str(world.path), os.environ), os.environ) as opened:
        yield opened


def landed(lens: Lens, world: World, *without: str) -> list[Landing]:
    return list(landings(lens, world.head, without))


def test_each_landing_lists_what_a_change_would(world: World, lens: Lens) -> None:
    start = world.head
    world.commit("Two files", a__txt="a\n", b__txt="b\n")
    world.write("a.txt", "other\n")
    (world.path / "b.txt").unlink()
    world.commit("One other, one gone")
    for one in landed(lens, world, start):
        assert Row(one).change("sha1") == identify(lens, one.onto, one.commit)


def test_a_merge_is_one_landing_with_all_it_brings(world: World, lens: Lens) -> None:
    start = world.head
    world.branch("feature")
    world.commit("On the branch", f__txt="f\n")
    world.commit("More of it", g__txt="g\n")
    world.git("switch", "-q", "main")
    world.commit("Meanwhile", m__txt="m\n")
    world.git("merge", "-q", "--no-ff", "-m", "Bring it", "feature")
    newest, older = landed(lens, world, start)
    assert [newest.subject, older.subject] == ["Bring it", "Meanwhile"]
    assert [file.name for file in newest.files] == ["f.txt", "g.txt"]
    assert len(newest.parents) == 2


def test_a_row_of_landings_is_the_change_from_before_the_first_to_the_last(world: World, lens: Lens) -> None:
    world.commit("There before", kept__txt="1\n", gone__txt="1\n", back__txt="1\n")
    start = world.head
    world.write("sub/new", "1\n")
    world.commit("One", kept__txt="2\n", back__txt="2\n")
    (world.path / "gone.txt").unlink()
    (world.path / "kept.txt").chmod(0o755)
    world.commit("Two", back__txt="1\n", passing="through\n")
    (world.path / "passing").unlink()
    world.write("sub.txt", "between sub and sub/new in a tree's order\n")
    (world.path / "kept.txt").unlink()
    (world.path / "kept.txt").symlink_to("sub.txt")
    world.commit("Three")
    newest, *older = landed(lens, world, start)
    row = Row(newest)
    for one in older:
        row.extend(one)
    change = row.change("sha1")
    assert change == identify(lens, start, world.head)
    assert [file.status for file in change.files] == ["D", "T", "A", "A"]


def test_the_first_commit_of_a_history_landed_on_nothing(world: World, lens: Lens) -> None:
    assert landed(lens, world)[-1].onto == ""


def test_names_and_subjects_that_look_like_the_listing_are_themselves(world: World, lens: Lens) -> None:
    start = world.head
    world.write(":100644 100644 a b M", "x\n")
    world.write("a\n:b", "x\n")
    world.commit(":000000 100644 0 1 A")
    (one,) = landed(lens, world, start)
    assert one.subject == ":000000 100644 0 1 A"
    assert [file.path for file in one.files] == [b":100644 100644 a b M", b"a\n:b"]


def test_a_landing_that_changes_nothing_has_no_files(world: World, lens: Lens) -> None:
    start = world.head
    world.git("commit", "-q", "--allow-empty", "-m", "Nothing")
    world.commit("Something", a="a\n")
    assert [len(one.files) for one in landed(lens, world, start)] == [1, 0]


def test_missing_history_is_an_error_and_never_an_end(world: World, tmp_path: Path) -> None:
    for number in range(3):
        world.commit(f"Commit {number}", a=f"{number}\n")
    gone = world.git("rev-parse", "HEAD~1")
    (world.path / ".git/objects" / gone[:2] / gone[2:]).unlink()
    with Lens(discover(str(world.path), os.environ), os.environ) as lens, pytest.raises(GitError):
        list(landings(lens, world.head))


def test_whoever_has_seen_enough_may_stop(world: World, lens: Lens) -> None:
    for number in range(3):
        world.commit(f"Commit {number}", a=f"{number}\n")
    assert next(landings(lens, world.head)).subject == "Commit 2"
