"""What the verbs about tasks say beyond the tasks themselves: hints on each, and what to type next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from git_cto.model import VerdictRecord

if TYPE_CHECKING:
    from git_cto.work.runs import Run


def hints(run: Run) -> dict[str, str]:
    """One line for each task that has something to be said of it."""
    found = {}
    for view in run.tasks:
        if view.state == "fix":
            found[view.task.id] = f"→ {view.feedback}"
        elif view.state in {"blocked", "failed"} and view.result:
            found[view.task.id] = f"→ {view.result.summary}"
        elif view.state == "waiting":
            found[view.task.id] = f"→ waits for {', '.join(view.waits_for)}"
        elif view.state == "active":
            found[view.task.id] = f"→ on {view.branch}"
    return found


def next_steps(run: Run) -> list[tuple[str, str]]:
    """What to type next: the command, and what it does."""
    where = run.standing
    if where.escalated or where.aborted:
        return [(f"git cto continue {run.id} --reason TEXT", "the loop has stopped, and a human is asked")]
    for state, command, why in (
        ("active", "git cto finish -m SUMMARY", "when {} is done"),
        ("fix", "git cto start {}", "mend what the review found"),
        ("ready", "git cto start {}", "do it"),
    ):
        task = next((view.task.id for view in run.tasks if view.state == state), None)
        if task:
            steps = [(command.format(task), why.format(task))]
            if state == "active":
                steps.insert(0, (f"git cto start {task}", "be on its branch"))
            return steps
    if run.merged:
        return [(f"git show {run.target.name}", f"it is merged into {run.target.name}: nothing is left to do")]
    if _approved(run):
        return [("git cto gate", "may it be merged?")]
    return [("git cto review", "have the change judged")]


def _approved(run: Run) -> bool:
    """Whether the last verdict approved what trunk holds."""
    latest = run.standing.latest
    return (
        latest is not None
        and isinstance(latest.body, VerdictRecord)
        and latest.body.verdict == "approve"
        and latest.subject.head == run.trunk
    )
