"""What a fake GitHub remembers: one repository, its people, pull requests, conversations, checks and rules."""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import dataclass, field
from typing import Any

Json = Any

WORKFLOW = "github-actions[bot]"
APP_IDS = {"github-actions": 15368}


def now() -> str:
    """This moment, as GitHub writes it."""
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Token:
    """Whom a token belongs to, and what it may. `None` means everything."""

    login: str
    permissions: dict[str, str] | None = None  # {"pull_requests": "write"}

    @property
    def app(self) -> str:
        return self.login.removesuffix("[bot]") if self.login.endswith("[bot]") else ""

    def may(self, accepted: str) -> bool:
        """Whether one of the accepted sets, as GitHub writes them (`issues=write; pull_requests=write`), is held."""
        if self.permissions is None or not accepted:
            return True
        return any(all(self._holds(*pair.strip().split("=")) for pair in one.split(",")) for one in accepted.split(";"))

    def _holds(self, name: str, level: str) -> bool:
        held = (self.permissions or {}).get(name, "none")
        return held in {"write", "admin"} or held == level


@dataclass
class PullState:
    number: int
    head_sha: str
    title: str = "A change"
    body: str | None = None
    author: str = "ada"
    head_ref: str = "change"
    head_repository: str | None = ""  # "": this one; None: deleted
    base_ref: str = "main"
    base_sha: str = "b" * 40
    draft: bool = False
    state: str = "open"
    merged: bool = False
    retargeted: str = ""  # when it got its base, if that is not the first one
    labels: list[str] = field(default_factory=list)
    lines: dict[str, set[int]] | None = None  # of the diff, by path; None: any
    commits: list[tuple[str, str, str]] | None = None  # id, addresses of author and committer; None: the author's one


@dataclass
class Said:
    """A comment in a conversation."""

    id: int
    pull: int
    login: str
    body: str
    created: str = field(default_factory=now)
    updated: str = field(default_factory=now)
    reactions: list[tuple[str, str]] = field(default_factory=list)  # login, content


@dataclass
class ReviewState:
    id: int
    pull: int
    login: str
    state: str
    commit: str
    body: str
    submitted: str = field(default_factory=now)


@dataclass
class LineSaid:
    """A comment on a line; the first of a thread carries the thread's state."""

    id: int
    pull: int
    review: int
    login: str
    path: str
    body: str
    commit: str
    line: int | None
    side: str = "RIGHT"
    start: int | None = None
    reply_to: int = 0
    resolved: bool = False

    @property
    def thread(self) -> str:
        return f"PRRT_{self.id}"


@dataclass
class Check:
    """A check run."""

    id: int
    name: str
    head: str
    app: str
    status: str = "queued"
    conclusion: str | None = None
    external_id: str = ""
    details_url: str | None = None
    title: str | None = None
    summary: str | None = None
    text: str | None = None
    annotations: list[dict[str, Json]] = field(default_factory=list)


@dataclass
class Status:
    id: int
    sha: str
    context: str
    state: str
    description: str = ""


@dataclass
class Rule:
    """A rule of a ruleset that holds for a branch."""

    branch: str
    type: str
    parameters: dict[str, Json]
    ruleset: int = 1


@dataclass
class Classic:
    """Classic protection of a branch."""

    checks: list[tuple[str, int | None]]
    admins_too: bool = False
    approvals: int = 0


@dataclass
class Entry:
    """An entry of a merge queue."""

    number: int
    branch: str
    base: str
    head: str
    state: str = "AWAITING_CHECKS"


@dataclass
class Environment:
    """An environment; `patterns` are (branch or tag, pattern), None: all branches, or all protected ones."""

    patterns: list[tuple[str, str]] | None = None
    protected: bool = False
    secrets: list[str] = field(default_factory=list)


class State:
    """One repository."""

    def __init__(self, repository: str) -> None:
        self.repository = repository
        self.tokens: dict[str, Token] = {}
        self.people: dict[str, str] = {}  # login -> permission
        self.addresses: dict[str, str] = {}  # e-mail address -> the login that has it among its own
        self.pulls: dict[int, PullState] = {}
        self.labels: dict[str, str] = {}  # of the repository: by name in lower case, as it is written
        self.comments: dict[int, Said] = {}
        self.reviews: list[ReviewState] = []
        self.line_comments: list[LineSaid] = []
        self.checks: dict[int, Check] = {}
        self.statuses: list[Status] = []
        self.rules: list[Rule] = []
        self.rulesets: dict[int, dict[str, Json]] = {}
        self.classic: dict[str, Classic] = {}
        self.queue: list[Entry] = []
        self.default_branch = "main"
        self.environments: dict[str, Environment] = {}
        self.secrets: list[str] = []  # of the repository
        self.organisation_secrets: list[str] = []  # that it may use
        self.contains: dict[str, list[int]] = {}  # commit -> pull requests beside those whose head it is
        self._ids = itertools.count(4_300_000_001)  # beyond 32 bits, as on GitHub

    def next_id(self) -> int:
        return next(self._ids)

    def account(self, address: str) -> str:
        """The login that an address belongs to; "" where nobody has said that it is theirs."""
        address = address.lower()
        local, _, host = address.partition("@")
        return local.rpartition("+")[2] if host == "users.noreply.github.com" else self.addresses.get(address, "")

    def latest_checks(self, head: str) -> list[Check]:
        """The newest run of each name and app, the newest first."""
        latest = {(check.name, check.app): check for check in self.checks.values() if check.head == head}
        return sorted(latest.values(), key=lambda check: -check.id)

    def latest_statuses(self, sha: str) -> list[Status]:
        latest = {status.context: status for status in self.statuses if status.sha == sha}
        return list(latest.values())

    def unmet(self, pull: PullState) -> list[str]:
        """The required checks that keep a pull request from being merged. A skipped one counts as success."""
        required = [
            (check["context"], check.get("integration_id"))
            for rule in self.rules
            if rule.branch == pull.base_ref and rule.type == "required_status_checks"
            for check in rule.parameters["required_status_checks"]
        ]
        if pull.base_ref in self.classic:
            required += self.classic[pull.base_ref].checks
        return [name for name, app in required if not self._met(pull.head_sha, name, app)]

    def _met(self, head: str, name: str, app: int | None) -> bool:
        checks = [c for c in self.latest_checks(head) if c.name == name and app in {None, app_id(c.app)}]
        statuses = [] if app else [status for status in self.latest_statuses(head) if status.context == name]
        ends = [check.conclusion for check in checks[:1]] + [status.state for status in statuses]
        return bool(ends) and all(end in {"success", "neutral", "skipped"} for end in ends)


def app_id(slug: str) -> int:
    """The number of an app: GitHub's own for Actions, made up for others."""
    return APP_IDS.get(slug) or 100_000 + sum(slug.encode())
