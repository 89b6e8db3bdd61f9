"""`git cto plan`: from an objective to a plan and a run."""

from __future__ import annotations

import click

from git_cto.cli.asking import codex_asker, engine_options, listening
from git_cto.cli.shell import Shell, sign_option, text_argument, verb
from git_cto.errors import ExitCode


@verb("plan", 'git cto plan "Add a health check endpoint at /health returning {status: ok}"')
@click.argument("objective", required=False)
@click.option("-F", "--file", metavar="F", help="Read the objective from a file.")
@click.option("--base", metavar="TARGET", help="The branch that the change is meant for.")
@sign_option
@engine_options
def command(
    shell: Shell,
    *,
    objective: str | None,
    file: str | None,
    base: str | None,
    sign: bool | None,
    model: str | None,
    effort: str | None,
    timeout: float | None,
    idle_timeout: float | None,
    dry_run: bool,
) -> int:
    """Ask Codex for a plan of this repository (it can read, not write) and start a run.

    OBJECTIVE may be - for standard input.
    """
    from dataclasses import replace

    from git_cto.cli.dry_run import show_question
    from git_cto.render.terminal import next_line, plan_text
    from git_cto.repo.scratch import scratch
    from git_cto.work import planning
    from git_cto.work.counting import plan_will_not_count
    from git_cto.work.documents.plans import plan_document

    text = text_argument(objective, file, "the objective")
    with scratch(), shell.workspace() as workspace:
        asker = codex_asker(workspace, timeout, idle_timeout)
        prepared = planning.prepare(workspace, text, base=base, model=model, effort=effort, asker=asker)
        if dry_run:
            return show_question(shell, asker.engine, prepared.question, prepared.notes)
        shell.ready_to_sign(workspace, sign)
        doubts = plan_will_not_count(workspace, prepared.target)
        prepared = replace(prepared, notes=(*doubts, *prepared.notes))
        shell.notes(prepared.notes)
        with listening(shell, asker, prepared.question.model) as heard:
            made = planning.plan(workspace, prepared, heard)
    shell.notes(made.notes[len(prepared.notes) :])
    shell.document(plan_document(prepared, made))
    shell.say(plan_text(made.run, made.plan, prepared.started_at, shell.style))
    shell.say(next_line((made.next_step, "do the first task"), ("git cto tasks " + made.run, "see them all")))
    return ExitCode.OK
