"""All open tasks of a run, done by an executor: several at once where they do not depend on each other.

Results are merged into trunk in the plan's order, whatever ends first, so that the same work gives the same history. A
conflict goes back to the executor once, on top of trunk; then the task is blocked. Blocked tasks stop only what depends
on them.
"""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from git_cto.agents.base import Activity
from git_cto.errors import ToolError, UsageError
from git_cto.model import ResultOutcome
from git_cto.repo.repository import Repository
from git_cto.repo.runs import task_ref, trunk_ref
from git_cto.work.doing import Doing, Result, do_task, finished_result, skip_task
from git_cto.work.merging import merge_into_trunk
from git_cto.work.progress import Budget, Progress
from git_cto.work.runs import Run, TaskView

if TYPE_CHECKING:
    from git_cto.work.workspace import Workspace

SETTLED = frozenset({"done", "blocked", "failed"})


@dataclass(frozen=True, kw_only=True)
class Crew:
    """Who does the tasks, how many at once, and within which budget."""

    doing: Doing
    jobs: int
    progress: Progress
    budget: Budget

    def may_go_on(self) -> bool:
        """Whether there is budget for another task."""
        return self.progress.within(self.budget)


def do_tasks(workspace: Workspace, run: Run, crew: Crew) -> int:
    """Does every task that is not settled; returns how many that were. Trunk has all results at the end.

    Raises `EngineError` where the executor cannot work at all. Whatever happens, no process stays behind, and what was
    committed stays.
    """
    todo = [view for view in run.tasks if view.state not in SETTLED]
    if not todo:
        return 0
    if run.trunk is None:
        raise UsageError(f"The branch cto/{run.id}/trunk is not here.", f"git fetch origin cto/{run.id}/trunk")
    shift = _Shift(workspace, run, crew, todo, run.trunk)
    pool = ThreadPoolExecutor(max_workers=crew.jobs, thread_name_prefix="task")
    try:
        shift.work(pool)
    finally:
        crew.doing.stop.set()  # nothing is under way after a normal end
        pool.shutdown(wait=True, cancel_futures=True)
        crew.doing.stop.clear()
    return len(shift.merged)


@dataclass
class _Shift:
    """The tasks of one pass: `waiting` in order, `running`, `ended` (not merged yet), `merged`."""

    workspace: Workspace
    run: Run
    crew: Crew
    waiting: list[TaskView]
    trunk: str
    running: dict[Future[Result], TaskView] = field(default_factory=dict)
    ended: dict[str, Result] = field(default_factory=dict)
    merged: dict[str, ResultOutcome] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._order = [view.task.id for view in self.waiting]
        self._views = {view.task.id: view for view in self.waiting}

    def work(self, pool: ThreadPoolExecutor) -> None:
        """Until everything is merged, or the crew may not go on."""
        while self._order:
            self._start(pool)
            if not self.running:
                return  # the crew may not go on
            done, _ = wait(self.running, return_when=FIRST_COMPLETED)
            for future in done:
                view = self.running.pop(future)
                self.ended[view.task.id] = future.result()
            self._merge_what_is_due()

    def _start(self, pool: ThreadPoolExecutor) -> None:
        while len(self.running) < self.crew.jobs and self.crew.may_go_on():
            view = next((view for view in self.waiting if self._can_start(view)), None)
            if view is None:
                return
            self.waiting.remove(view)
            self.running[pool.submit(self._do, view, self.trunk)] = view

    def _can_start(self, view: TaskView) -> bool:
        """Whether everything it depends on has its result in trunk."""
        return not any(other in self._order for other in view.task.depends_on)

    def _do(self, view: TaskView, trunk: str, trouble: str = "") -> Result:
        """One task, in a thread of its own."""
        task, progress = view.task, self.crew.progress
        stuck = [other for other in task.depends_on if self._outcome(other) in {"blocked", "failed"}]
        kept = None if trouble else finished_result(self.workspace, self.run, view, trunk)
        if stuck:
            result = skip_task(self.workspace, self.run, task, trunk, f"{', '.join(stuck)} came to nothing before it")
        elif kept:
            result = kept
        else:
            progress.started(task.id)
            result = self._tried(view, trunk, trouble)
        progress.ended(result)
        return result

    def _tried(self, view: TaskView, trunk: str, trouble: str) -> Result:
        """The task done; where its result cannot be committed (a hook says no, say) it is tried once more."""

        def heard(activity: Activity) -> None:
            self.crew.progress.doing(view.task.id, activity)

        try:
            return do_task(self.workspace, self.run, view, trunk, self.crew.doing, heard, trouble=trouble)
        except ToolError as error:
            if error.code != "git_failed" or trouble:
                raise
            again = f"The result could not be committed: {error.message}"
        return do_task(self.workspace, self.run, view, trunk, self.crew.doing, heard, trouble=again)

    def _outcome(self, task: str) -> str:
        return self.merged.get(task) or self.run.task(task).state

    def _merge_what_is_due(self) -> None:
        """Merges ended tasks as long as the next one in the plan's order has ended."""
        while self._order and self._order[0] in self.ended:
            task = self._order[0]
            result = self.ended.pop(task)
            merged = merge_into_trunk(self.workspace, self.run.id, task, self.trunk, result.commit)
            if isinstance(merged, tuple):
                result, merged = self._resolved(task, merged)
            self.trunk = merged
            self._order.pop(0)
            self.merged[task] = result.outcome
            self.crew.progress.merged(result)

    def _resolved(self, task: str, paths: tuple[str, ...]) -> tuple[Result, str]:
        """A result that conflicted with trunk: done once more on top of trunk, else blocked."""
        trouble = (
            "Meanwhile other tasks were merged, and your change conflicted with them in "
            + ", ".join(paths[:10])
            + ". You start again, on top of what they did. Do the task again so that it fits."
        )
        result = self._do(self._views[task], self.trunk, trouble)
        merged = merge_into_trunk(self.workspace, self.run.id, task, self.trunk, result.commit)
        if isinstance(merged, tuple):
            view = self._views[task]
            result = skip_task(self.workspace, self.run, view.task, self.trunk, "it conflicts with other tasks")
            merged = merge_into_trunk(self.workspace, self.run.id, task, self.trunk, result.commit)
        if isinstance(merged, tuple):
            raise ToolError(f"The result of {task} cannot be merged into trunk.", f"git cto status {self.run.id}")
        return result, merged


def refuse_checked_out(workspace: Workspace, run: Run) -> None:
    """Refuses to move branches under a checkout of theirs."""
    if workspace.place.worktree is None:
        return
    refs = [trunk_ref(run.id), *(task_ref(run.id, view.task.id) for view in run.tasks)]
    with Repository(workspace.git) as repository:
        for ref in refs:
            here = repository.branch() == ref
            where = repository.worktree if here else repository.worktree_of(ref)
            if where:
                raise UsageError(
                    f"{ref.removeprefix('refs/heads/')} is checked out in {where}, and the loop moves it.",
                    f"git -C {where} switch {run.target.name}",
                )
