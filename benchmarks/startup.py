"""Start-up: what a person or a hook waits for before git-cto does anything, beside bare Python."""

from __future__ import annotations

from benchmarks.common import GIT_CTO, PYTHON, in_turns, print_table, world

TARGET = 6.0


def main(*, quick: bool = False) -> None:
    """Prints the table."""
    with world() as where:
        bare, version, via_git, usage = "python -c pass", "git-cto --version", "git cto --version", "git-cto -h"
        found = in_turns(
            {
                bare: lambda: where.spent(PYTHON, "-c", "pass"),
                version: lambda: where.spent(GIT_CTO, "--version"),
                via_git: lambda: where.spent("git", "cto", "--version"),
                usage: lambda: where.spent(GIT_CTO, "-h"),
            },
            3 if quick else 41,
        )
    rows = [
        found.row(bare),
        found.row(version, bare, TARGET),
        found.row(via_git, bare),
        found.row(usage, bare),
    ]
    print_table("Start-up, beside bare Python", rows)
