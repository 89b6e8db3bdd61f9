"""The pre-push hook: real pushes of real git to a real remote, which the gate stops or lets through."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.world import World

TWO = "def version():\n    return 2\n"


@dataclass(frozen=True)
class Pushed:
    """What came of a push: its exit code, everything it said, and where the remote's branch is now."""

    code: int
    text: str
    tip: str


@dataclass(frozen=True)
class Shop:
    """A repository whose pushes to `origin` are asked about."""

    world: World
    remote: Path

    def tip(self, ref: str = "refs/heads/main") -> str:
        """What a ref of the remote points to, "" where it does not exist."""
        return self.world.git("--git-dir", str(self.remote), "for-each-ref", "--format=%(objectname)", ref)

    def push(self, *argv: str, ref: str = "refs/heads/main", env: dict[str, str] | None = None) -> Pushed:
        """`git push <argv>`, as a user types it."""
        done = subprocess.run(
            ["git", "push", *argv],
            cwd=self.world.path,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return Pushed(done.returncode, done.stdout + done.stderr, self.tip(ref))


@pytest.fixture
def shop(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A remote that has main, a repository with the hook, and git-cto on the PATH."""
    programs = tmp_path / "programs"
    programs.mkdir()
    program = programs / "git-cto"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m git_cto "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    remote = tmp_path / "origin.git"
    world.git("init", "--quiet", "--bare", "--initial-branch=main", str(remote))
    world.git("remote", "add", "origin", str(remote))
    made = Shop(world, remote)
    assert world.cto("init", "--hook").code == 0
    world.commit("Policy")
    assert made.push("--set-upstream", "origin", "main").code == 0, "a new branch is not asked about"
    world.branch("topic")
    world.commit("Say 2", app__py=TWO)
    return made


def merged(shop: Shop) -> None:
    """main with topic merged into it, as one merge commit."""
    shop.world.git("switch", "--quiet", "main")
    shop.world.git("merge", "--quiet", "--no-ff", "-m", "Merge topic", "topic")


# ---- the target branch ---------------------------------------------------------------------------------------------


def test_what_nobody_approved_is_not_pushed(shop: Shop) -> None:
    before = shop.tip()
    pushed = shop.push("origin", "topic:main")
    assert (pushed.code, pushed.tip) == (1, before), pushed.text
    assert "closed  Nothing is pushed to main on origin." in pushed.text
    assert "has no approval for main." in pushed.text
    assert "Next: git cto review" in pushed.text
    assert "failed to push some refs" in pushed.text


@pytest.mark.parametrize(
    "argv", [["origin", "topic:main"], ["origin", "HEAD:main"], ["origin", "HEAD^0:refs/heads/main"]]
)
def test_what_was_approved_is_pushed(shop: Shop, argv: list[str]) -> None:
    assert shop.world.reviewed().code == 0
    pushed = shop.push(*argv)
    assert (pushed.code, pushed.tip) == (0, shop.world.head), pushed.text
    assert "open    Approved in round 1" in pushed.text


def test_an_approved_change_is_pushed_when_it_was_merged(shop: Shop) -> None:
    assert shop.world.reviewed().code == 0
    merged(shop)
    pushed = shop.push()
    assert (pushed.code, pushed.tip) == (0, shop.world.head), pushed.text


def test_an_approved_run_is_pushed_when_it_was_merged(shop: Shop) -> None:
    world = shop.world
    world.git("switch", "--quiet", "main")
    run = world.planned()
    assert world.cto("start", "t1").code == 0
    world.write("app.py", TWO)
    assert world.cto("finish", "-m", "Says 2").code == 0
    assert world.reviewed("Done").code == 0
    world.git("switch", "--quiet", "main")
    world.git("merge", "--quiet", "--ff-only", f"cto/{run}/trunk")
    pushed = shop.push()
    assert (pushed.code, pushed.tip) == (0, world.head), pushed.text


def test_one_more_commit_is_not_pushed_with_what_was_approved(shop: Shop) -> None:
    assert shop.world.reviewed().code == 0
    before = shop.tip()
    shop.world.commit("And 3", app__py="def version():\n    return 3\n")
    pushed = shop.push("origin", "topic:main")
    assert (pushed.code, pushed.tip) == (1, before), pushed.text
    assert "1 commit came after it" in pushed.text


def test_a_refusal_is_told_with_its_reason(shop: Shop) -> None:
    assert shop.world.reviewed(verdict="revise", reason="Two is wrong.").code == 1
    pushed = shop.push("origin", "topic:main")
    assert pushed.code == 1
    assert "Two is wrong." in pushed.text


def test_an_override_lets_it_through(shop: Shop) -> None:
    assert shop.world.cto("override", "--reason", "It burns").code == 0
    pushed = shop.push("origin", "topic:main")
    assert (pushed.code, pushed.tip) == (0, shop.world.head), pushed.text
    assert "It burns" in pushed.text


def test_quiet_says_why_it_is_closed_and_nothing_when_it_is_open(shop: Shop) -> None:
    world = shop.world
    line = f"HEAD {world.head} refs/heads/main {shop.tip()}\n".encode()
    closed = world.cto("pre-push", "--quiet", "origin", "url", stdin=line)
    assert (closed.code, closed.out, "closed" in closed.err) == (1, "", True)
    assert world.reviewed().code == 0
    opened = world.cto("pre-push", "--quiet", "origin", "url", stdin=line)
    assert (opened.code, opened.text) == (0, "")


# ---- everything else passes ----------------------------------------------------------------------------------------


def test_topic_branches_new_ones_and_tags_pass(shop: Shop) -> None:
    assert shop.push("origin", "topic").code == 0
    shop.world.commit("More", app__py="def version():\n    return 3\n")
    shop.world.git("tag", "main")
    pushed = shop.push("origin", "topic", "refs/tags/main", "HEAD:refs/heads/another", ref="refs/heads/topic")
    assert (pushed.code, pushed.tip) == (0, shop.world.head), pushed.text
    assert shop.push("--force", "origin", "HEAD~1:topic").code == 0
    assert shop.push("origin", "--delete", "topic").code == 0


def test_records_are_exchanged_past_the_hook(shop: Shop) -> None:
    assert shop.world.reviewed().code == 0
    assert shop.world.cto("sync").code == 0


def test_one_closed_branch_stops_the_others_of_the_same_push(shop: Shop) -> None:
    assert shop.push("origin", "topic", "topic:main").code == 1
    assert shop.tip("refs/heads/topic") == ""


def test_another_target_is_what_is_asked_about_where_it_is_configured(shop: Shop) -> None:
    shop.world.git("config", "cto.base", "release")
    assert shop.push("origin", "main:release").code == 0
    assert shop.push("origin", "topic:main").code == 0
    assert shop.push("origin", "topic:release").code == 1
    assert shop.world.reviewed().code == 0
    assert shop.push("origin", "topic:release").code == 0


def test_nothing_to_push_is_nothing_to_ask(shop: Shop) -> None:
    assert shop.world.cto("pre-push", "origin", "url").code == 0


# ---- where the remote stands ---------------------------------------------------------------------------------------


def test_the_remotes_own_commit_is_the_target_and_not_what_was_last_seen_of_it(shop: Shop) -> None:
    """A tracking branch that is behind would make the approved change look like another one."""
    assert shop.world.reviewed().code == 0
    shop.world.git("switch", "--quiet", "main")
    elsewhere = shop.world.commit("Somebody else's work", other__py="x = 1\n")
    assert shop.push("--no-verify", "origin", "main").code == 0
    shop.world.git("update-ref", "refs/remotes/origin/main", f"{elsewhere}~1")
    merged(shop)
    pushed = shop.push()
    assert (pushed.code, pushed.tip) == (0, shop.world.head), pushed.text


def test_a_remote_that_is_ahead_of_what_is_known_here_is_closed(shop: Shop, tmp_path: Path) -> None:
    assert shop.world.reviewed().code == 0
    shop.world.git("clone", "--quiet", str(shop.remote), str(tmp_path / "colleague"))
    theirs = ["-C", str(tmp_path / "colleague")]
    shop.world.git(*theirs, "commit", "--quiet", "--allow-empty", "-m", "Faster")
    shop.world.git(*theirs, "push", "--quiet", "origin", "main")
    before = shop.tip()
    pushed = shop.push("--force", "origin", "topic:main")
    assert (pushed.code, pushed.tip) == (1, before), pushed.text
    assert "which is not here" in pushed.text
    assert "Next: git fetch origin" in pushed.text


def test_an_approval_takes_no_commits_off_the_target(shop: Shop) -> None:
    assert shop.world.reviewed().code == 0
    shop.world.git("switch", "--quiet", "main")
    before = shop.world.commit("Somebody else's work", other__py="x = 1\n")
    assert shop.push("--no-verify", "origin", "main").code == 0
    for what in ("topic:main", "main~1:main"):
        pushed = shop.push("--force", "origin", what)
        assert (pushed.code, pushed.tip) == (1, before), pushed.text
        assert "It would take commits off main" in pushed.text


def test_the_policy_is_the_one_that_the_remote_has(shop: Shop) -> None:
    assert shop.world.reviewed().code == 0
    shop.world.policy('[review]\nallowed_models = ["another-model"]\n')
    assert shop.push("--no-verify", "origin", "main").code == 0
    shop.world.git("update-ref", "refs/remotes/origin/main", "main~1")
    shop.world.git("rebase", "--quiet", "main")
    before = shop.tip()
    pushed = shop.push("origin", "topic:main")
    assert (pushed.code, pushed.tip) == (1, before), pushed.text
    assert "which the policy does not allow" in pushed.text


# ---- closed whenever it cannot be asked ----------------------------------------------------------------------------


def test_without_git_cto_on_the_path_nothing_is_pushed_anywhere(shop: Shop, tmp_path: Path) -> None:
    programs = tmp_path / "only-git"
    programs.mkdir()
    for name in ("git", "sh"):
        found = shutil.which(name)
        assert found
        (programs / name).symlink_to(found)
    before = shop.tip()
    pushed = shop.push("origin", "topic:main", env={"PATH": str(programs)})
    assert (pushed.code, pushed.tip) == (1, before), pushed.text
    assert "git-cto is not on the PATH of this hook" in pushed.text
    assert "Next: put git-cto on the PATH" in pushed.text


def test_a_policy_that_cannot_be_read_closes(shop: Shop) -> None:
    assert shop.world.reviewed().code == 0
    shop.world.policy("[review]\nmodle = 'x'\n")
    assert shop.push("--no-verify", "origin", "main").code == 0
    shop.world.git("rebase", "--quiet", "main")
    before = shop.tip()
    pushed = shop.push("origin", "topic:main")
    assert (pushed.code, pushed.tip) == (1, before), pushed.text
    assert "main:.cto/config.toml: unknown key [review] modle." in pushed.text
    assert "did you mean model?" in pushed.text


def test_a_target_that_is_not_known_closes_for_branches_that_it_might_be(shop: Shop) -> None:
    world = shop.world
    assert shop.push("origin", "topic:trunk").code == 0, "a new branch"
    world.git("branch", "-m", "main", "work")
    world.git("update-ref", "-d", "refs/remotes/origin/main")
    world.commit("More", app__py="def version():\n    return 3\n")
    pushed = shop.push("origin", "topic:trunk")
    assert pushed.code == 1, pushed.text
    assert "git config cto.base BRANCH" in pushed.text
    world.git("config", "cto.base", "main")
    assert shop.push("origin", "topic:trunk").code == 0
    assert shop.push("origin", "topic:main").code == 1, "main is known by name, though no branch here is called so"


@pytest.mark.parametrize("said", [b"what is this\n", b"HEAD abc refs/heads/main\n", b"a b c d\n", b"\xff\n"])
def test_what_git_would_not_say_is_not_let_through(world: World, said: bytes) -> None:
    done = world.cto("pre-push", "origin", "url", stdin=said)
    assert (done.code, "for git's pre-push hook" in done.err) == (2, True), done.text


def test_a_commit_that_is_not_there_is_not_let_through(shop: Shop) -> None:
    line = f"HEAD {'1' * 40} refs/heads/main {shop.tip()}\n".encode()
    assert shop.world.cto("pre-push", "origin", "url", stdin=line).code in {1, 2, 3}


# ---- where git runs the hook ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["a folder below", "a linked worktree", "--git-dir", "-C"])
def test_the_hook_finds_its_repository_wherever_git_was_called(shop: Shop, tmp_path: Path, place: str) -> None:
    world = shop.world
    (world.path / "below").mkdir()
    if place == "a linked worktree":
        world.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "second"))
    (tmp_path / "other").mkdir()
    world.git("init", "--quiet", str(tmp_path / "other"))
    cwd, options = {
        "a folder below": (world.path / "below", []),
        "a linked worktree": (tmp_path / "second", []),
        "--git-dir": (tmp_path / "other", ["--git-dir", str(world.path / ".git")]),
        "-C": (tmp_path / "other", ["-C", str(world.path)]),
    }[place]
    push = ["git", *options, "push", "origin", f"{world.head}:main"]
    closed = subprocess.run(push, cwd=cwd, capture_output=True, text=True, check=False)
    assert (closed.returncode, "has no approval" in closed.stderr) == (1, True), closed.stderr
    assert world.reviewed().code == 0
    opened = subprocess.run(push, cwd=cwd, capture_output=True, text=True, check=False)
    assert (opened.returncode, shop.tip()) == (0, world.head), opened.stderr


def test_variables_that_git_leaves_behind_do_not_lead_astray(shop: Shop, tmp_path: Path) -> None:
    """Somebody else's index, worktree or shallow file changes nothing about the answer."""
    elsewhere = {
        "GIT_INDEX_FILE": tmp_path / "index",
        "GIT_WORK_TREE": tmp_path,
        "GIT_PREFIX": tmp_path,
        "GIT_GRAFT_FILE": tmp_path / "grafts",
        "GIT_SHALLOW_FILE": tmp_path / "shallow",
        "GIT_OBJECT_DIRECTORY": tmp_path,
    }
    line = f"HEAD {shop.world.head} refs/heads/main {shop.tip()}\n".encode()
    with pytest.MonkeyPatch.context() as patch:
        for name, path in elsewhere.items():
            patch.setenv(name, str(path))
        said = shop.world.cto("pre-push", "origin", "url", stdin=line)
    assert (said.code, "has no approval" in said.err) == (1, True), said.text


def test_the_verb_is_not_among_those_for_people(world: World) -> None:
    assert "pre-push" not in world.cto("-h").text
    assert world.cto("pre-push", "-h").code == 0
    assert world.cto("pre_push").code == 2
