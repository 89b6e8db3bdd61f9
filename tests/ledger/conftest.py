"""The situations that the ledger's tests start from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.http_git import GitServer
from tests.ledger.world import Repo, environment, new_repo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """An environment that is nobody's."""
    home = tmp_path / "home"
    home.mkdir()
    return environment(home)


@pytest.fixture
def repo(tmp_path: Path, env: dict[str, str]) -> Repo:
    """A repository with one commit and no ledger."""
    made = new_repo(tmp_path / "repo", env)
    made.commit("first")
    return made


@pytest.fixture
def hub(tmp_path: Path, repo: Repo) -> Repo:
    """A bare repository that `repo` has as its `origin`."""
    made = new_repo(tmp_path / "served" / "hub.git", repo.env, "--bare")
    repo.run("remote", "add", "origin", str(made.path))
    repo.run("push", "--quiet", "origin", "main")
    return made


@pytest.fixture
def server(hub: Repo) -> Iterator[GitServer]:
    """The hub, served over HTTP to anybody."""
    with GitServer(hub.path.parent) as running:
        yield running
