"""A repository of our own for a change: what is fetched of a remote, what is not, and who gets to see the token."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from git_cto.errors import GitError, ToolError
from git_cto.repo import mirror as mirrors
from git_cto.repo.change import conflicts, identify
from git_cto.repo.mirror import Mirror
from git_cto.repo.patch import view
from tests.http_git import GitServer, refuse_pushes
from tests.world import World

TOKEN = "ghs_0123456789abcdefghijklmnopqrstuvwxyz"
MAIN, HEAD = "refs/remotes/origin/main", "refs/cto/head"
REFS = {"refs/heads/main": MAIN, "refs/heads/topic": HEAD}


@pytest.fixture
def topic(world: World) -> World:
    """30 files with some history on main; on topic one of them has changed and one is new."""
    for number in range(30):
        world.write(f"src/part{number % 3}/file{number}.py", f"number = {number}\n" * 40)
    world.commit("Many files")
    for number in range(10):
        world.commit(f"Version {number}", history__txt=f"{number}\n" * 40)
    world.branch("topic")
    world.write("src/part1/file1.py", "number = 2\n")
    world.commit("Another number", added__py="new = True\n")
    return world


@pytest.fixture
def served(topic: World, tmp_path: Path) -> Iterator[GitServer]:
    """It is served, in parts, to whoever has the token."""
    root = tmp_path / "served"
    root.mkdir()
    publish(topic, root)
    with GitServer(root, token=TOKEN) as server:
        yield server


def publish(world: World, root: Path) -> Path:
    path = root / "hub.git"
    shutil.rmtree(path, ignore_errors=True)
    world.git("clone", "--quiet", "--bare", str(world.path), str(path))
    world.git(f"--git-dir={path}", "config", "uploadpack.allowFilter", "true")
    return path


def mirrored(server: GitServer, tmp_path: Path, **options: bool) -> Mirror:
    path = tmp_path / f"mirror{len(list(tmp_path.glob('mirror*')))}"
    path.mkdir()
    return Mirror(str(path), server.url("hub.git"), token=server.token, environ=os.environ, **options)


def objects(mirror: Mirror, kind: str) -> int:
    said = mirror.git.run("cat-file", "--batch-check", "--batch-all-objects").decode()
    return said.count(f" {kind} ")


def shown(mirror: Mirror, target: str, head: str) -> str:
    """The patch of the change, from what is here."""
    base = mirror.merge_base(target, head)
    assert base
    change = identify(mirror.lens, base, head)
    return "".join(one.patch for one in view(mirror.lens, change, max_bytes=10_000, summarise=lambda _: False).files)


def test_only_what_the_change_takes_is_fetched_and_then_nothing_is_missing(served: GitServer, tmp_path: Path) -> None:
    with mirrored(served, tmp_path) as mirror:
        target, head = mirror.fetch(REFS)
        assert (objects(mirror, "commit"), objects(mirror, "tree"), objects(mirror, "blob")) == (13, 0, 0)
        mirror.bring(target, head, ["app.py", "no/such/file", "src"])
        assert objects(mirror, "blob") == 4  # one before and after, one new, app.py
        mirror.bring_files(target, ["src/part2/file2.py"])
        assert objects(mirror, "blob") == 5
        served.status = 500
        assert "+number = 2" in shown(mirror, target, head)
        assert "+new = True" in shown(mirror, target, head)


def test_what_is_here_is_not_fetched_again(served: GitServer, tmp_path: Path) -> None:
    with mirrored(served, tmp_path) as mirror:
        target, head = mirror.fetch(REFS)
        mirror.bring(target, head)
        served.requests.clear()
        mirror.bring(target, head)
        assert served.requests == []


@pytest.mark.parametrize(
    "refusal",
    [("uploadpack.allowFilter", "false"), ("uploadpackfilter.tree.allow", "false")],
    ids=["no filter at all", "no filter of folders"],
)
def test_a_server_that_sends_no_parts_sends_everything(
    served: GitServer, tmp_path: Path, topic: World, refusal: tuple[str, str]
) -> None:
    topic.git(f"--git-dir={served.root / 'hub.git'}", "config", *refusal)
    with mirrored(served, tmp_path) as mirror:
        target, head = mirror.fetch(REFS)
        mirror.bring(target, head)
        assert objects(mirror, "blob") > 40
        assert "+number = 2" in shown(mirror, target, head)


def test_what_was_renamed_in_the_target_meanwhile_is_still_merged(
    served: GitServer, tmp_path: Path, topic: World
) -> None:
    topic.git("switch", "--quiet", "main")
    topic.git("mv", "src/part1/file1.py", "renamed.py")
    topic.write("renamed.py", "number = 1\n" * 39 + "the_end = True\n")
    topic.commit("Rename it")
    publish(topic, served.root)
    with mirrored(served, tmp_path) as mirror:
        target, head = mirror.fetch(REFS)
        mirror.bring(target, head)
        served.status = 500
        assert conflicts(mirror.lens, target, head) == ("renamed.py",)


def test_two_merge_bases_are_left_to_whoever_asks_for_the_change(
    served: GitServer, tmp_path: Path, topic: World
) -> None:
    """Case 13."""
    one, two = topic.git("rev-parse", "main"), topic.head
    tree = topic.git("rev-parse", "topic^{tree}")
    left = topic.git("commit-tree", "-m", "left", "-p", one, "-p", two, tree)
    topic.git("update-ref", "refs/heads/main", topic.git("commit-tree", "-m", "m", "-p", one, f"{one}^{{tree}}"))
    main = topic.git("rev-parse", "main")
    topic.git("update-ref", "refs/heads/topic", topic.git("commit-tree", "-m", "t", "-p", left, "-p", main, tree))
    topic.git("update-ref", "refs/heads/main", topic.git("commit-tree", "-m", "x", "-p", main, "-p", two, tree))
    publish(topic, served.root)
    with mirrored(served, tmp_path) as mirror:
        target, head = mirror.fetch(REFS)
        assert mirror.merge_base(target, head) is None
        mirror.bring(target, head)
        assert objects(mirror, "blob") == 0


# ---- the token


def test_the_token_is_in_no_argument_and_in_no_file(
    served: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, folder = tmp_path / "argv.log", tmp_path / "bin"
    folder.mkdir()
    real = shutil.which("git")
    wrapper = folder / "git"
    wrapper.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {log}\nexec {real} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-another-secret-of-this-job")
    with mirrored(served, tmp_path) as mirror:
        mirror.fetch(REFS)
        assert "fetch --quiet" in log.read_text()
        assert TOKEN not in log.read_text()
        found = subprocess.run(
            ["grep", "-rlE", f"{TOKEN}|another-secret", mirror.path], capture_output=True, check=False
        )
        assert (found.stdout, found.returncode) == (b"", 1)
        assert "OPENAI_API_KEY" not in mirror.environ
        assert TOKEN not in "".join(mirror.environ.values())  # what others work with


def test_settings_of_whoever_runs_the_job_have_no_part_in_it(
    served: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Path(os.environ["HOME"])
    trace = tmp_path / "trace"
    (home / ".gitconfig").write_text(
        f'[url "http://127.0.0.1:1/"]\n\tinsteadOf = {served.url("")}\n[core]\n\thooksPath = {tmp_path}\n'
    )
    (home / ".netrc").write_text("machine 127.0.0.1 login me password wrong\n")
    monkeypatch.setenv("GIT_TRACE_CURL", str(trace))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "http.proxy")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "http://127.0.0.1:1")
    with mirrored(served, tmp_path) as mirror:
        assert len(mirror.fetch(REFS)) == 2
    assert not trace.exists()


def test_a_wrong_token_is_told_without_being_shown(served: GitServer, tmp_path: Path) -> None:
    served.token = "ghs_the_right_one"
    mirror = mirrored(served, tmp_path)
    served.token = "ghs_another_one_now"
    with mirror, pytest.raises(ToolError) as error:
        mirror.fetch(REFS)
    assert (error.value.code, error.value.exit_code) == ("no_login", 3)
    assert "ghs_" not in f"{error.value.message} {error.value.hint}"


# ---- what goes wrong


def test_a_branch_that_is_gone_says_so(served: GitServer, tmp_path: Path) -> None:
    with mirrored(served, tmp_path) as mirror, pytest.raises(ToolError) as error:
        mirror.fetch({"refs/heads/gone": MAIN})
    assert error.value.code == "not_found"


def test_a_server_in_trouble_is_asked_again_and_then_told(
    served: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirrors, "PAUSES", (0.0, 0.0))
    with mirrored(served, tmp_path) as mirror:
        served.status = 502
        with pytest.raises(ToolError, match="cannot be reached") as error:
            mirror.fetch(REFS)
        assert error.value.code == "no_network"
        assert len(served.requests) == 3


def test_an_object_that_the_server_does_not_send_is_an_error_and_no_empty_change(
    served: GitServer, tmp_path: Path
) -> None:
    with mirrored(served, tmp_path) as mirror:
        target, head = mirror.fetch(REFS)
        mirror.bring_trees(target, head)
        with pytest.raises(GitError, match="missing"):
            shown(mirror, target, head)


# ---- with files, and back


def test_branches_of_a_run_go_back_and_only_forward(served: GitServer, tmp_path: Path, topic: World) -> None:
    with mirrored(served, tmp_path, worktree=True) as mirror:
        (main,) = mirror.fetch({"refs/heads/main": "refs/heads/main"}, whole=True)
        mirror.git.run("update-ref", "refs/heads/cto/x-000001/trunk", main)
        mirror.push(["refs/heads/cto/x-000001/trunk"])
        hub = f"--git-dir={served.root / 'hub.git'}"
        assert topic.git(hub, "rev-parse", "cto/x-000001/trunk") == main
        mirror.git.run("update-ref", "refs/heads/cto/x-000001/trunk", f"{main}^")
        with pytest.raises(ToolError):
            mirror.push(["refs/heads/cto/x-000001/trunk"])
        refuse_pushes(served.root / "hub.git", "no")
        mirror.git.run("update-ref", "refs/heads/cto/y-000001/trunk", main)
        with pytest.raises(ToolError):
            mirror.push(["refs/heads/cto/y-000001/trunk"])
