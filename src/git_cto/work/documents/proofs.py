"""The documents of `git cto verify` and `audit`: what shows that a change, or what landed, was approved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from git_cto.redaction import writable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from git_cto.model import Target
    from git_cto.work.auditing import Audited
    from git_cto.work.proving import Proof
    from git_cto.work.tallying import Tally


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


class AuditDocument(Struct, frozen=True, kw_only=True):
    """What landed and how (`git cto audit`): how many commits and landings, and the landings that nobody approved.

    Of the others it has the numbers only, so that it stays short for any history; `--events` has them all.
    """

    schema: Literal["git-cto/audit/v1"] = "git-cto/audit/v1"
    target: str
    target_commit: str
    counts: dict[str, int]  # commits
    landings: dict[str, int]
    unapproved: tuple[LandingDocument, ...]
    next: str


def audit_document(
    target: Target, tally: Tally, bad: Iterable[LandingDocument], steps: Iterable[tuple[str, str] | str]
) -> AuditDocument:
    """The document of an audit. `steps` are what to type next, as `tally` has told while the repository was open."""
    commands = (step if isinstance(step, str) else step[0] for step in steps)
    return AuditDocument(
        target=writable(target.ref),
        target_commit=target.commit,
        counts=dict(tally.commits),
        landings=dict(tally.landings),
        unapproved=tuple(bad),
        next=writable(", or ".join(commands)),
    )
