"""The workflow runner that a step stands in: outputs, the job's summary, masks, and a log that obeys nobody else.

What an untrusted text contains (a line of ours, a workflow command) never does anything here.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import TextIO

MAX_SUMMARY = 1024 * 1024  # bytes; GitHub drops a longer one whole


class Runner:
    """What the runner takes from a step. Outside of Actions (no GITHUB_OUTPUT ...) nothing is written."""

    def __init__(self, environ: Mapping[str, str], log: TextIO) -> None:
        raise NotImplementedError

    def outputs(self, values: Mapping[str, str]) -> None:
        """Sets the step's outputs. No value can end early or set another one."""
        raise NotImplementedError

    def summary(self, markdown: str) -> None:
        """Adds to the job's summary, cut where GitHub would drop it."""
        raise NotImplementedError

    def mask(self, secret: str) -> None:
        """Has the runner hide a secret, and each of its lines, in everything that is logged from here on."""
        raise NotImplementedError

    def say(self, level: str, message: str) -> None:
        """An annotation of the workflow run: `notice`, `warning` or `error`, with a message that commands nothing."""
        raise NotImplementedError

    @contextmanager
    def quiet_log(self) -> Iterator[None]:
        """While it lasts, no line that reaches the log is taken for a command (`::stop-commands::`)."""
        yield
