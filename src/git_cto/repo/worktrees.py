"""Worktrees of tasks: outside of the repository, detached, and gone when they are not needed any more.

Nothing here touches the user's own checkout. Branches are moved by compare-and-swap on their refs (`branches`).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from git_cto.errors import ToolError

if TYPE_CHECKING:
    from git_cto.repo.git import Git

LOCK = ".lock"
_QUIET = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "checkout.workers=1")


def home(git: Git, run: str) -> Path:
    """The folder of a run's worktrees, under the user's state directory; one per repository and run."""
    from platformdirs import user_state_path  # noqa: PLC0415 -- start-up: only where worktrees are used

    which = hashlib.sha256(os.fsencode(os.path.realpath(git.place.common_dir))).hexdigest()[:12]
    return user_state_path("git-cto", appauthor=False) / "worktrees" / which / run


def add(git: Git, folder: Path, commit: str) -> None:
    """Makes a detached worktree of `commit` at `folder`; one that was left there before is replaced. No hook runs."""
    remove(git, folder)
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    done = git.polite(*_QUIET, "worktree", "add", "--quiet", "--force", "--detach", str(folder), commit)
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise ToolError(
            f"There is no worktree at {folder}: {said[-1] if said else 'git failed'}.",
            "git worktree prune",
            code="no_worktree",
        )


def remove(git: Git, folder: Path) -> None:
    """Removes a worktree, whatever is in it; nothing happens where there is none."""
    if not folder.exists():
        git.polite(*_QUIET, "worktree", "prune")
        return
    git.polite(*_QUIET, "worktree", "remove", "--force", "--force", str(folder))
    shutil.rmtree(folder, ignore_errors=True)
    git.polite(*_QUIET, "worktree", "prune")


def clear(git: Git, run: str) -> None:
    """Removes all worktrees of a run."""
    place = home(git, run)
    for folder in sorted(place.glob("*")) if place.is_dir() else ():
        if folder.is_dir():
            remove(git, folder)
    git.polite(*_QUIET, "worktree", "prune")


def busy(git: Git, run: str) -> bool:
    """Whether a process is at work on a run."""
    path = home(git, run) / LOCK
    if not path.exists():
        return False
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def alone(git: Git, run: str) -> Iterator[bool]:
    """Whether this process is the only one at work on a run; the kernel ends that with the process, however it ends."""
    place = home(git, run)
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (place / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        if not os.path.samestat(os.fstat(lock.fileno()), os.stat(place / LOCK)):
            yield False  # its last holder has just removed it, and somebody else may have made a new one
            return
        try:
            yield True
        finally:
            shutil.rmtree(place, ignore_errors=True)
