"""What landed on a branch: each commit of its first-parent history with what it changed, read as one stream.

Also puts several of them together into the one change that they are: a rebased branch lands as a row of commits. Who
approved what is not known here.
"""

from __future__ import annotations

import hashlib
from typing import IO, TYPE_CHECKING

from msgspec import Struct

from git_cto.model import Change, FileChange
from git_cto.repo.change import blob_id
from git_cto.repo.git import git_error

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from git_cto.repo.lens import Lens

_CHUNK = 1 << 16  # bytes
_LONGEST_TIME = 18  # digits
_FIELDS = ("%H", "%T", "%P", "%ct", "%s")
_LOG = (
    *("-c", "core.deltaBaseCacheLimit=1m"),  # git fills whatever it may, and is no faster with more
    "log",
    "--first-parent",
    "--diff-merges=first-parent",
    "-r",
    "--raw",
    "-z",
    "--no-abbrev",
    "--no-renames",
    "--ignore-submodules=none",
    "--format=" + "%x00".join(_FIELDS),
)


class Landing(Struct, frozen=True):
    """One commit of a branch's first-parent history, and the files that it changed there.

    `parents` is empty for the first commit of a history; `time` is the committer's, in seconds since 1970.
    """

    commit: str
    tree: str
    parents: tuple[str, ...]
    time: int
    subject: str
    files: tuple[FileChange, ...]

    @property
    def onto(self) -> str:
        """The commit that the branch stood at before; "" for the first one."""
        return self.parents[0] if self.parents else ""


def landings(lens: Lens, tip: str, without: Sequence[str] = ()) -> Generator[Landing, None, None]:
    """What landed on the way to commit `tip`, the newest first, down to one of `without`, at which the branch stood.

    Takes the same memory for any length of history: git is not told of the end, since it would look for it before it
    says anything, and keep all of it. Raises `GitError` where history is missing.
    """
    argv = (*_LOG, tip, "--")
    process = lens.open(*argv)
    assert process.stdin is not None  # noqa: S101 -- opened with pipes
    assert process.stdout is not None  # noqa: S101
    process.stdin.close()
    try:
        for landing in _parsed(_tokens(process.stdout)):
            if landing.commit in without:
                return
            yield landing
        process.stdout.close()
        if process.wait() != 0:
            done = lens.attempt("rev-list", "--first-parent", "--count", *argv[len(_LOG) :])
            raise git_error(("log",), process.returncode, done.stderr)
    finally:
        process.stdout.close()
        process.kill()  # whoever reads may have seen enough
        process.wait()


def _tokens(stream: IO[bytes]) -> Iterator[bytes]:
    left = b""
    while chunk := stream.read(_CHUNK):
        *whole, left = (left + chunk).split(b"\0")
        yield from whole
    if left:
        yield left


def _parsed(tokens: Iterator[bytes]) -> Iterator[Landing]:
    """What git wrote: the fields of a commit, then pairs of a line that begins with a colon and a path."""
    token = next(tokens, None)
    while token is not None:
        fields = [token, *(next(tokens, b"") for _ in _FIELDS[1:])]
        files = []
        token = next(tokens, None)
        while token is not None and token.lstrip(b"\n").startswith(b":"):
            old_mode, new_mode, old_oid, new_oid, status = token.lstrip(b"\n")[1:].decode("ascii").split(" ")
            files.append(FileChange(next(tokens, b""), old_mode, new_mode, old_oid, new_oid, status[:1]))
            token = next(tokens, None)
        yield _landing(fields, tuple(files))


def _landing(fields: Sequence[bytes], files: tuple[FileChange, ...]) -> Landing:
    commit, tree, parents, time, subject = (field.decode("utf-8", "replace") for field in fields)
    when = int(time or 0) if len(time) <= _LONGEST_TIME else 0  # git takes any number of digits for a date
    return Landing(commit, tree, tuple(parents.split()), when, subject, files)


class Row:
    """Landings that follow each other, put together from the newest to the oldest as the one change that they are."""

    def __init__(self, newest: Landing) -> None:
        self.landings = [newest]
        self._files = {file.path: file for file in newest.files}

    def extend(self, older: Landing) -> None:
        """Puts the landing before the oldest one in front."""
        self.landings.append(older)
        for file in older.files:
            later = self._files.get(file.path)
            self._files[file.path] = file if later is None else _one_after_the_other(file, later)

    @property
    def back_again(self) -> tuple[str, ...]:
        """The files that were changed on the way, and are in the end what they were."""
        return tuple(file.name for _, file in sorted(self._files.items()) if not _differs(file))

    def change(self, object_format: str) -> Change:
        """What all of them change together, with the id that git's listing of it has."""
        files = tuple(file for _, file in sorted(self._files.items()) if _differs(file))
        raw = listing(files)
        newest, oldest = self.landings[0], self.landings[-1]
        return Change(
            id=blob_id(raw, object_format),
            sha256=hashlib.sha256(raw).hexdigest(),
            base=oldest.onto,
            head=newest.commit,
            tree=newest.tree,
            raw=raw,
            files=files,
        )


def _differs(file: FileChange) -> bool:
    return (file.old_mode, file.old_oid) != (file.new_mode, file.new_oid)


def _one_after_the_other(first: FileChange, second: FileChange) -> FileChange:
    old, new = first.old_mode, second.new_mode
    if old == "000000":
        status = "A"
    elif new == "000000":
        status = "D"
    else:
        status = "M" if old[:3] == new[:3] else "T"
    return FileChange(first.path, old, new, first.old_oid, second.new_oid, status)


def listing(files: Iterable[FileChange]) -> bytes:
    """These files as `git diff-tree --raw -z` lists them."""
    return b"".join(
        f":{one.old_mode} {one.new_mode} {one.old_oid} {one.new_oid} {one.status}\0".encode() + one.path + b"\0"
        for one in files
    )
