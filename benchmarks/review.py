"""A review: what `git cto review` adds to the call of Codex that is in it.

Beside it stands that very call: the same program with the same options, prompt, instructions, schema and environment,
asking the same scripted model on loopback about the same change of 20 files, without git-cto around it.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.common import FILES, GIT_CTO, Row, approval, in_turns, milliseconds, print_table, world
from git_cto.agents.codex import Codex
from git_cto.demo.server import ModelServer

if TYPE_CHECKING:
    from benchmarks.common import Spent, World

TARGET = 0.35  # seconds


def main(*, quick: bool = False) -> None:
    """Prints the table."""
    bare, ours = "codex exec, as git-cto calls it", f"git-cto review, {FILES} files"
    with world() as where, tempfile.TemporaryDirectory() as folder, ModelServer(repeat(approval)) as model:
        where.log_in(model)
        argv, prompt = _call(where, Path(folder))
        environ = Codex(where.environ).environment()
        empty = Path(folder, "empty")
        empty.mkdir()

        def review() -> Spent:
            where.forget()
            return where.spent(GIT_CTO, "review")

        found = in_turns(
            {bare: lambda: where.spent(*argv, data=prompt, environ=environ, cwd=empty), ours: review},
            2 if quick else 21,
        )
    added = found.median(ours) - found.median(bare)
    processor = found.processor(ours) - found.processor(bare)
    rows = [
        found.row(bare),
        found.row(ours, bare),
        Row("what git-cto adds", milliseconds(added), added, TARGET, "s", processor),
    ]
    print_table("A review, beside the bare call of Codex", rows)


def _call(where: World, folder: Path) -> tuple[list[str], bytes]:
    """The command line of the call and its prompt, as `--dry-run` shows them, with their files in `folder`."""
    shown = json.loads(_output(where, GIT_CTO, "review", "--dry-run", "--json"))
    (folder / "schema.json").write_text(json.dumps(shown["answer_schema"]))
    (folder / "instructions.md").write_text(shown["instructions"])
    place = os.path.commonpath([word for word in shown["argv"] if word.endswith(("schema.json", "answer.txt"))])
    return [word.replace(place, str(folder)) for word in shown["argv"]], shown["prompt"].encode()


def _output(where: World, *argv: str) -> str:
    return subprocess.run(argv, cwd=where.repo, env=where.environ, capture_output=True, text=True, check=True).stdout
