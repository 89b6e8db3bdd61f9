"""What the forge says, as small values with the domain's names: pull requests, comments, reviews, checks, rules.

Every text in here was written by somebody on the internet. Making it safe to print or to post is the business of
`redaction` and `render`; what follows from it is decided elsewhere.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Permission = Literal["admin", "write", "read", "none"]
Side = Literal["LEFT", "RIGHT"]
Level = Literal["notice", "warning", "failure"]
Conclusion = Literal["success", "failure", "action_required"]
Emoji = Literal["+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"]

MAX_BODY = 65_536  # characters of a comment or a review
MAX_OUTPUT = 65_535  # characters of a check run's summary, and of its text
MAX_ANNOTATIONS = 50  # in one request


class User(Struct, frozen=True):
    """Somebody on the forge. A bot's login ends in `[bot]`, as in REST, also where GraphQL leaves that out."""

    login: str
    type: str = "User"  # or Bot, Organization, Mannequin

    @property
    def bot(self) -> bool:
        """Whether this is a program."""
        return self.type == "Bot" or self.login.endswith("[bot]")


GHOST = User("ghost")  # whose account was deleted


def same_login(one: str, other: str) -> bool:
    """Whether two logins are one: on the forge, case does not tell them apart."""
    return one.lower() == other.lower()


class Pull(Struct, frozen=True, kw_only=True):
    """A pull request as it is now."""

    number: int
    title: str
    body: str
    author: User
    head_sha: str
    head_ref: str  # a branch's short name
    base_ref: str  # full: refs/heads/main
    draft: bool = False
    closed: bool = False
    fork: bool = True  # the head lies in another repository
    labels: tuple[str, ...] = ()


class PullCommit(Struct, frozen=True):
    """A commit of a pull request, and whose its addresses are; None where no account has said that one is its own."""

    id: str
    author: User | None
    committer: User | None


class QueueEntry(Struct, frozen=True, kw_only=True):
    """A pull request in a merge queue, and the commits between which the queue merges it."""

    number: int
    base: str = ""  # empty until the queue has prepared the entry
    head: str = ""


class Comment(Struct, frozen=True):
    """A comment in the conversation of a pull request."""

    id: int
    author: User
    body: str
    created: str = ""  # when, as the forge writes it; known of the comment of an event


class LineComment(Struct, frozen=True, kw_only=True):
    """A comment to be posted on lines of the diff: `start` up to and including `line`."""

    path: str
    line: int
    body: str
    side: Side = "RIGHT"
    start: int | None = None


class Thread(Struct, frozen=True, kw_only=True):
    """A conversation on a line: its first comment, and whether it is resolved. `id` is GraphQL's."""

    id: str
    author: User
    body: str
    resolved: bool = False


class Review(Struct, frozen=True, kw_only=True):
    """A review of a pull request, for one commit. `state` is APPROVED, CHANGES_REQUESTED, COMMENTED, DISMISSED."""

    author: User
    state: str
    commit: str
    submitted: str = ""  # when, as the forge writes it


class Annotation(Struct, frozen=True, kw_only=True):
    """A remark of a check run on lines of a file."""

    path: str
    start: int
    end: int
    message: str
    level: Level = "warning"
    title: str = ""


class CheckReport(Struct, frozen=True, kw_only=True):
    """What a check run is to say. Without a conclusion it goes on. `external_id` is what it is found by again."""

    name: str
    title: str
    summary: str
    text: str = ""
    conclusion: Conclusion | None = None
    annotations: tuple[Annotation, ...] = ()
    external_id: str = ""
    details_url: str = ""


class CheckState(Struct, frozen=True, kw_only=True):
    """The newest state of one check or commit status of a commit. `conclusion` is empty while it goes on."""

    name: str
    kind: Literal["check", "status"]
    conclusion: str  # success, failure, neutral, cancelled, skipped, timed_out, action_required, stale, error
    title: str = ""
    url: str = ""


class RequiredCheck(Struct, frozen=True, kw_only=True):
    """A check that a branch asks for. `app_id` is None where any app, or anybody who may write, can set it."""

    name: str
    app_id: int | None = None
    by: Literal["ruleset", "protection"] = "ruleset"


class Rules(Struct, frozen=True, kw_only=True):
    """What protects a branch, as far as the token may see."""

    required: tuple[RequiredCheck, ...] = ()
    rules: tuple[str, ...] = ()  # the types of the rulesets' rules: pull_request, merge_queue, non_fast_forward ...
    bypass: tuple[str, ...] = ()  # who a ruleset lets past, in words; shown to those who may edit it
    protection: bool = False  # classic branch protection
    admins_too: bool | None = None  # whether classic protection holds admins; None: the token may not know
    merge_queue: bool = False


class Environment(Struct, frozen=True, kw_only=True):
    """An environment of a repository: which branches and tags a job that uses it may run on, as patterns."""

    branches: tuple[str, ...] | None = None  # None: not named one by one
    tags: tuple[str, ...] = ()
    protected: bool = False  # where they are not: every branch with classic protection, else every branch there is


class Secrets(Struct, frozen=True, kw_only=True):
    """The names of the secrets that a workflow can be given; None where the token may not see them."""

    environment: tuple[str, ...] | None
    repository: tuple[str, ...] | None
    organisation: tuple[str, ...] | None
