"""`git cto sync`: two people, two clones, one ledger, through the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from git_cto.work import keeping
from tests.cli.scenes import THREE, TWO, changed, do, ledger, records
from tests.cli.signed import team
from tests.http_git import GitServer
from tests.world import World


@pytest.fixture
def hub(world: World, tmp_path: Path) -> Path:
    """A bare repository that `world` calls origin."""
    path = tmp_path / "served" / "hub.git"
    path.parent.mkdir()
    world.git("clone", "--quiet", "--bare", str(world.path), str(path))
    world.git("remote", "add", "origin", str(path))
    world.git("fetch", "--quiet", "origin")
    return path


def clone(world: World, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Another person's clone."""
    other = World(tmp_path / "other", monkeypatch)
    other.git("clone", "--quiet", url, ".")
    return other


def test_a_verdict_travels_to_another_clone_and_opens_its_gate(
    world: World, hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed(world)
    assert world.reviewed().code == 0
    world.git("push", "--quiet", "origin", "topic")
    said = world.cto("sync")
    assert (said.code, said.out) == (0, "origin: 0 records received, 1 record sent.\n"), said.text
    other = clone(world, str(hub), tmp_path, monkeypatch)
    other.git("switch", "--quiet", "topic")
    assert other.cto("gate").code == 1
    said = other.cto("sync", "--json")
    assert (said.code, said.json["received"], said.json["sent"]) == (0, 1, 0)
    assert other.cto("gate").code == 0
    assert other.ask([], "review").requests == ()
    assert records(other) == records(world)


def test_what_came_in_is_shown_by_git_as_where_it_was_recorded(
    world: World, hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signing = team(world, tmp_path / "keys", monkeypatch)
    first = world.head
    signing.let_in(signing.ben, reason="Looked at it")
    world.commit("Say 3", app__py=THREE)
    signing.refused(signing.cleo)
    for name in ("main", "topic"):
        world.git("push", "--quiet", "--force", "origin", name)
    assert world.cto("sync").code == 0
    other = clone(world, str(hub), tmp_path, monkeypatch)
    assert other.cto("sync").code == 0
    log = ("log", "--notes=cto", "--format=%H %N", "origin/topic")
    told = other.git(*log)
    assert f"{first} override · by Ada · signed, not checked\nLooked at it" in told
    assert "\nrevise" not in told.partition(first)[2]
    assert f"{world.head} revise · round 1" in told
    tip = other.git("rev-parse", "refs/notes/cto")
    assert other.cto("sync").code == 0
    assert other.git("rev-parse", "refs/notes/cto") == tip, "what is shown already is not written again"
    assert world.git(*log[:-1], "topic") == told


def test_what_is_shown_of_what_came_in_is_limited(
    world: World, hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes to the notes must not make everybody's sync slow, nor a long history."""
    changed(world)
    assert world.cto("override", "--reason", "Older").code == 0
    older = world.head
    world.commit("Say 3", app__py=THREE)
    assert world.cto("override", "--reason", "Newer").code == 0
    world.git("push", "--quiet", "origin", "topic")
    assert world.cto("sync").code == 0
    monkeypatch.setattr(keeping, "MOST_SHOWN", 1)
    other = clone(world, str(hub), tmp_path, monkeypatch)
    assert other.cto("sync").code == 0
    assert other.git("notes", "--ref=cto", "list").split()[1::2] == [world.head]
    monkeypatch.setattr(keeping, "MOST_SHOWN", 10)
    monkeypatch.setattr(keeping, "MOST_READ", 10)
    other.git("update-ref", "-d", "refs/notes/cto")
    assert other.cto("sync").code == 0
    assert other.git("rev-parse", "--verify", "--quiet", "refs/notes/cto", ok=False) == ""
    monkeypatch.setattr(keeping, "MOST_READ", 1 << 20)
    assert other.cto("sync").code == 0
    assert set(other.git("notes", "--ref=cto", "list").split()[1::2]) == {world.head, older}


def test_a_signature_for_a_record_that_is_there_is_no_other_record(
    world: World, hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signing = team(world, tmp_path / "keys", monkeypatch)
    for name in ("main", "topic"):
        world.git("push", "--quiet", "--force", "origin", name)
    signing.approved(signing.ben)
    assert world.cto("sync").out == "origin: 0 records received, 1 record sent.\n"
    early = clone(world, str(hub), tmp_path, monkeypatch)
    assert early.cto("sync").out == "origin: 1 record received, 0 records sent.\n"
    world.git("switch", "--quiet", "topic")
    assert signing.cosigned(signing.cleo).code == 0
    assert world.cto("sync").out == "origin: 0 records received, 1 more signature sent.\n"
    assert early.cto("sync").out == "origin: 1 more signature received, 0 records sent.\n"
    early.git("update-ref", "-d", "refs/notes/cto-records")
    early.git("update-ref", "-d", "refs/cto/records")
    early.git("update-ref", "-d", "refs/notes/cto-remote/origin")
    said = early.cto("sync", "--json").json
    assert (said["received"], said["signatures_received"], said["sent"], said["signatures_sent"]) == (1, 1, 0, 0)


def test_two_clones_that_wrote_at_once_both_keep_everything(
    world: World, hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 54: on the same commit, even."""
    changed(world)
    world.git("push", "--quiet", "origin", "topic")
    other = clone(world, str(hub), tmp_path, monkeypatch)
    other.git("switch", "--quiet", "topic")
    assert world.cto("override", "--reason", "Here").code == 0
    assert other.cto("override", "--reason", "There").code == 0
    for one in (world, other, world):
        assert one.cto("sync").code == 0
    assert {one["body"]["reason"] for one in records(world)} == {"Here", "There"}
    assert records(world) == records(other)
    assert ledger(world) == other.git("ls-remote", "origin", "refs/notes/cto-records").split()[0]


def test_a_ledger_that_was_forced_back_closes_the_gate_and_sync_restores_it(world: World, hub: Path) -> None:
    """Case 55."""
    changed(world)
    assert world.reviewed().code == 0
    assert world.cto("sync").code == 0
    world.git("update-ref", "-d", "refs/notes/cto-records")
    assert world.cto("gate").code == 1
    said = world.cto("sync")
    assert said.code == 0, said.text
    assert world.cto("gate").code == 0


def test_a_run_that_was_planned_elsewhere_goes_on_here(
    world: World, hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Branches by git, plan and verdicts by sync."""
    run = world.planned()
    world.git("push", "--quiet", "origin", f"cto/{run}/trunk")
    world.cto("sync")
    other = clone(world, str(hub), tmp_path, monkeypatch)
    said = other.cto("tasks", run)
    assert (said.code, "git cto sync, if it was planned elsewhere" in said.err) == (2, True), said.text
    assert other.cto("sync").code == 0
    said = other.cto("start", "t1", "--run", run)
    assert (said.code, "git fetch" in said.err) == (2, True), said.text
    other.git("branch", "--quiet", f"cto/{run}/trunk", f"origin/cto/{run}/trunk")
    assert do(other, "t1", "app.py", TWO).code == 0
    assert other.reviewed().code == 0
    other.git("push", "--quiet", "origin", f"cto/{run}/trunk")
    assert other.cto("sync").code == 0
    world.git("fetch", "--quiet", "origin")
    assert world.cto("sync").code == 0
    assert world.cto("gate", f"origin/cto/{run}/trunk").code == 0


def test_sync_over_http(world: World, hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed(world)
    world.git("push", "--quiet", "origin", "topic")
    world.reviewed(verdict="revise")
    with GitServer(hub.parent, token="t0ken-t0ken-t0ken") as server:
        world.git("remote", "set-url", "origin", server.url("hub.git", with_token=True))
        said = world.cto("sync")
        assert (said.code, said.out) == (0, "origin: 0 records received, 1 record sent.\n"), said.text
        other = clone(world, server.url("hub.git", with_token=True), tmp_path, monkeypatch)
        other.git("switch", "--quiet", "topic")
        assert other.cto("sync").code == 0
        other.commit("Say 3", app__py=THREE)
        assert other.reviewed().json["round"] == 2
        assert other.cto("sync").code == 0
        assert world.cto("sync", "--json").json["received"] == 1
        assert len(records(world)) == 2


@pytest.mark.parametrize(
    "situation, code, words, hint",
    [
        ("wrong token", 3, "wants to know who you are", "git ls-remote"),
        ("read only", 3, "You may not push", "ask for write access"),
        ("broken", 3, "cannot be reached", "try again"),
        ("gone", 3, "is not there", "git remote -v"),
    ],
)
def test_a_remote_that_refuses_is_said_plainly(
    world: World, hub: Path, situation: str, code: int, words: str, hint: str
) -> None:
    """And the records stay here; no token is shown."""
    changed(world)
    world.cto("override", "--reason", "x")
    before = ledger(world)
    with GitServer(hub.parent, token="t0ken-t0ken-t0ken") as server:
        url = server.url("hub.git", with_token=True)
        if situation == "wrong token":
            url = url.replace("t0ken-t0ken-t0ken", "wr0ng-wr0ng-wr0ng")
        elif situation == "gone":
            url = url.replace("hub.git", "nothing.git")
        world.git("remote", "set-url", "origin", url)
        server.status = {"read only": 403, "broken": 500}.get(situation, 0)
        said = world.cto("sync")
    assert said.code == code, said.text
    assert words in said.err
    assert hint in said.err
    assert "wr0ng-wr0ng" not in said.text
    assert "t0ken-t0ken" not in said.text
    assert ledger(world) == before


def test_without_a_remote_or_with_an_unknown_one_it_is_a_usage_error(world: World) -> None:
    for argv in (["sync"], ["sync", "nowhere"], ["sync", "--upload-pack=x"]):
        said = world.cto(*argv)
        assert said.code == 2, said.text
        assert "Next: " in said.err
