"""Reads what Claude Code prints (`--output-format stream-json`), and judges whether it can be called a result. Pure.

An API error may come as `success` with `is_error`, or with an empty result; a tool may have been denied while the end
says success. All of it is looked at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from git_cto.agents.base import EngineError, Failure, Usage

_LARGEST_SUMMARY = 2_000  # characters
_STOPS_ALL = (
    (
        r"invalid (x-)?api.key|authentication_error|not logged in|please run /login|oauth token|\b401\b",
        Failure.NOT_LOGGED_IN,
        "Claude Code is not logged in, or its key was refused.",
        "claude, then /login        (or set ANTHROPIC_API_KEY)",
    ),
    (
        r"credit balance|usage limit|limit reached|quota|billing",
        Failure.QUOTA,
        "Claude Code's quota is used up: {words}",
        "git cto run --resume, once it is there again",
    ),
    (
        r"rate.limit|\b429\b",
        Failure.RATE_LIMIT,
        "Claude Code's rate limit was reached: {words}",
        "git cto run --resume, in a few minutes",
    ),
    (
        r"model.*(not found|does not exist|not available)|not_found_error",
        Failure.MODEL,
        "Claude Code's model was refused: {words}",
        "name another one with --executor-model",
    ),
)


@dataclass
class Session:
    """What was seen of one run so far."""

    summary: str = ""
    problem: str = "it ended without a result"
    model: str = ""
    version: str = ""
    cost: float = 0.0
    usage: Usage = field(default_factory=Usage)
    denied: tuple[str, ...] = ()
    ended: bool = False
    refused: EngineError | None = None

    def read(self, line: bytes) -> str:
        """Takes one line in; returns what it shows Claude doing, "" for nothing. Unknown events are passed over."""
        try:
            event = json.loads(line)
        except ValueError:
            return ""
        if not isinstance(event, dict):
            return ""
        kind = event.get("type")
        if kind == "system" and event.get("subtype") == "init":
            self.model = _text(event.get("model"))
            self.version = _text(event.get("claude_code_version"))
            return "starting"
        if kind == "assistant":
            return _doing(event.get("message"))
        if kind == "result":
            self._result(event)
        return ""

    def _result(self, event: Mapping[str, Any]) -> None:
        self.ended = True
        self.summary = _text(event.get("result"))[:_LARGEST_SUMMARY]
        self.cost = _number(event.get("total_cost_usd"))
        usage = event.get("usage")
        self.usage = _usage(usage if isinstance(usage, dict) else {})
        denials = event.get("permission_denials")
        listed = denials if isinstance(denials, list) else []
        self.denied = tuple(_text(one.get("tool_name")) for one in listed if isinstance(one, dict))
        self.problem = self._problem(event)

    def _problem(self, event: Mapping[str, Any]) -> str:
        subtype = _text(event.get("subtype"))
        failed = bool(event.get("is_error")) or subtype != "success" or event.get("api_error_status")
        if failed:
            words = self.summary or subtype or "an error"
            self.refused = stops_all(words)
            return f"Claude Code ended with an error: {words[:300]}"
        if not self.summary.strip():
            return "Claude Code said nothing at its end"
        return ""

    def died(self, code: int, stderr: str) -> str:
        """Why a program that ended by itself without a result is none, "" where there was one."""
        if self.ended:
            return self.problem
        last = next((line for line in reversed(stderr.splitlines()) if line.strip()), "no message")
        self.refused = stops_all(stderr)
        return f"Claude Code ended without a result (exit {code}): {last[:300]}"


def stops_all(words: str) -> EngineError | None:
    """The error for words that mean that no other job could be done either; None for everything else."""
    for pattern, failure, message, hint in _STOPS_ALL:
        if re.search(pattern, words, re.IGNORECASE):
            quoted = " ".join(words.split())[:200]
            return EngineError(failure, message.format(words=quoted), hint)
    return None


def _doing(message: object) -> str:
    content = message.get("content") if isinstance(message, dict) else None
    for block in content if isinstance(content, list) else []:
        if isinstance(block, dict) and block.get("type") == "tool_use":
            given = block.get("input")
            given = given if isinstance(given, dict) else {}
            of = given.get("file_path") or given.get("command") or given.get("pattern") or ""
            return f"{_text(block.get('name'))}: {_text(of)}"[:200]
        if isinstance(block, dict) and block.get("type") == "text":
            return _text(block.get("text"))[:200]
    return ""


def _usage(usage: Mapping[str, Any]) -> Usage:
    cached = int(_number(usage.get("cache_read_input_tokens")))
    written = int(_number(usage.get("cache_creation_input_tokens")))
    return Usage(
        input=int(_number(usage.get("input_tokens"))) + cached + written,
        cached=cached,
        output=int(_number(usage.get("output_tokens"))),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else 0.0
