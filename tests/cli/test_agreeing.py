"""A change to control paths takes another human than its approval: what `sign` and `override` say before it is late."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.scenes import ledger, records
from tests.cli.signed import SIGNED, Team, team
from tests.gate.values import seen
from tests.keys import new_key
from tests.world import Said, World

PATH = ".cto/guidelines.md"
ANOTHER = "git cto override --reason TEXT, by an allowed signer who neither wrote it nor signed its approval"


@pytest.fixture(name="team")
def _team(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Team:
    """Ada's change touches a control path."""
    made = team(world, tmp_path / "keys", monkeypatch)
    world.commit("Change the rules", **{PATH: "Be kind.\n"})
    return made


def flat(said: Said) -> str:
    return " ".join(said.text.split())


def signatures(team: Team) -> dict[str, int]:
    return {one["kind"]: one["signatures"] for one in records(team.world)}


def test_who_signs_its_approval_is_told_first_who_is_left_to_override_it(team: Team) -> None:
    team.approved(team.ci, coverage=seen(2))
    said = team.cosigned(team.ben, "--json")
    (note,) = said.json["notes"]
    assert note == (
        f"it changes what the gate rests on ({PATH}): who signs the approval cannot override it, "
        "so one of these has to: cleo@example.org"
    )
    assert " ".join(said.err.split()) == f"note: {note}"
    assert signatures(team) == {"verdict": 2}
    assert team.overridden(team.cleo).err == ""
    team.open()


def test_the_last_who_can_override_it_does_not_sign_its_approval(team: Team) -> None:
    team.approved(team.ci, team.ben, coverage=seen(2))
    before = ledger(team.world)
    said = team.cosigned(team.cleo)
    assert (said.code, said.out, ledger(team.world)) == (2, "", before)
    assert f"({PATH}), and who signs the approval cannot override it: nobody would be left who can." in said.err
    assert said.err.endswith("The approval is not signed.\nNext: git cto override --reason TEXT\n")
    team.overridden(team.cleo)
    team.open()


def test_who_has_overridden_it_does_not_sign_its_approval(team: Team) -> None:
    """That would take the human away who agreed."""
    team.approved(team.ci, coverage=seen(2))
    team.overridden(team.ben)
    team.open()
    said = team.cosigned(team.ben)
    assert said.code == 0, said.text
    assert "who does signs no approval of it, which is left out" in flat(said)
    assert signatures(team) == {"verdict": 1, "override": 1}
    team.open()


def test_who_signs_an_unsigned_override_of_it_leaves_its_approval_to_others(team: Team) -> None:
    team.approved(team.ci, coverage=seen(2))
    team.let_in()
    assert team.cosigned(team.ben, "--overrides").code == 0
    assert signatures(team) == {"verdict": 1, "override": 1}
    assert "ben@example.org overrode" in flat(team.world.cto("gate"))


def test_once_another_has_agreed_everybody_may_sign(team: Team) -> None:
    team.approved(team.ci, coverage=seen(2))
    team.overridden(team.cleo)
    said = team.cosigned(team.ben)
    assert (said.code, said.err) == (0, "")
    assert signatures(team) == {"verdict": 2, "override": 2}
    team.open()


def test_an_author_does_not_count_among_those_who_are_left_unless_the_policy_says_so(team: Team) -> None:
    team.signers(team.ada.line() + team.ben.line())
    team.approved(coverage=seen(2))
    assert team.cosigned(team.ben).code == 2
    team.signers(team.ada.line() + team.ben.line(), SIGNED + "signer_is_not_author = false\n")
    said = team.cosigned(team.ben)
    assert (said.code, "one of these has to: ada@example.org" in flat(said)) == (0, True), said.text


def test_a_second_key_takes_nothing_away_that_the_first_one_has_not(team: Team, tmp_path: Path) -> None:
    second = new_key(tmp_path / "more", "ben+work@example.org")
    team.signers(team.ben.line() + second.line())
    team.approved(team.ben, coverage=seen(2))
    said = team.cosigned(second)
    assert (said.code, said.err) == (0, ""), said.text


def test_a_signature_that_does_not_count_takes_nothing_away(team: Team) -> None:
    team.signers(team.ada.line() + team.ci.line())
    team.approved(team.ci, coverage=seen(2))
    for key in (team.ada, team.eve):
        said = team.cosigned(key)
        assert (said.code, "rests on" in said.text) == (0, False), said.text


def test_an_override_by_who_signed_the_approval_says_that_it_will_not_do(team: Team) -> None:
    team.approved(team.ci, team.ben, coverage=seen(2))
    said = team.overridden(team.ben)
    note = f"ben@example.org signed the approval, and who did cannot let in a change to {PATH} as well"
    assert " ".join(said.err.split()) == f"note: {note}"
    assert flat(said).startswith("Recorded, but it does not count: that the change of topic may be merged into main.")
    assert f"Next: {ANOTHER}" in " ".join(said.out.split())
    document = team.overridden(team.ben, "--json").json
    assert (document["notes"], document["next"]) == ([note], ANOTHER)
    team.closed()
    assert "Recorded: the change of topic may be merged" in team.overridden(team.cleo).out
    assert team.overridden(team.ben).err == "", "somebody else has agreed"
    team.open()


def test_what_touches_no_control_path_is_signed_and_overridden_without_a_word(team: Team) -> None:
    team.world.git("reset", "--quiet", "--hard", "HEAD~1")
    team.approved(team.ci)
    for said in (team.cosigned(team.ben), team.cosigned(team.cleo), team.overridden(team.ben)):
        assert (said.code, said.err) == (0, ""), said.text


def test_the_only_one_who_can_override_it_is_told_before_a_review_takes_that_away(team: Team) -> None:
    team.signers(team.ada.line() + team.ben.line())
    said = team.reviewed(team.ben)
    told = f"({PATH}), and who signs the approval cannot override it: nobody would be left who can."
    assert told in " ".join(said.err.split())
    assert " ".join(said.err.split()).index(told) < " ".join(said.err.split()).index("2 commits"), (
        "before it is paid for"
    )
    assert told in " ".join(said.json["notes"])


def test_who_is_not_the_only_one_or_signs_nothing_reviews_it_without_a_word(team: Team) -> None:
    assert team.reviewed(team.ben).json["notes"] == []
    team.signers(team.ada.line() + team.ben.line())
    team.world.commit("And more", **{PATH: "Be very kind.\n"})
    assert "rests on" not in team.reviewed(team.ben, "--no-sign").err
    assert team.overridden(team.ben).err == ""
    team.open()


# ---- whose signature does not count


def test_who_cannot_sign_is_led_to_who_can(team: Team) -> None:
    team.world.git("reset", "--quiet", "--hard", "HEAD~1")
    team.signers(team.allowed, revoked_keys=team.ben.public + "\n")
    said = team.overridden(team.ben)
    assert said.out.startswith("Recorded, but it does not count: that the change of topic")
    assert said.out.endswith("Next: git cto sign --overrides, by an allowed signer\n")
    said = team.cosigned(team.ben)
    assert said.code == 2
    assert "Nor would your own signature count: the key of ben@example.org was revoked on main" in flat(said)
    assert said.err.endswith("Next: git cto sign --overrides, by an allowed signer\n")
    said = team.cosigned(team.ben, "--overrides")
    assert (said.code, said.out.endswith("Next: git cto sign --overrides, by an allowed signer\n")) == (0, True), (
        said.text
    )
    assert team.cosigned(team.ben, "--overrides", "--json").json["next"].startswith("git cto sign --overrides, by")
    assert "or git cto sign --overrides" in team.cosigned(team.cleo).err


def test_what_an_author_signed_takes_another_signer_and_no_word_for_unsigned_ones(team: Team) -> None:
    team.world.git("reset", "--quiet", "--hard", "HEAD~1")
    step = "git cto sign topic, by an allowed signer who did not write it"
    said = team.overridden(team.ada, "topic")
    assert said.out.endswith(f"Next: {step}\n"), said.text
    said = team.cosigned(team.ada, "topic")
    assert said.out.endswith(f"Next: {step}\n"), said.text
    assert team.cosigned(team.ben, "topic").code == 0
    team.open()


def test_where_nobody_can_sign_nobody_is_asked_to(team: Team) -> None:
    team.signers(team.allowed, revoked_keys="junk\n")
    assert team.overridden(team.ben).out.endswith("Next: mend it on main\n")
    said = team.cosigned(team.ben)
    assert (said.code, said.err.endswith("Next: mend it on main\n")) == (2, True), said.text
    team.signers(team.allowed, revoked_keys="")
    team.world.git("commit", "--quiet", "--amend", "--no-edit", "--author", "Ada <>")
    assert "Next: commit it with an address" in team.overridden(team.ben).out


def test_without_a_key_of_ones_own_somebody_else_signs(team: Team) -> None:
    team.let_in()
    said = team.world.cto("sign")
    assert (said.code, said.err.endswith("Next: git cto sign --overrides, by an allowed signer\n")) == (2, True), (
        said.text
    )
