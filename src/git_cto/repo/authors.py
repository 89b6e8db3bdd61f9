"""Who wrote a change, by what its commits say: e-mail addresses, co-authors, and the programs that did tasks.

All of it is what the writers said of themselves; what follows from it is `gate.trust`'s business.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator

    from git_cto.repo.lens import Lens

_LONGEST_ROW = 64  # commits that are read one after the other before git is asked for all of them

# Anywhere in a message, not only where git sees a trailer: a blank line after it must not make it vanish.
_CO_AUTHOR = re.compile(r"^[ \t]*Co-authored-by:[ \t]*(\S.*?)[ \t\r]*$", re.IGNORECASE | re.MULTILINE)
_EXECUTOR = re.compile(r"^[ \t]*Cto-Executor:[ \t]*(\S.*?)[ \t\r]*$", re.IGNORECASE | re.MULTILINE)
_ADDRESS = re.compile(r"<([^<>]*)>")
# A commit of which there is one reading only. Of others git says what it makes of them.
_PLAIN = re.compile(
    rb"tree [0-9a-f]+\nparent ([0-9a-f]+)\nauthor [^<>\n\0]*<([^<>\s\0]*)> \d+ [+-]\d{4}\n"
    rb"committer [^<>\n\0]*<([^<>\s\0]*)> \d+ [+-]\d{4}\n(?:gpgsig(?:-sha256)? .*\n(?: .*\n)*)*\n([^\0]*)"
)


class Authorship(Struct, frozen=True):
    """Who wrote a change. `addresses` are those of authors, committers and co-authors, in lower case."""

    addresses: frozenset[str]
    executors: tuple[str, ...]
    co_authors: tuple[str, ...]

    def joined(self, other: Authorship) -> Authorship:
        """Both together."""
        return Authorship(
            self.addresses | other.addresses,
            tuple(dict.fromkeys((*self.executors, *other.executors))),
            tuple(dict.fromkeys((*self.co_authors, *other.co_authors))),
        )


def authorship(lens: Lens, base: str, head: str, *, committers: bool = True) -> Authorship:
    """Who wrote the commits of `head` that are not in `base`. Committers count as well, unless told otherwise."""
    addresses: set[str] = set()
    executors: dict[str, None] = {}
    co_authors: dict[str, None] = {}
    said = _one_after_the_other(lens, base, head)
    for author, committer, message in _logged(lens, base, head) if said is None else said:
        found = _CO_AUTHOR.findall(message)
        co_authors.update(dict.fromkeys(found))
        executors.update(dict.fromkeys(_EXECUTOR.findall(message)))
        addresses.update((author, *(address for one in found for address in _ADDRESS.findall(one))))
        if committers:
            addresses.add(committer)
    return Authorship(
        frozenset(address.strip().casefold() for address in addresses) - {""}, tuple(executors), tuple(co_authors)
    )


def _logged(lens: Lens, base: str, head: str) -> Iterator[tuple[str, str, str]]:
    """(author, committer, message) of the commits of `head` that are not in `base`."""
    out = lens.run("log", "-z", "--format=%ae%x00%ce%x00%B", "--end-of-options", head, f"^{base}")
    return zip(*[iter(out.decode("utf-8", "replace").split("\0"))] * 3, strict=False)


def _one_after_the_other(lens: Lens, base: str, head: str) -> list[tuple[str, str, str]] | None:
    """The same where they are a short row of plain commits, else None. No process is started for that."""
    said: list[tuple[str, str, str]] = []
    commit = head
    while commit != base:
        found = lens.reader.read(commit) if len(said) < _LONGEST_ROW else None
        plain = _PLAIN.fullmatch(found[1]) if found and found[0].type == "commit" else None
        if plain is None:
            return None
        commit, author, committer, message = (part.decode("utf-8", "replace") for part in plain.groups())
        said.append((author, committer, message))
    return said
