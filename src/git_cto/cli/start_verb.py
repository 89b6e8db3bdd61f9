"""`git cto start`: the branch of a task, checked out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from git_cto.cli.shell import Shell, verb
from git_cto.errors import ExitCode, UsageError, typed

if TYPE_CHECKING:
    from git_cto.work.workspace import Workspace


@verb("start", "git cto start t1")
@click.argument("task")
@click.option("--run", metavar="RUN", help="The run, where it is not clear.")
def command(shell: Shell, *, task: str, run: str | None) -> int:
    """Check out the branch of TASK: a new one at trunk, or the old one moved up to trunk for a fix.

    Refuses while a loop (git cto run) has the tasks done, unless it waits for you to do them (--executor manual).
    """
    from git_cto.render.lines import wrapped
    from git_cto.render.terminal import next_line, task_text
    from git_cto.repo.repository import Repository
    from git_cto.work.documents.tasks import start_document
    from git_cto.work.executing import start
    from git_cto.work.runs import choose_run, load_run

    with shell.workspace() as workspace:
        found = load_run(workspace, choose_run(workspace, run, f"git cto start {typed(task)} --run"))
        _refuse_a_loop(workspace, found.id)
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


def _refuse_a_loop(workspace: Workspace, run: str) -> None:
    """Refuses where a loop has the tasks done: it stops at a branch that is checked out, or does the task once more."""
    from git_cto.work.progress import at_work

    loop = at_work(workspace.git, run)
    if loop and not loop.by_hand:
        raise UsageError(
            f"A loop is at work on {run} and has its tasks done.",
            f"git cto status {run}, or stop the loop (Ctrl-C where it runs) to do one yourself",
            code="busy",
        )
