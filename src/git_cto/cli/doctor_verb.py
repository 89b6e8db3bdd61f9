"""`git cto doctor`: what is wrong with the set-up, and what to type."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import click

from git_cto.cli.shell import Shell, verb
from git_cto.errors import CtoError, ExitCode

if TYPE_CHECKING:
    from git_cto.work.checking import Check
    from git_cto.work.workspace import Workspace

_SIGNS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "problem": ("✗", "red")}
_INDENT = 20


@verb("doctor", "git cto doctor")
@click.option("--github", is_flag=True, help="Ask GitHub how the target is protected (GH_TOKEN).")
def command(shell: Shell, *, github: bool) -> int:
    """Check git, Codex (version, login, what a review offers the model), Claude Code, and this repository.

    Looks only: nothing is changed, no network and no model is asked. Outside of a repository the tools are checked.
    Runs codex-orchestrator's codex-status.sh too, where that skill is installed. Exits with 3 where there is a problem.

    With --github that server is asked as well, and nothing but the answer is told: whether the target branch requires
    the check of git-cto, who could forge it or go past it, and who could read the secrets.
    """
    from git_cto.render.words import counted
    from git_cto.work.documents.set_up import doctor_document

    found = []
    for check in _checks(github=github):
        found.append(check)
        shell.say(_text(shell, check))
    problems, warnings = (sum(check.state == state for check in found) for state in ("problem", "warning"))
    shell.document(doctor_document(found))
    shell.say(f"\n{counted(problems, 'problem') if problems else 'No problem'}, {counted(warnings, 'warning')}.")
    return ExitCode.INCONCLUSIVE if problems else ExitCode.OK


def _checks(*, github: bool) -> Iterator[Check]:
    from git_cto.demo.sealed_call import sealed_request
    from git_cto.work.checking import Check, check_skill, check_tools
    from git_cto.work.checking_repository import check_repository

    with ExitStack() as stack:
        workspace: Workspace | None = None
        outside: CtoError | None = None
        try:
            workspace = stack.enter_context(Shell(json=False).workspace())
        except CtoError as error:
            outside = error
        yield from check_tools(os.environ, sealed_request, lambda: _model(workspace))
        if workspace is not None:
            yield from check_repository(workspace)
            yield from _forge(workspace) if github else ()
        elif outside is not None:
            message = f"{outside.message} Only the tools were checked."
            yield Check(
                "repository", "warning" if outside.code == "no_repository" else "problem", message, outside.hint
            )
        place = workspace.place if workspace else None
        folders = (place.common_dir, *([place.worktree] if place.worktree else [])) if place else ()
        yield from check_skill(os.environ, folders)


def _forge(workspace: Workspace) -> Iterator[Check]:
    from git_cto.work.checking_forge import check_forge

    yield from check_forge(workspace)


def _model(workspace: Workspace | None) -> str:
    """The model that would review; what is wrong with the policy is told elsewhere."""
    from git_cto.agents.codex import Codex
    from git_cto.work.composing import DEFAULT_MODEL

    said: list[str | None] = []
    with suppress(CtoError):
        if workspace is not None:
            said.append(workspace.settings.text("cto.review.model"))
            said.append(workspace.policy(workspace.target(None)).review.model)
    with suppress(CtoError):
        said.append(Codex(os.environ).default_model())
    return next(filter(None, said), DEFAULT_MODEL)


def _text(shell: Shell, check: Check) -> str:
    from git_cto.redaction import printable
    from git_cto.render.lines import wrapped

    sign, colour = _SIGNS[check.state]
    head = f"{shell.style(sign, colour, bold=True)} {check.name:<{_INDENT - 4}}  "
    text = head + wrapped(check.message, _INDENT)[_INDENT:]
    # Not wrapped: it is there to be copied.
    return text + (f"\n{' ' * _INDENT}Next: {printable(check.hint)}" if check.hint else "")
