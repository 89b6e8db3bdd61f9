"""From an objective to a run: the plan is asked for and checked, recorded, and trunk is made."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from git_cto.agents.base import Question
from git_cto.answers import plan_schema, read_plan
from git_cto.errors import UsageError
from git_cto.gate.policy import GUIDELINES
from git_cto.model import EngineUse, Plan, PlanRecord, Record, Subject, Target
from git_cto.prompts import instructions
from git_cto.redaction import redact_answer, redacted, secret_values
from git_cto.render.words import target_words, uncommitted_words
from git_cto.repo.git import changed_paths
from git_cto.repo.runs import runs, trunk_ref
from git_cto.work.asking import Asked, Asker, ask
from git_cto.work.documents.plans import plan_document
from git_cto.work.keeping import answer_path, keep, reserve
from git_cto.work.questions import plan_prompt
from git_cto.work.workspace import now, run_series

if TYPE_CHECKING:
    from git_cto.work.workspace import Workspace

T = TypeVar("T")

DEFAULT_MODEL = "gpt-5.4-pro"
DEFAULT_EFFORT = "high"
LARGEST_OBJECTIVE = 20_000  # characters
_DULL = frozenset(
    (
        *("a", "an", "the", "to", "of", "for", "in", "on", "at", "with", "and", "or", "that", "this", "it", "we"),
        *("add", "make", "create", "implement", "please", "new"),
    )
)


@dataclass(frozen=True)
class PlanQuestion:
    """A plan question that is ready to be asked. `start` is where trunk will begin, `notes` are for the user."""

    question: Question
    objective: str
    target: Target
    base: str  # what the user named
    start: str
    started_at: str  # in words: where `start` is
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Planned:
    """A plan that started a run."""

    run: str
    record: Record
    plan: Plan
    engine: EngineUse
    artifact: str  # path, "" where none could be written
    notes: tuple[str, ...]
    next_step: str


def prepare(
    workspace: Workspace, objective: str, *, base: str | None, model: str | None, effort: str | None, asker: Asker
) -> PlanQuestion:
    """Everything that can fail before a model is asked. Raises `UsageError`."""
    objective = objective.strip()
    if not objective:
        raise UsageError("The objective is empty.", 'say what should be reached, e.g. "Add a health check at /health"')
    if len(objective) > LARGEST_OBJECTIVE:
        raise UsageError(
            f"The objective has {len(objective):,} characters; {LARGEST_OBJECTIVE:,} at most.", "shorten it"
        )
    objective = redacted(objective, secret_values(workspace.environ))  # what is sent, kept and named after it is clean
    worktree, head = require_place(workspace)
    target = workspace.target(base)
    policy = workspace.policy(target)
    start, started_at = _start(workspace, head, target)
    guidelines = {path: text for path in GUIDELINES if (text := workspace.text_at(target.commit, path))}
    said = workspace.settings
    question = Question(
        instructions=instructions("planner"),
        prompt=plan_prompt(objective, target=target, guidelines=guidelines),
        schema=plan_schema(),
        model=first(model, said.text("cto.plan.model"), policy.plan.model, asker.engine.default_model(), DEFAULT_MODEL),
        effort=first(effort, said.text("cto.plan.effort"), policy.plan.effort, DEFAULT_EFFORT),
        directory=Path(worktree),
    )
    notes = (*target_words(target), *_notes(workspace, start, head))
    return PlanQuestion(question, objective, target, base or "", start, started_at, notes)


def require_place(workspace: Workspace) -> tuple[str, str]:
    """The worktree to be read and the commit that is checked out. Raises `UsageError` where nothing can be planned."""
    if workspace.place.worktree is None:
        raise UsageError("This repository is bare: there is nothing to read.", "git clone it, and plan there")
    _check_branches(workspace)
    head = workspace.git.commit_of("HEAD")
    if head is None:
        raise UsageError("There is no commit here yet: a run starts from one.", "git add -A && git commit")
    return workspace.place.worktree, head


def plan(workspace: Workspace, prepared: PlanQuestion, asker: Asker) -> Planned:
    """Asks for the plan, records it and makes trunk. Nothing is recorded unless the plan can be carried out."""
    run = new_run_id(prepared.objective)
    slot, notes = reserve(workspace, run, "plan")
    asked = ask(asker, prepared.question, read_plan, slot)
    made = msgspec.convert(redact_answer(msgspec.to_builtins(asked.value), secret_values(workspace.environ)), Plan)
    engine = engine_use(asked, prepared.question)
    body = PlanRecord(
        run=run,
        series=run_series(run, prepared.target.ref).name,
        target=prepared.target.ref,
        target_commit=prepared.target.commit,
        start=prepared.start,
        plan=made,
        engine=engine,
        actor=workspace.actor(),
        time=now(),
        base=prepared.base,
    )
    _check_branches(workspace)
    record = workspace.record(Subject(head=prepared.start), body, series=body.series)
    workspace.git.run("update-ref", "-m", "git cto plan", trunk_ref(run), prepared.start, workspace.place.zero)
    noted = (*prepared.notes, *notes)
    which = f" --run {run}" if len(runs(workspace.git)) > 1 else ""
    step = f"git cto start {made.in_order()[0].id}{which}"
    planned = Planned(run, record, made, engine, answer_path(slot), noted, step)
    keep(slot, plan_document(prepared, planned))
    return planned


def engine_use(asked: Asked[T], question: Question) -> EngineUse:
    """What a record says of the engine that answered."""
    return EngineUse(
        engine=asked.answer.engine,
        version=asked.answer.version,
        model=asked.answer.model,
        effort=question.effort,
        input_tokens=asked.input_tokens,
        cached_tokens=asked.cached_tokens,
        output_tokens=asked.output_tokens,
        reasoning_tokens=asked.reasoning_tokens,
        seconds=round(asked.seconds, 3),
    )


def first(*values: str | None) -> str:
    """The first value that says something; the last one always does."""
    return next(value for value in values if value)


def new_run_id(objective: str) -> str:
    """`<slug>-<6 hex>`: the slug from the objective's telling words, the hex by chance."""
    words = re.findall(r"[a-z0-9]+", objective.lower())
    telling = [word for word in words if word not in _DULL] or words
    slug = ""
    for word in telling[:3]:
        if len(slug) + len(word) > 24:
            break
        slug += ("-" if slug else "") + word
    return f"{slug or 'run'}-{secrets.token_hex(3)}"


def _check_branches(workspace: Workspace) -> None:
    if workspace.git.read_ref("refs/heads/cto") is not None:
        raise UsageError(
            "A branch named cto is in the way: the branches of runs live under cto/.",
            "git branch -m cto some-other-name",
            code="branch_in_the_way",
        )


def _start(workspace: Workspace, head: str, target: Target) -> tuple[str, str]:
    """Where trunk begins: at HEAD where HEAD has commits that the target has not, else at the target's tip."""
    if head == target.commit or workspace.git.is_ancestor(head, target.commit):
        return target.commit, f"{target.name} ({target.commit[:7]})"
    branch = workspace.git.head_ref()
    name = branch.removeprefix("refs/heads/") if branch else "HEAD"
    return head, f"{name} ({head[:7]})"


def _notes(workspace: Workspace, start: str, head: str) -> tuple[str, ...]:
    notes = []
    dirty = changed_paths(workspace.git)
    if dirty:
        notes.append(f"{uncommitted_words(len(dirty))}: the planner sees what is there, the run starts without it")
    if start != head:
        notes.append(f"HEAD is behind the target: the planner reads {head[:7]}, the run starts at {start[:7]}")
    return tuple(notes)
