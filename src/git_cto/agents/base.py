"""What every engine has in common: the question it is asked, the answer it gives, and how it may fail.

An engine answers one question with one text. What the text means is judged by the caller; how the program
behind an engine is run, limited and ended is the engine's own business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from git_cto.errors import InconclusiveError


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question to an engine.

    `instructions` are ours (the persona and the rules), `prompt` holds the data, `schema` is the strict JSON
    Schema of the answer. A *sealed* question is answered from the prompt alone: no tool, an empty directory.
    Otherwise the engine may read `directory` (and nothing may be written).
    """

    instructions: str
    prompt: str
    schema: Mapping[str, object]
    model: str
    effort: str
    directory: Path | None = None  # None: sealed

    @property
    def sealed(self) -> bool:
        """Whether the engine gets no tools and sees no files."""
        return self.directory is None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long one call may take (seconds) and how often a rate limit is waited for."""

    idle: float = 1200.0
    total: float = 3600.0
    grace: float = 3.0  # between TERM and KILL, and for draining pipes
    rate_limit_tries: int = 4
    rate_limit_wait: float = 60.0  # the longest single wait


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Tokens of one call, as the engine reported them."""

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0

    @property
    def total(self) -> int:
        """Input and output together; cached and reasoning tokens are part of these."""
        return self.input + self.output


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What an engine said, and what it took."""

    text: str
    engine: str  # "codex"
    version: str  # of the engine's program
    model: str
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Activity:
    """One thing an engine was seen doing, for the live line.

    `text` is untrusted and may hold control characters. `note` is for the user to read, whatever else goes on.
    """

    text: str  # e.g. "thinking", "reading: cat app.py", "waiting 20 s: rate limit"
    tokens: int = 0  # so far, where the engine says
    note: str = ""


OnActivity = Callable[[Activity], None]


class Failure(StrEnum):
    """Why an engine could not answer."""

    NOT_INSTALLED = "not_installed"
    TOO_OLD = "too_old"
    NOT_LOGGED_IN = "not_logged_in"
    RATE_LIMIT = "rate_limit"
    QUOTA = "quota"
    SCHEMA = "schema_refused"
    MODEL = "model_refused"
    TOO_LARGE = "input_too_large"
    CONFIG = "engine_configuration"
    SANDBOX = "sandbox_broken"
    UNAVAILABLE = "service_unavailable"
    CUT = "stream_cut"
    TIMEOUT = "timeout"
    NO_ANSWER = "no_answer"
    TOOL_CALL = "tool_call_in_sealed_mode"
    OTHER = "engine_failed"


class EngineError(InconclusiveError):
    """An engine could not answer; `failure` says which kind it was."""

    def __init__(self, failure: Failure, message: str, hint: str = "") -> None:
        super().__init__(message, hint, code=failure.value)
        self.failure = failure


class Engine(Protocol):
    """Something that plans and reviews."""

    def default_model(self) -> str | None:
        """The model of the user's own configuration, if it names one."""

    def require(self) -> None:
        """Raises `EngineError` where it is plain before asking that there will be no answer. Starts nothing."""

    def argv(self, question: Question, folder: Path) -> tuple[str, ...]:
        """The exact command line that `ask` would run. No secret is in it."""

    def ask(self, question: Question, folder: Path, limits: Limits, on_activity: OnActivity) -> Answer:
        """Asks, and returns the answer or raises `EngineError`.

        `folder` is an empty directory of this call's own; the engine leaves `events.jsonl` there, whatever
        happens.
        """
