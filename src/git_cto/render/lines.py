"""Lines that fit a terminal: how wide text is, how it is wrapped and cut. What text says is others' business.

Pure but for the width of the page, which the command line sets once where it writes on a narrow terminal.
"""

from __future__ import annotations

import unicodedata

from git_cto.redaction import printable

WIDTH, NARROWEST = 80, 40  # columns of a line
_GLYPH_SELECTOR = "\ufe0f"  # asks for the wide picture of the character before it
# Wide since Unicode 16, which Python's tables do not know everywhere; and flags, which are two letters.
_WIDE = ((0x2630, 0x2637), (0x268A, 0x268F), (0x4DC0, 0x4DFF), (0x1D300, 0x1D376), (0x1F1E6, 0x1F1FF))


class _Page:
    """What is written on: as wide as the terminal, within bounds; set once, before anything is written."""

    columns = WIDTH


def fit(columns: int) -> None:
    """Makes lines for a terminal of so many columns from now on; 0 is one that does not say."""
    _Page.columns = max(NARROWEST, min(columns or WIDTH, WIDTH))


def page() -> int:
    """How many columns a line has."""
    return _Page.columns


def width(text: str) -> int:
    """How many columns a text takes, rather one too many than one too few."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(character: str) -> int:
    if character.isascii():
        return 1
    category = unicodedata.category(character)
    if category in {"Mn", "Me", "Cf"}:
        return 1 if character == _GLYPH_SELECTOR else 0
    if unicodedata.east_asian_width(character) in {"W", "F"} or category == "Cn":
        return 2
    return 2 if any(first <= ord(character) <= last for first, last in _WIDE) else 1


def _fits(text: str, columns: int) -> bool:
    """Whether a text takes at most so many columns. Looks no further: a word may be as long as a record."""
    if text.isascii():
        return len(text) <= columns
    for character in text:
        columns -= _columns(character)
        if columns < 0:
            return False
    return True


def cut(text: str, columns: int) -> str:
    """The text, or its beginning and `…` where it is wider."""
    if width(text) <= columns:
        return text
    return _beginning(text, columns - 1).rstrip() + "…"


def _beginning(text: str, columns: int) -> str:
    taken = 0
    for place, character in enumerate(text):
        taken += _columns(character)
        if taken > columns:
            return text[:place]
    return text


def wrapped(text: str, indent: int = 0, hang: int | None = None, *, columns: int = 0) -> str:
    """Untrusted text as lines; `hang` indents those after the first. They fit `columns`, or the page. "" stays ""."""
    return filled(" " * indent, text, indent if hang is None else hang, columns=columns)


def filled(start: str, text: str, hang: int, *, columns: int = 0) -> str:
    """`start` (ours, and kept as it is) and after it untrusted text, wrapped; later lines are indented by `hang`.

    Words that are wider than a line are broken: nothing of a path or a command is lost.
    """
    columns = columns or page()
    lines = [start]
    margin, fresh = " " * hang, True
    for word in printable(text).split():
        left = word
        while left:
            gap = "" if fresh else " "
            room = columns - width(lines[-1]) - len(gap)
            if _fits(left, room):
                lines[-1] += gap + left
                fresh, left = False, ""
            elif fresh and not lines[-1].strip():
                piece = _beginning(left, room) or left[0]
                lines[-1] += piece
                left = left[len(piece) :]
                lines.append(margin)
                if left.startswith("::"):
                    left = ": " + left[1:]  # at the start of a line GitHub's runner would obey it
            else:
                lines.append(margin)
                fresh = True
    return "\n".join(line.rstrip() for line in lines).rstrip("\n")
