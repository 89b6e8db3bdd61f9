"""docs/github.md and the README, held to action.yml and to what the workflows say."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from git_cto import RELEASE
from git_cto.action.inputs import Inputs, read_job
from git_cto.errors import UsageError
from git_cto.render.workflow import WorkflowChoices, workflow_text
from tests.action.driving import ACTION, TOP, language_service
from tests.action.test_linters import schema, zizmor

PAGE = TOP / "docs/github.md"


def action() -> Any:  # noqa: ANN401 -- YAML
    """action.yml as plain YAML."""
    return YAML(typ="safe").load(StringIO(ACTION.read_text()))


def section(title: str) -> str:
    """A section of the page."""
    return PAGE.read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(title: str) -> list[str]:
    """The rows of a section's table."""
    return [line for line in section(title).splitlines() if line.startswith("| `")]


def described(one: dict[str, str]) -> str:
    """A description on one line."""
    return " ".join(one["description"].split())


def test_the_page_has_every_input_with_its_default_and_its_description() -> None:
    defaults = {name: f"`{one['default']}`" if one["default"] else "" for name, one in action()["inputs"].items()}
    wanted = [f"| `{name}` | {defaults[name]} | {described(one)} |" for name, one in action()["inputs"].items()]
    assert rows("Inputs") == wanted


def test_the_page_has_every_output_with_its_description() -> None:
    assert rows("Outputs") == [f"| `{name}` | {described(one)} |" for name, one in action()["outputs"].items()]


def test_the_page_says_what_every_permission_of_the_workflow_is_for() -> None:
    workflow = YAML(typ="safe").load(StringIO(workflow_text(WorkflowChoices(uses="git-cto/git-cto@v1"))))
    granted = workflow["jobs"]["review"]["permissions"]
    assert [row.split("`")[1] for row in rows("What the workflow may do, and why")] == [
        f"{name}: {level}" for name, level in granted.items()
    ]


def test_the_workflow_on_the_page_is_one_that_nobody_has_anything_against(tmp_path: Path) -> None:
    block = re.compile(r"<!-- tested: run workflow -->\n```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    (text,) = block.findall(PAGE.read_text())
    file = tmp_path / ".github/workflows/run.yml"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    assert zizmor(file) == []
    assert schema("github-workflows", file)[0] == 0
    assert language_service([file]) == {str(file): []}


def test_the_action_is_called_the_same_everywhere() -> None:
    with pytest.raises(UsageError) as refused:
        read_job({})
    said = "\n".join((PAGE.read_text(), (TOP / "README.md").read_text(), refused.value.hint))
    assert set(re.findall(r"\bgit-cto/git-cto@[\w.-]+", said)) == {RELEASE}
    assert RELEASE in refused.value.hint


def test_inputs_that_the_page_speaks_of_are_inputs() -> None:
    known = {*action()["inputs"], *Inputs.__struct_fields__}
    for name in re.findall(r"`(allow-[\w-]+|[\w-]+-key|[\w-]+-endpoint)`", PAGE.read_text()):
        assert name in known, name


def test_the_projects_own_gate_is_the_one_that_it_gives_to_others() -> None:
    ours = YAML(typ="safe").load((TOP / ".github/workflows/cto.yml").read_text())
    theirs = YAML(typ="safe").load(StringIO(workflow_text(WorkflowChoices(uses="./"))))
    for job in ours["jobs"].values():
        checkout = job["steps"].pop(0)
        assert checkout["with"]["ref"] == "${{ github.event.repository.default_branch }}"
    assert ours == theirs
