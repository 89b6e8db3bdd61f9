"""Tasks in a loop: at the same time and in order, blocked, in conflict, idle, out of bounds, dead, too expensive."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from git_cto.demo.claude_replies import refuses
from git_cto.demo.server import Reply, Request, hang
from tests.loop.world import WORK, Loop, a_task, approving, judged, refusing, writes
from tests.world import review_reply


def test_tasks_run_at_the_same_time_and_after_what_they_depend_on(loop: Loop) -> None:
    """Each notes when it began and ended: t1 and t2 overlap, t3 begins after both."""
    loop.tasks(a_task("t1"), a_task("t2"), a_task("t3", depends_on=["t1", "t2"]))
    wait = 'for other in t1 t2; do until [ -e "$HOME/$other.began" ]; do sleep 0.01; done; done\n'
    loop.does(f'touch "$HOME/$CTO_TASK.began"\n{wait}ls > "$CTO_TASK.txt"\n')
    said = loop.run("--jobs", "2")
    assert said.code == 0, said.text
    files = loop.files()
    assert files["t1.txt"] == "app.py\nt1.txt"
    assert files["t3.txt"] == "app.py\nt1.txt\nt2.txt\nt3.txt"


@pytest.mark.parametrize("jobs", ["1", "4"])
def test_trunk_tells_the_same_story_however_many_work_at_once(loop: Loop, jobs: str) -> None:
    """The first task ends last, and is merged first all the same."""
    loop.tasks(a_task("t1"), a_task("t2"), a_task("t3", depends_on=["t1"]), a_task("t4"))
    loop.does('[ "$CTO_TASK" = t1 ] && sleep 0.5\n' + WORK)
    assert loop.run("--jobs", jobs).code == 0
    assert loop.story() == [f"Merge t{n} into trunk of {loop.id}" for n in (1, 2, 3, 4)]
    assert sorted(loop.results()) == [(f"t{n}", "done", "1") for n in (1, 2, 3, 4)]
    assert set(loop.files()) == {"app.py", "t1.txt", "t2.txt", "t3.txt", "t4.txt"}


def test_a_command_of_the_plan_sees_all_that_comes_before_it(loop: Loop) -> None:
    """Also where the plan forgets to say so, and several work at once."""
    check = a_task("t3", action="verify", target="test -e t1.txt && test -e t2.txt")
    loop.tasks(a_task("t1"), a_task("t2"), check)
    loop.does("sleep 0.2\n" + WORK)
    said = loop.run("--jobs", "4", "--allow-commands")
    assert said.code == 0, said.text
    assert loop.states()["t3"] == "done"


def test_a_blocked_task_stops_only_what_depends_on_it_and_the_reviewer_is_told(loop: Loop) -> None:
    loop.tasks(a_task("t1"), a_task("t2", depends_on=["t1"]), a_task("t3"))
    loop.does(f'[ "$CTO_TASK $word" = "t1 first" ] && {{ echo "BLOCKED: no idea how"; exit; }}\n{WORK}')
    loop.review = refusing("t3")
    said = loop.run("--jobs", "2")
    first = loop.prompts()[1]
    assert "t1 blocked: t1: no idea how" in first
    assert "t2 blocked: t2: t1 came to nothing before it" in first
    assert ("t3", "done", "1") in loop.results()
    assert said.code == 0, said.text
    assert loop.results().count(("t1", "blocked", "1")) == 1


def test_tasks_that_waited_for_a_blocked_one_come_back_with_it(loop: Loop) -> None:
    """The reviewer need not name them."""
    loop.tasks(a_task("t1"), a_task("t2", depends_on=["t1"]), a_task("t3"))
    loop.does(f'[ "$CTO_TASK $word" = "t1 first" ] && {{ echo "BLOCKED: no idea how"; exit; }}\n{WORK}')

    def review(request: Request) -> Reply:
        if "+t2 " in request.user_text:
            return approving(request)
        reviews = [judged("t1", "fail"), judged("t2", "pass"), judged("t3", "pass")]
        return review_reply("revise", task_reviews=reviews)(request)

    loop.review = review
    assert loop.run("--jobs", "2").code == 0
    assert loop.states() == {"t1": "done", "t2": "done", "t3": "done"}
    assert len(loop.records()) == 2


SHARED = """
if [ $word = again ]; then echo $CTO_TASK >> shared.txt; else echo $CTO_TASK > shared.txt; fi
"""


def test_a_conflict_between_parallel_tasks_goes_back_once_on_top_of_trunk(loop: Loop) -> None:
    """Both write shared.txt. The second hears what is in the way, and its result fits then."""
    loop.does(f'[ $word = again ] && printf "%s" "$said" > "$HOME/told"\n{SHARED}{WORK}')
    said = loop.run("--jobs", "2")
    assert said.code == 0, said.text
    assert loop.files()["shared.txt"] == "t1\nt2"
    told = (loop.home / "told").read_text()
    assert "conflicted with them in shared.txt" in told
    assert loop.story() == [f"Merge t{n} into trunk of {loop.id}" for n in (1, 2)]
    assert loop.results() == [("t1", "done", "1"), ("t2", "done", "1")]
    assert "changed outside of t2.txt: shared.txt" in loop.prompts()[1]


def test_a_conflict_that_the_executor_cannot_resolve_blocks_the_task(loop: Loop) -> None:
    loop.does(f'[ $word = again ] && {{ echo "BLOCKED: they contradict each other"; exit; }}\n{SHARED}{WORK}')
    said = loop.run("--jobs", "2")
    assert said.code == 5, said.text  # no approval while a task is blocked
    assert {("t1", "done", "1"), ("t2", "blocked", "1")} <= set(loop.results())
    assert "t2 blocked: t2: they contradict each other" in loop.prompts()[1]
    assert loop.files()["shared.txt"] == "t1"


def test_an_executor_that_does_nothing_is_seen_and_said(loop: Loop) -> None:
    loop.does(f'[ "$CTO_TASK" = t1 ] || {{ {WORK.strip()}; }}\n')
    said = loop.run()
    assert "t1 failed: t1: nothing was changed, though success was claimed" in loop.prompts()[1]
    assert "nothing was changed, though success was claimed" in said.err
    assert {("t1", "failed", "1"), ("t2", "done", "1")} <= set(loop.results())


def test_where_no_task_changes_anything_nobody_is_asked_and_a_resume_tries_again(loop: Loop) -> None:
    loop.does("true\n")
    said = loop.run()
    assert said.code == 5, said.text
    assert "No task has changed anything" in said.out
    assert f"Next: git cto run --resume {loop.id}" in said.out
    assert len(loop.prompts()) == 1
    assert loop.resume().code == 5
    loop.does(WORK)
    assert loop.resume().code == 0
    assert set(loop.files()) == {"app.py", "t1.txt", "t2.txt"}


def test_an_executor_that_hangs_is_ended_and_the_others_go_on(loop: Loop) -> None:
    loop.does(f'[ "$CTO_TASK $word" = "t1 first" ] && {{ echo $$ > "$HOME/pid"; sleep 900; }}\n{WORK}')
    began = time.monotonic()
    loop.run("--jobs", "2", "--idle-timeout", "3")  # the other one has to say something within it on a busy machine
    assert time.monotonic() - began < 300  # of which all but the limit is what the rest of the loop takes
    assert "said nothing after 3 s and was ended" in loop.prompts()[1]
    assert {("t1", "failed", "1"), ("t2", "done", "1")} <= set(loop.results())
    assert not alive(int((loop.home / "pid").read_text()))


def test_claude_code_that_hangs_is_ended(loop: Loop) -> None:
    loop.tasks(a_task("t1"))
    loop.answer = lambda *_: hang(started=True)
    said = loop.cto("run", "Write the files", "--idle-timeout", "3")
    assert said.code == 5, said.text
    assert loop.results() == [("t1", "failed", "1")]
    assert loop.leftovers() == []


def test_an_executor_that_dies_leaves_a_failed_task_and_nothing_of_its_work(loop: Loop) -> None:
    loop.does(f'[ "$CTO_TASK" = t1 ] && {{ echo half > t1.txt; kill -9 $$; }}\n{WORK}')
    loop.run()
    assert {("t1", "failed", "1"), ("t2", "done", "1")} <= set(loop.results())
    assert "t1.txt" not in loop.files()


def test_an_executor_that_is_not_there_ends_the_loop_with_what_to_type(loop: Loop) -> None:
    said = loop.cto("run", "Write the files", "--executor", "command", "--command", "sh -c no-such-program")
    assert said.code == 3, said.text
    assert "no-such-program" in said.err
    assert f"git cto run --resume {loop.id}" in said.err
    assert loop.results() == []
    assert loop.resume().code == 0


def test_what_stops_claude_code_in_mid_run_leaves_a_run_that_can_be_resumed(loop: Loop) -> None:
    """A quota here. What else stops it, a login that is refused say, comes the same way."""
    quota = refuses(400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API.")
    loop.answer = lambda task, *rest: quota if task == "t2" else writes(task, *rest)
    said = loop.cto("run", "Write the files")
    assert said.code == 3, said.text
    assert f"git cto run --resume {loop.id}" in said.err
    assert loop.results() == [("t1", "done", "1")]
    assert loop.leftovers() == []
    loop.answer = writes
    assert loop.resume().code == 0
    assert loop.results() == [("t1", "done", "1"), ("t2", "done", "1")]


def test_where_one_cannot_work_any_more_those_under_way_come_to_their_end(loop: Loop) -> None:
    """They have been paid for."""
    loop.does(f'[ "$CTO_TASK $word" = "t1 first" ] && [ ! -e "$HOME/free" ] && exit 127\nsleep 0.5\n{WORK}')
    loop.tasks(a_task("t1"), a_task("t2"), a_task("t3", depends_on=["t2"]))
    said = loop.run("--jobs", "2")
    assert said.code == 3, said.text
    assert "t2 may still come to an end" in " ".join(said.err.split())
    assert loop.results("--glob=refs/heads/cto/*") == [("t2", "done", "1")]
    (loop.home / "free").touch()
    assert loop.resume("--jobs", "2").code == 0
    assert sorted(loop.results()) == [("t1", "done", "1"), ("t2", "done", "1"), ("t3", "done", "1")]


def test_a_run_that_has_cost_too_much_ends_at_a_human_and_goes_on_with_more(loop: Loop) -> None:
    """What one task may cost is no more than what is left; a task that this has cut short is tried again."""
    loop.tasks(a_task("t1"))
    said = loop.cto("run", "Write the files", "--max-cost", "0.005")
    assert said.code == 5, said.text
    assert "The budget is used up" in said.out
    assert f"Next: git cto run --resume {loop.id} --max-cost 0.0" in said.out
    assert loop.records() == []
    assert loop.cto("run", "--resume", "--max-cost", "0.005").code == 5  # it counts for the whole run
    said = loop.cto("run", "--resume", "--max-cost", "1")
    assert said.code == 0, said.text
    assert loop.states() == {"t1": "done"}


def test_tasks_at_the_same_time_share_what_is_left_of_the_money(loop: Loop) -> None:
    """Together they could take it several times over else. Who comes after them gets what they have not taken."""
    shown = loop.path.parent / "bin"
    shown.mkdir()
    told = 'for word; do case "$word" in --max-budget-usd=*) echo "${word#*=}" >> "$HOME/budgets"; esac; done'
    result = {"type": "result", "subtype": "success", "is_error": False, "result": "Done.", "total_cost_usd": 0.25}
    program = f"#!/bin/sh\n{told}\ntouch ${{PWD##*.}}.txt\nsleep 0.2\necho '{json.dumps(result)}'\n"
    (shown / "claude").write_text(program)
    (shown / "claude").chmod(0o755)
    os.environ["PATH"] = f"{shown}:{os.environ['PATH']}"  # the world's own, gone with it
    loop.tasks(a_task("t1"), a_task("t2"), a_task("t3", depends_on=["t1"]))
    said = loop.cto("run", "Write the files", "--jobs", "2", "--max-cost", "1")
    assert said.code == 0, said.text
    assert (loop.home / "budgets").read_text().split() == ["0.5000", "0.5000", "0.5000"]


def test_a_run_that_has_taken_too_many_tokens_ends_at_a_human(loop: Loop) -> None:
    said = loop.run("--max-tokens", "1000")
    assert said.code == 5, said.text
    assert loop.results() == []
    assert f"Next: git cto run --resume {loop.id} " in said.out
    assert "--max-tokens 2560" in " ".join(said.out.replace("\\\n", "").split())
    assert loop.resume("--max-tokens", "100000").code == 0


def test_an_executor_decides_and_records_nothing(loop: Loop) -> None:
    """It may look."""
    verbs = ("override main --reason x", "continue --reason x", "review x", "run --resume", "abandon $run", "sync")
    calls = "".join(f"{loop.itself} {verb} 2>> $HOME/said; echo $? >> $HOME/said\n" for verb in verbs)
    loop.tasks(a_task("t1"))
    loop.does(f"{RUN}{loop.itself} status $run > $HOME/seen\n{calls}{WORK}")
    said = loop.run()
    assert said.code == 0, said.text
    assert "t1.txt" in (loop.home / "seen").read_text()
    told = (loop.home / "said").read_text()
    assert told.count("An executor has called git cto, and this is not an executor's to do.") == len(verbs)
    assert told.count("\n2\n") == len(verbs)
    kinds = [one["kind"] for one in loop.cto("log", loop.trunk, "--json").json["records"]]
    assert sorted(kinds) == ["plan", "verdict"]


RUN = 'run=$(git for-each-ref --format="%(refname)" "refs/heads/cto/*/trunk" | cut -d/ -f4)\n'


OVERRIDE = "env -u GIT_CTO_AT_WORK {itself} override cto/$run/trunk --reason x"
POLICY = (
    "cd {path}; mkdir .cto; printf '[rounds]\\nmax = 99\\n' > .cto/config.toml; git add .cto; git commit -qm x; cd -"
)


@pytest.mark.parametrize(
    "act, words",
    [(OVERRIDE, "somebody else recorded something"), (POLICY, "somebody changed the policy on main")],
    ids=["record", "policy"],
)
def test_what_rules_a_run_and_changes_while_tasks_are_done_is_shown_to_a_human(
    loop: Loop, act: str, words: str
) -> None:
    """An executor may have done it, in spite of all. Whoever resumes has seen it."""
    act = act.format(itself=loop.itself, path=loop.path)
    loop.does(f'{RUN}[ "$CTO_TASK" = t2 ] && {{ {act}; }} >&2\n{WORK}')
    said = loop.run()
    assert said.code == 5, said.text
    assert words in said.out
    assert len(loop.prompts()) == 1  # nobody was asked for a review
    assert loop.resume().code == 0


def test_a_hook_that_refuses_a_result_sends_the_task_back_and_then_blocks_it(loop: Loop) -> None:
    hook = loop.write(".git/hooks/pre-commit", "#!/bin/sh\n! git diff --cached --name-only | grep -q t1.txt\n")
    hook.chmod(0o755)
    loop.does(f'printf "%s" "$said" > "$HOME/$CTO_TASK.$word"\n{WORK}')
    loop.run()
    assert "The result could not be committed" in (loop.home / "t1.again").read_text()
    assert {("t1", "blocked", "1"), ("t2", "done", "1")} <= set(loop.results())
    assert loop.leftovers() == []


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
