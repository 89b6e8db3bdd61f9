"""No path, however long, keeps a pattern busy; and being quick changes nothing of what a pattern means."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from git_cto.gate.globs import matches, matches_at_once
from tests.gate.values import quick

_patterns = st.lists(st.sampled_from(["**/", "**", "*", "?", "/", "a", "b", ".", "\u017f"]), max_size=7).map("".join)
_paths = st.text(alphabet="abAS/.\n", max_size=9)


def _by_expression(path: str, pattern: str) -> bool:
    """What the pattern means, as one regular expression that tries everything."""
    body = pattern.lstrip("/")
    body += "**" if body.endswith("/") else ""
    text, place = "", 0
    while place < len(body):
        for piece, meaning in (("**/", "(?:.*/)?"), ("**", ".*"), ("*", "[^/]*"), ("?", "[^/]")):
            if body.startswith(piece, place):
                text, place = text + meaning, place + len(piece)
                break
        else:
            text, place = text + re.escape(body[place]), place + 1
    text = text if "/" in pattern.rstrip("/") else "(?:.*/)?" + text
    return re.fullmatch(text, path, re.DOTALL | re.IGNORECASE) is not None


@settings(quick, max_examples=300)
@given(_patterns, _paths)
@example("a**/b", "ab")
@example("a/**/**/b", "a/b")
@example("**/*a*/**", "x/bab/c")
@example("***", "a/b")
@example("***/", "")
def test_a_pattern_means_what_its_expression_means(pattern: str, path: str) -> None:
    expected = _by_expression(path, pattern)
    assert matches_at_once(path, pattern) == expected
    assert matches(path, (pattern,)) == expected


@pytest.mark.parametrize(
    "pattern, path, expected",
    [
        ("src/*/test/*.py", "src/a/test/b.py", True),
        ("src/*/test/*.py", "src/a/b/test/c.py", False),
        ("src/*/test/*.py", "src/a/test/b/c.py", False),
        ("src/**/test/*.py", "src/a/b/test/c.py", True),
        ("src/**/test/*.py", "src/test/c/d.py", False),
        ("*a*", "x/bab", True),
        ("/*a*", "x/bab", False),
        ("a/?*/b*", "a/x/b", True),
        ("a/?*/b*", "a///b", False),
        ("*?*", "/", False),
        ("*?*", "X", True),
        ("*XX*X*", "a", False),
        ("**/SRC/**/*.py", "x/src/y/A.PY", True),
        ("**/src/**/*.py", "x/SRC/y/a.pY", True),
        ("*\n*\n*", "a\nb\nc", True),
        ("*.*.*", "abc", False),
    ],
)
def test_a_star_stays_within_its_folder_and_letters_have_no_case_in_either_way_of_matching(
    pattern: str, path: str, *, expected: bool
) -> None:
    assert _by_expression(path, pattern) == expected
    assert matches_at_once(path, pattern) == expected
    assert matches(path, (pattern,)) == expected


@pytest.mark.parametrize(
    "pattern, path",
    [
        ("a/**/b/**/c/**/d/**/e", "a/" + "b/c/d/" * 7000),
        ("**/a/**/a/**/a/**/a/**/x", "a/" * 20_000),
        ("*a*a*a*a*a*x", "a" * 40_000),
        ("**a**a**a**x", "a" * 40_000),
        ("**/**/**/x", "/" * 40_000),
        ("**/a*x", "a" * 40_000),
        ("**/a*x", "a/" * 20_000),
        ("a*", "b/" * 20_000),
    ],
)
def test_a_long_path_takes_no_longer_than_it_is_long(pattern: str, path: str) -> None:
    """Processor time, and by far more of it than is needed: what tries everything would take hours."""
    before = time.process_time()
    assert not matches(path, (pattern,))
    assert time.process_time() - before < 5
