"""Asking the gate: gathers the facts that the pure decision needs. No model, no network."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from git_cto.errors import typed
from git_cto.gate.decision import Decision, Facts, decide
from git_cto.gate.rounds import Standing, standing
from git_cto.ledger.notes import RECORDS_REF
from git_cto.model import PlanRecord, VerdictRecord
from git_cto.render.words import counted
from git_cto.repo.change import conflicts, landing
from git_cto.repo.git import changed_paths_meanwhile
from git_cto.repo.runs import results, runs
from git_cto.work.surveying import Survey, survey

if TYPE_CHECKING:
    from git_cto.model import Record, Target
    from git_cto.repo.authors import Authorship
    from git_cto.repo.resolve import Head
    from git_cto.work.workspace import Workspace


_ABOUT_HEAD = re.compile(r"\bgit cto (?:review|sign|override|continue)\b")  # unless they are told otherwise


class Gated(Struct, frozen=True):
    """The gate's answer for a change; `uncommitted` counts what is in the worktree and no part of the change."""

    survey: Survey
    decision: Decision
    uncommitted: int


def gate(workspace: Workspace, *, rev: str | None, base: str | None) -> Gated:
    """Whether the change of `rev` (default: HEAD) may be merged into its target."""
    if rev is not None:
        found = survey(workspace, head=rev, base=base, run=None)
        return Gated(found, _typed_here(workspace, found, decide_on(workspace, found)), 0)
    with changed_paths_meanwhile(workspace.git) as uncommitted:
        found = survey(workspace, head=None, base=base, run=None)
        return Gated(found, _typed_here(workspace, found, decide_on(workspace, found)), len(uncommitted()))


def _typed_here(workspace: Workspace, found: Survey, decision: Decision) -> Decision:
    """The same decision, whose next step is about this change also where something else is checked out.

    Otherwise what it says would be reviewed, or overridden, is what happens to be there, or for another target.
    """
    step = decision.next_step
    if decision.allowed or not _ABOUT_HEAD.search(step):
        return decision
    if found.base:
        named = f" --base {typed(found.base)}"
        step = _ABOUT_HEAD.sub(lambda command: command[0] + named, step)
    here = workspace.objects.info("HEAD^{commit}")
    if here is None or here.oid != found.head.commit:
        detach = "" if found.head.ref else "--detach "
        then = " &&" if step.startswith("git ") else ", then"
        step = f"git switch {detach}{typed(found.head.name)}{then} {step}"
    return replace(decision, next_step=step)


def decide_on(workspace: Workspace, found: Survey, agreed: tuple[str, ...] = ()) -> Decision:
    """The decision on a change that was looked up already.

    `agreed` are people who have looked at exactly this head and said so elsewhere, which is what control paths need.
    """
    if not found.change.files:
        landed = landed_step(workspace, found.head, found.target)
        return Decision(
            False,
            (f"{found.head.name} changes nothing compared with {found.target.name}: there is nothing to approve.",),
            (f"{landed} for what has landed, or " if landed else "")
            + "commit your work, or name another --base"
            + (", or the trunk of a run" if runs(workspace.git) else ""),
        )
    conflicting = (
        ()
        if found.change.base == found.target.commit
        else conflicts(workspace.lens, found.target.commit, found.head.commit)
    )
    wrote = who_wrote(workspace, found)
    facts = Facts(
        found.target,
        conflicting,
        commits_since(workspace, found, found.standing.latest),
        found.run or "",
        found.series.name,
        authors=wrote.addresses if wrote else frozenset(),
        executors=wrote.executors if wrote else (),
        co_authors=wrote.co_authors if wrote else (),
        agreed=agreed,
    )
    decision = decide(found.change, facts, found.records, _standing(found), found.policy)
    if decision.allowed and not agreed and (renamed := renamed_control_paths(workspace, found, found.target.commit)):
        facts = replace(facts, renamed=renamed)
        decision = decide(found.change, facts, found.records, _standing(found), found.policy)
    if not decision.allowed:
        facts = _with_nobody(workspace, found, facts)
        if facts.nobody:
            decision = decide(found.change, facts, found.records, _standing(found), found.policy)
        return _with_what_was_taken_off(workspace, found, decision)
    undone = _undone_since(workspace, found, decision)
    if undone:
        return Decision(False, (f"After the approval {', '.join(undone)}: nobody has judged that.",), "git cto review")
    return replace(decision, next_step=_merging(found))


def _with_what_was_taken_off(workspace: Workspace, found: Survey, decision: Decision) -> Decision:
    """The same closed decision; where somebody moved the notes, with what to do about that in the first place."""
    series = {found.series.name, *([f"run/{found.run}"] if found.run else [])}
    head, change = found.change.head, found.change.id
    lost = workspace.ledger.taken_off(
        found.records, head=head, change=change, series=sorted(series), objects=workspace.objects
    )
    if not lost:
        return decision
    missing = f"{counted(lost, 'record')} about it {'is' if lost == 1 else 'are'} missing from {RECORDS_REF}"
    return replace(
        decision,
        reasons=(*decision.reasons, f"{missing}: somebody moved it."),
        next_step="git cto doctor, which says how to bring that back",
    )


def _with_nobody(workspace: Workspace, found: Survey, facts: Facts) -> Facts:
    """The facts of a closed gate, with why no signature at all counts, where that is so: no other one would help."""
    if found.policy.gate.trust != "signed" or not found.records or any(one.signers for one in found.records):
        return facts
    from git_cto.work.counting import nobody_may_sign  # noqa: PLC0415 -- start-up: an open gate needs none of it

    nobody, to_mend = nobody_may_sign(workspace, found.target)
    return replace(facts, nobody=nobody, to_mend=to_mend)


def renamed_control_paths(workspace: Workspace, found: Survey, onto: str) -> tuple[str, ...]:
    """The control paths that merging a change into commit `onto` changes, and the change itself does not.

    Whoever begins at an old commit can change a file under a name that it had before it became a control path.
    """
    if found.change.base == onto:
        return ()
    own = {file.path for file in found.change.files}
    landed = landing(workspace.lens, onto, found.head.commit)
    return tuple(one.name for one in landed if one.path not in own and found.policy.gate.controls(one.text))


def landed_step(workspace: Workspace, head: Head, target: Target) -> str:
    """What asks about the newest landing, where the head is the target itself; "" where it is not."""
    if head.commit != target.commit or workspace.objects.info(f"{head.commit}~1") is None:
        return ""
    from git_cto.work.auditing import newest_row  # noqa: PLC0415 -- start-up

    name = typed(head.name)
    return f"git cto audit {name}~{newest_row(workspace, target)}..{name}"


def _standing(found: Survey) -> Standing:
    """Where the series stands for the gate: a refusal that nobody signed does not close it where signatures count."""
    if found.policy.gate.trust != "signed":
        return found.standing
    return standing([record for record in found.records if record.trusted], found.series, found.policy.rounds)


def who_wrote(workspace: Workspace, found: Survey) -> Authorship | None:
    """Who wrote the change, not who only merged it; only asked where something hangs on it."""
    gate = found.policy.gate
    signed = gate.trust == "signed" and gate.signer_is_not_author and any(one.signers for one in found.records)
    if not signed and not gate.executor_is_not_reviewer:
        return None
    from git_cto.repo.authors import authorship  # noqa: PLC0415 -- start-up

    return authorship(workspace.lens, found.change.base, found.change.head, mergers=False)


def _undone_since(workspace: Workspace, found: Survey, decision: Decision) -> list[str]:
    """Tasks that were recorded as blocked or failed after the approval, which changes no file and yet the matter."""
    verdict = decision.by.body if decision.by else None
    plan = found.plan_record.body if found.plan_record else None
    if not isinstance(verdict, VerdictRecord) or not isinstance(plan, PlanRecord) or found.run != verdict.run:
        return []
    if decision.by is None or decision.by.subject.head == found.head.commit:
        return []  # nothing came after it
    known = {(one.task_id, one.outcome) for one in verdict.results}
    since = results(workspace.lens, plan.start, found.head.commit, verdict.run).values()
    return [
        f"{one.task_id} was recorded as {one.outcome}"
        for one in since
        if one.outcome != "done" and (one.task_id, one.outcome) not in known
    ]


def _merging(found: Survey) -> str:
    """How to merge what may be merged."""
    head, target = found.head, found.target
    if head.ref == target.ref:
        return "git push"
    to, what = typed(target.name), typed(head.name)
    return f"git switch {to} && git merge --no-ff {what}, or push it and open a pull request"


def commits_since(workspace: Workspace, found: Survey, verdict: Record | None) -> int | None:
    """How many commits came after a verdict, where that is known and the verdict is about another change."""
    if verdict is None or verdict.subject.change == found.change.id:
        return None
    done = workspace.lens.attempt("rev-list", "--count", found.change.head, f"^{verdict.subject.head}")
    return int(done.stdout) if done.returncode == 0 else None
