"""Runs verification commands in a clean worktree of their own, limited in time and without keys in the environment.

Commands come from a plan or a policy, so a person has to agree before they run (that is asked at the edge). They run
with the rights of the user: a clean worktree is not a sandbox. On Linux they cannot read our own environment or memory
through /proc (root can, and the shell that we were called from is as readable as ever).
"""

from __future__ import annotations

import os
import secrets
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from git_cto.agents import process, strays
from git_cto.model import CommandOutcome
from git_cto.redaction import printable, redacted, secret_values
from git_cto.repo import worktrees

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from git_cto.repo.git import Git
    from git_cto.work.workspace import Workspace

_GRACE = 3.0  # seconds between TERM and KILL
KEPT_OUTPUT = 1_000  # characters of the end of a command's output
_HELD_OUTPUT = 64 * 1024  # bytes of the end that are held in memory, so that secrets are seen whole
_PR_SET_DUMPABLE = 4  # of <sys/prctl.h>
_PASSED_ON = frozenset(
    (
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TERM", "TMPDIR", "TZ", "CI"),
        *("VIRTUAL_ENV", "PYENV_ROOT", "JAVA_HOME", "GOPATH", "GOROOT", "CARGO_HOME", "RUSTUP_HOME", "NVM_DIR"),
        "NODE_PATH",
    )
)


def verify(
    workspace: Workspace,
    head: str,
    commands: Sequence[str],
    *,
    timeout: int,
    told: Callable[[str], None],
    run: str = "",
) -> tuple[CommandOutcome, ...]:
    """Runs `commands` one after the other in a fresh worktree of `head`; `timeout` is seconds for each.

    `told` gets one line before each command. A command that cannot even be started has failed. The worktree is one of
    `run`, whose loop clears it away if this process cannot; without a loop the next verification does.
    """
    if not commands:
        return ()
    with ExitStack() as stack:
        folder = stack.enter_context(worktree(workspace.git, head, run or stack.enter_context(_alone(workspace.git))))
        outcomes = []
        for command in commands:
            told(f"running {printable(command)}")
            outcomes.append(run_command(workspace.environ, command, folder, timeout))
        return tuple(outcomes)


@contextmanager
def _alone(git: Git) -> Iterator[str]:
    """A name for what this process does alone; what others like it have left, who were killed, goes."""
    for place in worktrees.of_the_dead(git, "_verify-*"):  # a run's name never begins like that
        strays.end_all(str(place), _GRACE)
    name = f"_verify-{os.getpid()}-{secrets.token_hex(4)}"
    with worktrees.alone(git, name), strays.marked(str(worktrees.home(git, name))):
        yield name


def run_command(
    environ: Mapping[str, str], command: str, folder: Path, timeout: int, stop: threading.Event | None = None
) -> CommandOutcome:
    """Runs one command of a plan or policy in `folder`, with the user's rights and without their keys.

    `environ` is the user's whole environment, `timeout` seconds; setting `stop` ends it (`process.StoppedError`).
    """
    close_proc()
    passed_on = {name: value for name, value in environ.items() if name in _PASSED_ON or name.startswith("LC_")}
    hidden = secret_values(environ)
    output = bytearray()
    began = time.monotonic()
    exit_code: int | None
    try:
        exit_code = process.run(
            ["/bin/sh", "-c", f"exec 2>&1\n{command}"],
            environ=passed_on,
            cwd=folder,
            on_line=lambda line: _keep(output, line),
            idle=timeout,
            total=timeout,
            grace=_GRACE,
            stop=stop,
        ).code
    except process.ProgramTimeoutError:
        exit_code = None
    text = printable(output.decode("utf-8", "replace"), lines=True)
    if len(output) >= _HELD_OUTPUT:
        text = _without_half(text, hidden)
    said = redacted(text, hidden)[-KEPT_OUTPUT:]  # cut afterwards: half a secret would not be found
    return CommandOutcome(command=command, exit_code=exit_code, seconds=round(time.monotonic() - began, 1), output=said)


def _keep(output: bytearray, line: bytes) -> None:
    """Adds a line, and forgets all but the end: memory is bounded, whatever is printed."""
    output += line[-_HELD_OUTPUT:]
    output += b"\n"
    del output[:-_HELD_OUTPUT]


def _without_half(text: str, hidden: Sequence[str]) -> str:
    """The text without the end of a secret at its beginning, where the output was cut."""
    for secret in hidden:
        for length in range(len(secret) - 1, 3, -1):
            if text.startswith(secret[-length:]):
                return text[length:]
    return text


def close_proc() -> None:
    """Lets no other process of this user read /proc/<our pid>/environ, where our keys are. Root still can.

    What we run is as it was: a program that is started anew can be read again. Does nothing where there is no prctl.
    """
    if sys.platform != "linux":
        return
    import ctypes  # noqa: PLC0415 -- start-up: only where commands run

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


@contextmanager
def worktree(git: Git, commit: str, run: str) -> Iterator[Path]:
    """A detached worktree of `commit` outside of the repository, gone at the end. No hook of the repository runs."""
    folder = worktrees.place(git, run, f"verify-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        worktrees.add(git, folder, commit)
        yield folder
    finally:
        worktrees.remove(git, folder)
