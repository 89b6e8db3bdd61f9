"""Proofs and audits as text: what was looked at, line by line, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from git_cto.redaction import printable
from git_cto.render.lines import cut, filled, page, wrapped
from git_cto.render.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from git_cto.render.terminal import Style

_SIGNS = {True: "✓", False: "✗", None: "·"}
_COLOURS = {True: "green", False: "red", None: ""}
_ORDER = ("approved", "overridden", "empty", "first", "unapproved")


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


def landing_text(commits: Sequence[str], how: str, subject: str, reason: str, style: Style) -> str:
    """How one landing came in; the reason only where there is something to be said."""
    good = how != "unapproved"
    sign = _SIGNS[good]
    more = f" and {len(commits) - 1} more" if len(commits) > 1 else ""
    line = cut(printable(f"{commits[0][:12]}{more}  {how}  {subject}"), page() - 2)
    text = f"{style(sign, _COLOURS[good])} {line}"
    return text if how in {"approved", "empty", "first"} else f"{text}\n{wrapped(reason, 4)}"


def counts_text(counts: Mapping[str, int]) -> str:
    """`12 landings: 11 approved, 1 unapproved`."""
    total = sum(counts.values())
    some = ", ".join(f"{counts[how]:,} {how}" for how in _ORDER if counts.get(how))
    return f"{counted(total, 'landing')}{': ' + some if some else ''}."
