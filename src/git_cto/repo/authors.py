"""Who wrote a change, by what its commits say: e-mail addresses, co-authors, and the programs that did tasks.

All of it is what the writers said of themselves; what follows from it is `gate.trust`'s business.
"""

from __future__ import annotations

import codecs
import re
from itertools import takewhile
from typing import TYPE_CHECKING

from msgspec import Struct

from git_cto.model import NOBODY, person, without_the_unseen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from git_cto.repo.lens import Lens

_LONGEST_ROW = 64  # commits that are read one after the other before git is asked which there are
# Anywhere in a message, and behind any marks: neither a blank line after it nor a bullet must make it vanish.
_CO_AUTHOR = re.compile(r"[\W_]*co-authored-by\s*:\s*(.*)", re.IGNORECASE)
_EXECUTOR = re.compile(r"[\W_]*cto-executor\s*:\s*(\S.*)", re.IGNORECASE)
_ADDRESS = re.compile(r"<([^<>]*)>")
_BARE_ADDRESS = re.compile(r"[^\s<>()\[\],;:]+@[^\s<>()\[\],;:]+")
_LINE_ENDS = str.maketrans(dict.fromkeys("\r\v\f\x1c\x1d\x1e\x85\u2028\u2029", "\n"))
_NO_CHARSETS = frozenset(
    {"idna", "punycode", "raw-unicode-escape", "unicode-escape", "undefined"}
)  # of Python, not iconv


class Authorship(Struct, frozen=True):
    """Who wrote a change. `addresses` are those of authors, committers and co-authors, as `person` compares them.

    `NOBODY` is among them where a commit names no address that could be read.
    """

    addresses: frozenset[str]
    executors: tuple[str, ...]
    co_authors: tuple[str, ...]

    def joined(self, other: Authorship) -> Authorship:
        """Both together."""
        return _together([self, other])


_WROTE, _WROTE_OR_COMMITTED = (b"author ",), (b"author ", b"committer ")


def authorship(lens: Lens, base: str, head: str, *, committers: bool = True, mergers: bool = True) -> Authorship:
    """Who wrote the commits of `head` that are not in `base`. Committers count as well, unless told otherwise.

    Without `mergers`, whoever has made `head` by nothing but merging counts only for what its message says.
    """
    kinds = _WROTE_OR_COMMITTED if committers else _WROTE
    merged = () if mergers else plainly_merged(lens, head)
    if merged:
        commits = (commit for one in merged for commit in _commits(lens, base, one))
        return _together([_written(_content(lens, head), ()), *(_written(commit, kinds) for commit in commits)])
    return _together([_written(commit, kinds) for commit in _commits(lens, base, head)])


def author(lens: Lens, commit: str) -> Authorship:
    """Who wrote one commit, whoever committed it."""
    return _written(_content(lens, commit), _WROTE)


def plainly_merged(lens: Lens, commit: str) -> tuple[str, ...]:
    """The two parents of a merge that has nothing but what git makes of them; () for any other commit."""
    header = _content(lens, commit).partition(b"\n\n")[0].split(b"\n")
    below = takewhile(lambda line: line.startswith(b"parent "), header[1:])  # further down git takes it for no parent
    parents = [line[7:].decode("ascii", "replace") for line in below]
    if len(parents) != 2:
        return ()  # no merge, or one of several after each other
    done = lens.merge_tree(*parents)
    return tuple(parents) if done.returncode == 0 and header[0] == b"tree " + done.stdout.partition(b"\0")[0] else ()


def _content(lens: Lens, commit: str) -> bytes:
    found = lens.reader.read(commit)
    return found[1] if found else b""


def _together(parts: list[Authorship]) -> Authorship:
    return Authorship(
        frozenset(address for one in parts for address in one.addresses),
        tuple(dict.fromkeys(program for one in parts for program in one.executors)),
        tuple(dict.fromkeys(said for one in parts for said in one.co_authors)),
    )


def _commits(lens: Lens, base: str, head: str) -> Iterable[bytes]:
    row = _one_after_the_other(lens, base, head)
    if row is not None:
        return row
    some = lens.run("rev-list", "--end-of-options", head, f"^{base}").decode("ascii").split()
    return lens.reader.contents(some)


def _one_after_the_other(lens: Lens, base: str, head: str) -> list[bytes] | None:
    """The commits where they are a short row, else None. No process is started for that."""
    row: list[bytes] = []
    commit = head
    while commit != base:
        found = lens.reader.read(commit) if len(row) < _LONGEST_ROW else None
        lines = found[1].split(b"\n", 3) if found and found[0].type == "commit" else []
        if len(lines) < 4 or not (lines[1].startswith(b"parent ") and lines[2].startswith(b"author ")):
            return None  # one without a parent, or with several, or that is not here
        row.append(found[1] if found else b"")
        commit = lines[1].removeprefix(b"parent ").decode("ascii", "replace")
    return row


def _written(commit: bytes, kinds: Iterable[bytes]) -> Authorship:
    """Who wrote a commit, read from the object itself: by these lines of its header and by its message.

    What git prints of one is bent: by the encoding that it claims, by which of two lines it takes for the author.
    """
    header, _, message = commit.partition(b"\n\n")
    lines = header.split(b"\n")
    addresses = set()
    for kind in kinds:
        said = [_plain(line.decode("utf-8", "replace")) for line in lines if line.startswith(kind)]
        addresses |= {one for line in said for one in _addresses(line)} or {NOBODY}
    co_authors: dict[str, None] = {}
    executors: dict[str, None] = {}
    for text in _texts(message, lines):
        for found in _co_authors(text.split("\n")):
            co_authors[found] = None
            addresses.update(_addresses(found))
        named = (_EXECUTOR.match(line) for line in text.split("\n"))
        executors.update((one[1].strip(), None) for one in named if one)
    return Authorship(frozenset(addresses), tuple(executors), tuple(co_authors))


def _texts(message: bytes, header: Iterable[bytes]) -> Iterator[str]:
    """A message as it stands there, and where its commit claims another encoding, also in that one."""
    yield _plain(message.decode("utf-8", "replace"))
    for line in header:
        if line.startswith(b"encoding "):
            try:
                charset = codecs.lookup(line[9:].decode("ascii")).name
                if charset not in _NO_CHARSETS | {"utf-8"}:
                    yield _plain(message.decode(charset, "replace"))
            except (LookupError, ValueError):
                continue  # git does not know it either, and shows what stands there


def _plain(text: str) -> str:
    """A text without what cannot be seen, its lines ended as everywhere."""
    text = text if text.isascii() else without_the_unseen(text)
    return text.translate(_LINE_ENDS).replace("\0", "")


def _co_authors(lines: Iterable[str]) -> Iterator[str]:
    """What stands behind each name of the trailer, on its line and on the folded ones that follow it."""
    said: list[str] = []
    inside = False
    for line in lines:
        found = _CO_AUTHOR.match(line)
        if inside and not found and line[:1].isspace():
            said.append(line.strip())
            continue
        if any(said):
            yield " ".join(part for part in said if part)
        inside, said = bool(found), [found[1].strip()] if found else []
    if any(said):
        yield " ".join(part for part in said if part)


def _addresses(text: str) -> Iterator[str]:
    """Whatever may be meant for an address: what stands in angle brackets, and what has an @."""
    for found in (*_ADDRESS.findall(text), *_BARE_ADDRESS.findall(text)):
        address = person(found)
        if address:
            yield address
