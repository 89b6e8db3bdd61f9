"""Proving that a change may be merged, step by step: all of it from objects, the ledger and the target, offline.

The gate decides; what is shown here is what its decision rests on, computed again where that is possible: the change,
the record that speaks for it, its signatures, policy, coverage and digests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from git_cto.errors import ToolError
from git_cto.gate.digests import outcomes_digest, plan_digest
from git_cto.gate.globs import matches
from git_cto.gate.rounds import in_order
from git_cto.ledger.records import kind_of
from git_cto.ledger.signers import SIGNERS_PATH
from git_cto.model import OverrideRecord, PlanRecord, VerdictRecord
from git_cto.render.words import counted, coverage_words
from git_cto.repo.patch import view
from git_cto.work.counting import out_of_force
from git_cto.work.gating import gate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from git_cto.gate.decision import Decision
    from git_cto.model import Record
    from git_cto.work.surveying import Survey
    from git_cto.work.workspace import Workspace


class Step(Struct, frozen=True):
    """One line of a proof: what was looked at, whether it holds (None: nothing hangs on it), and what was found."""

    name: str
    holds: bool | None
    text: str


class Proof(Struct, frozen=True):
    """The gate's decision about a change, and the steps to it."""

    survey: Survey
    decision: Decision
    steps: tuple[Step, ...]

    @property
    def proven(self) -> bool:
        """Whether the change may be merged, and everything that could be computed again came out the same."""
        return self.decision.allowed and all(step.holds is not False for step in self.steps)

    @property
    def reasons(self) -> tuple[str, ...]:
        """What it comes to, in sentences."""
        if self.proven or not self.decision.allowed:
            return self.decision.reasons
        broken = ", ".join(step.name for step in self.steps if step.holds is False)
        return (f"The gate would open, but what was recorded is not what was computed again: {broken}.",)

    @property
    def next_step(self) -> str:
        """What to type."""
        if self.proven or not self.decision.allowed:
            return self.decision.next_step
        return "git cto show, and ask whoever signed it"


def prove(workspace: Workspace, rev: str | None, *, base: str | None, signed: bool) -> Proof:
    """The proof for `rev` (default: HEAD). `signed` asks for signatures, whatever the policy says."""
    workspace.signed_only = workspace.signed_only or signed
    gated = gate(workspace, rev=rev or "HEAD", base=base)
    return Proof(gated.survey, gated.decision, tuple(_steps(workspace, gated.survey, gated.decision)))


def _steps(workspace: Workspace, found: Survey, decision: Decision) -> Iterator[Step]:
    change = found.change
    size = f"{counted(len(change.files), 'file')}, merge base {change.base[:12]}"
    yield Step("change", bool(change.files), f"{change.id[:12]} ({size}), computed again; sha256 {change.sha256[:16]}…")
    about = [one for one in in_order(found.records) if _speaks_for(one, found)]
    yield Step("records", bool(about), f"{counted(len(about), 'record')} about exactly this change and target")
    record = decision.by or (about[-1] if about else None)
    if record is None:
        return
    yield _record(record)
    yield from _signatures(workspace, found, about)
    if isinstance(record.body, VerdictRecord):
        yield from _verdict(workspace, found, record.body)
    else:
        yield Step("policy", None, f"{found.policy.digest[:16]}… of {found.target.name} at {found.target.commit[:12]}")


def _speaks_for(record: Record, found: Survey) -> bool:
    return (
        isinstance(record.body, VerdictRecord | OverrideRecord)
        and record.subject.change == found.change.id
        and record.subject.sha256 == found.change.sha256
        and record.body.target == found.target.ref
    )


def _record(record: Record) -> Step:
    body = record.body
    if isinstance(body, VerdictRecord):
        said = f"{body.verdict}, round {body.round}, by {body.engine.model}"
        return Step("record", body.verdict == "approve", f"{record.id[:12]}: {said}, {body.time}")
    return Step("record", True, f"{record.id[:12]}: {kind_of(body)} by {body.actor.name}, {body.time}")


def _signatures(workspace: Workspace, found: Survey, about: list[Record]) -> Iterator[Step]:
    """Who signed what speaks for the change, and which lines of the list do not count."""
    wanted = found.policy.gate.trust == "signed"
    checked = about if wanted else workspace.trusting(about, found.target)
    where = f"{SIGNERS_PATH} of {found.target.name} at {found.target.commit[:12]}"
    for one in checked:
        what = f"{one.id[:12]} {kind_of(one.body)}"
        for signer in one.signers:
            yield Step("signature", True, f"{what}: {signer.principal}, {signer.key}, in {where}")
        if not one.signers:
            yield Step("signature", one.own if wanted else None, f"{what}: {one.doubt or 'it is not signed'}")
    for line in workspace.signers(found.target).ignored:
        yield Step("signers", None, f"line {line.number} of {where} does not count: {line.why}")
    for number, why in out_of_force(workspace, found.target).items():
        yield Step("signers", None, f"line {number} of {where} does not count: {why}")


def _verdict(workspace: Workspace, found: Survey, body: VerdictRecord) -> Iterator[Step]:
    """What a verdict says of itself, computed again."""
    same_policy = body.digests.policy in _digests(found)
    was = "as it was then" if same_policy else "it was another one then; judged by today's"
    yield Step("policy", None, f"of {found.target.name} at {found.target.commit[:12]}, {was}")
    yield _coverage(workspace, found, body, same_policy=same_policy)
    if body.digests.plan:
        yield _plan(found, body)
    same = outcomes_digest(body.results, body.commands) == body.digests.outcomes
    observed = f"{counted(len(body.results), 'result')}, {counted(len(body.commands), 'command')}"
    yield Step("outcomes", same, f"{observed}: {'the digest fits' if same else 'the digest does not fit'}")


def _digests(found: Survey) -> set[str]:
    """The digests of the policy, whichever way it was asked to trust: that is no matter of the reviewer's."""
    gate_policy = found.policy.gate
    trusts = (replace(gate_policy, trust="local"), replace(gate_policy, trust="signed"))
    return {replace(found.policy, gate=one).digest for one in trusts}


def _coverage(workspace: Workspace, found: Survey, body: VerdictRecord, *, same_policy: bool) -> Step:
    said = coverage_words(body.coverage)
    if not same_policy:
        return Step("coverage", body.coverage.files == len(found.change.files), f"{said}, as recorded")
    policy = found.policy.coverage
    try:
        shown = view(
            workspace.lens,
            found.change,
            max_bytes=policy.max_bytes,
            summarise=lambda path: matches(path, policy.summarised),
            may_be_unseen=lambda path: matches(path, policy.listed_ok),
        )
    except ToolError as error:
        return Step("coverage", None, f"{said}, as recorded; not computed again: {error.message}")
    same = shown.coverage.digest == body.coverage.digest
    return Step("coverage", same, f"{said}, {'computed again' if same else 'and it is another one now'}")


def _plan(found: Survey, body: VerdictRecord) -> Step:
    for one in found.records:
        if isinstance(one.body, PlanRecord) and plan_digest(one.body.plan) == body.digests.plan:
            signers = "".join(f"; signed by {signer.principal}" for signer in one.signers)
            return Step("plan", True, f"{one.id[:12]} of {body.run}, the digest fits{signers}")
    return Step("plan", False, f"{body.digests.plan[:16]}… is in no record that was found")
