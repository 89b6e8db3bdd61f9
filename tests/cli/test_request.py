"""What reached the model: the HTTP request that the real Codex sent for a verb, looked at byte by byte."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from git_cto.agents.sealed import tools_of, unexpected_tools
from git_cto.demo.server import Request, call, message
from git_cto.prompts import instructions
from tests.hostile import HOSTILE, SECRETS, plant
from tests.world import World, plan_answer, review_reply

SCRIPTED_KEY = "sk-scripted-0123456789abcdef"


@pytest.fixture
def hostile(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    """A branch whose change tries everything to be heard, checked out; and an environment full of keys."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    world.branch("topic")
    plant(world.path, tmp_path / "it-ran")
    world.write(".cto/config.toml", f'[review]\nmodel = "{HOSTILE}"\n')
    world.write(".cto/guidelines.md", HOSTILE + "\n")
    world.commit(HOSTILE)
    monkeypatch.setenv("PATH", f".:{os.environ['PATH']}")
    return world


def outside_of_fences(question: str) -> str:
    """The question without what stands between its fences."""
    marker = question.split("The marker of this question's data is ")[1][:32]
    return re.sub(rf"<<<(?P<name>.+?) {marker}>>>\n.*?<<<END (?P=name) {marker}>>>\n", "", question, flags=re.DOTALL)


def test_nothing_of_a_hostile_head_reaches_the_reviewer_as_instructions(hostile: World, tmp_path: Path) -> None:
    """Case 31: instructions are ours to the byte; what the change says stands between fences, as data."""
    said = hostile.ask([review_reply("revise")], "review", "--json")
    assert said.code == 1, said.text
    [request] = said.requests
    assert request.instructions.strip() == instructions("reviewer").strip()
    assert request.model == "gpt-5.4"
    assert HOSTILE in request.user_text
    assert HOSTILE not in outside_of_fences(request.user_text).replace(f".cto/{HOSTILE}", "")
    without_question = request.raw.replace(json.dumps(request.user_text)[1:-1], "")
    assert HOSTILE not in without_question
    assert not (tmp_path / "it-ran").exists()


def test_a_review_request_offers_no_tool_that_runs_or_reads(hostile: World) -> None:
    said = hostile.ask([review_reply("revise")], "review")
    [request] = said.requests
    assert unexpected_tools(request.body) == frozenset()
    assert not tools_of(request.body) & {
        "shell",
        "exec_command",
        "apply_patch",
        "read_file",
        "web_search",
        "view_image",
    }


@pytest.mark.parametrize("verb", ["review", "plan"])
def test_no_key_and_no_path_of_the_user_is_in_a_request(hostile: World, verb: str) -> None:
    """The key that the request is authorised with is in its header, and there only."""
    steps = [review_reply("revise")] if verb == "review" else [message(json.dumps(plan_answer()))]
    said = hostile.ask(steps, verb, *(["Raise it"] if verb == "plan" else []))
    [request] = said.requests
    everything = request.raw + json.dumps(dict(request.headers))
    for secret in SECRETS.values():
        assert secret not in everything
    assert SCRIPTED_KEY not in request.raw
    assert [name for name, value in request.headers.items() if SCRIPTED_KEY in value] == ["authorization"]
    assert os.environ["HOME"] not in request.raw
    if verb == "review":  # Codex itself says of a planner's repository where it is and at which commit
        assert str(hostile.path) not in request.raw


@pytest.mark.parametrize("verb", ["review", "plan"])
def test_the_schema_is_strict_by_the_published_rules(world: World, verb: str) -> None:
    """Every object closed, every property required, no keyword that the API refuses, within its sizes."""
    world.branch("topic")
    world.commit("Say 2", app__py="def version():\n    return 2\n")
    steps = [review_reply()] if verb == "review" else [message(json.dumps(plan_answer()))]
    said = world.ask(steps, verb, *(["Raise it"] if verb == "plan" else []))
    assert said.code == 0, said.text
    form = said.requests[0].schema
    assert form is not None
    assert (form["type"], form["strict"]) == ("json_schema", True)
    schema = form["schema"]
    assert isinstance(schema, Mapping)
    assert schema["type"] == "object"
    assert "anyOf" not in schema
    for node in nodes(schema):
        assert not set(node) - SUPPORTED, node
        if node.get("type") == "object":
            assert node["additionalProperties"] is False
            assert sorted(node["required"]) == sorted(node["properties"])
    assert sum(len(node.get("properties", {})) for node in nodes(schema)) <= 100
    assert len(json.dumps(schema)) < 15_000


SUPPORTED = {
    "$defs",
    "$ref",
    "additionalProperties",
    "anyOf",
    "description",
    "enum",
    "items",
    "properties",
    "required",
    "type",
}


def nodes(schema: Any) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401 -- JSON
    """Every schema in a schema, itself included."""
    yield schema
    for key in ("properties", "$defs"):
        for sub in schema.get(key, {}).values():
            yield from nodes(sub)
    if isinstance(schema.get("items"), Mapping):
        yield from nodes(schema["items"])
    for sub in schema.get("anyOf", ()):
        yield from nodes(sub)


def shell(world: World, *commands: str) -> tuple[list[str], Request]:
    """What the planner's shell printed for each of the commands, and the first request."""
    steps = [*(call("exec_command", {"cmd": one}) for one in commands), message(json.dumps(plan_answer()))]
    said = world.ask(steps, "plan", "Raise it")
    assert said.code == 0, said.text
    return said.requests[-1].outputs(), said.requests[0]


def test_nothing_of_a_hostile_head_reaches_the_planner_as_instructions(hostile: World, tmp_path: Path) -> None:
    """It may read the files; as instructions it gets ours alone."""
    outputs, request = shell(hostile, "cat AGENTS.md")
    assert HOSTILE in outputs[0]
    assert request.instructions.strip() == instructions("planner").strip()
    assert HOSTILE not in request.raw
    assert not (tmp_path / "it-ran").exists()


def test_the_planners_shell_sees_no_key_and_no_login(hostile: World) -> None:
    """Neither in its environment nor in the files where logins are kept."""
    home = Path(os.environ["HOME"])
    (home / ".netrc").write_text("machine x password NETRC-SECRET\n")
    (home / ".codex").mkdir(exist_ok=True)
    (home / ".codex" / "auth.json").write_text('{"OPENAI_API_KEY": "sk-of-auth-json-0123456789"}')
    outputs, _ = shell(
        hostile, "env", f"cat {home}/.codex/auth.json {home}/.codex/config.toml {home}/.netrc", "cat app.py"
    )
    told = "\n".join(outputs)
    assert "return 2" in outputs[2]
    assert "PATH=" in outputs[0]
    for secret in (*SECRETS.values(), SCRIPTED_KEY, "sk-of-auth-json", "NETRC-SECRET"):
        assert secret not in told


def test_guidelines_come_from_the_targets_tip(world: World) -> None:
    """Of AGENTS.md and .cto/guidelines.md; what the head makes of them is data of the change."""
    world.write("AGENTS.md", "GUIDELINE-OF-MAIN\n")
    world.commit("Guidelines")
    world.branch("topic")
    world.write("AGENTS.md", "GUIDELINE-OF-THE-HEAD\n")
    world.commit("Say 2", app__py="def version():\n    return 2\n")
    question = world.ask([review_reply("revise")], "review").question()
    guidelines = question.split("<<<GUIDELINES AGENTS.md ")[1].split("<<<END GUIDELINES ")[0]
    assert "GUIDELINE-OF-MAIN" in guidelines
    assert "GUIDELINE-OF-THE-HEAD" not in guidelines


def test_the_patch_and_the_new_content_are_what_git_has(world: World) -> None:
    """The canonical patch to the byte, and the file as it is after the change."""
    world.branch("topic")
    text = "def version():\n    return 2\n\n\ndef other():\n\treturn 'äöü'\n"
    world.commit("Say 2", app__py=text)
    question = world.ask([review_reply()], "review").question()
    content = question.split("<<<NEW CONTENT OF app.py ")[1].split(">>>\n", 1)[1].split("<<<END NEW CONTENT")[0]
    assert content == text
    patch = question.split("<<<PATCH app.py ")[1].split(">>>\n", 1)[1].split("<<<END PATCH")[0]
    raw = world.git("diff", "--no-color", "--full-index", "--no-renames", "main", "topic")
    assert raw in patch
