"""The gate: may this change be merged, and if not, why and what to do next. Pure; everything it knows is passed in.

Open only if a trusted approval (or a human's override) covers exactly this change for this target, no later refusal
stands, and nothing of the change lay outside the reviewer's sight under today's policy. Everything else is closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from git_cto.gate.digests import plan_digest
from git_cto.gate.refusals import lifted_aborts, standing_refusal
from git_cto.gate.rounds import in_order
from git_cto.gate.rule import coverage_gaps, judge, way_out
from git_cto.model import OverrideRecord, Plan, PlanRecord, Record, VerdictRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from git_cto.gate.policy import Policy
    from git_cto.gate.rounds import Standing
    from git_cto.model import Change, Target

_OVERRULE = "git cto override --reason TEXT, or git cto review on its own branch"
_STOPPED = "git cto continue --reason TEXT, then fix it and git cto review"
_FIX = "fix it, then git cto review"


class Facts(Struct, frozen=True):
    """What was found out about a change besides its records."""

    target: Target
    conflicts: tuple[str, ...] = ()  # paths that conflict with the target
    commits_since: int | None = None  # commits after the last judged one, where that is an ancestor
    run: str = ""  # the run whose branch is asked about
    series: str = ""  # what its rounds are counted in


class Decision(Struct, frozen=True):
    """The gate's answer. `reasons` are sentences, `next_step` what to type; `by` is the record that opened it."""

    allowed: bool
    reasons: tuple[str, ...]
    next_step: str = ""
    by: Record | None = None
    plan: Plan | None = None


def decide(
    change: Change, facts: Facts, records: Iterable[Record], standing: Standing | None, policy: Policy
) -> Decision:
    """Whether `change` may be merged into the target.

    `records` are all that were found for its head, its content and its series; what is about something else is
    ignored. `standing` is where the change's series stands, where it has one.
    """
    known = in_order(records)  # before any is left out: the order of a signed one may hang on an unsigned one
    if policy.gate.trust == "signed":
        known = [record for record in known if record.signers]
    covering = [record for record in known if _covers(record, change, facts.target)]
    about = [record for record in covering if not _approved_elsewhere(record, facts)]
    if facts.conflicts:
        some = ", ".join(facts.conflicts[:3])
        return Decision(
            False,
            (f"It conflicts with {facts.target.name}: {some}.",),
            f"git merge {facts.target.name}, then git cto review",
        )
    if covering and not about:
        return Decision(False, (f"It was approved without the plan of the run {facts.run}.",), "git cto review")
    if not about:
        return _unjudged(change, facts, standing, policy)
    decision = _by_latest(change, about, known, standing, policy)
    if decision.allowed and decision.by and isinstance(decision.by.body, VerdictRecord):
        lifted = lifted_aborts(in_order(known))
        against = _against(decision.by.body, standing_refusal(decision.by.body, about[:-1], lifted), facts, standing)
        if any(isinstance(record.body, OverrideRecord) for record in about):
            against = ()
        if against:
            return Decision(False, against, _OVERRULE, plan=decision.plan)
    return decision


def _approved_elsewhere(record: Record, facts: Facts) -> bool:
    """Whether a record is an approval that says nothing of the run whose branch is asked about: of another plan."""
    body = record.body
    return bool(facts.run) and isinstance(body, VerdictRecord) and body.verdict == "approve" and body.run != facts.run


def _against(
    approval: VerdictRecord, refusal: Record | None, facts: Facts, standing: Standing | None
) -> tuple[str, ...]:
    """Why an approval that is sound in itself does not open the gate: a refusal stands, or a human's word is due."""
    if refusal and isinstance(refusal.body, VerdictRecord):
        return (
            f"Exactly this change was refused before: {_first(refusal.body)}",
            "An approval under another plan or name does not take that back.",
        )
    if _stopped(standing) and facts.series not in {"", approval.series}:
        return ("Its series waits for a human: the last verdict was abort, or the rounds are used up.",)
    return ()


def _covers(record: Record, change: Change, target: Target) -> bool:
    return (
        isinstance(record.body, VerdictRecord | OverrideRecord)
        and record.subject.change == change.id
        and record.subject.sha256 == change.sha256
        and record.body.target == target.ref
    )


def _by_latest(
    change: Change, about: Sequence[Record], known: Sequence[Record], standing: Standing | None, policy: Policy
) -> Decision:
    latest = about[-1]
    if isinstance(latest.body, OverrideRecord):
        who = latest.body.actor.name
        return Decision(True, (f"{who} overrode the gate for exactly this change: {latest.body.reason}",), by=latest)
    verdict = latest.body
    assert isinstance(verdict, VerdictRecord)  # noqa: S101 -- `_covers` lets nothing else through
    plan = _plan_of(verdict, known)
    if verdict.verdict != "approve":
        return Decision(
            False,
            (f"Round {verdict.round} said {verdict.verdict}: {_first(verdict)}",),
            _STOPPED if _stopped(standing) else way_out(verdict, policy) or _FIX,
            plan=plan,
        )
    doubts = _doubts(change, verdict, plan, policy)
    if doubts:
        return Decision(False, tuple(doubts), "git cto review again, or git cto override --reason TEXT", plan=plan)
    touched = [file.name for file in change.files if policy.gate.controls(file.text)]
    overridden = any(isinstance(record.body, OverrideRecord) for record in about)
    if touched and not overridden:
        some = ", ".join(touched[:3])
        return Decision(
            False,
            (f"It changes what the gate itself rests on ({some}): a human has to agree as well.",),
            "git cto override --reason TEXT",
            plan=plan,
        )
    return Decision(True, (_opened(verdict),), by=latest, plan=plan)


def _stopped(standing: Standing | None) -> bool:
    """Whether a human has to speak before anything is reviewed again."""
    return standing is not None and (standing.escalated or standing.aborted)


def _plan_of(verdict: VerdictRecord, known: Sequence[Record]) -> Plan | None:
    """The plan whose digest the verdict names, where it is among the records found."""
    for record in known:
        if isinstance(record.body, PlanRecord) and plan_digest(record.body.plan) == verdict.digests.plan:
            return record.body.plan
    return None


def _doubts(change: Change, verdict: VerdictRecord, plan: Plan | None, policy: Policy) -> list[str]:
    """Why an approval does not hold today: judged again from what it recorded, under the policy of today."""
    doubts = []
    allowed = policy.review.allowed_models
    if allowed is not None and verdict.engine.model not in allowed:
        doubts.append(f"It was approved by {verdict.engine.model}, which the policy does not allow.")
    if verdict.coverage.files != len(change.files):
        doubts.append("The approval's coverage does not fit the change.")
    if verdict.digests.plan and plan is None:
        doubts.append("The plan that it was approved for is not in the ledger (git cto sync fetches it).")
    gaps = coverage_gaps(verdict.coverage, policy)
    doubts += [f"The reviewer did not see all of it: {gap}." for gap in gaps]
    judged = judge(
        verdict.review,
        plan=plan,
        prior=verdict.carried,
        coverage=verdict.coverage,
        commands=verdict.commands,
        suspicions=verdict.suspicions,
        policy=policy,
        results=verdict.results,
    )
    if judged.verdict != "approve" and not gaps:
        because = "; ".join(judged.downgrades) or f"the model said {judged.verdict}"
        doubts.append(f"Its record says approve, but the rule does not: {because}.")
    return doubts


def _first(verdict: VerdictRecord) -> str:
    overruled = verdict.model_verdict != verdict.verdict
    text = (verdict.said if overruled else verdict.review.reason or verdict.said).strip() or "it gave no reason"
    return text if text.endswith((".", "!", "?")) else text + "."


def _opened(verdict: VerdictRecord) -> str:
    engine = f"{verdict.engine.model} ({verdict.engine.engine.capitalize()} {verdict.engine.version})"
    tasks = f", {verdict.tasks} of {verdict.tasks} {'task' if verdict.tasks == 1 else 'tasks'}" if verdict.tasks else ""
    return f"Approved in round {verdict.round} by {engine}{tasks}."


def _unjudged(change: Change, facts: Facts, standing: Standing | None, policy: Policy) -> Decision:
    """Closed, because nobody judged exactly this: say what was judged last and what came after it."""
    reasons = [f"{change.head[:12]} has no approval for {facts.target.name}."]
    next_step = "git cto review"
    latest = standing.latest if standing else None
    if standing and latest and isinstance(latest.body, VerdictRecord):
        body = latest.body
        said = "approved" if body.verdict == "approve" else f"said {body.verdict}: {_first(body)}"
        reasons.append(
            f"Round {body.round} {said}" if said.endswith((".", "!", "?")) else f"Round {body.round} {said}."
        )
        if facts.commits_since:
            commits = "1 commit" if facts.commits_since == 1 else f"{facts.commits_since} commits"
            reasons.append(f"{commits} came after it and nobody has judged {'it' if commits[:2] == '1 ' else 'them'}.")
        if _stopped(standing):
            next_step = "git cto continue --reason TEXT, then git cto review"
    if policy.gate.trust == "signed":
        reasons.append("Only signed records count here.")
    return Decision(False, tuple(reasons), next_step)
