"""What is known of a change before anybody judges it: head, target, policy, the change itself, records and rounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from git_cto.errors import UsageError
from git_cto.gate.decision import covers
from git_cto.gate.rounds import Standing, in_order, standing
from git_cto.gate.trust import for_rounds
from git_cto.ledger.records import united
from git_cto.model import Change, OverrideRecord, PlanRecord, Record, Series, Target, VerdictRecord
from git_cto.repo.change import identify, merge_base
from git_cto.repo.resolve import Head, resolve_head
from git_cto.repo.runs import branch_at, run_and_task
from git_cto.work.workspace import head_series, run_series

if TYPE_CHECKING:
    from collections.abc import Iterable

    from git_cto.gate.policy import Policy
    from git_cto.work.workspace import Workspace


class Survey(Struct, frozen=True, kw_only=True):
    """A change and everything that git and the ledger know of it.

    `records` are all that were found; where signatures count, each with the signers whom the target allows. `standing`
    goes by those that count.
    """

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
    def counted(self) -> tuple[Record, ...]:
        """The records that rounds and standing verdicts go by: where signatures count, not everything does."""
        return tuple(for_rounds(self.records, self.policy.gate))

    @property
    def about(self) -> tuple[Record, ...]:
        """The verdicts that count on exactly this change for this target, whoever asked.

        Where signatures count, an unsigned one that says its commands have passed takes no failure back.
        """
        unsigned_count = self.policy.gate.trust != "signed"
        return tuple(
            one
            for one in self.counted
            if isinstance(one.body, VerdictRecord)
            and one.subject.change == self.change.id
            and one.body.target == self.target.ref
            and (unsigned_count or one.trusted or not all(command.passed for command in one.body.commands))
        )

    @property
    def decisive(self) -> list[Record]:
        """What judges or overrides exactly this change for this target, in order, whether or not it counts."""
        return [one for one in in_order(self.records) if covers(one, self.change, self.target)]

    @property
    def plan_record(self) -> Record | None:
        """The run's latest plan that counts."""
        return latest_plan(self.counted, self.run)


def latest_plan(records: Iterable[Record], run: str | None) -> Record | None:
    """The latest plan of a run among these records."""
    plans = [one for one in in_order(records) if isinstance(one.body, PlanRecord) and one.body.run == run]
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
        base = base or (None if target else _planned_base(workspace, records, run))
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
    if policy.gate.trust == "signed":
        everything = list(workspace.trusting(_those_that_decide_first(everything, change), target))
    return Survey(
        head=found,
        target=target,
        policy=policy,
        change=change,
        run=run,
        series=series,
        records=tuple(everything),
        standing=standing(for_rounds(everything, policy.gate), series, policy.rounds),
        base=named,
    )


def _plans_of_others(workspace: Workspace, about: list[Record], run: str | None) -> list[Record]:
    """The plans of the other runs that judged this change: it may have been merged, or be asked about by its id."""
    judged = {record.body.run for record in about if isinstance(record.body, VerdictRecord)} - {"", run}
    found = (workspace.ledger.find(series=f"run/{other}", objects=workspace.objects) for other in sorted(judged))
    return [record for records in found for record in records if isinstance(record.body, PlanRecord)]


def _those_that_decide_first(records: list[Record], change: Change) -> list[Record]:
    """The records in the order in which their signatures are worth checking: only so many are."""

    def place(record: Record) -> tuple[bool, bool]:
        decides = isinstance(record.body, VerdictRecord | OverrideRecord) and record.subject.change == change.id
        return not decides, not isinstance(record.body, PlanRecord)

    newest_first = sorted(records, key=lambda record: record.body.time, reverse=True)
    return sorted(newest_first, key=place)


def _planned_base(workspace: Workspace, records: list[Record], run: str) -> str | None:
    """The target that the run was planned for.

    A plan chooses its own judge: where only signed records count, by whatever is asked here or by the policy of the
    target that is found without it, it has to be signed by somebody whom that target allows.
    """
    usual = _demanding(workspace)
    if usual is not None:
        records = [record for record in workspace.trusting(records, usual) if record.trusted]
    found = latest_plan(records, run)
    plan = found.body if found else None
    return (plan.base or plan.target) if isinstance(plan, PlanRecord) else None


def _demanding(workspace: Workspace) -> Target | None:
    """The target that is found without a plan, if only signed records count there. Raises `PolicyError`."""
    if workspace.demands_signatures:
        return workspace.target(None)
    try:
        usual = workspace.target(None)
    except UsageError:
        return None  # there is none that a plan could lead away from
    return usual if workspace.policy(usual).gate.trust == "signed" else None
