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
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from git_cto.errors import ToolError, typed
from git_cto.repo.git import Git, discover, elsewhere, filter_hint

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping

LOCK = ".lock"
_QUIET = (
    *("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "checkout.workers=1"),
    *("-c", "core.sparseCheckout=false"),  # what the user does not look at may be part of a task
)
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


def state() -> Path:
    """The user's state directory, our part of it, by its real name: Codex opens no file behind a link."""
    from platformdirs import user_state_path  # noqa: PLC0415 -- start-up: only where it is used

    return Path(os.path.realpath(user_state_path("git-cto", appauthor=False)))


def home(git: Git, run: str) -> Path:
    """The folder of a run's worktrees, under the user's state directory; one per repository and run."""
    which = hashlib.sha256(os.fsencode(os.path.realpath(git.place.common_dir))).hexdigest()[:12]
    return state() / "worktrees" / which / run


def require_room(git: Git) -> None:
    """Raises `ToolError` where no worktree could be made at all."""
    top = home(git, "-").parent
    _make(top)
    with suppress(OSError):  # somebody is at work
        top.rmdir()


def is_home(git: Git, path: str) -> bool:
    """Whether a path is the home of a run of this repository."""
    return Path(path).parent == home(git, "-").parent


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
        f"There is no worktree at {folder}: {said[-1].removeprefix('fatal: ').rstrip('.') if said else 'git failed'}.",
        filter_hint(done.stderr.decode("utf-8", "replace")) or "see that there is room on the disk, then do it again",
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


def opened(folder: Path, environ: Mapping[str, str]) -> Git:
    """git in a worktree of ours, whatever repository the environment points at; `ToolError` where it is none."""
    around = elsewhere(environ)
    git = Git(discover(str(folder), around), around)
    place = git.place
    if Path(place.git_dir).parent != Path(place.common_dir, "worktrees") or not _is_at(place.worktree, folder):
        raise ToolError(f"{folder} is no worktree of its own.", f"rm -rf {typed(str(folder))}", code="no_worktree")
    return git


def _is_at(worktree: str | None, folder: Path) -> bool:
    return worktree is not None and os.path.realpath(worktree) == os.path.realpath(folder)


Ties = dict[Path, bytes | None]
"""What ties a worktree to its repository: files and what they say, None where git has made none."""


def ties(git: Git, folder: Path) -> Ties:
    """The ties of a worktree as they are now: right after it was made."""
    return {path: path.read_bytes() if path.is_file() else None for path in _ties(git, folder)}


def _ties(git: Git, folder: Path) -> Iterator[Path]:
    yield folder / ".git"
    for name in ("commondir", "gitdir", "config.worktree"):
        yield Path(git.place.git_dir, name)


_RULES = ("config", "config.worktree", "hooks/*", "info/attributes", "info/exclude", "info/grafts")


def rules(git: Git) -> dict[str, tuple[int, int, int]]:
    """What rules git in the whole repository, beside its objects and refs: settings and hooks, by size, mode, time."""
    top = Path(git.place.common_dir)
    found = {}
    for path in (path for pattern in _RULES for path in top.glob(pattern)):
        with suppress(OSError):
            seen = path.lstat()
            found[str(path.relative_to(top))] = (seen.st_size, seen.st_mode, seen.st_mtime_ns)
    return found


def stashed(git: Git) -> list[str]:
    """The commits of the stash, which all worktrees share: the user's, too."""
    if git.place.reftable:
        return git.attempt("log", "--walk-reflogs", "--format=%H", "refs/stash", "--").stdout.decode("ascii").split()
    try:
        lines = Path(git.place.common_dir, "logs", "refs", "stash").read_bytes().splitlines()
    except OSError:
        return []
    return [words[1].decode("ascii", "replace") for line in lines if len(words := line.split(b" ", 2)) == 3]


@dataclass(frozen=True)
class Settled:
    """How a worktree was found: where its HEAD was, if it was `intact` (still on what it was made from), in words."""

    head: str | None
    intact: bool
    notes: tuple[str, ...]


def settle(git: Git, folder: Path, made: Ties, start: str) -> Settled:
    """Puts git's side of a worktree in order after somebody worked in it: detached at `start`, nothing unfinished.

    The files stay as they are, so that a commit holds all that changed since `start`, by whomever it was committed.
    `git` and `made` (its ties) are of when it was made.
    """
    if not folder.is_dir():
        return Settled(None, intact=False, notes=("the worktree was removed",))
    notes = []
    if _tied_again(git, made):
        notes.append("the worktree was cut off from its repository (.git was changed)")
    _forget_the_unfinished(git)
    head, branch = git.commit_of("HEAD"), git.head_ref()
    intact = head is not None and git.is_ancestor(start, head)
    if not intact:
        notes.insert(0, "the worktree no longer stood on the commit it was made from")
    elif head != start:
        notes.append("it committed by itself; what it committed is part of this commit")
    if branch:
        notes.append(f"it switched to the branch {branch.removeprefix('refs/heads/')}")
    if head is None:  # git may not even take it for a repository
        _put(Path(git.place.git_dir, "HEAD"), f"{start}\n".encode())
    elif branch or head != start:
        git.run("update-ref", "--no-deref", "-m", "git cto run", "HEAD", start)
    if git.attempt("ls-files", "--unmerged").returncode != 0:
        erase(Path(git.place.git_dir, "index"))
        git.run("read-tree", start)
    return Settled(head, intact, tuple(notes))


def _forget_the_unfinished(git: Git) -> None:
    for name in _UNFINISHED:
        erase(Path(git.place.git_dir, name))
    for ref in [name for name in _UNFINISHED if name.endswith("_HEAD")] if git.place.reftable else ():
        git.attempt("update-ref", "--no-deref", "-d", ref)


def _tied_again(git: Git, made: Ties) -> bool:
    """Whether a worktree had to be tied to its repository again."""
    Path(git.place.git_dir).mkdir(parents=True, exist_ok=True)
    changed = {path: said for path, said in made.items() if _said(path) != said}
    for path, said in changed.items():
        erase(path) if said is None else _put(path, said)
    return bool(changed)


def _said(path: Path) -> bytes | None:
    """What an ordinary file says; None where there is nothing; something else for whatever else is there."""
    if path.is_symlink() or path.is_dir():
        return b"?"
    return path.read_bytes() if path.is_file() else None


def _put(path: Path, content: bytes) -> None:
    """A file with this content, whatever was there."""
    erase(path)
    path.write_bytes(content)


def left_behind(git: Git, run: str) -> dict[str, Path]:
    """The worktrees of a run that are there, by their names."""
    folders = sorted(home(git, run).glob(f"{run}.*"))
    return {folder.name.removeprefix(f"{run}."): folder for folder in folders if (folder / ".git").exists()}


def clear(git: Git, run: str, refs: str) -> None:
    """Removes all worktrees of a run, and git's locks on the branches `refs` (a prefix of full refs) from a crash.

    `refs` is "" where there are no branches.
    """
    place = home(git, run)
    for folder in sorted(place.glob("*")) if place.is_dir() else ():
        if folder.is_dir():
            erase(folder)
    for entry in [*_entries(git, place), *Path(git.place.common_dir, "worktrees").glob(f"{run}.*")]:
        erase(entry)  # the latter also where git had no time to write down what it belongs to
    for lock in Path(git.place.common_dir, refs).glob("*.lock") if refs else ():
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
    end = time.monotonic() + _STALE_SECONDS  # whatever the clock of the lock says: it may be ahead
    with suppress(OSError):
        held = lock.stat()
        while time.time() - held.st_mtime < _STALE_SECONDS and time.monotonic() < end:
            time.sleep(_PAUSE)
            held = lock.stat()
        lock.unlink()


def of_the_dead(git: Git, which: str) -> Iterator[Path]:
    """The homes whose names match `which` and whose processes have died; each is cleared once it was looked at."""
    for place in sorted(home(git, "-").parent.glob(which)):
        lock = locked(place, tries=1)
        if lock is not None:  # else its process lives
            with lock:
                yield place
                clear(git, place.name, "")
                erase(place)


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
