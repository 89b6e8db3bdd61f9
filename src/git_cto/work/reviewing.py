"""A review from question to record: what is shown, who is asked, what the rule makes of the answer, what is kept.

Nothing is recorded unless there is an answer that can be read; one code path leads to a verdict.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from git_cto.agents.base import Question
from git_cto.answers import AnswerError, check_plan, read_review, review_schema
from git_cto.errors import AbortedError, EscalatedError, InconclusiveError, PolicyError, UsageError
from git_cto.gate.digests import outcomes_digest, plan_digest, text_digest
from git_cto.gate.globs import matches
from git_cto.gate.policy import GUIDELINES, LARGEST_REQUEST
from git_cto.gate.rounds import in_order, standing
from git_cto.gate.rule import Judged, coverage_gaps, judge
from git_cto.gate.suspicion import suspicions
from git_cto.model import (
    CommandOutcome,
    Digests,
    Plan,
    PlanRecord,
    Record,
    Review,
    Subject,
    Suspicion,
    TaskResult,
    VerdictRecord,
)
from git_cto.prompts import instructions
from git_cto.redaction import redact_all, redacted, secret_values
from git_cto.render.words import counted
from git_cto.repo.change import conflicts, fetch_missing
from git_cto.repo.git import changed_paths
from git_cto.repo.patch import View, view
from git_cto.repo.runs import results
from git_cto.work.asking import Asked, Asker, ask
from git_cto.work.documents import review_document
from git_cto.work.keeping import answer_path, keep, record_fitted, reserve
from git_cto.work.planning import engine_use, first
from git_cto.work.questions import ReviewMatter, review_fence, review_prompt
from git_cto.work.runs import current_plan, feedback_of
from git_cto.work.workspace import now

if TYPE_CHECKING:
    from git_cto.gate.rounds import Standing
    from git_cto.work.surveying import Survey
    from git_cto.work.workspace import Workspace

DEFAULT_MODEL = "gpt-5.4"
DEFAULT_EFFORT = "high"
LARGEST_CLAIM = 20_000  # characters
LARGEST_SUSPICION = 50  # suspicions
LARGEST_GUIDELINE = 60_000


@dataclass(frozen=True, kw_only=True)
class Brief:
    """A change that is ready to be reviewed, except for the verification: who did what, under which plan."""

    survey: Survey
    plan: Plan | None
    results: tuple[TaskResult, ...]
    commands: tuple[str, ...]  # that verification would run
    claim: str
    dispute: str
    uncommitted: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ReviewQuestion:
    """A review question that is ready to be asked, and what its verdict will rest on."""

    brief: Brief
    question: Question
    view: View
    outcomes: tuple[CommandOutcome, ...]
    suspicions: tuple[Suspicion, ...]
    marker: str  # of the prompt's data


@dataclass(frozen=True, kw_only=True)
class Reviewed:
    """A verdict. `asked` is False where it stood already; `after` is where the series stands now."""

    record: Record
    verdict: VerdictRecord
    asked: bool
    after: Standing
    brief: Brief
    artifact: str = ""
    notes: tuple[str, ...] = ()


def prepare(workspace: Workspace, found: Survey, *, claim: str, dispute: str) -> Brief:
    """Refuses what cannot be reviewed, and gathers plan and results. Raises `UsageError`."""
    change, target = found.change, found.target
    uncommitted = tuple(changed_paths(workspace.git))
    if not change.files:
        hint = "git commit your work first" if uncommitted else "commit something, or name another --base"
        raise UsageError(f"{found.head.name} changes nothing compared with {target.name}.", hint, code="empty_change")
    fetch_missing(workspace.git, workspace.lens, change, target.commit)
    if change.base != target.commit:
        paths = conflicts(workspace.lens, target.commit, found.head.commit)
        if paths:
            raise UsageError(
                f"{found.head.name} conflicts with {target.name} in {', '.join(paths[:3])}.",
                f"git merge {target.name}, resolve it, then git cto review",
                code="conflict",
            )
    if len(claim) > LARGEST_CLAIM or len(dispute) > LARGEST_CLAIM:
        raise UsageError(f"That is too much text: {LARGEST_CLAIM:,} characters at most.", "be briefer")
    plan: Plan | None = None
    done: tuple[TaskResult, ...] = ()
    record = found.plan_record
    if record is not None and isinstance(record.body, PlanRecord):
        plan = current_plan(record.body.plan, found.standing)
        done = _results(workspace, found, record.body.start)
    elif found.run:
        raise UsageError(
            f"The ledger has no plan of the run {found.run!r}.", "git cto sync, if it was planned elsewhere"
        )
    commands = found.policy.verify.commands
    if commands is None:
        commands = plan.verification.commands if plan else ()
    if plan is None and found.policy.review.title_and_body:
        claim = f"{claim}\n\n{_messages(workspace, found)}"
    return Brief(
        survey=found,
        plan=plan,
        results=done,
        commands=commands,
        claim=claim.strip(),
        dispute=dispute.strip(),
        uncommitted=uncommitted,
    )


def _messages(workspace: Workspace, found: Survey) -> str:
    """What the commits of a change say of it: claims, sent only without a plan and where policy asks for them."""
    argv = ("log", "--reverse", "--format=%s%n%n%b", "--end-of-options", found.change.head, f"^{found.change.base}")
    said = workspace.lens.run(*argv).decode("utf-8", "replace").strip()
    return f"Commit messages of the change:\n{said[:LARGEST_CLAIM]}"


def _results(workspace: Workspace, found: Survey, start: str) -> tuple[TaskResult, ...]:
    by_task = results(workspace.lens, start, found.head.commit, found.run or "")
    hidden = secret_values(workspace.environ)
    return tuple(replace(one, summary=redacted(one.summary, hidden)[:2_000]) for one in by_task.values())


# ---- verdicts that stand already -----------------------------------------------------------------------------------


def standing_verdict(brief: Brief, outcomes: tuple[CommandOutcome, ...]) -> Reviewed | None:
    """The verdict that was given to exactly this question, if there is one; asking again would only roll dice.

    The question is the same while change, target, plan and observed outcomes are. Without verification nothing new
    was observed, so a verdict that had some stands. Raises `UsageError` for a dispute that is none, `AbortedError`
    and `EscalatedError` where a human has to speak first.
    """
    found = brief.survey
    same = _same_question(brief, outcomes)
    latest = same[-1] if same else None
    verdict = latest.body if latest else None
    if brief.dispute:
        _check_dispute(same)
    elif latest and isinstance(verdict, VerdictRecord):
        return Reviewed(record=latest, verdict=verdict, asked=False, after=found.standing, brief=brief)
    on = f"git cto continue {found.run} --reason TEXT" if found.run else "git cto continue --reason TEXT"
    if found.standing.aborted:
        raise AbortedError("The reviewer said abort, and nobody has said to go on.", on)
    if found.standing.escalated:
        raise EscalatedError(_why_escalated(found), f"{on}, then git cto review")
    return None


def _same_question(brief: Brief, outcomes: tuple[CommandOutcome, ...]) -> list[Record]:
    found = brief.survey
    plan = plan_digest(brief.plan)
    tasks = {(one.task_id, one.outcome) for one in brief.results}
    exits = [(one.command, one.exit_code) for one in outcomes]
    same = []
    for record in in_order(found.records):
        body = record.body
        if (
            isinstance(body, VerdictRecord)
            and record.subject.change == found.change.id
            and body.target == found.target.ref
            and body.digests.plan == plan
            and {(one.task_id, one.outcome) for one in body.results} == tasks
            and (not exits or [(one.command, one.exit_code) for one in body.commands] == exits)
            and _still_holds(body, brief)
        ):
            same.append(record)
    return same


def _still_holds(body: VerdictRecord, brief: Brief) -> bool:
    """Refusals stick; an approval does so only while today's policy would take it."""
    if body.verdict != "approve":
        return True
    allowed = brief.survey.policy.review.allowed_models
    return (allowed is None or body.engine.model in allowed) and _rule_again(body, brief).verdict == "approve"


def _rule_again(body: VerdictRecord, brief: Brief) -> Judged:
    policy = brief.survey.policy
    return judge(
        body.review,
        plan=brief.plan,
        prior=body.carried,
        coverage=body.coverage,
        commands=body.commands,
        suspicions=body.suspicions,
        policy=policy,
    )


def _check_dispute(same: list[Record]) -> None:
    bodies = [record.body for record in same if isinstance(record.body, VerdictRecord)]
    if not bodies or bodies[-1].verdict == "approve":
        raise UsageError("There is no refusal of exactly this change to dispute.", "git cto review")
    if any(body.dispute for body in bodies):
        raise UsageError(
            "This verdict was disputed already, and once is what there is.",
            "change something, or git cto override --reason TEXT",
        )


def _why_escalated(found: Survey) -> str:
    rounds = found.policy.rounds
    if found.standing.revises >= rounds.escalate_after:
        return f"{found.standing.revises} times in a row the verdict was revise: a human has to look."
    return f"{found.standing.round - 1} rounds without an approval: a human has to look."


# ---- asking --------------------------------------------------------------------------------------------------------


def compose(
    workspace: Workspace,
    brief: Brief,
    outcomes: tuple[CommandOutcome, ...],
    *,
    model: str | None,
    effort: str | None,
    asker: Asker,
) -> ReviewQuestion:
    """The question for a change, with what the reviewer is shown. Raises `PolicyError` and `InconclusiveError`."""
    found = brief.survey
    policy, said = found.policy, workspace.settings
    chosen = first(
        model, said.text("cto.review.model"), policy.review.model, asker.engine.default_model(), DEFAULT_MODEL
    )
    allowed = policy.review.allowed_models
    if allowed is not None and chosen not in allowed:
        raise PolicyError(
            f"The policy of {found.target.name} does not allow the model {chosen}.", f"--model {' or '.join(allowed)}"
        )
    shown = view(
        workspace.lens,
        found.change,
        max_bytes=policy.coverage.max_bytes,
        summarise=lambda path: matches(path, policy.coverage.summarised),
        may_be_unseen=lambda path: matches(path, policy.coverage.listed_ok),
    )
    _refuse_too_large(shown)
    odd = [one for file in shown.files if file.patch for one in suspicions(file.file.name, file.patch)]
    # What bars an approval comes first, so that harmless oddities cannot push it out of what is kept.
    odd.sort(key=lambda one: (matches(one.path, policy.review.suspicious_ok), not one.bars))
    odd = odd[:LARGEST_SUSPICION]
    guidelines = _guidelines(workspace, found)
    matter = ReviewMatter(
        head=found.change.head,
        target=found.target,
        round=found.standing.round,
        plan=brief.plan,
        guidelines=guidelines,
        prior=found.standing.open_findings,
        view=shown,
        results=brief.results,
        claim=brief.claim,
        commands=outcomes,
        planned_commands=brief.commands,
        suspicions=[one for one in odd if not matches(one.path, policy.review.suspicious_ok)],
        dispute=brief.dispute,
    )
    fence = review_fence(matter)
    prompt = review_prompt(matter, fence)
    if len(prompt) > LARGEST_REQUEST:
        raise InconclusiveError(
            f"The question has {len(prompt):,} characters, and Codex takes {LARGEST_REQUEST:,}.",
            "split the change, or lower [coverage] max_bytes",
            code="too_large",
        )
    question = Question(
        phase="review",
        instructions=instructions("reviewer"),
        prompt=prompt,
        schema=review_schema(),
        model=chosen,
        effort=first(effort, said.text("cto.review.effort"), policy.review.effort, DEFAULT_EFFORT),
    )
    return ReviewQuestion(
        brief=brief,
        question=question,
        view=shown,
        outcomes=outcomes,
        suspicions=tuple(odd),
        marker=fence.marker,
    )


def _guidelines(workspace: Workspace, found: Survey) -> dict[str, str]:
    paths = (*GUIDELINES, *found.policy.review.context)
    texts = {path: workspace.text_at(found.target.commit, path) for path in paths}
    return {path: _cut(text) for path, text in texts.items() if text}


def _cut(text: str) -> str:
    if len(text) <= LARGEST_GUIDELINE:
        return text
    return text[:LARGEST_GUIDELINE] + f"\n[cut by git-cto after {LARGEST_GUIDELINE:,} characters]\n"


def _refuse_too_large(shown: View) -> None:
    """No model is asked about a change of which it would see the lesser part."""
    if shown.coverage.omitted > shown.coverage.files - shown.coverage.omitted:
        raise InconclusiveError(
            f"{shown.coverage.omitted} of {counted(shown.coverage.files, 'file')} would not fit into one review.",
            "split the change, or list generated files under [coverage] summarised in .cto/config.toml",
            code="too_large",
        )


def review(workspace: Workspace, prepared: ReviewQuestion, asker: Asker) -> Reviewed:
    """Asks, judges, records. Raises `EngineError` where there is no usable answer: then nothing is recorded."""
    brief = prepared.brief
    found = brief.survey
    slot, notes = reserve(workspace, found.series.slug, "review")
    asked = ask(asker, prepared.question, _reader(brief), slot)
    clean = redact_all(msgspec.to_builtins(asked.value), secret_values(workspace.environ))
    given = _numbered(msgspec.convert(clean, Review), len(found.standing.verdicts) + 1)
    judged = judge(
        given,
        plan=brief.plan,
        prior=found.standing.open_findings,
        coverage=prepared.view.coverage,
        commands=prepared.outcomes,
        suspicions=prepared.suspicions,
        policy=found.policy,
    )
    body = _verdict(workspace, prepared, asked, given, judged)
    change = found.change
    subject = Subject(head=change.head, tree=change.tree, change=change.id, sha256=change.sha256)
    record = record_fitted(workspace, subject, body, change.raw)
    verdict = record.body
    assert isinstance(verdict, VerdictRecord)  # noqa: S101 -- what was just recorded
    if given.revised_tasks:
        _amend_plan(workspace, brief, given)
    after = standing([*found.records, record], found.series, found.policy.rounds)
    done = Reviewed(
        record=record,
        verdict=verdict,
        asked=True,
        after=after,
        brief=brief,
        artifact=answer_path(slot),
        notes=notes,
    )
    keep(slot, review_document(done, next_step(done)))
    return done


def _reader(brief: Brief) -> Callable[[str], Review]:
    """Reads an answer to this question: of this head, about this plan's tasks, with a plan that still works."""
    tasks = frozenset(task.id for task in brief.plan.tasks) if brief.plan else frozenset[str]()

    def read(text: str) -> Review:
        answer = read_review(text, head=brief.survey.change.head, task_ids=tasks)
        if answer.revised_tasks:
            if brief.plan is None:
                raise AnswerError("there is no plan, so revised_tasks must be empty")
            check_plan(brief.plan.amended(answer.revised_tasks))
        return answer

    return read


def _numbered(review: Review, number: int) -> Review:
    """The review with finding ids that are unique in the series: `<verdict>.<finding>`."""
    found = tuple(replace(one, id=f"{number}.{place}") for place, one in enumerate(review.findings, start=1))
    return replace(review, findings=found)


def _verdict(
    workspace: Workspace, prepared: ReviewQuestion, asked: Asked[Review], given: Review, judged: Judged
) -> VerdictRecord:
    brief = prepared.brief
    found = brief.survey
    return VerdictRecord(
        verdict=judged.verdict,
        model_verdict=given.verdict,
        downgrades=judged.downgrades,
        series=found.series.name,
        round=found.standing.round,
        run=found.run or "",
        target=found.target.ref,
        target_commit=found.target.commit,
        merge_base=found.change.base,
        coverage=prepared.view.coverage,
        digests=Digests(
            plan=plan_digest(brief.plan),
            outcomes=outcomes_digest(brief.results, prepared.outcomes),
            policy=found.policy.digest,
            prompt=text_digest(prepared.question.prompt),
            schema=text_digest(msgspec.json.encode(prepared.question.schema, order="deterministic").decode()),
            answer=text_digest(asked.text),
        ),
        engine=engine_use(asked, prepared.question),
        actor=workspace.actor(),
        time=now(),
        review=given,
        carried=judged.carried,
        results=brief.results,
        commands=prepared.outcomes,
        suspicions=prepared.suspicions,
        control_paths=tuple(file.name for file in found.change.files if found.policy.gate.controls(file.text))[:50],
        tasks=len(brief.plan.tasks) if brief.plan else 0,
        marker=prepared.marker,
        dispute=redacted(brief.dispute, secret_values(workspace.environ)),
        supersedes=found.standing.supersedes,
    )


def _amend_plan(workspace: Workspace, brief: Brief, given: Review) -> None:
    """Records the revised plan, which supersedes the one that was asked about."""
    old = brief.survey.plan_record
    if old is None or not isinstance(old.body, PlanRecord) or brief.plan is None:
        return
    body = replace(
        old.body,
        plan=brief.plan.amended(given.revised_tasks),
        actor=workspace.actor(),
        time=now(),
        supersedes=old.id,
    )
    workspace.ledger.add(old.subject, body, series=body.series)


# ---- what comes next -------------------------------------------------------------------------------------------------


def next_step(done: Reviewed) -> str:
    """What to type after this verdict."""
    found = done.brief.survey
    run = f" {found.run}" if found.run else ""
    if done.verdict.verdict == "approve":
        touched = ", ".join(done.verdict.control_paths[:2])
        return f"git cto override --reason TEXT (it changes {touched})" if touched else "git cto gate"
    if done.after.escalated or done.after.aborted:
        return f"git cto continue{run} --reason TEXT, or git cto override --reason TEXT"
    unseen = _unseen(done)
    if unseen:
        return unseen
    if done.brief.plan is not None:
        plan = current_plan(done.brief.plan, done.after)
        first_to_fix = next(iter(feedback_of(plan, done.after)))
        return f"git cto start {first_to_fix}, fix it, git cto finish -m SUMMARY, then git cto review"
    return f"fix it on {found.head.name}, commit, then git cto review"


def _unseen(done: Reviewed) -> str:
    """What to type where the reviewer would approve and only what it could not see, or was told, stands in the way."""
    verdict, policy = done.verdict, done.brief.survey.policy
    gaps = coverage_gaps(verdict.coverage, policy)
    odd = [one for one in verdict.suspicions if one.bars]
    if verdict.model_verdict != "approve" or len(gaps) + len(odd) < len(verdict.downgrades):
        return ""
    key = "[review] suspicious_ok" if odd else "[coverage] listed_ok"
    return f"look at it yourself, then git cto override --reason TEXT (or {key} in the policy)"
