"""Any program as an executor: what it gets, and what its end means."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from git_cto.agents import keeping
from git_cto.agents.base import Activity, EngineError, Failure, Limits
from git_cto.agents.command import Command
from git_cto.agents.executor import Job, Work
from git_cto.agents.process import StoppedError
from git_cto.errors import UsageError
from tests.agents.conftest import processes_with

QUICK = Limits(idle=20, total=20, grace=1)
ENVIRON = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nowhere", "EDITOR": "vi"}


@pytest.fixture
def job(tmp_path: Path) -> Job:
    tree = tmp_path / "some tree"
    tree.mkdir()
    return Job(task="t1", prompt="Do it: zażółć.", worktree=tree)


def work(
    command: str, job: Job, *, limits: Limits = QUICK, environ: Mapping[str, str] = ENVIRON
) -> tuple[Work, list[Activity], Path]:
    """Has a command of the shell do a job."""
    folder = job.worktree.parent / "call"
    folder.mkdir()
    shown: list[Activity] = []
    done = Command(command, environ).work(job, folder, limits, shown.append, threading.Event())
    return done, shown, folder


def test_it_gets_the_task_on_stdin_and_works_in_the_worktree(job: Job) -> None:
    done, shown, folder = work("cat > prompt; echo $CTO_TASK $EDITOR; echo done; echo oh >&2", job)
    assert (job.worktree / "prompt").read_text() == "Do it: zażółć."
    assert (done.summary, done.problem, done.executor) == ("t1 vi\ndone", "", "command")
    assert [one.text for one in shown] == ["t1 vi", "done"]
    assert (folder / "events.jsonl").read_text() == "t1 vi\ndone\n"


def test_a_large_prompt_arrives_whole_or_is_left_unread(job: Job) -> None:
    large = replace(job, prompt="x" * 2_000_000)
    assert work("wc -c", large)[0].summary.strip() == "2000000"
    (job.worktree.parent / "call" / "events.jsonl").unlink()
    (job.worktree.parent / "call").rmdir()
    assert work("exec <&-; echo no thanks", large)[0].summary == "no thanks"


def test_of_what_it_prints_only_so_much_is_kept(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """It could fill the disk, and nothing rests on it."""
    monkeypatch.setattr(keeping, "LARGEST", 100)
    done, shown, folder = work("i=0; while [ $i -lt 50 ]; do echo line $i; i=$((i + 1)); done", job)
    assert done.summary.endswith("line 49")
    assert len(shown) == 50
    *kept, last = (folder / "events.jsonl").read_text().splitlines()
    assert kept == [f"line {number}" for number in range(13)]
    assert "left out" in json.loads(last)["note"]


def test_no_key_is_in_its_environment(job: Job) -> None:
    secrets = {name: f"secret-{name}" for name in ("OPENAI_API_KEY", "GITHUB_TOKEN", "CODEX_API_KEY", "DB_PASSWORD")}
    done, _, _ = work("env", job, environ={**ENVIRON, **secrets})
    assert "EDITOR=vi" in done.summary
    assert "secret" not in done.summary


def test_another_exit_code_is_a_problem_in_its_last_words(job: Job) -> None:
    assert (
        work("echo so far; echo no wood >&2; echo >&2; exit 3", job)[0].problem
        == "echo ended with exit code 3: no wood"
    )


def test_a_signal_is_a_problem(job: Job) -> None:
    assert work("kill -9 $$", job)[0].problem == "kill was ended by signal 9"


@pytest.mark.parametrize("command", ["no-such-program --flag", "/etc/passwd"])
def test_a_command_that_cannot_be_started_stops_all(job: Job, command: str) -> None:
    with pytest.raises(EngineError, match="cannot be run") as caught:
        work(command, job)
    assert caught.value.failure is Failure.NOT_INSTALLED


def test_an_empty_command_is_refused() -> None:
    with pytest.raises(UsageError, match="empty"):
        Command("  ", ENVIRON)


def test_one_that_says_nothing_any_more_is_ended(job: Job) -> None:
    done, _, _ = work("echo hm; sleep 600; true", job, limits=replace(QUICK, idle=0.3))
    assert (done.summary, done.problem) == ("hm", "the executor's command said nothing after 0.3 s and was ended.")


def test_only_the_end_of_much_output_is_its_summary(job: Job) -> None:
    done, _, _ = work("seq 100; head -c 9000000 /dev/zero | tr '\\0' x", job)
    lines = done.summary.splitlines()
    assert (lines[0], lines[-1], len(lines)) == ("82", "x" * 400, 20)


def test_one_that_is_stopped_is_gone_with_its_children(job: Job, tmp_path: Path) -> None:
    stop, folder, mark = threading.Event(), tmp_path / "call", f"mark-{tmp_path.name}"
    folder.mkdir()
    script = f"sh -c 'sleep 600 # {mark}' & setsid sh -c 'sleep 600; true # {mark}' & echo up; wait"
    with pytest.raises(StoppedError):
        Command(script, ENVIRON).work(job, folder, QUICK, lambda _: stop.set(), stop)
    assert processes_with(mark) == []


@pytest.mark.parametrize(
    "command",
    [
        "sh work.sh",
        "cd sub && no-such-program",  # the shell's own, and what comes after it cannot be known
        "A=1 B=/x/y sh -c true",
        "if true; then no-such-program; fi",
        "./in-the-worktree",
        "tools/in-the-worktree --fast",
        "'a quoted program'",
        "$PROGRAM now",
    ],
)
def test_a_command_that_may_be_one_is_let_pass_before_the_tasks(command: str) -> None:
    Command(command, ENVIRON).require()


@pytest.mark.parametrize(
    "command", ["no-such-program", "  no-such-program; true", "A=1 no-such-program x", "/no/such/program"]
)
def test_a_program_that_is_not_there_is_known_before_any_task(command: str) -> None:
    with pytest.raises(EngineError) as caught:
        Command(command, ENVIRON).require()
    assert caught.value.failure is Failure.NOT_INSTALLED
    assert "no-such-program" in caught.value.message or "/no/such/program" in caught.value.message


def test_a_file_that_cannot_be_executed_is_no_program(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("echo it\n")
    text.chmod(0o644)
    with pytest.raises(EngineError):
        Command(f"{text} x", ENVIRON).require()
    text.chmod(0o755)
    Command(f"{text} x", ENVIRON).require()
