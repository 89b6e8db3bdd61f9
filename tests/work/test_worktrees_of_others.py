"""A verification leaves every worktree alone but its own, also one that cannot be seen at the moment."""

from __future__ import annotations

import subprocess
from pathlib import Path

from git_cto.work.verifying import worktree
from git_cto.work.workspace import Workspace
from tests.world import World


def test_a_worktree_on_a_disk_that_is_not_mounted_survives_a_verification(world: World, tmp_path: Path) -> None:
    world.policy('[verify]\ncommands = ["true"]\n')
    world.branch("feature")
    world.commit("Raise it", app__py="x = 2\n")
    outside, away = tmp_path / "outside", tmp_path / "away"
    world.git("worktree", "add", "--quiet", "--detach", str(outside))
    outside.rename(away)
    said = world.reviewed("--verify", "--allow-commands")
    assert said.code == 0, said.text
    away.rename(outside)
    assert subprocess.run(["git", "status"], cwd=outside, check=False, capture_output=True).returncode == 0
    assert world.git("worktree", "list", "--porcelain").count("worktree ") == 2


def test_its_own_worktree_is_forgotten_even_where_a_command_took_it_away(world: World) -> None:
    with Workspace(str(world.path), {}) as workspace, worktree(workspace.git, world.head, "verify") as folder:
        held = Path(world.path, ".git", "worktrees", folder.name)
        assert held.is_dir()
        (folder / ".git").unlink()
        folder.rename(folder.with_name(f"{folder.name}-moved"))
    assert not held.exists()
