"""The note on a commit that `git log --notes=cto` shows: a few lines for people, never read back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from git_cto.model import OverrideRecord, VerdictRecord
from git_cto.render.lines import WIDTH, wrapped
from git_cto.render.words import counted, engine_words, series_words, tokens_words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from git_cto.model import Record

_COLUMNS = WIDTH - 4  # git indents a note by four


def note(records: Iterable[Record]) -> str:
    """The records of one commit, the newest first."""
    return "\n".join(_one(record) for record in records)


def _one(record: Record) -> str:
    body = record.body
    if isinstance(body, OverrideRecord):
        return _lines(" · ".join(["override", f"by {body.actor.name}", *_signed(record)]), body.reason)
    if not isinstance(body, VerdictRecord):
        return ""
    passed = sum(one.status == "pass" for one in body.review.task_reviews)
    parts = [body.verdict, f"round {body.round}"]
    if body.tasks:
        parts.append(f"{passed}/{body.tasks} tasks")
    parts.append(counted(len(body.open_findings), "open finding"))
    parts += _signed(record)
    of = series_words(body.series)
    return _lines(
        " · ".join(parts),
        f"{engine_words(body.engine)}, effort {body.engine.effort}, {tokens_words(body.engine.tokens)} · {of}",
        body.said,
        *(f"- {reason}" for reason in body.downgrades),
    )


def _signed(record: Record) -> list[str]:
    """A note stays when keys and lists change, and anybody can put something into a record that looks signed."""
    return ["signed, not checked"] if record.signatures else []


def _lines(*texts: str) -> str:
    return "".join(f"{line}\n" for line in (wrapped(text, columns=_COLUMNS) for text in texts) if line)
