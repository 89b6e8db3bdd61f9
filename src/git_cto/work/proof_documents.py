"""The JSON documents of `git cto verify`, `audit` and `import`; the others are in `work.documents`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from git_cto.ledger.records import kind_of
from git_cto.redaction import writable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from git_cto.model import Target
    from git_cto.work.auditing import Audited
    from git_cto.work.exchanging import Imported
    from git_cto.work.proving import Proof


class StepDocument(Struct, frozen=True, kw_only=True):
    """One line of a proof. `holds` is null where nothing hangs on it."""

    name: str
    holds: bool | None
    text: str


class ProofDocument(Struct, frozen=True, kw_only=True):
    """Whether a change may be merged, and what shows it (`git cto verify`)."""

    schema: Literal["git-cto/proof/v1"] = "git-cto/proof/v1"
    proven: bool
    allowed: bool
    reasons: tuple[str, ...]
    steps: tuple[StepDocument, ...]
    head: str
    target: str
    target_commit: str
    change: str
    sha256: str
    trust: Literal["local", "signed"]
    record: str | None
    signers: tuple[str, ...]
    next: str


class LandingDocument(Struct, frozen=True, kw_only=True):
    """How one landing came in (`git cto audit --events`). `commits` are several where a branch was rebased."""

    schema: Literal["git-cto/landing/v1"] = "git-cto/landing/v1"
    commits: tuple[str, ...]
    onto: str
    how: Literal["approved", "overridden", "empty", "first", "unapproved"]
    subject: str
    reason: str
    record: str | None
    signers: tuple[str, ...]


class AuditDocument(Struct, frozen=True, kw_only=True):
    """What landed and how: counts of commits, and the landings that nobody approved (`git cto audit`)."""

    schema: Literal["git-cto/audit/v1"] = "git-cto/audit/v1"
    target: str
    target_commit: str
    counts: dict[str, int]
    unapproved: tuple[LandingDocument, ...]


class ImportDocument(Struct, frozen=True, kw_only=True):
    """A record that was taken in (`git cto import`). `new` is false where it was here already."""

    schema: Literal["git-cto/import/v1"] = "git-cto/import/v1"
    record: str
    kind: Literal["plan", "verdict", "override", "continue"]
    head: str
    new: bool
    signers: tuple[str, ...]
    notes: tuple[str, ...]
    next: str


def proof_document(proof: Proof) -> ProofDocument:
    """The document of a proof."""
    found, decision = proof.survey, proof.decision
    return ProofDocument(
        proven=proof.proven,
        allowed=decision.allowed,
        reasons=tuple(map(writable, proof.reasons)),
        steps=tuple(StepDocument(name=one.name, holds=one.holds, text=writable(one.text)) for one in proof.steps),
        head=found.change.head,
        target=writable(found.target.ref),
        target_commit=found.target.commit,
        change=found.change.id,
        sha256=found.change.sha256,
        trust=found.policy.gate.trust,
        record=decision.by.id if decision.by else None,
        signers=tuple(signer.principal for signer in decision.by.signers) if decision.by else (),
        next=writable(proof.next_step),
    )


def landing_document(one: Audited) -> LandingDocument:
    """The document of one landing."""
    return LandingDocument(
        commits=tuple(landing.commit for landing in one.landings),
        onto=one.landings[-1].onto,
        how=one.how,
        subject=one.landings[0].subject,
        reason=writable(one.reason),
        record=one.by.id if one.by else None,
        signers=tuple(signer.principal for signer in one.by.signers) if one.by else (),
    )


def audit_document(target: Target, counts: Mapping[str, int], bad: Iterable[Audited]) -> AuditDocument:
    """The document of an audit."""
    return AuditDocument(
        target=writable(target.ref),
        target_commit=target.commit,
        counts=dict(counts),
        unapproved=tuple(map(landing_document, bad)),
    )


def import_document(done: Imported) -> ImportDocument:
    """The document of a record that was taken in."""
    return ImportDocument(
        record=done.record.id,
        kind=kind_of(done.record.body),
        head=done.record.subject.head,
        new=done.new,
        signers=tuple(signer.principal for signer in done.record.signers),
        notes=done.notes,
        next="git cto gate",
    )
