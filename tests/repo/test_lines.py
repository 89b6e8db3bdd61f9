"""Which lines a forge shows of a change."""

from __future__ import annotations

import os

import pytest

from git_cto.model import Change
from git_cto.repo.change import identify
from git_cto.repo.git import discover
from git_cto.repo.lens import Lens
from git_cto.repo.lines import Lines, shown_lines
from tests.world import World

LONG = "".join(f"line {number}\n" for number in range(1, 61))


def shown(world: World) -> Lines:
    """The lines of what the last commit changed."""
    with Lens(discover(str(world.path), os.environ), os.environ) as lens:
        change: Change = identify(lens, world.git("rev-parse", "HEAD^"), world.head)
        return shown_lines(lens, change)


def test_a_change_is_shown_with_three_lines_around_it(world: World) -> None:
    world.commit("Before", long__py=LONG)
    world.commit("After", long__py=LONG.replace("line 30\n", "thirty\n").replace("line 59\n", "fifty-nine\n"))
    assert shown(world) == {"long.py": (range(27, 34), range(56, 61))}


def test_a_new_file_is_shown_whole_and_a_deleted_one_has_no_line(world: World) -> None:
    world.write("new.py", "one\ntwo\n")
    world.git("rm", "--quiet", "app.py")
    world.commit("Both")
    assert shown(world) == {"new.py": (range(1, 3),), "app.py": (range(0),)}


def test_a_renamed_file_shows_what_changed_in_it(world: World) -> None:
    world.commit("Before", long__py=LONG)
    world.git("mv", "long.py", "renamed.py")
    world.write("renamed.py", LONG.replace("line 30\n", "thirty\n"))
    world.commit("Rename")
    assert shown(world) == {"renamed.py": (range(27, 34),)}


@pytest.mark.parametrize("text", ["@@ -1 +1,99 @@\n", "diff --git a/x b/x\n@@ -1 +50,9 @@\n", "\0\0binary\0"])
def test_text_that_looks_like_a_patch_shows_no_other_lines(world: World, text: str) -> None:
    world.write("odd.txt", text)
    world.commit("Odd", app__py="def version():\n    return 2\n")
    found = shown(world)
    assert found.pop("odd.txt", (range(1, 1 + text.count("\n")),)) == (range(1, 1 + text.count("\n")),)
    assert found == {"app.py": (range(1, 3),)}


def test_what_changed_its_kind_its_mode_or_its_name_upsets_no_other_file(world: World) -> None:
    world.commit("Before", a__py="x\n", z__py="z\n")
    (world.path / "a.py").unlink()
    (world.path / "a.py").symlink_to("z.py")
    (world.path / "app.py").chmod(0o755)
    world.write("z.py", "zz\n")
    (world.path / os.fsdecode(b"\xff.py")).write_text("not UTF-8\n")
    world.commit("After")
    found = shown(world)
    assert found["z.py"] == (range(1, 2),)
    assert set(found) == {"a.py", "z.py"}


def test_where_git_cannot_tell_nothing_is_shown(world: World) -> None:
    world.commit("After", app__py="def version():\n    return 2\n")
    with Lens(discover(str(world.path), os.environ), os.environ) as lens:
        change = identify(lens, world.git("rev-parse", "HEAD^"), world.head)
        blob = world.git("rev-parse", "HEAD:app.py")
        (world.path / ".git/objects" / blob[:2] / blob[2:]).unlink()
        assert shown_lines(lens, change) == {}
