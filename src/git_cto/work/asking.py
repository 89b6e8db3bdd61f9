"""Asking an engine until its answer can be read: one retry that quotes the error, and the artifacts of each call."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from git_cto.agents.base import EngineError, Failure
from git_cto.answers import AnswerError
from git_cto.ledger.artifacts import ArtifactsError
from git_cto.redaction import redact_all, redacted, secret_values
from git_cto.work.questions import retry_prompt

if TYPE_CHECKING:
    from collections.abc import Callable

    from git_cto.agents.base import Answer, Engine, Limits, OnActivity, Question
    from git_cto.ledger.artifacts import Slot

T = TypeVar("T")


@dataclass(frozen=True)
class Asked(Generic[T]):
    """A readable answer: its value, its text as it came, and what all tries took together."""

    value: T
    text: str
    answer: Answer
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int
    seconds: float


@dataclass(frozen=True)
class Asker:
    """Who is asked, and how patiently."""

    engine: Engine
    limits: Limits
    on_activity: OnActivity


def ask(asker: Asker, question: Question, read: Callable[[str], T], keep: Slot | None) -> Asked[T]:
    """Asks `question` and reads the answer with `read` (which raises `AnswerError`).

    Prompt and events are kept in `keep`, where there is one, even when it fails. Raises `EngineError`.
    """
    answers: list[Answer] = []
    current = question
    for attempt in (1, 2):
        answer = _call(asker, current, keep)
        answers.append(answer)
        try:
            value = read(answer.text)
        except AnswerError as error:
            if attempt == 2:
                raise EngineError(
                    Failure.NO_ANSWER,
                    f"The answer cannot be used, twice in a row: {error}.",
                    "try again, or another --model",
                ) from error
            current = replace(question, prompt=retry_prompt(question.prompt, str(error)))
            continue
        return Asked(
            value=value,
            text=answer.text,
            answer=answer,
            input_tokens=sum(one.usage.input for one in answers),
            cached_tokens=sum(one.usage.cached for one in answers),
            output_tokens=sum(one.usage.output for one in answers),
            reasoning_tokens=sum(one.usage.reasoning for one in answers),
            seconds=sum(one.seconds for one in answers),
        )
    raise AssertionError  # pragma: no cover -- the loop returns or raises


def _call(asker: Asker, question: Question, keep: Slot | None) -> Answer:
    folder = tempfile.mkdtemp(prefix="git-cto-call-")
    try:
        if keep:
            with suppress(ArtifactsError):  # nothing rests on them
                keep.write("prompt.md", question.prompt.encode("utf-8", "replace"))
        return asker.engine.ask(question, Path(folder), asker.limits, asker.on_activity)
    finally:
        events = os.path.join(folder, "events.jsonl")
        if keep and os.path.exists(events):
            with suppress(ArtifactsError), open(events, "rb") as file:
                keep.write("events.jsonl", clean_events(file.read()))
        shutil.rmtree(folder, ignore_errors=True)


def clean_events(events: bytes) -> bytes:
    """Events without secrets: text by text, because a secret is written otherwise in JSON."""
    hidden = secret_values(os.environ)
    lines = []
    for line in events.decode("utf-8", "replace").splitlines():
        try:
            lines.append(json.dumps(redact_all(json.loads(line), hidden)))
        except (ValueError, RecursionError):
            lines.append(redacted(line, hidden))
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
