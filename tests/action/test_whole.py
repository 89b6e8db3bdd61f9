"""The whole action on a pull request: action.yml by GitHub's parser, real git-cto, real Codex, a fake GitHub."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from git_cto.demo.server import ModelServer, Step
from tests.action.driving import Run, run_action
from tests.action.situations import npm_calls, tools, unpacked
from tests.action_core.stage import KEY, Stage, approving, refusing
from tests.forge import payloads
from tests.forge.fake import TOKEN
from tests.world import World


class Whole(Stage):
    """The stage, on which a job runs the action as it was unpacked."""

    def act(self, script: Iterable[Step] = (), **inputs: str) -> Run:
        """Runs it for the pull request as it is now."""
        self.jobs += 1
        temp = self.tmp / f"runner {self.jobs}"
        temp.mkdir()
        environment = {
            "PATH": f"{tools(self.tmp / f'tools{self.jobs}')}:{os.environ['PATH']}",
            "GITHUB_TOKEN": TOKEN,
            "GITHUB_SERVER_URL": self.server,
            "GITHUB_API_URL": self.github.url,
            "GITHUB_GRAPHQL_URL": self.github.graphql_url,
        }
        payload = json.loads(payloads.encoded(self.event("synchronize")))
        with ModelServer(script) as model:
            given = {"openai-api-key": KEY, "responses-api-endpoint": f"http://127.0.0.1:{model.port}/v1/responses"}
            folder = unpacked(self.tmp / f"actions of job {self.jobs}/v1", stub=False)
            return run_action(folder, temp, "pull_request_target", payload, {**given, **inputs}, environment)


@pytest.fixture
def stage(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Whole]:
    with Whole(world, tmp_path, monkeypatch) as made:
        yield made


def test_an_approval_succeeds_with_check_comment_outputs_and_record(stage: Whole) -> None:
    stage.opened()
    done = stage.act([approving()])
    assert done.status == "success", done.log
    assert [done.outputs[name] for name in ("verdict", "allowed", "round", "findings")] == [
        "approve",
        "true",
        "1",
        "[]",
    ]
    assert json.loads(Path(done.outputs["review-file"]).read_text())["verdict"] == "approve"
    assert (stage.checks(), stage.records()) == (["success"], 1)
    assert "### ✓ Approved" in stage.comment_text
    upload = done.step("Keep the record (Enterprise Server)")
    assert os.listdir(upload["with"]["path"])
    assert "### ✓ Approved" in done.step("cto")["summary"]


def test_a_refusal_fails_and_the_gate_repeats_it_without_an_agent(stage: Whole) -> None:
    stage.opened()
    refused = stage.act([refusing()])
    assert (refused.status, refused.step("cto")["code"], refused.outputs["verdict"]) == ("failure", 1, "revise")
    asked = stage.act(mode="gate")
    assert (asked.status, asked.step("cto")["code"], asked.outputs["allowed"]) == ("failure", 1, "false")
    assert npm_calls(stage.tmp / "tools2") == []
    assert set(stage.checks()) == {"failure"}


def test_no_secret_of_the_job_is_in_what_it_prints_or_keeps(stage: Whole) -> None:
    stage.signs()
    stage.opened()
    done = stage.act([approving()], **{"signing-key": stage.key})
    assert done.status == "success", done.log
    kept = Path(done.step("install")["outputs"]["home"])
    masked = [one["message"] for one in done.step("cto")["commands"] if one["name"] == "add-mask"]
    printed = "\n".join(line for line in done.log.splitlines() if not line.startswith("::add-mask::"))
    texts = [printed, *(file.read_text(errors="replace") for file in (kept / "record").rglob("*") if file.is_file())]
    secret_line = stage.key.splitlines()[2]
    assert {KEY, TOKEN} <= set(masked)
    for secret in (KEY, TOKEN, secret_line):
        assert not [text for text in texts if secret in text]
    assert list((kept / "work").iterdir()) == []
