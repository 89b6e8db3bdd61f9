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
from git_cto.errors import ToolError
from git_cto.model import CommandOutcome
from git_cto.redaction import printable, redacted, secret_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

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
    workspace: Workspace, head: str, commands: Sequence[str], *, timeout: int, told: Callable[[str], None]
) -> tuple[CommandOutcome, ...]:
    """Runs `commands` one after the other in a fresh worktree of `head`; `timeout` is seconds for each.

    `told` gets one line before each command. A command that cannot even be started has failed.
    """
    if not commands:
        return ()
    environ = {name: value for name, value in workspace.environ.items() if name in _PASSED_ON or name.startswith("LC_")}
    hidden = secret_values(workspace.environ)
    with worktree(workspace.git, head) as folder:
        return tuple(_run(command, folder, environ, timeout, told, hidden) for command in commands)


def _run(
    command: str,
    folder: Path,
    environ: Mapping[str, str],
    timeout: int,
    told: Callable[[str], None],
    hidden: Sequence[str],
) -> CommandOutcome:
    told(f"running {printable(command)}")
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
        ).code
    except process.ProgramTimeoutError:
        exit_code = None
    said = redacted(printable("".join(output), lines=True), hidden)[-KEPT_OUTPUT:]  # half a secret would not be found
    return CommandOutcome(command=command, exit_code=exit_code, seconds=round(time.monotonic() - began, 1), output=said)


def _keep(output: list[str], line: bytes) -> None:
    output.append(line.decode("utf-8", "replace") + "\n")
    if len(output) > 400:
        del output[:200]


@contextmanager
def worktree(git: Git, commit: str) -> Iterator[Path]:
    """A detached worktree of `commit` outside of the repository, gone at the end. No hook of the repository runs."""
    from platformdirs import user_state_path  # noqa: PLC0415 -- start-up: only where commands run

    parent = user_state_path("git-cto", appauthor=False) / "worktrees"
    parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = parent / f"verify-{os.getpid()}-{secrets.token_hex(4)}"
    quiet = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false")
    made = git.polite(*quiet, "worktree", "add", "--quiet", "--detach", str(folder), commit)
    try:
        if made.returncode != 0:
            said = made.stderr.decode("utf-8", "replace").strip().splitlines()
            raise ToolError(
                f"No worktree for the verification: {said[-1] if said else 'git failed'}.", "git worktree prune"
            )
        yield folder
    finally:
        git.polite("worktree", "remove", "--force", "--force", str(folder))
        git.polite("worktree", "prune")
