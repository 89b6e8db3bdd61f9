"""Path patterns of the policy, in the manner of gitignore."""

from __future__ import annotations

import re
from functools import lru_cache


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    anchored = "/" in pattern.rstrip("/")
    text, place = "", 0
    body = pattern.lstrip("/")
    if body.endswith("/"):
        body += "**"
    while place < len(body):
        if body.startswith("**/", place):
            text, place = text + "(?:.*/)?", place + 3
        elif body.startswith("**", place):
            text, place = text + ".*", place + 2
        elif body[place] == "*":
            text, place = text + "[^/]*", place + 1
        elif body[place] == "?":
            text, place = text + "[^/]", place + 1
        else:
            text, place = text + re.escape(body[place]), place + 1
    return re.compile(("" if anchored else "(?:.*/)?") + text, re.DOTALL | re.IGNORECASE)


def matches(path: str, patterns: tuple[str, ...]) -> bool:
    """Whether a path matches one of the patterns: `*` and `?` stay within a folder, `**` does not.

    Anything else stands for itself, brackets too. A pattern without a slash matches at any depth. Upper and lower case
    are the same: file systems differ.
    """
    return any(_compiled(pattern).fullmatch(path) for pattern in patterns)
