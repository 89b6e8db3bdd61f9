"""What protects a branch on GitHub: rulesets and classic protection, read as far as the token may see. For `doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from msgspec import Struct, field

from git_cto.errors import ToolError
from git_cto.forge.values import RequiredCheck, Rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from git_cto.forge.failures import Asked
    from git_cto.forge.line import Line

_UNSEEN = frozenset({"forge_not_found", "forge_permission"})


class _Check(Struct):
    """A required check: `context` in both worlds; the app is `integration_id` in rulesets, `app_id` elsewhere."""

    context: str
    integration_id: int | None = None
    app_id: int | None = None

    @property
    def app(self) -> int | None:
        number = self.integration_id or self.app_id
        return number if number and number > 0 else None  # -1 is any app


class _Checks(Struct):
    """What classic protection asks of checks. Older servers know `contexts` only."""

    contexts: list[str] = []
    checks: list[_Check] = []

    @property
    def all(self) -> list[_Check]:
        return self.checks or [_Check(context) for context in self.contexts]


class _Summary(Struct):
    """Classic protection, as everybody who may read the branch sees it."""

    enabled: bool = False
    required_status_checks: _Checks = field(default_factory=_Checks)


class _Branch(Struct):
    """`branch-with-protection`."""

    protection: _Summary = field(default_factory=_Summary)


class _Parameters(Struct):
    """What the rules that concern us are given; other rules have others."""

    required_status_checks: list[_Check] = []


class _Rule(Struct):
    """One rule that holds for a branch."""

    type: str
    ruleset_id: int = 0
    parameters: _Parameters | None = None

    @property
    def given(self) -> _Parameters:
        return self.parameters or _Parameters()


class _Actor(Struct):
    """Who is let past a ruleset."""

    actor_type: str
    actor_id: int | None = None
    bypass_mode: str = "always"


class _Ruleset(Struct):
    """`repository-ruleset`. Who may bypass it is shown to those who may edit it."""

    name: str
    bypass_actors: list[_Actor] | None = None


class _Enabled(Struct):
    """A switch."""

    enabled: bool = False


class _Classic(Struct):
    """`branch-protection`, which only admins see."""

    enforce_admins: _Enabled = field(default_factory=_Enabled)


class Protection(Struct, frozen=True):
    """Reads what protects a branch."""

    line: Line
    asked: Callable[[str, str], Asked]
    where: str  # /repos/{owner}/{repo}

    def of(self, branch: str) -> Rules:
        """All of it that the token may see."""
        short = branch.removeprefix("refs/heads/")
        name = quote(short, safe="")
        asked = self.asked(f"read what protects {short}", "contents: read")
        seen = self.line.get(asked, f"{self.where}/branches/{name}", _Branch)
        rules = self._rules(asked, name)
        classic = self._classic(name) if seen.protection.enabled else None
        return Rules(
            required=tuple(_required(rules, seen.protection)),
            rules=tuple(sorted({rule.type for rule in rules})),
            bypass=tuple(self._bypass({rule.ruleset_id for rule in rules})),
            protection=seen.protection.enabled,
            admins_too=classic.enforce_admins.enabled if classic else None,
            merge_queue=any(rule.type == "merge_queue" for rule in rules),
        )

    def _rules(self, asked: Asked, name: str) -> list[_Rule]:
        try:
            pages = self.line.pages(asked, f"{self.where}/rules/branches/{name}", list[_Rule])
            return [rule for page in pages for rule in page]
        except ToolError as error:
            if error.code != "forge_not_found":
                raise
            return []  # an older enterprise server has no rulesets

    def _classic(self, name: str) -> _Classic | None:
        asked = self.asked("read the branch's protection", "administration: read")
        try:
            return self.line.get(asked, f"{self.where}/branches/{name}/protection", _Classic)
        except ToolError as error:
            if error.code not in _UNSEEN:
                raise
            return None

    def _bypass(self, rulesets: set[int]) -> Iterator[str]:
        """Who may bypass these rulesets, as far as the token may know."""
        asked = self.asked("read a ruleset", "administration: read")
        for number in sorted(rulesets):
            try:
                ruleset = self.line.get(asked, f"{self.where}/rulesets/{number}", _Ruleset)
            except ToolError as error:
                if error.code not in _UNSEEN:
                    raise
                continue
            for actor in ruleset.bypass_actors or ():
                yield f"{actor.actor_type} {actor.actor_id or ''}".strip() + f" ({actor.bypass_mode}, {ruleset.name})"


def _required(rules: Sequence[_Rule], classic: _Summary) -> Iterator[RequiredCheck]:
    """The checks that are asked for."""
    for rule in rules:
        for check in rule.given.required_status_checks:
            yield RequiredCheck(name=check.context, app_id=check.app, by="ruleset")
    for check in classic.required_status_checks.all:
        yield RequiredCheck(name=check.context, app_id=check.app, by="protection")
