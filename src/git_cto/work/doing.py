"""One task, done by an executor in a worktree of its own, up to its result commit on the task's branch.

What an executor says is compared with what git sees; both are kept. Merging into trunk is `merging`'s business.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from git_cto.agents.base import Limits, OnActivity
from git_cto.agents.executor import DEFAULT_TOOLS, Executor, Job, Work
from git_cto.model import ResultOutcome, Task
from git_cto.redaction import printable, redacted, secret_values
from git_cto.repo import worktrees
from git_cto.repo.git import Git, changed_paths, discover
from git_cto.repo.repository import Repository
from git_cto.repo.runs import results, task_ref
from git_cto.work.questions import task_prompt
from git_cto.work.verifying import run_command

if TYPE_CHECKING:
    from git_cto.work.runs import Run, TaskView
    from git_cto.work.workspace import Workspace

BLOCKED = "BLOCKED:"


@dataclass(frozen=True, kw_only=True)
class Doing:
    """How tasks are done: by whom, with what, for how long. `stop` ends what is under way."""

    executor: Executor
    limits: Limits = field(default_factory=Limits)
    tools: tuple[str, ...] = DEFAULT_TOOLS
    model: str | None = None
    fallback_model: str | None = None
    effort: str | None = None
    max_cost: float | None = None
    may_run: Callable[[str], bool] = lambda _: False  # which commands of the plan somebody has allowed
    command_timeout: int = 900
    guidance: str = ""
    stop: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, kw_only=True)
class Hints:
    """What an executor is told beside its task.

    `trouble` is why an earlier result could not be taken (the task starts anew at trunk then), `word` what a human says
    who has let the run go on.
    """

    trouble: str = ""
    word: str = ""


@dataclass(frozen=True, kw_only=True)
class Result:
    """A task with its result commit. `seen` is what git saw beside what was said; `work` what an executor reported."""

    task: str
    outcome: ResultOutcome
    summary: str
    commit: str
    seen: tuple[str, ...] = ()
    work: Work | None = None


def do_task(
    workspace: Workspace,
    run: Run,
    view: TaskView,
    trunk: str,
    doing: Doing,
    on_activity: OnActivity,
    hints: Hints,
) -> Result:
    """Does one task on top of `trunk` (or of what its branch has that trunk has not) and commits the result."""
    ref = task_ref(run.id, view.task.id)
    tip = workspace.git.read_ref(ref)
    kept = tip is not None and not hints.trouble and not workspace.git.is_ancestor(tip, trunk)
    start = tip if kept and tip else trunk
    folder = worktrees.home(workspace.git, run.id) / view.task.id
    worktrees.add(workspace.git, folder, start)
    try:
        there = Git(discover(str(folder), workspace.environ), workspace.environ)
        work, outcome, said = _act(workspace, run, view, doing, on_activity, folder, hints)
        seen = _seen(workspace, there, view.task, start, outcome, work)
        outcome, said = _judged(view.task, outcome, said, seen)
        message, trailers = _message(workspace, run, view.task, outcome, said, seen, work)
        commit = _commit(there, message, trailers, back_to=None if outcome == "done" else start)
        workspace.git.run("update-ref", "-m", "git cto run", ref, commit, tip or workspace.place.zero)
    finally:
        worktrees.remove(workspace.git, folder)
    return Result(task=view.task.id, outcome=outcome, summary=said, commit=commit, seen=seen.notes, work=work)


def finished_result(workspace: Workspace, run: Run, view: TaskView, trunk: str) -> Result | None:
    """The result of this round that the task's branch has and trunk has not: only its merge is missing."""
    tip = workspace.git.read_ref(task_ref(run.id, view.task.id))
    if tip is None or workspace.git.is_ancestor(tip, trunk):
        return None
    found = results(workspace.lens, trunk, tip, run.id).get(view.task.id)
    if found is None or found.commit != tip or found.round != run.standing.round:
        return None
    return Result(task=view.task.id, outcome=found.outcome, summary=found.summary, commit=tip)


def skip_task(workspace: Workspace, run: Run, task: Task, trunk: str, why: str) -> Result:
    """A result for a task that cannot be tried: an empty commit on top of `trunk` that says why."""
    folder = worktrees.home(workspace.git, run.id) / task.id
    tip = workspace.git.read_ref(task_ref(run.id, task.id))
    worktrees.add(workspace.git, folder, trunk)
    try:
        there = Git(discover(str(folder), workspace.environ), workspace.environ)
        message, trailers = _message(workspace, run, task, "blocked", why, _Seen((), (), intact=True), None)
        commit = _commit(there, message, trailers, back_to=trunk)
        ref = task_ref(run.id, task.id)
        workspace.git.run("update-ref", "-m", "git cto run", ref, commit, tip or workspace.place.zero)
    finally:
        worktrees.remove(workspace.git, folder)
    return Result(task=task.id, outcome="blocked", summary=why, commit=commit)


def _act(
    workspace: Workspace,
    run: Run,
    view: TaskView,
    doing: Doing,
    on_activity: OnActivity,
    folder: Path,
    hints: Hints,
) -> tuple[Work | None, ResultOutcome, str]:
    """Does what the task's action says: deletes, runs a command, or lets the executor work."""
    task = view.task
    if task.action == "delete_file":
        return None, "done", _delete(folder, task.target)
    if task.action in {"run_command", "verify"}:
        if not doing.may_run(task.target):
            return None, "blocked", f"nobody has allowed the command {task.target!r} (--allow-commands)"
        ended = run_command(workspace, task.target, folder, doing.command_timeout, doing.stop)
        how = "was stopped: time limit" if ended.exit_code is None else f"ended with exit code {ended.exit_code}"
        return None, "done" if ended.passed else "failed", f"{task.target} {how}.\n\n{ended.output}".strip()
    prompt = task_prompt(
        run.plan_record.plan,
        task,
        feedback=view.feedback,
        findings=run.standing.open_findings if view.feedback else (),
        trouble=hints.trouble,
        word=hints.word,
    )
    job = Job(
        task=task.id,
        prompt=prompt,
        worktree=folder,
        guidance=doing.guidance,
        tools=doing.tools,
        model=doing.model,
        fallback_model=doing.fallback_model,
        effort=doing.effort,
        max_cost=doing.max_cost,
    )
    call = Path(tempfile.mkdtemp(prefix="git-cto-job-"))
    try:
        work = doing.executor.work(job, call, doing.limits, on_activity, doing.stop)
    finally:
        shutil.rmtree(call, ignore_errors=True)
    said = work.summary.strip()
    if said.startswith(BLOCKED):
        return work, "blocked", said.removeprefix(BLOCKED).strip() or "it did not say why"
    return (work, "failed", f"{work.problem}\n\n{said}".strip()) if work.problem else (work, "done", said)


def _delete(folder: Path, target: str) -> str:
    path = folder / target
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    return f"Deleted {target}."


@dataclass(frozen=True)
class _Seen:
    """What git saw: paths that changed, notes on them, and whether the worktree is still what it was made as."""

    paths: tuple[str, ...]
    notes: tuple[str, ...]
    intact: bool


def _seen(workspace: Workspace, there: Git, task: Task, start: str, outcome: ResultOutcome, work: Work | None) -> _Seen:
    head = there.commit_of("HEAD")
    intact = head is not None and workspace.git.is_ancestor(start, head)
    committed = there.run("diff", "--name-only", "-z", "--no-renames", start, head or start) if intact else b""
    paths = [path for path in committed.decode("utf-8", "surrogateescape").split("\0") if path]
    paths = list(dict.fromkeys([*paths, *changed_paths(there)]))
    notes = []
    if not intact:
        notes.append("the worktree no longer stands on the commit it was made from")
    works_on_files = task.action not in {"run_command", "verify"}
    if works_on_files and not paths and outcome == "done":
        notes.append("nothing was changed, though success was claimed")
    outside = [path for path in paths if not _is_in(path, task.target)]
    if works_on_files and outside:
        some = ", ".join(printable(path) for path in outside[:5])
        notes.append(f"changed outside of {task.target}: {some}" + (" and more" if len(outside) > 5 else ""))
    if work and work.denied:
        notes.append("denied: " + ", ".join(dict.fromkeys(work.denied)))
    return _Seen(tuple(paths), tuple(notes), intact)


def _is_in(path: str, target: str) -> bool:
    return path.rstrip("/") == target.rstrip("/") or path.startswith(target.rstrip("/") + "/")


def _judged(task: Task, outcome: ResultOutcome, said: str, seen: _Seen) -> tuple[ResultOutcome, str]:
    """The outcome as git sees it: a claim of success without any change is none."""
    if outcome != "done":
        return outcome, said
    if not seen.intact or (not seen.paths and task.action not in {"run_command", "verify"}):
        return "failed", f"{seen.notes[0]}.\n\nIt said: {said}"
    return outcome, said


def _message(
    workspace: Workspace,
    run: Run,
    task: Task,
    outcome: ResultOutcome,
    said: str,
    seen: _Seen,
    work: Work | None,
) -> tuple[str, dict[str, str]]:
    """Message and trailers of a result commit: what was said, what git saw, and what it took."""
    trailers = {
        "Cto-Run": run.id,
        "Cto-Task": task.id,
        "Cto-Outcome": outcome,
        "Cto-Round": str(run.standing.round),
    }
    if work:
        trailers["Cto-Executor"] = " ".join(filter(None, (work.executor, work.version, work.model)))
        trailers["Cto-Tokens"] = str(work.usage.total)
        trailers["Cto-Cost"] = f"{work.cost:.6f}"
    said = redacted(printable(said, lines=True), secret_values(workspace.environ)).strip() or "(nothing was said)"
    subject, _, rest = said.partition("\n")
    seen_by_git = "\n".join(f"git-cto saw: {note}" for note in seen.notes)
    parts = (f"{task.id}: {subject[:100]}", rest.strip(), seen_by_git)
    return "\n\n".join(part for part in parts if part), trailers


def _commit(there: Git, message: str, trailers: dict[str, str], *, back_to: str | None) -> str:
    """The result commit, as the user would make it; on top of `back_to` where what lies there is not to be taken."""
    with Repository(there) as repository:
        if back_to is not None:
            repository.reset(back_to)
        with repository.everything_staged():
            return repository.commit(message, trailers)
