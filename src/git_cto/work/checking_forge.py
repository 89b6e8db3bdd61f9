"""What `git cto doctor --github` checks: whether the target is protected, and by whom the check could be forged.

Looks only. It is told honestly what a token may not see: who may bypass a rule is shown to admins.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from git_cto.errors import ToolError, UsageError, typed
from git_cto.forge.hub import Hub
from git_cto.work.checking import Check, ok, told
from git_cto.work.checking_environment import check_environments
from git_cto.work.github_setup import address_of
from git_cto.work.protecting import ACTIONS_APP, check_name
from git_cto.work.setting_up import WORKFLOW_PATH

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from git_cto.forge.address import Address
    from git_cto.forge.values import RequiredCheck, Rules
    from git_cto.work.workspace import Workspace

_SET_UP = "git cto init --github, and do what it prints"
_JOBS = ("git-cto", "git-cto in the queue")  # as the workflow names them: a job that is skipped counts as a success


def check_forge(workspace: Workspace) -> Iterator[Check]:
    """Everything about how the target is protected on GitHub."""
    yield from told("github", lambda: _looked_up(workspace), "gh auth status")


def _looked_up(workspace: Workspace) -> Iterator[Check]:
    address = address_of(workspace)
    if address is None:
        raise UsageError("No remote of this repository lies on GitHub.", "git remote -v")
    target = workspace.target(None)
    api = workspace.environ.get("GITHUB_API_URL") or address.api
    hub = Hub(api, _token(workspace.environ, address), address.slug, pace=0.0, patience=20.0)
    rules = hub.rules(target.ref)
    yield from check_rules(rules, target.name, actions=None if address.enterprise_server else ACTIONS_APP)
    workflow = workspace.text_at(target.commit, WORKFLOW_PATH)
    yield from check_workflow(workflow, rules, target.name)
    yield from check_environments(hub.environments, workflow, target.name, address)


def _token(environ: Mapping[str, str], address: Address) -> str:
    """The token for this server, from the variables that `gh` knows: the one of github.com goes nowhere else."""
    which = "GH_ENTERPRISE_TOKEN GITHUB_ENTERPRISE_TOKEN" if address.enterprise_server else "GH_TOKEN GITHUB_TOKEN"
    for name in which.split():
        if environ.get(name):
            return environ[name]
    name = which.partition(" ")[0]
    raise ToolError(
        f"There is no token for {address.host}, so nobody can be asked how the branch is protected.",
        f"export {name}=$(gh auth token --hostname {typed(address.host)}), and again",
        code="forge_auth",
    )


def check_rules(rules: Rules, target: str, *, actions: int | None) -> Iterator[Check]:
    """What the rules of a branch are worth. `actions` is the id of GitHub Actions on that server, where it is known."""
    name = check_name(target)
    if not rules.required and not rules.rules and not rules.protection:
        yield Check("github", "problem", f"{target} is not protected: whoever may write can push to it.", _SET_UP)
        return
    ours = [one for one in rules.required if one.name == name]
    if ours:
        yield ok("github", f"{target} takes only what {name} is a success for ({_sources(ours)})")
        yield from _forgery(ours, name, actions)
    else:
        others = ", ".join(one.name for one in rules.required) or "no check"
        yield Check("github", "problem", f"{target} does not require {name}; it requires {others}.", _SET_UP)
    for job in sorted({one.name for one in rules.required} & {*_JOBS}):
        message = f"{target} requires the job {job}, and a job that is skipped counts as a success."
        yield Check("github", "warning", message, f"require {name} instead")
    yield from _ways_past(rules, target)


def _sources(checks: list[RequiredCheck]) -> str:
    return " and ".join(sorted({"a ruleset" if one.by == "ruleset" else "branch protection" for one in checks}))


def _forgery(checks: list[RequiredCheck], name: str, actions: int | None) -> Iterator[Check]:
    """Who else can set the check. Each rule has to be met, so the strictest one says it."""
    apps = {one.app_id for one in checks}
    own = sorted(app for app in apps if app is not None and app != actions)
    if own:
        sure = "" if actions is not None else "; make sure that it is not GitHub Actions, whose id differs by server"
        yield ok("forgery", f"only App {own[0]} can set {name}, so only who can read that App's private key{sure}")
        return
    if actions in apps and actions is not None:
        message = f"{name} can be forged by any workflow here, also by one on a branch that somebody just pushed."
    else:
        message = f"{name} can be forged by everybody who may write: as a commit status, or by any workflow."
    hint = "git cto init --github --app-id ID, with a GitHub App of your own; until then you trust who may write"
    yield Check("forgery", "warning", message, hint)


def _ways_past(rules: Rules, target: str) -> Iterator[Check]:
    """Who need not ask."""
    if not rules.bypass and not rules.protection:
        yield ok("bypass", f"nobody may go past the rules of {target}, as far as this token may see")
    if rules.bypass:
        message = f"These may go past the rules of {target}: {'; '.join(rules.bypass)}."
        yield Check("bypass", "warning", message, "Settings › Rules › Rulesets › Bypass list")
    if rules.protection and rules.admins_too is False:
        message = f"The protection of {target} does not hold admins."
        yield Check("bypass", "warning", message, "Settings › Branches › Do not allow bypassing the above settings")
    if not rules.protection and "non_fast_forward" not in rules.rules:
        message = f"{target} can be moved back by whoever may write, and with it the policy."
        yield Check("bypass", "warning", message, "Settings › Rules › Rulesets › Block force pushes")


def check_workflow(text: str | None, rules: Rules, target: str) -> Iterator[Check]:
    """Whether there is somebody to answer. `text` is the workflow on the target."""
    if text is None:
        message = f"{target} has no {WORKFLOW_PATH}: make sure that another workflow reports {check_name(target)}."
        yield Check("workflow", "warning", message, "git cto init --github, and commit what it writes")
    elif rules.merge_queue and not re.search(r"^\s+merge_group\s*:", text, re.MULTILINE):
        message = f"{target} has a merge queue, and {WORKFLOW_PATH} does not answer it: the queue will wait for ever."
        yield Check("workflow", "problem", message, "add merge_group to its `on:`")
    else:
        yield ok("workflow", f"{target}:{WORKFLOW_PATH}")
