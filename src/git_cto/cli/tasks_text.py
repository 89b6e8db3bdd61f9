"""What the verbs about tasks say beyond the tasks themselves: hints on each, and what to type next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from git_cto.errors import typed
from git_cto.model import VerdictRecord

if TYPE_CHECKING:
    from git_cto.work.runs import Run


_STUCK = frozenset({"fix", "blocked", "failed"})


def hints(run: Run) -> dict[str, str]:
    """One line for each task that has something to be said of it."""
    found = {}
    for view in run.tasks:
        if view.state == "fix":
            found[view.task.id] = f"→ {view.feedback}"
        elif view.state in {"blocked", "failed"} and view.result:
            found[view.task.id] = f"→ {view.result.summary.removeprefix(f'{view.task.id}: ')}"
        elif view.state == "waiting":
            found[view.task.id] = f"→ waits for {', '.join(view.waits_for)}"
        elif view.state == "active":
            found[view.task.id] = f"→ on {view.branch}"
    return found


def next_steps(run: Run, *, busy: bool = False) -> list[tuple[str, str]]:
    """What to type next: the command, and what it does. `busy` is whether a loop is at work on the run."""
    where = run.standing
    if where.escalated or where.aborted:
        return [(f"git cto continue {typed(run.id)} --reason TEXT", "the loop has stopped, and a human is asked")]
    if run.trunk is None:
        return _without_trunk(run)
    for state, command, why in (
        ("active", "git cto finish -m SUMMARY", "when {} is done"),
        ("fix", f"git cto start {{}}{run.option}", "mend what the review found"),
        ("ready", f"git cto start {{}}{run.option}", "do it"),
    ):
        task = next((view.task.id for view in run.tasks if view.state == state), None)
        if task:
            steps = [(command.format(task), why.format(task))]
            if state == "active":
                steps.insert(0, (f"git cto start {task}{run.option}", "be on its branch"))
            return steps
    return [(f"git cto status {run.id}", "the loop goes on by itself")] if busy else [_settled(run)]


def _settled(run: Run) -> tuple[str, str]:
    """What to type where every task has its result."""
    if run.merged:
        return _merged(run)
    if all(view.state in {"blocked", "failed"} for view in run.tasks):  # there is nothing to be judged
        return f"git cto start {run.tasks[0].task.id}{run.option}", "try it again"
    if _approved(run):
        return "git cto gate" + ("" if run.here else f" {run.trunk_branch}"), "may it be merged?"
    return "git cto review" + ("" if run.here else f" --run {typed(run.id)}"), "have the change judged"


def _merged(run: Run) -> tuple[str, str]:
    return f"git show {typed(run.target.name)}", f"it is merged into {run.target.name}: nothing is left to do"


def _without_trunk(run: Run) -> list[tuple[str, str]]:
    """What to type where a run was abandoned, or is elsewhere."""
    if run.merged:
        return [_merged(run)]
    return [
        (run.way_back, ""),
        (f"git cto show {run.id}", "its plan"),
    ]


def needs(run: Run) -> list[tuple[str, str]]:
    """The tasks that somebody has to look at, and why."""
    found = hints(run)
    return [(view.task.id, found[view.task.id].removeprefix("→ ")) for view in run.tasks if view.state in _STUCK]


def _approved(run: Run) -> bool:
    """Whether the last verdict approved what trunk holds."""
    latest = run.standing.latest
    return (
        latest is not None
        and isinstance(latest.body, VerdictRecord)
        and latest.body.verdict == "approve"
        and latest.subject.head == run.trunk
    )
