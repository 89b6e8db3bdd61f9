"""How a fake GitHub answers GraphQL: graphql-core executes the query on GitHub's own schema, so answers are legal."""

from __future__ import annotations

from typing import Any

from graphql import graphql_sync

from tests.forge import judge
from tests.forge.state import LineSaid, State, Token

Json = Any


class GraphQLRefusalError(Exception):
    """What does not work, with GitHub's word for it."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.extensions = {"type": kind}  # where graphql-core looks for what else there is to say


def answer(state: State, token: Token, body: Json) -> Json:
    """The JSON of an answer."""
    root = {
        "viewer": {"login": token.login},
        "repository": lambda _info, owner, name, **_: _repository(state) if _same(state, owner, name) else None,
        "resolveReviewThread": lambda _info, **given: _resolve(state, token, given["input"]["threadId"]),
    }
    done = graphql_sync(
        judge.graphql_schema(), body["query"], root_value=root, variable_values=body.get("variables") or {}
    )
    told: dict[str, Json] = {"data": done.data}
    if done.errors:
        told["errors"] = [
            {"message": error.message, **({"type": kind} if (kind := (error.extensions or {}).get("type")) else {})}
            for error in done.errors
        ]
    return told


def _same(state: State, owner: str, name: str) -> bool:
    return f"{owner}/{name}".lower() == state.repository.lower()


def _repository(state: State) -> Json:
    return {
        "pullRequest": lambda _info, number: _pull(state, number),
        "mergeQueue": lambda _info, branch=None: _queue(state, branch),
    }


def _pull(state: State, number: int) -> Json:
    if number not in state.pulls:
        return None
    first = [said for said in state.line_comments if said.pull == number and not said.reply_to]
    moved = state.pulls[number].retargeted
    return {
        "reviewThreads": lambda _info, **page: _connection([_thread(state, said) for said in first], **page),
        "timelineItems": {"nodes": [{"__typename": "BaseRefChangedEvent", "createdAt": moved}] if moved else []},
    }


def _thread(state: State, said: LineSaid) -> Json:
    talk = [said, *(other for other in state.line_comments if other.reply_to == said.id)]
    return {
        "id": said.thread,
        "isResolved": said.resolved,
        "isOutdated": said.line is None,
        "path": said.path,
        "line": said.line,
        "comments": lambda _info, **page: _connection([_comment(other) for other in talk], **page),
    }


def _comment(said: LineSaid) -> Json:
    bot = said.login.endswith("[bot]")
    author = {"__typename": "Bot" if bot else "User", "login": said.login.removesuffix("[bot]")}
    return {
        "fullDatabaseId": str(said.id),
        "body": said.body,
        "author": None if said.login == "ghost" else author,
    }


def _queue(state: State, branch: str | None) -> Json:
    entries = [entry for entry in state.queue if entry.branch == branch]
    if not entries:
        return None
    nodes = [
        {
            "position": place,
            "state": entry.state,
            "baseCommit": {"oid": entry.base} if entry.base else None,
            "headCommit": {"oid": entry.head} if entry.head else None,
            "pullRequest": {"number": entry.number, "headRefOid": state.pulls[entry.number].head_sha},
        }
        for place, entry in enumerate(entries, 1)
    ]
    return {"entries": lambda _info, **page: _connection(nodes[::-1], **page)}  # in no particular order


def _connection(nodes: list[Json], first: int = 0, after: str | None = None, **_: object) -> Json:
    """A page of a connection. GitHub gives at most 100."""
    assert 0 < first <= 100, "GitHub asks for `first`, at most 100"
    start = int(after or 0)
    end = start + first
    return {
        "nodes": nodes[start:end],
        "pageInfo": {"hasNextPage": end < len(nodes), "endCursor": str(end)},
    }


def _resolve(state: State, token: Token, thread: str) -> Json:
    """As measured by others: without `contents: write` GitHub refuses this, whatever else a token may."""
    if not token.may("contents=write"):
        raise GraphQLRefusalError("FORBIDDEN", "Resource not accessible by integration")
    said = next((said for said in state.line_comments if said.thread == thread), None)
    if said is None:
        raise GraphQLRefusalError("NOT_FOUND", f"Could not resolve to a node with the global id of '{thread}'.")
    said.resolved = True
    return {"thread": _thread(state, said)}
