"""On a terminal that is narrower than 80 columns, lines are made for it; elsewhere they never depend on one."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios

import click
import pytest

from tests.cli.scenes import changed
from tests.world import World

SAID = "The route is there, but it asks for a login, and no probe that comes without a session can ever reach it."


def on_a_terminal(world: World, columns: int, *argv: str) -> list[str]:
    """The lines that a verb writes on a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = world.process(*argv, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    text = b""
    try:
        while piece := os.read(ours, 4096):
            text += piece
    except OSError:  # how Linux says that nobody has the other end any more
        pass
    finally:
        os.close(ours)
    process.wait(timeout=30)
    lines = click.unstyle(text.decode()).replace("\r", "").rstrip().split("\n")
    return [line for line in lines if not line.startswith("record ")]  # an id stays whole, to be copied


@pytest.mark.parametrize("columns, most", [(50, 50), (200, 80), (0, 80)])
def test_lines_are_as_long_as_the_terminal_allows(world: World, columns: int, most: int) -> None:
    changed(world)
    world.reviewed(verdict="revise", summary=SAID)
    for verb in ("gate", "log", "show"):
        assert max(map(len, on_a_terminal(world, columns, verb))) <= most
    shown = on_a_terminal(world, columns, "show")
    assert SAID in " ".join(" ".join(shown).split())
    assert max(map(len, shown)) > most - 12
    assert max(map(len, world.cto("show").out.splitlines())) > 68


def test_an_error_is_wrapped_at_words_on_a_terminal_and_its_hint_and_long_words_stay_whole(world: World) -> None:
    changed(world)
    long = "nowhere/" + "x" * 60
    for file, words in (("app.py", "app.py holds no record: "), (long, f"{long} cannot be read: ")):
        message, _, hint = world.cto("import", file).err.partition("\nNext: ")
        assert message.startswith(words)
        *lines, last = on_a_terminal(world, 50, "import", file)
        assert last == f"Next: {hint.rstrip()}"
        assert " ".join(lines) == message
        assert (len(lines) == 1) == (file == long)
        assert max(map(len, lines)) <= 50 or file == long
