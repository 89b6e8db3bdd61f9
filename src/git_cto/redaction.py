"""Keeps secrets and control characters out of what is recorded, printed or posted. Pure.

Not a scanner for secrets in a change: it covers our own secret values and the shapes of well-known tokens.
"""

from __future__ import annotations

import base64
import re
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

HIDDEN = "[redacted]"
_SHORTEST = 8
_LINE = 32  # characters of a line of a secret that has several
_LONG = 12  # characters that hardly stand in a text by chance when its white space is passed over
# Patterns are compiled when they are used: that takes longer than all else that this module does at start-up.
_NAMED = r"(?i)(?:^|_)(?:API_?KEY|KEY|TOKEN|SECRET|(?:PG)?PASSWORD|PASSWD|(?<=_)PWD|CREDENTIALS?|PAT)(?:$|_)"
_A_PATH = r"/[^/]+(?:/[^/]+)*\.[A-Za-z0-9]{1,8}|/(?:home|root|usr|etc|opt|tmp|var|run|Users|private)(?:/.*)?|refs/.+"
_AN_OBJECT = r"[0-9a-f]{40}|[0-9a-f]{64}"  # CACHE_KEY=$(git rev-parse HEAD) is no secret; a token may look like it
_SURELY = r"(?i)(?:API|ACCESS|PRIVATE|SIGNING|ENCRYPTION|MASTER|ACCOUNT)_?KEY|TOKEN|SECRET|PASSW|PWD|CREDENTIAL|_PAT"
# What stands in an address before the host: a name and a password, which is no placeholder and not the name again.
_LOGIN = r"""(?x)(?<=[A-Za-z0-9+.-]://) ([^\s/?\#:@"'<>`]{0,128}) :
    (?! (?: \1 | (?i:pass(?:word|wd)?|pwd|secret|token|changeme|x+|\*+|\.+)
          | \$[A-Z_]+ | \$?\{[^@]{0,128}\} | %[sr] ) @ )
    ( [^\s/?\#"'<>`]{6,256} ) (?=@[A-Za-z0-9_\[$\{%-]) """
_A_WORD = r"[A-Za-z]{1,15}"  # a password that may stand in any text
# The words with a meaning of their own in our documents, as far as they are long enough to be taken for a secret.
_OUR_WORDS = frozenset(
    (
        *("approved", "unapproved", "overridden", "override", "continue", "escalated", "different", "still_open"),
        *("create_file", "delete_file", "modify_file", "run_command", "summarised", "withdrawn"),
        *("planning", "verifying", "reviewing"),
    )
)
_OUR_KEYS = frozenset({"schema", "code"})  # never anything but a word of ours
_UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
_NO_PROSE = frozenset(
    ("head", "id", "task_id", "depends_on", "phase", "action", "verdict", "status", "severity", "ruling")
)
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co"})
_BREAKS = {0x0D: "\n", 0x2028: "\n", 0x2029: "\n", 0x85: "\n", 0x0B: "\n", 0x0C: "\n"}
_COMMAND = r"(?s)(?:(?<=\s)|(?<!.))(?::::+|::(?=\S))"  # GitHub's runner obeys it at the start of a line
_SK = r"\bsk-[A-Za-z0-9_-]{20,}"  # or the name of a style; which of them it is, is asked once of a whole run
_SHAPES = r"""(?x)
      \b(?:ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{30,}
    | \bgithub_pat_[A-Za-z0-9_]{30,}
    | \bglpat-[A-Za-z0-9_-]{20,}
    | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b
    | \bxox[abeoprs]-[A-Za-z0-9-]{10,}
    | \bAIza[A-Za-z0-9_-]{35}
    | \bnpm_[A-Za-z0-9]{36}\b
    | \bpypi-AgE[A-Za-z0-9_-]{50,}
    | \bhf_[A-Za-z0-9]{30,}
    | \b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}
    | \beyJ[A-Za-z0-9_-]{10,999}\.eyJ[A-Za-z0-9_-]{10,4999}\.[A-Za-z0-9_-]{10,}
    | -----BEGIN\ [A-Z ]{0,40}PRIVATE\ KEY-----
      (?: (?:(?!-----BEGIN\ )[\s\S]){0,8000}?-----END\ [A-Z ]{0,40}PRIVATE\ KEY-----
        | (?:(?:\s|\\n)+[A-Za-z0-9+/=]{16,})* )
    """


def secret_values(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The values of variables that are named like secrets, and passwords in addresses; the longest first.

    Each also encoded and reversed.
    """
    values = {*_named_like_secrets(environ), *(one for value in environ.values() for one in _passwords(value))}
    forms = {form for value in values for form in _forms(value)}
    return tuple(sorted(forms, key=lambda form: (-len(form), form)))


def without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables without those that hold a secret, whatever their names are.

    Those with a password in an address stay: a proxy or a database for tests is there to be used.
    """
    secrets = {form for value in _named_like_secrets(environ) for form in _forms(value)}
    return {name: value for name, value in environ.items() if value not in secrets}


def _named_like_secrets(environ: Mapping[str, str]) -> set[str]:
    return {value for name, value in environ.items() if re.search(_NAMED, name) and _is_secret(name, value)}


def _passwords(value: str) -> Iterator[str]:
    """The passwords of the addresses in a value, and the value itself where it is one such address."""
    if "://" not in value:
        return
    from urllib.parse import unquote  # noqa: PLC0415 -- start-up

    found = re.findall(_LOGIN, value)
    if found and not re.search(r"\s", value):
        yield value
    for _, password in found:
        for said in {password, unquote(password)}:
            if len(said) >= _SHORTEST and not re.fullmatch(_A_WORD, said):
                yield said


def _is_secret(name: str, value: str) -> bool:
    if len(value) < _SHORTEST or re.fullmatch(_A_PATH, value) or name.startswith("GIT_CONFIG_KEY_"):
        return False
    if value in _OUR_WORDS:
        return False
    return not re.fullmatch(_AN_OBJECT, value) or re.search(_SURELY, name) is not None


def _forms(value: str) -> Iterator[str]:
    """A secret as it is, backwards, and as what encodes it, also as a part of something longer."""
    raw = value.encode("utf-8", "surrogateescape")
    yield value
    if "\n" in value.strip():  # a private key: a line of it is as little for others as the whole
        yield from (line.strip() for line in value.split("\n") if len(line.strip()) >= _LINE and "-----" not in line)
    yield value[::-1]
    for code in (base64.b64encode, base64.urlsafe_b64encode):
        yield from (code(whole).decode().rstrip("=") for whole in (raw, raw + b"\n"))  # `echo $TOKEN | base64`
        for before in range(3):  # where the secret begins within a group of three bytes; only what it alone decides
            begin, end = (before * 8 + 5) // 6, (before + len(raw)) * 8 // 6
            yield code(bytes(before) + raw).decode()[begin:end]
    yield raw.hex()
    yield raw.hex().upper()
    escaped = "".join(f"%{byte:02X}" for byte in raw)
    yield escaped
    yield escaped.lower()
    for safe in (_UNRESERVED, _UNRESERVED + b"/"):
        quoted = "".join(chr(byte) if byte in safe else f"%{byte:02X}" for byte in raw)
        yield quoted
        yield re.sub("%..", lambda found: found[0].lower(), quoted)
        yield quoted.replace("%20", "+")


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without these secrets and without anything shaped like a token, invisible characters between or not."""
    held = tuple(secrets)
    text = _hidden(text, held)
    bare = _seen(text)
    hidden = _hidden(bare, held)
    return hidden if hidden != bare else text


def _hidden(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    text = re.sub(_SHAPES, HIDDEN, re.sub(_SK, _hidden_sk, _unfolded(text, secrets)))
    return re.sub(_LOGIN, HIDDEN, text) if "://" in text else text


def _hidden_sk(found: re.Match[str]) -> str:
    run = found[0]
    is_token = re.search("[A-Z0-9]", run[3:]) and re.search("[A-Za-z0-9]{16}", run[3:])
    return HIDDEN if is_token else run


def _unfolded(text: str, secrets: Iterable[str]) -> str:
    """The text without long secrets that were wrapped into lines or groups, as `base64` and `od` do."""
    joined = "".join(text.split())
    if len(joined) == len(text):
        return text
    for secret in secrets:
        if len(secret) >= _LONG and secret in joined:
            text = re.sub(r"\s*".join(re.escape(character) for character in secret), HIDDEN, text)
    return text


def redact_all(value: Any, secrets: Iterable[str]) -> Any:  # noqa: ANN401 -- any JSON in, the same JSON out
    """The same JSON with every text redacted (keys are ours and stay)."""
    return _redact(value, tuple(secrets), frozenset(), ())


def redact_document(value: Any, secrets: Iterable[str]) -> Any:  # noqa: ANN401 -- as above
    """The same JSON of a document of ours with its texts redacted; what names its form or a failure stays."""
    return _redact(value, tuple(secrets), _OUR_KEYS, ())


def redact_answer(value: Any, secrets: Iterable[str], paths: Collection[str] = ()) -> Any:  # noqa: ANN401 -- as above
    """The same JSON of an answer with its prose redacted: ids and fixed words have been checked and stay.

    So do these `paths`: a secret that happens to be part of a file's name must not make an answer unreadable.
    """
    return _redact(value, tuple(secrets), _NO_PROSE, paths)


def _redact(value: Any, secrets: tuple[str, ...], kept: frozenset[str], paths: Collection[str]) -> Any:  # noqa: ANN401
    if isinstance(value, str):
        return value if value in paths else redacted(value, secrets)
    if isinstance(value, list | tuple):
        return [_redact(item, secrets, kept, paths) for item in value]
    if isinstance(value, dict):
        return {k: item if _stays(k, item, kept) else _redact(item, secrets, kept, paths) for k, item in value.items()}
    return value


def _stays(key: str, item: Any, kept: frozenset[str]) -> bool:  # noqa: ANN401 -- any JSON
    if key not in kept:
        return False
    if key in _OUR_KEYS:
        return re.fullmatch("[a-z0-9_/-]{1,40}", str(item)) is not None
    return key != "id" or re.fullmatch("[a-z0-9.-]{1,31}", str(item)) is not None


def printable(text: str, *, lines: bool = False) -> str:
    """Untrusted text made safe for a terminal or a log: no control, bidi or invisible characters.

    One line, unless `lines`. Nothing in it can move a cursor, start a workflow command or pose as a line of ours.
    """
    text = _seen(text.replace("\r\n", "\n").translate(_BREAKS))
    text = text.replace("##[", "# #[")  # a workflow command wherever it stands
    if not lines:
        return re.sub(_COMMAND, ": :", " ".join(text.split()))
    return re.sub(_COMMAND, ": :", text.replace("\t", "    "))


def as_it_runs(command: str) -> str:
    """A command for somebody to agree to: each of its lines on a line, and nothing in it that is not seen.

    On one line a comment would hide what stands below it.
    """
    lines = ("".join(map(_visible, line)) for line in command.split("\n"))
    return "\n    ".join(printable(line) for line in lines)


def _visible(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")


def _seen(text: str) -> str:
    """The text without characters that nobody sees but a terminal or a parser; tabs and line feeds stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(character for character in text if character in "\n\t" or not _unseen(character))


def _unseen(character: str) -> bool:
    return unicodedata.category(character) in _UNSEEN or "\U000e0000" <= character <= "\U000e0fff"


def writable(text: str) -> str:
    """The text as JSON can hold it: names of git are bytes, and what of them is no UTF-8 is written in hex."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
