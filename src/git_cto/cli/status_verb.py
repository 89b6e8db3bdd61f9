"""`git cto status`: where a run stands, and what a loop in another terminal is doing."""

from __future__ import annotations

import click

from git_cto.cli.shell import Shell, verb
from git_cto.errors import ExitCode


@verb("status", "git cto status")
@click.argument("run", required=False)
def command(shell: Shell, *, run: str | None) -> int:
    """Show where RUN stands: the graph of its tasks, the last verdict, and what is being done right now."""
    from git_cto.cli.tasks_text import next_steps
    from git_cto.loop import at_work
    from git_cto.render.run import graph_text, now_text, standing_text
    from git_cto.render.terminal import next_line
    from git_cto.work.costs import taken_so_far
    from git_cto.work.documents import run_document
    from git_cto.work.runs import choose_run, load_run

    with shell.workspace() as workspace:
        found = load_run(workspace, choose_run(workspace, run))
        busy = at_work(workspace, found.id)
        taken = taken_so_far(workspace, found)
    steps = [("git cto status " + found.id, "look again")] if busy else next_steps(found)
    shell.document(run_document(found, taken, steps[0][0], working=busy is not None))
    tokens, cost = sum(one.tokens for one in taken), sum(one.cost for one in taken)
    if busy:
        tokens, cost = max(tokens, busy.tokens), max(cost, busy.cost)
    where, doing = found.standing, busy.doing if busy else {}
    state = "at work" if busy else "escalated" if where.escalated else "aborted" if where.aborted else "at rest"
    shell.say(standing_text(found.id, found.target.name, state, where.latest, shell.style))
    shell.say(now_text(where.round, tokens, cost, doing.get("run", "")))
    shell.say(graph_text([(v.task.id, v.state, v.task.target, v.task.depends_on) for v in found.tasks], doing))
    shell.say(next_line(*steps))
    return ExitCode.OK
