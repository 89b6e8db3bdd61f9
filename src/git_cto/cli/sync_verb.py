"""`git cto sync`: the ledger, exchanged with a remote."""

from __future__ import annotations

import sys

import click

from git_cto.cli.shell import Shell, verb
from git_cto.errors import ExitCode


@verb("sync", "git cto sync origin")
@click.argument("remote", required=False)
def command(shell: Shell, *, remote: str | None) -> int:
    """Exchange all records with REMOTE (default: origin, or the only one) without losing any on either side.

    What came in is written where git log --notes=cto shows it, for the newest 500 commits of the branches here.
    """
    from git_cto.ledger.sync import sync
    from git_cto.work.documents.ledger import sync_document
    from git_cto.work.keeping import show_received
    from git_cto.work.setting_up import default_remote

    with shell.workspace() as workspace:
        chosen = remote or default_remote(workspace)
        try:
            synced = sync(workspace.git, chosen, prompt=sys.stdin.isatty())
        finally:
            show_received(workspace)  # also of a remote that takes nothing from us
    shell.document(sync_document(chosen, synced))
    received = _words(synced.received, synced.signatures_received)
    shell.say(f"{chosen}: {received} received, {_words(synced.sent, synced.signatures_sent)} sent.")
    return ExitCode.OK


def _words(records: int, signatures: int) -> str:
    """`2 records`, `1 record and 1 more signature`, `1 more signature`."""
    from git_cto.render.words import counted

    more = counted(signatures, "more signature") if signatures else ""
    return " and ".join(filter(None, (counted(records, "record") if records or not more else "", more)))
