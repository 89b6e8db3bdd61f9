"""What `git cto doctor` checks of signing: which key would sign, whether it does, and whether the target allows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from git_cto.errors import CtoError
from git_cto.gate.trust import distinct
from git_cto.ledger.signers import REVOKED_PATH, SIGNERS_PATH
from git_cto.ledger.signing import KEY_VARIABLE, SigningError
from git_cto.ledger.sshsig import NAMESPACE, fingerprint, key_words
from git_cto.model import NOBODY, person
from git_cto.render.words import counted
from git_cto.repo.ssh_keygen import revoked_by
from git_cto.work.checking import Check, ok
from git_cto.work.counting import doubt_of, in_force, out_of_force

if TYPE_CHECKING:
    from collections.abc import Iterator

    from git_cto.ledger.signers import Signers
    from git_cto.model import Target
    from git_cto.work.workspace import Workspace

_LAST = 1_000  # commits of the target whose authors are looked at


def check_signing(workspace: Workspace) -> Iterator[Check]:
    """The key that signs here, and the signers of the target."""
    public_key = b""
    wanted = workspace.signing.wanted
    if wanted == "no":
        yield ok("signing", "what is recorded here is not signed (git cto init --signing)")
    else:
        try:
            public_key = workspace.signing.try_it().public_key
            yield ok("signing", f"records are signed with {workspace.signing.key().shown}, {fingerprint(public_key)}")
        except SigningError as error:
            yield Check("signing", "problem" if wanted == "yes" else "warning", error.message, error.hint)
    try:
        target = workspace.target(None)
        signed = workspace.policy(target).gate.trust == "signed"
    except CtoError:
        return  # is told where the policy is looked at
    yield from _signers(workspace, target, public_key, signed=signed)


def _signers(workspace: Workspace, target: Target, public_key: bytes, *, signed: bool) -> Iterator[Check]:
    signers = workspace.signers(target)
    mend = f"mend it on {target.name}"
    if signers.fault:
        yield Check("signers", "problem", signers.fault, mend)
        return
    for one in signers.ignored:
        message = f"Line {one.number} of {SIGNERS_PATH} on {target.name} does not count: {one.why}."
        yield Check("signers", "warning", message, mend)
    if signers.revoked is not None and revoked_by(signers.revoked, _any_key(signers), workspace.environ) is None:
        message = f"{REVOKED_PATH} on {target.name} cannot be read, so no signature counts."
        yield Check("signers", "problem", message, mend)
    if not signers.allowed:
        if signed:
            message = f"Only signed records count, and {target.name} allows nobody to sign."
            yield Check("signers", "problem", message, f"git cto init --signing, and commit it to {target.name}")
        return
    yield _listed(workspace, signers, target, signed=signed)
    yield from _too_few(workspace, target) if signed else ()
    if public_key:
        yield from _own(workspace, target, public_key, signed=signed)


def _listed(workspace: Workspace, signers: Signers, target: Target, *, signed: bool) -> Check:
    """Whom the target allows today, and whose line does not count any more, or not yet."""
    not_now = out_of_force(workspace, target)
    good = dict.fromkeys(one.principals[0] for one in signers.allowed if one.number not in not_now)
    bad = [
        f"{'a key of ' if one.principals[0] in good else ''}{one.principals[0]} ({not_now[one.number]})"
        for one in signers.allowed
        if one.number in not_now
    ]
    said = f"{target.name} allows {', '.join(good) or 'nobody'}"
    said += "".join(f"{', ' if number else '; '}not {one}" for number, one in enumerate(bad))
    if good or not signed:
        return ok("signers", said)
    mend = f"git cto init --signing, with another key, and commit it to {target.name}"
    return Check("signers", "problem", f"Only signed records count, and {said}.", mend)


def _too_few(workspace: Workspace, target: Target) -> Iterator[Check]:
    """That what the policy asks for is more than the signers there are can give."""
    gate = workspace.policy(target).gate
    listed = in_force(workspace, target)
    people = distinct(listed)
    has = f"{target.name} allows {counted(len(people), 'person', 'people')} to sign"
    more = f"have more people listed on {target.name} (git cto init --signing)"
    if people and len(people) < gate.threshold:
        message = f"threshold = {gate.threshold} cannot be reached: {has}."
        yield Check("signers", "warning", message, f"{more}, or set a smaller threshold there")
    elif people and gate.signer_is_not_author and len(people) - 1 < gate.threshold:
        wrote = _writers(workspace, target)
        writers = distinct(one for one in listed if one.names & wrote)
        if writers:
            others = f"{counted(gate.threshold, 'signature')} by others (signer_is_not_author)"
            message = f"What {' or '.join(writers)} writes takes {others}, and {has}."
            instead = (
                "a smaller threshold" if gate.threshold > 1 and len(people) > 1 else "signer_is_not_author = false"
            )
            yield Check("signers", "warning", message, f"{more}, where CI's key may be one, or set {instead} there")


def _writers(workspace: Workspace, target: Target) -> frozenset[str]:
    """The addresses of whoever is known to write changes: the authors of the target's last commits."""
    done = workspace.lens.run("log", "--no-merges", f"-{_LAST}", "--format=%ae", target.commit, "--")
    return frozenset(map(person, done.decode("utf-8", "replace").splitlines())) - {NOBODY}


def _own(workspace: Workspace, target: Target, public_key: bytes, *, signed: bool) -> Iterator[Check]:
    """Whether what is signed here counts at the target."""
    doubt = doubt_of(workspace, target, public_key)
    if doubt is None or doubt.reason == "list":  # that nothing counts was said before
        return
    why = f"What is signed here does not count: {doubt.words}."
    if doubt.reason == "unlisted":
        why = f"The key that signs here is not in {SIGNERS_PATH} on {target.name}."
    elif doubt.reason == "revoked":
        why = f"The key that signs here is revoked on {target.name}."
    if signed:
        more, hint = _way_out(workspace, target, public_key, doubt.reason)
        yield Check("signers", "warning", f"{why} {more}".rstrip(), hint)
    else:
        yield ok("signers", why)


def _way_out(workspace: Workspace, target: Target, public_key: bytes, reason: str) -> tuple[str, str]:
    """What to know, and what to type, so that what is signed here counts."""
    if reason == "unlisted":
        line = f'EMAIL namespaces="{NAMESPACE}" {key_words(public_key)}'
        return "", f"git cto init --signing, and commit this to {target.name}: {line}"
    takes = "git config user.signingkey FILE"
    if workspace.environ.get(KEY_VARIABLE, "").strip():
        takes = f"put it into {KEY_VARIABLE}"
    more = f"A new key signs after {takes} and git cto init --signing, once {target.name} has its line."
    make = "ssh-keygen -t ed25519 -f FILE"
    if reason == "revoked":
        return more, make
    return f"{more} The old one signs again with other times in {SIGNERS_PATH}.", f"{make}, or mend it on {target.name}"


def _any_key(signers: Signers) -> str:
    return key_words(signers.allowed[0].key) if signers.allowed else "ssh-ed25519 AAAA"
