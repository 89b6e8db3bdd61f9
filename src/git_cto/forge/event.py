"""What happened on the forge: the name and the payload of an Actions event, read strictly into one small value. Pure.

Who may cause what is decided elsewhere. A payload is written by GitHub, but most of the texts in it are not.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from git_cto.errors import ToolError
from git_cto.forge.values import GHOST, Comment, User

Kind = Literal["pull_request", "merge_group", "comment", "dispatch", "other"]

MAX_PAYLOAD = 32_000_000  # bytes; GitHub itself stops at 25 MB
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}", re.ASCII)
_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,99})(?:\[bot\])?", re.ASCII)
_REF = re.compile(r"[^\x00-\x20\x7f~^:?*\[\\]{1,1000}")
_NEXT = "run this where GitHub Actions sets GITHUB_EVENT_NAME and GITHUB_EVENT_PATH"


class Event(Struct, frozen=True, kw_only=True):
    """One event. What a kind does not say stays empty: ask the hub.

    It says where to look and who is behind it, and nothing that is decided by: a payload may be days old.
    """

    kind: Kind
    name: str  # of the event: pull_request_target, issue_comment ...
    repository: str  # as owner/repo
    action: str = ""  # opened, synchronize, edited, created, checks_requested ...
    number: int = 0
    sender: User = GHOST
    head_sha: str = ""  # of a pull request or a merge group
    base_ref: str = ""  # full: refs/heads/main
    comment: Comment | None = None
    ref: str = ""  # what a dispatch was started on, full


def parse_event(name: str, payload: bytes, *, repository: str = "") -> Event:
    """The event `name` with this payload.

    `repository` is what the runner calls it (`owner/repo`); a payload about another one is refused.

    Raises:
        ToolError: The payload is none, or not one of this event.
    """
    if len(payload) > MAX_PAYLOAD:
        raise _garbled(name, f"it has {len(payload):,} bytes")
    try:
        return _READERS.get(name, _common)(name, repository, payload)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _garbled(name, str(error)) from None


def _garbled(name: str, why: str) -> ToolError:
    shown = re.sub(r"[^a-z0-9_]", "", name)[:40]
    return ToolError(f"The payload of this {shown} event cannot be read: {why}.", _NEXT, code="event")


# ---- what payloads look like, as far as it is read ------------------------------------------------------------------


class _User(Struct):
    login: str
    type: str = "User"


class _Repository(Struct):
    full_name: str


class _Common(Struct):
    repository: _Repository | UnsetType = UNSET
    sender: _User | UnsetType = UNSET
    action: str | None = None


class _Head(Struct):
    sha: str


class _Base(Struct):
    ref: str
    repo: _Repository


class _Pull(Struct):
    number: int
    head: _Head
    base: _Base


class _PullPayload(Struct):
    number: int
    pull_request: _Pull


class _Group(Struct):
    head_sha: str
    base_ref: str


class _GroupPayload(Struct):
    merge_group: _Group


class _Issue(Struct):
    number: int
    pull_request: Any = None


class _Comment(Struct):
    id: int
    body: str
    user: _User | None = None
    created_at: str = ""


class _CommentPayload(Struct):
    issue: _Issue
    comment: _Comment


class _DispatchPayload(Struct):
    ref: str = ""
    branch: str = ""  # what a repository_dispatch calls it, short


# ---- one reader per kind --------------------------------------------------------------------------------------------


def _pull_request(name: str, repository: str, payload: bytes) -> Event:
    told = msgspec.json.decode(payload, type=_PullPayload)
    pull = told.pull_request
    if told.number != pull.number:
        raise _garbled(name, "it names two pull requests")
    event = _common(name, repository, payload)
    if pull.base.repo.full_name.lower() != event.repository.lower():
        raise _garbled(name, "its base lies in another repository")
    return msgspec.structs.replace(
        event,
        kind="pull_request",
        number=_number(name, pull.number),
        head_sha=_sha(name, pull.head.sha),
        base_ref=f"refs/heads/{_ref(name, pull.base.ref)}",
    )


def _merge_group(name: str, repository: str, payload: bytes) -> Event:
    group = msgspec.json.decode(payload, type=_GroupPayload).merge_group
    if not group.base_ref.startswith("refs/heads/"):
        raise _garbled(name, "its base is no branch")
    return msgspec.structs.replace(
        _common(name, repository, payload),
        kind="merge_group",
        head_sha=_sha(name, group.head_sha),
        base_ref=_ref(name, group.base_ref),
    )


def _comment(name: str, repository: str, payload: bytes) -> Event:
    """A comment on a pull request; one on an issue is none of ours."""
    told = msgspec.json.decode(payload, type=_CommentPayload)
    issue, said = told.issue, told.comment
    event = _common(name, repository, payload)
    if issue.pull_request is None:
        return event
    author = _user(name, said.user)
    return msgspec.structs.replace(
        event,
        kind="comment",
        number=_number(name, issue.number),
        comment=Comment(said.id, author, said.body, said.created_at),
    )


def _dispatch(name: str, repository: str, payload: bytes) -> Event:
    told = msgspec.json.decode(payload, type=_DispatchPayload)
    ref = told.ref or (f"refs/heads/{told.branch}" if told.branch else "")
    return msgspec.structs.replace(
        _common(name, repository, payload), kind="dispatch", ref=_ref(name, ref) if ref else ""
    )


_READERS = {
    "pull_request": _pull_request,
    "pull_request_target": _pull_request,
    "merge_group": _merge_group,
    "issue_comment": _comment,
    "workflow_dispatch": _dispatch,
    "repository_dispatch": _dispatch,
}


# ---- what all have in common ----------------------------------------------------------------------------------------


def _common(name: str, repository: str, payload: bytes) -> Event:
    told = msgspec.json.decode(payload, type=_Common)
    full_name = told.repository.full_name if isinstance(told.repository, _Repository) else repository
    if repository and full_name.lower() != repository.lower():
        raise _garbled(name, "it is about another repository than the one this runs for")
    owner, slash, repo = full_name.partition("/")
    if not slash or not _NAME.fullmatch(owner) or not _NAME.fullmatch(repo) or repo in {".", ".."}:
        raise _garbled(name, "it names no repository")
    return Event(
        kind="other",
        name=name,
        repository=full_name,
        action=told.action or "",
        sender=_user(name, told.sender if isinstance(told.sender, _User) else None),
    )


def _user(name: str, user: _User | None) -> User:
    """Somebody, by a login that may stand in a text; a deleted account is `ghost`."""
    if user is None:
        return GHOST
    if not _LOGIN.fullmatch(user.login):
        raise _garbled(name, "it names a user whose login is none")
    return User(user.login, user.type)


def _number(name: str, number: int) -> int:
    if not 0 < number < 2**53:
        raise _garbled(name, "its number is none")
    return number


def _sha(name: str, sha: str) -> str:
    if not _SHA.fullmatch(sha):
        raise _garbled(name, "one of its commits is none")
    return sha


def _ref(name: str, ref: str) -> str:
    """A ref as git allows it, so that it can be given to git after `--end-of-options`."""
    if not _REF.fullmatch(ref) or ref.startswith("/") or ref.endswith(("/", ".", ".lock")):
        raise _garbled(name, "one of its branches has no name that git allows")
    if ".." in ref or "@{" in ref or "//" in ref:
        raise _garbled(name, "one of its branches has no name that git allows")
    return ref
