"""A signature is read to the last byte, or it is none."""

from __future__ import annotations

import base64
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_cto.ledger.sshsig import (
    LARGEST_SIGNATURE,
    NAMESPACE,
    armoured,
    dearmoured,
    fingerprint,
    key_type,
    key_words,
    read_key,
    read_signature,
)
from tests.gate.values import quick
from tests.keys import Key, new_key


def text(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


PUBLIC = text(b"ssh-ed25519") + text(b"k" * 32)


def blob(
    key: bytes = PUBLIC,
    namespace: bytes = b"git-cto.verdict.v1",
    reserved: bytes = b"",
    digest: bytes = b"sha512",
    signature: bytes = b"s" * 83,
    version: int = 1,
) -> bytes:
    return b"SSHSIG" + struct.pack(">I", version) + b"".join(map(text, (key, namespace, reserved, digest, signature)))


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_what_ssh_keygen_signs_says_its_key_and_namespace(tmp_path: Path, kind: str) -> None:
    key = new_key(tmp_path, kind=kind)
    found = read_signature(key.sign(b"data"))
    assert found.public_key == key.blob
    assert found.namespace == NAMESPACE.encode()
    assert key_words(found.public_key) == key.public
    said = subprocess.run(["ssh-keygen", "-l", "-f", f"{key.path}.pub"], capture_output=True, text=True, check=True)
    assert fingerprint(found.public_key) == said.stdout.split()[1]


def test_the_armour_is_the_one_that_ssh_keygen_takes_and_gives(tmp_path: Path) -> None:
    key = new_key(tmp_path)
    file = subprocess.run(
        ["ssh-keygen", "-Y", "sign", "-n", NAMESPACE, "-f", str(key.path)],
        input=b"data",
        capture_output=True,
        check=True,
    ).stdout
    assert armoured(dearmoured(file)) == file


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"-----BEGIN SSH SIGNATURE-----",
        b"-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n",
        b"-----BEGIN PGP SIGNATURE-----\nAAAA\n-----END PGP SIGNATURE-----\n",
        b"-----BEGIN SSH SIGNATURE-----\n!!!!\n-----END SSH SIGNATURE-----\n",
        b"x\n-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n",
        b"-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END PGP SIGNATURE-----\n",
        b"-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\nx\n",
    ],
)
def test_what_is_no_armour_is_refused(file: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        dearmoured(file)


def test_an_armour_of_one_line_is_one_and_windows_line_ends_are_too() -> None:
    file = b"-----BEGIN SSH SIGNATURE-----\nQUJD\n-----END SSH SIGNATURE-----\n"
    assert dearmoured(file) == dearmoured(file.replace(b"\n", b"\r\n")) == b"ABC"
    assert armoured(b"ABC") == file


def test_the_namespace_is_the_one_of_the_format() -> None:
    assert NAMESPACE == "git-cto.verdict.v1"
    assert read_signature(blob()).namespace == b"git-cto.verdict.v1"


@pytest.mark.parametrize(
    "odd",
    [
        b"",
        b"SSHSIG",
        b"sshsig" + blob()[6:],
        blob(version=0),
        blob(version=2),
        blob(reserved=b"x"),
        blob(digest=b"sha1"),
        blob(digest=b""),
        blob(signature=b""),
        blob(key=b""),
        blob(key=text(b"")),
        blob(key=text(b"ssh-ed25519")),
        blob(key=text(b"ssh ed25519") + text(b"x")),
        blob(key=b"\xff" * 40),
        blob() + b"\0",
        blob()[:-1],
        b"SSHSIG" + struct.pack(">I", 1) + b"\xff\xff\xff\xff" + b"x" * 100,
        blob(signature=b"s" * LARGEST_SIGNATURE),
    ],
)
def test_what_is_not_such_a_signature_in_every_byte_is_none(odd: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_signature(odd)


@quick
@given(st.binary(max_size=300))
def test_no_bytes_make_a_reader_do_anything_but_refuse(data: bytes) -> None:
    for one in (data, b"SSHSIG" + data, blob()[:10] + data):
        with pytest.raises(ValueError, match=r"."):
            read_signature(one)
    key_type(data)


@quick
@given(st.integers(0, len(blob()) - 1))
def test_a_signature_that_was_cut_anywhere_is_none(place: int) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_signature(blob()[:place])


def test_a_key_whose_type_is_another_one_than_it_says_is_none(tmp_path: Path) -> None:
    key: Key = new_key(tmp_path)
    kind, encoded = key.public.split()
    assert key_type(read_key(kind, encoded)) == kind
    for said, body in (("ssh-rsa", encoded), (kind, encoded[:-1]), (kind, ""), (kind, base64.b64encode(b"x").decode())):
        with pytest.raises(ValueError, match=r"."):
            read_key(said, body)


@pytest.mark.parametrize("junk", ["!", " ", "\n", "-", "é"])
def test_a_key_with_anything_between_its_base64_is_none(junk: str) -> None:
    encoded = base64.b64encode(PUBLIC).decode()
    assert read_key("ssh-ed25519", encoded) == PUBLIC
    with pytest.raises(ValueError, match=r"."):
        read_key("ssh-ed25519", encoded[:8] + junk + encoded[8:])


@pytest.mark.parametrize(
    "odd, why",
    [
        (b"SSHSIX" + blob()[6:], "it is no signature of OpenSSH's"),
        (blob(version=2), "it has another version than 1"),
        (blob(digest=b"sha1"), "its form is another one than OpenSSH's"),
        (blob()[:-1], "it was cut off"),
    ],
)
def test_why_a_signature_is_none_is_said(odd: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=f"^{why}$"):
        read_signature(odd)


def test_why_a_key_or_an_armour_is_none_is_said() -> None:
    with pytest.raises(ValueError, match=r"^its type is another one than it says$"):
        read_key("ssh-rsa", base64.b64encode(PUBLIC).decode())
    with pytest.raises(ValueError, match=r"^it is no signature of OpenSSH's$"):
        dearmoured(b"x")


def test_the_largest_signature_is_one_and_the_shortest_key_has_a_byte() -> None:
    assert LARGEST_SIGNATURE == 16_384
    room = LARGEST_SIGNATURE - len(blob(signature=b""))
    assert len(blob(signature=b"s" * room)) == LARGEST_SIGNATURE
    assert read_signature(blob(signature=b"s" * room)).public_key == PUBLIC
    assert key_type(text(b"ssh-ed25519") + b"x") == "ssh-ed25519"
