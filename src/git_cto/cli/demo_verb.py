"""`git cto demo`: the whole loop, with scripted answers."""

from __future__ import annotations

import os

import click

from git_cto.cli.shell import Shell, verb
from git_cto.errors import ExitCode


@verb("demo", "git cto demo")
@click.option("--keep", is_flag=True, help="Keep the throw-away repository and say where it is.")
def command(shell: Shell, *, keep: bool) -> int:
    """See the whole loop on a throw-away repository: plan, tasks, a refusal, the fix, an approval, the gate.

    Codex and Claude Code are real and need no key: their answers are scripted. Nothing is left behind.
    """
    from git_cto.demo.play import play
    from git_cto.render.terminal import next_line
    from git_cto.work.documents.set_up import DemoDocument

    played = play(os.environ, shell.note if shell.json else click.echo, keep=keep)
    shell.document(
        DemoDocument(scripted=True, verdicts=played.verdicts, allowed=played.gate == 0, repository=played.repository)
    )
    shell.say("\nThat was scripted. On a repository of your own, with your own Codex login:")
    shell.say(
        next_line(
            ("codex login", "once; and claude, then /login"),
            ('git cto run "OBJECTIVE"', "in your repository"),
            ("git cto review", "on any branch, with or without a plan"),
        )
    )
    return ExitCode.OK
