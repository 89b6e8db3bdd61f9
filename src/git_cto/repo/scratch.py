"""Temporary files of a process that may be killed: in a folder that the next one removes.

The system's own folder for such files is emptied by nobody on many machines, and a loop makes a few for every task.
"""

from __future__ import annotations

import os
import re
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from git_cto.errors import ToolError
from git_cto.repo.worktrees import erase, locked, state

_OLD = 24 * 3600.0  # seconds; nothing that makes a folder of `_BRIEF` outside of here lives that long
_BRIEF = re.compile(r"git-cto-(lens|sign)-[0-9a-f]{16}")  # of `lens.private_folder`


@contextmanager
def scratch() -> Iterator[None]:
    """Temporary files go to a folder of this process meanwhile; those of processes that have died are removed."""
    system = os.path.realpath(tempfile.gettempdir())
    base = state() / "tmp"
    _sweep(base)
    _sweep_brief(Path(system))
    place = base / f"{os.getpid()}-{secrets.token_hex(4)}"
    lock = None
    with suppress(OSError, ToolError):  # no room there: then in the system's own
        lock = locked(place)
    before, tempfile.tempdir = tempfile.tempdir, str(place) if lock else system
    try:
        yield
    finally:
        tempfile.tempdir = before
        if lock:
            erase(place)
            lock.close()
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


def _sweep_brief(top: Path) -> None:
    """Removes what commands that were killed have left, which take seconds and whose folders nobody holds a lock of."""
    with suppress(OSError):
        for entry in [one for one in os.scandir(top) if _BRIEF.fullmatch(one.name)]:
            seen = entry.stat(follow_symlinks=False)
            ours = entry.is_dir(follow_symlinks=False) and seen.st_uid == os.getuid()
            if ours and time.time() - seen.st_mtime > _OLD:
                erase(Path(entry.path))
