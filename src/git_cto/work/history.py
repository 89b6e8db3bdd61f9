"""Looking back: the records about a commit, a run, or everything."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from git_cto.errors import CtoError, ToolError, UsageError
from git_cto.gate.rounds import in_order
from git_cto.ledger.records import decode_all
from git_cto.model import OverrideRecord, PlanRecord, VerdictRecord
from git_cto.repo.resolve import resolve_head
from git_cto.repo.runs import RUN_ID
from git_cto.work.surveying import survey

if TYPE_CHECKING:
    from collections.abc import Iterable

    from git_cto.model import Record, Target
    from git_cto.work.workspace import Workspace

_ID = re.compile(r"[0-9a-f]{4,64}", re.ASCII)


def about(workspace: Workspace, *, rev: str | None, base: str | None) -> list[Record]:
    """The records about a commit, its change and its series, with who signed them; the newest first."""
    found = survey(workspace, head=rev, base=base, run=None)
    return in_order(_looked_at(workspace, found.records, found.target))[::-1]


def _looked_at(workspace: Workspace, records: Iterable[Record], target: Target) -> list[Record]:
    """The records with their signers; as they are where none is signed, or nobody can tell whether one is good."""
    listed = list(records)
    if any(record.signatures for record in listed):
        with suppress(ToolError):  # no ssh-keygen: then they are shown as not verified
            return list(workspace.trusting(listed, target))
    return listed


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
            return _with_signers(workspace, plans[-1])
    records = about(workspace, rev=what, base=base)
    decisive = [record for record in records if isinstance(record.body, VerdictRecord | OverrideRecord)]
    if not records:
        raise UsageError(f"There is no record about {what or 'HEAD'}.", "git cto log --all")
    return (decisive or records)[0]


def _with_signers(workspace: Workspace, plan: Record) -> Record:
    """A plan with its signers, as far as its target is known here."""
    body = plan.body
    with suppress(CtoError):
        target = workspace.target(body.base or body.target if isinstance(body, PlanRecord) else body.target)
        return _looked_at(workspace, [plan], target)[0]
    return plan


def find_verdict(workspace: Workspace, *, rev: str | None, base: str | None, wanted: str | None) -> Record:
    """The verdict that is meant: by its id, else the last one on exactly this commit, else on exactly its change."""
    if wanted is not None:
        return _by_id(about(workspace, rev=rev, base=base) if rev else all_records(workspace), wanted)
    head = resolve_head(workspace.git, rev, workspace.objects)
    target = workspace.target(base).ref if base else None
    found = [
        record
        for record in workspace.ledger.find(head=head.commit, objects=workspace.objects)
        if isinstance(record.body, VerdictRecord) and record.subject.head == head.commit
    ]
    found = [record for record in found if target in {None, record.body.target}]
    found = found or list(survey(workspace, head=head, base=base, run=None).about)
    if not found:
        raise UsageError(
            f"No verdict is recorded on {head.name}.", "git cto log --all, then git cto replay --record ID"
        )
    return in_order(found)[-1]


def _by_id(records: list[Record], wanted: str) -> Record:
    found = [one for one in records if _ID.fullmatch(wanted) and one.id.startswith(wanted)]
    if len(found) != 1:
        which = "names no record" if not found else f"is the beginning of {len(found)} ids"
        raise UsageError(f"{wanted[:64]!r} {which}.", "git cto log --all --json shows the ids; give at least 4 digits")
    if not isinstance(found[0].body, VerdictRecord):
        raise UsageError(f"The record {wanted[:12]} is no verdict: nothing was asked for it.", "git cto log --all")
    return found[0]
