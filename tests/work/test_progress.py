"""What a loop is doing: told to whoever watches, in measure."""

from __future__ import annotations

from git_cto.agents.base import Activity
from git_cto.work.progress import Event, Progress


def test_of_a_flood_of_words_only_some_are_told_and_the_other_tasks_are_heard() -> None:
    """Telling takes longer than printing: it would hold up whoever prints."""
    told: list[Event] = []
    progress = Progress(told.append)
    for number in range(10_000):
        progress.doing("t1", Activity(text=f"line {number}"))
    progress.doing("t2", Activity(text="mine"))
    assert 20 <= len(told) < 1_000
    assert (told[0].text, told[-1].text) == ("line 0", "mine")
