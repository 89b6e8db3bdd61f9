"""Our own secret values reach no model, no artifact and no dry run, and none of them makes an answer unreadable."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.scenes import saying
from tests.world import World, finding, plan_answer, review_reply

SECRET = "s3cr3tvalue-abcdef"


def _changed(world: World) -> None:
    world.branch("feature")
    world.commit("Raise it", app__py="def version():\n    return 2\n")


def _artifacts(world: World) -> str:
    kept = [path for path in Path(world.path, ".codex-cto").rglob("*") if path.is_file()]
    assert any(path.name.endswith("prompt.md") for path in kept)
    assert any(path.name.endswith("events.jsonl") for path in kept)
    return "".join(path.read_text() for path in kept)


def test_a_claim_is_clean_for_the_model_the_artifacts_and_a_dry_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_TOKEN", SECRET)
    _changed(world)
    dry = world.cto("review", f"Used {SECRET}.", "--dry-run")
    assert dry.code == 0, dry.text
    assert SECRET not in dry.text
    assert "Used [redacted]." in dry.out
    said = world.ask(
        [review_reply("revise", summary=f"It has {SECRET}.", findings=[finding("major")])],
        "review",
        f"Used {SECRET}.",
        "--json",
    )
    assert said.code == 1, said.text
    assert "Used [redacted]." in said.question()
    assert SECRET not in said.question() + _artifacts(world)
    again = world.cto("review", "--dispute", f"But {SECRET} is fine.", "--dry-run")
    assert again.code == 0, again.text
    assert "But [redacted] is fine." in again.out


def test_an_objective_is_clean_for_the_planner_and_in_the_name_of_the_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_TOKEN", SECRET)
    said = world.ask(saying(json.dumps(plan_answer())), "plan", f"{SECRET} is to be rotated", "--json")
    assert said.code == 0, said.text
    assert SECRET not in said.question() + _artifacts(world) + world.git("for-each-ref")
    assert "s3cr3tvalue" not in world.git("for-each-ref")


@pytest.mark.parametrize("name", ["CACHE_KEY", "CACHE_TOKEN"])
def test_a_variable_that_holds_the_head_leaves_a_paid_review_readable(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    _changed(world)
    monkeypatch.setenv(name, world.head)
    said = world.reviewed()
    monkeypatch.delenv(name)
    assert said.code == 0, said.text
    assert world.cto("gate").code == 0


def test_a_variable_that_holds_a_word_of_the_answer_changes_no_verdict_and_no_path(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.branch("feature")
    world.commit("Raise it", **{"production/settings__py": "x = 1\n"})
    monkeypatch.setenv("STAGE_KEY", "production")
    monkeypatch.setenv("SEVERITY_KEY", "blocker-major")
    path = "production/settings.py"
    said = world.reviewed(
        verdict="revise", findings=[finding("major", path=path, body="In production.", start_line=1, end_line=1)]
    )
    monkeypatch.delenv("STAGE_KEY")
    assert said.code == 1, said.text
    found = world.cto("show", "--json").text
    assert path in found
    assert "In [redacted]." in found
