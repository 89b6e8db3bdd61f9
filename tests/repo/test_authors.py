"""Who wrote a change: everybody whose address stands in its commits, and every program that they name."""

from __future__ import annotations

import os

import pytest

from git_cto.repo.authors import Authorship, authorship
from git_cto.repo.git import discover
from git_cto.repo.lens import Lens
from tests.world import World


def wrote(world: World, base: str = "main") -> Authorship:
    with Lens(discover(str(world.path), os.environ), os.environ) as lens:
        return authorship(lens, world.git("rev-parse", base), world.head)


def test_authors_committers_and_co_authors_count_in_any_letters(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.branch("topic")
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "Ben@Example.org")
    monkeypatch.setenv("GIT_COMMITTER_EMAIL", "committer@example.org")
    world.commit("One")
    monkeypatch.delenv("GIT_AUTHOR_EMAIL")
    world.commit("Two\n\nCO-AUTHORED-BY: Cleo <cleo@example.org>\n  co-authored-by: <dora@example.org>\n\nAnd more.")
    found = wrote(world)
    assert found.addresses == {
        *("ben@example.org", "committer@example.org", "ada@example.org", "cleo@example.org", "dora@example.org"),
    }
    assert found.co_authors == ("Cleo <cleo@example.org>", "<dora@example.org>")
    assert wrote(world, "topic") == Authorship(frozenset(), (), ())


def test_programs_are_those_that_any_line_names(world: World) -> None:
    world.branch("topic")
    world.commit("One\n\nCto-Executor: claude 2.1\nCto-Executor: codex")
    world.commit("Two\n\nCto-Executor: claude 2.1\n\nNo trailer of git's any more")
    world.commit("It speaks of Cto-Executor: nobody")
    assert set(wrote(world).executors) == {"claude 2.1", "codex"}


def test_a_mailmap_and_settings_change_nothing(world: World) -> None:
    world.branch("topic")
    world.commit("One", **{".mailmap": "Somebody <else@example.org> <ada@example.org>\n"})
    world.git("config", "log.mailmap", "true")
    world.git("config", "log.showSignature", "true")
    assert wrote(world).addresses == {"ada@example.org"}


def test_odd_messages_are_read(world: World) -> None:
    world.branch("topic")
    world.git("commit", "--quiet", "--allow-empty", "--allow-empty-message", "-m", "")
    world.git("commit", "--quiet", "--allow-empty", "-F", "-", data=b"Caf\xe9\n\nCo-authored-by: Ren\xe9 <rene@x>\r\n")
    assert wrote(world).addresses == {"ada@example.org", "rene@x"}
