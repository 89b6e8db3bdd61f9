"""What a command loads before it answers, which is most of what it takes: told by `sys.modules`, not by a clock."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.world import World

# Packages that cost more than all else that these verbs do.
SLOW = ("git", "github", "pydantic", "rich", "platformdirs")
# Parts of the standard library that cost as much as a process of git, and that click and msgspec do without.
HEAVY = ("asyncio", "dataclasses", "difflib", "email", "http", "importlib.metadata", "logging", "random", "shutil")

PROBE = """
import json, sys
from git_cto.cli import run
code = run(sys.argv[1:])
sys.stderr.write("\\n" + json.dumps([code, sorted(sys.modules)]))
"""


def loaded(world: World, *argv: str) -> tuple[int, set[str]]:
    """The exit code of a command line, and the modules that it loaded in an interpreter of its own."""
    # Isolated and without `site`, whose .pth files load what they like; the path is handed on instead.
    program = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}" + PROBE]
    done = subprocess.run([*program, *argv], cwd=world.path, capture_output=True, check=True)
    exit_code, names = json.loads(done.stderr.splitlines()[-1])
    return exit_code, set(names)


@pytest.fixture
def topic(world: World) -> World:
    """On a branch with one commit that nobody has judged."""
    world.branch("topic")
    world.commit("Say 2", app__py="def version():\n    return 2\n")
    return world


@pytest.mark.parametrize("argv", [["--version"], ["-h"]])
def test_version_and_help_load_click_and_nothing_of_what_the_verbs_need(world: World, argv: list[str]) -> None:
    code, modules = loaded(world, *argv)
    assert code == 0
    assert "click" in modules
    ours = {name for name in modules if name.startswith("git_cto.")}
    assert ours <= {"git_cto.cli", "git_cto.cli.signals", "git_cto.errors"}
    assert modules.isdisjoint((*SLOW, "msgspec", "subprocess"))


@pytest.mark.parametrize(
    "argv, expected", [(["gate"], 1), (["gate", "topic", "--base", "main"], 1), (["log"], 0), (["log", "--all"], 0)]
)
def test_the_gate_and_the_log_load_nothing_slow(topic: World, argv: list[str], expected: int) -> None:
    code, modules = loaded(topic, *argv)
    assert code == expected
    assert modules.isdisjoint((*SLOW, *HEAVY))
    assert not any(name.startswith(("git_cto.agents", "git_cto.answers", "git_cto.work.documents")) for name in modules)


def test_a_gate_that_opens_loads_no_more(topic: World) -> None:
    assert topic.reviewed().code == 0
    code, modules = loaded(topic, "gate")
    assert code == 0
    assert modules.isdisjoint((*SLOW, *HEAVY))


def test_a_gate_that_opens_starts_git_eight_times(
    topic: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert topic.reviewed().code == 0
    calls = tmp_path / "calls"
    counting = tmp_path / "bin" / "git"
    counting.parent.mkdir()
    counting.write_text(f'#!/bin/sh\necho "$@" >> {calls}\nexec {shutil.which("git")} "$@"\n')
    counting.chmod(0o755)
    monkeypatch.setenv("PATH", f"{counting.parent}{os.pathsep}{os.environ['PATH']}")
    assert topic.cto("gate").code == 0
    assert len(calls.read_text().splitlines()) <= 8, calls.read_text()


def test_the_program_looks_for_garbage_rarely_and_still_does() -> None:
    code = "import sys, gc, git_cto.__main__; sys.exit(not (gc.isenabled() and gc.get_threshold()[0] >= 100_000))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "argv, topics",
    [
        (["gate", "--json"], {"gate"}),
        (["gate", "no-such-branch", "--json"], {"errors"}),
        (["log", "--json"], {"records"}),
        (["override", "--reason", "x", "--json"], {"ledger"}),
    ],
)
def test_a_document_for_programs_is_all_that_it_loads_of_them(topic: World, argv: list[str], topics: set[str]) -> None:
    _, modules = loaded(topic, *argv)
    package = "git_cto.work.documents."
    assert {name.removeprefix(package) for name in modules if name.startswith(package)} == topics
    assert modules.isdisjoint(SLOW)


def test_a_question_to_codex_loads_pydantic_and_no_client_of_github(topic: World) -> None:
    code, modules = loaded(topic, "review", "--dry-run")
    assert code == 0
    assert "pydantic" in modules
    assert modules.isdisjoint({"git", "github"})
