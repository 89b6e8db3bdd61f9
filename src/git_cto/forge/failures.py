"""What it means when the forge refuses or fails: whether to wait, and what to tell the user. Pure.

GitHub's own words are quoted where they help, short and cleaned; a token never is.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from msgspec import Struct

from git_cto.errors import ToolError
from git_cto.redaction import printable, redacted

if TYPE_CHECKING:
    from collections.abc import Mapping

_QUOTED = 300  # characters of somebody else's words in a sentence of ours
_SECONDARY = 60.0  # seconds that GitHub asks for where it names none
_LIMITED = re.compile(
    r"^api rate limit (?:already )?exceeded|secondary rate limit|abuse detection"
    r"|(?:retry your request again later|wait a few minutes before you try again)\.?$",
    re.IGNORECASE,
)
_OFF_THE_DIFF = re.compile(
    r"must be part of the (?:same )?diff|could not be resolved|\bdiff_hunk\b|\bposition\b", re.IGNORECASE
)


class UnansweredError(Exception):
    """A request that did not succeed. `limited`: nothing was done, and waiting helps."""

    limited = False
    passing = True  # it may succeed when it is sent again


class RefusedError(UnansweredError):
    """GitHub answered, with a status that is no success. Nothing was done, unless the status says 5xx."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str]) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers
        spent = headers.get("x-ratelimit-remaining") == "0"
        asks_to_wait = "retry-after" in headers or spent or bool(_LIMITED.search(message))
        self.limited = status == 429 or (status == 403 and asks_to_wait)
        self.passing = self.limited or status >= 500

    def wait(self, now: float) -> float:
        """How many seconds a rate limit asks to wait."""
        after, reset = self.headers.get("retry-after", ""), self.headers.get("x-ratelimit-reset", "")
        if after.isdecimal():
            return float(after)
        if self.headers.get("x-ratelimit-remaining") == "0" and reset.isdecimal():
            return max(float(reset) - now, 0.0) + 1.0
        return _SECONDARY


class LostError(UnansweredError):
    """No answer came, so nobody knows what was done: the connection failed, or GitHub took too long."""


class Asked(Struct, frozen=True):
    """What was asked of GitHub, for people: `what` completes "could not ...", `need` is the permission it takes."""

    what: str
    need: str
    repository: str
    host: str
    secrets: tuple[str, ...] = ()

    def quoted(self, text: str) -> str:
        """GitHub's words, safe to print."""
        return redacted(printable(text), self.secrets)[:_QUOTED]


def explained(error: RefusedError, asked: Asked) -> ToolError:
    """What a refusal means and what to do about it."""
    said = asked.quoted(error.message).rstrip(".")
    quote = f" ({error.status}: {said})" if said else f" ({error.status})"
    if error.status == 401:
        return ToolError(
            f"GitHub does not accept the token{quote}.",
            "give github-token one that is valid: ${{ github.token }}, or an app's",
            code="forge_auth",
        )
    if error.status == 403:
        return _forbidden(error, asked, quote)
    if error.status in {404, 410}:
        return ToolError(
            f"Could not {asked.what}: {asked.host} does not show it to this token in {asked.repository}{quote}.",
            f"see whether it still exists, and whether the token may see it (it needs {asked.need})",
            code="forge_not_found",
        )
    if error.status in {400, 409, 422}:
        return _unfit(error, asked, quote)
    if error.status >= 500:
        return ToolError(f"Could not {asked.what}: GitHub fails{quote}.", "run it again later", code="forge_down")
    return ToolError(
        f"Could not {asked.what}: GitHub answered in an unexpected way{quote}.",
        "see whether the repository was moved or renamed, and run it again",
        code="forge_answer",
    )


def _forbidden(error: RefusedError, asked: Asked, quote: str) -> ToolError:
    """The token may not: GitHub often names the permission itself, and the caller knows it otherwise."""
    if "required" in error.headers.get("x-github-sso", ""):
        next_step = "authorise the token for the organisation's single sign-on"
    elif "permission to create labels" in error.message:
        next_step = "make the label once (gh label create NAME); a job makes none unless it has `issues: write`"
    else:
        next_step = (
            f"give the job `permissions: {_permissions(error.headers) or asked.need}`; "
            "in a pull request from a fork the token is read-only, whatever the workflow says"
        )
    return ToolError(f"Could not {asked.what}: the token may not{quote}.", next_step, code="forge_permission")


def _permissions(headers: Mapping[str, str]) -> str:
    """What GitHub says that would do, in a workflow's words: `issues: write` or `pull-requests: write`."""
    sets = [
        ", ".join(f"{name.strip().replace('_', '-')}: {level}" for name, _, level in pairs)
        for alternative in headers.get("x-accepted-github-permissions", "").split(";")
        if (pairs := [pair.partition("=") for pair in alternative.split(",") if "=" in pair])
    ]
    wanted = "` or `".join(sets)
    return wanted if re.fullmatch(r"[a-z:, `-]{0,200}", wanted) else ""


def _unfit(error: RefusedError, asked: Asked, quote: str) -> ToolError:
    if _OFF_THE_DIFF.search(error.message):
        return ToolError(
            f"Could not {asked.what}: a comment is not on a line of the diff{quote}.",
            "say it in the comment of the pull request",
            code="line_not_in_diff",
        )
    return ToolError(
        f"Could not {asked.what}: GitHub does not accept it{quote}.",
        "run it again; if it says the same, this is a mistake of git-cto or of the branch's name",
        code="forge_invalid",
    )


def out_of_patience(error: UnansweredError, asked: Asked, now: float) -> ToolError:
    """What to say when waiting any longer is not worth it."""
    if not isinstance(error, RefusedError):
        return ToolError(
            f"Could not {asked.what}: {asked.host} cannot be reached ({asked.quoted(str(error))}).",
            "look at the network between the runner and GitHub, and run it again",
            code="forge_down",
        )
    if not error.limited:
        return explained(error, asked)
    back = time.strftime("%H:%M UTC", time.gmtime(now + error.wait(now) + 59))  # the minute that begins then
    return ToolError(
        f"Could not {asked.what}: GitHub's rate limit is used up until {back}.",
        f"run it again after {back}, or with a token of its own",
        code="forge_rate_limit",
    )


def unreadable(asked: Asked, why: str) -> ToolError:
    """An answer that is none."""
    return ToolError(
        f"Could not {asked.what}: what {asked.host} answered cannot be read ({asked.quoted(why)}).",
        "run it again; see whether GITHUB_API_URL is the address of GitHub's API",
        code="forge_answer",
    )
