"""Decides whether a finished call of Codex is an answer, and if it is not, what to tell the user.

Pure. There is one way to an answer and it is `answer_of`; everything else is an `EngineError` with one plain
sentence and what to type next. The words that are looked for are those that Codex 0.169 prints.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from git_cto.agents.base import EngineError, Failure
from git_cto.agents.codex_events import Transcript

MINIMUM = (0, 169, 0)
"""The oldest version of Codex that all of this was measured with."""

INSTALL = "npm install -g @openai/codex@latest"
LOGIN = "codex login        (or set CODEX_API_KEY)"

_QUOTED = 300  # characters of somebody else's words in a sentence of ours

# Codex logs a call of a tool that it does not offer, and one that it refuses, and says nothing of either in
# its events. In a sealed call there is no other reason for such a line.
_REFUSED_CALL = re.compile(rb"codex_core::tools::router: error=(.*)")

_BROKEN_SANDBOX = re.compile(
    r"^(bwrap: |codex-linux-sandbox|sandbox-exec: )|\blandlock\b|sandbox.*(denied|failed)", re.IGNORECASE
)


@dataclass(frozen=True)
class _Rule:
    """If `pattern` is in Codex's words it was `failure`; `message` may hold `{words}` and named groups."""

    pattern: str
    failure: Failure
    message: str
    hint: str = ""


_RULES = (
    _Rule(
        r"input_too_large|exceeds the maximum length",
        Failure.TOO_LARGE,
        "The prompt is longer than the 1,048,576 characters that Codex takes.",
        "split the change, or narrow what is reviewed",
    ),
    _Rule(
        r"context window|context_length_exceeded|status 413",
        Failure.TOO_LARGE,
        "The prompt does not fit into the model's context window.",
        "split the change, or use a model with a larger window (--model)",
    ),
    _Rule(
        r"invalid_json_schema|Invalid schema for",
        Failure.SCHEMA,
        "OpenAI refused the schema of the answer: {words}",
        "report this: it is a mistake of git-cto's",
    ),
    _Rule(
        r"Missing environment variable: `?(?P<name>\w+)",
        Failure.NOT_LOGGED_IN,
        "Codex's provider needs the environment variable {name}, and it is not set.",
        "export {name}=...",
    ),
    _Rule(
        r"insufficient_quota|Quota exceeded",
        Failure.QUOTA,
        "Your OpenAI quota is used up (Codex said so).",
        "see https://platform.openai.com/settings/organization/billing, or try --model gpt-5-mini",
    ),
    _Rule(
        r"usage_not_included|To use Codex with your ChatGPT plan",
        Failure.QUOTA,
        "Your ChatGPT plan does not include Codex.",
        "upgrade the plan, or set CODEX_API_KEY",
    ),
    _Rule(
        r"rate.limit|status:? 429",
        Failure.RATE_LIMIT,
        "OpenAI's rate limit was reached, also after waiting.",
        "try again in a few minutes, or with --model gpt-5-mini",
    ),
    _Rule(
        r"status:? 401|Not logged in|log ?in again|sign in again|refresh token|invalid_api_key",
        Failure.NOT_LOGGED_IN,
        "OpenAI refused Codex's login or key (401).",
        LOGIN,
    ),
    _Rule(
        r"model_not_found|model\b.*\b(does not exist|not supported|not available)|do not have access to it",
        Failure.MODEL,
        "The model was refused: {words}",
        "name another one with --model",
    ),
    _Rule(
        r"Error loading config|finding codex home",
        Failure.CONFIG,
        "Codex cannot read its configuration: {words}",
        "codex login status",
    ),
    _Rule(
        r"unexpected argument|unrecognized subcommand|invalid value '.*' for '--",
        Failure.TOO_OLD,
        "This Codex does not know an option that git-cto needs.",
        INSTALL,
    ),
    _Rule(
        r"high demand|at capacity|status:? 5\d\d",
        Failure.UNAVAILABLE,
        "OpenAI's service could not answer just now: {words}",
        "try again later",
    ),
    _Rule(
        r"Connection failed|failed to lookup|error sending request|waiting for network",
        Failure.UNAVAILABLE,
        "Codex could not reach the model's server.",
        "check the network and the proxy, then try again",
    ),
    _Rule(
        r"stream disconnected|idle timeout waiting|Incomplete response|stream closed",
        Failure.CUT,
        "The answer was cut off before it was complete: {words}",
        "try again",
    ),
    _Rule(r"status:? 403", Failure.OTHER, "OpenAI refused the request: {words}"),
    _Rule(r"status:? 404", Failure.CONFIG, "There is no model server at this address: {words}", "check base_url"),
)

_USAGE_LIMIT = re.compile(r"usage limit", re.IGNORECASE)
_RESETS = re.compile(
    r"try again at (?:(?P<day>\w+ \d+\w*, \d+) )?(?P<hour>\d+):(?P<minute>\d\d) ?(?P<half>[AP])M", re.IGNORECASE
)
_RETRY = re.compile(r"try again in ((?:\d+(?:\.\d+)?\s*(?:ms|s|m|h|seconds?|minutes?|hours?)\s*)+)", re.IGNORECASE)
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)", re.IGNORECASE)
_UNIT = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def answer_of(seen: Transcript, code: int, stderr: str, written: str, *, sealed: bool) -> str:
    """The answer, or an `EngineError` that says why there is none.

    `code` is Codex's exit code and `written` what it wrote as its last message. An answer is: exit 0, the
    turn completed and not failed, no tool called in a sealed call, a sandbox that works, and one last message
    that is not empty and the same in both places.
    """
    if sealed and seen.tools:
        raise tool_called(seen.tools[0].replace("_", " "))
    if code != 0 or seen.failed is not None or not seen.completed:
        raise failure_of(seen, code, stderr)
    if seen.commands and all(command_was_not_run(one.exit_code, one.output) for one in seen.commands):
        raise sandbox_broken(seen.commands[0].output)
    if not (seen.message or "").strip() or not written.strip():
        raise EngineError(Failure.NO_ANSWER, "Codex ended without an answer.", "try again")
    if (seen.message or "").strip() != written.strip():
        raise EngineError(Failure.NO_ANSWER, "Codex gave two different last messages.", "try again")
    return written


def failure_of(seen: Transcript, code: int, stderr: str) -> EngineError:
    """What to say of a call that failed."""
    words = seen.failed or seen.last_error or _last_words(stderr)
    if _USAGE_LIMIT.search(words):
        return _usage_limit(words)
    for rule in _RULES:
        match = re.search(rule.pattern, words, re.IGNORECASE)
        if match:
            named = match.groupdict()
            message = rule.message.format(words=quoted(words), **named)
            return EngineError(rule.failure, message, rule.hint.format(**named))
    if not words:
        words = f"exit code {code}" if code >= 0 else f"ended by signal {-code}"
    return EngineError(Failure.OTHER, f"Codex failed: {quoted(words)}", "git cto doctor")


def retry_after(seen: Transcript) -> float | None:
    """Seconds that the server asked to wait, if it said a number."""
    match = _RETRY.search(seen.failed or seen.last_error)
    if not match:
        return None
    return sum(float(number) * _UNIT[unit.lower()] for number, unit in _PART.findall(match[1]))


def refused_call(line: bytes) -> str | None:
    """The tool call that Codex refused, if `line` of its stderr tells of one."""
    match = _REFUSED_CALL.search(line)
    return match[1].decode("utf-8", "replace") if match else None


def tool_called(what: str) -> EngineError:
    """The model called a tool where it has none."""
    return EngineError(
        Failure.TOOL_CALL,
        f"The model tried to call a tool where it has none ({quoted(what)}): its answer does not count.",
        "look for instructions to the model in the change, then try again",
    )


def sandbox_broken(words: str) -> EngineError:
    """Codex cannot run commands, and so the model sees nothing of the repository."""
    message = f"Codex cannot read the repository, its sandbox is broken: {quoted(words)}"
    return EngineError(Failure.SANDBOX, message, "git cto doctor")


def command_was_not_run(exit_code: int | None, output: str) -> bool:
    """Whether a command failed because of the sandbox around it, and not by itself."""
    return exit_code != 0 and _BROKEN_SANDBOX.search(output) is not None


def check_version(version: str) -> None:
    """Raises `EngineError(TOO_OLD)` for a version before `MINIMUM`, or one that cannot be read."""
    match = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    if match and tuple(int(number) for number in match.groups()) >= MINIMUM:
        return
    needed = ".".join(str(number) for number in MINIMUM)
    found = f"Codex {quoted(version)} is too old" if match else "This Codex does not tell its version"
    raise EngineError(Failure.TOO_OLD, f"{found}; git-cto needs {needed} or later.", INSTALL)


def quoted(words: str) -> str:
    """Somebody else's words for a sentence of ours: one line, no control characters, not too long."""
    plain = " ".join("".join(char if char.isprintable() else " " for char in words).split())
    return plain if len(plain) <= _QUOTED else plain[: _QUOTED - 1] + "…"


def _usage_limit(words: str) -> EngineError:
    match = _RESETS.search(words)
    if not match:
        return EngineError(
            Failure.QUOTA,
            "Your OpenAI usage limit is reached (Codex said so).",
            "try again later, or --model gpt-5-mini",
        )
    hour = int(match["hour"]) % 12 + (12 if match["half"].upper() == "P" else 0)
    when = f"{hour:02}:{match['minute']}"
    if match["day"]:
        when = f"{match['day']}, {when}"
    message = f"Your OpenAI quota is used up until {when} (Codex said so)."
    return EngineError(Failure.QUOTA, message, f"try again after {when}, or --model gpt-5-mini")


def _last_words(stderr: str) -> str:
    """The line of stderr that says what went wrong: the last that is an error, else the last."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")]
    return (errors or lines or [""])[-1]
