"""Many processes append at once, and every record is there afterwards."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from git_cto.ledger.notes import RECORDS_REF
from tests.ledger.world import Repo, end, new_repo

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WRITERS = 8


def _printed(writers: Sequence[subprocess.Popen[bytes]]) -> set[bytes]:
    """What the writers were told is kept."""
    told = set[bytes]()
    for code, out, err in map(end, writers):
        assert code == 0, err
        told.update(out.encode().splitlines())
    return told


@pytest.fixture
def quick(env: dict[str, str]) -> Iterator[Repo]:
    """A repository in memory, where there is such a place: each record is waited for until it is on the disk."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield new_repo(Path(folder, "repo"), env)


def test_a_thousand_records_of_eight_processes(quick: Repo) -> None:
    """Case 60: each on a head and a change of its own, and all on one series."""
    told = _printed([quick.writing(f"w{n}", "125", "both") for n in range(WRITERS)])
    assert len(told) == 1000
    assert set(quick.notes.all_lines()) == told
    assert quick.lines("one") == told
    assert quick.lines("head w3 77") == quick.lines("change w3 77") == {one for one in told if one[:6] == b"w3 77 "}
    assert len(list(quick.notes.all_objects())) == 2001
    assert len(quick.run("ls-tree", "-r", "--name-only", f"{RECORDS_REF}:changes").splitlines()) == 1000


def test_without_the_queue_the_swap_alone_keeps_everything(repo: Repo) -> None:
    """The lock cannot be had, as on a file system without locks: a link to itself is in its place."""
    lock = repo.path / ".git" / "git-cto.lock"
    lock.symlink_to(lock)
    told = _printed([repo.writing(f"w{n}", "25", "same") for n in range(4)])
    assert len(told) == 100
    assert repo.lines("one") == repo.lines("two") == told


def test_plain_git_notes_alongside_takes_nothing_for_long(repo: Repo) -> None:
    """`git notes append` does not look before it writes and may drop ours from the notes; the shadow has them."""
    writers = [repo.writing(f"w{n}", "40", "same") for n in range(2)]
    for number in range(100):
        # It fails now and then, when one of ours holds the ref's lock.
        words = ("append", "-m", f"foreign {number}", repo.thing("one"))
        repo.run("notes", f"--ref={RECORDS_REF}", *words, ok=(0, 1, 128))
    told = _printed(writers)
    repo.notes.restore()
    assert told <= repo.lines("one")
    assert told <= repo.lines("two")
    assert any(line.startswith(b"foreign") for line in repo.lines("one"))
