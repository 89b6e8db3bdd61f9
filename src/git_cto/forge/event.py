"""What happened on the forge: the name and the payload of an Actions event, read strictly into one small value. Pure.

Who may cause what is decided elsewhere. A payload is written by GitHub, but most of the texts in it are not.
"""

from __future__ import annotations

import re
from typing import Any, Literal
from urllib.parse import urlsplit

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

    A `comment` has a number and no head; the number of a merge group is its last member's. `fork` is True as well
    where the payload does not say.
    """

    kind: Kind
    name: str  # of the event: pull_request_target, issue_comment ...
    host: str  # github.com
    owner: str
    repo: str
    action: str = ""  # opened, synchronize, edited, created, checks_requested ...
    number: int = 0
    sender: User = GHOST
    author: User = GHOST  # of the pull request
    head_sha: str = ""
    head_ref: str = ""  # full in a merge group (refs/heads/gh-readonly-queue/...), else a branch's short name
    base_ref: str = ""  # full: refs/heads/main
    base_sha: str = ""
    draft: bool = False
    closed: bool = False
    fork: bool = True
    retargeted: bool = False  # an `edited` that moved the pull request to another base
    labels: tuple[str, ...] = ()
    comment: Comment | None = None
    ref: str = ""  # what a dispatch was started on, full
    inputs: tuple[tuple[str, str], ...] = ()  # of a dispatch

    @property
    def repository(self) -> str:
        """The repository as `owner/repo`."""
        return f"{self.owner}/{self.repo}"


def parse_event(name: str, payload: bytes, *, repository: str = "", server: str = "https://github.com") -> Event:
    """The event `name` with this payload.

    `repository` is what the runner calls it (`owner/repo`); a payload about another one is refused. `server` says
    where, when the payload does not.

    Raises:
        ToolError: The payload is none, or not one of this event.
    """
    if len(payload) > MAX_PAYLOAD:
        raise _garbled(name, f"it has {len(payload):,} bytes")
    try:
        return _READERS.get(name, _other)(name, _Place(repository, server), payload)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise _garbled(name, str(error)) from None


def _garbled(name: str, why: str) -> ToolError:
    shown = re.sub(r"[^a-z0-9_]", "", name)[:40]
    return ToolError(f"The payload of this {shown} event cannot be read: {why}.", _NEXT, code="event")


# ---- what payloads look like, as far as it is read ------------------------------------------------------------------


class _Place(Struct, frozen=True):
    """Where the runner says that it is."""

    repository: str
    server: str


class _User(Struct):
    login: str
    type: str = "User"


class _Repository(Struct):
    id: int
    full_name: str
    html_url: str = ""


class _Common(Struct):
    repository: _Repository | UnsetType = UNSET
    sender: _User | UnsetType = UNSET
    action: str | None = None


class _Head(Struct):
    sha: str
    ref: str
    repo: _Repository | None = None  # of a fork that was deleted


class _Base(Struct):
    sha: str
    ref: str
    repo: _Repository


class _Label(Struct):
    name: str


class _Pull(Struct):
    number: int
    state: Literal["open", "closed"]
    head: _Head
    base: _Base
    user: _User | None = None
    draft: bool = False
    labels: list[_Label] = []


class _Changes(Struct):
    base: Any = None


class _PullPayload(Struct):
    number: int
    pull_request: _Pull
    changes: _Changes | None = None


class _Group(Struct):
    head_sha: str
    head_ref: str
    base_sha: str
    base_ref: str


class _GroupPayload(Struct):
    merge_group: _Group


class _Issue(Struct):
    number: int
    state: Literal["open", "closed"]
    user: _User | None = None
    pull_request: Any = None
    draft: bool = False
    labels: list[_Label] = []


class _Comment(Struct):
    id: int
    body: str
    user: _User | None = None
    html_url: str = ""
    created_at: str = ""


class _CommentPayload(Struct):
    issue: _Issue
    comment: _Comment


class _DispatchPayload(Struct):
    ref: str = ""
    branch: str = ""  # what a repository_dispatch calls it, short
    inputs: dict[str, Any] | None = None


# ---- one reader per kind --------------------------------------------------------------------------------------------


def _pull_request(name: str, place: _Place, payload: bytes) -> Event:
    told = msgspec.json.decode(payload, type=_PullPayload)
    pull = told.pull_request
    if told.number != pull.number:
        raise _garbled(name, "it names two pull requests")
    event = _common(name, place, payload)
    if pull.base.repo.full_name.lower() != event.repository.lower():
        raise _garbled(name, "its base lies in another repository")
    return msgspec.structs.replace(
        event,
        kind="pull_request",
        number=_number(name, pull.number),
        author=_user(name, pull.user),
        head_sha=_sha(name, pull.head.sha),
        head_ref=_ref(name, pull.head.ref),
        base_sha=_sha(name, pull.base.sha),
        base_ref=f"refs/heads/{_ref(name, pull.base.ref)}",
        draft=pull.draft,
        closed=pull.state == "closed",
        fork=pull.head.repo is None or pull.head.repo.id != pull.base.repo.id,
        retargeted=told.changes is not None and told.changes.base is not None,
        labels=tuple(label.name for label in pull.labels),
    )


def _merge_group(name: str, place: _Place, payload: bytes) -> Event:
    group = msgspec.json.decode(payload, type=_GroupPayload).merge_group
    if not group.base_ref.startswith("refs/heads/"):
        raise _garbled(name, "its base is no branch")
    last = re.search(r"/pr-([1-9][0-9]{0,9})-[0-9a-f]+$", group.head_ref)
    return msgspec.structs.replace(
        _common(name, place, payload),
        kind="merge_group",
        number=int(last[1]) if last else 0,
        head_sha=_sha(name, group.head_sha),
        head_ref=_ref(name, group.head_ref),
        base_sha=_sha(name, group.base_sha),
        base_ref=_ref(name, group.base_ref),
        fork=False,
    )


def _comment(name: str, place: _Place, payload: bytes) -> Event:
    """A comment on a pull request; one on an issue is none of ours."""
    told = msgspec.json.decode(payload, type=_CommentPayload)
    issue, said = told.issue, told.comment
    event = _common(name, place, payload)
    if issue.pull_request is None:
        return event
    author = _user(name, said.user)
    return msgspec.structs.replace(
        event,
        kind="comment",
        number=_number(name, issue.number),
        author=_user(name, issue.user),
        draft=issue.draft,
        closed=issue.state == "closed",
        labels=tuple(label.name for label in issue.labels),
        comment=Comment(said.id, author, said.body, said.html_url, said.created_at),
    )


def _dispatch(name: str, place: _Place, payload: bytes) -> Event:
    told = msgspec.json.decode(payload, type=_DispatchPayload)
    ref = told.ref or (f"refs/heads/{told.branch}" if told.branch else "")
    inputs = told.inputs or {}
    return msgspec.structs.replace(
        _common(name, place, payload),
        kind="dispatch",
        ref=_ref(name, ref) if ref else "",
        inputs=tuple((key, value if isinstance(value, str) else _plain(value)) for key, value in inputs.items()),
        fork=False,
    )


def _other(name: str, place: _Place, payload: bytes) -> Event:
    return _common(name, place, payload)


_READERS = {
    "pull_request": _pull_request,
    "pull_request_target": _pull_request,
    "merge_group": _merge_group,
    "issue_comment": _comment,
    "workflow_dispatch": _dispatch,
    "repository_dispatch": _dispatch,
}


# ---- what all have in common ----------------------------------------------------------------------------------------


def _common(name: str, place: _Place, payload: bytes) -> Event:
    told = msgspec.json.decode(payload, type=_Common)
    full_name = told.repository.full_name if isinstance(told.repository, _Repository) else place.repository
    if place.repository and full_name.lower() != place.repository.lower():
        raise _garbled(name, "it is about another repository than the one this runs for")
    owner, slash, repo = full_name.partition("/")
    if not slash or not _NAME.fullmatch(owner) or not _NAME.fullmatch(repo) or repo in {".", ".."}:
        raise _garbled(name, "it names no repository")
    where = told.repository.html_url if isinstance(told.repository, _Repository) else ""
    return Event(
        kind="other",
        name=name,
        host=_host(name, where or place.server),
        owner=owner,
        repo=repo,
        action=told.action or "",
        sender=_user(name, told.sender if isinstance(told.sender, _User) else None),
    )


def _host(name: str, url: str) -> str:
    try:
        host = urlsplit(url).netloc
    except ValueError:
        host = ""
    if not re.fullmatch(r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?", host):
        raise _garbled(name, "it names no server")
    return host.lower()


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


def _plain(value: object) -> str:
    return msgspec.json.encode(value).decode()
