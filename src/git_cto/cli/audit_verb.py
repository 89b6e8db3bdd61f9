"""`git cto audit`: which commits of the target came in under which approval, and which did not."""

from __future__ import annotations

from collections import Counter

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
    that it landed on. --json lists what nobody approved. Exits with 0 if there is none of that, else 1.
    """
    return audited(shell, revisions, base=base, local=local, events=events)


def audited(shell: Shell, revisions: str | None, *, base: str | None, local: bool, events: bool) -> int:
    """Audits, and says so as it goes."""
    from git_cto.errors import UsageError
    from git_cto.render.proof import counts_text, landing_text
    from git_cto.render.terminal import next_line
    from git_cto.work.auditing import audit

    if events and shell.json:
        raise UsageError("--events and --json are two different outputs.", "leave one of them out")
    counts: Counter[str] = Counter()
    bad = []
    with shell.workspace() as workspace:
        target = workspace.target(base)
        for one in audit(workspace, revisions, target=target, signed=not local):
            counts[one.how] += len(one.landings)
            commits = [landing.commit for landing in one.landings]
            if not one.judged:
                bad.append(one)
            if events:
                from git_cto.work.documents.proofs import landing_document

                shell.line(landing_document(one))
            else:
                shell.say(landing_text(commits, one.how, one.landings[0].subject, one.reason, shell.style))
    if shell.json:
        from git_cto.work.documents.proofs import audit_document

        shell.document(audit_document(target, counts, bad))
    if not events:
        shell.say(counts_text(counts))
        if bad:
            shell.say(next_line(f"git show {bad[0].landings[0].commit[:12]}"))
    return ExitCode.NOT_APPROVED if bad else ExitCode.OK
