"""A change of 200 MB: little memory, and no model is asked, whatever shape it has."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from benchmarks.change import MEMORY_TARGET, large_shapes, repository, reviewed
from git_cto.demo.server import ModelServer
from tests.world import World

# The last shape takes half a minute; benchmarks/ measures it.
SHAPES = list(large_shapes())[:3]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("shape", SHAPES)
def test_a_change_of_200_mb_takes_little_memory_and_asks_no_model(world: World, shape: str) -> None:
    base, topic = large_shapes()[shape]
    folder = repository(world.path.parent / "large", base, topic)
    with ModelServer([]) as model:
        world.log_in(model.codex_config())
        seen = reviewed(folder, environ=os.environ)
    assert (seen.code, json.loads(seen.out)["error"]["code"]) == (3, "too_large"), seen.out
    assert list(model.requests) == []
    assert seen.megabytes < MEMORY_TARGET
    assert seen.megabytes > 20, "nothing was measured"
