"""Keeps secrets and control characters out of what is recorded, printed or posted. Pure.

Not a scanner for secrets in a change: it covers our own secret values and the shapes of well-known tokens.
"""

from __future__ import annotations

import base64
import re
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HIDDEN = "[redacted]"
_SHORTEST = 8
# Patterns are compiled when they are used: that takes longer than all else that this module does at start-up.
_NAMED = r"(?i)(?:^|_)(?:API_?KEY|KEY|TOKEN|SECRET|(?:PG)?PASSWORD|PASSWD|(?<=_)PWD|CREDENTIALS?|PAT)(?:$|_)"
_A_PATH = r"/[^/]+(?:/[^/]+)*\.[A-Za-z0-9]{1,8}|/(?:home|root|usr|etc|opt|tmp|var|run|Users|private)(?:/.*)?"
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co"})
_BREAKS = {0x0D: "\n", 0x2028: "\n", 0x2029: "\n", 0x85: "\n", 0x0B: "\n", 0x0C: "\n"}
_COMMAND = r"(?s)(?:(?<=\s)|(?<!.))::(?=\S)"  # GitHub's runner obeys it at the start of a line
_SHAPES = r"""(?x)
      \bsk-(?=[a-z_-]{0,99}[A-Z0-9])(?=[A-Za-z0-9_-]{0,99}[A-Za-z0-9]{16})[A-Za-z0-9_-]{20,}  # unlike names of styles
    | \b(?:ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{30,}
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
      (?:[\s\S]{0,8000}?-----END\ [A-Z ]{0,40}PRIVATE\ KEY----- | (?:(?:\s|\\n)+[A-Za-z0-9+/=]{16,})*)
    """


def secret_values(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The values of variables that are named like secrets, also as base64 and reversed; the longest first."""
    values = {v for k, v in environ.items() if re.search(_NAMED, k) and _is_secret(v)}
    forms = set(values)
    for value in values:
        raw = value.encode("utf-8", "surrogateescape")
        forms.add(value[::-1])
        for whole in (raw, raw + b"\n"):  # `echo $TOKEN | base64` encodes a newline, too
            forms |= {code(whole).decode().rstrip("=") for code in (base64.b64encode, base64.urlsafe_b64encode)}
    return tuple(sorted(forms, key=lambda form: (-len(form), form)))


def _is_secret(value: str) -> bool:
    return len(value) >= _SHORTEST and not re.fullmatch(_A_PATH, value)


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
    return re.sub(_SHAPES, HIDDEN, text)


def redact_all(value: Any, secrets: Iterable[str]) -> Any:  # noqa: ANN401 -- any JSON in, the same JSON out
    """The same JSON with every text redacted (keys are ours and stay)."""
    if isinstance(value, str):
        return redacted(value, secrets)
    if isinstance(value, list | tuple):
        return [redact_all(item, secrets) for item in value]
    if isinstance(value, dict):
        return {key: redact_all(item, secrets) for key, item in value.items()}
    return value


def printable(text: str, *, lines: bool = False) -> str:
    """Untrusted text made safe for a terminal or a log: no control, bidi or invisible characters.

    One line, unless `lines`. Nothing in it can move a cursor, start a workflow command or pose as a line of ours.
    """
    text = _seen(text.replace("\r\n", "\n").translate(_BREAKS))
    text = text.replace("##[", "# #[")  # a workflow command wherever it stands
    if not lines:
        return re.sub(_COMMAND, ": :", " ".join(text.split()))
    return re.sub(_COMMAND, ": :", text.replace("\t", "    "))


def _seen(text: str) -> str:
    """The text without characters that nobody sees but a terminal or a parser; tabs and line feeds stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(character for character in text if character in "\n\t" or not _unseen(character))


def _unseen(character: str) -> bool:
    return unicodedata.category(character) in _UNSEEN or "\U000e0000" <= character <= "\U000e0fff"
