"""`git cto review`: the change, judged and recorded."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from git_cto.cli.asking import codex_asker, engine_options, listening
from git_cto.cli.shell import Shell, sign_option, text_argument, verb
from git_cto.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from git_cto.model import CommandOutcome
    from git_cto.work.asking import Asker
    from git_cto.work.briefing import Brief
    from git_cto.work.composing import ReviewQuestion
    from git_cto.work.verdicts import Reviewed
    from git_cto.work.workspace import Workspace


@verb("review", 'git cto review "Route added, tests pass"')
@click.argument("results", required=False)
@click.option("-F", "--file", metavar="F", help="Read the results from a file.")
@click.option("--base", metavar="TARGET", help="The branch that the change is meant for.")
@click.option("--head", metavar="H", help="The branch or commit to judge (default: what is checked out).")
@click.option("--run", metavar="RUN", help="The run whose plan it is judged by.")
@click.option("--dispute", metavar="TEXT", help="Ask once more about a refused change, with your argument.")
@click.option("--verify", is_flag=True, help="Run the plan's (or the policy's) verification commands first.")
@click.option("--allow-commands", is_flag=True, help="Run them without asking.")
@sign_option
@engine_options
def command(
    shell: Shell,
    *,
    results: str | None,
    file: str | None,
    base: str | None,
    head: str | None,
    run: str | None,
    dispute: str | None,
    verify: bool,
    allow_commands: bool,
    sign: bool | None,
    model: str | None,
    effort: str | None,
    timeout: float | None,
    idle_timeout: float | None,
    dry_run: bool,
) -> int:
    """Send plan, RESULTS and the actual diff to Codex, and record the verdict.

    Works with a run and without one (any branch against its target). RESULTS are what the executor says of its work;
    - reads them from standard input.
    """
    from git_cto.cli.dry_run import show_question
    from git_cto.render.words import target_words
    from git_cto.repo.scratch import scratch
    from git_cto.work.briefing import prepare
    from git_cto.work.composing import compose
    from git_cto.work.surveying import survey
    from git_cto.work.verdicts import standing_verdict

    claim = text_argument(results, file, "the results")
    if dispute is not None and not dispute.strip():
        raise UsageError("A dispute needs an argument.", 'git cto review --dispute "why the verdict is wrong"')
    with scratch(), shell.workspace() as workspace:
        asker = codex_asker(workspace, timeout, idle_timeout)
        found = survey(workspace, head=_head(workspace, shell, head, run), base=base, run=run)
        shell.notes(target_words(found.target))
        brief = prepare(workspace, found, claim=claim, dispute=dispute or "")
        outcomes: tuple[CommandOutcome, ...] = ()
        if not dry_run:
            shell.ready_to_sign(workspace, sign)
        if verify and not dry_run:
            asker.engine.require()  # before commands run for nothing
            outcomes = _verified(shell, workspace, brief, allowed=allow_commands)
        done = None if dry_run else standing_verdict(brief, outcomes)
        if done is None:
            question = compose(workspace, brief, outcomes, model=model, effort=effort, asker=asker)
            if dry_run:
                return show_question(shell, asker.engine, question.question, ())
            asker.engine.require()
            done = _asked(shell, workspace, question, asker)
    return _told(shell, done)


def _head(workspace: Workspace, shell: Shell, head: str | None, run: str | None) -> str | None:
    """What to judge: what was named, else the run's trunk where one of its branches is checked out (or it is named)."""
    from git_cto.repo.runs import run_and_task
    from git_cto.work.runs import trunk_here

    if head is not None:
        return head
    here = run_and_task(workspace.git.head_ref())
    run = run or (here[0] if here else None)
    if run is None:
        return None
    if here and here[1] != "trunk":
        shell.notes((f"judging cto/{run}/trunk; what is on {here[1]} only counts after git cto finish",))
    return trunk_here(workspace, run)


def _verified(shell: Shell, workspace: Workspace, brief: Brief, *, allowed: bool) -> tuple[CommandOutcome, ...]:
    """Runs the verification commands, once somebody has agreed to them."""
    from git_cto.redaction import as_it_runs
    from git_cto.work.verifying import verify

    if not brief.commands:
        shell.notes(("there is nothing to verify with: neither plan nor policy names a command",))
        return ()
    if not allowed:
        listing = "\n".join(f"  {as_it_runs(one)}" for one in brief.commands)
        if not sys.stdin.isatty():
            raise UsageError(
                f"Verification would run these commands, and nobody can be asked:\n{listing}",
                "git cto review --verify --allow-commands",
            )
        click.echo(f"Verification runs, with your rights, in a clean worktree of {brief.survey.head.name}:", err=True)
        click.echo(listing, err=True)
        if not click.confirm("Run them?", err=True):
            raise UsageError("The verification commands were not run.", "git cto review, without --verify")
    timeout = brief.survey.policy.verify.timeout
    return verify(workspace, brief.survey.change.head, brief.commands, timeout=timeout, told=shell.note)


def _asked(shell: Shell, workspace: Workspace, question: ReviewQuestion, asker: Asker) -> Reviewed:
    from git_cto.render.terminal import review_head
    from git_cto.render.words import target_words, uncommitted_words
    from git_cto.work.agreeing import agreement, own_review
    from git_cto.work.counting import asked_again, will_not_count
    from git_cto.work.reviewing import review

    brief = question.brief
    found = brief.survey
    doubts = will_not_count(workspace, found)
    alone = () if doubts else own_review(agreement(workspace, found, workspace.signing.signer))
    before = (*doubts, *alone, *asked_again(found))
    shell.notes(before)
    commits = int(workspace.lens.run("rev-list", "--count", found.change.head, f"^{found.change.base}"))
    added, removed = question.view.lines
    shell.note(
        review_head(
            commits,
            len(found.change.files),
            added,
            removed,
            found.target.name,
            found.standing.round,
            found.policy.rounds.max,
        )
    )
    if brief.uncommitted:
        shell.note(f"note: {uncommitted_words(len(brief.uncommitted))} and not part of this")
    with listening(shell, asker, question.question.model) as heard:
        return review(workspace, question, heard, before=(*target_words(found.target), *before), counts=not doubts)


def _told(shell: Shell, done: Reviewed) -> int:
    """Prints the verdict; its exit code."""
    from git_cto.render.terminal import next_line, verdict_text
    from git_cto.work.documents.reviews import review_document
    from git_cto.work.verdicts import next_step

    if not done.asked:
        shell.note("This change was judged before; the verdict stands and no model was asked.")
    shell.notes(done.notes)
    step = next_step(done)
    shell.document(review_document(done, step))
    shell.say(verdict_text(done.record, shell.style))
    if done.after.escalated:
        shell.say("Escalated: the loop stops here until a human says to go on.")
    shell.say(next_line(step))
    verdict = done.verdict.verdict
    if verdict == "approve":
        return ExitCode.OK
    if verdict == "abort":
        return ExitCode.ABORT
    return ExitCode.ESCALATED if done.after.escalated else ExitCode.NOT_APPROVED
