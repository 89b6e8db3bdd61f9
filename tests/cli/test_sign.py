"""What is recorded is signed where git signs commits or somebody wants it; nobody is asked, and nothing is lost."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from git_cto.demo.server import Request, message
from git_cto.ledger.sshsig import fingerprint
from git_cto.work.checking_repository import check_repository
from git_cto.work.workspace import Workspace
from tests.cli.scenes import LEDGER, THREE, TWO, changed, hook, ledger, records, saying
from tests.cli.signed import SIGNED, Team, team
from tests.gate.values import seen
from tests.keys import Key, new_key
from tests.world import Said, World, head_of, plan_answer, review_answer, review_reply


@pytest.fixture(name="team")
def _team(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Team:
    return team(world, tmp_path / "keys", monkeypatch)


@pytest.fixture
def key(tmp_path: Path) -> Key:
    return new_key(tmp_path / "keys")


def signs_commits(world: World, key: Key) -> None:
    """git signs commits here, with this key."""
    for name, value in (("gpg.format", "ssh"), ("user.signingkey", str(key.path)), ("commit.gpgsign", "true")):
        world.git("config", name, value)


def keyids(world: World) -> list[str]:
    """The keys of all signatures in the ledger."""
    lines = world.git("notes", "--ref=cto-records", "show", "HEAD").splitlines()
    return [one["keyid"] for line in lines if line for one in json.loads(line)["signatures"]]


# ---- when


def test_where_git_signs_nothing_nothing_is_signed(world: World) -> None:
    changed(world)
    assert world.cto("override", "--reason", "Fine").code == 0
    assert keyids(world) == []


def test_where_git_signs_commits_every_kind_of_record_is_signed(world: World, key: Key) -> None:
    signs_commits(world, key)
    world.planned_by_codex()
    assert world.cto("start", "t1").code == 0
    world.write("app.py", TWO)
    assert world.cto("finish", "-m", "Did it").code == 0
    assert world.reviewed("--head", "HEAD", verdict="abort").code == 4
    assert world.cto("continue", "--reason", "Go on").code == 0
    assert world.cto("override", "--reason", "Fine").code == 0
    found = {one["kind"]: one["signatures"] for one in records(world)}
    assert found == {"plan": 1, "verdict": 1, "continue": 1, "override": 1}
    assert set(keyids(world)) == {fingerprint(key.blob)}


def test_openpgp_and_keys_without_a_wish_sign_nothing(world: World, key: Key) -> None:
    changed(world)
    world.git("config", "gpg.format", "ssh")
    world.git("config", "user.signingkey", str(key.path))
    assert world.cto("override", "--reason", "Fine").code == 0
    world.git("config", "commit.gpgsign", "true")
    world.git("config", "gpg.format", "openpgp")
    assert world.cto("override", "--reason", "Fine again").code == 0
    assert keyids(world) == []


def test_the_option_comes_before_the_setting_and_the_setting_before_git(world: World, key: Key) -> None:
    changed(world)
    signs_commits(world, key)
    said = ["override", "--reason", "Fine"]
    for argv, setting, signed in (
        ([*said, "--no-sign"], None, 0),
        (said, "false", 0),
        ([*said, "--sign"], "false", 1),
        ([*said, "--no-sign"], "true", 1),
        (said, "true", 2),
    ):
        if setting:
            world.git("config", "cto.sign", setting)
        done = world.cto(*argv)
        assert done.code == 0, done.text
        assert len(keyids(world)) == signed


def test_a_setting_that_is_no_truth_is_told_of(world: World) -> None:
    changed(world)
    world.git("config", "cto.sign", "maybe")
    said = world.cto("override", "--reason", "Fine")
    assert (said.code, ledger(world)) == (2, "")
    assert "git config cto.sign is 'maybe', which is neither true nor false." in said.err


# ---- what stands in the way


@pytest.mark.parametrize("argv", [("plan", "Say 2"), ("review",), ("run", "Say 2"), ("override", "--reason", "Fine")])
def test_a_key_that_does_not_sign_stops_before_anything_is_paid_for(
    world: World, tmp_path: Path, argv: tuple[str, ...]
) -> None:
    changed(world)
    locked = new_key(tmp_path / "keys", passphrase="open sesame")
    world.git("config", "gpg.format", "ssh")
    world.git("config", "user.signingkey", str(locked.path))
    said = world.ask([], *argv, "--sign")
    assert (said.code, said.requests, ledger(world)) == (2, (), ""), said.text
    assert "needs a passphrase, and nobody is asked for one here." in said.err
    assert f"Next: eval $(ssh-agent) && ssh-add {locked.path}, or --no-sign" in " ".join(said.err.split())
    as_json = world.ask([], *argv, "--sign", "--json").json
    assert (as_json["error"]["code"], as_json["exit_code"]) == ("cannot_sign", 2)


def test_without_a_key_it_says_how_to_have_one(world: World) -> None:
    changed(world)
    said = world.cto("override", "--reason", "Fine", "--sign")
    assert (said.code, ledger(world)) == (2, "")
    assert "There is no key to sign with." in said.err
    assert "git config user.signingkey" in said.err


def test_where_git_only_would_sign_a_broken_key_is_said_and_nothing_is_stopped(world: World, tmp_path: Path) -> None:
    changed(world)
    signs_commits(world, new_key(tmp_path / "keys", passphrase="open sesame"))
    said = world.reviewed()
    assert said.code == 0, said.text
    assert keyids(world) == []
    assert said.err.count("note: nothing is signed: The signing key") == 1
    assert "ssh-add" in said.err


def test_a_key_that_goes_while_the_model_thinks_costs_no_verdict(world: World, key: Key) -> None:
    """It is kept unsigned, it is said, and git cto sign signs it."""
    changed(world)
    world.git("config", "cto.sign", "true")
    signs_commits(world, key)
    private = key.private

    def answer(request: Request) -> Any:  # noqa: ANN401 -- a reply
        key.path.unlink()
        return message(json.dumps(review_answer(head_of(request.user_text))))

    said = world.ask([answer], "review")
    assert said.code == 0, said.text
    assert "note: what was recorded is not signed: The signing key" in said.err
    assert "git cto sign signs it later" in " ".join(said.err.split())
    assert keyids(world) == []
    key.path.write_text(private)
    key.path.chmod(0o600)
    done = world.cto("sign")
    assert done.code == 0, done.text
    assert keyids(world) == [fingerprint(key.blob)]


def test_a_dry_run_signs_nothing_and_needs_no_key(world: World) -> None:
    changed(world)
    world.git("config", "cto.sign", "true")
    assert world.cto("review", "--dry-run").code == 0
    assert world.cto("plan", "Say 2", "--dry-run").code == 0


# ---- a key from the environment


def test_a_key_of_the_environment_signs_and_reaches_nothing_but_ssh_keygen(
    world: World, key: Key, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed(world)
    seen = tmp_path / "seen"
    hook(world, "pre-commit", f"env >> {seen}\n")
    monkeypatch.setenv("GIT_CTO_SIGNING_KEY", key.private)
    secret = key.private.splitlines()[2]
    verify = f"env >> {seen}"
    said = world.ask(
        saying(json.dumps(plan_answer(verification={"commands": [verify], "expected": ""}))), "plan", "Say 2"
    )
    assert said.code == 0, said.text
    assert world.cto("start", "t1").code == 0
    world.write("app.py", THREE)
    assert world.cto("finish", "-m", "Did it").code == 0
    done = world.ask([review_reply()], "review", "--verify", "--allow-commands")
    assert done.code == 0, done.text
    assert keyids(world) == [fingerprint(key.blob)]
    assert "PATH=" in seen.read_text()
    kept = "".join(path.read_text() for path in (world.path / ".codex-cto").rglob("*") if path.is_file())
    for text in (seen.read_text(), kept, said.text, done.text, said.question(), done.question()):
        assert secret not in text


def test_the_key_of_the_environment_is_hidden_in_whatever_is_said(
    world: World, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed(world)
    monkeypatch.setenv("GIT_CTO_SIGNING_KEY", key.private)
    line = key.private.splitlines()[2]
    said = world.ask([review_reply(summary=f"It has {line} in it.")], "review", f"I used {line}.")
    assert said.code == 0, said.text
    assert "I used [redacted]." in said.question()
    assert "It has [redacted] in it." in said.out
    assert line not in said.text + said.question() + world.git("log", "-p", LEDGER)


def test_a_broken_key_of_the_environment_stops_everything_and_is_not_shown(
    world: World, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed(world)
    lines = key.private.splitlines()
    monkeypatch.setenv("GIT_CTO_SIGNING_KEY", "\n".join([*lines[:2], *lines[3:]]))
    said = world.ask([], "review")
    assert (said.code, said.requests) == (2, ()), said.text
    assert "The key in GIT_CTO_SIGNING_KEY" in said.err
    assert not any(line in said.text for line in lines[1:-1])


# ---- git cto sign


def signed_ids(said: Said) -> list[str]:
    assert said.code == 0, said.text
    return list(said.json["signed"])


def test_a_second_signer_adds_a_signature_to_the_same_record(team: Team) -> None:
    record = team.approved(team.ben)
    said = team.cosigned(team.cleo, "--json")
    assert signed_ids(said) == [record.id]
    assert said.json["key"] == fingerprint(team.cleo.blob)
    assert said.json["notes"] == []
    (one,) = records(team.world)
    assert (one["id"], one["signatures"]) == (record.id, 2)
    assert "signed by ben@example.org, cleo@example.org" in " ".join(team.open().split())


def test_what_was_recorded_unsigned_is_signed_later(team: Team) -> None:
    assert team.reviewed(None).code == 0
    team.closed()
    said = team.cosigned(team.ben)
    assert said.code == 0, said.text
    assert f"Signed with {fingerprint(team.ben.blob)}:" in said.out
    assert "approve" in said.out
    assert "[signed by ben@example.org]" in said.out
    team.open()


def test_signing_twice_adds_nothing(team: Team) -> None:
    record = team.approved(team.ben)
    before = ledger(team.world)
    said = team.cosigned(team.ben, "--json")
    assert (signed_ids(said), said.json["signed_before"]) == ([], [record.id])
    assert ledger(team.world) == before
    assert "already" in team.cosigned(team.ben).out


def test_overrides_and_the_plan_are_signed_with_the_approval(team: Team) -> None:
    team.world.git("switch", "--quiet", "main")
    run = team.world.planned()
    assert team.world.cto("start", "t1").code == 0
    team.world.write("app.py", THREE)
    assert team.world.cto("finish", "-m", "Did it").code == 0
    team.overridden(None)
    assert sorted(one["kind"] for one in records(team.world)) == ["override", "plan"]
    assert len(signed_ids(team.cosigned(team.ben, "--overrides", "--json"))) == 2
    assert len(signed_ids(team.cosigned(team.cleo, f"cto/{run}/trunk", "--json"))) == 2
    team.open()


def test_an_override_that_somebody_planted_is_not_signed_by_the_way(team: Team) -> None:
    """Whoever may write to the notes can record one in any name; who co-signs an approval must not let in with it."""
    team.world.write(".github/workflows/ci.yml", "on: push\n")
    team.world.commit("More rights")
    approval = team.approved(team.ci, coverage=seen(2))
    planted = team.let_in()
    said = team.cosigned(team.ben, "--json")
    assert signed_ids(said) == [approval.id]
    assert planted.id[:12] in said.json["notes"][0]
    team.closed()
    assert signed_ids(team.cosigned(team.cleo, "--overrides", "--json")) == [planted.id]


def test_an_override_that_nobody_signed_is_signed_on_demand_only(team: Team) -> None:
    team.let_in()
    said = team.cosigned(team.ben)
    assert (said.code, said.out) == (2, "")
    assert "--overrides" in said.err
    assert team.cosigned(team.ben, "--overrides").code == 0
    team.open()
    assert team.cosigned(team.cleo).code == 0  # it is the word of an allowed signer now


def test_an_approval_that_somebody_planted_does_not_stand_over_a_signed_refusal(team: Team) -> None:
    team.refused(team.ci)
    team.approved()
    said = team.cosigned(team.ben)
    assert (said.code, said.out) == (2, "")
    assert "is a refusal: it is not signed." in said.err
    team.closed()


def test_a_refusal_is_not_signed(team: Team) -> None:
    team.approved(team.ben)
    team.refused(team.ci)
    said = team.cosigned(team.cleo)
    assert (said.code, said.out) == (2, "")
    assert "is a refusal: it is not signed." in said.err


def test_an_approval_that_the_rule_does_not_accept_is_not_signed(team: Team) -> None:
    team.approved(team.eve, coverage=_omitted())
    before = ledger(team.world)
    said = team.cosigned(team.ben)
    assert said.code == 2
    assert "The rule does not accept the approval, so it is not signed. The reviewer did not see all of it" in said.err
    assert ledger(team.world) == before


def _omitted() -> Any:  # noqa: ANN401 -- coverage
    return seen(0, ("app.py", "omitted"))


def test_where_there_is_nothing_to_sign_it_says_so(team: Team) -> None:
    said = team.cosigned(team.ben)
    assert said.code == 2
    assert "There is no approval, override or plan of exactly this change" in said.err


def test_whose_signature_will_not_count_is_told(team: Team) -> None:
    team.approved(team.ci)
    said = team.cosigned(team.eve)
    assert said.code == 0
    assert ".cto/allowed_signers of main does not list the key" in said.err
    said = team.cosigned(team.ada)
    assert "ada@example.org is an author of the change" in said.err


# ---- setting up


def test_init_turns_signing_on_and_lists_the_key(world: World, key: Key) -> None:
    world.git("config", "gpg.format", "ssh")
    world.git("config", "user.signingkey", f"{key.path}.pub")
    said = world.cto("init", "--signing")
    assert said.code == 0, said.text
    assert world.git("config", "cto.sign") == "true"
    listed = (world.path / ".cto/allowed_signers").read_text()
    assert listed.splitlines()[-1] == f'ada@example.org namespaces="git-cto.verdict.v1" {key.public}'
    assert listed.startswith("# Who may sign")
    assert ".cto/allowed_signers: the line of ada@example.org: written" in said.out
    assert "Next: git add .cto && git commit" in said.out
    again = world.cto("init", "--signing")
    assert ".cto/allowed_signers: the line of ada@example.org: was there, kept" in again.out
    assert (world.path / ".cto/allowed_signers").read_text() == listed


def test_what_init_wrote_counts_once_it_is_committed(world: World, key: Key) -> None:
    world.git("config", "gpg.format", "ssh")
    world.git("config", "user.signingkey", str(key.path))
    assert world.cto("init", "--signing").code == 0
    world.policy(SIGNED + "signer_is_not_author = false\n")
    changed(world)
    assert world.reviewed().code == 0
    said = world.cto("gate")
    assert said.code == 0, said.text
    assert "signed by ada@example.org" in " ".join(said.out.split())


def test_init_adds_to_the_list_of_others(world: World, key: Key, tmp_path: Path) -> None:
    ben = new_key(tmp_path / "more", "ben@example.org")
    before = f"# ours\n{ben.line()}".rstrip("\n")
    world.write(".cto/allowed_signers", before)
    world.git("config", "gpg.format", "ssh")
    world.git("config", "user.signingkey", str(key.path))
    assert world.cto("init", "--signing").code == 0
    assert (world.path / ".cto/allowed_signers").read_text().startswith(before + "\nada@example.org namespaces=")


@pytest.mark.parametrize("odd", ["no key", "link", "folder", "not utf8", "no address"])
def test_init_writes_nothing_where_it_cannot(world: World, key: Key, odd: str, tmp_path: Path) -> None:
    path = world.path / ".cto/allowed_signers"
    path.parent.mkdir()
    world.git("config", "gpg.format", "ssh")
    world.git("config", "user.signingkey", str(key.path))
    if odd == "no key":
        key.path.unlink()
        Path(f"{key.path}.pub").unlink()
    elif odd == "link":
        path.symlink_to(tmp_path / "elsewhere")
    elif odd == "folder":
        path.mkdir()
    elif odd == "not utf8":
        path.write_bytes(b"\xff")
    else:
        world.git("config", "user.email", "Ada Lovelace")
    said = world.cto("init", "--signing", "--json")
    assert (said.code, said.json["exit_code"]) == (2, 2), said.text
    assert said.json["error"]["hint"]
    assert world.git("config", "cto.sign", ok=False) == ""
    assert not (world.path / ".cto/config.toml").exists()
    assert not (tmp_path / "elsewhere").exists()


# ---- doctor


def checked(world: World) -> dict[str, list[tuple[str, str]]]:
    """What doctor says of signing, without its look at the agents."""
    found: dict[str, list[tuple[str, str]]] = {}
    with Workspace(str(world.path), os.environ) as workspace:
        for one in check_repository(workspace):
            if one.name in {"signing", "signers", "policy"}:
                assert (one.state == "ok") == (one.hint == "")
                found.setdefault(one.name, []).append((one.state, f"{one.message} {one.hint}"))
    return found


def only(found: list[tuple[str, str]], state: str, words: str) -> None:
    assert [one for one, _ in found] == [state], found
    assert words in found[0][1]


def test_doctor_says_whether_anything_is_signed(world: World, key: Key) -> None:
    only(checked(world)["signing"], "ok", "what is recorded here is not signed (git cto init --signing)")
    signs_commits(world, key)
    only(checked(world)["signing"], "ok", f"records are signed with {key.path}, {fingerprint(key.blob)}")
    key.path.unlink()
    Path(f"{key.path}.pub").unlink()
    only(checked(world)["signing"], "warning", "is not there")
    world.git("config", "cto.sign", "true")
    only(checked(world)["signing"], "problem", "is not there")


def test_doctor_says_whether_the_target_allows_the_key(team: Team) -> None:
    with team.as_(team.ben):
        only(checked(team.world)["signers"], "ok", "main allows ada@example.org, ben@example.org, cleo@example.org, ci")
    with team.as_(team.eve):
        found = checked(team.world)["signers"]
    assert [state for state, _ in found] == ["ok", "warning"]
    assert "The key that signs here is not in .cto/allowed_signers on main." in found[1][1]
    assert f'namespaces="git-cto.verdict.v1" {team.eve.public}' in found[1][1]
    only(checked(team.world)["policy"][:1], "warning", "what is recorded on this machine is not signed")


@pytest.mark.parametrize(
    "listed, revoked, because",
    [
        ("{ben}{ada}", "{ben_public}", "The key that signs here is revoked on main."),
        ("{ben_expired}", "", "the key of ben@example.org expired on 2020-01-01"),
        ("{ben}junk\n", "", "Line 2 of .cto/allowed_signers on main does not count: its key cannot be read."),
    ],
)
def test_doctor_says_what_does_not_count(team: Team, listed: str, revoked: str, because: str) -> None:
    expired = team.ben.line('namespaces="git-cto.verdict.v1",valid-before="20200101"')
    names = {"ben": team.ben.line(), "ada": team.ada.line(), "ben_expired": expired, "ben_public": team.ben.public}
    team.signers(listed.format(**names), **({"revoked_keys": revoked.format(**names)} if revoked else {}))
    with team.as_(team.ben):
        found = checked(team.world)["signers"]
    assert any(state == "warning" and because in words for state, words in found), found


def test_doctor_says_what_makes_everything_untrusted(team: Team) -> None:
    team.signers("* junk\n")
    found = checked(team.world)["signers"]
    assert (found[-1][0], found[0][0]) == ("problem", "warning")
    assert "Only signed records count, and main allows nobody to sign." in found[-1][1]
    team.signers(team.allowed, revoked_keys="junk\n")
    only(checked(team.world)["signers"], "problem", "Line 1 of .cto/revoked_keys is no public key")
    team.signers(team.allowed, revoked_keys=b"SSHKRL\n\0cut")
    assert "cannot be read, so no signature counts" in checked(team.world)["signers"][0][1]


def test_doctor_leaves_nothing_behind(team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    team.approved(team.ben)
    with team.as_(team.ben):
        checked(team.world)
        team.open()
        team.overridden(team.ben)
    assert [name for name in os.listdir(place) if name.startswith("git-cto-")] == []


@pytest.mark.parametrize("argv", [["sign"], ["init", "--signing"]])
def test_no_option_is_offered_that_there_is_none_of(world: World, argv: list[str]) -> None:
    said = world.cto(*argv)
    assert (said.code, "--no-sign" in said.text) == (2, False), said.text


def test_whoever_let_a_change_in_may_merge_it_and_write_nothing_into_the_merge(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a team of two nobody else could: the other one wrote it."""
    team.let_in(team.ben)
    world = team.world
    for name in ("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(name, "ben@example.org")
    world.branch("landing", "main")
    world.git("merge", "--quiet", "--no-ff", "-m", "Merge topic", "topic")
    assert "ben@example.org overrode the gate" in team.open()
    with team.as_(team.ben):
        assert "is an author" not in world.cto("override", "--reason", "Again").err
    world.write("app.py", TWO + "# and more\n")
    world.git("commit", "--quiet", "--all", "--amend", "-m", "Merge topic, and more")
    with team.as_(team.ben):
        assert "is an author of the change" in world.cto("override", "--reason", "With more").err
    assert "ben@example.org signed it and is an author of the change" in team.closed()


def test_whoever_squashes_what_they_let_in_is_told_to_merge_it_as_it_is(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who squashes is the author of what comes of it, so that their word for it is their own."""
    head = team.let_in(team.ben).subject.head
    world = team.world
    with monkeypatch.context() as ben:
        for name in ("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"):
            ben.setenv(name, "ben@example.org")
        world.branch("squashed", "main")
        world.git("merge", "--quiet", "--squash", "topic")
        world.git("commit", "--quiet", "-m", "Say 2, squashed")
    merged_as_it_is = f"It was recorded on {head[:12]}: merged as it is (git merge --no-ff)"
    assert merged_as_it_is in team.closed()
    world.git("switch", "--quiet", "main")
    world.git("merge", "--quiet", "--ff-only", "squashed")
    assert merged_as_it_is in " ".join(world.cto("audit", "main~1..main").out.split())


def test_an_author_is_not_told_to_merge_where_the_commits_are_their_own(team: Team) -> None:
    team.let_in(team.ada)
    assert "is an author of the change" in team.closed()
    assert "merged as it is" not in team.closed()
