"""What does not fit is shortened whole, the least important first, and it is said."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from git_cto.render.fitting import Section, fitted, size
from tests.gate.values import quick

HEAD = Section("head", 9, ("# Head",))
LONG = Section("the story", 1, ("story " * 50, "a story", ""))
RARE = Section("the table", 5, ("| a |\n|---|\n" + "| b |\n" * 50, "50 rows"))


def test_what_fits_is_left_as_it_is() -> None:
    assert fitted([HEAD, LONG, RARE], 10_000) == f"# Head\n\n{LONG.forms[0]}\n\n{RARE.forms[0]}"


def test_the_least_important_is_shortened_first_and_named() -> None:
    assert fitted([HEAD, LONG, RARE], 420, "Look there.") == (
        f"# Head\n\na story\n\n{RARE.forms[0]}\n\nShortened to fit: the story. Look there."
    )


def test_the_next_one_follows_when_that_is_not_enough() -> None:
    assert fitted([HEAD, LONG, RARE], 80) == "# Head\n\n50 rows\n\nShortened to fit: the story, the table."


def test_a_character_beyond_the_basic_plane_counts_twice() -> None:
    assert (size("ab"), size("日本"), size("👍")) == (2, 2, 2)


@quick
@given(
    st.lists(st.tuples(st.integers(0, 9), st.lists(st.text(max_size=80), max_size=3)), max_size=6), st.integers(0, 500)
)
def test_only_whole_forms_come_out_and_they_fit_where_the_shortest_do(
    parts: list[tuple[int, list[str]]], limit: int
) -> None:
    sections = [Section(f"part {n}", matters, (*forms, "")) for n, (matters, forms) in enumerate(parts)]
    text = fitted(sections, limit)
    note = "Shortened to fit: " + ", ".join(one.name for one in sections) + "."
    assert size(text) <= max(limit, size(note))
    first = [one.forms[0] for one in sections if one.forms[0]]
    assert text == "\n\n".join(first) or "Shortened to fit" in text
