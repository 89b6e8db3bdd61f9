"""The documents of `git cto override`, `continue`, `sign`, `import` and `sync`: what came into the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from git_cto.ledger.records import Kind, kind_of
from git_cto.model import ContinueRecord, OverrideRecord

if TYPE_CHECKING:
    from git_cto.ledger.sync import Synced
    from git_cto.model import Record
    from git_cto.work.co_signing import CoSigned
    from git_cto.work.exchanging import Imported


class DecisionDocument(Struct, frozen=True, kw_only=True):
    """A human's decision that was recorded (`git cto override`, `git cto continue`)."""

    schema: Literal["git-cto/decision/v1"] = "git-cto/decision/v1"
    kind: Literal["override", "continue"]
    record: str
    series: str
    target: str
    head: str
    change: str | None
    reason: str
    notes: tuple[str, ...]
    next: str


def decision_document(record: Record, notes: tuple[str, ...], next_step: str) -> DecisionDocument:
    """The document of a recorded decision."""
    body = record.body
    assert isinstance(body, OverrideRecord | ContinueRecord)  # noqa: S101 -- what callers pass
    return DecisionDocument(
        kind="override" if isinstance(body, OverrideRecord) else "continue",
        record=record.id,
        series=body.series,
        target=body.target,
        head=record.subject.head,
        change=record.subject.change or None,
        reason=body.reason,
        notes=notes,
        next=next_step,
    )


class SignDocument(Struct, frozen=True, kw_only=True):
    """The records that were signed, and those that had this key's signature before (`git cto sign`)."""

    schema: Literal["git-cto/sign/v1"] = "git-cto/sign/v1"
    key: str
    signed: tuple[str, ...]
    signed_before: tuple[str, ...]
    notes: tuple[str, ...]
    next: str


def sign_document(signed: CoSigned, next_step: str) -> SignDocument:
    """The document of records that were signed."""
    return SignDocument(
        key=signed.key,
        signed=tuple(record.id for record in signed.added),
        signed_before=tuple(record.id for record in signed.before),
        notes=signed.notes,
        next=next_step,
    )


class ImportDocument(Struct, frozen=True, kw_only=True):
    """A record that was taken in (`git cto import`). `new` is false where it was here already."""

    schema: Literal["git-cto/import/v1"] = "git-cto/import/v1"
    record: str
    kind: Kind
    head: str
    new: bool
    signers: tuple[str, ...]
    notes: tuple[str, ...]
    next: str


def import_document(done: Imported) -> ImportDocument:
    """The document of a record that was taken in."""
    return ImportDocument(
        record=done.record.id,
        kind=kind_of(done.record.body),
        head=done.record.subject.head,
        new=done.new,
        signers=tuple(signer.principal for signer in done.record.signers),
        notes=done.notes,
        next=done.next_step,
    )


class SyncDocument(Struct, frozen=True, kw_only=True):
    """What an exchange with a remote did (`git cto sync`), in records, and signatures for records that were there."""

    schema: Literal["git-cto/sync/v1"] = "git-cto/sync/v1"
    remote: str
    received: int
    sent: int
    signatures_received: int
    signatures_sent: int


def sync_document(remote: str, synced: Synced) -> SyncDocument:
    """The document of an exchange."""
    return SyncDocument(
        remote=remote,
        received=synced.received,
        sent=synced.sent,
        signatures_received=synced.signatures_received,
        signatures_sent=synced.signatures_sent,
    )
