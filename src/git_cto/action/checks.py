"""What the other checks on a head came to, as outcomes that a reviewer is given. Pure.

Our own check and the jobs that post it are none of them: they only say what was said already.
"""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING

from git_cto.gate.rounds import in_order
from git_cto.model import CommandOutcome, VerdictRecord
from git_cto.redaction import printable
from git_cto.work.protecting import CHECK

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from git_cto.action.inputs import Job
    from git_cto.forge.values import CheckState
    from git_cto.work.surveying import Survey

MOST = 50  # outcomes
_EXITS: dict[str, int | None] = {"success": 0, "failure": 1, "error": 1, "action_required": 1, "timed_out": None}
_RUN = re.compile(r"/actions/runs/(\d+)")


def outcomes_of(checks: Iterable[CheckState], job: Job, ignored: Sequence[str]) -> tuple[CommandOutcome, ...]:
    """How each of the other checks ended, what failed first; those that have not ended or say nothing are left out."""
    known = list(checks)
    ours = _our_names(known, job)
    found = [
        CommandOutcome(command=_named(one), exit_code=_EXITS[one.conclusion], output=printable(one.title)[:300])
        for one in known
        if one.conclusion in _EXITS
        and one.name not in ours
        and not any(fnmatch.fnmatchcase(one.name, pattern) for pattern in ignored)
    ]
    found.sort(key=lambda one: (one.passed, one.command))
    return tuple(found[:MOST])


def _our_names(checks: Sequence[CheckState], job: Job) -> frozenset[str]:
    """The names of our own check runs, and of the jobs that made them: of this one, and of those before it."""
    own = [one for one in checks if one.name.startswith(f"{CHECK} (")]
    runs = {found[1] for one in own if (found := _RUN.search(one.url))} | {job.run_id} - {""}
    jobs = [one for one in checks if (found := _RUN.search(one.url)) and found[1] in runs]
    return frozenset((CHECK, job.job_id, *(one.name for one in (*own, *jobs))))


def _named(check: CheckState) -> str:
    return f"check: {printable(check.name)[:200]}"


def observed(outcomes: tuple[CommandOutcome, ...], found: Survey) -> tuple[CommandOutcome, ...]:
    """What a question about this very change rests on: what was observed before, unless other checks fail now.

    Else every check that ends would make the same question a new one, and a refusal could be asked away.
    """
    before = [one.body for one in in_order(found.about) if isinstance(one.body, VerdictRecord)]
    if before and _failing(before[-1].commands) == _failing(outcomes):
        return before[-1].commands
    return outcomes


def _failing(outcomes: Iterable[CommandOutcome]) -> frozenset[str]:
    return frozenset(one.command for one in outcomes if not one.passed)
