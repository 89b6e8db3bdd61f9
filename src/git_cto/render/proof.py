"""Proofs and audits as text: what was looked at, line by line, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from git_cto.model import OverrideRecord, VerdictRecord
from git_cto.redaction import printable
from git_cto.render.lines import cut, filled, page, wrapped
from git_cto.render.words import counted, signed_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from git_cto.model import Record
    from git_cto.render.terminal import Style

_SIGNS = {True: "✓", False: "✗", None: "·"}
_COLOURS = {True: "green", False: "red", None: ""}
_ORDER = ("approved", "overridden", "empty", "first", "unapproved")
_SHORT_ID = 12  # characters of a commit's or a record's id


class Line(Protocol):
    """One line of a proof."""

    @property
    def name(self) -> str:
        """What was looked at."""

    @property
    def holds(self) -> bool | None:
        """Whether it holds; None where nothing hangs on it."""

    @property
    def text(self) -> str:
        """What was found."""


def proof_text(head: str, target: str, steps: Iterable[Line], style: Style) -> str:
    """The steps of a proof, aligned."""
    lines = [filled("verify ", f"{head} against {target}", 4)]
    for step in steps:
        sign = _SIGNS[step.holds]
        start = f"  {sign} {printable(step.name):<10} "
        lines.append(filled(start, step.text, 15).replace(sign, style(sign, _COLOURS[step.holds]), 1))
    return "\n".join(lines)


def conclusion_text(reasons: Sequence[str], style: Style, *, proven: bool) -> str:
    """What a proof comes to."""
    word = "proven" if proven else "not proven"
    margin = len(word) + 2
    first, *others = reasons
    text = filled(f"{word}  ", first, margin)
    text = style(word, _COLOURS[proven], bold=True) + text.removeprefix(word)
    return "\n".join([text, *(wrapped(other, margin) for other in others)])


def landing_text(
    commits: Sequence[str], how: str, subject: str, reason: str, style: Style, *, by: Record | None = None
) -> str:
    """How one landing came in, and below it by which record, or what is to be said against it."""
    good = how != "unapproved"
    sign = _SIGNS[good]
    line = cut(f"{commits[0][:_SHORT_ID]}  {how:<10}  {printable(subject)}", page() - 2)
    text = f"{style(sign, _COLOURS[good])} {line}"
    if good and by is not None:
        row = f"{len(commits):,} commits, " if len(commits) > 1 else ""
        return f"{text}\n{style(wrapped(row + _record_words(by), 4), 'bright_black')}"
    return text if how in {"approved", "empty", "first"} else f"{text}\n{wrapped(reason, 4)}"


def _record_words(record: Record) -> str:
    """`round 1 by gpt-5.4, signed by bob@example.com, record 4f6491de0a1b`; of an override also who and why."""
    body = record.body
    named = f"{signed_words(record)}, record {record.id[:_SHORT_ID]}"
    if isinstance(body, VerdictRecord):
        return f"round {body.round} by {body.engine.model}, {named}"
    return f"override by {body.actor.name}, {named}: {body.reason if isinstance(body, OverrideRecord) else ''}"


def counts_text(landings: Mapping[str, int], commits: Mapping[str, int]) -> str:
    """`12 landings: 11 approved, 1 unapproved`; with the commits beside them where a landing has several."""
    total, all_commits = sum(landings.values()), sum(commits.values())
    several = f" ({counted(all_commits, 'commit')})" if all_commits != total else ""
    some = ", ".join(f"{landings[how]:,} {how}" for how in _ORDER if landings.get(how))
    return f"{counted(total, 'landing')}{several}{': ' + some if some else ''}."
