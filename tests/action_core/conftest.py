"""The stage, and two ways to set it: as it is, and with a key that signs what jobs record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.action_core.stage import Stage
from tests.world import World


@pytest.fixture
def stage(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with Stage(world, tmp_path, monkeypatch) as made:
        yield made
