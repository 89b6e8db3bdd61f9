"""`git cto init`: what it writes, that it can be called again, and what it leaves alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from git_cto.gate.policy import Policy, read_policy
from git_cto.ledger.sync import wanted_refspec
from git_cto.work.policy_file import EXAMPLES, PHASE_DEFAULTS, SECTIONS, WORDS, policy_text
from tests.keys import known_key
from tests.world import World

OTHER_HOOK = "#!/bin/sh\nexit 0\n"
KEYS = [
    (section.name, field.name, field.default)
    for section in msgspec.structs.fields(Policy)
    for field in msgspec.structs.fields(section.type)
]


def fetches(world: World, remote: str = "origin") -> list[str]:
    """The configured fetch refspecs of a remote."""
    return world.git("config", "--get-all", f"remote.{remote}.fetch", ok=False).splitlines()


def hook(world: World, folder: str = ".git/hooks") -> Path:
    """Where the pre-push hook is."""
    return world.path / folder / "pre-push"


# ---- the policy file -----------------------------------------------------------------------------------------------


def test_the_policy_file_as_written_says_what_holds_anyway(world: World) -> None:
    done = world.cto("init")
    assert done.code == 0, done.text
    assert ".cto/config.toml: written" in done.out
    written = (world.path / ".cto/config.toml").read_text()
    assert written == policy_text()
    assert read_policy(written, "main:.cto/config.toml") == Policy()


@pytest.mark.parametrize("section, key, default", KEYS)
def test_every_key_of_the_policy_is_in_the_file_with_its_default(section: str, key: str, default: object) -> None:
    uncommented = re.sub(r"^#(?! \S)", "", policy_text(), flags=re.MULTILINE)
    value = getattr(getattr(read_policy(uncommented, "uncommented"), section), key)
    assert value == EXAMPLES.get((section, key), PHASE_DEFAULTS.get((section, key), default))
    assert re.search(rf"^#{key} = ", policy_text(), re.MULTILINE)
    # What is shown as an example, or comes from elsewhere, has no default in the policy that it could hide.
    assert default is None or (section, key) not in {**EXAMPLES, **PHASE_DEFAULTS}


def test_every_key_of_the_policy_is_explained_in_one_line_and_nothing_else_is() -> None:
    assert set(WORDS) == {(section, key) for section, key, _ in KEYS}
    assert set(SECTIONS) == {section for section, _, _ in KEYS}
    lines = policy_text().splitlines()
    explained = [lines[number - 1] for number, line in enumerate(lines) if re.match(r"#\w+ = ", line)]
    assert len(explained) == len(KEYS)
    assert all(line.startswith("# ") for line in explained)
    assert max(map(len, lines)) <= 120


def test_the_policy_file_as_written_is_what_the_gate_reads_from_the_target(world: World) -> None:
    world.cto("init")
    world.commit("Policy")
    world.branch("topic")
    world.commit("Say 2", app__py="def version():\n    return 2\n")
    assert world.cto("gate").code == 1


def test_a_policy_that_is_there_is_kept(world: World) -> None:
    world.write(".cto/config.toml", "[rounds]\nmax = 2\n")
    done = world.cto("init")
    assert (done.code, ".cto/config.toml: was there, kept" in done.out) == (0, True), done.text
    assert (world.path / ".cto/config.toml").read_text() == "[rounds]\nmax = 2\n"


def test_the_policy_is_written_at_the_top_from_a_folder_below_it(world: World) -> None:
    (world.path / "deep/er").mkdir(parents=True)
    assert world.cto("-C", "deep/er", "init").code == 0
    assert (world.path / ".cto/config.toml").is_file()


def test_nothing_is_written_through_a_link(world: World, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (world.path / ".cto").symlink_to(outside)
    done = world.cto("init")
    assert (done.code, "is a link" in done.err) == (2, True), done.text
    assert list(outside.iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_said_plainly(world: World) -> None:
    world.write(".cto", "a file\n")
    done = world.cto("init")
    assert (done.code, "cannot be written" in done.err, "Next: ls -ld" in done.err) == (2, True, True), done.text
    assert (world.path / ".cto").read_text() == "a file\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_no_permission_is_said_plainly(world: World) -> None:
    world.path.chmod(0o500)
    done = world.cto("init")
    world.path.chmod(0o700)
    assert (done.code, "Permission denied" in done.err) == (2, True), done.text
    assert not (world.path / ".cto").exists()


def test_who_signs_is_told_while_unsigned_records_count_as_well(world: World, tmp_path: Path) -> None:
    """Set up and nothing changed in the policy, everything would look signed, and nothing would be safer."""
    key = known_key(tmp_path / "keys", "ada@example.org")
    world.git("config", "gpg.format", "ssh")
    world.git("config", "user.signingkey", str(key.path))
    still = 'unsigned records count as well, until it says trust = "signed"'
    assert still not in world.cto("init").out
    for _ in range(2):
        assert still in " ".join(world.cto("init", "--signing").out.split())
    policy = world.path / ".cto" / "config.toml"
    policy.write_text(policy.read_text().replace('#trust = "local"', 'trust = "signed"'))
    assert still not in " ".join(world.cto("init", "--signing").out.split())
    policy.write_text("[gate\n")
    said = world.cto("init", "--signing")
    assert (said.code, still in " ".join(said.out.split())) == (0, False)


# ---- refspecs ------------------------------------------------------------------------------------------------------


def test_every_remote_is_followed_once_however_often_it_is_called(world: World) -> None:
    world.git("remote", "add", "origin", "../origin.git")
    world.git("remote", "add", "up.stream", "../upstream.git")
    assert world.cto("init").code == 0
    done = world.cto("init")
    assert done.code == 0, done.text
    assert fetches(world) == ["+refs/heads/*:refs/remotes/origin/*", wanted_refspec("origin")]
    assert fetches(world, "up.stream")[1:] == [wanted_refspec("up.stream")]
    assert "origin: git fetch brings its records, as before" in done.out


def test_a_repository_without_a_remote_is_set_up_too(world: World) -> None:
    assert world.cto("init").code == 0
    assert "fetch" not in world.git("config", "--list", "--local")


def test_a_configuration_that_cannot_be_written_is_said_plainly(world: World) -> None:
    world.git("remote", "add", "origin", "../origin.git")
    (world.path / ".git/config.lock").write_text("")
    done = world.cto("init")
    assert (done.code, "git config failed" in done.err, "Traceback" in done.text) == (3, True, False), done.text
    assert wanted_refspec("origin") not in fetches(world)


# ---- the hook ------------------------------------------------------------------------------------------------------


def test_no_hook_is_installed_unless_it_is_wanted(world: World) -> None:
    world.cto("init")
    assert not hook(world).exists()


def test_the_hook_is_installed_once_and_executable(world: World) -> None:
    assert world.cto("init", "--hook").code == 0
    before = hook(world).stat()
    done = world.cto("init", "--hook")
    assert (done.code, "as before" in done.out) == (0, True), done.text
    assert (hook(world).stat().st_ino, os.access(hook(world), os.X_OK)) == (before.st_ino, True)
    subprocess.run(["sh", "-n", hook(world)], check=True)


@pytest.mark.parametrize("damage", ["chmod", "edit"])
def test_a_hook_of_ours_that_lost_something_is_mended(world: World, damage: str) -> None:
    world.cto("init", "--hook")
    whole = hook(world).read_text()
    if damage == "chmod":
        hook(world).chmod(0o644)
    else:
        hook(world).write_text(whole.replace("exec git-cto", "git-cto"))
    assert world.cto("init", "--hook").code == 0
    assert (hook(world).read_text(), os.access(hook(world), os.X_OK)) == (whole, True)


def test_somebody_elses_hook_stays_and_nothing_else_is_written_either(world: World) -> None:
    world.git("remote", "add", "origin", "../origin.git")
    world.write(".git/hooks/pre-push", OTHER_HOOK)
    done = world.cto("init", "--hook")
    assert done.code == 2, done.text
    assert "somebody else's hook" in done.err
    assert 'git-cto pre-push "$@" || exit 1' in done.err
    assert hook(world).read_text() == OTHER_HOOK
    assert not (world.path / ".cto").exists()
    assert wanted_refspec("origin") not in fetches(world)


def test_somebody_elses_hook_that_asks_the_gate_will_do(world: World) -> None:
    text = '#!/bin/sh\ngit-cto pre-push "$@" || exit 1\nmake lint\n'
    world.write(".git/hooks/pre-push", text)
    done = world.cto("init", "--hook")
    assert (done.code, hook(world).read_text()) == (0, text), done.text


def test_a_link_in_the_place_of_the_hook_is_not_written_through(world: World, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    hook(world).parent.mkdir(exist_ok=True)
    hook(world).symlink_to(elsewhere)
    assert world.cto("init", "--hook").code == 2
    assert not elsewhere.exists()


@pytest.mark.parametrize("folder", [".githooks", "/absolute"])
def test_the_hook_goes_where_git_looks_for_hooks(world: World, tmp_path: Path, folder: str) -> None:
    folder = str(tmp_path) + folder if folder.startswith("/") else folder
    world.git("config", "core.hooksPath", folder)
    (world.path / "below").mkdir()
    assert world.cto("-C", "below", "init", "--hook").code == 0
    assert os.access(hook(world, folder), os.X_OK)
    assert not hook(world).exists()


def test_hooks_that_all_repositories_share_are_left_alone(world: World, tmp_path: Path) -> None:
    world.git("config", "--global", "core.hooksPath", str(tmp_path / "shared"))
    done = world.cto("init", "--hook")
    assert (done.code, "of all your repositories" in done.err) == (2, True), done.text
    assert not (tmp_path / "shared").exists()
    command = done.err.split("Next: ")[1].partition(",")[0]
    subprocess.run(["sh", "-c", command], cwd=world.path, check=True)
    assert world.cto("init", "--hook").code == 0
    assert hook(world).is_file()


def test_hooks_that_are_switched_off_are_said_plainly(world: World) -> None:
    world.git("config", "core.hooksPath", "/dev/null")
    done = world.cto("init", "--hook")
    assert (done.code, "/dev/null/pre-push cannot be written" in done.err) == (2, True), done.text


def test_a_linked_worktree_shares_the_hook_and_gets_the_policy(world: World, tmp_path: Path) -> None:
    world.git("worktree", "add", "--quiet", str(tmp_path / "second"))
    assert world.cto("-C", str(tmp_path / "second"), "init", "--hook").code == 0
    assert hook(world).is_file()
    assert (tmp_path / "second/.cto/config.toml").is_file()
    assert not (world.path / ".cto").exists()


# ---- places and output ---------------------------------------------------------------------------------------------


def test_outside_of_a_repository(world: World, tmp_path: Path) -> None:
    done = world.cto("-C", str(tmp_path), "init")
    assert (done.code, "is not in a git repository" in done.err) == (2, True), done.text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["repo"]


def test_in_a_bare_repository(world: World, tmp_path: Path) -> None:
    world.git("clone", "--quiet", "--bare", ".", str(tmp_path / "bare.git"))
    for argv in (["init"], ["init", "--hook"]):
        done = world.cto("-C", str(tmp_path / "bare.git"), *argv)
        assert (done.code, "bare" in done.err, "Next: " in done.err) == (2, True, True), done.text
    assert not (tmp_path / "bare.git/hooks/pre-push").exists()


def test_before_the_first_commit(world: World, tmp_path: Path) -> None:
    world.git("init", "--quiet", str(tmp_path / "new"))
    assert world.cto("-C", str(tmp_path / "new"), "init", "--hook").code == 0


def test_json_says_what_was_done_and_what_comes_next(world: World) -> None:
    said = world.cto("init", "--hook", "--json").json
    assert said["schema"] == "git-cto/init/v1"
    assert len(said["done"]) == 2
    assert said["next"].startswith("git add .cto")
    assert world.cto("init", "--json").json["next"] == "git cto doctor"


def test_the_next_step_can_be_typed(world: World) -> None:
    command = world.cto("init", "--json").json["next"]
    subprocess.run(["sh", "-c", command], cwd=world.path, check=True, capture_output=True)
    assert world.git("status", "--porcelain") == ""


def test_init_starts_without_what_it_does_not_need(world: World) -> None:
    loaded = "import sys, git_cto.work.setting_up, git_cto.work.pushing; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert not {"pydantic", "git", "github", "rich"} & set(done.stdout.split())


# ---- the remote that is meant --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "remotes, said",
    [
        ([], "There is no remote"),
        (["one", "two"], "There are 2 remotes and none is called origin: one, two."),
    ],
)
def test_sync_says_which_remotes_there_are_when_none_is_meant(world: World, remotes: list[str], said: str) -> None:
    for remote in remotes:
        world.git("remote", "add", remote, f"../{remote}.git")
    done = world.cto("sync")
    assert (done.code, said in done.err, "Next: git " in done.err) == (2, True, True), done.text


@pytest.mark.parametrize("remotes", [["origin", "another"], ["only"]])
def test_sync_means_origin_or_the_only_remote(world: World, tmp_path: Path, remotes: list[str]) -> None:
    for remote in remotes:
        world.git("init", "--quiet", "--bare", str(tmp_path / f"{remote}.git"))
        world.git("remote", "add", remote, f"../{remote}.git")
    done = world.cto("sync", "--json")
    assert (done.code, done.json["remote"]) == (0, remotes[0]), done.text
