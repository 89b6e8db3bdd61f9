"""The document of `git cto gate`. It is made on every push, so nothing else is loaded with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from git_cto.redaction import writable

if TYPE_CHECKING:
    from git_cto.work.gating import Gated


class GateDocument(Struct, frozen=True, kw_only=True):
    """The gate's answer (`git cto gate`)."""

    schema: Literal["git-cto/gate/v1"] = "git-cto/gate/v1"
    allowed: bool
    reasons: tuple[str, ...]
    head: str
    target: str
    target_commit: str
    target_from: str
    change: str
    series: str
    trust: Literal["local", "signed"]
    record: str | None
    signers: tuple[str, ...]
    uncommitted: int
    next: str


def gate_document(gated: Gated) -> GateDocument:
    """The document of the gate's answer."""
    found, decision = gated.survey, gated.decision
    return GateDocument(
        allowed=decision.allowed,
        reasons=tuple(writable(reason) for reason in decision.reasons),
        head=found.change.head,
        target=writable(found.target.ref),
        target_commit=found.target.commit,
        target_from=writable(found.target.found_at),
        change=found.change.id,
        series=found.series.name,
        trust=found.policy.gate.trust,
        record=decision.by.id if decision.by else None,
        signers=tuple(writable(one.principal) for one in decision.by.signers) if decision.by else (),
        uncommitted=gated.uncommitted,
        next=writable(decision.next_step),
    )
