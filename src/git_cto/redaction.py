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
_SECRET_NAME = re.compile(
    r"(?:^|_)(?:API_?KEY|KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?|PAT)(?:$|_)", re.IGNORECASE
)
_SHAPES = re.compile(
    r"""
      \bsk-(?:proj-|ant-|svcacct-|admin-)?[A-Za-z0-9_-]{20,}
    | \b(?:ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{30,}
    | \bgithub_pat_[A-Za-z0-9_]{30,}
    | \bglpat-[A-Za-z0-9_-]{20,}
    | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b
    | \bxox[abeoprs]-[A-Za-z0-9-]{10,}
    | \bAIza[A-Za-z0-9_-]{35}
    | \b(?:npm|pypi|hf)[_-][A-Za-z0-9_-]{30,}
    | \beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}
    | -----BEGIN\ [A-Z ]*PRIVATE\ KEY-----(?:[\s\S]*?-----END\ [A-Z ]*PRIVATE\ KEY-----)?
    """,
    re.VERBOSE,
)


def secret_values(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The values of variables that are named like secrets, also as base64 and reversed; the longest first."""
    values = {v for k, v in environ.items() if _SECRET_NAME.search(k) and len(v) >= _SHORTEST and not v.startswith("/")}
    forms = set(values)
    for value in values:
        raw = value.encode("utf-8", "surrogateescape")
        forms |= {value[::-1], base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode().rstrip("=")}
    return tuple(sorted(forms, key=len, reverse=True))


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without these secrets and without anything shaped like a token."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return _SHAPES.sub(HIDDEN, text)


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
    kept = "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co"})
    if not lines:
        return " ".join(kept.split())
    return re.sub(r"^(\s*)::", r"\1: :", kept.replace("\t", "    "), flags=re.MULTILINE)
