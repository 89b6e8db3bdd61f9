"""What a review is about, before anything is asked: plan, results, claims; refuses what cannot be reviewed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from git_cto.errors import UsageError, typed
from git_cto.model import (
    Plan,
    PlanRecord,
    TaskResult,
)
from git_cto.redaction import redacted, secret_values
from git_cto.repo.change import conflicts, fetch_missing
from git_cto.repo.git import changed_paths
from git_cto.repo.runs import results, runs
from git_cto.work.runs import current_plan, unsigned_plan
from git_cto.work.surveying import latest_plan

if TYPE_CHECKING:
    from git_cto.gate.policy import Policy
    from git_cto.work.surveying import Survey
    from git_cto.work.workspace import Workspace

LARGEST_CLAIM = 20_000  # characters
_NO_UNICODE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, kw_only=True)
class Brief:
    """A change that is ready to be reviewed, except for the verification: who did what, under which plan.

    `claim` is what whoever asks says of the whole, `messages` what the commits say where policy has that sent.
    `checked_out` is whether its head is, `here` whether a branch of its run is: what to type next depends on it.
    """

    survey: Survey
    plan: Plan | None
    results: tuple[TaskResult, ...]
    commands: tuple[str, ...]  # that verification would run
    claim: str
    dispute: str
    uncommitted: tuple[str, ...]
    messages: str = ""
    checked_out: bool = True
    here: bool = True


def prepare(workspace: Workspace, found: Survey, *, claim: str, dispute: str) -> Brief:
    """Refuses what cannot be reviewed, and gathers plan and results. Raises `UsageError`."""
    change, target = found.change, found.target
    uncommitted = tuple(changed_paths(workspace.git))
    if not change.files:
        hint = "git commit your work first" if uncommitted else "commit something, or name another --base"
        if runs(workspace.git) and not found.run:
            hint += ", or a run with --run"
        raise UsageError(f"{found.head.name} changes nothing compared with {target.name}.", hint, code="empty_change")
    fetch_missing(workspace.git, workspace.lens, change, target.commit)
    if change.base != target.commit:
        paths = conflicts(workspace.lens, target.commit, found.head.commit)
        if paths:
            raise UsageError(
                f"{found.head.name} conflicts with {target.name} in {', '.join(paths[:3])}.",
                f"git merge {typed(target.name)}, resolve it, then git cto review",
                code="conflict",
            )
    if len(claim) > LARGEST_CLAIM or len(dispute) > LARGEST_CLAIM:
        raise UsageError(f"That is too much text: {LARGEST_CLAIM:,} characters at most.", "be briefer")
    plan: Plan | None = None
    done: tuple[TaskResult, ...] = ()
    record = found.plan_record
    if record is not None and isinstance(record.body, PlanRecord):
        plan = current_plan(record.body.plan, found.standing)
        done = _results(workspace, found, plan, record.body.start)
    elif found.run:
        raise _no_plan(found, found.run)
    hidden = secret_values(workspace.environ)  # the model, the artifacts and a dry run get what is said here
    alone = workspace.place.worktree is None  # nothing is checked out, and nobody types there
    return Brief(
        survey=found,
        plan=plan,
        results=done,
        commands=commands_for(found.policy, plan),
        claim=_text(claim, hidden),
        dispute=_text(dispute, hidden),
        uncommitted=uncommitted,
        messages=messages(workspace, found) if plan is None else "",
        checked_out=alone or workspace.git.commit_of("HEAD") == found.head.commit,
        here=alone or found.run is None or workspace.current_run() == found.run,
    )


def _no_plan(found: Survey, run: str) -> UsageError:
    if latest_plan(found.records, run):
        return unsigned_plan(run, found.target)
    return UsageError(f"The ledger has no plan of the run {run!r}.", "git cto sync, if it was planned elsewhere")


def commands_for(policy: Policy, plan: Plan | None) -> tuple[str, ...]:
    """What verification would run: the policy's commands, else the plan's."""
    if policy.verify.commands is not None:
        return policy.verify.commands
    return plan.verification.commands if plan else ()


def _text(said: str, hidden: tuple[str, ...]) -> str:
    """What somebody said, as it is sent and recorded: what is no Unicode is replaced, secrets are gone."""
    return redacted(_NO_UNICODE.sub("\ufffd", said).strip(), hidden)


def messages(workspace: Workspace, found: Survey) -> str:
    """What the commits of a change say of it: claims, sent only without a plan and where policy asks for them."""
    if not found.policy.review.title_and_body:
        return ""
    argv = ("log", "--reverse", "--format=%s%n%n%b", "--end-of-options", found.change.head, f"^{found.change.base}")
    said = workspace.lens.run(*argv).decode("utf-8", "replace").strip()
    return redacted(f"Commit messages of the change:\n{said[:LARGEST_CLAIM]}".strip(), secret_values(workspace.environ))


def _results(workspace: Workspace, found: Survey, plan: Plan, start: str) -> tuple[TaskResult, ...]:
    claimed = results(workspace.lens, start, found.head.commit, found.run or "")
    by_task = {task: result for task, result in claimed.items() if plan.task(task)}  # of no task: says nothing
    hidden = secret_values(workspace.environ)
    return tuple(replace(one, summary=redacted(one.summary, hidden)[:2_000]) for one in by_task.values())
