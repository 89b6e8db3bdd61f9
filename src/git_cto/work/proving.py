"""Proving that a change may be merged, step by step: all of it from objects, the ledger and the target, offline.

The gate decides; what is shown here is what its decision rests on, computed again where that is possible: the change,
the record that speaks for it, its signatures, policy, coverage and digests. What counts for the gate is what counts
here: a record that it leaves out is told of, and proves and disproves nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from git_cto.errors import ToolError
from git_cto.gate.digests import outcomes_digest, plan_digest
from git_cto.gate.globs import matches
from git_cto.gate.trust import admitted, why_not_admitted
from git_cto.ledger.records import kind_of
from git_cto.ledger.signers import SIGNERS_PATH
from git_cto.model import PlanRecord, VerdictRecord
from git_cto.render.words import counted, coverage_words
from git_cto.repo.patch import view
from git_cto.work.counting import out_of_force
from git_cto.work.gating import gate, who_wrote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from git_cto.gate.decision import Decision
    from git_cto.model import Record, Signer, Target
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
    about = found.decisive
    yield Step("records", bool(about), f"{counted(len(about), 'record')} about exactly this change and target")
    authors = _authors(workspace, found)
    counting = {one.id: one for record in found.records if (one := admitted(record, found.policy.gate, authors))}
    latest = [one for one in about if one.id in counting] or about
    record = decision.by or (latest[-1] if latest else None)
    if record is None:
        return
    yield _record(record)
    yield from _signatures(workspace, found, about, counting, authors)
    yield from _lines(workspace, found.target)
    if isinstance(record.body, VerdictRecord):
        yield from _verdict(workspace, found, record.body, counting)
    else:
        yield Step("policy", None, f"{found.policy.digest[:16]}… of {found.target.name} at {found.target.commit[:12]}")


def _record(record: Record) -> Step:
    body = record.body
    if isinstance(body, VerdictRecord):
        said = f"{body.verdict}, round {body.round}, by {body.engine.model}"
        return Step("record", body.verdict == "approve", f"{record.id[:12]}: {said}, {body.time}")
    return Step("record", True, f"{record.id[:12]}: {kind_of(body)} by {body.actor.name}, {body.time}")


def _authors(workspace: Workspace, found: Survey) -> frozenset[str]:
    """Who wrote the change, as the gate asks it."""
    wrote = who_wrote(workspace, found)
    return wrote.addresses if wrote else frozenset()


def _signatures(
    workspace: Workspace, found: Survey, about: list[Record], counting: Mapping[str, Record], authors: frozenset[str]
) -> Iterator[Step]:
    """Who signed what speaks for the change.

    Where signatures count, `counting` are the records that do, with those signers whose word does. Beside them others
    say nothing, whoever put them there; only where there is none at all is that what breaks the proof.
    """
    if found.policy.gate.trust != "signed":
        for one in workspace.trusting(about, found.target):
            yield from _signed(one, one.signers, found.target)
            if not one.signers:
                yield Step("signature", None, f"{_named(one)}: {one.doubt or 'it is not signed'}")
        return
    none_counts = not any(one.id in counting for one in about)
    for one in about:
        good = counting.get(one.id)
        why = why_not_admitted(one, authors)
        if good is None:
            yield Step("signature", False if none_counts else None, f"{_named(one)} does not count: {why}")
            continue
        yield from _signed(one, good.signers, found.target)
        if not good.signers:
            yield Step("signature", True, f"{_named(one)}: recorded by this very process")
        elif good.signers != one.signers:
            yield Step("signature", None, f"{_named(one)}: {why}, so that does not count")


def _signed(record: Record, signers: tuple[Signer, ...], target: Target) -> Iterator[Step]:
    where = f"{SIGNERS_PATH} of {target.name} at {target.commit[:12]}"
    for signer in signers:
        yield Step("signature", True, f"{_named(record)}: {signer.principal}, {signer.key}, in {where}")


def _named(record: Record) -> str:
    return f"{record.id[:12]} {kind_of(record.body)}"


def _lines(workspace: Workspace, target: Target) -> Iterator[Step]:
    """The lines of the target's list that do not count."""
    ignored = {line.number: line.why for line in workspace.signers(target).ignored}
    for number, why in (*ignored.items(), *out_of_force(workspace, target).items()):
        where = f"line {number} of {SIGNERS_PATH} of {target.name} at {target.commit[:12]}"
        yield Step("signers", None, f"{where} does not count: {why}")


def _verdict(
    workspace: Workspace, found: Survey, body: VerdictRecord, counting: Mapping[str, Record]
) -> Iterator[Step]:
    """What a verdict says of itself, computed again."""
    same_policy = body.digests.policy in _digests(found)
    was = "as it was then" if same_policy else "it was another one then; judged by today's"
    yield Step("policy", None, f"of {found.target.name} at {found.target.commit[:12]}, {was}")
    yield _coverage(workspace, found, body, same_policy=same_policy)
    if body.digests.plan:
        yield _plan(found, body, counting)
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


def _plan(found: Survey, body: VerdictRecord, counting: Mapping[str, Record]) -> Step:
    """The plan that it was given for, in a record that counts."""
    uncounted = ""
    for one in found.records:
        if not isinstance(one.body, PlanRecord) or plan_digest(one.body.plan) != body.digests.plan:
            continue
        what = f"{one.id[:12]} of {body.run}, the digest fits"
        if one.id in counting:
            signers = "".join(f"; signed by {signer.principal}" for signer in one.signers)
            return Step("plan", True, f"{what}{signers}")
        uncounted = f"{what}, but it does not count: {one.doubt or 'it is not signed'}"
    return Step("plan", False, uncounted or f"{body.digests.plan[:16]}… is in no record that was found")
