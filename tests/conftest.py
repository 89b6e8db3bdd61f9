"""The sealed test world, always on: own HOME, no system git configuration, fixed identity, no key, loopback only."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests import quick_codex
from tests.world import PATH_OF_SYSTEM, World, agents_folder

# Whoever starts the tests in the background may have them ignore these; programs inherit that, and Ctrl-C is lost.
for _number, _handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
    (signal.SIGTERM, signal.SIG_DFL),
):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, _handler)


@pytest.fixture(scope="session")
def _programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real Codex, without npm's wrapper around it; everything else is found behind it on the PATH."""
    folder = tmp_path_factory.mktemp("programs")
    (folder / "codex").symlink_to(quick_codex.program(agents_folder() / "codex"))
    return folder


@pytest.fixture(scope="session")
def _git_settings(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A `.gitconfig`. New repositories get the usual folders without a dozen of sample hooks."""
    template = tmp_path_factory.mktemp("template")
    (template / "hooks").mkdir()
    (template / "info").mkdir()
    return (
        "[user]\n\tname = Ada\n\temail = ada@example.org\n"
        f"[init]\n\tdefaultBranch = main\n\ttemplateDir = {template}\n[advice]\n\tdetachedHead = false\n"
        # No test is long enough for git to tidy up by itself, and no repository here has to survive a power cut.
        "[maintenance]\n\tauto = false\n[gc]\n\tauto = 0\n[core]\n\tfsync = none\n"
    )


@pytest.fixture(scope="session")
def tiny_service(tmp_path_factory: pytest.TempPathFactory, _git_settings: str) -> Path:
    """A repository with one commit on main, checked out. To be copied (`World.copied`), and never to be changed."""
    home = tmp_path_factory.mktemp("tiny_service")
    (home / ".gitconfig").write_text(_git_settings)
    environ = {"PATH": PATH_OF_SYSTEM, "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1", "TZ": "UTC"}
    path = home / "repo"
    path.mkdir()
    (path / "app.py").write_text("def version():\n    return 1\n")
    for argv in (["init", "--initial-branch=main"], ["add", "--all"], ["commit", "-m", "A tiny service"]):
        subprocess.run(["git", *argv], cwd=path, env=environ, capture_output=True, check=True)
    return path


@pytest.fixture(autouse=True)
def _sealed(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, _programs: Path, _git_settings: str
) -> None:
    """Nothing of the developer's environment reaches a test, whatever it calls."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("COVERAGE_", "COV_", "PYTEST_", "GIT_CTO_TEST_")) or name in {"TMPDIR", "LANG"}
    }
    agents = str(agents_folder())  # which a variable may name
    home = tmp_path_factory.mktemp("home")
    python = str(Path(shutil.which("python3") or "/usr/bin/python3").parent)
    for name in list(os.environ):
        monkeypatch.delenv(name)
    sealed = {
        **kept,
        "PATH": os.pathsep.join([str(_programs), agents, python, PATH_OF_SYSTEM]),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_EDITOR": "false",
        "GIT_TERMINAL_PROMPT": "0",
        "COLUMNS": "80",
        "NO_COLOR": "1",
    }
    for name, value in sealed.items():
        monkeypatch.setenv(name, value)
    (home / ".gitconfig").write_text(_git_settings)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_service: Path) -> World:
    """A repository with one commit on main, checked out, and the command line to use in it."""
    return World.copied(tiny_service, tmp_path / "repo", monkeypatch)
