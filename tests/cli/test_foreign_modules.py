"""`python -m git_cto` in a tree that has modules of its own: none of them is run."""

from __future__ import annotations

import subprocess

import pytest

from tests.world import World


@pytest.mark.parametrize("name", ["msgspec.py", "click.py", "subprocess.py", "typing.py", "msgspec/__init__.py"])
def test_a_module_of_the_tree_is_not_imported(world: World, name: str) -> None:
    marker = world.path.parent / "marker"
    world.branch("topic")
    world.write(name, f"open({str(marker)!r}, 'w')\nraise SystemExit(0)\n")
    world.commit("A module")
    process = world.process("gate", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate()
    assert not marker.exists()
    assert process.returncode == 1, out + err
