"""Verifying one revision beside the gate, and auditing a long history: commits a second, and how much memory.

The history is 10,000 landings of one file each, every one with an approval of its own in the ledger; some are merges
and some are squashed. Signed approvals cost processes of ssh-keygen, so that a shorter history of them is measured.
"""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

from msgspec.structs import replace

from benchmarks.common import GIT_CTO, Row, in_turns, peak, print_table, world
from git_cto.ledger.records import decode_all, encode, seal
from git_cto.ledger.signing import chosen_key, read_config, signed
from git_cto.ledger.store import Ledger
from git_cto.model import Subject, VerdictRecord
from git_cto.repo.git import Git, discover
from git_cto.repo.landings import Row as Landed
from git_cto.repo.landings import landings
from git_cto.repo.lens import Lens

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.common import World
    from git_cto.model import Record

TARGET = 2.0  # a verification, beside the gate
TARGET_OF_MEMORY = 1.2  # ten times the history, beside the history
MANY, FEW, SIGNED = 10_000, 1_000, 300
RECORDS = "refs/notes/cto-records"
KEY = "GIT_CTO_SIGNING_KEY"


def main(*, quick: bool = False) -> None:
    """Prints the tables."""
    _verify(3 if quick else 31)
    _audit(500 if quick else MANY, 100 if quick else FEW, 20 if quick else SIGNED)


def _verify(turns: int) -> None:
    with world() as where:
        environ = _with_signer(where)
        with_key = replace_environ(where, environ)
        with_key.approve()
        found = in_turns(
            {
                "gate": lambda: with_key.spent(GIT_CTO, "gate"),
                "verify": lambda: with_key.spent(GIT_CTO, "verify"),
            },
            turns,
        )
    rows = [found.row("gate"), found.row("verify", "gate", TARGET)]
    print_table("A proof beside the gate's answer, one signed approval of 20 files", rows)


def replace_environ(where: World, environ: dict[str, str]) -> World:
    """The same world for somebody with another environment."""
    return type(where)(where.home, where.repo, environ)


def _with_signer(where: World, trust: str = "signed") -> dict[str, str]:
    """A key that may sign, listed on main together with a policy; and the environment that has it."""
    key = where.home / "key"
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "rex", "-f", str(key)]
    subprocess.run(argv, check=True)
    public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
    where.git("switch", "--quiet", "main")
    folder = where.repo / ".cto"
    folder.mkdir()
    (folder / "allowed_signers").write_text(f'rex@example.org namespaces="git-cto.verdict.v1" {public}\n')
    (folder / "config.toml").write_text(f'[gate]\ntrust = "{trust}"\n')
    where.git("add", "--all")
    where.git("commit", "--quiet", "-m", "Signed records only")
    where.git("switch", "--quiet", "topic")
    where.git("rebase", "--quiet", "main")
    return {**where.environ, KEY: key.read_text()}


def _audit(many: int, few: int, some: int) -> None:
    rows = []
    with world() as where:
        environ = _with_signer(where, "local")
        replace_environ(where, environ).approve()
        where.git("switch", "--quiet", "main")
        _land(where, many)
        _approve_all(where, environ, signatures=False)
        seconds = _run(where, many, "--local")
        memory_of_few, memory = (_memory(where, count, "--local") for count in (few, many))
        rows.append(Row(f"{many:,} landings, unsigned approvals", f"{many / seconds:,.0f} commits/s"))
        rows.append(Row(f"memory of {few:,} landings", f"{memory_of_few:.0f} MB"))
        rows.append(Row(f"memory of {many:,} landings", f"{memory:.0f} MB", memory / memory_of_few, TARGET_OF_MEMORY))
        _approve_all(where, environ, signatures=True, most=some)
        seconds = _run(where, some)
        rows.append(Row(f"{some:,} landings, signed approvals", f"{some / seconds:,.0f} commits/s"))
    print_table("Auditing what has landed", rows)


def _land(where: World, count: int) -> None:
    """Lands that many changes on main, every fourth by a merge."""
    where.git("fast-import", "--quiet", "--force", data=b"".join(_history(where.git("rev-parse", "main"), count)))
    where.git("reset", "--quiet", "--hard", "main")


def _history(onto: str, count: int) -> Iterator[bytes]:
    previous = onto.encode()
    for number in range(count):
        # An hour apart: where all have one time git walks the whole history to say what is not in a commit.
        who = b"Ada <ada@example.org> %d +0000" % (1_700_000_000 + 3600 * (number - count))
        text = b"def answer():\n    return %d\n" % number
        change = b"M 100644 inline src/landed/m%d.py\ndata %d\n%b\n" % (number % 500, len(text), text)
        mark, side = b":%d" % (2 * number + 1), b":%d" % (2 * number + 2)
        if number % 4 == 0:
            yield b"commit refs/bench/side\nmark %b\ncommitter %b\ndata 4\nSide\nfrom %b\n%b" % (
                side,
                who,
                previous,
                change,
            )
            merge = b"merge %b\n" % side
        else:
            merge = b""
        yield b"commit refs/heads/main\nmark %b\ncommitter %b\ndata 4\nLand\nfrom %b\n%b%b" % (
            mark,
            who,
            previous,
            merge,
            change,
        )
        previous = mark


def _approve_all(where: World, environ: dict[str, str], *, signatures: bool, most: int | None = None) -> None:
    """Gives every landing an approval of its own, like the one that the real Codex gave."""
    place = discover(str(where.repo), where.environ)
    git = Git(place, where.environ)
    key = chosen_key(read_config(git), environ, str(where.repo))
    assert key is not None
    template = next(one for one in decode_all(Ledger(git).lines()) if isinstance(one.body, VerdictRecord))
    lines: list[tuple[str, bytes]] = []
    with Lens(place, where.environ) as lens:
        for landing in landings(lens, where.git("rev-parse", "main")):
            if most is not None and len(lines) == most:
                break
            if not landing.onto or not landing.files:
                continue
            change = Landed(landing).change(place.object_format)
            record = _approval(
                template,
                Subject(head=landing.commit, tree=change.tree, change=change.id, sha256=change.sha256),
                change.base,
            )
            made = (signed(key, record.payload, environ).signature,) if signatures else ()
            lines.append((change.id, seal(record.payload, made)))
    who = "Ada <ada@example.org> 1700000000 +0000"
    parts = [f"commit refs/bench/ledger\ncommitter {who}\ndata 4\nmany\nfrom {RECORDS}^0\n".encode()]
    for oid, line in lines:
        parts.append(
            f"M 100644 inline {oid[:2]}/{oid[2:4]}/{oid[4:]}\ndata {len(line) + 1}\n".encode() + line + b"\n\n"
        )
    where.git("fast-import", "--quiet", "--force", data=b"".join(parts))
    for ref in (RECORDS, "refs/cto/records"):
        where.git("update-ref", ref, "refs/bench/ledger")


def _approval(template: Record, subject: Subject, base: str) -> Record:
    body = template.body
    assert isinstance(body, VerdictRecord)
    coverage = replace(body.coverage, files=1, full=1)
    review = replace(body.review, head=subject.head)
    return encode(subject, replace(body, review=review, coverage=coverage, merge_base=base, target_commit=base))


def _run(where: World, count: int, *options: str) -> float:
    """Seconds that an audit of the last so many landings takes."""
    began = time.perf_counter()
    with subprocess.Popen(_argv(count, options), cwd=where.repo, env=where.environ, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        landed = sum(b'"approved"' in line for line in process.stdout)
    seconds = time.perf_counter() - began
    _all_approved(landed, count, process.returncode)
    return seconds


def _memory(where: World, count: int, *options: str) -> float:
    """Megabytes of their own that such an audit and all that it starts hold, watched apart: watching costs time."""
    seen = peak(_argv(count, options), where.repo, where.environ)
    _all_approved(sum('"approved"' in line for line in seen.out.splitlines()), count, seen.code)
    return seen.private


def _argv(count: int, options: Sequence[str]) -> list[str]:
    return [GIT_CTO, "audit", f"main~{count}..main", "--events", *options]


def _all_approved(landed: int, count: int, code: int) -> None:
    if landed != count or code != 0:
        raise SystemExit(f"{landed} of {count} landings were found approved (exit {code})")
