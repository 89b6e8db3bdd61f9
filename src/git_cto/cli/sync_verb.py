"""`git cto sync`: the ledger, exchanged with a remote."""

from __future__ import annotations

import sys

import click

from git_cto.cli.shell import Shell, verb
from git_cto.errors import ExitCode


@verb("sync", "git cto sync origin")
@click.argument("remote", required=False)
def command(shell: Shell, *, remote: str | None) -> int:
    """Exchange all records with REMOTE (default: origin, or the only one) without losing any on either side."""
    from git_cto.ledger.sync import sync
    from git_cto.render.words import counted
    from git_cto.work.documents.ledger import sync_document
    from git_cto.work.setting_up import default_remote

    with shell.workspace() as workspace:
        chosen = remote or default_remote(workspace)
        synced = sync(workspace.git, chosen, prompt=sys.stdin.isatty())
    shell.document(sync_document(chosen, synced))
    shell.say(f"{chosen}: {counted(synced.received, 'record')} received, {counted(synced.sent, 'record')} sent.")
    return ExitCode.OK
