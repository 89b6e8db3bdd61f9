"""What is known of a change before anybody judges it: head, target, policy, the change itself, records and rounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from git_cto.gate.rounds import Standing, in_order, standing
from git_cto.ledger.records import united
from git_cto.model import Change, PlanRecord, Record, Series, Target, VerdictRecord
from git_cto.repo.change import identify, merge_base
from git_cto.repo.resolve import Head, resolve_head
from git_cto.repo.runs import branch_at, run_and_task
from git_cto.work.workspace import head_series, run_series

if TYPE_CHECKING:
    from git_cto.gate.policy import Policy
    from git_cto.work.workspace import Workspace


class Survey(Struct, frozen=True, kw_only=True):
    """A change and everything that git and the ledger know of it."""

    head: Head
    target: Target
    policy: Policy
    change: Change
    run: str | None
    series: Series
    records: tuple[Record, ...]
    standing: Standing
    base: str | None = None  # what the user named

    @property
    def about(self) -> tuple[Record, ...]:
        """The verdicts on exactly this change for this target, whoever asked."""
        return tuple(
            one
            for one in self.records
            if isinstance(one.body, VerdictRecord)
            and one.subject.change == self.change.id
            and one.body.target == self.target.ref
        )

    @property
    def plan_record(self) -> Record | None:
        """The run's latest plan."""
        plans = [one for one in in_order(self.records) if isinstance(one.body, PlanRecord) and one.body.run == self.run]
        return plans[-1] if plans else None


def survey(
    workspace: Workspace,
    *,
    head: str | Head | None,
    base: str | None,
    run: str | None,
    target: Target | None = None,
    series: Series | None = None,
) -> Survey:
    """Looks everything up, once. `run` is None where the head's branch should tell.

    `target` takes the place of `base` where the caller knows better where the target stands, and `series` is what
    rounds are counted in where that is neither the run nor the branch. Raises `UsageError` and `ToolError` where the
    place does not allow to say what the change is.
    """
    named = base
    found = head if isinstance(head, Head) else resolve_head(workspace.git, head, workspace.objects)
    branch = found.ref or branch_at(workspace.git, found.commit)  # its rounds count, by whatever name it is asked about
    of_branch = run_and_task(branch)
    run = run or (of_branch[0] if of_branch else None)
    records: list[Record] = []
    if run:
        records = workspace.ledger.find(series=f"run/{run}", objects=workspace.objects)
        base = base or _planned_base(records, run)
    target = target or workspace.target(base)
    if series is None:
        series = run_series(run, target.ref) if run else head_series(Head(found.commit, branch), target.ref)
    start = merge_base(workspace.lens, target.commit, found.commit, target.name)
    change = identify(workspace.lens, start, found.commit)
    about = workspace.ledger.find(
        head=found.commit,
        change=change.id,
        series=None if series.name == f"run/{run}" else series.name,
        objects=workspace.objects,
    )
    everything = united((*records, *about, *_plans_of_others(workspace, about, run)))
    policy = workspace.policy(target)
    return Survey(
        head=found,
        target=target,
        policy=policy,
        change=change,
        run=run,
        series=series,
        records=tuple(everything),
        standing=standing(everything, series, policy.rounds),
        base=named,
    )


def _plans_of_others(workspace: Workspace, about: list[Record], run: str | None) -> list[Record]:
    """The plans of the other runs that judged this change: it may have been merged, or be asked about by its id."""
    judged = {record.body.run for record in about if isinstance(record.body, VerdictRecord)} - {"", run}
    found = (workspace.ledger.find(series=f"run/{other}", objects=workspace.objects) for other in sorted(judged))
    return [record for records in found for record in records if isinstance(record.body, PlanRecord)]


def _planned_base(records: list[Record], run: str) -> str | None:
    """The target that the run was planned for."""
    plans = [one.body for one in in_order(records) if isinstance(one.body, PlanRecord) and one.body.run == run]
    return (plans[-1].base or plans[-1].target) if plans else None
