"""The files beside the ledger: prompts, event streams and answers of each call, numbered, in `.codex-cto/<slug>/`.

They are for people to read and nothing rests on them. The folder lies in the main worktree and ignores itself. What a
repository brings along, a link in particular, cannot lead a write out of it.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import TYPE_CHECKING

from git_cto.errors import ToolError, typed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from git_cto.repo.git import Git

FOLDER = ".codex-cto"
_NUMBERED = re.compile(r"\.?(?P<kind>[a-z]+)-(?P<number>\d{3,9})(?:\..*)?")
_ALL = b"*\n"


class ArtifactsError(ToolError):
    """Artifacts cannot be kept here (no worktree, no permission, a link in the way). The work can go on without."""

    code = "no_artifacts"


def main_worktree(git: Git) -> str:
    """The folder of the main worktree; `ArtifactsError` where the repository has none."""
    place = git.place
    if place.git_dir == place.common_dir:
        found = place.worktree
    else:
        first = git.run("worktree", "list", "--porcelain", "-z").split(b"\0\0", 1)[0].split(b"\0")
        found = None if b"bare" in first else os.fsdecode(first[0].removeprefix(b"worktree "))
    if found is None:
        raise ArtifactsError("A bare repository has no place for artifacts.", "work in a clone with files")
    return found


class Artifacts:
    """The artifacts of one run or series. `slug` is one path component.

    `place` is a folder for artifacts and nothing else, where there is one; they are in the main worktree otherwise.
    """

    def __init__(self, git: Git, slug: str, place: str = "") -> None:
        if slug in {"", ".", ".."} or "/" in slug or "\0" in slug:
            raise ArtifactsError(f"{slug!r} is no name for a folder.")
        self._root = place or main_worktree(git)
        self._above = "" if place else FOLDER
        self._slug = slug

    @property
    def path(self) -> str:
        """The folder, absolute. It is made when something is put in it."""
        return os.path.join(self._root, self._above, self._slug)

    def reserve(self, kind: str) -> Slot:
        """The next number for `kind` (lower-case letters, e.g. "plan"), which no other process gets."""
        if not kind.isascii() or not kind.isalpha() or not kind.islower():
            raise ArtifactsError(f"{kind!r} is no kind of artifact.")
        with self.folder() as folder:
            used = [m for m in map(_NUMBERED.fullmatch, os.listdir(folder)) if m and m["kind"] == kind]
            number = max((int(match["number"]) for match in used), default=0)
            while True:
                number += 1
                # An empty file of its own takes the number, so that what has a name is always whole.
                with contextlib.suppress(FileExistsError):
                    name = f"{kind}-{number:03}"
                    os.close(_create(f".{name}", folder))
                    return Slot(self, name)

    @contextlib.contextmanager
    def folder(self) -> Iterator[int]:
        """The open folder, made if need be. What goes wrong inside is an `ArtifactsError` too."""
        opened: list[int] = []
        try:
            opened.append(os.open(self._root, os.O_RDONLY | os.O_DIRECTORY))
            if self._above:
                opened.append(_enter(self._above, opened[-1]))
                _ignore_itself(opened[-1])
            opened.append(_enter(self._slug, opened[-1]))
            yield opened[-1]
        except OSError as error:
            raise ArtifactsError(
                f"Artifacts cannot be kept in {self.path}: {error.strerror}.",
                f"ls -ld {typed(os.path.join(self._root, self._above))}",
            ) from error
        finally:
            for folder in opened:
                os.close(folder)


class Slot:
    """The artifacts of one call: `plan-001.json`, `plan-001.prompt.md`, `plan-001.events.jsonl`, ..."""

    def __init__(self, artifacts: Artifacts, name: str) -> None:
        self._artifacts = artifacts
        self.name = name

    def path(self, suffix: str = "json") -> str:
        """The absolute path of one of them, whether or not it is there yet."""
        return os.path.join(self._artifacts.path, f"{self.name}.{suffix}")

    @property
    def answer(self) -> str:
        """The path of the answer."""
        return self.path("json")

    def write(self, suffix: str, content: bytes) -> str:
        """Writes a whole file, or none at all, and returns its path."""
        with self._artifacts.folder() as folder:
            _put(f"{self.name}.{suffix}", content, folder)
        return self.path(suffix)

    def stream(self, suffix: str) -> BinaryIO:
        """A new file, open and unbuffered, for what arrives bit by bit. The caller closes it."""
        with self._artifacts.folder() as folder:
            return open(_create(f"{self.name}.{suffix}", folder), "wb", buffering=0)


def _enter(name: str, parent: int) -> int:
    """Opens a folder, made if it is not there; a link is refused, wherever it leads."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, dir_fd=parent)
    return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)


def _create(name: str, folder: int) -> int:
    return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666, dir_fd=folder)


def _put(name: str, content: bytes, folder: int) -> None:
    """A file under its name is complete: it is written under another one, then renamed."""
    temporary = f".{name}.{os.getpid()}.tmp"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary, dir_fd=folder)  # of a process that was killed and had our number
    try:
        with open(_create(temporary, folder), "wb") as file:
            file.write(content)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise


def _ignore_itself(folder: int) -> None:
    """Puts a `.gitignore` in unless there is one; whoever changed it meant to."""
    try:
        there = os.stat(".gitignore", dir_fd=folder, follow_symlinks=False).st_size > 0
    except FileNotFoundError:
        there = False
    if not there:
        _put(".gitignore", _ALL, folder)
