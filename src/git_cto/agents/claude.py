"""Claude Code as an executor: headless, in a worktree, deaf to what the worktree would have it load.

What it prints is read in `claude_events`; whether it did the task is not its to say.
"""

from __future__ import annotations

import re
import shlex
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from git_cto.agents import process
from git_cto.agents.base import Activity, EngineError, Failure, Limits, OnActivity
from git_cto.agents.claude_events import Session
from git_cto.agents.executor import DEFAULT_TOOLS, Job, Work
from git_cto.agents.keeping import Printed
from git_cto.redaction import without_secrets

INSTALL = "npm install -g @anthropic-ai/claude-code"
EVENTS = "events.jsonl"
_SMALLEST_BUDGET = 0.0001  # US dollars; it crashes on 0

# Neither OpenAI's nor a forge's credentials are among these.
_PASSED = frozenset(
    (
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TERM", "TMPDIR", "TZ"),
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "DBUS_SESSION_BUS_ADDRESS"),
        *("VIRTUAL_ENV", "PYENV_ROOT", "JAVA_HOME", "GOPATH", "GOROOT", "CARGO_HOME", "RUSTUP_HOME", "NVM_DIR"),
        *("CLAUDE_CONFIG_DIR", "CLAUDE_CODE_MAX_RETRIES", "CLAUDE_CODE_MAX_OUTPUT_TOKENS", "API_TIMEOUT_MS"),
    )
)
# How Claude Code reaches its model: its own login, a key, a gateway, or a cloud's.
_PASSED_PREFIXES = (
    *("LC_", "XDG_", "ANTHROPIC_", "CLAUDE_CODE_USE_", "CLAUDE_CODE_OAUTH_", "CLAUDE_CODE_SKIP_"),
    *("AWS_", "CLOUD_ML_", "GOOGLE_", "VERTEX_"),
)
_WRITING = frozenset({"Edit", "Write", "NotebookEdit"})
_RULE = r"(?:\([^)]*(?:\)|\Z)|[^ ,(])+"  # Claude Code cuts its lists at commas and spaces outside of parentheses
_QUIET = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1",  # else each worktree leaves a folder in the user's home
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_TELEMETRY": "1",
}


class Claude:
    """The executor. Built once, at the edge, with the environment of the user."""

    name = "claude"

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = dict(environ)

    @cached_property
    def program(self) -> str:
        """The absolute path of `claude`."""
        try:
            return process.find_program("claude", self._environ)
        except process.ProgramNotFoundError as error:
            raise EngineError(
                Failure.NOT_INSTALLED, "Claude Code is not installed, or not on the PATH.", INSTALL
            ) from error

    def require(self) -> None:
        """Raises `EngineError` where Claude Code is not installed."""
        self.program  # noqa: B018 -- looking it up is what may fail

    def environment(self) -> dict[str, str]:
        """The environment that Claude Code gets. It may hold its key: never to be shown."""
        kept = {
            name: value for name, value in self._environ.items() if name in _PASSED or name.startswith(_PASSED_PREFIXES)
        }
        return {**kept, **_QUIET, "PATH": process.absolute_path(kept.get("PATH", ""))}

    def argv(self, job: Job, guidance: Path | None) -> list[str]:
        """The exact command line. No secret is in it; the prompt goes in on stdin."""
        tools = _rules(job.tools)
        # Files are written by acceptEdits alone, which ends at the worktree; in --allowedTools these do not.
        allowed = [tool for tool in tools if _name(tool) not in _WRITING]
        options = {
            "--model": job.model,
            "--fallback-model": job.fallback_model,
            "--effort": job.effort,
            "--max-budget-usd": None if job.max_cost is None else f"{max(job.max_cost, _SMALLEST_BUDGET):.4f}",
            "--append-system-prompt-file": str(guidance) if guidance else None,
        }
        # One word each: a value that looks like an option stays a value.
        chosen = [f"{name}={value}" for name, value in options.items() if value]
        return [
            self.program,
            "--print",
            *("--output-format", "stream-json", "--verbose"),
            *("--setting-sources", "user"),
            "--strict-mcp-config",
            "--disable-slash-commands",
            "--no-session-persistence",
            *("--permission-mode", "acceptEdits"),
            f"--tools={','.join(dict.fromkeys(map(_name, tools)))}",
            *([f"--allowedTools={','.join(allowed)}"] if allowed else []),
            *chosen,
        ]

    def work(self, job: Job, folder: Path, limits: Limits, on_activity: OnActivity, stop: threading.Event) -> Work:
        """Does the job in its worktree (see `Executor`)."""
        guidance = None
        if job.guidance:
            guidance = folder / "guidance.md"
            guidance.write_bytes(job.guidance.encode("utf-8", "replace"))
        environ = self.environment()
        environ["CLAUDE_CODE_SHELL_PREFIX"] = _keeping_keys(environ, folder)
        environ["CLAUDE_CODE_TMPDIR"] = str(folder)  # what its commands print; it does not clear that away itself
        chosen = _rules(job.tools) if job.tools != DEFAULT_TOOLS else ()
        session = Session(asked=tuple(dict.fromkeys(map(_name, chosen))))
        problem = _Call(job, self.argv(job, guidance), environ, folder, limits, on_activity, stop).run(session)
        if session.refused:
            raise session.refused
        return Work(
            executor=self.name,
            version=session.version,
            summary=session.summary,
            problem=problem,
            denied=session.denied,
            model=session.model,
            usage=session.usage,
            cost=session.cost,
        )


def _rules(tools: Iterable[str]) -> tuple[str, ...]:
    """The tools of a list one by one, as Claude Code reads it: whoever wrote ` Write` or `Read Write` meant Write."""
    return tuple(rule for found in re.findall(_RULE, ",".join(tools)) if _name(rule := found.strip()))


def _name(rule: str) -> str:
    """The tool that a rule such as `Bash(git *)` is about."""
    return rule.partition("(")[0].strip()


def _keeping_keys(environ: Mapping[str, str], folder: Path) -> str:
    """What Claude Code puts before each command that its model runs: it takes the keys out of the environment.

    A command can still look for them elsewhere: this keeps them out of logs, and from programs that mean no harm.
    """
    names = [shlex.quote(name) for name in environ.keys() - without_secrets(environ).keys()]
    script = folder / "run"
    script.write_text(
        f'{"unset " + " ".join(names) if names else ":"}\nexec "${{SHELL:-/bin/sh}}" -c "$1"\n', encoding="utf-8"
    )
    # It takes everything up to the last " -" for the program.
    return f"/bin/sh -e {shlex.quote(str(script))}"


@dataclass(frozen=True)
class _Call:
    """One run of the program."""

    job: Job
    argv: list[str]
    environ: Mapping[str, str]
    folder: Path
    limits: Limits
    show: OnActivity
    stop: threading.Event

    def run(self, session: Session) -> str:
        """Runs it; why it did not end well, or "". It may hang once its result is there: that is its end."""
        with Printed(self.folder / EVENTS) as events:

            def on_line(line: bytes) -> None:
                events.add(line)
                doing = session.read(line)
                if doing:
                    self.show(Activity(text=doing, tokens=session.usage.total, note=session.note))
                if session.ended or session.refused:
                    raise _EndSeen

            try:
                done = process.run(
                    self.argv,
                    environ=self.environ,
                    cwd=self.job.worktree,
                    stdin=self.job.prompt.encode("utf-8", "replace"),
                    on_line=on_line,
                    idle=self.limits.idle,
                    total=self.limits.total,
                    grace=self.limits.grace,
                    stop=self.stop,
                )
            except _EndSeen:
                return session.problem
            except process.ProgramTimeoutError as error:
                return error.message
            except process.ProgramNotFoundError as error:
                raise EngineError(Failure.NOT_INSTALLED, error.message, INSTALL) from error
        return session.died(done.code, done.stderr)


class _EndSeen(Exception):  # noqa: N818 -- no error: it ends a run of which everything is known
    """The result has come, or the refusal that no retry mends; nothing after it matters."""
