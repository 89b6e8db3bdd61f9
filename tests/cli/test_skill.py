"""The Claude Code skill: what `git cto init --skill` installs, and what its script takes and prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from git_cto.demo.server import KEY_VARIABLE, ModelServer, Step, message
from tests.world import World, plan_answer, review_reply

SKILL = Path(".claude", "skills", "codex-cto")


@pytest.fixture
def script(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The installed script, with this program as `git-cto` on the PATH."""
    assert world.cto("init", "--skill").code == 0
    folder = tmp_path / "programs"
    folder.mkdir()
    program = folder / "git-cto"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m git_cto "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return Path(os.environ["HOME"]) / SKILL / "scripts" / "cto-invoke.sh"


def invoke(world: World, script: Path, steps: Sequence[Step], *argv: str) -> subprocess.CompletedProcess[str]:
    """Runs the script as Claude Code would, with a scripted model behind Codex."""
    with ModelServer(steps) as model:
        world.log_in(model.codex_config())
        assert os.environ[KEY_VARIABLE]
        done = subprocess.run(
            [str(script), *argv], cwd=world.path, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
    models = {request.model for request in model.requests}
    assert models <= {"gpt-5-mini", "gpt-5.4", "gpt-5.4-pro"}
    return done


PLAN = [message(json.dumps(plan_answer()))]


@pytest.mark.parametrize(
    "argv",
    [
        ("plan", "Add WebSocket auth to the Express API"),
        ("plan", "Refactor auth module", "--model", "gpt-5-mini"),
        ("plan", "--model", "gpt-5-mini", "Refactor auth module"),
        ("plan", "Refactor auth module", "--model=gpt-5-mini"),
        ("plan", "--max-iterations", "5", "Add rate limiting"),
    ],
)
def test_a_plan_is_printed_as_bare_json(world: World, script: Path, argv: tuple[str, ...]) -> None:
    done = invoke(world, script, PLAN, *argv)
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert {"phase", "objective", "analysis", "strategy", "tasks", "verification", "run"} <= set(plan)


@pytest.mark.parametrize("verdict", ["approve", "revise", "abort"])
def test_a_review_is_printed_as_bare_json_whatever_the_verdict(world: World, script: Path, verdict: str) -> None:
    world.branch("topic")
    world.commit("Say 2", app__py="def version():\n    return 2\n")
    done = invoke(world, script, [review_reply(verdict)], "review", "Health check added at /health. Tests pass.")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verdict"] == verdict


def test_a_program_that_cannot_start_is_no_answer(world: World, script: Path, tmp_path: Path) -> None:
    """Python ends with 1 then, as a verdict does that says revise."""
    (tmp_path / "programs" / "git-cto").write_text("#!/bin/sh\necho 'ImportError: no such module' >&2\nexit 1\n")
    done = invoke(world, script, [], "review", "Done.")
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"]["code"] == "no_answer"


def test_a_dry_run_prints_the_command_and_calls_nothing(world: World, script: Path) -> None:
    done = invoke(world, script, [], "plan", "Add rate limiting", "--dry-run")
    assert (done.returncode, "codex exec" in done.stdout, "Add rate limiting" in done.stdout) == (0, True, True)


@pytest.mark.parametrize("argv", [(), ("plan",), ("deploy", "x"), ("plan", "--model")])
def test_without_phase_or_prompt_it_says_how_it_is_used(world: World, script: Path, argv: tuple[str, ...]) -> None:
    done = invoke(world, script, [], *argv)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Usage: cto-invoke.sh <plan|review>" in done.stderr


def test_a_failure_is_a_document_with_its_exit_code(world: World, script: Path) -> None:
    done = invoke(world, script, [], "review", "Nothing was changed")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == "empty_change"


def test_it_is_installed_once_and_leaves_a_skill_of_somebody_else_alone(world: World) -> None:
    home = Path(os.environ["HOME"])
    assert "installed" in world.cto("init", "--skill").out
    assert "kept" in world.cto("init", "--skill").out
    assert os.access(home / SKILL / "scripts" / "cto-invoke.sh", os.X_OK)
    (home / SKILL / "SKILL.md").write_text("Another skill.\n")
    refused = world.cto("init", "--skill")
    assert refused.code == 2
    assert (home / SKILL / "SKILL.md").read_text() == "Another skill.\n"
