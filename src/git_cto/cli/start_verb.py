"""`git cto start`: the branch of a task, checked out."""

from __future__ import annotations

import click

from git_cto.cli.shell import Shell, verb
from git_cto.errors import ExitCode, typed


@verb("start", "git cto start t1")
@click.argument("task")
@click.option("--run", metavar="RUN", help="The run, where it is not clear.")
def command(shell: Shell, *, task: str, run: str | None) -> int:
    """Check out the branch of TASK: a new one at trunk, or the old one moved up to trunk for a fix."""
    from git_cto.render.lines import wrapped
    from git_cto.render.terminal import next_line, task_text
    from git_cto.repo.repository import Repository
    from git_cto.work.documents.tasks import start_document
    from git_cto.work.executing import start
    from git_cto.work.runs import choose_run, load_run

    with shell.workspace() as workspace:
        found = load_run(workspace, choose_run(workspace, run, f"git cto start {typed(task)} --run"))
        with Repository(workspace.git) as repository:
            started = start(workspace, repository, found, task)
    shell.notes(started.notes)
    step = 'git cto finish -m "what was done"'
    shell.document(start_document(found, started, step))
    shell.say(f"On {started.view.branch}.\n")
    shell.say(task_text(started.view.task, shell.style))
    if started.view.feedback:
        shell.say("\n" + wrapped("The last review says: " + started.view.feedback, 2))
    shell.say("\n" + next_line("do it, then " + step))
    return ExitCode.OK
