"""Signatures as OpenSSH writes them (PROTOCOL.sshsig): what they say of themselves, and their armour. Pure.

Nothing here is checked against a key: that is ssh-keygen's work, and `ledger.trusting` asks it.
"""

from __future__ import annotations

import base64
import hashlib

from msgspec import Struct

NAMESPACE = "git-cto.verdict.v1"  # for every kind of record; a signature for anything else is none for us
LARGEST_SIGNATURE = 16 << 10  # bytes
_MAGIC = b"SSHSIG"
_VERSION = 1
_HASHES = frozenset({b"sha256", b"sha512"})
_BEGIN, _END = b"-----BEGIN SSH SIGNATURE-----", b"-----END SSH SIGNATURE-----"


class SshSignature(Struct, frozen=True):
    """What a signature says of itself: by which key, and for which namespace."""

    public_key: bytes
    namespace: bytes


def read_signature(blob: bytes) -> SshSignature:
    """What a signature says of itself. Raises `ValueError` for anything that is not one, to the last byte."""
    if len(blob) > LARGEST_SIGNATURE or blob[: len(_MAGIC)] != _MAGIC:
        raise ValueError("it is no signature of OpenSSH's")
    reader = _Reader(blob, len(_MAGIC))
    if reader.number() != _VERSION:
        raise ValueError("it has another version than 1")
    public_key, namespace, reserved, digest, signature = (reader.text() for _ in range(5))
    if not reader.at_end or reserved or digest not in _HASHES or not signature or not key_type(public_key):
        raise ValueError("its form is another one than OpenSSH's")
    return SshSignature(public_key, namespace)


class _Reader:
    """Numbers and texts of the SSH wire format, one after the other."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data = data
        self._at = at

    @property
    def at_end(self) -> bool:
        return self._at == len(self._data)

    def _take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        if len(taken) != size:
            raise ValueError("it was cut off")
        self._at += size
        return taken

    def number(self) -> int:
        return int.from_bytes(self._take(4), "big")

    def text(self) -> bytes:
        return self._take(self.number())


def key_type(public_key: bytes) -> str:
    """The type that a public key begins with, e.g. `ssh-ed25519`; "" where it begins with none."""
    try:
        name = _Reader(public_key).text().decode("ascii")
    except ValueError:
        return ""
    return name if name and name.isprintable() and " " not in name and len(public_key) > 4 + len(name) else ""


def fingerprint(public_key: bytes) -> str:
    """The fingerprint of a public key as ssh-keygen prints it: `SHA256:...`."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(public_key).digest()).decode("ascii").rstrip("=")


def read_key(kind: str, text: str) -> bytes:
    """A public key from its type and its base64, as they stand in a `.pub` file. Raises `ValueError`."""
    blob = base64.b64decode(text, validate=True)
    if key_type(blob) != kind:
        raise ValueError("its type is another one than it says")
    return blob


def key_words(public_key: bytes) -> str:
    """Type and base64, as they stand in a `.pub` file."""
    return f"{key_type(public_key)} {base64.b64encode(public_key).decode('ascii')}"


def armoured(blob: bytes) -> bytes:
    """A signature as a file for ssh-keygen."""
    text = base64.b64encode(blob)
    lines = [text[at : at + 70] for at in range(0, len(text), 70)]
    return b"\n".join([_BEGIN, *lines, _END, b""])


def dearmoured(file: bytes) -> bytes:
    """The signature in what ssh-keygen printed. Raises `ValueError`."""
    lines = [line.strip() for line in file.strip().splitlines()]
    if len(lines) < 3 or lines[0] != _BEGIN or lines[-1] != _END:
        raise ValueError("it is no signature of OpenSSH's")
    return base64.b64decode(b"".join(lines[1:-1]), validate=True)
