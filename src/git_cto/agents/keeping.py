"""What an agent printed, kept line by line for people to look at later: up to a size, since nothing rests on it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

LARGEST = 8 << 20  # bytes
_LEFT_OUT = b'{"type": "git-cto", "note": "what was printed after this is left out: it was too much"}\n'


class Printed(AbstractContextManager["Printed"]):
    """The file `events.jsonl` of one call. A context manager."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._room = LARGEST

    def add(self, line: bytes) -> None:
        """One line, as far as there is room; the first that does not fit is the last that is said to be left out."""
        if self._room < 0:
            return
        self._room -= len(line) + 1
        self._file.write(_LEFT_OUT if self._room < 0 else line + b"\n")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
