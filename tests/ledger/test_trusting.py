"""A signature counts if a listed key made it for us over exactly this record, and ssh-keygen says so."""

from __future__ import annotations

import base64
import os
import time
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from git_cto.errors import ToolError
from git_cto.ledger.records import encode
from git_cto.ledger.signers import Allowed, Signers, read_signers
from git_cto.ledger.sshsig import NAMESPACE, fingerprint
from git_cto.ledger.trusting import MOST_CHECKS, first_checks, pre_authentication, trusted, weighed
from git_cto.model import Record, Signature, Signer
from git_cto.repo.ssh_keygen import Memory, check_all
from tests.gate.values import a_review, a_verdict
from tests.keys import AT, Key, new_key, revocation_list
from tests.ledger.test_records import ABOUT, BODIES

PLAIN = encode(ABOUT, a_verdict())
OURS = f'namespaces="{NAMESPACE}"'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def ada(folder: Path) -> Key:
    return new_key(folder)


@pytest.fixture(scope="module")
def ben(folder: Path) -> Key:
    return new_key(folder, "ben@example.org", kind="ecdsa")


def signature(key: Key, record: Record = PLAIN, **said: str) -> Signature:
    return Signature(sig=key.sign(pre_authentication(record.payload), **said), keyid="whatever")


def signed(*signatures: Signature, record: Record = PLAIN) -> Record:
    return replace(record, signatures=signatures)


def judged(record: Record, *lines: str, revoked: bytes | None = None, at: str = AT, most: int = 64) -> Record:
    (found,) = trusted([record], read_signers("".join(lines).encode(), revoked), at, os.environ, most=most)
    assert replace(found, signers=(), doubt="") == replace(record, signers=(), doubt="")
    assert bool(found.signers) != bool(found.doubt)
    assert found.trusted == bool(found.signers)
    return found


def doubt(record: Record, *lines: str, revoked: bytes | None = None, at: str = AT) -> str:
    found = judged(record, *lines, revoked=revoked, at=at)
    assert found.signers == ()
    return found.doubt


def test_the_bytes_that_are_signed_are_those_of_dsse() -> None:
    """The example of DSSE's protocol.md."""
    assert pre_authentication(b"hello world", "http://example.com/HelloWorld") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_listed_key_is_trusted_whatever_its_kind(tmp_path: Path, kind: str) -> None:
    key = new_key(tmp_path, kind=kind)
    found = judged(signed(signature(key)), key.line())
    assert found.signers == (
        Signer(principal="ada@example.org", key=fingerprint(key.blob), aliases=("ada@example.org",)),
    )


@pytest.mark.parametrize("body", BODIES)
def test_every_kind_of_record_can_be_signed(ada: Key, body: object) -> None:
    record = encode(ABOUT, body)  # type: ignore[arg-type]
    assert judged(signed(signature(ada, record), record=record), ada.line()).trusted


def test_an_unsigned_record_is_not_trusted(ada: Key) -> None:
    assert doubt(PLAIN, ada.line()) == "it is not signed"


def test_a_key_that_is_not_listed_is_not_trusted(ada: Key, ben: Key) -> None:
    said = doubt(signed(signature(ben)), ada.line())
    assert said == f"the key {fingerprint(ben.blob)} is not in .cto/allowed_signers of the target"
    assert (
        "has no .cto/allowed_signers"
        in trusted([signed(signature(ben))], read_signers(None, None), AT, os.environ)[0].doubt
    )


def test_a_key_of_a_line_that_does_not_count_is_not_trusted(ada: Key, ben: Key) -> None:
    said = doubt(signed(signature(ada)), ben.line(), ada.line(""))
    assert said == f'line 2 of .cto/allowed_signers does not count: it lacks namespaces="{NAMESPACE}"'
    assert "wildcard" in doubt(signed(signature(ada)), ada.line(principals="*"))
    assert "cert-authority" in doubt(signed(signature(ada)), ada.line(f"cert-authority,{OURS}"))


@pytest.mark.parametrize("namespace", ["git", "file", "git-cto.verdict.v2", "*", ""])
def test_a_signature_for_something_else_is_not_trusted(ada: Key, namespace: str) -> None:
    if not namespace:  # ssh-keygen makes none
        real = signature(ada).sig
        named = b"\0\0\0\x12" + NAMESPACE.encode()
        assert doubt(signed(Signature(sig=real.replace(named, b"\0\0\0\0"))), ada.line()) != ""
        return
    wide = ada.line(f'namespaces="{namespace},{NAMESPACE}"')
    assert "it was signed for" in doubt(signed(signature(ada, namespace=namespace)), wide)


def test_a_signature_over_another_record_is_not_trusted(ada: Key) -> None:
    other = encode(ABOUT, a_verdict(round=2))
    said = doubt(signed(signature(ada, other)), ada.line())
    assert said == "the signature by ada@example.org does not fit the record"


def test_a_signature_over_the_bare_payload_is_not_trusted(ada: Key) -> None:
    assert "does not fit" in doubt(signed(Signature(sig=ada.sign(PLAIN.payload))), ada.line())
    probe = Signature(sig=ada.sign(pre_authentication(PLAIN.payload, "application/vnd.git-cto.probe")))
    assert "does not fit" in doubt(signed(probe), ada.line())


def test_a_signature_of_which_a_byte_was_changed_is_not_trusted(ada: Key) -> None:
    good = signature(ada).sig
    for place in (0, 7, 20, 40, 70, 95, len(good) - 1):
        changed = good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :]
        assert doubt(signed(Signature(sig=changed)), ada.line())


@pytest.mark.parametrize("junk", [b"", b"x", b"SSHSIG", b"\0" * 200, base64.b64encode(b"SSHSIG")])
def test_what_is_no_signature_is_passed_over(ada: Key, junk: bytes) -> None:
    assert "cannot be read" in doubt(signed(Signature(sig=junk)), ada.line())
    assert judged(signed(Signature(sig=junk), signature(ada)), ada.line()).trusted


def test_the_key_that_a_signature_claims_by_its_id_says_nothing(ada: Key, ben: Key) -> None:
    forged = Signature(sig=signature(ben).sig, keyid=fingerprint(ada.blob))
    assert "is not in .cto/allowed_signers" in doubt(signed(forged), ada.line())


def test_a_signature_with_the_public_key_of_another_put_in_is_not_trusted(tmp_path: Path, ada: Key) -> None:
    eve = new_key(tmp_path, "eve@example.org")
    forged = signature(eve).sig.replace(eve.blob, ada.blob)
    assert forged != signature(eve).sig
    assert "does not fit" in doubt(signed(Signature(sig=forged)), ada.line())


def test_a_key_counts_within_its_time_only(ada: Key) -> None:
    record = signed(signature(ada))
    line = ada.line(f'{OURS},valid-after="20260101",valid-before="20270101"')
    assert judged(record, line).trusted
    assert doubt(record, line, at="20270102000000") == "the key of ada@example.org expired on 2027-01-01"
    assert doubt(record, line, at="20251231235959") == "the key of ada@example.org is valid from 2026-01-01 on only"


def test_a_key_that_was_listed_again_counts_by_the_line_that_is_valid(ada: Key) -> None:
    lines = (ada.line(f'{OURS},valid-before="20200101"', principals="old@example.org"), ada.line())
    (found,) = judged(signed(signature(ada)), *lines).signers
    assert found.principal == "ada@example.org"
    assert found.aliases == ("old@example.org", "ada@example.org")


def test_a_revoked_key_is_not_trusted(folder: Path, ada: Key, ben: Key) -> None:
    record = signed(signature(ada))
    for revoked in (f"{ada.public}\n".encode(), revocation_list(folder / "a", ada)):
        assert doubt(record, ada.line(), revoked=revoked) == "the key of ada@example.org was revoked"
    for revoked in (f"{ben.public} ben\n".encode(), revocation_list(folder / "b", ben)):
        assert judged(record, ada.line(), revoked=revoked).trusted


def test_revoked_keys_that_cannot_be_read_make_nothing_trusted(folder: Path, ada: Key, ben: Key) -> None:
    record = signed(signature(ada))
    assert "no signature counts" in doubt(record, ada.line(), revoked=f"{ben.public}\njunk\n".encode())
    cut = revocation_list(folder / "c", ben)[:40]
    assert doubt(record, ada.line(), revoked=cut) == ".cto/revoked_keys cannot be read, so no signature counts"


def test_several_may_sign_the_same_record(ada: Key, ben: Key) -> None:
    found = judged(signed(signature(ada), signature(ben), signature(ada)), ada.line(), ben.line())
    assert [one.principal for one in found.signers] == ["ada@example.org", "ben@example.org"]
    assert [one.principal for one in judged(signed(signature(ada), signature(ben)), ben.line()).signers] == [
        "ben@example.org"
    ]


def test_a_forged_signature_does_not_hide_a_good_one_by_the_same_key(ada: Key) -> None:
    other = encode(ABOUT, a_verdict(round=2))
    found = judged(signed(signature(ada, other), signature(ada)), ada.line())
    assert len(found.signers) == 1


def test_what_anybody_may_add_costs_a_bounded_number_of_checks(ada: Key) -> None:
    other = encode(ABOUT, a_verdict(round=2))
    forged = tuple(replace(signature(ada, other), keyid=str(number)) for number in range(6))
    record = signed(*forged, signature(ada))
    assert judged(record, ada.line(), most=7).trusted
    found = judged(record, ada.line(), most=6)
    assert found.doubt == "there are too many signatures to check them all"


@pytest.mark.parametrize(
    "verdict, words",
    [
        ("approve", "there are too many signatures to check them all"),
        ("revise", "there is a refusal whose signatures could not all be checked"),
    ],
)
def test_what_was_not_checked_is_called_so_by_one_word(ada: Key, verdict: str, words: str) -> None:
    record = encode(ABOUT, a_verdict(verdict=verdict, review=a_review(verdict=verdict)))
    forged = signature(ada).sig
    flooded = signed(
        *(Signature(sig=forged[:-40] + bytes([forged[-40] ^ bit]) + forged[-39:]) for bit in (1, 2, 4)), record=record
    )
    (found,) = weighed([flooded], read_signers(ada.line().encode(), None), AT, os.environ, most=1)
    assert (found.reason, found.record.doubt) == ("too-many", words)
    (found,) = weighed([flooded], read_signers(b"\xff", None), AT, os.environ)
    assert found.reason == "list"
    (found,) = weighed([record], read_signers(b"", None), AT, os.environ)
    assert found.reason == "unsigned"


def test_as_many_signatures_are_checked_as_the_format_says(ada: Key) -> None:
    """docs/ledger.md: whoever writes another reader must not take what this one leaves."""
    assert MOST_CHECKS == 64
    text = (Path(__file__).parents[2] / "docs" / "ledger.md").read_text()
    assert f"At most {MOST_CHECKS} signatures are checked for one question" in text


def test_thousands_of_forged_signatures_take_no_long_time_and_no_memory(ada: Key) -> None:
    good = signature(ada).sig
    forged = tuple(Signature(sig=good[:-2] + number.to_bytes(2, "big")) for number in range(16))
    payload = PLAIN.payload + b" " * 40_000
    records = [replace(PLAIN, id=str(number), payload=payload, signatures=forged) for number in range(1_000)]
    others = "".join(f"user{number} {OURS} {ada.public[:-6]}{number:06d}\n" for number in range(5_000))
    signers = read_signers((others + ada.line()).encode(), None)
    began = time.perf_counter()
    tracemalloc.start()
    found = trusted(records, signers, AT, os.environ)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not any(one.trusted for one in found)
    assert time.perf_counter() - began < 30
    assert peak < 64 << 20


def test_the_first_records_are_checked_first(ada: Key) -> None:
    records = [
        signed(signature(ada, one), record=one) for one in (encode(ABOUT, a_verdict(round=n)) for n in (1, 2, 3))
    ]
    found = trusted(records, read_signers(ada.line().encode(), None), AT, os.environ, most=2)
    assert [one.trusted for one in found] == [True, True, False]


def test_many_records_are_checked_each_by_itself(ada: Key, ben: Key) -> None:
    plain = [encode(ABOUT, a_verdict(round=n)) for n in range(1, 13)]
    signers = [ada, ben] * 6
    records = [signed(signature(key, one), record=one) for key, one in zip(signers, plain, strict=True)]
    records[3] = plain[3]
    records[4] = replace(records[4], signatures=records[5].signatures)
    found = trusted(records, read_signers((ada.line() + ben.line()).encode(), None), AT, os.environ)
    assert [bool(one.signers) for one in found] == [n not in {3, 4} for n in range(12)]
    assert [one.signers[0].principal for one in found[:3]] == ["ada@example.org", "ben@example.org", "ada@example.org"]


def test_unlisted_signatures_start_no_process(
    ada: Key, ben: Key, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # where there is no ssh-keygen
    record = signed(Signature(sig=b"x"))
    assert doubt(record, ada.line())


def test_without_ssh_keygen_nothing_can_be_said(ada: Key, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    record = signed(signature(ada))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError) as caught:
        judged(record, ada.line())
    assert caught.value.code == "ssh_keygen_missing"


@pytest.mark.parametrize(
    "script", ["exit 0", "cat; echo ada@example.org; exit 1", "echo ben@example.org", "kill -9 $$"]
)
def test_an_ssh_keygen_that_answers_oddly_makes_nothing_trusted(
    ada: Key, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str
) -> None:
    record = signed(signature(ada))
    odd = tmp_path / "ssh-keygen"
    odd.write_text(f"#!/bin/sh\n{script}\n")
    odd.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert doubt(record, ada.line())


def test_an_ssh_keygen_that_hangs_makes_nothing_trusted(
    ada: Key, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    record = signed(signature(ada))
    odd = tmp_path / "ssh-keygen"
    odd.write_text("#!/bin/sh\nsleep 60 & sleep 60\n")
    odd.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr("git_cto.repo.ssh_keygen.SECONDS", 0.3)
    assert "took too long" in doubt(record, ada.line())


def test_times_are_utc_wherever_the_machine_is(ada: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    record = signed(signature(ada))
    line = ada.line(f'{OURS},valid-before="20270101"')
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        monkeypatch.setenv("TZ", zone)
        assert judged(record, line, at="20261231235959").trusted
        assert not judged(record, line, at="20270101000001").trusted


def test_what_checks_sees_neither_keys_nor_agents(ada: Key, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    record = signed(signature(ada))
    seen = tmp_path / "ssh-keygen"
    seen.write_text(f'#!/bin/sh\nenv >> {tmp_path}/env\nexec /usr/bin/ssh-keygen "$@"\n')
    seen.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for name in ("GIT_CTO_SIGNING_KEY", "OPENAI_API_KEY", "SSH_AUTH_SOCK", "DISPLAY", "HOME"):
        monkeypatch.setenv(name, f"value-of-{name}")
    assert judged(record, ada.line()).trusted
    assert "value-of" not in (tmp_path / "env").read_text()
    assert "PATH=" in (tmp_path / "env").read_text()


def test_lists_of_signers_may_be_long(folder: Path, ada: Key) -> None:
    others: Sequence[str] = [
        f"user{number}@example.org {OURS} {ada.public[:-6]}AAAA{number % 10}{number // 10 % 10}" for number in range(50)
    ]
    assert judged(signed(signature(ada)), *(f"{one}\n" for one in others), ada.line()).trusted


def test_what_was_checked_once_is_not_checked_again(
    ada: Key, ben: Key, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    record = signed(signature(ada), replace(signature(ben), sig=signature(ben, encode(ABOUT, a_verdict(round=9))).sig))
    other = signed(signature(ada, encode(ABOUT, a_verdict(round=2))), record=encode(ABOUT, a_verdict(round=2)))
    signers, memory = read_signers((ada.line() + ben.line()).encode(), None), Memory()
    assert trusted([record], signers, AT, os.environ, memory=memory)[0].trusted
    monkeypatch.setenv("PATH", str(tmp_path))  # where there is no ssh-keygen
    again = trusted([record], signers, AT, os.environ, memory=memory)[0]
    assert [one.principal for one in again.signers] == ["ada@example.org"]
    for asked, at in ((other, AT), (record, AT.replace("2026", "2027"))):
        with pytest.raises(ToolError):
            trusted([asked], signers, at, os.environ, memory=memory)
    memory.forget()
    with pytest.raises(ToolError):
        trusted([record], signers, AT, os.environ, memory=memory)


def test_a_line_with_times_is_looked_up_anew_for_each_time(ada: Key) -> None:
    """Who signs is what ssh-keygen says of that time, whatever it said of another one."""
    line = ada.line(f'{OURS},valid-after="20260101",valid-before="20270101"')
    signers, memory = read_signers(line.encode(), None), Memory()
    record = signed(signature(ada))
    for at, counts in (("20260601000000", True), ("20280601000000", False), ("20250601000000", False)):
        check = first_checks([record], replace(signers, by_key=without_times(signers)), "20260601000000")[0]
        check = replace(check, allowed=signers.allowed[0].line, at=at)
        assert check_all([check], os.environ, memory)[0].good is counts


def without_times(signers: Signers) -> dict[bytes, tuple[Allowed, ...]]:
    """The same lines as if they were valid at any time."""
    return {key: tuple(replace(one, after="", before="") for one in lines) for key, lines in signers.by_key.items()}


def test_what_did_not_come_to_an_end_is_asked_again(ada: Key, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stuck = tmp_path / "ssh-keygen"
    stuck.write_text("#!/bin/sh\nkill -9 $$\n")
    stuck.chmod(0o755)
    signers, memory = read_signers(ada.line().encode(), None), Memory()
    checks = first_checks([signed(signature(ada))], signers, AT)
    with monkeypatch.context() as broken:
        broken.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        found = check_all(checks, os.environ, memory)
        assert [(one.good, one.settled) for one in found] == [(False, False)]
    assert [one.good for one in check_all(checks, os.environ, memory)] == [True]
