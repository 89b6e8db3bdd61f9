"""What nobody expected while a job was at work: an exception that is none of ours, as an error like any other.

People are told its kind only. What it says may be anybody's text, or a secret: that is for the log, when asked for.
"""

from __future__ import annotations

import os
import traceback
from typing import TYPE_CHECKING

from git_cto.errors import BugError, CtoError, disk_full

if TYPE_CHECKING:
    from collections.abc import Mapping

_NEXT = "re-run the job with debug logging, and report what its log says then"


def understood(error: Exception) -> CtoError:
    """The error that people are told. Its cause is what was not expected."""
    if isinstance(error, CtoError):
        return error
    full = disk_full(error) if isinstance(error, OSError) else None
    known = full or BugError(f"git-cto itself failed ({type(error).__name__}), so nothing was decided.", _NEXT)
    known.__cause__ = error
    return known


def place_of(error: CtoError) -> str:
    """Where what was not expected came from, for the log: `KeyError at gate.py:31`; "" where nothing was unexpected."""
    cause = error.__cause__ if isinstance(error, BugError) else None
    if cause is None:
        return ""
    frames = traceback.extract_tb(cause.__traceback__)
    at = f" at {os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""
    return f"{type(cause).__name__}{at}"


def traced(error: CtoError, environ: Mapping[str, str]) -> str:
    """The whole way to it, where debug logging is on (RUNNER_DEBUG, GIT_CTO_DEBUG). Not free of secrets."""
    wanted = environ.get("RUNNER_DEBUG") == "1" or environ.get("GIT_CTO_DEBUG")
    cause = error.__cause__ if isinstance(error, BugError) and wanted else None
    return "".join(traceback.format_exception(cause)) if cause is not None else ""
