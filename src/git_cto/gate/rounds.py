"""Rounds: in which order the records of a series stand, what its next round is, and whether a human is asked. Pure."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from msgspec import Struct

from git_cto.model import ContinueRecord, OverrideRecord, Record, VerdictRecord

if TYPE_CHECKING:
    from collections.abc import Iterable

    from git_cto.gate.policy import RoundsPolicy
    from git_cto.model import Finding, Series


class Standing(Struct, frozen=True):
    """Where a series stands. `round` is the number that the next verdict gets; `latest` its last verdict."""

    round: int
    revises: int  # in a row
    escalated: bool
    aborted: bool
    latest: Record | None
    last: Record | None  # the last record of any kind; a new one supersedes it
    open_findings: tuple[Finding, ...]
    verdicts: tuple[Record, ...]

    @property
    def supersedes(self) -> str:
        """The id that the next record of the series names as what it supersedes."""
        return self.last.id if self.last else ""


def in_order(records: Iterable[Record]) -> list[Record]:
    """Records in the order they were made: each after the one it supersedes, and else by time.

    Where they stand in a note says nothing. Time decides between branches of a history that was written in two places
    at once, and what names a predecessor comes after it even where its clock says otherwise.
    """
    by_id = {record.id: record for record in records}
    times = _times(by_id)
    followers: dict[str, list[str]] = {}
    for record in by_id.values():
        followers.setdefault(record.body.supersedes, []).append(record.id)
    ready = [(times[one.id], one.id) for one in by_id.values() if one.body.supersedes not in by_id]
    heapify(ready)
    placed: dict[str, Record] = {}
    while len(placed) < len(by_id):
        record_id = heappop(ready)[1] if ready else _of_a_circle({k: v for k, v in by_id.items() if k not in placed})
        placed[record_id] = by_id[record_id]
        for follower in followers.get(record_id, ()):
            if follower not in placed:
                heappush(ready, (times[follower], follower))
    return list(placed.values())


def _times(by_id: dict[str, Record]) -> dict[str, str]:
    """When each record was made, by id: one that nobody vouches for no later than what is signed and supersedes it.

    Else whoever may write to the notes could have an approval follow a date far ahead, and so every later refusal.
    """
    times = {record.id: record.body.time for record in by_id.values()}
    for record in by_id.values():
        before = by_id.get(record.body.supersedes) if record.trusted else None
        while before is not None and not before.trusted and times[before.id] > record.body.time:
            times[before.id] = record.body.time
            before = by_id.get(before.body.supersedes)
    return times


def _of_a_circle(left: dict[str, Record]) -> str:
    """Where to cut a circle of records that supersede each other. Ids are digests, so nobody can make one."""
    at = min(left.values(), key=_by_time)
    walked: dict[str, Record] = {}
    while at.id not in walked:
        walked[at.id] = at
        at = left[at.body.supersedes]
    circle = list(walked.values())[list(walked).index(at.id) :]
    return min(circle, key=_by_time).id


def _by_time(record: Record) -> tuple[str, str]:
    return record.body.time, record.id


def standing(records: Iterable[Record], series: Series, policy: RoundsPolicy) -> Standing:
    """Where `series` stands, from any collection of records."""
    own = [
        record
        for record in in_order(records)
        if isinstance(record.body, VerdictRecord | ContinueRecord | OverrideRecord)
        and (record.body.series, record.body.target) == (series.name, series.target)
    ]
    counted = revises = 0
    aborted = False
    latest: Record | None = None
    for record in own:
        body = record.body
        if isinstance(body, ContinueRecord):
            counted = revises = 0
            aborted = False
        elif isinstance(body, VerdictRecord):
            latest = record
            aborted = body.verdict == "abort"
            counted = 0 if body.verdict == "approve" else counted + 1
            revises = revises + 1 if body.verdict == "revise" else 0
    said = latest.body if latest else None
    return Standing(
        round=counted + 1,
        revises=revises,
        escalated=counted >= policy.max or revises >= policy.escalate_after,
        aborted=aborted,
        latest=latest,
        last=own[-1] if own else None,
        open_findings=said.open_findings if isinstance(said, VerdictRecord) and said.verdict != "approve" else (),
        verdicts=tuple(record for record in own if isinstance(record.body, VerdictRecord)),
    )
