"""How agent programs are run: their input, their lines, their limits, and that nothing of them stays behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from git_cto.agents import process
from git_cto.agents.process import (
    Finished,
    ProgramNotFoundError,
    ProgramTimeoutError,
    StoppedError,
    find_program,
    run,
)
from tests.agents.conftest import processes_with
from tests.world import unmeasured

# A program that starts another one in its group; both can be found by the word in their arguments, and the
# second one holds the pipes open and does not mind TERM.
STUBBORN = """
import signal, subprocess, sys, time
inner = "import time, signal as s; s.signal(s.SIGTERM, s.SIG_IGN); print('inner', flush=True); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", inner, sys.argv[1]])
if sys.argv[2] == "stay":
    time.sleep(600)
sys.stdin.read()
"""


@pytest.fixture
def mark() -> str:
    """A word that is in the arguments of this test's processes only."""
    return f"mark-{uuid.uuid4().hex}"


def start(
    code: str,
    tmp_path: Path,
    *args: str,
    stdin: bytes = b"",
    on_line: Callable[[bytes], None] | None = None,
    on_error_line: Callable[[bytes], None] | None = None,
    idle: float = 20,
    total: float = 20,
    stop: threading.Event | None = None,
) -> Finished:
    """Runs Python code in a process of its own."""
    return run(
        [sys.executable, "-c", code, *args],
        environ={"PATH": os.environ["PATH"], "ONLY": "this"},
        cwd=tmp_path,
        stdin=stdin,
        on_line=on_line,
        on_error_line=on_error_line,
        idle=idle,
        total=total,
        grace=0.3,
        stop=stop,
    )


def eventually(check: Callable[[], bool]) -> bool:
    """Whether `check` comes true within ten seconds."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if check():
            return True
        time.sleep(0.02)
    return check()


def test_lines_of_both_streams_arrive_and_the_code_is_returned(tmp_path: Path) -> None:
    out: list[bytes] = []
    err: list[bytes] = []
    code = "import sys; print('one\\n\\ntwo', end=''); print('oh', file=sys.stderr); sys.exit(7)"
    done = start(code, tmp_path, on_line=out.append, on_error_line=err.append)
    assert (done.code, out, err, done.stderr) == (7, [b"one", b"two"], [b"oh"], "oh")


def test_the_environment_is_the_one_given_and_a_mark(tmp_path: Path) -> None:
    out: list[bytes] = []
    start("import os; print(sorted(k for k in os.environ if k != 'LC_CTYPE'))", tmp_path, on_line=out.append)
    assert out == [b"['GIT_CTO_CALL', 'ONLY', 'PATH']"]


def test_half_a_megabyte_goes_in_while_as_much_comes_out(tmp_path: Path) -> None:
    """Case 79: neither side waits for the other."""
    out: list[bytes] = []
    code = "import sys\nfor line in sys.stdin.buffer: sys.stdout.buffer.write(line)"
    data = b"\n".join(b"x" * 999 for _ in range(600))
    assert start(code, tmp_path, stdin=data, on_line=out.append).code == 0
    assert b"\n".join(out) == data


def test_a_program_that_does_not_want_its_input_is_no_error(tmp_path: Path) -> None:
    assert start("pass", tmp_path, stdin=b"x" * 1_000_000).code == 0


def test_the_callers_stdin_is_never_inherited(tmp_path: Path) -> None:
    """Case 78: an open stdin of ours would let the program wait for ever."""
    reader, writer = os.pipe()
    saved = os.dup(0)
    os.dup2(reader, 0)
    try:
        assert start("import sys; assert sys.stdin.read() == ''", tmp_path, idle=10).code == 0
    finally:
        os.dup2(saved, 0)
        for handle in (reader, writer, saved):
            os.close(handle)


def test_a_line_without_end_is_cut_and_the_next_one_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "MAX_LINE", 1000)
    out: list[bytes] = []
    start("print('x' * 300_000); print('next')", tmp_path, on_line=out.append)
    assert out == [b"x" * 1000, b"next"]


def test_only_the_end_of_stderr_is_kept(tmp_path: Path) -> None:
    done = start("import sys\nfor n in range(5000): print('line', n, file=sys.stderr)", tmp_path)
    kept = done.stderr.splitlines()
    assert (len(kept), kept[-1]) == (process.STDERR_LINES, "line 4999")


@pytest.mark.parametrize("kind", ["idle", "total"])
def test_a_limit_ends_the_whole_group(tmp_path: Path, mark: str, kind: str) -> None:
    """Cases 71 and 72; the second process ignores TERM and needs KILL."""
    idle, total = (0.5, 20.0) if kind == "idle" else (20.0, 0.5)
    with pytest.raises(ProgramTimeoutError) as caught:
        start(STUBBORN, tmp_path, mark, "stay", idle=idle, total=total)
    assert caught.value.kind == kind
    assert "after 0.5 s" in caught.value.message
    assert processes_with(mark) == []


def test_a_line_now_and_then_is_no_silence(tmp_path: Path) -> None:
    code = "import time\nfor n in range(8): print(n, flush=True); time.sleep(0.1)"
    assert start(code, tmp_path, idle=0.6).code == 0


def test_the_child_of_a_wrapper_that_has_gone_is_ended_too(tmp_path: Path, mark: str) -> None:
    """Case 77: it would hold our pipes open for ten minutes."""
    out: list[bytes] = []
    began = time.monotonic()
    done = start(STUBBORN, tmp_path, mark, "leave", on_line=out.append)
    assert (done.code, out, processes_with(mark)) == (0, [b"inner"], [])
    assert time.monotonic() - began < 10


def test_a_wrapper_that_was_killed_leaves_nothing(tmp_path: Path, mark: str) -> None:
    """Case 77, from outside."""
    code = "import os, signal\n" + STUBBORN.replace("time.sleep(600)\nsys", "os.kill(os.getpid(), 9)\nsys")
    done = start(code, tmp_path, mark, "stay")
    assert (done.code, processes_with(mark)) == (-signal.SIGKILL, [])


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="where environments cannot be read")
def test_a_child_that_left_the_group_is_ended_and_nobody_elses(tmp_path: Path, mark: str) -> None:
    inner = "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); time.sleep(600)"
    code = (
        "import subprocess, sys\n"
        f"subprocess.Popen([sys.executable, '-uc', {inner!r}, sys.argv[1]], start_new_session=True)\n"
        "sys.stdin.read()"
    )
    other = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        assert start(code, tmp_path, mark).code == 0
        assert processes_with(mark) == []
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_an_exception_of_a_callback_ends_the_group_and_comes_through(tmp_path: Path, mark: str) -> None:
    def refuse(line: bytes) -> None:
        raise ValueError(line)

    with pytest.raises(ValueError, match="inner"):
        start(STUBBORN, tmp_path, mark, "stay", on_line=refuse)
    assert processes_with(mark) == []


def test_stop_ends_the_group(tmp_path: Path, mark: str) -> None:
    stop = threading.Event()
    with pytest.raises(StoppedError):
        start(STUBBORN, tmp_path, mark, "stay", on_line=lambda _: stop.set(), stop=stop)
    assert processes_with(mark) == []


@pytest.mark.parametrize("number,code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_leave_no_child(tmp_path: Path, mark: str, number: signal.Signals, code: int) -> None:
    """Case 76."""
    caller = f"""
import sys
from pathlib import Path
from git_cto.agents.process import run
try:
    run([sys.executable, "-c", {STUBBORN!r}, sys.argv[1], "stay"], environ={{}}, cwd=Path("/"),
        on_line=lambda line: print(line, flush=True), idle=60, total=60, grace=0.3)
except KeyboardInterrupt:
    sys.exit(130)
"""
    with subprocess.Popen(
        [sys.executable, "-c", caller, mark], env=unmeasured(os.environ), stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()  # the inner program is there
        child.send_signal(number)
        assert child.wait(10) == code
    assert processes_with(mark) == []


def test_ctrl_c_twice_does_not_wait_for_the_grace_period(tmp_path: Path, mark: str) -> None:
    caller = f"""
import sys
from pathlib import Path
from git_cto.agents.process import run
run([sys.executable, "-c", {STUBBORN!r}, sys.argv[1], "stay"], environ={{}}, cwd=Path("/"),
    on_line=lambda line: print(line, flush=True), idle=60, total=60, grace=60)
"""
    command = [sys.executable, "-c", caller, mark]
    environ, quiet = unmeasured(os.environ), subprocess.DEVNULL
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=quiet) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.send_signal(signal.SIGINT)
        # the outer program minds TERM, so its end shows that the grace period has begun
        assert eventually(lambda: len(processes_with(mark)) == 2)
        child.send_signal(signal.SIGINT)
        child.wait(10)
    assert eventually(lambda: processes_with(mark) == [])


def test_it_also_runs_in_other_threads(tmp_path: Path) -> None:
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(start("pass", tmp_path).code))
    thread.start()
    thread.join()
    assert codes == [0]


def test_a_program_that_cannot_be_started_says_so(tmp_path: Path) -> None:
    with pytest.raises(ProgramNotFoundError, match="cannot be started"):
        run([str(tmp_path / "none")], environ={}, cwd=tmp_path, idle=1, total=1, grace=1)


def test_a_program_of_the_working_directory_is_never_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Case 83."""
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    for folder in (here, elsewhere):
        folder.mkdir()
        (folder / "codex").write_text("#!/bin/sh\n")
        (folder / "codex").chmod(0o755)
    monkeypatch.chdir(here)
    assert find_program("codex", {"PATH": f".::../here:{elsewhere}"}) == str(elsewhere / "codex")
    with pytest.raises(ProgramNotFoundError):
        find_program("codex", {"PATH": ".:"})
    with pytest.raises(ProgramNotFoundError):
        find_program("codex", {})


def test_what_cannot_be_executed_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "codex").write_text("")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "codex").mkdir()
    with contextlib.suppress(ProgramNotFoundError):
        pytest.fail(find_program("codex", {"PATH": f"{tmp_path}:{tmp_path / 'folder'}"}))
