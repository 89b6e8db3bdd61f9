"""What is recorded of a task counts, before a review and after it: an approval does not cover work that failed."""

from __future__ import annotations

from tests.world import World, task

TASKS = (task("t1"), task("t2", target="b.py", action="create_file", acceptance_criteria=["b.py is there"]))


def _do(world: World, name: str, content: str, task_id: str) -> None:
    assert world.cto("start", task_id).code == 0
    world.write(name, content)
    assert world.cto("finish", "-m", "Done").code == 0


def test_a_task_that_was_recorded_as_failed_is_not_approved_whatever_the_model_says(world: World) -> None:
    world.planned(*TASKS)
    _do(world, "app.py", "def version():\n    return 2\n", "t1")
    world.cto("start", "t2")
    assert world.cto("finish", "--failed", "-m", "It cannot be done").code == 0
    done = world.reviewed()
    assert (done.code, done.json["verdict"], done.json["model_verdict"]) == (1, "revise", "approve")
    assert "t2 was recorded as failed" in done.json["downgrades"]


def test_a_task_that_fails_after_the_approval_closes_the_gate_again(world: World) -> None:
    world.planned(*TASKS)
    _do(world, "app.py", "def version():\n    return 2\n", "t1")
    assert world.reviewed().code == 0
    assert world.cto("gate").code == 0
    world.cto("start", "t2")
    assert world.cto("finish", "--failed", "-m", "It cannot be done").code == 0
    closed = world.cto("gate", "--json")
    assert (closed.code, closed.json["allowed"]) == (1, False)
    assert "t2 was recorded as failed" in closed.json["reasons"][0]


def test_the_next_task_to_start_is_one_that_can_be_started(world: World) -> None:
    world.planned(task("t1"), task("t2", depends_on=["t1"]))
    world.branch("side")  # nothing is done; somebody commits to trunk by hand
    run = world.git("branch", "--list", "cto/*/trunk", "--format=%(refname:short)")
    world.git("switch", "--quiet", run)
    world.commit("By hand", other__py="x = 1\n")
    said = world.reviewed(verdict="revise", task_reviews=[])
    assert said.json["next"].startswith("git cto start t1,")


def test_a_second_run_is_named_in_what_to_type_next(world: World) -> None:
    world.planned()
    second = world.planned()
    plan = world.cto("show", second, "--json")
    assert plan.code == 0
    unclear = world.cto("start", "t1")
    assert unclear.code == 2
    assert "--run" in unclear.err
    assert world.cto("start", "t1", "--run", second).code == 0


def test_a_run_that_is_merged_has_nothing_left_to_do(world: World) -> None:
    run = world.planned()
    _do(world, "app.py", "def version():\n    return 2\n", "t1")
    assert world.reviewed().code == 0
    world.git("switch", "--quiet", "main")
    world.git("merge", "--quiet", "--no-ff", f"cto/{run}/trunk")
    assert "nothing is left to do" in world.cto("tasks", run).out


def test_the_base_that_was_named_is_named_again(world: World) -> None:
    world.git("branch", "-m", "main", "stem")
    world.branch("topic")
    world.commit("Say 2", app__py="def version():\n    return 2\n")
    done = world.reviewed("--base", "stem")
    assert done.json["next"] == "git cto gate --base stem"
    assert world.cto("gate", "--base", "stem").code == 0


def test_a_conflict_in_finish_is_resolved_as_it_says(world: World) -> None:
    run = world.planned(task("t1"), task("t2"))
    world.cto("start", "t1")
    world.git("switch", "--quiet", f"cto/{run}/trunk")
    _do(world, "app.py", "def version():\n    return 3\n", "t2")
    world.git("switch", "--quiet", f"cto/{run}/t1")
    world.write("app.py", "def version():\n    return 2\n")
    refused = world.cto("finish", "-m", "Says 2")
    assert refused.code == 2
    assert f"git add --all && git commit -m WIP; git merge cto/{run}/trunk" in refused.err
    world.git("add", "--all")
    world.git("commit", "--quiet", "-m", "WIP")
    world.git("merge", "--quiet", f"cto/{run}/trunk", ok=False)
    world.write("app.py", "def version():\n    return 2\n")
    world.git("add", "--all")
    world.git("commit", "--quiet", "-m", "Merge")
    assert world.cto("finish", "-m", "Says 2").code == 0
