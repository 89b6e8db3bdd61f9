"""The permissions of the workflow that `init --github` writes: they are enough, and none of them is too much."""

from __future__ import annotations

from io import StringIO

import pytest
from ruamel.yaml import YAML

from git_cto.render.workflow import WorkflowChoices, workflow_text
from tests.action_core.stage import Stage, refusing
from tests.action_core.test_slash import typed
from tests.forge import payloads
from tests.forge.fake import TOKEN

JOBS = YAML(typ="safe").load(StringIO(workflow_text(WorkflowChoices(uses="./"))))["jobs"]


def limited(stage: Stage, job: str, **lowered: str) -> None:
    """From now on the token of jobs may what the workflow's job may, and less where it is `lowered`."""
    granted = {name.replace("-", "_"): level for name, level in JOBS[job]["permissions"].items()}
    stage.github.token("github-actions[bot]", TOKEN, **{"metadata": "read", **granted, **lowered})


def escalating(stage: Stage) -> None:
    """A pull request whose first refusal asks for a human."""
    stage.signs()
    stage.policy("[rounds]\nescalate_after = 1\n")
    stage.opened()
    stage.github.status(stage.github.state.pulls[7].head_sha, "ci/legacy", "success")


def test_they_are_enough_for_all_that_is_posted(stage: Stage) -> None:
    escalating(stage)
    limited(stage, "review")
    stage.github.state.labels["cto-escalated"] = "cto-escalated"  # which setting it up asks for
    ran = stage.review(refusing())
    assert (ran.code, stage.checks(), len(stage.comments)) == (5, ["action_required"], 1), ran.log
    assert stage.github.state.pulls[7].labels == ["cto-escalated"]
    assert [one.login for one in stage.github.state.line_comments] == ["github-actions[bot]"]
    assert stage.records() == 1
    stage.github.permit("grace", "write")
    ran = typed(stage, "/cto override HEAD Seen", "grace")  # whose the commits are; a reaction; the label goes
    assert (ran.code, stage.checks()[-1], stage.github.state.pulls[7].labels) == (0, "success", []), ran.log
    assert "may not" not in ran.log


def test_a_label_that_nobody_has_made_keeps_nothing_else_back_and_the_log_says_what_to_do(stage: Stage) -> None:
    escalating(stage)
    limited(stage, "review")
    ran = stage.review(refusing())
    assert (ran.code, stage.checks(), len(stage.comments)) == (5, ["action_required"], 1), ran.log
    assert stage.github.state.pulls[7].labels == []
    assert "::error::Could not label #7 'cto-escalated'" in ran.log
    assert "gh label create" in ran.log


@pytest.mark.parametrize(
    "lowered",
    [{"pull_requests": "read"}, {"checks": "read"}, {"checks": "none"}, {"statuses": "none"}],
    ids=str,
)
def test_less_of_one_and_something_is_missing(stage: Stage, lowered: dict[str, str]) -> None:
    """What `contents: write` is for, the tests of the ledger and of threads say."""
    escalating(stage)
    limited(stage, "review", **lowered)
    ran = stage.review(refusing())
    assert "the token may not" in ran.log + ran.summary + "".join(stage.comments), ran.log
    (needed,) = ((name.replace("_", "-"), JOBS["review"]["permissions"][name.replace("_", "-")]) for name in lowered)
    level = "read" if lowered == {"checks": "none"} else needed[1]
    assert f"{needed[0]}: {level}" in ran.log + ran.summary.replace("`", "")


def test_the_queue_gets_its_answer_with_those_of_its_job(stage: Stage) -> None:
    stage.signs()
    head = stage.opened()
    stage.github.permit("grace", "write")
    assert typed(stage, "/cto override HEAD Seen", "grace").code == 0
    world = stage.world
    world.git("checkout", "--quiet", "main")
    world.git("merge", "--quiet", "--no-ff", "-m", "Merge pull request #7 from octo/topic7", head)
    group = world.head
    world.git("push", "--quiet", "origin", f"{group}:refs/heads/gh-readonly-queue/main/pr-7-{'b' * 40}")
    limited(stage, "queue")
    ran = stage.job(payloads.merge_group(group, server=stage.server), event="merge_group", key="", mode="gate")
    assert (ran.code, stage.checks(group)) == (0, ["success"]), ran.log
