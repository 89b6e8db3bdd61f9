"""Where only signed records count, it is said before anything is paid for what will not count, and how it would."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from git_cto.work.checking_repository import check_repository
from git_cto.work.workspace import Workspace
from tests.cli.scenes import changed, saying
from tests.cli.signed import SIGNED, Team, team
from tests.gate.values import seen
from tests.keys import Key, known_key, revocation_list
from tests.world import Said, World, plan_answer, review_reply

PLAIN = 'namespaces="git-cto.verdict.v1"'
EXPIRED = f'{PLAIN},valid-before="20200101"'
EARLY = f'{PLAIN},valid-after="20990101"'
SIGN = "git cto sign, by an allowed signer"


@pytest.fixture(name="team")
def _team(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Team:
    return team(world, tmp_path / "keys", monkeypatch)


def flat(text: str) -> str:
    return " ".join(text.split())


# ---- nothing is signed


def test_in_ci_without_a_key_a_review_says_first_that_it_counts_for_itself_only(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed(world)
    monkeypatch.setenv("CI", "true")
    said = world.reviewed()
    assert said.code == 0, said.text
    err = flat(said.err)
    assert "nothing is signed here: what is recorded counts in this process only" in err
    assert "put a private key into GIT_CTO_SIGNING_KEY" in err
    assert "git config user.signingkey PATH" in err
    assert err.index("in this process only") < err.index("1 commit")  # before the model is asked
    assert said.json["next"] == SIGN
    gate = world.cto("gate", "--json")
    assert (gate.code, gate.json["next"]) == (1, "git cto init --signing, and commit it to main")


def test_asking_again_for_an_approval_that_is_there_is_said_with_the_way_around(team: Team) -> None:
    team.approved()
    said = team.world.ask([review_reply()], "review")
    assert (said.code, len(said.requests)) == (0, 1), said.text  # anybody could have put that one there
    assert "an approval of exactly this change that does not count (it is not signed)" in flat(said.err)
    assert "an allowed signer may git cto sign it instead" in flat(said.err)


def test_an_approval_that_cannot_be_signed_is_no_way_around(team: Team) -> None:
    team.approved(coverage=seen(0, ("app.py", "omitted")))
    said = team.world.ask([review_reply()], "review")
    assert said.code == 0, said.text
    assert "sign it instead" not in flat(said.err)
    team.world.commit("Another way", app__py="def version():\n    return 4\n")
    assert "sign it instead" not in flat(team.reviewed(None).err)


def test_how_to_sign_fits_why_nothing_is_signed(team: Team) -> None:
    assert "To sign: git config cto.sign true" in flat(team.overridden(None).err)
    with team.as_(team.ben):
        err = flat(team.world.cto("override", "--reason", "Fine", "--no-sign").err)
    assert "To sign: leave out --no-sign" in err
    assert "GIT_CTO_SIGNING_KEY" not in err


def test_where_every_record_counts_and_where_the_key_counts_nothing_is_said(world: World, team: Team) -> None:
    overridden = team.overridden(team.ben)
    assert (overridden.err, overridden.out.splitlines()[-1]) == ("", "Next: git cto gate")
    said = team.reviewed(team.ben)
    assert "count" not in said.err
    team.signers(team.allowed, policy="")
    assert team.overridden(None).err == ""
    assert team.overridden(team.eve).err == ""
    assert world.cto("gate").code == 0


# ---- plans, and what programs read


def planned(team: Team, key: Key | None, *answers: str) -> Said:
    with team.as_(key):
        return team.world.ask(saying(*(answers or [json.dumps(plan_answer())])), "plan", "Raise it", "--json")


def test_a_plan_that_will_not_count_says_so_before_it_is_asked_for(team: Team) -> None:
    said = planned(team, None, "No plan.", "Still no plan.")
    assert said.code == 3
    assert flat(said.err).count("nothing is signed here: what is recorded counts in this process only") == 1
    said = planned(team, team.eve)
    assert said.code == 0, said.text
    assert flat(said.err).count("does not list the key") == 1
    (note,) = said.json["notes"]
    assert note in flat(said.err)
    team.world.write("new.py", "1\n")
    assert "1 path is not committed" in planned(team, team.eve).json["notes"][1]


def test_a_plan_that_will_count_says_nothing_whoever_made_the_change(team: Team) -> None:
    for key in (team.ben, team.ada):
        said = planned(team, key)
        assert (said.code, said.json["notes"]) == (0, []), said.text
        assert "count" not in said.err
    team.signers(team.allowed, policy="")
    assert planned(team, None).json["notes"] == []


def test_programs_find_in_the_document_what_was_said_of_counting(team: Team) -> None:
    because = "the key of ben@example.org was revoked on main"
    team.signers(team.allowed, revoked_keys=team.ben.public + "\n")
    team.approved()
    (first, second) = team.reviewed(team.ben).json["notes"]
    assert because in first
    assert "the model is asked again" in second
    with team.as_(team.ben):
        (note,) = team.world.cto("override", "--reason", "Fine", "--json").json["notes"]
        assert because in note
        (note,) = team.world.cto("sign", "--json").json["notes"][-1:]
        assert because in note
        team.world.commit("More", app__py="def version():\n    return 5\n")
        assert team.world.reviewed(verdict="abort").code == 4
        (note,) = team.world.cto("continue", "--reason", "Go on", "--json").json["notes"]
        assert because in note


def test_where_everything_counts_the_documents_have_no_notes(world: World) -> None:
    changed(world)
    assert world.reviewed().json["notes"] == []
    assert world.cto("override", "--reason", "Fine", "--json").json["notes"] == []


# ---- the key does not count


@pytest.mark.parametrize("way", ["revoked", "revoked by a list", "expired", "too early", "unlisted", "list"])
def test_a_key_that_does_not_count_is_told_of_before_anything_is_recorded(team: Team, tmp_path: Path, way: str) -> None:
    line = {"expired": EXPIRED, "too early": EARLY}.get(way, PLAIN)
    revoked: dict[str, str | bytes] = {
        "revoked": team.ben.public + "\n",
        "revoked by a list": revocation_list(tmp_path / "krl", team.ben),
        "list": "junk\n",
    }
    allowed = team.ada.line() + ("" if way == "unlisted" else team.ben.line(line))
    team.signers(allowed, revoked_keys=revoked.get(way, ""))
    because = {
        "revoked": "the key of ben@example.org was revoked on main: what it signs does not count",
        "expired": "the key of ben@example.org expired on 2020-01-01: what it signs does not count for main",
        "too early": "the key of ben@example.org is valid from 2099-01-01 on only: what it signs does not count",
        "unlisted": ".cto/allowed_signers of main does not list the key",
        "list": "Line 1 of .cto/revoked_keys is no public key, so no signature counts",
    }[way.removesuffix(" by a list")]
    said = team.reviewed(team.ben, verdict="abort")
    assert said.code == 4, said.text
    assert flat(said.err).index(because) < flat(said.err).index("1 commit")
    with team.as_(team.ben):
        went_on = team.world.cto("continue", "--reason", "Go on")
    assert because in flat(went_on.err), went_on.text
    overridden = team.overridden(team.ben)
    assert because in flat(overridden.err)
    step = "mend it on main" if way == "list" else "git cto sign --overrides, by an allowed signer"
    assert f"Next: {step}\n" in overridden.out
    assert because in flat(team.cosigned(team.ben, "--overrides").err)


def test_after_a_review_by_a_key_that_does_not_count_another_signature_is_next(team: Team) -> None:
    team.signers(team.allowed, revoked_keys=team.ben.public + "\n")
    said = team.reviewed(team.ben)
    assert said.json["next"] == SIGN
    assert team.world.cto("gate", "--json").json["next"] == f"{SIGN} who vouches for it"
    assert team.cosigned(team.cleo).code == 0
    team.open()


def test_an_author_is_told_before_and_needs_another_signer_but_no_other_review(team: Team) -> None:
    said = team.reviewed(team.ada)
    assert flat(said.err).index("ada@example.org is an author of the change") < flat(said.err).index("1 commit")
    assert team.world.cto("gate", "--json").json["next"] == f"{SIGN} who did not write it"
    assert "is an author of the change" in flat(team.overridden(team.ada).err)


def test_where_a_commit_names_no_address_nobody_can_sign_it(team: Team) -> None:
    team.world.git("commit", "--quiet", "--amend", "--no-edit", "--author", "Ada <>")
    assert "a commit of the change names no address" in flat(team.overridden(team.ben).err)


def test_an_author_may_let_a_series_go_on(team: Team) -> None:
    assert team.reviewed(team.cleo, verdict="abort").code == 4
    with team.as_(team.ada):
        said = team.world.cto("continue", "--reason", "Go on")
    assert (said.code, said.err) == (0, "")


# ---- doctor and verify


def told(team: Team) -> list[tuple[str, str, str]]:
    """What doctor says of the signers."""
    with Workspace(str(team.world.path), os.environ) as workspace:
        return [(one.state, one.message, one.hint) for one in check_repository(workspace) if one.name == "signers"]


@pytest.mark.parametrize("form", ["keys", "list"])
def test_doctor_and_verify_name_who_may_not_sign_any_more(team: Team, tmp_path: Path, form: str) -> None:
    old = known_key(tmp_path / "old", "old@example.org")
    lines = (team.ada.line(), team.ben.line(), team.cleo.line(EXPIRED), team.ci.line(EARLY))
    again = old.line(EXPIRED, principals="ada@example.org")
    revoked = team.ben.public + "\n" if form == "keys" else revocation_list(tmp_path / "krl", team.ben)
    team.signers("".join(lines) + again, revoked_keys=revoked)
    said = (
        "main allows ada@example.org; not ben@example.org (revoked), not cleo@example.org (expired on 2020-01-01), "
        "not ci@example.org (valid from 2099-01-01 on only), not a key of ada@example.org (expired on 2020-01-01)"
    )
    assert told(team)[0][:2] == ("ok", said)
    team.approved(team.ada)
    proof = flat(team.world.cto("verify").out)
    for line, why in ((2, "revoked"), (3, "expired on 2020-01-01"), (4, "valid from 2099-01-01 on only")):
        assert f"line {line} of .cto/allowed_signers of main at" in proof
        assert f"does not count: {why}" in proof


def test_doctor_says_where_nobody_is_left_who_may_sign(team: Team) -> None:
    team.signers(team.ben.line(EXPIRED))
    state, message, hint = told(team)[0]
    assert (state, message) == (
        "problem",
        "Only signed records count, and main allows nobody; not ben@example.org (expired on 2020-01-01).",
    )
    assert hint.startswith("git cto init --signing, with another key")


@pytest.mark.parametrize("form", ["keys", "list"])
def test_for_a_revoked_key_doctor_says_to_make_another_one(team: Team, tmp_path: Path, form: str) -> None:
    revoked = team.ben.public + "\n" if form == "keys" else revocation_list(tmp_path / "krl", team.ben)
    team.signers(team.allowed, revoked_keys=revoked)
    with team.as_(team.ben):
        state, message, hint = told(team)[-1]
    assert (state, hint) == ("warning", "ssh-keygen -t ed25519 -f FILE")
    assert message.startswith("The key that signs here is revoked on main.")
    assert "git config user.signingkey FILE" in message
    assert "git cto init --signing" in message


def test_for_an_expired_key_doctor_says_both_ways(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    team.signers(team.ada.line() + team.ben.line(EXPIRED))
    with team.as_(team.ben):
        assert told(team)[-1][2] == "ssh-keygen -t ed25519 -f FILE, or mend it on main"
        monkeypatch.setenv("GIT_CTO_SIGNING_KEY", team.ben.private)
        state, message, _ = told(team)[-1]
    assert state == "warning"
    assert "put it into GIT_CTO_SIGNING_KEY" in message
    assert "git config" not in message


def test_where_every_record_counts_doctor_only_mentions_it(team: Team) -> None:
    team.signers(team.allowed, policy=SIGNED.replace("signed", "local"), revoked_keys=team.ben.public + "\n")
    with team.as_(team.ben):
        assert told(team)[-1] == ("ok", "The key that signs here is revoked on main.", "")


def too_few(team: Team, *keys: Key, policy: str) -> list[tuple[str, str]]:
    """What doctor warns of where these may sign, under this policy: each with the hint."""
    team.signers("".join(key.line() for key in keys), SIGNED + policy)
    return [(message, hint) for state, message, hint in told(team) if state == "warning"]


def test_doctor_says_where_there_are_fewer_people_than_have_to_agree(team: Team, tmp_path: Path) -> None:
    second = known_key(tmp_path / "second", "ben+work@example.org")
    more = "have more people listed on main (git cto init --signing)"
    for keys in ((team.ben, team.ci), (team.ben, second, team.ci)):
        ((message, hint),) = too_few(team, *keys, policy="threshold = 3\n")
        assert message == "threshold = 3 cannot be reached: main allows 2 people to sign."
        assert hint == f"{more}, or set a smaller threshold there"
    assert too_few(team, team.ben, team.ci, team.cleo, policy="threshold = 3\n") == []
    team.signers(team.ben.line() + team.cleo.line(EXPIRED) + team.ci.line(), SIGNED + "threshold = 3\n")
    assert "threshold = 3 cannot be reached: main allows 2 people to sign." in [message for _, message, _ in told(team)]
    team.signers(team.ben.line() + team.ci.line(), SIGNED.replace("signed", "local") + "threshold = 3\n")
    assert [state for state, _, _ in told(team)] == ["ok"]


def test_doctor_says_where_an_author_has_too_few_others(team: Team) -> None:
    """Ada has written what is on main; nobody else has."""
    ((message, hint),) = too_few(team, team.ada, policy="")
    assert message == (
        "What ada@example.org writes takes 1 signature by others (signer_is_not_author), "
        "and main allows 1 person to sign."
    )
    assert hint.endswith("where CI's key may be one, or set signer_is_not_author = false there")
    ((message, hint),) = too_few(team, team.ada, team.ben, policy="threshold = 2\n")
    assert "takes 2 signatures by others (signer_is_not_author), and main allows 2 people to sign." in message
    assert hint.endswith("or set a smaller threshold there")
    assert too_few(team, team.ada, team.ben, policy="") == []
    assert too_few(team, team.ada, team.ben, team.ci, policy="threshold = 2\n") == []
    assert too_few(team, team.ada, policy="signer_is_not_author = false\n") == []
    assert too_few(team, team.ci, policy="") == [], "which signs and writes nothing"


# ---- what the gate says


def test_where_no_signature_can_count_the_gate_says_so_and_asks_for_none(team: Team) -> None:
    team.let_in(team.ben)
    team.let_in()
    broken = "Line 1 of .cto/revoked_keys is no public key, so no signature counts"
    team.signers(team.allowed, revoked_keys="junk\n")
    assert closed(team) == (f"{broken}; 1 is not signed.", "mend it on main")
    team.signers(team.allowed, revoked_keys=b"SSHKRL\n\0cut")
    assert closed(team) == (
        ".cto/revoked_keys cannot be read, so no signature counts; 1 is not signed.",
        "mend it on main",
    )
    team.signers("", revoked_keys="")
    said, step = closed(team)
    assert said.endswith("1 is not signed. .cto/allowed_signers of main allows nobody to sign.")
    assert step == "git cto init --signing, and commit it to main"
    team.signers(team.ben.line(EXPIRED))
    said, step = closed(team)
    assert said.startswith("the key of ben@example.org expired on 2020-01-01; 1 is not signed. ")
    assert (said.endswith("allows nobody to sign today."), step) == (True, "git cto doctor")


def test_a_list_that_cannot_be_read_is_told_of_where_nothing_is_signed(team: Team) -> None:
    team.let_in()
    team.signers(team.allowed, revoked_keys="junk\n")
    said, step = closed(team)
    assert said == "it is not signed. Line 1 of .cto/revoked_keys is no public key, so no signature counts."
    assert step == "mend it on main"


def test_of_what_a_revoked_key_has_signed_the_audit_says_so_whatever_came_after_it(team: Team) -> None:
    team.let_in(team.ben)
    team.let_in()
    team.world.git("switch", "--quiet", "main")
    team.world.git("merge", "--quiet", "--no-ff", "-m", "Land it", "topic")
    team.signers(team.allowed, revoked_keys=team.ben.public + "\n")
    told = flat(team.world.cto("audit", "main~2..main~1").out)
    assert "none does: the key of ben@example.org was revoked; 1 is not signed." in told


def closed(team: Team) -> tuple[str, str]:
    """Why nothing counts, and what to do, as the closed gate says it."""
    said = team.world.cto("gate", "--json").json
    return re.split(r" does(?: not)?: ", " ".join(said["reasons"]))[1], said["next"]
