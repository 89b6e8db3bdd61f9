"""Artifacts get numbers of their own, stay in their folder and are whole."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from git_cto.errors import ToolError
from git_cto.ledger.artifacts import Artifacts, ArtifactsError, main_worktree
from tests.ledger.world import Repo, end, new_repo


def test_numbers_follow_each_other_by_kind(repo: Repo) -> None:
    artifacts = Artifacts(repo.git, "run-1")
    assert [artifacts.reserve(kind).name for kind in ("plan", "plan", "review")] == [
        "plan-001",
        "plan-002",
        "review-001",
    ]
    (repo.path / ".codex-cto" / "run-1" / "plan-041.prompt.md").write_text("somebody's")
    assert Artifacts(repo.git, "run-1").reserve("plan").name == "plan-042"
    assert Artifacts(repo.git, "run-2").reserve("plan").name == "plan-001"


def test_a_slot_has_the_files_of_one_call(repo: Repo) -> None:
    slot = Artifacts(repo.git, "run-1").reserve("plan")
    folder = repo.path / ".codex-cto" / "run-1"
    assert slot.write("json", b"{}") == slot.answer == str(folder / "plan-001.json")
    assert slot.write("prompt.md", b"do it") == slot.path("prompt.md") == str(folder / "plan-001.prompt.md")
    with slot.stream("events.jsonl") as events:
        events.write(b"{}\n")
        assert (folder / "plan-001.events.jsonl").read_bytes() == b"{}\n"
    slot.write("json", b"[]")
    assert (folder / "plan-001.json").read_bytes() == b"[]"
    assert sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) == [
        "plan-001.events.jsonl",
        "plan-001.json",
        "plan-001.prompt.md",
    ]


def test_the_folder_ignores_itself(repo: Repo) -> None:
    Artifacts(repo.git, "run-1").reserve("plan").write("json", b"{}")
    assert repo.run("status", "--porcelain", "--untracked-files=all") == ""
    ignore = repo.path / ".codex-cto" / ".gitignore"
    ignore.write_text("mine\n")
    Artifacts(repo.git, "run-1").reserve("plan")
    assert ignore.read_text() == "mine\n"
    ignore.write_text("")  # as a killed process of another tool would leave it
    Artifacts(repo.git, "run-1").reserve("plan")
    assert ignore.read_text() == "*\n"


def test_processes_never_share_a_number(repo: Repo) -> None:
    script = (
        "import os; from git_cto.ledger.artifacts import Artifacts; from git_cto.repo.git import Git, discover\n"
        "a = Artifacts(Git(discover('.', os.environ), os.environ), 'run-1')\n"
        "for _ in range(40): print(a.reserve('review').write('json', b'x'))"
    )
    argv = [sys.executable, "-c", script]
    racing = [
        subprocess.Popen(argv, cwd=repo.path, env=repo.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(6)
    ]  # fmt: skip
    paths: list[str] = []
    for code, out, err in map(end, racing):
        assert code == 0, err
        paths += out.split()
    assert len(paths) == len(set(paths)) == 240


def test_they_lie_in_the_main_worktree(repo: Repo) -> None:
    repo.run("worktree", "add", "--quiet", "../linked", "-b", "side")
    linked = Repo(repo.path.parent / "linked", repo.env)
    assert main_worktree(linked.git) == str(repo.path)
    assert Artifacts(linked.git, "run-1").path == str(repo.path / ".codex-cto" / "run-1")
    below = repo.path / "below"
    below.mkdir()
    assert main_worktree(Repo(below, repo.env).git) == str(repo.path)


def test_a_separate_git_dir_and_a_submodule(tmp_path: Path, env: dict[str, str], repo: Repo) -> None:
    apart = new_repo(tmp_path / "apart", env, f"--separate-git-dir={tmp_path}/elsewhere")
    assert main_worktree(apart.git) == str(tmp_path / "apart")
    repo.run("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(repo.path), "sub")
    assert main_worktree(Repo(repo.path / "sub", env).git) == str(repo.path / "sub")


def test_a_bare_repository_has_no_place(tmp_path: Path, env: dict[str, str], repo: Repo) -> None:
    bare = new_repo(tmp_path / "bare.git", env, "--bare")
    with pytest.raises(ArtifactsError, match="bare") as told:
        Artifacts(bare.git, "run-1")
    assert isinstance(told.value, ToolError)
    assert told.value.code == "no_artifacts"
    full = repo.clone("full.git", "--bare")
    full.run("worktree", "add", "--quiet", "../of-bare", "main")
    with pytest.raises(ArtifactsError):
        Artifacts(Repo(tmp_path / "of-bare", env).git, "run-1")


@pytest.mark.parametrize("name", [".codex-cto", ".codex-cto/run-1"])
def test_a_link_is_not_followed(repo: Repo, tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    link = repo.path / name
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(outside)
    with pytest.raises(ArtifactsError):
        Artifacts(repo.git, "run-1").reserve("plan")
    assert list(outside.iterdir()) == []


def test_a_linked_file_is_replaced_not_followed(repo: Repo, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    artifacts = Artifacts(repo.git, "run-1")
    slot = artifacts.reserve("plan")
    for suffix in ("json", "events.jsonl"):
        Path(slot.path(suffix)).symlink_to(victim)
    slot.write("json", b"{}")
    with pytest.raises(ArtifactsError):
        slot.stream("events.jsonl")
    Path(artifacts.path, ".plan-002").symlink_to(victim)
    assert artifacts.reserve("plan").name == "plan-003"
    assert victim.read_text() == "mine"


def test_strange_names_are_refused(repo: Repo) -> None:
    for slug in ("", ".", "..", "a/b", "a\0b"):
        with pytest.raises(ArtifactsError):
            Artifacts(repo.git, slug)
    for kind in ("", "../plan", "Plan", "plan-1"):
        with pytest.raises(ArtifactsError):
            Artifacts(repo.git, "run-1").reserve(kind)


def test_no_folder_can_be_made(repo: Repo) -> None:
    (repo.path / ".codex-cto").write_text("a file in the way")
    with pytest.raises(ArtifactsError, match=r"cannot be kept in .*run-1: Not a directory"):
        Artifacts(repo.git, "run-1").reserve("plan")


def test_a_full_disk_leaves_no_half_file(repo: Repo) -> None:
    slot = Artifacts(repo.git, "run-1").reserve("plan")
    slot.write("json", b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(ArtifactsError, match="File too large"):
            slot.write("json", b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert Path(slot.answer).read_bytes() == b"old"
    assert list((repo.path / ".codex-cto" / "run-1").glob(".*.tmp")) == []
