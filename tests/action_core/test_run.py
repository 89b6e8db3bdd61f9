"""`mode: run`: the whole loop on a runner, with the real Codex and the real Claude Code, and what of it is pushed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path

import pytest

from git_cto.demo.server import Reply, Request
from tests.action_core.stage import KEY, Json, Ran, Stage
from tests.forge import payloads
from tests.forge.fake import TOKEN
from tests.loop.world import Loop, a_task, refusing
from tests.world import plan_answer, task

ANTHROPIC = "sk-ant-Scr1ptedKeyOfTheEngineer0123456789"


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loop]:
    """A planner and reviewer, and an engineer."""
    with Loop(tmp_path / "elsewhere", monkeypatch) as served:
        served.tasks(a_task("t1"))
        yield served


def dispatched(stage: Stage, models: Loop, *, login: str = "ada", event: Json = None, **inputs: str) -> Ran:
    """Somebody starts a run."""
    payload = event or payloads.dispatch(login=login, server=stage.server)
    given = {"mode": "run", "objective": "Write the files", "anthropic_api_key": ANTHROPIC}
    return stage.job(payload, repeat(models._codex), event="workflow_dispatch", **{**given, **inputs})


def branches(stage: Stage) -> set[str]:
    return set(stage.bare("for-each-ref", "--format=%(refname)", "refs/heads/cto").split())


def test_a_run_is_planned_done_reviewed_and_pushed_and_its_pull_request_needs_no_model(
    stage: Stage, models: Loop
) -> None:
    stage.signs()
    there: list[str] = []

    def review(request: Request) -> Reply:
        there.extend(branches(stage))  # nothing would be lost if this runner went away now
        return refusing("t1")(request)

    models.review = review
    ran = dispatched(stage, models)
    assert ran.code == 0, ran.log + ran.summary
    run = ran.outputs["run"]
    trunk = f"refs/heads/cto/{run}/trunk"
    assert (ran.outputs["verdict"], ran.outputs["allowed"], ran.outputs["round"]) == ("approve", "true", "2")
    assert branches(stage) == {trunk, f"refs/heads/cto/{run}/t1"} == set(there)
    assert stage.bare("show", f"{trunk}:t1.txt") == "t1 again"
    assert stage.records() == 3
    assert f"/compare/main...cto/{run}/trunk?expand=1" in ran.summary
    head = stage.bare("rev-parse", trunk)
    stage.world.git("fetch", "--quiet", "origin", trunk)
    stage.push(head)
    stage.github.open_pull(7, head, head_ref=f"cto/{run}/trunk")
    ran = stage.review(key="", action="opened")
    assert (ran.code, ran.asked, ran.outputs["run"], stage.checks()) == (0, 0, run, ["success"]), ran.log
    assert "**t1** ✓" in stage.comment_text


def test_a_run_goes_on_where_another_job_had_to_stop(stage: Stage, models: Loop) -> None:
    stage.signs()
    models.tasks(a_task("t1"), a_task("t2"))
    ran = dispatched(stage, models, max_tokens="1")
    assert (ran.code, ran.outputs["allowed"]) == (5, "false"), ran.log + ran.summary
    run = ran.outputs["run"]
    before = branches(stage)
    assert f"refs/heads/cto/{run}/trunk" in before
    head = stage.bare("rev-parse", f"refs/heads/cto/{run}/trunk")
    stage.world.git("fetch", "--quiet", "origin", head)
    stage.push(head)
    stage.github.open_pull(7, head, head_ref=f"cto/{run}/trunk")
    ran = dispatched(stage, models, objective="", run=run)
    assert (ran.code, ran.outputs["run"], ran.outputs["allowed"]) == (0, run, "true"), ran.log + ran.summary
    assert {f"refs/heads/cto/{run}/{name}" for name in ("trunk", "t1", "t2")} <= branches(stage)


def test_a_pull_request_that_is_open_for_the_trunk_gets_its_verdict(stage: Stage, models: Loop) -> None:
    stage.signs()
    ran = dispatched(stage, models)
    run = ran.outputs["run"]
    head = stage.bare("rev-parse", f"refs/heads/cto/{run}/trunk")
    stage.world.git("fetch", "--quiet", "origin", head)
    stage.push(head)
    stage.github.open_pull(7, head, head_ref=f"cto/{run}/trunk")
    ran = dispatched(stage, models, objective="", run=run)
    assert ran.code == 0, ran.log + ran.summary
    assert stage.checks() == ["success"]
    assert "### ✓ Approved" in stage.comment_text


def test_a_plan_whose_record_nobody_signed_is_only_a_claim(stage: Stage, models: Loop) -> None:
    """A plan found by trailers."""
    ran = dispatched(stage, models)
    assert ran.code == 0, ran.log + ran.summary
    head = stage.bare("rev-parse", f"refs/heads/cto/{ran.outputs['run']}/trunk")
    stage.world.git("fetch", "--quiet", "origin", head)
    stage.push(head)
    stage.github.open_pull(7, head, head_ref="change")
    ran = stage.job(stage.event(), repeat(models._codex))
    assert "There is no plan: judge the change by itself." in ran.requests[0].user_text
    assert "there is no plan of it here that is signed" in stage.comment_text


def test_commands_of_the_plan_run_only_where_that_was_said_and_know_no_key(stage: Stage, models: Loop) -> None:
    look = task("t1", action="run_command", target="env | sort > env.txt", acceptance_criteria=["env.txt is right"])
    models.plan = plan_answer(look)
    ran = dispatched(stage, models)
    assert ran.outputs["allowed"] == "false"
    ran = dispatched(stage, models, allow_commands="true")
    assert ran.code == 0, ran.log + ran.summary
    said = stage.bare("show", f"refs/heads/cto/{ran.outputs['run']}/trunk:env.txt")
    assert "PATH=" in said
    assert not [one for one in (KEY, ANTHROPIC, TOKEN, "extraHeader", "INPUT_GITHUB_TOKEN") if one in said]


# ---- who may, and with what


def test_only_write_access_starts_a_run(stage: Stage, models: Loop) -> None:
    stage.github.permit("mallory", "read")
    ran = dispatched(stage, models, login="mallory")
    assert (ran.code, ran.asked, branches(stage)) == (2, 0, set()), ran.log
    assert dispatched(stage, models, login="helper[bot]", allow_bots="helper").asked == 0


def test_a_pull_request_starts_no_run(stage: Stage, models: Loop) -> None:
    stage.opened()
    ran = dispatched(stage, models, event=stage.event())
    assert (ran.code, ran.asked) == (2, 0), ran.log
    ran = stage.job(stage.comment("/cto review"), event="issue_comment", mode="run", objective="x")
    assert (ran.code, ran.asked) == (2, 0), ran.log


@pytest.mark.parametrize(
    "given, code",
    [
        ({"objective": ""}, 2),
        ({"run": "some-run-1a2b3c"}, 2),
        ({"objective": "", "run": "../../etc"}, 2),
        ({"anthropic_api_key": ""}, 3),
        ({"key": ""}, 3),
        ({"base": "nowhere"}, 3),
    ],
)
def test_a_run_without_what_it_needs_does_not_begin(
    stage: Stage, models: Loop, given: dict[str, str], code: int
) -> None:
    ran = dispatched(stage, models, **given)
    assert (ran.code, ran.asked, ran.outputs["allowed"]) == (code, 0, "false"), ran.log
    assert json.dumps(sorted(branches(stage))) == "[]"


def test_a_tag_is_no_branch_to_run_on(stage: Stage, models: Loop) -> None:
    event = payloads.dispatch("refs/tags/v1", server=stage.server)
    assert dispatched(stage, models, event=event).code == 2
