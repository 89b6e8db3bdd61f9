"""Looking back: the records about a commit, a run, or everything."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from git_cto.errors import CtoError, ToolError, UsageError
from git_cto.gate.rounds import in_order
from git_cto.ledger.records import decode_all
from git_cto.ledger.trusting import MOST_CHECKS
from git_cto.model import OverrideRecord, PlanRecord, VerdictRecord
from git_cto.repo.resolve import resolve_head
from git_cto.repo.runs import RUN_ID
from git_cto.work.surveying import survey

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from git_cto.model import Record, Signature, Target
    from git_cto.work.workspace import Workspace

_ID = re.compile(r"[0-9a-f]{4,64}", re.ASCII)


def about(workspace: Workspace, *, rev: str | None, base: str | None) -> list[Record]:
    """The records about a commit, its change and its series, with who signed them; the newest first."""
    found = survey(workspace, head=rev, base=base, run=None)
    return in_order(with_signers(workspace, found.records, found.target))[::-1]


def all_records(workspace: Workspace, *, signatures: bool = False) -> list[Record]:
    """Every readable record, the newest first; with who signed them only where `signatures` are to be checked."""
    records = sorted(decode_all(workspace.ledger.lines()), key=lambda record: record.body.time, reverse=True)
    return with_signers(workspace, records) if signatures else records


def with_signers(workspace: Workspace, records: Iterable[Record], target: Target | None = None) -> list[Record]:
    """The same records, with those of their signers whom the tip of their own target allows; else why there are none.

    `target` is one of the targets, where it is known already. What nobody can check is shown as not verified.
    """
    listed = list(records)
    seen: dict[tuple[str, tuple[Signature, ...]], Record] = {}
    signed: dict[str, list[Record]] = {}
    for record in listed:
        if record.signatures:
            signed.setdefault(record.body.target, []).append(record)
    for ref, some in signed.items():
        known = target if target and target.ref == ref else None
        seen |= {(one.id, one.signatures): one for one in _checked(workspace, ref, some, known)}
    return [seen.get((one.id, one.signatures), one) for one in listed]


def _checked(workspace: Workspace, ref: str, records: list[Record], target: Target | None) -> Iterator[Record]:
    """Records for one target. A plan says by which name it was meant, and is not asked: it would choose its signers."""
    try:
        target = target or workspace.target(ref)
    except CtoError:
        yield from _doubted(records, f"it is not known here who may sign for {ref}")
        return
    for few in _a_few_at_a_time(records):
        try:
            yield from workspace.trusting(few, target)
        except ToolError as error:  # no ssh-keygen
            yield from _doubted(few, error.message.rstrip("."))


def _doubted(records: Iterable[Record], why: str) -> Iterator[Record]:
    return (replace(one, signers=(), doubt=why) for one in records)


def _a_few_at_a_time(records: Iterable[Record]) -> Iterator[list[Record]]:
    """So many that all of their signatures are checked, and none stands in the way of another's."""
    few: list[Record] = []
    for one in records:
        if few and sum(len(other.signatures) for other in (*few, one)) > MOST_CHECKS:
            yield few
            few = []
        few.append(one)
    if few:
        yield few


def newest(workspace: Workspace, what: str | None, *, base: str | None) -> Record:
    """The newest plan of a run, or the newest verdict or override (else any record) on a commit."""
    if what and RUN_ID.fullmatch(what):
        plans = [
            record
            for record in in_order(workspace.ledger.find(series=f"run/{what}", objects=workspace.objects))
            if isinstance(record.body, PlanRecord)
        ]
        if plans:
            return with_signers(workspace, plans[-1:], workspace.target(base) if base else None)[0]
    records = about(workspace, rev=what, base=base)
    decisive = [record for record in records if isinstance(record.body, VerdictRecord | OverrideRecord)]
    if not records:
        raise UsageError(f"There is no record about {what or 'HEAD'}.", "git cto log --all")
    return (decisive or records)[0]


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
