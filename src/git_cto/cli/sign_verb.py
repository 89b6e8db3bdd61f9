"""`git cto sign`: one's own signature under what was recorded about a change."""

from __future__ import annotations

import click

from git_cto.cli.shell import Shell, same, verb
from git_cto.errors import ExitCode


@verb("sign", "git cto sign && git cto sync")
@click.argument("rev", required=False)
@click.option("--base", metavar="TARGET", help="The branch that the change is meant for.")
@click.option("--overrides", is_flag=True, help="Sign overrides that nobody allowed has signed as well.")
def command(shell: Shell, *, rev: str | None, base: str | None, overrides: bool) -> int:
    """Sign the approval, the overrides and the plan that stand for exactly the change of REV (default: HEAD).

    As its second signer, or because it was recorded unsigned. You vouch for what you sign: an approval that the gate's
    rule does not accept today is not signed, and neither is a refusal, nor an override that no allowed signer has
    signed, unless --overrides says so. A change to control paths takes an override by somebody who did not sign its
    approval: whoever overrides it, or is the last who could, leaves that unsigned.
    """
    from git_cto.render.terminal import log_text, next_line
    from git_cto.work.co_signing import co_sign
    from git_cto.work.documents.ledger import sign_document
    from git_cto.work.workspace import now

    with shell.workspace() as workspace:
        done = co_sign(workspace, rev, base=base, overrides=overrides, tell=shell.notes)
    about, rest = done.step or ("", "git cto sync")
    step = (same(about, rev, base) if about else "") + rest
    shell.document(sign_document(done, step))
    if done.added:
        shell.say(f"Signed with {done.key}:")
        shell.say(log_text(done.added, now(), shell.style))
    else:
        shell.say(f"It has the signature of {done.key} already.")
    gate = same("git cto gate", rev, base)
    sent = ("git cto sync", "sends it"), (gate, "asks whether it may be merged now")
    shell.say(next_line(step) if done.step else next_line(*sent))
    return ExitCode.OK
