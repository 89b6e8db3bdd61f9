"""What `git cto doctor` checks of signing: which key would sign, whether it does, and whether the target allows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from git_cto.errors import CtoError
from git_cto.ledger.signers import REVOKED_PATH, SIGNERS_PATH
from git_cto.ledger.signing import SigningError
from git_cto.ledger.sshsig import NAMESPACE, fingerprint, key_words
from git_cto.repo.ssh_keygen import revoked_by
from git_cto.work.checking import Check, ok
from git_cto.work.workspace import now

if TYPE_CHECKING:
    from collections.abc import Iterator

    from git_cto.ledger.signers import Signers
    from git_cto.model import Target
    from git_cto.work.workspace import Workspace


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
    yield ok(
        "signers", f"{target.name} allows {', '.join(dict.fromkeys(one.principals[0] for one in signers.allowed))}"
    )
    if public_key:
        yield from _own(signers, target, public_key, signed=signed)


def _own(signers: Signers, target: Target, public_key: bytes, *, signed: bool) -> Iterator[Check]:
    """Whether what is signed here counts at the target."""
    at = "".join(character for character in now()[:19] if character.isdigit())
    lines = signers.lines(public_key)
    why = ""
    if not lines:
        why = f"The key that signs here is not in {SIGNERS_PATH} on {target.name}."
    elif public_key in signers.revoked_keys:
        why = f"The key that signs here is revoked on {target.name}."
    elif all(one.doubt(at) for one in lines):
        why = f"What is signed here does not count: {lines[0].doubt(at)}."
    if why and signed:
        line = f'EMAIL namespaces="{NAMESPACE}" {key_words(public_key)}'
        yield Check("signers", "warning", why, f"git cto init --signing, and commit this to {target.name}: {line}")
    elif why:
        yield ok("signers", why)


def _any_key(signers: Signers) -> str:
    return key_words(signers.allowed[0].key) if signers.allowed else "ssh-ed25519 AAAA"
