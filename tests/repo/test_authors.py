"""Who wrote a change: everybody whose address stands in its commits, and every program that they name."""

from __future__ import annotations

import os
import time

import pytest

from git_cto.model import NOBODY
from git_cto.repo.authors import Authorship, authorship
from git_cto.repo.git import discover
from git_cto.repo.lens import Lens
from tests.world import World


def wrote(world: World, base: str = "main", **options: bool) -> Authorship:
    with Lens(discover(str(world.path), os.environ), os.environ) as lens:
        return authorship(lens, world.git("rev-parse", base), world.head, **options)


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


WHO = b"Ada <ada@example.org> 1 +0000"
SEAL = b"gpgsig -----BEGIN SSH SIGNATURE-----\n Co-authored-by: <hidden@x>\n -----END SSH SIGNATURE-----\n"


@pytest.mark.parametrize(
    "author, headers, message, found",
    [
        (WHO, b"", b"Plain\n\nCo-authored-by: Ren\xc3\xa9 <rene@x>\n", {"ada@example.org", "rene@x"}),
        (WHO, SEAL, b"Signed\n\nCo-authored-by: <shown@x>\n", {"ada@example.org", "shown@x"}),
        (
            WHO,
            b"encoding ISO-8859-1\n",
            b"Latin\n\nCo-authored-by: <ren\xe9@x>\n",
            {"ada@example.org", "ren\xe9@x", "ren\ufffd@x"},
        ),
        (
            WHO,
            b"encoding UTF-16LE\n",
            "\nCo-authored-by: <rene@x>\n".encode("utf-16-le"),
            {"ada@example.org", "rene@x"},
        ),
        (WHO, b"encoding UTF-16LE\n", b"Co-authored-by: <rene@x>\n", {"ada@example.org", "rene@x"}),
        (WHO, b"encoding unicode_escape\n", b"Co-authored-by: <rene\\x40x>\n", {"ada@example.org", "rene\\x40x"}),
        (WHO, b"encoding none-such\n", b"Co-authored-by: <rene@x>\n", {"ada@example.org", "rene@x"}),
        (WHO, b"note Co-authored-by: <hidden@x>\n", b"A header of somebody's\n", {"ada@example.org"}),
        (WHO, b"", b"Cut\0\n\nCo-authored-by: <after@nul>\n", {"ada@example.org", "after@nul"}),
        (WHO, b"", b"", {"ada@example.org"}),
        (WHO + b"\nauthor Eve <eve@x> 1 +0000", b"", b"Two\n", {"ada@example.org", "eve@x"}),
        (b"<bot@x> <ada@example.org> 1 +0000", b"", b"Two addresses\n", {"bot@x", "ada@example.org"}),
        (b"Ada <<ada@example.org>> 1 +0000", b"", b"Too many\n", {"ada@example.org"}),
        (b'Ada <"ada@example.org"> 1 +0000', b"", b"Quoted\n", {"ada@example.org"}),
        (b"Ada < Ada@Example.org. > 1 +0000", b"", b"Spaces\n", {"ada@example.org"}),
        (b"Ada <a\xe2\x80\x8bda@example.org> 1 +0000", b"", b"Invisible\n", {"ada@example.org"}),
        ("Ada <\uff41\uff44\uff41@example.org> 1 +0000".encode(), b"", b"Wide\n", {"ada@example.org"}),
        (b"Ada ada@example.org 1 +0000", b"", b"No brackets\n", {"ada@example.org"}),
        (b"<ada@example.org> 1 +0000", b"", b"No name\n", {"ada@example.org"}),
        (b"Ada <ada@example.org> yesterday", b"", b"No time\n", {"ada@example.org"}),
        (b"Ada <rex> 1 +0000", b"", b"A name for an address\n", {"rex"}),
        (b"Ada <> 1 +0000", b"", b"No address\n", {NOBODY}),
        (b"Ada", b"", b"Nothing\n", {NOBODY}),
    ],
)
def test_it_is_what_stands_in_the_commit_whatever_git_makes_of_it(
    world: World, author: bytes, headers: bytes, message: bytes, found: set[str]
) -> None:
    base, tree = world.head, world.git("rev-parse", "HEAD^{tree}")
    raw = b"tree %b\nparent %b\nauthor %b\ncommitter %b\n%b\n%b" % (
        *(tree.encode(), base.encode(), author, b"C <com@x> 1 +0000", headers, message),
    )
    world.branch("topic")
    made = world.git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", data=raw)
    world.git("update-ref", "refs/heads/topic", made)
    assert wrote(world).addresses == {"com@x", *found}


@pytest.mark.parametrize(
    "said",
    [
        *("Co-authored-by : <cleo@x>", "> Co-authored-by: <cleo@x>", "* co-authored-by:<cleo@x>"),
        *("Co-authored-by:\u00a0<cleo@x>", "Co-authored-by: Cleo\n <cleo@x>", "Co-authored-by:\n Cleo\n <cleo@x>"),
        *("Co-authored-by: Cleo cleo@x", "One\rCo-authored-by: <cleo@x>", "One\x0bCo-authored-by: <cleo@x>"),
        *("Co\u200b-authored-by: <cleo@x>", "Co-authored-by: Dora\n  Co-authored-by: <cleo@x>"),
    ],
)
def test_a_co_author_is_found_however_it_is_written(world: World, said: str) -> None:
    world.branch("topic")
    world.git("commit", "--quiet", "--allow-empty", "--cleanup=verbatim", "-F", "-", data=f"One\n\n{said}\n".encode())
    found = wrote(world)
    assert found.addresses == {"ada@example.org", "cleo@x"}
    assert any("cleo@x" in one for one in found.co_authors)


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


def test_who_only_merged_what_others_wrote_is_asked_about_apart(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.branch("topic")
    world.commit("One", one="1\n")
    world.git("switch", "--quiet", "main")
    world.commit("Meanwhile", two="2\n")
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "ben@example.org")
    monkeypatch.setenv("GIT_COMMITTER_EMAIL", "ben@example.org")
    message = "Merge it\n\nCo-authored-by: Cleo <cleo@example.org>\nCto-Executor: codex"
    world.git("merge", "--quiet", "--no-ff", "-m", message, "topic")
    everybody = {"ada@example.org", "ben@example.org", "cleo@example.org"}
    assert wrote(world, "main~1").addresses == everybody
    plain = wrote(world, "main~1", mergers=False)
    assert plain.addresses == everybody - {"ben@example.org"}
    assert plain.executors == ("codex",), "what its message says stays said"
    world.write("one", "1 and more\n")
    world.git("commit", "--quiet", "--all", "--amend", "--no-edit")
    assert wrote(world, "main~1", mergers=False).addresses == everybody, "it has more than the two make"


def test_a_commit_that_only_says_it_merged_is_its_authors(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What git takes for no parent makes no merge, though the tree be that of one."""
    for name in ("left", "right"):
        world.branch(name, "main")
        world.commit(name, **{name: "1\n"})
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "ben@example.org")
    monkeypatch.setenv("GIT_COMMITTER_EMAIL", "ben@example.org")
    world.branch("trunk", "left")
    world.git("merge", "--quiet", "--no-ff", "-m", "Merge", "right")
    said = world.git("cat-file", "commit", "HEAD")
    second = f"parent {world.git('rev-parse', 'right')}\n"
    moved = said.replace(second, "").replace("\n\n", f"\n{second}\n", 1) + "\n"
    assert wrote(world, mergers=False).addresses == {"ada@example.org"}
    world.git(
        "reset", "--quiet", "--hard", world.git("hash-object", "-t", "commit", "-w", "--stdin", data=moved.encode())
    )
    assert "ben@example.org" in wrote(world, mergers=False).addresses


@pytest.mark.parametrize("heads", [["left", "right"], ["left"]])
def test_who_merged_several_or_has_written_beneath_the_merge_counts(
    world: World, monkeypatch: pytest.MonkeyPatch, heads: list[str]
) -> None:
    """Of a merge of three parents, and of the merges beneath the last one, nobody computes what git would make."""
    for name in ("left", "right"):
        world.branch(name, "main")
        world.commit(name, **{name: "1\n"})
    world.branch("trunk", "main")
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "ben@example.org")
    monkeypatch.setenv("GIT_COMMITTER_EMAIL", "ben@example.org")
    world.git("merge", "--quiet", "--no-ff", "-m", "Merge", *heads)
    if len(heads) == 1:
        monkeypatch.setenv("GIT_AUTHOR_EMAIL", "cleo@example.org")
        monkeypatch.setenv("GIT_COMMITTER_EMAIL", "cleo@example.org")
        world.git("merge", "--quiet", "--no-ff", "-m", "Merge", "right")
    assert wrote(world, mergers=False).addresses == {"ada@example.org", "ben@example.org"}


def test_thousands_of_co_authors_take_no_long_time(world: World) -> None:
    world.branch("topic")
    said = "One\n\n" + "".join(f"Co-authored-by: <c{number}@x>\n" for number in range(60_000))
    world.git("commit", "--quiet", "--allow-empty", "--cleanup=verbatim", "-F", "-", data=said.encode())
    began = time.process_time()
    assert len(wrote(world).addresses) == 60_001
    assert time.process_time() - began < 3
