"""Rounds: in which order the records of a series stand, what its next round is, and whether a human is asked. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from git_cto.model import ContinueRecord, OverrideRecord, Record, VerdictRecord

if TYPE_CHECKING:
    from collections.abc import Iterable

    from git_cto.gate.policy import RoundsPolicy
    from git_cto.model import Finding, Series


@dataclass(frozen=True)
class Standing:
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

    Where they stand in a note says nothing.
    """
    by_id = {record.id: record for record in records}
    depth: dict[str, int] = {}

    def deep(record: Record) -> int:
        chain = []
        at: Record | None = record
        while at is not None and at.id not in depth and at.id not in chain:
            chain.append(at.id)
            at = by_id.get(at.body.supersedes)
        start = depth.get(at.id, 0) if at is not None else 0
        depth.update({record_id: number for number, record_id in enumerate(reversed(chain), start=start + 1)})
        return depth[record.id]

    found = list(by_id.values())
    # Time decides first between branches of a history that was written in two places at once; a chain's own order
    # is kept because nobody supersedes what does not exist yet, and equal times fall back to the depth.
    ordered = sorted(found, key=lambda record: (record.body.time, deep(record), record.id))
    return _chained(ordered)


def _chained(ordered: list[Record]) -> list[Record]:
    """The same order, except that nothing stands before what it supersedes (clocks differ between machines)."""
    present = {record.id for record in ordered}
    placed: dict[str, Record] = {}
    waiting = list(ordered)
    while waiting:
        ready = next(
            (one for one in waiting if one.body.supersedes not in present or one.body.supersedes in placed), waiting[0]
        )
        waiting.remove(ready)
        placed[ready.id] = ready
    return list(placed.values())


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
