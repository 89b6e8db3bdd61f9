"""Who may still be the human that a change to control paths takes, asked before a signature is made.

The gate asks it of what was recorded: who signed the approval is not who overrides. A signature cannot be taken back,
so here it is asked what one more of them would do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from git_cto.gate.decision import control_paths
from git_cto.gate.trust import admitted, by_another, distinct, same_person, standing_approval
from git_cto.ledger.sshsig import fingerprint
from git_cto.model import NOBODY, OverrideRecord
from git_cto.work.counting import authors_who_do_not_count, in_force
from git_cto.work.gating import renamed_control_paths

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from git_cto.model import Record, Signer
    from git_cto.work.surveying import Survey
    from git_cto.work.workspace import Workspace


class Agreement(Struct, frozen=True, kw_only=True):
    """What a change to control paths has of what it takes, and whose signature is about to be made."""

    paths: str  # some of those that it touches
    me: Signer
    may: tuple[Signer, ...]  # whom the target allows and who are no authors
    approval: Record | None  # the one that stands and counts
    overrides: tuple[Record, ...]  # those that count


def agreement(workspace: Workspace, found: Survey, public_key: bytes) -> Agreement | None:
    """What there is, None where nothing hangs on it: no control path, no signatures, or a key that does not count."""
    if found.policy.gate.trust != "signed":
        return None
    authors = authors_who_do_not_count(workspace, found)
    allowed = [one for one in in_force(workspace, found.target) if not one.names & authors and NOBODY not in authors]
    me = next((one for one in allowed if one.key == fingerprint(public_key)), None)
    renamed = renamed_control_paths(workspace, found, found.target.commit)
    touched = control_paths(found.change, found.policy, renamed) if me else []
    if me is None or not touched:
        return None
    counting = [one for record in found.decisive if (one := admitted(record, found.policy.gate, authors))]
    return Agreement(
        paths=", ".join(touched[:3]),
        me=me,
        may=tuple(allowed),
        approval=standing_approval(counting),
        overrides=tuple(one for one in counting if isinstance(one.body, OverrideRecord)),
    )


def own_override(one: Agreement | None) -> str:
    """Why an override of one's own will not do, "" where it will: who signed the approval is nobody else."""
    approvers = one.approval.signers if one and one.approval else ()
    if one is None or not any(same_person(one.me, other) for other in approvers):
        return ""
    if by_another(one.overrides, one.approval):
        return ""
    return f"{one.me.principal} signed the approval, and who did cannot let in a change to {one.paths} as well"


def own_review(one: Agreement | None) -> tuple[str, ...]:
    """That an approval which we sign leaves nobody who could override it as well, said before a model is asked."""
    if one is None:
        return ()
    left = [other for other in one.may if not same_person(other, one.me)]
    others = any(not same_person(who, one.me) for record in one.overrides for who in record.signers)
    if left or others:
        return ()
    why = f"it changes what the gate rests on ({one.paths}), and who signs the approval cannot override it"
    return (f"{why}: nobody would be left who can. With --no-sign {one.me.principal} still may",)


class Effect(Struct, frozen=True):
    """What signing the approval as well would do: a note, and whether it is better left out."""

    note: str
    leave_out: bool


def signing_the_approval(
    one: Agreement | None, approval: Record, overrides: Iterable[Record], before: frozenset[str]
) -> Effect | None:
    """What to know before one more signature under the approval, None where it takes nothing away.

    `overrides` are those that are signed as well; `before` are the ids of what has the signature already.
    """
    if one is None or approval.id in before:
        return None
    signed = _with(one, overrides)
    counting = [who for who in approval.signers if any(who.key == other.key for other in one.may)]
    approved = replace(approval, signers=(*counting, one.me))
    if by_another(signed, approved) or any(same_person(one.me, who) for who in counting):
        return None
    told = f"it changes what the gate rests on ({one.paths})"
    if by_another(signed, one.approval):
        why = f"{told}, and {one.me.principal} overrides it: who does signs no approval of it, which is left out"
        return Effect(why, leave_out=True)
    left = [other for other in one.may if not any(same_person(other, who) for who in approved.signers)]
    if left:
        who = ", ".join(distinct(left))
        return Effect(f"{told}: who signs the approval cannot override it, so one of these has to: {who}", False)
    return Effect(f"{told}, and who signs the approval cannot override it: nobody would be left who can", True)


def _with(one: Agreement, overrides: Iterable[Record]) -> Sequence[Record]:
    """The overrides that count, once we have signed these."""
    counting = {record.id: record for record in one.overrides}
    for record in overrides:
        known = counting.get(record.id)
        counting[record.id] = replace(record, signers=(*(known.signers if known else ()), one.me))
    return list(counting.values())
