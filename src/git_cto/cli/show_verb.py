"""`git cto show`: one record in full."""

from __future__ import annotations

import click

from git_cto.cli.shell import Shell, verb
from git_cto.errors import ExitCode


@verb("show", "git cto show health-check-3f2a1c")
@click.argument("what", required=False, metavar="[REV|RUN|RECORD]")
@click.option("--base", metavar="TARGET", help="The branch that the change is meant for.")
@click.option("--export", type=click.Choice(["dsse", "vsa"]), help="Print it for other tools (see below).")
def command(shell: Shell, *, what: str | None, base: str | None, export: str | None) -> int:
    """Show a record in full: the newest plan of a run, or the verdict or override that stands for a commit.

    Of a commit (default: HEAD) that is what the gate rests on, else the newest that counts; which others are about the
    same change is told. RECORD is the id of a record, or its first digits, as git cto log shows them.

    --export dsse prints the record as a DSSE envelope of an in-toto statement, with its signatures. --export vsa prints
    what `git cto verify` comes to as a SLSA verification summary, whether it passed or failed. It exits like verify: a
    summary that says FAILED is printed whole, with exit code 1.
    """
    if export is not None:
        return _exported(shell, what, base, export)

    from git_cto.render.record import record_text
    from git_cto.work.documents.records import log_document
    from git_cto.work.history import meant

    with shell.workspace() as workspace:
        found = meant(workspace, what, base=base)
        record = found.record
    shell.document(log_document([record]))
    shell.say(record_text(record, shell.style))
    shell.notes(found.notes)
    return ExitCode.OK


def _exported(shell: Shell, what: str | None, base: str | None, export: str) -> int:
    from git_cto.work.exchanging import exported, summary
    from git_cto.work.history import meant
    from git_cto.work.proving import prove

    failed = False
    with shell.workspace() as workspace:
        if export == "dsse":
            found = meant(workspace, what, base=base)
            data = exported(found.record)
            workspace.notes.extend(found.notes)
        else:
            proof = prove(workspace, what, base=base, signed=False)
            data, failed = summary(workspace, proof), not proof.proven
            if failed:  # for whoever pipes it: the exit code is gone there
                workspace.notes.append(f"the summary says FAILED: {' '.join(proof.reasons)}")
    click.echo(data, nl=False)
    return ExitCode.NOT_APPROVED if failed else ExitCode.OK
