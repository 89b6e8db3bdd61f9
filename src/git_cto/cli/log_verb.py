"""`git cto log`: the records, one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from git_cto.cli.shell import Shell, verb
from git_cto.errors import ExitCode

if TYPE_CHECKING:
    from git_cto.work.workspace import Workspace


@verb("log", "git cto log")
@click.argument("rev", required=False)
@click.option("--base", metavar="TARGET", help="The branch that the change is meant for.")
@click.option("--all", "everything", is_flag=True, help="Every record of the ledger.")
@click.option("--show-signature", is_flag=True, help="Check every signature: who signed, or why it does not count.")
def command(shell: Shell, *, rev: str | None, base: str | None, everything: bool, show_signature: bool) -> int:
    """Show the records about REV (default: HEAD): its own, its change's and its series', the newest first.

    Signatures are checked against the lists of signers that the target of each record has today. --all alone checks
    none, since there may be many.
    """
    from git_cto.render.terminal import log_text, next_line
    from git_cto.work.history import about, all_records
    from git_cto.work.workspace import now

    with shell.workspace() as workspace:
        if everything:
            records = all_records(workspace, signatures=show_signature)
        else:
            records = about(workspace, rev=rev, base=base)
        landed = "" if records or everything else _landed(workspace, rev, base)
    if shell.json:
        from git_cto.work.documents.records import log_document

        shell.document(log_document(records))
    if records:
        shell.say(log_text(records, now(), shell.style, signatures=show_signature))
    else:
        elsewhere = ("git cto log --all", "git cto sync, if they are elsewhere")
        steps = (f"{landed} for what has landed", *elsewhere) if landed else (*elsewhere, "git cto review")
        shell.say("No records.\n" + next_line(*steps))
    return ExitCode.OK


def _landed(workspace: Workspace, rev: str | None, base: str | None) -> str:
    """What tells under which approval the newest commit came in, where that is what was asked about."""
    from git_cto.repo.resolve import resolve_head
    from git_cto.work.gating import landed_step

    return landed_step(workspace, resolve_head(workspace.git, rev, workspace.objects), workspace.target(base))
