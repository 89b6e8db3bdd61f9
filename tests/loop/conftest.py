"""A repository whose loop talks to scripted models; see `tests.loop.world`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.loop.world import Loop


@pytest.fixture
def loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_service: Path) -> Iterator[Loop]:
    """A repository with one commit on main, checked out, and both models at hand."""
    with Loop.copied(tiny_service, tmp_path / "repo", monkeypatch) as made:
        yield made
