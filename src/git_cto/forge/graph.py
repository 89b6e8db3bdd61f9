"""What is asked of GitHub's GraphQL API, because REST does not know it: the queries, and the values of their answers.

Review threads can be resolved only here, a merge queue can be read only here, only here an app's token can say whom it
belongs to, and only here it takes one question when a pull request got another base. Pure.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from msgspec import Struct, field

from git_cto.forge.values import GHOST, QueueEntry, Thread, User

T = TypeVar("T")

VIEWER = "query { viewer { login } }"

THREADS = """
query ($owner: String!, $name: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      reviewThreads(first: 100, after: $after) {
        pageInfo { hasNextPage endCursor }
        nodes {
          id isResolved
          comments(first: 1) { nodes { body author { __typename login } } }
        }
      }
    }
  }
}
"""

RESOLVE = """
mutation ($thread: ID!) {
  resolveReviewThread(input: {threadId: $thread}) { thread { id isResolved } }
}
"""

RETARGETED = """
query ($owner: String!, $name: String!, $number: Int!) {
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      timelineItems(last: 1, itemTypes: [BASE_REF_CHANGED_EVENT, AUTOMATIC_BASE_CHANGE_SUCCEEDED_EVENT]) {
        nodes {
          ... on BaseRefChangedEvent { createdAt }
          ... on AutomaticBaseChangeSucceededEvent { createdAt }
        }
      }
    }
  }
}
"""

QUEUE = """
query ($owner: String!, $name: String!, $branch: String!, $after: String) {
  repository(owner: $owner, name: $name) {
    mergeQueue(branch: $branch) {
      entries(first: 100, after: $after) {
        pageInfo { hasNextPage endCursor }
        nodes {
          position
          baseCommit { oid }
          headCommit { oid }
          pullRequest { number }
        }
      }
    }
  }
}
"""


class GraphError(Struct):
    """What GraphQL says went wrong."""

    message: str = ""
    type: str = ""


class Graph(Struct):
    """Any answer of GraphQL."""

    data: Any = None
    errors: list[GraphError] = []


class Viewer(Struct):
    """Who a token belongs to."""

    login: str


class ViewerData(Struct):
    """The answer to `VIEWER`."""

    viewer: Viewer


class ResolvedThread(Struct, rename="camel"):
    """A thread after it was resolved."""

    id: str
    is_resolved: bool


class Resolved(Struct):
    """What `resolveReviewThread` gives back."""

    thread: ResolvedThread


class ResolvedData(Struct, rename="camel"):
    """The answer to `RESOLVE`."""

    resolve_review_thread: Resolved


class PageInfo(Struct, rename="camel"):
    """Where a page ends."""

    has_next_page: bool
    end_cursor: str | None = None


class Page(Struct, Generic[T], rename="camel"):
    """A page of a connection."""

    page_info: PageInfo
    nodes: list[T]


class Actor(Struct):
    """An author, who has no `[bot]` at the end of a bot's login here."""

    typename: str = field(name="__typename")
    login: str = ""

    def value(self) -> User:
        """The user, called as in REST."""
        bot = self.typename == "Bot"
        login = f"{self.login}[bot]" if bot and not self.login.endswith("[bot]") else self.login
        return User(login, self.typename)


class FirstComment(Struct):
    """The comment that began a thread."""

    body: str
    author: Actor | None = None


class FirstComments(Struct):
    """At most one comment."""

    nodes: list[FirstComment]


class ThreadNode(Struct, rename="camel"):
    """`PullRequestReviewThread`."""

    id: str
    is_resolved: bool
    comments: FirstComments

    def values(self) -> list[Thread]:
        """The thread; none when its comments are gone."""
        return [
            Thread(
                id=self.id,
                author=GHOST if first.author is None else first.author.value(),
                body=first.body,
                resolved=self.is_resolved,
            )
            for first in self.comments.nodes[:1]
        ]


class Moment(Struct, rename="camel"):
    """An event of a pull request, as far as it is read: when."""

    created_at: str


class Moments(Struct):
    """The last of some events."""

    nodes: list[Moment]


class RetargetedPull(Struct, rename="camel"):
    """A pull request, and when it got another base."""

    timeline_items: Moments


class RetargetedRepository(Struct, rename="camel"):
    """The repository of one."""

    pull_request: RetargetedPull


class RetargetedData(Struct):
    """The answer to `RETARGETED`."""

    repository: RetargetedRepository


class Oid(Struct):
    """A commit."""

    oid: str


class QueuedPull(Struct):
    """The pull request of an entry."""

    number: int


class QueueNode(Struct, rename="camel"):
    """`MergeQueueEntry`."""

    position: int
    pull_request: QueuedPull | None = None
    base_commit: Oid | None = None
    head_commit: Oid | None = None

    def values(self) -> list[QueueEntry]:
        """The entry; none when its pull request is gone."""
        if self.pull_request is None:
            return []
        return [
            QueueEntry(
                number=self.pull_request.number,
                base=self.base_commit.oid if self.base_commit else "",
                head=self.head_commit.oid if self.head_commit else "",
            )
        ]
