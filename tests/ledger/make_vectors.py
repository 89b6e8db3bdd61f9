"""Writes the conformance vectors of the ledger's format: `python -m tests.ledger.make_vectors`.

The keys are made from their owners' names, and ed25519 signs the same message in the same way every time: what is
written here depends on nothing but this file and the format. Signatures are put together byte by byte, so that the
vectors do not rest on the code that reads them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from nacl.signing import SigningKey

from git_cto.ledger.records import encode
from git_cto.model import Predicate, Subject
from tests.gate.values import (
    CHANGE,
    HEAD,
    SHA256,
    TREE,
    a_continue,
    a_finding,
    a_plan,
    a_plan_record,
    a_review,
    a_verdict,
    an_override,
    ran,
    seen,
)

VECTORS = Path(__file__).with_name("vectors")
AT = "20260301120000"  # the time at which signatures are judged
OURS = "git-cto.verdict.v1"
TYPE = "application/vnd.in-toto+json"

Json = Any
Vector = dict[str, Any]


# ---- keys and signatures ---------------------------------------------------------------------------------------------


class Key:
    """A key that everybody can make again: never use it for anything."""

    def __init__(self, owner: str) -> None:
        self._secret = SigningKey(hashlib.sha256(f"git-cto test vector: {owner}".encode()).digest())
        self.blob = text(b"ssh-ed25519") + text(bytes(self._secret.verify_key))
        self.public = "ssh-ed25519 " + base64.b64encode(self.blob).decode()

    @property
    def fingerprint(self) -> str:
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")

    def sign(self, message: bytes, **said: Any) -> bytes:  # noqa: ANN401 -- parts of the blob
        """A signature as OpenSSH writes it; `said` replaces what its blob says, `over` what was really signed."""
        namespace, digest = said.get("namespace", OURS).encode(), said.get("digest", "sha512")
        over = said.get("over", {})
        signed_digest = over.get("digest", digest)
        signed = b"SSHSIG" + b"".join(
            text(part)
            for part in (
                over.get("namespace", namespace.decode()).encode(),
                b"",
                signed_digest.encode(),
                hashlib.new(signed_digest, message).digest(),
            )
        )
        raw = text(said.get("type", b"ssh-ed25519")) + text(self._secret.sign(signed).signature)
        fields = (said.get("key", self.blob), namespace, said.get("reserved", b""), digest.encode(), raw)
        blob = said.get("magic", b"SSHSIG") + struct.pack(">I", said.get("version", 1))
        return bytes(blob + b"".join(text(field) for field in fields))


def text(data: bytes) -> bytes:
    """A text of the SSH wire format."""
    return struct.pack(">I", len(data)) + data


def to_sign(payload: bytes, kind: str = TYPE) -> bytes:
    """DSSE's pre-authentication encoding."""
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)


ADA, BEN, EVE = Key("ada"), Key("ben"), Key("eve")
GONE, SOON, LOST, WILD, BARE, PLAIN, AUTHORITY, NOT_ALL = map(
    Key, ("gone", "soon", "lost", "wild", "bare", "plain", "authority", "not-all")
)
_MINE = f'namespaces="{OURS}"'
SIGNERS = "".join(
    (
        "# Who may sign, for the vectors beside this file.\n",
        f"ada@example.org {_MINE} {ADA.public} Ada\n",
        f'ben@example.org,ben@work.example namespaces="file,{OURS}" {BEN.public}\n',
        f'gone@example.org {_MINE},valid-before="20260201" {GONE.public}\n',
        f'soon@example.org {_MINE},valid-after="20260401" {SOON.public}\n',
        f"lost@example.org {_MINE} {LOST.public}\n",
        f"*@example.org {_MINE} {WILD.public}\n",
        f"bare@example.org {BARE.public}\n",
        f'plain@example.org namespaces="git" {PLAIN.public}\n',
        f"authority@example.org cert-authority,{_MINE} {AUTHORITY.public}\n",
        f"not@example.org,!all@example.org {_MINE} {NOT_ALL.public}\n",
    )
)
REVOKED = f"# Keys that do not count any more.\n{LOST.public}\n"


# ---- lines -----------------------------------------------------------------------------------------------------------


def payload_of(body: Predicate) -> bytes:
    return encode(Subject(head=HEAD, tree=TREE, change=CHANGE, sha256=SHA256), body).payload


def line_of(payload: bytes, /, *signatures: bytes, keyid: str = "", **envelope: Json) -> bytes:
    """A line with these signatures (raw); `envelope` replaces keys, and leaves out those that are ..."""
    said: dict[str, Json] = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": TYPE,
        "signatures": [{"keyid": keyid, "sig": base64.b64encode(one).decode()} for one in signatures],
    }
    said |= envelope
    return json.dumps({key: value for key, value in said.items() if value is not ...}, separators=(",", ":")).encode()


_PLAN = a_plan()
_REFUSAL = a_verdict(
    _PLAN,
    verdict="revise",
    review=a_review(_PLAN, verdict="revise", summary="日本 \u202e und é", findings=(a_finding(start_line=2),)),
    coverage=seen(1, ("logo.png", "listed")),
    commands=(ran(1), ran(None)),
)
BODIES: dict[str, Predicate] = {
    "plan": a_plan_record(_PLAN),
    "verdict": a_verdict(_PLAN),
    "refusal": _REFUSAL,
    "override": an_override(),
    "continue": a_continue(),
}
APPROVAL, OTHER = payload_of(BODIES["verdict"]), payload_of(BODIES["refusal"])
GOOD = ADA.sign(to_sign(APPROVAL))


def changed(change: Callable[[Json], object], body: str = "verdict") -> bytes:
    """A line whose statement was changed, with a good signature over what it says now."""
    statement = json.loads(payload_of(BODIES[body]))
    change(statement)
    return signed(json.dumps(statement, separators=(",", ":")).encode("utf-8", "surrogatepass"))


def replaced(old: bytes, new: bytes) -> bytes:
    """A line whose payload was changed as text, with a good signature over what it says now."""
    assert APPROVAL.count(old) == 1, old
    return signed(APPROVAL.replace(old, new))


def signed(payload: bytes, **envelope: Json) -> bytes:
    return line_of(payload, ADA.sign(to_sign(payload)), **envelope)


def _at(path: str, value: Json) -> Callable[[Json], object]:
    """Sets what is at a path of keys (`predicate.review.head`)."""

    def change(statement: Json) -> None:
        *way, last = path.split(".")
        for key in way:
            statement = statement[int(key) if key.isdigit() else key]
        statement[int(last) if last.isdigit() else last] = value

    return change


# ---- valid -----------------------------------------------------------------------------------------------------------


def valid() -> Iterator[Vector]:
    for name, body in BODIES.items():
        payload = payload_of(body)
        yield _valid(
            f"{name}-unsigned", f"a {name} that nobody signed: a record, and trusted by nobody", line_of(payload)
        )
        why = f"a {name}, signed by a listed key"
        yield _valid(f"{name}-signed", why, line_of(payload, ADA.sign(to_sign(payload))), "ada@example.org")
    both = line_of(APPROVAL, GOOD, BEN.sign(to_sign(APPROVAL)))
    yield _valid("two-signers", "signed by two people", both, "ada@example.org", "ben@example.org")
    lies = line_of(APPROVAL, GOOD, keyid=EVE.fingerprint)
    yield _valid(
        "keyid-lies",
        "keyid is a hint that nobody vouches for: the key in the signature counts",
        lies,
        "ada@example.org",
    )
    yield _valid(
        "sha256",
        "OpenSSH may hash with SHA-256, too",
        line_of(APPROVAL, ADA.sign(to_sign(APPROVAL), digest="sha256")),
        "ada@example.org",
    )
    mixed = line_of(APPROVAL, EVE.sign(to_sign(APPROVAL)), GOOD[:-1], ADA.sign(to_sign(OTHER)), GOOD)
    yield _valid(
        "good-among-bad", "one good signature is enough, whatever else stands beside it", mixed, "ada@example.org"
    )
    spaced = json.dumps(json.loads(APPROVAL), indent=2).encode()
    yield _valid(
        "other-json",
        "any JSON of the same values is a record, with an id of its own",
        signed(spaced),
        "ada@example.org",
    )
    sixteen = line_of(APPROVAL, *(EVE.sign(to_sign(APPROVAL)) for _ in range(15)), GOOD)
    yield _valid("sixteen-signatures", "as many signatures as a line may have", sixteen, "ada@example.org")
    escaped = replaced(b'"It says 2."', b'"\\ud83d\\ude00"')
    yield _valid("surrogate-pair", "two halves that belong together are a character", escaped, "ada@example.org")
    last = changed(_at("predicate.time", "2026-02-28T23:59:59.999Z"))
    yield _valid("last-millisecond", "a time of a day that there is", last, "ada@example.org")


def _valid(name: str, why: str, line: bytes, *signers: str) -> Vector:
    payload = base64.b64decode(json.loads(line)["payload"])
    kind = json.loads(payload)["predicateType"].rsplit("/", 2)[-2]
    return {
        "name": name,
        "why": why,
        "line": line.decode("ascii"),
        "expected": "ok",
        "id": hashlib.sha256(payload).hexdigest(),
        "kind": kind,
        "signers": list(signers),
    }


# ---- no record -------------------------------------------------------------------------------------------------------


def unread() -> Iterator[Vector]:
    """Lines that are no record: (name, reason, why, line)."""
    for name, reason, why, line in (*_of_the_line(), *_of_the_json(), *_of_the_statement(), *_of_the_predicate()):
        yield _invalid(name, "read", reason, why, line)


def _of_the_line() -> Iterator[tuple[str, str, str, bytes]]:
    line = line_of(APPROVAL, GOOD)
    yield "empty", "not-json", "nothing at all", b""
    yield "garbage", "not-json", "no JSON", b"approve"
    yield "cut", "not-json", "the end is missing", line[:-20]
    yield "trailing-data", "not-json", "something stands behind the envelope", line + b" x"
    yield "two-envelopes", "not-json", "two envelopes on one line", line + line
    yield "byte-order-mark", "not-json", "a mark of the byte order before it", b"\xef\xbb\xbf" + line
    yield "not-utf8", "not-utf8", "a byte that is no UTF-8", line.replace(b'"keyid":""', b'"keyid":"\xff"')
    yield "utf16", "not-utf8", "UTF-16", line.decode().encode("utf-16")
    spaces = b" " * (65_537 - len(line))
    yield "too-long", "too-long", "65,537 bytes", line[:-1] + spaces + line[-1:]
    yield "too-deep", "too-deep", "a nesting that nobody needs", b"[" * 60_000
    yield "array", "envelope", "an array where the envelope should be", b"[" + line + b"]"
    yield "unknown-key", "envelope", "an envelope with a key more", line_of(APPROVAL, GOOD, extra=1)
    yield "no-signatures", "envelope", "an envelope without its list of signatures", line_of(APPROVAL, signatures=...)
    yield "null-signatures", "envelope", "no list of signatures", line_of(APPROVAL, signatures=None)
    yield (
        "signature-key",
        "envelope",
        "a signature with a key more",
        line_of(APPROVAL, signatures=[{"sig": "", "cert": ""}]),
    )
    yield "no-payload", "envelope", "an envelope without a payload", line_of(APPROVAL, GOOD, payload=...)
    kind = "application/vnd.dsse+json"
    yield "payload-type", "payload-type", "another payload type", line_of(APPROVAL, GOOD, payloadType=kind)
    yield "payload-type-null", "payload-type", "no payload type", line_of(APPROVAL, GOOD, payloadType=None)
    many = [EVE.sign(to_sign(APPROVAL))] * 16
    yield "many-signatures", "signatures", "17 signatures", line_of(APPROVAL, *many, GOOD)
    coded = base64.b64encode(APPROVAL).decode()
    yield (
        "base64-space",
        "payload",
        "base64 with a space in it",
        line_of(APPROVAL, GOOD, payload=coded[:8] + " " + coded[8:]),
    )
    yield (
        "base64-junk",
        "payload",
        "base64 with a character that is none of it",
        line_of(APPROVAL, GOOD, payload=coded + "!"),
    )
    yield "base64-cut", "payload", "base64 without its last character", line_of(APPROVAL, GOOD, payload=coded[:-1])
    urls = base64.urlsafe_b64encode(APPROVAL + b"\xfb\xff").decode()
    yield "base64-url", "payload", "base64 of the kind for addresses", line_of(APPROVAL, GOOD, payload=urls)
    sig = base64.b64encode(GOOD).decode()
    bad = [{"keyid": "", "sig": sig[:-2] + "*="}]
    yield "signature-base64", "signature", "a signature that is no base64", line_of(APPROVAL, signatures=bad)


def _of_the_json() -> Iterator[tuple[str, str, str, bytes]]:
    line = line_of(APPROVAL, GOOD)
    yield "key-twice-envelope", "key-twice", "payload stands twice", line[:-1] + b',"payload":"e30="}'
    verdict = b'"verdict":"approve"},"round"'
    twice = replaced(verdict, b'"verdict":"revise",' + verdict)
    yield "key-twice-review", "key-twice", "the model's verdict stands twice: readers would differ", twice
    hidden = replaced(verdict, b'"\\u0076erdict":"revise",' + verdict)
    yield "key-twice-escaped", "key-twice", "the same key twice, once written with an escape", hidden
    yield (
        "key-twice-subject",
        "key-twice",
        "a digest stands twice",
        replaced(b'{"gitTree":', b'{"gitTree":"","gitTree":'),
    )
    yield "nan", "number", "NaN is no number of JSON", replaced(b'"round":1', b'"round":NaN')
    yield "infinity", "number", "nor is Infinity", replaced(b'"round":1', b'"round":-Infinity')
    yield "endless-number", "number", "a number that no double can hold", replaced(b'"round":1', b'"round":1e999')
    yield "huge-integer", "number", "an integer of more than 18 digits", replaced(b'"round":1', b'"round":' + b"1" * 19)
    half = replaced(b'"It says 2."', b'"\\ud83d"')
    yield "half-a-character", "half-a-character", "half of a surrogate pair is no text", half
    yield "payload-not-json", "not-json", "a payload that is no JSON", signed(b"approve")
    yield "payload-trailing", "not-json", "something stands behind the statement", signed(APPROVAL + b"{}")
    yield "payload-not-utf8", "not-utf8", "a payload in Latin-1", replaced(b'"It says 2."', b'"caf\xe9"')
    yield "payload-empty", "not-json", "an empty payload", signed(b"")


def _of_the_statement() -> Iterator[tuple[str, str, str, bytes]]:
    yield "statement-array", "statement", "an array where the statement should be", signed(b"[" + APPROVAL + b"]")
    older = changed(_at("_type", "https://in-toto.io/Statement/v0.1"))
    yield "statement-type", "statement-type", "an older kind of statement", older
    yield (
        "predicate-type",
        "predicate-type",
        "somebody else's predicate",
        changed(_at("predicateType", "https://slsa.dev/provenance/v1")),
    )
    yield (
        "predicate-version",
        "predicate-type",
        "a version of the future",
        changed(_at("predicateType", "https://git-cto.github.io/verdict/v2")),
    )
    yield "no-predicate", "statement", "no predicate", changed(lambda s: s.pop("predicate"))
    yield "statement-key", "statement", "a statement with a key more", changed(_at("extra", 1))
    yield "subject-empty", "subject", "about nothing", changed(_at("subject", []))
    yield "subject-unknown", "statement", "a subject of another name", changed(_at("subject.1.name", "trunk"))
    yield "subject-twice", "subject", "two heads", changed(lambda s: s["subject"].append(s["subject"][0]))
    yield "head-short", "subject", "an abbreviated id", changed(_at("subject.0.digest.gitCommit", HEAD[:12]))
    yield "head-capitals", "subject", "an id in capitals", changed(_at("subject.0.digest.gitCommit", HEAD.upper()))
    yield "head-name", "subject", "a name where an id should be", changed(_at("subject.0.digest.gitCommit", "HEAD"))
    yield "head-digests", "subject", "a digest more than there should be", changed(_at("subject.0.digest.sha1", HEAD))
    yield "no-change", "subject", "a verdict about no change", changed(lambda s: s["subject"].pop(2))
    yield (
        "no-sha256",
        "subject",
        "a change without its sha256",
        changed(lambda s: s["subject"][2]["digest"].pop("sha256")),
    )
    yield (
        "override-no-tree",
        "subject",
        "an override without a tree",
        changed(lambda s: s["subject"].pop(1), "override"),
    )


def _of_the_predicate() -> Iterator[tuple[str, str, str, bytes]]:
    for name, verdict in (("space", "approve "), ("capitals", "APPROVE"), ("lgtm", "lgtm"), ("null", None)):
        line = changed(_at("predicate.verdict", verdict))
        yield f"verdict-{name}", "predicate", f"{json.dumps(verdict)} is no verdict", line
    yield (
        "verdict-of-the-model",
        "predicate",
        "nor may the model's be another word",
        changed(_at("predicate.review.verdict", "pass")),
    )
    yield "unknown-field", "predicate", "a field that v1 does not have", changed(_at("predicate.approved", True))
    yield "unknown-field-deep", "predicate", "nor further in", changed(_at("predicate.coverage.seen", 1))
    yield (
        "missing-field",
        "predicate",
        "a field that has to be there",
        changed(lambda s: s["predicate"].pop("coverage")),
    )
    for name, number in (("text", "1"), ("truth", True), ("fraction", 1.0)):
        yield (
            f"round-{name}",
            "predicate",
            f"{json.dumps(number)} is no integer",
            changed(_at("predicate.round", number)),
        )
    yield (
        "kind-mixed",
        "predicate",
        "an override that calls itself a verdict",
        changed(_at("predicateType", "https://git-cto.github.io/verdict/v1"), "override"),
    )
    for name, moment in (
        ("february", "2026-02-30T00:00:00.000Z"),
        ("zone", "2026-01-02T03:04:05.000+00:00"),
        ("seconds", "2026-01-02T03:04:05Z"),
        ("empty", ""),
    ):
        yield f"time-{name}", "time", f"{json.dumps(moment)} is no time", changed(_at("predicate.time", moment))
    for name, target in (("tag", "refs/tags/v1"), ("option", "--output=x"), ("short", "main")):
        yield f"target-{name}", "target", f"{target} is no branch", changed(_at("predicate.target", target))
    nul, feed = "refs/heads/a\0b", "refs/heads/a\nb"
    yield "target-nul", "target", "a NUL in the name of the target", changed(_at("predicate.target", nul))
    yield "base-line-feed", "target", "a line feed in a plan's base", changed(_at("predicate.base", feed), "plan")
    yield "commit-option", "commit", "an option where a commit should be", changed(_at("predicate.merge_base", "--all"))
    yield (
        "commit-name",
        "commit",
        "a name where a commit should be",
        changed(_at("predicate.target_commit", "HEAD"), "override"),
    )
    yield "review-head", "review-head", "a review of another commit", changed(_at("predicate.review.head", "f" * 40))
    yield "run-id", "run", "a run that is none", changed(_at("predicate.run", "../x"))
    yield "plan-empty", "plan", "a plan without a task", changed(_at("predicate.plan.tasks", []), "plan")
    circle = changed(_at("predicate.plan.tasks.0.depends_on", ["t1"]), "plan")
    yield "plan-circle", "plan", "a task that waits for itself", circle
    yield (
        "plan-trunk",
        "plan",
        "a task with the name of a run's own branch",
        changed(_at("predicate.plan.tasks.0.id", "trunk"), "plan"),
    )
    yield (
        "plan-outside",
        "plan",
        "a file outside of the repository",
        changed(_at("predicate.plan.tasks.0.target", "../x"), "plan"),
    )
    yield "plan-run", "plan", "a run that could be no branch", changed(_at("predicate.run", "a run"), "plan")


# ---- a record that nobody trusts -------------------------------------------------------------------------------------


def untrusted() -> Iterator[Vector]:
    for name, reason, why, line in (*_of_the_key(), *_of_the_signature(), *_of_what_was_signed()):
        yield _invalid(name, "trust", reason, why, line)


def _of_the_key() -> Iterator[tuple[str, str, str, bytes]]:
    message = to_sign(APPROVAL)
    for name, key, reason, why in (
        ("unlisted", EVE, "unlisted", "nobody listed this key"),
        ("expired", GONE, "not-now", "valid until 1 February, and now it is March"),
        ("not-yet-valid", SOON, "not-now", "valid from April on, and now it is March"),
        ("revoked", LOST, "revoked", "listed, and revoked"),
        ("wildcard", WILD, "unlisted", "a line for *@example.org names nobody"),
        ("negated", NOT_ALL, "unlisted", "a line with a negated name is in doubt"),
        ("no-namespaces", BARE, "unlisted", "a line without namespaces would allow everything"),
        ("other-namespaces", PLAIN, "unlisted", "a line for signatures of commits"),
        ("cert-authority", AUTHORITY, "unlisted", "a line for certificates"),
    ):
        yield f"key-{name}", reason, why, line_of(APPROVAL, key.sign(message))
    ben = BEN.sign(message, key=ADA.blob)
    yield "key-of-another", "does-not-fit", "it says that Ada's key made it, and Ben's did", line_of(APPROVAL, ben)


def _of_the_signature() -> Iterator[tuple[str, str, str, bytes]]:
    message = to_sign(APPROVAL)
    for name, why, blob in (
        ("empty", "no bytes", b""),
        ("magic", "another beginning", ADA.sign(message, magic=b"SSHSIF")),
        ("version", "version 2", ADA.sign(message, version=2)),
        ("hash", "hashed with SHA-1", ADA.sign(message, digest="sha1")),
        ("reserved", "a field that has to be empty", ADA.sign(message, reserved=b"x")),
        ("junk", "a byte behind it", GOOD + b"\0"),
        ("cut", "the last byte is missing", GOOD[:-1]),
        ("length", "a text that is longer than all there is", GOOD[:10] + b"\xff\xff\xff\xff" + GOOD[14:]),
        ("no-key", "no public key", ADA.sign(message, key=b"")),
        ("armoured", "base64 with its frame, where the bytes should be", _armoured(GOOD)),
        ("raw", "the 64 bytes of ed25519 alone", GOOD[-64:]),
    ):
        yield f"signature-{name}", "no-signature", why, line_of(APPROVAL, blob)
    flipped = GOOD[:-1] + bytes([GOOD[-1] ^ 1])
    yield "signature-bit", "does-not-fit", "one bit of it is another one", line_of(APPROVAL, flipped)


def _of_what_was_signed() -> Iterator[tuple[str, str, str, bytes]]:
    message = to_sign(APPROVAL)
    yield "namespace-git", "namespace", "made for commits", line_of(APPROVAL, ADA.sign(message, namespace="git"))
    yield (
        "namespace-v2",
        "namespace",
        "made for another version",
        line_of(APPROVAL, ADA.sign(message, namespace="git-cto.verdict.v2")),
    )
    yield (
        "namespace-prefix",
        "namespace",
        "made for a part of the name",
        line_of(APPROVAL, ADA.sign(message, namespace="git-cto.verdict.v")),
    )
    yield (
        "namespace-lie",
        "does-not-fit",
        "made for commits, and says that it was made for us",
        line_of(APPROVAL, ADA.sign(message, over={"namespace": "git"})),
    )
    yield (
        "hash-lie",
        "does-not-fit",
        "hashed in another way than it says",
        line_of(APPROVAL, ADA.sign(message, digest="sha256", over={"digest": "sha512"})),
    )
    yield "another-record", "does-not-fit", "made over another record", line_of(APPROVAL, ADA.sign(to_sign(OTHER)))
    one = APPROVAL.replace(b"gpt-5.4", b"gpt-5.5")
    yield "one-byte", "does-not-fit", "one byte of the record was changed afterwards", line_of(one, GOOD)
    yield (
        "spaces",
        "does-not-fit",
        "the same values, written otherwise afterwards",
        line_of(APPROVAL.replace(b'","', b'", "', 1), GOOD),
    )
    yield "no-encoding", "does-not-fit", "made over the payload itself", line_of(APPROVAL, ADA.sign(APPROVAL))
    yield (
        "base64-signed",
        "does-not-fit",
        "made over the payload as base64",
        line_of(APPROVAL, ADA.sign(to_sign(base64.b64encode(APPROVAL)))),
    )
    yield (
        "other-type-signed",
        "does-not-fit",
        "made over another payload type",
        line_of(APPROVAL, ADA.sign(to_sign(APPROVAL, "application/json"))),
    )
    yield (
        "trust-me",
        "unlisted",
        "by a listed name in keyid, and by nobody's key",
        line_of(APPROVAL, EVE.sign(message), keyid="ada@example.org"),
    )


def _armoured(blob: bytes) -> bytes:
    coded = base64.b64encode(blob)
    lines = [coded[at : at + 70] for at in range(0, len(coded), 70)]
    return b"\n".join((b"-----BEGIN SSH SIGNATURE-----", *lines, b"-----END SSH SIGNATURE-----", b""))


def _invalid(name: str, step: str, reason: str, why: str, line: bytes) -> Vector:
    try:
        said = {"line": line.decode("ascii")}
    except UnicodeDecodeError:
        said = {"line_base64": base64.b64encode(line).decode()}
    return {"name": name, "why": why, **said, "step": step, "expected": reason}


# ---- files -----------------------------------------------------------------------------------------------------------


def files() -> dict[str, str]:
    """Every generated file by its path within `vectors`."""
    found = {"allowed_signers": SIGNERS, "revoked_keys": REVOKED}
    for folder, vectors in (("valid", valid()), ("invalid", (*unread(), *untrusted()))):
        for vector in vectors:
            path = f"{folder}/{vector['name']}.json"
            assert path not in found, path
            found[path] = json.dumps(vector, indent=2) + "\n"
    return found


def write() -> None:
    """Writes them all and removes vectors that nobody makes any more."""
    made = files()
    for path, content in made.items():
        (VECTORS / path).parent.mkdir(parents=True, exist_ok=True)
        (VECTORS / path).write_text(content)
    for old in VECTORS.glob("*/*.json"):
        if str(old.relative_to(VECTORS)) not in made:
            old.unlink()


if __name__ == "__main__":
    write()
