"""Text that has to fit: sections in several lengths, shortened whole and from the least important. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence


class Section(Struct, frozen=True):
    """A part of a text: how one calls it, how much it matters, and its forms from the whole to the least."""

    name: str
    matters: int  # what matters less is shortened before
    forms: tuple[str, ...]


def fitted(sections: Sequence[Section], limit: int, hint: str = "") -> str:
    """The sections one below the other in at most `limit` characters, and what was shortened, with a `hint`.

    A form is taken or left as it is, so no table, fence or tag is ever cut in its middle.
    """
    chosen = [0] * len(sections)
    by_need = sorted(range(len(sections)), key=lambda place: sections[place].matters)
    text = _joined(sections, chosen, hint)
    for place in by_need:
        while size(text) > limit and chosen[place] + 1 < len(sections[place].forms):
            chosen[place] += 1
            text = _joined(sections, chosen, hint)
    return text


def size(text: str) -> int:
    """Characters as the strictest counter has them: one that is beyond the basic plane counts twice."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _joined(sections: Sequence[Section], chosen: Sequence[int], hint: str) -> str:
    parts = [section.forms[form] for section, form in zip(sections, chosen, strict=True)]
    shortened = [section.name for section, form in zip(sections, chosen, strict=True) if form]
    if shortened:
        parts.append(f"Shortened to fit: {', '.join(shortened)}. {hint}".rstrip())
    return "\n\n".join(part for part in parts if part)
