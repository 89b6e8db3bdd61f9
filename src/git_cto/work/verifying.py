"""Runs verification commands in a clean worktree of their own, limited in time and without keys in the environment.

Commands come from a plan or a policy, so a person has to agree before they run (that is asked at the edge). They run
with the rights of the user: a clean worktree is not a sandbox.
"""

from __future__ import annotations

import os
import secrets
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from git_cto.agents import process
from git_cto.model import CommandOutcome
from git_cto.redaction import printable, redacted, secret_values
from git_cto.repo import worktrees

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Sequence

    from git_cto.repo.git import Git
    from git_cto.work.workspace import Workspace

_GRACE = 3.0  # seconds between TERM and KILL
KEPT_OUTPUT = 1_000  # characters of the end of a command's output
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
    run: str = "verify",
) -> tuple[CommandOutcome, ...]:
    """Runs `commands` one after the other in a fresh worktree of `head`; `timeout` is seconds for each.

    `told` gets one line before each command. A command that cannot even be started has failed. The worktree is one of
    `run`, whose loop clears it away if this process cannot.
    """
    if not commands:
        return ()
    with worktree(workspace.git, head, run) as folder:
        outcomes = []
        for command in commands:
            told(f"running {printable(command)}")
            outcomes.append(run_command(workspace, command, folder, timeout))
        return tuple(outcomes)


def run_command(
    workspace: Workspace, command: str, folder: Path, timeout: int, stop: threading.Event | None = None
) -> CommandOutcome:
    """Runs one command of a plan or policy in `folder`, with the user's rights and without their keys.

    `timeout` is seconds; setting `stop` ends it (`process.StoppedError`).
    """
    environ = {name: value for name, value in workspace.environ.items() if name in _PASSED_ON or name.startswith("LC_")}
    output: list[str] = []
    began = time.monotonic()
    exit_code: int | None
    try:
        exit_code = process.run(
            ["/bin/sh", "-c", f"exec 2>&1\n{command}"],
            environ=environ,
            cwd=folder,
            on_line=lambda line: _keep(output, line),
            idle=timeout,
            total=timeout,
            grace=_GRACE,
            stop=stop,
        ).code
    except process.ProgramTimeoutError:
        exit_code = None
    said = printable("".join(output), lines=True)[-KEPT_OUTPUT:]
    return CommandOutcome(
        command=command,
        exit_code=exit_code,
        seconds=round(time.monotonic() - began, 1),
        output=redacted(said, secret_values(workspace.environ)),
    )


def _keep(output: list[str], line: bytes) -> None:
    output.append(line.decode("utf-8", "replace") + "\n")
    if len(output) > 400:
        del output[:200]


@contextmanager
def worktree(git: Git, commit: str, run: str) -> Iterator[Path]:
    """A detached worktree of `commit` outside of the repository, gone at the end. No hook of the repository runs."""
    folder = worktrees.place(git, run, f"verify-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        worktrees.add(git, folder, commit)
        yield folder
    finally:
        worktrees.remove(git, folder)
