"""What a loop says to people: every refusal before anything is paid for, every next step one that can be typed."""

from __future__ import annotations

import os
import re
import shlex
import shutil

import pytest

from tests.loop.world import WORK, Loop, a_task, refusing, screen, until
from tests.world import PATH_OF_SYSTEM, Said, agents_folder, finding


@pytest.mark.parametrize("option", ["--model", "--effort", "--executor-model", "--fallback-model", "--executor-effort"])
def test_what_is_no_model_and_no_effort_is_refused_before_anything_is_asked(loop: Loop, option: str) -> None:
    said = loop.cto("run", "Write the files", f"{option}=gpt 5")
    assert said.code == 2
    assert said.err.startswith(f"{option} says 'gpt 5', which is no name of a model or an effort.\nNext: ")
    loop.git("config", "cto.review.effort", "very much")
    said = loop.run()
    assert said.code == 2
    assert "git config cto.review.effort says 'very much'" in said.err
    assert loop.prompts() == []


def test_an_executor_that_is_not_there_is_missed_before_the_plan(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    said = loop.cto("run", "Write the files", "--executor", "command", "--command", "NAME=x no-such-program --now")
    assert (said.code, said.err.splitlines()) == (
        3,
        [
            "The executor's command cannot be run: no-such-program is not installed, or not on the PATH.",
            'Next: --command "CMD" with the whole path of the program, or install it',
        ],
    )
    only_codex = loop.path.parent / "bin"
    only_codex.mkdir()
    (only_codex / "codex").symlink_to(os.path.realpath(agents_folder() / "codex"))
    monkeypatch.setenv("PATH", f"{only_codex}:{os.path.dirname(shutil.which('node') or '')}:{PATH_OF_SYSTEM}")
    assert shutil.which("claude") is None
    said = loop.cto("run", "Write the files")
    assert (said.code, said.err.splitlines()[1]) == (3, "Next: npm install -g @anthropic-ai/claude-code")
    assert (loop.prompts(), loop.runs) == ([], [])


def test_without_codex_no_task_is_paid_for_either(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    loop.run("--max-tokens", "1000")  # ends after the plan
    monkeypatch.setenv("PATH", PATH_OF_SYSTEM)
    assert shutil.which("codex") is None
    said = loop.resume()
    assert said.code == 3
    assert "Codex is not installed" in said.err
    assert set(loop.states().values()) == {"ready"}


def typed_next(loop: Loop, said: Said) -> list[str]:
    """The words of the first command after "Next:", as a shell would read them."""
    text = re.sub(r" \\\n +", " ", said.text.partition("Next: ")[2])
    return shlex.split(text.split("\n")[0].split("   ")[0])


def types(loop: Loop, said: Said) -> Said:
    """Types what is printed after "Next:"."""
    git, cto, *argv = typed_next(loop, said)
    assert (git, cto) == ("git", "cto")
    return loop.cto(*argv)


def test_how_to_go_on_is_said_with_all_that_was_said_at_first(loop: Loop) -> None:
    """Else a resume would have other people do it: Claude Code, say, in place of the program."""
    options = ("--jobs", "2", "--executor-model", "some-model", "--no-verify", "--model", "gpt-5-mini")
    said = loop.run("--max-tokens", "1000", *options)
    assert said.code == 5
    again = typed_next(loop, said)
    assert again[:5] == ["git", "cto", "run", "--resume", loop.id]
    assert again[again.index("--command") + 1] == loop.by_script[-1]
    assert again[again.index("--max-tokens") + 1] == "2560"
    assert {*options} <= {*again}
    assert "--events" not in again
    said = types(loop, said)
    assert said.code == 0, said.text
    assert loop.files()["t1.txt"] == "t1 first"
    assert loop.claude.requests == []


def test_where_a_tool_fails_the_last_thing_said_is_how_to_go_on(loop: Loop) -> None:
    loop.does("exit 0")
    loop.write(".git/hooks/pre-commit", "#!/bin/sh\necho not today >&2\nexit 1\n").chmod(0o755)
    said = loop.run("--jobs", "2")
    assert said.code == 3
    assert f"then git cto run --resume {loop.id} --jobs 2 --executor command --command " in said.err.splitlines()[-1]
    loop.git("switch", "--quiet", loop.trunk)
    said = loop.resume()
    assert said.code == 2
    assert f"then git cto run --resume {loop.id}" in said.err.splitlines()[-1]


def test_every_next_step_of_a_run_works_from_where_one_is(loop: Loop) -> None:
    """With two runs and main checked out, no command knows by itself which one is meant."""
    assert loop.cto("plan", "Another thing", "-q").code == 0
    (other,) = loop.runs
    assert loop.cto("plan", "Write the files", "-q").code == 0
    (run,) = set(loop.runs) - {other}
    for verb in (("status",), ("tasks",), ("start", "t1"), ("run", "--resume", *loop.by_script), ("finish", "-m", "x")):
        said = loop.cto(*verb)
        assert said.code == 2, verb
        assert f"2 runs are open here and none is checked out ({other}, {run})." in said.err
        named = shlex.split(said.err.splitlines()[-1].removeprefix("Next: name one: "))
        assert (named[:3], named[-1]) == (["git", "cto", verb[0]], other)
    for task in ("t1", "t2"):
        loop.git("switch", "--quiet", "main")
        assert types(loop, loop.cto("status", run)).code == 0
        loop.write(f"{task}.txt", f"{task} first\n")
        assert loop.cto("finish", "-m", "Written").code == 0
    loop.git("switch", "--quiet", "main")
    loop.review = refusing("t2")
    reviewed = types(loop, loop.cto("tasks", run))
    assert reviewed.code == 1, reviewed.text
    start = shlex.split(reviewed.out.partition("Next: ")[2].split(",")[0])
    assert loop.cto(*start[2:]).code == 0
    loop.write("t2.txt", "t2 again\n")
    assert loop.cto("finish", "-m", "Mended").code == 0
    loop.git("switch", "--quiet", "main")
    approved = types(loop, loop.cto("status", run))
    assert approved.code == 0, approved.text
    assert types(loop, approved).code == 0  # the gate
    assert types(loop, loop.cto("status", run)).code == 0


def test_what_is_merged_is_not_worked_on_again(loop: Loop) -> None:
    assert loop.run().code == 0
    loop.git("merge", "--quiet", "--no-ff", "--no-edit", loop.trunk)
    said = loop.resume()
    assert (said.code, said.err.splitlines()[0]) == (2, f"{loop.id} is merged into main: nothing is left to do.")
    run = loop.id
    assert types(loop, Said(0, said.text.replace(" removes", "   removes"), "")).code == 0
    assert "it is merged into main" in loop.cto("status", run).out


def test_a_run_that_was_abandoned_says_so_and_comes_back_as_it_was_judged(loop: Loop) -> None:
    loop.review = refusing("t1", "t2")
    loop.does(WORK.replace("$word", "first"))
    assert loop.run().code == 5
    run = loop.id
    assert loop.cto("abandon", run).code == 0
    said = loop.cto("run", "--resume", run, *loop.by_script)
    assert said.code == 2
    assert f"The branch cto/{run}/trunk is not here: it was abandoned, or it is elsewhere." in said.err
    status = loop.cto("status", run)
    assert "not here" in status.out
    loop.git(*typed_next(loop, said)[1:])
    assert "✓ t1" in loop.cto("status", run).out or "↻ t1" in loop.cto("status", run).out


def test_an_approval_of_what_a_human_has_to_look_at_does_not_call_the_gate_open(loop: Loop) -> None:
    loop.tasks(a_task("t1", target=".github/workflows/ci.yml"))
    loop.does('mkdir -p .github/workflows; echo "on: push" > .github/workflows/ci.yml\n')
    said = loop.run()
    assert said.code == 0, said.text
    assert "And yet the gate is closed: " in said.out
    assert "it is open" not in said.out
    assert typed_next(loop, said)[:6] == ["git", "switch", loop.trunk, "&&", "git", "cto"]
    assert "git cto override" in said.out


def test_where_there_is_a_remote_the_next_step_is_to_push_to_it(loop: Loop) -> None:
    there = loop.path.parent / "there.git"
    loop.git("init", "--quiet", "--bare", str(there))
    loop.git("remote", "add", "up", str(there))
    said = loop.run()
    assert f"git push up {loop.trunk}" in said.out


def test_a_change_that_another_run_was_refused_for_leads_to_a_dispute_and_not_in_a_circle(loop: Loop) -> None:
    loop.review = refusing("t2")
    loop.git("config", "cto.rounds.escalateAfter", "1")
    assert loop.run().code == 5
    (before,) = loop.runs
    loop.cto("abandon", before)
    said = loop.run()
    assert said.code == 5
    assert "This was judged before, and nothing has changed since" in said.out
    assert typed_next(loop, said) == ["git", "cto", "review", "--head", loop.trunk, "--dispute", "TEXT"]
    assert types(loop, said).code == 5  # the same reviewer says the same


def test_whoever_is_asked_sees_what_is_wrong_and_so_does_who_comes_later(loop: Loop) -> None:
    body = "This says first, and it must not."
    loop.review = refusing("t2", findings=[finding(path="t2.txt", start_line=1, end_line=1, body=body)])
    loop.does(WORK.replace("$word", "first"))
    loop.git("config", "cto.rounds.escalateAfter", "1")
    asked = "A reason to go on (empty to stop)"
    said = loop.on_terminal("run", "Write the files", *loop.by_script, answers=[(asked, "")])
    assert said.code == 5, said.out
    shown = said.out.partition(asked)[0]
    for text in ("↻ t2", "t2.txt must not say first", body):
        assert text in shown.replace("\r\n      ", " ")
    for later in (loop.cto("status").out, loop.resume().out):
        assert body in " ".join(later.split())


def test_a_question_stays_on_the_terminal_when_the_loop_goes_on(loop: Loop) -> None:
    """Somebody has agreed to these commands: what they were is not to be drawn over."""
    commands = ["true", "test -e t1.txt", "test -e t2.txt"]
    loop.tasks(a_task("t1"), a_task("t2"), verification={"commands": commands, "expected": ""})
    said = loop.on_terminal("run", "Write the files", *loop.by_script, answers=[("Let them run?", "y")])
    assert said.code == 0, said.out
    shown = screen(said.out)
    assert [line for line in shown if line.strip() in commands] == [f"  {one}" for one in commands]
    assert any(line.startswith("Let them run? [y/N]: y") for line in shown)


def too_wide(text: str) -> list[str]:
    """The lines of more than 80 columns, but for those that are a single word."""
    return [line for line in text.splitlines() if len(line) > 80 and " " in line.strip()]


def test_everything_by_the_way_fits_a_terminal_too(loop: Loop) -> None:
    """Notes, what an executor says, what was found: nothing of it is cut off, and nothing is wider than 80 columns."""
    long = "This says first, and it must not, as was explained at length in the description of the task. " * 2
    loop.write("not-committed.txt", "x\n")
    loop.review = refusing("t2", findings=[finding(path="t2.txt", start_line=1, end_line=1, body=long)])
    loop.does(WORK + "yes 'and then I did more' | head -8 | tr '\\n' ' '\n")
    said = loop.run()
    assert said.code == 0, said.text
    assert too_wide(said.err) == []
    assert long.strip() in " ".join(said.err.split())
    assert "the run starts without it" in " ".join(said.err.split())
    run = loop.id
    loop.git("add", "not-committed.txt")
    loop.git("commit", "--quiet", "-m", "Now it is")
    assert loop.cto("start", "t1").code == 0
    finished = loop.cto("finish", "-m", "Looked at it again")
    assert finished.code == 0, finished.text
    for one in (finished, loop.cto("status"), loop.cto("tasks"), loop.cto("init", "--skill", "--hook")):
        assert too_wide(one.text) == [], one.text
    assert f"merged into cto/{run}/trunk, where you are now." in " ".join(finished.out.split())


def test_status_shows_which_tasks_are_under_way(loop: Loop) -> None:
    loop.does('touch "$HOME/$CTO_TASK"; until [ -e "$HOME/go-$CTO_TASK" ]; do sleep 0.01; done\n' + WORK)
    process = loop.started("Write the files")
    until((loop.home / "t1").exists)
    said = loop.cto("status", "--json").json
    assert [(one["id"], one["state"]) for one in said["tasks"]] == [("t1", "active"), ("t2", "ready")]
    (loop.home / "go-t1").touch()
    until((loop.home / "t2").exists)
    shown = loop.cto("status").out
    assert "▸ t2  t2.txt  active" in shown
    assert "✓ t1  t1.txt  done\n" in shown  # and nothing of what was said while it was done
    assert "round 1 · 1.3k tokens\n" in shown
    (loop.home / "go-t2").touch()
    process.communicate(timeout=60)


def test_a_hook_that_does_not_end_has_a_time_limit_and_the_run_goes_on_without_it(loop: Loop) -> None:
    loop.policy("[verify]\ntimeout = 1\n")
    hook = loop.write(".git/hooks/pre-commit", "#!/bin/sh\nsleep 296\n")
    hook.chmod(0o755)
    said = loop.run()
    assert said.code == 3, said.text
    assert "The commit took longer than 1 s and was ended: a hook, a filter or a signer seems to wait." in said.err
    assert "what it had done is kept in " in said.err
    assert "[verify] timeout" in said.err
    assert f"then git cto run --resume {loop.id}" in said.err
    assert loop.leftovers() == []
    hook.unlink()
    assert loop.resume().code == 0


def test_where_no_task_came_to_anything_nobody_is_sent_to_a_reviewer(loop: Loop) -> None:
    loop.does("echo I would not know how; exit 1\n")
    assert loop.run().code == 5
    status = loop.cto("status")
    assert re.findall(r"^  t1  .*", status.out, re.MULTILINE)[0].count("t1") == 1  # its name is not said twice
    assert types(loop, status).code == 0
    assert "On cto/" in loop.cto("start", "t1").out
