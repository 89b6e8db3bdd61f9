"""Where a repository keeps the secrets of its workflows, and which branches may read them. For `doctor`.

Names only: GitHub shows nobody a secret's value. What a token may not see is None.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from msgspec import Struct

from git_cto.errors import ToolError
from git_cto.forge.values import Environment, Secrets

if TYPE_CHECKING:
    from collections.abc import Callable

    from git_cto.forge.failures import Asked
    from git_cto.forge.line import Line

_UNSEEN = frozenset({"forge_not_found", "forge_permission"})


class _Repository(Struct):
    default_branch: str


class _Policy(Struct):
    """`deployment-branch-policy-settings`: whether branches are named one by one."""

    custom_branch_policies: bool


class _Environment(Struct):
    deployment_branch_policy: _Policy | None = None


class _Pattern(Struct):
    name: str
    type: str = "branch"


class _Patterns(Struct):
    branch_policies: list[_Pattern]


class _Named(Struct):
    name: str


class _Secrets(Struct):
    secrets: list[_Named]


class Environments(Struct, frozen=True):
    """Reads environments and the names of secrets."""

    line: Line
    asked: Callable[[str, str], Asked]
    where: str  # /repos/{owner}/{repo}

    def default_branch(self) -> str:
        """The branch whose workflows run, by its short name."""
        asked = self.asked("read the repository", "metadata: read")
        return self.line.get(asked, self.where, _Repository).default_branch

    def of(self, name: str) -> Environment | None:
        """An environment; None where there is none of that name."""
        path = f"{self.where}/environments/{quote(name, safe='')}"
        asked = self.asked(f"read the environment {name}", "actions: read")
        try:
            policy = self.line.get(asked, path, _Environment).deployment_branch_policy
        except ToolError as error:
            if error.code != "forge_not_found":
                raise
            return None
        if policy is None:
            return Environment()
        if not policy.custom_branch_policies:
            return Environment(protected=True)
        pages = self.line.pages(asked, f"{path}/deployment-branch-policies", _Patterns)
        found = [one for page in pages for one in page.branch_policies]
        return Environment(
            branches=tuple(sorted(one.name for one in found if one.type == "branch")),
            tags=tuple(sorted(one.name for one in found if one.type != "branch")),
        )

    def secrets(self, environment: str) -> Secrets:
        """The names of the secrets of an environment, of the repository and of its organisation."""
        own = f"environments/{quote(environment, safe='')}/secrets"
        return Secrets(
            environment=self._names(own, "environments: read"),
            repository=self._names("actions/secrets", "secrets: read"),
            organisation=self._names("actions/organization-secrets", "secrets: read"),
        )

    def _names(self, path: str, need: str) -> tuple[str, ...] | None:
        asked = self.asked("read the names of secrets", need)
        try:
            pages = self.line.pages(asked, f"{self.where}/{path}", _Secrets)
            return tuple(sorted(one.name for page in pages for one in page.secrets))
        except ToolError as error:
            if error.code not in _UNSEEN:
                raise
            return None
