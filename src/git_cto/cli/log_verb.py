"""`git cto log`: the records, one line each."""

from __future__ import annotations

import click

from git_cto.cli.shell import Shell, verb
from git_cto.errors import ExitCode


@verb("log", "git cto log")
@click.argument("rev", required=False)
@click.option("--base", metavar="TARGET", help="The branch that the change is meant for.")
@click.option("--all", "everything", is_flag=True, help="Every record of the ledger.")
def command(shell: Shell, *, rev: str | None, base: str | None, everything: bool) -> int:
    """Show the records about REV (default: HEAD): its own, its change's and its series', the newest first."""
    from git_cto.render.terminal import log_text, next_line
    from git_cto.work.history import about, all_records
    from git_cto.work.workspace import now

    with shell.workspace() as workspace:
        records = all_records(workspace) if everything else about(workspace, rev=rev, base=base)
    if shell.json:
        from git_cto.work.documents.records import log_document

        shell.document(log_document(records))
    if records:
        shell.say(log_text(records, now(), shell.style))
    else:
        shell.say(
            "No records.\n" + next_line("git cto log --all", "git cto sync, if they are elsewhere", "git cto review")
        )
    return ExitCode.OK
