"""Keys, agents and lists of signers for tests: everything is made by the real OpenSSH."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from git_cto.ledger.sshsig import NAMESPACE, dearmoured, read_key

AT = "20261122170000"


@dataclass(frozen=True)
class Key:
    """A key pair of somebody's."""

    path: Path
    principal: str

    @property
    def public(self) -> str:
        """Type and base64."""
        return " ".join(Path(f"{self.path}.pub").read_text().split()[:2])

    @property
    def blob(self) -> bytes:
        kind, text = self.public.split()
        return read_key(kind, text)

    @property
    def private(self) -> str:
        return self.path.read_text()

    def line(self, options: str = f'namespaces="{NAMESPACE}"', principals: str = "") -> str:
        """A line of a list of signers, with a line feed."""
        return f"{principals or self.principal} {options + ' ' if options else ''}{self.public} a comment\n"

    def sign(self, message: bytes, namespace: str = NAMESPACE) -> bytes:
        """A signature by ssh-keygen itself, without armour."""
        argv = ["ssh-keygen", "-Y", "sign", "-n", namespace, "-f", str(self.path)]
        return dearmoured(subprocess.run(argv, input=message, capture_output=True, check=True).stdout)


def new_key(
    folder: Path, principal: str = "ada@example.org", *, kind: str = "ed25519", passphrase: str = "", name: str = ""
) -> Key:
    """Makes a key pair."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (name or f"{principal.partition('@')[0]}_{kind}")
    size = ["-b", "2048"] if kind == "rsa" else []
    argv = ["ssh-keygen", "-q", "-t", kind, *size, "-N", passphrase, "-C", principal, "-f", str(path)]
    subprocess.run(argv, check=True, capture_output=True)
    return Key(path, principal)


def known_key(folder: Path, principal: str) -> Key:
    """A key pair that this person has in every test of a session: making a new one takes longer than to use it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{principal.partition('@')[0]}_ed25519"
    private, public = _pair(principal)
    path.write_text(private)
    path.chmod(0o600)
    Path(f"{path}.pub").write_text(public)
    return Key(path, principal)


@cache
def _pair(principal: str) -> tuple[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        made = new_key(Path(folder), principal)
        return made.private, Path(f"{made.path}.pub").read_text()


def revocation_list(folder: Path, *keys: Key) -> bytes:
    """A key revocation list that ssh-keygen made."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "krl"
    subprocess.run(
        ["ssh-keygen", "-q", "-k", "-f", str(path), *(f"{key.path}.pub" for key in keys)],
        check=True,
        capture_output=True,
    )
    return path.read_bytes()


@contextmanager
def agent(*keys: Key, passphrase: str = "") -> Iterator[Mapping[str, str]]:
    """An agent with these keys; the environment in which programs find it."""
    with tempfile.TemporaryDirectory(prefix="agent") as folder:  # a socket's path must be short
        socket = f"{folder}/s"
        process = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert process.stdout is not None
        try:
            process.stdout.readline()  # once it says where it is, it is there
            environ = {**os.environ, "SSH_AUTH_SOCK": socket}
            ask = Path(folder, "ask")
            ask.write_text(f"#!/bin/sh\necho '{passphrase}'\n")
            ask.chmod(0o700)
            for key in keys:
                subprocess.run(
                    ["ssh-add", "-q", str(key.path)],
                    env={**environ, "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force"},
                    check=True,
                    capture_output=True,
                )
            yield environ
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
