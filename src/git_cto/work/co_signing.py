"""Adding one's signature to what was recorded about exactly this change: as its second signer, or as its first.

Whoever signs vouches: so only what the gate's own rule accepts today is signed, and never a refusal. What anybody could
have put into the notes does not take the place of what an allowed signer recorded, and an override that none of them
signed is signed only on demand: nobody is to let something in without knowing it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from git_cto.errors import UsageError
from git_cto.gate.decision import covers, plan_of, unsound
from git_cto.gate.rounds import in_order
from git_cto.gate.trust import standing_approval
from git_cto.ledger.signers import read_signers
from git_cto.ledger.signing import SigningError, signed
from git_cto.ledger.sshsig import NAMESPACE, fingerprint, key_words
from git_cto.ledger.trusting import trusted
from git_cto.model import OverrideRecord, PlanRecord, VerdictRecord
from git_cto.work.agreeing import agreement, signing_the_approval
from git_cto.work.counting import against_key, another_signs
from git_cto.work.surveying import latest_plan, survey

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from git_cto.model import Record
    from git_cto.work.surveying import Survey
    from git_cto.work.workspace import Workspace

_ANY_TIME = "20000101000000"


class CoSigned(Struct, frozen=True, kw_only=True):
    """The records that carry our signature now, those that had it before, by which key, and what to know about it.

    Where the signature does not make them count, `step` is what does: a command about the change ("" where none
    helps), and the rest of the sentence.
    """

    added: tuple[Record, ...]
    before: tuple[Record, ...]
    key: str
    notes: tuple[str, ...]
    step: tuple[str, str] | None = None


def co_sign(
    workspace: Workspace,
    rev: str | None,
    *,
    base: str | None,
    overrides: bool = False,
    tell: Callable[[tuple[str, ...]], None] = lambda _: None,
) -> CoSigned:
    """Signs the approval, the overrides and the plan that stand for exactly this change.

    With `overrides` those as well that nobody allowed has signed yet. What there is to know is told before anything is
    signed. Raises `UsageError` where there is nothing of the kind, or the rule does not accept it.
    """
    found = survey(workspace, head=rev, base=base, run=None)
    records, left = _to_be_signed(found, workspace.trusting(found.records, found.target), unsigned_overrides=overrides)
    workspace.signing.option = True
    if not records:
        raise _only_overridden(workspace, found, left[0])
    public_key = workspace.signing.try_it().public_key
    before = _signed_by(workspace, public_key, records)
    records, warnings = _without_harm(workspace, found, public_key, records, before)
    against = against_key(workspace, found, public_key)
    opens = any(not isinstance(one.body, PlanRecord) for one in records)
    counts_not = bool(against) and opens and found.policy.gate.trust == "signed"
    notes = (*map(_left_out, left), *warnings, *against)
    tell(notes)
    added = workspace.trusting(
        [_sign(workspace, found, record) for record in records if record.id not in before], found.target
    )
    kept = tuple(record for record in records if record.id in before)
    unsigned = any(isinstance(one.body, OverrideRecord) and not one.trusted for one in (*added, *kept))
    return CoSigned(
        added=added,
        before=kept,
        key=fingerprint(public_key),
        notes=notes,
        step=another_signs(workspace, found, public_key, override=unsigned) if counts_not else None,
    )


def _sign(workspace: Workspace, found: Survey, record: Record) -> Record:
    """Adds our signature to a record."""
    made = signed(workspace.signing.key(), record.payload, workspace.environ)
    new = replace(record, signatures=(made.signature,))
    about_change = record.subject.change == found.change.id
    workspace.ledger.put(new, series=record.body.series, change=found.change.raw if about_change else None)
    return replace(record, signatures=(*record.signatures, made.signature))


def _without_harm(
    workspace: Workspace, found: Survey, public_key: bytes, records: list[Record], before: frozenset[str]
) -> tuple[list[Record], tuple[str, ...]]:
    """The records without an approval that we had better not sign, and what there is to know about that.

    Raises `UsageError` where nothing else is there to be signed.
    """
    approval = next((one for one in records if isinstance(one.body, VerdictRecord)), None)
    if approval is None:
        return records, ()
    overrides = [one for one in records if isinstance(one.body, OverrideRecord)]
    harm = signing_the_approval(agreement(workspace, found, public_key), approval, overrides, before)
    if harm is None or not harm.leave_out:
        return records, (harm.note,) if harm else ()
    if not overrides:
        said = harm.note[0].upper() + harm.note[1:]
        raise UsageError(f"{said}. The approval is not signed.", "git cto override --reason TEXT", code="last_to_agree")
    return [one for one in records if one is not approval], (harm.note,)


def _to_be_signed(
    found: Survey, checked: Sequence[Record], *, unsigned_overrides: bool
) -> tuple[list[Record], list[Record]]:
    """What stands for exactly this change, and the overrides that are left out; never none of both.

    `checked` are all records. An unsigned verdict stands only where there is no signed one, and a plan likewise.
    """
    about = [record for record in in_order(checked) if covers(record, found.change, found.target)]
    every = [record for record in about if isinstance(record.body, OverrideRecord)]
    overrides = [record for record in every if record.trusted or unsigned_overrides]
    left = [record for record in every if record not in overrides]
    verdicts = [record for record in about if isinstance(record.body, VerdictRecord)]
    about = [record for record in verdicts if record.trusted] or verdicts
    signed_plans = [record for record in checked if record.trusted]
    approval, plan = standing_approval(about), latest_plan(signed_plans, found.run) or latest_plan(checked, found.run)
    if approval and isinstance(approval.body, VerdictRecord):
        plan = _plan_of_sound(found, approval.body)
    elif about and not overrides:
        raise UsageError("The last verdict on exactly this change is a refusal: it is not signed.", "git cto review")
    standing = [*overrides, *(record for record in (approval, plan) if record)]
    if not standing and not left:
        raise UsageError(
            "There is no approval, override or plan of exactly this change that could be signed.", "git cto review"
        )
    return standing, left


def _only_overridden(workspace: Workspace, found: Survey, left: Record) -> UsageError:
    """That there is an unsigned override only, and what helps: ours, or somebody else's word where ours does not."""
    step, against = "git cto override --reason TEXT, or git cto sign --overrides", tuple[str, ...]()
    if found.policy.gate.trust == "signed":
        public_key = _public_key(workspace)
        against = against_key(workspace, found, public_key) if public_key else ()
        if against or not public_key:
            step = "".join(another_signs(workspace, found, public_key, override=True))
    why = f" Nor would your own signature count: {against[0]}." if against else ""
    return UsageError(
        f"It is only overridden, and no allowed signer has signed that: {_left_out(left)}.{why}",
        step,
        code="unsigned_override",
    )


def _public_key(workspace: Workspace) -> bytes:
    """The key that would sign here, b"" where none does."""
    try:
        return workspace.signing.try_it().public_key
    except SigningError:
        return b""


def _left_out(record: Record) -> str:
    """Why an override was not signed."""
    body = record.body
    assert isinstance(body, OverrideRecord)  # noqa: S101 -- nothing else is left out
    said = f"the override {record.id[:12]} in the name of {body.actor.name} ({body.reason[:100]})"
    return f"{said} is not signed without --overrides"


def _plan_of_sound(found: Survey, approval: VerdictRecord) -> Record | None:
    """The plan that an approval was given for. Raises `UsageError` where the rule does not accept the approval."""
    record = plan_of(approval, found.records)
    plan = record.body.plan if record and isinstance(record.body, PlanRecord) else None
    why = unsound(found.change, approval, plan, found.policy)
    if why:
        raise UsageError(f"The rule does not accept the approval, so it is not signed. {why[0]}", "git cto review")
    return record


def _signed_by(workspace: Workspace, public_key: bytes, records: list[Record]) -> frozenset[str]:
    """The ids of those that this key has signed, whether or not the target lists it."""
    own = read_signers(f'me namespaces="{NAMESPACE}" {key_words(public_key)}\n'.encode(), None)
    checked = trusted(records, own, _ANY_TIME, workspace.environ)
    return frozenset(record.id for record in checked if record.signers)
