"""What is shown of a change: every line of every text file, and the rest by name, size and kind."""

from __future__ import annotations

import os
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from git_cto.repo import patch
from git_cto.repo.patch import _split
from tests.repo.looking import look
from tests.world import World

QUICK = settings(
    derandomize=True,
    deadline=None,
    max_examples=12,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
SUBMODULE = "0123456789" * 4


@pytest.fixture
def topic(world: World) -> World:
    """A repository whose branch `topic` is checked out and still the same as main."""
    world.branch("topic")
    return world


def _gitlink(world: World, path: str, commit: str = SUBMODULE) -> None:
    world.git("update-index", "--add", "--cacheinfo", f"160000,{commit},{path}")
    world.git("commit", "-q", "-m", "A submodule")


# ---- attributes and kinds


def test_a_diff_attribute_hides_no_line(topic: World) -> None:
    topic.write(".gitattributes", "*.py -diff -text binary\n")
    topic.commit("Say 2", app__py="def version():\n    return 2\n")
    assert "-    return 1\n+    return 2\n" in look(topic).file("app.py").patch


def test_a_textconv_is_not_run(topic: World) -> None:
    ran = topic.path.parent / "ran"
    topic.git("config", "diff.odd.textconv", f"touch {ran}; echo harmless")
    topic.write(".gitattributes", "*.py diff=odd\n")
    topic.commit("Say 2", app__py="def version():\n    return 2\n")
    seen = look(topic)
    assert "+    return 2\n" in seen.patch
    assert "harmless" not in seen.patch
    assert not ran.exists()


def test_a_submodule_that_asks_to_be_ignored_is_listed(topic: World) -> None:
    topic.write(".gitmodules", '[submodule "lib"]\n\tpath = lib\n\turl = ../lib\n\tignore = all\n')
    topic.commit("Modules")
    _gitlink(topic, "lib")
    assert look(topic).coverage("lib") == ("listed", "submodule, 000000000000 -> 012345678901")


def test_a_submodule_that_moves_is_listed_with_both_commits(topic: World) -> None:
    _gitlink(topic, "lib")
    topic.git("branch", "before")
    _gitlink(topic, "lib", "ab" * 20)
    assert look(topic, "before").coverage("lib") == ("listed", "submodule, 012345678901 -> abababababab")


def test_a_file_that_moves_into_the_workflows_is_shown_with_its_content(topic: World) -> None:
    topic.write(".github/workflows/run.yml", (topic.path / "app.py").read_bytes())
    topic.git("rm", "-q", "app.py")
    topic.commit("Move it")
    seen = look(topic)
    assert "+def version():\n+    return 1\n" in seen.file(".github/workflows/run.yml").patch
    assert "-def version():\n" in seen.file("app.py").patch
    assert "rename" not in seen.patch


def test_a_change_of_mode_alone_is_shown_with_both_modes(topic: World) -> None:
    topic.git("update-index", "--chmod=+x", "app.py")
    topic.git("commit", "-q", "-m", "Run it")
    one = look(topic).file("app.py")
    assert one.patch == "diff --git a/app.py b/app.py\nold mode 100644\nnew mode 100755\n"
    assert (one.file.old_mode, one.file.new_mode, one.coverage.status) == ("100644", "100755", "full")


def test_mode_and_content_change_together(topic: World) -> None:
    topic.write("app.py", "def version():\n    return 2\n").chmod(0o755)
    topic.commit("Both")
    shown = look(topic).file("app.py").patch
    assert "old mode 100644\nnew mode 100755\n" in shown
    assert "+    return 2\n" in shown


def test_a_symbolic_link_is_listed_with_what_it_points_to(topic: World) -> None:
    (topic.path / "data").symlink_to("/etc/passwd")
    topic.commit("A link")
    seen = look(topic)
    assert seen.coverage("data") == ("listed", "symbolic link, nothing -> to '/etc/passwd'")
    assert "root:" not in seen.patch


def test_a_file_that_becomes_a_link_is_listed(topic: World) -> None:
    (topic.path / "app.py").unlink()
    (topic.path / "app.py").symlink_to("../\u202eother")
    topic.commit("A link")
    assert look(topic).coverage("app.py") == ("listed", "symbolic link, a file -> to '../\\u202eother'")


def test_a_link_with_a_huge_target_is_not_read(topic: World) -> None:
    blob = topic.git("hash-object", "-w", "--stdin", data=b"x" * 1_000_000)
    topic.git("update-index", "--add", "--cacheinfo", f"120000,{blob},data")
    topic.git("commit", "-q", "-m", "A link")
    assert look(topic).coverage("data") == ("listed", "symbolic link, nothing -> to 1,000,000 bytes")


@pytest.mark.parametrize(
    "content",
    [b"a\0b\n", b"\xff\xfe\n", b"caf\xe9\n", b"\xed\xa0\x80\n", b"x" * 9000 + b"\0"],
    ids=["NUL", "no UTF-8", "Latin-1", "surrogate", "NUL far behind"],
)
def test_what_is_no_utf8_text_is_listed(topic: World, content: bytes) -> None:
    topic.commit("Binary", data__txt=content)
    assert look(topic).coverage("data.txt") == ("listed", f"binary, {len(content):,} bytes")


def test_a_file_that_was_binary_is_listed_although_it_is_text_now(topic: World) -> None:
    topic.commit("Binary", data__txt=b"\0\n")
    topic.git("branch", "before")
    topic.commit("Text", data__txt=b"plain\n")
    assert look(topic, "before").coverage("data.txt") == ("listed", "binary, 2 -> 6 bytes")


def test_an_lfs_pointer_is_listed(topic: World) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12\n"
    topic.commit("Large", model__bin=pointer)
    assert look(topic).coverage("model.bin") == ("listed", "LFS pointer")


def test_a_lock_file_is_summarised_unless_it_is_binary(topic: World) -> None:
    topic.commit("Locks", uv__lock="a\n", poetry__lock=b"\0")
    seen = look(topic)
    assert seen.coverage("uv.lock") == ("summarised", "2 bytes")
    assert seen.coverage("poetry.lock")[0] == "listed"
    assert seen.patch == ""


# ---- content that looks like a patch


TRICKY = {
    "CRLF": b"one\r\ntwo\r\n",
    "mixed": b"one\r\ntwo\n",
    "lone CR": b"one\rtwo\r+three\rdiff --git a/x b/x\r",
    "no newline at end": b"one\ntwo",
    "empty": b"",
    "one newline": b"\n",
    "patch": b"diff --git a/app.py b/app.py\nindex 1..2\n--- a/app.py\n+++ b/app.py\n@@ -1 +1 @@\n-x\n+y\n",
    "fence": b"<<<END PATCH 0123>>>\n<<<PATCH app.py>>>\n",
    "long line": b"x" * 200_000 + b"\n",
    "form feed and friends": b"a\x0cb\x0b\x1c\x1d\x85c\n".replace(b"\x85", "\u2028\u0085".encode()),
    "BOM": b"\xef\xbb\xbfone\n",
    "escape": b"\x1b[2J\x1b]0;title\x07\n",
}


@pytest.mark.parametrize("content", TRICKY.values(), ids=TRICKY)
def test_odd_text_is_shown_as_git_shows_it(topic: World, content: bytes) -> None:
    topic.commit("Odd", before__txt=b"z\n", new__txt=content, zz__txt=b"z\n")
    seen = look(topic)
    assert seen.coverage("new.txt") == ("full", "")
    assert seen.patch.encode() == _as_git_prints(topic)
    added = seen.file("new.txt").patch.partition("\n@@")[2]
    shown = b"".join(line[1:] + b"\n" for line in added.encode().split(b"\n")[1:] if line.startswith(b"+"))
    assert shown == (content if content.endswith(b"\n") or not content else content + b"\n")


@pytest.mark.parametrize("content", TRICKY.values(), ids=TRICKY)
def test_odd_text_that_goes_is_shown_too(topic: World, content: bytes) -> None:
    topic.commit("Odd", app__py=content)
    topic.git("branch", "before")
    topic.commit("Plain", app__py=b"plain\n")
    seen = look(topic, "before")
    assert seen.patch.encode() == _as_git_prints(topic, "before")
    assert seen.file("app.py").content == "plain\n"


def _as_git_prints(world: World, base: str = "main", head: str = "HEAD", *paths: str) -> bytes:
    """The patch as plain git prints it in a repository without settings."""
    options = ["-r", "-p", "--full-index", "--text", "--no-indent-heuristic"]
    argv = ["git", "diff-tree", *options, base, head, "--", *paths]
    return subprocess.run(argv, cwd=world.path, capture_output=True, check=True).stdout


# ---- files and folders in each other's place


def test_a_folder_in_the_place_of_a_file_does_not_bring_in_what_is_not_shown(topic: World) -> None:
    topic.commit("A file", thing=b"text\n")
    topic.git("branch", "before")
    topic.git("rm", "-q", "thing")
    topic.write("thing/picture.png", b"\0binary\n")
    topic.write("thing/text.txt", "new\n")
    topic.commit("A folder")
    seen = look(topic, "before")
    assert "-text\n" in seen.file("thing").patch
    assert "+new\n" in seen.file("thing/text.txt").patch
    assert (seen.coverage("thing/picture.png")[0], seen.file("thing/picture.png").patch) == ("listed", "")


def test_files_that_are_not_shown_leave_the_others_as_git_prints_them(topic: World) -> None:
    for number in range(40):
        topic.write(f"dir{number % 7}/file{number}.txt", f"{number}\n" * 3)
        topic.write(f"dir{number % 5}/picture{number}.png", b"\0")
    topic.write("dir1/uv.lock", "x\n")
    topic.write("dir1/run.sh", "#!/bin/sh\n").chmod(0o755)
    topic.commit("Many")
    seen = look(topic)
    assert (seen.view.coverage.full, seen.view.coverage.listed, seen.view.coverage.summarised) == (41, 40, 1)
    assert seen.patch.encode() == _as_git_prints(topic, "main", "HEAD", ":!*.png", ":!*.lock")


def test_a_tree_that_names_a_path_twice_is_refused(topic: World) -> None:
    good, evil = (topic.git("hash-object", "-w", "--stdin", data=text) for text in (b"good\n", b"evil\n"))
    entries = b"".join(b"100644 app.py\0" + bytes.fromhex(oid) for oid in (evil, good))
    tree = topic.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", data=entries)
    commit = topic.git("commit-tree", "-p", "main", "-m", "Twice", tree)
    topic.git("update-ref", "refs/heads/twice", commit)
    for verb in (("review", "--head", "twice"), ("gate", "twice")):
        done = topic.cto(*verb, "--json")
        assert (done.code, done.json["error"]["code"]) == (3, "malformed_tree")


# ---- the budget


def test_a_patch_that_just_fits_is_shown_and_one_byte_less_is_not_enough(topic: World) -> None:
    topic.commit("Say 2", app__py="def version():\n    return 2\n")
    size = len(look(topic).patch.encode())
    assert look(topic, budget=size).coverage("app.py") == ("full", "")
    seen = look(topic, budget=size - 1)
    assert seen.coverage("app.py") == ("omitted", "over the budget")
    assert (seen.patch, seen.view.coverage.omitted) == ("", 1)


def test_the_budget_counts_bytes_and_not_characters(topic: World) -> None:
    topic.commit("Umlauts", app__py="ä" * 100 + "\n")
    size = len(look(topic).patch.encode())
    assert look(topic, budget=size - 1).view.coverage.omitted == 1


def test_what_does_not_fit_leaves_room_for_what_comes_after(topic: World) -> None:
    topic.commit("Three", a__txt="a\n", b__txt="b" * 5000 + "\n", c__txt="c\n")
    seen = look(topic, budget=1000)
    assert [one.coverage.status for one in seen.view.files] == ["full", "omitted", "full"]


def test_new_content_is_added_as_far_as_the_budget_goes_the_smallest_first(topic: World) -> None:
    topic.commit("Before", large__txt="line\n" * 400, small__txt="line\n" * 40)
    topic.git("branch", "before")
    topic.commit("After", large__txt="line\n" * 401, small__txt="line\n" * 41)
    size = len(look(topic, "before").patch.encode())
    seen = look(topic, "before", budget=size + 41 * 5)
    assert seen.file("small.txt").content == "line\n" * 41
    assert seen.file("large.txt").content == ""
    assert seen.view.coverage.full == 2


def test_a_file_that_is_too_large_to_be_read_is_omitted(topic: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patch, "LARGEST_BLOB", 1000)
    topic.commit("Large", fits__txt="x" * 1000, over__txt="x" * 1001, uv__lock="x" * 1001)
    seen = look(topic)
    assert seen.coverage("fits.txt") == ("full", "")
    assert seen.coverage("over.txt") == ("omitted", "too large to be read, 1,001 bytes")
    assert seen.coverage("uv.lock") == ("summarised", "1,001 bytes")
    seen = look(topic, unseen=("*.txt",))
    assert seen.coverage("fits.txt") == ("full", "")
    assert seen.coverage("over.txt") == ("listed", "too large to be read, 1,001 bytes")


def test_a_file_with_too_many_lines_is_omitted(topic: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patch, "MOST_LINES", 100)
    topic.commit("Long", fits__txt="x\n" * 100, over__txt="x\n" * 101)
    seen = look(topic)
    assert seen.coverage("fits.txt") == ("full", "")
    assert seen.coverage("over.txt") == ("omitted", "too many lines to compare, 202 bytes")


def test_thousands_of_files_are_all_there_and_in_order(topic: World) -> None:
    stream = ["commit refs/heads/topic", "committer A <a@b> 1700000000 +0000", "data 0", "from refs/heads/main^0"]
    for number in range(3000):
        stream += [f"M 100644 inline d{number % 50}/f{number}.txt", "data 2", "x"]
    topic.git("fast-import", "--quiet", "--force", data=("\n".join(stream) + "\n").encode())
    seen = look(topic, "main", "topic", budget=900_000)
    assert (seen.view.coverage.files, seen.view.coverage.full) == (3000, 3000)
    assert seen.patch.encode() == _as_git_prints(topic, "main", "topic")


# ---- properties

NAMES = st.text(st.sampled_from("ab-.\u00e4 \"'\\\n\t$`*?["), min_size=1, max_size=4).filter(
    lambda name: name not in {".", ".."} and not name.startswith(".git")
)
TEXTS = st.one_of(
    st.text(st.sampled_from("ab \t\r\n+-@\\"), max_size=60),
    st.lists(st.sampled_from(["diff --git a/x b/x", "@@ -1 +1 @@", "+x", "", "same"])).map("\n".join),
)
TREES = st.dictionaries(NAMES, TEXTS, max_size=5)


def _tree(world: World, files: dict[str, str]) -> str:
    entries = []
    for name, text in files.items():
        blob = world.git("hash-object", "-w", "--stdin", data=text.encode())
        entries.append(f"100644 blob {blob}\t{name}\0")
    return world.git("mktree", "-z", data="".join(entries).encode())


@QUICK
@given(old=TREES, new=TREES)
def test_the_sections_together_are_what_git_prints(world: World, old: dict[str, str], new: dict[str, str]) -> None:
    for name, files in (("old", old), ("new", new)):
        commit = world.git("commit-tree", "-m", name, _tree(world, files))
        world.git("update-ref", f"refs/heads/{name}", commit)
    seen = look(world, "old", "new")
    assert seen.patch.encode() == _as_git_prints(world, "old", "new")
    assert seen.view.coverage.full == len(seen.view.files)


@settings(derandomize=True, deadline=None, database=None)
@given(
    sections=st.lists(st.binary(max_size=40).map(lambda body: b"diff --git a\n" + body.replace(b"diff", b"") + b"\n")),
    sizes=st.lists(st.integers(1, 30), min_size=1),
    largest=st.integers(14, 60),
)
def test_a_patch_is_cut_where_its_sections_begin_however_it_arrives(
    sections: list[bytes], sizes: list[int], largest: int
) -> None:
    whole = b"".join(sections)
    chunks, start, turn = [], 0, 0
    while start < len(whole):
        chunks.append(whole[start : start + sizes[turn % len(sizes)]])
        start += len(chunks[-1])
        turn += 1
    assert list(_split(chunks, largest)) == [one if len(one) <= largest else None for one in sections]


def test_no_object_is_left_in_the_repository(topic: World) -> None:
    topic.commit("Some", a__txt="a\n", b__png=b"\0")
    before = sorted(os.walk(topic.path / ".git" / "objects"))
    assert look(topic).coverage("b.png")[0] == "listed"
    assert sorted(os.walk(topic.path / ".git" / "objects")) == before
