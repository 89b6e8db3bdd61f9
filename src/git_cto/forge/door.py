"""The door to GitHub: one request, sent once, and what went wrong with it in our own terms. The only user of PyGithub.

Whether it is sent again is `line`'s business, what it asks for the hub's.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from git_cto.forge.failures import LostError, RefusedError
from git_cto.forge.line import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from github.Requester import Requester

API_VERSION = "2022-11-28"

_TIMEOUT = 30  # seconds without a byte
_DETAILS = ("field", "code", "message")  # of an error that GitHub lists


class GitHubDoor:
    """PyGithub's requester: connections, authentication, the pace, and no redirect or address to another server.

    Nothing is imported before the first request. `pace` is the hub's.
    """

    def __init__(self, api_url: str, token: str, pace: float) -> None:
        self.api_url = api_url
        self._token = token
        self._pace = pace

    @cached_property
    def _requester(self) -> Requester:
        from github import Auth, Github  # noqa: PLC0415 -- start-up

        return Github(
            auth=Auth.Token(self._token),
            base_url=self.api_url,
            timeout=_TIMEOUT,
            user_agent="git-cto",
            retry=None,  # its own repeats a POST blindly and a PATCH never
            seconds_between_requests=self._pace / 4,
            seconds_between_writes=self._pace,
            api_version=API_VERSION,
            lazy=True,
        ).requester

    def __call__(self, verb: str, url: str, parameters: Mapping[str, object] | None, body: object) -> Reply:
        """Sends one request, once."""
        from github import GithubException  # noqa: PLC0415 -- start-up
        from requests import RequestException  # noqa: PLC0415 -- start-up

        try:
            headers, data = self._requester.requestJsonAndCheck(
                verb, url, dict(parameters or {}), {"Accept": "application/vnd.github+json"}, body
            )
        except GithubException as error:
            told = {name.lower(): str(value) for name, value in (error.headers or {}).items()}
            raise RefusedError(error.status, _message(error.data), told) from None
        except RequestException as error:
            raise LostError(_reason(error)) from None
        except (AssertionError, AttributeError, RuntimeError, TypeError) as error:
            # How it puts that an address or a redirect leads elsewhere, and that an answer has another shape.
            raise ValueError(str(error)) from None
        return Reply(_next(headers), data)


def _message(data: object) -> str:
    """What GitHub says is wrong, with the errors that it lists."""
    if not isinstance(data, dict):
        return ""
    errors = data.get("errors")
    details = [
        detail if isinstance(detail, str) else " ".join(str(detail[key]) for key in _DETAILS if detail.get(key))
        for detail in (errors if isinstance(errors, list) else [errors])
        if isinstance(detail, str | dict)
    ]
    return ": ".join([str(data.get("message") or ""), *details])


def _reason(error: Exception) -> str:
    """Why there was no answer, without the address and whatever else a library puts into a message."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if "SSLError" in names:
        return "its certificate is not trusted"
    return "it took too long" if "Timeout" in names else "the connection failed"


def _next(headers: Mapping[str, object]) -> str:
    """The address of the next page, from the `Link` header."""
    from requests.utils import parse_header_links  # noqa: PLC0415 -- start-up

    links = parse_header_links(str(headers.get("link", "")))
    return next((str(link["url"]) for link in links if link.get("rel") == "next"), "")
