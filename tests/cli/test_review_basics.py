"""`git cto review` and `git cto gate` on a plain branch: the shortest way from a change to an open gate."""

from __future__ import annotations

from tests.world import World, finding


def test_an_approved_change_opens_the_gate(world: World) -> None:
    world.branch("topic")
    world.commit("Say 2", app__py="def version():\n    return 2\n")
    assert world.cto("gate").code == 1
    done = world.reviewed()
    assert (done.code, done.json["verdict"], done.json["round"]) == (0, "approve", 1), done.text
    opened = world.cto("gate", "--json")
    assert (opened.code, opened.json["allowed"]) == (0, True), opened.text


def test_an_open_major_finding_makes_an_approval_a_revise(world: World) -> None:
    world.branch("topic")
    world.commit("Say 2", app__py="def version():\n    return 2\n")
    done = world.reviewed(findings=[finding("major")])
    assert (done.code, done.json["verdict"], done.json["model_verdict"]) == (1, "revise", "approve")
    assert world.cto("gate").code == 1


def test_a_run_is_planned_done_reviewed_and_approved(world: World) -> None:
    run = world.planned_by_codex()
    assert world.cto("start", "t1").code == 0
    world.write("app.py", "def version():\n    return 2\n")
    done = world.cto("finish", "-m", "Says 2")
    assert done.code == 0, done.text
    reviewed = world.reviewed("Done")
    assert (reviewed.code, reviewed.json["run"]) == (0, run), reviewed.text
    assert world.cto("gate").code == 0


def test_the_change_of_an_approved_run_is_approved_under_any_name(world: World) -> None:
    world.planned_by_codex()
    assert world.cto("start", "t1").code == 0
    world.write("app.py", "def version():\n    return 2\n")
    assert world.cto("finish", "-m", "Says 2").code == 0
    assert world.reviewed("Done").code == 0
    world.git("switch", "--quiet", "-c", "copy")
    for name in ("copy", world.head):
        opened = world.cto("gate", name)
        assert opened.code == 0, opened.text
