"""Untrusted text made harmless in GitHub's Markdown: shown as it reads, and nothing but shown. Pure.

No HTML, image, link, mention, reference, emoji code, formula, table, list or heading comes out of a text that went
through here, and no command for a bot or a runner; code between backticks stays code. Secrets are `redaction`'s.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from git_cto.redaction import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LONGEST_WORD, _PIECE = 16, 10  # characters; a longer word may be broken into pieces in a narrow table
_AMPLE = 4  # times the limit is what is looked at: a book takes no longer than a page
# Of the private use area, which `printable` takes out: nothing that comes in can hold it.
_BREAK = "\ue000"
_LONGEST_PATH = 1_000  # characters of a path that is linked
_TICKS = re.compile("`+")
_FENCE = re.compile(r" {0,3}(?P<marks>`{3,}|~{3,})[^`]*")
_ADDRESS = re.compile(r"https?://[A-Za-z0-9][A-Za-z0-9.:\[\]-]*(?:/[A-Za-z0-9._~%+@=&?#/-]*)?")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}(?:/[A-Za-z0-9][A-Za-z0-9_-]{0,99})?")
# What GitHub looks for in the finished HTML (and a backslash does not hide there) goes into an element of its own,
# so that it stands in no text together with what follows. Commits are looked for everywhere but in code.
_MEANING = re.compile(
    rf"""(?xi)
    (?P<commit> (?<![0-9a-z]) [0-9a-f] [0-9a-f{_BREAK}]{{6,}} (?![0-9a-z]) )
  | (?P<apart> [@$] | \#(?=\w) | :(?=//|[\w+-]+:) | (?<=www)\. | (?<=\bGH)-(?=\d) | (?<=\bCVE)-(?=\d) | (?<=\bGHSA)- )
  | (?P<active> [\\*_\[\]<>&~\#] )
  | (?P<named> [`|] )
    """
)
_AT_START = re.compile(r"[-+=:/]|\d{1,9}(?=[.)])")  # a list, an underline, a table's, a bot's command; a numbered list


# ---- text ------------------------------------------------------------------------------------------------------------


def text(untrusted: str, limit: int = 0, *, narrow: bool = False) -> str:
    """One line of Markdown that reads like the text, of at most `limit` of its characters.

    `narrow` gives long words places to break at, which is what a cell of a table needs.
    """
    return "".join(_spans(_line(untrusted, limit), narrow=narrow))


def block(untrusted: str, limit: int = 0) -> str:
    """Paragraphs of Markdown that read like the text, line by line; fenced code in it stays fenced code."""
    parts: list[str] = []
    for is_code, lines in _parts(_lines(untrusted, limit).split("\n")):
        if is_code:
            parts.append(fenced("\n".join(lines)))
        else:
            for paragraph in "\n".join(lines).split("\n\n"):
                shown = [line for line in map(text, paragraph.split("\n")) if line]
                parts.append("\\\n".join(shown))
    return "\n\n".join(part for part in parts if part)


def code(untrusted: str, limit: int = 0, *, narrow: bool = False) -> str:
    """The text as code within a line."""
    return _code(_line(untrusted, limit), narrow=narrow)


def fenced(untrusted: str, info: str = "", limit: int = 0) -> str:
    """The text as a block of code. The fence is longer than any in it."""
    return _fence(_lines(untrusted, limit), info)


def suggestion(untrusted: str) -> str:
    """A block that GitHub offers to commit, "" where the text is not fit for that.

    What is committed must be what was shown, to the byte: nothing in it may be invisible, or have been taken out.
    """
    content = untrusted.replace("\r\n", "\n").removesuffix("\n")
    shown = content.replace("\t", "")
    if any(printable(line, lines=True) != line for line in shown.replace("::", "").replace("##[", "").split("\n")):
        return ""
    return _fence(content, "suggestion")


def plain(untrusted: str, limit: int = 0) -> str:
    """Lines of text for places that know no Markdown."""
    return _lines(untrusted, limit).strip()


def shortened(words: str, limit: int) -> str:
    """The text, or its beginning and `…` where it has more characters; 0 is no limit."""
    return words if not limit or len(words) <= limit else words[: limit - 1].rstrip() + "…"


def _line(untrusted: str, limit: int) -> str:
    return shortened(printable(shortened(untrusted, _AMPLE * limit)), limit)


def _lines(untrusted: str, limit: int) -> str:
    return shortened(printable(shortened(untrusted, _AMPLE * limit), lines=True), limit)


def _fence(content: str, info: str) -> str:
    marks = "`" * max(3, 1 + max((len(run) for run in _TICKS.findall(content)), default=0))
    return f"{marks}{info}\n{content}\n{marks}" if content else f"{marks}{info}\n{marks}"


def _parts(lines: Iterable[str]) -> Iterator[tuple[bool, list[str]]]:
    """Runs of lines, and whether they are fenced code; a fence that nobody closes goes to the end."""
    held: list[str] = []
    closing: re.Pattern[str] | None = None
    for line in lines:
        opened = None if closing else _FENCE.fullmatch(line)
        if opened or (closing and closing.fullmatch(line)):
            yield closing is not None, held
            held = []
            closing = re.compile(f" {{0,3}}{opened['marks']}{opened['marks'][0]}* *") if opened else None
        else:
            held.append(line)
    yield closing is not None, held


def _spans(line: str, *, narrow: bool) -> Iterator[str]:
    """A line, with what stands between backticks as code and the rest as text."""
    done = 0
    for begin, end, content in _between_ticks(line):
        yield _escaped(line[done:begin], at_start=done == 0, narrow=narrow)
        yield _code(content, narrow=narrow)
        done = end
    yield _escaped(line[done:], at_start=done == 0, narrow=narrow)


def _between_ticks(line: str) -> Iterator[tuple[int, int, str]]:
    """Where code begins and ends and what it says: from one run of backticks to the next one that is as long."""
    runs = [(found.start(), found.end()) for found in _TICKS.finditer(line)]
    following: dict[int, list[tuple[int, int]]] = {}
    for begin, end in reversed(runs):
        following.setdefault(end - begin, []).append((begin, end))
    done = 0
    for begin, end in runs:
        same = following[end - begin]
        while same and same[-1][0] <= begin:
            same.pop()
        if begin < done or not same:
            continue
        closing = same[-1]
        content = line[end : closing[0]].strip()
        if content:
            yield begin, closing[1], content
            done = closing[1]


def _code(content: str, *, narrow: bool) -> str:
    if not content:
        return ""
    broken = _broken(content) if narrow else content
    if _TICKS.search(content) or "|" in content or broken != content:
        return f"<code>{_escaped(broken, at_start=False, narrow=False, commits=False)}</code>"
    return f"`{content}`"


def _escaped(words: str, *, at_start: bool, narrow: bool, commits: bool = True) -> str:
    """Text without any meaning in Markdown or to GitHub."""
    start = _AT_START.match(words) if at_start else None
    if narrow:
        words = _broken(words)
    shown = _MEANING.sub(lambda found: _shown(found, commits=commits), words)
    if start:
        number = start[0] if start[0].isdigit() else ""
        shown = f"{number}\\{shown[len(number) :]}" if not shown.startswith("<") else shown
    return shown.replace(_BREAK, "<wbr>")


def _shown(found: re.Match[str], *, commits: bool) -> str:
    if found["commit"]:
        return f"<code>{found[0]}</code>" if commits else found[0]
    if found["apart"]:
        return f"<span>{found[0]}</span>"
    return f"\\{found[0]}" if found["active"] else f"&#{ord(found[0])};"


def _broken(words: str) -> str:
    """The text with marks where long words may be broken: after what separates names, else anywhere."""
    return " ".join(_with_breaks(word) if len(word) > _LONGEST_WORD else word for word in words.split(" "))


def _with_breaks(word: str) -> str:
    pieces = re.findall(rf".{{0,{_PIECE - 1}}}[/._,;=-](?=\w)|.{{1,{_PIECE}}}", word)
    return _BREAK.join(pieces)


# ---- what is ours: links, mentions, tables ---------------------------------------------------------------------------


def link(words: str, address: str) -> str:
    """A link, or only its words (Markdown already) where the address is not one."""
    return f"[{words}]({address})" if words and _ADDRESS.fullmatch(address) else words


def commit_link(commit: str, repository: str) -> str:
    """A commit by its first seven digits, linked to its page where there is one."""
    page = f"{repository}/commit/{commit}" if repository and _COMMIT.fullmatch(commit) else ""
    return link(code(commit[:7]), page)


def line_link(words: str, path: str, line: int | None, commit: str, repository: str) -> str:
    """`words` (Markdown already) linked to a line of a file as of a commit. A path that is quoted has no page."""
    if not repository or not 0 < len(path) <= _LONGEST_PATH or path.startswith('"') or not _COMMIT.fullmatch(commit):
        return words
    try:
        page = f"{repository}/blob/{commit}/{quote(path)}"
    except UnicodeEncodeError:
        return words
    return link(words, f"{page}#L{line}" if line else page)


def mention(login: str) -> str:
    """`@login`, of which GitHub tells them; what is no login is only shown."""
    return f"@{login}" if _LOGIN.fullmatch(login) else named(login)


def named(login: str) -> str:
    """A login without telling anybody."""
    return text(login, 40)


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table of cells that are Markdown already (`text` or `code`, `narrow`)."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def details(summary: str, content: str) -> str:
    """What can be unfolded."""
    return f"<details><summary>{summary}</summary>\n\n{content}\n\n</details>" if content else ""
