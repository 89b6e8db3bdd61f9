"""When the workflow that `init --github` writes runs, and when not: by GitHub's own evaluator, on real events."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from ruamel.yaml import YAML

from git_cto.render.workflow import WorkflowChoices, workflow_text
from tests.action.driving import evaluate
from tests.action.situations import comment, example

Json = Any

JOBS = YAML(typ="safe").load(StringIO(workflow_text(WorkflowChoices(uses="git-cto/git-cto@v1"))))["jobs"]


def pull_request(action: str, *, draft: bool = False) -> Json:
    """An event of a pull request."""
    payload = example("pull_request", action)
    payload["pull_request"]["draft"] = draft
    return payload


def jobs(event: str, payload: Json) -> list[str]:
    """The jobs that run for an event."""
    said = evaluate(event, payload, *(job["if"] for job in JOBS.values()))
    return [name for name, one in zip(JOBS, said, strict=True) if one["truthy"]]


def group(event: str, payload: Json) -> str:
    """The concurrency group of the review."""
    text = JOBS["review"]["concurrency"]["group"]
    start, _, rest = text.partition("${{")
    (said,) = evaluate(event, payload, rest.removesuffix("}}"))
    return str(start + said["text"])


@pytest.mark.parametrize("action", ["opened", "synchronize", "reopened", "ready_for_review"])
def test_a_pull_request_is_reviewed(action: str) -> None:
    assert jobs("pull_request_target", pull_request(action)) == ["review"]


def test_a_draft_is_not() -> None:
    assert jobs("pull_request_target", pull_request("synchronize", draft=True)) == []


def test_a_merge_group_is_answered() -> None:
    assert jobs("merge_group", example("merge_group", "checks_requested")) == ["queue"]


@pytest.mark.parametrize(
    "body, runs",
    [
        ("/cto review", True),
        ("/cto override it is only a typo", True),
        ("LGTM", False),
        ("please /cto review", False),
        ("> /cto review", False),
        (" /cto review", False),
        ("", False),
    ],
)
def test_a_comment_has_to_begin_with_the_command(body: str, *, runs: bool) -> None:
    assert jobs("issue_comment", comment(body)) == (["review"] if runs else [])


def test_a_comment_on_an_issue_starts_nothing() -> None:
    assert jobs("issue_comment", comment("/cto review", pull_request=False)) == []


def test_one_pull_request_has_one_group_and_what_is_skipped_is_in_none() -> None:
    command, chat = comment("/cto review"), comment("LGTM")
    pushed = pull_request("synchronize")
    pushed["pull_request"]["number"] = command["issue"]["number"]
    assert group("pull_request_target", pushed) == group("issue_comment", command)
    assert group("issue_comment", chat) != group("issue_comment", command)
    pushed["pull_request"]["number"] += 1
    assert group("pull_request_target", pushed) != group("issue_comment", command)


def test_nothing_in_a_group_is_cancelled_or_dropped() -> None:
    concurrency = JOBS["review"]["concurrency"]
    assert (concurrency["cancel-in-progress"], concurrency["queue"]) == (False, "max")
