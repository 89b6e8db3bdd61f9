"""Every verb in every place it does not belong in: one sentence, what to type, the exit code, no half record."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from git_cto.demo.server import message
from tests.cli.scenes import LEDGER, changed, done, ledger, records
from tests.world import World, plan_answer

VERBS = {
    "plan": ("plan", "--dry-run", "Raise the version"),
    "tasks": ("tasks",),
    "start": ("start", "t1"),
    "finish": ("finish", "-m", "Did it"),
    "review": ("review", "--dry-run"),
    "gate": ("gate",),
    "log": ("log",),
    "show": ("show",),
    "continue": ("continue", "--reason", "because"),
    "override": ("override", "--reason", "because"),
    "sync": ("sync",),
}
ON_CHANGES = ("review", "gate", "log", "show", "override")
ON_RUNS = ("tasks", "start", "finish")


def refused(world: World, argv: tuple[str, ...], says: str, *, code: int = 2, word: str = "") -> str:
    """Checks a refusal as people and programs see it, and that it left the ledger alone; returns what to do next."""
    before = ledger(world) if (world.path / ".git").exists() else ""
    said, document = world.cto(*argv), world.cto(*argv, "--json")
    error = document.json["error"]
    assert (said.code, document.code, document.json["exit_code"]) == (code, code, code), said.text
    assert document.json["schema"] == "git-cto/error/v1"
    assert says in error["message"], error
    assert error["code"] != "bug", error
    assert error["code"] == (word or error["code"])
    assert error["message"].endswith("."), error["message"]
    assert said.out == ""
    assert said.err.endswith(f"{error['message']}\nNext: {error['hint']}\n"), said.err
    assert "Traceback" not in said.text + document.text
    assert (ledger(world) if (world.path / ".git").exists() else "") == before
    return str(error["hint"])


def fresh(world: World, name: str, *init: str) -> World:
    """Another folder; a repository where `init` says so."""
    made = World(world.path.parent / name, world._monkeypatch)
    if init:
        made.git("init", "-q", "--initial-branch=main", *init[1:])
    return made


# ---- places


@pytest.mark.parametrize("verb", VERBS)
def test_outside_of_a_repository(world: World, verb: str) -> None:
    refused(fresh(world, "nowhere"), VERBS[verb], "is not in a git repository", word="no_repository")


@pytest.mark.parametrize("verb", VERBS)
def test_in_a_folder_that_was_deleted(world: World, verb: str) -> None:
    gone = world.path / "gone"
    gone.mkdir()
    code = f"import os, sys; os.rmdir({str(gone)!r}); from git_cto.cli import run; sys.exit(run({list(VERBS[verb])!r}))"
    ran = subprocess.run([sys.executable, "-P", "-c", code], cwd=gone, capture_output=True, text=True, check=False)
    assert ran.returncode == 2, ran.stderr
    assert ran.stderr == "The working directory does not exist any more.\nNext: cd to your repository\n"


@pytest.mark.parametrize("verb", VERBS)
def test_before_the_first_commit(world: World, verb: str) -> None:
    says = {"sync": "no remote", **dict.fromkeys(ON_RUNS, "no run here")}.get(verb, "There is no commit here yet")
    refused(fresh(world, "unborn", "init"), VERBS[verb], says)


@pytest.mark.parametrize("verb", ["audit", "verify", "sign", "replay"])
def test_before_the_first_commit_there_is_nothing_to_prove_either(world: World, verb: str) -> None:
    hint = refused(fresh(world, "unborn", "init"), (verb,), "There is no commit here yet")
    assert hint == "git add -A && git commit"


@pytest.mark.parametrize("verb", ["plan", "start", "finish"])
def test_a_bare_repository_has_nothing_to_work_in(world: World, verb: str) -> None:
    run = world.planned_by_codex()
    world.git("config", "core.bare", "true")
    argv = VERBS[verb] if verb == "plan" else (*VERBS[verb], "--run", run)
    world.path = world.path / ".git"
    assert "git clone it" in refused(world, argv, "This repository is bare")


def test_a_bare_repository_can_judge_and_tell(world: World) -> None:
    commit = changed(world)
    bare = World(world.path.parent / "bare.git", world._monkeypatch)
    bare.git("clone", "-q", "--bare", str(world.path), ".")
    assert bare.cto("gate", "topic").code == 1
    said = bare.reviewed("--head", "topic", "--base", "main")
    assert (said.code, said.json["head"], said.json["artifact"]) == (0, commit, None), said.text
    assert bare.cto("gate", "topic", "--base", "main").code == 0
    assert "approve" in bare.cto("log", "topic", "--base", "main").out
    assert not (bare.path / ".codex-cto").exists()


def test_a_detached_head_is_judged_by_its_commit(world: World) -> None:
    commit = changed(world)
    world.git("switch", "-q", "--detach", "topic")
    world.git("branch", "-D", "topic")
    said = world.reviewed()
    assert (said.code, said.json["series"]) == (0, f"commit/{commit}"), said.text
    assert world.cto("gate").code == 0
    assert world.cto("gate", commit).code == 0
    for verb in ON_RUNS:
        assert "git cto plan" in refused(world, VERBS[verb], "There is no run here")


@pytest.mark.parametrize("verb", ON_CHANGES)
def test_no_common_ancestor(world: World, verb: str) -> None:
    world.git("switch", "-q", "--orphan", "island")
    world.commit("Alone", island__py="x = 1\n")
    assert "--base" in refused(world, VERBS[verb], "no common ancestor with main")


@pytest.mark.parametrize("verb", ON_CHANGES)
def test_a_shallow_clone(world: World, verb: str) -> None:
    changed(world)
    world.git("switch", "-q", "main")
    world.commit("Elsewhere", readme__md="hello\n")
    shallow = World(world.path.parent / "shallow", world._monkeypatch)
    shallow.git("clone", "-q", "--depth=1", "--no-single-branch", f"file://{world.path}", ".")
    shallow.git("switch", "-q", "topic")
    assert refused(shallow, VERBS[verb], "shallow", code=3, word="shallow") == "git fetch --unshallow"


@pytest.mark.parametrize("verb", ON_CHANGES)
def test_several_merge_bases(world: World, verb: str) -> None:
    left = changed(world)
    world.git("switch", "-q", "main")
    right = world.commit("Elsewhere", readme__md="hello\n")
    world.git("merge", "-q", "-m", "One way", left)
    world.git("switch", "-q", "topic")
    world.git("merge", "-q", "-m", "The other way", right)
    world.commit("More", more__py="x = 1\n")
    assert "git merge main" in refused(world, VERBS[verb], "2 merge bases")


@pytest.mark.parametrize("verb", ["review", "override"])
def test_an_empty_change_is_nothing_to_judge(world: World, verb: str) -> None:
    world.branch("topic")
    refused(world, VERBS[verb], "topic changes nothing compared with main")


def test_an_empty_change_does_not_open_the_gate(world: World) -> None:
    world.branch("topic")
    said = world.cto("gate", "--json")
    assert (said.code, said.json["allowed"]) == (1, False)
    assert said.json["reasons"] == ["topic changes nothing compared with main: there is nothing to approve."]


@pytest.mark.parametrize("verb", ["plan", *ON_CHANGES])
def test_no_main_and_no_master(world: World, verb: str) -> None:
    world.git("branch", "-m", "main", "trunk")
    assert "--base" in refused(world, VERBS[verb], "there is no main or master")
    assert "cto.base" in world.cto(*VERBS[verb]).err
    world.git("config", "cto.base", "trunk")
    assert "no main or master" not in world.cto(*VERBS[verb]).err


@pytest.mark.parametrize("verb", ["plan", *ON_CHANGES])
def test_a_target_that_does_not_exist(world: World, verb: str) -> None:
    changed(world)
    argv = (*VERBS[verb], "--base", "mian")
    assert "--base" in refused(world, argv, "There is no branch 'mian' to compare with")
    world.git("config", "cto.base", "nowhere")
    refused(world, VERBS[verb], "There is no branch 'nowhere' to compare with (git config cto.base)")


# ---- runs and tasks


@pytest.mark.parametrize(
    "argv", [("tasks", "nope"), ("start", "t1", "--run", "nope"), ("finish", "-m", "x", "--run", "nope")]
)
def test_an_unknown_run(world: World, argv: tuple[str, ...]) -> None:
    run = world.planned_by_codex()
    assert "git cto sync" in refused(world, argv, f"The ledger has no plan of a run 'nope' (runs here: {run}).")


@pytest.mark.parametrize("name", ["--x", "../x", "A", "a/b", "", "x" * 200, "\x1b[2J", "a\nb"])
def test_what_cannot_be_a_run(world: World, name: str) -> None:
    world.planned_by_codex()
    world.planned_by_codex()
    assert world.cto("tasks", "--json", "--", name).code == 2
    assert "\x1b" not in world.cto("tasks", "--", name).text


@pytest.mark.parametrize("verb", ["review", "continue"])
def test_an_unknown_run_is_not_judged(world: World, verb: str) -> None:
    changed(world)
    argv = (*VERBS[verb], "--run", "nope") if verb == "review" else (*VERBS[verb], "nope")
    assert world.cto(*argv, "--json").code == 2
    assert world.cto(*argv, "--json").json["error"]["hint"]


def test_an_unknown_task(world: World) -> None:
    run = world.planned_by_codex()
    hint = refused(world, ("start", "t9"), f"Run {run} has no task 't9' (it has t1).")
    assert hint == f"git cto tasks {run}"
    refused(world, ("finish", "t9", "-m", "x"), f"Run {run} has no task 't9' (it has t1).")


def test_what_finish_needs(world: World) -> None:
    world.planned_by_codex()
    assert "git cto start" in refused(world, VERBS["finish"], "You are on no task's branch")
    assert "git cto start t1" in refused(world, ("finish", "t1", "-m", "x"), "is not checked out")
    world.cto("start", "t1")
    refused(world, ("finish", "-m", "  "), "A result needs a summary")


def test_a_branch_named_cto_is_in_the_way(world: World) -> None:
    world.git("branch", "cto")
    hint = refused(world, VERBS["plan"], "A branch named cto is in the way", word="branch_in_the_way")
    assert hint == "git branch -m cto some-other-name"


# ---- the ledger


def test_garbage_in_the_ledger_is_skipped_and_the_rest_stays(world: World) -> None:
    commit = changed(world)
    assert world.reviewed().code == 0
    good = world.git("notes", f"--ref={LEDGER}", "show", commit)
    bad = '\n\0\n{"payload": 1}\n{}\n[]\n"x"\nnull\n' + good[:-20] + "\n" + "x" * 200_000 + "\n\u202e\n"
    for target in {commit, *world.git("notes", f"--ref={LEDGER}", "list").split()[1::2]}:
        before = world.git("notes", f"--ref={LEDGER}", "show", target)
        world.git("notes", f"--ref={LEDGER}", "add", "-f", "-F", "-", target, data=(bad + before + bad).encode())
    assert world.cto("gate").code == 0
    assert [one["kind"] for one in records(world)] == ["verdict"]
    assert "approve" in world.cto("show").out
    assert world.reviewed().json["standing"] is True


def test_a_ledger_of_garbage_alone_opens_nothing(world: World) -> None:
    commit = changed(world)
    world.git("notes", f"--ref={LEDGER}", "add", "-F", "-", commit, data=b"approve\n{\xff}\n")
    assert world.cto("gate").code == 1
    assert world.cto("log", "--all", "--json").json["records"] == []
    assert world.reviewed().code == 0
    assert world.cto("gate").code == 0


@pytest.mark.parametrize("what", ["HEAD", "HEAD^{tree}", "HEAD:app.py"])
def test_a_ledger_that_is_no_notes_tree_opens_nothing(world: World, what: str) -> None:
    changed(world)
    oid = world.git("rev-parse", what)
    (world.path / ".git" / "refs" / "notes").mkdir()
    (world.path / ".git" / "refs" / "notes" / "cto-records").write_text(oid + "\n")
    gate = world.cto("gate", "--json")
    assert gate.code in {1, 3}, gate.text
    assert "bug" not in gate.text


# ---- policy and settings

POLICIES = {
    "no TOML": ("[review\n", "is not TOML"),
    "unknown section": ("[revew]\n", "unknown key [revew]"),
    "unknown key": ('[review]\nmodle = "x"\n', "unknown key [review] modle"),
    "wrong type": ("[review]\nmodel = 5\n", "review.model: Expected `str | null`, got `int`"),
    "wrong value": ('[gate]\ntrust = "all"\n', "gate.trust: Invalid enum value 'all'"),
    "out of range": ("[rounds]\nmax = 0\n", "rounds.max: Expected `int` >= 1"),
    "no table": ("review = 1\n", "[review] must be a table"),
    "twice": ("[review]\n[review]\n", "is not TOML"),
}


@pytest.mark.parametrize("text, says", POLICIES.values(), ids=POLICIES)
def test_a_policy_that_cannot_be_read(world: World, text: str, says: str) -> None:
    world.policy(text)
    changed(world)
    for verb in ("plan", *ON_CHANGES):
        refused(world, VERBS[verb], says, word="policy")
        assert "main:.cto/config.toml" in world.cto(*VERBS[verb]).err


def test_an_unknown_key_of_the_policy_comes_with_the_nearest_known_one(world: World) -> None:
    world.policy('[review]\nmodle = "x"\n')
    assert refused(world, VERBS["plan"], "main:.cto/config.toml").startswith("did you mean model?")


def test_a_policy_that_is_no_utf8_or_no_file(world: World) -> None:
    world.write(".cto/config.toml", b"# caf\xe9\n")
    world.commit("Policy")
    refused(world, VERBS["gate"], "is not UTF-8")
    (world.path / ".cto" / "config.toml").unlink()
    (world.path / ".cto" / "config.toml").symlink_to("other.toml")
    world.commit("Policy")
    refused(world, VERBS["gate"], "is no ordinary file", word="policy")


def test_the_policy_of_the_head_or_the_worktree_counts_for_nothing(world: World) -> None:
    changed(world)
    world.write(".cto/config.toml", "[nonsense]\n")
    assert world.cto("gate").code == 1
    world.commit("Policy")
    assert world.cto("gate").code == 1


@pytest.mark.parametrize("verb", ["plan", *ON_CHANGES])
def test_an_unknown_setting(world: World, verb: str) -> None:
    changed(world)
    world.git("config", "cto.reveiw.model", "x")
    assert "did you mean cto.review.model?" in refused(world, VERBS[verb], "cto.reveiw.model", word="policy")


@pytest.mark.parametrize(
    "name, value",
    [("cto.rounds.max", "0"), ("cto.rounds.max", "x"), ("cto.coverage.maxBytes", "-1"), ("cto.rounds.max", "1e3")],
)
def test_a_setting_that_says_nothing(world: World, name: str, value: str) -> None:
    changed(world)
    world.git("config", name, value)
    refused(world, VERBS["gate"], "no whole number above 0", word="policy")


def test_settings_narrow_the_policy_and_never_widen_it(world: World) -> None:
    world.policy('[coverage]\nmax_bytes = 200\n[gate]\ntrust = "signed"\n')
    changed(world, "x" * 500 + "\n")
    world.git("config", "cto.coverage.maxBytes", "100000")
    world.git("config", "cto.gate.trust", "local")
    refused(world, VERBS["review"], "would not fit into one review", code=3, word="too_large")
    assert world.cto("gate", "--json").json["trust"] == "signed"


# ---- who and where


@pytest.mark.parametrize("verb", ["override", "continue"])
def test_nobody_decides_without_a_name(world: World, verb: str) -> None:
    changed(world)
    if verb == "continue":
        assert world.reviewed(verdict="abort").code == 4
    (Path(os.environ["HOME"]) / ".gitconfig").write_text("[user]\n\tuseConfigOnly = true\n")
    assert "user.email" in refused(world, VERBS[verb], "git does not know who you are", word="no_identity")


def test_nothing_is_finished_without_a_name(world: World) -> None:
    world.planned_by_codex()
    world.cto("start", "t1")
    world.write("app.py", "def version():\n    return 2\n")
    (Path(os.environ["HOME"]) / ".gitconfig").write_text("[user]\n\tuseConfigOnly = true\n")
    head = world.head
    assert "user.email" in refused(world, VERBS["finish"], "git does not know who you are", word="no_identity")
    assert (world.head, world.git("branch", "--show-current").endswith("/t1")) == (head, True)
    assert "return 2" in (world.path / "app.py").read_text()


def test_a_linked_worktree_shares_the_ledger_and_has_its_own_head(world: World) -> None:
    commit = changed(world)
    world.git("switch", "-q", "main")
    linked = World(world.path.parent / "linked", world._monkeypatch)
    world.git("worktree", "add", "-q", str(linked.path), "topic")
    said = linked.reviewed()
    assert (said.code, said.json["head"]) == (0, commit), said.text
    assert said.json["artifact"].startswith(str(world.path / ".codex-cto"))
    assert linked.cto("gate").code == 0
    assert world.cto("gate", "topic").code == 0
    assert world.cto("gate").code == 1


def test_a_run_goes_on_in_a_linked_worktree(world: World) -> None:
    world.planned_by_codex()
    linked = World(world.path.parent / "linked", world._monkeypatch)
    world.git("worktree", "add", "-q", "--detach", str(linked.path))
    assert linked.cto("start", "t1").code == 0
    assert f"cd {linked.path}" in refused(world, VERBS["start"], f"is checked out in {linked.path}")
    linked.write("app.py", "def version():\n    return 2\n")
    assert linked.cto("finish", "-m", "Says 2").code == 0
    assert linked.reviewed().code == 0


def test_a_submodule_is_a_repository_of_its_own(world: World) -> None:
    outer = fresh(world, "outer", "init")
    outer.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(world.path), "lib")
    outer.commit("A submodule")
    inner = World(outer.path / "lib", world._monkeypatch)
    commit = changed(inner)
    said = inner.reviewed()
    assert (said.code, said.json["head"]) == (0, commit), said.text
    assert said.json["artifact"].startswith(str(inner.path / ".codex-cto"))
    assert inner.cto("gate").code == 0
    assert inner.planned_by_codex()
    assert inner.cto("start", "t1").code == 0


def test_a_folder_of_the_worktree_is_as_good_as_its_top(world: World) -> None:
    world.planned_by_codex()
    folder = World(world.path / "deep" / "er", world._monkeypatch)
    assert folder.cto("start", "t1").code == 0
    world.write("app.py", "def version():\n    return 2\n")
    world.write("top.txt", "x\n")
    assert folder.cto("finish", "-m", "Says 2").code == 0
    assert world.git("ls-tree", "--name-only", "HEAD").split() == ["app.py", "top.txt"]
    assert folder.cto("gate").code == 1


def test_another_folder_can_be_named(world: World) -> None:
    changed(world)
    nowhere = fresh(world, "nowhere")
    assert nowhere.cto("-C", str(world.path), "gate").code == 1
    assert nowhere.cto("-C", "../repo", "gate").code == 1
    for folder in ("no-such", "../repo/app.py"):
        said = nowhere.cto("-C", folder, "gate")
        assert (said.code, "Traceback" in said.err) == (2, False)
        assert f"Cannot change to '{folder}'" in said.err
        assert "\nNext: " in said.err


@pytest.mark.parametrize("name", ['a "b', '"c"', "#d", "co:lon", "$(id)", "-e", "caf\udce9", "\u202e"])
def test_the_folder_may_have_any_name(world: World, name: str) -> None:
    odd = fresh(world, name, "init")
    odd.commit("A tiny service", app__py="def version():\n    return 1\n", picture__png=b"\0")
    changed(odd)
    odd.write("picture.png", b"\0\1")
    odd.commit("A picture")
    odd.git("switch", "-q", "main")
    odd.commit("Elsewhere", readme__md="hello\n")  # so that merging is tried, too
    odd.git("switch", "-q", "topic")
    assert odd.cto("gate").code == 1
    assert odd.cto("review", "--dry-run").code == 0


def test_a_line_break_in_the_path_is_refused(world: World) -> None:
    odd = fresh(world, "line\nbreak", "init")
    odd.commit("A tiny service")
    refused(odd, VERBS["gate"], "has a line break in it")


def test_a_setting_that_git_cannot_read_is_told(world: World) -> None:
    (world.path / ".git" / "config").write_text("[core\n")
    for verb in ("plan", "gate", "start"):
        refused(world, VERBS[verb], "git cannot use the repository here: bad config line 1 in file .git/config")


def test_git_can_be_pointed_at_a_repository(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = changed(world)
    nowhere = fresh(world, "nowhere")
    monkeypatch.setenv("GIT_DIR", str(world.path / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(world.path))
    said = nowhere.cto("gate", "--json")
    assert (said.code, said.json["head"], said.json["uncommitted"]) == (1, commit, 0), said.text
    monkeypatch.setenv("GIT_DIR", str(nowhere.path))
    refused(nowhere, ("gate",), "is not in a git repository")


def test_an_index_of_somebody_else_is_left_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.planned_by_codex()
    index = world.path.parent / "index"
    index.write_bytes(b"not an index")
    monkeypatch.setenv("GIT_INDEX_FILE", str(index))
    assert world.cto("start", "t1").code == 0
    world.write("app.py", "def version():\n    return 2\n")
    said = world.cto("finish", "-m", "Says 2")
    assert said.code == 0, said.text
    assert index.read_bytes() == b"not an index"
    monkeypatch.delenv("GIT_INDEX_FILE")
    assert world.git("status", "--porcelain") == ""


def test_a_repository_of_somebody_else_is_refused_like_git_does(world: World) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a repository away")
    changed(world)
    for path in (world.path, world.path / ".git"):
        os.chown(path, 12345, 12345)
    hint = refused(world, VERBS["gate"], "it belongs to another user")
    assert hint.startswith("git config --global --add safe.directory ")


def test_a_repository_that_cannot_be_written_can_be_asked_and_nothing_is_half_recorded(world: World) -> None:
    world.planned_by_codex()
    changed(world)
    before = ledger(world)
    # Root may write anywhere, unless it gives that up.
    powerless = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search,-fowner"] if os.getuid() == 0 else []
    if powerless and shutil.which(powerless[0]) is None:
        pytest.skip("root can write everywhere, and there is no setpriv to change that")
    for path in (world.path, *world.path.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)

    def ran(*argv: str) -> tuple[int, str]:
        command = [*powerless, sys.executable, "-m", "git_cto", *argv]
        finished = subprocess.run(command, cwd=world.path, capture_output=True, text=True, check=False)
        return finished.returncode, finished.stdout + finished.stderr

    try:
        for line, expected in (("gate", 1), ("review --dry-run", 0)):
            code, text = ran(*line.split())
            assert code == expected, text
        for argv in (VERBS["override"], VERBS["start"]):
            code, text = ran(*argv)
            assert code in {2, 3}, text
            assert "\nNext: " in text
            assert "Traceback" not in text
            assert "bug" not in text
    finally:
        for path in (world.path, *world.path.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
    assert ledger(world) == before
    assert world.git("branch", "--show-current") == "topic"


def test_a_plan_that_cannot_be_kept_leaves_no_branch(world: World) -> None:
    (world.path / ".git" / "refs" / "notes").write_text("in the way")
    said = world.ask([message(json.dumps(plan_answer()))], "plan", "Raise the version", "--json")
    assert said.code in {2, 3}, said.text
    assert said.json["error"]["hint"]
    assert world.git("branch", "--list", "cto/*") == ""


@pytest.mark.parametrize(
    "argv", [("gate", "--nope"), ("start",), ("review", "--timeout", "0"), ("nope",), ("gate", "a", "b")]
)
def test_what_cannot_be_understood(world: World, argv: tuple[str, ...]) -> None:
    assert " -h" in refused(world, argv, "")


def test_a_run_that_is_done_is_judged_from_any_branch(world: World) -> None:
    run = done(world)
    world.git("switch", "-q", "main")
    said = world.reviewed("--run", run)
    assert (said.code, said.json["run"]) == (0, run), said.text
