"""What `git cto doctor --github` checks of the secrets: that only the default branch's workflow can be given them.

Whoever may push a branch can put a workflow on it, and a secret of the whole repository is given to every workflow.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from git_cto.errors import ToolError, typed
from git_cto.work.checking import Check, ok
from git_cto.work.protecting import ENVIRONMENT
from git_cto.work.setting_up import WORKFLOW_PATH

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from git_cto.forge.address import Address
    from git_cto.forge.environments import Environments
    from git_cto.forge.values import Environment, Secrets

KEY, SIGNING_KEY = "OPENAI_API_KEY", "CTO_SIGNING_KEY"
_NAMED = re.compile(r"^[ \t]+environment:[ \t]*(?:\n[ \t]+name:[ \t]*)?[\"']?([\w.-]+)", re.MULTILINE)
_SECRET = re.compile(r"\bsecrets\.([A-Z][A-Z0-9_]*)")
_QUEUE = "-queue"
_WHO = "whoever may push a branch can read it, by a workflow on that branch"


def check_environments(environments: Environments, text: str | None, target: str, address: Address) -> Iterator[Check]:
    """Everything about environments and secrets. `text` is the workflow on the target; None where there is none."""
    named = list(dict.fromkeys(_NAMED.findall(text or "")))
    if text is not None and "environment:" not in text:
        message = f"{WORKFLOW_PATH} names no environment, so its secrets are those of the repository: {_WHO}."
        yield Check("environment", "problem", message, f"environment: {ENVIRONMENT}, in its job that has secrets")
    own = next((one for one in named if not one.endswith(_QUEUE)), ENVIRONMENT)
    default = environments.default_branch()
    yield from _checked(environments, own, default, address)
    for queue in named:
        if queue.endswith(_QUEUE):
            yield from _checked(environments, queue, f"gh-readonly-queue/{target}/*", address)
    used = dict.fromkeys(_SECRET.findall(text)) if text is not None else (KEY, SIGNING_KEY)
    wanted = [one for one in used if one != "GITHUB_TOKEN"]
    yield from check_secrets(environments.secrets(own), wanted, own)


def _checked(environments: Environments, name: str, allowed: str, address: Address) -> Iterator[Check]:
    page = f"{address.web}/settings/environments"
    try:
        found = environments.of(name)
    except ToolError as error:
        if error.code != "forge_permission":
            raise
        message = f"The environment {name} could not be read: the token may not."
        yield Check("environment", "warning", message, f"a token that may (actions: read); or look at {page}")
        return
    yield check_environment(found, name, allowed, page)


def check_environment(found: Environment | None, name: str, allowed: str, page: str) -> Check:
    """Whether an environment is there, and for the branches `allowed` and nothing else."""
    limit = f"Deployment branches and tags: Selected branches and tags, with the one rule {allowed}"
    if found is None:
        message = f"There is no environment {name}: the first job that names it makes one, open to every branch."
        return Check("environment", "problem", message, f"{page} › New environment: {name}. {limit}")
    hint = f"{page} › {name} › {limit}"
    if found.protected:
        message = f"{name} is open to every branch with classic protection, and to every branch where none has it."
        return Check("environment", "problem", message, hint)
    if found.branches is None:
        message = f"{name} is open to every branch: its secrets are for whoever may push one, with a workflow on it."
        return Check("environment", "problem", message, hint)
    others = [*(one for one in found.branches if one != allowed), *(f"the tag {one}" for one in found.tags)]
    if others:
        message = f"{name} is open to {', '.join(others[:5])} as well: whoever may push there can read its secrets."
        return Check("environment", "problem", message, hint)
    if allowed not in found.branches:
        message = f"{name} is not open to {allowed}, so no job of the workflow begins."
        return Check("environment", "problem", message, hint)
    return ok("environment", f"{name} is open to {allowed} and to nothing else")


def check_secrets(found: Secrets, wanted: Sequence[str], environment: str) -> Iterator[Check]:
    """Whether the secrets that the workflow takes are in its environment and nowhere else."""
    looked = {f"the environment {environment}": found.environment, "the repository": found.repository}
    unseen = [name for name, names in looked.items() if names is None]
    if unseen:
        message = f"Which secrets there are could not be read of {' and '.join(unseen)}."
        hint = "a token of somebody with write access (environments: read, secrets: read); or gh secret list"
        yield Check("secrets", "warning", message, hint)
    wide = [name for name in wanted if name in {*(found.repository or ()), *(found.organisation or ())}]
    for name in wide:
        of_repository = name in (found.repository or ())
        where, remove = ("repository", "") if of_repository else ("organisation", " --org ORGANISATION")
        message = f"{name} is a secret of the {where}: {_WHO}."
        hint = f"gh secret set {name} --env {typed(environment)} && gh secret delete {name}{remove}"
        yield Check("secrets", "problem", message, hint)
    missing = [name for name in wanted if name not in wide and name not in (found.environment or ())]
    for name in missing if found.environment is not None else ():
        why = {KEY: "a gate that is closed stays closed", SIGNING_KEY: "later runs believe no approval"}.get(name, "")
        message = f"The environment {environment} has no {name}{f': {why}' if why else ''}."
        yield Check("secrets", "warning", message, f"gh secret set {name} --env {typed(environment)}")
    if wanted and not (unseen or wide or missing):
        yield ok("secrets", f"{', '.join(wanted)}: in {environment} and nowhere else, as far as this token may see")
