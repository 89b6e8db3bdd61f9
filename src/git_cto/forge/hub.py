"""GitHub, as far as git-cto reads and writes it: one repository, through one token. Posts and reads, decides nothing.

Nothing is posted twice: when the answer to what makes something new is lost, what it should have made is looked for
before it is sent again. Every failure is a `ToolError` in plain words; a token is never part of one. Checks, rules and
environments have modules of their own, and so have how a request is sent (`door`), when it is repeated (`line`), and
what an answer looks like (`wire`).
"""

from __future__ import annotations

import datetime as dt
import re
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, urlsplit

from git_cto.errors import ToolError, UsageError
from git_cto.forge import graph, wire
from git_cto.forge.bodies import capped, line_comment
from git_cto.forge.checks import Checks
from git_cto.forge.door import GitHubDoor
from git_cto.forge.environments import Environments
from git_cto.forge.failures import Asked
from git_cto.forge.line import Line
from git_cto.forge.protection import Protection
from git_cto.forge.values import same_login
from git_cto.redaction import secret_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from git_cto.forge.values import (
        CheckReport,
        CheckState,
        Comment,
        Emoji,
        LineComment,
        Permission,
        Pull,
        PullCommit,
        QueueEntry,
        Review,
        Rules,
        Thread,
    )

API = "https://api.github.com"

_SKEW = dt.timedelta(minutes=5)  # by which a runner's clock may be off
_DECISIONS = frozenset({"APPROVED", "CHANGES_REQUESTED", "DISMISSED"})

_READ_PULLS = "pull-requests: read"
_WRITE_PULLS = "pull-requests: write"

T = TypeVar("T")


class Hub:
    """One repository on GitHub, through one token.

    Nothing is imported and no request is made before something is asked. `pace` are the seconds between two writes
    (a quarter of that between any two requests), and the unit in which is waited for GitHub to recover; `patience` is
    how many seconds of one call may be spent waiting, for that or for a rate limit to pass. `login` is whose token it
    is, where the caller knows.
    """

    def __init__(
        self,
        api_url: str,
        token: str,
        repository: str,
        *,
        login: str = "",
        graphql_url: str = "",
        pace: float = 1.0,
        patience: float = 120.0,
    ) -> None:
        self.repository = repository
        self._door = GitHubDoor((api_url or API).rstrip("/"), token, pace)
        self._hidden = secret_values({"TOKEN": token})
        if not re.fullmatch(r"[A-Za-z0-9._-]+/[A-Za-z0-9._-]+", repository):
            raise UsageError("That is no repository on GitHub.", "name it as owner/repo")
        if not token:
            raise UsageError("There is no GitHub token.", "give github-token: ${{ github.token }}", code="forge_auth")
        where = urlsplit(self._door.api_url)
        if where.scheme not in {"http", "https"} or not where.hostname:
            raise UsageError("That is no address of GitHub's API.", f"leave GITHUB_API_URL alone, or set it to {API}")
        if graphql_url and urlsplit(graphql_url)[:2] != where[:2]:
            raise UsageError("GITHUB_GRAPHQL_URL and GITHUB_API_URL are on two servers.", "leave both alone")
        self._host = where.hostname
        self._known_as = login
        self._line = Line(
            door=self._door,
            server=self._door.api_url,
            graphql=graphql_url or f"{where.scheme}://{where.netloc}{where.path.removesuffix('/v3')}/graphql",
            pace=pace,
            patience=patience,
        )

    # -- who we are ----------------------------------------------------------------------------------------------------

    def me(self) -> str:
        """Our own login: `github-actions[bot]` for a workflow's token, `<app>[bot]` for an app's. Asked once."""
        return self._login

    @cached_property
    def _login(self) -> str:
        if self._known_as:
            return self._known_as
        # REST does not tell an app's token whose it is.
        asked = self._asked("ask GitHub whose token this is", "no permission")
        return self._line.query(asked, graph.VIEWER, graph.ViewerData).viewer.login

    # -- the pull request ----------------------------------------------------------------------------------------------

    def pull(self, number: int) -> Pull:
        """The pull request as it is now."""
        asked = self._asked(f"read pull request #{number}", _READ_PULLS)
        return self._line.get(asked, self._path(f"/pulls/{number}"), wire.PullAnswer).value()

    def pulls_of(self, commit: str) -> tuple[Pull, ...]:
        """The pull requests that this commit belongs to."""
        asked = self._asked(f"ask which pull requests {commit[:7]} belongs to", _READ_PULLS)
        pages = self._line.pages(asked, self._path(f"/commits/{commit}/pulls"), list[wire.PullAnswer])
        return tuple(answer.value() for page in pages for answer in page)

    def commits(self, number: int) -> tuple[PullCommit, ...]:
        """The commits of a pull request and whose they are. GitHub lists 250 at most, and does not say so."""
        asked = self._asked(f"ask whose the commits of #{number} are", _READ_PULLS)
        pages = self._line.pages(asked, self._path(f"/pulls/{number}/commits"), list[wire.CommitAnswer])
        return tuple(answer.value() for page in pages for answer in page)

    def queue(self, branch: str) -> tuple[QueueEntry, ...]:
        """The merge queue of a branch, the first to be merged first; empty where there is none."""
        asked = self._asked("read the merge queue", _READ_PULLS)
        nodes = self._nodes(
            asked, graph.QUEUE, graph.Page[graph.QueueNode], ("mergeQueue", "entries"), branch=_short(branch)
        )
        return tuple(entry for node in sorted(nodes, key=lambda node: node.position) for entry in node.values())

    def retargeted(self, number: int) -> str:
        """When a pull request got the base that it has now, as the forge writes it; "" where it always had it."""
        asked = self._asked(f"ask when #{number} got its base", _READ_PULLS)
        owner, _, name = self.repository.partition("/")
        told = self._line.query(asked, graph.RETARGETED, graph.RetargetedData, owner=owner, name=name, number=number)
        return max((one.created_at for one in told.repository.pull_request.timeline_items.nodes), default="")

    def permission(self, login: str) -> Permission:
        """What somebody may do here: `admin`, `write` (or maintain), `read` (or triage), `none` (bots, too)."""
        asked = self._asked("ask what a user may do here", "metadata: read")
        path = self._path(f"/collaborators/{quote(login, safe='')}/permission")
        try:
            return self._line.get(asked, path, wire.PermissionAnswer).permission
        except ToolError as error:
            if error.code != "forge_not_found":
                raise
            return "none"  # a bot, or an account that is gone

    # -- the conversation ----------------------------------------------------------------------------------------------

    def comments(self, number: int) -> tuple[Comment, ...]:
        """All comments of the conversation, the oldest first, over all pages."""
        return tuple(sorted(self._comments(number), key=lambda comment: comment.id))

    def _comments(self, number: int, **parameters: object) -> Iterable[Comment]:
        asked = self._asked(f"read the comments of #{number}", _READ_PULLS)
        path = self._path(f"/issues/{number}/comments")
        for page in self._line.pages(asked, path, list[wire.CommentAnswer], **parameters):
            yield from (answer.value() for answer in page)

    def sticky(self, number: int, marker: str, login: str = "") -> Comment | None:
        """The oldest comment by `login` (else by us) whose first line is `marker`. Others' forgeries never count."""
        author = login or self.me()
        return next(
            (
                comment
                for comment in self.comments(number)
                if same_login(comment.author.login, author) and comment.body.partition("\n")[0].strip() == marker
            ),
            None,
        )

    def create_comment(self, number: int, body: str) -> Comment:
        """Posts a comment; never a second one when the answer to the first was lost."""
        text = capped(body)
        begun = (dt.datetime.now(dt.UTC) - _SKEW).strftime("%Y-%m-%dT%H:%M:%SZ")

        def made() -> wire.CommentAnswer | None:
            answers = self._comments(number, since=begun)
            found = [c for c in answers if _same_text(c.body, text) and same_login(c.author.login, self.me())]
            return wire.CommentAnswer.of(found[-1]) if found else None

        asked = self._asked(f"comment on #{number}", _WRITE_PULLS)
        path = self._path(f"/issues/{number}/comments")
        return self._line.send(asked, "POST", path, {"body": text}, wire.CommentAnswer, made).value()

    def update_comment(self, comment: int, body: str) -> Comment:
        """Gives a comment another text."""
        asked = self._asked("update our comment", _WRITE_PULLS)
        path = self._path(f"/issues/comments/{comment}")
        return self._line.send(asked, "PATCH", path, {"body": capped(body)}, wire.CommentAnswer).value()

    def react(self, comment: int, emoji: Emoji) -> None:
        """Puts a reaction on a comment of the conversation. Twice is once."""
        asked = self._asked("react to a comment", _WRITE_PULLS)
        path = self._path(f"/issues/comments/{comment}/reactions")
        self._line.send(asked, "POST", path, {"content": emoji}, wire.ReactionAnswer)

    # -- reviews -------------------------------------------------------------------------------------------------------

    def create_review(self, number: int, head: str, body: str, comments: Sequence[LineComment] = ()) -> Review:
        """Posts one review (event COMMENT, it approves nothing) on exactly `head`, with its comments on lines.

        GitHub refuses the whole review when one line is not part of the diff: a `ToolError` with the code
        `line_not_in_diff`, and nothing was posted.
        """
        text = capped(body)

        def made() -> wire.ReviewAnswer | None:
            found = [
                answer
                for answer in self._reviews(number)
                if answer.commit_id == head
                and _same_text(answer.body, text)
                and same_login(wire.user(answer.user).login, self.me())
            ]
            return found[-1] if found else None

        asked = self._asked(f"post a review on #{number}", _WRITE_PULLS)
        posted = {"commit_id": head, "event": "COMMENT", "body": text, "comments": [line_comment(c) for c in comments]}
        path = self._path(f"/pulls/{number}/reviews")
        return self._line.send(asked, "POST", path, posted, wire.ReviewAnswer, made).value()

    def _reviews(self, number: int) -> list[wire.ReviewAnswer]:
        asked = self._asked(f"read the reviews of #{number}", _READ_PULLS)
        pages = self._line.pages(asked, self._path(f"/pulls/{number}/reviews"), list[wire.ReviewAnswer])
        return [answer for page in pages for answer in page]

    def threads(self, number: int) -> tuple[Thread, ...]:
        """The conversations on lines, with what resolves them."""
        asked = self._asked(f"read the conversations of #{number}", _READ_PULLS)
        within = ("pullRequest", "reviewThreads")
        nodes = self._nodes(asked, graph.THREADS, graph.Page[graph.ThreadNode], within, number=number)
        return tuple(thread for node in nodes for thread in node.values())

    def resolve(self, thread: str) -> None:
        """Marks a conversation as resolved. Twice is once.

        GitHub wants `contents: write` for this, beside `pull-requests: write`.
        """
        asked = self._asked("resolve a conversation", "contents: write")
        self._line.query(asked, graph.RESOLVE, graph.ResolvedData, thread=thread)

    def approving_reviews(self, number: int, head: str) -> tuple[Review, ...]:
        """Whose latest decision approves exactly `head`. Whether they may is `permission`'s to say."""
        latest = {
            wire.user(answer.user).login.lower(): answer.value()
            for answer in self._reviews(number)
            if answer.state.upper() in _DECISIONS
        }
        return tuple(review for review in latest.values() if review.state == "APPROVED" and review.commit == head)

    # -- checks --------------------------------------------------------------------------------------------------------

    def check_run(self, head: str, report: CheckReport) -> None:
        """Says how a check on `head` stands; without a conclusion it goes on."""
        self._checks.post(head, report)

    def checks_on(self, head: str) -> tuple[CheckState, ...]:
        """The newest state of every check run and commit status on a commit, by name, our own included."""
        return self._checks.on(head)

    @property
    def _checks(self) -> Checks:
        return Checks(self._line, self._asked, f"/repos/{self.repository}", self.me)

    # -- labels and rules ----------------------------------------------------------------------------------------------

    def add_label(self, number: int, name: str) -> None:
        """Puts a label on a pull request. Twice is once."""
        # GitHub lets a job put a label on with this, and make one that is not there only with `issues: write`.
        asked = self._asked(f"label #{number} {name!r}", _WRITE_PULLS)
        self._line.send(asked, "POST", self._path(f"/issues/{number}/labels"), {"labels": [name]}, list[wire.Label])

    def remove_label(self, number: int, name: str) -> None:
        """Takes a label off; one that is not there is gone already."""
        asked = self._asked(f"take a label off #{number}", _WRITE_PULLS)
        path = self._path(f"/issues/{number}/labels/{quote(name, safe='')}")
        try:
            self._line.send(asked, "DELETE", path, None, list[wire.Label])
        except ToolError as error:
            if error.code != "forge_not_found":
                raise

    def rules(self, branch: str) -> Rules:
        """What protects a branch: rulesets and classic protection, as far as the token may see."""
        return Protection(self._line, self._asked, f"/repos/{self.repository}").of(branch)

    @property
    def environments(self) -> Environments:
        """What reads environments, and where secrets are kept."""
        return Environments(self._line, self._asked, f"/repos/{self.repository}")

    # -- how it is asked -----------------------------------------------------------------------------------------------

    def _asked(self, what: str, need: str) -> Asked:
        return Asked(what, need, self.repository, self._host, self._hidden)

    def _path(self, path: str) -> str:
        return f"/repos/{self.repository}{path}"

    def _nodes(
        self, asked: Asked, query: str, kind: type[graph.Page[T]], within: tuple[str, ...], **variables: object
    ) -> Iterable[T]:
        owner, _, name = self.repository.partition("/")
        return self._line.nodes(asked, query, kind, within, owner=owner, name=name, **variables)


def _short(branch: str) -> str:
    return branch.removeprefix("refs/heads/")


def _same_text(one: str, other: str) -> bool:
    return one.replace("\r\n", "\n").strip() == other.replace("\r\n", "\n").strip()
