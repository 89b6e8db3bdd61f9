"""The gate: may this change be merged, and if not, why and what to do next. Pure; everything it knows is passed in.

Open only if a trusted approval (or a human's override) covers exactly this change for this target, no later refusal
stands, and nothing of the change lay outside the reviewer's sight under today's policy. Everything else is closed.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from git_cto.errors import typed
from git_cto.gate.digests import plan_digest
from git_cto.gate.refusals import lifted_aborts, standing_refusal
from git_cto.gate.rounds import in_order
from git_cto.gate.rule import coverage_gaps, judge, way_out
from git_cto.gate.trust import (
    UNSIGNED,
    admitted,
    by_another,
    people,
    same_hands,
    signing_authors,
    standing_approval,
    why_not_admitted,
)
from git_cto.model import NOBODY, OverrideRecord, Plan, PlanRecord, Record, VerdictRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from git_cto.gate.policy import Policy
    from git_cto.gate.rounds import Standing
    from git_cto.model import Change, Target

_OVERRULE = "git cto override --reason TEXT, or git cto review on its own branch"
_STOPPED = "git cto continue --reason TEXT, then fix it and git cto review"
_FIX = "fix it, then git cto review"
_AGAIN = "git cto review again, or git cto override --reason TEXT"
_ANOTHER = "git cto override --reason TEXT, by an allowed signer who neither wrote it nor signed its approval"


class Facts(Struct, frozen=True):
    """What was found out about a change besides its records."""

    target: Target
    conflicts: tuple[str, ...] = ()  # paths that conflict with the target
    commits_since: int | None = None  # commits after the last judged one, where that is an ancestor
    run: str = ""  # the run whose branch is asked about
    series: str = ""  # what its rounds are counted in
    authors: frozenset[str] = frozenset()  # e-mail addresses in its commits, in lower case
    executors: tuple[str, ...] = ()  # programs that its result commits name
    co_authors: tuple[str, ...] = ()  # `Name <address>`
    renamed: tuple[str, ...] = ()  # control paths that merging changes under names that the change does not know
    agreed: tuple[str, ...] = ()  # people who may, and who approved exactly this head elsewhere: none of its authors
    nobody: str = ""  # why no signature at all can count today, a sentence
    to_mend: str = ""  # what to do about that


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
    ordered = in_order(records)  # before any is left out: the order of a signed one may hang on an unsigned one
    asked = [record for record in ordered if covers(record, change, facts.target)]
    known = [one for record in ordered if (one := admitted(record, policy.gate, facts.authors))]
    covering = [record for record in known if covers(record, change, facts.target)]
    about = [record for record in covering if not _approved_elsewhere(record, facts)]
    if facts.conflicts:
        some = ", ".join(facts.conflicts[:3])
        return Decision(
            False,
            (f"It conflicts with {facts.target.name}: {some}.",),
            f"git merge {typed(facts.target.name)}, then git cto review",
        )
    if covering and not about:
        return Decision(False, (f"It was approved without the plan of the run {facts.run}.",), "git cto review")
    if not about:
        return _unjudged(change, facts, standing, policy, asked, _to_sign(change, facts, ordered, asked, policy))
    decision = _by_latest(change, about, known, ordered, standing, policy, facts)
    if decision.allowed and decision.by and isinstance(decision.by.body, VerdictRecord):
        lifted = lifted_aborts(in_order(known))
        refusal = standing_refusal(decision.by.body, about[:-1], lifted)
        against = _against(decision.by.body, refusal, facts, standing)
        since = about[about.index(refusal) :] if refusal else about  # what was said before it does not overrule it
        if any(isinstance(record.body, OverrideRecord) for record in since):
            against = ()
        if against:
            return Decision(False, against, _OVERRULE, plan=decision.plan)
    return _with_enough_people(decision, about, asked, policy, facts) if decision.allowed else decision


def _approved_elsewhere(record: Record, facts: Facts) -> bool:
    """Whether a record is an approval that says nothing of the run whose branch is asked about: of another plan."""
    return _of_another_run(record, facts.run)


def _of_another_run(record: Record, run: str) -> bool:
    body = record.body
    return bool(run) and isinstance(body, VerdictRecord) and body.verdict == "approve" and body.run != run


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


def covers(record: Record, change: Change, target: Target) -> bool:
    """Whether a record judges or overrides exactly this change for this target; whose word counts is not asked."""
    return (
        isinstance(record.body, VerdictRecord | OverrideRecord)
        and record.subject.change == change.id
        and record.subject.sha256 == change.sha256
        and record.body.target == target.ref
    )


def _by_latest(
    change: Change,
    about: Sequence[Record],
    known: Sequence[Record],
    ordered: Sequence[Record],
    standing: Standing | None,
    policy: Policy,
    facts: Facts,
) -> Decision:
    latest = about[-1]
    if isinstance(latest.body, OverrideRecord):
        return _overridden(change, about, latest, policy, facts)
    verdict = latest.body
    assert isinstance(verdict, VerdictRecord)  # noqa: S101 -- `_covers` lets nothing else through
    planned = plan_of(verdict, known)
    plan = planned.body.plan if planned and isinstance(planned.body, PlanRecord) else None
    if verdict.verdict != "approve":
        return Decision(
            False,
            (f"Round {verdict.round} said {verdict.verdict}: {_first(verdict)}",),
            _STOPPED if _stopped(standing) else way_out(verdict, policy) or _FIX,
            plan=plan,
        )
    unsigned = plan is None and plan_of(verdict, ordered) is not None
    doubts = unsound(change, verdict, plan, policy, unsigned_plan=unsigned)
    if doubts:
        lacking = len(doubts) == 1 and bool(verdict.digests.plan) and plan is None
        first = ("git cto sign, or " if unsigned else "git cto sync, or ") if lacking else ""
        return Decision(False, tuple(doubts), f"{first}{_AGAIN}", plan=plan)
    why = _without_another(change, about, latest, policy, facts)
    if why:
        signed = policy.gate.trust == "signed"
        return Decision(False, (why,), _ANOTHER if signed else "git cto override --reason TEXT", plan=plan)
    same = _same_hands(about, verdict, policy, facts)
    if same:
        return Decision(False, same, "git cto override --reason TEXT, by a human who has read it", plan=plan)
    return Decision(True, (_opened(latest, verdict),), by=latest, plan=plan)


def _overridden(change: Change, about: Sequence[Record], latest: Record, policy: Policy, facts: Facts) -> Decision:
    """Open by a human's word; where signatures count, who signed an approval of control paths cannot add that word."""
    body = latest.body
    assert isinstance(body, OverrideRecord)  # noqa: S101 -- what the caller found
    why = _without_another(change, about, standing_approval(about), policy, facts)
    if why:
        return Decision(False, (why,), _ANOTHER)
    who = ", ".join(people([latest])) if latest.signers else body.actor.name
    return Decision(True, (f"{who} overrode the gate for exactly this change: {body.reason}",), by=latest)


def _same_hands(about: Sequence[Record], verdict: VerdictRecord, policy: Policy, facts: Facts) -> tuple[str, ...]:
    """Why whoever wrote the change may have approved it, where the policy rules that out and no human overrode it."""
    if not policy.gate.executor_is_not_reviewer or any(isinstance(one.body, OverrideRecord) for one in about):
        return ()
    return same_hands(verdict, facts.executors, facts.co_authors)


def _without_another(
    change: Change, about: Sequence[Record], approval: Record | None, policy: Policy, facts: Facts
) -> str:
    """Why a change to control paths needs somebody else's word, "" where it has it or needs none.

    Where signatures count that is somebody who did not sign the approval.
    """
    if facts.agreed:
        return ""
    touched = control_paths(change, policy, facts.renamed)
    overrides = [record for record in about if isinstance(record.body, OverrideRecord)]
    if not touched or (overrides and (policy.gate.trust != "signed" or by_another(overrides, approval))):
        return ""
    some = ", ".join(touched[:3])
    if overrides:
        return f"It changes what the gate itself rests on ({some}), and who overrode it is who signed the approval."
    return f"It changes what the gate itself rests on ({some}): a human has to agree as well."


def control_paths(change: Change, policy: Policy, renamed: Iterable[str]) -> list[str]:
    """The control paths that a change touches, also those which merging it touches because they were `renamed`."""
    return [*(file.name for file in change.files if policy.gate.controls(file.text)), *renamed]


def _with_enough_people(
    decision: Decision, about: Sequence[Record], asked: Sequence[Record], policy: Policy, facts: Facts
) -> Decision:
    """The decision to open, unless more people have to stand behind it where signatures count.

    `asked` are the same records with all of their signers, also those whose word does not count.
    """
    gate = policy.gate
    if gate.trust != "signed" or gate.threshold == 1:
        return decision
    behind = people(_in_favour(about))
    if len(behind) >= gate.threshold:
        return _naming_all(decision, behind, gate.threshold)
    who = ", ".join(behind)
    wrote = signing_authors(_in_favour(asked), facts.authors) if gate.signer_is_not_author else []
    return Decision(
        False,
        (
            f"{len(behind)} of the {gate.threshold} signers that the policy asks for stand behind it: {who}.",
            *(f"{one} signed it and is an author of the change, so that does not count." for one in wrote[:3]),
        ),
        "git cto sign, by another allowed signer",
        plan=decision.plan,
    )


def _naming_all(decision: Decision, behind: Sequence[str], threshold: int) -> Decision:
    """The same, with everybody who stands behind it where the record that opened it names only some of them."""
    named = people([decision.by]) if decision.by else []
    if set(behind) <= set(named):
        return decision
    told = f"{', '.join(behind)} stand behind it; the policy asks for {threshold}."
    return replace(decision, reasons=(*decision.reasons, told))


def _in_favour(about: Sequence[Record]) -> list[Record]:
    """The overrides among the records about a change, and the approval that stands."""
    approval = standing_approval(about)
    overrides = [record for record in about if isinstance(record.body, OverrideRecord)]
    return [*overrides, *([approval] if approval else [])]


def _stopped(standing: Standing | None) -> bool:
    """Whether a human has to speak before anything is reviewed again."""
    return standing is not None and (standing.escalated or standing.aborted)


def plan_of(verdict: VerdictRecord, known: Iterable[Record]) -> Record | None:
    """The record of the plan whose digest the verdict names, where it is among those found."""
    for record in known:
        if isinstance(record.body, PlanRecord) and plan_digest(record.body.plan) == verdict.digests.plan:
            return record
    return None


def unsound(
    change: Change, verdict: VerdictRecord, plan: Plan | None, policy: Policy, *, unsigned_plan: bool = False
) -> list[str]:
    """Why an approval does not hold today: judged again from what it recorded, under the policy of today.

    `unsigned_plan` is whether its plan is known, and does not count because nobody signed it.
    """
    doubts = []
    allowed = policy.review.allowed_models
    if allowed is not None and verdict.engine.model not in allowed:
        doubts.append(f"It was approved by {verdict.engine.model}, which the policy does not allow.")
    if verdict.coverage.files != len(change.files):
        doubts.append("The approval's coverage does not fit the change.")
    if verdict.digests.plan and plan is None:
        there, nowhere = "among the signed records (git cto sign)", "in the ledger (git cto sync fetches it)"
        doubts.append(f"The plan that it was approved for is not {there if unsigned_plan else nowhere}.")
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


def _opened(record: Record, verdict: VerdictRecord) -> str:
    engine = f"{verdict.engine.model} ({verdict.engine.engine.capitalize()} {verdict.engine.version})"
    tasks = f", {verdict.tasks} of {verdict.tasks} {'task' if verdict.tasks == 1 else 'tasks'}" if verdict.tasks else ""
    signers = f", signed by {', '.join(people([record]))}" if record.signers else ""
    return f"Approved in round {verdict.round} by {engine}{tasks}{signers}."


def _unjudged(
    change: Change,
    facts: Facts,
    standing: Standing | None,
    policy: Policy,
    uncounted: Sequence[Record],
    to_sign: str,
) -> Decision:
    """Closed, because nobody judged exactly this: say what was judged last and what came after it.

    `uncounted` are the records about exactly this that do not count, `to_sign` is how one of them would.
    """
    reasons = [f"{change.head[:12]} has no approval for {facts.target.name}."]
    next_step = "git cto review"
    latest = standing.latest if standing else None
    if standing and latest and isinstance(latest.body, VerdictRecord) and latest.id not in {r.id for r in uncounted}:
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
        reasons.append(_why_uncounted(uncounted, facts))
        reasons += [facts.nobody] if uncounted and facts.nobody.rstrip(".") not in reasons[-1] else []
        reasons += _made_again(change, uncounted, facts)
        next_step = (uncounted and facts.to_mend) or to_sign or next_step
    return Decision(False, tuple(reasons), next_step)


def only_lacks_a_signer(
    change: Change, run: str, known: Iterable[Record], about: Sequence[Record], policy: Policy
) -> Record | None:
    """The approval among the records about a change (in order) that the rule accepts, whoever signed it.

    Once an allowed signer has signed it, it counts: asking for another one would only cost.
    """
    approval = standing_approval([one for one in about if not _of_another_run(one, run)])
    if approval is None or not isinstance(approval.body, VerdictRecord):
        return None
    record = plan_of(approval.body, known)
    plan = record.body.plan if record and isinstance(record.body, PlanRecord) else None
    return None if unsound(change, approval.body, plan, policy) else approval


def _to_sign(change: Change, facts: Facts, known: Sequence[Record], uncounted: Sequence[Record], policy: Policy) -> str:
    """How what does not count would, "" where signing does not help."""
    approval = only_lacks_a_signer(change, facts.run, known, uncounted, policy)
    latest = approval or (uncounted[-1] if uncounted else None)
    if latest is None or (approval is None and not isinstance(latest.body, OverrideRecord)):
        return ""
    if latest.signers and NOBODY in facts.authors:
        return "commit it with an address (git commit --amend --reset-author), then git cto review"
    if approval is None:  # one that a listed key has signed needs no --overrides
        latest = ([one for one in uncounted if isinstance(one.body, OverrideRecord) and one.signers] or [latest])[-1]
    wrote = any(signer.names & facts.authors for signer in latest.signers)
    who = "by an allowed signer who did not write it" if wrote else "by an allowed signer who vouches for it"
    if approval:
        return f"git cto sign, {who}"
    return f"git cto sign{'' if latest.signers else ' --overrides'}, {who}, or git cto review"


def _why_uncounted(uncounted: Sequence[Record], facts: Facts) -> str:
    """That only signed records count, how many there are that do not, and why: what was signed first, newest first."""
    if not uncounted:
        return "Only signed records count here, and there is none about exactly this change."
    whys = Counter(why_not_admitted(one, facts.authors) for one in reversed(uncounted))
    if len(uncounted) == 1:
        return f"Only signed records count here, and the one about exactly this change does not: {next(iter(whys))}."
    return (
        f"Only signed records count here, and of {len(uncounted)} about exactly this change none does: {_all_of(whys)}."
    )


def _made_again(change: Change, uncounted: Sequence[Record], facts: Facts) -> list[str]:
    """Where who signed is an author of commits that were made anew, by a squash or a rebase: that these need not be."""
    signed = [one for one in uncounted if signing_authors([one], facts.authors) and one.subject.head != change.head]
    if not signed:
        return []
    head = signed[-1].subject.head[:12]
    return [f"It was recorded on {head}: merged as it is (git merge --no-ff), that keeps its own authors."]


def _all_of(whys: Counter[str]) -> str:
    """Up to three reasons with their numbers, where there are several."""
    if len(whys) == 1:
        return next(iter(whys))
    unsigned = whys.pop(UNSIGNED, 0)
    told = [why if number == 1 else f"{why} ({number} of them)" for why, number in whys.items()]
    return "; ".join([*told[:3], *([f"{unsigned} {'is' if unsigned == 1 else 'are'} not signed"] if unsigned else [])])
