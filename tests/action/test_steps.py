"""action.yml, step by step: GitHub's parser reads it, bash runs it, and a git-cto writes down what it is given."""

from __future__ import annotations

import json
import os
import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from git_cto.action.inputs import read_inputs, read_job
from tests.action.driving import ACTION, TOP, Run, run_action
from tests.action.situations import example, npm_calls, tools, unpacked

Json = Any

HOSTILE = (
    'x"; echo pwned > "$RUNNER_TEMP/pwned" #\n`id`\n$(id) ${{ github.token }} %0A::set-output name=verdict::approve'
)

# Inputs of the steps that install; git-cto itself does not see them.
INSTALLED = {"codex-version", "claude-code-version"}


def action() -> Any:  # noqa: ANN401 -- YAML
    """action.yml as plain YAML."""
    return YAML(typ="safe").load(StringIO(ACTION.read_text()))


def variable(name: str) -> str:
    """What an input is called in the environment."""
    return f"INPUT_{name.upper().replace('-', '_')}"


class Runner:
    """A runner with a folder of its own, and the action unpacked on it."""

    def __init__(self, folder: Path, *, pip: bool = False) -> None:
        self.action = unpacked(folder / "_actions with spaces/git-cto/v1")
        self.temp = folder / "_temp of a job"
        self.temp.mkdir()
        self.tools = tools(folder / "tools", pip=pip)

    def run(self, event: str = "pull_request_target", payload: Json = None, **inputs: str) -> Run:
        """Runs it with these inputs; `environment` is the job's own, as JSON."""
        environment = {
            "PATH": f"{self.tools}:{os.environ['PATH']}",
            "TOLD": str(self.temp / "told.json"),
            **json.loads(inputs.pop("environment", "{}")),
        }
        payload = payload if payload is not None else example("pull_request", "synchronize")
        given = {name.replace("_", "-"): value for name, value in inputs.items()}
        return run_action(self.action, self.temp, event, payload, given, environment)

    @property
    def told(self) -> Any:  # noqa: ANN401 -- JSON
        """What git-cto was given."""
        return json.loads((self.temp / "told.json").read_text())

    @property
    def home(self) -> Path:
        """The folder that the action made for itself."""
        (found,) = self.temp.glob("git-cto-*")
        return found


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """A runner on which pip has nothing to do."""
    return Runner(tmp_path)


@pytest.fixture
def installing(tmp_path: Path) -> Runner:
    """A runner with the real pip, which finds the packages of the tests installed already."""
    return Runner(tmp_path, pip=True)


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Runner, Run]:
    """One run with an input of every name."""
    made = Runner(tmp_path_factory.mktemp("runner"), pip=True)
    given = {name.replace("-", "_"): f"the {name}" for name in action()["inputs"]}
    given |= {"mode": "review", "codex_version": "0.169.0", "claude_code_version": "2.1.197"}
    done = made.run(
        **given, environment=json.dumps({"GITHUB_TOKEN": "of the job", "SAY": "verdict=approve\nround=2\n"})
    )
    assert done.status == "success", done.log
    return made, done


# ---- inputs --------------------------------------------------------------------------------------------------------


def test_every_input_reaches_git_cto_through_the_environment(reviewed: tuple[Runner, Run]) -> None:
    told = reviewed[0].told["environment"]
    for name in action()["inputs"].keys() - INSTALLED:
        assert told[variable(name)] == ("review" if name == "mode" else f"the {name}")
    assert {variable(name) for name in action()["inputs"].keys() - INSTALLED} == {
        name for name in told if name.startswith("INPUT_")
    }


def test_git_cto_reads_the_inputs_that_the_action_has_and_no_others() -> None:
    asked = set()

    class Recorded(dict[str, str]):
        def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401 -- dict's
            asked.add(key)
            return super().get(key, default)

    read_inputs(Recorded({"INPUT_GITHUB_TOKEN": "x"}))
    assert asked == {variable(name) for name in action()["inputs"].keys() - INSTALLED}


def test_what_is_left_out_has_the_default_that_git_cto_takes_for_left_out(runner: Runner) -> None:
    done = runner.run(environment=json.dumps({"GITHUB_TOKEN": "of the job"}))
    assert done.status == "success", done.log
    told = runner.told["environment"]
    assert told["INPUT_GITHUB_TOKEN"] == "of the job"
    assert read_inputs(told) == read_inputs({"INPUT_GITHUB_TOKEN": "of the job"})
    assert read_job({**told, "GITHUB_REPOSITORY": "o/r"}).record == f"{runner.home}/record"


def test_no_text_of_an_input_is_part_of_a_script(runner: Runner) -> None:
    texts = {name for name in action()["inputs"] if name not in {*INSTALLED, "mode"}}
    done = runner.run(**{name.replace("-", "_"): HOSTILE for name in texts})
    assert done.status == "success", done.log
    assert {runner.told["environment"][variable(name)] for name in texts} == {HOSTILE}
    assert not (runner.temp / "pwned").exists()
    plain = [step["run"] for step in action()["runs"]["steps"] if "run" in step]
    assert [step["script"] for step in done.steps if "script" in step] == [plain[0], plain[-1]]
    assert not [text for text in plain if "${{" in text]


@pytest.mark.parametrize("name", ["codex_version", "claude_code_version"])
@pytest.mark.parametrize("text", [HOSTILE, "latest", "file:../evil", "0.169.0 --registry=x", "^0.169.0", ""])
def test_a_version_that_is_not_exact_installs_nothing(runner: Runner, name: str, text: str) -> None:
    done = runner.run(**{name: text})
    assert (done.status, done.step("install")["code"], done.step("cto")["outcome"]) == ("failure", 3, "skipped")
    assert "have to be exact versions" in done.log
    assert npm_calls(runner.tools) == []


def test_a_mode_that_is_hostile_text_is_only_a_text(runner: Runner) -> None:
    runner.run(mode=HOSTILE)
    assert runner.told["environment"]["INPUT_MODE"] == HOSTILE
    assert not (runner.temp / "pwned").exists()


# ---- outputs -------------------------------------------------------------------------------------------------------


def test_every_output_is_what_git_cto_says(runner: Runner) -> None:
    names = ["verdict", "allowed", "round", "summary", "findings", "review-file", "run", "tokens"]
    assert list(action()["outputs"]) == names
    said = "".join(f"{name}<<END-{name}\n{name} of\ntwo lines\nEND-{name}\n" for name in names)
    done = runner.run(mode="gate", environment=json.dumps({"SAY": said}))
    assert done.outputs == {name: f"{name} of\ntwo lines" for name in names}


def test_a_refusal_fails_the_job_and_its_outputs_and_its_record_are_kept(runner: Runner) -> None:
    done = runner.run(mode="gate", environment=json.dumps({"SAY": "allowed=false\n", "EXIT": "1"}))
    assert (done.status, done.outputs["allowed"], done.outputs["verdict"]) == ("failure", "false", "")
    assert done.step("Keep the record")["outcome"] == "success"


# ---- where things happen -------------------------------------------------------------------------------------------


def test_nothing_of_the_workspace_is_run_or_read(installing: Runner) -> None:
    workspace = installing.temp / "workspace"
    workspace.mkdir()
    for name in ("python3", "npm", "node", "codex", "git-cto"):
        (workspace / name).write_text(f"#!/bin/sh\ntouch '{installing.temp}/pwned'\n")
        (workspace / name).chmod(0o755)
    (workspace / "git_cto").mkdir()
    for name in ("git_cto/__init__.py", "sitecustomize.py", "pip.py", "json.py", "venv.py"):
        (workspace / name).write_text(f"open('{installing.temp}/pwned', 'w')")
    (workspace / ".npmrc").write_text("ignore-scripts=false\n")
    (workspace / "pip.conf").write_text("[install]\ntarget = x\n")
    relative = f"{installing.tools}:.:{os.environ['PATH']}"
    surroundings = {"PATH": relative, "PYTHONPATH": str(workspace), "PIP_TARGET": "x", "PIP_USER": "1"}
    done = installing.run(environment=json.dumps(surroundings))
    assert done.status == "success", done.log
    assert not (installing.temp / "pwned").exists()
    assert Path(installing.told["cwd"]) == installing.home / "work"
    assert not any(str(workspace) in entry for entry in installing.told["path"])
    assert Path(npm_calls(installing.tools)[0]) == installing.home / "agents"


def test_git_cto_is_the_actions_own_in_an_isolated_environment(reviewed: tuple[Runner, Run]) -> None:
    runner, _ = reviewed
    assert runner.told["argv"] == ["action"]
    assert f"{runner.action}/src" in runner.told["path"]
    assert runner.told["isolated"]
    assert runner.told["codex"] == f"{runner.home}/agents/node_modules/.bin/codex"


def test_the_jobs_own_token_is_not_in_the_environment_by_another_name(reviewed: tuple[Runner, Run]) -> None:
    told = reviewed[0].told["environment"]
    assert [name for name, value in told.items() if value == "of the job"] == []


def test_two_uses_in_one_job_do_not_meet(runner: Runner) -> None:
    first, second = (runner.run(mode="gate").step("install")["outputs"] for _ in range(2))
    assert first["home"] != second["home"]
    assert first["artifact"] != second["artifact"]
    assert re.fullmatch(r"git-cto-review-1-\w{6}", first["artifact"])


# ---- agents --------------------------------------------------------------------------------------------------------


def test_codex_comes_from_the_lock_file_and_no_install_script_runs(reviewed: tuple[Runner, Run]) -> None:
    folder, *argv = npm_calls(reviewed[0].tools)
    assert argv[0] == "ci"
    assert {"--ignore-scripts", "--omit=dev"} <= set(argv)
    assert not (Path(folder) / "claude-was-set-up").exists()


def test_another_codex_is_installed_at_exactly_that_version(runner: Runner) -> None:
    runner.run(codex_version="0.170.1-alpha.2")
    _, *argv = npm_calls(runner.tools)
    assert (argv[0], argv[-2:], "--ignore-scripts" in argv) == (
        "install",
        ["--", "@openai/codex@0.170.1-alpha.2"],
        True,
    )


@pytest.mark.parametrize("version", ["2.1.197", "3.0.0"])
def test_a_run_brings_claude_code_as_well(runner: Runner, version: str) -> None:
    done = runner.run("workflow_dispatch", mode="run", objective="x", claude_code_version=version)
    assert done.status == "success", done.log
    folder, *argv = npm_calls(runner.tools)
    assert "--omit=dev" not in argv
    assert argv[0] == ("ci" if version == "2.1.197" else "install")
    assert argv[0] == "ci" or argv[-2:] == ["@openai/codex@0.169.0", "@anthropic-ai/claude-code@3.0.0"]
    assert (Path(folder) / "claude-was-set-up").exists()


def test_the_gate_and_a_merge_group_need_no_agent(runner: Runner) -> None:
    runner.run(mode="gate")
    runner.run("merge_group", example("merge_group", "checks_requested"))
    assert npm_calls(runner.tools) == []
    assert runner.told["environment"]["GITHUB_EVENT_NAME"] == "merge_group"


def test_the_default_versions_are_the_ones_of_the_lock_file() -> None:
    package = json.loads((TOP / "package.json").read_text())
    inputs = action()["inputs"]
    assert inputs["codex-version"]["default"] == package["dependencies"]["@openai/codex"]
    assert inputs["claude-code-version"]["default"] == package["devDependencies"]["@anthropic-ai/claude-code"]


# ---- what can be missing -------------------------------------------------------------------------------------------


def failing(runner: Runner, name: str, script: str = "exit 1") -> None:
    """Puts a program that fails before the one that works."""
    (runner.tools / name).write_text(f"#!/bin/sh\n{script}\n")


@pytest.mark.parametrize(
    "name, script, said",
    [
        ("npm", "echo 'no such package' >&2; exit 1", "Codex could not be installed."),
        ("python3", 'case "$*" in *venv\\ venv) exit 1;; esac', "git-cto could not be installed."),
    ],
)
def test_what_cannot_be_installed_is_said_and_git_cto_is_not_asked(
    runner: Runner, name: str, script: str, said: str
) -> None:
    failing(runner, name, script)
    done = runner.run()
    install = done.step("install")
    assert (done.status, install["code"]) == ("failure", 3)
    assert [one["message"] for one in install["commands"] if one["name"] == "error"] == [said]
    assert "Next: " in done.log
    assert install["summary"].startswith(f"### ? Could not be done\n\n{said}\n\nNext: ")
    assert (done.step("cto")["outcome"], done.step("Keep the record")["outcome"]) == ("skipped", "skipped")
    assert done.outputs.pop("allowed") == "false"  # also where git-cto never came to say so
    assert not any(done.outputs.values())


def test_a_lock_file_that_does_not_fit_installs_nothing(installing: Runner) -> None:
    lock = installing.action / "requirements/action.lock"
    lock.write_text(re.sub(r"^msgspec==\S+", "msgspec==0.0.1", lock.read_text(), flags=re.MULTILINE))
    done = installing.run(mode="gate", environment=json.dumps({"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}))
    assert (done.status, done.step("cto")["outcome"]) == ("failure", "skipped")
    assert "msgspec==0.0.1" in done.log


def test_a_runner_without_python_or_npm_is_told_what_to_add(runner: Runner, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("bash", "mktemp", "mkdir", "cat", "rm", "ln", "cmp", "sh", "grep", "cp"):
        os.symlink(f"/usr/bin/{name}", bare / name)
    done = runner.run(environment=json.dumps({"PATH": str(bare)}))
    assert "No Python 3.11 or newer" in done.log
    assert "actions/setup-python" in done.log
    (bare / "python3").symlink_to(runner.tools / "python3")
    done = runner.run(environment=json.dumps({"PATH": str(bare)}))
    assert "actions/setup-node" in done.log


# ---- the record ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "server, major",
    [("https://github.com", "7"), ("https://acme.ghe.com", "7"), ("https://ghe.example.org", "3")],
)
def test_the_record_goes_to_the_artifacts_that_the_server_knows(runner: Runner, server: str, major: str) -> None:
    done = runner.run(mode="gate", environment=json.dumps({"GITHUB_SERVER_URL": server}))
    (upload,) = [step for step in done.steps if step.get("uses")]
    version = re.search(rf"{upload['uses']} # v(\d+)", ACTION.read_text())
    assert version
    assert version[1] == major
    told = runner.told["environment"]
    assert (upload["with"]["name"], upload["with"]["path"]) == (told["GIT_CTO_ARTIFACT"], told["GIT_CTO_RECORD"])
    assert upload["with"]["if-no-files-found"] == "ignore"
    assert told["GITHUB_SERVER_URL"] == server


def test_only_a_run_on_a_hosted_runner_touches_the_kernel(reviewed: tuple[Runner, Run], runner: Runner) -> None:
    assert reviewed[1].step("Allow Codex its sandbox")["outcome"] == "skipped"
    assert runner.run(mode="run").step("Allow Codex its sandbox")["outcome"] == "skipped"
    step = next(one for one in action()["runs"]["steps"] if "sandbox" in one.get("name", ""))
    assert "runner.environment == 'github-hosted'" in step["if"]


# ---- what stands in the file ---------------------------------------------------------------------------------------


def test_every_action_is_pinned_by_its_commit_and_says_its_version() -> None:
    lines = [line for line in ACTION.read_text().splitlines() if "uses:" in line]
    assert lines
    assert all(re.search(r"uses: [\w/-]+@[0-9a-f]{40} # v\d", line) for line in lines)


def test_every_input_and_output_is_described_and_every_script_is_strict() -> None:
    for one in (*action()["inputs"].values(), *action()["outputs"].values()):
        assert one["description"]
    for name, one in action()["inputs"].items():
        assert isinstance(one["default"], str), name
    for step in action()["runs"]["steps"]:
        assert "uses" in step or (step["shell"], step["run"].splitlines()[0]) == ("bash", "set -euo pipefail")
