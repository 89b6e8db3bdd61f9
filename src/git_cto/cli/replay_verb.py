"""`git cto replay`: a verdict's question put together again, and asked again if wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from git_cto.cli.shell import Shell, verb
from git_cto.errors import ExitCode

if TYPE_CHECKING:
    from git_cto.work.asking_again import Again
    from git_cto.work.replaying import Replayed
    from git_cto.work.workspace import Workspace


@verb("replay", "git cto replay HEAD --json | jq -r .prompt")
@click.argument("rev", required=False)
@click.option("--base", metavar="TARGET", help="The branch that the change was meant for.")
@click.option("--record", metavar="ID", help="The verdict to replay (its id, or the first digits).")
@click.option("--ask", is_flag=True, help="Ask the same model again, record nothing, and compare the answers.")
def command(shell: Shell, *, rev: str | None, base: str | None, record: str | None, ask: bool) -> int:
    """Put the question of a verdict together again, and say whether it is the one that was asked, to the byte.

    REV (default: HEAD) is the commit that was judged. Only objects and the ledger are used. Exits with 0 (the same), 1
    (another question, or another answer), 2 (not here, or not like this) or 3 (something is missing, so it cannot be
    said).
    """
    from git_cto.work.documents.questions import replay_document
    from git_cto.work.history import find_verdict
    from git_cto.work.replaying import replay

    with shell.workspace() as workspace:
        replayed = replay(workspace, find_verdict(workspace, rev=rev, base=base, wanted=record))
        again = _asked(shell, workspace, replayed) if ask else None
    shell.document(replay_document(replayed, again))
    _told(shell, replayed, again)
    if replayed.state == "different" or (again and not again.agrees):
        return ExitCode.NOT_APPROVED
    return ExitCode.OK if replayed.state == "same" else ExitCode.INCONCLUSIVE


def _asked(shell: Shell, workspace: Workspace, replayed: Replayed) -> Again | None:
    """The answer of this time; None where there is no question to ask."""
    from git_cto.cli.asking import codex_asker, listening
    from git_cto.work.asking_again import ask_again, check_engine

    check_engine(replayed.verdict)
    if replayed.question is None:
        shell.note("note: it was not asked again, since the question cannot be put together")
        return None
    asker = codex_asker(workspace, None, None)
    with listening(shell, asker, replayed.question.question.model) as heard:
        return ask_again(workspace, replayed.verdict, replayed.question, heard)


def _told(shell: Shell, replayed: Replayed, again: Again | None) -> None:
    from git_cto.render.replay import again_text, replay_text
    from git_cto.render.words import counted

    verdict = replayed.verdict
    parts = [(part.name, part.state, part.recorded, part.found, part.why) for part in replayed.parts]
    shell.say(replay_text(replayed.record, verdict, replayed.state, parts, shell.style))
    if again is None:
        return
    before, now = (counted(len(one.findings), "finding") for one in (verdict.review, again.review))
    rows = [
        ("verdict", verdict.verdict, again.verdict),
        ("model", verdict.model_verdict, again.review.verdict),
        ("findings", before, now),
        *((task, then or "not judged", status or "not judged") for task, then, status in again.tasks),
    ]
    shell.say("\n" + again_text(rows, agrees=again.agrees, downgrades=again.downgrades, style=shell.style))
