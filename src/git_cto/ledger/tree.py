"""Reads notes trees: where an object's note may be, what it says, and how two trees differ.

Reading only. Trees are walked by us and not by `<commit>:<path>` names, because git says "missing" both where
there is no note and where there is one that cannot be read, and the second must never pass for the first. What
is written is `writing`'s business, what a line means `records`'.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from git_cto.errors import GitError
from git_cto.repo.objects import missing_object, tree_entries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from git_cto.repo.git import Git
    from git_cto.repo.objects import Objects

# What a commit does to paths of the notes tree: the id of a blob that is there already, or new content.
Edits = dict[str, str | bytes]

_CHUNK = 1 << 16  # bytes of a listing at a time
_HEX = frozenset("0123456789abcdef")
# Entries beside the notes that we take over from others. Newer git refuses to write names like `.git` or `..`.
# Patterns are compiled when they are used: that takes longer than all else that this module does at start-up.
_PLAIN = r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*"


def home(object_id: str) -> str:
    """The path of a new note: two levels of folders, so that of 100,000 notes no folder has more than 256."""
    return f"{object_id[:2]}/{object_id[2:4]}/{object_id[4:]}"


def kept(path: str) -> str:
    """The path of something kept beside the notes: `changes/<id>` is at `changes/<2 digits>/<rest>`.

    Every append writes the folders on its way anew: a flat one would make each append as large as the ledger.
    """
    folder, _, name = path.rpartition("/")
    return f"{folder}/{name[:2]}/{name[2:]}" if folder else path


def annotated(path: str, oid_length: int) -> str | None:
    """The object that a path of a notes tree is a note of, whatever the fanout; None where it is no note."""
    *folders, rest = path.split("/")
    digits = "".join(folders) + rest
    if len(digits) != oid_length or not rest or not _HEX.issuperset(digits):
        return None
    return digits if all(len(folder) == 2 for folder in folders) else None


def lines_of(note: bytes) -> list[bytes]:
    """The lines of a note, once each, in order. The blank ones, which `git notes append` puts between, are none."""
    return list(dict.fromkeys(line for line in note.split(b"\n") if line.strip()))


def joined(lines: Iterable[bytes]) -> bytes:
    """Lines as the content of a note."""
    return b"".join(line + b"\n" for line in lines)


class Tree:
    """The notes tree of a commit; empty where the commit is None."""

    def __init__(self, reader: Objects, commit: str | None) -> None:
        self.commit = commit
        self._reader = reader
        self._folders: dict[str, dict[bytes, list[tuple[bytes, str]]]] = {}
        self._root = self._tree_of(commit) if commit else None

    def _tree_of(self, commit: str) -> str:
        found = self._reader.read(commit)
        if found is None:
            raise missing_object(commit)
        if found[0].type != "commit":
            raise GitError(f"{commit[:12]} is a {found[0].type}, no commit of notes.", "git cto doctor")
        return found[1].partition(b"\n")[0].removeprefix(b"tree ").decode()

    def _entries(self, oid: str, name: str) -> list[tuple[bytes, str]]:
        """(mode, object id) of what has this name in one folder.

        That is one thing, or none. But a tree can be made by hand, and where git sees no difference to ours, an empty
        folder of the same name must not hide what is in the other one.
        """
        if oid not in self._folders:
            found = self._reader.read(oid)
            if found is None or found[0].type != "tree":
                raise missing_object(oid)
            folder: dict[bytes, list[tuple[bytes, str]]] = {}
            for known, entry in tree_entries(found[1], len(oid) // 2):
                folder.setdefault(known, []).append(entry)
            self._folders[oid] = folder
        return self._folders[oid].get(name.encode(), [])

    def notes(self, object_id: str) -> list[tuple[str, str]]:
        """(path, blob id) of every note of the object: one, or more where another fanout was merged in."""
        found: dict[tuple[str, str], None] = {}
        folders, rest = [self._root] if self._root else [], object_id
        while folders:
            depth = (len(object_id) - len(rest)) // 2
            path = "".join(object_id[2 * level : 2 * level + 2] + "/" for level in range(depth)) + rest
            here = (entry for folder in folders for entry in self._entries(folder, rest))
            found.update({(path, oid): None for mode, oid in here if mode.startswith((b"100", b"12"))})  # links as well
            folders, rest = self._below(folders, rest[:2]), rest[2:]
        return list(found)

    def _below(self, folders: Iterable[str], name: str) -> list[str]:
        """The folders of this name in these folders."""
        entries = (entry for folder in folders for entry in self._entries(folder, name))
        return list(dict.fromkeys(oid for mode, oid in entries if mode == b"40000"))

    def has(self, path: str) -> bool:
        """Whether there is an entry at this path."""
        folders = [self._root] if self._root else []
        *above, last = path.split("/")
        for name in above:
            folders = self._below(folders, name)
        return any(self._entries(folder, last) for folder in folders)

    def lines(self, object_id: str) -> list[bytes]:
        """The lines on an object: the union of its notes, once each, in order."""
        return self.lines_in(self.notes(object_id))

    def lines_in(self, notes: Iterable[tuple[str, str]]) -> list[bytes]:
        """The union of the lines of these notes, (path, blob id)."""
        return lines_of(b"\n".join(self.blob(oid) for _, oid in notes))

    def blob(self, oid: str) -> bytes:
        """The content of a note. One that cannot be read is an error, never "no note"."""
        content = self._reader.blob(oid)
        if content is None:
            raise missing_object(oid)
        return content


class Lines(Struct, frozen=True):
    """How many different lines: so many records, and so many that have other signatures for a record."""

    records: int = 0
    signatures: int = 0

    def __add__(self, other: Lines) -> Lines:
        return Lines(self.records + other.records, self.signatures + other.signatures)

    def __bool__(self) -> bool:
        return bool(self.records or self.signatures)


class _Found:
    """Lines that one side has and the other has not."""

    def __init__(self) -> None:
        self._lines: set[int] = set()
        self._records: set[int] = set()
        self._known: set[int] = set()

    def add(self, fresh: Iterable[bytes], known: Iterable[bytes]) -> None:
        """Takes lines, and those that the other side has on the same object."""
        some = list(fresh)
        if some:
            from git_cto.ledger.records import payload_of  # noqa: PLC0415 -- start-up: only where lines are compared

            self._lines.update(map(hash, some))
            self._records.update(hash(payload_of(line)) for line in some)
            self._known.update(hash(payload_of(line)) for line in known)

    @property
    def counted(self) -> Lines:
        """How many there are."""
        records = len(self._records - self._known)
        return Lines(records, len(self._lines) - records)


def counted(lines: Iterable[bytes]) -> Lines:
    """How many records different lines are, and how many of them have other signatures for one."""
    found = _Found()
    for line in lines:
        found.add((line,), ())
    return found.counted


class Difference:
    """What another notes tree has that ours has not, and the other way round.

    `edits` make ours the union of both; `gained` and `lacking` count the different lines that are new to us and
    to them; `contained` says whether theirs has everything of ours.
    """

    def __init__(self) -> None:
        self.edits: Edits = {}
        self.contained = True
        self._gained = _Found()
        self._lacking = _Found()

    @property
    def gained(self) -> Lines:
        """How many different lines are new to us."""
        return self._gained.counted

    @property
    def lacking(self) -> Lines:
        """How many different lines are new to them."""
        return self._lacking.counted

    def add(self, object_id: str, ours: Tree, theirs: Tree) -> None:
        """Compares the notes of one object."""
        mine, others = ours.notes(object_id), theirs.notes(object_id)
        have, come = ours.lines_in(mine), theirs.lines_in(others)
        known = set(have)
        fresh = [line for line in come if line not in known]
        lacking = known.difference(come)
        self._gained.add(fresh, have)
        self._lacking.add(lacking, come)
        self.contained = self.contained and not lacking
        if fresh and not mine:
            self.edits[home(object_id)] = others[0][1] if len(others) == 1 else joined(come)
        elif fresh:
            path, oid = mine[0]
            self.edits[path] = joined([*lines_of(ours.blob(oid)), *fresh])


def compare(git: Git, reader: Objects, ours: str, theirs: str) -> Difference:
    """Compares the trees of two notes commits. The cost follows the difference, not the size."""
    found = Difference()
    objects: dict[str, None] = {}
    beside: dict[str, str] = {}
    removed: set[str] = set()
    for path, status, mode, oid in _differing(git, ours, theirs):
        object_id = annotated(path, git.place.oid_length)
        if object_id:
            objects[object_id] = None
        elif status == "A" and mode.startswith("100") and re.fullmatch(_PLAIN, path):
            beside[path] = oid
        elif status != "A":
            found.contained = False
            removed.add(path)
    # A file of theirs where we have a folder, or the other way round: writing it would remove what we have.
    folders = {above for path in removed for above in _parents(path)}
    found.edits.update({p: oid for p, oid in beside.items() if p not in folders and removed.isdisjoint(_parents(p))})
    our_tree, their_tree = Tree(reader, ours), Tree(reader, theirs)
    for object_id in objects:
        found.add(object_id, our_tree, their_tree)
    return found


def _differing(git: Git, ours: str, theirs: str) -> Iterator[tuple[str, str, str, str]]:
    """(path, status, their mode, their blob) of every path at which the trees differ."""
    options = ["-r", "-z", "--raw", "--no-abbrev", "--no-renames", "--ignore-submodules=none"]
    out = git.run("diff-tree", *options, ours, theirs, "--").decode("utf-8", "surrogateescape").split("\0")
    for meta, path in zip(out[0::2], out[1::2], strict=False):
        _, mode, _, oid, status = meta.split(" ")
        yield path, status, mode, oid


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def listing(git: Git, commit: str) -> Iterator[tuple[str, str]]:
    """(object, blob id) of every note of a notes commit, as git lists them."""
    process = git.open("ls-tree", "-r", "-z", "--full-tree", commit)
    assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 -- opened with pipes
    with process:
        process.stdin.close()
        rest = b""
        while chunk := process.stdout.read(_CHUNK):
            *entries, rest = (rest + chunk).split(b"\0")
            for entry in entries:
                meta, _, path = entry.decode("utf-8", "replace").partition("\t")
                object_id = annotated(path, git.place.oid_length)
                if object_id and not meta.startswith("16"):
                    yield object_id, meta.rpartition(" ")[2]
    if process.returncode:
        raise GitError(f"The notes at {commit[:12]} cannot be read.", "git fsck")


def distinct_lines(git: Git, commit: str) -> Iterator[bytes]:
    """Every different line of a notes commit, once each. Memory grows with their number, not their length."""
    from hashlib import blake2b  # noqa: PLC0415 -- start-up: reading a few notes needs no digest

    blobs, seen = set[str](), set[bytes]()
    with git.objects() as reader:
        tree = Tree(reader, commit)
        for _, blob in listing(git, commit):
            if blob in blobs:  # head, change and series often carry the very same note
                continue
            blobs.add(blob)
            for line in lines_of(tree.blob(blob)):
                digest = blake2b(line, digest_size=16).digest()
                if digest not in seen:
                    seen.add(digest)
                    yield line
