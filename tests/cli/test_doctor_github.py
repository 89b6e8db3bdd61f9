"""`git cto doctor --github`: whether the target is really protected, and by whom the check can be forged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from git_cto.work.protecting import ACTIONS_APP
from tests.forge.fake import FakeGitHub
from tests.forge.state import Environment, app_id
from tests.world import PATH_OF_SYSTEM, World

CHECK = "git-cto (main)"
WORKFLOW = ".github/workflows/cto.yml"


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub() as fake:
        yield fake


@pytest.fixture
def world(world: World, github: FakeGitHub, monkeypatch: pytest.MonkeyPatch) -> World:
    """A repository on GitHub with the workflow on main, an admin's token, and nothing but git installed."""
    world.git("remote", "add", "origin", "git@github.com:octo/app.git")
    monkeypatch.setenv("PATH", PATH_OF_SYSTEM)
    monkeypatch.setenv("GITHUB_API_URL", github.url)
    monkeypatch.setenv("GH_TOKEN", github.token("ada"))
    world.cto("init", "--github")
    world.commit("Set git-cto up")
    return world


def checked(world: World) -> dict[str, list[tuple[str, str]]]:
    """What is told of GitHub: for each name, states and messages."""
    told: dict[str, list[tuple[str, str]]] = {}
    for one in world.cto("doctor", "--github", "--json").json["checks"]:
        assert one["state"] == "ok" or one["hint"], one
        told.setdefault(one["name"], []).append((one["state"], one["message"]))
    return told


def state(told: dict[str, list[tuple[str, str]]], name: str, words: str) -> str:
    """The state of the check with this name that says these words."""
    (found,) = [state for state, message in told[name] if words in message]
    return found


def protected(github: FakeGitHub, **told: Any) -> None:  # noqa: ANN401 -- JSON
    """Rules as `init --github` prints them."""
    github.require("main", CHECK, **told)
    for kind in ("deletion", "non_fast_forward"):
        github.rule("main", kind)


def test_nobody_is_asked_unless_it_is_wanted(world: World, github: FakeGitHub) -> None:
    world.cto("doctor")
    assert github.log == []


def test_a_branch_without_rules_is_a_problem(world: World) -> None:
    assert state(checked(world), "github", "main is not protected") == "problem"


def test_a_branch_that_requires_the_check_is_in_order(world: World, github: FakeGitHub) -> None:
    protected(github, app="cto")
    told = checked(world)
    assert state(told, "github", f"takes only what {CHECK} is a success for (a ruleset)") == "ok"
    assert state(told, "forgery", f"only App {app_id('cto')} can set") == "ok"
    assert {state for name in ("github", "forgery", "bypass", "workflow") for state, _ in told[name]} == {"ok"}


def test_a_branch_that_requires_something_else_is_a_problem(world: World, github: FakeGitHub) -> None:
    github.require("main", "tests")
    assert state(checked(world), "github", f"does not require {CHECK}; it requires tests") == "problem"


def test_the_check_of_another_branch_is_something_else(world: World, github: FakeGitHub) -> None:
    github.require("main", "git-cto (dev)", app="cto")
    assert state(checked(world), "github", "does not require") == "problem"


def test_the_job_in_the_place_of_the_check_is_told(world: World, github: FakeGitHub) -> None:
    github.require("main", "git-cto")
    told = checked(world)
    assert state(told, "github", "a job that is skipped counts as a success") == "warning"
    assert state(told, "github", "does not require") == "problem"


# ---- forgery -------------------------------------------------------------------------------------------------------


def test_a_check_from_anybody_can_be_forged_by_who_may_write(world: World, github: FakeGitHub) -> None:
    protected(github)
    assert state(checked(world), "forgery", "forged by everybody who may write: as a commit status") == "warning"


def test_a_check_of_github_actions_can_be_forged_by_any_workflow(world: World, github: FakeGitHub) -> None:
    protected(github, app="github-actions")
    assert app_id("github-actions") == ACTIONS_APP
    assert state(checked(world), "forgery", "forged by any workflow here") == "warning"


def test_of_two_rules_the_strict_one_counts(world: World, github: FakeGitHub) -> None:
    protected(github)
    github.require("main", CHECK, app="cto", ruleset=2)
    assert state(checked(world), "forgery", "only App") == "ok"


def test_classic_protection_is_protection(world: World, github: FakeGitHub) -> None:
    github.protect("main", (CHECK, None))
    told = checked(world)
    assert state(told, "github", "(branch protection)") == "ok"
    assert state(told, "bypass", "does not hold admins") == "warning"


# ---- ways past -----------------------------------------------------------------------------------------------------


def test_who_may_go_past_the_rules_is_named(world: World, github: FakeGitHub) -> None:
    actor = {"actor_type": "OrganizationAdmin", "actor_id": 1, "bypass_mode": "always"}
    protected(github, app="cto", bypass_actors=[actor])
    assert state(checked(world), "bypass", "OrganizationAdmin 1 (always, git-cto)") == "warning"


def test_a_branch_that_can_be_moved_back_is_told(world: World, github: FakeGitHub) -> None:
    github.require("main", CHECK, app="cto")
    assert state(checked(world), "bypass", "can be moved back") == "warning"


# ---- the workflow --------------------------------------------------------------------------------------------------


def test_a_merge_queue_that_nobody_answers_is_a_problem(world: World, github: FakeGitHub) -> None:
    protected(github, app="cto")
    github.rule(
        "main",
        "merge_queue",
        check_response_timeout_minutes=60,
        grouping_strategy="ALLGREEN",
        max_entries_to_build=5,
        max_entries_to_merge=5,
        merge_method="MERGE",
        min_entries_to_merge=1,
        min_entries_to_merge_wait_minutes=5,
    )
    assert state(checked(world), "workflow", WORKFLOW) == "ok"
    text = (world.path / WORKFLOW).read_text()
    world.commit("No queue", **{WORKFLOW.replace(".yml", "__yml"): text.replace("  merge_group:", "  workflow_call:")})
    assert state(checked(world), "workflow", "the queue will wait for ever") == "problem"


def test_a_target_without_the_workflow_is_told(world: World, github: FakeGitHub) -> None:
    protected(github, app="cto")
    world.git("rm", "--quiet", WORKFLOW)
    world.commit("No workflow")
    assert state(checked(world), "workflow", "has no .github/workflows/cto.yml") == "warning"


# ---- the environment and the secrets -------------------------------------------------------------------------------

SECRETS = ["OPENAI_API_KEY", "CTO_SIGNING_KEY"]
PAGE = "https://github.com/octo/app/settings/environments"


def kept(
    github: FakeGitHub, *branches: str, tag: str = "", protected: bool = False, secrets: list[str] = SECRETS
) -> None:
    """An environment `git-cto`, open to these branches, else to all."""
    patterns = [("branch", one) for one in branches] + ([("tag", tag)] if tag else [])
    github.state.environments["git-cto"] = Environment(patterns or None, protected, list(secrets))


def hints(world: World, name: str) -> str:
    """What to do about it."""
    said = world.cto("doctor", "--github", "--json").json["checks"]
    return "\n".join(one["hint"] for one in said if one["name"] == name)


def test_an_environment_for_the_default_branch_with_the_secrets_is_in_order(world: World, github: FakeGitHub) -> None:
    kept(github, "main")
    told = checked(world)
    assert told["environment"] == [("ok", "git-cto is open to main and to nothing else")]
    (secrets,) = told["secrets"]
    assert secrets[0] == "ok"
    assert "OPENAI_API_KEY, CTO_SIGNING_KEY: in git-cto and nowhere else" in secrets[1]


def test_an_environment_that_is_not_there_is_a_problem(world: World) -> None:
    told = checked(world)
    assert state(told, "environment", "There is no environment git-cto") == "problem"
    assert f"{PAGE} › New environment: git-cto" in hints(world, "environment")


@pytest.mark.parametrize(
    "branches, told_more, words",
    [
        ((), {}, "git-cto is open to every branch: its secrets"),
        ((), {"protected": True}, "open to every branch with classic protection"),
        (("main", "release/*"), {}, "open to release/* as well"),
        (("*",), {}, "open to * as well"),
        (("main",), {"tag": "v*"}, "open to the tag v* as well"),
    ],
)
def test_an_environment_for_more_than_the_default_branch_is_a_problem(
    world: World, github: FakeGitHub, branches: tuple[str, ...], told_more: dict[str, Any], words: str
) -> None:
    kept(github, *branches, **told_more)
    assert state(checked(world), "environment", words) == "problem"
    assert "the one rule main" in hints(world, "environment")


def test_an_environment_that_lets_no_job_begin_is_a_problem(world: World, github: FakeGitHub) -> None:
    kept(github, "main")
    github.state.default_branch = "trunk"
    assert state(checked(world), "environment", "open to main as well") == "problem"
    github.state.environments["git-cto"].patterns = []
    assert state(checked(world), "environment", "is not open to trunk") == "problem"


def test_a_secret_of_the_whole_repository_is_a_problem(world: World, github: FakeGitHub) -> None:
    kept(github, "main", secrets=["CTO_SIGNING_KEY"])
    github.state.secrets = ["ANOTHER", "OPENAI_API_KEY"]
    github.state.organisation_secrets = ["CTO_SIGNING_KEY"]
    told = checked(world)
    assert state(told, "secrets", "OPENAI_API_KEY is a secret of the repository: whoever may push") == "problem"
    assert state(told, "secrets", "CTO_SIGNING_KEY is a secret of the organisation") == "problem"
    assert len(told["secrets"]) == 2
    said = hints(world, "secrets")
    assert "gh secret set OPENAI_API_KEY --env git-cto && gh secret delete OPENAI_API_KEY\n" in said
    assert "gh secret delete CTO_SIGNING_KEY --org ORGANISATION" in said


def test_a_secret_that_nobody_has_set_is_told(world: World, github: FakeGitHub) -> None:
    kept(github, "main", secrets=["OPENAI_API_KEY"])
    told = checked(world)
    assert told["secrets"] == [
        ("warning", "The environment git-cto has no CTO_SIGNING_KEY: later runs believe no approval.")
    ]


def test_what_a_token_may_not_see_is_told_as_such(
    world: World, github: FakeGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(github)
    github.state.secrets = SECRETS
    monkeypatch.setenv("GH_TOKEN", github.token("ada", metadata="read", contents="read"))
    told = checked(world)
    assert state(told, "environment", "git-cto could not be read") == "warning"
    assert state(told, "secrets", "could not be read of the environment git-cto and the repository") == "warning"


def test_a_workflow_without_an_environment_is_a_problem(world: World, github: FakeGitHub) -> None:
    kept(github, "main")
    text = (world.path / WORKFLOW).read_text()
    plain = text.replace("    environment:\n      name: git-cto\n      deployment: false\n", "")
    world.commit("No environment", **{WORKFLOW.replace(".yml", "__yml"): plain})
    assert state(checked(world), "environment", "names no environment") == "problem"


def test_the_queue_of_an_app_has_an_environment_of_its_own(world: World, github: FakeGitHub) -> None:
    world.git("rm", "--quiet", "-r", ".github")
    world.cto("init", "--github", "--app-id", "77")
    world.commit("An App")
    kept(github, "main", secrets=[*SECRETS, "CTO_APP_PRIVATE_KEY"])
    github.state.environments["git-cto-queue"] = Environment([("branch", "gh-readonly-queue/main/*")])
    told = checked(world)
    assert [state for state, _ in told["environment"] + told["secrets"]] == ["ok"] * 3
    github.state.environments["git-cto-queue"].patterns = None
    assert state(checked(world), "environment", "git-cto-queue is open to every branch") == "problem"


# ---- who is asked, with what ---------------------------------------------------------------------------------------


def test_without_a_token_it_says_how_to_give_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GH_TOKEN")
    done = world.cto("doctor", "--github")
    assert "There is no token for github.com" in done.out
    assert "Next: export GH_TOKEN=$(gh auth token --hostname github.com), and again" in done.out
    world.git("remote", "set-url", "origin", "https://ghe.example;id/octo/app")
    assert "$(gh auth token --hostname 'ghe.example;id'), and again" in world.cto("doctor", "--github").out


def test_the_token_of_github_com_goes_to_no_other_server(world: World, github: FakeGitHub) -> None:
    world.git("remote", "set-url", "origin", "https://ghe.example.org/octo/app")
    assert state(checked(world), "github", "There is no token for ghe.example.org") == "problem"
    assert github.log == []


def test_on_an_enterprise_server_nobody_guesses_which_app_is_github_actions(
    world: World, github: FakeGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.git("remote", "set-url", "origin", "https://ghe.example.org/octo/app")
    monkeypatch.setenv("GH_ENTERPRISE_TOKEN", github.token("ada"))
    protected(github, app="github-actions")
    assert state(checked(world), "forgery", "make sure that it is not GitHub Actions") == "ok"


def test_a_token_that_github_does_not_take_is_told_and_not_printed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GH_TOKEN", "ghp_" + "x" * 36)
    done = world.cto("doctor", "--github")
    assert "✗ github" in done.out
    assert "Traceback" not in done.text
    assert "ghp_" not in done.text


def test_a_repository_without_a_forge_is_told(world: World) -> None:
    world.git("remote", "set-url", "origin", "/srv/git/app.git")
    assert state(checked(world), "github", "No remote of this repository lies on GitHub") == "problem"
