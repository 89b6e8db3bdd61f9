"""The loop: do the tasks, verify, review, and again, until there is an approval, an abort, or a human is needed.

Everything it knows it reads from git and the ledger at the start of each round, so that it can be picked up again
wherever it was stopped.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from git_cto.agents import strays
from git_cto.agents.process import termination_unwinds
from git_cto.errors import AbortedError, EscalatedError, UsageError
from git_cto.model import display_path
from git_cto.repo import worktrees
from git_cto.repo.runs import trunk_ref
from git_cto.work import crew as crews
from git_cto.work.asking import Asker
from git_cto.work.briefing import prepare
from git_cto.work.by_hand import wait_for_results
from git_cto.work.composing import compose
from git_cto.work.costs import taken_so_far
from git_cto.work.deciding import go_on
from git_cto.work.progress import STATE, Event, Progress
from git_cto.work.reviewing import review
from git_cto.work.runs import Run, load_run
from git_cto.work.surveying import survey
from git_cto.work.verdicts import standing_verdict
from git_cto.work.verifying import verify

if TYPE_CHECKING:
    from git_cto.model import CommandOutcome
    from git_cto.work.briefing import Brief
    from git_cto.work.surveying import Survey
    from git_cto.work.verdicts import Reviewed
    from git_cto.work.workspace import Workspace

_GRACE = 3.0  # seconds between TERM and KILL for what agents left running

Cause = Literal["approved", "aborted", "rounds", "unchanged", "nothing", "conflict", "budget", "meddled"]
_FOR_A_HUMAN: frozenset[Cause] = frozenset({"rounds", "unchanged", "nothing", "meddled"})


@dataclass(frozen=True, kw_only=True)
class Means:
    """What the loop has: who does tasks, who reviews, and who is asked when it is stuck.

    `ask_human` gets why the loop stopped and returns a reason to go on, or None; `verify` says whether verification
    commands run, if they may; `doubts` is what was said of why a verdict will count for nobody else.
    """

    crew: crews.Crew
    reviewer: Asker
    by_hand: bool = False  # a person does the tasks, not the crew
    model: str | None = None
    effort: str | None = None
    verify: bool = False
    doubts: tuple[str, ...] = ()
    ask_human: Callable[[str], str | None] = lambda _: None

    @property
    def progress(self) -> Progress:
        """What is going on, and what was taken."""
        return self.crew.progress

    def do_tasks(self, workspace: Workspace, run: Run, *, again: str, resumed: bool) -> bool:
        """Has all open tasks done, and those that came to nothing where there is a reason to try them `again`.

        Returns whether all have a result now.
        """
        if self.by_hand:
            wait_for_results(workspace, run, self.progress, self.crew.doing.stop)
            return True
        crews.refuse_checked_out(workspace, run)
        return crews.do_tasks(workspace, run, self.crew, again=again, resumed=resumed)


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How the loop ended, for which cause, and why in a sentence. `behind` counts what the target has and trunk not."""

    how: Literal["approved", "aborted", "escalated"]
    cause: Cause
    why: str
    behind: int = 0


def loop(workspace: Workspace, run_id: str, means: Means) -> Ended:
    """Goes round until it ends. Raises `CtoError` where a tool fails; it can be called again then."""
    with _alone(workspace, run_id):
        means.progress.by_hand = means.by_hand
        _take_up(workspace, run_id, means.progress)
        again, resumed = "", True  # what a human says to tasks that came to nothing
        while True:
            run = load_run(workspace, run_id)
            means.progress.round = run.standing.round
            ended = _stuck(run) or _round(workspace, run, means, again, resumed=resumed)
            again, resumed = _human(workspace, run_id, means, ended) if ended else "", False
            if ended and not again:
                return replace(ended, behind=_behind(workspace, run_id))


def _stuck(run: Run) -> Ended | None:
    """The end of a run that waits for a human."""
    if run.standing.aborted:
        why = "The reviewer said abort, and nobody has said to go on."
        return Ended(how="aborted", cause="aborted", why=why)
    if run.standing.escalated:
        why = "No approval in the last rounds, and nobody has said to go on."
        return Ended(how="escalated", cause="rounds", why=why)
    return None


def _round(workspace: Workspace, run: Run, means: Means, again: str, *, resumed: bool) -> Ended | None:
    """All open tasks and one review; None where there is another round."""
    done = means.do_tasks(workspace, run, again=again, resumed=resumed)
    return _judge(workspace, run, means) if done and means.crew.may_go_on() else _over(means)


def _judge(workspace: Workspace, run: Run, means: Means) -> Ended | None:
    """One review of a run, as it was before its tasks were done; None where there is another round."""
    found = survey(workspace, head=trunk_ref(run.id), base=None, run=run.id)
    meddled = "" if means.by_hand else _meddled(run, found)
    if meddled:
        return Ended(how="escalated", cause="meddled", why=meddled)
    if not found.change.files:
        why = "No task has changed anything, so there is nothing to review."
        return Ended(how="escalated", cause="nothing", why=why)
    try:
        brief = prepare(workspace, found, claim="", dispute="")
    except UsageError as error:
        if error.code != "conflict":
            raise
        return Ended(how="escalated", cause="conflict", why=error.message)
    outcomes = _verified(workspace, brief, means)
    try:
        done = standing_verdict(brief, outcomes) or _asked(workspace, brief, outcomes, means)
    except (EscalatedError, AbortedError) as stuck:
        how: Literal["aborted", "escalated"] = "aborted" if isinstance(stuck, AbortedError) else "escalated"
        return Ended(how=how, cause="aborted" if how == "aborted" else "rounds", why=stuck.message)
    return _after(done) or (None if means.crew.may_go_on() else _over(means))


def _meddled(run: Run, found: Survey) -> str:
    """What was recorded or ruled while tasks were done, "" for nothing: none of it is an executor's to do."""
    known = {record.id for record in run.records}
    new = [one for one in found.records if one.id not in known and one.body.series == found.series.name]
    if new:
        return f"While tasks were done somebody else recorded something of this run: {len(new)} new in its series."
    if found.policy.digest != run.policy.digest:
        return f"While tasks were done somebody changed the policy on {found.target.name}."
    return ""


def _after(done: Reviewed) -> Ended | None:
    """What a verdict ends, if it ends anything."""
    said = done.verdict.review.reason or done.verdict.review.summary
    if done.verdict.verdict == "approve":
        return Ended(how="approved", cause="approved", why=said)
    if done.verdict.verdict == "abort":
        return Ended(how="aborted", cause="aborted", why=said)
    if done.after.escalated:
        why = f"Round {done.verdict.round} said revise again: {said}"
        return Ended(how="escalated", cause="rounds", why=why)
    if not done.asked:
        why = f"This was judged before, and nothing has changed since: {said}"
        return Ended(how="escalated", cause="unchanged", why=why)
    return None


def _verified(workspace: Workspace, brief: Brief, means: Means) -> tuple[CommandOutcome, ...]:
    if not means.verify or not all(means.crew.doing.may_run(command) for command in brief.commands):
        return ()
    found = brief.survey

    def told(text: str) -> None:
        means.progress.tell(Event(kind="verifying", text=text))

    timeout = found.policy.verify.timeout
    return verify(workspace, found.change.head, brief.commands, timeout=timeout, told=told, run=found.run or "")


def _asked(workspace: Workspace, brief: Brief, outcomes: tuple[CommandOutcome, ...], means: Means) -> Reviewed:
    question = compose(workspace, brief, outcomes, model=means.model, effort=means.effort, asker=means.reviewer)
    means.progress.tell(Event(kind="reviewing", text=question.question.model, round=brief.survey.standing.round))
    done = review(workspace, question, means.reviewer, before=means.doubts, counts=not means.doubts)
    means.progress.reviewed(done.verdict.engine, done.verdict.verdict, done.verdict.said)
    for finding in done.verdict.open_findings:
        means.progress.tell(Event(kind="note", text=f"{finding.severity} {finding.where}: {finding.body}"))
    return done


def _human(workspace: Workspace, run_id: str, means: Means, ended: Ended) -> str:
    """A human's reason to go on where the loop would end, which is recorded; "" where it ends."""
    if ended.cause not in _FOR_A_HUMAN:
        return ""
    reason = means.ask_human(ended.why) or ""
    if reason and ended.cause == "rounds":
        go_on(workspace, run_id, reason=reason, base=None)
    return reason


def _over(means: Means) -> Ended:
    taken = means.progress
    why = f"The budget is used up: {taken.tokens:,} tokens, ${taken.cost:.2f}."
    return Ended(how="escalated", cause="budget", why=why)


def _behind(workspace: Workspace, run_id: str) -> int:
    """How many commits the target has that trunk has not: it moved meanwhile."""
    run = load_run(workspace, run_id)
    counted = workspace.git.run("rev-list", "--count", run.target.commit, f"^{run.trunk}") if run.trunk else b"0"
    return int(counted)


def _take_up(workspace: Workspace, run_id: str, progress: Progress) -> None:
    """What an earlier loop left: results that are committed, and what it took."""
    run = load_run(workspace, run_id)
    crews.take_up(workspace, run)
    worktrees.clear(workspace.git, run_id, trunk_ref(run_id).rsplit("/", 1)[0])
    progress.taken[:] = taken_so_far(workspace, run)
    progress.state = worktrees.home(workspace.git, run_id) / STATE


@contextmanager
def _alone(workspace: Workspace, run_id: str) -> Iterator[None]:
    """Only one loop works on a run. What agents left running ends, that of an earlier loop which was killed too."""
    mark = str(worktrees.home(workspace.git, run_id))
    with termination_unwinds(), worktrees.alone(workspace.git, run_id) as alone:
        if not alone:
            raise UsageError(f"Another process is at work on {run_id}.", f"git cto status {run_id}", code="busy")
        strays.end_all(mark, _GRACE)
        strays.end_all(mark, _GRACE, strays.REST)
        try:
            with strays.marked(mark):
                yield
        except BaseException:
            strays.end_all(mark, _GRACE, strays.REST)
            raise
        finally:
            strays.end_all(mark, _GRACE)


def abandon(workspace: Workspace, run: Run) -> dict[str, str]:
    """Removes the worktrees and branches of a run; its records stay.

    Returns the branches that were removed and where they stood: git keeps no log of a branch that is gone.
    """
    crews.refuse_checked_out(workspace, run)
    with _alone(workspace, run.id):
        prefix = trunk_ref(run.id).rsplit("/", 1)[0]
        worktrees.clear(workspace.git, run.id, prefix)
        found = workspace.git.refs(f"{prefix}/")
        commands = "".join(f"delete {ref} {commit}\n" for ref, commit in found.items())
        # Without following a ref that somebody made a link to another branch: that one is not the run's.
        workspace.git.run("update-ref", "--no-deref", "-m", "git cto abandon", "--stdin", data=os.fsencode(commands))
        names = (display_path(os.fsencode(ref.removeprefix("refs/heads/"))) for ref in found)
        return dict(zip(names, found.values(), strict=True))
