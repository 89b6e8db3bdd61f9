"""The document of a failure, of whatever command."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class ErrorBody(Struct, frozen=True, kw_only=True):
    """What failed, and what to type next."""

    code: str
    message: str
    hint: str


class ErrorDocument(Struct, frozen=True, kw_only=True):
    """A failure of any command."""

    schema: Literal["git-cto/error/v1"] = "git-cto/error/v1"
    error: ErrorBody
    exit_code: int
