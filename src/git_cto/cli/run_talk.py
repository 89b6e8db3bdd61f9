"""What `git cto run` asks a person in the middle, and what it says at its end."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from git_cto.errors import ExitCode
from git_cto.redaction import printable
from git_cto.render.lines import wrapped
from git_cto.render.run import behind_text, ending_text, graph_text, taken_text
from git_cto.render.terminal import next_line
from git_cto.work.documents import run_document

if TYPE_CHECKING:
    from collections.abc import Callable

    from git_cto.cli.run_options import Options
    from git_cto.cli.shell import Shell
    from git_cto.cli.watching import Watcher
    from git_cto.loop import Ended
    from git_cto.work.progress import Progress
    from git_cto.work.runs import Run

_CODES = {"approved": ExitCode.OK, "aborted": ExitCode.ABORT, "escalated": ExitCode.ESCALATED}


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
    listing = "\n".join(f"  {printable(one)}" for one in commands)
    if not _talks(shell, options):
        shell.note(f"note: these commands will not run (--allow-commands lets them):\n{listing}")
        return False
    click.echo(f"The plan wants to run, with your rights, in worktrees of its own:\n{listing}", err=True)
    return click.confirm("Let them run?", err=True)


def _talks(shell: Shell, options: Options) -> bool:
    """Whether there is somebody to be asked."""
    return sys.stdin.isatty() and not shell.json and not options.events


def asking(shell: Shell, options: Options, watch: Watcher) -> Callable[[str], str | None]:
    """Asks whether to go on; the answer is recorded."""

    def ask(why: str) -> str | None:
        with watch.aside():
            click.echo(f"\n{wrapped(why)}", err=True)
            said = click.prompt("A reason to go on (empty to stop)", default="", show_default=False, err=True)
        return str(said).strip() or None

    return ask if _talks(shell, options) else lambda _: None


def told(shell: Shell, options: Options, run: Run, ended: Ended, progress: Progress) -> int:
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
