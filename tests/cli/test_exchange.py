"""Records outside of the ledger: read by other in-toto tools, taken back, and refused where they do not count."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict  # type: ignore[import-untyped]
from in_toto_attestation.predicates.vsa.v1 import vsa_pb2  # type: ignore[import-untyped]
from in_toto_attestation.v1 import statement, statement_pb2  # type: ignore[import-untyped]
from securesystemslib.dsse import Envelope

from git_cto.ledger.sshsig import armoured
from tests.cli.scenes import done
from tests.keys import Key, new_key
from tests.world import World


@pytest.fixture
def rex(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Key:
    """Signs what is recorded, and is listed on main."""
    key = new_key(tmp_path / "keys", "rex@example.org")
    world.write(".cto/allowed_signers", key.line())
    world.policy('[gate]\ntrust = "signed"\n')
    monkeypatch.setenv("GIT_CTO_SIGNING_KEY", key.private)
    return key


def approved(world: World) -> str:
    world.branch("feature", "main")
    head = world.commit("Raise it", app__py="2\n")
    assert world.reviewed().code == 0
    return head


def exported(world: World, kind: str = "dsse", *, code: int = 0) -> dict[str, Any]:
    said = world.cto("show", "--export", kind)
    assert said.code == code, said.text
    found: dict[str, Any] = json.loads(said.out)
    return found


def test_other_in_toto_tools_read_what_is_exported(world: World, rex: Key) -> None:
    head = approved(world)
    envelope = Envelope.from_dict(exported(world))
    assert envelope.payload_type == "application/vnd.in-toto+json"
    assert len(envelope.signatures) == 1
    read = ParseDict(json.loads(envelope.payload), statement_pb2.Statement())
    statement.Statement.copy_from_pb(read).validate()
    assert read.subject[0].digest["gitCommit"] == head
    assert read.predicate_type.endswith("/verdict/v1")


def test_the_signature_is_over_what_dsse_says_to_be_signed(world: World, rex: Key, tmp_path: Path) -> None:
    import subprocess

    approved(world)
    envelope = Envelope.from_dict(exported(world))
    (signature,) = exported(world)["signatures"]
    (tmp_path / "sig").write_bytes(armoured(base64.b64decode(signature["sig"])))
    (tmp_path / "allowed").write_text(rex.line())
    argv = ["ssh-keygen", "-Y", "verify", "-f", str(tmp_path / "allowed"), "-I", rex.principal]
    argv += ["-n", "git-cto.verdict.v1", "-s", str(tmp_path / "sig")]
    assert subprocess.run(argv, input=envelope.pae(), check=False, capture_output=True).returncode == 0


def test_a_verification_is_summed_up_as_slsa_does(world: World, rex: Key) -> None:
    head = approved(world)
    envelope = Envelope.from_dict(exported(world, "vsa"))
    told = json.loads(envelope.payload)
    statement.Statement.copy_from_pb(ParseDict(told, statement_pb2.Statement())).validate()
    assert told["subject"][0]["digest"] == {"gitCommit": head}
    assert told["predicate"]["verifiedLevels"] == ["GIT_CTO_GATE_OPEN", "GIT_CTO_SIGNED"]
    # The specification has several levels; in-toto's own description of it reads one as a text.
    plain = {name: value for name, value in told["predicate"].items() if name not in {"verifiedLevels", "verifier"}}
    predicate = ParseDict(plain, vsa_pb2.VerificationSummary())
    assert predicate.verification_result == "PASSED"
    assert predicate.policy.digest["gitCommit"] == world.git("rev-parse", "main")
    world.commit("Nobody looked at this", app__py="3\n")
    failed = json.loads(Envelope.from_dict(exported(world, "vsa", code=1)).payload)["predicate"]
    assert failed["verificationResult"] == "FAILED"
    assert failed["verifiedLevels"] == []


def test_a_summary_that_failed_is_whole_and_can_be_told_from_one_that_passed(world: World) -> None:
    """By its exit code; and by a line on stderr for whoever pipes it, where that code is lost."""
    approved(world)
    passed = world.cto("show", "--export", "vsa")
    assert (passed.code, passed.err) == (0, "")
    world.commit("Nobody looked at this", app__py="3\n")
    for argv in (["--export", "vsa"], ["--export", "vsa", "main", "--base", "feature"]):
        failed = world.cto("show", *argv)
        assert failed.code == world.cto("verify", "--local", *argv[2:]).code == 1
        assert failed.out.endswith("}\n")
        assert failed.err.count("note: the summary says FAILED: ") == 1
    assert "nobody has judged it" in " ".join(world.cto("show", "--export", "vsa").err.split())
    quiet = world.cto("show", "--export", "vsa", "--quiet")
    assert (quiet.code, quiet.err) == (1, "")
    assert world.cto("show", "--export", "vsa", "nowhere").code == 2
    assert world.cto("show", "--export", "dsse", "HEAD^").code == 0


def test_a_record_comes_back_under_the_same_checks(world: World, rex: Key, tmp_path: Path) -> None:
    approved(world)
    file = tmp_path / "verdict.json"
    file.write_text(json.dumps(exported(world), indent=2))
    for ref in ("refs/notes/cto-records", "refs/cto/records"):
        world.git("update-ref", "-d", ref)
    assert world.cto("gate").code == 1
    said = world.cto("import", str(file), "--json")
    assert said.code == 0, said.text
    assert said.json["new"]
    assert said.json["signers"] == ["rex@example.org"]
    assert world.cto("gate").code == 0
    again = world.cto("import", "-", stdin=file.read_bytes())
    assert again.code == 0
    assert "here already" in again.out


def test_a_verdict_that_comes_without_its_plan_says_how_to_bring_that(world: World) -> None:
    run = done(world)
    assert world.reviewed().code == 0
    verdict, plan = (world.cto("show", what, "--export", "dsse").out.encode() for what in ("HEAD", run))
    for ref in ("refs/notes/cto-records", "refs/cto/records"):
        world.git("update-ref", "-d", ref)
    said = world.cto("import", "-", stdin=verdict)
    assert (said.code, said.out.splitlines()[0]) == (0, "Imported:"), said.text
    assert f"note: it rests on a plan of {run}, which is not here" in " ".join(said.err.split())
    told = " ".join(said.out.partition("Next: ")[2].split())
    assert told == f"git cto sync, or where it came from git cto show {run} --export dsse, and import that too"
    assert world.cto("gate", "--json").json["next"].startswith("git cto sync")
    second = world.cto("import", "-", "--json", stdin=plan)
    assert (second.code, len(second.json["notes"]), second.json["next"]) == (0, 1, "git cto gate"), "it is not signed"
    world.git("switch", "--quiet", "main")
    again = world.cto("import", "-", stdin=verdict)
    assert ("rests on" in again.err, again.out.splitlines()[0]) == (False, "It was here already:")
    judged = world.git("rev-parse", f"cto/{run}/trunk")[:12]
    assert again.out.splitlines()[-1] == f"Next: git cto gate {judged}   asks whether it may be merged now"
    assert world.cto("gate", judged).code == 0


def test_what_nobody_allowed_signed_stays_out_where_only_signed_records_count(
    world: World, rex: Key, tmp_path: Path
) -> None:
    approved(world)
    envelope = exported(world) | {"signatures": []}
    before = world.git("rev-parse", "refs/notes/cto-records")
    said = world.cto("import", "-", stdin=json.dumps(envelope).encode())
    assert said.code == 2
    assert "not signed" in said.err
    other = new_key(tmp_path / "others", "mal@example.org")
    sig = base64.b64encode(other.sign(Envelope.from_dict(envelope | {"signatures": []}).pae())).decode()
    said = world.cto("import", "-", stdin=json.dumps(envelope | {"signatures": [{"keyid": "", "sig": sig}]}).encode())
    assert said.code == 2
    assert "allowed_signers" in said.err
    assert world.git("rev-parse", "refs/notes/cto-records") == before


def test_a_record_of_another_change_stays_out(world: World) -> None:
    world.branch("feature")
    world.commit("Raise it", app__py="2\n")
    world.reviewed()
    envelope = exported(world)
    told = json.loads(base64.b64decode(envelope["payload"]))
    told["subject"][2]["digest"]["sha256"] = "0" * 64
    envelope["payload"] = base64.b64encode(json.dumps(told).encode()).decode()
    said = world.cto("import", "-", stdin=json.dumps(envelope).encode())
    assert said.code == 2
    assert "another change" in said.err


def test_no_more_is_read_of_a_file_than_a_record_may_have(world: World) -> None:
    said = world.cto("import", "/dev/zero")
    assert said.code == 2
    assert "more than a record may have" in said.err


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"payload": "e30="}', "{" * 100_000, "x" * 300_000])
def test_what_is_no_record_stays_out(world: World, text: str) -> None:
    said = world.cto("import", "-", stdin=text.encode())
    assert said.code == 2
    assert "holds no record" in said.err
    assert "Next: " in said.err


@pytest.mark.parametrize("text", [b"", b" \n"])
def test_an_empty_file_is_called_empty(world: World, text: bytes) -> None:
    assert world.cto("import", "-", stdin=text).err.startswith("standard input holds no record: it is empty.\nNext: ")


def test_where_a_file_stops_being_json_is_told_in_plain_words(world: World) -> None:
    said = world.cto("import", "-", stdin=b'{"payload": "e30=",\nx}')
    assert (said.code, "is not JSON from line 2, column 1 on" in " ".join(said.err.split())) == (2, True), said.text
    assert "Expecting" not in said.err


def test_what_is_not_here_has_to_be_fetched_first(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.branch("feature")
    world.commit("Raise it", app__py="2\n")
    world.reviewed()
    text = world.cto("show", "--export", "dsse").out
    other = World(tmp_path / "other", monkeypatch)
    other.git("init", "-q", "--initial-branch=main")
    other.commit("Another history", app__py="1\n")
    said = other.cto("import", "-", stdin=text.encode())
    assert said.code == 2
    assert "git fetch" in said.err


def test_a_file_that_is_not_there_is_said(world: World) -> None:
    said = world.cto("import", "nowhere.json")
    assert said.code == 2
    assert "nowhere.json cannot be read" in said.err
