"""The real Codex, asked: what reaches the model, what does not, and what comes back."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from itertools import repeat
from pathlib import Path

import pytest

from git_cto.agents.base import Limits, Usage
from git_cto.agents.codex import Codex
from git_cto.demo.server import KEY_VARIABLE, ModelServer, Tokens, call, hang, message
from tests.agents.conftest import KEY, QUICK, STRICT_SCHEMA, World, processes_with, reading, sealed
from tests.hostile import HOSTILE, SECRETS, plant


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A repository that tries everything to be heard."""
    top = tmp_path / "hostile"
    plant(top, tmp_path / "it-ran")
    subprocess.run(["git", "init", "-q", str(top)], check=True)
    return top


def test_an_answer(world: World) -> None:
    tokens = Tokens(input=900, cached=100, output=50, reasoning=20)
    asked = world.ask([message('{"verdict": "approve"}', tokens=tokens)])
    assert asked.answer is not None
    assert asked.answer.text == '{"verdict": "approve"}'
    assert (asked.answer.engine, asked.answer.model) == ("codex", "gpt-5.4")
    assert asked.answer.version.startswith("0.")
    assert asked.answer.usage == Usage(input=900, cached=100, output=50, reasoning=20)
    assert asked.shown[-1].tokens == 950


def test_the_schema_arrives_strict(world: World) -> None:
    [request] = world.ask([message("{}")]).requests
    assert request.schema is not None
    assert (request.schema["type"], request.schema["strict"]) == ("json_schema", True)
    assert request.schema["schema"] == STRICT_SCHEMA
    assert request.body["reasoning"] == {"effort": "high", "summary": "auto"}


def test_a_sealed_request_holds_the_question_and_nothing_else(world: World) -> None:
    """The instructions are ours alone, the user's text is the prompt alone, and the whole is small."""
    [request] = world.ask([message("{}")], sealed("Judge this.")).requests
    assert request.instructions.strip() == "You are the reviewer."
    assert request.user_text == "Judge this."
    assert str(world.root) not in json.dumps(request.items)
    assert len(request.raw) < 4500


def test_nothing_of_a_hostile_repository_reaches_the_model(
    world: World, hostile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 31, and 81 for Codex: not one byte of it, and nothing of it is run."""
    monkeypatch.chdir(hostile)
    for question in (reading(hostile), reading(hostile / "sub"), sealed()):
        asked = world.ask([message("{}")], question, environ={"PATH": f".::{world.environ()['PATH']}"})
        assert asked.answer is not None
        assert [HOSTILE in request.raw for request in asked.requests] == [False]
        assert asked.requests[0].instructions.strip() == question.instructions
    assert not (world.root / "it-ran").exists()


def test_a_folder_inside_the_hostile_repository_changes_nothing(world: World, hostile: Path) -> None:
    """The artifacts of a call are kept in the repository; Codex must not start from there."""
    with ModelServer([message("{}")]) as server:
        world.configure(server.codex_config())
        folder = hostile / "sub" / "call"
        folder.mkdir()
        Codex(world.environ()).ask(sealed(), folder, QUICK, lambda _: None)
        [request] = server.requests
    assert HOSTILE not in request.raw


def test_the_users_own_configuration_stays_out(world: World) -> None:
    """Trust, MCP servers, instructions and rules of the user's are for their own sessions."""
    rules = world.codex_home / "rules"
    rules.mkdir()
    (rules / "default.rules").write_text('prefix_rule(pattern=["touch"], decision="allow")\n')
    written = world.root / "written"
    with ModelServer([call("exec_command", {"cmd": f"touch {written}"}), message("{}")]) as server:
        extra = f"""
developer_instructions = "FROM-THE-USERS-CONFIG"
sandbox_mode = "danger-full-access"
[projects."{world.root}"]
trust_level = "trusted"
[mcp_servers.mine]
command = "/bin/touch"
args = ["{world.root}/mcp-ran"]
"""
        head, _, table = server.codex_config().partition("[")
        world.configure(head + extra + "[" + table)
        Codex(world.environ()).ask(reading(world.root), world.folder, QUICK, lambda _: None)
        assert "FROM-THE-USERS-CONFIG" not in server.requests[0].raw
        assert "Read-only file system" in server.requests[1].outputs()[0]
    assert not written.exists()
    assert not (world.root / "mcp-ran").exists()


def test_no_key_reaches_the_models_shell(world: World) -> None:
    """Neither from our environment nor from the user's shell profile nor from where logins are kept."""
    for name in (".bashrc", ".bash_profile", ".profile", ".zshenv"):
        (world.home / name).write_text("export PROFILE_KEY=sk-profile-fedcba9876543210\n")
    (world.codex_home / "auth.json").write_text('{"OPENAI_API_KEY": "sk-stored-fedcba9876543210"}')
    (world.home / ".netrc").write_text("machine example.org password netrc-fedcba9876543210\n")
    show = "env; cat ~/.codex/auth.json ~/.codex/config.toml ~/.netrc; cat /proc/[0-9]*/environ | tr '\\0' '\\n'"
    script = [call("exec_command", {"cmd": show}), call("exec_command", {"cmd": show, "login": True}), message("{}")]
    asked = world.ask(script, reading(world.root), environ=SECRETS)
    assert asked.answer is not None
    printed = "\n".join(asked.requests[-1].outputs())
    assert f"HOME={world.home}" in printed
    assert "auth.json: Permission denied" in printed
    assert "fedcba9876543210" not in printed
    assert KEY not in printed


def test_a_worktree_in_codex_home_can_be_read_and_the_login_beside_it_cannot(world: World) -> None:
    worktree = world.codex_home / "worktrees" / "one"
    worktree.mkdir(parents=True)
    (worktree / "app.py").write_text("the content\n")
    (world.codex_home / "auth.json").write_text('{"OPENAI_API_KEY": "sk-stored"}')
    script = [call("exec_command", {"cmd": "cat app.py; cat ../../auth.json ../../config.toml; true"}), message("{}")]
    asked = world.ask(script, reading(worktree))
    [printed] = asked.requests[1].outputs()
    assert "the content" in printed
    assert printed.count("Permission denied") == 2


def test_no_key_in_the_command_line_the_request_or_the_files(world: World) -> None:
    asked = world.ask([message("{}")], environ=SECRETS)
    argv = Codex(world.environ(**SECRETS)).argv(sealed(), world.folder)
    kept = "".join(path.read_text() for path in world.folder.iterdir())
    for secret in (KEY, *SECRETS.values()):
        assert secret not in " ".join(argv)
        assert secret not in asked.requests[0].raw
        assert secret not in kept
    assert asked.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_plan_can_read_and_neither_write_nor_connect(world: World) -> None:
    repo = world.root / "repo"
    repo.mkdir()
    (repo / "app.py").write_text("the content\n")
    with ModelServer([]) as other:
        commands = f"touch made; touch /tmp/made; exec 3<>/dev/tcp/127.0.0.1/{other.port} && echo CONNECTED"
        script = [call("exec_command", {"cmd": "cat app.py"}), call("exec_command", {"cmd": commands}), message("{}")]
        asked = world.ask(script, reading(repo))
    printed = "".join(asked.requests[2].outputs())
    assert "the content" in printed
    assert printed.count("Read-only file system") == 2
    assert "CONNECTED" not in printed
    assert [path.name for path in repo.iterdir()] == ["app.py"]
    assert any(activity.text.startswith("running: cat app.py") for activity in asked.shown)


def test_the_command_line_that_is_shown_is_the_one_that_is_run(world: World) -> None:
    real = world.bin / "codex"
    world.program("codex", f'#!/bin/sh\nprintf "%s\\0" "$0" "$@" >> {world.root}/argv\nexec {real} "$@"\n')
    world.ask([message("{}")])
    shown = Codex(world.environ()).argv(sealed(), world.folder)
    calls = (world.root / "argv").read_text().split("\0")
    assert "\0".join(shown) in "\0".join(calls)


def test_half_a_megabyte_of_prompt_arrives_whole(world: World) -> None:
    """Case 79, with what a shell or a template might touch."""
    prompt = "- first, ${HOME} `id` \x1b[31m é 漢 \u202e\n" + "x" * 500_000 + "\nlast"
    asked = world.ask([message("{}")], sealed(prompt))
    assert asked.requests[0].user_text == prompt


def test_only_the_last_message_counts(world: World) -> None:
    asked = world.ask([message('{"verdict": "revise"}', before=['{"verdict": "approve"}'])])
    assert asked.answer is not None
    assert asked.answer.text == '{"verdict": "revise"}'


def test_prose_is_the_callers_business(world: World) -> None:
    """Case 34: what the text means is not judged here."""
    asked = world.ask([message("I would rather approve.")])
    assert asked.answer is not None
    assert asked.answer.text == "I would rather approve."


def test_an_answer_of_before_is_never_read(world: World) -> None:
    """Case 42."""
    with ModelServer([message("")]) as server:
        world.configure(server.codex_config())
        (world.folder / "answer.txt").write_text('{"verdict": "approve"}')
        with pytest.raises(Exception, match="without an answer"):
            Codex(world.environ()).ask(sealed(), world.folder, QUICK, lambda _: None)


def test_events_are_left_behind_whatever_happens(world: World) -> None:
    assert world.ask([], environ={"PATH": "/nonexistent"}).failure == "not_installed"
    assert (world.folder / "events.jsonl").read_text() == ""
    for script in ([message("{}")], []):
        world.ask(script)
        lines = (world.folder / "events.jsonl").read_text().splitlines()
        assert json.loads(lines[0])["type"] == "thread.started"
        assert json.loads((world.folder / "schema.json").read_text()) == STRICT_SCHEMA


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_call_leaves_no_codex(world: World, number: signal.Signals) -> None:
    """Case 76, with the real program and its native child."""
    caller = """
import sys
from pathlib import Path
from git_cto.agents.base import Limits
from git_cto.agents.codex import Codex
from tests.agents.conftest import sealed
import os
Codex(dict(os.environ)).ask(sealed(), Path(sys.argv[1]), Limits(grace=2), lambda activity: None)
"""
    top = Path(__file__).parents[2]
    with ModelServer(repeat(hang())) as server:
        world.configure(server.codex_config())
        environ = world.environ(PYTHONPATH=f"{top}/src:{top}")
        command = [sys.executable, "-c", caller, str(world.folder)]
        with subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as child:
            deadline = time.monotonic() + 20
            while not server.requests and time.monotonic() < deadline:
                time.sleep(0.02)
            assert processes_with(str(world.folder))  # so that finding none below means something
            child.send_signal(number)
            assert child.wait(20) != 0
    assert processes_with(str(world.folder)) == []


def test_a_killed_wrapper_leaves_no_codex(world: World) -> None:
    """Case 77: npm's entry point is a wrapper, and the program does not die with it."""
    real = world.bin / "codex"
    world.program("codex", f'#!/bin/sh\n[ "$1" = exec ] || exec {real} "$@"\n{real} "$@" <&0 &\nkill -9 $$\n')
    asked = world.ask(repeat(hang()), limits=Limits(idle=20, total=30, grace=0.5))
    assert asked.failure == "engine_failed"
    assert processes_with(str(world.folder)) == []


def test_importing_the_engine_is_cheap() -> None:
    code = "import sys, git_cto.agents.codex; print(sorted({'pydantic', 'rich', 'git', 'click'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_version_is_asked_once(world: World) -> None:
    real = world.bin / "codex"
    world.program("codex", f'#!/bin/sh\necho "$1" >> {world.root}/calls\nexec {real} "$@"\n')
    with ModelServer(repeat(message("{}"))) as server:
        world.configure(server.codex_config())
        codex = Codex(world.environ())
        for _ in range(2):
            codex.ask(sealed(), world.folder, QUICK, lambda _: None)
    assert sorted((world.root / "calls").read_text().split()) == ["--version", "exec", "exec"]


def test_login_status(world: World) -> None:
    def status(**more: str) -> tuple[bool, str]:
        found = Codex(world.environ(**more)).login_status()
        return found.ready, found.words

    assert status() == (False, "Not logged in")
    assert status(CODEX_API_KEY="x")[0] is True
    (world.codex_home / "auth.json").write_text('{"auth_mode": "apikey", "OPENAI_API_KEY": "sk-stored-1"}')
    ready, words = status()
    assert ready is True
    assert "sk-stored" not in words
    with ModelServer([]) as server:
        world.configure(server.codex_config())
    assert status() == (True, "uses the provider cto-demo")
    assert status(**{KEY_VARIABLE: ""}) == (False, f"{KEY_VARIABLE} is not set")


def test_the_model_of_the_users_configuration(world: World) -> None:
    assert Codex(world.environ()).default_model() is None
    world.configure('model = "gpt-5-mini"\n')
    assert Codex(world.environ()).default_model() == "gpt-5-mini"
