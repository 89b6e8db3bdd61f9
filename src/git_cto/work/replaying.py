"""The question of a recorded verdict, put together again from objects and ledger, and compared digest by digest.

What a record names (commits, digests, the marker, outcomes, what was said) and what the ledger has before it is all
that is used: no artifact, no setting of today. Whether the answer was right is nobody's claim here.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from msgspec.structs import replace

from git_cto import __version__
from git_cto.errors import CtoError
from git_cto.gate.digests import outcomes_digest, plan_digest, text_digest
from git_cto.gate.policy import LARGEST_REQUEST, GatePolicy, Policy
from git_cto.gate.rounds import Standing, in_order, standing
from git_cto.gate.trust import for_rounds
from git_cto.model import Change, CommandOutcome, Plan, PlanRecord, Record, Series, Target, VerdictRecord
from git_cto.repo.change import fetch_missing, identify
from git_cto.repo.resolve import Head
from git_cto.work.briefing import Brief, commands_for, messages
from git_cto.work.composing import Gathered, ReviewQuestion, gather, rests_on, worded
from git_cto.work.questions import Fence, is_marker, review_prompt
from git_cto.work.surveying import Survey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from git_cto.work.workspace import Workspace

State = Literal["same", "different", "missing"]


@dataclass(frozen=True)
class Part:
    """One part of a question: as it was recorded, as it was found now, and why the two may differ."""

    name: str
    state: State
    recorded: str
    found: str
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """A verdict's question, compared part by part; `question` is None where it cannot be put together."""

    record: Record
    verdict: VerdictRecord
    parts: tuple[Part, ...]
    question: ReviewQuestion | None

    @property
    def state(self) -> State:
        """Whether it is the very same question, another one, or whether that cannot be said."""
        states = {part.state for part in self.parts}
        return "different" if "different" in states else "missing" if "missing" in states else "same"


@dataclass(frozen=True)
class _Past:
    """Records that may have been known when the question was asked, and where its series stood by them."""

    records: list[Record]
    standing: Standing

    @property
    def words(self) -> str:
        return _place(self.standing.round, self.standing.supersedes)


def replay(workspace: Workspace, record: Record) -> Replayed:
    """Puts the question of a verdict together again, as far as that goes, and compares every digest."""
    body = record.body
    assert isinstance(body, VerdictRecord)  # noqa: S101 -- what `find_verdict` returns
    known = in_order(_related(workspace, record, body))
    change, of_change = _change(workspace, record, body)
    policy, of_policy = _policy(workspace, body)
    plan, of_plan = _plan(known, body)
    pasts, of_past = _before(workspace, known, record, policy)
    outcomes = outcomes_digest(body.results, body.commands)
    of_outcomes = _compared(body, "outcomes", body.digests.outcomes, outcomes, "they were changed")
    parts = [of_change, of_policy, of_plan, of_past, of_outcomes]
    question: ReviewQuestion | None = None
    if change is not None and policy is not None and of_plan.state == "same":
        try:
            gathered = gather(workspace, _brief(workspace, body, change, policy, plan, pasts[0]), body.commands)
            question = _question(body, _variants(gathered, body, pasts))
            parts.append(_view(body, gathered))
        except CtoError as error:
            parts.append(Part("view", "missing", body.coverage.digest, "", error.message))
    parts += _words(workspace, body, question, parts)
    return Replayed(record=record, verdict=body, parts=tuple(parts), question=question)


# ---- part by part ----------------------------------------------------------------------------------------------------


def _change(workspace: Workspace, record: Record, body: VerdictRecord) -> tuple[Change | None, Part]:
    subject = record.subject
    try:
        found = identify(workspace.lens, body.merge_base, subject.head)
        fetch_missing(workspace.git, workspace.lens, found, body.target_commit)
    except CtoError as error:
        return None, Part("change", "missing", subject.change, "", error.message)
    same = (found.id, found.sha256, found.tree) == (subject.change, subject.sha256, subject.tree)
    why = "" if same else "what the record says it is about is not what these commits change"
    return found, Part("change", "same" if same else "different", subject.change, found.id, why)


def _policy(workspace: Workspace, body: VerdictRecord) -> tuple[Policy | None, Part]:
    """The policy of that time, with the budget that whoever asked had."""
    try:
        found = workspace.committed_policy(_target(body))
    except CtoError as error:
        return None, Part("policy", "missing", body.digests.policy, "", error.message)
    why = f"another policy is at {body.target_commit[:7]}"
    part = _compared(body, "policy", body.digests.policy, found.digest, why)
    budget = body.coverage.budget if 0 < body.coverage.budget <= LARGEST_REQUEST else found.coverage.max_bytes
    return replace(found, coverage=replace(found.coverage, max_bytes=budget)), part


def _plan(known: Sequence[Record], body: VerdictRecord) -> tuple[Plan | None, Part]:
    wanted = body.digests.plan
    found = next((plan for plan in _plans(known) if plan_digest(plan) == wanted), None)
    if wanted and found is None:
        why = "no plan with this digest is in the ledger; git cto sync may bring it"
        return None, Part("plan", "missing", wanted, "", why)
    return found, Part("plan", "same", wanted, wanted)


def _before(
    workspace: Workspace, known: list[Record], record: Record, policy: Policy | None
) -> tuple[list[_Past], Part]:
    """What may have been known when it was asked, the likeliest first."""
    body = record.body
    assert isinstance(body, VerdictRecord)  # noqa: S101 -- what `find_verdict` returns
    series = Series(name=body.series, target=body.target)
    some = [*_earlier(known, record)]
    if policy is not None:
        some += [counted for one in some if len(counted := _counted(workspace, body, one)) < len(one)]
    rounds = (policy or Policy()).rounds
    pasts = [_Past(one, standing(one, series, rounds)) for one in some]
    recorded = _place(body.round, body.supersedes)
    pasts.sort(key=lambda past: past.words != recorded)
    if body.supersedes and not any(one.id == body.supersedes for one in known):
        why = "the record before it is not in the ledger; git cto sync may bring it"
        return pasts, Part("earlier", "missing", recorded, pasts[0].words, why)
    return pasts, _compared(body, "earlier", recorded, pasts[0].words, "other records stand before it now")


def _counted(workspace: Workspace, body: VerdictRecord, records: list[Record]) -> list[Record]:
    """Those of the records that rounds went by, if only signed ones counted for whoever asked."""
    at = dt.datetime.fromisoformat(body.time)
    return for_rounds(workspace.trusting(records, _target(body), at=at), GatePolicy(trust="signed"))


def _place(number: int, supersedes: str) -> str:
    return f"round {number}, after {supersedes[:12] or 'nothing'}"


def _view(body: VerdictRecord, gathered: Gathered) -> Part:
    """What was shown of each file, and what looked suspicious in it."""
    recorded, found = body.coverage, gathered.view.coverage
    odd = gathered.odd[: len(body.suspicions)] if body.shortened else gathered.odd
    if (replace(recorded, budget=found.budget), body.suspicions) == (found, odd):
        return Part("view", "same", recorded.digest, found.digest)
    why = _otherwise(body, "other files would be shown, or other texts look suspicious")
    if not recorded.budget:
        why = "the record does not say how many bytes could be shown"
    return Part("view", "different", recorded.digest, found.digest, why)


def _words(
    workspace: Workspace, body: VerdictRecord, question: ReviewQuestion | None, parts: Sequence[Part]
) -> Iterator[Part]:
    """Instructions, schema and prompt: what reached the engine, word by word."""
    recorded = body.digests
    if question is None and not any(part.state == "missing" for part in parts):
        yield Part(
            "prompt", "different", recorded.prompt, "", "the marker that fenced its data is none, or known to it"
        )
        return
    if question is None:
        absent = ", ".join(part.name for part in parts if part.state == "missing")
        yield Part("prompt", "missing", recorded.prompt, "", f"it cannot be put together without: {absent}")
        return
    found = rests_on(workspace, question)
    yield _compared(body, "instructions", recorded.instructions, found.instructions, "they were changed")
    yield _compared(body, "schema", recorded.schema, found.schema, "it was changed")
    yield _prompt(body, found.prompt, parts)


def _prompt(body: VerdictRecord, found: str, parts: Sequence[Part]) -> Part:
    """The prompt, compared. Where nothing but what is missing may have made it another one, that cannot be said."""
    states = {part.state for part in parts}
    others = ", ".join(part.name for part in parts if part.state != "same")
    why = f"it follows from: {others}" if others else "it held something that the record does not"
    compared = _compared(body, "prompt", body.digests.prompt, found, why)
    if compared.state == "different" and "missing" in states and "different" not in states:
        return dataclasses.replace(compared, state="missing", why=f"it may follow from: {others}")
    return compared


def _compared(body: VerdictRecord, name: str, recorded: str, found: str, why: str) -> Part:
    if not recorded:
        return Part(name, "missing", "", found, "the record does not say")
    if recorded == found:
        return Part(name, "same", recorded, found)
    return Part(name, "different", recorded, found, _otherwise(body, why))


def _otherwise(body: VerdictRecord, why: str) -> str:
    """Why a digest is another one: the program or the record's limits, where these can be it."""
    ours = f"git-cto {__version__}"
    if body.actor.tool != ours:
        return (
            f"it was asked by {body.actor.tool or 'another program'}, and this is {ours}: versions word it differently"
        )
    return "texts of the record were cut, since it would have been too long" if body.shortened else why


# ---- put together ----------------------------------------------------------------------------------------------------


def _target(body: VerdictRecord) -> Target:
    return Target(ref=body.target, commit=body.target_commit, found_at=body.target)


def _brief(
    workspace: Workspace, body: VerdictRecord, change: Change, policy: Policy, plan: Plan | None, past: _Past
) -> Brief:
    survey = Survey(
        head=Head(change.head, None),
        target=_target(body),
        policy=policy,
        change=change,
        run=body.run or None,
        series=Series(name=body.series, target=body.target),
        records=tuple(past.records),
        standing=past.standing,
    )
    return Brief(
        survey=survey,
        plan=plan,
        results=body.results,
        commands=commands_for(policy, plan),
        claim=body.claim,
        dispute=body.dispute,
        uncommitted=(),
        messages=messages(workspace, survey) if plan is None else "",
    )


def _question(body: VerdictRecord, choices: Iterator[Gathered]) -> ReviewQuestion | None:
    """The question with the recorded digest, where there is one, else the likeliest.

    None where the data could end its own fence: so nobody asked, but whoever forges a record may want it asked.
    """
    engine = body.engine
    likeliest: ReviewQuestion | None = None
    for one in choices:
        if not is_marker(body.marker) or body.marker in review_prompt(one.matter, Fence("")):
            return None
        question = worded(one, Fence(body.marker), model=engine.model, effort=engine.effort)
        if text_digest(question.question.prompt) == body.digests.prompt:
            return question
        likeliest = likeliest or question
    return likeliest


def _variants(gathered: Gathered, body: VerdictRecord, pasts: Sequence[_Past]) -> Iterator[Gathered]:
    """What a record leaves open: which records were known, and whether a failure was seen then or an earlier time."""
    for past in pasts:
        survey = replace(gathered.brief.survey, records=tuple(past.records), standing=past.standing)
        seen_before = body.commands and any(_observed(one) == body.commands for one in past.records)
        for outcomes in (body.commands, ()) if seen_before else (body.commands,):
            yield dataclasses.replace(
                gathered,
                brief=dataclasses.replace(gathered.brief, survey=survey),
                matter=dataclasses.replace(
                    gathered.matter, round=body.round, prior=past.standing.open_findings, commands=outcomes
                ),
            )


def _observed(record: Record) -> tuple[CommandOutcome, ...]:
    return record.body.commands if isinstance(record.body, VerdictRecord) else ()


def _related(workspace: Workspace, record: Record, body: VerdictRecord) -> list[Record]:
    """The records that the question may have been made from."""
    find: Callable[..., list[Record]] = workspace.ledger.find
    found = find(head=record.subject.head, change=record.subject.change, series=body.series, objects=workspace.objects)
    if body.run and body.series != f"run/{body.run}":
        found += find(series=f"run/{body.run}", objects=workspace.objects)
    return list({one.id: one for one in (*found, record)}.values())


def _plans(known: Sequence[Record]) -> Iterator[Plan]:
    """Every plan that may have been asked about: as recorded, and as a verdict's revised tasks left it."""
    plans = [one.body.plan for one in known if isinstance(one.body, PlanRecord)]
    yield from plans
    for one in known:
        if isinstance(one.body, VerdictRecord) and one.body.review.revised_tasks:
            yield from (plan.amended(one.body.review.revised_tasks) for plan in plans)


def _earlier(known: list[Record], record: Record) -> Iterator[list[Record]]:
    """What was there before a record: all that stands before it, or only what it is known to follow.

    They differ where records were made in several places at once and brought together afterwards.
    """
    yield known[: [one.id for one in known].index(record.id)]
    by_id = {one.id: one for one in known}
    chain: list[Record] = []
    at = by_id.get(record.body.supersedes)
    while at is not None and at not in chain:
        chain.append(at)
        at = by_id.get(at.body.supersedes)
    yield chain
