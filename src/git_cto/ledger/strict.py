"""Strict reading of JSON, and the reasons why something is not read. Pure.

Where two readers could understand a text differently (a key that stands twice, a number that knows no bounds, half a
character) it is refused. What the JSON has to say is `ledger.records`' business.
"""

from __future__ import annotations

import base64
import json
import math
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")
_MOST_DIGITS = 18  # that fit into 64 bits


class UnreadError(ValueError):
    """Why a line is no record: `code` is a short word that stays the same, the text is for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def parse(data: bytes, what: str) -> Any:  # noqa: ANN401 -- any JSON
    """The JSON that `data` is. Raises `UnreadError` for whatever not every reader would read alike."""
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_once,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_bounded,
        )
        if b"\\u" in data:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnreadError:
        raise
    except UnicodeDecodeError as error:
        raise UnreadError("not-utf8", f"{what} is not UTF-8") from error
    except UnicodeEncodeError as error:
        raise UnreadError("half-a-character", f"{what} holds half a surrogate pair") from error  # nobody can print it
    except RecursionError as error:
        raise UnreadError("too-deep", f"{what} is nested too deeply") from error
    except json.JSONDecodeError as error:
        raise UnreadError(
            "not-json", f"{what} is not JSON from line {error.lineno}, column {error.colno} on"
        ) from error
    except ValueError as error:
        raise UnreadError("not-json", f"{what} is not JSON") from error
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise UnreadError("key-twice", "a key stands twice")  # Python would keep the last, others the first
    return found


def _no_constant(name: str) -> Any:  # noqa: ANN401 -- never returns
    raise UnreadError("number", f"{name} is no number")


def _bounded(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise UnreadError("number", f"{text[:_MOST_DIGITS]}... is too large")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise UnreadError("number", f"{text[:_MOST_DIGITS]} is too large")
    return number


def converted(value: Any, kind: type[T], code: str) -> T:  # noqa: ANN401 -- any JSON
    """The value as a struct, with every key known and of its type. Raises `UnreadError`."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise UnreadError(code, str(error)) from error
    except RecursionError as error:
        raise UnreadError("too-deep", "it is nested too deeply") from error


def unwrapped(text: str, code: str) -> bytes:
    """The bytes that base64 stands for, with nothing in between. Raises `UnreadError`."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise UnreadError(code, f"no base64: {error}") from error
