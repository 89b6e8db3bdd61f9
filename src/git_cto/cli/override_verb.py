"""`git cto override`: a human decides for a change."""

from __future__ import annotations

import click

from git_cto.cli.shell import Shell, same, sign_option, verb
from git_cto.errors import ExitCode


@verb("override", 'git cto override --reason "Reviewed by hand with Ada"')
@click.argument("rev", required=False)
@click.option("--base", metavar="TARGET", help="The branch that the change is meant for.")
@click.option("--reason", required=True, metavar="TEXT", help="Why it may be merged; it is recorded.")
@sign_option
def command(shell: Shell, *, rev: str | None, base: str | None, reason: str, sign: bool | None) -> int:
    """Record that exactly the change of REV (default: HEAD) may be merged. One more commit, and it no longer counts."""
    from git_cto.render.lines import wrapped
    from git_cto.render.terminal import next_line
    from git_cto.work.deciding import override
    from git_cto.work.documents.ledger import decision_document

    with shell.workspace() as workspace:
        shell.ready_to_sign(workspace, sign)
        decided = override(workspace, rev, reason=reason, base=base)
    found = decided.survey
    about, rest = decided.step
    step = (same(about, rev, base) if about else "") + rest
    shell.notes(decided.doubts)
    shell.document(decision_document(decided.record, decided.doubts, step))
    said = f"the change of {found.head.name} may be merged into {found.target.name}."
    shell.say(wrapped(f"Recorded, but it does not count: that {said}" if decided.doubts else f"Recorded: {said}"))
    shell.say(next_line(step))
    return ExitCode.OK
