"""`git cto continue`: a human lets a series go on."""

from __future__ import annotations

import click

from git_cto.cli.shell import Shell, sign_option, verb
from git_cto.errors import ExitCode


@verb("continue", 'git cto continue --reason "The finding is right, we try another way"')
@click.argument("run", required=False)
@click.option("--reason", required=True, metavar="TEXT", help="Why it may go on; it is recorded.")
@click.option("--base", metavar="TARGET", help="The branch that the change is meant for.")
@sign_option
def command(shell: Shell, *, run: str | None, reason: str, base: str | None, sign: bool | None) -> int:
    """Let an escalated or aborted series go on. Its rounds are counted anew; who and why is recorded."""
    from git_cto.render.lines import wrapped
    from git_cto.render.terminal import next_line
    from git_cto.render.words import series_words
    from git_cto.work.deciding import go_on
    from git_cto.work.documents.ledger import decision_document

    with shell.workspace() as workspace:
        shell.ready_to_sign(workspace, sign)
        decided = go_on(workspace, run, reason=reason, base=base)
    # An abort is lifted by this; a revise is not: without a fix it would stand, the same question is not asked twice.
    step = "git cto review" if decided.survey.standing.aborted else "fix it, then git cto review"
    shell.notes(decided.doubts)
    shell.document(decision_document(decided.record, decided.doubts, step))
    shell.say(wrapped(f"{series_words(decided.survey.series.name)} goes on, with round 1."))
    shell.say(next_line(step))
    return ExitCode.OK
