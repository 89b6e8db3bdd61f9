"""Which lines of a change's files a forge shows in its diff, so that a remark can stand on them. From objects alone.

A forge follows renames, and the canonical patch does not: so this is no part of what a change is, or of what a reviewer
sees.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from git_cto.model import Change
    from git_cto.repo.lens import Lens

_OPTIONS = ("-r", "-p", "-M", "-z", "--raw", "--no-ext-diff", "--no-textconv", "--full-index", "--no-color", "-U3")
_MOST = 100_000_000  # bytes of patch; a forge shows no diff of that size either
_HUNK = re.compile(rb"^@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@", re.MULTILINE)
_SECTION = re.compile(rb"^diff --git ", re.MULTILINE)

Lines = dict[str, tuple[range, ...]]


def shown_lines(lens: Lens, change: Change) -> Lines:
    """Path -> runs of lines of the new side that stand in the diff, with three lines of context.

    Only of files whose names are text. Nothing where git cannot say it: a remark has another place then.
    """
    done = lens.attempt("diff-tree", *_OPTIONS, "--end-of-options", change.base, change.head)
    if done.returncode != 0 or len(done.stdout) > _MOST:
        return {}
    raw, _, patch = done.stdout.partition(b"\0\0") if b"\0\0" in done.stdout else (done.stdout, b"", b"")
    paths = _new_paths(raw)
    sections = _SECTION.split(patch)[1:]
    if len(paths) != len(sections):
        return {}
    found = {}
    for path, section in zip(paths, sections, strict=True):
        runs = tuple(_run(match) for match in _HUNK.finditer(section))
        name = path.decode("utf-8", "replace")
        if runs and name.encode("utf-8") == path:
            found[name] = runs
    return found


def _run(hunk: re.Match[bytes]) -> range:
    start, length = int(hunk[1]), int(hunk[2] or 1)
    return range(start, start + length)


def _new_paths(raw: bytes) -> list[bytes]:
    """The new name of each section of the patch, from the raw listing, in which renamed files have two names."""
    fields = iter(raw.removesuffix(b"\0").split(b"\0"))
    paths = []
    for meta in fields:
        status = meta.rpartition(b" ")[2][:1]
        path = next(fields, b"")
        path = next(fields, b"") if status in {b"R", b"C"} else path
        paths += [path, path] if status == b"T" else [path]  # a file that became a link goes and comes again
    return paths
