"""Looks for text in added lines and new names that is meant to deceive a reader or to steer a reviewing model. Pure.

It cannot find every attempt; it makes the plain ones cost a human's look.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from git_cto.model import Suspicion

if TYPE_CHECKING:
    from collections.abc import Iterator

_HUNK = re.compile(r"^@@ -\d+(?:,\d+)? \+(\d+)(?:,\d+)? @@", re.ASCII)

_BIDI = "\u202a-\u202e\u2066-\u2069"
_TAGS = "\U000e0000-\U000e007f"
_ZERO_WIDTH = "\u200b\u200e\u200f\u061c\u2060-\u2064\ufeff\u00ad\u180e"
_UNSEEN = "\u115f\u1160\u3164\uffa0\U000e0100-\U000e01ef"  # letters without a shape, and selectors of glyphs
_INVISIBLE = re.compile(f"[{_BIDI}{_TAGS}{_ZERO_WIDTH}{_UNSEEN}]")
_EMOJI_TAGS = re.compile("\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f")  # flags of England, Scotland, Wales, ...

# Every repetition has an end, so that no line takes time that grows with its square.
_SPEAKS = re.compile(
    r"""
      ["']?verdict["']?\s{0,9}[:=]\s{0,9}["']?approve\b
    | \b(?:ignore|disregard|forget|override)\b[^.\n]{0,40}\b(?:previous|prior|above|earlier|all|your)\b[^.\n]{0,30}
      \b(?:instructions?|rules|prompts?|guidelines)\b
    | \b(?:reviewers?|codex|assistant|llm|ai|language\ model|gpt)\b[,:]?\s{1,9}
      (?:(?:please|must|should|always|now|just)\s{1,9}){1,9}approve\b
    | \b(?:please|must|should|always)\s{1,9}approve\b
    | \bapprove\s{1,9}(?:these|my)\s{1,9}(?:change|diff|patch|pull|pr|commit|merge|code|request)
    | \bapprove\s{1,9}this\b
    | <\s{0,9}/?\s{0,9}(?:system|developer|instructions?)\s{0,9}>
    """,
    re.IGNORECASE | re.VERBOSE,
)


def suspicions(path: str, patch: str) -> list[Suspicion]:
    """What is suspicious in the added lines of one file's patch. Bars an approval unless said otherwise in `bars`."""
    if not _INVISIBLE.search(patch) and not _SPEAKS.search(patch):
        return []  # nearly every patch: two quick searches
    return [
        Suspicion(path=path, line=number, what=what, bars=bars)
        for number, line in added_lines(patch)
        for what, bars in _of_line(line)
    ]


def name_suspicions(path: str, text: str) -> list[Suspicion]:
    """What is suspicious in the name of a new file: `path` is the name for people, `text` the name as it is.

    A name has no line; it is said to be at the first one.
    """
    return [Suspicion(path=path, line=1, what=f"has a name that {what}", bars=bars) for what, bars in _of_line(text)]


def _of_line(line: str) -> Iterator[tuple[str, bool]]:
    invisible = _INVISIBLE.findall(_EMOJI_TAGS.sub("", line))
    kinds = sorted({f"U+{ord(character):04X}" for character in invisible})
    if kinds:
        bars = any(re.match(f"[{_BIDI}{_TAGS}]", character) for character in invisible)
        yield f"holds invisible characters ({', '.join(kinds[:5])})", bars
    if _SPEAKS.search(line):
        yield "speaks to the reviewer", True


def added_lines(patch: str) -> Iterator[tuple[int, str]]:
    """The added lines of one file's patch with their numbers (1-based) in the new file."""
    number = None
    for line in patch.split("\n"):
        hunk = _HUNK.match(line)
        if hunk:
            number = int(hunk.group(1))
        elif number is None:
            continue  # the header
        elif line.startswith("+"):
            yield number, line[1:]
            number += 1
        elif not line.startswith(("-", "\\")):
            number += 1
