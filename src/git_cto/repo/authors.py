"""Who wrote a change, by what its commits say: e-mail addresses, co-authors, and the programs that did tasks.

All of it is what the writers said of themselves; what follows from it is `gate.trust`'s business.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from git_cto.repo.lens import Lens

# Anywhere in a message, not only where git sees a trailer: a blank line after it must not make it vanish.
_CO_AUTHOR = re.compile(r"^[ \t]*Co-authored-by:[ \t]*(\S.*?)[ \t\r]*$", re.IGNORECASE | re.MULTILINE)
_EXECUTOR = re.compile(r"^[ \t]*Cto-Executor:[ \t]*(\S.*?)[ \t\r]*$", re.IGNORECASE | re.MULTILINE)
_ADDRESS = re.compile(r"<([^<>]*)>")


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
    out = lens.run("log", "-z", "--format=%ae%x00%ce%x00%B", "--end-of-options", head, f"^{base}")
    fields = out.decode("utf-8", "replace").split("\0")
    addresses: set[str] = set()
    executors: dict[str, None] = {}
    co_authors: dict[str, None] = {}
    for author, committer, message in zip(*[iter(fields)] * 3, strict=False):
        found = _CO_AUTHOR.findall(message)
        co_authors.update(dict.fromkeys(found))
        executors.update(dict.fromkeys(_EXECUTOR.findall(message)))
        addresses.update((author, *(address for one in found for address in _ADDRESS.findall(one))))
        if committers:
            addresses.add(committer)
    return Authorship(
        frozenset(address.strip().casefold() for address in addresses) - {""}, tuple(executors), tuple(co_authors)
    )
