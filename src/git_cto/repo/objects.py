"""Reads objects of a repository through one `git cat-file`; writes none."""

from __future__ import annotations

import contextlib
from typing import IO, TYPE_CHECKING

from msgspec import Struct

from git_cto.errors import GitError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import TracebackType
    from typing import Self

    from git_cto.repo.git import Git

_PIPE = 4096  # bytes that every pipe holds
_CACHE = "2m"  # of what git builds others from; it fills whatever it may, and is no faster here with more
_MODES = frozenset((b"100644", b"100755", b"120000", b"40000", b"160000"))


class MalformedTreeError(GitError):
    """A tree was made by hand so that it says several things at once, or nothing."""

    code = "malformed_tree"


class ObjectInfo(Struct, frozen=True):
    """Id, type (`commit`, `tree`, `blob`, `tag`) and size in bytes of an object."""

    oid: str
    type: str
    size: int


class Objects:
    """Reads objects by name through one `git cat-file --batch-command`; a context manager.

    A name is whatever git takes (`<oid>`, `<commit>:<path>`, a full ref); one that names nothing is None.
    """

    def __init__(self, git: Git) -> None:
        self._process = git.open("-c", f"core.deltaBaseCacheLimit={_CACHE}", "cat-file", "--batch-command")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._in.close()
        self._out.close()
        self._process.kill()  # it only reads; it may be stuck in an answer that nobody wants, or be slow to end
        self._process.wait()

    @property
    def _in(self) -> IO[bytes]:
        assert self._process.stdin is not None  # noqa: S101 -- opened with a pipe
        return self._process.stdin

    @property
    def _out(self) -> IO[bytes]:
        assert self._process.stdout is not None  # noqa: S101 -- opened with a pipe
        return self._process.stdout

    def _ask(self, verb: str, name: str) -> ObjectInfo | None:
        if "\n" in name or "\0" in name:
            return None
        self._send(f"{verb} {name}\n".encode("utf-8", "surrogateescape"))
        return self._answer()

    def _send(self, questions: bytes) -> None:
        try:
            self._in.write(questions)
            self._in.flush()
        except OSError as gone:
            raise GitError("git cat-file ended early.", "git fsck") from gone

    def _answer(self) -> ObjectInfo | None:
        head = self._out.readline()
        if not head.endswith(b"\n"):
            raise GitError("git cat-file ended early.", "git fsck")
        if head.endswith((b" missing\n", b" ambiguous\n")):
            return None
        oid, kind, size = head.decode().split()
        return ObjectInfo(oid, kind, int(size))

    def _ahead(self, verb: str, oids: Iterable[str]) -> Iterator[ObjectInfo | None]:
        """The answers about many objects, asked for so far ahead that neither side waits for the other.

        What is on its way to git has to fit into the smallest pipe there is, or both could wait forever.
        """
        waiting = 0
        questions = b""
        for question in (f"{verb} {oid}\n".encode() for oid in oids):
            if len(questions) + len(question) > _PIPE:
                self._send(questions)
                for _ in range(waiting):
                    yield self._answer()
                questions, waiting = b"", 0
            questions += question
            waiting += 1
        self._send(questions)
        for _ in range(waiting):
            yield self._answer()

    def info(self, name: str) -> ObjectInfo | None:
        """What the object is, without reading it."""
        return self._ask("info", name)

    def read(self, name: str) -> tuple[ObjectInfo, bytes] | None:
        """The whole object."""
        info = self._ask("contents", name)
        return None if info is None else (info, self._body(info))

    def _body(self, info: ObjectInfo) -> bytes:
        body = self._out.read(info.size)
        if len(body) != info.size or self._out.read(1) != b"\n":
            raise GitError("git cat-file ended early.", "git fsck")
        return body

    def infos(self, oids: Sequence[str]) -> Iterator[ObjectInfo]:
        """What these objects are, in order; read it to the end. Raises `GitError` for one that is not here."""
        for oid, info in zip(oids, self._ahead("info", oids), strict=True):
            if info is None:
                raise missing_object(oid)
            yield info

    def contents(self, oids: Sequence[str]) -> Iterator[bytes]:
        """The contents of these objects, in order; read it to the end. Raises `GitError` for one that is not here."""
        for oid, info in zip(oids, self._ahead("contents", oids), strict=True):
            if info is None:
                raise missing_object(oid)
            yield self._body(info)

    def blob(self, name: str) -> bytes | None:
        """The content of a blob, or None where the name is nothing or something else."""
        found = self.read(name)
        return found[1] if found is not None and found[0].type == "blob" else None

    def first_parent(self, commit: str) -> str | None:
        """The first parent that a commit names; None where it names none or is not here."""
        found = self.read(commit)
        lines = found[1].split(b"\n", 2) if found and found[0].type == "commit" else []
        named = len(lines) > 1 and lines[1].startswith(b"parent ")
        return lines[1].removeprefix(b"parent ").decode("ascii") if named else None

    def _tree_of(self, commit: str) -> str:
        """The tree of a commit, or a name for it. Where git is asked for that by name, it keeps the commit for good."""
        found = self.read(commit)
        line = found[1].partition(b"\n")[0] if found and found[0].type == "commit" else b""
        return line.removeprefix(b"tree ").decode("ascii") if line.startswith(b"tree ") else f"{commit}^{{tree}}"

    def entry(self, commit: str, path: str) -> tuple[str, str] | None:
        """Mode and object id of what a commit has at this path; None where it has nothing there."""
        mode, oid = b"40000", self._tree_of(commit)
        for name in path.split("/"):
            if mode != b"40000":
                return None
            found = self.read(oid)
            if found is None or found[0].type != "tree":
                raise missing_object(oid)
            there = [one for known, one in tree_entries(found[1], len(found[0].oid) // 2) if known == name.encode()]
            if not there:
                return None
            if len(there) > 1:
                raise _malformed(f"names {name!a} twice")  # git takes one of them here and the other one there
            mode, oid = there[0]
        return mode.decode(), oid


def tree_entries(tree: bytes, width: int) -> Iterator[tuple[bytes, tuple[bytes, str]]]:
    """(name, (mode, object id)) of each entry of a tree object; `width` is the length of an id in bytes.

    Modes are what git takes them for: however one was written down, a comparison of trees shows no difference.
    """
    at = 0
    while at < len(tree):
        end = tree.find(b"\0", at)
        mode, _, name = tree[at:end].partition(b" ")
        at = end + 1 + width
        if end < 0 or at > len(tree):
            raise _malformed("cannot be read")
        yield name, (mode if mode in _MODES else _meant(mode), tree[end + 1 : at].hex())


def _meant(mode: bytes) -> bytes:
    """What git takes an odd mode for, like `040000` or `100664`."""
    try:
        number = int(mode, 8) & 0xFFFFFFFF
    except ValueError:
        raise _malformed("cannot be read") from None
    kind = number & 0o170000
    if kind == 0o100000:
        return b"100755" if number & 0o100 else b"100644"
    return {0o120000: b"120000", 0o040000: b"40000"}.get(kind, b"160000")


def _malformed(how: str) -> MalformedTreeError:
    return MalformedTreeError(f"A tree here {how}, so what it says is not well defined.", "git fsck")


def missing_object(name: str) -> GitError:
    """The error for an object that should be here and is not."""
    return GitError(
        f"Object {name[:12]} is missing from this repository.",
        "git fetch --refetch (partial clone), git fetch --unshallow (shallow clone), or git fsck",
        code="missing_object",
    )
