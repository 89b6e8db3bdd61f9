"""The one family of exceptions: what failed, what to type next, and the exit code that says so.

Every error that a person may see is a `CtoError`. Third-party errors are translated into one at the door where
they come in. How words of others stand in a message is said here too (`typed`, `some`). Printing is left to the
command line's boundary.
"""

from __future__ import annotations

import errno
import shlex
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def typed(word: str) -> str:
    """One word of a command in a hint, quoted where a shell would take it for something else.

    Hints are there to be copied, and branches, paths and remotes may be called anything.
    """
    return shlex.quote(word)


def some(words: Sequence[str], limit: int = 3) -> str:
    """The first few of some words for a message, and how many more there are."""
    more = len(words) - limit
    return ", ".join(words[:limit]) + (f" and {more} more" if more > 0 else "")


class ExitCode(IntEnum):
    """The exit codes of every command. They are an API."""

    OK = 0  # approved, or done
    NOT_APPROVED = 1  # revise, gate closed
    USAGE = 2  # usage, configuration or place
    INCONCLUSIVE = 3  # inconclusive, or a tool failed
    ABORT = 4  # the reviewer said abort
    ESCALATED = 5  # a human is asked
    INTERRUPTED = 130  # Ctrl-C


class CtoError(Exception):
    """Something failed and a person should read about it.

    `message` is one plain sentence about what failed, `hint` what to type next (it is printed after "Next:"), `code`
    a stable word for programs (snake_case).
    """

    exit_code = ExitCode.INCONCLUSIVE
    code = "failed"

    def __init__(self, message: str, hint: str = "", *, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code:
            self.code = code


class UsageError(CtoError):
    """The command cannot be carried out as asked, or not here: wrong arguments, configuration or place."""

    exit_code = ExitCode.USAGE
    code = "usage"


class PolicyError(UsageError):
    """The policy, or the user's configuration of it, cannot be read or says something impossible."""

    code = "policy"


class ToolError(CtoError):
    """A tool that we rely on (git, Codex, a forge) failed, or its state is not one we can work from."""

    code = "tool_failed"


class GitError(ToolError):
    """git failed. `stderr` is what it said."""

    code = "git_failed"

    def __init__(self, message: str, hint: str = "", *, stderr: str = "", code: str = "") -> None:
        super().__init__(message, hint, code=code)
        self.stderr = stderr


def disk_full(error: OSError) -> ToolError | None:
    """What to say where there is no room left to write; None for every other error."""
    if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return None
    where = f" for {error.filename}" if isinstance(error.filename, str) else ""
    return ToolError(
        f"There is no room on the disk{where}: {error.strerror}.", "free some disk space", code="disk_full"
    )


class InconclusiveError(CtoError):
    """The question could not be answered. Never a verdict: it approves nothing and records nothing."""

    code = "inconclusive"


class EscalatedError(CtoError):
    """The series has stopped and waits for a human."""

    exit_code = ExitCode.ESCALATED
    code = "escalated"


class AbortedError(CtoError):
    """The reviewer said abort and no human has said to go on."""

    exit_code = ExitCode.ABORT
    code = "aborted"


class StoppedByUserError(CtoError):
    """Ctrl-C, or the end of input where something was asked."""

    exit_code = ExitCode.INTERRUPTED
    code = "interrupted"


class BugError(CtoError):
    """A mistake of git-cto itself."""

    code = "bug"
