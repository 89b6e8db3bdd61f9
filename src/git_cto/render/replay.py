"""A replayed question for people: part by part what is the same, and what a second answer says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from git_cto.redaction import printable
from git_cto.render.lines import filled, wrapped
from git_cto.render.words import engine_words, series_words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from git_cto.model import Record, VerdictRecord
    from git_cto.render.terminal import Style

_SIGNS = {"same": ("✓", "green"), "different": ("✗", "red"), "missing": ("?", "yellow")}
_SAID = {
    "same": "the very same question, to the byte",
    "different": "another question than the one that was asked",
    "missing": "cannot be said: not everything that the question was made from is here",
}
_NAME = 12  # columns


def replay_text(
    record: Record, body: VerdictRecord, state: str, parts: Iterable[tuple[str, str, str, str, str]], style: Style
) -> str:
    """`parts`: name, state, digest as recorded, digest as found, why they may differ."""
    sign, colour = _SIGNS[state]
    where = f"round {body.round} of {series_words(body.series)}, {engine_words(body.engine)}, {body.time}"
    lines = [
        style(f"{sign} {state}", colour, bold=True) + f"   {_SAID[state]}",
        wrapped(f"record {record.id[:12]}: {body.verdict}, {where}", 2),
        "",
    ]
    for name, of_part, recorded, found, why in parts:
        sign, colour = _SIGNS[of_part]
        start = f"  {sign} {name:<{_NAME}} "
        line = filled(start, _digests(of_part, recorded, found), _NAME + 5)
        lines.append(line.replace(sign, style(sign, colour), 1))
        if why:
            lines.append(wrapped(why, _NAME + 5))
    return "\n".join(lines)


def _digests(state: str, recorded: str, found: str) -> str:
    if state == "same":
        return _short(recorded) or "none, then as now"
    return f"{_short(recorded) or 'not recorded'} -> {_short(found) or 'not found'}"


def _short(text: str) -> str:
    """A digest by its beginning; words as they are."""
    return text[:16] if len(text) >= 40 and " " not in text else text


def again_text(rows: Iterable[tuple[str, str, str]], *, agrees: bool, downgrades: Iterable[str], style: Style) -> str:
    """`rows`: what is compared, as recorded, as answered this time."""
    head = "the same verdict" if agrees else "another answer"
    lines = [style(f"Asked again: {head}", "green" if agrees else "yellow", bold=True)]
    for name, recorded, now in rows:
        words = recorded if recorded == now else f"{recorded} -> {now}"
        lines.append(filled(f"    {printable(name):<{_NAME}} ", words, _NAME + 5))
    lines += [wrapped(f"git-cto says otherwise than the model: {one}", 4) for one in downgrades]
    return "\n".join(lines)
