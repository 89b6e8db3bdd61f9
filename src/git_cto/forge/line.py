"""The line to the forge: requests that are repeated when that is safe, lists over all pages, answers read strictly.

What makes something new is never sent twice blindly: `made` looks first for what a lost answer may have made. How one
request is sent is the door's business (`door`), what is asked is the hub's.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from git_cto.forge.failures import Asked, RefusedError, UnansweredError, explained, out_of_patience, unreadable
from git_cto.forge.graph import Graph, Page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_PAGE = 100  # the most that GitHub gives at once
_PAGES = 200  # of one list; nobody reads more
_TRIES = 5  # of one request that GitHub fails to answer
_LONGEST = 16.0  # times the pace: the longest wait for GitHub to recover
_TYPES = {"FORBIDDEN": 403, "INSUFFICIENT_SCOPES": 403, "NOT_FOUND": 404, "RATE_LIMITED": 429}

T = TypeVar("T")
Json = Any


class Reply(Struct, frozen=True):
    """What GitHub answered: where the next page is, and the JSON."""

    next: str
    data: Json


class Door(Protocol):
    """Sends one request, once. Raises an `UnansweredError`; ValueError when the answer is none."""

    def __call__(self, verb: str, url: str, parameters: Mapping[str, object] | None, body: object) -> Reply:
        """What was answered. `url` is a path below the API's address, or one that GitHub gave."""
        ...


class Line(Struct, frozen=True, kw_only=True):
    """Requests to one server, through a door. `pace` and `patience` are the hub's."""

    door: Door
    server: str  # what every address that is followed has to begin with
    graphql: str
    pace: float
    patience: float

    def get(self, asked: Asked, path: str, kind: type[T]) -> T:
        """One answer."""
        return read(asked, self._attempt(asked, partial(self.door, "GET", path, None, None)).data, kind)

    def pages(self, asked: Asked, path: str, kind: type[T], **parameters: object) -> Iterator[T]:
        """The pages of a list."""
        url, given = path, {"per_page": _PAGE, **parameters}
        for _ in range(_PAGES):
            reply = self._attempt(asked, partial(self.door, "GET", url, given, None))
            yield read(asked, reply.data, kind)
            if not reply.next:
                return
            url, given = self._followed(asked, reply.next), {}
        raise unreadable(asked, f"the list has more than {_PAGES} pages")

    def send(
        self,
        asked: Asked,
        verb: str,
        path: str,
        body: object,
        kind: type[T],
        made: Callable[[], T | None] | None = None,
    ) -> T:
        """Writes something. `made` finds what a request without an answer has made; without it, it is repeated."""
        return self._attempt(asked, lambda: read(asked, self.door(verb, path, None, body).data, kind), made)

    def query(self, asked: Asked, query: str, kind: type[T], **variables: object) -> T:
        """Asks GraphQL. All that is asked there may be asked twice."""
        return read(asked, self._attempt(asked, partial(self._graph, asked, query, variables)), kind)

    def nodes(
        self, asked: Asked, query: str, kind: type[Page[T]], within: tuple[str, ...], **variables: object
    ) -> Iterator[T]:
        """The nodes of a connection, over all pages. `within` says where in the repository it is; it may be absent."""
        after: str | None = None
        for _ in range(_PAGES):
            found: Json = self.query(asked, query, dict[str, Any], after=after, **variables)
            for name in ("repository", *within):
                found = found.get(name) if isinstance(found, dict) else None
            if found is None:
                return
            page = read(asked, found, kind)
            yield from page.nodes
            if not page.page_info.has_next_page:
                return
            after = page.page_info.end_cursor
        raise unreadable(asked, f"the list has more than {_PAGES} pages")

    def _graph(self, asked: Asked, query: str, variables: Mapping[str, object]) -> Json:
        reply = self.door("POST", self.graphql, None, {"query": query, "variables": variables})
        told = read(asked, reply.data, Graph)
        for error in told.errors:
            stumbled = error.message.startswith("Something went wrong")
            raise RefusedError(_TYPES.get(error.type, 502 if stumbled else 422), error.message, {})
        return told.data

    def _attempt(self, asked: Asked, send: Callable[[], T], made: Callable[[], T | None] | None = None) -> T:
        """Sends until there is an answer, within bounds."""
        end, delay, tries = time.monotonic() + self.patience, self.pace, _TRIES
        while True:
            try:
                return send()
            except UnansweredError as error:
                failed = error
            except ValueError as error:
                raise unreadable(asked, str(error)) from None
            if isinstance(failed, RefusedError) and not failed.passing:
                raise explained(failed, asked)
            wait = failed.wait(time.time()) if isinstance(failed, RefusedError) and failed.limited else delay
            delay, tries = min(delay * 2, self.pace * _LONGEST), tries - 1
            over = not tries or time.monotonic() + wait > end
            if not over:
                time.sleep(wait)
            if made is not None and not failed.limited and (found := made()) is not None:
                return found
            if over:
                raise out_of_patience(failed, asked, time.time())

    def _followed(self, asked: Asked, url: str) -> str:
        """An address that GitHub gave, when it is on the same server: the token goes along."""
        ours, theirs = urlsplit(self.server), urlsplit(url)
        if (theirs.scheme, theirs.netloc) != (ours.scheme, ours.netloc) or not theirs.path.startswith(ours.path):
            raise unreadable(asked, "it points to another server")
        return url


def read(asked: Asked, data: Json, kind: type[T]) -> T:
    """An answer as what it has to be."""
    try:
        return msgspec.convert(data, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise unreadable(asked, str(error)) from None
