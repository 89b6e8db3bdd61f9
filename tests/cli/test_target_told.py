"""Which branch a change was compared with is told where nobody has named it and its name does not tell either."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.scenes import THREE, changed, saying
from tests.world import World, plan_answer

TOLD = "note: for develop: origin's default branch; --base or cto.base names another\n"


@pytest.fixture(name="clone")
def _clone(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A clone of a repository that has `develop` checked out, with a change on a branch of its own."""
    world.branch("develop")
    world.commit("Say 2", app__py="def version():\n    return 2\n")
    world.git("clone", "--quiet", str(world.path), str(tmp_path / "clone"))
    clone = World(tmp_path / "clone", monkeypatch)
    changed(clone, THREE)
    return clone


def test_origins_default_branch_is_told_once_where_it_is_an_unusual_one(clone: World) -> None:
    gate = clone.cto("gate")
    assert (gate.code, gate.err) == (1, TOLD)
    assert len(TOLD.strip()) <= 80
    said = clone.reviewed()
    assert said.err.count("for develop: origin's default branch") == 1
    assert said.err.index("for develop: ") < said.err.index("Reviewing 1 commit")
    assert said.json["notes"] == [TOLD.removeprefix("note: ").strip()]
    plan = clone.ask(saying(json.dumps(plan_answer())), "plan", "Raise it", "--json")
    assert (plan.err.count(TOLD), plan.json["notes"]) == (1, said.json["notes"])
    run = clone.cto("gate", f"cto/{plan.json['run']}/trunk")
    assert run.err == "", "the plan has named it"


def test_it_is_told_where_there_is_nothing_to_review(clone: World) -> None:
    clone.git("switch", "--quiet", "--detach", "origin/develop")
    said = clone.cto("review")
    assert (said.code, said.err.startswith(TOLD)) == (2, True), said.text


@pytest.mark.parametrize("way", ["option", "setting", "quiet", "main"])
def test_a_target_that_somebody_named_is_not_explained(clone: World, way: str) -> None:
    argv = {"option": ["--base", "develop"], "quiet": ["-q"]}.get(way, [])
    if way == "setting":
        clone.git("config", "cto.base", "develop")
    if way == "main":
        clone.git("fetch", "--quiet", "origin", "main:refs/remotes/origin/main")
        clone.git("remote", "set-head", "origin", "main")
    said = clone.cto("gate", *argv)
    assert (said.code, said.err) == (1, ""), said.text


def test_another_remote_than_origin_is_told_by_what_costs_as_well(world: World) -> None:
    changed(world)
    world.git("update-ref", "refs/remotes/upstream/main", "main")
    for said in (world.cto("gate"), world.reviewed()):
        assert said.err.count("note: compared with upstream/main\n") == 1
    assert said.json["notes"] == ["compared with upstream/main"]
