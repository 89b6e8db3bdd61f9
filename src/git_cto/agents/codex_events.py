"""Reads the events of `codex exec --json` into one record of what happened.

Pure. Events and fields that are not known are passed over: they come with new versions. Whether what happened
is an answer or a failure is judged in `codex_failures`.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from git_cto.agents.base import Activity, Usage

Json = Mapping[str, object]

_NOT_TOOLS = frozenset({"agent_message", "reasoning", "todo_list", "error"})
_OUTPUT_KEPT = 2000  # characters of a command's output, which is where a broken sandbox shows


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command that the model ran: its exit code, and the beginning of what it printed."""

    exit_code: int | None
    output: str


@dataclass
class Transcript:
    """What was seen so far of one call."""

    completed: bool = False
    failed: str | None = None  # the words of `turn.failed`
    last_error: str = ""
    message: str | None = None  # the last one; earlier ones were said on the way
    commands: list[Command] = field(default_factory=list)
    tools: list[str] = field(default_factory=list)  # kinds of items that are tool calls, or may be some
    usage: Usage = field(default_factory=Usage)

    def read(self, line: bytes) -> Activity | None:
        """Takes in one line of stdout. Returns what to show of it, if anything."""
        event = _object(line)
        match event.get("type"):
            case "turn.completed":
                return self._completed(event)
            case "turn.failed":
                self.failed = _words(event.get("error")) or "no reason given"
            case "error":
                self.last_error = _words(event)
                return self._activity(self.last_error)
            case "item.started" | "item.updated" | "item.completed":
                if isinstance(item := event.get("item"), Mapping):
                    return self._item(item, done=event["type"] == "item.completed")
            case "turn.started":
                return self._activity("thinking")
        return None

    def _completed(self, event: Json) -> Activity:
        self.completed = True
        usage = event.get("usage")
        numbers = usage if isinstance(usage, Mapping) else {}
        self.usage = Usage(
            input=_count(numbers.get("input_tokens")),
            cached=_count(numbers.get("cached_input_tokens")),
            output=_count(numbers.get("output_tokens")),
            reasoning=_count(numbers.get("reasoning_output_tokens")),
        )
        return self._activity("done")

    def _item(self, item: Json, *, done: bool) -> Activity | None:
        kind = str(item.get("type", "unnamed"))
        if kind not in _NOT_TOOLS and kind not in self.tools:
            self.tools.append(kind)
        match kind:
            case "agent_message":
                if done:
                    self.message = _text(item.get("text"))
                return self._activity("writing the answer")
            case "reasoning":
                return self._activity(f"thinking: {_text(item.get('text'))}")
            case "command_execution":
                if done:
                    self.commands.append(_command(item))
                    return None
                return self._activity(f"running: {_unwrapped(_text(item.get('command')))}")
            case "error" | "todo_list":
                return None
        return self._activity(kind.replace("_", " "))

    def _activity(self, text: str) -> Activity:
        return Activity(text=text, tokens=self.usage.total)


def _command(item: Json) -> Command:
    code = item.get("exit_code")
    output = _text(item.get("aggregated_output"))[:_OUTPUT_KEPT]
    return Command(exit_code=code if isinstance(code, int) else None, output=output)


def _unwrapped(command: str) -> str:
    """`command` without the shell that Codex puts around it."""
    try:
        words = shlex.split(command)
    except ValueError:
        return command
    return words[2] if len(words) == 3 and words[1] in ("-c", "-lc") else command


def _words(value: object) -> str:
    """The message of an error: some are JSON themselves, as the server sent them."""
    message = _text(value.get("message")) if isinstance(value, Mapping) else ""
    error = _object(message).get("error")
    if not isinstance(error, Mapping):
        return message
    code = _text(error.get("code"))
    return f"{code}: {_text(error.get('message'))}" if code else _text(error.get("message")) or message


def _object(text: bytes | str) -> Json:
    """The JSON object that `text` is; an empty one when it is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
