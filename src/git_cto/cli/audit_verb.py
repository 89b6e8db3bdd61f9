"""`git cto audit`: which commits of the target came in under which approval, and which did not."""

from __future__ import annotations

import click

from git_cto.cli.shell import Shell, verb
from git_cto.errors import ExitCode


@verb("audit", "git cto audit v1.0..main")
@click.argument("revisions", required=False, metavar="[A..B]")
@click.option("--base", metavar="TARGET", help="The branch that is audited.")
@click.option("--local", is_flag=True, help="Trust as the policy says: unsigned records may count.")
@click.option("--events", is_flag=True, help="Every landing as a JSON line on stdout.")
def command(shell: Shell, *, revisions: str | None, base: str | None, local: bool, events: bool) -> int:
    """Ask the gate's question again for everything that landed on the target, squashed and rebased included.

    Without a range: since the policy was committed. Each landing is judged by the policy and the signers of the commit
    that it landed on. --json counts, and lists what nobody approved and nothing else; --events has every landing, with
    the record that it came in under. Exits with 0 if somebody approved it all, else 1.
    """
    return audited(shell, revisions, base=base, local=local, events=events)


def audited(shell: Shell, revisions: str | None, *, base: str | None, local: bool, events: bool) -> int:
    """Audits, and says so as it goes."""
    from git_cto.errors import UsageError
    from git_cto.render.proof import counts_text, landing_text
    from git_cto.render.terminal import next_line
    from git_cto.work.auditing import audit
    from git_cto.work.documents.proofs import audit_document, landing_document
    from git_cto.work.tallying import Tally

    if events and shell.json:
        raise UsageError("--events and --json are two different outputs.", "leave one of them out")
    bad = []
    with shell.workspace() as workspace:
        target = workspace.target(base)
        tally = Tally(workspace, target, base=base, whole=revisions is None, signed=not local)
        for one in audit(workspace, revisions, target=target, signed=not local):
            tally.add(one)
            commits = [landing.commit for landing in one.landings]
            if shell.json and not one.judged:
                bad.append(landing_document(one))
            if events:
                shell.line(landing_document(one))
            else:
                subject = one.landings[0].subject
                shell.say(landing_text(commits, one.how, subject, one.reason, shell.style, by=one.by))
        steps = tally.next_steps()
    if shell.json:
        shell.document(audit_document(target, tally, bad, steps))
    if not events:
        shell.say(counts_text(tally.landings, tally.commits))
        if steps:
            shell.say(next_line(*steps))
    return ExitCode.NOT_APPROVED if tally.worst else ExitCode.OK
