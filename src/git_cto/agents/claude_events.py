"""Reads what Claude Code prints (`--output-format stream-json`), and judges whether it can be called a result. Pure.

An API error may come as `success` with `is_error`, an answer that was cut off as plain success, an end with no words at
all; a tool may have been denied while the end says success. All of it is looked at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from git_cto.agents.base import EngineError, Failure, Usage
from git_cto.agents.executor import DEFAULT_TOOLS

LOGIN = "claude, then /login        (or set ANTHROPIC_API_KEY)"
_LARGEST_SUMMARY = 2_000  # characters
_REFUSED_LOGINS = 2  # it asks again after the first: a login may have been renewed meanwhile

# Why no other job could be done either: by Claude Code's own word for it, else by what it says.
_NO_LOGIN = (Failure.NOT_LOGGED_IN, "Claude Code is not logged in, or its key was refused.", LOGIN)
_NO_QUOTA = (
    Failure.QUOTA,
    "Claude Code's quota is used up: {words}",
    "git cto run --resume, once it is there again",
)
_TOO_FAST = (
    Failure.RATE_LIMIT,
    "Claude Code's rate limit was reached: {words}",
    "git cto run --resume, in a few minutes",
)
_NO_MODEL = (
    Failure.MODEL,
    "Claude Code's model was refused: {words}",
    "name another one with --executor-model",
)
_NO_SERVICE = (
    Failure.UNAVAILABLE,
    "Claude Code cannot reach its model: {words}",
    "git cto run --resume, in a few minutes",
)
_STOPS_ALL = {
    "authentication_failed": _NO_LOGIN,
    "oauth_org_not_allowed": _NO_LOGIN,
    "billing_error": _NO_QUOTA,
    "rate_limit": _TOO_FAST,
    "model_not_found": _NO_MODEL,
    "overloaded": _NO_SERVICE,
    "server_error": _NO_SERVICE,
}
_SAYS_SO = (
    (r"invalid (x-)?api.key|authentication_error|not logged in|please run /login|failed to authenticate", _NO_LOGIN),
    (r"credit balance|usage limit|limit reached|hit your limit|quota|billing", _NO_QUOTA),
    (r"rate.limit|\(429\)", _TOO_FAST),
    (r"issue with the selected model|not_found_error", _NO_MODEL),
    (r"\b5\d\d\b.*(overloaded|server.error|server-side)|unable to connect|connection error", _NO_SERVICE),
)
_NOT_AN_END = {"max_tokens": "its last answer was too long", "refusal": "the model refused"}


@dataclass
class Session:
    """What was seen of one run so far. `asked` are the names of the tools that somebody chose for it.

    `note` is what that somebody should know.
    """

    asked: tuple[str, ...] = ()
    note: str = ""
    summary: str = ""
    problem: str = "it ended without a result"
    model: str = ""
    version: str = ""
    cost: float = 0.0
    usage: Usage = field(default_factory=Usage)
    denied: tuple[str, ...] = ()
    ended: bool = False
    refused: EngineError | None = None
    _error: str = ""  # its own word for what went wrong last
    _logins: int = 0  # refused so far
    _answers: dict[str, Usage] = field(default_factory=dict)

    def read(self, line: bytes) -> str:
        """Takes one line in; returns what it shows Claude doing, "" for nothing. Unknown events are passed over."""
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            return ""
        if not isinstance(event, dict):
            return ""
        kind, subtype = _text(event.get("type")), _text(event.get("subtype"))
        if (kind, subtype) == ("system", "init"):
            self.model = _text(event.get("model"))
            self.version = _text(event.get("claude_code_version"))
            self.note = self._not_offered(event.get("tools"))
            return "starting"
        if (kind, subtype) == ("system", "api_retry"):
            return self._retry(event)
        if kind == "assistant":
            return self._answer(event)
        if kind == "result":
            self._result(event)
        return ""

    def _not_offered(self, tools: object) -> str:
        """That tools were asked for which it does not have: it passes over them without a word.

        It lists some under another name. So nothing is said where as many are listed that were not asked for.
        """
        offered = [one for one in tools if isinstance(one, str)] if isinstance(tools, list) else []
        asked = [one for one in self.asked if re.fullmatch(r"(?!mcp__)[A-Za-z]\w*", one)]
        missing = [one for one in asked if one not in offered]
        if not offered or "default" in asked or len(missing) <= len(set(offered) - set(asked)):
            return ""
        import difflib  # noqa: PLC0415 -- start-up

        near = {one: difflib.get_close_matches(one, (*offered, *DEFAULT_TOOLS), 1) for one in missing}
        words = [f"{one} (did you mean {near[one][0]}?)" if near[one] else one for one in missing]
        return f"of the allowed tools, Claude Code {self.version} has none called {' or '.join(words)}"

    def _retry(self, event: Mapping[str, Any]) -> str:
        """It tries again by itself, up to three minutes long; a login that is refused does not get better by that."""
        error = _text(event.get("error")) or "no answer"
        if event.get("error_status") == 401:
            self._logins += 1
            if self._logins >= _REFUSED_LOGINS:
                self.refused = stops_all("401", "authentication_failed")
        return f"waiting {_number(event.get('retry_delay_ms')) / 1000:.0f} s: {error.replace('_', ' ')}"

    def _answer(self, event: Mapping[str, Any]) -> str:
        message = event.get("message")
        if not isinstance(message, dict):
            return ""
        self._error = _text(event.get("error"))
        usage = message.get("usage")
        self._answers[_text(message.get("id"))] = _usage(usage if isinstance(usage, dict) else {})
        self.usage = _sum(*self._answers.values())  # until the end says exactly
        return _doing(message)

    def _result(self, event: Mapping[str, Any]) -> None:
        self.ended = True
        self.summary = _text(event.get("result"))[:_LARGEST_SUMMARY]
        self.cost = _number(event.get("total_cost_usd"))
        by_model = event.get("modelUsage")
        said = event.get("usage")
        # What it gave up half way is only in the sums by model.
        found = _by_model(by_model) if isinstance(by_model, dict) and by_model else Usage()
        told = _usage(said) if isinstance(said, dict) else Usage()
        self.usage = max(found, told, key=lambda usage: usage.total) if found.total or told.total else self.usage
        denials = event.get("permission_denials")
        self.denied = tuple(_denied(one) for one in (denials if isinstance(denials, list) else []) if one)
        self.problem = self._problem(event)

    def _problem(self, event: Mapping[str, Any]) -> str:
        subtype = _text(event.get("subtype"))
        failed = bool(event.get("is_error")) or subtype != "success" or event.get("api_error_status")
        if failed:
            errors = event.get("errors")
            listed = [one for one in errors if isinstance(one, str)] if isinstance(errors, list) else []
            words = self.summary or "; ".join(listed) or subtype or "an error"
            self.refused = stops_all(words, self._error)
            return f"Claude Code ended with an error: {words[:300]}"
        stop = event.get("stop_reason", "end_turn")  # older versions do not say
        why = "its last answer was cut off" if stop is None else _NOT_AN_END.get(_text(stop))
        if why:
            return f"Claude Code did not come to an end: {why}"
        if not self.summary.strip():
            return "Claude Code said nothing at its end"
        return ""

    def died(self, code: int, stderr: str) -> str:
        """Why a program that ended by itself without a result is none, "" where there was one."""
        if self.ended:
            return self.problem
        last = _last_words(stderr)
        self.refused = self.refused or stops_all(last, "")
        how = f"signal {-code}" if code < 0 else f"exit {code}"
        return f"Claude Code ended without a result ({how}): {last[:300]}"


def stops_all(words: str, error: str) -> EngineError | None:
    """The error for what means that no other job could be done either; None for everything else.

    `error` is Claude Code's own word for what went wrong, "" where it has none.
    """
    said = next((known for pattern, known in _SAYS_SO if re.search(pattern, words, re.IGNORECASE)), None)
    found = _STOPS_ALL.get(error, said)
    if found is _TOO_FAST and said is _NO_QUOTA:
        found = said  # a subscription's limit comes as a rate limit, and lasts for hours
    if found is None:
        return None
    failure, message, hint = found
    return EngineError(failure, message.format(words=" ".join(words.split())[:200]), hint)


def _last_words(stderr: str) -> str:
    """What a program said on its way out. A crash prints a piece of the program and where it was: that says nothing."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    said = [line for line in lines if re.match(r"(\w*error|fatal)\b", line, re.IGNORECASE)]
    plain = [line for line in lines if not re.match(r"\d+ \||at |Bun v", line)]
    return (said or plain or ["no message"])[-1]


def _denied(denial: object) -> str:
    """A tool that it did not get, and for what."""
    if not isinstance(denial, dict):
        return "a tool"
    return _with_object(_text(denial.get("tool_name")) or "a tool", denial.get("tool_input"), " ")


def _doing(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    for block in content if isinstance(content, list) else []:
        if isinstance(block, dict) and block.get("type") == "tool_use":
            return _with_object(_text(block.get("name")), block.get("input"), ": ")
        if isinstance(block, dict) and block.get("type") == "text":
            return _text(block.get("text"))[:200]
    return ""


def _with_object(tool: str, given: object, between: str) -> str:
    given = given if isinstance(given, dict) else {}
    of = _text(given.get("file_path")) or _text(given.get("command")) or _text(given.get("pattern"))
    return f"{tool}{between}{of}"[:200] if of else tool


def _usage(usage: Mapping[str, Any]) -> Usage:
    cached = _count(usage.get("cache_read_input_tokens"))
    written = _count(usage.get("cache_creation_input_tokens"))
    return Usage(
        input=_count(usage.get("input_tokens")) + cached + written,
        cached=cached,
        output=_count(usage.get("output_tokens")),
    )


def _by_model(models: Mapping[str, Any]) -> Usage:
    return _sum(
        *(
            Usage(
                input=sum(_count(one.get(name)) for name in ("inputTokens", "cacheReadInputTokens"))
                + _count(one.get("cacheCreationInputTokens")),
                cached=_count(one.get("cacheReadInputTokens")),
                output=_count(one.get("outputTokens")),
            )
            for one in models.values()
            if isinstance(one, dict)
        )
    )


def _sum(*usages: Usage) -> Usage:
    return Usage(
        input=sum(one.input for one in usages),
        cached=sum(one.cached for one in usages),
        output=sum(one.output for one in usages),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _count(value: object) -> int:
    return int(_number(value))


def _number(value: object) -> float:
    """A number that can be counted with; JSON has others, for Python at least."""
    usable = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12
    return float(value) if usable else 0.0  # type: ignore[arg-type]
