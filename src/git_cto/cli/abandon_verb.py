"""`git cto abandon`: a run's branches and worktrees, removed."""

from __future__ import annotations

import click

from git_cto.cli.shell import Shell, verb
from git_cto.errors import ExitCode


@verb("abandon", "git cto abandon health-check-3f2a1c")
@click.argument("run")
def command(shell: Shell, *, run: str) -> int:
    """Remove the branches and worktrees of RUN, and say where every branch stood. Its records stay."""
    from git_cto.loop import abandon
    from git_cto.render.terminal import next_line
    from git_cto.work.documents.set_up import InitDocument
    from git_cto.work.runs import load_run

    with shell.workspace() as workspace:
        removed = abandon(workspace, load_run(workspace, run))
    listing = ", ".join(f"{name} (was {commit[:12]})" for name, commit in removed.items()) or "nothing was left"
    done = tuple(f"removed {name} (was {commit})" for name, commit in removed.items())
    shell.document(InitDocument(done=done, next=f"git cto show {run}"))
    shell.say(f"Abandoned {run}: {listing}.")
    shell.say(next_line((f"git cto show {run}", "its plan is kept")))
    return ExitCode.OK
