"""The workflow that `git cto init --github` writes, as text. Pure; where it goes and what it is given is decided above.

The template is a file of its own, `workflow.yml`. Its lines between `#: if <word>` (or `#: unless <word>`) and
`#: end` are there for some repositories only.
"""

from __future__ import annotations

import re
from importlib.resources import files

from msgspec import Struct

_CONDITION = re.compile(r"#: (if|unless) (\w+)\n")


class WorkflowChoices(Struct, frozen=True, kw_only=True):
    """What differs from one repository to the next."""

    uses: str  # owner/repo@ref, and what is said about it in a comment
    app: int | None = None  # the id of the GitHub App that reports the check
    enterprise: bool = False  # GitHub Enterprise Server, which learns new keys of workflows later


def workflow_text(choices: WorkflowChoices) -> str:
    """The workflow."""
    template = files("git_cto.render").joinpath("workflow.yml").read_text(encoding="utf-8")
    holds = {"app": choices.app is not None, "enterprise": choices.enterprise}
    kept: list[str] = []
    conditions: list[bool] = []
    for line in template.splitlines(keepends=True):
        if condition := _CONDITION.fullmatch(line):
            conditions.append(holds[condition[2]] is (condition[1] == "if"))
        elif line == "#: end\n":
            conditions.pop()
        elif all(conditions):
            kept.append(line)
    return "".join(kept).replace("@USES@", choices.uses).replace("@APP@", str(choices.app))
