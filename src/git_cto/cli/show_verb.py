"""`git cto show`: one record in full."""

from __future__ import annotations

import click

from git_cto.cli.shell import Shell, verb
from git_cto.errors import ExitCode


@verb("show", "git cto show health-check-3f2a1c")
@click.argument("what", required=False, metavar="[REV|RUN]")
@click.option("--base", metavar="TARGET", help="The branch that the change is meant for.")
def command(shell: Shell, *, what: str | None, base: str | None) -> int:
    """Show the newest plan of a run, or the newest verdict on a commit (default: HEAD), in full."""
    from git_cto.render.record import record_text
    from git_cto.work.documents import log_document
    from git_cto.work.history import newest

    with shell.workspace() as workspace:
        record = newest(workspace, what, base=base)
    shell.document(log_document([record]))
    shell.say(record_text(record, shell.style))
    return ExitCode.OK
