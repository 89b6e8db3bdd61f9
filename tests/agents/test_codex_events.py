"""How the events of Codex are read: tolerant of what is new, and never wrong about what is known."""

from __future__ import annotations

import json

import pytest

from git_cto.agents.codex_events import Transcript


def read(*lines: object) -> tuple[Transcript, list[str]]:
    """What is known after these events, and what was shown meanwhile."""
    seen = Transcript()
    shown = [seen.read(line if isinstance(line, bytes) else json.dumps(line).encode()) for line in lines]
    return seen, [activity.text for activity in shown if activity]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"[" * 100_000,
        b"[1]",
        b"null",
        {"type": "something.new", "item": 1},
        {"type": "item.completed"},
        {"type": "item.completed", "item": "text"},
        {"type": ["turn.completed"]},
        {"no": "type"},
    ],
)
def test_what_is_not_known_is_passed_over(line: object) -> None:
    seen, shown = read(line)
    assert (seen, shown) == (Transcript(), [])


def test_the_harmless_error_that_comes_first_is_no_failure() -> None:
    seen, shown = read({"type": "item.completed", "item": {"type": "error", "message": "Model metadata not found"}})
    assert (seen.failed, seen.tools, shown) == (None, [], [])


def test_an_unknown_kind_of_item_may_be_a_tool() -> None:
    seen, _ = read({"type": "item.started", "item": {"type": "telepathy_call"}})
    assert seen.tools == ["telepathy_call"]


def test_fields_of_the_wrong_type_do_no_harm() -> None:
    seen, _ = read(
        {"type": "turn.completed", "usage": {"input_tokens": "many", "output_tokens": True}},
        {"type": "turn.failed", "error": "text"},
        {"type": "item.completed", "item": {"type": "agent_message", "text": 5}},
        {"type": "item.completed", "item": {"type": "command_execution", "exit_code": "0"}},
    )
    assert (seen.usage.total, seen.failed, seen.message) == (0, "no reason given", "")
    assert seen.commands[0].exit_code is None


def test_what_is_shown() -> None:
    _, shown = read(
        {"type": "turn.started"},
        {"type": "item.completed", "item": {"type": "reasoning", "text": "hm"}},
        {"type": "item.started", "item": {"type": "command_execution", "command": "/bin/bash -lc 'cat app.py'"}},
        {"type": "item.started", "item": {"type": "command_execution", "command": "unbalanced 'quote"}},
        {"type": "item.completed", "item": {"type": "command_execution", "exit_code": 0}},
        {"type": "error", "message": "Reconnecting... 1/5"},
        {"type": "item.completed", "item": {"type": "agent_message", "text": "{}"}},
        {"type": "turn.completed"},
    )
    assert shown == [
        "thinking",
        "thinking: hm",
        "running: cat app.py",
        "running: unbalanced 'quote",
        "Reconnecting... 1/5",
        "writing the answer",
        "done",
    ]
