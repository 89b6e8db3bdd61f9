"""Whether what is signed here counts at a target, said before it is recorded: it may cost a model call.

Which signature counts is `ledger.trusting`'s business, and whose word opens the gate `gate.trust`'s; here both are
asked about a key, before there is a record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from git_cto.gate.decision import only_lacks_a_signer
from git_cto.ledger.signers import SIGNERS_PATH
from git_cto.ledger.sshsig import fingerprint
from git_cto.ledger.trusting import Doubt, key_doubt, line_doubt
from git_cto.model import NOBODY, Signer, VerdictRecord, person
from git_cto.repo.authors import authorship
from git_cto.work.workspace import now

if TYPE_CHECKING:
    from collections.abc import Callable

    from git_cto.gate.policy import Policy
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


def in_force(workspace: Workspace, target: Target) -> list[Signer]:
    """Whom the target allows to sign today, a signer for each key."""
    signers = workspace.signers(target)
    return [
        Signer(principal=lines[0].principals[0], key=fingerprint(key), aliases=signers.names(key))
        for key, lines in signers.by_key.items()
        if doubt_of(workspace, target, key) is None
    ]


def nobody_may_sign(workspace: Workspace, target: Target) -> tuple[str, str]:
    """Why no signature at all counts at a target today, a sentence, and what to do; two times "" where some do."""
    signers, at = workspace.signers(target), target.name
    if signers.fault:
        return signers.fault, f"mend it on {at}"
    if not signers.allowed:
        return f"{SIGNERS_PATH} of {at} allows nobody to sign.", f"git cto init --signing, and commit it to {at}"
    doubts = [doubt_of(workspace, target, key) for key in signers.by_key]
    unreadable = next((one.words for one in doubts if one and one.reason == "list"), "")
    if unreadable:
        return f"{unreadable}.", f"mend it on {at}"
    return ("", "") if None in doubts else (f"{SIGNERS_PATH} of {at} allows nobody to sign today.", "git cto doctor")


def today() -> str:
    """The time as lists of signers have it: YYYYMMDDHHMMSS in UTC."""
    return "".join(character for character in now()[:19] if character.isdigit())


def will_not_count(workspace: Workspace, found: Survey, *, opens: bool = True) -> tuple[str, ...]:
    """Why what this process records will count for nobody else; empty where it will. Signing has been prepared.

    `opens` where it is to open the gate, which the word of an author does not.
    """
    return _against(workspace, found.target, found.policy, lambda: _wrote(workspace, found) if opens else frozenset())


def plan_will_not_count(workspace: Workspace, target: Target) -> tuple[str, ...]:
    """The same of a plan, which an author may sign: it opens no gate."""
    return _against(workspace, target, workspace.policy(target), frozenset)


def run_will_not_count(workspace: Workspace, target: Target, trunk: str, *, commits: bool) -> tuple[str, ...]:
    """The same of a run from its trunk on, whose review is to open the gate.

    Where it `commits` what tasks do, it does so in the user's name, who will be an author.
    """

    def wrote() -> frozenset[str]:
        user = person(workspace.actor().email) if commits else ""
        return authorship(workspace.lens, target.commit, trunk).addresses | ({user} if user else frozenset())

    return _against(workspace, target, workspace.policy(target), wrote)


def _against(
    workspace: Workspace, target: Target, policy: Policy, wrote: Callable[[], frozenset[str]]
) -> tuple[str, ...]:
    if policy.gate.trust != "signed":
        return ()
    signing = workspace.signing
    if signing.signer:
        authors = wrote() if policy.gate.signer_is_not_author else frozenset()
        return _against_key(workspace, target, signing.signer, authors)
    said = (
        f"only signed records count for {target.name}, and nothing is signed here: "
        "what is recorded counts in this process"
    )
    listed = f" (a key that {SIGNERS_PATH} of {target.name} lists)"
    return (f"{said} only" + (f". To sign: {signing.to_sign}{listed}" if signing.to_sign else ""),)


def against_key(workspace: Workspace, found: Survey, public_key: bytes) -> tuple[str, ...]:
    """What keeps the signature of this key from opening the gate."""
    return _against_key(workspace, found.target, public_key, authors_who_do_not_count(workspace, found))


def authors_who_do_not_count(workspace: Workspace, found: Survey) -> frozenset[str]:
    """The addresses of those who wrote the change, where their word does not open the gate."""
    return _wrote(workspace, found) if found.policy.gate.signer_is_not_author else frozenset()


def another_signs(workspace: Workspace, found: Survey, public_key: bytes, *, override: bool) -> tuple[str, str]:
    """What makes a record count that the signature of this key does not (b"": that nobody signed).

    A command about the change ("" where none helps), and by whom: together it is what to do.
    """
    nobody, to_mend = nobody_may_sign(workspace, found.target)
    if nobody:
        return "", to_mend
    if NOBODY in authors_who_do_not_count(workspace, found):
        return "", "commit it with an address (git commit --amend --reset-author), then git cto review"
    listed = bool(public_key) and doubt_of(workspace, found.target, public_key) is None
    command = "git cto sign --overrides" if override and not listed else "git cto sign"
    return command, f", by an allowed signer{' who did not write it' if listed else ''}"


def _wrote(workspace: Workspace, found: Survey) -> frozenset[str]:
    return authorship(workspace.lens, found.change.base, found.change.head, mergers=False).addresses


def _against_key(workspace: Workspace, target: Target, public_key: bytes, authors: frozenset[str]) -> tuple[str, ...]:
    names = workspace.signers(target).names(public_key)
    doubt = doubt_of(workspace, target, public_key)
    if doubt and doubt.reason == "unlisted" and not names:
        listed = f"{SIGNERS_PATH} of {target.name} does not list the key {fingerprint(public_key)}"
        return (f"{listed}: it does not count there",)
    if doubt and doubt.reason == "revoked":
        return (f"{doubt.words} on {target.name}: what it signs does not count",)
    if doubt:
        return (f"{doubt.words}: what it signs does not count for {target.name}",)
    if NOBODY in authors:
        return ("a commit of the change names no address: whoever signs may be its author, and opens no gate",)
    wrote = sorted(name for name in names if person(name) in authors)
    return (f"{wrote[0]} is an author of the change, whose signature does not open the gate",) if wrote else ()


def asked_again(found: Survey) -> tuple[str, ...]:
    """That there is an approval which does not count, where somebody is about to ask for another one.

    It does not stand in for an answer: anybody who writes to the notes can make one.
    """
    counted = {one.id for one in found.counted}
    about = [one for one in found.decisive if isinstance(one.body, VerdictRecord)]
    approval = only_lacks_a_signer(found.change, found.run or "", found.records, about, found.policy)
    if approval is None or approval.id in counted:
        return ()
    which = f"there is an approval of exactly this change that does not count ({approval.doubt or 'it is not signed'})"
    return (
        f"{which}. It may be anybody's, so the model is asked again; an allowed signer may git cto sign it instead",
    )
