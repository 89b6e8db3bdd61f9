"""`git cto init`: sets a repository up."""

from __future__ import annotations

import click

from git_cto.cli.shell import Shell, verb
from git_cto.errors import ExitCode


@verb("init", "git cto init --hook")
@click.option("--hook", is_flag=True, help="Install a pre-push hook that asks the gate.")
@click.option("--skill", is_flag=True, help="Install the Claude Code skill /codex-cto for you.")
def command(shell: Shell, *, hook: bool, skill: bool) -> int:
    """Write .cto/config.toml (every key with its default) and let git fetch bring the records of every remote.

    It can be called again: what is there stays as it is.
    """
    from git_cto.redaction import printable
    from git_cto.render.terminal import next_line
    from git_cto.work.documents import InitDocument
    from git_cto.work.setting_up import set_up
    from git_cto.work.skill import install_skill

    with shell.workspace() as workspace:
        done = set_up(workspace, hook=hook)
        sentences = (*done.done, install_skill(workspace.environ)) if skill else done.done
    first = "git add .cto && git commit -m 'Policy of git-cto'" if done.new_policy else "git cto doctor"
    shell.document(InitDocument(done=sentences, next=first))
    for sentence in sentences:
        shell.say(printable(sentence))
    rest = [("git cto doctor", "checks the whole set-up")] if done.new_policy else []
    why = "it counts once it is on the target branch" if done.new_policy else "checks the whole set-up"
    shell.say(next_line((first, why), *rest))
    return ExitCode.OK
