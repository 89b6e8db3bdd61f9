"""Records travel between clones, and nobody's get lost on the way."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from git_cto.errors import ToolError, UsageError
from git_cto.ledger import sync as syncing
from git_cto.ledger.notes import RECORDS_REF, SHADOW_REF, remote_ref
from git_cto.ledger.sync import Synced, dangerous_refspecs, sync, wanted_refspec
from tests.http_git import GitServer, refuse_pushes
from tests.ledger.world import Repo, end, new_repo

if TYPE_CHECKING:
    from pathlib import Path

    from pytest import MonkeyPatch  # noqa: PT013 -- a type


def _sync(repo: Repo, remote: str = "origin") -> Synced:
    return sync(repo.git, remote, prompt=False)


def _add(repo: Repo, line: str, *names: str) -> None:
    repo.notes.append([repo.thing(name) for name in names or ("head",)], line.encode())


@pytest.fixture
def pair(repo: Repo, hub: Repo) -> tuple[Repo, Repo]:
    """Two repositories with the same remote."""
    return repo, hub.clone("second")


# ---- exchange


def test_nothing_to_exchange(repo: Repo, hub: Repo) -> None:
    assert _sync(repo) == Synced(received=0, sent=0, rounds=1)
    assert hub.tip() == ""


def test_records_arrive_and_come_back(pair: tuple[Repo, Repo], hub: Repo) -> None:
    one, two = pair
    _add(one, "one", "head", "change")
    _add(two, "two", "head")
    assert _sync(one) == Synced(received=0, sent=1, rounds=1)
    assert _sync(two) == Synced(received=1, sent=1, rounds=1)
    assert _sync(one) == Synced(received=1, sent=0, rounds=1)
    assert _sync(two) == Synced(received=0, sent=0, rounds=1)
    assert one.tip() == two.tip() == hub.tip() == one.tip(remote_ref("origin"))
    assert one.lines("head") == two.lines("head") == hub.lines("head") == {b"one", b"two"}
    assert one.run("for-each-ref", "refs/notes", "--format=%(refname)").splitlines() == [
        "refs/notes/cto-records",
        "refs/notes/cto-remote/origin",
    ]


def test_a_remote_that_moves_between_fetch_and_push(
    pair: tuple[Repo, Repo], hub: Repo, monkeypatch: MonkeyPatch
) -> None:
    one, two = pair
    push, moves = syncing._push, ["a", "b"]

    def late(*args: object, **options: object) -> bool:
        if moves:
            _add(two, moves.pop())
            two.run("fetch", "--quiet", "origin", f"+{RECORDS_REF}*:refs/seen*")
            if seen := two.tip("refs/seen"):
                two.notes.unite(seen)
            two.run("push", "--quiet", "origin", RECORDS_REF)
        return push(*args, **options)  # type: ignore[arg-type]

    _add(one, "one")
    monkeypatch.setattr(syncing, "_push", late)
    assert _sync(one) == Synced(received=2, sent=1, rounds=3)
    assert hub.lines("head") == {b"one", b"a", b"b"}


def test_a_remote_that_never_stands_still(pair: tuple[Repo, Repo], monkeypatch: MonkeyPatch) -> None:
    one, _ = pair
    _add(one, "one")
    monkeypatch.setattr(syncing, "_push", lambda *_, **__: False)
    monkeypatch.setattr(syncing, "LONGEST_PAUSE", 0.0)
    monkeypatch.setattr(syncing, "ROUNDS", 3)
    with pytest.raises(ToolError, match="kept moving") as told:
        _sync(one)
    assert told.value.code == "busy"
    assert one.lines("head") == {b"one"}


def test_four_clones_race_over_http(repo: Repo, hub: Repo, server: GitServer) -> None:
    clones = [hub.clone(f"clone{n}", url=server.url("hub.git")) for n in range(4)]
    script = (
        "import os, sys; from git_cto.ledger.notes import Notes; from git_cto.ledger.sync import sync;"
        "from git_cto.repo.git import Git, discover; git = Git(discover('.', os.environ), os.environ)\n"
        "for n in range(3):\n"
        "    Notes(git).append([sys.argv[2]], f'{sys.argv[1]} {n}'.encode()); sync(git, 'origin', prompt=False)"
    )
    racing = [
        subprocess.Popen(
            [sys.executable, "-c", script, f"clone{n}", clone.thing("head")],
            cwd=clone.path, env=clone.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for n, clone in enumerate(clones)
    ]  # fmt: skip
    for code, _, err in map(end, racing):
        assert code == 0, err
    wanted = {b"clone%d %d" % (clone, n) for clone in range(4) for n in range(3)}
    assert hub.lines("head") == wanted
    for clone in clones:
        _sync(clone)
        assert clone.lines("head") == wanted
    hub.run("fsck", "--strict")


def test_a_partial_clone_gets_the_notes_whole(repo: Repo, hub: Repo, server: GitServer) -> None:
    hub.run("config", "uploadpack.allowFilter", "true")
    _add(repo, "one")
    _sync(repo)
    partial = hub.clone("partial", "--filter=blob:none", "--no-checkout", url=server.url("hub.git"))
    assert _sync(partial).received == 1
    server.status = 500
    assert partial.lines("head") == {b"one"}


def test_a_shallow_clone_takes_part(repo: Repo, hub: Repo, server: GitServer) -> None:
    repo.commit("second")
    repo.run("push", "--quiet", "origin", "main")
    for number in range(3):
        _add(repo, f"line {number}")
    _sync(repo)
    shallow = hub.clone("shallow", "--depth=1", url=server.url("hub.git"))
    _add(shallow, "shallow")
    assert _sync(shallow) == Synced(received=3, sent=1, rounds=1)
    assert _sync(repo) == Synced(received=1, sent=0, rounds=1)


# ---- what others did to the refs


def test_a_ref_forced_back_here_is_restored(pair: tuple[Repo, Repo], hub: Repo) -> None:
    one, _ = pair
    _add(one, "old")
    _sync(one)
    _add(one, "unsent")
    one.run("fetch", "--quiet", "origin", "+refs/notes/*:refs/notes/*")
    assert one.lines("head") == {b"old"}
    assert _sync(one) == Synced(received=1, sent=1, rounds=1)
    assert one.lines("head") == hub.lines("head") == {b"old", b"unsent"}


def test_what_the_remote_once_had_is_restored_here_and_there(pair: tuple[Repo, Repo], hub: Repo) -> None:
    one, _ = pair
    _add(one, "one")
    _sync(one)
    for ref in (RECORDS_REF, SHADOW_REF):
        one.run("update-ref", "-d", ref)
    hub.run("update-ref", "-d", RECORDS_REF)
    assert _sync(one) == Synced(received=1, sent=1, rounds=1)
    assert one.lines("head") == hub.lines("head") == {b"one"}


def test_a_note_deleted_on_the_remote_comes_back(pair: tuple[Repo, Repo], hub: Repo) -> None:
    one, two = pair
    _add(one, "one")
    _sync(one)
    _sync(two)
    two.run("notes", f"--ref={RECORDS_REF}", "remove", two.thing("head"))
    two.run("push", "--quiet", "origin", RECORDS_REF)
    assert hub.lines("head") == set()
    assert _sync(one) == Synced(received=0, sent=1, rounds=1)
    assert hub.lines("head") == {b"one"}
    _sync(two)
    assert two.lines("head") == {b"one"}


# ---- the user's configuration


def test_the_users_configuration_does_not_interfere(pair: tuple[Repo, Repo], hub: Repo) -> None:
    one, two = pair
    _add(two, "two")
    _sync(two)
    two.run("tag", "-a", "-m", "x", "v1")
    two.run("push", "--quiet", "origin", "v1")
    for key, value in {
        "fetch.prune": "true",
        "fetch.pruneTags": "true",
        "fetch.recurseSubmodules": "true",
        "remote.origin.mirror": "true",
        "remote.origin.tagOpt": "--tags",
        "remote.origin.push": "refs/heads/*:refs/heads/*",
        "push.followTags": "true",
        "push.default": "matching",
        "push.gpgSign": "if-asked",
        "push.pushOption": "ci.skip",
        "push.recurseSubmodules": "on-demand",
        "push.useForceIfIncludes": "true",
        "core.hooksPath": "hooks",
    }.items():
        one.run("config", key, value)
    one.run("config", "--add", "remote.origin.fetch", "+refs/notes/*:refs/notes/*")
    for name in ("pre-push", "reference-transaction"):
        hook = one.path / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text("#!/bin/sh\nexit 1\n")
        hook.chmod(0o755)
    _add(one, "one")
    one.notes.append([one.thing("local")], b"kept")
    before = hub.run("for-each-ref", "--format=%(refname)")
    assert _sync(one) == Synced(received=1, sent=2, rounds=1)
    assert one.lines("head") == hub.lines("head") == {b"one", b"two"}
    assert hub.run("for-each-ref", "--format=%(refname)") == before
    assert one.run("tag") == ""
    assert not (one.path / ".git" / "FETCH_HEAD").exists()


def test_a_push_url_that_is_another_repository_is_united_with_too(pair: tuple[Repo, Repo], hub: Repo) -> None:
    one, two = pair
    fork = new_repo(hub.path.parent / "fork.git", hub.env, "--bare")
    one.run("config", "remote.origin.pushurl", str(fork.path))
    two.run("remote", "add", "fork", str(fork.path))
    _add(two, "in the fork")
    _sync(two, "fork")
    _add(one, "one")
    assert _sync(one).rounds == 2
    assert one.lines("head") == fork.lines("head") == {b"one", b"in the fork"}


def test_a_plain_fetch_works_before_the_remote_has_records_and_brings_them_when_it_has(pair: tuple[Repo, Repo]) -> None:
    one, two = pair
    for remote in ("origin", "origin2"):
        two.run("config", "--add", f"remote.{remote}.fetch", wanted_refspec(remote))
    two.run("fetch", "--quiet")
    _add(one, "one")
    _sync(one)
    two.run("update-ref", remote_ref("origin2"), two.run("rev-parse", "HEAD"))
    two.run("fetch", "--quiet", "--prune")
    assert two.tip(remote_ref("origin")) == one.tip()
    assert two.tip(remote_ref("origin2")), "the records of another remote were pruned"
    assert two.tip() == "", "a fetch wrote into the ledger itself"


def test_dangerous_refspecs_are_named(repo: Repo, hub: Repo) -> None:
    repo.run("config", "--add", "remote.origin.fetch", wanted_refspec("origin"))
    repo.run("config", "--add", "remote.origin.fetch", "^refs/notes/secret")
    assert dangerous_refspecs(repo.git) == []
    bad = [
        "remote.origin.fetch +refs/notes/*:refs/notes/*",
        "remote.origin.fetch refs/notes/cto*:refs/notes/cto*",
        "remote.origin.fetch +refs/*:refs/*",
        "remote.up.stream.fetch refs/x:refs/notes/cto-records",
        "remote.up.stream.fetch refs/notes/cto:refs/notes/cto",
        "remote.up.stream.fetch +refs/cto/*:refs/cto/*",
    ]
    for setting in bad:
        repo.run("config", "--add", *setting.split(" "))
    assert dangerous_refspecs(repo.git) == bad


def test_a_mirror_is_dangerous(repo: Repo, hub: Repo) -> None:
    mirror = hub.clone("mirror.git", "--mirror")
    assert dangerous_refspecs(mirror.git) == ["remote.origin.fetch +refs/*:refs/*"]


# ---- refusals


def test_there_is_no_such_remote(repo: Repo) -> None:
    for name in ("upstream", "", "--upload-pack=touch x", "orig.n"):
        with pytest.raises(UsageError, match="no remote called"):
            _sync(repo, name)


def _refused(repo: Repo) -> ToolError:
    _add(repo, "mine")
    with pytest.raises(ToolError) as told:
        _sync(repo)
    assert repo.lines("head") >= {b"mine"}
    assert "stay here" in told.value.message
    assert told.value.hint
    return told.value


@pytest.fixture
def served(repo: Repo, server: GitServer) -> Repo:
    """A repository whose origin is on HTTP."""
    repo.run("remote", "set-url", "origin", server.url("hub.git"))
    return repo


def test_refused_by_a_hook(served: Repo, hub: Repo) -> None:
    refuse_pushes(hub.path, "\033[31mno notes here")
    error = _refused(served)
    assert error.code == "hook_declined"
    assert "no notes here" in error.message
    assert "\033" not in error.message


def test_refused_by_a_protection(served: Repo, hub: Repo) -> None:
    refuse_pushes(hub.path, "error: GH013: Repository rule violations found for refs/notes/cto-records.")
    assert _refused(served).code == "protected"


def test_no_permission_over_http(served: Repo, server: GitServer) -> None:
    server.status = 403
    assert _refused(served).code == "no_permission"


def test_login_needed(served: Repo, server: GitServer) -> None:
    server.token = "s3cret"
    error = _refused(served)
    assert error.code == "not_logged_in"
    assert "git ls-remote origin" in error.hint


def test_a_wrong_token_is_not_shown(served: Repo, server: GitServer) -> None:
    server.token = "wr0ng"
    served.run("remote", "set-url", "origin", server.url("hub.git", with_token=True))
    server.token = "s3cret"
    error = _refused(served)
    assert error.code == "not_logged_in"
    assert "wr0ng" not in error.message + error.hint


def test_a_token_in_the_users_configuration_is_used(served: Repo, server: GitServer) -> None:
    server.token = "s3cret"
    served.run("remote", "set-url", "origin", server.url("hub.git", with_token=True))
    _add(served, "mine")
    assert _sync(served).sent == 1


def test_the_server_fails(served: Repo, server: GitServer) -> None:
    server.status = 503
    assert _refused(served).code == "no_network"


def test_nobody_listens(served: Repo, hub: Repo) -> None:
    with GitServer(hub.path.parent) as gone:
        url = gone.url("hub.git")
    served.run("remote", "set-url", "origin", url)
    assert _refused(served).code == "no_network"


def test_the_repository_is_not_there(served: Repo, server: GitServer, tmp_path: Path) -> None:
    served.run("remote", "set-url", "origin", server.url("other.git"))
    assert _refused(served).code == "not_found"
    served.run("remote", "set-url", "origin", str(tmp_path / "nowhere"))
    assert _refused(served).code == "not_found"


def test_what_was_received_before_a_refusal_is_kept(pair: tuple[Repo, Repo], hub: Repo) -> None:
    one, two = pair
    _add(two, "two")
    _sync(two)
    refuse_pushes(hub.path, "closed")
    _refused(one)
    assert one.lines("head") == {b"mine", b"two"}


def test_the_remote_disappears_and_records_do_not(repo: Repo, hub: Repo) -> None:
    _add(repo, "mine")
    _sync(repo)
    shutil.rmtree(hub.path)
    assert _refused(repo).code == "not_found"
