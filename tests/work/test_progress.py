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


def test_a_note_is_told_once_whoever_says_it_and_in_any_flood() -> None:
    told: list[Event] = []
    progress = Progress(told.append)
    for number in range(1_000):
        progress.doing("t1", Activity(text=f"line {number}"))
    for task in ("t1", "t2"):
        progress.doing(task, Activity(text="more", note="mind this"))
    progress.doing("t2", Activity(text="more", note="and this"))
    assert [event.text for event in told if event.kind == "note"] == ["mind this", "and this"]
