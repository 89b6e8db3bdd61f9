"""What others' tools say of action.yml, of every workflow here and of every workflow that `init` writes: nothing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from git_cto.render.workflow import WorkflowChoices, workflow_text
from tests.action.driving import ACTION, TOP, language_service

WORKFLOWS = sorted((TOP / ".github/workflows").glob("*.yml"))
DEPENDABOT = TOP / ".github/dependabot.yml"
BIN = Path(sys.executable).parent

# A tag, as `init` writes it, and a commit, as it can be told to.
TAG = "git-cto/git-cto@v1.0.0 # zizmor: ignore[unpinned-uses] -- a tag"
COMMIT = f"git-cto/git-cto@{'a' * 40} # v1.0.0"
CHOICES = {
    "plain": WorkflowChoices(uses=TAG),
    "commit": WorkflowChoices(uses=COMMIT),
    "app": WorkflowChoices(uses=COMMIT, app=77),
    "enterprise": WorkflowChoices(uses=COMMIT, enterprise=True),
    "enterprise-app": WorkflowChoices(uses=COMMIT, enterprise=True, app=77),
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Every kind of workflow that `init` writes."""
    files = []
    for name, choices in CHOICES.items():
        file = tmp_path_factory.mktemp(name) / ".github/workflows/cto.yml"
        file.parent.mkdir(parents=True)
        file.write_text(workflow_text(choices))
        files.append(file)
    return files


def said(*argv: str | Path) -> tuple[int, str]:
    """The exit code of a tool and all that it says."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def zizmor(*files: Path) -> list[str]:
    """What the strictest zizmor finds. What it may find, the file itself says beside the line, with the reason."""
    argv = ("--offline", "--no-config", "--persona", "auditor", "--format", "json-v1", "--quiet")
    done = subprocess.run([BIN / "zizmor", *argv, *files], capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return [one["ident"] for one in json.loads(done.stdout) if not one["ignored"]]


def schema(kind: str, *files: Path) -> tuple[int, str]:
    """What the published schema has against these files."""
    return said(BIN / "check-jsonschema", "--builtin-schema", f"vendor.{kind}", *files)


def test_zizmor_finds_nothing(written: list[Path]) -> None:
    assert zizmor(ACTION, DEPENDABOT, *WORKFLOWS, *written) == []


def test_the_published_schemas_have_nothing_against_them(written: list[Path]) -> None:
    assert schema("github-actions", ACTION)[0] == 0
    assert schema("dependabot", DEPENDABOT)[0] == 0
    code, words = schema("github-workflows", *WORKFLOWS, *written)
    assert code == 0, words


def test_githubs_own_language_service_underlines_nothing(written: list[Path]) -> None:
    files = [ACTION, *WORKFLOWS, *written]
    assert language_service(files) == {str(file): [] for file in files}


@pytest.mark.parametrize(
    "before, after, by",
    [
        ("          mode: gate", "          moode: gate", "language"),
        ("github.event_name == 'merge_group'", "github.evnt_name == 'merge_group'", "language"),
        ("    runs-on: ubuntu-24.04", "    runs-on: [ubuntu-24.04", "schema"),
        ("    timeout-minutes: 15", "    time-out: 15", "schema"),
        ("permissions: {}", "permissions: write-all", "zizmor"),
        (COMMIT, "git-cto/git-cto@v1", "zizmor"),
    ],
)
def test_each_of_them_would_say_so(tmp_path: Path, before: str, after: str, by: str) -> None:
    text = workflow_text(CHOICES["commit"])
    assert before in text
    file = tmp_path / ".github/workflows/cto.yml"
    file.parent.mkdir(parents=True)
    file.write_text(text.replace(before, after))
    match by:
        case "language":
            assert language_service([file])[str(file)]
        case "schema":
            assert schema("github-workflows", file)[0] == 1
        case _:
            assert zizmor(file)


def test_each_action_is_pinned_to_one_commit_that_says_its_version(written: list[Path]) -> None:
    """Those of Enterprise Server apart, which knows only older ones."""
    pinned: dict[str, set[str]] = {}
    for file in (ACTION, *WORKFLOWS, *(one for one in written if "enterprise" not in str(one))):
        plain = re.sub(r"- name: [^\n]*\(Enterprise Server\).*?(?=\n +- |\Z)", "", file.read_text(), flags=re.DOTALL)
        for name, rest in re.findall(r"uses: ([\w-]+/[\w-]+)@(.*)", plain):
            if name != "git-cto/git-cto":
                assert re.fullmatch(r"[0-9a-f]{40} # v\d+\.\d+\.\d+", rest), (file, name)
                pinned.setdefault(name, set()).add(rest)
    assert {name for name, commits in pinned.items() if len(commits) != 1} == set()
    assert {"actions/checkout", "actions/upload-artifact", "actions/create-github-app-token"} <= pinned.keys()


def test_every_waiver_has_its_reason_beside_it(written: list[Path]) -> None:
    for file in (ACTION, *WORKFLOWS, *written):
        for line in file.read_text().splitlines():
            assert "zizmor: ignore" not in line or re.search(r"# zizmor: ignore\[[\w-]+\] -- \w+", line), line


def test_the_template_leaves_nothing_of_itself_behind(written: list[Path]) -> None:
    for file in written:
        text = file.read_text()
        assert "#:" not in text
        assert not re.search(r"@[A-Z]+@", text)
        assert max(map(len, text.splitlines())) <= 120


def test_bash_can_read_the_script() -> None:
    assert said("bash", "-n", TOP / "action/install.sh") == (0, "")
