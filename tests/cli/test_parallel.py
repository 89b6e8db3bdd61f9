"""Two programs at once in one repository: both records are there, no number is given twice, nothing is mixed up."""

from __future__ import annotations

import json
import subprocess
import threading

from git_cto.demo.server import ModelServer, Reply, Request, Step, message
from tests.cli.scenes import artifacts, changed, do, records
from tests.world import World, plan_answer, review_reply, task


def together(number: int, answer: Step) -> Step:
    """An answer that is given only when so many have been asked for it: they are at work at the same time."""
    barrier = threading.Barrier(number)

    def reply(request: Request) -> Reply:
        barrier.wait(timeout=60)
        return answer(request) if callable(answer) else answer

    return reply


def at_once(world: World, answer: Step, *commands: list[str]) -> list[tuple[int, bytes, bytes]]:
    """Runs the commands in parallel, all of them waiting for their model at the same time."""
    with ModelServer([together(len(commands), answer)] * len(commands)) as model:
        world.log_in(model.codex_config())
        started = [
            world.process(*argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for argv in commands
        ]
        said = [process.communicate(timeout=120) for process in started]
    return [(process.returncode, out, err) for process, (out, err) in zip(started, said, strict=True)]


def test_two_reviews_at_once_are_two_records_with_numbers_of_their_own(world: World) -> None:
    """Case 80: of one series, even."""
    changed(world)
    said = at_once(world, review_reply(), ["review", "--json"], ["review", "--json"])
    assert [code for code, _, _ in said] == [0, 0], said
    documents = [json.loads(out) for _, out, _ in said]
    assert {one["record"] for one in documents} == {one["id"] for one in records(world, "verdict")}
    assert len({one["artifact"] for one in documents}) == 2
    numbers = {name.rpartition("/")[2] for name in artifacts(world)}
    assert {"review-001.json", "review-002.json", "review-001.prompt.md", "review-002.prompt.md"} <= numbers
    for one in documents:
        with open(one["artifact"], encoding="utf-8") as file:
            assert json.load(file) == one
    assert world.cto("gate").code == 0


def test_reviews_of_two_branches_at_once_do_not_mix(world: World) -> None:
    changed(world)
    world.git("branch", "other", "main")
    world.git("switch", "--quiet", "other")
    other = world.commit("Another", other__py="o = 1\n")
    said = at_once(
        world, review_reply("revise"), ["review", "--head", "topic", "--json"], ["review", "--head", "other", "--json"]
    )
    assert [code for code, _, _ in said] == [1, 1], said
    documents = [json.loads(out) for _, out, _ in said]
    assert [one["series"] for one in documents] == ["branch/refs/heads/topic", "branch/refs/heads/other"]
    assert documents[1]["head"] == other
    assert len(records(world, "verdict")) == 2


def test_two_plans_at_once_are_two_runs(world: World) -> None:
    said = at_once(
        world, message(json.dumps(plan_answer())), ["plan", "Raise it", "--json"], ["plan", "Raise it", "--json"]
    )
    assert [code for code, _, _ in said] == [0, 0], said
    runs = {json.loads(out)["run"] for _, out, _ in said}
    assert len(runs) == 2
    assert {one["body"]["run"] for one in records(world, "plan")} == runs
    assert {name.partition("/")[0] for name in artifacts(world)} == runs


def test_a_commit_during_a_review_is_not_what_was_reviewed(world: World) -> None:
    """Names are resolved once: the verdict is about the head that the question was about."""
    head = changed(world)

    def meanwhile(request: Request) -> Reply:
        world.commit("While Codex was thinking", app__py="def version():\n    return 3\n")
        return review_reply()(request)

    said = world.ask([meanwhile], "review", "--json")
    assert (said.code, said.json["head"]) == (0, head), said.text
    assert world.cto("gate").code == 1
    assert world.cto("gate", head).code == 0


def test_a_task_finished_during_a_review_is_not_what_was_reviewed(world: World) -> None:
    world.planned(task("t1"), task("t2", action="create_file", target="other.py"))
    do(world, "t1", "app.py", "def version():\n    return 2\n")
    head = world.head

    def meanwhile(request: Request) -> Reply:
        for argv in (["start", "t2"], ["finish", "-m", "Late"]):
            process = world.process(*argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            assert process.communicate(timeout=30)[1] is not None
            assert process.returncode == 0
        return review_reply("revise")(request)

    said = world.ask([meanwhile], "review", "--json")
    assert (said.code, said.json["head"]) == (1, head), said.text
    assert [one["outcome"] for one in records(world, "verdict")[0]["body"]["results"]] == ["done"]
