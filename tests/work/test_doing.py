"""One task up to its result commit: what is said against what git sees, and that nothing is lost or leaks.

The executor is a real one: mostly a shell script, as `--executor command` runs it, once the real Claude Code.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import repeat
from pathlib import Path

import msgspec
import pytest

from git_cto.agents.base import EngineError, Limits
from git_cto.agents.claude import Claude
from git_cto.agents.command import Command
from git_cto.agents.process import StoppedError
from git_cto.demo import claude_replies as model
from git_cto.demo.server import ModelServer, Reply, Request
from git_cto.errors import GitError, UsageError
from git_cto.repo import worktrees
from git_cto.repo.runs import results, task_ref
from git_cto.work import doing
from git_cto.work.acting import Doing, Hints, guidance
from git_cto.work.doing import Result, Tab, do_task, finished_result, skip_task
from git_cto.work.merging import merge_into_trunk
from git_cto.work.runs import Run, load_run
from git_cto.work.workspace import Workspace
from tests.agents.conftest import processes_with
from tests.world import World, task

QUICK = Limits(idle=20, total=30, grace=1)


class Bench:
    """A run with one task, ready to be done: it creates `a.txt` unless the bench is set for another one."""

    def __init__(self, world: World, run_id: str) -> None:
        self.world = world
        self.run_id = run_id
        self.task: dict[str, str] = {}

    def set(self, action: str = "create_file", target: str = "a.txt") -> None:
        """The task is another one from now on."""
        self.task = {"action": action, "target": target}

    def doing(self, script: str = "true", **said: object) -> Doing:
        doing = Doing(executor=Command(script, os.environ), limits=QUICK)
        return replace(doing, **said)  # type: ignore[arg-type]

    def do(self, script: str = "true", *, hints: Hints | None = None, feedback: str = "", **said: object) -> Result:
        """Does the task; `said` are fields of `Doing`."""
        with self.opened() as (workspace, run):
            planned = run.task("t1")
            view = replace(planned, task=msgspec.structs.replace(planned.task, **self.task), feedback=feedback)
            doing = self.doing(script, **said)
            return do_task(workspace, run, view, run.trunk or "", doing, lambda _: None, hints or Hints(), Tab())

    @contextmanager
    def opened(self) -> Iterator[tuple[Workspace, Run]]:
        with Workspace(str(self.world.path), os.environ) as workspace:
            yield workspace, load_run(workspace, self.run_id)

    @property
    def trunk(self) -> str:
        return self.world.git("rev-parse", f"cto/{self.run_id}/trunk")

    @property
    def home(self) -> Path:
        with self.opened() as (workspace, _):
            return worktrees.home(workspace.git, self.run_id)

    def message(self, commit: str) -> str:
        return self.world.git("log", "-1", "--format=%B", commit)

    def changed(self, result: Result) -> list[str]:
        """What the result commit changed, which has to be one commit on top of trunk."""
        assert self.world.git("rev-parse", f"{result.commit}^@") == self.trunk
        return self.world.git("diff", "--name-only", self.trunk, result.commit).split()

    def kept(self, suffix: str) -> str:
        """The one artifact of its kind."""
        [found] = (self.world.path / ".codex-cto" / self.run_id).glob(f"task-*.{suffix}")
        return found.read_text()

    def assert_tidy(self) -> None:
        """No worktree is left, and nobody's checkout was touched."""
        assert not [path for path in self.home.rglob("*") if path.name != ".lock"]
        assert len(self.world.git("worktree", "list").splitlines()) == 1
        assert self.world.git("status", "--porcelain") == ""
        assert self.world.git("branch", "--show-current") == "main"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first test leaves a planned run for the others: planning takes longer than doing."""
    return tmp_path_factory.mktemp("template") / "repo"


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, template: Path) -> Iterator[Bench]:
    """A repository with two commits, a folder and links that lead out of it and within it; and a plan."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept.txt").write_text("kept\n")
    if not template.exists():
        _planned(World(template, monkeypatch))
    shutil.copytree(template, tmp_path / "repo", symlinks=True)
    world = World(tmp_path / "repo", monkeypatch)
    made = Bench(world, world.git("for-each-ref", "--format=%(refname)", "refs/heads/cto").split("/")[3])
    yield made
    made.assert_tidy()
    assert (outside / "kept.txt").read_text() == "kept\n"


def _planned(world: World) -> None:
    world.git("init", "--quiet", "--initial-branch=main")
    world.commit("A tiny service", app__py="def version():\n    return 1\n")
    world.write("d/one.txt", "1\n")
    world.write("d/e/two.txt", "2\n")
    (world.path / "link").symlink_to("../outside")
    (world.path / "inner").symlink_to("d")
    world.commit("More", other__txt="one\n")
    world.planned_by_codex(task("t1", action="create_file", target="a.txt"))


# ---- what becomes of the work ----------------------------------------------------------------------------------------


def test_work_becomes_one_commit_on_the_tasks_branch_with_what_it_took(bench: Bench) -> None:
    result = bench.do("cat > /dev/null; echo a > a.txt; echo 'Made a.'; echo 'It holds an a.'")
    assert (result.outcome, result.summary, result.seen) == ("done", "Made a.\nIt holds an a.", ())
    assert bench.changed(result) == ["a.txt"]
    assert bench.world.git("rev-parse", f"cto/{bench.run_id}/t1") == result.commit
    assert bench.message(result.commit).splitlines() == [
        "t1: Made a.",
        "",
        "It holds an a.",
        "",
        f"Cto-Run: {bench.run_id}",
        "Cto-Task: t1",
        "Cto-Outcome: done",
        "Cto-Round: 1",
        "Cto-Executor: command",
        "Cto-Tokens: 0",
        "Cto-Cost: 0.000000",
    ]


def test_prompt_and_output_of_the_executor_are_kept(bench: Bench) -> None:
    bench.do("echo a > a.txt; echo done")
    assert "Raise the version" in bench.kept("prompt.md")
    assert bench.kept("events.jsonl") == "done\n"


def test_a_claim_of_success_without_any_change_has_failed(bench: Bench) -> None:
    result = bench.do("echo 'All done, and tested.'")
    assert (result.outcome, bench.changed(result)) == ("failed", [])
    assert "nothing was changed, though success was claimed." in bench.message(result.commit)
    assert "It said: All done, and tested." in bench.message(result.commit)


def test_files_outside_of_the_target_are_named(bench: Bench) -> None:
    result = bench.do("echo a > a.txt; echo b > other.txt; mkdir d; touch d/1 d/2 d/3 d/4 d/5; echo done")
    assert (result.outcome, len(bench.changed(result))) == ("done", 7)
    assert result.seen == ("changed outside of a.txt: d/1, d/2, d/3, d/4, d/5 and 1 more",)
    assert f"git-cto saw: {result.seen[0]}" in bench.message(result.commit)


def test_a_file_in_a_new_folder_is_no_file_outside_of_the_target(bench: Bench) -> None:
    bench.set(target="new/deep/a.txt")
    result = bench.do("mkdir -p new/deep; echo a > new/deep/a.txt; echo done")
    assert (result.outcome, result.seen) == ("done", ())


def test_a_target_that_git_ignores_is_said_to_be(bench: Bench) -> None:
    bench.world.write(".git/info/exclude", "*.txt\n")
    result = bench.do("echo a > a.txt; echo done")
    assert result.outcome == "failed"
    assert result.seen == ("git ignores a.txt, so that it cannot be committed",)


@pytest.mark.parametrize("word", ["BLOCKED:", "**BLOCKED:**", "BLOCKED :"])
def test_one_that_says_it_is_blocked_is_and_leaves_only_a_patch(bench: Bench, word: str) -> None:
    result = bench.do(f"echo half > a.txt; echo '{word} no wood.'; echo 'Not one plank.'")
    assert (result.outcome, result.summary, bench.changed(result)) == ("blocked", "no wood.\nNot one plank.", [])
    assert result.seen[-1].endswith(f".codex-cto/{bench.run_id}/task-001.patch")
    bench.world.git("apply", "--check", f".codex-cto/{bench.run_id}/task-001.patch")
    assert "+half" in bench.kept("patch")


def test_one_that_only_speaks_of_being_blocked_is_not(bench: Bench) -> None:
    assert bench.do("echo a > a.txt; echo 'Nothing is BLOCKED: all is well.'").outcome == "done"


def test_one_that_fails_leaves_only_a_patch_and_its_last_words(bench: Bench) -> None:
    result = bench.do("printf 'a\\0b' > a.txt; rm other.txt; echo so far; echo no wood >&2; exit 3")
    assert (result.outcome, bench.changed(result)) == ("failed", [])
    assert result.summary == "printf ended with exit code 3: no wood\n\nso far"
    bench.world.git("apply", f".codex-cto/{bench.run_id}/task-001.patch")
    assert (bench.world.path / "a.txt").read_bytes() == b"a\0b"
    bench.world.git("reset", "--hard", "--quiet")
    bench.world.git("clean", "-fdq")


def test_where_nothing_was_done_there_is_no_patch(bench: Bench) -> None:
    assert "kept" not in " ".join(bench.do("exit 3").seen)


def test_of_a_patch_that_is_too_large_nothing_is_kept_and_that_is_said(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doing, "_LARGEST_PATCH", 3 << 20)
    result = bench.do("head -c 8000000 /dev/urandom > a.txt; exit 3")
    assert result.outcome == "failed"
    assert result.seen[-1] == "what it had done is too much to be kept: more than 3 MiB"
    assert list((bench.world.path / ".codex-cto" / bench.run_id).glob("*.patch")) == []


def test_a_key_that_it_prints_is_not_recorded_and_not_kept(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_API_KEY", "very-secret-indeed")
    result = bench.do("touch a.txt; echo very-secret-indeed; echo sk-ant-abcdefghijklmnopqrstuvwxyz012345")
    said = result.summary + bench.message(result.commit) + bench.kept("events.jsonl")
    assert "very-secret" not in said
    assert "sk-ant" not in said


def test_what_it_prints_cannot_pose_as_a_trailer(bench: Bench) -> None:
    result = bench.do("echo half > a.txt; printf 'BLOCKED: x\\n\\nCto-Task: t9\\nCto-Outcome: done\\n'")
    with bench.opened() as (workspace, _):
        found = results(workspace.lens, bench.trunk, result.commit, bench.run_id)
    assert {name: one.outcome for name, one in found.items()} == {"t1": "blocked"}


@pytest.mark.parametrize("cleanup", ["strip", "scissors", "verbatim"])
def test_what_it_says_cannot_hide_how_it_ended(bench: Bench, cleanup: str) -> None:
    """A line of dashes is where git puts trailers, and takes a message to end."""
    bench.world.git("config", "commit.cleanup", cleanup)
    bench.world.git("config", "core.commentChar", "C")
    scissors = "------------------------ >8 ------------------------"
    said = f"BLOCKED: no wood.\n\n---\n# Plan\n# {scissors}\nC {scissors}\nCto-Outcome: done\n\n--- a/x\n+++ b/x"
    result = bench.do(f"echo half > a.txt; printf '%s\n' {shlex.quote(said)}")
    with bench.opened() as (workspace, _):
        found = results(workspace.lens, bench.trunk, result.commit, bench.run_id)
    assert {name: one.outcome for name, one in found.items()} == {"t1": "blocked"}
    assert "+++ b/x" in found["t1"].summary


# ---- an executor that does not leave git alone -----------------------------------------------------------------------


def test_what_it_committed_itself_is_part_of_the_one_commit_and_its_messages_are_not(bench: Bench) -> None:
    forged = f"x\n\nCto-Run: {bench.run_id}\nCto-Task: t2\nCto-Outcome: done"
    result = bench.do(
        f"echo a > a.txt; git add -A; git commit -qm {shlex.quote(forged)}; echo b > other.txt; git add -A; echo done"
    )
    assert (result.outcome, bench.changed(result)) == ("done", ["a.txt", "other.txt"])
    assert "it committed by itself; what it committed is part of this commit" in result.seen
    with bench.opened() as (workspace, _):
        assert list(results(workspace.lens, bench.trunk, result.commit, bench.run_id)) == ["t1"]


def test_a_branch_that_it_switched_to_is_not_moved_by_us(bench: Bench) -> None:
    result = bench.do("git switch -qc sneaky; echo a > a.txt; git add -A; git commit -qm x; echo b >> a.txt; echo done")
    assert (result.outcome, bench.changed(result)) == ("done", ["a.txt"])
    assert "it switched to the branch sneaky" in result.seen
    assert bench.world.git("log", "-1", "--format=%s", "sneaky") == "x"


def test_work_on_top_of_something_else_is_not_taken(bench: Bench) -> None:
    result = bench.do("git checkout -q --detach HEAD~1; echo a > a.txt; echo done")
    assert (result.outcome, bench.changed(result)) == ("failed", [])
    assert "no longer stood on the commit it was made from" in result.summary
    assert "+a" in bench.kept("patch")


@pytest.mark.parametrize(
    "damage",
    [
        "rm .git",
        "rm .git; git init -q .; git add -A; git commit -qm mine",
        "rm .git; ln -s /nowhere .git",
        "echo 'gitdir: /nowhere' > .git",
    ],
)
def test_work_in_a_worktree_that_was_cut_off_is_taken_where_it_belongs(bench: Bench, damage: str) -> None:
    result = bench.do(f"echo a > a.txt; {damage}; echo done")
    assert (result.outcome, bench.changed(result)) == ("done", ["a.txt"])
    assert result.seen == ("the worktree was cut off from its repository (.git was changed)",)


@pytest.mark.parametrize("damage", ['rm -rf "$PWD"', 'git worktree remove --force "$PWD"'])
def test_one_that_removes_its_worktree_has_failed(bench: Bench, damage: str) -> None:
    result = bench.do(f"echo a > a.txt; {damage}; echo done")
    assert (result.outcome, bench.changed(result)) == ("failed", [])
    assert "the worktree was removed" in result.summary


def test_work_that_it_committed_on_the_tasks_own_branch_is_taken(bench: Bench) -> None:
    branch = f"cto/{bench.run_id}/t1"
    result = bench.do(f"git switch -qc {branch}; echo a > a.txt; git add -A; git commit -qm mine; echo done")
    assert (result.outcome, bench.changed(result)) == ("done", ["a.txt"])
    assert bench.world.git("rev-parse", branch) == result.commit
    again = bench.do(f"git switch -q {branch}; echo b > b.txt; git add -A; git commit -qm mine; exit 1")
    assert (again.outcome, bench.world.git("rev-parse", branch)) == ("failed", again.commit)
    assert "+b" in bench.kept("patch")


@pytest.mark.parametrize("damage", ["echo x > $d/HEAD", "rm $d/HEAD; mkdir $d/HEAD", "rm -rf $d"])
def test_work_in_a_worktree_of_which_git_knows_nothing_any_more_leaves_a_patch(bench: Bench, damage: str) -> None:
    result = bench.do(f"d=$(git rev-parse --git-dir); echo a > a.txt; {damage}; echo done")
    assert (result.outcome, bench.changed(result)) == ("failed", [])
    assert "+a" in bench.kept("patch")


@pytest.mark.parametrize("damage", ["echo x > $d/index", "rm $d/index; mkdir $d/index", "touch $d/index.lock"])
def test_work_in_a_worktree_with_a_broken_index_is_taken(bench: Bench, damage: str) -> None:
    result = bench.do(f"d=$(git rev-parse --git-dir); echo a > a.txt; rm other.txt; {damage}; echo done")
    assert (result.outcome, bench.changed(result)) == ("done", ["a.txt", "other.txt"])


def test_work_goes_to_the_repository_it_came_from_wherever_its_worktree_is_made_to_point(bench: Bench) -> None:
    """Another repository has hooks and settings of its own."""
    turned = "d=$(git rev-parse --git-dir); git init -q --bare ../evil; realpath ../evil > $d/commondir"
    hooked = "printf '#!/bin/sh\ntouch $HOME/ran\n' > ../evil/hooks/pre-commit; chmod +x ../evil/hooks/pre-commit"
    result = bench.do(f"echo a > a.txt; {turned}; {hooked}; echo done")
    shutil.rmtree(bench.home / "evil", ignore_errors=True)
    assert (result.outcome, bench.changed(result)) == ("done", ["a.txt"])
    assert result.seen == ("the worktree was cut off from its repository (.git was changed)",)
    assert not Path(os.environ["HOME"], "ran").exists()


@pytest.mark.parametrize("commit", ["git -C sub add f; git -C sub commit -qm x", "true"], ids=["with", "without"])
def test_files_in_a_repository_of_their_own_are_not_lost_and_never_half_taken(bench: Bench, commit: str) -> None:
    """git would take a link to a commit that nobody has, or refuse."""
    with pytest.raises(GitError, match="sub") as caught:
        bench.do(f"echo a > a.txt; git init -q sub; echo inner > sub/f; {commit}; echo done")
    assert caught.value.code == "git_failed"  # which is tried again, with these words
    assert "+inner" in bench.kept("patch")
    assert "+a" in bench.kept("patch")


def test_one_that_failed_is_not_tried_again_for_a_repository_that_it_left(bench: Bench) -> None:
    result = bench.do("git init -q sub; echo inner > sub/f; exit 1")
    assert (result.outcome, bench.changed(result)) == ("failed", [])
    assert "+inner" in bench.kept("patch")


def test_a_branch_that_was_made_a_link_to_another_one_takes_nothing_there(bench: Bench) -> None:
    before = bench.world.git("rev-parse", "main")
    ref = f"refs/heads/cto/{bench.run_id}/t1"
    result = bench.do(f"git symbolic-ref {ref} refs/heads/main; echo a > a.txt; echo done")
    assert bench.world.git("rev-parse", "main") == before
    assert bench.world.git("rev-parse", ref) == result.commit
    assert bench.world.git("symbolic-ref", "--quiet", ref, ok=False) == ""


def test_a_branch_of_another_history_is_not_gone_on_with(bench: Bench) -> None:
    """Its result could never be merged."""
    alien = bench.world.git("commit-tree", "-m", "alien", "main^{tree}")
    bench.world.git("update-ref", f"refs/heads/cto/{bench.run_id}/t1", alien)
    result = bench.do("echo a > a.txt; echo done")
    assert (result.outcome, bench.changed(result)) == ("done", ["a.txt"])


def test_a_repository_that_the_environment_points_at_is_not_worked_in(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `git --git-dir=... cto run` or a hook leaves it: the worktree's own is meant, for us and the executor."""
    (tmp_path / "objects").mkdir()
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path / "objects"))
    monkeypatch.setenv("GIT_DIR", str(bench.world.path / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(bench.world.path))
    monkeypatch.setenv("GIT_INDEX_FILE", str(bench.world.path / ".git" / "index"))
    bench.world.write(".git/MERGE_HEAD", "of the user\n")
    result = bench.do("echo a > a.txt; git add a.txt; git commit -qm mine; echo done")
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.delenv(name)
    assert (result.outcome, bench.changed(result)) == ("done", ["a.txt"])
    assert bench.world.git("symbolic-ref", "HEAD") == "refs/heads/main"
    assert (bench.world.path / ".git" / "MERGE_HEAD").read_text() == "of the user\n"
    (bench.world.path / ".git" / "MERGE_HEAD").unlink()


def test_what_git_was_in_the_middle_of_does_not_get_into_the_commit(bench: Bench) -> None:
    unfinished = 'git merge -q --no-ff --no-commit side; touch "$(git rev-parse --git-dir)/index.lock"'
    result = bench.do(
        "git switch -qc side; echo s > s.txt; git add -A; git commit -qm side; "
        f"git checkout -q --detach HEAD~1; {unfinished}; echo a > a.txt; echo done"
    )
    assert (result.outcome, bench.changed(result)) == ("done", ["a.txt", "s.txt"])


def test_what_it_left_running_is_ended_before_its_work_is_taken(bench: Bench) -> None:
    loop = "while :; do date >> a.txt; sleep 0.02; done"
    assert bench.do(f"echo a > a.txt; setsid sh -c '{loop} # {bench.run_id}' & sleep 0.3; echo done").outcome == "done"
    assert processes_with(f"# {bench.run_id}") == []


# ---- commits as the user makes them ----------------------------------------------------------------------------------


def hook(bench: Bench, name: str, text: str) -> None:
    path = bench.world.write(f".git/hooks/{name}", f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_the_users_hooks_are_asked_and_what_they_refuse_is_not_lost(bench: Bench) -> None:
    hook(bench, "pre-commit", "if grep -q wrong a.txt; then echo 'a.txt is wrong' >&2; exit 1; fi")
    hook(bench, "commit-msg", 'echo "Checked-By: hook" >> "$1"')
    with pytest.raises(GitError) as caught:
        bench.do("echo wrong > a.txt; echo done")
    assert "a.txt is wrong" in caught.value.message
    assert f".codex-cto/{bench.run_id}/task-001.patch" in caught.value.message
    assert "+wrong" in bench.kept("patch")
    assert bench.world.git("branch", "--list", "cto/*/t1") == ""
    result = bench.do("echo right > a.txt; echo done", hints=Hints(trouble=caught.value.message))
    assert result.outcome == "done"
    assert "Checked-By: hook" in bench.message(result.commit)


def test_a_hook_that_takes_away_how_it_ended_is_named_and_nothing_is_lost(bench: Bench) -> None:
    """Such a commit would count as none, so that the task would be done again and again."""
    hook(bench, "commit-msg", 'echo "All my own words" > "$1"')
    with pytest.raises(GitError, match="Cto-Outcome") as caught:
        bench.do("echo a > a.txt; echo done")
    assert caught.value.code == "trailers_lost"
    assert "commit-msg" in caught.value.hint
    assert "+a" in bench.kept("patch")
    assert bench.world.git("branch", "--list", "cto/*/t1") == ""


def ended_in_time(bench: Bench, what: str, waiting: str) -> str:
    """A task whose programs wait for ever, under a policy of a second; what is said of it."""
    began = time.monotonic()
    with pytest.raises(GitError) as caught:
        bench.do("echo a > a.txt; echo done")
    assert time.monotonic() - began < 30
    assert caught.value.code == "git_timeout"
    assert f"{what} took longer than 1 s and was ended" in caught.value.message
    assert processes_with(waiting) == []
    assert bench.world.git("worktree", "list").count("\n") == 0
    return caught.value.message


def test_a_hook_that_does_not_end_is_ended_and_nothing_is_lost(bench: Bench) -> None:
    bench.world.policy("[verify]\ntimeout = 1\n")
    hook(bench, "pre-commit", "sleep 297 & sleep 297")
    said = ended_in_time(bench, "The commit", "sleep 297")
    patch = said.rpartition("what it had done is kept in ")[2]
    assert "+a\n" in Path(patch).read_text()


def test_a_filter_that_does_not_end_is_ended(bench: Bench) -> None:
    bench.world.policy("[verify]\ntimeout = 1\n")
    bench.world.write(".gitattributes", "*.txt filter=slow\n")
    bench.world.commit("All texts are filtered")
    bench.world.git("branch", "-f", f"cto/{bench.run_id}/trunk", "main")
    bench.world.git("config", "filter.slow.clean", "sleep 295")
    ended_in_time(bench, "Looking at what was done (git add)", "sleep 295")


def test_a_signer_that_does_not_end_is_ended(bench: Bench) -> None:
    gpg = bench.world.path.parent / "gpg"
    gpg.write_text("#!/bin/sh\nsleep 294\n")
    gpg.chmod(0o755)
    bench.world.git("config", "gpg.program", str(gpg))
    bench.world.git("config", "commit.gpgsign", "true")
    bench.world.git("-c", "commit.gpgsign=false", "commit", "--quiet", "--allow-empty", "-m", "x")
    with bench.opened() as (workspace, run), pytest.raises(GitError, match="The merge of t1 took longer than 1 s"):
        merge_into_trunk(workspace, run.id, "t1", run.trunk or "", bench.world.head, patience=1)
    assert processes_with("sleep 294") == []


def test_a_hook_gets_no_keys_for_it_may_be_the_executors(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where `core.hooksPath` is a folder of the tree; and what rules the whole repository is watched."""
    monkeypatch.setenv("SHOP_API_KEY", "very-secret-indeed")
    planted = f"printf '#!/bin/sh\nenv > {tmp_path}/env\n' > hooks/pre-commit; chmod +x hooks/pre-commit"
    result = bench.do(f"echo a > a.txt; mkdir hooks; {planted}; git config core.hooksPath hooks; echo done")
    assert "very-secret" not in (tmp_path / "env").read_text()
    assert "PATH=/" in (tmp_path / "env").read_text()
    assert "meanwhile the repository's own settings changed: config (in .git)" in result.seen


def test_what_becomes_of_the_users_stash_is_said(bench: Bench) -> None:
    """All worktrees share one, and executors like to use it."""
    bench.world.write("other.txt", "mine\n")
    bench.world.git("stash")
    kept = bench.world.git("rev-parse", "stash@{0}")
    result = bench.do("git stash pop; echo a > a.txt; git stash -u; echo b > a.txt; echo done")
    assert result.outcome == "done"
    assert f"meanwhile something was taken from the stash (git stash store {kept} brings it back)" in result.seen
    assert "meanwhile something was put into the stash: it is not part of this" in result.seen
    bench.world.git("stash", "store", kept)


def test_files_beyond_the_users_sparse_checkout_are_there_and_may_be_changed(bench: Bench) -> None:
    bench.set(target="d/e/new.txt")
    bench.world.git("update-index", "--refresh")
    bench.world.git("sparse-checkout", "set", "nothing")
    result = bench.do("cat d/e/two.txt; echo new > d/e/new.txt; git add -A; echo done")
    assert (result.outcome, result.summary) == ("done", "2\ndone")
    assert bench.changed(result) == ["d/e/new.txt"]
    assert not (bench.world.path / "d").exists()
    bench.world.git("sparse-checkout", "disable")


def test_commits_are_signed_where_the_user_signs(bench: Bench, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    for name, value in {"gpg.format": "ssh", "user.signingkey": str(key), "commit.gpgsign": "true"}.items():
        bench.world.git("config", name, value)
    result = bench.do("echo a > a.txt; echo done")
    assert "gpgsig" in bench.world.git("cat-file", "commit", result.commit)


def test_a_key_that_does_not_sign_is_no_fault_of_the_work_which_is_kept(bench: Bench) -> None:
    for name, value in {"gpg.format": "ssh", "user.signingkey": "/nowhere/key", "commit.gpgsign": "true"}.items():
        bench.world.git("config", name, value)
    with pytest.raises(GitError, match="could not sign") as caught:
        bench.do("echo a > a.txt; echo done")
    assert caught.value.code == "signing_failed"
    assert "+a" in bench.kept("patch")


def test_nobody_is_set_to_work_for_somebody_whom_git_does_not_know(bench: Bench, tmp_path: Path) -> None:
    bench.world.git("config", "--global", "--unset", "user.email")
    bench.world.git("config", "--global", "user.useConfigOnly", "true")
    with pytest.raises(UsageError, match="who you are"):
        bench.do(f"touch {tmp_path}/worked")
    assert not (tmp_path / "worked").exists()


def test_a_branch_that_somebody_moved_meanwhile_is_left_where_they_put_it(bench: Bench) -> None:
    theirs = bench.world.git("commit-tree", "-p", "main", "-m", "Mine", "main^{tree}")
    with pytest.raises(GitError, match="moved by somebody else") as caught:
        bench.do(f"echo a > a.txt; git branch cto/{bench.run_id}/t1 {theirs}; echo done")
    assert "task-001.patch" in caught.value.message
    assert bench.world.git("rev-parse", f"cto/{bench.run_id}/t1") == theirs


# ---- what ends it from outside ---------------------------------------------------------------------------------------


def test_one_that_cannot_work_at_all_leaves_nothing(bench: Bench) -> None:
    with pytest.raises(EngineError):
        bench.do("no-such-program")
    assert bench.world.git("branch", "--list", "cto/*/t1") == ""


def test_one_that_is_stopped_leaves_a_patch_and_no_process(bench: Bench) -> None:
    stop = threading.Event()
    with bench.opened() as (workspace, run):
        doing = bench.doing(f"echo half > a.txt; echo up; sleep 600; true # {bench.run_id}", stop=stop)
        with pytest.raises(StoppedError):
            do_task(workspace, run, run.task("t1"), run.trunk or "", doing, lambda _: stop.set(), Hints(), Tab())
    assert "+half" in bench.kept("patch")
    assert processes_with(f"# {bench.run_id}") == []


def test_a_disk_that_is_in_the_way_of_artifacts_is_in_nobodys_way(bench: Bench) -> None:
    (bench.world.path / ".codex-cto" / bench.run_id).rename(bench.world.path / ".codex-cto" / "elsewhere")
    bench.world.write(f".codex-cto/{bench.run_id}", "no folder\n")
    assert bench.do("echo a > a.txt; echo done").outcome == "done"
    assert bench.do("echo a > b.txt; exit 1", hints=Hints(trouble="again")).outcome == "failed"


# ---- where it starts -------------------------------------------------------------------------------------------------


def test_work_that_is_on_the_branch_is_gone_on_with_unless_there_was_trouble(bench: Bench) -> None:
    first = bench.do("echo a > a.txt; echo done")
    second = bench.do("echo b > b.txt; ls; echo done")
    assert bench.world.git("rev-parse", f"{second.commit}^") == first.commit
    third = bench.do("echo c > c.txt; echo done", hints=Hints(trouble="It conflicted."))
    assert bench.changed(third) == ["c.txt"]
    prompt = max((bench.world.path / ".codex-cto" / bench.run_id).glob("*.prompt.md"))
    assert "It conflicted." in prompt.read_text()


def test_a_result_that_only_lacks_its_merge_is_found(bench: Bench) -> None:
    done = bench.do("echo a > a.txt; echo 'Made a.'")
    with bench.opened() as (workspace, run):
        found = finished_result(workspace, run, run.task("t1"), run.trunk or "", Tab())
        assert found == Result(task="t1", outcome="done", summary="t1: Made a.", commit=done.commit)
        workspace.git.run("update-ref", task_ref(run.id, "t1"), run.trunk or "")
        assert finished_result(workspace, run, run.task("t1"), run.trunk or "", Tab()) is None


def test_a_task_that_is_skipped_says_why(bench: Bench) -> None:
    with bench.opened() as (workspace, run):
        result = skip_task(workspace, run, run.task("t1").task, run.trunk or "", "t0 came to nothing before it", Tab())
    assert (result.outcome, bench.changed(result)) == ("blocked", [])
    assert bench.message(result.commit).startswith("t1: t0 came to nothing before it\n\nCto-Run:")


# ---- the other actions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target, gone",
    [
        ("app.py", ["app.py"]),
        ("d", ["d/e/two.txt", "d/one.txt"]),
        ("./d/e/", ["d/e/two.txt"]),
        ("link", ["link"]),
        ("inner", ["inner"]),
    ],
)
def test_delete_file_deletes_and_follows_no_link(bench: Bench, target: str, gone: list[str]) -> None:
    bench.set("delete_file", target)
    result = bench.do("exit 1")
    assert (result.outcome, result.summary, result.seen) == ("done", f"Deleted {target}.", ())
    assert bench.changed(result) == gone


@pytest.mark.parametrize("target", ["link/kept.txt", "inner/one.txt", "d/../link/kept.txt", ".git", ".git/config"])
def test_delete_file_deletes_nothing_beyond_a_link_and_nothing_of_gits(bench: Bench, target: str) -> None:
    bench.set("delete_file", target)
    result = bench.do()
    assert (result.outcome, bench.changed(result)) == ("blocked", [])
    assert "nothing was deleted" in result.summary


def test_what_is_not_there_need_not_be_deleted(bench: Bench) -> None:
    bench.set("delete_file", "never.txt")
    result = bench.do()
    assert (result.outcome, result.summary) == ("done", "never.txt was not there.")


def test_what_a_review_asks_after_a_deletion_is_for_the_executor(bench: Bench) -> None:
    bench.set("delete_file", "app.py")
    result = bench.do("rm -r app.py d; echo 'And d.'", feedback="d is of no use without it")
    assert (result.outcome, result.summary) == ("done", "And d.")


@pytest.mark.parametrize("action", ["run_command", "verify"])
def test_a_command_that_nobody_has_allowed_does_not_run(bench: Bench, tmp_path: Path, action: str) -> None:
    bench.set(action, f"touch {tmp_path}/ran")
    result = bench.do(may_run=lambda command: command == "something else")
    assert (result.outcome, bench.changed(result)) == ("blocked", [])
    assert "nobody has allowed the command" in result.summary
    assert not (tmp_path / "ran").exists()


def test_what_a_command_changes_is_taken_and_what_it_says_reported(bench: Bench) -> None:
    bench.set("run_command", "echo new > new.txt; echo said; echo err >&2")
    result = bench.do(may_run=lambda _: True)
    assert (result.outcome, bench.changed(result), result.seen) == ("done", ["new.txt"], ())
    assert result.summary.endswith("ended with exit code 0.\n\nsaid\nerr")


def test_a_command_that_fails_has_failed(bench: Bench) -> None:
    bench.set("run_command", "echo new > new.txt; exit 7")
    result = bench.do(may_run=lambda _: True)
    assert (result.outcome, bench.changed(result)) == ("failed", [])
    assert "ended with exit code 7." in bench.message(result.commit)


def test_what_a_verification_changes_is_said_and_not_taken(bench: Bench) -> None:
    bench.set("verify", "echo junk > junk.txt; grep -q return app.py")
    result = bench.do(may_run=lambda _: True)
    assert (result.outcome, bench.changed(result)) == ("done", [])
    assert result.seen == ("a verification changed files, which are not taken: junk.txt",)


def test_a_command_has_a_time_limit_and_no_keys(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GITHUB_TOKEN"):
        monkeypatch.setenv(name, "very-secret-indeed")
    bench.set("run_command", "env | cut -d= -f1; setsid sleep 600 & sleep 600")
    result = bench.do(may_run=lambda _: True, command_timeout=1)
    assert result.outcome == "failed"
    assert "was stopped: time limit" in result.summary
    assert "HOME" in result.summary
    assert "_KEY" not in result.summary
    assert "_TOKEN" not in result.summary


def test_a_command_is_stopped_with_its_children(bench: Bench) -> None:
    inner = f"sh -c 'sleep 600; true # {bench.run_id}'"
    bench.set("run_command", f"{inner} & setsid {inner} & wait")
    stop = threading.Event()

    def stop_once_it_runs() -> None:
        while len(processes_with(f"# {bench.run_id}")) < 3 and not stop.wait(0.02):
            pass
        stop.set()

    watcher = threading.Thread(target=stop_once_it_runs)
    watcher.start()
    with pytest.raises(StoppedError):
        bench.do(may_run=lambda _: True, stop=stop, command_timeout=20)
    watcher.join()
    assert processes_with(f"# {bench.run_id}") == []


# ---- the real Claude Code --------------------------------------------------------------------------------------------


def test_claude_code_reads_the_targets_rules_and_not_the_worktrees_and_what_it_was_denied_is_said(
    bench: Bench, tmp_path: Path
) -> None:
    lure = "THE-RULE-OF-THE-HEAD"
    bench.world.branch("trusted")
    trusted = bench.world.commit("Rules", CLAUDE__md="The trusted rule.\n", AGENTS__md="The rule of all agents.\n")
    bench.world.git("switch", "--quiet", "--detach", bench.trunk)
    bench.world.commit("Lure", CLAUDE__md=f"{lure}\n")
    bench.world.git("branch", "--force", f"cto/{bench.run_id}/trunk")
    bench.world.git("switch", "--quiet", "main")
    outside = tmp_path / "outside.txt"

    def reply(request: Request) -> Reply:
        folder = model.folder_of(request)
        turns = [
            ("Write", {"file_path": str(outside), "content": "x"}),
            ("Write", {"file_path": f"{folder}/a.txt", "content": "a\n"}),
        ]
        done = model.prompt_of(request).count('"tool_result"')
        return model.says("On it.", turns[done]) if done < 2 else model.says("Made a.")

    with ModelServer(repeat(reply)) as server:
        executor = Claude({**os.environ, **model.environment(server.port)})
        with bench.opened() as (workspace, _):
            rules = guidance(workspace, trusted)
        result = bench.do(executor=executor, guidance=rules, model="claude-opus-4-6")
        requests = server.requests
    assert (result.outcome, bench.changed(result)) == ("done", ["a.txt"])
    assert result.seen == (f"denied: Write {outside}",)
    assert not outside.exists()
    assert "The trusted rule." in requests[0].raw
    assert "The rule of all agents." in requests[0].raw
    assert lure not in requests[0].raw
    said = bench.message(result.commit)
    assert f"git-cto saw: denied: Write {outside}" in said
    assert "Cto-Executor: claude 2.1.197 claude-opus-4-6\nCto-Tokens: 2880\nCto-Cost: 0.0" in said
    assert "claude-opus-4-6" in bench.kept("events.jsonl")
