"""Shows what a loop is doing: a live view on a terminal, plain lines elsewhere, JSON lines for programs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import click

from git_cto.redaction import printable
from git_cto.render.lines import cut, filled, page
from git_cto.render.run import STATES
from git_cto.render.words import counted, elapsed, tokens_words

if TYPE_CHECKING:
    from rich.console import RenderableType

    from git_cto.cli.shell import Shell
    from git_cto.work.progress import Event, Progress
    from git_cto.work.runs import Run


class Watcher(Protocol):
    """Gets every event, one at a time."""

    def __call__(self, event: Event) -> None:
        """One event."""

    def show(self, run: Run, progress: Progress) -> None:
        """The run whose tasks are worked on, once it is known, and what it takes."""

    def aside(self) -> AbstractContextManager[None]:
        """Out of the way meanwhile: somebody is asked something."""


@contextmanager
def watching(shell: Shell, *, events: bool) -> Iterator[Watcher]:
    """The watcher that fits where the output goes."""
    if events:
        yield _JsonLines(shell)
    elif shell.quiet:
        yield _Silent()
    elif sys.stderr.isatty():
        view = _View()
        with view.shown():
            yield view
    else:
        yield _Lines()


class _Silent:
    def __call__(self, event: Event) -> None:
        """Nothing."""

    def show(self, run: Run, progress: Progress) -> None:
        """Nothing."""

    def aside(self) -> AbstractContextManager[None]:
        return nullcontext()


class _JsonLines(_Silent):
    """One document for each event, on stdout; the events name everything."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def __call__(self, event: Event) -> None:
        from git_cto.work.documents.runs import event_document

        self._shell.line(event_document(event, time.time()))


class _Lines(_Silent):
    """One line for each thing that matters, on stderr."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self, event: Event) -> None:
        words = _words(event)
        if words:
            click.echo(filled(f"{elapsed(time.monotonic() - self._began)}  ", words, 6), err=True)

    def show(self, run: Run, progress: Progress) -> None:  # noqa: ARG002 -- the shape of a `Watcher`
        said = f"{counted(len(run.tasks), 'task')} · from {run.plan_record.start[:7]} · for {run.target.name}"
        click.echo(filled(f"Run {run.id} · ", said, 4), err=True)


def _words(event: Event) -> str:
    text = printable(event.text)[: 600 if event.kind == "note" else 160]
    tokens = f" · {tokens_words(event.tokens)}" if event.tokens else ""
    return {
        "planning": f"planning · Codex {text}",
        "planned": f"planned · {text}{tokens}",
        "started": f"{event.task} started · round {event.round}",
        "ended": f"{event.task} {event.outcome} · {text}{tokens}",
        "merged": f"{event.task} merged",
        "verifying": f"verifying · {text}",
        "reviewing": f"reviewing · Codex {text} · round {event.round}",
        "verdict": f"{event.outcome} · round {event.round} · {text}{tokens}",
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

    def line(self, task: str, widest: int) -> str:
        """The row as text that fits: what is being done gives way to the rest."""
        spent = elapsed((self.ended or time.monotonic()) - self.began) if self.began else ""
        tokens = tokens_words(self.tokens) if self.tokens else ""
        left = f"  {STATES.get(self.state, '·')} {task:<{widest}}  {self.state:<7}  "
        right = "  ".join(filter(None, (spent, tokens)))
        room = max(page() - 1 - len(left) - len(right) - 2, 0)
        doing = cut(self.doing, room) if room > 3 else ""
        return cut(f"{left}{doing}{'  ' if doing and right else ''}{right}", page() - 1)


@dataclass
class _View:
    """The live view: a header, a row for each task, and what is done beside them. Gone at the end."""

    title: str = "git cto run"
    now: str = "starting"
    rows: dict[str, _Row] = field(default_factory=dict)
    round: int = 1
    progress: Progress | None = None
    began: float = field(default_factory=time.monotonic)

    @contextmanager
    def shown(self) -> Iterator[None]:
        self._start()
        try:
            yield
        finally:
            self._live.stop()

    def _start(self) -> None:
        from rich.console import Console
        from rich.live import Live

        console = Console(stderr=True)
        self._live = Live(get_renderable=self.rendered, console=console, transient=True, refresh_per_second=6)
        self._live.start()

    @contextmanager
    def aside(self) -> Iterator[None]:
        self._live.stop()
        try:
            yield
        finally:
            self._start()  # anew: the old one would draw over as many lines as it had before

    def show(self, run: Run, progress: Progress) -> None:
        self.title = f"Run {run.id} · for {printable(run.target.name)}"
        self.rows = {view.task.id: _Row(state=view.state) for view in run.tasks}
        self.progress = progress

    def __call__(self, event: Event) -> None:
        self.round = event.round or self.round
        row = self.rows.setdefault(event.task, _Row()) if event.task else None
        if row is None or event.kind == "note":
            self.now = _words(event) or printable(event.text) or self.now
        elif event.kind == "started":
            row.state, row.began, row.ended = "active", time.monotonic(), None
        elif event.kind == "doing":
            row.doing, row.tokens = printable(event.text), event.tokens or row.tokens
        elif event.kind == "ended":
            row.state, row.ended, row.tokens = event.outcome, time.monotonic(), event.tokens or row.tokens
            row.doing = printable(event.text)

    def rendered(self) -> RenderableType:
        """What rich draws."""
        from rich.text import Text

        tokens, cost = (self.progress.tokens, self.progress.cost) if self.progress else (0, 0.0)
        money = f" · ${cost:.2f}" if cost else ""
        total = f"round {self.round} · {elapsed(time.monotonic() - self.began)} · {tokens_words(tokens)}{money}"
        widest = min(max(map(len, self.rows), default=0), 24)
        rows = [row.line(cut(task, 24), widest) for task, row in list(self.rows.items())]
        lines = [cut(self.title, page() - 1), cut(f"  {total}", page() - 1), *rows, cut(f"  {self.now}", page() - 1)]
        return Text("\n".join(lines), no_wrap=True, overflow="crop")
