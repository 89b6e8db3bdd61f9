"""Tasks done by hand: starting one on its branch, finishing it with a result commit, merging it into trunk.

Refusals name their reason and lose nothing: everything that can be known to fail is checked before anything moves.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from git_cto.errors import UsageError, some, typed
from git_cto.model import TRUNK
from git_cto.repo.change import conflicts
from git_cto.repo.runs import run_and_task, task_ref, trunk_ref
from git_cto.work.runs import required_trunk

if TYPE_CHECKING:
    from git_cto.model import ResultOutcome
    from git_cto.repo.repository import Repository
    from git_cto.work.runs import Run, TaskView
    from git_cto.work.workspace import Workspace


@dataclass(frozen=True)
class Started:
    """A task whose branch is checked out now. `notes` are for the user's eyes."""

    view: TaskView
    created: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Finished:
    """A task that has a result. `result` and `merge` are commits, `notes` what looks odd about it."""

    task_id: str
    outcome: ResultOutcome
    result: str
    merge: str
    notes: tuple[str, ...]


def start(workspace: Workspace, repository: Repository, run: Run, task_id: str) -> Started:
    """Checks out the task's branch: a new one at trunk, or the old one, moved up to trunk where it was merged."""
    view = run.task(task_id)
    trunk = required_trunk(run)
    if view.waits_for:
        waits = ", ".join(view.waits_for)
        raise UsageError(f"{task_id} waits for {waits}.", f"git cto start {view.waits_for[0]}{run.option}")
    ref = task_ref(run.id, task_id)
    _refuse_busy(repository, ref)
    dirty = repository.changed_paths()
    if dirty and repository.branch() != ref:
        raise UsageError(
            f"There is work that is not committed: {some(dirty)}.", "git stash --include-untracked, or commit it"
        )
    tip = workspace.git.read_ref(ref)
    forward = tip is not None and tip != trunk and workspace.git.is_ancestor(tip, trunk)
    here = workspace.git.commit_of("HEAD")
    if here is not None:
        _refuse_overwriting(repository, here, *([tip] if tip else []), *([trunk] if forward or not tip else []))
    with repository.returning():
        if tip is None:
            workspace.git.run("update-ref", "--no-deref", "-m", "git cto start", ref, trunk, workspace.place.zero)
        repository.switch(ref)
        if forward:
            repository.fast_forward(trunk)
    stuck = [other for other in view.task.depends_on if run.task(other).state in {"blocked", "failed"}]
    notes = tuple(f"{other}, which this depends on, is {run.task(other).state}" for other in stuck)
    return Started(view, tip is None, notes)


def finish(
    workspace: Workspace,
    repository: Repository,
    run: Run,
    task_id: str | None,
    *,
    summary: str,
    outcome: ResultOutcome,
) -> Finished:
    """Commits what is there with the result's trailers, and merges the task's branch into trunk.

    Ends on trunk. Where the merge would conflict, nothing has moved.
    """
    if not summary.strip():
        raise UsageError("A result needs a summary.", 'git cto finish -m "what was done"')
    _refuse_busy(repository, trunk_ref(run.id))
    ref = _branch_of(repository, run, task_id)
    task_id = ref.rsplit("/", 1)[-1]
    view = run.task(task_id)
    trunk = required_trunk(run)
    pending = _check_merges(workspace, repository, run, trunk)
    _refuse_overwriting(repository, pending, trunk)
    notes = _oddities(workspace, repository, view, trunk)
    result = _result_commit(workspace, repository, run, view, summary.strip(), outcome)
    with repository.returning():
        repository.switch(trunk_ref(run.id))
        merge = repository.merge(ref, f"Merge {task_id} into {TRUNK} of {run.id}")
    return Finished(task_id, outcome, result, merge, notes)


def _refuse_busy(repository: Repository, ref: str) -> None:
    operation = repository.operation()
    if operation:
        undo = "git bisect reset" if operation == "bisect" else f"git {operation} --abort"
        raise UsageError(f"A {operation} is under way here.", f"finish it, or {undo}", code="operation_under_way")
    unmerged = repository.unmerged_paths()
    if unmerged:
        raise UsageError(
            f"There are conflicts here that are not resolved: {some(unmerged)}.",
            f"resolve them, then git add {' '.join(map(typed, unmerged[:3]))}",
            code="conflict",
        )
    elsewhere = repository.worktree_of(ref)
    if elsewhere:
        raise UsageError(
            f"{ref.removeprefix('refs/heads/')} is checked out in {elsewhere}.",
            f"cd {typed(elsewhere)}, and do it there",
        )


def _refuse_overwriting(repository: Repository, source: str, *destinations: str) -> None:
    """Refuses where going from what is here to one of these would overwrite a file that only this folder has."""
    found = [path for one in destinations for path in repository.in_the_way(source, one)]
    if found:
        paths = list(dict.fromkeys(found))
        raise UsageError(
            f"This would overwrite {some(paths)}, which git ignores or does not track. Nothing has moved.",
            f"mv {typed(paths[0])} elsewhere",
            code="in_the_way",
        )


def _branch_of(repository: Repository, run: Run, task_id: str | None) -> str:
    """The full ref of the task's branch, which has to be the one that is checked out."""
    current = repository.branch()
    found = run_and_task(current)
    if task_id is None:
        if found is None or found[1] == TRUNK:
            raise UsageError("You are on no task's branch.", "git cto start TASK, or git switch to the task's branch")
        task_id = found[1]
    run.task(task_id)
    ref = task_ref(run.id, task_id)
    if current != ref:
        raise UsageError(
            f"{task_id} lives on cto/{run.id}/{task_id}, which is not checked out.",
            f"git cto start {task_id}{run.option}",
        )
    return ref


def _check_merges(workspace: Workspace, repository: Repository, run: Run, trunk: str) -> str:
    """Refuses where what is here would conflict with trunk. Nothing is touched. Returns a commit of what is here."""
    head = workspace.git.commit_of("HEAD") or ""
    tree = repository.pending_tree()
    pending = workspace.git.run(
        "-c",
        "user.name=git-cto",
        "-c",
        "user.email=git-cto@localhost",
        "commit-tree",
        "--no-gpg-sign",
        "-p",
        head,
        "-m",
        "pending",
        tree,
    )
    commit = pending.decode().strip()
    paths = conflicts(workspace.lens, trunk, commit)
    if paths:
        raise UsageError(
            f"This would conflict with cto/{run.id}/{TRUNK} in {some(list(paths))}. Nothing has moved.",
            f"git add --all && git commit -m WIP; git merge cto/{run.id}/{TRUNK}, resolve it, git cto finish again",
            code="conflict",
        )
    return commit


def _result_commit(
    workspace: Workspace, repository: Repository, run: Run, view: TaskView, summary: str, outcome: ResultOutcome
) -> str:
    """The result commit; one that a finish which did not get to its merge left behind is taken as it is."""
    trailers = {
        "Cto-Run": run.id,
        "Cto-Task": view.task.id,
        "Cto-Outcome": outcome,
        "Cto-Round": str(run.standing.round),
    }
    head = workspace.git.commit_of("HEAD") or ""
    if not repository.changed_paths() and _is_result(workspace, head, summary, trailers):
        return head
    with repository.everything_staged():
        return repository.commit(summary, trailers)


def _is_result(workspace: Workspace, commit: str, summary: str, trailers: dict[str, str]) -> bool:
    message = workspace.lens.run("log", "-1", "--format=%B", "--end-of-options", commit).decode("utf-8", "replace")
    lines = message.strip().splitlines()
    return message.startswith(summary) and all(f"{name}: {value}" in lines for name, value in trailers.items())


def _oddities(workspace: Workspace, repository: Repository, view: TaskView, trunk: str) -> tuple[str, ...]:
    """What does not fit the task's action, said and not held against it: the reviewer decides."""
    task = view.task
    if task.action in {"run_command", "verify"}:
        return ()
    exists = os.path.lexists(os.path.join(repository.worktree, task.target))
    if task.action == "delete_file":
        return (f"{task.target} is still there",) if exists else ()
    if not exists:
        return (f"{task.target} does not exist",)
    touched = repository.changed_paths()
    since = workspace.git.run("diff", "--name-only", "-z", "--no-renames", f"{trunk}...HEAD")
    touched += [path for path in since.decode("utf-8", "surrogateescape").split("\0") if path]
    if not touched:
        return ("nothing was changed",)
    folder = task.target.rstrip("/") + "/"
    outside = [path for path in dict.fromkeys(touched) if path != task.target and not path.startswith(folder)]
    notes = [f"also committed, outside of {task.target}: {some(outside)}"] if outside else []
    if len(outside) == len(set(touched)):
        notes.insert(0, f"{task.target} was not changed")
    return tuple(notes)
