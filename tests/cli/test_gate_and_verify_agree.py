"""What counts for the gate is what counts for a proof: nobody's record beside it turns one of the two."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from git_cto.ledger.records import decode_all, seal
from git_cto.model import PlanRecord
from git_cto.work.workspace import Workspace
from tests.cli.scenes import LEDGER
from tests.cli.signed import Team, team
from tests.world import Said, World

if TYPE_CHECKING:
    from git_cto.model import Record


@pytest.fixture(name="team")
def _team(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Team:
    return team(world, tmp_path / "keys", monkeypatch)


def proof(team: Team, *argv: str) -> Said:
    """The proof, with which the gate and the summary for others agree."""
    said = team.world.cto("verify", "--json", *argv)
    assert said.code == team.world.cto("gate").code, said.text
    assert team.world.cto("show", "--export", "vsa").code == said.code
    return said


def signatures(said: Said) -> list[tuple[bool | None, str]]:
    """Whether each signature holds, and of which kind of record it is."""
    return [
        (one["holds"], one["text"].split()[1].rstrip(":")) for one in said.json["steps"] if one["name"] == "signature"
    ]


def test_records_that_do_not_count_break_no_proof(team: Team) -> None:
    """Whoever may write to the notes can put them there."""
    assert team.reviewed(team.ben).code == 0
    expected: list[tuple[bool | None, str]] = [(True, "verdict")]
    for put, kind in ((team.let_in, "override"), (team.refused, "verdict"), (team.approved, "verdict")):
        for keys in ((), (team.eve,)):
            record = put(*keys)
            expected.append((None, kind))
            said = proof(team)
            assert (said.code, signatures(said)) == (0, expected), said.text
            assert f"{record.id[:12]} {kind} does not count: " in said.text
    assert proof(team, "--local").code == 0


def test_an_override_that_was_signed_later_is_proven_beside_the_unsigned_one(team: Team) -> None:
    team.overridden(None)
    assert proof(team).code == 1
    team.overridden(team.ben)
    said = proof(team)
    assert (said.code, signatures(said)) == (0, [(None, "override"), (True, "override")]), said.text


def test_where_nothing_counts_that_is_what_breaks_the_proof(team: Team) -> None:
    team.refused()
    team.overridden(None)
    said = proof(team)
    assert (said.code, signatures(said)) == (1, [(False, "verdict"), (False, "override")])


def test_a_proof_of_a_closed_gate_is_about_what_closes_it(team: Team) -> None:
    """And not about what somebody put there after it."""
    refusal = team.refused(team.ben)
    team.let_in()
    said = proof(team)
    (record,) = [one for one in said.json["steps"] if one["name"] == "record"]
    assert (said.code, record["holds"], record["text"][:12]) == (1, False, refusal.id[:12])


def test_the_signature_of_an_author_beside_anothers_is_left_out(team: Team) -> None:
    assert team.reviewed(team.ben).code == 0
    assert team.cosigned(team.ada).code == 0
    said = proof(team)
    assert (said.code, signatures(said)) == (0, [(True, "verdict"), (None, "verdict")]), said.text
    assert "ada@example.org signed it and is an author of the change" in said.text


def test_what_the_gate_rests_on_and_was_altered_breaks_the_proof(team: Team) -> None:
    """A copy of the approval with other bytes under its signature, and the plan taken away."""
    team.world.git("switch", "--quiet", "main")
    with team.as_(team.ben):
        team.world.planned_by_codex()
        assert team.world.cto("start", "t1").code == 0
        team.world.write("app.py", "def version():\n    return 2\n")
        assert team.world.cto("finish", "-m", "Did it").code == 0
        assert team.world.reviewed().code == 0
    team.let_in()
    assert proof(team).code == 0
    with Workspace(str(team.world.path), os.environ) as workspace:
        kept = decode_all(workspace.ledger.lines())
    plan = next(one for one in kept if isinstance(one.body, PlanRecord))
    rewritten(team, [one for one in kept if one is not plan])
    assert "plan" in broken(proof(team))
    rewritten(team, [replace(one, signatures=()) if one is plan else one for one in kept])
    said = proof(team)
    assert "plan" in broken(said)
    assert "the digest fits, but it does not count: it is not signed" in said.text
    altered = [replace(one, payload=one.payload.replace(b"gpt-5.4", b"gpt-9.9")) for one in kept if one is not plan]
    rewritten(team, [plan, *altered])
    assert "signature" in broken(proof(team))


def broken(said: Said) -> list[str]:
    assert said.code == 1, said.text
    return [one["name"] for one in said.json["steps"] if one["holds"] is False]


def rewritten(team: Team, kept: list[Record]) -> None:
    """The ledger with nothing but these records."""
    for ref in (LEDGER, "refs/cto/records"):
        team.world.git("update-ref", "-d", ref)
    for one in kept:
        for where in (one.subject.head, team.world.head):
            team.world.git(
                "notes", "--ref=cto-records", "append", "-m", seal(one.payload, one.signatures).decode(), where
            )
