"""The loop where a person does the tasks: it says what is to be done, waits, and reviews."""

from __future__ import annotations

import signal
import subprocess

from git_cto.demo.server import Reply, Request
from tests.loop.world import Loop, a_task, approving, refusing, until
from tests.world import Said


def manual(loop: Loop, *argv: str) -> subprocess.Popen[bytes]:
    """`git cto run --executor manual` as a program of its own."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return loop.process("run", *argv, "--executor", "manual", signalled=True, **pipes)


def by_hand(loop: Loop, task: str, text: str) -> Said:
    """A person does a task."""
    assert loop.cto("start", task).code == 0
    loop.write(f"{task}.txt", f"{text}\n")
    said = loop.cto("finish", "-m", f"Wrote {task}")
    assert said.code == 0, said.text
    return said


def test_a_run_waits_until_the_tasks_were_finished_elsewhere(loop: Loop) -> None:
    loop.tasks(a_task("t1"), a_task("t2", depends_on=["t1"]))
    loop.review = refusing("t2")
    process = manual(loop, "Write the files")
    until(lambda: loop.runs)
    until(lambda: "waits for you" in loop.cto("status").out)
    assert loop.cto("tasks", "--json").json["next"] == "git cto start t1"
    by_hand(loop, "t1", "t1 first")
    assert f"git cto status {loop.id}   the loop goes on by itself" in by_hand(loop, "t2", "t2 first").out
    until(lambda: len(loop.prompts()) == 2)  # which is the first review: nobody else asks
    until(lambda: loop.states()["t2"] == "fix")
    by_hand(loop, "t2", "t2 better")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "approved" in out.decode()
    said = err.decode()
    assert said.index("git cto start t1") < said.index("git cto start t2")
    assert "t2.txt must not say first" in said
    assert loop.results() == [("t1", "done", "1"), ("t2", "done", "1"), ("t2", "done", "2")]
    assert loop.leftovers() == []


def test_work_that_was_begun_by_hand_is_finished_by_an_executor(loop: Loop) -> None:
    """What was committed on a task's branch is where the executor starts."""
    loop.tasks(a_task("t1"))
    loop.run("--max-tokens", "1000")
    assert loop.cto("start", "t1").code == 0
    loop.commit("Begun", begun__txt="by hand\n")
    loop.git("switch", "--quiet", "main")

    def review(request: Request) -> Reply:
        assert "begun.txt" in request.user_text
        return approving(request)

    loop.review = review
    assert loop.resume().code == 0
    assert loop.files()["begun.txt"] == "by hand"


def test_a_wait_is_interrupted_without_a_trace(loop: Loop) -> None:
    process = manual(loop, "Write the files")
    until(lambda: loop.runs)
    until(lambda: loop.cto("status").out.count("at work"))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert f"git cto run --resume {loop.id}" in err.decode()
    assert loop.leftovers() == []
    assert loop.resume().code == 0
