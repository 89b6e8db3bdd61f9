"""The loop: do the tasks, verify, review, and again, until there is an approval, an abort, or a human is needed.

Everything it knows it reads from git and the ledger at the start of each round, so that it can be picked up again
wherever it was stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from git_cto.errors import AbortedError, EscalatedError, UsageError
from git_cto.repo import worktrees
from git_cto.repo.runs import trunk_ref
from git_cto.work import crew as crews
from git_cto.work import reviewing
from git_cto.work.asking import Asker
from git_cto.work.by_hand import wait_for_results
from git_cto.work.deciding import go_on
from git_cto.work.progress import AtWork, Event, Progress, read_state
from git_cto.work.runs import Run, load_run
from git_cto.work.surveying import survey
from git_cto.work.verifying import verify

if TYPE_CHECKING:
    from git_cto.model import CommandOutcome
    from git_cto.work.reviewing import Brief, Reviewed
    from git_cto.work.workspace import Workspace


STATE = "state.json"  # beside the worktrees: what `git cto status` shows of a loop at work


@dataclass(frozen=True, kw_only=True)
class Means:
    """What the loop has: who does tasks, who reviews, and who is asked when it is stuck.

    `ask_human` gets why the loop stopped and returns a reason to go on, or None; `verify` says whether verification
    commands may run.
    """

    crew: crews.Crew
    reviewer: Asker
    by_hand: bool = False  # a person does the tasks, not the crew
    model: str | None = None
    effort: str | None = None
    verify: bool = False
    ask_human: Callable[[str], str | None] = lambda _: None

    @property
    def progress(self) -> Progress:
        """What is going on, and what was taken."""
        return self.crew.progress

    def do_tasks(self, workspace: Workspace, run: Run) -> int:
        """Has all open tasks done; returns how many that were."""
        if self.by_hand:
            return wait_for_results(workspace, run, self.progress, self.crew.doing.stop)
        crews.refuse_checked_out(workspace, run)
        return crews.do_tasks(workspace, run, self.crew)


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How the loop ended, and why in a sentence."""

    how: Literal["approved", "aborted", "escalated"]
    why: str
    reviewed: Reviewed | None = None


def loop(workspace: Workspace, run_id: str, means: Means) -> Ended:
    """Goes round until it ends. Raises `CtoError` where a tool fails; it can be called again then."""
    with _alone(workspace, run_id):
        means.progress.state = worktrees.home(workspace.git, run_id) / STATE
        while True:
            run = load_run(workspace, run_id)
            means.progress.round = run.standing.round
            ended = _stuck(workspace, run, means)
            if ended is None:
                done = means.do_tasks(workspace, run)
                ended = _judge(workspace, run_id, means, tried=done > 0) if means.crew.may_go_on() else _over(means)
            if ended is not None:
                return ended


def _stuck(workspace: Workspace, run: Run, means: Means) -> Ended | None:
    """The end of a run that waits for a human, unless one says to go on."""
    if run.standing.aborted:
        return _ask_human(workspace, run.id, means, "The reviewer said abort, and nobody has said to go on.")
    if run.standing.escalated:
        return _ask_human(workspace, run.id, means, "No approval in the last rounds, and nobody has said to go on.")
    return None


def _judge(  # noqa: PLR0911 -- one return for each way to end
    workspace: Workspace, run_id: str, means: Means, *, tried: bool
) -> Ended | None:
    """One review; None where there is another round."""
    found = survey(workspace, head=trunk_ref(run_id), base=None, run=run_id)
    if not found.change.files:
        return _ask_human(workspace, run_id, means, "No task has changed anything, so there is nothing to review.")
    brief = reviewing.prepare(workspace, found, claim="", dispute="")
    outcomes = _verified(workspace, brief, means)
    try:
        done = reviewing.standing_verdict(brief, outcomes) or _asked(workspace, brief, outcomes, means)
    except (EscalatedError, AbortedError) as stuck:
        return _ask_human(workspace, run_id, means, stuck.message)
    said = done.verdict.review.reason or done.verdict.review.summary
    if done.verdict.verdict == "approve":
        return Ended(how="approved", why=said, reviewed=done)
    if done.verdict.verdict == "abort":
        return Ended(how="aborted", why=said, reviewed=done)
    if done.after.escalated:
        return _ask_human(workspace, run_id, means, f"Round {done.verdict.round} said revise again: {said}", done)
    if tried and not done.asked:
        return Ended(how="escalated", why=f"The tasks were tried again and nothing changed: {said}", reviewed=done)
    return None if means.crew.may_go_on() else _over(means)


def _verified(workspace: Workspace, brief: Brief, means: Means) -> tuple[CommandOutcome, ...]:
    if not means.verify:
        return ()
    found = brief.survey

    def told(text: str) -> None:
        means.progress.tell(Event(kind="verifying", text=text))

    return verify(workspace, found.change.head, brief.commands, timeout=found.policy.verify.timeout, told=told)


def _asked(workspace: Workspace, brief: Brief, outcomes: tuple[CommandOutcome, ...], means: Means) -> Reviewed:
    question = reviewing.compose(
        workspace, brief, outcomes, model=means.model, effort=means.effort, asker=means.reviewer
    )
    means.progress.tell(Event(kind="reviewing", text=question.question.model, round=brief.survey.standing.round))
    done = reviewing.review(workspace, question, means.reviewer)
    means.progress.reviewed(done.verdict.engine, done.verdict.verdict, done.verdict.review.summary)
    for finding in done.verdict.open_findings:
        means.progress.tell(Event(kind="note", text=f"{finding.severity} {finding.where}: {finding.body}"))
    return done


def _ask_human(workspace: Workspace, run_id: str, means: Means, why: str, done: Reviewed | None = None) -> Ended | None:
    """Goes on where a human says to, which is recorded; else the loop is escalated."""
    reason = means.ask_human(why)
    if not reason:
        return Ended(how="escalated", why=why, reviewed=done)
    with suppress(UsageError):  # it was neither escalated nor aborted: going on is all there is to it
        go_on(workspace, run_id, reason=reason, base=None)
    return None


def _over(means: Means) -> Ended:
    taken = means.progress
    return Ended(how="escalated", why=f"The budget is used up: {taken.tokens:,} tokens, ${taken.cost:.2f}.")


@contextmanager
def _alone(workspace: Workspace, run_id: str) -> Iterator[None]:
    """Only one loop works on a run; what an earlier one that was killed left behind is cleared away."""
    with worktrees.alone(workspace.git, run_id) as alone:
        if not alone:
            raise UsageError(f"Another process is at work on {run_id}.", f"git cto status {run_id}")
        worktrees.clear(workspace.git, run_id)
        yield


def abandon(workspace: Workspace, run: Run) -> tuple[str, ...]:
    """Removes the worktrees and branches of a run; its records stay. Returns the branches that were removed."""
    crews.refuse_checked_out(workspace, run)
    with _alone(workspace, run.id):
        prefix = trunk_ref(run.id).rsplit("/", 1)[0]
        found = workspace.git.refs(f"{prefix}/*")
        commands = "".join(f"delete {ref} {commit}\n" for ref, commit in found.items())
        workspace.git.run("update-ref", "-m", "git cto abandon", "--stdin", data=commands.encode())
        return tuple(ref.removeprefix("refs/heads/") for ref in found)


def at_work(workspace: Workspace, run_id: str) -> AtWork | None:
    """What another process is doing on a run right now; None where none is."""
    if not worktrees.busy(workspace.git, run_id):
        return None
    state = read_state(worktrees.home(workspace.git, run_id) / STATE)
    return state or AtWork(pid=0, tokens=0, cost=0.0, doing={})
