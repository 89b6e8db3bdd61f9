"""`git cto gate`: open or closed."""

from __future__ import annotations

import click

from git_cto.cli.shell import Shell, verb
from git_cto.errors import ExitCode


@verb("gate", "git cto gate && git push")
@click.argument("rev", required=False)
@click.option("--base", metavar="TARGET", help="The branch that the change is meant for.")
def command(shell: Shell, *, rev: str | None, base: str | None) -> int:
    """May REV (default: HEAD) be merged? Ledger and policy only: no model, no network.

    Exits with 0 (open), 1 (closed), 2 (not here, or not like this) or 3 (a tool failed, so it cannot be said).
    """
    from git_cto.render.terminal import gate_text, next_line
    from git_cto.render.words import signed_words, target_words, uncommitted_words
    from git_cto.work.gating import gate

    with shell.workspace() as workspace:
        gated = gate(workspace, rev=rev, base=base)
    decision, trust = gated.decision, gated.survey.policy.gate.trust
    if shell.json:
        from git_cto.work.documents.gate import gate_document

        shell.document(gate_document(gated))
    local = decision.by if trust == "local" else None
    extra = f"{signed_words(local)}: trusted as a record of this machine" if local else ""
    shell.say(gate_text("open" if decision.allowed else "closed", decision.reasons, extra, shell.style))
    shell.notes(target_words(gated.survey.target))
    if gated.uncommitted:
        shell.note(f"note: {uncommitted_words(gated.uncommitted)} and not part of this")
    if decision.next_step:
        shell.say(next_line(decision.next_step))
    return ExitCode.OK if decision.allowed else ExitCode.NOT_APPROVED
