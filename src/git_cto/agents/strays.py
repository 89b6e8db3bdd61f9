"""Finds and ends what agents left running: a server they started, or they themselves when we were killed.

A process group is not enough for that: children leave it, and whoever is killed cannot write down its number. So every
program of an agent carries marks in its environment, which its children inherit: one of whoever is at work, one of its
own. Numbers of processes are never kept, and so never mistaken for those of others.
"""

from __future__ import annotations

import os
import secrets
import select
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

MARK = "GIT_CTO_AT_WORK"
CALL = "GIT_CTO_CALL"
REST = "CTO_AT_WORK"  # of what is no agent's: git, its hooks, a signer. Who carries it may outlive us for good reasons
STEP = "CTO_STEP"  # of one thing that git does, and of all that it starts for that
_PROC = "/proc"  # on Linux. Elsewhere children are ended with their group, and survive only if we are killed with -9
_POLL = 0.02
_STARTING = 1.0  # seconds that a program may take from exec to its environment
_KERNEL_THREAD = 0x00200000  # among the flags in /proc/<pid>/stat

_current = ""


@contextmanager
def marked(value: str) -> Iterator[None]:
    """Programs that are started meanwhile carry this mark: those of agents as `MARK`, all others as `REST`."""
    global _current  # noqa: PLW0603 -- like an environment variable, it is one for the whole process
    before, _current = _current, value
    rest = os.environ.get(REST)
    os.environ[REST] = value
    try:
        yield
    finally:
        _current = before
        os.environ.pop(REST)
        if rest is not None:
            os.environ[REST] = rest


def marks() -> dict[str, str]:
    """What the environment of a program of an agent holds on top; `CALL` is its own mark, and new each time."""
    return {**({MARK: _current} if _current else {}), CALL: secrets.token_hex(8)}


def end_all(value: str, grace: float, mark: str = MARK) -> int:
    """Ends every process of ours that carries this mark: TERM, and after `grace` seconds KILL. Returns how many."""
    ended = end_present(value, grace, mark)
    deadline = time.monotonic() + grace
    while found := _living(f"{mark}={value}".encode()):  # what they started meanwhile
        for one in found:
            one.signal(signal.SIGKILL)
            one.close()
        ended += len(found)
        if time.monotonic() > deadline:
            break  # stuck in the kernel: nothing ends it
        time.sleep(_POLL)
    return ended


def end_present(value: str, grace: float, mark: str = MARK) -> int:
    """Like `end_all`, for those alone that are there now."""
    found = _living(f"{mark}={value}".encode())
    try:
        for one in found:
            one.signal(signal.SIGTERM)
        deadline = time.monotonic() + grace
        while any(one.lives() for one in found) and time.monotonic() < deadline:
            time.sleep(_POLL)
        for one in found:
            one.signal(signal.SIGKILL)  # nothing to those that have listened
    finally:
        for one in found:
            one.close()
    return len(found)


@dataclass
class Limit:
    """The time that something may take. `mark` is what its programs carry, `over` whether they were ended."""

    mark: dict[str, str]
    over: bool = False


@contextmanager
def limited(seconds: float, grace: float) -> Iterator[Limit]:
    """Ends whatever carries the mark once `seconds` have passed: TERM, and after `grace` seconds KILL."""
    limit = Limit({STEP: secrets.token_hex(8)})

    def end() -> None:
        limit.over = True
        end_all(limit.mark[STEP], grace, STEP)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield limit
    finally:
        timer.cancel()
        if limit.over:
            timer.join()  # nothing of it is left behind


@dataclass(frozen=True)
class _Process:
    """One process, held so that its number cannot become another's."""

    handle: int

    def signal(self, number: signal.Signals) -> None:
        with suppress(OSError):
            signal.pidfd_send_signal(self.handle, number)

    def lives(self) -> bool:
        poll = select.poll()
        poll.register(self.handle, select.POLLIN)
        return not poll.poll(0)  # readable once it has ended, also while nobody has taken the dead away

    def close(self) -> None:
        os.close(self.handle)


def _living(wanted: bytes) -> list[_Process]:
    """The processes with this mark, us excepted. The dead have no environment any more."""
    found = []
    for name in os.listdir(_PROC) if os.path.isdir(_PROC) and hasattr(os, "pidfd_open") else ():
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            handle = os.pidfd_open(int(name))
        except OSError:
            continue
        # Read after it is held: so it is this one's.
        if wanted in _environment(name).split(b"\0"):
            found.append(_Process(handle))
        else:
            os.close(handle)
    return found


def _environment(pid: str) -> bytes:
    """Its environment. One that is just being started has none yet, for a long time where the disk is busy."""
    deadline = time.monotonic() + _STARTING
    while True:
        found = _read(pid, "environ")
        if found or not _is_being_started(pid) or time.monotonic() > deadline:
            return found
        time.sleep(_POLL)


def _is_being_started(pid: str) -> bool:
    """Whether a process without an environment may still get one: no thread of the kernel, not dead, no words yet."""
    state = _read(pid, "stat").rpartition(b")")[2].split()
    alive = bool(state) and state[0] not in {b"Z", b"X"} and not int(state[6]) & _KERNEL_THREAD
    return alive and not _read(pid, "cmdline")


def _read(pid: str, name: str) -> bytes:
    try:
        with open(f"{_PROC}/{pid}/{name}", "rb") as file:
            return file.read()
    except OSError:  # another user's, or gone
        return b""
