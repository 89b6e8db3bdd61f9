"""Temporary files of a process that may be killed: in a folder that the next one removes.

The system's own folder for such files is emptied by nobody on many machines, and a loop makes a few for every task.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from git_cto.repo.worktrees import erase, locked


@contextmanager
def scratch() -> Iterator[None]:
    """Temporary files go to a folder of this process meanwhile; those of processes that have died are removed."""
    from platformdirs import user_state_path  # noqa: PLC0415 -- start-up: only where it is used

    base = user_state_path("git-cto", appauthor=False) / "tmp"
    _sweep(base)
    place = base / f"{os.getpid()}-{secrets.token_hex(4)}"
    lock = None
    with suppress(OSError):  # no room there: then in the system's own
        lock = locked(place)
    if lock is None:
        yield
        return
    before, tempfile.tempdir = tempfile.tempdir, str(place)
    with lock:
        try:
            yield
        finally:
            tempfile.tempdir = before
            erase(place)
            _sweep(base)  # again: a child that was just being started when its parent was killed held the lock
            with suppress(OSError):
                base.rmdir()


def _sweep(base: Path) -> None:
    with suppress(OSError):
        for place in list(base.iterdir()):
            lock = locked(place, tries=1)
            if lock is not None:  # else its process lives
                with lock:
                    erase(place)
