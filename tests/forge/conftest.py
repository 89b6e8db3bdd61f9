"""A repository with one pull request on a fake GitHub, and a hub that looks at it as a workflow's token does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from git_cto.forge.hub import Hub
from tests.forge.fake import TOKEN, FakeGitHub

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = "a" * 40


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub() as fake:
        fake.open_pull(7, HEAD)
        yield fake


@pytest.fixture
def hub(github: FakeGitHub) -> Hub:
    return Hub(github.url, TOKEN, "octo/app", pace=0, patience=5)
