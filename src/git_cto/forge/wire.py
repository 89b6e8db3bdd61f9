"""What GitHub's REST API answers, as far as it is read, and the values that are made of them. Pure and strict.

The library's own objects are not used for this: one of them sends a request for every field that an answer left out.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from git_cto.forge.values import (
    GHOST,
    CheckState,
    Comment,
    Permission,
    Pull,
    PullCommit,
    Review,
    User,
)


class Account(Struct):
    """`simple-user`."""

    login: str
    type: str = "User"

    def value(self) -> User:
        """The user."""
        return User(self.login, self.type)


def user(account: Account | None) -> User:
    """Somebody; where the account was deleted, GitHub's own ghost."""
    return GHOST if account is None else account.value()


class Slug(Struct):
    """An app, as far as it has a name."""

    slug: str | None = None


class Repository(Struct):
    """A repository, as part of a pull request."""

    id: int


class End(Struct):
    """The head or the base of a pull request."""

    sha: str
    ref: str
    repo: Repository | None = None


class Label(Struct):
    """A label."""

    name: str


class ReactionAnswer(Struct):
    """`reaction`."""

    content: str


class PullAnswer(Struct):
    """`pull-request` and `pull-request-simple`."""

    number: int
    title: str
    state: Literal["open", "closed"]
    head: End
    base: End
    body: str | None = None
    user: Account | None = None
    draft: bool = False
    labels: list[Label] = []

    def value(self) -> Pull:
        """The pull request."""
        head, base = self.head.repo, self.base.repo
        return Pull(
            number=self.number,
            title=self.title,
            body=self.body or "",
            author=user(self.user),
            head_sha=self.head.sha,
            head_ref=self.head.ref,
            base_ref=f"refs/heads/{self.base.ref}",
            draft=self.draft,
            closed=self.state == "closed",
            fork=head is None or base is None or head.id != base.id,
            labels=tuple(label.name for label in self.labels),
        )


class _Maybe(Struct):
    """`simple-user`, or `empty-object`."""

    login: str = ""
    type: str = "User"


class CommitAnswer(Struct):
    """`commit`, as far as it says who made it."""

    sha: str
    author: _Maybe | None = None
    committer: _Maybe | None = None

    def value(self) -> PullCommit:
        """The commit."""
        author, committer = (
            User(one.login, one.type) if one is not None and one.login else None
            for one in (self.author, self.committer)
        )
        return PullCommit(self.sha, author, committer)


class PermissionAnswer(Struct):
    """`repository-collaborator-permission`."""

    permission: Permission


class CommentAnswer(Struct):
    """`issue-comment`."""

    id: int
    body: str = ""
    user: Account | None = None

    @classmethod
    def of(cls, comment: Comment) -> CommentAnswer:
        """What GitHub would have answered, had the answer come."""
        author = Account(comment.author.login, comment.author.type)
        return cls(comment.id, comment.body, author)

    def value(self) -> Comment:
        """The comment."""
        return Comment(self.id, user(self.user), self.body)


class ReviewAnswer(Struct):
    """`pull-request-review`."""

    state: str
    body: str = ""
    commit_id: str | None = None  # of a commit that is gone
    user: Account | None = None
    submitted_at: str = ""

    def value(self) -> Review:
        """The review."""
        return Review(
            author=user(self.user),
            state=self.state.upper(),
            commit=self.commit_id or "",
            submitted=self.submitted_at,
        )


class OutputAnswer(Struct):
    """What a check run says."""

    title: str | None = None
    annotations_count: int = 0


class CheckRunAnswer(Struct):
    """`check-run`."""

    id: int
    name: str
    status: str
    conclusion: str | None = None
    external_id: str | None = None
    app: Slug | None = None
    output: OutputAnswer = field(default_factory=OutputAnswer)
    html_url: str | None = None
    details_url: str | None = None

    def state(self) -> CheckState:
        """How the check stands."""
        return CheckState(
            name=self.name,
            kind="check",
            conclusion=self.conclusion or "",
            title=self.output.title or "",
            url=self.details_url or self.html_url or "",  # where it was made: a job's own page
        )

    @property
    def by(self) -> str:
        """The login of the app that made it."""
        return f"{self.app.slug}[bot]" if self.app and self.app.slug else ""


class CheckRunsAnswer(Struct):
    """A page of check runs."""

    check_runs: list[CheckRunAnswer]


class StatusAnswer(Struct):
    """`simple-commit-status`."""

    context: str
    state: Literal["error", "failure", "pending", "success"]
    description: str | None = None
    target_url: str | None = None

    def value(self) -> CheckState:
        """How the status stands."""
        return CheckState(
            name=self.context,
            kind="status",
            conclusion="" if self.state == "pending" else self.state,
            title=self.description or "",
            url=self.target_url or "",
        )


class StatusesAnswer(Struct):
    """A page of `combined-commit-status`: the newest status of each context."""

    statuses: list[StatusAnswer]
