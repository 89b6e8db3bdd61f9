"""A refused change stays refused, under whatever name, plan or trailer it is asked about again."""

from __future__ import annotations

import json

from git_cto.demo.server import message
from tests.world import World, finding, plan_answer, review_reply, task

TWO = "def version():\n    return 2\n"
REFUSED = {"verdict": "revise", "findings": [finding("blocker")]}


def _asks_nobody(world: World, *argv: str) -> None:
    said = world.ask([review_reply()], "review", "--json", *argv)
    assert (said.code != 0, said.requests) == (True, ()), said.text


def test_without_the_plan_a_refused_trunk_is_not_asked_about_again(world: World) -> None:
    world.planned()
    world.cto("start", "t1")
    world.write("app.py", TWO)
    world.cto("finish", "-m", "Says 2")
    assert world.reviewed(**REFUSED).code == 1
    _asks_nobody(world, "--head", world.head)
    world.git("branch", "another-name")
    _asks_nobody(world, "--head", "another-name")
    assert world.cto("gate").code == 1


def test_under_a_new_and_lenient_plan_a_refused_branch_is_not_asked_about_again(world: World) -> None:
    world.branch("topic")
    world.commit("Say 2", app__py=TWO)
    assert world.reviewed(**REFUSED).code == 1
    planned = world.ask([message(json.dumps(plan_answer(task(acceptance_criteria=[]))))], "plan", "Anything", "--json")
    _asks_nobody(world, "--run", planned.json["run"], "--head", "topic")
    assert world.cto("gate").code == 1


def test_an_invented_task_in_a_trailer_makes_no_new_question(world: World) -> None:
    run = world.planned(task(), verification={"commands": ["false"], "expected": ""})
    world.cto("start", "t1")
    world.write("app.py", TWO)
    world.cto("finish", "-m", "Says 2")
    assert world.reviewed("--verify", "--allow-commands").code == 1
    world.commit(f"x\n\nCto-Run: {run}\nCto-Task: zz\nCto-Outcome: done")
    _asks_nobody(world)
    assert world.cto("gate").code == 1


def test_a_failed_verification_counts_until_it_is_run_again(world: World) -> None:
    run = world.planned(task(), task("t2"), verification={"commands": ["false"], "expected": ""})
    world.cto("start", "t1")
    world.write("app.py", TWO)
    world.cto("finish", "-m", "Says 2")
    assert world.reviewed("--verify", "--allow-commands").code == 1
    world.cto("start", "t2")  # its result changes no file: the same change, but another question
    world.cto("finish", "-m", "Nothing to do")
    done = world.reviewed()
    assert (done.code, done.json["verdict"], done.json["model_verdict"]) == (1, "revise", "approve"), run
    assert "verification failed: false" in done.json["downgrades"]


def test_a_branch_that_was_aborted_is_not_approved_by_the_id_of_its_tip(world: World) -> None:
    world.branch("topic")
    world.commit("Say 2", app__py=TWO)
    assert world.reviewed(verdict="abort").code == 4
    world.commit("Say 3", app__py="def version():\n    return 3\n")
    said = world.ask([review_reply()], "review", "--head", world.head)
    assert (said.code, said.requests) == (4, ())


def test_an_approval_from_elsewhere_does_not_open_the_gate_of_a_branch_that_was_aborted(world: World) -> None:
    world.branch("topic")
    world.commit("Say 2", app__py=TWO)
    assert world.reviewed(verdict="abort").code == 4
    world.git("switch", "--quiet", "--detach")
    world.commit("Say 3", app__py="def version():\n    return 3\n")
    assert world.reviewed().code == 0
    world.git("branch", "--force", "topic", "HEAD")
    world.git("switch", "--quiet", "topic")
    closed = world.cto("gate", "--json")
    assert (closed.code, closed.json["allowed"]) == (1, False), closed.text
    assert world.cto("override", "--reason", "I looked").code == 0
    assert world.cto("gate").code == 0


def test_a_refusal_elsewhere_counts_although_an_approval_has_the_later_clock(world: World) -> None:
    world.branch("a")
    world.commit("Say 2", app__py=TWO)
    world.policy('[verify]\ncommands = ["false"]\n')
    assert world.reviewed("--head", "a").code == 0
    world.git("branch", "b", "a")
    assert world.reviewed("--head", "b", "--verify", "--allow-commands").code == 1
    assert world.cto("gate", "a").code == 1
    assert world.cto("gate", "b").code == 1
