"""A repository whose loop talks to scripted models; see `tests.loop.world`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.loop.world import Loop


@pytest.fixture
def loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loop]:
    """A repository with one commit on main, checked out, and both models at hand."""
    with Loop(tmp_path / "repo", monkeypatch) as made:
        made.git("init", "--quiet", "--initial-branch=main")
        made.write("app.py", "def version():\n    return 1\n")
        made.commit("A tiny service")
        yield made
