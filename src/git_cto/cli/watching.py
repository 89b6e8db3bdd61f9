"""Shows what a loop is doing: a live view on a terminal, plain lines elsewhere, JSON lines for programs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Protocol

import click

from git_cto.redaction import printable
from git_cto.render.run import STATES
from git_cto.render.words import elapsed, tokens_words

if TYPE_CHECKING:
    from rich.console import RenderableType

    from git_cto.cli.shell import Shell
    from git_cto.work.progress import Event
    from git_cto.work.runs import Run


class Watcher(Protocol):
    """Gets every event, one at a time; `show` names the run whose tasks are worked on."""

    def __call__(self, event: Event) -> None:
        """One event."""

    def show(self, run: Run) -> None:
        """The run, once it is known."""


@contextmanager
def watching(shell: Shell, *, events: bool) -> Iterator[Watcher]:
    """The watcher that fits where the output goes."""
    if events:
        yield _JsonLines()
    elif shell.quiet:
        yield _Silent()
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.live import Live

        view = _View()
        with Live(get_renderable=view.rendered, console=Console(stderr=True), transient=True, refresh_per_second=6):
            yield view
    else:
        yield _Lines()


class _Silent:
    def __call__(self, event: Event) -> None:
        """Nothing."""

    def show(self, run: Run) -> None:
        """Nothing."""


class _JsonLines:
    def __call__(self, event: Event) -> None:
        click.echo(json.dumps({"schema": "git-cto/event/v1", "at": round(time.time(), 3), **asdict(event)}))

    def show(self, run: Run) -> None:
        """The events name everything."""


class _Lines:
    """One line for each thing that matters, on stderr."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self, event: Event) -> None:
        words = _words(event)
        if words:
            click.echo(f"{elapsed(time.monotonic() - self._began)}  {words}", err=True)

    def show(self, run: Run) -> None:
        click.echo(f"Run {run.id} · {len(run.tasks)} tasks · for {run.target.name}", err=True)


def _words(event: Event) -> str:
    text = printable(event.text)[:160]
    return {
        "planning": f"planning · Codex {text}",
        "planned": f"planned · {text} · {tokens_words(event.tokens)}",
        "started": f"{event.task} started · round {event.round}",
        "ended": f"{event.task} {event.outcome} · {text} · {tokens_words(event.tokens)}",
        "merged": f"{event.task} merged",
        "verifying": f"verifying · {text}",
        "reviewing": f"reviewing · Codex {text} · round {event.round}",
        "verdict": f"{event.outcome} · round {event.round} · {text} · {tokens_words(event.tokens)}",
        "note": text,
    }.get(event.kind, "")


@dataclass
class _Row:
    """One task in the live view."""

    state: str = "waiting"
    doing: str = ""
    began: float | None = None
    ended: float | None = None
    tokens: int = 0


@dataclass
class _View:
    """The live view: a header, a row for each task, and what is done beside them."""

    title: str = "git cto run"
    now: str = "starting"
    rows: dict[str, _Row] = field(default_factory=dict)
    round: int = 1
    tokens: int = 0
    cost: float = 0.0
    began: float = field(default_factory=time.monotonic)

    def show(self, run: Run) -> None:
        self.title = f"Run {run.id} · for {run.target.name}"
        self.rows = {view.task.id: _Row(state=view.state) for view in run.tasks}

    def __call__(self, event: Event) -> None:
        self.round = event.round or self.round
        row = self.rows.setdefault(event.task, _Row()) if event.task else None
        if row is None:
            self.now = _words(event) or printable(event.text)[:70] or self.now
        elif event.kind == "started":
            row.state, row.began, row.ended = "active", time.monotonic(), None
        elif event.kind == "doing":
            row.doing, row.tokens = printable(event.text)[:50], event.tokens or row.tokens
        elif event.kind == "ended":
            row.state, row.ended, row.tokens = event.outcome, time.monotonic(), event.tokens or row.tokens
            row.doing = printable(event.text)[:50]
        if event.kind in {"ended", "verdict", "planned"}:
            self.tokens += event.tokens
            self.cost += event.cost

    def rendered(self) -> RenderableType:
        """What rich draws."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        cost = f" · ${self.cost:.2f}" if self.cost else ""
        total = f"round {self.round} · {elapsed(time.monotonic() - self.began)} · {tokens_words(self.tokens)}{cost}"
        table = Table.grid(padding=(0, 1))
        for task, row in self.rows.items():
            spent = elapsed((row.ended or time.monotonic()) - row.began) if row.began else ""
            tokens = tokens_words(row.tokens) if row.tokens else ""
            table.add_row(f"  {STATES[row.state]}", task, row.state, Text(row.doing, no_wrap=True), spent, tokens)
        head = Text(f"{self.title} · {total}", no_wrap=True, overflow="ellipsis")
        return Group(head, table, Text(f"  {self.now}", no_wrap=True, overflow="ellipsis"))
