"""Codex as an engine: asks `codex exec` one question and returns its answer.

Reads nothing into the answer; that is the caller's job. The pieces are elsewhere: the user's set-up in
`codex_config`, the command line in `codex_command`, what Codex printed in `codex_events`, what it means in
`codex_failures`, and processes in `process`.
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path

from git_cto.agents import process
from git_cto.agents.base import Activity, Answer, EngineError, Failure, Limits, OnActivity, Question
from git_cto.agents.codex_command import CallFiles, command_line, sandbox_probe
from git_cto.agents.codex_config import UserConfig, codex_environment, has_key, read_user_config
from git_cto.agents.codex_events import Transcript
from git_cto.agents.codex_failures import (
    INSTALL,
    LOGIN,
    answer_of,
    check_version,
    command_was_not_run,
    quoted,
    refused_call,
    retry_after,
    sandbox_broken,
    tool_called,
)
from git_cto.agents.keeping import Printed

_BACKOFF = 2.0  # seconds before the second try when the server gives no number; doubled with each further one
_SHORT = Limits(idle=15.0, total=15.0, grace=1.0)  # for the small questions to the program itself


@dataclass(frozen=True, kw_only=True)
class LoginStatus:
    """Whether Codex can reach its model with what it has, and in which words to say so."""

    ready: bool
    words: str


class Codex:
    """The engine. Built once, at the edge, with the environment of the user.

    A relative CODEX_HOME means the same as for Codex itself. Reading the user's configuration is put off
    until it is needed; every method may raise `EngineError`.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = dict(environ)

    @cached_property
    def program(self) -> str:
        """The absolute path of `codex`."""
        try:
            return process.find_program("codex", self._environ)
        except process.ProgramNotFoundError as error:
            raise EngineError(Failure.NOT_INSTALLED, "Codex is not installed, or not on the PATH.", INSTALL) from error

    @cached_property
    def config(self) -> UserConfig:
        """What is taken over from the user's own configuration."""
        return read_user_config(self._environ)

    @cached_property
    def version(self) -> str:
        """The version of the program, e.g. `0.169.0`; empty when it does not say one."""
        words = self._small("--version")[1].split()
        return words[-1] if words else ""

    def default_model(self) -> str | None:
        """The model of the user's own configuration, if it names one."""
        return self.config.model

    def environment(self) -> dict[str, str]:
        """The environment that Codex gets. It may hold keys: never to be shown."""
        return codex_environment(self._environ, self.config)

    def argv(self, question: Question, folder: Path) -> tuple[str, ...]:
        """The exact command line that `ask` would run. No secret is in it."""
        files = CallFiles(folder=folder.absolute())
        return tuple(command_line(self.program, question, files, self.config, self._home))

    def login_status(self) -> LoginStatus:
        """Whether there is a login or a key. Asks no server: whether it is accepted shows later."""
        missing = [name for name in sorted(self.config.variables()) if not self._environ.get(name)]
        if not self.config.needs_login:
            words = f"{missing[0]} is not set" if missing else f"uses the provider {self.config.provider_id}"
            return LoginStatus(ready=not missing, words=words)
        if has_key(self.environment()):
            return LoginStatus(ready=True, words="uses a key from the environment")
        code, words = self._small("login", "status")
        return LoginStatus(ready=code == 0, words=quoted(words))

    def ask(self, question: Question, folder: Path, limits: Limits, on_activity: OnActivity) -> Answer:
        """Asks, and returns the answer or raises `EngineError`.

        `folder` is an empty directory of this call's own; `events.jsonl` is left there, whatever happens,
        beside the instructions, the schema and the answer. Rate limits are waited for within `limits`; no
        other failure is tried again.
        """
        began = time.monotonic()
        CallFiles(folder=folder).events.touch()
        self.require()
        checks = _Checks(self, sandbox=not question.sealed)
        call = _Call(self, question, folder, limits, on_activity, checks.refused)
        try:
            text = call.patiently()
        except (EngineError, process.StoppedError):
            checks.require()  # the better explanation, if it is one
            raise
        checks.require()
        return Answer(
            text=text,
            engine="codex",
            version=self.version,
            model=question.model,
            usage=call.seen.usage,
            seconds=time.monotonic() - began,
        )

    def check_sandbox(self) -> None:
        """Raises `EngineError(SANDBOX)` when the model could not run a command, and so read no repository.

        The events of a call do not tell: Codex leaves out the commands that a sandbox forbade.
        """
        code, words = self._small(*sandbox_probe(self.config, self._home))
        if command_was_not_run(code, words):
            raise sandbox_broken(words)

    @property
    def _home(self) -> Path:
        return Path(self._environ.get("HOME") or Path.home())

    def require(self) -> None:
        """Raises `EngineError` where Codex is not installed or has no login.

        Codex itself would go on without a key, and wait for a server that refuses it.
        """
        self.program  # noqa: B018 -- looking it up is what may fail
        if self.config.needs_login and self.config.stored_login is False and not has_key(self.environment()):
            raise EngineError(Failure.NOT_LOGGED_IN, "Codex is not logged in.", LOGIN)

    def _small(self, *arguments: str) -> tuple[int, str]:
        """Runs `codex` with `arguments`: its exit code, and what it said last."""
        lines: list[bytes] = []
        try:
            done = process.run(
                [self.program, *arguments],
                environ=self.environment(),
                cwd=Path("/"),  # nothing of the working directory is to be read
                on_line=lines.append,
                idle=_SHORT.idle,
                total=_SHORT.total,
                grace=_SHORT.grace,
            )
        except process.ProgramTimeoutError as error:
            raise EngineError(Failure.TIMEOUT, error.message, "git cto doctor") from error
        except process.ProgramNotFoundError as error:
            raise EngineError(Failure.NOT_INSTALLED, error.message, INSTALL) from error
        said = [line.decode("utf-8", "replace") for line in lines] or done.stderr.splitlines()
        return done.code, next((line for line in reversed(said) if line.strip()), "")


class _Call:
    """One question on its way: its files, and what Codex was seen doing."""

    def __init__(
        self,
        codex: Codex,
        question: Question,
        folder: Path,
        limits: Limits,
        on_activity: OnActivity,
        stop: threading.Event,
    ) -> None:
        self.seen = Transcript()
        self._argv = codex.argv(question, folder)
        self._environ = codex.environment()
        self._question = question
        self._files = CallFiles(folder=folder.absolute())
        self._limits = limits
        self._show = on_activity
        self._stop = stop

    def patiently(self) -> str:
        """The answer; rate limits are waited for."""
        self._write_files()
        with Printed(self._files.events) as events:
            for attempt in count(1):
                try:
                    return self._once(events)
                except EngineError as error:
                    wait = self._wait(error, attempt)
                    if wait is None:
                        raise
                self._show(Activity(text=f"waiting {max(1, round(wait))} s: rate limit"))
                time.sleep(wait)
        raise AssertionError("count() has no end")

    def _once(self, events: Printed) -> str:
        self.seen = Transcript()
        self._files.answer.unlink(missing_ok=True)  # an answer of before must not be read for this one
        try:
            done = self._run(events)
        except process.ProgramTimeoutError as error:
            option = "--idle-timeout" if error.kind == "idle" else "--timeout"
            hint = f"try again, or allow it more time: {option} <seconds>"
            raise EngineError(Failure.TIMEOUT, error.message, hint) from error
        except process.ProgramNotFoundError as error:
            raise EngineError(Failure.NOT_INSTALLED, error.message, INSTALL) from error
        return answer_of(self.seen, done.code, done.stderr, self._written(), sealed=self._question.sealed)

    def _run(self, events: Printed) -> process.Finished:
        def on_line(line: bytes) -> None:
            events.add(line)
            activity = self.seen.read(line)
            if self._question.sealed and self.seen.tools:
                raise tool_called(self.seen.tools[0].replace("_", " "))
            if activity is not None:
                self._show(activity)

        def on_error_line(line: bytes) -> None:
            refused = refused_call(line)
            if self._question.sealed and refused is not None:
                raise tool_called(refused)

        # The working directory is empty and outside of every repository, so that nothing is found around it.
        with tempfile.TemporaryDirectory(prefix="git-cto-", ignore_cleanup_errors=True) as empty:
            return process.run(
                self._argv,
                environ=self._environ,
                cwd=Path(empty),
                stdin=self._question.prompt.encode("utf-8", "replace"),  # Codex ends on what is not UTF-8
                on_line=on_line,
                on_error_line=on_error_line,
                idle=self._limits.idle,
                total=self._limits.total,
                grace=self._limits.grace,
                stop=self._stop,
            )

    def _write_files(self) -> None:
        self._files.schema.write_text(json.dumps(self._question.schema), encoding="utf-8")
        self._files.instructions.write_text(self._question.instructions, encoding="utf-8")

    def _written(self) -> str:
        try:
            return self._files.answer.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def _wait(self, error: EngineError, attempt: int) -> float | None:
        """Seconds until the next try; None when there is none."""
        if error.failure is not Failure.RATE_LIMIT or attempt >= self._limits.rate_limit_tries:
            return None
        asked = retry_after(self.seen)
        if asked is None:
            return min(self._limits.rate_limit_wait, _BACKOFF * 2.0 ** (attempt - 1))
        return asked if asked <= self._limits.rate_limit_wait else None


class _Checks:
    """Looks at the program while the call is already starting, and stops the call if it will not do.

    It answers long before a call has sent anything, and this way that costs no time.
    """

    def __init__(self, codex: Codex, *, sandbox: bool) -> None:
        self.refused = threading.Event()
        self._error: EngineError | None = None
        self._codex = codex
        self._sandbox = sandbox
        self._thread = threading.Thread(target=self._check, daemon=True)
        self._thread.start()

    def require(self) -> None:
        """Raises `EngineError` unless the program's version is one that will do, and its sandbox works."""
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _check(self) -> None:
        try:
            check_version(self._codex.version)
            if self._sandbox:
                self._codex.check_sandbox()
        except EngineError as error:
            self._error = error
            self.refused.set()
