"""The gate: what a push waits for, beside bare Python, and whether it notices how large the ledger is.

The change (20 files) was approved by the real Codex and a scripted model, so the gate reads the record, judges it
again and opens. The large ledger holds 100,000 other records of the size of a small verdict, on objects of their own:
once written as git-cto does it, once rewritten by `git notes` with its own idea of folders.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from benchmarks.common import GIT_CTO, PYTHON, in_turns, print_table, world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.common import Spent, World

TARGET, TARGET_OF_SIZE = 8.0, 1.2
FEW, MANY = 10, 100_000
RECORDS = "refs/notes/cto-records"
LINE = 1500  # bytes


def main(*, quick: bool = False) -> None:
    """Prints the table."""
    large = MANY // 20 if quick else MANY
    with world() as where:
        where.approve()
        approved = where.git("rev-parse", RECORDS)
        ledgers = {}
        for name, count in (("few", FEW), ("many", large)):
            ledgers[name] = fill(where, approved, count)
            ledgers[f"{name}, git's folders"] = _rewritten(where, ledgers[name])
        bare, via_git = "python -c pass", f"git cto gate, {FEW} records"
        names = {
            "few": f"git-cto gate, {FEW} records",
            "many": f"git-cto gate, {large:,} records",
            "few, git's folders": f"git-cto gate, {FEW} records, folders as git notes makes them",
            "many, git's folders": f"git-cto gate, {large:,} records, folders as git notes makes them",
        }

        def gate(ledger: str, *program: str) -> Callable[[], Spent]:
            def run() -> Spent:
                where.git("update-ref", RECORDS, ledgers[ledger])
                return where.spent(*program, "gate")

            return run

        found = in_turns(
            {
                bare: lambda: where.spent(PYTHON, "-c", "pass"),
                **{names[ledger]: gate(ledger, GIT_CTO) for ledger in ledgers},
                via_git: gate("few", "git", "cto"),
            },
            3 if quick else 31,
        )
    few, few_git = names["few"], names["few, git's folders"]
    many, many_git = names["many"], names["many, git's folders"]
    rows = [found.row(bare), found.row(few, bare, TARGET), found.row(via_git, bare)]
    print_table("The gate opens, beside bare Python", rows)
    rows = [found.row(few), found.row(many, few, TARGET_OF_SIZE)]
    rows += [found.row(few_git), found.row(many_git, few_git, TARGET_OF_SIZE)]
    print_table("The gate with a large ledger, beside a small one", rows)


def fill(where: World, onto: str, count: int) -> str:
    """A notes commit with `count` more records than `onto`, each on an object of its own, written in one go."""
    ref = f"refs/bench/{count}"
    where.git("fast-import", "--quiet", "--force", data=b"".join(_stream(ref, onto, count)))
    return where.git("rev-parse", ref)


def _stream(ref: str, onto: str, count: int) -> Iterator[bytes]:
    yield f"commit {ref}\ncommitter Ada <ada@example.org> 1700000000 +0000\ndata 4\nmany\nfrom {onto}\n".encode()
    for number in range(count):
        seed = hashlib.sha256(str(number).encode()).digest()
        oid = seed[:20].hex()
        line = b'{"payload":"%b","payloadType":"x"}\n' % base64.b64encode(seed * (LINE // 43))
        yield f"M 100644 inline {oid[:2]}/{oid[2:4]}/{oid[4:]}\ndata {len(line)}\n".encode() + line + b"\n"


def _rewritten(where: World, commit: str) -> str:
    """The same notes as git itself arranges them when it adds one."""
    where.git("update-ref", "refs/notes/bench", commit)
    blob = where.git("hash-object", "-w", "--stdin", data=b"something else\n")
    where.git("notes", "--ref=bench", "add", "-m", "{}", blob)
    return where.git("rev-parse", "refs/notes/bench")
