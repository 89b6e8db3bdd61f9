"""Who wrote a change: everybody whose address stands in its commits, and every program that they name."""

from __future__ import annotations

import os
import re

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


WHO = b"Ada <ada@example.org> 1700000000 +0000"
SEAL = b"gpgsig -----BEGIN SSH SIGNATURE-----\n Co-authored-by: <hidden@x>\n -----END SSH SIGNATURE-----\n"


@pytest.mark.parametrize(
    "author, headers, message",
    [
        (WHO, b"", b"Plain\n\nCo-authored-by: Ren\xc3\xa9 <rene@x>\n"),
        (WHO, SEAL, b"Signed\n\nCo-authored-by: <shown@x>\n"),
        (WHO, b"encoding ISO-8859-1\n", b"Latin\n\nCo-authored-by: Ren\xe9 <ren\xe9@x>\n"),
        (WHO, b"note Co-authored-by: <hidden@x>\n", b"A header of somebody's\n"),
        (WHO, b"", b"Cut\0\n\nCo-authored-by: <after@nul>\n"),
        (WHO, b"", b""),
        (b"Ada <ada@example.org> <eve@example.org> 1700000000 +0000", b"", b"Two addresses\n"),
        (b"Ada < ada@example.org > 1700000000 +0000", b"", b"Spaces\n"),
        (b"Ada ada@example.org 1700000000 +0000", b"", b"No brackets\n"),
        (b"<ada@example.org> 1700000000 +0000", b"", b"No name\n"),
        (b"Ada <> 1700000000 +0000", b"", b"No address\n"),
        (b"Ada <ada@example.org> yesterday", b"", b"No time\n"),
        (b"Ada <ada@example.org>", b"", b"No time at all\n"),
    ],
)
def test_it_is_what_git_reads_whatever_a_commit_looks_like(
    world: World, author: bytes, headers: bytes, message: bytes
) -> None:
    base, tree = world.head, world.git("rev-parse", "HEAD^{tree}")
    raw = b"tree %b\nparent %b\nauthor %b\ncommitter %b\n%b\n%b" % (
        *(tree.encode(), base.encode(), author, WHO.replace(b"ada", b"com"), headers, message),
    )
    world.branch("topic")
    made = world.git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", data=raw)
    world.git("update-ref", "refs/heads/topic", made)
    logged = world.git("log", "-1", "--format=%ae%n%ce%n%(trailers:key=Co-authored-by,valueonly)", made)
    expected = {address.lower() for address in re.findall(r"[^\s<>]+@[^\s<>]+", logged)}
    assert wrote(world).addresses == expected
    assert not {"hidden@x", "after@nul"} & expected


@pytest.mark.parametrize("count", [1, 64, 65])
def test_every_commit_of_a_row_counts(world: World, count: int) -> None:
    base = world.git("rev-parse", "main")
    parts = [
        b"commit refs/heads/topic\nauthor A <a%d@x> 1 +0000\ncommitter C <c@x> 1 +0000\ndata 3\nOne\n%b"
        % (number, b"" if number else b"from %b\n" % base.encode())
        for number in range(count)
    ]
    world.git("fast-import", "--quiet", data=b"".join(parts))
    world.git("switch", "--quiet", "topic")
    assert wrote(world).addresses == {"c@x", *(f"a{number}@x" for number in range(count))}


def test_what_was_merged_from_the_base_is_not_its_own(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.branch("topic")
    world.commit("One")
    world.git("switch", "--quiet", "main")
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "ben@example.org")
    world.commit("Landed")
    monkeypatch.delenv("GIT_AUTHOR_EMAIL")
    world.git("switch", "--quiet", "topic")
    world.git("merge", "--quiet", "-m", "Update", "main")
    world.commit("Two")
    assert wrote(world).addresses == {"ada@example.org"}
