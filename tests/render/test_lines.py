"""Text fits into its columns by how wide it is on a terminal, whatever it is."""

from __future__ import annotations

import time
import unicodedata

import pytest
import wcwidth
from hypothesis import given
from hypothesis import strategies as st

from git_cto.redaction import printable
from git_cto.render.lines import NARROWEST, WIDTH, cut, filled, fit, page, width, wrapped
from tests.gate.values import quick, thorough


def test_no_character_is_wider_than_it_is_thought_to_be() -> None:
    hidden = {"Cc", "Cf", "Cs", "Co"}  # never printed
    characters = (chr(point) for point in range(0x110000))
    told = (character for character in characters if unicodedata.category(character) not in hidden)
    assert [hex(ord(one)) for one in told if wcwidth.wcwidth(one) > width(one)] == []


@pytest.mark.parametrize(
    "text, columns",
    [
        ("", 0),
        ("abc", 3),
        ("日本", 4),
        ("é", 1),
        ("e\u0301", 1),
        ("👍", 2),
        ("❤️", 2),
        ("⚠️ x", 4),
        ("🇩🇪", 4),
        ("—…·✓✗", 5),
    ],
)
def test_width(text: str, columns: int) -> None:
    assert width(text) == columns
    assert width(text) >= wcwidth.wcswidth(text)


def test_a_text_that_fits_is_not_cut() -> None:
    assert cut("日本", 4) == "日本"
    assert cut("", 0) == ""


@pytest.mark.parametrize(
    "text, columns, left",
    [("abcdef", 4, "abc…"), ("日本語", 4, "日…"), ("日本語", 5, "日本…"), ("ab  cd", 5, "ab…"), ("ab", 1, "…")],
)
def test_a_text_that_is_too_wide_ends_with_dots(text: str, columns: int, left: str) -> None:
    assert cut(text, columns) == left


def test_words_are_wrapped_and_hang() -> None:
    text = "one two three four five six seven"
    assert wrapped(text, 2, 4, columns=16) == "  one two three\n    four five\n    six seven"
    assert wrapped(text, columns=16) == "one two three\nfour five six\nseven"
    assert filled("> ", text, 2, columns=16) == "> one two three\n  four five six\n  seven"


def test_nothing_to_wrap_is_nothing() -> None:
    assert wrapped("", 4) == ""
    assert wrapped(" \n ", 4, 6) == ""
    assert filled("Seen: ", "", 6) == "Seen:"


def test_a_word_that_is_too_wide_is_broken_and_nothing_of_it_lost() -> None:
    path = "src/" + "a" * 100 + ".py"
    assert wrapped(f"at {path} now", 2).replace("\n", "").replace(" ", "") == f"at{path}now"
    assert wrapped("日本語" * 20, columns=7) == "\n".join(["日本語"] * 20)


def test_a_wide_character_that_does_not_fit_at_all_still_ends_somewhere() -> None:
    assert wrapped("日本", columns=1) == "日\n本"


def test_no_line_begins_with_a_workflow_command_after_it_was_broken() -> None:
    for before in range(1, 24):
        for line in wrapped("x" * before + "::error::" + "y" * 30, 2, columns=12).split("\n"):
            assert not line.lstrip().startswith("::")


texts = st.text(max_size=120) | st.text(st.sampled_from("ab :日👍\u0301️\n"), max_size=200)


@thorough
@given(texts, st.integers(0, 12), st.integers(0, 12), st.integers(20, WIDTH))
def test_no_line_is_wider_than_it_may_be_and_none_ends_in_space(
    text: str, indent: int, hang: int, columns: int
) -> None:
    lines = wrapped(text, indent, hang, columns=columns).split("\n")
    assert all(width(line) <= columns and wcwidth.wcswidth(line) <= columns for line in lines)
    assert all(line == line.rstrip() for line in lines)
    assert all(line for line in lines) or lines == [""]
    together = "".join(lines).replace(" ", "")
    assert together.replace(":", "") == printable(text).replace(" ", "").replace(":", "")


@quick
@given(texts, st.integers(1, 40))
def test_no_cut_is_wider_than_it_may_be(text: str, columns: int) -> None:
    left = cut(text, columns)
    assert width(left) <= columns
    assert left == text or left.endswith("…")


@pytest.mark.parametrize("told, columns", [(0, WIDTH), (200, WIDTH), (80, 80), (61, 61), (40, 40), (3, NARROWEST)])
def test_a_page_is_as_wide_as_the_terminal_within_bounds(told: int, columns: int) -> None:
    try:
        fit(told)
        assert page() == columns
        assert max(map(width, wrapped("word " * 100).split("\n"))) in range(columns - 4, columns + 1)
    finally:
        fit(0)


@pytest.mark.parametrize("letter", ["日", "é", "e\u0301", "x"])
def test_a_word_as_long_as_a_record_takes_no_longer_than_it_is_long(letter: str) -> None:
    """Processor time, and by far more of it than is needed: to measure all that is left in each line takes a minute."""
    before = time.process_time()
    lines = wrapped(letter * 100_000).split("\n")
    assert time.process_time() - before < 5
    assert "".join(lines) == letter * 100_000
