"""The document of `git cto log` and `show`: the ledger, read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct

from git_cto.ledger.records import Kind, kind_of
from git_cto.model import Subject

if TYPE_CHECKING:
    from git_cto.model import Record


class RecordDocument(Struct, frozen=True, kw_only=True):
    """One record of the ledger."""

    id: str
    kind: Kind
    subject: Subject
    body: dict[str, Any]
    signers: tuple[str, ...]  # whose signatures were found good and are allowed by the target
    keys: tuple[str, ...]  # the fingerprints of the keys that they signed with, in the same order
    signatures: int
    doubt: str  # why none counts, where that was looked at


class LogDocument(Struct, frozen=True, kw_only=True):
    """Records, the newest first (`git cto log`, `git cto show`)."""

    schema: Literal["git-cto/log/v1"] = "git-cto/log/v1"
    records: tuple[RecordDocument, ...]


def log_document(records: list[Record]) -> LogDocument:
    """The document of some records."""
    return LogDocument(
        records=tuple(
            RecordDocument(
                id=record.id,
                kind=kind_of(record.body),
                subject=record.subject,
                body=msgspec.to_builtins(record.body),
                signers=tuple(one.principal for one in record.signers),
                keys=tuple(one.key for one in record.signers),
                signatures=len(record.signatures),
                doubt=record.doubt,
            )
            for record in records
        )
    )
