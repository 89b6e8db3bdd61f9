"""What GitHub's REST API answers, as far as it is read, and the values that are made of them. Pure and strict.

The library's own objects are not used for this: one of them sends a request for every field that an answer left out.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from git_cto.forge.values import (
    GHOST,
    CheckRun,
    CheckState,
    Comment,
    Permission,
    Pull,
    PullCommit,
    Review,
    ReviewComment,
    Side,
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
    id: int = 0


class Repository(Struct):
    """A repository, as part of a pull request."""

    id: int
    full_name: str


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
    merged_at: str | None = None
    labels: list[Label] = []
    html_url: str = ""

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
            head_repository=head.full_name if head else "",
            base_ref=f"refs/heads/{self.base.ref}",
            base_sha=self.base.sha,
            draft=self.draft,
            closed=self.state == "closed",
            merged=self.merged_at is not None,
            fork=head is None or base is None or head.id != base.id,
            labels=tuple(label.name for label in self.labels),
            url=self.html_url,
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
    html_url: str = ""

    @classmethod
    def of(cls, comment: Comment) -> CommentAnswer:
        """What GitHub would have answered, had the answer come."""
        author = Account(comment.author.login, comment.author.type)
        return cls(comment.id, comment.body, author, comment.url)

    def value(self) -> Comment:
        """The comment."""
        return Comment(self.id, user(self.user), self.body, self.html_url)


class ReviewCommentAnswer(Struct):
    """`pull-request-review-comment` and `review-comment`."""

    id: int
    path: str
    body: str
    user: Account | None = None
    line: int | None = None
    side: Side | None = None
    commit_id: str = ""
    pull_request_review_id: int | None = None
    in_reply_to_id: int = 0
    html_url: str = ""

    def value(self) -> ReviewComment:
        """The comment."""
        return ReviewComment(
            id=self.id,
            author=user(self.user),
            body=self.body,
            path=self.path,
            line=self.line,
            side=self.side or "RIGHT",
            commit=self.commit_id,
            review=self.pull_request_review_id or 0,
            reply_to=self.in_reply_to_id,
            url=self.html_url,
        )


class ReviewAnswer(Struct):
    """`pull-request-review`."""

    id: int
    state: str
    body: str = ""
    commit_id: str | None = None  # of a commit that is gone
    user: Account | None = None
    html_url: str = ""
    submitted_at: str = ""

    def value(self) -> Review:
        """The review."""
        return Review(
            id=self.id,
            author=user(self.user),
            state=self.state.upper(),
            commit=self.commit_id or "",
            body=self.body,
            url=self.html_url,
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
    head_sha: str
    status: str
    conclusion: str | None = None
    external_id: str | None = None
    app: Slug | None = None
    output: OutputAnswer = field(default_factory=OutputAnswer)
    html_url: str | None = None
    details_url: str | None = None

    def value(self) -> CheckRun:
        """The check run."""
        return CheckRun(
            id=self.id,
            name=self.name,
            head=self.head_sha,
            status=self.status,
            conclusion=self.conclusion or "",
            app=self._app,
            external_id=self.external_id or "",
            annotations=self.output.annotations_count,
            url=self.html_url or "",
        )

    def state(self) -> CheckState:
        """How the check stands."""
        return CheckState(
            name=self.name,
            kind="check",
            conclusion=self.conclusion or "",
            app=self._app,
            title=self.output.title or "",
            url=self.details_url or self.html_url or "",  # where it was made: a job's own page
        )

    @property
    def _app(self) -> str:
        return (self.app.slug if self.app else "") or ""


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
