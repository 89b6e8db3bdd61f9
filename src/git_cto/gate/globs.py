"""Path patterns of the policy, in the manner of gitignore."""

from __future__ import annotations

import re
from functools import lru_cache

# What a pattern is made of, and what each piece means as a regular expression. Anything else stands for itself.
_PIECES = re.compile(r"\*\*/|\*\*|\*|\?|.", re.DOTALL)
_MEANINGS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
_LONG = frozenset({"**/", "**", "*"})  # pieces that stand for any number of characters


@lru_cache(maxsize=512)
def _pieces(pattern: str) -> tuple[str, ...]:
    body = pattern.lstrip("/") + ("**" if pattern.lstrip("/").endswith("/") else "")
    anywhere = () if "/" in pattern.rstrip("/") else ("**/",)
    return (*anywhere, *_PIECES.findall(body))


@lru_cache(maxsize=512)
def _quick(pattern: str) -> re.Pattern[str] | None:
    """The pattern as a regular expression; None where that may be slow.

    With several pieces of any length it tries every way to share the path out among them, and whoever names the files
    of a change could make that take minutes.
    """
    pieces = _pieces(pattern)
    long = [piece for piece in pieces if piece in _LONG]
    if len(long) > 1 and not (long == ["**/", "*"] and pieces[0] == "**/"):
        return None
    text = "".join(_MEANINGS.get(piece) or re.escape(piece) for piece in pieces)
    return re.compile(text, re.DOTALL | re.IGNORECASE)


def matches(path: str, patterns: tuple[str, ...]) -> bool:
    """Whether a path matches one of the patterns: `*` and `?` stay within a folder, `**` does not.

    Anything else stands for itself, brackets too. A pattern without a slash matches at any depth. Upper and lower case
    are the same: file systems differ.
    """
    for pattern in patterns:
        quick = _quick(pattern)
        if quick.fullmatch(path) if quick else matches_at_once(path, pattern):
            return True
    return False


def matches_at_once(path: str, pattern: str) -> bool:
    """Whether a path matches the pattern, in one pass over the path for any pattern.

    It goes through the path with every way to read the pattern at once: a bit of `reached` is set where the pieces
    before it can stand for what was read so far. `**/` takes two bits: to be passed over, and within its folders.
    """
    singles: list[str] = []  # by bit: the character that leads on, "?" or "**/" as they are, "" for none
    skipped = entered = within = anything = 0
    for piece in _pieces(pattern):
        bit = 1 << len(singles)
        if piece == "**/":
            skipped, entered, anything = skipped | bit, entered | bit, anything | bit << 1
            singles += ["", "**/"]
        elif piece in _LONG:
            skipped, anything, within = skipped | bit, anything | bit, within | (bit if piece == "*" else 0)
            singles.append("")
        else:
            singles.append(piece)
    leads: dict[str, int] = {}
    reached = _passing(1, skipped, entered)
    for character in path:
        if character not in leads:
            leads[character] = sum(1 << place for place, one in enumerate(singles) if _leads_on(one, character))
        staying = anything & ~within if character == "/" else anything
        reached = _passing((reached & leads[character]) << 1 | reached & staying, skipped, entered)
        if not reached:
            return False
    return bool(reached >> len(singles) & 1)


def _passing(reached: int, skipped: int, entered: int) -> int:
    """What is reached without reading on: past a piece that may stand for nothing."""
    while True:
        more = reached | (reached & skipped) << 1 | (reached & entered) << 2
        if more == reached:
            return reached
        reached = more


def _leads_on(one: str, character: str) -> bool:
    if one == "?":
        return character != "/"
    if one == "**/":
        return character == "/"
    return bool(one) and re.fullmatch(re.escape(one), character, re.IGNORECASE | re.DOTALL) is not None
