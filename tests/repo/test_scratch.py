"""Temporary files: in a folder of the process, gone with it, and where it was killed gone with the next one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from git_cto.repo.lens import private_folder
from git_cto.repo.scratch import scratch
from tests.world import SOURCE

HOLD = """
import sys, tempfile
from git_cto.repo.scratch import scratch
with scratch():
    print(tempfile.mkdtemp(prefix="git-cto-job-"), flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's own folder for temporary files."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def base() -> Path:
    return Path(os.environ["HOME"], ".local", "state", "git-cto", "tmp")


def test_everything_temporary_goes_there_meanwhile_and_nothing_stays(system: Path) -> None:
    with scratch():
        made = [tempfile.mkdtemp(), private_folder(os.environ, "lens")]
        assert all(Path(path).parent.parent == base() for path in made)
        assert list(system.iterdir()) == []
    assert not base().exists()
    assert Path(private_folder(os.environ, "lens")).parent == system


def test_the_next_process_removes_what_a_dead_one_has_left_and_nothing_of_a_living_one(system: Path) -> None:
    environ, pipe = {**os.environ, "PYTHONPATH": SOURCE}, subprocess.PIPE
    living, dead = (
        subprocess.Popen([sys.executable, "-c", HOLD], env=environ, stdin=pipe, stdout=pipe, text=True)
        for _ in range(2)
    )
    folders = []
    for process in (living, dead):
        assert process.stdout is not None
        folders.append(Path(process.stdout.readline().strip()))
    dead.kill()
    dead.communicate()
    assert all(folder.is_dir() for folder in folders)
    with scratch():
        assert [folder.is_dir() for folder in folders] == [True, False]
    living.communicate("")
    assert living.returncode == 0
    assert not base().exists()
    assert list(system.iterdir()) == []


@pytest.mark.parametrize(
    "name, hours, there",
    [
        ("git-cto-lens-0123456789abcdef", 25, 0),
        ("git-cto-sign-0123456789abcdef", 25, 0),
        ("git-cto-lens-0123456789abcdef", 1, 1),  # its process may live
        ("git-cto-lens-0123456789abcdef", -25, 1),  # the clock has gone back
        ("git-cto-lens-of-my-own", 25, 1),
        ("git-cto", 25, 1),
    ],
)
def test_what_killed_commands_have_left_elsewhere_goes_after_a_day(
    system: Path, name: str, hours: int, there: int
) -> None:
    folder = system / name
    (folder / "objects").mkdir(parents=True)
    os.utime(folder, (time.time() - hours * 3600,) * 2)
    with scratch():
        assert len(list(system.iterdir())) == there


def test_a_link_of_such_a_name_and_what_it_leads_to_are_left_alone(system: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    os.utime(tmp_path / "precious", (1, 1))
    link = system / "git-cto-lens-0123456789abcdef"
    link.symlink_to(tmp_path / "precious")
    os.utime(link, (1, 1), follow_symlinks=False)
    with scratch():
        assert link.is_symlink()
        assert (tmp_path / "precious").is_dir()


@pytest.mark.parametrize("state", ["/proc/nowhere", "/dev/null"])
def test_where_there_is_no_room_for_it_the_systems_own_folder_will_do(
    system: Path, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", state)
    with scratch():
        assert Path(tempfile.mkdtemp()).parent == system
