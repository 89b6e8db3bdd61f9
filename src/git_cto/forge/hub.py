"""GitHub, as far as git-cto reads and writes it. The only user of PyGithub; it posts and reads, and decides nothing.

Nothing is posted twice: a request that makes something new is never repeated blindly. When its answer is lost, what
it should have made is looked for first. Everything else is repeated when GitHub stumbles, and rate limits are waited
for, within bounds. Every failure is a `ToolError` in plain words; a token is never part of one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from git_cto.forge.values import (
        CheckReport,
        CheckRun,
        CheckState,
        Comment,
        Emoji,
        LineComment,
        Permission,
        Pull,
        QueueEntry,
        Review,
        ReviewComment,
        Rules,
        Thread,
    )

API = "https://api.github.com"


class Hub:
    """One repository on GitHub, through one token.

    Nothing is imported and no request is made before something is asked. `pace` are the seconds between two writes
    (a quarter of that between any two requests); `patience` is how many seconds of one call may be spent waiting for
    GitHub to recover or for a rate limit to pass.
    """

    def __init__(
        self,
        api_url: str,
        token: str,
        repository: str,
        *,
        graphql_url: str = "",
        pace: float = 1.0,
        patience: float = 120.0,
    ) -> None:
        raise NotImplementedError

    # -- who we are ----------------------------------------------------------------------------------------------------

    def me(self) -> str:
        """Our own login: `github-actions[bot]` for a workflow's token, `<app>[bot]` for an app's. Asked once."""
        raise NotImplementedError

    # -- the pull request ----------------------------------------------------------------------------------------------

    def pull(self, number: int) -> Pull:
        """The pull request as it is now."""
        raise NotImplementedError

    def pulls_of(self, commit: str) -> tuple[Pull, ...]:
        """The pull requests that this commit belongs to."""
        raise NotImplementedError

    def queue(self, branch: str) -> tuple[QueueEntry, ...]:
        """The merge queue of a branch, the first to be merged first; empty where there is none."""
        raise NotImplementedError

    def permission(self, login: str) -> Permission:
        """What somebody may do here: `admin`, `write` (or maintain), `read` (or triage), `none`. Bots: `none`."""
        raise NotImplementedError

    # -- the conversation ----------------------------------------------------------------------------------------------

    def comments(self, number: int) -> tuple[Comment, ...]:
        """All comments of the conversation, the oldest first, over all pages."""
        raise NotImplementedError

    def sticky(self, number: int, marker: str, login: str = "") -> Comment | None:
        """The oldest comment by `login` (else by us) whose first line is `marker`. Others' forgeries never count."""
        raise NotImplementedError

    def create_comment(self, number: int, body: str) -> Comment:
        """Posts a comment; never a second one when the answer to the first was lost."""
        raise NotImplementedError

    def update_comment(self, comment: int, body: str) -> Comment:
        """Gives a comment another text."""
        raise NotImplementedError

    def react(self, comment: int, emoji: Emoji) -> None:
        """Puts a reaction on a comment of the conversation. Twice is once."""
        raise NotImplementedError

    # -- reviews -------------------------------------------------------------------------------------------------------

    def review_comments(self, number: int) -> tuple[ReviewComment, ...]:
        """All comments on lines of the diff, the oldest first."""
        raise NotImplementedError

    def create_review(self, number: int, head: str, body: str, comments: Sequence[LineComment] = ()) -> Review:
        """Posts one review (event COMMENT, it approves nothing) on exactly `head`, with its comments on lines.

        GitHub refuses the whole review when one line is not part of the diff: a `ToolError` with the code
        `line_not_in_diff`, and nothing was posted.
        """
        raise NotImplementedError

    def threads(self, number: int) -> tuple[Thread, ...]:
        """The conversations on lines, with what resolves them."""
        raise NotImplementedError

    def resolve(self, thread: str) -> None:
        """Marks a conversation as resolved. Twice is once."""
        raise NotImplementedError

    def approving_reviews(self, number: int, head: str) -> tuple[Review, ...]:
        """Whose latest decision approves exactly `head`. Whether they may is `permission`'s to say."""
        raise NotImplementedError

    # -- checks --------------------------------------------------------------------------------------------------------

    def check_run(self, head: str, report: CheckReport) -> CheckRun:
        """Says how a check on `head` stands; without a conclusion it goes on.

        Our own run of that name that is not completed, or that has the same `external_id`, is continued. Annotations
        go out 50 at a time, and the conclusion comes with the last of them. Those that were sent are not repeated.
        """
        raise NotImplementedError

    def checks_on(self, head: str) -> tuple[CheckState, ...]:
        """The newest state of every check run and commit status on a commit, by name, our own included."""
        raise NotImplementedError

    # -- labels and rules ----------------------------------------------------------------------------------------------

    def add_label(self, number: int, name: str) -> None:
        """Puts a label on a pull request. Twice is once."""
        raise NotImplementedError

    def remove_label(self, number: int, name: str) -> None:
        """Takes a label off; one that is not there is gone already."""
        raise NotImplementedError

    def rules(self, branch: str) -> Rules:
        """What protects a branch: rulesets and classic protection, as far as the token may see."""
        raise NotImplementedError
