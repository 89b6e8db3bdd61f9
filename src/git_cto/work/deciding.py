"""What humans decide: to let a series go on, and to merge a change in spite of the gate. Both are recorded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from git_cto.errors import UsageError
from git_cto.gate.rounds import in_order
from git_cto.model import ContinueRecord, OverrideRecord, Subject, VerdictRecord
from git_cto.redaction import redacted, secret_values
from git_cto.render.words import series_words
from git_cto.work.agreeing import agreement, own_override
from git_cto.work.counting import another_signs, will_not_count
from git_cto.work.keeping import show
from git_cto.work.runs import trunk_here
from git_cto.work.surveying import survey
from git_cto.work.workspace import now

if TYPE_CHECKING:
    from git_cto.model import Actor, Record
    from git_cto.work.surveying import Survey
    from git_cto.work.workspace import Workspace

LARGEST_REASON = 4_000  # characters
_BY_ANOTHER = (
    "git cto override --reason TEXT",
    ", by an allowed signer who neither wrote it nor signed its approval",
)


@dataclass(frozen=True)
class Decided:
    """A decision that was recorded, and what it was about; `doubts` say why it does not do, or for nobody else.

    `step` is what is next: a command about the change ("" where none is), and the rest of the sentence.
    """

    record: Record
    survey: Survey
    doubts: tuple[str, ...] = ()
    step: tuple[str, str] = ("git cto gate", "")


def go_on(workspace: Workspace, run: str | None, *, reason: str, base: str | None) -> Decided:
    """Lets an escalated or aborted series go on: its rounds are counted anew."""
    reason = checked_reason(workspace, reason, "git cto continue --reason TEXT")
    run = run or workspace.current_run()
    found = survey(workspace, head=trunk_here(workspace, run) if run else None, base=base, run=run)
    doubts = will_not_count(workspace, found, opens=False)
    decided = record_continue(workspace, found, reason=reason, actor=workspace.actor(known=True))
    return replace(decided, doubts=doubts)


def record_continue(workspace: Workspace, found: Survey, *, reason: str, actor: Actor) -> Decided:
    """Records that somebody lets a series go on that waits for a human."""
    where = found.standing
    if not (where.escalated or where.aborted):
        raise UsageError(
            f"{series_words(found.series.name)} is neither escalated nor aborted: it can go on.",
            "git cto review",
            code="not_stopped",
        )
    body = ContinueRecord(
        series=found.series.name,
        target=found.target.ref,
        reason=reason,
        actor=actor,
        time=now(),
        supersedes=where.supersedes,
    )
    subject = Subject(head=found.change.head, tree=found.change.tree)
    return Decided(workspace.record(subject, body, series=body.series), found)


def override(workspace: Workspace, rev: str | None, *, reason: str, base: str | None) -> Decided:
    """Records that exactly this change may be merged, whatever the gate says of it."""
    reason = checked_reason(workspace, reason, "git cto override --reason TEXT")
    found = survey(workspace, head=rev, base=base, run=None)
    public_key = workspace.signing.signer
    doubts = will_not_count(workspace, found)
    not_enough = "" if doubts else own_override(agreement(workspace, found, public_key))
    decided = record_override(workspace, found, reason=reason, actor=workspace.actor(known=True))
    if doubts:
        return replace(decided, doubts=doubts, step=another_signs(workspace, found, public_key, override=True))
    return replace(decided, doubts=(not_enough,), step=_BY_ANOTHER) if not_enough else decided


def record_override(workspace: Workspace, found: Survey, *, reason: str, actor: Actor) -> Decided:
    """Records that somebody lets exactly this change in."""
    change = found.change
    if not change.files:
        raise UsageError(
            f"{found.head.name} changes nothing compared with {found.target.name}.",
            "commit something, or name another --base",
            code="empty_change",
        )
    about = [
        record
        for record in in_order(found.records)
        if isinstance(record.body, VerdictRecord | OverrideRecord) and record.subject.change == change.id
    ]
    body = OverrideRecord(
        series=found.series.name,
        target=found.target.ref,
        target_commit=found.target.commit,
        reason=reason,
        actor=actor,
        time=now(),
        supersedes=about[-1].id if about else found.standing.supersedes,
    )
    subject = Subject(head=change.head, tree=change.tree, change=change.id, sha256=change.sha256)
    record = workspace.record(subject, body, series=body.series, change=change.raw)
    show(workspace, change.head, record)
    return Decided(record, found)


def checked_reason(workspace: Workspace, reason: str, usage: str) -> str:
    """The reason as it is recorded. Raises `UsageError` where it is none, or too long."""
    said = redacted(reason.strip(), secret_values(workspace.environ))
    if not said:
        raise UsageError("A decision needs a reason: it is recorded.", usage)
    if len(said) > LARGEST_REASON:
        raise UsageError(f"The reason has {len(said):,} characters; {LARGEST_REASON:,} at most.", "be briefer")
    return said
