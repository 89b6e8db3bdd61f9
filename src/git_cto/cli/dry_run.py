"""What `--dry-run` shows: the exact command line (no secret is in it) and the prompt. Nothing is called."""

from __future__ import annotations

import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from git_cto.errors import ExitCode
from git_cto.redaction import printable

if TYPE_CHECKING:
    from git_cto.agents.base import Engine, Question
    from git_cto.cli.shell import Shell


def show_question(shell: Shell, engine: Engine, question: Question, notes: tuple[str, ...]) -> int:
    """Prints how `question` would be asked."""
    from git_cto.work.documents.questions import dry_run_document

    argv = engine.argv(question, Path(tempfile.gettempdir(), "<call>"))
    shell.notes(notes)
    shell.document(dry_run_document(question, argv, notes))
    shell.say("$ " + shlex.join(argv) + " < prompt")
    shell.say(
        "\n# Instructions\n\n" + question.instructions + "\n# Prompt\n\n" + printable(question.prompt, lines=True)
    )
    return ExitCode.OK
