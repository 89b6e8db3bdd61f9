"""`git cto run`: from an objective to an approved trunk, or to where a human is needed."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from git_cto.agents.claude import Claude
from git_cto.agents.command import Command
from git_cto.agents.executor import DEFAULT_TOOLS
from git_cto.cli.asking import codex_asker
from git_cto.cli.shell import Shell, text_argument, verb
from git_cto.cli.watching import Watcher, watching
from git_cto.errors import CtoError, ExitCode, InterruptError, UsageError, disk_full
from git_cto.loop import Means, loop
from git_cto.redaction import printable
from git_cto.render.lines import wrapped
from git_cto.render.run import behind_text, ending_text, graph_text, taken_text
from git_cto.render.terminal import next_line
from git_cto.work import planning
from git_cto.work.acting import Doing, guidance
from git_cto.work.crew import Crew
from git_cto.work.documents import run_document
from git_cto.work.progress import Budget, Event, Progress
from git_cto.work.runs import choose_run, load_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from git_cto.agents.executor import Executor
    from git_cto.loop import Ended
    from git_cto.work.asking import Asker
    from git_cto.work.runs import Run
    from git_cto.work.workspace import Workspace

_CODES = {"approved": ExitCode.OK, "aborted": ExitCode.ABORT, "escalated": ExitCode.ESCALATED}


@verb("run", 'git cto run "Add a health check endpoint at /health" --jobs 2')
@click.argument("objective", required=False)
@click.option("-F", "--file", metavar="F", help="Read the objective from a file.")
@click.option("--resume", is_flag=False, flag_value="", metavar="[RUN]", help="Go on with RUN (or the open one).")
@click.option("--base", metavar="TARGET", help="The branch that the change is meant for.")
@click.option("--jobs", type=click.IntRange(1, 16), default=1, show_default=True, help="Tasks done at the same time.")
@click.option("--executor", type=click.Choice(["claude", "command", "manual"]), default="claude", show_default=True)
@click.option("--command", "program", metavar="CMD", help="With --executor command: reads the task on stdin.")
@click.option("--executor-model", metavar="M", help="Model of the executor, passed on as it is.")
@click.option("--fallback-model", metavar="M", help="What Claude Code takes when its model is overloaded.")
@click.option("--executor-effort", metavar="E", help="Effort of the executor.")
@click.option("--allowed-tools", metavar="T,...", help="Tools of the executor (Read,Edit,Write,Bash,Glob,Grep).")
@click.option("--task-cost", type=click.FloatRange(min=0), help="US dollars that one task may cost.")
@click.option("--allow-commands", is_flag=True, help="Commands of the plan run without asking.")
@click.option("--no-verify", is_flag=True, help="Do not run the verification before a review.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="Tokens that the run may take; then a human is asked.")
@click.option(
    "--max-cost", type=click.FloatRange(min=0), help="US dollars that the run may cost; then a human is asked."
)
@click.option("--model", metavar="M", help="Model that plans and reviews.")
@click.option("--effort", metavar="E", help="Reasoning effort of planner and reviewer.")
@click.option("--timeout", type=click.FloatRange(min=1), help="Seconds that a call of an agent may take.")
@click.option("--idle-timeout", type=click.FloatRange(min=1), help="Seconds that an agent may be silent.")
@click.option("--events", is_flag=True, help="What happens as JSON lines on stdout.")
def command(shell: Shell, **given: Any) -> int:  # noqa: ANN401 -- click's values, named in `Options`
    """Plan, do, verify, review, fix, until Codex approves or a human is needed. Your checkout is not touched.

    OBJECTIVE may be - for standard input. --resume goes on with what git knows, wherever a run was stopped.
    """
    options = Options(**given)
    options.check(shell)
    with shell.workspace() as workspace:
        workspace.actor(known=True)  # before anything is paid for: without a name nothing can be committed
        asker = codex_asker(workspace, options.timeout, options.idle_timeout)
        with watching(shell, events=options.events) as watch:
            progress = Progress(watch)
            run_id = _chosen(shell, workspace, options, asker, progress)
            ended = _looped(shell, workspace, run_id, options, asker, progress, watch)
        run = load_run(workspace, run_id)
    return _told(shell, options, run, ended, progress)


def _looped(
    shell: Shell,
    workspace: Workspace,
    run_id: str,
    options: Options,
    asker: Asker,
    progress: Progress,
    watch: Watcher,
) -> Ended:
    """The loop. However it is stopped, what is said last is how to go on."""
    resume = f"git cto run --resume {run_id}"
    try:
        run = load_run(workspace, run_id)
        with watch.aside():
            means = _means(shell, workspace, run, options, asker, progress)
        watch.show(run, progress)
        return loop(workspace, run_id, replace(means, ask_human=_asking(shell, options, watch)))
    except KeyboardInterrupt:
        raise InterruptError("Interrupted. What was committed is kept.", resume) from None
    except SystemExit:  # TERM or HUP
        shell.note(f"Stopped. What was committed is kept.\nNext: {resume}")
        raise
    except CtoError as error:
        _resumable(error, resume)
        raise
    except OSError as error:
        full = disk_full(error)
        if full is None:
            raise
        raise _resumable(full, resume) from error


def _resumable(error: CtoError, resume: str) -> CtoError:
    """The same error; where a tool failed its hint ends with how to go on."""
    if error.exit_code == ExitCode.INCONCLUSIVE and resume not in error.hint:
        plain = "git cto run --resume"
        then = f"{error.hint}\n      then {resume}" if error.hint else resume
        error.hint = error.hint.replace(plain, resume) if plain in error.hint else then
    return error


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the verb, as click gives them."""

    objective: str | None
    file: str | None
    resume: str | None
    base: str | None
    jobs: int
    executor: str
    program: str | None
    executor_model: str | None
    fallback_model: str | None
    executor_effort: str | None
    allowed_tools: str | None
    task_cost: float | None
    allow_commands: bool
    no_verify: bool
    max_tokens: int | None
    max_cost: float | None
    model: str | None
    effort: str | None
    timeout: float | None
    idle_timeout: float | None
    events: bool

    def check(self, shell: Shell) -> None:
        """Refuses what contradicts itself."""
        if self.events and shell.json:
            raise UsageError("--events ends with the document of --json.", "leave --json out")
        if self.resume is None and self.objective is None and self.file is None:
            raise UsageError("What should be reached?", 'git cto run "OBJECTIVE", or git cto run --resume')
        if self.resume is not None and (self.objective is not None or self.file is not None):
            raise UsageError("A run that is resumed has its objective.", "git cto run --resume [RUN]")
        if (self.executor == "command") != (self.program is not None):
            raise UsageError("--executor command and --command go together.", 'add --executor command --command "CMD"')


def _chosen(shell: Shell, workspace: Workspace, options: Options, asker: Asker, progress: Progress) -> str:
    """The run to work on: the one to be resumed, or a new one from a plan."""
    if options.resume is not None:
        return choose_run(workspace, options.resume or None)
    text = text_argument(options.objective, options.file, "the objective")
    prepared = planning.prepare(
        workspace, text, base=options.base, model=options.model, effort=options.effort, asker=asker
    )
    shell.notes(prepared.notes)
    progress.tell(Event(kind="planning", text=prepared.question.model))
    heard = replace(asker, on_activity=lambda activity: progress.doing("", activity))
    made = planning.plan(workspace, prepared, heard)
    progress.take("plan", "", f"codex {made.engine.model}", made.engine.tokens, 0.0)
    progress.tell(Event(kind="planned", text=made.run, tokens=made.engine.tokens))
    return made.run


def _means(shell: Shell, workspace: Workspace, run: Run, options: Options, asker: Asker, progress: Progress) -> Means:
    """Who does what, with which limits."""
    policy = run.policy.execute
    tools = options.allowed_tools.split(",") if options.allowed_tools else policy.allowed_tools
    doing = Doing(
        executor=_executor(options),
        limits=asker.limits,
        tools=tuple(tools or DEFAULT_TOOLS),
        model=options.executor_model or policy.model,
        fallback_model=options.fallback_model,
        effort=options.executor_effort,
        max_cost=options.task_cost if options.task_cost is not None else policy.max_cost,
        may_run=_permission(shell, run, options),
        command_timeout=run.policy.verify.timeout,
        guidance=guidance(workspace, run.target.commit),
    )
    budget = Budget(tokens=options.max_tokens, cost=options.max_cost)
    crew = Crew(doing=doing, jobs=options.jobs, progress=progress, budget=budget)
    heard = replace(asker, on_activity=lambda activity: progress.doing("", activity))
    return Means(
        crew=crew,
        reviewer=heard,
        by_hand=options.executor == "manual",
        model=options.model,
        effort=options.effort,
        verify=not options.no_verify,
    )


def _executor(options: Options) -> Executor:
    if options.program is not None:
        return Command(options.program, os.environ)
    return Claude(os.environ)


def _permission(shell: Shell, run: Run, options: Options) -> Callable[[str], bool]:
    """Which commands may run: all, or those that a person has just agreed to. Elsewhere than on a terminal none.

    What a review adds to the plan later was not seen by anybody, and does not run.
    """
    if options.allow_commands:
        return lambda _: True
    by_crew = () if options.executor == "manual" else run.tasks
    listed = [view.task.target for view in by_crew if view.task.action in {"run_command", "verify"}]
    if not options.no_verify:
        commands = run.policy.verify.commands
        listed += run.plan_record.plan.verification.commands if commands is None else commands
    agreed = frozenset(listed) if listed and _agreed(shell, options, tuple(dict.fromkeys(listed))) else frozenset()
    return agreed.__contains__


def _agreed(shell: Shell, options: Options, commands: tuple[str, ...]) -> bool:
    listing = "\n".join(f"  {printable(one)}" for one in commands)
    if not _talks(shell, options):
        shell.note(f"note: these commands will not run (--allow-commands lets them):\n{listing}")
        return False
    click.echo(f"The plan wants to run, with your rights, in worktrees of its own:\n{listing}", err=True)
    return click.confirm("Let them run?", err=True)


def _talks(shell: Shell, options: Options) -> bool:
    """Whether there is somebody to be asked."""
    return sys.stdin.isatty() and not shell.json and not options.events


def _asking(shell: Shell, options: Options, watch: Watcher) -> Callable[[str], str | None]:
    """Asks whether to go on; the answer is recorded."""

    def ask(why: str) -> str | None:
        with watch.aside():
            click.echo(f"\n{wrapped(why)}", err=True)
            said = click.prompt("A reason to go on (empty to stop)", default="", show_default=False, err=True)
        return str(said).strip() or None

    return ask if _talks(shell, options) else lambda _: None


def _told(shell: Shell, options: Options, run: Run, ended: Ended, progress: Progress) -> int:
    """The summary, and the exit code."""
    steps = _steps(run, options, ended, progress)
    document = run_document(run, progress.taken, steps[0][0], ended=ended.how, reason=ended.why, behind=ended.behind)
    if options.events:
        shell.line(document)
        return _CODES[ended.how]
    shell.document(document)
    rows = [(one.phase, one.task, one.round, one.agent, one.tokens, one.cost) for one in progress.taken]
    shell.say(ending_text(run.id, ended.how, ended.why, run.target.name, len(run.standing.verdicts), shell.style))
    if ended.behind:
        shell.say(behind_text(ended.behind, run.target.name))
    shell.say(graph_text([(v.task.id, v.state, v.task.target, v.task.depends_on) for v in run.tasks], {}))
    shell.say(taken_text(rows))
    shell.say(next_line(*steps))
    return _CODES[ended.how]


def _steps(run: Run, options: Options, ended: Ended, progress: Progress) -> list[tuple[str, str]]:
    """What to type next."""
    trunk, resume = f"cto/{run.id}/trunk", f"git cto run --resume {run.id}"
    go_on = [(f"git cto continue {run.id} --reason TEXT", "a human lets it go on"), (resume, "then")]
    merge = (f"git switch {trunk} && git merge {run.target.name}", "resolve it, commit, git switch back")
    more = resume
    if options.max_tokens is not None:
        more += f" --max-tokens {2 * max(options.max_tokens, progress.tokens)}"
    if options.max_cost is not None:
        more += f" --max-cost {2 * max(options.max_cost, progress.cost):.2f}"
    return {
        "approved": [
            (f"git cto gate {trunk}", "it is open"),
            (f"git push origin {trunk}", f"and open a pull request for {run.target.name}"),
        ],
        "aborted": [go_on[0], (f"git cto abandon {run.id}", "remove its branches")],
        "rounds": go_on,
        "unchanged": [
            (resume, "try once more"),
            (f"git cto review --head {trunk} --dispute TEXT", "ask once more, with your argument"),
        ],
        "nothing": [(resume, "try them again"), (f"git cto tasks {run.id}", "what was said of each")],
        "conflict": [merge, (resume, "then")],
        "budget": [(more, "go on with more")],
    }[ended.cause]
