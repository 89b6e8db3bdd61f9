"""`git cto pre-push`: what the hook of `git cto init --hook` calls. Hidden: git types it, not people."""

from __future__ import annotations

import sys

import click

from git_cto.cli.shell import Shell, verb
from git_cto.errors import ExitCode


@verb("pre-push", 'git-cto pre-push "$@"   (in .git/hooks/pre-push)')
@click.argument("remote", required=False, default="origin")
@click.argument("url", required=False)
def command(shell: Shell, *, remote: str, url: str | None) -> int:  # noqa: ARG001 -- git names both
    """Ask the gate about what `git push` is about to bring to the target branch. Reads git's lines on stdin.

    Exits with 1 where the gate is closed, with 2 or 3 where it cannot be asked; git then pushes nothing.
    """
    from git_cto.redaction import printable
    from git_cto.render.terminal import gate_text, next_line
    from git_cto.work.pushing import ask, read_pushes

    pushes = read_pushes(sys.stdin.buffer.read().decode("utf-8", "surrogateescape"))
    with shell.workspace() as workspace:
        asked = ask(workspace, remote, pushes)
    for one in asked:
        decision = one.decision
        if decision.allowed:
            shell.note(gate_text("open", decision.reasons, "", shell.style))
            continue
        # Also when --quiet: otherwise nobody would know why nothing was pushed.
        reasons = (f"Nothing is pushed to {one.target.name} on {remote}.", *decision.reasons)
        click.echo(gate_text("closed", reasons, "", shell.style), err=True)
        click.echo(next_line(printable(decision.next_step)), err=True)
    return ExitCode.OK if all(one.decision.allowed for one in asked) else ExitCode.NOT_APPROVED
