"""`--json`: one document on stdout for every verb and every failure, of the form that the schemas promise."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from git_cto.cli import VERBS
from git_cto.work.documents.catalogue import DOCUMENTS
from tests.cli.scenes import TWO, changed, done, saying
from tests.keys import new_key
from tests.world import Said, World, finding, plan_answer, review_reply


def document(said: Said) -> dict[str, Any]:
    """The one document on stdout, checked against the schema of the kind that it says it is."""
    parsed = json.loads(said.out)
    kind = parsed["schema"].split("/")[1]
    assert parsed["schema"] == f"git-cto/{kind}/v1"
    jsonschema.validate(parsed, msgspec.json.schema(DOCUMENTS[kind]))
    known = msgspec.json.encode(msgspec.json.decode(said.out, type=DOCUMENTS[kind]))
    assert json.loads(known) == parsed, "there are keys that the schema does not know"
    return dict(parsed)


def _plan(world: World) -> Said:
    return world.ask(saying(json.dumps(plan_answer())), "plan", "Raise it", "--json")


def _dry_plan(world: World) -> Said:
    return world.cto("plan", "Raise it", "--dry-run", "--json")


def _dry_review(world: World) -> Said:
    changed(world)
    return world.cto("review", "--dry-run", "--json")


def _tasks(world: World) -> Said:
    world.planned()
    return world.cto("tasks", "--json")


def _start(world: World) -> Said:
    world.planned()
    return world.cto("start", "t1", "--json")


def _finish(world: World) -> Said:
    world.planned()
    world.cto("start", "t1")
    world.write("app.py", TWO)
    return world.cto("finish", "-m", "Did it", "--json")


def _review(world: World) -> Said:
    changed(world)
    return world.ask([review_reply(findings=[finding("nit", suggestion="x")])], "review", "--json")


def _review_of_a_run(world: World) -> Said:
    done(world)
    return world.ask([review_reply("revise")], "review", "Claims", "--json")


def _standing(world: World) -> Said:
    _review(world)
    return world.cto("review", "--json")


def _gate(world: World) -> Said:
    changed(world)
    return world.cto("gate", "--json")


def _open_gate(world: World) -> Said:
    _review(world)
    return world.cto("gate", "--json")


def _replay(world: World) -> Said:
    _review(world)
    return world.cto("replay", "--json")


def _replay_asked_again(world: World) -> Said:
    _review_of_a_run(world)
    return world.ask([review_reply()], "replay", "--ask", "--json")


def _verify(world: World) -> Said:
    _review_of_a_run(world)
    return world.cto("verify", "--json")


def _audit(world: World) -> Said:
    changed(world)
    return world.cto("audit", "..HEAD", "--json")


def _audit_events(world: World) -> Said:
    return world.cto("audit", "--events")


def _import(world: World) -> Said:
    _review(world)
    return world.cto("import", "-", "--json", stdin=world.cto("show", "--export", "dsse").out.encode())


def _sign(world: World) -> Said:
    _review(world)
    key = new_key(world.path.parent / "keys")
    world.git("config", "gpg.format", "ssh")
    world.git("config", "user.signingkey", str(key.path))
    return world.cto("sign", "--json")


def _log(world: World) -> Said:
    done(world)
    world.reviewed(verdict="abort")
    world.cto("continue", "--reason", "x")
    world.cto("override", "--reason", "x")
    return world.cto("log", "--all", "--json")


def _show(world: World) -> Said:
    return world.cto("show", world.planned(), "--json")


def _continue(world: World) -> Said:
    changed(world)
    world.reviewed(verdict="abort")
    return world.cto("continue", "--reason", "x", "--json")


def _override(world: World) -> Said:
    changed(world)
    return world.cto("override", "--reason", "x", "--json")


def _sync(world: World) -> Said:
    world.git("clone", "--quiet", "--bare", str(world.path), str(world.path.parent / "hub.git"))
    world.git("remote", "add", "origin", str(world.path.parent / "hub.git"))
    return world.cto("sync", "--json")


def _doctor(world: World) -> Said:
    return world.cto("doctor", "--json")


def _init(world: World) -> Said:
    return world.cto("init", "--json")


def _abandon(world: World) -> Said:
    run = world.planned()
    world.git("branch", f"cto/{run}/t1")
    return world.cto("abandon", run, "--json")


SITUATIONS: list[tuple[str, Callable[[World], Said]]] = [
    ("plan", _plan),
    ("dry-run", _dry_plan),
    ("dry-run", _dry_review),
    ("tasks", _tasks),
    ("start", _start),
    ("finish", _finish),
    ("review", _review),
    ("review", _review_of_a_run),
    ("review", _standing),
    ("gate", _gate),
    ("gate", _open_gate),
    ("log", _log),
    ("log", _show),
    ("replay", _replay),
    ("replay", _replay_asked_again),
    ("proof", _verify),
    ("audit", _audit),
    ("landing", _audit_events),
    ("import", _import),
    ("sign", _sign),
    ("decision", _continue),
    ("decision", _override),
    ("sync", _sync),
    ("doctor", _doctor),
    ("init", _init),
    ("abandon", _abandon),
]


@pytest.mark.parametrize("kind, situation", SITUATIONS, ids=[made.__name__[1:] for _, made in SITUATIONS])
def test_every_verb_prints_one_document_of_its_kind(
    world: World, kind: str, situation: Callable[[World], Said]
) -> None:
    assert document(situation(world))["schema"] == f"git-cto/{kind}/v1"


def test_what_was_abandoned_can_be_brought_back_from_its_document(world: World) -> None:
    said = document(_abandon(world))
    run = said["run"]
    assert said["branches"] == [{"name": f"cto/{run}/{name}", "commit": world.head} for name in ("t1", "trunk")]
    assert world.git("branch", "--list", "cto/*") == ""
    for branch in said["branches"]:
        world.git("branch", branch["name"], branch["commit"])
    assert world.cto("tasks", run).code == 0


def test_every_kind_of_document_has_its_situation() -> None:
    """A new one is to be added above (the demo's and the loop's are in their own tests, the error's below)."""
    assert {kind for kind, _ in SITUATIONS} | {"demo", "error", "event", "run"} == set(DOCUMENTS)


ARGUMENTS = {
    "run": ["x"],
    "abandon": ["x"],
    "plan": ["x"],
    "start": ["t1"],
    "finish": ["-m", "x"],
    "continue": ["--reason", "x"],
    "override": ["--reason", "x"],
    "import": [__file__],
}
PLACELESS = {"doctor", "demo"}  # these work, or say what they have to say, anywhere


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in PLACELESS])
def test_every_verb_fails_with_a_document_too(world: World, tmp_path: Path, verb: str) -> None:
    """Outside of a repository: on stdout the document, on stderr nothing, and the exit code in both."""
    said = world.cto("-C", str(tmp_path), verb, *ARGUMENTS.get(verb, []), "--json")
    error = document(said)
    assert (said.code, error["exit_code"], said.err) == (2, 2, "")
    assert "is not in a git repository" in error["error"]["message"]
    assert error["error"]["hint"]


@pytest.mark.parametrize(
    "argv, code, word",
    [
        (["nonsense", "--json"], 2, "usage"),
        (["review", "--nonsense", "--json"], 2, "usage"),
        (["review", "--json", "--base", "nowhere"], 2, "usage"),
        (["review", "--json"], 2, "empty_change"),
        (["continue", "--json"], 2, "usage"),
        (["sync", "--json"], 2, "usage"),
    ],
)
def test_a_failure_is_a_document_with_a_stable_word(world: World, argv: list[str], code: int, word: str) -> None:
    said = world.cto(*argv)
    error = document(said)
    assert (said.code, error["exit_code"], error["error"]["code"]) == (code, code, word)


def test_notes_and_progress_go_to_stderr(world: World) -> None:
    """And --quiet leaves them out."""
    changed(world)
    world.write("new.py", "1\n")
    said = world.ask([review_reply()], "review", "--json")
    document(said)
    assert "note: 1 path is not committed" in said.err
    assert "Codex gpt-5.4 · " in said.err
    world.commit("Another")
    said = world.ask([review_reply()], "review", "--json", "--quiet")
    document(said)
    assert said.err == ""


def test_what_is_no_utf8_does_not_break_a_document(world: World) -> None:
    """A path of any bytes, a branch that is not UTF-8."""
    world.branch("topic")
    (world.path / "caf\udce9.py").write_text("x = 1\n")
    world.commit("Odd")
    world.git("branch", "--quiet", "-m", "top\udcff")
    said = world.ask([review_reply()], "review", "--json")
    assert document(said)["head"] == world.head
    document(world.cto("gate", "--json"))
    document(world.cto("log", "--json"))


def test_a_json_of_an_error_holds_no_secret(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPLOY_TOKEN", "hunter2-hunter2-hunter2")
    said = world.cto("review", "--base", "hunter2-hunter2-hunter2", "--json")
    assert "hunter2" not in said.text
    assert "[redacted]" in document(said)["error"]["message"]
