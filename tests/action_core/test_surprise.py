"""A mistake of ours, or of a library, in the middle of a job: it closes, people are told, and nothing leaks.

Nothing that a test can do from outside makes git-cto stumble on purpose, so functions are broken here.
"""

from __future__ import annotations

from typing import NoReturn

import pytest

from tests.action_core.stage import KEY, TWO, Stage, approving, refusing
from tests.action_core.test_attack import everything_public
from tests.forge import payloads

SENTENCE = "git-cto itself failed (KeyError), so nothing was decided."


@pytest.fixture
def breaks(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Breaks functions; what they raise says a secret."""
    return monkeypatch


def broken(*_: object, **__: object) -> NoReturn:
    raise KeyError(f"::error::{KEY}")


@pytest.mark.parametrize(
    "where",
    ["action.review.ask_gate", "action.scene.looked_up", "action.job.still_there", "action.posting.shown_lines"],
)
def test_a_check_that_was_green_does_not_stay_green(stage: Stage, breaks: pytest.MonkeyPatch, where: str) -> None:
    stage.signs()
    stage.opened()
    assert stage.review(approving()).code == 0
    if where == "action.posting.shown_lines":  # which is asked only where there is something new to say
        stage.pushed(TWO + "\n")
    breaks.setattr(f"git_cto.{where}", broken)
    ran = stage.review(*[refusing()] * ("posting" in where))
    assert (ran.code or 3, ran.outputs["allowed"], stage.checks()[-1]) == (ran.code, "false", "failure"), ran.log
    if "posting" not in where:
        assert ran.code == 3
        assert "### ? Could not be reviewed" in stage.comment_text
        assert SENTENCE in stage.comment_text
    public = everything_public(stage, ran)
    assert KEY not in public
    assert "Traceback" not in public
    assert "::error::git-cto itself failed (KeyError)" in ran.log
    assert "It was KeyError at test_surprise.py:" in ran.log
    assert "debug logging" in ran.log


def test_debug_logging_shows_the_way_to_it_and_no_secret(stage: Stage, breaks: pytest.MonkeyPatch) -> None:
    stage.opened()
    breaks.setattr("git_cto.action.review.ask_gate", broken)
    ran = stage.review(RUNNER_DEBUG="1")
    assert "Traceback" in ran.log
    assert "in broken" in ran.log
    public = everything_public(stage, ran)
    assert KEY not in public
    assert public.count("Traceback") == ran.log.count("Traceback")  # in the log alone
    shown = ran.log[ran.log.index("Traceback") :]
    assert "\n::error::" not in shown


def test_a_mistake_while_posting_keeps_nothing_else_back(stage: Stage, breaks: pytest.MonkeyPatch) -> None:
    stage.opened()
    breaks.setattr("git_cto.action.posting.body", broken)
    ran = stage.review(refusing())
    assert (ran.code, stage.checks(), stage.comments) == (1, ["failure"], []), ran.log
    assert "It was KeyError" in ran.log


def test_a_mistake_in_the_check_itself_posts_one_in_few_words(stage: Stage, breaks: pytest.MonkeyPatch) -> None:
    stage.signs()
    stage.opened()
    assert stage.review(approving()).code == 0
    assert stage.review(action="edited").code == 0
    stage.github.fail("POST", r"/check-runs$", 422, body={"message": "Invalid request."})
    ran = stage.review(action="edited")
    assert (ran.code, ran.outputs["allowed"], stage.checks()) == (3, "false", ["success"] * 2 + ["failure"]), ran.log
    calls: list[int] = []

    def once(*given: object) -> str:
        calls.append(1)
        return broken() if len(calls) == 1 else str(given)[:20]

    breaks.setattr("git_cto.action.posting.check_title", once)
    ran = stage.review(action="edited")
    assert (ran.code, ran.outputs["allowed"], stage.checks()[2:]) == (3, "false", ["failure"] * 2), ran.log


def test_a_merge_queue_gets_its_answer(stage: Stage, breaks: pytest.MonkeyPatch) -> None:
    stage.opened()
    breaks.setattr("git_cto.action.job.judge_group", broken)
    head = stage.world.head
    ran = stage.job(payloads.merge_group(head, server=stage.server), event="merge_group", mode="gate")
    assert (ran.code, ran.outputs["allowed"], stage.checks(head)) == (3, "false", ["failure"]), ran.log
    assert SENTENCE in ran.summary
    assert "It was KeyError" in ran.log
    assert KEY not in everything_public(stage, ran)


def test_the_gate_alone_makes_no_comment_of_it(stage: Stage, breaks: pytest.MonkeyPatch) -> None:
    stage.opened()
    breaks.setattr("git_cto.action.job.gate", broken)
    ran = stage.review(mode="gate", key="")
    assert (ran.code, stage.checks(), stage.comments) == (3, ["failure"], []), ran.log


def test_a_runner_that_has_no_room_is_told_as_such(stage: Stage, breaks: pytest.MonkeyPatch) -> None:
    """Case 82."""

    def full(*_: object, **__: object) -> NoReturn:
        raise OSError(28, "No space left on device")

    stage.opened()
    breaks.setattr("git_cto.action.scene.looked_up", full)
    ran = stage.review()
    assert (ran.code, stage.checks()) == (3, ["failure"]), ran.log
    assert "There is no room on the disk" in stage.comment_text
