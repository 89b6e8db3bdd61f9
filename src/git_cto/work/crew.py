"""All open tasks of a run, done by an executor: several at once where they do not depend on each other.

Results are merged into trunk in the plan's order, whatever ends first, so that trunk tells the same story however many
work at once. A conflict goes back to the executor once, on top of trunk, while nothing else is merged. Blocked tasks
stop only what depends on them.
"""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from git_cto.agents import strays
from git_cto.agents.base import Activity, EngineError
from git_cto.errors import CtoError, ToolError, UsageError, typed
from git_cto.model import ContinueRecord, ResultOutcome
from git_cto.repo import worktrees
from git_cto.repo.repository import Repository
from git_cto.repo.runs import results, task_ref, trunk_ref
from git_cto.work.acting import Doing, Hints
from git_cto.work.doing import Result, Tab, do_task, finished_result, skip_task
from git_cto.work.merging import merge_into_trunk
from git_cto.work.progress import LEAST, Budget, Event, Progress
from git_cto.work.runs import Run, TaskView, required_trunk, was_judged

if TYPE_CHECKING:
    from git_cto.agents.executor import Work
    from git_cto.work.workspace import Workspace

SETTLED = frozenset({"done", "blocked", "failed"})
_NOTHING = frozenset({"blocked", "failed"})
_FOR_A_COMMIT = 1.0  # seconds, on top of what an executor has to end
_RUNS = frozenset({"run_command", "verify"})


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


@dataclass
class _Purse:
    """Shares what is left of the money among the tasks that are under way, so that together they take no more."""

    crew: Crew
    _shares: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def is_empty(self) -> bool:
        """Whether nothing is left for another task: what is not taken is promised."""
        left = self._left()
        return left is not None and left < LEAST

    def promise(self, task: str, among: int = 1) -> None:
        """Promises a task its share of what is left, of which so many tasks get one."""
        with self._lock:
            self._shares.pop(task, None)
            left = self._left()
            if left is not None:
                self._shares[task] = max(left, 0.0) / among

    def release(self, task: str) -> None:
        """The task has ended: what it has not taken is there for others."""
        with self._lock:
            self._shares.pop(task, None)

    def doing(self, task: str) -> Doing:
        """How a task is done: it may cost no more than it was promised."""
        limits = [self.crew.doing.max_cost, self._shares.get(task)]
        return replace(self.crew.doing, max_cost=min((one for one in limits if one is not None), default=None))

    def _left(self) -> float | None:
        budget = self.crew.budget.cost
        return None if budget is None else budget - self.crew.progress.cost - sum(self._shares.values())


def do_tasks(workspace: Workspace, run: Run, crew: Crew, *, again: str, resumed: bool) -> bool:
    """Does every task that is not settled. Returns whether trunk has all results: there may not be budget for that.

    With a reason to try `again` (they are told), tasks that came to nothing or were not passed are done, too; where the
    loop is `resumed` those that came to nothing since the last verdict. Raises `EngineError` where the executor cannot
    work at all. Whatever happens, no process stays behind, and what was committed stays.
    """
    todo = _todo(workspace, run, again, resumed=resumed)
    if not todo:
        return True
    shift = _Shift(workspace, run, crew, todo, required_trunk(run), again or _said_by_human(run))
    pool = ThreadPoolExecutor(max_workers=crew.jobs, thread_name_prefix="task")
    try:
        shift.work(pool)
    finally:
        crew.doing.stop.set()  # nothing is under way after a normal end
        # A commit that is being made is made; one that waits for a hook or a passphrase would hold us up for ever.
        patience = crew.doing.limits.grace
        if wait(shift.running, timeout=patience + _FOR_A_COMMIT).not_done:
            strays.end_present(str(worktrees.home(workspace.git, run.id)), patience, strays.REST)
        pool.shutdown(wait=True, cancel_futures=True)
        crew.doing.stop.clear()
    return shift.is_done


def _todo(workspace: Workspace, run: Run, again: str, *, resumed: bool) -> list[TaskView]:
    """The tasks to be done, and those that only came to nothing because one of them had."""
    todo: list[TaskView] = []
    for view in run.tasks:
        nothing = view.state in _NOTHING
        is_open = view.state not in SETTLED or (again and (nothing or view.feedback))
        freed = nothing and any(one.task.id in view.task.depends_on for one in todo)
        if is_open or freed or (resumed and nothing and not was_judged(workspace, view.result, run.standing)):
            todo.append(view)
    return todo


def _said_by_human(run: Run) -> str:
    """The reason for which a human has let the run go on since the last verdict."""
    last = run.standing.last.body if run.standing.last else None
    return last.reason if isinstance(last, ContinueRecord) else ""


def take_up(workspace: Workspace, run: Run) -> None:
    """Puts results on their branches that were committed in a worktree just before the loop was killed."""
    known = {view.task.id for view in run.tasks}
    for task, folder in worktrees.left_behind(workspace.git, run.id).items():
        with suppress(CtoError):  # the worktree is broken: what was in it was not committed
            head = worktrees.opened(folder, workspace.environ).commit_of("HEAD")
            if head is None or task not in known:
                continue
            found = results(workspace.lens, run.plan_record.start, head, run.id).get(task)
            ref = task_ref(run.id, task)
            tip = workspace.git.read_ref(ref)
            if found and found.commit == head != tip and found.round == run.standing.round:
                workspace.git.run(
                    "update-ref", "--no-deref", "-m", "git cto run", ref, head, tip or workspace.place.zero
                )


@dataclass
class _Shift:
    """The tasks of one pass: `waiting` in order, `running`, `ended` (not merged yet), `merged`.

    `word` is what a human says to all of them, `again` which of them have been sent back because of a conflict.
    """

    workspace: Workspace
    run: Run
    crew: Crew
    waiting: list[TaskView]
    trunk: str
    word: str
    running: dict[Future[Result], TaskView] = field(default_factory=dict)
    ended: dict[str, Result] = field(default_factory=dict)
    merged: dict[str, ResultOutcome] = field(default_factory=dict)
    again: set[str] = field(default_factory=set)
    tabs: dict[str, Tab] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._purse = _Purse(self.crew)
        self._order = [view.task.id for view in self.waiting]
        self._views = {view.task.id: view for view in self.waiting}
        self.tabs = {task: Tab(heard=partial(self._taken, task)) for task in self._order}

    @property
    def is_done(self) -> bool:
        """Whether everything is merged."""
        return not self._order

    def work(self, pool: ThreadPoolExecutor) -> None:
        """Until everything is merged, or the crew may not go on."""
        while self._order:
            self._start(pool)
            if not self.running:
                return  # the crew may not go on
            try:
                self._next_ends()
            except EngineError as error:
                self._let_the_others_end(error)
                raise
            self._merge_what_is_due(pool)

    def _next_ends(self) -> None:
        """Waits until a task has ended, or several."""
        done, _ = wait(self.running, return_when=FIRST_COMPLETED)
        failed: list[CtoError] = []
        for future in done:
            view = self.running.pop(future)
            self._purse.release(view.task.id)
            try:
                self.ended[view.task.id] = future.result()
            except CtoError as error:
                failed.append(error)
        if failed:
            raise min(failed, key=lambda one: isinstance(one, EngineError))  # what no executor can help goes first

    def _let_the_others_end(self, error: EngineError) -> None:
        """What is under way may still come to something, and has been paid for. A resume takes up what did."""
        if self.running:
            others = ", ".join(view.task.id for view in self.running.values())
            self.crew.progress.tell(Event(kind="note", text=f"{error.message} {others} may still come to an end."))
        while self.running:
            with suppress(EngineError):
                self._next_ends()

    def _start(self, pool: ThreadPoolExecutor) -> None:
        if not self.crew.may_go_on() or self._purse.is_empty():
            return
        free = self.crew.jobs - len(self.running)
        batch = [view for view in self.waiting if self._can_start(view)][: max(free, 0)]
        for place, view in enumerate(batch):
            self.waiting.remove(view)
            self._purse.promise(view.task.id, len(batch) - place)
        for view in batch:
            self.running[pool.submit(self._do, view, self.trunk)] = view

    def _can_start(self, view: TaskView) -> bool:
        """Whether what it depends on has its result in trunk: for a command, that is all that comes before it."""
        if view.task.action in _RUNS:
            return self._order[0] == view.task.id
        return not any(other in self._order for other in view.task.depends_on)

    def _do(self, view: TaskView, trunk: str, trouble: str = "") -> Result:
        """One task, in a thread of its own."""
        task, progress, tab = view.task, self.crew.progress, self.tabs[view.task.id]
        stuck = [other for other in task.depends_on if self._outcome(other) in _NOTHING]
        kept = None if trouble else finished_result(self.workspace, self.run, view, trunk, tab)
        if stuck:
            why = f"{', '.join(stuck)} came to nothing before it"
            result = skip_task(self.workspace, self.run, task, trunk, why, tab)
        elif kept:
            result = kept
        else:
            progress.started(task.id)
            result = self._tried(view, trunk, trouble)
        progress.ended(result)
        return result

    def _tried(self, view: TaskView, trunk: str, trouble: str) -> Result:
        """The task done. Where its result cannot be committed (a hook says no, say) it is tried once more."""
        try:
            return self._once(view, trunk, trouble)
        except ToolError as error:
            if error.code != "git_failed":
                raise
            said = error.message
        self._purse.promise(view.task.id)
        try:
            return self._once(view, trunk, f"The result could not be committed: {said}")
        except ToolError as error:
            if error.code != "git_failed":
                raise
            why = f"its result cannot be committed: {error.message}"
        return skip_task(self.workspace, self.run, view.task, trunk, why, self.tabs[view.task.id])

    def _once(self, view: TaskView, trunk: str, trouble: str) -> Result:
        def heard(activity: Activity) -> None:
            self.crew.progress.doing(view.task.id, activity)

        hints = Hints(trouble=trouble, word=self.word)
        tab = self.tabs[view.task.id]
        return do_task(self.workspace, self.run, view, trunk, self._purse.doing(view.task.id), heard, hints, tab)

    def _taken(self, task: str, work: Work) -> None:
        self.crew.progress.take("task", task, work.name, work.usage.total, work.cost)

    def _outcome(self, task: str) -> str:
        return self.merged.get(task) or self.run.task(task).state

    def _merge_what_is_due(self, pool: ThreadPoolExecutor) -> None:
        """Merges ended tasks as long as the next one in the plan's order has ended."""
        while self._order and self._order[0] in self.ended:
            task = self._order[0]
            result = self.ended.pop(task)
            patience = self.run.policy.verify.timeout
            merged = merge_into_trunk(self.workspace, self.run.id, task, self.trunk, result.commit, patience=patience)
            if isinstance(merged, tuple) and task not in self.again:
                self.again.add(task)
                view = self._views[task]
                self._purse.promise(task)
                self.running[pool.submit(self._do, view, self.trunk, _conflict(merged))] = view
                return
            if isinstance(merged, tuple):  # it was made on top of trunk
                raise ToolError(f"The result of {task} cannot be merged.", f"git cto status {self.run.id}")
            self.trunk = merged
            self._order.pop(0)
            self.merged[task] = result.outcome
            self.crew.progress.merged(result)


def _conflict(paths: tuple[str, ...]) -> str:
    """What an executor is told whose result conflicted with trunk in these paths."""
    some = ", ".join(paths[:10])
    return (
        f"Meanwhile other tasks were merged, and your change conflicted with them in {some}. You start again, on top "
        "of what they did. Do the task again so that it fits."
    )


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
                    f"git -C {typed(where)} switch {typed(run.target.name)}",
                )
