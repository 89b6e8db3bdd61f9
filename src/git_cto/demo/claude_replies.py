"""Scripted answers for the real Claude Code, in the form of Anthropic's Messages API; served by `ModelServer`.

Claude Code asks again after each tool it was told to use, so a script answers by what it is asked
(`prompt_of`), for which task and where (`task_of`, `folder_of`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import count
from typing import Any

from git_cto.demo.server import Reply, Request

_serial = count(1)
Use = tuple[str, Mapping[str, Any]]
"""A tool and its input, e.g. `("Write", {"file_path": ..., "content": ...})`."""


def environment(port: int) -> dict[str, str]:
    """What makes Claude Code ask a server on 127.0.0.1; any key will do."""
    return {"ANTHROPIC_BASE_URL": f"http://127.0.0.1:{port}", "ANTHROPIC_API_KEY": "sk-ant-scripted-0123456789abcdef"}


def says(text: str, *uses: Use, tokens: tuple[int, int] = (900, 60)) -> Reply:
    """One answer: words, and tools to use. Without tools it is the last one."""
    blocks = [_text(0, text), *(_use(place, name, given) for place, (name, given) in enumerate(uses, start=1))]
    usage = {"input_tokens": tokens[0], "output_tokens": 1}
    start = {
        "type": "message_start",
        "message": {
            "id": f"msg_{next(_serial)}",
            "type": "message",
            "role": "assistant",
            "model": "claude-scripted",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage,
        },
    }
    stop = {"stop_reason": "tool_use" if uses else "end_turn", "stop_sequence": None}
    end = ({"type": "message_delta", "delta": stop, "usage": {"output_tokens": tokens[1]}}, {"type": "message_stop"})
    return Reply(events=(start, *(event for block in blocks for event in block), *end))


def refuses(status: int, kind: str, words: str) -> Reply:
    """An error of the API."""
    body = {"type": "error", "error": {"type": kind, "message": words}}
    return Reply(status=status, body=json.dumps(body))


def _text(index: int, text: str) -> tuple[dict[str, Any], ...]:
    block = {"type": "text", "text": ""}
    return _block(index, block, {"type": "text_delta", "text": text})


def _use(index: int, name: str, given: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    block = {"type": "tool_use", "id": f"toolu_{next(_serial)}", "name": name, "input": {}}
    return _block(index, block, {"type": "input_json_delta", "partial_json": json.dumps(given)})


def _block(index: int, block: dict[str, Any], delta: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    return (
        {"type": "content_block_start", "index": index, "content_block": block},
        {"type": "content_block_delta", "index": index, "delta": delta},
        {"type": "content_block_stop", "index": index},
    )


def prompt_of(request: Request) -> str:
    """Everything that the user side of the conversation says, tools' results included."""
    return json.dumps(request.body.get("messages"), ensure_ascii=False)


def task_of(request: Request) -> str:
    """The id of the task that a request is about."""
    found = re.search(r"\\n([a-z][a-z0-9-]*) (?:create|modify|delete)_file ", prompt_of(request))
    return found[1] if found else ""


def folder_of(request: Request) -> str:
    """The worktree that Claude Code says it works in."""
    system = json.dumps(request.body.get("system"))
    found = re.search(r"(?:[Ww]orking directory|cwd)[^/]{0,20}(/[^\\\"\n]+)", system)
    return found[1] if found else ""
