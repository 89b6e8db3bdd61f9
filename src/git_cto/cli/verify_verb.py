"""`git cto verify`: the gate's answer as a proof, without a model, a forge or a network."""

from __future__ import annotations

import click

from git_cto.cli.shell import Shell, verb
from git_cto.errors import ExitCode


@verb("verify", "git cto verify HEAD --base main")
@click.argument("rev", required=False, metavar="[REV|A..B]")
@click.option("--base", metavar="TARGET", help="The branch that the change is meant for.")
@click.option("--local", is_flag=True, help="Trust as the policy says: unsigned records may count.")
def command(shell: Shell, *, rev: str | None, base: str | None, local: bool) -> int:
    """Prove that REV (default: HEAD) may be merged, line by line, or say where the proof breaks off.

    The change is computed again from objects, its records are found, signatures, policy, coverage and digests checked.
    Records have to be signed, unless --local. A range A..B is audited (git cto audit). Exits like the gate.
    """
    if rev is not None and ".." in rev:
        from git_cto.cli.audit_verb import audited

        return audited(shell, rev, base=base, local=local, events=False)

    from git_cto.render.proof import conclusion_text, proof_text
    from git_cto.render.terminal import next_line
    from git_cto.work.proving import prove

    with shell.workspace() as workspace:
        proof = prove(workspace, rev, base=base, signed=not local)
        if shell.json:
            from git_cto.work.documents.proofs import proof_document

            shell.document(proof_document(proof))
    found = proof.survey
    head = f"{found.change.head[:12]}{f' ({found.head.name})' if found.head.ref else ''}"
    shell.say(proof_text(head, f"{found.target.name} at {found.target.commit[:12]}", proof.steps, shell.style))
    shell.say(conclusion_text(proof.reasons, shell.style, proven=proof.proven))
    if proof.next_step:
        shell.say(next_line(proof.next_step))
    return ExitCode.OK if proof.proven else ExitCode.NOT_APPROVED
