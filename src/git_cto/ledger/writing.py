"""Writes notes commits so that no write is ever lost: a queue for peace, a compare-and-swap for truth.

A commit is made by one `git fast-import` and touches no ref; then one `git update-ref` transaction moves the
refs, each only from the value it was read at. The queue is a lock that only saves retries: a writer who does not
know it (another tool, another machine on a network disk) is caught by the swap. What to write is `notes`' business.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from typing import TYPE_CHECKING

from git_cto.errors import GitError, ToolError, typed
from git_cto.repo.git import git_error

try:
    import fcntl

    QUEUES = True
except ImportError:  # Windows: the swap alone
    QUEUES = False

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping, Sequence

    from git_cto.repo.git import Git

WHO = "git-cto <git-cto@localhost>"  # a commit of notes is nobody's work; who ran git-cto is in the record
QUEUE = "git-cto.lock"  # in the common git directory
QUEUE_SECONDS = 30.0
RACE_SECONDS = 60.0
STALE_SECONDS = 5.0  # nothing healthy holds the lock of one ref for this long

# A record costs a model call; a power cut must not take it.
_DURABLE = ("-c", "core.fsync=loose-object,pack,pack-metadata,reference")
# Without one git would ask the network for our host name.
_IDENTITY = ("-c", "user.name=git-cto", "-c", "user.email=git-cto@localhost")
_PRIVATE = "refs/cto/incoming/"
_REPORT = b"fast-import: dumping crash report to "
_LOST = ("but expected", "reference already exists", "unable to resolve reference")
_LOCKED = r"Unable to create '(.+\.lock)': File exists"
_CAUSES = (
    (
        ("No space left", "Out of diskspace", "File too large", "Disk quota", "signal 25"),
        "free some disk space, then do it again",
        "disk_full",
    ),
    (
        ("ermission denied", "Read-only file system", "insufficient permission"),
        "check who may write to {}",
        "read_only",
    ),
)


@contextlib.contextmanager
def queue(common_dir: str, seconds: float = QUEUE_SECONDS) -> Iterator[None]:
    """Waits for its turn among the writers on this machine, at most `seconds`; then goes on without."""
    file = _open(os.path.join(common_dir, QUEUE)) if QUEUES else None
    try:
        if file is not None:
            _wait_for(file, time.monotonic() + seconds)
        yield
    finally:
        if file is not None:
            os.close(file)  # which lets go; so does the kernel when we are killed


def _open(path: str) -> int | None:
    with contextlib.suppress(OSError):
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    with contextlib.suppress(OSError):  # another user's, in a shared repository
        return os.open(path, os.O_RDONLY)
    return None


def _wait_for(file: int, end: float) -> None:
    while time.monotonic() < end:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.0003 + 0.0012 * _chance())
        except OSError:  # a file system without locks
            return
        else:
            return


def _chance() -> float:
    """Between 0 and 1. `random` takes longer to import than all of this module."""
    return os.urandom(1)[0] / 255


class Races:
    """How long one write goes on trying: growing pauses, up to a minute; less for a lock that nobody frees."""

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self._lost = 0

    def lose(self, why: str) -> None:
        """Waits a little before the next try; a `ToolError` when it has been long. `why` is what git said."""
        waited = time.monotonic() - self._begin
        lock = re.search(_LOCKED, why)
        if lock and waited > STALE_SECONDS:
            raise ToolError(
                f"Nothing was recorded: another git process seems to hold {lock[1]}.",
                f"if no git is running here, it crashed: rm {typed(lock[1])}",
                code="stale_lock",
            )
        if waited > RACE_SECONDS:
            raise ToolError(f"Nothing was recorded: others kept writing for {waited:.0f} s.", "try again", code="busy")
        self._lost += 1
        if self._lost > 3:
            time.sleep(_chance() * min(0.5, 0.005 * 2 ** min(self._lost - 3, 7)))


def commit(git: Git, parents: Sequence[str], edits: Mapping[str, str | bytes], message: str) -> str:
    """Makes a notes commit: the first parent's tree with `edits`, path -> content or id of a blob that is there.

    Moves no ref. Returns the commit's id.
    """
    _sweep(git.place.git_dir)
    settings = (*_DURABLE, "-c", "fastimport.unpackLimit=100")
    done = git.attempt(*settings, "fast-import", "--quiet", "--done", data=_stream(git, parents, edits, message))
    made = done.stdout.decode("ascii", "replace").strip()
    if done.returncode or len(made) != git.place.oid_length:
        said, _, report = done.stderr.partition(_REPORT)
        with contextlib.suppress(OSError):  # empty where the disk is full, so that nothing in it says it is ours
            os.unlink(os.path.join(git.place.git_dir, os.fsdecode(report.strip())))
        done.stderr = said
        raise _failure(git, "fast-import", done)
    return made


def _stream(git: Git, parents: Sequence[str], edits: Mapping[str, str | bytes], message: str) -> bytes:
    """The commit as fast-import takes it: on a ref that is gone again before it was ever there.

    Contents come first and are then named by mark: a stream that ends in the middle, because we were killed, leaves
    no tree with a hole in it. Equal ones, as the notes of one record often are, come once.
    """
    ref = f"{_PRIVATE}{os.getpid()}"
    marks: dict[bytes, int] = {}
    for content in edits.values():
        if isinstance(content, bytes):
            marks.setdefault(content, len(marks) + 2)
    out = [f"reset {ref}\n\n".encode()]  # first of all: a crash report tells it
    out += [b"blob\nmark :%d\n%s" % (mark, _data(content)) for content, mark in marks.items()]
    out.append(f"commit {ref}\nmark :1\ncommitter {WHO} {int(time.time())} +0000\n".encode())
    out.append(_data(message.encode()))
    out += [f"{'merge' if n else 'from'} {parent}\n".encode() for n, parent in enumerate(parents)]
    for path, content in edits.items():
        name = f":{marks[content]}" if isinstance(content, bytes) else content
        out.append(f"M 100644 {name} {path}\n".encode())
    out.append(f"\nget-mark :1\nreset {ref}\nfrom {git.place.zero}\n\ndone\n".encode())
    return b"".join(out)


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


def _sweep(git_dir: str) -> None:
    """Removes the crash reports of writers that were killed. Ours name our private ref; other people's stay."""
    with contextlib.suppress(OSError):
        for name in os.listdir(git_dir):
            if name.startswith("fast_import_crash_"):
                path = os.path.join(git_dir, name)
                with open(path, "rb") as file:
                    ours = _PRIVATE.encode() in file.read(1 << 16)
                if ours:
                    os.unlink(path)


def swap(git: Git, moves: Mapping[str, tuple[str, str | None]], reason: str) -> str:
    """Moves refs, ref -> (new, old or None), all or none. Returns "", or what git said when a race was lost.

    Any other failure is a `GitError`.
    """
    orders = "".join(f"update {ref} {new} {old or git.place.zero}\n" for ref, (new, old) in moves.items())
    settings = (*_DURABLE, *_IDENTITY, "-c", "core.filesRefLockTimeout=1000")
    done = git.attempt(
        *settings, "update-ref", "--no-deref", "-m", f"git-cto: {reason}", "--stdin", data=orders.encode()
    )
    if done.returncode == 0:
        return ""
    said = done.stderr.decode("utf-8", "replace").strip()
    if re.search(_LOCKED, said) or any(words in said for words in _LOST):
        return said
    raise _failure(git, "update-ref", done)


def _failure(git: Git, verb: str, done: subprocess.CompletedProcess[bytes]) -> GitError:
    stderr = done.stderr if done.returncode >= 0 else done.stderr + b"\nsignal %d" % -done.returncode
    error = git_error((verb,), done.returncode, stderr)
    message = f"Nothing was recorded: {error.message}"
    for words, hint, code in _CAUSES:
        if any(word in error.stderr for word in words):
            next_step = hint.format(git.place.common_dir)
            return GitError(message, next_step, stderr=error.stderr, code=code)
    return GitError(message, error.hint, stderr=error.stderr)
