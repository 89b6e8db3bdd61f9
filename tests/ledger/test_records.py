"""A record that is written is read as it was meant, and a line that is no record is none, whatever is wrong with it."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from git_cto.errors import BugError, ToolError
from git_cto.ledger.records import (
    LARGEST_LINE,
    MOST_SIGNATURES,
    PAYLOAD_TYPE,
    PREDICATES,
    ROOM_TO_SIGN,
    decode,
    decode_all,
    encode,
    kind_of,
    read,
    seal,
    united,
)
from git_cto.ledger.strict import UnreadError
from git_cto.model import (
    ContinueRecord,
    Digests,
    OverrideRecord,
    PlanRecord,
    Predicate,
    Record,
    Signature,
    Subject,
    VerdictRecord,
    plan_fault,
)
from tests.gate.values import (
    ADA,
    BASE,
    CHANGE,
    HEAD,
    SHA256,
    TREE,
    a_continue,
    a_finding,
    a_plan,
    a_plan_record,
    a_review,
    a_task,
    a_verdict,
    an_override,
    anything,
    quick,
)

Json = Any
ABOUT = Subject(head=HEAD, tree=TREE, change=CHANGE, sha256=SHA256)
BODIES: list[Predicate] = [a_plan_record(), a_verdict(a_plan()), an_override(), a_continue()]
PREDICATE_WORDS = ["plan", "verdict", "override", "continue"]
KINDS = pytest.mark.parametrize("body", BODIES, ids=PREDICATE_WORDS)


def line_of(body: Predicate, about: Subject = ABOUT) -> bytes:
    return seal(encode(about, body).payload)


def opened(line: bytes) -> tuple[Json, Json]:
    """Envelope and statement of a line, by anybody's JSON."""
    envelope = json.loads(line)
    return envelope, json.loads(base64.b64decode(envelope["payload"]))


def sealed(statement: Json, **envelope: Json) -> bytes:
    """A line around a statement (JSON, text or bytes), signed by nobody."""
    if not isinstance(statement, bytes):
        text = statement if isinstance(statement, str) else json.dumps(statement, ensure_ascii=False)
        statement = text.encode("utf-8", "surrogatepass")
    payload = base64.b64encode(statement).decode()
    return json.dumps({"payload": payload, "payloadType": PAYLOAD_TYPE, "signatures": []} | envelope).encode()


def changed(change: Callable[[Json], object], body: Predicate | None = None) -> Record | None:
    """What is read after `change` was made to the statement of a good record."""
    _, statement = opened(line_of(body or a_verdict(a_plan())))
    assert decode(sealed(statement)) is not None
    change(statement)
    return decode(sealed(statement))


# ---- the published formats -------------------------------------------------------------------------------------------

# DSSE's JSON envelope (envelope.md, 1.0.2) and in-toto's Statement v1 (spec/v1/statement.md), by their own words.
ENVELOPE = {
    "type": "object",
    "required": ["payload", "payloadType", "signatures"],
    "properties": {
        "payload": {"type": "string", "pattern": "^[A-Za-z0-9+/]+={0,2}$"},
        "payloadType": {"const": "application/vnd.in-toto+json"},
        "signatures": {
            "type": "array",
            "items": {"required": ["sig"], "properties": {"keyid": {"type": "string"}, "sig": {"type": "string"}}},
        },
    },
}
STATEMENT = {
    "type": "object",
    "required": ["_type", "subject", "predicateType"],
    "properties": {
        "_type": {"const": "https://in-toto.io/Statement/v1"},
        "subject": {
            "type": "array",
            "minItems": 1,
            "items": {
                "required": ["digest"],
                "properties": {
                    "name": {"type": "string", "minLength": 1},
                    "digest": {
                        "type": "object",
                        "minProperties": 1,
                        "additionalProperties": {"pattern": "^[0-9a-f]+$"},
                    },
                },
            },
        },
        "predicateType": {"type": "string", "format": "uri", "pattern": "^https://"},
        "predicate": {"type": "object"},
    },
    "additionalProperties": False,
}


@KINDS
def test_a_line_is_a_dsse_envelope_around_an_in_toto_statement(body: Predicate) -> None:
    line = line_of(body)
    envelope, statement = opened(line)
    jsonschema.validate(envelope, ENVELOPE)
    jsonschema.validate(statement, STATEMENT)
    assert PREDICATES[statement["predicateType"]] is type(body)
    assert kind_of(body) in statement["predicateType"]
    assert b"\n" not in line
    assert line.isascii()


def test_the_subject_names_head_tree_and_change_by_in_totos_names_for_digests() -> None:
    _, statement = opened(line_of(a_verdict()))
    assert statement["subject"] == [
        {"name": "head", "digest": {"gitCommit": HEAD}},
        {"name": "tree", "digest": {"gitTree": TREE}},
        {"name": "change", "digest": {"gitBlob": CHANGE, "sha256": SHA256}},
    ]
    _, statement = opened(line_of(a_continue(), Subject(head=HEAD)))
    assert [one["name"] for one in statement["subject"]] == ["head"]


def test_an_id_is_the_digest_of_the_payload() -> None:
    record = encode(ABOUT, a_verdict())
    envelope, _ = opened(seal(record.payload))
    assert record.id == hashlib.sha256(base64.b64decode(envelope["payload"])).hexdigest()


def test_the_same_record_is_the_same_line() -> None:
    assert line_of(a_verdict()) == line_of(a_verdict())
    assert line_of(a_verdict()) != line_of(a_verdict(round=2))


@pytest.mark.parametrize("body, kind", [*zip(BODIES, PREDICATE_WORDS, strict=True)])
def test_a_kind_is_one_word(body: Predicate, kind: str) -> None:
    assert kind_of(body) == kind


# ---- there and back --------------------------------------------------------------------------------------------------

oids = st.text("0123456789abcdef", min_size=40, max_size=40)
times = st.datetimes().map(lambda moment: moment.strftime("%Y").zfill(4) + moment.strftime("-%m-%dT%H:%M:%S.123Z"))
fixed = {
    "time": times,
    "target": st.just("refs/heads/main") | st.just("refs/heads/日本"),
    "target_commit": oids,
    "merge_base": oids,
    "start": oids,
    "run": st.just("say-2-3f2a1c"),
    "plan": st.just(a_plan(a_task("t1"), a_task("t2", depends_on=("t1",)))),
    "head": st.just(HEAD),
    "digests": anything(Digests),  # whose "plan" is not the plan
}
bodies = st.one_of(
    anything(VerdictRecord, **fixed),
    anything(OverrideRecord, **fixed),
    anything(PlanRecord, **fixed, base=st.just("") | st.just("release/1.0") | st.just("日本")),
    anything(ContinueRecord, **fixed),
)


def clean(value: Json) -> Json:
    """A value as a reader sees it: text that is no Unicode with replacement characters."""
    if isinstance(value, str):
        return "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in value)
    if isinstance(value, dict):
        return {key: clean(inner) for key, inner in value.items()}
    return [clean(inner) for inner in value] if isinstance(value, list | tuple) else value


@settings(quick, max_examples=80)
@given(bodies)
def test_any_record_is_read_as_it_was_written(body: Predicate) -> None:
    record = encode(ABOUT, body)
    line = seal(record.payload)
    assert decode(line) == record
    assert record.subject == ABOUT
    assert type(record.body) is type(body)
    assert clean(msgspec.to_builtins(record.body)) == clean(msgspec.to_builtins(body))
    assert decode_all([line, b"", line, b"x"]) == [record]


def test_text_that_is_no_unicode_is_recorded_with_replacement_characters() -> None:
    body = an_override(reason="caf\udce9 \ud83d", actor=msgspec.structs.replace(ADA, name="Ren\udce9"))
    record = encode(ABOUT, body)
    assert (record.body.reason, record.body.actor.name) == ("caf\ufffd \ufffd", "Ren\ufffd")  # type: ignore[union-attr]


def test_text_about_surrogates_is_text() -> None:
    said = a_verdict(review=a_review(summary='it writes "\\ud83d\\ude00" and \\ud800, 😀 and \x00'))
    record = encode(ABOUT, said)
    assert record.body == said
    assert decode(seal(record.payload)) == record


# ---- limits ----------------------------------------------------------------------------------------------------------


def padded(size: int) -> VerdictRecord:
    return a_verdict(review=a_review(summary="x" * size))


def test_a_new_line_leaves_room_for_signatures_within_its_64_kib() -> None:
    assert LARGEST_LINE == 65_536
    unsigned = LARGEST_LINE - ROOM_TO_SIGN
    room = 0
    while len(line_of(padded(room + 1_000))) <= unsigned - 2_000:
        room += 1_000
    fitting = next(size for size in range(room + 4_000, room, -1) if _fits(size))
    line = line_of(padded(fitting))
    assert unsigned - 4 < len(line) <= unsigned
    assert decode(line) is not None
    with pytest.raises(ToolError) as caught:
        encode(ABOUT, padded(fitting + 3))
    assert caught.value.code == "record_too_large"
    assert "61,440 at most" in caught.value.message
    payload = encode(ABOUT, padded(fitting)).payload
    assert len(seal(payload, [Signature(sig=b"x" * 3_000)])) <= LARGEST_LINE
    with pytest.raises(ToolError, match="65,536 at most"):
        seal(payload, [Signature(sig=b"x" * 4_000)])


def _fits(size: int) -> bool:
    try:
        line_of(padded(size))
    except ToolError:
        return False
    return True


def test_a_longer_line_is_no_record() -> None:
    _, statement = opened(line_of(a_verdict()))
    statement["predicate"]["review"]["summary"] = "x" * LARGEST_LINE
    assert decode(sealed(statement)) is None
    assert decode(line_of(a_verdict()) + b" " * LARGEST_LINE) is None


@pytest.mark.parametrize(
    "body, about",
    [
        (a_verdict(time="yesterday"), ABOUT),
        (a_verdict(target="main"), ABOUT),
        (a_verdict(merge_base="--output=x"), ABOUT),
        (a_verdict(review=a_review(head="f" * 40)), ABOUT),
        (a_verdict(), Subject(head=HEAD)),
        (an_override(), Subject(head=HEAD, tree=TREE, change=CHANGE)),
        (a_plan_record(a_plan(a_task("--force"))), ABOUT),
        (a_continue(), Subject(head="HEAD")),
    ],
)
def test_what_could_not_be_read_back_is_not_written(body: Predicate, about: Subject) -> None:
    with pytest.raises(BugError, match="could not be read back"):
        encode(about, body)


# ---- lines that are none ---------------------------------------------------------------------------------------------


def twice(line: bytes, key: str) -> bytes:
    """The same JSON with a key that stands twice, with the same value."""
    text = line.decode()
    at = text.index(f'"{key}":')
    end = at + len(f'"{key}":')
    value, length = json.JSONDecoder().raw_decode(text[end:].lstrip())
    return (text[:at] + f'"{key}":{json.dumps(value)},' + text[at:]).encode() if length else line


@pytest.mark.parametrize("key", ["payload", "payloadType", "signatures"])
def test_a_key_that_stands_twice_in_the_envelope_is_refused(key: str) -> None:
    assert decode(twice(line_of(a_verdict()), key)) is None


@pytest.mark.parametrize(
    "key",
    [
        *("_type", "subject", "predicateType", "predicate", "name", "digest", "gitCommit", "sha256"),
        *("verdict", "model_verdict", "coverage", "omitted", "review", "task_reviews", "task_id", "criterion", "met"),
    ],
)
def test_a_key_that_stands_twice_anywhere_in_the_statement_is_refused(key: str) -> None:
    envelope, _ = opened(line_of(a_verdict(a_plan())))
    payload = base64.b64decode(envelope["payload"])
    doubled = twice(payload, key)
    assert json.loads(doubled) == json.loads(payload)
    assert decode(sealed(payload)) is not None
    assert decode(sealed(doubled)) is None


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1" * 400, "1" * 5_000, "1" * 19]
)
def test_a_number_that_is_none_or_knows_no_bounds_is_refused(number: str) -> None:
    envelope, _ = opened(line_of(a_verdict()))
    payload = base64.b64decode(envelope["payload"]).decode()
    assert '"seconds":0.0' in payload
    assert decode(sealed(payload.replace('"seconds":0.0', '"seconds":1.5'))) is not None
    assert decode(sealed(payload.replace('"seconds":0.0', f'"seconds":{number}'))) is None
    assert decode(sealed(payload.replace('"round":1', f'"round":{number}'))) is None


@pytest.mark.parametrize(
    "predicate_type",
    [
        "https://git-cto.github.io/verdict/v2",
        "https://git-cto.github.io/verdict/v1/",
        "https://git-cto.github.io/Verdict/v1",
        "http://git-cto.github.io/verdict/v1",
        "https://slsa.dev/provenance/v1",
        "https://git-cto.github.io/override/v1",
        "",
        None,
        3,
    ],
)
def test_another_predicate_type_is_refused(predicate_type: object) -> None:
    assert changed(lambda s: s.update(predicateType=predicate_type)) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.update(_type="https://in-toto.io/Statement/v0.1"),
        lambda s: s.pop("_type"),
        lambda s: s.update(extra=1),
        lambda s: s.pop("subject"),
        lambda s: s.pop("predicate"),
        lambda s: s.update(predicate=[]),
        lambda s: s["predicate"].update(extra=1),
        lambda s: s["predicate"].pop("verdict"),
        lambda s: s["predicate"].pop("coverage"),
        lambda s: s["predicate"]["review"].update(extra=1),
        lambda s: s["predicate"]["coverage"].update(extra=1),
        lambda s: s["predicate"]["actor"].update(extra=1),
        lambda s: s["predicate"]["review"]["task_reviews"][0].update(extra=1),
        lambda s: s["predicate"].update(verdict="APPROVE"),
        lambda s: s["predicate"].update(verdict="approve "),
        lambda s: s["predicate"].update(verdict="pass"),
        lambda s: s["predicate"].update(verdict=None),
        lambda s: s["predicate"]["review"].update(verdict="lgtm"),
        lambda s: s["predicate"].update(model_verdict=""),
        lambda s: s["predicate"].update(round="1"),
        lambda s: s["predicate"].update(round=1.0),
        lambda s: s["predicate"].update(round=True),
        lambda s: s["predicate"].update(downgrades="none"),
        lambda s: s["predicate"]["review"].update(findings={}),
        lambda s: s["predicate"]["review"].update(injection_suspected=0),
    ],
)
def test_a_statement_of_another_form_is_refused(change: Callable[[Json], object]) -> None:
    assert changed(change) is None


@pytest.mark.parametrize(
    "subject",
    [
        [],
        {},
        [{"name": "head"}],
        [{"name": "head", "digest": {}}],
        [{"name": "head", "digest": {"gitCommit": HEAD}}],
        [{"name": "head", "digest": {"sha1": HEAD}}],
        [{"name": "head", "digest": {"gitCommit": HEAD.upper()}}],
        [{"name": "head", "digest": {"gitCommit": HEAD[:39]}}],
        [{"name": "head", "digest": {"gitCommit": HEAD + "\n"}}],
        [{"name": "head", "digest": {"gitCommit": "HEAD"}}],
        [{"name": "head", "digest": {"gitCommit": 1}}],
        [{"name": "other", "digest": {"gitCommit": HEAD}}],
        [{"name": "head", "digest": {"gitCommit": HEAD, "sha256": SHA256}}],
    ],
)
def test_a_subject_that_names_no_change_is_refused(subject: Json) -> None:
    assert changed(lambda s: s.update(subject=subject)) is None


@pytest.mark.parametrize("body", [a_plan_record(), a_continue()], ids=["plan", "continue"])
@pytest.mark.parametrize("digest", [{"gtBlob": CHANGE, "sha256": SHA256}, {"gitBlob": CHANGE}, {}, {"gitBlob": "x"}])
def test_a_change_that_is_none_is_refused_also_where_none_is_needed(body: Predicate, digest: Json) -> None:
    assert changed(lambda s: s["subject"][2].update(digest=digest), body) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s["subject"].pop(),
        lambda s: s["subject"].pop(1),
        lambda s: s["subject"].append(s["subject"][0]),
        lambda s: s["subject"].append({"name": "head", "digest": {"gitCommit": "f" * 40}}),
        lambda s: s["subject"][2]["digest"].pop("sha256"),
        lambda s: s["subject"][2]["digest"].pop("gitBlob"),
        lambda s: s["subject"][2]["digest"].update(sha256="e" * 63),
        lambda s: s["subject"][2]["digest"].update(sha256="E" * 64),
        lambda s: s["subject"][2]["digest"].update(gitBlob="d" * 41),
        lambda s: s["subject"][1]["digest"].update(gitTree=""),
        lambda s: s["subject"][0]["digest"].update(gitCommit="f" * 40),
        lambda s: s["subject"][0].update(uri="x"),
        lambda s: s["predicate"]["review"].update(head="f" * 40),
        lambda s: s["predicate"].update(target="main"),
        lambda s: s["predicate"].update(target="refs/tags/main"),
        lambda s: s["predicate"].update(target_commit="--output=x"),
        lambda s: s["predicate"].update(merge_base=""),
        lambda s: s["predicate"].update(run="../../x"),
        lambda s: s["predicate"].update(run="--force"),
    ],
)
def test_a_verdict_that_is_not_about_one_change_of_one_head_is_refused(change: Callable[[Json], object]) -> None:
    assert changed(change) is None


@pytest.mark.parametrize(
    "moment",
    [
        *("", "now", "2026-01-02", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000+00:00", "2026-02-30T03:04:05.000Z"),
        *("2026-13-01T00:00:00.000Z", "2026-01-02T24:00:01.000Z", "2026-01-02T03:04:05.000Z\n"),
        *("٢٠٢٦-01-02T03:04:05.000Z", "0000-01-02T03:04:05.000Z"),
        *("20260102T030405.000Z", "2026-0102T03:04:05.000Z", "202601-02T03:04:05.000Z", "2026-01-02T0304:05.000Z"),
        *("2026-01-02T03:0405.000Z", "2026-01-02 03:04:05.000Z", "2026-01-0203:04:05.000Z", "2026-01-02T03:04:05,000Z"),
        *("2026-01-02T03:04:05.00Z", "2026-01-02T03:04:05.0000Z", "2026-01-02T03:04:05.000000Z"),
        *("2026-01-02T03:04:05000Z", "2026-01-02T03:04:05.000", "2026-01-02T03:04:05.000z", "2026-W01-1T03:04:05.000Z"),
        *(
            "02026-01-02T03:04:05.000Z",
            "026-01-02T03:04:05.000Z",
            "2026-1-02T03:04:05.000Z",
            " 2026-01-02T03:04:05.000Z",
        ),
        *("2026-01-02T03:04:5.000Z", "2026-01-02T3:04:05.000Z", "2026-01-02T03:04.000Z", "2026-01-02T03:04:05.Z"),
    ],
)
@KINDS
def test_a_time_that_is_none_is_refused(body: Predicate, moment: str) -> None:
    assert changed(lambda s: s["predicate"].update(time=moment), body) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p["plan"].update(tasks=[]),
        lambda p: p["plan"]["tasks"].append(p["plan"]["tasks"][0]),
        lambda p: p["plan"]["tasks"][0].update(id="trunk"),
        lambda p: p["plan"]["tasks"][0].update(id="../../heads/main"),
        lambda p: p["plan"]["tasks"][0].update(depends_on=["t1"]),
        lambda p: p["plan"]["tasks"][0].update(depends_on=["t7"]),
        lambda p: p["plan"]["tasks"][0].update(target="../x"),
        lambda p: p["plan"]["tasks"][0].update(action="rename_file"),
        lambda p: p.update(run=""),
        lambda p: p.update(run="-x"),
        lambda p: p.update(start="HEAD"),
        lambda p: p.update(target_commit="@{u}"),
    ],
)
def test_a_plan_that_nobody_could_carry_out_is_refused(change: Callable[[Json], object]) -> None:
    assert changed(lambda s: change(s["predicate"]), a_plan_record()) is None


@pytest.mark.parametrize(
    "text", ["\\ud800", "\\udfff", "\\uD83D x", "\\ude00\\ud83d"], ids=["high", "low", "upper case", "swapped"]
)
def test_half_a_surrogate_pair_is_refused(text: str) -> None:
    envelope, _ = opened(line_of(a_verdict()))
    payload = base64.b64decode(envelope["payload"]).decode()
    assert decode(sealed(payload.replace("It says 2.", "\\ud83d\\ude00"))) is not None
    assert decode(sealed(payload.replace("It says 2.", text))) is None


@pytest.mark.parametrize(
    "envelope",
    [
        {"payloadType": "application/json"},
        {"payloadType": "application/vnd.in-toto+json "},
        {"payloadType": None},
        {"payload": ""},
        {"payload": "%%%"},
        {"payload": "e30"},
        {"payload": "e30=\n"},
        {"payload": "é"},
        {"payload": ["e30="]},
        {"payload": None},
        {"signatures": {}},
        {"signatures": None},
        {"signatures": [{}]},
        {"signatures": [{"keyid": "x"}]},
        {"signatures": [{"sig": "x", "extra": 1}]},
        {"signatures": ["x"]},
        {"extra": 1},
    ],
)
def test_an_envelope_of_another_form_is_refused(envelope: Json) -> None:
    _, statement = opened(line_of(a_verdict()))
    assert decode(sealed(statement, **envelope)) is None


@pytest.mark.parametrize("junk", ["%", "\n", " ", "=", "é", "-"])
def test_base64_with_anything_in_between_is_refused(junk: str) -> None:
    envelope, _ = opened(line_of(a_verdict()))
    good = envelope["payload"]
    assert decode(json.dumps(envelope).encode()) is not None
    envelope["payload"] = good[:40] + junk + good[40:]
    assert decode(json.dumps(envelope).encode()) is None


def test_signatures_are_carried_and_trusted_by_nobody_here() -> None:
    _, statement = opened(line_of(a_verdict()))
    record = decode(sealed(statement, signatures=[{"keyid": "ada", "sig": "eA=="}, {"sig": ""}]))
    assert record is not None
    assert record.signatures == (Signature(sig=b"x", keyid="ada"), Signature(sig=b""))
    assert record.signers == ()
    assert not record.trusted
    assert record.body == a_verdict()


def test_more_signatures_than_anybody_needs_are_no_record() -> None:
    _, statement = opened(line_of(a_verdict()))
    assert decode(sealed(statement, signatures=[{"sig": "eA=="}] * MOST_SIGNATURES)) is not None
    assert decode(sealed(statement, signatures=[{"sig": "eA=="}] * (MOST_SIGNATURES + 1))) is None


def test_a_signature_that_is_no_base64_is_no_record() -> None:
    _, statement = opened(line_of(a_verdict()))
    assert decode(sealed(statement, signatures=[{"sig": "e-_="}])) is None


def test_copies_of_a_record_are_one_with_the_signatures_of_all() -> None:
    payload = encode(ABOUT, a_verdict()).payload
    ada, ben = Signature(sig=b"a", keyid="ada"), Signature(sig=b"b", keyid="ben")
    unsigned, of_ada, of_both = seal(payload), seal(payload, [ada]), seal(payload, [ben, ada])
    for lines in ([of_ada, unsigned], [unsigned, of_ada], [unsigned, of_ada, unsigned]):
        (found,) = decode_all(lines)
        assert found.signatures == (ada,)
    (found,) = decode_all([unsigned, of_ada, of_both, of_ada])
    assert found.signatures == (ada, ben)
    first, second = decode(unsigned), decode(of_ada)
    assert first is not None
    assert second is not None
    assert united([first, second]) == united([second, first]) == [second]


def test_a_signed_line_is_read_with_its_signatures_and_the_bytes_they_are_over() -> None:
    record = encode(ABOUT, a_verdict())
    signed = Signature(sig=b"SSHSIG...", keyid="SHA256:abc")
    line = seal(record.payload, [signed])
    found = decode(line)
    assert found == msgspec.structs.replace(record, signatures=(signed,))
    jsonschema.validate(json.loads(line), ENVELOPE)
    assert hashlib.sha256(record.payload).hexdigest() == record.id


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b" ",
        b"\x00",
        b"approve",
        b"null",
        b"[]",
        b"{}",
        b'"x"',
        b"1",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b"[" * 60_000,
        b'{"a":' * 12_000,
        b"1" * 60_000,
        b'{"payload":' + b"[" * 60_000,
    ],
)
def test_garbage_is_no_record(line: bytes) -> None:
    assert decode(line) is None


@pytest.mark.parametrize("payload", [b"\xff", b"[" * 40_000, b'{"predicate":' * 3_000, b"null", b'{"_type": "\xe9"}'])
def test_garbage_in_an_envelope_is_no_record(payload: bytes) -> None:
    assert decode(sealed(payload)) is None


def test_a_line_in_utf16_is_no_record() -> None:
    assert decode(line_of(a_verdict()).decode().encode("utf-16")) is None


@KINDS
def test_a_line_that_was_cut_anywhere_is_no_record(body: Predicate) -> None:
    line = line_of(body)
    assert [place for place in range(len(line)) if decode(line[:place]) is not None] == []


def test_good_lines_survive_garbage_between_them() -> None:
    first, second = line_of(a_verdict()), line_of(an_override())
    found = decode_all([b"", first, b"\xff\x00", first[:-1], b"{}", second, first])
    assert [kind_of(one.body) for one in found] == ["verdict", "override"]


@settings(quick, max_examples=200)
@given(st.binary(max_size=200))
def test_no_bytes_make_a_reader_raise(data: bytes) -> None:
    assert decode(data) is None
    assert decode(sealed(data)) is None


LINE = line_of(a_verdict(a_plan(), carried=(a_finding(),)))


@settings(quick, max_examples=300)
@given(st.integers(0, len(LINE) - 1), st.integers(0, 255))
def test_a_byte_that_was_changed_makes_another_record_or_none(place: int, byte: int) -> None:
    assume(LINE[place] != byte)
    record, original = decode(LINE[:place] + bytes([byte]) + LINE[place + 1 :]), decode(LINE)
    assert original is not None
    if record is not None and record.id == original.id:
        assert (record.subject, record.body) == (original.subject, original.body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(quick, max_examples=150)
@given(st.data())
def test_a_statement_with_anything_in_the_place_of_anything_never_makes_a_reader_raise(data: st.DataObject) -> None:
    body = data.draw(st.sampled_from(BODIES))
    _, statement = opened(line_of(body))
    spots = list(_spots(statement))
    holder, key = data.draw(st.sampled_from(spots))
    holder[key] = data.draw(json_values)
    record = decode(sealed(statement))
    if record is not None:
        msgspec.json.encode(msgspec.to_builtins(record.body))
        if isinstance(record.body, PlanRecord):
            assert plan_fault(record.body.plan) == ""
        assert encode(record.subject, record.body).body == record.body


def _spots(value: Json) -> list[tuple[Json, Json]]:
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    found = [(value, key) for key in keys]
    return found + [spot for key in keys if isinstance(value[key], dict | list) for spot in _spots(value[key])]


def test_reading_a_record_is_quick() -> None:
    """A thousand in well under a second: the log of a large ledger reads as many."""
    line = line_of(a_verdict(a_plan()))
    began = time.perf_counter()
    for _ in range(1_000):
        decode(line)
    assert time.perf_counter() - began < 3


def test_the_target_commit_of_a_sha256_repository_is_one() -> None:
    about = Subject(head="a" * 64, tree="b" * 64, change="d" * 64, sha256="e" * 64)
    body = a_verdict(target_commit="c" * 64, merge_base="c" * 64, review=a_review(head="a" * 64))
    assert encode(about, body).body == body
    assert body.merge_base != BASE


DIGITS = "0123456789abcdef"


def as_every_id(oid: str, body: Predicate | None = None) -> bool:
    """Whether a record is read that has this for every id of git's."""

    def change(statement: Json) -> None:
        for place, name in enumerate(("gitCommit", "gitTree", "gitBlob")):
            statement["subject"][place]["digest"][name] = oid
        statement["predicate"].update(target_commit=oid, merge_base=oid)
        statement["predicate"]["review"].update(head=oid)

    return changed(change, body) is not None


@pytest.mark.parametrize("oid", [(DIGITS * 3)[:40], DIGITS * 4, "0" * 40, "9" * 64, "a" * 64, "f" * 40])
def test_an_id_has_40_or_64_of_16_digits(oid: str) -> None:
    assert as_every_id(oid)
    assert not as_every_id(oid[1:])
    assert not as_every_id(oid + "0")
    for other in "/:`gAFGz -\u0663":
        assert not as_every_id(other + oid[1:])
        assert not as_every_id(oid[:-1] + other)


@pytest.mark.parametrize("length", [0, 1, 38, 42, 62, 66, 80, 104, 128])
def test_an_id_of_another_length_is_none(length: int) -> None:
    assert not as_every_id((DIGITS * 8)[:length])


def test_a_digest_has_64_of_16_digits() -> None:
    def with_digest(text: str) -> bool:
        return changed(lambda s: s["subject"][2]["digest"].update(sha256=text)) is not None

    assert with_digest(DIGITS * 4)
    for other in "/:`gAFGz -\u0663":
        assert not with_digest(other + (DIGITS * 4)[1:])
    for length in (0, 40, 63, 65, 128):
        assert not with_digest((DIGITS * 8)[:length])


def test_the_limits_are_those_of_the_format() -> None:
    """docs/ledger.md: whoever writes another reader must not take what this one leaves."""
    assert (LARGEST_LINE, LARGEST_LINE - ROOM_TO_SIGN, MOST_SIGNATURES) == (65_536, 61_440, 16)
    text = (Path(__file__).parents[2] / "docs" / "ledger.md").read_text()
    assert f"{LARGEST_LINE:,} bytes at most without its newline" in text
    assert f"{LARGEST_LINE - ROOM_TO_SIGN:,} bytes at most before it is signed" in text
    assert f"a list of at most {MOST_SIGNATURES} " in text


# ---- why a line is none ----------------------------------------------------------------------------------------------


def refused(line: bytes) -> tuple[str, str]:
    """The word and the sentence that say why a line is no record."""
    with pytest.raises(UnreadError) as caught:
        read(line)
    return caught.value.code, str(caught.value)


def refused_after(change: Callable[[Json], object], body: Predicate | None = None) -> tuple[str, str]:
    _, statement = opened(line_of(body or a_verdict(a_plan())))
    change(statement)
    return refused(sealed(statement))


def _refused_with(key: str, value: str) -> tuple[str, str]:
    return refused_after(lambda s: s["predicate"].update({key: value}))


def test_why_a_line_is_none_is_said_of_its_json() -> None:
    assert refused(b"x" * (LARGEST_LINE + 1)) == ("too-long", "65,537 bytes are more than a line may have")
    assert refused(b"x" * LARGEST_LINE)[0] == "not-json"
    assert refused(b"\xff") == ("not-utf8", "the line is not UTF-8")
    assert refused(sealed(b"\xff")) == ("not-utf8", "the payload is not UTF-8")
    assert refused(b"approve") == ("not-json", "the line is not JSON from line 1, column 1 on")
    assert refused(b"[" * 60_000) == ("too-deep", "the line is nested too deeply")
    assert refused(sealed(b'["\\ud83d"]')) == ("half-a-character", "the payload holds half a surrogate pair")
    assert refused(b'{"a":1,"a":1}') == ("key-twice", "a key stands twice")
    assert refused(b'{"a":NaN}') == ("number", "NaN is no number")
    assert refused(b'{"a":-1e999}') == ("number", "-1e999 is too large")
    assert refused(b'{"a":' + b"1" * 19 + b"}") == ("number", "1" * 18 + "... is too large")
    assert refused(b'{"a":' + b"1" * 18 + b"}")[0] == "envelope"
    assert refused(b'{"a":1' + b"0" * 400 + b".0}") == ("number", "1" + "0" * 17 + " is too large")


def test_why_a_line_is_none_is_said_of_its_envelope() -> None:
    _, statement = opened(line_of(a_verdict()))
    assert refused(b"[]")[0] == refused(b"{}")[0] == refused(b"null")[0] == "envelope"
    assert refused(sealed(statement, extra=1)) == ("envelope", "Object contains unknown field `extra`")
    assert refused(sealed(statement, payloadType="text/plain")) == ("payload-type", "the payload is of another type")
    assert refused(sealed(statement, payload="%"))[0] == "payload"
    assert refused(sealed(statement, payload="%"))[1].startswith("no base64: ")
    assert refused(sealed(statement, signatures=[{"sig": "%"}]))[0] == "signature"
    many = [{"sig": ""}] * (MOST_SIGNATURES + 1)
    assert refused(sealed(statement, signatures=many)) == ("signatures", "17 signatures are more than a line may have")


def test_why_a_line_is_none_is_said_of_its_statement() -> None:
    assert refused_after(lambda s: s.update(_type="x")) == ("statement-type", "it is no in-toto Statement v1")
    assert refused_after(lambda s: s.pop("_type"))[0] == "statement"
    assert refused_after(lambda s: s.update(predicateType="é" * 200)) == (
        "predicate-type",
        f"{'é' * 100!a} is no kind of record, or one of another version",
    )
    assert refused_after(lambda s: s.update(predicateType=3))[0] == "statement"
    assert refused_after(lambda s: s.pop("predicateType"))[0] == "statement"
    assert refused_after(lambda s: s["predicate"].update(round="1"))[0] == "predicate"
    assert refused(sealed("[]"))[0] == "statement"


def test_why_a_line_is_none_is_said_of_what_it_is_about() -> None:
    assert refused_after(lambda s: s["subject"].append(s["subject"][0])) == ("subject", "a subject stands twice")
    assert refused_after(lambda s: s["subject"][1]["digest"].update(sha256=SHA256)) == (
        "subject",
        "the subject tree has other digests",
    )
    assert refused_after(lambda s: s["subject"][2]["digest"].update(sha256="x")) == (
        "subject",
        "a digest of the subject change is none",
    )
    assert refused_after(lambda s: s["subject"].pop(0)) == ("subject", "there is no head")
    assert refused_after(lambda s: s["subject"].pop(1)) == ("subject", "there is no tree, or no change")
    assert refused_after(lambda s: s["subject"].pop(2)) == ("subject", "there is no tree, or no change")


@pytest.mark.parametrize("sign", ["\0", "\t", "\n", "\x1b", "\x1f", "\x7f"])
def test_what_ends_up_in_command_lines_has_no_control_characters(sign: str) -> None:
    name = f"refs/heads/a{sign}b"
    why = ("target", "the target is no branch")
    for body in BODIES:
        assert refused_after(lambda s: s["predicate"].update(target=name), body) == why
    assert refused_after(lambda s: s["predicate"].update(base=name), a_plan_record()) == why
    assert encode(ABOUT, a_plan_record(base="refs/heads/a b~")).body.base == "refs/heads/a b~"  # type: ignore[union-attr]


def test_why_a_line_is_none_is_said_of_its_predicate() -> None:
    said = {
        "time": ("time", "the time is none"),
        "target": ("target", "the target is no branch"),
        "target_commit": ("commit", "a commit is none"),
        "merge_base": ("commit", "a commit is none"),
        "run": ("run", "the run is none"),
    }
    assert {key: _refused_with(key, "../x") for key in said} == said
    override = refused_after(lambda s: s["predicate"].update(target_commit="x"), an_override())
    assert override == ("commit", "a commit is none")
    other = refused_after(lambda s: s["predicate"]["review"].update(head="f" * 40))
    assert other == ("review-head", "the review is of another head")
    unfit = ("plan", "it is a plan that nobody could carry out")
    assert refused_after(lambda s: s["predicate"].update(run="../x"), a_plan_record()) == unfit
    assert refused_after(lambda s: s["predicate"]["plan"].update(tasks=[]), a_plan_record()) == unfit


@KINDS
def test_a_record_needs_no_more_of_its_subject_than_its_kind_says(body: Predicate) -> None:
    needed = isinstance(body, VerdictRecord | OverrideRecord)
    for about in (Subject(head=HEAD), Subject(head=HEAD, tree=TREE), Subject(head=HEAD, change=CHANGE, sha256=SHA256)):
        if needed:
            with pytest.raises(BugError):
                encode(about, body)
        else:
            assert encode(about, body).subject == about


def test_what_cannot_be_written_says_so_with_what_to_do() -> None:
    with pytest.raises(BugError) as bug:
        encode(ABOUT, a_verdict(time="yesterday"))
    assert bug.value.message == "The record could not be read back (the time is none), so it was not kept."
    assert (bug.value.hint, bug.value.code) == ("report this", "unreadable_record")
    with pytest.raises(ToolError) as large:
        seal(b"x" * 60_000)
    assert large.value.message.startswith("The record would have 80,0")
    assert large.value.message.endswith(" bytes; 65,536 at most.")
    assert (large.value.hint, large.value.code) == ("split the objective or the change", "record_too_large")


def test_a_line_has_its_keys_in_order_and_not_a_space_too_many() -> None:
    """So that the same record is the same line, whoever writes it."""
    line = seal(b"abc", [Signature(sig=b"s", keyid="k")])
    assert line == (
        b'{"payload":"YWJj","payloadType":"application/vnd.in-toto+json","signatures":[{"keyid":"k","sig":"cw=="}]}'
    )
    payload = encode(ABOUT, a_continue(reason="Größe: 1, 2")).payload
    assert (
        json.dumps(json.loads(payload), sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode() == payload
    )
    assert "Größe: 1, 2".encode() in payload
