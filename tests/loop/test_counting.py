"""Where only signed records count, a run says before anything is paid for what will count for nobody else, once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.signed import SIGNED
from tests.keys import Key, known_key
from tests.loop.world import Loop, a_task, refusing

UNSIGNED = "only signed records count for main, and nothing is signed here: what is recorded counts in this process"
AUTHOR = "ada@example.org is an author of the change, whose signature does not open the gate"


@pytest.fixture(name="keys")
def _keys(tmp_path: Path) -> dict[str, Key]:
    return {name: known_key(tmp_path / "keys", f"{name}@example.org") for name in ("ada", "ben", "eve")}


def demanding(loop: Loop, keys: dict[str, Key], more: str = "") -> None:
    """Only what Ada or Ben signs counts on main. It is Ada who commits here."""
    loop.write(".cto/allowed_signers", keys["ada"].line() + keys["ben"].line())
    loop.policy(SIGNED + more)


def signing_with(loop: Loop, key: Key) -> None:
    loop.git("config", "gpg.format", "ssh")
    loop.git("config", "user.signingkey", str(key.path))
    loop.git("config", "cto.sign", "true")


def flat(text: str) -> str:
    return " ".join(text.split())


def test_where_nothing_is_signed_it_is_said_once_and_before_the_plan(loop: Loop, keys: dict[str, Key]) -> None:
    demanding(loop, keys)
    loop.tasks(a_task("t1"))
    loop.review = refusing("t1")
    said = loop.run("--json")
    assert (said.code, said.json["rounds"]) == (0, 2), said.text
    err = flat(said.err)
    assert err.count(UNSIGNED) == 1
    assert err.index(UNSIGNED) < err.index("planning")
    (note,) = said.json["notes"]
    assert note.startswith(UNSIGNED)
    assert said.json["next"] == f"git cto sign {loop.trunk}"
    kept = [json.loads(path.read_text()) for path in sorted(loop.path.glob(".codex-cto/*/*-00?.json"))]
    assert [(one["phase"], one["notes"]) for one in kept] == [("plan", [note]), ("review", [note]), ("review", [note])]
    assert kept[-1]["next"] == f"git cto sign {loop.trunk}, by an allowed signer"


def test_a_run_that_is_resumed_says_it_before_its_review(loop: Loop, keys: dict[str, Key]) -> None:
    demanding(loop, keys)
    signing_with(loop, keys["ben"])
    assert loop.run("--max-tokens", "1").code == 5
    signing_with(loop, keys["eve"])
    said = loop.resume()
    assert said.code == 0, said.text
    err = flat(said.err)
    assert err.count(".cto/allowed_signers of main does not list the key") == 1
    assert err.index("does not list the key") < err.index("t1 started")
    assert f"Next: git cto sign {loop.trunk}" in said.out


def test_a_run_whose_plan_nobody_signed_is_not_resumed_to_be_refused_at_its_review(
    loop: Loop, keys: dict[str, Key]
) -> None:
    demanding(loop, keys)
    assert loop.run("--max-tokens", "1").code == 5
    said = loop.resume()
    assert (said.code, "started" in said.err) == (2, False), said.text
    assert "is signed by nobody who may, and only signed records count for main" in said.err
    assert f"Next: git cto sign cto/{loop.id}/trunk, by an allowed signer\n      then git cto run --resume" in said.err
    signing_with(loop, keys["ben"])
    assert loop.cto("sign", loop.trunk).code == 0
    assert loop.resume().code == 0


def test_whoever_commits_what_tasks_do_is_told_that_they_cannot_approve_it(loop: Loop, keys: dict[str, Key]) -> None:
    demanding(loop, keys)
    signing_with(loop, keys["ada"])
    said = loop.run()
    assert said.code == 0, said.text
    err = flat(said.err)
    assert err.count(AUTHOR) == 1
    assert err.index(AUTHOR) < err.index("planning")
    assert "it is open" not in said.out
    signing_with(loop, keys["ben"])
    assert f"Next: git cto sign {loop.trunk}" in said.out
    assert loop.cto("gate", loop.trunk).code == 1
    assert loop.cto("sign", loop.trunk).code == 0
    assert loop.cto("gate", loop.trunk).code == 0


def test_a_base_that_was_named_is_named_again_where_the_approval_is_to_be_signed(
    loop: Loop, keys: dict[str, Key]
) -> None:
    demanding(loop, keys)
    loop.git("branch", "stable")
    said = loop.run("--base", "stable", "--json")
    assert said.json["next"] == f"git cto sign {loop.trunk} --base stable"


@pytest.mark.parametrize("more", ["", "signer_is_not_author = false\n"])
def test_where_it_will_count_nothing_is_said(loop: Loop, keys: dict[str, Key], more: str) -> None:
    demanding(loop, keys, more)
    signing_with(loop, keys["ada" if more else "ben"])
    said = loop.run("--json")
    assert (said.code, said.json["notes"]) == (0, []), said.text
    assert "count" not in said.err
    assert said.json["next"] == f"git cto gate {loop.trunk}"
    assert loop.cto("gate", loop.trunk).code == 0


def test_a_human_who_lets_it_go_on_is_not_told_again(loop: Loop, keys: dict[str, Key]) -> None:
    demanding(loop, keys, "[rounds]\nescalate_after = 1\n")
    loop.tasks(a_task("t1"))
    loop.review = refusing("t1")
    said = loop.on_terminal("run", "Write the files", *loop.by_script, answers=[("A reason to go on", "Mend it")])
    assert said.code == 0, said.text
    assert flat(said.text).count("nothing is signed here") == 1
