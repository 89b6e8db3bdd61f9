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
    from git_cto.work.documents.runs import abandon_document
    from git_cto.work.runs import load_run

    with shell.workspace() as workspace:
        removed = abandon(workspace, load_run(workspace, run))
    step = f"git cto show {run}"
    shell.document(abandon_document(run, removed, step))
    shell.say(f"Abandoned {run}. {'These branches were removed:' if removed else 'No branch of it was left.'}")
    for name, commit in removed.items():
        shell.say(f"  {name} (was {commit[:12]})")
    shell.say(next_line((step, "its plan is kept")))
    return ExitCode.OK
