"""The command line: one small module per verb, loaded when it is called. The only place that knows click.

This is the boundary where exceptions become messages and exit codes.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import NoReturn, TextIO

import click

from git_cto import __version__
from git_cto.cli.signals import heed, undisguised
from git_cto.errors import BugError, CtoError, ExitCode, StoppedByUserError, ToolError, disk_full

# Verb -> what `git cto -h` says of it. The module is loaded only when the verb is called.
VERBS = {
    "run": "Plan, do, review, fix, until Codex approves.",
    "plan": "Ask Codex for a plan and start a run.",
    "status": "Show where a run stands, also while it is at work.",
    "tasks": "Show the tasks of a run.",
    "start": "Check out the branch of a task.",
    "finish": "Commit a task's result and merge it into trunk.",
    "review": "Send the actual diff to Codex and record the verdict.",
    "gate": "May this be merged? No model, no network.",
    "log": "Show the records of a commit's series.",
    "show": "Show one plan or verdict in full.",
    "verify": "Prove that this may be merged: signatures, digests, rule.",
    "audit": "Show what landed under which approval, and what did not.",
    "replay": "Put a verdict's question together again, to the byte.",
    "sign": "Sign what stands for a change, as its second signer.",
    "continue": "Let an escalated or aborted series go on.",
    "override": "Record a human's decision for exactly this change.",
    "abandon": "Remove a run's branches and worktrees, keep its records.",
    "import": "Take a record in that was exported elsewhere.",
    "sync": "Exchange the ledger with a remote.",
    "doctor": "Check the set-up, and say what to type.",
    "init": "Set a repository up: policy, refspec, hook.",
    "demo": "See the whole loop with scripted answers, no key.",
}
HIDDEN = frozenset({"action", "pre-push"})  # called by action.yml and by git, not by people


# A string and no docstring: click knows a block that keeps its lines by the character that \b stands for.
_HELP = """Codex plans and reviews, Claude Code executes, Git remembers, the gate decides.

\b
Example:
  git cto plan "Add a health check at /health"
  git cto review && git cto gate
"""


class LazyGroup(click.Group):
    """A group whose commands are imported one at a time."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002, D102 -- click's
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002, D102 -- click's
        if cmd_name not in VERBS and cmd_name not in HIDDEN:
            return None
        module = import_module(f"git_cto.cli.{cmd_name.replace('-', '_')}_verb")
        command = module.command
        assert isinstance(command, click.Command)  # noqa: S101 -- every verb's module has one
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002, D102
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(
    cls=LazyGroup,
    help=_HELP,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 approved or done, 1 not approved, 2 usage or place, 3 inconclusive, 4 abort, 5 escalated.",
)
@click.option("-C", "directory", metavar="DIR", default=None, help="Act as if started in DIR.")
@click.version_option(__version__, prog_name="git-cto", message="%(prog)s %(version)s")
def group(directory: str | None) -> None:
    """The program itself: `-C` and `--version`; everything else is a verb's."""
    if directory is None:
        return
    try:
        os.chdir(directory)
    except OSError as error:
        raise click.UsageError(f"cannot change to {directory!r}: {error.strerror}") from error


def main() -> NoReturn:
    """The console script."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by the caller; the lowest free descriptor is the one that it had
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 -- open until the end
    heed()
    if sys.stdout.isatty():
        from git_cto.render.lines import fit

        with suppress(OSError):
            fit(os.get_terminal_size(sys.stdout.fileno()).columns)
    try:
        code = run(sys.argv[1:])  # which has written all there was to write
    except SystemExit as ended:  # TERM or HUP: nobody waits for a thread that is stuck, either
        code = ended.code if isinstance(ended.code, int) else ExitCode.INCONCLUSIVE
    # To free every object before the end takes as long as bare Python does altogether, and the system does it anyway.
    os._exit(code)


def run(argv: list[str]) -> int:
    """Runs one command line and returns its exit code. Whatever goes wrong is said on stderr (or as JSON)."""
    wants_json = "--json" in argv[: argv.index("--")] if "--" in argv else "--json" in argv
    # A relative entry means the working directory, where a change may have put a `git` of its own.
    absolute = [entry for entry in os.environ.get("PATH", "").split(os.pathsep) if os.path.isabs(entry)]
    os.environ["PATH"] = os.pathsep.join(absolute) or os.defpath
    try:
        return _called(argv, wants_json=wants_json)
    except OSError:  # the reader of our output has gone, or its disk is full: nobody can be told
        return ExitCode.INCONCLUSIVE
    finally:
        for stream in (sys.stdout, sys.stderr):
            _let_go(stream)


def _called(argv: list[str], *, wants_json: bool) -> int:
    try:
        code = group.main(argv, prog_name="git cto", standalone_mode=False)
        sys.stdout.flush()
        return int(code or 0)
    except click.exceptions.Exit as error:
        return error.exit_code
    except SystemExit as error:
        if error.code == 1:  # how click ends when the reader of our output has gone; for us 1 says something else
            raise BrokenPipeError from error
        raise
    except BrokenPipeError:
        raise
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 -- the boundary: whatever is left is never a 0
        beneath = undisguised(error)
        if isinstance(beneath, SystemExit):
            raise beneath from None
        return _failed(_translated(beneath, argv), wants_json=wants_json)


def _failed(error: CtoError, *, wants_json: bool) -> int:
    from git_cto.cli.shell import report

    report(error, wants_json=wants_json)
    return error.exit_code


def _let_go(stream: TextIO) -> None:
    """Flushes; what cannot be written is dropped, since Python would try once more at its end and exit with 120."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _translated(error: BaseException, argv: list[str]) -> CtoError:
    """What a person is told of an exception that reached the boundary."""
    if isinstance(error, CtoError):
        return error
    if isinstance(error, click.Abort | KeyboardInterrupt):
        click.echo(err=True)  # the terminal has written ^C
        return StoppedByUserError("Interrupted.", "the same command again; git cto log shows what is recorded")
    if isinstance(error, click.ClickException):
        from git_cto.cli.misread import misread

        return misread(error, argv, group)
    if os.environ.get("GIT_CTO_DEBUG"):
        import traceback

        traceback.print_exception(error)
    full = disk_full(error) if isinstance(error, OSError) else None
    if full:
        return full
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return ToolError(f"{where}{error.strerror or error}.", "check the disk and its permissions", code="system")
    return _bug(error)


def _bug(error: BaseException) -> CtoError:
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    at = f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else "?"
    return BugError(
        f"git-cto has a bug: {type(error).__name__}: {error} ({at}).",
        "GIT_CTO_DEBUG=1 shows where; please report it",
    )
