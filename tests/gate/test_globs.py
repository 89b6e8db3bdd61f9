"""Patterns of paths mean what they mean in a gitignore, as far as they are known at all."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from git_cto.gate.globs import matches
from tests.gate.values import quick


@pytest.mark.parametrize(
    "pattern, path",
    [
        ("*.png", "logo.png"),
        ("*.png", "a/b/logo.png"),
        ("/logo.png", "logo.png"),
        ("uv.lock", "sub/uv.lock"),
        ("docs/**", "docs/a"),
        ("docs/**", "docs/a/b/c"),
        ("docs/*", "docs/a"),
        ("**/a.txt", "a.txt"),
        ("**/a.txt", "x/y/a.txt"),
        ("a/**/b", "a/b"),
        ("a/**/b", "a/x/y/b"),
        ("gen/", "gen/a"),
        ("gen/", "x/gen/a/b"),
        ("a?c", "abc"),
        ("**", "anything/at.all"),
        ("AGENTS*.md", "sub/agents.override.md"),
        ("a.b", "A.B"),
        ("a[1].py", "a[1].py"),
        ("a+(b)|c$", "a+(b)|c$"),
        ("*", "a\nb"),
        ("x/**", "x/a\nb/c"),
        ("*.py", "\udcff.py"),
        ("X/", "X/a"),
        ("X/", "a/X/b"),
        ("/**a/*", "b/xa/c"),
    ],
)
def test_a_pattern_matches(pattern: str, path: str) -> None:
    assert matches(path, (pattern,))


@pytest.mark.parametrize(
    "pattern, path",
    [
        ("*.png", "logo.png.sh"),
        ("*.png", "logo.png/x"),
        ("/logo.png", "a/logo.png"),
        ("docs/**", "docs"),
        ("docs/**", "a/docs/b"),
        ("docs/*", "docs/a/b"),
        ("a/*/b", "a/b"),
        ("a/*/b", "a/x/y/b"),
        ("gen/", "gen"),
        ("gen/", "regen/a"),
        ("a?c", "a/c"),
        ("a.b", "axb"),
        ("", "a"),
        ("/", "a"),
        ("a[1].py", "a1.py"),
        ("logo.png", "logo.png\n"),
        ("uv.lock", "uv.lock.py"),
        ("uv.lock", "myuv.lock"),
        ("Xa.py", "a.py"),
        ("a/X", "b/a/X"),
    ],
)
def test_a_pattern_does_not_match(pattern: str, path: str) -> None:
    assert not matches(path, (pattern,))


def test_one_of_several_is_enough_and_none_is_none() -> None:
    assert matches("b", ("a", "b"))
    assert not matches("b", ())


names = st.text(alphabet="ab*?/.", min_size=1, max_size=6)
paths = st.lists(st.text(alphabet="ab.", min_size=1, max_size=3), min_size=1, max_size=3).map("/".join)


@settings(quick, max_examples=5)
@given(st.lists(st.tuples(names, paths), min_size=20, max_size=40))
def test_what_matches_here_is_what_git_would_ignore(pairs: list[tuple[str, str]]) -> None:
    """Except that a pattern says nothing of a folder: what stands below it has to match by itself."""
    for pattern, path in pairs:
        if matches(path, (pattern,)) and not _odd(pattern, path):
            assert _ignored(pattern, path), (pattern, path)


def _odd(pattern: str, path: str) -> bool:
    """What we read in our own way (`***`, empty parts), and paths that git cannot have."""
    return (
        "//" in pattern
        or pattern.endswith("**/")
        or "***" in pattern
        or any(part in {".", ".."} for part in path.split("/"))
        or ("**" in pattern and any("**" in part and part != "**" for part in pattern.split("/")))
    )


_asked: dict[str, str] = {}


@pytest.fixture(autouse=True, scope="module")
def _repository(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("ignored")
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    _asked["folder"] = str(folder)


def _ignored(pattern: str, path: str) -> bool:
    Path(_asked["folder"], "patterns").write_text(f"{pattern}\n")
    argv = ["git", "-c", "core.excludesFile=patterns", "check-ignore", "-q", "--no-index", "--", path]
    return subprocess.run(argv, cwd=_asked["folder"], check=False).returncode == 0
