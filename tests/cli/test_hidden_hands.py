"""Who hides that a change is theirs, takes a refusal away, or names the judge: none of it opens a gate."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from git_cto.ledger.records import encode, seal
from git_cto.ledger.trusting import pre_authentication
from git_cto.model import Record, Signature, Subject, VerdictRecord
from git_cto.work.surveying import survey
from git_cto.work.workspace import Workspace
from tests.cli import signed
from tests.cli.scenes import TWO
from tests.cli.signed import Team
from tests.gate.values import a_plan_record
from tests.world import World

RECORDS = "--ref=refs/notes/cto-records"
RUN = "hello-abc123"


@pytest.fixture
def team(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Team:
    return signed.team(world, tmp_path / "keys", monkeypatch)


def landed(team: Team) -> str:
    """What the audit says of topic, merged into main just now."""
    team.world.git("switch", "--quiet", "main")
    team.world.git("merge", "--quiet", "--no-ff", "topic")
    return team.world.cto("audit", "main~1..main").out


@pytest.mark.parametrize("message", ["Say two", "Say two!"])
def test_a_commit_that_claims_an_encoding_hides_no_author(team: Team, message: str) -> None:
    """What git prints of a commit in UTF-16 has no author; one of the two has a length that UTF-16 can have."""
    team.world.git("reset", "--quiet", "--soft", "main")
    team.world.git("-c", "i18n.commitEncoding=UTF-16LE", "commit", "--quiet", "-m", message)
    team.approved(team.ada)
    assert "ada@example.org signed it and is an author of the change" in team.closed()
    assert team.world.cto("verify").code == 1
    assert "unapproved" in landed(team)


def test_a_commit_that_claims_an_encoding_hides_no_executor(team: Team) -> None:
    team.signers(team.allowed, '[gate]\ntrust = "signed"\nexecutor_is_not_reviewer = true\n')
    team.world.git("rebase", "--quiet", "main")
    for message in ("Say two\n\nCto-Executor: codex", "Say two!\n\nCto-Executor: codex"):
        team.world.git("reset", "--quiet", "--soft", "main")
        team.world.git("-c", "i18n.commitEncoding=UTF-16LE", "commit", "--quiet", "-m", message)
        team.approved(team.ben)
        assert "It was written by codex" in team.closed()


def test_nobody_knows_who_wrote_a_commit_without_an_address(team: Team) -> None:
    team.world.git("commit", "--quiet", "--amend", "--no-edit", "--author=Somebody <>")
    team.approved(team.ben)
    assert "a commit of the change names no address" in team.closed()


@pytest.mark.parametrize("onto", ["main~1", "topic"])
def test_whoever_puts_something_into_a_merge_is_an_author(team: Team, onto: str) -> None:
    """Ada signs what nobody has seen, and lands it as a merge of her own."""
    world = team.world
    tree = world.git("rev-parse", "topic^{tree}")
    if onto == "topic":  # where something is merged, and it is not this
        world.git("commit", "--quiet", "--amend", "--no-edit", "--author=Bot <bot@example.org>")
        world.git("switch", "--quiet", "-c", "seen")
        world.commit("Seen", app__py=TWO + "# more\n")
        tree = world.git("rev-parse", "seen^{tree}")
    with Workspace(str(world.path), os.environ) as workspace:
        found = survey(workspace, head=None, base=None, run=None)
        body = signed.verdict(found)
        assert isinstance(body, VerdictRecord)
        record = encode(
            Subject(head="1" * 40, tree=tree, change=found.change.id, sha256=found.change.sha256),
            replace(body, review=replace(body.review, head="1" * 40)),
        )
        mine = Signature(sig=team.ada.sign(pre_authentication(record.payload)), keyid="")
        workspace.ledger.put(replace(record, signatures=(mine,)), series=record.body.series, change=found.change.raw)
    world.git("switch", "--quiet", "main")
    made = world.git("commit-tree", tree, "-p", "main", "-p", onto, "-m", "Merge")
    world.git("reset", "--quiet", "--hard", made)
    said = world.cto("audit", "main~1..main")
    assert said.code == 1
    assert "ada@example.org signed it and is an author of the change" in " ".join(said.out.split())


def without_line(team: Team, record: Record, on: str) -> None:
    """Takes a record off one of the objects that it stands on, as whoever may push to the notes can."""
    line = seal(record.payload, record.signatures).decode()
    lines = team.world.git("notes", RECORDS, "show", on).splitlines()
    assert line in lines
    team.world.git("notes", RECORDS, "add", "-f", "-m", "\n\n".join(one for one in lines if one not in {line, ""}), on)


def test_a_refusal_that_was_taken_off_the_change_is_found_elsewhere(team: Team) -> None:
    team.approved(team.ben)
    refusal = team.refused(team.cleo)
    without_line(team, refusal, refusal.subject.change)
    team.closed()
    assert "unapproved" in landed(team)


def planned_for(team: Team, base: str) -> None:
    """A run whose unsigned plan names a target, checked out at its trunk."""
    world = team.world
    world.git("switch", "--quiet", "-c", f"cto/{RUN}/trunk", "main")
    head = world.commit("Two", app__py=TWO)
    about = Subject(head=head, tree=world.git("rev-parse", "HEAD^{tree}"), change="", sha256="")
    commits: dict[str, Any] = {"target_commit": world.git("rev-parse", base), "start": world.git("rev-parse", "main")}
    plan = a_plan_record(run=RUN, series=f"run/{RUN}", target=f"refs/heads/{base}", base=base, **commits)
    with Workspace(str(world.path), os.environ) as workspace:
        workspace.ledger.put(encode(about, plan), series=f"run/{RUN}")


def laxer(team: Team) -> None:
    """A branch of somebody's own, whose policy believes everything."""
    team.world.git("switch", "--quiet", "-c", "lax", "main")
    team.world.commit("Lax", **{".cto/config.toml": '[gate]\ntrust = "local"\n'})


def test_an_unsigned_plan_does_not_choose_a_laxer_target(team: Team) -> None:
    laxer(team)
    planned_for(team, "lax")
    said = team.world.cto("gate", "--json").json
    assert (said["target"], said["trust"], said["allowed"]) == ("refs/heads/main", "signed", False)


def test_an_unsigned_plan_leads_away_from_no_policy_that_cannot_be_read(team: Team) -> None:
    laxer(team)
    team.signers(team.allowed, "[gate")
    planned_for(team, "lax")
    said = team.world.cto("gate", "--json")
    assert (said.code, said.json["error"]["code"]) == (2, "policy")


def test_where_there_is_no_usual_target_a_plan_names_one(team: Team) -> None:
    laxer(team)
    planned_for(team, "lax")
    team.world.git("branch", "-m", "main", "other")
    said = team.world.cto("gate", "--json")
    assert (said.code, said.json["target"]) == (1, "refs/heads/lax")


@pytest.mark.parametrize("field", ["target", "base"])
def test_a_record_with_control_characters_is_none(team: Team, field: str) -> None:
    world = team.world
    world.git("switch", "--quiet", "-c", f"cto/{RUN}/trunk", "main")
    head = world.commit("Two", app__py=TWO)
    about = Subject(head=head, tree=world.git("rev-parse", "HEAD^{tree}"), change="", sha256="")
    said: dict[str, Any] = {"target": "refs/heads/main", field: "refs/heads/a.b"}
    record = encode(about, a_plan_record(run=RUN, series=f"run/{RUN}", start=world.git("rev-parse", "main"), **said))
    record = replace(record, payload=record.payload.replace(b"a.b", rb"a\u0000b"))
    with Workspace(str(world.path), os.environ) as workspace:
        workspace.ledger.put(record, series=f"run/{RUN}")
    for argv in (["gate"], ["log"], ["show"], ["status"], ["tasks"]):
        done = world.cto(*argv)
        assert done.code in {0, 1, 2}, done.text


FAILS_FOR_CLEO = {
    "verify": """case "$*" in *"-Y verify"*cleo*) echo "Unable to load it: Too many open files" >&2; exit 255;; esac""",
    "find-principals": """case "$*" in *find-principals*)
grep -q cleo "$(echo "$*" | sed 's/.* -f //')" && { echo "No principal matched." >&2; exit 255; };; esac""",
}


@pytest.mark.parametrize("verb", list(FAILS_FOR_CLEO))
def test_a_refusal_that_ssh_keygen_could_not_look_at_still_closes(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    team.approved(team.ben)
    team.refused(team.cleo)
    real = shutil.which("ssh-keygen")
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "ssh-keygen").write_text(f'#!/bin/sh\n{FAILS_FOR_CLEO[verb]}\nexec {real} "$@"\n')
    (folder / "ssh-keygen").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    team.closed()
    assert team.world.cto("verify").code == 1


@pytest.mark.parametrize("date", ["9" * 5000, "9" * 19, "", "-5"])
def test_a_date_that_is_none_is_no_obstacle_to_an_audit(team: Team, date: str) -> None:
    world = team.world
    onto, tree = world.git("rev-parse", "main"), world.git("rev-parse", "topic^{tree}")
    who = f"A <a@x> 1 +0000\ncommitter A <a@x> {date} +0000"
    raw = f"tree {tree}\nparent {onto}\nauthor {who}\n\nLanded\n".encode()
    made = world.git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", data=raw)
    world.git("update-ref", "refs/heads/other", made)
    said = world.cto("audit", "--base", "other", f"{onto}..other")
    assert (said.code, "unapproved" in said.out) == (1, True)
