"""Who may sign: reads `.cto/allowed_signers` and `.cto/revoked_keys`, strictly. Pure.

The list has OpenSSH's format, and of its lines only those count of which there is no doubt who and what is meant: plain
names, a key, our namespace. The others are kept with the reason, to be told. ssh-keygen never sees the file itself but
a line that was written anew from what was read here, so that both mean the same. Where the files come from (always the
target's tip) is the caller's business, and whose signature is good `ledger.trusting`'s.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from git_cto.ledger.sshsig import NAMESPACE, key_words, read_key

if TYPE_CHECKING:
    from collections.abc import Mapping

SIGNERS_PATH = ".cto/allowed_signers"
REVOKED_PATH = ".cto/revoked_keys"
LARGEST_LIST = 1 << 20  # bytes, of either file
KRL_MAGIC = b"SSHKRL\n\0"

_PRINCIPAL = re.compile(r'[^\s",*?!#][^\s",*?!]*')
_OPTION = re.compile(r'([A-Za-z][A-Za-z-]*)(?:="([^"\\]*)")?(,|[ \t]+)')
_KEY = re.compile(r"((?:ssh|ecdsa|sk)-[A-Za-z0-9@.-]+)[ \t]+([A-Za-z0-9+/]+=*)(?:[ \t].*)?")
_TIME = re.compile(r"\d{8}(?:\d{4}(?:\d\d)?)?(?=Z?\Z)", re.ASCII)


class Allowed(Struct, frozen=True, kw_only=True):
    """A line that counts: these names may sign with this key, from and until when (YYYYMMDDHHMMSS in UTC, or "")."""

    number: int
    principals: tuple[str, ...]
    key: bytes
    after: str = ""
    before: str = ""

    @property
    def line(self) -> str:
        """The line as ssh-keygen gets it: by one name, since it prints several in more than one way."""
        times = (("valid-after", self.after), ("valid-before", self.before))
        options = [f'namespaces="{NAMESPACE}"', *(f'{name}="{time}"' for name, time in times if time)]
        return f"{self.principals[0]} {','.join(options)} {key_words(self.key)}"

    def doubt(self, at: str) -> str:
        """Why it does not count at a time, "" if it does."""
        when = self.outside(at)
        verb = "is " if when.startswith("valid") else ""
        return f"the key of {self.principals[0]} {verb}{when}" if when else ""

    def outside(self, at: str) -> str:
        """The same without saying whose key it is."""
        if self.after and at < self.after:
            return f"valid from {_day(self.after)} on only"
        return f"expired on {_day(self.before)}" if self.before and at > self.before else ""


class Ignored(Struct, frozen=True, kw_only=True):
    """A line that does not count, and why. `key` is the key it is about, where it can be read."""

    number: int
    why: str
    key: bytes = b""


class Signers(Struct, frozen=True, kw_only=True):
    """Who may sign. With a `fault` nobody may: a sentence says what cannot be read."""

    allowed: tuple[Allowed, ...] = ()
    by_key: Mapping[bytes, tuple[Allowed, ...]] = {}
    ignored: tuple[Ignored, ...] = ()
    revoked: bytes | None = None  # a key revocation list, for ssh-keygen
    revoked_keys: frozenset[bytes] = frozenset()
    missing: bool = False  # there is no list
    fault: str = ""

    def lines(self, key: bytes) -> tuple[Allowed, ...]:
        """The lines that count for a key."""
        return self.by_key.get(key, ())

    def names(self, key: bytes) -> tuple[str, ...]:
        """Every name that a key is known by."""
        return tuple(dict.fromkeys(name for one in self.lines(key) for name in one.principals))


def read_signers(content: bytes | None, revoked: bytes | None) -> Signers:
    """The signers that the two files say, each None where there is none. Never raises."""
    allowed: list[Allowed] = []
    ignored: list[Ignored] = []
    try:
        text = (content or b"").decode("utf-8")
    except UnicodeDecodeError:
        return Signers(fault=f"{SIGNERS_PATH} is not UTF-8, so no signature counts.")
    if len(content or b"") > LARGEST_LIST:
        return Signers(fault=f"{SIGNERS_PATH} is too large, so no signature counts.")
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            read = _read_line(number, line.strip())
            if isinstance(read, Allowed):
                allowed.append(read)
            else:
                ignored.append(read)
    by_key: dict[bytes, tuple[Allowed, ...]] = {}
    for one in allowed:
        by_key[one.key] = (*by_key.get(one.key, ()), one)
    found = Signers(allowed=tuple(allowed), by_key=by_key, ignored=tuple(ignored), missing=content is None)
    return found if revoked is None else _without_revoked(found, revoked)


def _read_line(number: int, line: str) -> Allowed | Ignored:
    names, _, rest = line.replace("\t", " ").partition(" ")
    rest = rest.strip()
    options, at, why = _read_options(rest)
    key, no_key = _read_key(rest[at:])
    principals = tuple(names.split(","))
    why = no_key or why or _odd(principals, options)
    if why:
        return Ignored(number=number, why=why, key=key)
    try:
        after, before = (_time(options.get(name, "")) for name in ("valid-after", "valid-before"))
    except ValueError:
        return Ignored(number=number, why="one of its times is none (YYYYMMDD or YYYYMMDDHHMMSS)", key=key)
    return Allowed(number=number, principals=principals, key=key, after=after, before=before)


def _read_options(rest: str) -> tuple[dict[str, str], int, str]:
    """Options by name (lower case), where the key begins, and what is wrong with them."""
    options: dict[str, str] = {}
    at, why = 0, ""
    if _KEY.fullmatch(rest):
        return options, at, why
    while (found := _OPTION.match(rest, at)) is not None:
        name, at = found[1].lower(), found.end()
        if name in options:
            why = f"{name} stands twice"
        options[name] = found[2] or ""
        if found[3] != ",":
            return options, at, why
    return options, at, "its options cannot be read"


def _read_key(text: str) -> tuple[bytes, str]:
    found = _KEY.fullmatch(text)
    if found is None:
        return b"", "its key cannot be read"
    try:
        key = read_key(found[1], found[2])
    except ValueError:
        return b"", "its key cannot be read"
    return key, "certificates do not count" if "-cert-" in found[1] else ""


def _odd(principals: tuple[str, ...], options: dict[str, str]) -> str:
    """Why a line does not count that can be read, "" if it does."""
    unknown = sorted(options.keys() - {"namespaces", "valid-after", "valid-before", "cert-authority"})
    if unknown:
        return f"the option {unknown[0]} is not known"
    if "cert-authority" in options:
        return "cert-authority does not count here: name each key"
    if any(set(name) & set("*?!") for name in principals):
        return "its name has a wildcard: name everybody"
    if not all(_PRINCIPAL.fullmatch(name) and name.isprintable() for name in principals):
        return "its name cannot be read: no spaces, no quotes"
    namespaces = [name.strip() for name in options.get("namespaces", "").split(",")]
    if NAMESPACE not in namespaces or any(name.startswith("!") for name in namespaces):
        return f'it lacks namespaces="{NAMESPACE}"'
    return ""


def _time(said: str) -> str:
    """A time of the list as YYYYMMDDHHMMSS in UTC. Raises `ValueError`."""
    if not said:
        return ""
    found = _TIME.match(said)
    if found is None:
        raise ValueError("no time")
    text = found[0].ljust(14, "0")
    if dt.datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=dt.UTC).year < 1971:
        raise ValueError("ssh-keygen takes 0 for no time")
    return text


def _day(time: str) -> str:
    return f"{time[:4]}-{time[4:6]}-{time[6:8]}"


def _without_revoked(found: Signers, revoked: bytes) -> Signers:
    """The same with what is revoked. What cannot be read may have named any key, so then nobody may sign."""
    if len(revoked) > LARGEST_LIST:
        return Signers(fault=f"{REVOKED_PATH} is too large, so no signature counts.")
    if revoked.startswith(KRL_MAGIC):
        return replace(found, revoked=revoked)
    keys = set()
    for number, line in enumerate(revoked.decode("utf-8", "replace").split("\n"), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            key, why = _read_key(line.strip())
            if not key or why:
                return replace(
                    found, fault=f"Line {number} of {REVOKED_PATH} is no public key, so no signature counts."
                )
            keys.add(key)
    return replace(found, revoked_keys=frozenset(keys))
