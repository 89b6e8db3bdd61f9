"""Looking back: the records about a commit, a run, or everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from git_cto.errors import UsageError
from git_cto.gate.rounds import in_order
from git_cto.ledger.records import decode_all
from git_cto.model import OverrideRecord, PlanRecord, VerdictRecord
from git_cto.repo.runs import RUN_ID
from git_cto.work.surveying import survey

if TYPE_CHECKING:
    from git_cto.model import Record
    from git_cto.work.workspace import Workspace


def about(workspace: Workspace, *, rev: str | None, base: str | None) -> list[Record]:
    """The records about a commit, its change and its series; the newest first."""
    return in_order(survey(workspace, head=rev, base=base, run=None).records)[::-1]


def all_records(workspace: Workspace) -> list[Record]:
    """Every readable record, the newest first."""
    records = decode_all(workspace.ledger.lines())
    return sorted(records, key=lambda record: record.body.time, reverse=True)


def newest(workspace: Workspace, what: str | None, *, base: str | None) -> Record:
    """The newest plan of a run, or the newest verdict or override (else any record) on a commit."""
    if what and RUN_ID.fullmatch(what):
        plans = [
            record
            for record in in_order(workspace.ledger.find(series=f"run/{what}", objects=workspace.objects))
            if isinstance(record.body, PlanRecord)
        ]
        if plans:
            return plans[-1]
    records = about(workspace, rev=what, base=base)
    decisive = [record for record in records if isinstance(record.body, VerdictRecord | OverrideRecord)]
    if not records:
        raise UsageError(f"There is no record about {what or 'HEAD'}.", "git cto log --all")
    return (decisive or records)[0]
