"""Whose signatures on a record count: each is read, looked up among the signers, and checked by ssh-keygen.

What was not signed for us by a listed key costs no process, and what anybody could add to the notes cannot cost more
than a fixed number of them. What is not found good is not trusted. And where a refusal may be signed, and could not be
checked for all the others, nothing is: whoever adds signatures must not be able to hide it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from git_cto.ledger.records import PAYLOAD_TYPE
from git_cto.ledger.signers import REVOKED_PATH, SIGNERS_PATH, Allowed
from git_cto.ledger.sshsig import NAMESPACE, armoured, fingerprint, key_words, read_signature
from git_cto.model import Signer, VerdictRecord
from git_cto.repo.ssh_keygen import Check, check_all, revoked_by

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from git_cto.ledger.signers import Signers
    from git_cto.model import Record, Signature
    from git_cto.repo.ssh_keygen import Checked, Memory

MOST_CHECKS = 64  # signatures that ssh-keygen is asked about for one set of records


def pre_authentication(payload: bytes, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """The bytes that DSSE signs: the payload and its type, each after its length."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


class _Candidate(Struct, frozen=True):
    """A signature that may be good: by a key that a line allows, which is not revoked and has not expired."""

    record: Record
    line: Allowed
    signature: Signature

    def check(self, revoked: bytes | None, at: str) -> Check:
        """What ssh-keygen is asked; put together only then, since there may be many that nobody gets to."""
        return Check(
            at=at,
            allowed=self.line.line,
            principal=self.line.principals[0],
            namespace=NAMESPACE,
            signature=armoured(self.signature.sig),
            message=pre_authentication(self.record.payload),
            revoked=revoked,
        )


# Why a signature does not count, as short words that stay the same; the one that came closest says it best.
REASONS = (
    "unsigned",
    "no-signature",  # the bytes are none
    "namespace",  # made for something else
    "list",  # what the target's lists say cannot be read
    "unlisted",
    "ssh-keygen",  # refused it for another reason
    "does-not-fit",  # the record, or whatever else was signed
    "not-now",  # the key has expired, or is not valid yet
    "revoked",
    "too-many",
)


class Doubt(Struct, frozen=True):
    """Why a signature, or whatever a key signs, does not count: one of `REASONS`, and in words."""

    reason: str
    words: str


_UNCHECKED = Doubt("too-many", "there is a refusal whose signatures could not all be checked")


class Weighed(Struct, frozen=True):
    """A record with its signers, and why there are none ("" where there are): one of `REASONS`."""

    record: Record
    reason: str


def trusted(
    records: Sequence[Record],
    signers: Signers,
    at: str,
    environ: Mapping[str, str],
    *,
    most: int = MOST_CHECKS,
    memory: Memory | None = None,
) -> list[Record]:
    """The same records with their signers, as of `at` (YYYYMMDDHHMMSS, UTC), and why there are none where there are.

    Those that matter most stand first: beyond `most` checks nothing is trusted any more, and where a refusal is among
    what was not checked, nothing at all. What is in the `memory` is not checked again.
    """
    return [one.record for one in weighed(records, signers, at, environ, most=most, memory=memory)]


def first_checks(records: Sequence[Record], signers: Signers, at: str) -> list[Check]:
    """What `trusted` would ask ssh-keygen first, for whoever has many records and wants it asked all at once."""
    queues = [queue for record in records for queue in _candidates(record, signers, at, [])]
    return [queue[0].check(signers.revoked, at) for queue in queues[:MOST_CHECKS]]


def weighed(
    records: Sequence[Record],
    signers: Signers,
    at: str,
    environ: Mapping[str, str],
    *,
    most: int = MOST_CHECKS,
    memory: Memory | None = None,
) -> list[Weighed]:
    """As `trusted`, with the reason as a word that programs can go by."""
    doubts: dict[str, list[Doubt]] = {record.id: [] for record in records}
    queues: list[list[_Candidate]] = []
    for record in records:
        queues += _candidates(record, signers, at, doubts[record.id])
    good: dict[str, list[Signer]] = {record.id: [] for record in records}
    left, unsettled = most, set[str]()
    while queues:
        asked, queues = queues[:left], queues[left:]
        if not asked:
            for queue in queues:
                doubts[queue[0].record.id].append(Doubt("too-many", "there are too many signatures to check them all"))
                unsettled.add(queue[0].record.id)
            break
        left -= len(asked)
        again = []
        checked = check_all([queue[0].check(signers.revoked, at) for queue in asked], environ, memory)
        for queue, one in zip(asked, checked, strict=True):
            first, rest = queue[0], queue[1:]
            if one.good:
                good[first.record.id].append(_signer(first.line, signers))
            else:
                doubts[first.record.id].append(_failed(first, one, signers, environ))
                unsettled |= set() if one.settled else {first.record.id}
                again += [rest] if rest else []
        queues += again
    if any(one.id in unsettled and not good[one.id] and _refuses(one) for one in records):
        return [_weighed(one, (), [_UNCHECKED]) for one in records]
    return [_weighed(one, tuple(good[one.id]), doubts[one.id]) for one in records]


def _refuses(record: Record) -> bool:
    return isinstance(record.body, VerdictRecord) and record.body.verdict != "approve"


def _weighed(record: Record, signers: tuple[Signer, ...], doubts: Sequence[Doubt]) -> Weighed:
    if signers:
        return Weighed(replace(record, signers=signers, doubt=""), "")
    nearest = max(doubts, key=lambda one: REASONS.index(one.reason), default=Doubt("unsigned", "it is not signed"))
    return Weighed(replace(record, signers=(), doubt=nearest.words), nearest.reason)


def _candidates(record: Record, signers: Signers, at: str, doubts: list[Doubt]) -> list[list[_Candidate]]:
    """What has to be checked, by key: of several signatures by one key the first good one is enough."""
    by_key: dict[bytes, list[_Candidate]] = {}
    for signature in record.signatures:
        found = _looked_up(signature, signers, at)
        if isinstance(found, Doubt):
            doubts.append(found)
            continue
        by_key.setdefault(found.key, []).append(_Candidate(record, found, signature))
    return list(by_key.values())


def _looked_up(signature: Signature, signers: Signers, at: str) -> Allowed | Doubt:
    """The line that allows a signature's key, or why none does. No process is started for that."""
    try:
        said = read_signature(signature.sig)
    except ValueError as error:
        return Doubt("no-signature", f"one signature cannot be read: {error}")
    if said.namespace != NAMESPACE.encode():
        return Doubt(
            "namespace", f"it was signed for {said.namespace.decode('utf-8', 'replace')[:60]!a}, not for git-cto"
        )
    return _allowed(said.public_key, signers, at)


def _allowed(key: bytes, signers: Signers, at: str) -> Allowed | Doubt:
    """The line that allows a key, or why none does; what only a key revocation list knows is not looked up."""
    if signers.fault:
        return Doubt("list", signers.fault.rstrip("."))
    lines = signers.lines(key)
    if not lines:
        return Doubt("unlisted", _unlisted(key, signers))
    if key in signers.revoked_keys:
        return Doubt("revoked", f"the key of {lines[0].principals[0]} was revoked")
    valid = [line for line in lines if not line.doubt(at)]
    return valid[0] if valid else Doubt("not-now", lines[0].doubt(at))


def _unlisted(key: bytes, signers: Signers) -> str:
    if signers.missing:
        return f"the target has no {SIGNERS_PATH}"
    for one in signers.ignored:
        if one.key == key:
            return f"line {one.number} of {SIGNERS_PATH} does not count: {one.why}"
    return f"the key {fingerprint(key)} is not in {SIGNERS_PATH} of the target"


def _failed(first: _Candidate, checked: Checked, signers: Signers, environ: Mapping[str, str]) -> Doubt:
    who = first.line.principals[0]
    if "incorrect signature" in checked.said:
        return Doubt("does-not-fit", f"the signature by {who} does not fit the record")
    refused = Doubt("ssh-keygen", f"ssh-keygen refused the signature by {who}: {checked.said.rstrip('.')}")
    return _revoked(first.line, signers, environ) or refused


def _revoked(line: Allowed, signers: Signers, environ: Mapping[str, str]) -> Doubt | None:
    """What a key revocation list has against a key, where there is one."""
    if signers.revoked is None:
        return None
    revoked = revoked_by(signers.revoked, key_words(line.key), environ)
    if revoked is None:
        return Doubt("list", f"{REVOKED_PATH} cannot be read, so no signature counts")
    return Doubt("revoked", f"the key of {line.principals[0]} was revoked") if revoked else None


def key_doubt(key: bytes, signers: Signers, at: str, environ: Mapping[str, str]) -> Doubt | None:
    """Why nothing counts that a key signs, None where it does. Only a key revocation list costs a process."""
    found = _allowed(key, signers, at)
    return found if isinstance(found, Doubt) else _revoked(found, signers, environ)


def _signer(line: Allowed, signers: Signers) -> Signer:
    return Signer(principal=line.principals[0], key=fingerprint(line.key), aliases=signers.names(line.key))


def line_doubt(line: Allowed, signers: Signers, at: str, environ: Mapping[str, str]) -> str:
    """Why a line that can be read allows nothing at a time, in a few words; "" where it does."""
    listed = _revoked(line, signers, environ)
    if line.key in signers.revoked_keys or (listed and listed.reason == "revoked"):
        return "revoked"
    return line.outside(at)
