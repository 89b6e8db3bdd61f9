"""What a run has taken so far, as the ledger and the result commits say: tokens of both agents, US dollars."""

from __future__ import annotations

from typing import TYPE_CHECKING

from git_cto.gate.rounds import in_order
from git_cto.model import PlanRecord, TaskResult, VerdictRecord
from git_cto.repo.runs import PREFIX, all_results
from git_cto.work.progress import Taken

if TYPE_CHECKING:
    from git_cto.model import EngineUse
    from git_cto.work.runs import Run
    from git_cto.work.workspace import Workspace


def taken_so_far(workspace: Workspace, run: Run) -> list[Taken]:
    """Plan, tasks and reviews, in the order they happened. A call that was cut short has left no trace."""
    plans = [record.body for record in in_order(run.records) if isinstance(record.body, PlanRecord)]
    taken = [_asked("plan", 1, plans[0].engine)] if plans else []
    tips = sorted(set(workspace.git.refs(f"{PREFIX}{run.id}/*").values()))
    done = all_results(workspace.lens, run.plan_record.start, tips, run.id) if tips else []
    for record in run.standing.verdicts:
        body = record.body
        if isinstance(body, VerdictRecord):
            judged = {one.commit for one in body.results}
            last = max((place for place, one in enumerate(done) if one.commit in judged), default=-1)
            taken += _tasks(done[: last + 1])
            done = done[last + 1 :]
            taken.append(_asked("review", body.round, body.engine))
    return taken + _tasks(done)


def _asked(phase: str, number: int, engine: EngineUse) -> Taken:
    return Taken(
        phase="plan" if phase == "plan" else "review",
        task="",
        round=number,
        agent=f"{engine.engine} {engine.model}",
        tokens=engine.tokens,
        cost=0.0,
    )


def _tasks(results: list[TaskResult]) -> list[Taken]:
    return [
        Taken(phase="task", task=one.task_id, round=one.round, agent=one.executor, tokens=one.tokens, cost=one.cost)
        for one in results
        if one.executor
    ]
