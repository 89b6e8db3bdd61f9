"""Options and set-up of the verbs that ask an engine: model, effort, time limits, Codex itself."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from git_cto.config import engine_word

if TYPE_CHECKING:
    from git_cto.cli.shell import Shell
    from git_cto.work.asking import Asker
    from git_cto.work.workspace import Workspace

F = TypeVar("F", bound=Callable[..., object])


class Amount(click.FloatRange):
    """A number of something, and not `nan`: that is neither more nor less than any limit."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401, D102 -- click's
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is not a valid number.", param, ctx)
        return number


def engine_option(name: str, metavar: str, text: str) -> Callable[[F], F]:
    """An option that names a model or an effort; what cannot be one is a usage error."""

    def checked(_context: click.Context, _option: click.Parameter, said: str | None) -> str | None:
        return engine_word(said, name)

    return click.option(name, metavar=metavar, help=text, callback=checked)


def engine_options(function: F) -> F:
    """`--model`, `--effort`, `--timeout`, `--idle-timeout`, `--dry-run`."""
    options = [
        engine_option("--model", "M", "Model, passed on as it is, e.g. gpt-5-mini."),
        engine_option("--effort", "E", "Reasoning effort: low, medium, high, ... (default: high)."),
        click.option("--timeout", type=Amount(min=1), help="Seconds that a call may take."),
        click.option("--idle-timeout", type=Amount(min=1), help="Seconds that Codex may be silent."),
        click.option("--dry-run", is_flag=True, help="Show the command line and the prompt; call nothing."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def codex_asker(workspace: Workspace, timeout: float | None, idle_timeout: float | None) -> Asker:
    """Codex with the user's environment and time limits, and nobody listening yet."""
    from git_cto.agents.base import Limits
    from git_cto.agents.codex import Codex
    from git_cto.work.asking import Asker

    plain = Limits()
    said = workspace.settings
    limits = Limits(
        total=timeout or said.number("cto.timeout") or plain.total,
        idle=idle_timeout or said.number("cto.idletimeout") or plain.idle,
    )
    return Asker(Codex(os.environ), limits, lambda _: None)


@contextmanager
def listening(shell: Shell, asker: Asker, model: str) -> Iterator[Asker]:
    """The same engine, with what it does shown while it works."""
    from git_cto.cli.live import activity_line

    with activity_line(f"Codex {model}", quiet=shell.quiet) as on_activity:
        yield replace(asker, on_activity=on_activity)
