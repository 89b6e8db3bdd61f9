"""Appends per second beside plain `git notes append`, and what each of them lost.

Eight processes write at once: each on two objects of its own, as two people's reviews do, and all on the same two,
as the rounds of one series do. Both ways write the same lines, one after the other and in turns, on this machine.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from git_cto.ledger.notes import RECORDS_REF, Notes
from git_cto.repo.change import blob_id
from git_cto.repo.git import Git, discover

if TYPE_CHECKING:
    from collections.abc import Iterator

WRITERS = 8
EACH = 25
TURNS = 3
LINE = 4000  # bytes, what a verdict with a few findings takes


@dataclass(frozen=True)
class Outcome:
    """Of one turn: lines asked for on either object, lines found on both, seconds, and each append's seconds."""

    asked: int
    kept: int
    seconds: float
    each: list[float]


def main() -> None:
    """Prints the table."""
    print(f"Ledger appends: {WRITERS} processes, {EACH} records of {LINE} bytes each, on two objects")
    print(f"Medians of {TURNS} turns\n")
    print("objects    writer               records/s   ms per append (median, worst)   lost")
    for where in ("different", "same"):
        turns = [(_turn("plain", where), _turn("git-cto", where)) for _ in range(TURNS)]
        plain, ours = ([turn[side] for turn in turns] for side in (0, 1))
        _print_row(where, "git notes append", plain)
        _print_row(where, "git-cto", ours)
        print(f"{where:<10} records kept per second, git-cto / git notes append: {_rate(ours) / _rate(plain):.2f}\n")


def _rate(turns: list[Outcome]) -> float:
    return statistics.median(turn.kept / turn.seconds for turn in turns)


def _print_row(where: str, writer: str, turns: list[Outcome]) -> None:
    written = statistics.median(turn.asked / turn.seconds for turn in turns)
    usual = statistics.median(seconds for turn in turns for seconds in turn.each) * 1000
    worst = max(seconds for turn in turns for seconds in turn.each) * 1000
    lost, asked = (sum(value) for value in zip(*((turn.asked - turn.kept, turn.asked) for turn in turns), strict=True))
    print(f"{where:<10} {writer:<18} {written:>11.0f} {usual:>18.0f} {worst:>11.0f} {lost:>11} of {asked}")


def _turn(writer: str, where: str) -> Outcome:
    with _repository() as git:
        argv = [sys.executable, "-m", "benchmarks.ledger", writer, where, git.place.git_dir]
        begin = time.perf_counter()
        running = [
            subprocess.Popen([*argv, str(number)], stdout=subprocess.PIPE, text=True) for number in range(WRITERS)
        ]
        each = [float(seconds) for process in running for seconds in process.communicate()[0].split()]
        seconds = time.perf_counter() - begin
        return Outcome(WRITERS * EACH, _kept(git, where), seconds, each)


@contextlib.contextmanager
def _repository() -> Iterator[Git]:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "init", "--quiet", "--bare", folder], check=True)
        yield Git(discover(folder, os.environ), os.environ)


def _objects(where: str, number: int, turn: int) -> list[str]:
    names = ["head", "change"] if where == "same" else [f"head {number} {turn}", f"change {number} {turn}"]
    return [blob_id(name.encode(), "sha1") for name in names]


def _line(number: int, turn: int) -> bytes:
    return f"{number} {turn} ".encode().ljust(LINE, b"x")


def _kept(git: Git, where: str) -> int:
    """How many lines are on both objects that they were put on."""
    notes, kept = Notes(git), 0
    with git.objects() as reader:
        for number in range(WRITERS):
            for turn in range(EACH):
                line = _line(number, turn)
                kept += all(line in notes.read([one], reader) for one in _objects(where, number, turn))
    return kept


def _write(writer: str, where: str, git_dir: str, number: int) -> None:
    """One process; prints the seconds of each append."""
    git = Git(discover(git_dir, os.environ), os.environ)
    notes = Notes(git)
    for turn in range(EACH):
        begin = time.perf_counter()
        objects, line = _objects(where, number, turn), _line(number, turn)
        if writer == "git-cto":
            notes.append(objects, line)
        else:
            for one in objects:
                who = ("-c", "user.name=x", "-c", "user.email=x@localhost")
                git.attempt(*who, "notes", f"--ref={RECORDS_REF}", "append", "-F", "-", one, data=line)
        print(time.perf_counter() - begin)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        _write(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
