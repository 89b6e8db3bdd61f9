"""Runs agent programs: the only module that starts one, and it sees to it that nothing of one stays behind.

A program gets its own process group, its input from a thread, limits on silence and on total time, and an end
that includes its children. What its lines mean is left to the caller.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Literal, cast

from git_cto.agents import strays
from git_cto.errors import ToolError

OnLine = Callable[[bytes], None]

MAX_LINE = 8 * 1024 * 1024
"""Bytes of one line that are kept; what follows, up to the next newline, is dropped."""

STDERR_LINES = 200
_STDERR_LINE = 4096
_CHUNK = 64 * 1024
_TICK = 0.2  # seconds; how soon a program is noticed to have gone while another process holds its pipes open
_POLL = 0.01
_REAPED = 1.0  # seconds for the system to take away what was killed; some containers let the dead lie about


class ProgramNotFoundError(ToolError):
    """No program of this name is on the PATH."""

    code = "not_installed"


class ProgramTimeoutError(ToolError):
    """A program was silent (`kind` is `idle`) or ran (`total`) for longer than it may, and was ended."""

    code = "timeout"

    def __init__(self, name: str, kind: Literal["idle", "total"], seconds: float) -> None:
        what = "said nothing" if kind == "idle" else "was still running"
        super().__init__(f"{name} {what} after {seconds:g} s and was ended.")
        self.kind = kind


class StoppedError(ToolError):
    """A program was ended because the caller's `stop` was set."""

    code = "stopped"


@dataclass(frozen=True, kw_only=True)
class Finished:
    """How a program ended.

    `code` is its exit code (negative: the signal that ended it), `stderr` the last lines that it wrote there.
    """

    code: int
    stderr: str


def find_program(name: str, environ: Mapping[str, str]) -> str:
    """The absolute path of `name` on the PATH of `environ`.

    Empty and relative entries of the PATH are passed over, so that a file of the working directory is never
    run. Raises `ProgramNotFoundError`.
    """
    for entry in absolute_path(environ.get("PATH", "")).split(os.pathsep):
        path = Path(entry, name)
        if entry and path.is_file() and os.access(path, os.X_OK):
            return str(path)
    raise ProgramNotFoundError(f"{name} is not installed, or not on the PATH.", f"install {name}")


def absolute_path(value: str) -> str:
    """`value`, a PATH, without its empty and relative entries: those mean the working directory."""
    return os.pathsep.join(entry for entry in value.split(os.pathsep) if Path(entry).is_absolute())


def run(  # noqa: PLR0913 -- all but the first are keywords
    argv: Sequence[str],
    *,
    environ: Mapping[str, str],
    cwd: Path,
    stdin: bytes = b"",
    on_line: OnLine | None = None,
    on_error_line: OnLine | None = None,
    idle: float,
    total: float,
    grace: float,
    stop: threading.Event | None = None,
) -> Finished:
    """Runs `argv` (no shell) to its end and returns how it ended; the exit code is the caller's to judge.

    `environ` is the whole environment (but for the marks of `strays`) and `stdin` the whole input. `on_line` gets
    each line of stdout and `on_error_line` each of stderr, without the newline, in the calling thread. `idle`
    (seconds without a line on stdout), `total`, and `grace` (between TERM and KILL, and for what is left in the
    pipes once the program has gone) are limits. However this ends (a return, a limit, an exception of a callback,
    `stop`, Ctrl-C, SIGTERM), the whole process group is gone afterwards, and so are children that have left it.

    Raises `ProgramNotFoundError`, `ProgramTimeoutError`, `StoppedError`, or what a callback raises.
    """
    began = time.monotonic()
    marks = strays.marks()
    with termination_unwinds():
        try:
            child = subprocess.Popen(
                list(argv),
                stdin=subprocess.PIPE,  # never the caller's: who reads an open terminal waits for ever
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**environ, **marks},
                cwd=cwd,
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            raise ProgramNotFoundError(f"{argv[0]} cannot be started: {error.strerror or error}.") from error
        tail: deque[str] = deque(maxlen=STDERR_LINES)
        try:
            threading.Thread(target=_feed, args=(child, stdin), daemon=True).start()
            watch = _Watch(Path(argv[0]).name, began, idle, total, grace, stop)
            _pump(child, watch, on_line or _ignore, _remembering(tail, on_error_line or _ignore))
        finally:
            try:
                _end_group(child, grace)
            finally:
                strays.end_all(marks[strays.CALL], grace, strays.CALL)
    return Finished(code=child.returncode, stderr="\n".join(tail))


@dataclass
class _Watch:
    """The limits of one run, and when they are reached."""

    name: str
    began: float
    idle: float
    total: float
    grace: float
    stop: threading.Event | None
    heard: float = field(default_factory=time.monotonic)
    gone: float | None = None  # when the program itself was first seen to have ended

    def check(self) -> None:
        """Raises when a limit has been reached."""
        now = time.monotonic()
        if self.stop is not None and self.stop.is_set():
            raise StoppedError(f"{self.name} was stopped.")
        if now - self.began >= self.total:
            raise ProgramTimeoutError(self.name, "total", self.total)
        if now - self.heard >= self.idle:
            raise ProgramTimeoutError(self.name, "idle", self.idle)

    def pause(self) -> float:
        """How long to wait for output before looking again."""
        now = time.monotonic()
        return max(0.0, min(_TICK, self.began + self.total - now, self.heard + self.idle - now))

    def drained(self, child: subprocess.Popen[bytes]) -> bool:
        """Whether the program has been gone for so long that nobody waits for its pipes any more."""
        if self.gone is None and child.poll() is not None:
            self.gone = time.monotonic()
        return self.gone is not None and time.monotonic() - self.gone >= self.grace


class _Lines:
    """Cuts chunks of bytes into lines, and lines that are too long down to `limit` bytes."""

    def __init__(self, deliver: OnLine, limit: int) -> None:
        self._deliver = deliver
        self._limit = limit
        self._rest = bytearray()

    def add(self, chunk: bytes) -> None:
        *complete, rest = chunk.split(b"\n")
        for part in complete:
            self._keep(part)
            self.flush()
        self._keep(rest)

    def flush(self) -> None:
        line = bytes(self._rest)
        self._rest.clear()
        if line:
            self._deliver(line)

    def _keep(self, part: bytes) -> None:
        self._rest += part[: max(0, self._limit - len(self._rest))]


def _pump(child: subprocess.Popen[bytes], watch: _Watch, on_line: OnLine, on_error_line: OnLine) -> None:
    """Delivers lines until both pipes are closed, or nothing that matters can come any more."""

    def heard(line: bytes) -> None:
        watch.heard = time.monotonic()
        on_line(line)

    with selectors.DefaultSelector() as selector:
        for stream, lines in (
            (cast("IO[bytes]", child.stdout), _Lines(heard, MAX_LINE)),
            (cast("IO[bytes]", child.stderr), _Lines(on_error_line, _STDERR_LINE)),
        ):
            selector.register(stream, selectors.EVENT_READ, lines)
        while selector.get_map() and not watch.drained(child):
            for key, _ in selector.select(watch.pause()):
                chunk = os.read(key.fd, _CHUNK)
                if chunk:
                    key.data.add(chunk)
                else:
                    key.data.flush()
                    selector.unregister(key.fileobj)
            watch.check()
    while child.poll() is None:  # it closed its pipes and goes on
        watch.check()
        time.sleep(_POLL)


def _feed(child: subprocess.Popen[bytes], data: bytes) -> None:
    pipe = cast("IO[bytes]", child.stdin)
    with suppress(OSError, ValueError):  # it does not want its input, or has gone; its exit code tells
        view = memoryview(data)
        while view:
            view = view[os.write(pipe.fileno(), view[:_CHUNK]) :]
    with suppress(OSError):
        pipe.close()


def _end_group(child: subprocess.Popen[bytes], grace: float) -> None:
    """Ends what is left of the group, TERM and after `grace` seconds KILL; reaps the program, closes its pipes."""
    try:
        if _signal_group(child, signal.SIGTERM):
            deadline = time.monotonic() + grace
            while time.monotonic() < deadline and _group_lives(child):
                time.sleep(_POLL)
    finally:  # also when a second Ctrl-C cuts the grace period short
        _signal_group(child, signal.SIGKILL)
        child.wait()
        deadline = time.monotonic() + _REAPED
        while time.monotonic() < deadline and _group_lives(child):
            time.sleep(_POLL)
        for stream in (child.stdout, child.stderr):
            if stream is not None:
                stream.close()


def _group_lives(child: subprocess.Popen[bytes]) -> bool:
    child.poll()  # an unreaped leader would count as alive
    return _signal_group(child, 0)


def _signal_group(child: subprocess.Popen[bytes], number: int) -> bool:
    """Whether there was anyone to signal. The group has the number of the program that leads it."""
    try:
        os.killpg(child.pid, number)
    except (ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
        return False
    return True


@contextmanager
def termination_unwinds() -> Iterator[None]:
    """Turns SIGTERM and SIGHUP into an exception meanwhile, so that `finally` is reached and the group ended.

    Only in the main thread, where Python delivers signals, and only where nobody else handles them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, _unwind)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _unwind(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _remembering(tail: deque[str], deliver: OnLine) -> OnLine:
    def on_line(line: bytes) -> None:
        tail.append(line.decode("utf-8", "replace"))
        deliver(line)

    return on_line


def _ignore(line: bytes) -> None:
    """For those who do not listen."""
