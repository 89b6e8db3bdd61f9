"""A process that appends: `writer.py <repository> <who> <count> different|same|both [line size]`.

A line goes on things of its own, on things that it shares with all others, or on both, as a record does.

Prints one line for each record it was told is kept. LARGEST_FILE (bytes) bounds the files it and its children may
write, RUN_AS (a number) is the user it becomes; both after everything is imported and found.
"""

from __future__ import annotations

import os
import resource
import sys

from git_cto.errors import CtoError
from git_cto.ledger.notes import Notes
from git_cto.repo.change import blob_id
from git_cto.repo.git import Git, discover


def main() -> int:
    repository, who, count, where, *size = sys.argv[1:]
    place = discover(repository, os.environ)
    notes = Notes(Git(place, os.environ))
    _restrict()
    for number in range(int(count)):
        change = f"change {who} {number}".encode()
        names = {
            "same": [b"one", b"two"],
            "different": [f"head {who} {number}".encode(), change],
            "both": [f"head {who} {number}".encode(), change, b"one"],
        }[where]
        objects = [blob_id(name, place.object_format) for name in names]
        line = f"{who} {number} ".encode() + os.urandom(int(size[0] if size else 8)).hex().encode()
        try:
            notes.append(objects, line, {} if where == "same" else {f"changes/{objects[1]}": change})
        except CtoError as error:
            print(f"{error.code}: {error.message}\n{error.hint}", file=sys.stderr)
            return int(error.exit_code)
        print(line.decode(), flush=True)
    return 0


def _restrict() -> None:
    if "LARGEST_FILE" in os.environ:
        most = int(os.environ["LARGEST_FILE"])
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    if "RUN_AS" in os.environ:
        os.setuid(int(os.environ["RUN_AS"]))


if __name__ == "__main__":
    sys.exit(main())
