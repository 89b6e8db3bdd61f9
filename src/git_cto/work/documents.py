"""The JSON documents that commands print with `--json`: an API. Their schemas are generated from here (docs/schemas).

Each document says which it is in `schema`. A plan and a review have the keys that Codex answered with at the top
level; everything git-cto adds stands beside them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType, field

from git_cto.ledger.records import kind_of
from git_cto.model import (
    CommandOutcome,
    ContinueRecord,
    Coverage,
    EngineUse,
    Finding,
    OverrideRecord,
    Plan,
    Ruling,
    Subject,
    Task,
    TaskReview,
    TaskStatus,
    Verdict,
    VerdictRecord,
    Verification,
)
from git_cto.redaction import writable
from git_cto.work.proof_documents import AuditDocument, ImportDocument, LandingDocument, ProofDocument
from git_cto.work.protecting import Protection

if TYPE_CHECKING:
    from collections.abc import Iterable

    from git_cto.ledger.sync import Synced
    from git_cto.model import Record, Target
    from git_cto.work.asking_again import Again
    from git_cto.work.executing import Finished, Started
    from git_cto.work.gating import Gated
    from git_cto.work.progress import Event, Taken
    from git_cto.work.replaying import Replayed
    from git_cto.work.runs import Run, TaskView
    from git_cto.work.verdicts import Reviewed


class PlanDocument(Struct, frozen=True, kw_only=True):
    """A plan that started a run (`git cto plan`)."""

    schema: Literal["git-cto/plan/v1"] = "git-cto/plan/v1"
    phase: Literal["plan"]
    objective: str
    analysis: str
    strategy: str
    tasks: tuple[Task, ...]
    verification: Verification
    run: str
    series: str
    target: str
    start: str
    trunk: str
    record: str
    engine: EngineUse
    artifact: str | None
    notes: tuple[str, ...]
    next: str


class DryRunDocument(Struct, frozen=True, kw_only=True):
    """What would be asked, and how (`plan --dry-run`, `review --dry-run`). Nothing was called."""

    schema: Literal["git-cto/dry-run/v1"] = "git-cto/dry-run/v1"
    argv: tuple[str, ...]
    model: str
    effort: str
    instructions: str
    prompt: str
    answer_schema: dict[str, Any]
    notes: tuple[str, ...]


class TaskDocument(Struct, frozen=True, kw_only=True):
    """One task and its state."""

    id: str
    action: str
    target: str
    description: str
    acceptance_criteria: tuple[str, ...]
    depends_on: tuple[str, ...]
    context: str
    state: Literal["waiting", "ready", "active", "done", "blocked", "failed", "fix"]
    branch: str
    waits_for: tuple[str, ...]
    feedback: str
    summary: str
    commit: str | None


class TasksDocument(Struct, frozen=True, kw_only=True):
    """The tasks of a run (`git cto tasks`), each after what it depends on."""

    schema: Literal["git-cto/tasks/v1"] = "git-cto/tasks/v1"
    run: str
    target: str
    trunk: str | None
    round: int
    escalated: bool
    tasks: tuple[TaskDocument, ...]
    next: str


class StartDocument(Struct, frozen=True, kw_only=True):
    """A task whose branch is checked out now (`git cto start`)."""

    schema: Literal["git-cto/start/v1"] = "git-cto/start/v1"
    run: str
    task: TaskDocument
    created: bool
    notes: tuple[str, ...]
    next: str


class FinishDocument(Struct, frozen=True, kw_only=True):
    """A task with its result (`git cto finish`)."""

    schema: Literal["git-cto/finish/v1"] = "git-cto/finish/v1"
    run: str
    task: str
    outcome: Literal["done", "blocked", "failed"]
    result: str
    merge: str
    notes: tuple[str, ...]
    next: str


class ReviewDocument(Struct, frozen=True, kw_only=True):
    """A verdict (`git cto review`). `standing` is true where it was given before and no model was asked."""

    schema: Literal["git-cto/review/v1"] = "git-cto/review/v1"
    phase: Literal["review"]
    verdict: Verdict
    summary: str
    task_reviews: tuple[TaskReview, ...]
    findings: tuple[Finding, ...]
    prior_findings: tuple[Ruling, ...]
    revised_tasks: tuple[Task, ...]
    reason: str
    injection_suspected: bool
    model_verdict: Verdict
    downgrades: tuple[str, ...]
    open_findings: tuple[Finding, ...]
    run: str | None
    series: str
    round: int
    rounds: int
    escalated: bool
    standing: bool
    change: str
    target: str
    head: str
    record: str
    coverage: Coverage
    commands: tuple[CommandOutcome, ...]
    engine: EngineUse
    artifact: str | None
    notes: tuple[str, ...]
    next: str


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


Ending = Literal["approved", "aborted", "escalated"]


class TakenDocument(Struct, frozen=True, kw_only=True):
    """What one phase of a run took: tokens, and US dollars as far as the agent says."""

    phase: Literal["plan", "task", "review"]
    task: str
    round: int
    agent: str
    tokens: int
    cost: float


class RunDocument(Struct, frozen=True, kw_only=True):
    """How a loop ended (`git cto run`), or where a run stands (`git cto status`)."""

    schema: Literal["git-cto/run/v1"] = "git-cto/run/v1"
    run: str
    ended: Ending | None
    reason: str
    verdict: Verdict | None
    rounds: int
    target: str
    trunk: str | None
    tasks: tuple[TaskDocument, ...]
    taken: tuple[TakenDocument, ...]
    tokens: int
    cost: float
    behind: int | None
    working: bool
    next: str


class EventDocument(Struct, frozen=True, kw_only=True):
    """One line of `git cto run --events`: one thing that happened. The last line is a `RunDocument`."""

    schema: Literal["git-cto/event/v1"] = "git-cto/event/v1"
    at: float
    kind: str
    task: str
    text: str
    outcome: str
    tokens: int
    cost: float
    round: int


class RecordDocument(Struct, frozen=True, kw_only=True):
    """One record of the ledger."""

    id: str
    kind: Literal["plan", "verdict", "override", "continue"]
    subject: Subject
    body: dict[str, Any]
    signers: tuple[str, ...]  # whose signatures were found good and are allowed by the target
    signatures: int
    doubt: str  # why none counts, where that was looked at


class LogDocument(Struct, frozen=True, kw_only=True):
    """Records, the newest first (`git cto log`, `git cto show`)."""

    schema: Literal["git-cto/log/v1"] = "git-cto/log/v1"
    records: tuple[RecordDocument, ...]


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
    next: str


class SignDocument(Struct, frozen=True, kw_only=True):
    """The records that were signed, and those that had this key's signature before (`git cto sign`)."""

    schema: Literal["git-cto/sign/v1"] = "git-cto/sign/v1"
    key: str
    signed: tuple[str, ...]
    signed_before: tuple[str, ...]
    notes: tuple[str, ...]
    next: str


class PartDocument(Struct, frozen=True):
    """One part of a question: as recorded, as found now (digests, or words), and why the two may differ."""

    name: str
    state: Literal["same", "different", "missing"]
    recorded: str
    found: str
    why: str


class TaskAgainDocument(Struct, frozen=True):
    """What two answers say of one task; null where one of them says nothing."""

    task_id: str
    recorded: TaskStatus | None
    now: TaskStatus | None


class AgainDocument(Struct, frozen=True, kw_only=True):
    """What the same model answered this time. `agrees`: on the verdict and on every task."""

    agrees: bool
    verdict: Verdict
    model_verdict: Verdict
    downgrades: tuple[str, ...]
    summary: str
    findings: tuple[Finding, ...]
    findings_recorded: int
    tasks: tuple[TaskAgainDocument, ...]
    engine: EngineUse


class ReplayDocument(Struct, frozen=True, kw_only=True):
    """A verdict's question put together again (`git cto replay`). `prompt` is null where it cannot be."""

    schema: Literal["git-cto/replay/v1"] = "git-cto/replay/v1"
    state: Literal["same", "different", "missing"]
    record: str
    head: str
    change: str
    target: str
    series: str
    round: int
    verdict: Verdict
    engine: EngineUse
    parts: tuple[PartDocument, ...]
    instructions: str | None
    prompt: str | None
    again: AgainDocument | None


class SyncDocument(Struct, frozen=True, kw_only=True):
    """What an exchange with a remote did (`git cto sync`), in records."""

    schema: Literal["git-cto/sync/v1"] = "git-cto/sync/v1"
    remote: str
    received: int
    sent: int


class CheckDocument(Struct, frozen=True, kw_only=True):
    """One thing that was checked."""

    name: str
    state: Literal["ok", "warning", "problem"]
    message: str
    hint: str


class DoctorDocument(Struct, frozen=True, kw_only=True):
    """What was checked of the set-up (`git cto doctor`)."""

    schema: Literal["git-cto/doctor/v1"] = "git-cto/doctor/v1"
    ok: bool
    checks: tuple[CheckDocument, ...]


class InitDocument(Struct, frozen=True, kw_only=True):
    """What was set up (`git cto init`). `github` is how the check is made required, with `--github`."""

    schema: Literal["git-cto/init/v1"] = "git-cto/init/v1"
    done: tuple[str, ...]
    next: str
    github: Protection | UnsetType = UNSET


class DemoDocument(Struct, frozen=True, kw_only=True):
    """How the demo ended (`git cto demo`)."""

    schema: Literal["git-cto/demo/v1"] = "git-cto/demo/v1"
    scripted: bool
    verdicts: tuple[Verdict, ...]
    allowed: bool
    repository: str | None


class ErrorBody(Struct, frozen=True, kw_only=True):
    """What failed, and what to type next."""

    code: str
    message: str
    hint: str


class ErrorDocument(Struct, frozen=True, kw_only=True):
    """A failure of any command."""

    schema: Literal["git-cto/error/v1"] = "git-cto/error/v1"
    error: ErrorBody
    exit_code: int = field(default=3)


DOCUMENTS: dict[str, type[Struct]] = {
    "plan": PlanDocument,
    "dry-run": DryRunDocument,
    "tasks": TasksDocument,
    "start": StartDocument,
    "finish": FinishDocument,
    "review": ReviewDocument,
    "gate": GateDocument,
    "run": RunDocument,
    "event": EventDocument,
    "log": LogDocument,
    "decision": DecisionDocument,
    "sign": SignDocument,
    "proof": ProofDocument,
    "audit": AuditDocument,
    "landing": LandingDocument,
    "import": ImportDocument,
    "replay": ReplayDocument,
    "sync": SyncDocument,
    "doctor": DoctorDocument,
    "init": InitDocument,
    "demo": DemoDocument,
    "error": ErrorDocument,
}


# ---- from values to documents --------------------------------------------------------------------------------------


def _fields(value: Struct) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__struct_fields__}


def plan_document(  # noqa: PLR0913, PLR0917 -- what a plan is made of
    record: Record,
    run: str,
    plan: Plan,
    target: Target,
    start: str,
    engine: EngineUse,
    artifact: str,
    notes: tuple[str, ...],
    next_step: str,
) -> PlanDocument:
    """The document of a new plan."""
    return PlanDocument(
        **_fields(plan),
        run=run,
        series=f"run/{run}",
        target=target.ref,
        start=start,
        trunk=f"cto/{run}/trunk",
        record=record.id,
        engine=engine,
        artifact=artifact or None,
        notes=notes,
        next=next_step,
    )


def task_document(view: TaskView) -> TaskDocument:
    """The document of one task."""
    return TaskDocument(
        **_fields(view.task),
        state=view.state,
        branch=view.branch,
        waits_for=view.waits_for,
        feedback=view.feedback,
        summary=view.result.summary if view.result else "",
        commit=view.result.commit if view.result else None,
    )


def tasks_document(run: Run, next_step: str) -> TasksDocument:
    """The document of a run's tasks."""
    return TasksDocument(
        run=run.id,
        target=run.target.ref,
        trunk=run.trunk,
        round=run.standing.round,
        escalated=run.standing.escalated,
        tasks=tuple(task_document(view) for view in run.tasks),
        next=next_step,
    )


def start_document(run: Run, started: Started, next_step: str) -> StartDocument:
    """The document of a started task."""
    return StartDocument(
        run=run.id, task=task_document(started.view), created=started.created, notes=started.notes, next=next_step
    )


def finish_document(run: Run, finished: Finished, next_step: str) -> FinishDocument:
    """The document of a finished task."""
    return FinishDocument(
        run=run.id,
        task=finished.task_id,
        outcome=finished.outcome,
        result=finished.result,
        merge=finished.merge,
        notes=finished.notes,
        next=next_step,
    )


def review_document(done: Reviewed, next_step: str) -> ReviewDocument:
    """The document of a verdict."""
    verdict, found = done.verdict, done.brief.survey
    answered = _fields(verdict.review) | {"verdict": verdict.verdict, "head": done.record.subject.head}
    return ReviewDocument(
        **answered,
        model_verdict=verdict.model_verdict,
        downgrades=verdict.downgrades,
        open_findings=verdict.open_findings,
        run=verdict.run or None,
        series=verdict.series,
        round=verdict.round,
        rounds=found.policy.rounds.max,
        escalated=done.after.escalated,
        standing=not done.asked,
        change=done.record.subject.change,
        target=verdict.target,
        record=done.record.id,
        coverage=verdict.coverage,
        commands=verdict.commands,
        engine=verdict.engine,
        artifact=done.artifact or None,
        notes=done.notes,
        next=next_step,
    )


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
                signatures=len(record.signatures),
                doubt=record.doubt,
            )
            for record in records
        )
    )


def replay_document(replayed: Replayed, again: Again | None) -> ReplayDocument:
    """The document of a replayed question, and of a second answer where one was asked for."""
    verdict, question = replayed.verdict, replayed.question
    return ReplayDocument(
        state=replayed.state,
        record=replayed.record.id,
        head=replayed.record.subject.head,
        change=replayed.record.subject.change,
        target=verdict.target,
        series=verdict.series,
        round=verdict.round,
        verdict=verdict.verdict,
        engine=verdict.engine,
        parts=tuple(PartDocument(one.name, one.state, one.recorded, one.found, one.why) for one in replayed.parts),
        instructions=question.question.instructions if question else None,
        prompt=question.question.prompt if question else None,
        again=_again_document(verdict, again) if again else None,
    )


def _again_document(verdict: VerdictRecord, again: Again) -> AgainDocument:
    return AgainDocument(
        agrees=again.agrees,
        verdict=again.verdict,
        model_verdict=again.review.verdict,
        downgrades=again.downgrades,
        summary=again.review.summary,
        findings=again.review.findings,
        findings_recorded=len(verdict.review.findings),
        tasks=tuple(TaskAgainDocument(task, before, now) for task, before, now in again.tasks),
        engine=again.engine,
    )


def sync_document(remote: str, synced: Synced) -> SyncDocument:
    """The document of an exchange."""
    return SyncDocument(remote=remote, received=synced.received, sent=synced.sent)


def decision_document(record: Record, next_step: str) -> DecisionDocument:
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
        next=next_step,
    )


def event_document(event: Event, at: float) -> EventDocument:
    """The document of an event, which happened `at` seconds after 1970."""
    return EventDocument(
        at=round(at, 3),
        kind=event.kind,
        task=event.task,
        text=event.text,
        outcome=event.outcome,
        tokens=event.tokens,
        cost=event.cost,
        round=event.round,
    )


def run_document(
    run: Run,
    taken: Iterable[Taken],
    next_step: str,
    *,
    ended: Ending | None = None,
    reason: str = "",
    behind: int | None = None,
    working: bool = False,
) -> RunDocument:
    """The document of a run: where it stands, and what it has taken."""
    rows = tuple(
        TakenDocument(
            phase=one.phase, task=one.task, round=one.round, agent=one.agent, tokens=one.tokens, cost=round(one.cost, 6)
        )
        for one in taken
    )
    latest = run.standing.latest.body if run.standing.latest else None
    return RunDocument(
        run=run.id,
        ended=ended,
        reason=reason,
        verdict=latest.verdict if isinstance(latest, VerdictRecord) else None,
        rounds=len(run.standing.verdicts),
        target=run.target.ref,
        trunk=run.trunk,
        tasks=tuple(task_document(view) for view in run.tasks),
        taken=rows,
        tokens=sum(row.tokens for row in rows),
        cost=round(sum(row.cost for row in rows), 6),  # 0.1 + 0.2 is not to be read as 0.30000000000000004
        behind=behind,
        working=working,
        next=next_step,
    )
