"""Records: one line each, a DSSE envelope around an in-toto Statement v1. The format is described in docs/ledger.md.

Writing and reading of lines only; where lines are kept is `ledger.notes`' business, what they mean `gate`'s, and whose
signatures count `ledger.signers`'. Readers skip what they cannot read: a line that is not a record of a known kind and
version is no record. Lines with the same payload are one record, which has the signatures of all of them.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from git_cto.errors import BugError, ToolError
from git_cto.ledger.strict import UnreadError, converted, parse, unwrapped
from git_cto.model import (
    ContinueRecord,
    OverrideRecord,
    PlanRecord,
    Predicate,
    Record,
    Signature,
    Subject,
    VerdictRecord,
    plan_fault,
)
from git_cto.repo.runs import RUN_ID

if TYPE_CHECKING:
    from collections.abc import Iterable

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATES: dict[str, type[Predicate]] = {
    "https://git-cto.github.io/plan/v1": PlanRecord,
    "https://git-cto.github.io/verdict/v1": VerdictRecord,
    "https://git-cto.github.io/override/v1": OverrideRecord,
    "https://git-cto.github.io/continue/v1": ContinueRecord,
}
LARGEST_LINE = 64 << 10  # bytes
ROOM_TO_SIGN = 4 << 10  # of them, which a new record leaves to signatures
MOST_SIGNATURES = 16  # on one line
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_OID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_DIGESTS = {"head": {"gitCommit": _OID}, "tree": {"gitTree": _OID}, "change": {"gitBlob": _OID, "sha256": _SHA256}}


class _Named(Struct, frozen=True, forbid_unknown_fields=True):
    name: Literal["head", "tree", "change"]
    digest: dict[str, str]


class _Statement(Struct, frozen=True, forbid_unknown_fields=True):
    type: Literal["https://in-toto.io/Statement/v1"] = msgspec.field(name="_type")
    subject: tuple[_Named, ...]
    predicateType: str  # noqa: N815 -- in-toto's name
    predicate: dict[str, Any]


class _Signature(Struct, frozen=True, forbid_unknown_fields=True):
    sig: str
    keyid: str = ""


class _Envelope(Struct, frozen=True, forbid_unknown_fields=True):
    payload: str
    payloadType: Literal["application/vnd.in-toto+json"]  # noqa: N815 -- DSSE's name
    signatures: tuple[_Signature, ...]


Kind = Literal["plan", "verdict", "override", "continue"]


def kind_of(body: Predicate) -> Kind:
    """The kind of a record as one word."""
    return cast("Kind", _type_of(body).rsplit("/", 2)[-2])


def _type_of(body: Predicate) -> str:
    return next(uri for uri, kind in PREDICATES.items() if isinstance(body, kind))


def encode(subject: Subject, body: Predicate) -> Record:
    """A new record, unsigned, as a reader will see it. `seal` makes its line.

    Text that is no Unicode (bytes of a command line, say) is recorded with replacement characters. Raises `ToolError`
    where the line would be longer than one may be, and `BugError` for what could not be read back.
    """
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": _subject_json(subject),
        "predicateType": _type_of(body),
        "predicate": msgspec.to_builtins(body),
    }
    text = json.dumps(statement, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    payload = _SURROGATE.sub("\ufffd", text).encode("utf-8")
    line = seal(payload, (), most=LARGEST_LINE - ROOM_TO_SIGN)
    try:
        return read(line)
    except UnreadError as error:
        raise BugError(
            f"The record could not be read back ({error}), so it was not kept.", "report this", code="unreadable_record"
        ) from error


def payload_of(line: bytes) -> bytes:
    """What lines of one record have in common, taken out unread; the line itself where it has no payload."""
    return line.partition(b'"payload":"')[2].partition(b'"')[0] or line


def seal(payload: bytes, signatures: Iterable[Signature] = (), *, most: int = LARGEST_LINE) -> bytes:
    """The line (without its newline) of a payload and its signatures. Raises `ToolError` beyond `most` bytes."""
    envelope = {
        "payload": base64.b64encode(payload).decode("ascii"),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"keyid": one.keyid, "sig": base64.b64encode(one.sig).decode("ascii")} for one in signatures],
    }
    line = json.dumps(envelope, sort_keys=True, separators=(",", ":")).encode("ascii")
    if len(line) > most:
        raise ToolError(
            f"The record would have {len(line):,} bytes; {most:,} at most.",
            "split the objective or the change",
            code="record_too_large",
        )
    return line


def _subject_json(subject: Subject) -> list[dict[str, Any]]:
    named: list[dict[str, Any]] = [{"name": "head", "digest": {"gitCommit": subject.head}}]
    if subject.tree:
        named.append({"name": "tree", "digest": {"gitTree": subject.tree}})
    if subject.change:
        named.append({"name": "change", "digest": {"gitBlob": subject.change, "sha256": subject.sha256}})
    return named


def decode(line: bytes) -> Record | None:
    """The record that a line holds, or None where it holds none that we can read. Never raises."""
    try:
        return read(line)
    except UnreadError:
        return None


def decode_all(lines: Iterable[bytes]) -> list[Record]:
    """The records among these lines, each once, in the order they were found, with all their signatures."""
    return united(record for record in map(decode, lines) if record is not None)


def united(records: Iterable[Record]) -> list[Record]:
    """Each record once, in the order they were found, with the signatures of every copy.

    A copy without signatures must not hide one that has some: whoever writes to the notes can add lines.
    """
    found: dict[str, Record] = {}
    for record in records:
        known = found.get(record.id)
        if known is None:
            found[record.id] = record
        elif record.signatures != known.signatures:
            both = tuple(dict.fromkeys((*known.signatures, *record.signatures)))
            found[record.id] = replace(known, signatures=both)
    return list(found.values())


def read(line: bytes) -> Record:
    """The record that a line holds. Raises `UnreadError`, which says why it holds none."""
    if len(line) > LARGEST_LINE:
        raise UnreadError("too-long", f"{len(line):,} bytes are more than a line may have")
    envelope = _envelope(parse(line, "the line"))
    payload = unwrapped(envelope.payload, "payload")
    statement = _statement(parse(payload, "the payload"))
    body = converted(statement.predicate, PREDICATES[statement.predicateType], "predicate")
    subject = _subject(statement.subject)
    _check(subject, body)
    return Record(
        id=hashlib.sha256(payload).hexdigest(),
        subject=subject,
        body=body,
        payload=payload,
        signatures=tuple(
            Signature(sig=unwrapped(one.sig, "signature"), keyid=one.keyid) for one in envelope.signatures
        ),
    )


def _envelope(value: Any) -> _Envelope:  # noqa: ANN401 -- any JSON
    if isinstance(value, dict) and value.get("payloadType", PAYLOAD_TYPE) != PAYLOAD_TYPE:
        raise UnreadError("payload-type", "the payload is of another type")
    envelope = converted(value, _Envelope, "envelope")
    if len(envelope.signatures) > MOST_SIGNATURES:
        raise UnreadError("signatures", f"{len(envelope.signatures)} signatures are more than a line may have")
    return envelope


def _statement(value: Any) -> _Statement:  # noqa: ANN401 -- any JSON
    if isinstance(value, dict):
        if value.get("_type", STATEMENT_TYPE) != STATEMENT_TYPE:
            raise UnreadError("statement-type", "it is no in-toto Statement v1")
        kind = value.get("predicateType")
        if isinstance(kind, str) and kind not in PREDICATES:
            raise UnreadError("predicate-type", f"{kind[:100]!a} is no kind of record, or one of another version")
    return converted(value, _Statement, "statement")


def _subject(named: tuple[_Named, ...]) -> Subject:
    by_name = {one.name: one.digest for one in named}
    if len(by_name) != len(named):
        raise UnreadError("subject", "a subject stands twice")
    for name, digest in by_name.items():
        if digest.keys() != _DIGESTS[name].keys():
            raise UnreadError("subject", f"the subject {name} has other digests")
        if not all(_DIGESTS[name][key].fullmatch(value) for key, value in digest.items()):
            raise UnreadError("subject", f"a digest of the subject {name} is none")
    if "head" not in by_name:
        raise UnreadError("subject", "there is no head")
    change = by_name.get("change", {})
    return Subject(
        head=by_name["head"]["gitCommit"],
        tree=by_name.get("tree", {}).get("gitTree", ""),
        change=change.get("gitBlob", ""),
        sha256=change.get("sha256", ""),
    )


def _check(subject: Subject, body: Predicate) -> None:
    """What types alone do not say."""
    if not _is_time(body.time):
        raise UnreadError("time", "the time is none")
    base = body.base if isinstance(body, PlanRecord) else ""
    if not body.target.startswith("refs/heads/") or _CONTROL.search(body.target + base):
        raise UnreadError("target", "the target is no branch")  # both end up in command lines
    if isinstance(body, VerdictRecord | OverrideRecord) and not (subject.tree and subject.change):
        raise UnreadError("subject", "there is no tree, or no change")
    commits = {
        VerdictRecord: ("target_commit", "merge_base"),
        OverrideRecord: ("target_commit",),
        PlanRecord: ("target_commit", "start"),
        ContinueRecord: (),
    }[type(body)]
    if not all(_OID.fullmatch(getattr(body, name)) for name in commits):
        raise UnreadError("commit", "a commit is none")  # it would end up in a command line
    if isinstance(body, VerdictRecord) and body.review.head != subject.head:
        raise UnreadError("review-head", "the review is of another head")
    if isinstance(body, PlanRecord) and (not RUN_ID.fullmatch(body.run) or plan_fault(body.plan)):
        raise UnreadError("plan", "it is a plan that nobody could carry out")  # its ids become names of branches
    if isinstance(body, VerdictRecord) and body.run and not RUN_ID.fullmatch(body.run):
        raise UnreadError("run", "the run is none")


def _is_time(text: str) -> bool:
    try:
        return _TIME.fullmatch(text) is not None and dt.datetime.fromisoformat(text) is not None
    except ValueError:
        return False
