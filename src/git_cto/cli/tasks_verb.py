"""`git cto tasks`: the tasks of a run."""

from __future__ import annotations

import click

from git_cto.cli.shell import Shell, verb
from git_cto.errors import ExitCode


@verb("tasks", "git cto tasks")
@click.argument("run", required=False)
def command(shell: Shell, *, run: str | None) -> int:
    """Show the tasks of RUN in the order to do them: state, branch, criteria.

    RUN defaults to the run of the branch that is checked out, else the only one there is.
    """
    from git_cto.cli.tasks_text import hints, next_steps
    from git_cto.render.terminal import next_line, tasks_text
    from git_cto.work.documents.tasks import tasks_document
    from git_cto.work.progress import at_work
    from git_cto.work.runs import choose_run, load_run

    with shell.workspace() as workspace:
        found = load_run(workspace, choose_run(workspace, run, "git cto tasks"))
        loop = at_work(workspace.git, found.id)
        steps = next_steps(found, busy=loop is not None)
        if loop and not loop.by_hand:
            steps = [(f"git cto status {found.id}", "a loop is at work on it")]
    shell.document(tasks_document(found, steps[0][0]))
    states = {view.task.id: view.state for view in found.tasks}
    shell.say(tasks_text(found.id, found.plan_record.plan, states, hints(found), found.target.name, shell.style))
    shell.say(next_line(*steps))
    return ExitCode.OK
