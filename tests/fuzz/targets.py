"""What is fuzzed: one function for each place where bytes that a stranger wrote are read, and what has to hold there.

A target takes any bytes. It returns where they were read or refused as they should be, and raises (an assertion, or
whatever the code under test let through) where they were not. Nothing here starts a process or touches a file.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
import tomllib
import unicodedata
from collections.abc import Callable
from typing import Any

from git_cto.errors import GitError, PolicyError, ToolError
from git_cto.gate.decision import Facts, decide
from git_cto.gate.globs import matches, matches_at_once
from git_cto.gate.policy import GatePolicy, Policy, read_policy
from git_cto.gate.rounds import in_order, standing
from git_cto.gate.suspicion import added_lines, name_suspicions, suspicions
from git_cto.ledger import trusting
from git_cto.ledger.records import LARGEST_LINE, PAYLOAD_TYPE, decode, encode
from git_cto.ledger.signers import Allowed, Signers, read_signers
from git_cto.ledger.sshsig import NAMESPACE, armoured, dearmoured, key_words, read_signature
from git_cto.model import Change, FileChange, Record, Series, Signature, Target, VerdictRecord, display_path
from git_cto.redaction import printable
from git_cto.render.note import note
from git_cto.render.record import record_text
from git_cto.render.terminal import log_text, plain
from git_cto.repo import change as changes
from git_cto.repo import patch as patches

_POLICY = read_policy('[gate]\ntrust = "signed"\n', "main:.cto/config.toml")
_UNSEEN = {"Cc", "Cf", "Cs", "Co"}
_CONTROLLED = {".github", ".cto", ".codex", ".claude", ".agents", ".cursor", ".vscode", ".devcontainer", ".husky"}
_DAY = "2026-01-02T03:04:05.000Z"


# ---- records ---------------------------------------------------------------------------------------------------------


def envelope(data: bytes) -> None:
    """A line of a note, whatever it says: it is a record in every key, or none."""
    record = decode(data)
    if record is None:
        return
    assert len(data) <= LARGEST_LINE
    outer = _strict_json(data)
    assert outer["payloadType"] == PAYLOAD_TYPE
    _is_sound(record, base64.b64decode(outer["payload"], validate=True))


def statement(data: bytes) -> None:
    """The payload of a line, so that what is inside of the base64 gets its share of attention."""
    record = decode(line_around(data))
    if record is not None:
        _is_sound(record, data)


def line_around(payload: bytes) -> bytes:
    """A line with this payload, signed by nobody."""
    coded = base64.b64encode(payload).decode("ascii")
    return json.dumps({"payload": coded, "payloadType": PAYLOAD_TYPE, "signatures": []}).encode("ascii")


def _is_sound(record: Record, payload: bytes) -> None:
    """What is read can be written again, says the same to any reader of JSON, can be printed, and opens nothing."""
    _strict_json(payload)
    assert record.id == hashlib.sha256(payload).hexdigest()
    assert not record.trusted
    (weighed,) = trusting.weighed([record], Signers(), "20260301120000", {})
    assert not weighed.record.trusted
    assert weighed.reason in trusting.REASONS
    try:
        again = encode(record.subject, record.body)
    except ToolError as error:
        if error.code != "record_too_large":
            raise
    else:
        assert (again.subject, again.body) == (record.subject, record.body)
    for text in (record_text(record, plain), note([record]), log_text([record], _DAY, plain)):
        _is_seen(text)
    _opens_nothing(record)


def _strict_json(data: bytes) -> Any:  # noqa: ANN401 -- any JSON
    """JSON as a reader understands it that bears no doubt: every key once, every number a number."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({key for key, _ in pairs}) == len(pairs), "a key stands twice"
        return dict(pairs)

    def constant(name: str) -> Any:  # noqa: ANN401 -- never returns
        raise AssertionError(f"{name} was taken for a number")

    value = json.loads(data, object_pairs_hook=once, parse_constant=constant)
    json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


def _is_seen(text: str) -> None:
    """Nothing that moves a cursor, hides, or turns a line around reaches a terminal."""
    odd = {character for character in text if unicodedata.category(character) in _UNSEEN} - {"\n"}
    assert not odd, f"{odd!r} would reach a terminal"


def _opens_nothing(record: Record) -> None:
    """Exactly the change that a stranger's record speaks of stays closed where signatures are asked for."""
    subject, target = record.subject, record.body.target
    file = FileChange(b"app.py", "100644", "100644", "1" * 40, "2" * 40, "M")
    change = Change(
        id=subject.change,
        sha256=subject.sha256,
        base="3" * 40,
        head=subject.head,
        tree=subject.tree,
        raw=b"",
        files=(file,) * (record.body.coverage.files % 100 if isinstance(record.body, VerdictRecord) else 1),
    )
    facts = Facts(Target(ref=target, commit="4" * 40, found_at=target), series=record.body.series)
    where = standing(in_order([record, record]), Series(name=record.body.series, target=target), _POLICY.rounds)
    decision = decide(change, facts, [record], where, _POLICY)
    assert not decision.allowed
    assert decision.reasons
    assert decision.next_step


# ---- signatures ------------------------------------------------------------------------------------------------------


def signature(data: bytes) -> None:
    """A signature's bytes: of OpenSSH's form to the last one, as somebody else's reader sees it, or none."""
    try:
        found = read_signature(data)
    except ValueError:
        found = None
    try:
        file = dearmoured(data)
    except ValueError:
        file = b""
    if file:
        assert dearmoured(armoured(file)) == file
    if found is None:
        return
    assert data[:10] == b"SSHSIG\0\0\0\x01"
    texts, rest = [], data[10:]
    while rest:
        (size,) = struct.unpack(">I", rest[:4])
        assert size <= len(rest) - 4
        texts.append(rest[4 : 4 + size])
        rest = rest[4 + size :]
    public_key, namespace, reserved, digest, raw = texts
    assert (public_key, namespace) == (found.public_key, found.namespace)
    assert public_key
    assert raw
    assert not reserved
    assert digest in {b"sha256", b"sha512"}
    assert dearmoured(armoured(data)) == data


def signers(data: bytes) -> None:
    """The two lists of signers, NUL NUL between: no line counts but of plain names, our namespace and a whole key."""
    listed, _, revoked = data.partition(b"\0\0")
    found = read_signers(listed, revoked or None)
    if found.fault:
        assert found.fault.endswith(".")
    lines = listed.decode("utf-8", "replace").split("\n")
    for one in found.allowed:
        _counts_rightly(one, lines[one.number - 1])
        claim = Signature(sig=_blob(one.key))
        looked_up = trusting._looked_up(claim, found, "20260301120000")
        if one.key in found.revoked_keys or found.fault:
            assert not isinstance(looked_up, Allowed)
    assert all(one.why and 1 <= one.number <= len(lines) for one in found.ignored)
    assert not {one.number for one in found.allowed} & {one.number for one in found.ignored}


def _counts_rightly(one: Allowed, line: str) -> None:
    """A line that counts says what it is taken to say, and what is made of it for ssh-keygen says the same."""
    names, rest = line.strip().replace("\t", " ").split(" ", 1)
    assert ",".join(one.principals) == names
    assert not set(names) & set('*?!"')
    unquoted = re.sub(r'"[^"]*"', '""', rest)
    assert NAMESPACE in rest
    assert "cert-authority" not in unquoted[: unquoted.index(key_words(one.key).split()[0])].lower()
    again = read_signers(one.line.encode(), None)
    assert len(again.allowed) == 1, one.line
    same = again.allowed[0]
    assert (same.principals, same.key, same.after, same.before) == (one.principals[:1], one.key, one.after, one.before)
    assert one.line.isprintable()
    for time in (one.after, one.before):
        assert re.fullmatch(r"(\d{14})?", time, re.ASCII), time


def _blob(key: bytes) -> bytes:
    parts = (key, NAMESPACE.encode(), b"", b"sha512", b"x")
    return b"SSHSIG\0\0\0\x01" + b"".join(struct.pack(">I", len(part)) + part for part in parts)


# ---- the policy ------------------------------------------------------------------------------------------------------


def policy(data: bytes) -> None:
    """`.cto/config.toml`: a policy within its bounds, or an error that says which file and what to do."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return
    refused: PolicyError | None = None
    found = Policy()
    try:
        found = read_policy(text, "main:.cto/config.toml")
    except PolicyError as error:
        refused = error
    if refused is not None:
        assert refused.message.startswith("main:.cto/config.toml"), refused.message
        assert refused.hint
        return
    _is_bounded(found)
    said = tomllib.loads(text)
    assert all(hasattr(getattr(found, section), key) for section, inner in said.items() for key in inner)
    assert read_policy(text, "x").digest == found.digest


def _is_bounded(found: Policy) -> None:
    assert 1 <= found.rounds.max <= 100
    assert 1 <= found.rounds.escalate_after <= 100
    assert 1 <= found.coverage.max_bytes <= 900_000
    assert 1 <= found.verify.timeout <= 86_400
    assert found.gate.trust in {"local", "signed"}
    globs = (*found.coverage.listed_ok, *found.coverage.summarised, *found.gate.control_paths)
    assert not [one for one in (*globs, *found.review.suspicious_ok) if one.startswith("!")]
    words = [found.plan.model, found.plan.effort, found.review.model, found.review.effort, found.execute.model]
    for word in (*words, *(found.review.allowed_models or ())):
        assert word is None or (not word.startswith("-") and not re.search(r"\s", word)), word
    for path in (".cto/config.toml", ".CTO/config.toml", ".cto", ".cto/allowed_signers"):
        assert found.gate.controls(path), path


# ---- paths of a change -----------------------------------------------------------------------------------------------


def listing(data: bytes) -> None:
    """What `git diff-tree --raw -z` prints: read to the last byte, or refused."""
    try:
        files = changes.read_listing(data)
    except GitError:
        return
    lines = (
        f":{f.old_mode} {f.new_mode} {f.old_oid} {f.new_oid} {f.status}\0".encode() + f.path + b"\0" for f in files
    )
    assert b"".join(lines) == data
    assert all(file.status in {"A", "M", "D", "T"} for file in files)


def names(data: bytes) -> None:
    """The name of a file: shown as one line that tells any two apart, and never past what is controlled."""
    if not data or b"\0" in data:
        return  # git has no such path
    name = display_path(data)
    assert name.isprintable()
    assert _unquoted(name) == data
    header = patches._header(data)
    assert header.count(b"\n") == 1
    assert header.endswith(b"\n")
    quoted = header.removeprefix(b"diff --git ").rstrip(b"\n").decode("ascii", "strict")
    assert _unquoted(quoted[: (len(quoted) - 1) // 2]) == b"a/" + data
    text = data.decode("utf-8", "surrogateescape")
    for one in (printable(text), printable(text, lines=True)):
        assert printable(one, lines=True) == one
    assert all(one.line == 1 for one in name_suspicions(name, text))
    first = text.partition("/")[0]
    if first.isascii() and first.lower() in _CONTROLLED:
        assert GatePolicy().controls(text), text


def _unquoted(name: str) -> bytes:
    """The bytes that git means by a name, quoted or not."""
    if not name.startswith('"'):
        return name.encode("utf-8")
    assert name.endswith('"')
    letters = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, '"': 34, "\\": 92}
    found = bytearray()
    for piece in re.findall(r'\\[0-7]{3}|\\.|[^"\\]', name[1:-1]):
        if len(piece) == 1:
            found += piece.encode("ascii")
        else:
            found.append(int(piece[1:], 8) if len(piece) == 4 else letters[piece[1]])
    return bytes(found)


def globs(data: bytes) -> None:
    """Patterns and paths, NUL between: whatever is quick means what one plain regular expression means."""
    pattern, _, path = data.decode("utf-8", "replace").partition("\0")
    slow = matches_at_once(path, pattern)
    assert matches(path, (pattern,)) == slow
    if len(path) < 30 and pattern.count("*") < 6:
        assert _by_expression(path, pattern) == slow
    assert matches(path, (pattern, path)) or not path or re.search(r"[*?/]", path)


def _by_expression(path: str, pattern: str) -> bool:
    """What the pattern means, as one regular expression that tries everything."""
    body = pattern.lstrip("/")
    body += "**" if body.endswith("/") else ""
    text = "" if "/" in pattern.rstrip("/") else "(?:.*/)?"
    meanings = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    for piece in re.findall(r"(?s)\*\*/|\*\*|\*|\?|.", body):
        text += meanings.get(piece) or re.escape(piece)
    return re.fullmatch(text, path, re.DOTALL | re.IGNORECASE) is not None


def sections(data: bytes) -> None:
    """A patch in pieces of any size is cut where the files begin, and nowhere else."""
    if len(data) < 3:
        return
    largest, step, whole = data[0] * 4 + 1, data[1] + 1, data[2:]
    pieces = [whole[at : at + step] for at in range(0, len(whole), step)]
    cut = list(patches._split(pieces, largest))
    parts = [b"\ndiff --git " + one for one in whole.split(b"\ndiff --git ")]
    parts[0] = parts[0].removeprefix(b"\ndiff --git ")
    expected = [one.removeprefix(b"\n") if number else one for number, one in enumerate(parts)]
    expected = [one + b"\n" for one in expected[:-1]] + ([expected[-1]] if expected[-1] else [])
    assert cut == [one if len(one) <= largest else None for one in expected]


def added(data: bytes) -> None:
    """The added lines of a patch: each found, under its number, whatever it says."""
    lines = data.decode("utf-8", "replace").split("\n")
    header = "diff --git a/x b/x\n--- /dev/null\n+++ b/x\n"
    patch = f"{header}@@ -0,0 +1,{len(lines)} @@\n" + "".join(f"+{line}\n" for line in lines)
    assert list(added_lines(patch)) == list(enumerate(lines, start=1))
    for one in suspicions("x", patch):
        assert 1 <= one.line <= len(lines)
        assert name_suspicions("x", lines[one.line - 1])


TARGETS: dict[str, Callable[[bytes], None]] = {
    "envelope": envelope,
    "statement": statement,
    "signature": signature,
    "signers": signers,
    "policy": policy,
    "listing": listing,
    "names": names,
    "globs": globs,
    "sections": sections,
    "added": added,
}
