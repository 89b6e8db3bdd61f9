"""The documents of `git cto tasks`, `start` and `finish`: the tasks of a run, and how they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from msgspec.structs import asdict

from git_cto.model import ResultOutcome

if TYPE_CHECKING:
    from git_cto.work.executing import Finished, Started
    from git_cto.work.runs import Run, TaskView


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


def task_document(view: TaskView) -> TaskDocument:
    """The document of one task."""
    return TaskDocument(
        **asdict(view.task),
        state=view.state,
        branch=view.branch,
        waits_for=view.waits_for,
        feedback=view.feedback,
        summary=view.result.summary if view.result else "",
        commit=view.result.commit if view.result else None,
    )


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


class StartDocument(Struct, frozen=True, kw_only=True):
    """A task whose branch is checked out now (`git cto start`)."""

    schema: Literal["git-cto/start/v1"] = "git-cto/start/v1"
    run: str
    task: TaskDocument
    created: bool
    notes: tuple[str, ...]
    next: str


def start_document(run: Run, started: Started, next_step: str) -> StartDocument:
    """The document of a started task."""
    return StartDocument(
        run=run.id, task=task_document(started.view), created=started.created, notes=started.notes, next=next_step
    )


class FinishDocument(Struct, frozen=True, kw_only=True):
    """A task with its result (`git cto finish`)."""

    schema: Literal["git-cto/finish/v1"] = "git-cto/finish/v1"
    run: str
    task: str
    outcome: ResultOutcome
    result: str
    merge: str
    notes: tuple[str, ...]
    next: str


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
