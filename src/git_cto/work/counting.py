"""Whether what is signed here counts at a target, said before it is recorded: it may cost a model call.

Which signature counts is `ledger.trusting`'s business, and whose word opens the gate `gate.trust`'s; here both are
asked about a key, before there is a record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from git_cto.gate.decision import only_lacks_a_signer
from git_cto.gate.rounds import in_order
from git_cto.ledger.signers import SIGNERS_PATH
from git_cto.ledger.sshsig import fingerprint
from git_cto.ledger.trusting import Doubt, key_doubt, line_doubt
from git_cto.model import NOBODY, VerdictRecord, person
from git_cto.repo.authors import authorship
from git_cto.work.workspace import now

if TYPE_CHECKING:
    from git_cto.model import Target
    from git_cto.work.surveying import Survey
    from git_cto.work.workspace import Workspace


def doubt_of(workspace: Workspace, target: Target, public_key: bytes) -> Doubt | None:
    """Why nothing counts today that this key signs, None where it does."""
    return key_doubt(public_key, workspace.signers(target), today(), workspace.environ)


def out_of_force(workspace: Workspace, target: Target) -> dict[int, str]:
    """The numbers of the lines of the target's list that allow nothing today, each with the reason, in a few words."""
    signers, at = workspace.signers(target), today()
    return {line.number: why for line in signers.allowed if (why := line_doubt(line, signers, at, workspace.environ))}


def today() -> str:
    """The time as lists of signers have it: YYYYMMDDHHMMSS in UTC."""
    return "".join(character for character in now()[:19] if character.isdigit())


def against_key(workspace: Workspace, found: Survey, public_key: bytes, *, opens: bool = True) -> tuple[str, ...]:
    """What keeps the signature of this key from counting; `opens` where it is to open the gate."""
    target = found.target.name
    doubt = doubt_of(workspace, found.target, public_key)
    if doubt and doubt.reason == "unlisted" and not workspace.signers(found.target).names(public_key):
        return (f"{SIGNERS_PATH} of {target} does not list the key {fingerprint(public_key)}: it does not count there",)
    if doubt and doubt.reason == "revoked":
        return (f"{doubt.words} on {target}: what it signs does not count",)
    if doubt:
        return (f"{doubt.words}: what it signs does not count for {target}",)
    if not opens or not found.policy.gate.signer_is_not_author:
        return ()
    names = frozenset(person(name) for name in workspace.signers(found.target).names(public_key))
    wrote = authorship(workspace.lens, found.change.base, found.change.head).addresses
    if NOBODY in wrote:
        return ("a commit of the change names no address: whoever signs may be its author, and opens no gate",)
    wrote &= names
    return (f"{min(wrote)} is an author of the change, whose signature does not open the gate",) if wrote else ()


def will_not_count(workspace: Workspace, found: Survey, *, opens: bool = True) -> tuple[str, ...]:
    """Why what this process records will count for nobody else; empty where it will. Signing has been prepared."""
    if found.policy.gate.trust != "signed":
        return ()
    signing, target = workspace.signing, found.target.name
    if signing.signer:
        return against_key(workspace, found, signing.signer, opens=opens)
    said = (
        f"only signed records count for {target}, and nothing is signed here: what is recorded counts in this process"
    )
    listed = f" (a key that {SIGNERS_PATH} of {target} lists)"
    return (f"{said} only" + (f". To sign: {signing.to_sign}{listed}" if signing.to_sign else ""),)


def asked_again(found: Survey) -> tuple[str, ...]:
    """That there is an approval which does not count, where somebody is about to ask for another one.

    It does not stand in for an answer: anybody who writes to the notes can make one.
    """
    counted = {one.id for one in found.counted}
    about = [
        one
        for one in in_order(found.records)
        if isinstance(one.body, VerdictRecord)
        and (one.subject.change, one.subject.sha256) == (found.change.id, found.change.sha256)
        and one.body.target == found.target.ref
    ]
    approval = only_lacks_a_signer(found.change, found.run or "", found.records, about, found.policy)
    if approval is None or approval.id in counted:
        return ()
    which = f"there is an approval of exactly this change that does not count ({approval.doubt or 'it is not signed'})"
    return (
        f"{which}. It may be anybody's, so the model is asked again; an allowed signer may git cto sign it instead",
    )
