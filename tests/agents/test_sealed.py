"""Which tools a request offers, and that a sealed request of the real Codex offers none that matters."""

from __future__ import annotations

import pytest

from git_cto.agents.sealed import allowed_tools, tools_of, unexpected_tools
from git_cto.demo.server import message
from tests.agents.conftest import World, reading, sealed


def test_tools_are_found_wherever_they_are_offered() -> None:
    body = {
        "tools": [
            {"type": "function", "name": "exec_command"},
            {"type": "web_search"},
            {"type": "namespace", "name": "agents", "tools": [{"type": "function", "name": "spawn"}]},
        ],
        "input": [
            {"type": "message", "role": "user", "content": []},
            {
                "type": "additional_tools",
                "tools": [
                    {
                        "type": "namespace",
                        "name": "functions",
                        "tools": [
                            {
                                "type": "custom",
                                "name": "exec",
                                "description": "### `read_file`\n```ts\ndeclare const tools: { run(a: {}): X; };\n```",
                            }
                        ],
                    }
                ],
            },
        ],
    }
    assert tools_of(body) == {
        "exec_command",
        "web_search",
        "agents.spawn",
        "exec",
        "exec/read_file",
        "exec/run",
    }


@pytest.mark.parametrize("body", [{}, {"tools": None, "input": "hello"}, {"tools": [1, None], "input": [1]}])
def test_a_request_without_tools_offers_none(body: dict[str, object]) -> None:
    assert tools_of(body) == frozenset()


def test_a_shell_is_never_allowed() -> None:
    for model in ("gpt-5.4", "gpt-5.5", "gpt-6-astra", "gpt-5.6-sol", "anything"):
        assert not allowed_tools(model) & {"exec_command", "shell", "exec/exec_command", "web_search", "view_image"}


@pytest.mark.parametrize(
    "model",
    ["gpt-5.4", "gpt-5.4-pro", "gpt-5-mini", "gpt-5.3-codex", "gpt-5.5", "gpt-5.6-sol", "gpt-6.1-terra", "new-1"],
)
def test_a_sealed_request_of_the_real_codex_offers_nothing_else(world: World, model: str) -> None:
    asked = world.ask([message("{}")], sealed(model=model))
    assert asked.answer is not None
    [request] = asked.requests
    assert request.model == model
    assert unexpected_tools(request.body) == frozenset()


def test_a_plans_shell_would_be_noticed(world: World) -> None:
    asked = world.ask([message("{}")], reading(world.root))
    assert "exec_command" in unexpected_tools(asked.requests[0].body)


def test_a_shell_that_only_code_can_call_would_be_noticed(world: World) -> None:
    asked = world.ask([message("{}")], reading(world.root, model="gpt-6.1-terra"))
    assert "exec/exec_command" in unexpected_tools(asked.requests[0].body)
