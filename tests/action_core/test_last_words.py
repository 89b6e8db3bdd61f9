"""A job that ends before it has read its pull request: the event names the head, and it gets a failing check."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest

from tests.action_core.stage import KEY, Stage, approving
from tests.action_core.test_attack import everything_public
from tests.forge import payloads
from tests.forge.fake import TOKEN
from tests.world import World

SILENT = "Nothing of this could be said on the pull request, which shows what it showed before"


def said(stage: Stage, head: str = "") -> str:
    """What our last check on a head says."""
    head = head or stage.github.state.pulls[7].head_sha
    last = [one for one in stage.github.state.checks.values() if one.head == head][-1]
    assert (last.name, last.conclusion, last.title) == ("git-cto (main)", "failure", "? Could not be done")
    return last.summary or ""


@pytest.mark.parametrize("method, path", [("POST", "graphql"), ("GET", r"/pulls/7$")])
def test_a_check_that_was_green_fails_where_the_forge_tells_too_little(stage: Stage, method: str, path: str) -> None:
    stage.signs()
    stage.opened()
    assert stage.review(approving()).code == 0
    stage.github.fail(method, path, 502, times=99)
    ran = stage.review(action="edited")
    assert (ran.code, ran.outputs["allowed"], ran.asked, stage.checks()) == (3, "false", 0, ["success", "failure"])
    assert "GitHub fails (502" in said(stage)
    assert "Next: run it again later" in said(stage)
    assert ran.log.count("::error::") == 1
    assert SILENT not in ran.log + ran.summary


def test_an_input_that_cannot_be_is_told_where_people_look_and_names_no_secret(stage: Stage) -> None:
    stage.opened()
    ran = stage.review(effort=f"{KEY} high")
    assert (ran.code, stage.checks()) == (2, ["failure"]), ran.log
    assert "The input effort cannot be" in said(stage)
    assert KEY not in everything_public(stage, ran)


def test_a_merge_queue_is_answered_whatever_stands_in_the_way(stage: Stage) -> None:
    stage.opened()
    stage.github.fail("POST", "graphql", 502, times=99)
    head = stage.world.head
    ran = stage.job(payloads.merge_group(head, server=stage.server), event="merge_group", mode="gate", key="")
    assert (ran.code, stage.checks(head)) == (3, ["failure"]), ran.log
    assert "ask GitHub whose token this is" in said(stage, head)


def test_a_mistake_of_ours_is_told_there_too(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> NoReturn:
        raise KeyError(KEY)

    stage.opened()
    monkeypatch.setattr("git_cto.action.job.judge_pull", broken)
    stage.github.fail("GET", r"/pulls/7$", 502, times=99)
    ran = stage.review()
    assert (ran.code, stage.checks()) == (3, ["failure"]), ran.log
    assert "git-cto itself failed (KeyError)" in said(stage)
    assert KEY not in everything_public(stage, ran)


def test_where_github_cannot_be_reached_summary_and_log_say_that_nothing_was_said(stage: Stage) -> None:
    stage.opened()
    stage.github.drop("*", ".", times=999)
    ran = stage.review()
    assert (ran.code, ran.outputs["allowed"], stage.checks(), stage.comments) == (3, "false", [], []), ran.log
    assert "cannot be reached" in ran.summary
    assert SILENT in ran.summary
    assert f"::error::{SILENT}" in ran.log


def test_a_token_that_may_not_write_is_told_beside_what_went_wrong(stage: Stage) -> None:
    stage.opened()
    token = stage.github.token("github-actions[bot]", TOKEN[:-1] + "R", contents="read", pull_requests="read")
    ran = stage.review(token=token, jobs="many")
    assert (ran.code, stage.checks()) == (2, []), ran.log
    assert "The input jobs cannot be" in ran.summary
    assert f"{SILENT}: Could not" in ran.summary
    assert "checks: " in ran.log


def test_a_comment_makes_no_check_fail(stage: Stage) -> None:
    """Else anybody who may comment could close a gate that is open, on a bad day."""
    stage.signs()
    stage.opened()
    assert stage.review(approving()).code == 0
    stage.github.fail("POST", "graphql", 502, times=99)
    ran = stage.job(stage.comment("/cto status", "mallory"), event="issue_comment")
    assert (ran.code, ran.outputs["allowed"], stage.checks()) == (3, "false", ["success"]), ran.log
    assert SILENT in ran.summary


def test_a_run_is_no_pull_requests_business(stage: Stage) -> None:
    stage.opened()
    ran = stage.review(mode="run", objective="Say 3")
    assert (ran.code, stage.checks()) == (2, []), ran.log
    assert SILENT not in ran.summary


def test_an_event_that_cannot_be_read_is_told_in_the_log(stage: Stage, tmp_path: Path) -> None:
    stage.opened()
    ran = stage.review(GITHUB_EVENT_PATH=str(tmp_path / "gone.json"))
    assert (ran.code, stage.checks()) == (3, []), ran.log
    assert "::error::The event of this job cannot be read" in ran.log
    assert SILENT in ran.summary


def test_outside_of_a_job_nobody_is_told_of_a_pull_request(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_EVENT_NAME", raising=False)
    said = world.cto("action")
    assert (said.code, "This is for jobs of GitHub Actions" in said.text, SILENT in said.text) == (2, True, False)
