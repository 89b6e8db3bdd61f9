"""git where it calls programs that are not its own (hooks, filters, merge drivers, signers): for so long, no longer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from git_cto.agents import strays
from git_cto.errors import CtoError, GitError
from git_cto.repo.git import Git

if TYPE_CHECKING:
    from git_cto.repo.git import Place

_GRACE = 3.0  # seconds between TERM and KILL


@contextmanager
def limited(place: Place, environ: Mapping[str, str], seconds: float, what: str) -> Iterator[Git]:
    """A git that is ended, with all that it has started, once `seconds` have passed: a `GitError` that says `what`.

    Only where processes can be found by their environment, which is on Linux; elsewhere Ctrl-C is what ends them.
    """
    with strays.limited(seconds, _GRACE) as limit:
        try:
            yield Git(place, {**environ, **limit.mark})
        except CtoError as error:
            if not limit.over:
                raise
            raise GitError(
                f"{what} took longer than {seconds:g} s and was ended: a hook, a filter or a signer seems to wait.",
                "see what it waits for (git commit --allow-empty), or raise [verify] timeout in the policy",
                code="git_timeout",
            ) from error
