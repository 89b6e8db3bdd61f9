"""The sealed test world, always on: own HOME, no system git configuration, fixed identity, no key, loopback only."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.world import PATH_OF_SYSTEM, World, agents_folder

# Whoever starts the tests in the background may have them ignore these; programs inherit that, and Ctrl-C is lost.
for _number, _handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
    (signal.SIGTERM, signal.SIG_DFL),
):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, _handler)


@pytest.fixture(autouse=True)
def _sealed(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
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
        "PATH": os.pathsep.join([agents, python, PATH_OF_SYSTEM]),
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
    (home / ".gitconfig").write_text(
        "[user]\n\tname = Ada\n\temail = ada@example.org\n"
        "[init]\n\tdefaultBranch = main\n[advice]\n\tdetachedHead = false\n"
    )


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A repository with one commit on main, checked out, and the command line to use in it."""
    made = World(tmp_path / "repo", monkeypatch)
    made.git("init", "--quiet", "--initial-branch=main")
    made.write("app.py", "def version():\n    return 1\n")
    made.commit("A tiny service")
    return made
