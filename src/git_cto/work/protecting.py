"""What makes the check required on GitHub: a ruleset, as JSON and as clicks, and an environment for the secrets.

On a public repository also a policy that lets the workflow run. Pure. Nothing is sent anywhere: who owns the repository
decides. The workflow's text is `render.workflow`'s.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from git_cto.forge.address import GITHUB, Address
from git_cto.work.setting_up import WORKFLOW_PATH

CHECK = "git-cto"  # what the names of our check runs begin with
ENVIRONMENT = "git-cto"
EVENTS = ("issue_comment", "merge_group", "pull_request_target")  # that the workflow runs on
ACTIONS_APP = 15368  # the id of GitHub Actions on github.com: whatever a workflow's own token reports comes from it


class StatusCheck(Struct, frozen=True, omit_defaults=True):
    """A check that has to be a success. Without `integration_id` anybody who may write can set it."""

    context: str
    integration_id: int | None = None


class Rule(Struct, frozen=True, omit_defaults=True):
    """One rule, as GitHub's API has it."""

    type: str
    parameters: dict[str, Any] | None = None


class Ruleset(Struct, frozen=True, kw_only=True):
    """A ruleset of a branch, as `POST /repos/{owner}/{repo}/rulesets` takes it."""

    name: str = "git-cto"
    target: Literal["branch"] = "branch"
    enforcement: Literal["active"] = "active"
    conditions: dict[str, Any]
    rules: tuple[Rule, ...]


class ActionsPolicy(Struct, frozen=True, kw_only=True):
    """Which events may start our workflow, as `POST /repos/{owner}/{repo}/actions/policies` takes it.

    In public repositories GitHub runs nothing on `pull_request_target` that no policy allows.
    """

    name: str = "git-cto"
    enforcement: Literal["active"] = "active"
    conditions: dict[str, Any]
    rules: tuple[Rule, ...]


class Protection(Struct, frozen=True, kw_only=True):
    """How the target is protected, and what a person does for it on the pages of GitHub.

    `actions_policy` is for public repositories; None on Enterprise Server, which has no such policies.
    """

    check: str
    ruleset: Ruleset
    actions_policy: ActionsPolicy | None
    clicks: tuple[str, ...]
    secrets: tuple[str, ...]


def check_name(target: str) -> str:
    """What the check run for a target (its short name) is called. One head may be meant for several."""
    return f"{CHECK} ({target})"


def protection(target: str, address: Address | None, app: int | None) -> Protection:
    """What protects `target`, a branch's short name. `app` is the id of a GitHub App that reports the check."""
    secrets = ("OPENAI_API_KEY", "CTO_SIGNING_KEY", *(("CTO_APP_PRIVATE_KEY",) if app is not None else ()))
    return Protection(
        check=check_name(target),
        ruleset=_ruleset(target, app if app is not None else _actions_app(address)),
        actions_policy=None if _server_of_its_own(address) else _actions_policy(),
        clicks=(
            *_ruleset_clicks(target, address, app),
            *_environment_clicks(target, address, secrets),
            *(() if _server_of_its_own(address) else _policy_clicks(address)),
        ),
        secrets=secrets,
    )


def _actions_app(address: Address | None) -> int | None:
    """On other servers GitHub Actions has another id, which only their admins can look up."""
    return ACTIONS_APP if address is None or address.host == GITHUB else None


def _ruleset(target: str, integration: int | None) -> Ruleset:
    reviews = {
        "required_approving_review_count": 0,  # git-cto judges the change; whether people have to is your decision
        "dismiss_stale_reviews_on_push": True,
        "require_code_owner_review": False,
        "require_last_push_approval": False,
        "required_review_thread_resolution": False,
    }
    checks = {
        "strict_required_status_checks_policy": False,
        "required_status_checks": [StatusCheck(check_name(target), integration)],
    }
    return Ruleset(
        conditions={"ref_name": {"include": [f"refs/heads/{target}"], "exclude": []}},
        rules=(
            Rule("deletion"),
            Rule("non_fast_forward"),
            Rule("pull_request", reviews),
            Rule("required_status_checks", checks),
        ),
    )


def _server_of_its_own(address: Address | None) -> bool:
    return address is not None and address.enterprise_server


def _actions_policy() -> ActionsPolicy:
    return ActionsPolicy(
        conditions={"workflow_path": {"include": [WORKFLOW_PATH], "exclude": []}},
        rules=(Rule("restrict_action_events", {"allowed_events": list(EVENTS)}),),
    )


def _settings(address: Address | None, page: str, menu: str) -> str:
    return f"{address.web}/settings/{page}" if address else f"the repository's Settings › {menu}"


def _ruleset_clicks(target: str, address: Address | None, app: int | None) -> tuple[str, ...]:
    source = f"your App ({app})" if app is not None else "GitHub Actions"
    return (
        f"Open {_settings(address, 'rules/new?target=branch', 'Rules › Rulesets › New branch ruleset')}",
        "Ruleset name: git-cto. Enforcement status: Active. Bypass list: nobody.",
        f"Target branches › Add target › Include by pattern: {target}",
        "Check: Restrict deletions, Require a pull request before merging, Block force pushes",
        f"Check: Require status checks to pass › Add checks: {check_name(target)}, from {source}",
    )


def _environment_clicks(target: str, address: Address | None, secrets: tuple[str, ...]) -> tuple[str, ...]:
    page = f"Open {_settings(address, 'environments', 'Environments')} › New environment"
    app = secrets[2:]
    queue = (
        f"With a merge queue: {page}: {ENVIRONMENT}-queue",
        f"Deployment branches and tags: Selected branches › Add rule: gh-readonly-queue/{target}/*",
        f"Environment secrets › Add: {', '.join(app)}",
    )
    return (
        f"{page}: {ENVIRONMENT}",
        f"Deployment branches and tags: Selected branches › Add rule: {target}",
        f"Environment secrets › Add: {', '.join(secrets)}",
        *(queue if app else ()),
    )


def _policy_clicks(address: Address | None) -> tuple[str, ...]:
    page = _settings(address, "actions/policies", "Actions › Policies")
    return (
        f"In a public repository: Open {page} › New policy: git-cto. Enforcement status: Active",
        f"Workflows: {WORKFLOW_PATH}. Restrict events › Allow: {', '.join(EVENTS)}",
    )
