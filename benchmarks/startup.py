"""Start-up: what a person or a hook waits for before git-cto does anything, beside bare Python."""

from __future__ import annotations

from benchmarks.common import GIT_CTO, PYTHON, Row, in_turns, milliseconds, print_table, world

TARGET = 6.0


def main(*, quick: bool = False) -> None:
    """Prints the table."""
    with world() as where:
        bare, version, via_git, usage = "python -c pass", "git-cto --version", "git cto --version", "git-cto -h"
        found = in_turns(
            {
                bare: lambda: where.seconds(PYTHON, "-c", "pass"),
                version: lambda: where.seconds(GIT_CTO, "--version"),
                via_git: lambda: where.seconds("git", "cto", "--version"),
                usage: lambda: where.seconds(GIT_CTO, "-h"),
            },
            3 if quick else 41,
        )
    rows = [
        Row(bare, milliseconds(found.median(bare))),
        Row(version, milliseconds(found.median(version)), found.ratio(version, bare), TARGET),
        Row(via_git, milliseconds(found.median(via_git)), found.ratio(via_git, bare)),
        Row(usage, milliseconds(found.median(usage)), found.ratio(usage, bare)),
    ]
    print_table("Start-up, beside bare Python", rows)
