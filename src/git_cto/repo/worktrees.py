"""Worktrees of tasks: outside of the repository, detached, and gone when they are not needed any more.

Nothing here touches the user's own checkout, nor (as `git worktree prune` would) a worktree outside of our folders.
Branches are moved by compare-and-swap on their refs, by those who call this.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from git_cto.errors import ToolError

if TYPE_CHECKING:
    import subprocess

    from git_cto.repo.git import Git

LOCK = ".lock"
_QUIET = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "checkout.workers=1")
# What git leaves in its folder of a worktree in the middle of something, or when it is killed.
_UNFINISHED = (
    *("index.lock", "HEAD.lock", "MERGE_HEAD", "MERGE_MSG", "MERGE_MODE", "MERGE_RR", "AUTO_MERGE", "SQUASH_MSG"),
    *("CHERRY_PICK_HEAD", "REVERT_HEAD", "REBASE_HEAD", "rebase-merge", "rebase-apply", "sequencer", "BISECT_LOG"),
)
# git reads the other worktrees when it makes one, and stumbles over those that are being made or removed just then.
_IN_BETWEEN = (b"failed to read", b"could not create", b"Invalid path", b"No such file or directory")
_TRIES = 20
_PAUSE = 0.02  # seconds between two tries
_STALE_SECONDS = 5.0  # nothing healthy holds the lock of one ref for this long


def home(git: Git, run: str) -> Path:
    """The folder of a run's worktrees, under the user's state directory; one per repository and run."""
    from platformdirs import user_state_path  # noqa: PLC0415 -- start-up: only where worktrees are used

    which = hashlib.sha256(os.fsencode(os.path.realpath(git.place.common_dir))).hexdigest()[:12]
    return user_state_path("git-cto", appauthor=False) / "worktrees" / which / run


def place(git: Git, run: str, name: str) -> Path:
    """Where a worktree of a run goes. Its last part is unique: git calls its own side of the worktree by it."""
    return home(git, run) / f"{run}.{name}"


def add(git: Git, folder: Path, commit: str) -> None:
    """Makes a detached worktree of `commit` at `folder`; what was left there before is replaced. No hook runs."""
    done = _added(git, folder, commit)
    for _ in range(_TRIES):
        if not any(words in done.stderr for words in _IN_BETWEEN):
            break
        time.sleep(_PAUSE * (1 + os.urandom(1)[0] / 64))
        done = _added(git, folder, commit)
    if done.returncode == 0:
        return
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    raise ToolError(
        f"There is no worktree at {folder}: {said[-1].removeprefix('fatal: ') if said else 'git failed'}.",
        "see that there is room on the disk, then do it again",
        code="no_worktree",
    )


def _added(git: Git, folder: Path, commit: str) -> subprocess.CompletedProcess[bytes]:
    remove(git, folder)
    _make(folder.parent)
    return git.polite(*_QUIET, "worktree", "add", "--quiet", "--force", "--detach", str(folder), commit)


def _make(place: Path) -> None:
    try:
        for _ in range(_TRIES):
            with suppress(FileNotFoundError, FileExistsError):  # somebody is just removing it, or the folder above
                place.mkdir(parents=True, exist_ok=True, mode=0o700)
                return
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ToolError(
            f"There is no room for worktrees at {place}: {error.strerror}.",
            "set XDG_STATE_HOME to a folder that you can write to",
            code="no_worktree",
        ) from error


def remove(git: Git, folder: Path) -> None:
    """Removes a worktree, whatever is in it; nothing happens where there is none."""
    erase(folder)
    for entry in list(_entries(git, folder)):
        erase(entry)
    with suppress(OSError):  # there is more in them
        folder.parent.rmdir()
        folder.parent.parent.rmdir()


def settle(git: Git, folder: Path, link: bytes, start: str) -> tuple[bool, tuple[str, ...]]:
    """Puts git's side of a worktree in order after somebody worked in it: detached at `start`, nothing unfinished.

    The files stay as they are, so that a commit holds all that changed since `start`, by whomever it was committed.
    `git` and `link` (the content of its file `.git`) are of when it was made. Returns whether it still stood on
    `start`, and what was done to it, in words.
    """
    notes = []
    dot_git = folder / ".git"
    if not folder.is_dir() or not Path(git.place.git_dir, "HEAD").exists():
        return False, ("the worktree was removed",)
    if dot_git.is_symlink() or not dot_git.is_file() or dot_git.read_bytes() != link:
        notes.append("the worktree was cut off from its repository (.git was changed)")
        if dot_git.is_dir() and not dot_git.is_symlink():
            erase(dot_git)
        else:
            dot_git.unlink(missing_ok=True)
        dot_git.write_bytes(link)
    for name in _UNFINISHED:
        path = Path(git.place.git_dir, name)
        if path.is_dir():
            erase(path)
        else:
            path.unlink(missing_ok=True)
    head, branch = git.commit_of("HEAD"), git.head_ref()
    intact = head is not None and git.is_ancestor(start, head)
    if not intact:
        notes.insert(0, "the worktree no longer stood on the commit it was made from")
    elif head != start:
        notes.append("it committed by itself; what it committed is part of this commit")
    if branch:
        notes.append(f"it switched to the branch {branch.removeprefix('refs/heads/')}")
    if branch or head != start:
        git.run("update-ref", "--no-deref", "-m", "git cto run", "HEAD", start)
    return intact, tuple(notes)


def left_behind(git: Git, run: str) -> dict[str, Path]:
    """The worktrees of a run that are there, by their names."""
    folders = sorted(home(git, run).glob(f"{run}.*"))
    return {folder.name.removeprefix(f"{run}."): folder for folder in folders if (folder / ".git").exists()}


def clear(git: Git, run: str, refs: str) -> None:
    """Removes all worktrees of a run, and git's locks on the branches `refs` (a prefix of full refs) from a crash."""
    place = home(git, run)
    for folder in sorted(place.glob("*")) if place.is_dir() else ():
        if folder.is_dir():
            erase(folder)
    for entry in [*_entries(git, place), *Path(git.place.common_dir, "worktrees").glob(f"{run}.*")]:
        erase(entry)  # the latter also where git had no time to write down what it belongs to
    for lock in Path(git.place.common_dir, refs).glob("*.lock"):
        _outwait(lock)


def _entries(git: Git, place: Path) -> Iterator[Path]:
    """git's own side of the worktrees at or below `place`, whether these are there or not."""
    real = Path(os.path.realpath(place))
    for entry in Path(git.place.common_dir, "worktrees").glob("*"):
        with suppress(OSError, UnicodeDecodeError):
            said = (entry / "gitdir").read_text(encoding="utf-8").strip()
            where = Path(os.path.realpath(entry / said)).parent  # it may be relative; what is absolute stays so
            if where == real or real in where.parents:
                yield entry


def erase(folder: Path) -> None:
    """Removes a folder, also one in which somebody took their own right to write away."""
    if folder.is_symlink() or folder.is_file():
        with suppress(OSError):
            folder.unlink()
        return
    shutil.rmtree(folder, ignore_errors=True)
    if folder.is_dir():
        os.chmod(folder, 0o700)
        for place, inner, _ in os.walk(folder):
            for path in (os.path.join(place, name) for name in inner):
                if not os.path.islink(path):
                    os.chmod(path, 0o700)  # before it is listed: walk goes from the top down
        shutil.rmtree(folder, ignore_errors=True)


def _outwait(lock: Path) -> None:
    """Waits until git has let go of a lock; where whoever held it has died, removes it."""
    with suppress(OSError):
        while time.time() - lock.stat().st_mtime < _STALE_SECONDS:
            time.sleep(_PAUSE)
        lock.unlink()


def busy(git: Git, run: str) -> bool:
    """Whether a process is at work on a run."""
    try:
        with (home(git, run) / LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@contextmanager
def alone(git: Git, run: str) -> Iterator[bool]:
    """Whether this process is the only one at work on a run; the kernel ends that with the process, however it ends."""
    place = home(git, run)
    lock = locked(place)
    if lock is None:
        yield False
        return
    with lock:
        try:
            yield True
        finally:
            erase(place)
            with suppress(OSError):
                place.parent.rmdir()  # unless another run is at work


def locked(place: Path, tries: int = _TRIES) -> IO[bytes] | None:
    """The lock file of a folder of ours (made if need be), held; None where another process holds it all the time."""
    for _ in range(tries):
        with suppress(FileNotFoundError):  # who held it last has just removed the folder
            _make(place)
            lock = (place / LOCK).open("ab")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(lock.fileno()), os.stat(place / LOCK)):
                    return lock
            except (BlockingIOError, FileNotFoundError):
                pass
            lock.close()
        time.sleep(_PAUSE)
    return None
