"""Claude Code as an executor: headless, in a worktree, deaf to what the worktree would have it load.

What it prints is read in `claude_events`; whether it did the task is not its to say.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from git_cto.agents import process
from git_cto.agents.base import Activity, EngineError, Failure, Limits, OnActivity
from git_cto.agents.claude_events import Session
from git_cto.agents.executor import Job, Work

INSTALL = "npm install -g @anthropic-ai/claude-code"
LOGIN = "claude, then /login        (or set ANTHROPIC_API_KEY)"

# Neither OpenAI's nor a forge's credentials are among these.
_PASSED = frozenset(
    (
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TERM", "TMPDIR", "TZ"),
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "DBUS_SESSION_BUS_ADDRESS"),
        *("VIRTUAL_ENV", "PYENV_ROOT", "JAVA_HOME", "GOPATH", "GOROOT", "CARGO_HOME", "RUSTUP_HOME", "NVM_DIR"),
    )
)
# How Claude Code reaches its model: its own login, a key, a gateway, or a cloud's.
_PASSED_PREFIXES = (
    *("LC_", "XDG_", "ANTHROPIC_", "CLAUDE_CODE_USE_", "CLAUDE_CODE_OAUTH_"),
    *("AWS_", "CLOUD_ML_", "GOOGLE_"),
)
_QUIET = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
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

    def environment(self) -> dict[str, str]:
        """The environment that Claude Code gets. It may hold its key: never to be shown."""
        kept = {
            name: value
            for name, value in self._environ.items()
            if name in _PASSED or name.startswith(_PASSED_PREFIXES) or name == "CLAUDE_CONFIG_DIR"
        }
        return {**kept, **_QUIET, "PATH": process.absolute_path(kept.get("PATH", ""))}

    def argv(self, job: Job, guidance: Path | None) -> list[str]:
        """The exact command line. No secret is in it; the prompt goes in on stdin."""
        # Edit and Write are allowed by acceptEdits alone, which ends at the worktree; in --allowedTools they do not.
        allowed = [tool for tool in job.tools if tool.partition("(")[0] not in {"Edit", "Write"}]
        options = {
            "--model": job.model,
            "--fallback-model": job.fallback_model,
            "--effort": job.effort,
            "--max-budget-usd": None if job.max_cost is None else f"{job.max_cost:.4f}",
            "--append-system-prompt-file": str(guidance) if guidance else None,
        }
        chosen = [word for name, value in options.items() if value for word in (name, value)]
        return [
            self.program,
            "--print",
            *("--output-format", "stream-json", "--verbose"),
            *("--setting-sources", "user"),
            "--strict-mcp-config",
            "--disable-slash-commands",
            "--no-session-persistence",
            *("--permission-mode", "acceptEdits"),
            *("--tools", ",".join(dict.fromkeys(tool.partition("(")[0] for tool in job.tools))),
            *(("--allowedTools", ",".join(allowed)) if allowed else ()),
            *chosen,
        ]

    def work(self, job: Job, folder: Path, limits: Limits, on_activity: OnActivity, stop: threading.Event) -> Work:
        """Does the job in its worktree (see `Executor`)."""
        began = time.monotonic()
        guidance = None
        if job.guidance:
            guidance = folder / "guidance.md"
            guidance.write_text(job.guidance, encoding="utf-8")
        session = Session()
        call = _Call(job, self.argv(job, guidance), self.environment(), folder, limits, on_activity, stop)
        problem = call.run(session)
        if session.refused:
            raise session.refused
        return Work(
            executor=self.name,
            version=session.version,
            summary=session.summary,
            problem=problem or session.problem,
            denied=session.denied,
            model=session.model,
            usage=session.usage,
            cost=session.cost,
            seconds=time.monotonic() - began,
        )


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
        with (self.folder / "events.jsonl").open("wb") as events:

            def on_line(line: bytes) -> None:
                events.write(line + b"\n")
                doing = session.read(line)
                if doing:
                    self.show(Activity(text=doing, tokens=session.usage.total))
                if session.ended:
                    raise _ResultSeen

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
            except _ResultSeen:
                return ""
            except process.ProgramTimeoutError as error:
                return error.message
            except process.ProgramNotFoundError as error:
                raise EngineError(Failure.NOT_INSTALLED, error.message, INSTALL) from error
        return session.died(done.code, done.stderr)


class _ResultSeen(Exception):  # noqa: N818 -- no error: it ends a run whose result is there
    """The last event has come; nothing after it matters."""
