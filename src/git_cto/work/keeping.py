"""Keeping what came out: artifacts beside the ledger, records in it, and the note that people read."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from git_cto.errors import ToolError
from git_cto.ledger.artifacts import Artifacts, ArtifactsError, Slot
from git_cto.ledger.records import united
from git_cto.model import OverrideRecord, Record, Subject, VerdictRecord
from git_cto.render.note import note

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from git_cto.work.workspace import Workspace

MOST_SHOWN = 500  # commits whose notes are looked after when records came in
MOST_READ = 32 << 20  # bytes of records that are read for that
_SHORT = 300  # characters that are left of a long text when a record would be too long


def reserve(workspace: Workspace, slug: str, kind: str) -> tuple[Slot | None, tuple[str, ...]]:
    """A numbered place for the artifacts of one call; None and a note about it where none can be had."""
    try:
        return Artifacts(workspace.git, slug, workspace.artifacts).reserve(kind), ()
    except ArtifactsError as error:
        return None, (error.message,)


def answer_path(slot: Slot | None) -> str:
    """Where the document of a call goes; "" where there is no place for it."""
    return slot.answer if slot else ""


def keep(slot: Slot | None, document: msgspec.Struct) -> None:
    """Writes the document of a call. It is a convenience: the record is what counts."""
    if slot is not None:
        with suppress(ArtifactsError):
            slot.write("json", msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")


def record_fitted(workspace: Workspace, subject: Subject, body: VerdictRecord, change: bytes) -> Record:
    """Records a verdict, with less of its long texts if it would be longer than a record may be."""
    attempts = list(_shorter(body))
    for attempt in attempts[:-1]:
        try:
            record = workspace.record(subject, attempt, series=body.series, change=change)
            break
        except ToolError as error:
            if error.code != "record_too_large":
                raise
    else:
        record = workspace.record(subject, attempts[-1], series=body.series, change=change)
    show(workspace, subject.head, record)
    return record


def _shorter(body: VerdictRecord) -> Iterator[VerdictRecord]:
    """The record, then ones with shorter texts. What the verdict rests on (verdicts, ids, severities) stays."""
    yield body
    body = replace(
        body,
        commands=tuple(replace(one, output=one.output[-_SHORT:]) for one in body.commands),
        results=tuple(replace(one, summary=one.summary[:_SHORT]) for one in body.results),
        carried=tuple(replace(one, body=one.body[:_SHORT], suggestion=None) for one in body.carried),
        suspicions=body.suspicions[:20],
        dispute=body.dispute[: 10 * _SHORT],
        claim=body.claim[: 10 * _SHORT],
        shortened=True,
    )
    yield body
    yield replace(
        body,
        commands=tuple(replace(one, command=one.command[:_SHORT], output="") for one in body.commands),
        results=tuple(replace(one, summary="") for one in body.results),
        carried=tuple(replace(one, body=one.body[:80]) for one in body.carried),
        claim="",
        review=replace(
            body.review,
            findings=tuple(replace(one, body=one.body[:_SHORT], suggestion=None) for one in body.review.findings),
        ),
    )


def show(workspace: Workspace, commit: str, newest: Record) -> None:
    """Writes what `git log --notes=cto` says of a commit. It can be made again at will, so it may fail silently."""
    known = united((newest, *workspace.ledger.find(head=commit)))
    with suppress(ToolError):
        workspace.ledger.show({commit: _note(commit, known)})


def show_received(workspace: Workspace) -> None:
    """The same for the newest commits of all branches, where records may have come in; it may fail silently as well.

    Its cost depends on neither the length of the ledger nor that of the history.
    """
    done = workspace.git.attempt("rev-list", f"--max-count={MOST_SHOWN}", "HEAD", "--branches", "--remotes", "--")
    heads = done.stdout.decode("ascii", "replace").split() if done.returncode == 0 else []
    texts = {}
    with suppress(ToolError):
        for head, records in workspace.ledger.on_each(heads, workspace.objects, MOST_READ):
            if text := _note(head, records):
                texts[head] = text
    if texts:
        with suppress(ToolError):
            workspace.ledger.show(texts)


def _note(commit: str, known: Iterable[Record]) -> str:
    about = [
        record
        for record in known
        if record.subject.head == commit and isinstance(record.body, VerdictRecord | OverrideRecord)
    ]
    about.sort(key=lambda record: record.body.time, reverse=True)
    return note(about[:5])
