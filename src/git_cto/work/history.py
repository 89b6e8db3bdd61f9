"""Looking back: the records about a commit, a run, or everything."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from git_cto.errors import CtoError, ToolError, UsageError, some
from git_cto.gate.rounds import in_order
from git_cto.ledger.records import decode_all, kind_of
from git_cto.ledger.trusting import MOST_CHECKS
from git_cto.model import OverrideRecord, PlanRecord, VerdictRecord
from git_cto.render.words import signed_words
from git_cto.repo.resolve import resolve_head
from git_cto.repo.runs import RUN_ID
from git_cto.work.gating import decide_on
from git_cto.work.surveying import survey

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from git_cto.model import Record, Signature, Target
    from git_cto.work.surveying import Survey
    from git_cto.work.workspace import Workspace

_ID = re.compile(r"[0-9a-f]{4,64}", re.ASCII)


class Meant(Struct, frozen=True):
    """The record that somebody meant, and what they might not expect of it, in sentences."""

    record: Record
    notes: tuple[str, ...] = ()


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
    for ref, those in signed.items():
        known = target if target and target.ref == ref else None
        seen |= {(one.id, one.signatures): one for one in _checked(workspace, ref, those, known)}
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


def meant(workspace: Workspace, what: str | None, *, base: str | None) -> Meant:
    """The newest plan of a run, a record by its id, or what stands for a commit, as `_about_a_commit` finds it.

    A name that is a commit's and the beginning of an id is the commit's.
    """
    if what and RUN_ID.fullmatch(what):
        plans = [
            record
            for record in in_order(workspace.ledger.find(series=f"run/{what}", objects=workspace.objects))
            if isinstance(record.body, PlanRecord)
        ]
        if plans:
            return Meant(_signed(workspace, plans[-1], base))
    try:
        head = resolve_head(workspace.git, what, workspace.objects)
    except UsageError:
        if what is None or not _ID.fullmatch(what):
            raise
        return Meant(_signed(workspace, _by_id(all_records(workspace), what, "neither a commit nor a record"), base))
    return _about_a_commit(workspace, survey(workspace, head=head, base=base, run=None), what)


def _signed(workspace: Workspace, record: Record, base: str | None) -> Record:
    return with_signers(workspace, [record], workspace.target(base) if base else None)[0]


def _about_a_commit(workspace: Workspace, found: Survey, what: str | None) -> Meant:
    """What the gate rests on; else the newest verdict or override that counts, else the newest one, else any record."""
    records = in_order(with_signers(workspace, found.records, found.target))[::-1]
    if not records:
        raise UsageError(f"There is no record about {what or 'HEAD'}.", "git cto log --all")
    decisive = [record for record in records if isinstance(record.body, VerdictRecord | OverrideRecord)]
    opened, doubt = _opened_by(workspace, found)
    counted = {one.id for one in found.counted}
    first = [one for one in records if one.id == opened] or [one for one in decisive if one.id in counted]
    record = (first or decisive or records)[0]
    return Meant(record, (*_beside(record, decisive, found, rests=record.id == opened), *doubt))


def _opened_by(workspace: Workspace, found: Survey) -> tuple[str, tuple[str, ...]]:
    """The id of the record that the gate rests on, "" where it is closed; and why that cannot be said."""
    if not found.change.files:
        return "", ()  # it has landed, or is none
    try:
        by = decide_on(workspace, found).by
    except CtoError as error:
        return "", (f"what the gate rests on cannot be said: {error.message}",)
    return by.id if by else "", ()


def _beside(record: Record, decisive: list[Record], found: Survey, *, rests: bool) -> tuple[str, ...]:
    """That another record is about the same change, or that the one which is meant is not about this very change."""
    change = found.change
    others = [
        f"{_kind(one)} {one.id[:7]} ({signed_words(one)})"
        for one in decisive
        if one.id != record.id and one.subject.change == change.id and one.body.target == found.target.ref
    ]
    if change.files and record in decisive and record.subject.change != change.id:
        return (f"this is about commit {record.subject.head[:7]}, not about {found.head.name} as it is now",)
    if not others or record not in decisive:
        return ()
    this = f"{_kind(record)} {record.id[:7]}"
    closed = ", and the gate is closed" if change.files else ""
    which = f"the gate rests on {this}" if rests else f"this is {this}{closed}"
    return (f"{which}; also about this change: {some(others)}; git cto show takes an id",)


def _kind(record: Record) -> str:
    """What a record is in a word: a verdict by what it says."""
    return record.body.verdict if isinstance(record.body, VerdictRecord) else kind_of(record.body)


def find_verdict(workspace: Workspace, *, rev: str | None, base: str | None, wanted: str | None) -> Record:
    """The verdict that is meant: by its id, else the last one on exactly this commit, else on exactly its change."""
    if wanted is not None:
        found = _by_id(about(workspace, rev=rev, base=base) if rev else all_records(workspace), wanted)
        if not isinstance(found.body, VerdictRecord):
            raise UsageError(f"The record {wanted[:12]} is no verdict: nothing was asked for it.", "git cto log --all")
        return found
    head = resolve_head(workspace.git, rev, workspace.objects)
    target = workspace.target(base).ref if base else None
    listed = [
        record
        for record in workspace.ledger.find(head=head.commit, objects=workspace.objects)
        if isinstance(record.body, VerdictRecord) and record.subject.head == head.commit
    ]
    listed = [record for record in listed if target in {None, record.body.target}]
    listed = listed or list(survey(workspace, head=head, base=base, run=None).about)
    if not listed:
        raise UsageError(
            f"No verdict is recorded on {head.name}.", "git cto log --all, then git cto replay --record ID"
        )
    return in_order(listed)[-1]


def _by_id(records: list[Record], wanted: str, none: str = "no record") -> Record:
    found = [one for one in records if _ID.fullmatch(wanted) and one.id.startswith(wanted)]
    if len(found) != 1:
        which = f"is the beginning of {len(found)} ids" if found else f"names {none} here"
        raise UsageError(f"{wanted[:64]!r} {which}.", "git cto log --all shows the ids; give at least 4 digits")
    return found[0]
