"""A run put together from what git and the ledger know: its plan, its results, and the state of each task."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from msgspec.structs import replace

from git_cto.errors import UsageError, typed
from git_cto.gate.rounds import Standing, in_order, standing
from git_cto.gate.rule import BARRING
from git_cto.gate.trust import for_rounds
from git_cto.model import TRUNK, Plan, PlanRecord, Target, Task, TaskResult, VerdictRecord
from git_cto.repo.runs import PREFIX, check_run_id, results, run_and_task, runs, trunk_ref
from git_cto.work.surveying import latest_plan
from git_cto.work.workspace import run_series

if TYPE_CHECKING:
    from collections.abc import Collection

    from git_cto.gate.policy import Policy
    from git_cto.model import Record
    from git_cto.work.workspace import Workspace

State = Literal["waiting", "ready", "active", "done", "blocked", "failed", "fix"]


@dataclass(frozen=True)
class TaskView:
    """One task with everything that is known about it. `waits_for` are the dependencies without a result."""

    task: Task
    state: State
    branch: str  # short name; it exists only once the task was started
    result: TaskResult | None
    waits_for: tuple[str, ...]
    feedback: str  # of the last review, where it was not passed


@dataclass(frozen=True)
class Run:
    """A run. `trunk` is the commit its trunk stands at, None where the branch is not here (or was abandoned).

    `here` is whether one of its branches is checked out, `alone` whether no other run is here: that decides what has to
    be typed. `way_back` is what brings trunk here where it is not.
    """

    id: str
    record: Record
    plan_record: PlanRecord
    target: Target
    policy: Policy
    trunk: str | None
    tasks: tuple[TaskView, ...]
    standing: Standing
    records: tuple[Record, ...]
    merged: bool  # everything of trunk is in the target
    here: bool
    alone: bool
    way_back: str

    @property
    def option(self) -> str:
        """The option that says which run is meant, where a command would not know."""
        return "" if self.here or self.alone else f" --run {typed(self.id)}"

    @property
    def trunk_branch(self) -> str:
        """The name of trunk, as it is typed."""
        return typed(f"cto/{self.id}/{TRUNK}")

    def task(self, task_id: str) -> TaskView:
        """The task with this id; raises `UsageError` where the plan has none."""
        found = next((view for view in self.tasks if view.task.id == task_id), None)
        if found is None:
            known = ", ".join(view.task.id for view in self.tasks)
            raise UsageError(f"Run {self.id} has no task {task_id!r} (it has {known}).", f"git cto tasks {self.id}")
        return found

    def at_work_on(self, tasks: Collection[str]) -> Run:
        """The same run while somebody is at work on these tasks."""
        views = [dataclasses.replace(view, state="active") if view.task.id in tasks else view for view in self.tasks]
        return dataclasses.replace(self, tasks=tuple(views))


def choose_run(workspace: Workspace, name: str | None, command: str) -> str:
    """The run that is meant: `name`, else the one of the branch that is checked out, else the only one that is open.

    `command` is what to type, up to where the run is named.
    """
    if name:
        return check_run_id(name)
    current = workspace.current_run()
    if current:
        return current
    found = runs(workspace.git)
    if not found:
        raise UsageError("There is no run here.", 'git cto plan "OBJECTIVE" starts one')
    candidates = [run for run, trunk in sorted(found.items()) if len(found) == 1 or _is_open(workspace, run, trunk)]
    if len(candidates) == 1:
        return candidates[0]
    listed = (candidates or sorted(found))[:5]
    which = f"{len(candidates)} runs are open here and none is checked out"
    message = f"{which if candidates else 'All runs here are merged'} ({', '.join(listed)})."
    raise UsageError(message, f"name one: {command} {listed[0]}")


def trunk_here(workspace: Workspace, run: str) -> str:
    """The full ref of a run's trunk; raises `UsageError` where there is none here."""
    ref = trunk_ref(check_run_id(run))
    if workspace.git.read_ref(ref) is None:
        known = ", ".join(sorted(runs(workspace.git))[:5])
        raise UsageError(
            f"There is no run {run!r} here" + (f" (runs here: {known})." if known else "."), way_back(workspace, run)
        )
    return ref


def way_back(workspace: Workspace, run: str, last: str | None = None) -> str:
    """What brings a trunk here that is not. `last` is where it is known to have stood, if that commit is here."""
    from git_cto.work.setting_up import remotes  # noqa: PLC0415 -- start-up: only where something is missing

    trunk, found = typed(f"cto/{run}/{TRUNK}"), remotes(workspace.git)
    ways = [f"git fetch {typed('origin' if 'origin' in found else found[0])} {trunk}:{trunk}"] if found else []
    ways += [f"git branch {trunk} {last[:12]}"] if last else []
    return ", or ".join(ways) or "git cto log --all"


def required_trunk(run: Run) -> str:
    """The commit that a run's trunk stands at; raises `UsageError` where the branch is not here."""
    if run.trunk is None:
        raise UsageError(
            f"The branch cto/{run.id}/{TRUNK} is not here: it was abandoned, or it is elsewhere.",
            run.way_back,
            code="no_trunk",
        )
    return run.trunk


def _is_open(workspace: Workspace, run: str, trunk: str) -> bool:
    """Whether a run's trunk has something that is not in its target yet, or nothing at all so far."""
    plans = [
        record.body
        for record in in_order(workspace.ledger.find(series=f"run/{run}", objects=workspace.objects))
        if isinstance(record.body, PlanRecord)
    ]
    if not plans or trunk == plans[-1].start:
        return True
    return not workspace.git.is_ancestor(trunk, workspace.target(plans[-1].base or plans[-1].target).commit)


def load_run(workspace: Workspace, run_id: str) -> Run:
    """The run with this id; raises `UsageError` where the ledger has no plan of it."""
    records = workspace.ledger.find(series=f"run/{run_id}", objects=workspace.objects)
    record = latest_plan(records, run_id)
    if record is None:
        some = ", ".join(sorted(runs(workspace.git))[:5])
        raise UsageError(
            f"The ledger has no plan of a run {run_id!r}" + (f" (runs here: {some})." if some else "."),
            "git cto sync, if it was planned elsewhere",
        )
    target, policy = _judge(workspace, record)
    if policy.gate.trust == "signed":
        records = list(workspace.trusting(records, target))
        record = _plan_that_counts(workspace, records, record, run_id)
        target, policy = _judge(workspace, record)
    body = record.body
    assert isinstance(body, PlanRecord)  # noqa: S101 -- chosen above
    trunk = workspace.git.read_ref(trunk_ref(run_id))
    where = standing(for_rounds(records, policy.gate), run_series(run_id, target.ref), policy.rounds)
    body = replace(body, plan=current_plan(body.plan, where))
    others = runs(workspace.git).keys() - {run_id}
    last = trunk or _still_here(workspace, where)
    found = results(workspace.lens, body.start, last, run_id) if last else {}
    return Run(
        id=run_id,
        record=record,
        plan_record=body,
        target=target,
        policy=policy,
        trunk=trunk,
        tasks=_views(workspace, run_id, body, found, where, trunk),
        standing=where,
        records=tuple(records),
        merged=last is not None and last != body.start and workspace.git.is_ancestor(last, target.commit),
        here=workspace.current_run() == run_id,
        alone=not others,
        way_back="" if trunk else way_back(workspace, run_id, last or workspace.git.commit_of(body.start)),
    )


def _still_here(workspace: Workspace, where: Standing) -> str | None:
    """Where the last verdict saw the trunk of a run whose branches were removed, if that commit is here."""
    return workspace.git.commit_of(where.latest.subject.head) if where.latest else None


def _judge(workspace: Workspace, record: Record) -> tuple[Target, Policy]:
    """The target of a plan, and its policy."""
    plan = record.body
    assert isinstance(plan, PlanRecord)  # noqa: S101 -- what callers pass
    target = workspace.target(plan.base or plan.target)
    return target, workspace.policy(target)


def unsigned_plan(run_id: str, target: Target) -> UsageError:
    """A plan that nothing may be judged by."""
    return UsageError(
        f"The plan of the run {run_id!r} is signed by nobody who may, and only signed records count for {target.name}.",
        f"git cto sign cto/{run_id}/trunk, by an allowed signer",
        code="unsigned_plan",
    )


def _plan_that_counts(workspace: Workspace, records: list[Record], latest: Record, run_id: str) -> Record:
    """The latest plan that somebody allowed has signed, or that was made by this process.

    On one's own machine an unsigned one may be worked on where there is no other; what comes of it is judged later.
    """
    found = latest_plan([record for record in records if record.trusted], run_id)
    if found is None and workspace.demands_signatures:
        raise UsageError(
            f"The plan of the run {run_id!r} is not signed by anybody who may, and only signed records count here.",
            f"git cto sign cto/{run_id}/trunk, by an allowed signer",
            code="unsigned_plan",
        )
    return found or latest


def current_plan(plan: Plan, where: Standing) -> Plan:
    """The plan as the last verdict left it. Its record follows the verdict's; this holds if only the latter exists."""
    latest = where.latest.body if where.latest else None
    return plan.amended(latest.review.revised_tasks) if isinstance(latest, VerdictRecord) else plan


def _views(
    workspace: Workspace,
    run_id: str,
    body: PlanRecord,
    found: dict[str, TaskResult],
    where: Standing,
    trunk: str | None,
) -> tuple[TaskView, ...]:
    branches = {
        named[1]: oid
        for ref, oid in workspace.git.refs(f"{PREFIX}{run_id}/*").items()
        if (named := run_and_task(ref)) is not None
    }
    unmerged = {
        task
        for task, oid in branches.items()
        if trunk and task != "trunk" and not workspace.git.is_ancestor(oid, trunk)
    }
    current = run_and_task(workspace.git.head_ref())
    if current and current[0] == run_id:
        unmerged.add(current[1])
    feedback = feedback_of(body.plan, where)
    views = []
    for task in body.plan.in_order():
        result = found.get(task.id)
        waits = tuple(other for other in task.depends_on if other not in found)
        to_fix = task.id in feedback and (result is None or was_judged(workspace, result, where))
        state = _state(result, active=task.id in unmerged, to_fix=to_fix, waits=bool(waits))
        views.append(TaskView(task, state, f"cto/{run_id}/{task.id}", result, waits, feedback.get(task.id, "")))
    return tuple(views)


def _state(result: TaskResult | None, *, active: bool, to_fix: bool, waits: bool) -> State:
    if active:
        return "active"
    if to_fix and result is not None:
        return "fix"
    if result is not None:
        return result.outcome
    return "waiting" if waits else "ready"


def was_judged(workspace: Workspace, result: TaskResult | None, where: Standing) -> bool:
    """Whether the last verdict was on a head that has this result; a later result is an answer to the verdict."""
    if result is None or where.latest is None:
        return False
    return workspace.git.is_ancestor(result.commit, where.latest.subject.head)


def feedback_of(plan: Plan, where: Standing) -> dict[str, str]:
    """What the last verdict asks of which tasks; empty after an approval.

    An open finding goes to the tasks on its file. One on a file of no task goes to the last task, and so does a refusal
    that asks nothing of any task: there is always somewhere to go on.
    """
    body = where.latest.body if where.latest else None
    if not isinstance(body, VerdictRecord) or body.verdict == "approve":
        return {}
    said: dict[str, list[str]] = {}
    for one in body.review.task_reviews:
        if one.status != "pass" or any(not criterion.met for criterion in one.criteria):
            said.setdefault(one.task_id, []).append(one.feedback or "not passed")
    for result in (one for one in body.results if one.outcome != "done"):
        said.setdefault(result.task_id, []).append(f"it was recorded as {result.outcome}: {result.summary[:300]}")
    for task in body.review.revised_tasks:
        said.setdefault(task.id, []).append(f"the task was revised: {task.description}")
    last = plan.in_order()[-1].id
    for finding in (one for one in body.open_findings if one.severity in BARRING):
        for task_id in [task.id for task in plan.tasks if task.target == finding.path] or [last]:
            said.setdefault(task_id, []).append(f"[{finding.id}] {finding.where}: {finding.body}")
    if not said and body.verdict == "revise":
        said[last] = ["; ".join((body.review.reason or body.review.summary, *body.downgrades))]
    return {task: " ".join(words) for task, words in said.items()}
