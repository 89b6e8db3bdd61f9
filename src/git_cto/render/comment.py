"""What people read at a pull request: the one comment, in each of its states. Pure: values in, Markdown out.

Whatever was written by a model, a commit or a person goes through `render.markdown`; that no secret is in it is the
caller's business, and so is what the state is. The rest of what is posted is in `render.check` and `render.finding`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from git_cto.model import Plan, Record

MARKER = "<!-- git-cto:pull -->"
LARGEST = 65_536  # characters of a comment

State = Literal[
    "approved",  # the gate is open by a verdict
    "overridden",  # the gate is open by a human's word (`by` is that record)
    "revise",  # the verdict on this head
    "abort",  # the verdict on this head; a human has to say how to go on
    "escalated",  # the rounds are used up; a human is asked
    "unreviewed",  # it could not be reviewed: `reasons` say why, nothing was recorded
    "stale",  # there was an approval, and a push came after it
    "needs_human",  # approved, but control paths are changed
    "closed",  # closed for another of the gate's reasons: a conflict, an approval that does not count, no verdict
    "waiting",  # nothing is asked yet: a draft, or other checks first; `reasons` say which
    "reviewing",  # a model reads it right now
    "no_key",  # there is no key for a model
    "fork",  # it comes from a fork, and nobody with write access has asked for a review
    "overtaken",  # a push or another target came while it was being reviewed
    "finished",  # the pull request was closed or merged
]


class Place(Struct, frozen=True, kw_only=True):
    """Addresses that the comment links to; what is "" is not linked."""

    repository: str = ""  # https://github.com/owner/name
    job: str = ""  # of the workflow run
    docs: str = ""  # how all this works


class PullState(Struct, frozen=True, kw_only=True):
    """All that is said at a pull request, made of values that others worked out. Every text is redacted already."""

    state: State
    target: str  # the branch's short name, `main`
    head: str  # the commit that the pull request stands at
    place: Place = Place()
    round: int = 0  # of this verdict, or of the one that is being asked for; 0 where there is none
    rounds: int = 0  # how many there may be; 0 where nobody knows
    reasons: tuple[str, ...] = ()  # sentences: the gate's, or why nothing was reviewed
    next_step: str = ""  # what to type at a terminal, as errors and decisions say it
    verdict: Record | None = None  # the last verdict: on this head, or on an earlier one (its subject says which)
    verdicts: tuple[Record, ...] = ()  # every verdict of the series, in order
    by: Record | None = None  # what opened the gate, where it was an override
    plan: Plan | None = None
    asked: tuple[str, ...] = ()  # logins of those who may decide; they are mentioned where a human is asked
    commits_since: int | None = None  # commits after the last judged one, where that is known
    control_paths: tuple[str, ...] = ()  # what the gate itself rests on, and this changes
    inline: tuple[str, ...] = ()  # ids of the findings that stand on lines of the diff
    kept: str = ""  # where the record is when it could not be pushed: a sentence
    notes: tuple[str, ...] = ()  # anything else worth a line each
