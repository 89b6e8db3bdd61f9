"""The real Codex, without what takes half of its time in a test and is tested elsewhere.

That is npm's wrapper, a Node.js program that does nothing but start the real one, and what Codex does when it finds no
databases in CODEX_HOME: it makes five, in 64 steps. tests/agents, the demo and the action go through all of it.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest

from git_cto.demo.server import KEY_VARIABLE, ModelServer, message


@cache
def program(wrapper: Path) -> Path:
    """The program that npm's wrapper starts; the wrapper itself where it starts one that is not beside it."""
    packages = wrapper.resolve().parents[2]
    found = [path for path in packages.glob("codex-*/vendor/*/bin/codex") if _runs(path)]
    return found[0] if len(found) == 1 else wrapper


def settle(home: Path, wrapper: Path) -> None:
    """Gives a CODEX_HOME the databases that Codex would make there at its first start."""
    for name, content in _databases(program(wrapper)).items():
        if not (home / name).exists():
            (home / name).write_bytes(content)


@cache
def _databases(codex: Path) -> dict[str, bytes]:
    if not codex.exists():
        pytest.fail("the tests run the real Codex: npm ci")
    with tempfile.TemporaryDirectory() as folder, ModelServer([message("Hello.")]) as model:
        home = Path(folder, ".codex")
        home.mkdir()
        (home / "config.toml").write_text(model.codex_config())
        environ = {"PATH": os.environ["PATH"], "HOME": folder, KEY_VARIABLE: "scripted"}
        argv = [str(codex), "exec", "--ephemeral", "--skip-git-repo-check", "-c", "analytics.enabled=false", "Hello"]
        subprocess.run(argv, cwd=folder, env=environ, stdin=subprocess.DEVNULL, capture_output=True, check=True)
        found = sorted(home.glob("*.sqlite"))
        for path in found:
            _fold(path)
        return {path.name: path.read_bytes() for path in found}


def _fold(path: Path) -> None:
    """Takes into a database what is still in the log beside it; Codex ends without doing that."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _runs(path: Path) -> bool:
    return subprocess.run([str(path), "--version"], capture_output=True, check=False).returncode == 0
