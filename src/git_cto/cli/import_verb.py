"""`git cto import`: a record that was exported elsewhere, taken into the ledger."""

from __future__ import annotations

import sys

import click

from git_cto.cli.shell import Shell, verb
from git_cto.errors import ExitCode


@verb("import", "git cto import verdict.json")
@click.argument("file", metavar="FILE")
def command(shell: Shell, *, file: str) -> int:
    """Take the record in FILE (- for standard input) into the ledger, under the checks that every record passes.

    It is a DSSE envelope as `git cto show --export dsse` writes it. What it is about has to be here; where only signed
    records count, somebody whom the target allows has to have signed it. A verdict on a run rests on its plan, which is
    a record of its own: take in both, or git cto sync.
    """
    from git_cto.errors import UsageError
    from git_cto.render.terminal import log_text, next_line
    from git_cto.work.documents.ledger import import_document
    from git_cto.work.exchanging import LARGEST_FILE, take_in
    from git_cto.work.workspace import now

    try:
        if file == "-":
            data = sys.stdin.buffer.read(LARGEST_FILE + 1)
        else:
            with open(file, "rb") as opened:
                data = opened.read(LARGEST_FILE + 1)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.", "check the path") from error
    with shell.workspace() as workspace:
        done = take_in(workspace, data, "standard input" if file == "-" else file)
    shell.document(import_document(done))
    shell.notes(done.notes)
    shell.say("Imported:" if done.new else "It was here already:")
    shell.say(log_text([done.record], now(), shell.style))
    gate = done.next_step.startswith("git cto gate")
    shell.say(next_line((done.next_step, "asks whether it may be merged now") if gate else done.next_step))
    return ExitCode.OK
