"""The workflow runner that a step stands in: outputs, the job's summary, masks, and a log that obeys nobody else.

What an untrusted text contains (a line of ours, a workflow command) never does anything here. What to say, and that
no secret is in it, is decided elsewhere.
"""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from git_cto.errors import ToolError
from git_cto.redaction import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import TextIO

MAX_SUMMARY = 1024 * 1024  # bytes of a step; GitHub drops a longer one whole
MAX_OUTPUT = 500_000  # bytes of one output; GitHub takes 1 MB of them all
_SHORTEST = 4  # characters; a brace on a line of its own must not hide every brace
_CUT = "\n\n… (cut here: a summary holds 1 MiB)\n"


class Runner:
    """What the runner takes from a step. Outside of Actions (no GITHUB_OUTPUT ...) nothing is written."""

    def __init__(self, environ: Mapping[str, str], log: TextIO) -> None:
        self._outputs = environ.get("GITHUB_OUTPUT", "")
        self._summary = environ.get("GITHUB_STEP_SUMMARY", "")
        self._listens = environ.get("GITHUB_ACTIONS") == "true"
        self._log = log
        self._token = ""  # that ends a quiet log

    def outputs(self, values: Mapping[str, str]) -> None:
        """Sets the step's outputs. No value can end early or set another one."""
        lines = []
        for name, value in values.items():
            text = _sound(value).encode()[:MAX_OUTPUT].decode(errors="ignore")
            end = f"cto-{secrets.token_hex(16)}"
            lines.append(f"{name}<<{end}\n{text}\n{end}\n")
        _append(self._outputs, "".join(lines))

    def summary(self, markdown: str) -> None:
        """Adds to the job's summary, cut where GitHub would drop it."""
        text = _sound(markdown).encode()
        room = MAX_SUMMARY - _size(self._summary)
        if len(text) > room:
            cut = _CUT.encode()
            text = text[: room - len(cut)] + cut if room >= len(cut) else b""
        _append(self._summary, text.decode(errors="ignore"))

    def mask(self, secret: str) -> None:
        """Has the runner hide a secret, and each of its lines, in everything that is logged from here on."""
        for part in dict.fromkeys([secret, *secret.splitlines()]):
            if len(part.strip()) >= _SHORTEST:
                self._command("add-mask", part)

    def say(self, level: Literal["notice", "warning", "error"], message: str) -> None:
        """An annotation of the workflow run, with a message that commands nothing."""
        text = printable(message, lines=True)
        if self._listens:
            self._command(level, text)
        else:
            self._write(text)

    def trace(self, text: str) -> None:
        """Lines for whoever looks for a mistake of ours; no line of them is taken for a command."""
        if text:
            with self.quiet_log():
                self._write(printable(text, lines=True))

    @contextmanager
    def quiet_log(self) -> Iterator[None]:
        """While it lasts, no line that reaches the log is taken for a command (`::stop-commands::`)."""
        if self._token or not self._listens:
            yield
            return
        self._token = secrets.token_hex(16)
        # A command counts only at the start of a line, and nobody knows what was written before.
        self._write(f"\n::stop-commands::{self._token}")
        try:
            yield
        finally:
            self._write(f"\n::{self._token}::")
            self._token = ""

    def _command(self, name: str, message: str) -> None:
        """A workflow command; in a quiet log, the quiet ends for just this line."""
        if not self._listens:
            return
        line = f"::{name}::{_escaped(message)}"
        self._write(f"\n::{self._token}::\n{line}\n::stop-commands::{self._token}" if self._token else line)

    def _write(self, line: str) -> None:
        self._log.write(f"{line}\n")
        self._log.flush()


def _escaped(message: str) -> str:
    """A message as one line, in the runner's own escapes."""
    return message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _sound(text: str) -> str:
    """The text without what no file takes (NUL, half characters), its lines ended as the runner gives them back."""
    plain = text.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n")  # "\r" before our "\n" would vanish
    return plain.encode("utf-8", "replace").decode()


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0


def _append(path: str, text: str) -> None:
    if not path or not text:
        return
    try:
        with open(path, "a", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        raise ToolError(
            f"The runner's file for outputs or the summary cannot be written: {error.strerror}.",
            "run the job again; look at the runner's disk",
            code="runner",
        ) from None
