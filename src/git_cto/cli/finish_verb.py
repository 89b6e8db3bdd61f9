"""`git cto finish`: the result of a task, committed and merged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from git_cto.cli.shell import Shell, verb
from git_cto.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from git_cto.model import ResultOutcome


@verb("finish", 'git cto finish -m "Route added, answers 200"')
@click.argument("task", required=False)
@click.option("-m", "--message", "summary", metavar="SUMMARY", help="What was done, or what blocks it.")
@click.option("--blocked", is_flag=True, help="The task cannot be done; SUMMARY says why.")
@click.option("--failed", is_flag=True, help="The task was tried and failed; SUMMARY says how.")
@click.option("--run", metavar="RUN", help="The run, where it is not clear.")
def command(
    shell: Shell, *, task: str | None, summary: str | None, blocked: bool, failed: bool, run: str | None
) -> int:
    """Commit what is there as the result of TASK, and merge its branch into trunk.

    Work that was committed before is fine: the result commit is empty then. Hooks and signing are honoured. Where the
    merge would conflict, nothing moves.
    """
    from git_cto.cli.tasks_text import next_steps
    from git_cto.render.lines import filled
    from git_cto.render.terminal import next_line
    from git_cto.repo.repository import Repository
    from git_cto.repo.worktrees import busy
    from git_cto.work.documents.tasks import finish_document
    from git_cto.work.executing import finish
    from git_cto.work.runs import choose_run, load_run

    if blocked and failed:
        raise UsageError("A task is blocked or failed, not both.", "leave one of them out")
    if not summary:
        raise UsageError("A result needs a summary.", 'git cto finish -m "what was done"')
    outcome: ResultOutcome = "blocked" if blocked else "failed" if failed else "done"
    with shell.workspace() as workspace:
        found = load_run(workspace, choose_run(workspace, run, "git cto finish -m SUMMARY --run"))
        with Repository(workspace.git) as repository:
            finished = finish(workspace, repository, found, task, summary=summary, outcome=outcome)
        steps = next_steps(load_run(workspace, found.id), busy=busy(workspace.git, found.id))
    shell.notes(finished.notes)
    shell.document(finish_document(found, finished, steps[0][0]))
    where = f"{finished.result[:7]}, merged into cto/{found.id}/trunk, where you are now."
    shell.say(filled(f"{finished.task_id} is {outcome}: ", where, 4))
    shell.say(next_line(*steps))
    return ExitCode.OK
