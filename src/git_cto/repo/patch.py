"""How a change is shown: which of its files in full, which only counted or listed, and the canonical patch.

The patch is rendered from objects in a `Lens`, so that no attribute, configuration or working tree bends it. Whether
what was not shown bars an approval is decided in `gate.rule`.
"""

from __future__ import annotations

import codecs
import hashlib
import os
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from git_cto.model import Coverage, CoverageStatus, FileChange, FileCoverage
from git_cto.repo.change import blobs_of
from git_cto.repo.git import git_error, missing_object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from git_cto.model import Change
    from git_cto.repo.git import Lens, Objects

PATCH_OPTIONS = (
    "-r",
    "-p",
    "--no-ext-diff",
    "--no-textconv",
    "--text",
    "--full-index",
    "--no-renames",
    "--ignore-submodules=none",
    "--submodule=short",
    "--no-color",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--diff-algorithm=myers",
    "--no-indent-heuristic",
    "--inter-hunk-context=0",
    "-U3",
)
PATCH_SETTINGS = ("-c", "diff.suppressBlankEmpty=false", "-c", "diff.orderFile=", "-c", "core.quotePath=true")

LARGEST_BLOB = 8 << 20  # bytes; git holds both sides of what it compares in memory
RECORDED_FILES = 100  # how many files that are not full a record names
_READ = 1 << 20  # bytes of patch at a time
_ARGUMENTS = 64 << 10  # bytes of path names in one command line
_LFS = b"version https://git-lfs.github.com/spec/"
_LFS_LARGEST = 1024
_SYMLINK, _SUBMODULE, _ABSENT = "120000", "160000", "000000"
_SECTION = re.compile(rb"^diff --git ", re.MULTILINE)


@dataclass(frozen=True)
class Shown:
    """One file of a change as the reviewer sees it. `patch` and `content` are "" where they are not shown."""

    file: FileChange
    coverage: FileCoverage
    patch: str = ""
    content: str = ""  # the new side, where it fits


@dataclass(frozen=True)
class View:
    """A change as the reviewer sees it, file by file in the change's order."""

    files: tuple[Shown, ...]
    coverage: Coverage
    patch_bytes: int = 0  # of the canonical patch as far as it was rendered

    @property
    def lines(self) -> tuple[int, int]:
        """Lines added and removed, as far as patches are shown."""
        bodies = [one.patch.partition("\n@@")[2] for one in self.files]
        return sum(body.count("\n+") for body in bodies), sum(body.count("\n-") for body in bodies)


@dataclass(frozen=True)
class _Kind:
    status: CoverageStatus
    reason: str = ""
    size: int = 0


def view(lens: Lens, change: Change, *, max_bytes: int, summarise: Callable[[str], bool]) -> View:
    """Renders a change within `max_bytes` of patch and new content (UTF-8 bytes).

    Patches come first, in the change's order: a file whose patch does not fit any more is omitted. What is left of
    the budget goes to the new content of modified files, the smallest first.
    """
    with lens.objects() as objects:
        kinds = [_classify(objects, file, summarise) for file in change.files]
        wanted = [file for file, kind in zip(change.files, kinds, strict=True) if kind.status == "full"]
        # A file whose smallest possible patch is over the budget is not even rendered: memory stays bounded.
        patches = _Budgeted(max_bytes)
        for file, section in _sections(lens, change, wanted):
            patches.add(file, section)
        contents = _contents(objects, wanted, patches)
    shown = []
    for file, kind in zip(change.files, kinds, strict=True):
        status, reason, patch = kind.status, kind.reason, ""
        if status == "full":
            found = patches.kept.get(file.path)
            if found is None:
                status, reason = "omitted", "over the budget"
            patch = found or ""
        covered = FileCoverage(path=file.name, status=status, reason=reason)
        shown.append(Shown(file, covered, patch, contents.get(file.path, "")))
    return View(tuple(shown), summarise_coverage([one.coverage for one in shown]), patches.seen)


def summarise_coverage(files: Iterable[FileCoverage]) -> Coverage:
    """Counts and digest over the coverage of all files; names those that are not full, as far as a record can hold."""
    listing = list(files)
    counts = {s: sum(f.status == s for f in listing) for s in ("full", "summarised", "listed", "omitted")}
    digest = hashlib.sha256("".join(f"{f.status} {f.path}\n" for f in listing).encode("utf-8")).hexdigest()
    partly = [file for file in listing if file.status != "full"]
    return Coverage(
        files=len(listing),
        digest=digest,
        partly=tuple(partly[:RECORDED_FILES]),
        cut=max(0, len(partly) - RECORDED_FILES),
        **counts,
    )


# ---- what each file is ---------------------------------------------------------------------------------------------


def _classify(objects: Objects, file: FileChange, summarise: Callable[[str], bool]) -> _Kind:  # noqa: PLR0911 -- one per kind
    modes = {file.old_mode, file.new_mode}
    if _SUBMODULE in modes:
        return _Kind("listed", f"submodule, {file.old_oid[:12]} -> {file.new_oid[:12]}")
    sizes = [_size(objects, oid) for oid in blobs_of(file)]
    span = " -> ".join(f"{size:,}" for size in sizes) + " bytes"
    if _SYMLINK in modes:
        return _Kind("listed", f"symbolic link, {_links(objects, file)}")
    if max(sizes, default=0) > LARGEST_BLOB:
        text = all(_is_text(objects, oid) for oid in blobs_of(file))
        return _Kind("omitted", f"too large to compare, {span}") if text else _Kind("listed", f"binary, {span}")
    for oid, size in zip(blobs_of(file), sizes, strict=True):
        content = objects.blob(oid)
        if content is None:
            raise missing_object(oid)
        if not _text(content):
            return _Kind("listed", f"binary, {span}")
        if size <= _LFS_LARGEST and content.startswith(_LFS):
            return _Kind("listed", "LFS pointer")
    if summarise(file.name):
        return _Kind("summarised", span)
    return _Kind("full", size=sizes[-1] if file.new_mode != _ABSENT else 0)


def _size(objects: Objects, oid: str) -> int:
    info = objects.info(oid)
    if info is None:
        raise missing_object(oid)
    return info.size


def _links(objects: Objects, file: FileChange) -> str:
    sides = []
    for mode, oid in ((file.old_mode, file.old_oid), (file.new_mode, file.new_oid)):
        if mode == _SYMLINK:
            sides.append("to " + ascii((objects.blob(oid) or b"")[:500].decode("utf-8", "replace")))
        else:
            sides.append("nothing" if mode == _ABSENT else "a file")
    return " -> ".join(sides)


def _text(content: bytes) -> bool:
    if b"\0" in content:
        return False
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _is_text(objects: Objects, oid: str) -> bool:
    """The same for a blob that is too large to hold; it is read to its end in any case."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    text = True
    for chunk in objects.stream(oid):
        if text and b"\0" in chunk:
            text = False
        if text:
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError:
                text = False
    return text


# ---- the canonical patch -------------------------------------------------------------------------------------------


class _Budgeted:
    """Keeps sections of the patch as long as they fit, in the order they come."""

    def __init__(self, budget: int) -> None:
        self.left = budget
        self.kept: dict[bytes, str] = {}
        self.seen = 0

    def add(self, file: FileChange, section: bytes | None) -> None:
        """Takes one section; None is one that was larger than any budget."""
        if section is None:
            return
        self.seen += len(section)
        if len(section) <= self.left:
            self.left -= len(section)
            self.kept[file.path] = section.decode("utf-8")


def _sections(lens: Lens, change: Change, wanted: list[FileChange]) -> Iterator[tuple[FileChange, bytes | None]]:
    """Each wanted file with its section of the canonical patch, in order."""
    skipped = len(wanted) != len(change.files)
    for batch in _batches(wanted) if skipped else [wanted]:
        if not batch:
            return
        paths = [file.path for file in batch] if skipped else []
        yield from zip(batch, _rendered(lens, change, paths), strict=True)


def _batches(files: list[FileChange]) -> Iterator[list[FileChange]]:
    batch: list[FileChange] = []
    size = 0
    for file in files:
        if batch and size + len(file.path) > _ARGUMENTS:
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += len(file.path) + 1
    yield batch


def _rendered(lens: Lens, change: Change, paths: list[bytes]) -> Iterator[bytes]:
    names = [os.fsdecode(path) for path in paths]
    argv = (*PATCH_SETTINGS, "diff-tree", *PATCH_OPTIONS, "--end-of-options", change.base, change.head, "--", *names)
    process = lens.open(*argv)
    assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 -- opened with pipes
    process.stdin.close()
    finished = False
    try:
        yield from _split(iter(lambda: process.stdout.read(_READ), b""))  # type: ignore[union-attr]
        finished = True
    finally:
        process.stdout.close()
        if not finished:
            process.kill()
        returncode = process.wait()
    if returncode != 0:
        raise git_error(("diff-tree",), returncode, b"the patch could not be rendered")


def _split(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Cuts a patch where a file begins. No line of content starts like that: each has a sign in front."""
    rest = b""
    for chunk in chunks:
        rest += chunk
        starts = [match.start() for match in _SECTION.finditer(rest)]
        # The first start is where `rest` begins; one at the very end may be half a line and waits.
        for start, end in pairwise(starts):
            yield rest[start:end]
        if len(starts) > 1:
            rest = rest[starts[-1] :]
    if rest:
        yield rest


def _contents(objects: Objects, wanted: list[FileChange], patches: _Budgeted) -> dict[bytes, str]:
    """The new content of modified files whose patch is shown, as far as the budget goes, the smallest first."""
    modified = [
        (_size(objects, file.new_oid), file) for file in wanted if file.status == "M" and file.path in patches.kept
    ]
    contents: dict[bytes, str] = {}
    for size, file in sorted(modified, key=lambda pair: pair[0]):
        if size > patches.left:
            break
        content = objects.blob(file.new_oid)
        if content is None:
            raise missing_object(file.new_oid)
        patches.left -= size
        contents[file.path] = content.decode("utf-8")
    return contents
