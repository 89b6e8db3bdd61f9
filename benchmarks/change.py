"""A change and its canonical patch beside git's own patch of the same, and the memory that a 200 MB change takes.

The change of the first table has 2,000 files and 200,000 changed lines. Both ways take turns, on the same repository,
in one go. The memory is that of `git cto review` and everything it starts, together, at the worst moment.
"""

from __future__ import annotations

import os
import random
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from benchmarks.common import PYTHON, Peak, Row, in_turns, milliseconds, peak, print_table
from git_cto.repo.change import identify
from git_cto.repo.git import discover
from git_cto.repo.lens import Lens
from git_cto.repo.patch import view

FILES = 2_000
LINES = 150  # of each file, of which
CHANGED = 50  # are replaced: 100,000 lines go and 100,000 come
TURNS = 15
BUDGET = 500_000  # bytes of patch and content, the default policy's
LARGE = 200 << 20

TIME_TARGET = 2.0  # times git's own patch
MEMORY_TARGET = 300.0  # MB

Files = Iterable[tuple[str, bytes]]


# ---- repositories --------------------------------------------------------------------------------------------------


def repository(folder: Path, base: Files, topic: Files) -> Path:
    """A repository whose branch main holds `base`, and whose branch topic, checked out nowhere, adds `topic`."""
    subprocess.run(["git", "init", "-q", "--initial-branch=main", str(folder)], check=True)
    argv = ["git", "-C", str(folder), "-c", "core.compression=0", "fast-import", "--quiet", "--depth=0"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        for ref, start, files in (("main", b"", base), ("topic", b"from refs/heads/main\n", topic)):
            process.stdin.write(b"commit refs/heads/%s\ncommitter A <a@b> 1700000000 +0000\n" % ref.encode())
            process.stdin.write(b"data 0\n" + start)
            for path, content in files:
                process.stdin.write(b"M 100644 inline %s\ndata %d\n" % (path.encode(), len(content)))
                process.stdin.write(content)
                process.stdin.write(b"\n")
        process.stdin.close()
        if process.wait() != 0:
            raise RuntimeError("git fast-import failed")
    return folder


def _many(folder: Path) -> Path:
    """2,000 files of which 50 lines in 150 are replaced, packed as git packs them."""
    rng = random.Random(1)
    words = ["alpha = beta", "return value", "if not found:", "self.count += 1", "for one in many:", "raise Wrong"]

    def line() -> str:
        return f"    {rng.choice(words)}  # {rng.randrange(10**6)}"

    old, new = [], []
    for number in range(FILES):
        lines = [line() for _ in range(LINES)]
        path = f"src/package{number % 40}/module{number}.py"
        old.append((path, "\n".join([*lines, ""]).encode()))
        for place in rng.sample(range(LINES), CHANGED):
            lines[place] = line()
        new.append((path, "\n".join([*lines, ""]).encode()))
    made = repository(folder, old, new)
    subprocess.run(["git", "-C", str(made), "repack", "-adq"], check=True)
    return made


def text(size: int, seed: int = 0) -> bytes:
    """Lines of text, `size` bytes of them."""
    block = b"".join(b"%08d the quick brown fox jumps over the lazy dog %d\n" % (n, seed) for n in range(1_000))
    return (block * (size // len(block) + 1))[: size - 1] + b"\n"


def large_shapes() -> Mapping[str, tuple[Files, Files]]:
    """Changes of 200 MB in the shapes that cost differently: the files of main and of topic."""
    many, size = 200, LARGE // 200
    eight = 8 << 20
    short = b"".join(b"%x\n" % (n * 7919 % 97) for n in range(249_000))
    return {
        "200 new files of 1 MB": ([("a", b"a\n")], ((f"new{n}.txt", text(size, n)) for n in range(many))),
        "one new file of 200 MB": ([("a", b"a\n")], [("new.txt", text(LARGE))]),
        "12 files of 8 MB, each line replaced": (
            ((f"f{n}.txt", text(eight)) for n in range(12)),
            ((f"f{n}.txt", text(eight, 1)) for n in range(12)),
        ),
        "200 files of 249,000 short lines": (
            ((f"f{n}.txt", short) for n in range(200)),
            ((f"f{n}.txt", short[2:] + b"%d\n" % n) for n in range(200)),
        ),
    }


# ---- measuring -----------------------------------------------------------------------------------------------------


def _tip(folder: Path, name: str) -> str:
    argv = ["git", "rev-parse", name]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def _plain(folder: Path) -> float:
    argv = ["git", "diff-tree", "-r", "-p", _tip(folder, "main"), _tip(folder, "topic")]
    began = time.perf_counter()
    subprocess.run(argv, cwd=folder, capture_output=True, check=True)
    return time.perf_counter() - began


def _ours(folder: Path) -> float:
    """Identity, classification, patch and content."""
    main, topic = _tip(folder, "main"), _tip(folder, "topic")
    began = time.perf_counter()
    with Lens(discover(str(folder), os.environ), os.environ) as lens:
        change = identify(lens, main, topic)
        shown = view(lens, change, max_bytes=BUDGET, summarise=lambda _: False)
    assert shown.coverage.files == FILES
    return time.perf_counter() - began


def reviewed(folder: Path, *options: str, environ: Mapping[str, str] | None = None) -> Peak:
    """`git cto review` of the branch topic, watched."""
    return peak([PYTHON, "-m", "git_cto", "review", "--head", "topic", "--json", *options], folder, environ)


# ---- telling -------------------------------------------------------------------------------------------------------


def main(*, quick: bool = False) -> None:
    """Prints the table."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="git-cto-bench-") as where:
        folder = _many(Path(where, "many"))
        plain, ours = "git diff-tree -p", "identify and show"
        found = in_turns({plain: lambda: _plain(folder), ours: lambda: _ours(folder)}, 1 if quick else TURNS)
        rows += [
            Row(f"{plain}: {FILES:,} files, {2 * CHANGED * FILES:,} lines", milliseconds(found.median(plain))),
            Row(ours, milliseconds(found.median(ours)), found.ratio(ours, plain), TIME_TARGET),
        ]
        shapes = list(large_shapes().items())
        for number, (name, (base, topic)) in enumerate(shapes[:1] if quick else shapes):
            seen = reviewed(repository(Path(where, f"large{number}"), base, topic), "--dry-run")
            row = f"git cto review, refused: 200 MB, {name}"
            rows.append(Row(row, f"{seen.seconds:.1f} s", seen.megabytes, MEMORY_TARGET, "MB"))
    print_table("A large change, beside git's own patch; memory of all processes together", rows)
