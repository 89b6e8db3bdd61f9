"""How a change is shown: which of its files in full, which only counted or listed, and the canonical patch.

The patch is rendered from objects in a `Lens`, so that no attribute, configuration or working tree bends it. Whether
what was not shown bars an approval is decided in `gate.rule`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from git_cto.model import Coverage, CoverageStatus, FileChange, FileCoverage
from git_cto.repo.change import blobs_of
from git_cto.repo.git import git_error
from git_cto.repo.objects import MalformedTreeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from git_cto.model import Change
    from git_cto.repo.lens import Lens
    from git_cto.repo.objects import Objects

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

LARGEST_BLOB = 8 << 20  # bytes; git holds both sides of what it compares in memory, and what their deltas rest on
RECORDED_FILES = 100  # how many files that are not full a record names
MOST_LINES = 500_000  # of both sides; git needs some hundred bytes for each to compare them
_READ = 1 << 16  # bytes of patch at a time
_LFS = b"version https://git-lfs.github.com/spec/"
_LFS_LARGEST = 1024
_LONGEST_LINK = 500  # bytes of a link's target that are shown
_PLAIN, _SYMLINK, _SUBMODULE, _ABSENT = "100644", "120000", "160000", "000000"
_NEXT = b"\ndiff --git "
_UNUSUAL = re.compile(rb"[^ !#-\[\]-~]")
_ESCAPES = {
    b"\a": b"\\a",
    b"\b": b"\\b",
    b"\t": b"\\t",
    b"\n": b"\\n",
    b"\v": b"\\v",
    b"\f": b"\\f",
    b"\r": b"\\r",
    b'"': b'\\"',
    b"\\": b"\\\\",
}


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

    @property
    def lines(self) -> tuple[int, int]:
        """Lines added and removed, as far as patches are shown."""
        bodies = [one.patch.partition("\n@@")[2] for one in self.files]
        return sum(body.count("\n+") for body in bodies), sum(body.count("\n-") for body in bodies)


@dataclass(frozen=True)
class _Kind:
    status: CoverageStatus
    reason: str = ""


def view(
    lens: Lens,
    change: Change,
    *,
    max_bytes: int,
    summarise: Callable[[str], bool],
    may_be_unseen: Callable[[str], bool] = lambda _: False,
) -> View:
    """Renders a change within `max_bytes` of patch and new content (UTF-8 bytes).

    `summarise` tells which files are only counted, where they are not and were not executable; `may_be_unseen` which
    ones that cannot be shown may pass: a file too large to be read is listed if it is one of them, and else omitted.

    Patches come first, in the change's order: a file whose patch does not fit any more is omitted. What is left of
    the budget goes to the new content of modified files, the smallest first.
    """
    with lens.objects() as objects:
        kinds = _classified(objects, change.files, summarise, may_be_unseen)
        wanted = [file for file, kind in zip(change.files, kinds, strict=True) if kind.status == "full"]
        patches = _Budgeted(max_bytes)
        for file, section in _sections(lens, change, wanted, max_bytes):
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
    return View(tuple(shown), summarise_coverage([one.coverage for one in shown], max_bytes))


def summarise_coverage(files: Iterable[FileCoverage], budget: int = 0) -> Coverage:
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
        budget=budget,
        **counts,
    )


# ---- what each file is ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Blob:
    """What classification has to know of a blob."""

    size: int
    text: bool = True
    lines: int = 0
    lfs: bool = False


def _classified(
    objects: Objects,
    files: Sequence[FileChange],
    summarise: Callable[[str], bool],
    may_be_unseen: Callable[[str], bool],
) -> list[_Kind]:
    """How each file can be shown. Raises `GitError` where a blob is missing."""
    oids = list(dict.fromkeys(oid for file in files for oid in blobs_of(file)))
    blobs = {oid: _Blob(info.size) for oid, info in zip(oids, objects.infos(oids), strict=True)}
    plain = (file for file in files if not {file.old_mode, file.new_mode} & {_SYMLINK, _SUBMODULE})
    looked_at = list(dict.fromkeys(oid for file in plain for oid in blobs_of(file)))
    small = [oid for oid in looked_at if blobs[oid].size <= LARGEST_BLOB]
    for oid, content in zip(small, objects.contents(small), strict=True):
        blobs[oid] = _looked_at(content)
    return [_classify(objects, file, blobs, summarise, may_be_unseen) for file in files]


def _classify(
    objects: Objects,
    file: FileChange,
    blobs: Mapping[str, _Blob],
    summarise: Callable[[str], bool],
    may_be_unseen: Callable[[str], bool],
) -> _Kind:
    modes = {file.old_mode, file.new_mode}
    # What can be run is no lock file, whatever it is called.
    counted = modes <= {_PLAIN, _ABSENT} and summarise(file.name)
    if _SUBMODULE in modes:
        return _Kind("listed", f"submodule, {file.old_oid[:12]} -> {file.new_oid[:12]}")
    if _SYMLINK in modes:
        return _Kind("listed", f"symbolic link, {_links(objects, file, blobs)}")
    sides = [blobs[oid] for oid in blobs_of(file)]
    span = " -> ".join(f"{side.size:,}" for side in sides) + " bytes"
    status: CoverageStatus = "full"
    reason = ""
    if max(side.size for side in sides) > LARGEST_BLOB and not counted:
        status, reason = "listed" if may_be_unseen(file.name) else "omitted", f"too large to be read, {span}"
    elif not all(side.text for side in sides):
        status, reason = "listed", f"binary, {span}"
    elif any(side.lfs for side in sides):
        status, reason = "listed", "LFS pointer"
    elif counted:
        status, reason = "summarised", span
    elif sum(side.lines for side in sides) > MOST_LINES:
        status, reason = "omitted", f"too many lines to compare, {span}"
    return _Kind(status, reason)


def _looked_at(content: bytes) -> _Blob:
    lfs = len(content) <= _LFS_LARGEST and content.startswith(_LFS)
    return _Blob(len(content), _text(content), content.count(b"\n"), lfs)


def _links(objects: Objects, file: FileChange, blobs: Mapping[str, _Blob]) -> str:
    sides = []
    for mode, oid in ((file.old_mode, file.old_oid), (file.new_mode, file.new_oid)):
        if mode != _SYMLINK:
            sides.append("nothing" if mode == _ABSENT else "a file")
        elif blobs[oid].size > _LONGEST_LINK:
            sides.append(f"to {blobs[oid].size:,} bytes")
        else:
            sides.append("to " + ascii((objects.blob(oid) or b"").decode("utf-8", "replace")))
    return " -> ".join(sides)


def _text(content: bytes) -> bool:
    if b"\0" in content:
        return False
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


# ---- the canonical patch -------------------------------------------------------------------------------------------


class _Budgeted:
    """Keeps sections of the patch as long as they fit, in the order they come."""

    def __init__(self, budget: int) -> None:
        self.left = budget
        self.kept: dict[bytes, str] = {}

    def add(self, file: FileChange, section: bytes | None) -> None:
        """Takes one section; None is one that was larger than the whole budget."""
        if section is not None and len(section) <= self.left:
            self.left -= len(section)
            self.kept[file.path] = section.decode("utf-8")


def _sections(
    lens: Lens, change: Change, wanted: Sequence[FileChange], largest: int
) -> Iterator[tuple[FileChange, bytes | None]]:
    """Each wanted file with its section of the canonical patch, in order; None for one of more than `largest` bytes."""
    if not wanted:
        return
    old, new = change.base, change.head
    if len(wanted) != len(change.files):
        # Trees of the wanted files alone. Path names would not do: the name of a file that became a folder would
        # let everything in that folder in.
        old = lens.tree(b"".join(_entry(one.old_mode, one.old_oid, one.path) for one in wanted))
        new = lens.tree(b"".join(_entry(one.new_mode, one.new_oid, one.path) for one in wanted))
    rendered = _rendered(lens, old, new, largest)
    for file in wanted:
        section = next(rendered, b"")
        # Out of step, one file's text would be looked at under the name of another.
        if section is not None and not section.startswith(_header(file.path)):
            raise _out_of_step()
        yield file, section
    if next(rendered, b"") != b"":
        raise _out_of_step()


def _out_of_step() -> MalformedTreeError:
    return MalformedTreeError("git's patch of this change is not about the files it lists.", "git fsck")


def _header(path: bytes) -> bytes:
    """How the section of a path begins."""
    return b"diff --git " + _quoted(b"a/" + path) + b" " + _quoted(b"b/" + path) + b"\n"


def _quoted(path: bytes) -> bytes:
    """A path as git writes it with core.quotePath."""
    if not _UNUSUAL.search(path):
        return path
    return b'"' + _UNUSUAL.sub(lambda found: _ESCAPES.get(found[0]) or b"\\%03o" % ord(found[0]), path) + b'"'


def _entry(mode: str, oid: str, path: bytes) -> bytes:
    return b"" if mode == _ABSENT else f"{mode} {oid}\t".encode() + path + b"\0"


def _rendered(lens: Lens, old: str, new: str, largest: int) -> Iterator[bytes | None]:
    process = lens.open(*PATCH_SETTINGS, "diff-tree", *PATCH_OPTIONS, "--end-of-options", old, new)
    assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 -- opened with pipes
    process.stdin.close()
    finished = False
    try:
        yield from _split(iter(lambda: process.stdout.read(_READ), b""), largest)  # type: ignore[union-attr]
        finished = True
    finally:
        process.stdout.close()
        if not finished:
            process.kill()
        returncode = process.wait()
    if returncode != 0:
        raise git_error(("diff-tree",), returncode, b"the patch could not be rendered")


def _split(chunks: Iterable[bytes], largest: int) -> Iterator[bytes | None]:
    """Cuts a patch where a file begins. No line of content starts like that: each has a sign in front.

    Never holds much more than `largest` bytes; None takes the place of a section that is longer.
    """
    held = bytearray()
    looked, over = 0, False
    for chunk in chunks:
        held += chunk
        while (end := held.find(_NEXT, looked) + 1) > 0:
            yield None if over or end > largest else bytes(held[:end])
            del held[:end]
            looked, over = 0, False
        if len(held) > largest + len(_NEXT):
            del held[: -len(_NEXT)]
            over = True
        looked = max(0, len(held) - len(_NEXT) + 1)
    if held:
        yield None if over or len(held) > largest else bytes(held)


def _contents(objects: Objects, wanted: Sequence[FileChange], patches: _Budgeted) -> dict[bytes, str]:
    """The new content of modified files whose patch is shown, as far as the budget goes, the smallest first."""
    modified = [file for file in wanted if file.status == "M" and file.path in patches.kept]
    sizes = [info.size for info in objects.infos([file.new_oid for file in modified])]
    fitting = []
    for size, file in sorted(zip(sizes, modified, strict=True), key=lambda pair: pair[0]):
        if size > patches.left:
            break
        patches.left -= size
        fitting.append(file)
    contents = objects.contents([file.new_oid for file in fitting])
    return {file.path: content.decode("utf-8") for file, content in zip(fitting, contents, strict=True)}
