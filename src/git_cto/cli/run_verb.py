"""`git cto run`: from an objective to an approved trunk, or to where a human is needed."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import click

from git_cto.agents.claude import Claude
from git_cto.agents.command import Command
from git_cto.agents.executor import DEFAULT_TOOLS
from git_cto.cli.asking import Amount, codex_asker, engine_option
from git_cto.cli.run_options import Options
from git_cto.cli.run_talk import Outcome, asking, permission, told
from git_cto.cli.shell import Shell, sign_option, text_argument, verb
from git_cto.cli.watching import Watcher, watching
from git_cto.errors import CtoError, StoppedByUserError, UsageError, disk_full, some
from git_cto.loop import Means, loop
from git_cto.repo import worktrees
from git_cto.repo.change import submodules
from git_cto.repo.runs import trunk_ref
from git_cto.repo.scratch import scratch
from git_cto.work import planning
from git_cto.work.acting import Doing, guidance
from git_cto.work.counting import run_will_not_count
from git_cto.work.crew import Crew
from git_cto.work.gating import gate
from git_cto.work.progress import Budget, Event, Progress
from git_cto.work.runs import choose_run, load_run, required_trunk, unsigned_plan
from git_cto.work.setting_up import remotes

if TYPE_CHECKING:
    from collections.abc import Callable

    from git_cto.agents.executor import Executor
    from git_cto.loop import Ended
    from git_cto.model import Target
    from git_cto.work.asking import Asker
    from git_cto.work.runs import Run
    from git_cto.work.workspace import Workspace


@verb("run", 'git cto run "Add a health check endpoint at /health" --jobs 2')
@click.argument("objective", required=False)
@click.option("-F", "--file", metavar="F", help="Read the objective from a file.")
@click.option("--resume", is_flag=False, flag_value="", metavar="[RUN]", help="Go on with RUN (or the open one).")
@click.option("--base", metavar="TARGET", help="The branch that the change is meant for.")
@click.option("--jobs", type=click.IntRange(1, 16), default=1, show_default=True, help="Tasks done at the same time.")
@click.option("--executor", type=click.Choice(["claude", "command", "manual"]), default="claude", show_default=True)
@click.option("--command", "program", metavar="CMD", help="With --executor command: reads the task on stdin.")
@engine_option("--executor-model", "M", "Model of the executor, passed on as it is.")
@engine_option("--fallback-model", "M", "What Claude Code takes when its model is overloaded.")
@engine_option("--executor-effort", "E", "Effort of the executor.")
@click.option(
    "--allowed-tools",
    metavar="T,...",
    help="Tools of the executor (Read,Edit,Write,Bash,Glob,Grep); one it lacks is told.",
)
@click.option("--task-cost", type=Amount(min=0), help="US dollars that one task may cost.")
@click.option("--allow-commands", is_flag=True, help="Commands of the plan run without asking.")
@click.option("--no-verify", is_flag=True, help="Do not run the verification before a review.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="Tokens that the run may take; then a human is asked.")
@click.option("--max-cost", type=Amount(min=0), help="US dollars that the run may cost; then a human is asked.")
@engine_option("--model", "M", "Model that plans and reviews.")
@engine_option("--effort", "E", "Reasoning effort of planner and reviewer.")
@click.option("--timeout", type=Amount(min=1), help="Seconds that a call of an agent may take.")
@click.option("--idle-timeout", type=Amount(min=1), help="Seconds that an agent may be silent.")
@click.option("--events", is_flag=True, help="What happens as JSON lines on stdout.")
@sign_option
def command(shell: Shell, **given: Any) -> int:  # noqa: ANN401 -- click's values, named in `Options`
    """Plan, do, verify, review, fix, until Codex approves or a human is needed. Your checkout is not touched.

    OBJECTIVE may be - for standard input. --resume goes on with what git knows, wherever a run was stopped.
    """
    options = Options(**given)
    options.check(shell)
    with scratch(), shell.workspace() as workspace:
        asker = codex_asker(workspace, options.timeout, options.idle_timeout)
        executor = Claude(os.environ) if options.program is None else Command(options.program, os.environ)
        if options.resume is None:
            planning.require_place(workspace)
        _look_first(workspace, asker, None if options.executor == "manual" else executor)
        shell.ready_to_sign(workspace, options.sign)
        with watching(shell, events=options.events) as watch:
            session = _Session(shell, workspace, options, asker, executor, watch, Progress(watch))
            run_id = session.chosen()
            ended = session.looped(run_id)
        run = load_run(workspace, run_id)
        outcome = _outcome(workspace, run, ended, session)
    return told(shell, options, run, outcome, session.progress.taken)


def _outcome(workspace: Workspace, run: Run, ended: Ended, session: _Session) -> Outcome:
    """What is said of the end beside the end itself."""
    decision = gate(workspace, rev=trunk_ref(run.id), base=None).decision if ended.how == "approved" else None
    found = remotes(workspace.git)
    return Outcome(
        ended=ended,
        gate=decision,
        remote="origin" if "origin" in found else next(iter(found), None),
        counts=not session.doubts,
        notes=tuple(session.notes),
    )


def _look_first(workspace: Workspace, asker: Asker, executor: Executor | None) -> None:
    """Refuses what can be known to fail before anything is paid for."""
    workspace.actor(known=True)  # without a name nothing can be committed
    worktrees.require_room(workspace.git)
    asker.engine.require()
    if executor is not None:
        executor.require()


@dataclass
class _Session:
    """One call of the verb: where, with what, who is told, and what they were told.

    `doubts` are why what is recorded will count for nobody else, once the target is known.
    """

    shell: Shell
    workspace: Workspace
    options: Options
    asker: Asker
    executor: Executor
    watch: Watcher
    progress: Progress
    doubts: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)

    def chosen(self) -> str:
        """The run to work on: the one to be resumed, or a new one from a plan."""
        options = self.options
        if options.resume is not None:
            return self._resumed(options.resume)
        text = text_argument(options.objective, options.file, "the objective")
        prepared = planning.prepare(
            self.workspace, text, base=options.base, model=options.model, effort=options.effort, asker=self.asker
        )
        self._tell(self._doubts(prepared.target, prepared.start))
        self._tell(prepared.notes)
        self.progress.tell(Event(kind="planning", text=prepared.question.model))
        prepared = replace(prepared, notes=tuple(self.notes))
        made = planning.plan(self.workspace, prepared, self._heard())
        self._tell(made.notes[len(prepared.notes) :])
        self.progress.take("plan", "", f"codex {made.engine.model}", made.engine.tokens, 0.0)
        self.progress.tell(Event(kind="planned", text=made.run, tokens=made.engine.tokens))
        return made.run

    def _resumed(self, name: str) -> str:
        """The run that is to go on."""
        run_id = choose_run(self.workspace, name or None, "git cto run --resume")
        run = load_run(self.workspace, run_id)
        if run.merged and all(view.state == "done" for view in run.tasks):
            raise UsageError(
                f"{run_id} is merged into {run.target.name}: nothing is left to do.",
                f"git cto abandon {run_id} removes its branches",
                code="merged",
            )
        trunk = required_trunk(run)
        if run.policy.gate.trust == "signed" and not run.record.trusted:
            # No review would take it, after all tasks were paid for.
            raise _resumable(unsigned_plan(run_id, run.target), self.options.again(run_id))
        self._tell(self._doubts(run.target, trunk))
        return run_id

    def _doubts(self, target: Target, trunk: str) -> tuple[str, ...]:
        """Why what is recorded will count for nobody else."""
        commits = self.options.executor != "manual"
        self.doubts = run_will_not_count(self.workspace, target, trunk, commits=commits)
        return self.doubts

    def _tell(self, texts: tuple[str, ...]) -> None:
        """Several things by the way, once for the whole command."""
        with self.watch.aside():
            self.shell.notes(texts)
        self.notes += texts

    def looped(self, run_id: str) -> Ended:
        """The loop. However it is stopped, what is said last is how to go on."""
        resume = self.options.again(run_id)
        try:
            run = load_run(self.workspace, run_id)
            self._tell(self._left_out(run))
            with self.watch.aside():
                means = self._means(run)
            self.watch.show(run, self.progress)
            return loop(self.workspace, run_id, replace(means, ask_human=self._asking(run_id)))
        except KeyboardInterrupt:
            raise StoppedByUserError("Interrupted. What was committed is kept.", resume) from None
        except SystemExit:  # TERM or HUP
            self.shell.note(f"Stopped. What was committed is kept.\nNext: {resume}")
            raise
        except CtoError as error:
            _resumable(error, resume)
            raise
        except OSError as error:
            full = disk_full(error)
            if full is None:
                raise
            raise _resumable(full, resume) from error

    def _left_out(self, run: Run) -> tuple[str, ...]:
        """What somebody may expect in the worktrees of tasks, and is not there."""
        found = submodules(self.workspace.git, run.trunk or run.plan_record.start)
        return (f"submodules are empty in the worktrees of tasks and verification: {some(found)}",) if found else ()

    def _asking(self, run_id: str) -> Callable[[str], str | None]:
        return asking(self.shell, self.options, self.watch, lambda: load_run(self.workspace, run_id))

    def _heard(self) -> Asker:
        """Codex, with what it does shown."""
        return replace(self.asker, on_activity=lambda activity: self.progress.doing("", activity))

    def _means(self, run: Run) -> Means:
        """Who does what, with which limits."""
        options, policy = self.options, run.policy.execute
        tools = options.allowed_tools.split(",") if options.allowed_tools else policy.allowed_tools
        doing = Doing(
            executor=self.executor,
            limits=self.asker.limits,
            tools=tuple(tools or DEFAULT_TOOLS),
            model=options.executor_model or policy.model,
            fallback_model=options.fallback_model,
            effort=options.executor_effort,
            max_cost=options.task_cost if options.task_cost is not None else policy.max_cost,
            may_run=permission(self.shell, run, options),
            command_timeout=run.policy.verify.timeout,
            guidance=guidance(self.workspace, run.target.commit),
        )
        budget = Budget(tokens=options.max_tokens, cost=options.max_cost)
        return Means(
            crew=Crew(doing=doing, jobs=options.jobs, progress=self.progress, budget=budget),
            reviewer=self._heard(),
            by_hand=options.executor == "manual",
            model=options.model,
            effort=options.effort,
            verify=not options.no_verify,
            doubts=self.doubts,
        )


def _resumable(error: CtoError, resume: str) -> CtoError:
    """The same error, whose hint ends with how to go on; not where somebody else is at it."""
    if error.code == "busy":
        return error
    plain = re.compile(r"git cto run --resume( [a-z0-9-]+)?")
    if plain.search(error.hint):
        error.hint = plain.sub(lambda _: resume, error.hint)
    else:
        error.hint = f"{error.hint}\n      then {resume}" if error.hint else resume
    return error
