"""What the loop makes of verdicts: it ends with an approval or an abort, goes round, or asks a human."""

from __future__ import annotations

import re

from git_cto.demo.server import Reply, Request, failure
from tests.loop.world import WORK, Loop, a_task, approving, judged, refusing, round_of, tasks_of
from tests.world import finding, review_reply


def always_revise(request: Request) -> Reply:
    """A reviewer whom nothing pleases; its words differ, so that no round is like another."""
    reviews = [judged(one, "fail") for one in tasks_of(request.user_text)]
    return review_reply("revise", task_reviews=reviews, reason=f"No ({round_of(request.user_text)}).")(request)


def test_an_approval_ends_the_loop_with_the_gate_open_and_says_what_comes_next(loop: Loop) -> None:
    said = loop.run("--jobs", "2")
    assert said.code == 0, said.text
    assert f"Next: git cto gate {loop.trunk}" in said.out
    assert f"git switch main && git merge --no-ff {loop.trunk}" in said.out  # there is no remote to push to
    assert loop.cto("gate", loop.trunk).code == 0
    assert loop.files() == {"app.py": "def version():\n    return 1", "t1.txt": "t1 first", "t2.txt": "t2 first"}
    assert [one["verdict"] for one in loop.records()] == ["approve"]
    assert loop.leftovers() == []


def test_claude_code_does_the_tasks_and_mends_the_one_that_was_refused(loop: Loop) -> None:
    loop.review = refusing("t1")
    said = loop.cto("run", "Write the files", "--jobs", "2")
    assert said.code == 0, said.text
    assert loop.files()["t1.txt"] == "t1 again"
    assert loop.files()["t2.txt"] == "t2 first"
    assert [one["verdict"] for one in loop.records()] == ["revise", "approve"]
    executors = {one["executor"].split()[0] for record in loop.records() for one in record["results"]}
    assert executors == {"claude"}
    assert loop.leftovers() == []


def test_a_refused_task_goes_back_with_its_feedback_on_the_same_branch(loop: Loop) -> None:
    loop.review = refusing("t1", findings=[finding(path="t1.txt", start_line=1, end_line=1, body="Say more.")])
    loop.does('printf "%s" "$said" > "$HOME/$CTO_TASK.$word"; echo "$CTO_TASK $word" > "$CTO_TASK.txt"\n')
    said = loop.run("--jobs", "2")
    assert said.code == 0, said.text
    assert loop.results() == [("t1", "done", "1"), ("t2", "done", "1"), ("t1", "done", "2")]
    assert loop.results(f"cto/{loop.id}/t1")[-1] == ("t1", "done", "2")
    told = (loop.home / "t1.again").read_text()
    assert "t1.txt must not say first" in told
    assert "Say more." in told
    assert not (loop.home / "t2.again").exists()


def test_a_refusal_for_a_finding_alone_goes_to_the_task_on_that_file(loop: Loop) -> None:
    def review(request: Request) -> Reply:
        if "+t2 first" not in request.user_text:
            return approving(request)
        found = finding(path="t2.txt", start_line=1, end_line=1, body="This is too short.")
        passing = [judged(one, "pass") for one in tasks_of(request.user_text)]
        return review_reply("revise", task_reviews=passing, findings=[found])(request)

    loop.review = review
    assert loop.run("--jobs", "2").code == 0
    assert loop.files()["t1.txt"] == "t1 first"
    assert loop.files()["t2.txt"] == "t2 again"


def test_a_finding_on_a_file_that_no_task_names_goes_to_the_last_task(loop: Loop) -> None:
    """It must not be lost when another task was refused at the same time."""

    def review(request: Request) -> Reply:
        if "+t2 first" not in request.user_text:
            return approving(request)
        found = finding(path="app.py", body="The service is broken.")
        reviews = [judged("t1", "fail"), judged("t2", "pass")]
        return review_reply("revise", task_reviews=reviews, findings=[found])(request)

    loop.review = review
    assert loop.run("--jobs", "2").code == 0
    assert (loop.files()["t1.txt"], loop.files()["t2.txt"]) == ("t1 again", "t2 again")


def test_an_abort_ends_the_loop_with_the_reviewers_reason(loop: Loop) -> None:
    loop.review = review_reply("abort", reason="This cannot be wanted.")
    said = loop.run()
    assert said.code == 4, said.text
    assert "This cannot be wanted." in said.out
    assert f"git cto continue {loop.id} --reason TEXT" in said.out
    again = loop.resume()
    assert again.code == 4, again.text
    assert len(loop.prompts()) == 2  # the plan and one review


def test_three_refusals_escalate_and_a_continue_lets_the_loop_go_on(loop: Loop) -> None:
    loop.review = always_revise
    loop.does('echo "$CTO_TASK $(cat "$HOME/n" 2>/dev/null)" > "$CTO_TASK.txt"; date +%N >> "$HOME/n"\n')
    loop.tasks(a_task("t1"))
    said = loop.run()
    assert said.code == 5, said.text
    assert f"git cto continue {loop.id} --reason TEXT" in said.out
    assert [one["verdict"] for one in loop.records()] == ["revise"] * 3
    assert loop.resume().code == 5  # nobody has said to go on: nothing is asked, nothing is done
    assert len(loop.records()) == 3
    assert loop.cto("continue", loop.id, "--reason", "Use ASCII only").code == 0
    loop.review = approving
    loop.does('printf "%s" "$said" > "$HOME/told"; echo "$CTO_TASK ok" > "$CTO_TASK.txt"\n')
    said = loop.resume()
    assert said.code == 0, said.text
    assert "Use ASCII only" in (loop.home / "told").read_text()


def test_five_rounds_escalate_too(loop: Loop) -> None:
    """Where the policy is patient with refusals in a row, and a `continue` lies between."""
    loop.policy("[rounds]\nmax = 5\nescalate_after = 9\n")
    loop.review = always_revise
    loop.does('echo "$CTO_TASK" >> "$CTO_TASK.txt"\n')
    loop.tasks(a_task("t1"))
    assert loop.run().code == 5
    assert [one["round"] for one in loop.records()] == [1, 2, 3, 4, 5]
    assert loop.cto("continue", loop.id, "--reason", "Once more").code == 0
    loop.review = approving
    assert loop.resume().code == 0
    assert [one["round"] for one in loop.records()] == [1, 2, 3, 4, 5, 1]
    assert [one["reason"] for one in loop.records("continue")] == ["Once more"]


def test_on_a_terminal_it_says_where_it_stands_and_a_reason_lets_it_go_on(loop: Loop) -> None:
    """The live view is out of the way meanwhile; the reason is recorded, and the tasks are told."""
    loop.tasks(a_task("t1"))
    loop.does('printf "%s" "$said" > "$HOME/told"; echo "$CTO_TASK" >> "$CTO_TASK.txt"\n')

    def review(request: Request) -> Reply:
        lines = len(re.findall(r"^\+t1$", request.user_text, re.MULTILINE))
        return approving(request) if lines == 4 else always_revise(request)

    loop.review = review
    said = loop.on_terminal(
        *("run", "Write the files", *loop.by_script),
        answers=[("A reason to go on", "Look at line four")],
    )
    assert said.code == 0, said.text
    assert "Round 3 said revise again: No (3)." in said.out
    assert [one["reason"] for one in loop.records("continue")] == ["Look at line four"]
    assert "Look at line four" in (loop.home / "told").read_text()


def test_on_a_terminal_no_reason_ends_it(loop: Loop) -> None:
    loop.tasks(a_task("t1"))
    loop.does('echo "$CTO_TASK" >> "$CTO_TASK.txt"\n')
    loop.review = always_revise
    said = loop.on_terminal(*("run", "Write the files", *loop.by_script), answers=[("A reason to go on", "")])
    assert said.code == 5, said.text
    assert loop.records("continue") == []


def test_a_task_that_a_review_adds_is_done_in_the_next_round(loop: Loop) -> None:
    added = a_task("t3", depends_on=["t1"])

    def review(request: Request) -> Reply:
        if "+t3 " in request.user_text:
            return approving(request)
        passing = [judged(one, "pass") for one in tasks_of(request.user_text)]
        return review_reply("revise", task_reviews=passing, revised_tasks=[added], reason="t3 is missing")(request)

    loop.review = review
    assert loop.run("--jobs", "2").code == 0
    assert [task for task, _, _ in loop.results()] == ["t1", "t2", "t3"]
    assert loop.states() == {"t1": "done", "t2": "done", "t3": "done"}


def test_a_fix_that_changes_nothing_ends_at_a_human_and_not_in_a_circle(loop: Loop) -> None:
    """Nothing new can be asked of the reviewer; a resume has the task tried once more."""
    loop.review = refusing("t1")
    loop.does('[ -e "$CTO_TASK.txt" ] || echo "$CTO_TASK first" > "$CTO_TASK.txt"\n')
    said = loop.run()
    assert said.code == 5, said.text
    assert "nothing has changed since" in said.out
    assert f"Next: git cto run --resume {loop.id}" in said.out
    verdicts = len(loop.records())
    assert loop.resume().code == 5
    assert len(loop.records()) == verdicts
    loop.does(WORK)
    assert loop.resume().code == 0
    assert loop.files()["t1.txt"] == "t1 again"


def test_a_reviewer_who_cannot_answer_leaves_a_run_that_can_be_resumed(loop: Loop) -> None:
    loop.review = lambda _: failure(401, {"message": "Incorrect API key provided", "code": "invalid_api_key"})
    said = loop.run()
    assert said.code == 3, said.text
    assert f"git cto run --resume {loop.id}" in said.err
    assert loop.records() == []
    assert loop.leftovers() == []
    done = loop.results()
    loop.review = approving
    assert loop.resume().code == 0
    assert loop.results() == done
