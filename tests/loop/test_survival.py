"""Whatever ends a loop, it can be resumed: every time to the same tree and records, with nothing left behind."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from git_cto.agents import strays
from git_cto.demo.server import hang
from git_cto.repo import worktrees
from tests.agents.conftest import processes_with
from tests.loop.world import WORK, Loop, a_task, approving, refusing, until

TREE = {
    "app.py": "def version():\n    return 1",
    "t1.txt": "t1 first",
    "t2.txt": "t2 again",
    "t3.txt": "t3 first",
    "t4.txt": "t4 first",
}
LOGGED = """
echo "$CTO_TASK $word" >> "$HOME/log"
sleep 0.1
"""

Moment = Callable[[Loop], Callable[[], object]]
"""A condition that comes true in the middle of a run."""


@pytest.fixture
def four(loop: Loop) -> Loop:
    """A run of four tasks, two at a time, of which one is refused once."""
    loop.tasks(a_task("t1"), a_task("t2"), a_task("t3", depends_on=["t1"]), a_task("t4", depends_on=["t2"]))
    loop.review = refusing("t2")
    loop.does(LOGGED + WORK)
    return loop


def began(task: str, word: str = "first") -> Moment:
    """A task is being done."""
    return lambda loop: lambda: f"{task} {word}" in log(loop)


def branch(name: str, merges: int | None = None) -> Moment:
    """A branch of the run has appeared; trunk has so many merges."""

    def moment(loop: Loop) -> Callable[[], object]:
        def holds() -> object:
            refs = list((loop.path / ".git" / "refs" / "heads" / "cto").glob(f"*/{name}"))
            if not refs or merges is None:
                return refs
            return int(loop.git("rev-list", "--count", "--merges", "--glob=refs/heads/cto/*/trunk")) >= merges

        return holds

    return moment


def asked(number: int) -> Moment:
    """The nth question has reached Codex; the plan is the first."""
    return lambda loop: lambda: len(loop.codex.requests) >= number


def recorded(number: int) -> Moment:
    """The ledger was written the nth time: a plan, a verdict, another one."""

    def moment(loop: Loop) -> Callable[[], object]:
        ref = loop.path / ".git" / "refs" / "notes" / "cto-records"
        seen: list[str] = []

        def holds() -> object:
            now = ref.read_text() if ref.exists() else ""
            if now and now not in seen:
                seen.append(now)
            return len(seen) >= number

        return holds

    return moment


def committed(loop: Loop) -> Callable[[], object]:
    """A result is committed in a worktree; its branch may not know yet."""
    start = loop.head

    def holds() -> object:
        heads = []
        for path in (loop.path / ".git" / "worktrees").glob("*/HEAD"):
            try:
                heads.append(path.read_text().strip())
            except OSError:
                continue
        return [head for head in heads if head and head != start]

    return holds


def after(seed: int) -> Moment:
    """Some time after the run has begun."""
    seconds = random.Random(seed).uniform(0.1, 2.0)

    def moment(loop: Loop) -> Callable[[], object]:
        since = time.monotonic()
        trunk = branch("trunk")(loop)
        return lambda: trunk() and time.monotonic() - since > seconds

    return moment


MOMENTS: dict[str, Moment] = {
    "trunk is there": branch("trunk"),
    "t1 began": began("t1"),
    "t2 began": began("t2"),
    "a result is committed": committed,
    "t1 has a branch": branch("t1"),
    "t2 has a branch": branch("t2"),
    "t1 is merged": branch("trunk", 1),
    "t2 is merged": branch("trunk", 2),
    "t3 began": began("t3"),
    "t4 began": began("t4"),
    "t3 has a branch": branch("t3"),
    "t4 has a branch": branch("t4"),
    "t4 is merged": branch("trunk", 4),
    "the first review is asked": asked(2),
    "the first verdict is recorded": recorded(2),
    "t2 began again": began("t2", "again"),
    "t2 is merged again": branch("trunk", 5),
    "the second review is asked": asked(3),
    "the second verdict is recorded": recorded(3),
    **{f"by chance ({seed})": after(seed) for seed in range(3)},
}


@pytest.mark.parametrize("name", MOMENTS)
def test_a_loop_that_was_killed_is_resumed_to_the_same_end(four: Loop, name: str) -> None:
    """Every other time all of it is killed, git in the middle of its work too; else git-cto alone."""
    process = four.started("Write the files", "--jobs", "2")
    holds = MOMENTS[name](four)
    until(lambda: holds() or process.poll() is not None)
    with suppress(ProcessLookupError):  # by chance it had ended
        if list(MOMENTS).index(name) % 2:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.communicate()
    kept, before = four.results("--glob=refs/heads/cto/*"), len(log(four))
    said = four.resume("--jobs", "2")
    assert said.code == 0, said.text
    assert_the_same_end(four)
    words = {"1": "first", "2": "again"}
    redone = set(log(four)[before:]) & {f"{task} {words[number]}" for task, _, number in kept}
    assert redone == set(), "what was committed is not done again"


def assert_the_same_end(loop: Loop) -> None:
    """The tree, the records, and nothing that was left behind: no worktree, temporary file, lock, process."""
    assert loop.files() == TREE
    assert len(loop.records("plan")) == 1
    assert [(one["verdict"], one["round"]) for one in loop.records()] == [("revise", 1), ("approve", 2)]
    assert sorted(loop.results()) == sorted([(f"t{n}", "done", "1") for n in range(1, 5)] + [("t2", "done", "2")])
    assert loop.cto("gate", loop.trunk).code == 0
    assert loop.leftovers() == []
    assert marked(loop) == []
    assert "error" not in loop.git("fsck", "--connectivity-only", ok=False)


def log(loop: Loop) -> list[str]:
    """What was begun: task and word."""
    path = loop.home / "log"
    return path.read_text().splitlines() if path.exists() else []


def marked(loop: Loop) -> list[str]:
    """Processes that an agent of this world has started, or that its agents are."""
    state = str(loop.home / ".local").encode()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and strays.MARK.encode() + b"=" + state in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_bytes().decode())
        except OSError:
            continue
    return found


@pytest.fixture
def hanging(four: Loop) -> Iterator[Loop]:
    """A run whose first two tasks are under way and do not end; each has a child that left their process group."""
    normal = LOGGED + WORK
    four.does(f'[ -e "$HOME/free" ] || {{ setsid sleep 300 & touch "$HOME/$CTO_TASK.began"; sleep 300; }}\n{normal}')
    yield four
    assert marked(four) == []


@pytest.mark.parametrize(
    "number, send, code",
    [
        (signal.SIGINT, os.killpg, 130),
        (signal.SIGINT, os.kill, 130),
        (signal.SIGTERM, os.kill, 128 + signal.SIGTERM),
        (signal.SIGHUP, os.killpg, 128 + signal.SIGHUP),
    ],
    ids=["Ctrl-C", "INT", "TERM", "HUP to all"],
)
def test_a_signal_ends_it_with_all_its_children_and_says_how_to_go_on(
    hanging: Loop, number: signal.Signals, send: Callable[[int, int], None], code: int
) -> None:
    process = hanging.started("Write the files", "--jobs", "2")
    until(lambda: all((hanging.home / f"t{n}.began").exists() for n in (1, 2)))
    send(process.pid, number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == code, err
    assert b"Traceback" not in err
    assert f"Next: git cto run --resume {hanging.id}" in err.decode()
    assert marked(hanging) == []
    assert hanging.leftovers() == []
    if send is os.kill:  # the harder of the two: its children have heard nothing
        (hanging.home / "free").touch()
        assert hanging.resume("--jobs", "2").code == 0
        assert_the_same_end(hanging)


def of_the_loop(process: subprocess.Popen[bytes]) -> list[int]:
    """The children of a loop."""
    found = Path(f"/proc/{process.pid}/task").glob("*/children")
    return [int(pid) for path in found for pid in path.read_text().split()]


@pytest.mark.parametrize("end, code", [("Ctrl-C", 130), ("its wrapper is killed", 3)])
def test_a_reviewer_who_is_cut_short_has_said_nothing_and_leaves_nobody(loop: Loop, end: str, code: int) -> None:
    """Cases 76 and 77: no record, no process, and a resume asks again. What npm installs as `codex` is a wrapper."""
    loop.review = lambda _: hang(started=True)
    process = loop.started("Write the files")
    until(lambda: len(loop.codex.requests) >= 2)
    if end == "Ctrl-C":
        os.killpg(process.pid, signal.SIGINT)
    else:
        wrapper = next(pid for pid in of_the_loop(process) if b"codex" in Path(f"/proc/{pid}/cmdline").read_bytes())
        os.kill(wrapper, signal.SIGKILL)
    _, err = process.communicate(timeout=30)
    assert process.returncode == code, err
    assert b"Traceback" not in err
    assert f"Next: git cto run --resume {loop.id}" in err.decode() or "then git cto run --resume" in err.decode()
    assert marked(loop) == []
    assert loop.leftovers() == []
    assert loop.records() == []
    loop.review = approving
    assert loop.resume().code == 0
    assert loop.results() == [("t1", "done", "1"), ("t2", "done", "1")]


def test_what_outlives_a_killed_loop_is_ended_by_a_resume_and_by_nothing_else(hanging: Loop) -> None:
    process = hanging.started("Write the files", "--jobs", "2")
    until(lambda: all((hanging.home / f"t{n}.began").exists() for n in (1, 2)))
    process.kill()
    process.communicate()
    assert len(marked(hanging)) >= 4
    bystander = subprocess.Popen(["sleep", "300"], env={**os.environ, strays.MARK: "of somebody else"})
    assert hanging.cto("status", hanging.id).code == 0
    assert len(marked(hanging)) >= 4
    (hanging.home / "free").touch()
    assert hanging.resume("--jobs", "2").code == 0
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()
    assert_the_same_end(hanging)


def test_claude_code_that_outlives_a_killed_loop_is_ended_by_a_resume(loop: Loop) -> None:
    """It, and the command that it runs in a process group of its own."""
    loop.tasks(a_task("t1"))
    began = loop.home / "began"
    answer = loop.answer
    loop.answer = lambda *_: [("Bash", {"command": f"touch {began}; sleep 300", "description": "wait"})]
    process = loop.process(
        "run", "Write the files", signalled=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until(began.exists)
    process.kill()
    process.wait()
    assert any("sleep" in line for line in marked(loop))
    loop.answer = answer
    said = loop.cto("run", "--resume")
    assert said.code == 0, said.text
    assert marked(loop) == []
    assert loop.leftovers() == []


def test_a_full_disk_ends_it_and_a_resume_goes_on_when_there_is_room(four: Loop) -> None:
    """No file may be larger than 64 KiB; the index of a thousand files is."""
    many = 'i=0; while [ $i -lt 1000 ]; do echo "$i" > "many-$i"; i=$((i + 1)); done\n'
    four.does(f'[ "$CTO_TASK" = t3 ] && [ ! -e "$HOME/free" ] && {{ {many} }}\n{LOGGED}{WORK}')
    four.run("--max-tokens", "1000")  # the plan: Codex itself needs more room

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))

    process = four.started("--resume", "--jobs", "2", preexec_fn=small)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 3, out + err
    assert b"Traceback" not in err
    assert b"free some disk space" in err
    assert f"git cto run --resume {four.id}" in err.decode()
    assert four.leftovers() == []
    (four.home / "free").touch()
    assert four.resume("--jobs", "2").code == 0
    assert_the_same_end(four)


@pytest.mark.parametrize("ahead", [-3600, 3600])
def test_locks_of_a_git_that_crashed_do_not_stop_a_resume(
    four: Loop, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    """Nor does a clock that was set back since."""
    monkeypatch.setattr(worktrees, "_STALE_SECONDS", 0.2)
    assert four.run("--max-tokens", "1000").code == 5
    lock = four.path / ".git" / "refs" / "heads" / "cto" / four.id / "t1.lock"
    lock.touch()
    os.utime(lock, (time.time() + ahead,) * 2)
    assert four.resume("--jobs", "2").code == 0
    assert_the_same_end(four)


def test_a_folder_that_an_executor_made_unwritable_goes_too(loop: Loop) -> None:
    loop.does(f"mkdir -p cache/deep; touch cache/deep/file; chmod 555 cache/deep cache\n{WORK}")
    assert loop.run().code in {0, 5}
    assert loop.leftovers() == []


def test_who_presses_ctrl_c_again_need_not_wait_for_an_executor_that_does_not_listen(four: Loop) -> None:
    four.does('trap "" TERM INT HUP; touch "$HOME/$CTO_TASK.began"; while :; do sleep 0.1; done\n')
    process = four.started("Write the files", "--jobs", "2")
    until(lambda: all((four.home / f"t{n}.began").exists() for n in (1, 2)))
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)  # it is being patient now: the second one is for that
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert b"Traceback" not in err
    assert marked(four) == []
    four.does(LOGGED + WORK)
    assert four.resume("--jobs", "2").code == 0
    assert_the_same_end(four)


def test_a_hook_that_does_not_end_holds_up_nobody_who_stops_the_loop(loop: Loop) -> None:
    """What was to be committed is kept as a patch, and the hook does not run on."""
    hook = loop.write(".git/hooks/pre-commit", '#!/bin/sh\ntouch "$HOME/hooked"\nsleep 299\n')
    hook.chmod(0o755)
    process = loop.started("Write the files")
    until((loop.home / "hooked").exists)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM, err
    assert processes_with("sleep 299") == []
    assert loop.leftovers() == []
    assert any("+t1 first" in path.read_text() for path in loop.path.glob(".codex-cto/*/*.patch"))
    hook.unlink()
    assert loop.resume().code == 0


def test_a_reader_of_events_that_goes_away_ends_the_loop_and_leaves_nothing(four: Loop) -> None:
    process = four.started("Write the files", "--jobs", "2", "--events")
    assert process.stdout is not None
    while b'"planned"' not in process.stdout.readline():
        pass
    process.stdout.close()
    assert process.wait(timeout=60) == 3
    assert process.stderr is not None
    with process.stderr as said:
        assert b"Traceback" not in said.read()
    assert marked(four) == []
    assert four.leftovers() == []
    assert four.resume("--jobs", "2").code == 0
    assert_the_same_end(four)


def test_a_verification_that_outlives_a_killed_loop_is_ended_and_its_worktree_removed(four: Loop) -> None:
    began = four.home / "began"
    four.plan["verification"] = {"commands": [f"touch {began}; sleep 300"], "expected": ""}
    process = four.started("Write the files", "--jobs", "2", "--allow-commands")
    until(began.exists)
    process.kill()
    process.communicate()
    assert marked(four)
    assert any("verify" in line for line in four.leftovers())
    assert four.resume("--jobs", "2", "--no-verify").code == 0
    assert_the_same_end(four)
