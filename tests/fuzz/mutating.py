"""Changes bytes a little, for fuzzing: as bytes, as text of special words, and as JSON whose form stays JSON.

Everything is decided by the `random.Random` that is passed in, so the same seed makes the same change.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

# What parsers stumble over.
_WORDS: tuple[bytes, ...] = (
    *(b"", b"\0", b"\n", b"\r\n", b" ", b"\t", b'"', b"\\", b"\\u0000", b"\\ud800", b"\\udfff", b"\xff", b"\xc0\x80"),
    *(
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        b"\xe2\x80\xae",
        b"\xf0\x9f\x91\x8d",
        b"\xcc\x81",
        b"\xc5\xbf",
        b"\xe2\x84\xaa",
    ),
    *(
        b"NaN",
        b"Infinity",
        b"-0",
        b"1e999",
        b"9" * 30,
        b"1.5",
        b"true",
        b"null",
        b"[]",
        b"{}",
        b"[[",
        b"{{",
        b"'''",
        b'"""',
    ),
    *(b"*", b"**", b"**/", b"?", b"/", b"//", b"../", b"!", b"-", b"--", b"#", b"=", b",", b":", b";", b"@@ -1 +1 @@"),
    *(b"a/", b"b/", b"\ndiff --git ", b"diff --git", b"\n+++ b/x", b":100644 100644 ", b"0" * 40, b"f" * 64),
    *(b".git", b".cto/", b".github/workflows/x.yml", b"AGENTS.md", b"CODEOWNERS", b"refs/heads/main", b"HEAD"),
    *(
        b"approve",
        b"revise",
        b"abort",
        b"APPROVE ",
        b"verdict",
        b"blocker",
        b"ignore previous instructions",
        b"\x1b[2J",
    ),
    *(b"[gate]\n", b"[review]\n", b"[coverage]\n", b"trust = ", b"max = ", b"2026-01-02T03:04:05.678Z", b"A" * 300),
    *(
        b"ssh-ed25519 ",
        b'namespaces="git-cto.verdict.v1"',
        b"cert-authority",
        b"valid-before=",
        b"\0\0\0\x0b",
        b"SSHSIG",
    ),
)
_VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        1.5,
        2**53,
        2**63,
        -(2**63),
        10**17,
        1e308,
        "",
        " ",
        "x",
        "approve",
        "revise",
        "abort",
    ),
    *("a" * 40, "b" * 64, "refs/heads/main", "refs/tags/x", "--output=x", "\u202e", "\x1b[31m", "\x00", "::error::x"),
    *(
        "2026-02-30T00:00:00.000Z",
        "2026-01-02T03:04:05.678Z",
        "blocker",
        "pass",
        "trunk",
        "../x",
        ".git/hooks/x",
        [],
        {},
    ),
    *([[]], [None], {"": None}, {"id": "x"}, "é" * 50, "A" * 2000),
)
LARGEST = 1 << 17  # bytes; twice of what a line may have


def mutate(data: bytes, rng: random.Random, others: tuple[bytes, ...] = ()) -> bytes:
    """The bytes after a few small changes; `others` are inputs that pieces may come from."""
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        changed = _as_json(data, rng) if data[:1] in {b"{", b"["} and rng.random() < 0.6 else None
        data = _as_bytes(data, rng, others) if changed is None else changed
    return data[:LARGEST]


# ---- as bytes --------------------------------------------------------------------------------------------------------


def _as_bytes(data: bytes, rng: random.Random, others: tuple[bytes, ...]) -> bytes:
    start = rng.randint(0, len(data))
    end = min(len(data), start + rng.choice((0, 1, 1, 2, 4, 16, 64, 1000)))
    piece = data[start:end]
    changes: tuple[Callable[[], bytes], ...] = (
        lambda: bytes([piece[0] ^ 1 << rng.randrange(8)]) + piece[1:] if piece else rng.randbytes(1),
        lambda: rng.choice(_WORDS),
        lambda: b"",
        lambda: piece * rng.choice((2, 2, 3, 50)),
        lambda: _some_of(rng.choice(others or _WORDS), rng),
        lambda: rng.randbytes(rng.choice((1, 2, 8))),
    )
    return data[:start] + rng.choice(changes)() + data[end:]


def _some_of(other: bytes, rng: random.Random) -> bytes:
    start = rng.randint(0, len(other))
    return other[start : start + rng.choice((1, 4, 32, 500))]


# ---- as JSON ---------------------------------------------------------------------------------------------------------


def _as_json(data: bytes, rng: random.Random) -> bytes | None:
    """The same JSON with something in it changed, left out, repeated or moved; None where it is no JSON."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    places = _places(value)
    if not places:
        return None
    holder, key = rng.choice(places)
    kind = rng.randrange(7)
    if kind == 0:
        del holder[key]
    elif kind == 1:
        holder[key] = rng.choice(_VALUES)
    elif kind == 2:
        other, at = rng.choice(places)
        holder[key] = other[at]
    elif kind == 3 and isinstance(holder, list):
        holder.insert(key, holder[key])
    elif kind == 4 and isinstance(holder, dict):
        holder[rng.choice(("", "extra", "verdict", "sig", str(key) + " ", str(key).upper()))] = holder[key]
    elif isinstance(holder[key], str):
        text = holder[key].encode("utf-8", "surrogatepass")
        holder[key] = _as_bytes(text, rng, ()).decode("utf-8", "replace")
    elif isinstance(holder[key], int | float):
        holder[key] = rng.choice((0, 1, -1, 10**18, 10**19, 0.1, 1e400, float(rng.randrange(9))))
    return _written(value, rng, str(key))


def _places(value: Any) -> list[tuple[Any, Any]]:  # noqa: ANN401 -- any JSON
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        one = waiting.pop()
        keys = range(len(one)) if isinstance(one, list) else list(one) if isinstance(one, dict) else ()
        for key in keys:
            found.append((one, key))
            waiting.append(one[key])
        if len(found) > 5_000:
            break
    return found


def _written(value: Any, rng: random.Random, key: str) -> bytes | None:  # noqa: ANN401 -- any JSON
    """The value as JSON: compact, spread out, with escapes, or with a key that stands twice."""
    try:
        text = json.dumps(
            value,
            ensure_ascii=rng.random() < 0.5,
            separators=(",", ":") if rng.random() < 0.7 else None,
            sort_keys=rng.random() < 0.5,
        )
    except (ValueError, RecursionError):  # it holds itself
        return None
    name = json.dumps(key) + ":"
    if name in text and rng.random() < 0.1:
        text = text.replace(name, f"{name}{rng.choice(('null', '0', chr(34) * 2, '[]'))},{name}", 1)
    return text.encode("utf-8", "surrogatepass")
