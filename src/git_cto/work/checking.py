"""What `git cto doctor` checks of the tools: git, Codex, Claude Code. And how any check is told.

What it checks of a repository is in `checking_repository`. A check never fails: what goes wrong while it looks is
what it tells.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from git_cto.agents import process
from git_cto.agents.base import EngineError, Failure
from git_cto.agents.codex import Codex
from git_cto.agents.codex_failures import LOGIN, MINIMUM, check_version
from git_cto.agents.sealed import unexpected_tools
from git_cto.errors import CtoError, ToolError, typed
from git_cto.redaction import printable, redacted, secret_values
from git_cto.repo.git import MINIMUM_VERSION

State = Literal["ok", "warning", "problem"]
SealedRequest = Callable[[Mapping[str, str], str], Mapping[str, object]]

STATUS_SCRIPT = "codex-status.sh"
_SKILL = "codex-orchestrator"
_STATUS_SECONDS = 30.0
_SECONDS = 15.0
_GRACE = 1.0
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TERM")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. `hint` is what to type where it is not ok."""

    name: str
    state: State
    message: str
    hint: str = ""


def ok(name: str, message: str) -> Check:
    """A check that found nothing wrong."""
    return Check(name, "ok", message)


def told(name: str, look: Callable[[], Iterator[Check]], otherwise: str = "git status") -> Iterator[Check]:
    """The checks of `look`; an error on the way is a problem that is told like any other.

    `otherwise` is what to type where the error does not say, or says to type what was typed.
    """
    try:
        yield from look()
    except CtoError as error:
        leads_on = error.hint and "git cto doctor" not in error.hint
        yield Check(name, "problem", error.message, error.hint if leads_on else otherwise)


def check_tools(environ: Mapping[str, str], sealed_request: SealedRequest, model: Callable[[], str]) -> Iterator[Check]:
    """Checks git, Codex and Claude Code.

    `sealed_request` asks the real Codex one sealed question of a model and returns the request that was made;
    `model` says which one would review.
    """
    yield from told("git", lambda: _git(environ))
    codex = Codex(environ)
    yield from told("codex", lambda: _codex(codex, environ, sealed_request, model), "codex --version")
    yield from told("claude", lambda: _claude(environ))


def _git(environ: Mapping[str, str]) -> Iterator[Check]:
    needed = ".".join(map(str, MINIMUM_VERSION))
    said = _version(process.find_program("git", environ), environ)
    numbers = tuple(int(number) for number in re.findall(r"\d+", said)[:3])
    if numbers >= MINIMUM_VERSION:
        yield ok("git", said.removeprefix("git version "))
    else:
        yield Check("git", "problem", f"{said or 'git'} is too old.", f"install git {needed} or later")


# ---- Codex ---------------------------------------------------------------------------------------------------------


def _codex(
    codex: Codex, environ: Mapping[str, str], sealed_request: SealedRequest, model: Callable[[], str]
) -> Iterator[Check]:
    check_version(codex.version)
    yield ok("codex", f"{codex.version}, {codex.program}")
    yield from told("login", lambda: _login(codex), "codex login status")
    own = codex.config.home / "AGENTS.md"
    if own.is_file():
        message = f"{own} is yours, and Codex adds it to every plan and review as instructions."
        yield Check(
            "instructions",
            "warning",
            message,
            f"mv {typed(str(own))} {typed(f'{own}.off')}, if a review should not read it",
        )
    yield from told("sealed", lambda: _sealed(environ, sealed_request, model()), "codex --version")
    yield from told("sandbox", lambda: _sandbox(codex), "codex sandbox -- true")


def _login(codex: Codex) -> Iterator[Check]:
    login = codex.login_status()
    if login.ready:
        yield ok("login", login.words)
        return
    hint = LOGIN if codex.config.needs_login else f"export {login.words.partition(' ')[0]}=..."
    yield Check("login", "problem", f"Codex says: {login.words or 'no login'}.", hint)


def _sealed(environ: Mapping[str, str], sealed_request: SealedRequest, model: str) -> Iterator[Check]:
    request = sealed_request(environ, model)
    surplus = sorted(unexpected_tools(request))
    if not surplus:
        yield ok("sealed", f"a review offers {model} nothing that runs or reads anything (asked of a scripted server)")
        return
    measured = ".".join(map(str, MINIMUM))
    yield Check(
        "sealed",
        "problem",
        f"A review would offer {model} tools that it must not have: {', '.join(surplus)}.",
        f"npm install -g @openai/codex@{measured}, which is known to be sealed; and please report it",
    )


def _sandbox(codex: Codex) -> Iterator[Check]:
    try:
        codex.check_sandbox()
    except EngineError as error:
        if error.failure is not Failure.SANDBOX:
            raise
        yield Check(
            "sandbox",
            "problem",
            f"{error.message} Reviews work, plans do not.",
            "codex sandbox -- true shows why; on Linux it needs user namespaces (kernel.unprivileged_userns_clone=1)",
        )
    else:
        yield ok("sandbox", "a plan's model reads the repository and writes nothing")


# ---- Claude Code ---------------------------------------------------------------------------------------------------


def _claude(environ: Mapping[str, str]) -> Iterator[Check]:
    try:
        program = process.find_program("claude", environ)
    except process.ProgramNotFoundError:
        message = "Claude Code is not installed; it is one way to get tasks done, and the only one you may miss."
        yield Check("claude", "warning", message, "npm install -g @anthropic-ai/claude-code")
        return
    said = _version(program, environ)
    if said:
        yield ok("claude", f"{said.partition(' (')[0]}, {program}")
    else:
        yield Check("claude", "warning", f"{program} does not tell its version.", f"{program} --version")


# ---- codex-orchestrator --------------------------------------------------------------------------------------------


def check_skill(environ: Mapping[str, str], repository: tuple[str, ...]) -> Iterator[Check]:
    """Runs codex-orchestrator's `codex-status.sh` where the user has installed that skill for Claude Code.

    A script that lies in one of the folders of `repository` is not run: whoever wrote that branch wrote it, too.
    """
    yield from told(STATUS_SCRIPT, lambda: _status(environ, repository))


def _status(environ: Mapping[str, str], repository: tuple[str, ...]) -> Iterator[Check]:
    for script in _status_scripts(environ):
        real = Path(os.path.realpath(script))
        if any(real.is_relative_to(os.path.realpath(folder)) for folder in repository):
            message = f"{script} was not run: it is part of this repository."
            yield Check(STATUS_SCRIPT, "warning", message, f"bash {script}, once you have read it")
            continue
        yield _run_status(script, environ)


def _status_scripts(environ: Mapping[str, str]) -> list[Path]:
    home = environ.get("CLAUDE_CONFIG_DIR") or os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".claude")
    skills = Path(home).absolute() / "skills"
    patterns = (f"{depth}{_SKILL}/{inner}{STATUS_SCRIPT}" for depth in ("", "*/") for inner in ("scripts/", ""))
    return list(dict.fromkeys(path for pattern in patterns for path in sorted(skills.glob(pattern)) if path.is_file()))


def _run_status(script: Path, environ: Mapping[str, str]) -> Check:
    """The script is run in an empty directory.

    Nothing of the repository is in its reach there. And its own test of the connection, which asks a model, ends
    before it has cost anything: Codex wants a repository for that.
    """
    lines: list[bytes] = []
    with tempfile.TemporaryDirectory(prefix="git-cto-status-") as empty:
        try:
            done = process.run(
                [process.find_program("bash", environ), str(script)],
                environ=Codex(environ).environment(),
                cwd=Path(empty),
                on_line=lines.append,
                idle=_STATUS_SECONDS,
                total=_STATUS_SECONDS,
                grace=_GRACE,
            )
        except ToolError as error:  # it hangs, or there is no bash
            return Check(STATUS_SCRIPT, "warning", error.message, f"bash {script}")
    said = [_plain(line.decode("utf-8", "replace"), environ) for line in lines] + [_plain(done.stderr, environ)]
    last = next((line for line in reversed(said[:-1]) if line), said[-1])
    if done.code == 0:
        return ok(STATUS_SCRIPT, last or "said nothing")
    return Check(STATUS_SCRIPT, "warning", f"It ended with {done.code}: {last or 'nothing said'}", f"bash {script}")


def _plain(line: str, environ: Mapping[str, str]) -> str:
    return redacted(printable(_ANSI.sub("", line)), secret_values(environ))[:200].strip(" =")


def _version(program: str, environ: Mapping[str, str]) -> str:
    """The first line of what `program --version` says; "" where it fails."""
    lines: list[bytes] = []
    try:
        done = process.run(
            [program, "--version"],
            environ={name: environ[name] for name in _PASSED_ON if name in environ},
            cwd=Path("/"),
            on_line=lines.append,
            idle=_SECONDS,
            total=_SECONDS,
            grace=_GRACE,
        )
    except process.ProgramTimeoutError as error:
        raise ToolError(error.message, f"{program} --version") from error
    return printable(lines[0].decode("utf-8", "replace")) if lines and done.code == 0 else ""
