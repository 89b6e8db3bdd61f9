"""What an engine is doing, as one live line on a terminal and as plain lines elsewhere. On stderr, always."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from git_cto.redaction import printable
from git_cto.render.lines import cut, page, width
from git_cto.render.words import elapsed, tokens_words

if TYPE_CHECKING:
    from rich.text import Text

    from git_cto.agents.base import Activity, OnActivity


@contextmanager
def activity_line(title: str, *, quiet: bool) -> Iterator[OnActivity]:
    """Yields what an engine is to be given as `on_activity`. `title` says who is at work, e.g. `Codex gpt-5.4`."""
    if quiet:
        yield lambda _: None
    elif sys.stderr.isatty():
        with _live(title) as on_activity:
            yield on_activity
    else:
        yield _plain(title)


def _plain(title: str) -> OnActivity:
    began = time.monotonic()
    last = ""

    def on_activity(activity: Activity) -> None:
        nonlocal last
        text = printable(activity.text)[:100]
        if text and text != last:
            last = text
            tokens = f" · {tokens_words(activity.tokens)}" if activity.tokens else ""
            after = f" · {elapsed(time.monotonic() - began)}{tokens}"
            click.echo(cut(f"{title} · {text}", page() - width(after)) + after, err=True)

    return on_activity


class _Line:
    """The live line; drawn again and again while it is shown, so the clock moves without events."""

    def __init__(self, title: str) -> None:
        from rich.spinner import Spinner  # start-up: only on a terminal, while a model is at work

        self._title = title
        self._began = time.monotonic()
        self._spinner = Spinner("dots")
        self.doing, self.tokens = "starting", 0

    def __rich__(self) -> Text:
        from rich.text import Text

        frame = self._spinner.render(time.monotonic() - self._began)
        mark = frame.plain if isinstance(frame, Text) else ""
        parts = [self._title, self.doing, elapsed(time.monotonic() - self._began)]
        if self.tokens:
            parts.append(tokens_words(self.tokens))
        return Text(f"{mark} " + " · ".join(parts), no_wrap=True, overflow="ellipsis")


@contextmanager
def _live(title: str) -> Iterator[OnActivity]:
    from rich.console import Console  # start-up: only on a terminal, while a model is at work
    from rich.live import Live

    line = _Line(title)

    def on_activity(activity: Activity) -> None:
        line.doing = printable(activity.text)[:60] or line.doing
        line.tokens = activity.tokens or line.tokens

    with Live(line, console=Console(stderr=True), transient=True, refresh_per_second=8):
        yield on_activity
