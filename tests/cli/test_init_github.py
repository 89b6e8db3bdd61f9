"""`git cto init --github`: the workflow, the policy, and how the check is made required."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from git_cto import __version__
from tests.forge.judge import description
from tests.world import SOURCE, Said, World

WORKFLOW = ".github/workflows/cto.yml"


@pytest.fixture
def world(world: World) -> World:
    """A repository that lies on github.com."""
    world.git("remote", "add", "origin", "git@github.com:acme/widget.git")
    return world


def init(world: World, *argv: str) -> Said:
    """Sets up, and it has to go well."""
    done = world.cto("init", "--github", *argv)
    assert done.code == 0, done.text
    return done


def workflow(world: World) -> Any:  # noqa: ANN401 -- YAML
    """The workflow that was written."""
    return YAML(typ="safe").load(StringIO((world.path / WORKFLOW).read_text()))


def uses(world: World) -> list[str]:
    """The actions of the workflow, in order."""
    return [step["uses"] for job in workflow(world)["jobs"].values() for step in job["steps"]]


# ---- what is written -----------------------------------------------------------------------------------------------


def test_workflow_and_policy_are_written_and_the_next_step_can_be_typed(world: World) -> None:
    done = init(world)
    assert f"{WORKFLOW}: written" in done.out
    command = json.loads(world.cto("init", "--github", "--json").out)["next"]
    assert command == "git cto doctor"
    added = next(line for line in done.out.splitlines() if "git add" in line).removeprefix("Next: ")
    subprocess.run(["sh", "-c", added], cwd=world.path, check=True, capture_output=True)
    assert world.git("status", "--porcelain") == ""
    assert set(world.git("ls-files").split()) >= {".cto/config.toml", WORKFLOW}


def test_nothing_that_is_there_is_written_over(world: World) -> None:
    world.write(WORKFLOW, "name: mine\n")
    world.write(".cto/config.toml", "[rounds]\nmax = 2\n")
    done = init(world)
    assert f"{WORKFLOW}: was there, kept" in done.out
    assert (world.path / WORKFLOW).read_text() == "name: mine\n"
    assert (world.path / ".cto/config.toml").read_text() == "[rounds]\nmax = 2\n"


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")
def test_the_command_that_is_printed_makes_the_ruleset_that_is_shown(world: World) -> None:
    """What `gh api` would be given, with the App whose id was said: from anybody else the check must not count."""
    done = init(world, "--app-id", "42", "--uses", "acme/cto@v2")
    line = next(line for line in done.out.splitlines() if "rulesets" in line).partition("| gh api")[0]
    world.git("config", "alias.cto", f"!{sys.executable} -m git_cto")
    environ = {**os.environ, "PYTHONPATH": SOURCE}
    shell = subprocess.run(["sh", "-c", line], cwd=world.path, check=True, capture_output=True, env=environ)
    shown = json.loads(done.out.partition("is a success:\n")[2].partition("\nBy a program")[0])
    assert json.loads(shell.stdout) == shown
    assert '"integration_id":42' in json.dumps(shown, separators=(",", ":"))
    assert "init --github --app-id 42 --uses acme/cto@v2 --json | jq .github.actions_policy" in done.out


@pytest.mark.parametrize(
    "before, now, reports, step",
    [
        ([], ["--app-id", "42"], "reports as GitHub Actions", f"rm {WORKFLOW}, then git cto init --github --app-id 42"),
        (["--app-id", "42"], [], "reports as your App 42", "git cto init --github --app-id 42"),
        ([], ["--uses", "acme/cto@v2"], "uses another action", f"rm {WORKFLOW}, then git cto init --github --uses"),
    ],
)
def test_a_workflow_that_stays_and_does_not_go_with_the_ruleset_is_said_to(
    world: World, before: list[str], now: list[str], reports: str, step: str
) -> None:
    init(world, *before)
    again = init(world, *now)
    assert reports in " ".join(again.err.split())
    assert step in " ".join(again.out.split())
    assert init(world, "--json", *now).json["next"].startswith(step)
    assert reports not in init(world, *before).text
    (world.path / WORKFLOW).unlink()
    assert reports not in init(world, *now).text


def test_an_app_that_a_workflow_names_by_a_variable_may_be_the_right_one(world: World) -> None:
    world.write(WORKFLOW, "- uses: actions/create-github-app-token@v3\n  with:\n    app-id: ${{ vars.APP }}\n")
    assert "no merge would be possible" not in init(world, "--app-id", "42").text


def test_no_workflow_is_written_unless_it_is_wanted(world: World) -> None:
    done = world.cto("init", "--json").json
    assert "github" not in done
    assert not (world.path / ".github").exists()


@pytest.mark.parametrize("link", [".github", ".github/workflows"])
def test_no_link_leads_out_of_the_worktree_and_nothing_is_written_then(world: World, tmp_path: Path, link: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (world.path / link).parent.mkdir(exist_ok=True)
    (world.path / link).symlink_to(tmp_path / "elsewhere")
    done = world.cto("init", "--github")
    assert (done.code, "is a link" in done.err) == (2, True), done.text
    assert os.listdir(tmp_path / "elsewhere") == []
    assert not (world.path / ".cto").exists()


def test_it_works_before_the_first_commit_and_without_a_remote(world: World, tmp_path: Path) -> None:
    world.git("init", "--quiet", "--initial-branch=trunk", str(tmp_path / "new"))
    done = world.cto("-C", str(tmp_path / "new"), "init", "--github", "--json")
    assert done.json["github"]["check"] == "git-cto (trunk)"
    assert (tmp_path / "new" / WORKFLOW).is_file()
    assert "repos/OWNER/REPO/rulesets" in world.cto("-C", str(tmp_path / "new"), "init", "--github").out


# ---- the workflow --------------------------------------------------------------------------------------------------


def test_the_workflow_answers_pull_requests_comments_and_merge_queues(world: World) -> None:
    init(world)
    written = workflow(world)
    types = ["opened", "synchronize", "reopened", "ready_for_review", "edited"]
    assert written["on"] == {
        "pull_request_target": {"types": types},
        "merge_group": {"types": ["checks_requested"]},
        "issue_comment": {"types": ["created"]},
    }
    assert written["permissions"] == {}
    assert written["jobs"]["queue"]["steps"][-1]["with"]["mode"] == "gate"


def test_every_permission_says_what_it_is_for(world: World) -> None:
    for argv in ([], ["--app-id", "77"]):
        init(world, *argv)
        lines = (world.path / WORKFLOW).read_text().splitlines()
        granted = [line for line in lines if line.rstrip().partition(" #")[0].endswith((": write", ": read"))]
        assert granted
        assert all(" # " in line for line in granted), granted
        (world.path / WORKFLOW).unlink()


def test_nothing_is_checked_out_and_no_secret_reaches_the_queue(world: World) -> None:
    init(world)
    assert not [one for one in uses(world) if "checkout" in one]
    jobs = workflow(world)["jobs"]
    assert "secrets." not in json.dumps(jobs["queue"])
    assert jobs["queue"]["permissions"] == {"contents": "read", "pull-requests": "read", "checks": "write"}
    assert jobs["review"]["environment"] == {"name": "git-cto", "deployment": False}


def test_an_app_of_ones_own_gives_the_token_and_the_jobs_own_may_do_nothing(world: World) -> None:
    init(world, "--app-id", "77")
    for job in workflow(world)["jobs"].values():
        token, action = job["steps"]
        assert token["uses"].startswith("actions/create-github-app-token@")
        assert (token["with"]["app-id"], job["permissions"]) == ("77", {})
        assert action["with"]["github-token"] == "${{ steps.app.outputs.token }}"
    environments = [job["environment"]["name"] for job in workflow(world)["jobs"].values()]
    assert environments == ["git-cto", "git-cto-queue"]


def test_an_enterprise_server_gets_no_key_that_it_may_not_know(world: World) -> None:
    world.git("remote", "set-url", "origin", "https://ghe.example.org/acme/widget")
    done = init(world, "--json").json
    review = workflow(world)["jobs"]["review"]
    assert review["environment"] == "git-cto"
    assert "queue" not in review["concurrency"]
    assert "integration_id" not in json.dumps(done["github"]["ruleset"])
    assert "gh api --hostname ghe.example.org repos/acme/widget/rulesets" in init(world).out
    world.git("remote", "set-url", "origin", "https://ghe.example;id/acme/widget")
    assert "gh api --hostname 'ghe.example;id' repos/acme/widget/rulesets" in init(world).out


# ---- which action --------------------------------------------------------------------------------------------------


def test_the_action_is_the_release_of_this_very_version(world: World) -> None:
    init(world)
    assert set(uses(world)) == {f"git-cto/git-cto@v{__version__}"}


def test_a_commit_can_be_named_and_needs_no_waiver(world: World) -> None:
    init(world, "--uses", f"corp/git-cto@{'a' * 40}")
    assert set(uses(world)) == {f"corp/git-cto@{'a' * 40}"}
    assert "unpinned-uses" not in (world.path / WORKFLOW).read_text()


def test_what_pip_installed_from_a_commit_is_used_at_that_commit(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "site" / f"git_cto-{__version__}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: git-cto\nVersion: {__version__}\n")
    told = {"url": "https://github.com/corp/fork.git", "vcs_info": {"vcs": "git", "commit_id": "b" * 40}}
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    for url, used in {
        "https://github.com/corp/fork.git": f"corp/fork@{'b' * 40}",
        "https://gitlab.example/corp/fork.git": f"git-cto/git-cto@v{__version__}",
    }.items():
        (info / "direct_url.json").write_text(json.dumps({**told, "url": url}))
        init(world)
        assert set(uses(world)) == {used}
        (world.path / WORKFLOW).unlink()


@pytest.mark.parametrize(
    "text", ["", "git-cto", "a/b@v1\n        env: {}", "a/b@v1 # x", "a/b@${{ x }}", "@v1", "a@v1"]
)
def test_what_names_no_action_is_refused_and_nothing_is_written(world: World, text: str) -> None:
    done = world.cto("init", "--github", "--uses", text)
    assert (done.code, "names no action" in done.err, "Next: --uses" in done.err) == (2, True, True), done.text
    assert not (world.path / WORKFLOW).exists()
    assert not (world.path / ".cto").exists()


@pytest.mark.parametrize("argv", [["--app-id", "7"], ["--uses", "a/b@v1"]])
def test_options_of_the_workflow_go_with_it(world: World, argv: list[str]) -> None:
    done = world.cto("init", *argv)
    assert (done.code, "go with --github" in done.err) == (2, True), done.text


# ---- the ruleset ---------------------------------------------------------------------------------------------------


def required(done: Said) -> Any:  # noqa: ANN401 -- JSON
    """The one check that the ruleset requires."""
    rules = {rule["type"]: rule.get("parameters") for rule in done.json["github"]["ruleset"]["rules"]}
    (check,) = rules["required_status_checks"]["required_status_checks"]
    return check


def test_the_ruleset_requires_the_check_from_whoever_reports_it(world: World) -> None:
    assert required(init(world, "--json")) == {"context": "git-cto (main)", "integration_id": 15368}
    assert required(init(world, "--json", "--app-id", "77")) == {"context": "git-cto (main)", "integration_id": 77}


def test_the_ruleset_is_for_the_branch_that_changes_are_meant_for(world: World) -> None:
    world.git("branch", "release/2")
    world.git("config", "cto.base", "release/2")
    done = init(world, "--json")
    assert done.json["github"]["ruleset"]["conditions"]["ref_name"]["include"] == ["refs/heads/release/2"]
    assert required(done)["context"] == "git-cto (release/2)"


def test_the_ruleset_is_one_by_githubs_own_description(world: World) -> None:
    ruleset = init(world, "--json").json["github"]["ruleset"]
    components = description()["components"]
    for name, value in [
        *(("repository-rule", rule) for rule in ruleset["rules"]),
        ("repository-rule-enforcement", ruleset["enforcement"]),
        ("repository-ruleset-conditions", ruleset["conditions"]),
    ]:
        schema = {"$ref": f"#/components/schemas/{name}", "components": components}
        jsonschema.Draft7Validator(schema).validate(value)
        # A value that fits a schema of anything proves nothing.
        assert list(jsonschema.Draft7Validator(schema).iter_errors("no such thing")), name


def test_a_policy_lets_a_public_repository_run_exactly_this_workflow(world: World) -> None:
    """Since November 2026 GitHub starts nothing there on `pull_request_target` that no policy allows."""
    done = init(world, "--json")
    policy = done.json["github"]["actions_policy"]
    assert policy["conditions"] == {"workflow_path": {"include": [WORKFLOW], "exclude": []}}
    (rule,) = policy["rules"]
    assert rule["type"] == "restrict_action_events"
    assert rule["parameters"]["allowed_events"] == sorted(workflow(world)["on"])
    assert "https://github.com/acme/widget/settings/actions/policies" in "\n".join(done.json["github"]["clicks"])
    assert "gh api repos/acme/widget/actions/policies --input -" in init(world).out


def test_a_server_of_ones_own_has_no_such_policies(world: World) -> None:
    world.git("remote", "set-url", "origin", "https://ghe.example.com/acme/widget")
    assert init(world, "--json").json["github"]["actions_policy"] is None
    assert "actions/policies" not in init(world).out


def test_json_for_people_and_for_programs_is_the_same(world: World) -> None:
    said = init(world).out
    shown = said[said.index("\n{\n") : said.index("\n}\n") + 2]
    assert json.loads(shown) == init(world, "--json").json["github"]["ruleset"]


def test_the_clicks_name_check_page_environment_and_secrets(world: World) -> None:
    clicks = "\n".join(init(world, "--json", "--app-id", "77").json["github"]["clicks"])
    for words in (
        "https://github.com/acme/widget/settings/rules/new?target=branch",
        "https://github.com/acme/widget/settings/environments",
        "git-cto (main), from your App (77)",
        "gh-readonly-queue/main/*",
        "OPENAI_API_KEY, CTO_SIGNING_KEY, CTO_APP_PRIVATE_KEY",
    ):
        assert words in clicks


@pytest.mark.parametrize("name", ["a$(id)b", "it's", "-x", "é"])
def test_a_branch_with_an_odd_name_is_data_in_all_that_is_printed(world: World, name: str) -> None:
    world.git("update-ref", f"refs/heads/{name}", "HEAD")
    world.git("symbolic-ref", "HEAD", f"refs/heads/{name}")
    world.git("update-ref", "-d", "refs/heads/main")
    world.git("config", "cto.base", name)
    done = init(world, "--json").json
    assert done["github"]["check"] == f"git-cto ({name})"
    assert name not in shlex.split(done["next"])
    assert name not in (world.path / WORKFLOW).read_text()
