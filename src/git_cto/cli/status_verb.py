"""`git cto status`: where a run stands, and what a loop in another terminal is doing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from git_cto.cli.shell import Shell, verb
from git_cto.errors import ExitCode
from git_cto.render.words import counted

if TYPE_CHECKING:
    from git_cto.work.runs import Run


@verb("status", "git cto status")
@click.argument("run", required=False)
def command(shell: Shell, *, run: str | None) -> int:
    """Show where RUN stands: the graph of its tasks, the last verdict, and what is being done right now."""
    from git_cto.cli.tasks_text import needs, next_steps
    from git_cto.render.run import graph_text, needs_text, now_text, standing_text
    from git_cto.render.terminal import next_line
    from git_cto.work.costs import taken_so_far
    from git_cto.work.documents.runs import run_document
    from git_cto.work.progress import at_work
    from git_cto.work.runs import choose_run, load_run

    with shell.workspace() as workspace:
        found = load_run(workspace, choose_run(workspace, run, "git cto status"))
        busy = at_work(workspace.git, found.id)
        taken = taken_so_far(workspace, found)
    doing: dict[str, str] = {}
    if busy:
        found = found.at_work_on(busy.active)
        settled = {view.task.id for view in found.tasks if view.state == "done"}
        doing = {task: words for task, words in busy.doing.items() if task not in settled}
    steps = [(f"git cto status {found.id}", "look again")] if busy else next_steps(found)
    shell.document(run_document(found, taken, steps[0][0], working=busy is not None))
    tokens, cost = sum(one.tokens for one in taken), sum(one.cost for one in taken)
    if busy:
        tokens, cost = max(tokens, busy.tokens), max(cost, busy.cost)
    where = found.standing
    shell.say(
        standing_text(found.id, found.target.name, _state(found, busy=busy is not None), where.latest, shell.style)
    )
    rounds = f"round {where.round}" if busy else counted(len(where.verdicts), "round")
    shell.say(now_text(rounds, tokens, cost, doing.get("", "")))
    shell.say(graph_text([(v.task.id, v.state, v.task.target, v.task.depends_on) for v in found.tasks], doing))
    if not busy:
        for line in needs_text(needs(found)):
            shell.say(line)
    shell.say(next_line(*steps))
    return ExitCode.OK


def _state(run: Run, *, busy: bool) -> str:
    """Where a run stands, in a word or two."""
    if busy:
        return "at work"
    if run.trunk is None:
        return "not here"
    return "escalated" if run.standing.escalated else "aborted" if run.standing.aborted else "at rest"
