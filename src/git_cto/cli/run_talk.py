"""What `git cto run` asks a person in the middle, and what it says at its end."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from git_cto.cli.tasks_text import needs
from git_cto.errors import ExitCode, typed
from git_cto.redaction import as_it_runs
from git_cto.render.lines import wrapped
from git_cto.render.run import behind_text, ending_text, graph_text, needs_text, taken_text
from git_cto.render.terminal import next_line
from git_cto.work.documents.runs import run_document

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from git_cto.cli.run_options import Options
    from git_cto.cli.shell import Shell
    from git_cto.cli.watching import Watcher
    from git_cto.gate.decision import Decision
    from git_cto.loop import Ended
    from git_cto.work.progress import Taken
    from git_cto.work.runs import Run

_CODES = {"approved": ExitCode.OK, "aborted": ExitCode.ABORT, "escalated": ExitCode.ESCALATED}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a loop ended, what the gate says where it ended with an approval, and where it could be pushed to.

    `counts` is False where the gate says so for this process only; `notes` is what was said by the way.
    """

    ended: Ended
    gate: Decision | None
    remote: str | None
    counts: bool = True
    notes: tuple[str, ...] = ()


def permission(shell: Shell, run: Run, options: Options) -> Callable[[str], bool]:
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
    listing = "\n".join(f"  {as_it_runs(one)}" for one in commands)
    if not _talks(shell, options):
        shell.note(f"note: these commands will not run (--allow-commands lets them):\n{listing}")
        return False
    click.echo(f"The plan wants to run, with your rights, in worktrees of its own:\n{listing}", err=True)
    return click.confirm("Let them run?", err=True)


def _talks(shell: Shell, options: Options) -> bool:
    """Whether there is somebody to be asked."""
    return sys.stdin.isatty() and not shell.json and not options.events


def asking(shell: Shell, options: Options, watch: Watcher, look: Callable[[], Run]) -> Callable[[str], str | None]:
    """Shows where the run stands (`look`) and asks whether to go on; the answer is recorded."""

    def ask(why: str) -> str | None:
        with watch.aside():
            run = look()
            click.echo(f"\n{wrapped(why)}\n{_where(run)}", err=True)
            said = click.prompt("A reason to go on (empty to stop)", default="", show_default=False, err=True)
        return str(said).strip() or None

    return ask if _talks(shell, options) else lambda _: None


def told(shell: Shell, options: Options, run: Run, outcome: Outcome, taken: Sequence[Taken]) -> int:
    """The summary, and the exit code."""
    ended = outcome.ended
    steps = _steps(run, options, outcome, taken)
    document = run_document(run, taken, steps[0][0], ended=ended.how, reason=ended.why, behind=ended.behind)
    document = replace(document, notes=outcome.notes)
    if options.events:
        shell.line(document)
        return _CODES[ended.how]
    shell.document(document)
    rows = [(one.phase, one.task, one.round, one.agent, one.tokens, one.cost) for one in taken]
    shell.say(ending_text(run.id, ended.how, ended.why, run.target.name, len(run.standing.verdicts), shell.style))
    if outcome.gate and not outcome.gate.allowed:
        shell.say(wrapped(f"And yet the gate is closed: {' '.join(outcome.gate.reasons)}", 2))
    if ended.behind:
        shell.say(behind_text(ended.behind, run.target.name))
    shell.say(_where(run))
    shell.say(taken_text(rows))
    shell.say(next_line(*steps))
    return _CODES[ended.how]


def _where(run: Run) -> str:
    """The tasks, and what has to be looked at."""
    graph = graph_text([(v.task.id, v.state, v.task.target, v.task.depends_on) for v in run.tasks], {})
    return "\n".join([graph, *needs_text(needs(run))])


def _steps(run: Run, options: Options, outcome: Outcome, taken: Sequence[Taken]) -> list[tuple[str, str]]:
    """What to type next."""
    trunk, target, resume = run.trunk_branch, typed(run.target.name), options.again(run.id)
    go_on = (f"git cto continue {run.id} --reason TEXT", "a human lets it go on")
    dispute = (f"git cto review --head {trunk} --dispute TEXT", "ask once more, with your argument")
    return {
        "approved": _landing(run, trunk, target, outcome),
        "aborted": [go_on, (resume, "then"), (f"git cto abandon {run.id}", "or remove its branches")],
        "rounds": [go_on, (resume, "then")],
        "unchanged": [(resume, "try once more"), dispute] if needs(run) else [dispute],
        "nothing": [(resume, "try them again"), (f"git cto tasks {run.id}", "what was said of each")],
        "conflict": [
            (f"git switch {trunk} && git merge {target}", "resolve it, commit, git switch -"),
            (resume, "then"),
        ],
        "meddled": [(f"git cto log {trunk}", "see who it was"), (resume, "if it was you")],
        "budget": [(options.again(run.id, **_more(options, taken)), "go on with more")],
    }[outcome.ended.cause]


def _landing(run: Run, trunk: str, target: str, outcome: Outcome) -> list[tuple[str, str]]:
    """From an approved trunk to the target."""
    if outcome.gate and not outcome.gate.allowed:
        return [(outcome.gate.next_step, "")]
    if not outcome.remote:
        land = (f"git switch {target} && git merge --no-ff {trunk}", "merge it")
    else:
        land = (f"git push {typed(outcome.remote)} {trunk}", f"and open a pull request for {target}")
    if not outcome.counts:
        base = f" --base {typed(run.plan_record.base)}" if run.plan_record.base else ""
        return [(f"git cto sign {trunk}{base}", "by an allowed signer: nobody else counts it yet"), land]
    return [(f"git cto gate {trunk}", "it is open"), land]


def _more(options: Options, taken: Sequence[Taken]) -> dict[str, object]:
    """Twice the budgets."""
    more: dict[str, object] = {}
    if options.max_tokens is not None:
        more["max_tokens"] = 2 * max(options.max_tokens, sum(one.tokens for one in taken))
    if options.max_cost is not None:
        more["max_cost"] = f"{2 * max(options.max_cost, sum(one.cost for one in taken)):.2f}"
    return more
