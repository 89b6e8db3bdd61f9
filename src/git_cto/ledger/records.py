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
import math
import re
from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from git_cto.errors import BugError, ToolError
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
# What a line that is no record of ours makes its reader raise; msgspec's errors and Unicode's are ValueErrors.
_UNREADABLE = (ValueError, KeyError, RecursionError)
_SURROGATE = re.compile("[\ud800-\udfff]")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_OID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


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
        return _decoded(line)
    except _UNREADABLE as error:
        raise BugError(
            f"The record could not be read back ({error}), so it was not kept.", "report this", code="unreadable_record"
        ) from error


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
        return _decoded(line)
    except _UNREADABLE:
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


def _decoded(line: bytes) -> Record:
    if len(line) > LARGEST_LINE:
        raise ValueError("too long")
    envelope = msgspec.convert(_json(line), _Envelope)
    if len(envelope.signatures) > MOST_SIGNATURES:
        raise ValueError("too many signatures")
    payload = base64.b64decode(envelope.payload, validate=True)
    statement = msgspec.convert(_json(payload), _Statement)
    body = msgspec.convert(statement.predicate, PREDICATES[statement.predicateType])
    subject = _subject(statement.subject)
    _check(subject, body)
    return Record(
        id=hashlib.sha256(payload).hexdigest(),
        subject=subject,
        body=body,
        payload=payload,
        signatures=tuple(
            Signature(sig=base64.b64decode(one.sig, validate=True), keyid=one.keyid) for one in envelope.signatures
        ),
    )


def _json(data: bytes) -> Any:  # noqa: ANN401 -- any JSON
    value = json.loads(
        data.decode("utf-8"),
        object_pairs_hook=_once,
        parse_constant=_no_constant,
        parse_float=_finite,
        parse_int=_bounded,
    )
    if b"\\u" in data:
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # half a surrogate pair is no text; nobody could print it
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")  # Python would keep the last, others the first
    return found


def _no_constant(name: str) -> Any:  # noqa: ANN401 -- never returns
    raise ValueError(f"{name} is not JSON")


def _bounded(text: str) -> int:
    if len(text) > 18:  # digits that fit into 64 bits
        raise ValueError(f"{text[:18]}... is too large")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large")
    return number


def _subject(named: tuple[_Named, ...]) -> Subject:
    by_name = {one.name: one.digest for one in named}
    if len(by_name) != len(named):
        raise ValueError("a subject stands twice")
    change = by_name.get("change", {})
    return Subject(
        head=by_name["head"]["gitCommit"],
        tree=by_name.get("tree", {}).get("gitTree", ""),
        change=change.get("gitBlob", ""),
        sha256=change.get("sha256", ""),
    )


def _check(subject: Subject, body: Predicate) -> None:
    """What types alone do not say."""
    if not _OID.fullmatch(subject.head) or not _TIME.fullmatch(body.time):
        raise ValueError("no head, or no time")
    dt.datetime.fromisoformat(body.time)
    if not body.target.startswith("refs/heads/"):
        raise ValueError("the target is no branch")
    if isinstance(body, VerdictRecord | OverrideRecord) and not (
        _OID.fullmatch(subject.change) and _OID.fullmatch(subject.tree) and _SHA256.fullmatch(subject.sha256)
    ):
        raise ValueError("no change")
    commits = {
        VerdictRecord: ("target_commit", "merge_base"),
        OverrideRecord: ("target_commit",),
        PlanRecord: ("target_commit", "start"),
        ContinueRecord: (),
    }[type(body)]
    if not all(_OID.fullmatch(getattr(body, name)) for name in commits):
        raise ValueError("a commit is none")  # it would end up in a command line
    if isinstance(body, VerdictRecord) and body.review.head != subject.head:
        raise ValueError("the review is of something else")
    if isinstance(body, PlanRecord) and (not RUN_ID.fullmatch(body.run) or plan_fault(body.plan)):
        raise ValueError("a plan that nobody could carry out")  # its ids become names of branches
    if isinstance(body, VerdictRecord) and body.run and not RUN_ID.fullmatch(body.run):
        raise ValueError("the run is none")
