"""What is appended is found again, whatever others did to the notes and whenever we were stopped."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from git_cto.errors import BugError, GitError, ToolError
from git_cto.ledger import writing
from git_cto.ledger.notes import READABLE_REF, RECORDS_REF, SHADOW_REF, Notes
from git_cto.ledger.tree import Lines
from git_cto.repo.git import Git, discover
from tests.ledger.world import WRITER, Repo, end, interposed, new_repo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest import MonkeyPatch  # noqa: PT013 -- a type


def _crash_reports(repo: Repo) -> list[str]:
    return [path.name for path in Path(repo.git.place.git_dir).glob("fast_import_crash*")]


# ---- reading and appending


def test_no_ledger_has_no_lines(repo: Repo) -> None:
    assert repo.notes.read([repo.thing("head")]) == []
    assert repo.notes.tip() is None
    assert list(repo.notes.all_lines()) == []
    assert list(repo.notes.all_objects()) == []


def test_a_line_is_on_every_object_it_was_put_on(repo: Repo) -> None:
    things = [repo.thing(name) for name in ("head", "change", "series")]
    repo.notes.append(things, b"a record", {f"changes/{things[1]}": b"the listing"})
    for thing in things:
        assert repo.notes.read([thing]) == [b"a record"]
    assert repo.notes.read(things) == [b"a record"]
    assert repo.run("notes", f"--ref={RECORDS_REF}", "show", things[0]) == "a record"
    assert repo.run("rev-list", "--count", RECORDS_REF) == "1"
    assert repo.run("show", f"{RECORDS_REF}:changes/{things[1][:2]}/{things[1][2:]}") == "the listing"
    assert repo.tip() == repo.tip(SHADOW_REF)


def test_lines_keep_their_order_and_come_once(repo: Repo) -> None:
    head, series = repo.thing("head"), repo.thing("series")
    for line in (b"b", b"a", b"c", b"a"):
        repo.notes.append([head, series], line)
    assert repo.notes.read([head]) == [b"b", b"a", b"c"]
    assert repo.notes.read([series, head]) == [b"b", b"a", b"c"]
    assert list(repo.notes.all_lines()) == [b"b", b"a", b"c"]
    assert set(repo.notes.all_objects()) == {head, series}


def test_a_line_that_is_there_makes_no_commit(repo: Repo) -> None:
    head = repo.thing("head")
    repo.notes.append([head], b"a record", {"changes/abcdef": b"x"})
    tip = repo.tip()
    repo.notes.append([head], b"a record", {"changes/abcdef": b"x"})
    assert repo.tip() == tip


def test_one_reader_serves_many_questions(repo: Repo) -> None:
    repo.notes.append([repo.thing("head")], b"a record")
    with repo.git.objects() as reader:
        assert repo.notes.read([repo.thing("head")], reader) == [b"a record"]
        assert repo.notes.read([repo.thing("other")], reader) == []


def test_what_is_no_line_is_not_written(repo: Repo) -> None:
    head = repo.thing("head")
    for bad in (b"", b"  ", b"two\nlines", b"nul\0"):
        with pytest.raises(BugError):
            repo.notes.append([head], bad)
    with pytest.raises(BugError):
        repo.notes.append(["HEAD"], b"a record")
    with pytest.raises(ToolError, match="65537 bytes") as told:
        repo.notes.append([head], b"x" * 65537)
    assert told.value.code == "record_too_long"
    repo.notes.append([head], b"x" * 65536)
    assert repo.notes.read([head]) == [b"x" * 65536]


def test_corrupt_lines_between_good_ones_survive(repo: Repo) -> None:
    head = repo.thing("head")
    repo.notes.append([head], b"good")
    junk = "{\n\n\xff half a rec\n\t\n"
    repo.run("notes", f"--ref={RECORDS_REF}", "append", "-m", junk, head)
    repo.notes.append([head], b"also good")
    lines = repo.notes.read([head])
    assert lines[0] == b"good"
    assert lines[-1] == b"also good"
    assert b"{" in lines
    assert all(line.strip() for line in lines)


# ---- other shapes of the tree, other kinds of repository


def test_fanout_is_found_at_any_depth_and_kept(repo: Repo) -> None:
    head = repo.thing("head")
    shapes = {
        "flat": head,
        "one": f"{head[:2]}/{head[2:]}",
        "three": f"{head[:2]}/{head[2:4]}/{head[4:6]}/{head[6:]}",
    }
    stream = b"commit refs/notes/cto-records\ncommitter a <a@b> 1 +0000\ndata 1\nx\n"
    for content, path in shapes.items():
        stream += b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(content), content.encode())
    repo.run("fast-import", "--quiet", data=stream)
    assert set(repo.notes.read([head])) == {b"flat", b"one", b"three"}
    repo.notes.append([head], b"new")
    assert set(repo.notes.read([head])) == {b"flat", b"one", b"three", b"new"}
    assert repo.run("ls-tree", "-r", "--name-only", RECORDS_REF).splitlines() == sorted(shapes.values())


def test_gits_own_notes_commands_change_the_fanout_and_nothing_else(repo: Repo) -> None:
    for number in range(40):
        repo.notes.append([repo.thing(f"thing {number}")], b"line %d" % number, {f"changes/{number:05}": b"x"})
    commits = [repo.commit(f"{number}") for number in range(3)]
    for commit in commits:
        repo.run("notes", f"--ref={RECORDS_REF}", "append", "-m", "foreign", commit)
    repo.run("notes", f"--ref={RECORDS_REF}", "remove", commits[0])
    for number in (0, 20, 39):
        assert repo.lines(f"thing {number}") == {b"line %d" % number}
    repo.notes.append([commits[1]], b"ours")
    assert repo.notes.read([commits[1]]) == [b"foreign", b"ours"]
    assert len(list(repo.notes.all_objects())) == 42


def test_prune_and_gc_keep_what_is_beside_the_notes(repo: Repo) -> None:
    change = repo.thing("the listing")
    repo.notes.append([repo.thing("gone"), change], b"a record", {f"changes/{change}": b"the listing"})
    repo.run("notes", f"--ref={RECORDS_REF}", "prune")
    repo.run("reflog", "expire", "--expire=now", "--all")
    repo.run("gc", "--quiet", "--prune=now")
    assert repo.run("cat-file", "blob", change) == "the listing"
    assert repo.notes.read([change]) == [b"a record"]
    repo.notes.append([change], b"another")
    assert repo.lines("gone") == {b"a record"}  # but the shadow remembers where else it was


def test_sha256_repository(tmp_path: Path, env: dict[str, str]) -> None:
    repo = new_repo(tmp_path / "wide", env, "--object-format=sha256")
    head = repo.commit("first")
    repo.notes.append([head, repo.thing("change")], b"a record", {f"changes/{repo.thing('change')}": b"change"})
    assert len(head) == 64
    assert repo.notes.read([head]) == [b"a record"]
    assert repo.run("notes", f"--ref={RECORDS_REF}", "show", head) == "a record"


def test_linked_worktree_shares_the_ledger(repo: Repo) -> None:
    repo.run("worktree", "add", "--quiet", "../linked", "-b", "side")
    linked = Repo(repo.path.parent / "linked", repo.env)
    linked.notes.append([repo.thing("head")], b"from the side")
    assert repo.lines("head") == {b"from the side"}


def test_bare_repository(tmp_path: Path, env: dict[str, str]) -> None:
    repo = new_repo(tmp_path / "bare.git", env, "--bare")
    repo.notes.append([repo.thing("head")], b"a record")
    assert repo.lines("head") == {b"a record"}


def test_the_users_settings_do_not_matter(repo: Repo) -> None:
    for setting in (
        "commit.gpgsign=true",
        "gpg.program=false",
        "core.notesRef=refs/notes/elsewhere",
        "user.useConfigOnly=true",
        "fastimport.unpackLimit=1",
        "core.logAllRefUpdates=always",
        "core.hooksPath=hooks",
    ):
        repo.run("config", *setting.split("="))
    hook = repo.path / "hooks" / "reference-transaction"
    hook.parent.mkdir()
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    env = {**repo.env, "GIT_NOTES_REF": "refs/notes/there", "GIT_DIR": str(repo.path / ".git"), "GIT_INDEX_FILE": "no"}
    notes = Notes(Git(discover(str(repo.path), repo.env), env))
    notes.append([repo.thing("head")], b"a record")
    assert repo.lines("head") == {b"a record"}
    assert repo.run("log", "-1", "--format=%an <%ae> %cn", RECORDS_REF) == "git-cto <git-cto@localhost> git-cto"


def test_a_tag_called_like_the_ledger_is_not_the_ledger(repo: Repo) -> None:
    forged = new_repo(repo.path.parent / "forged", repo.env)
    forged.notes.append([repo.thing("head")], b"forged")
    repo.run("fetch", "--quiet", str(forged.path), "refs/notes/cto-records:refs/tags/refs/notes/cto-records")
    assert repo.run("rev-parse", RECORDS_REF) == forged.tip()  # git itself would take it
    assert repo.lines("head") == set()
    repo.notes.append([repo.thing("head")], b"ours")
    assert repo.lines("head") == {b"ours"}


# ---- damage and refusals


def test_a_note_that_cannot_be_read_is_an_error(repo: Repo) -> None:
    head = repo.thing("head")
    repo.notes.append([head], b"a record")
    for name in (
        f"{RECORDS_REF}:{head[:2]}/{head[2:4]}/{head[4:]}",
        f"{RECORDS_REF}:{head[:2]}/{head[2:4]}",
        RECORDS_REF,
    ):
        oid = repo.run("rev-parse", name)
        (repo.path / ".git" / "objects" / oid[:2] / oid[2:]).unlink()
        with pytest.raises(GitError, match="missing"):
            repo.notes.read([head])
        with pytest.raises(GitError):
            repo.notes.append([head], b"another")
    assert repo.tip() == repo.tip(SHADOW_REF) != ""
    assert _crash_reports(repo) == []


def test_fast_import_that_fails_leaves_nothing(repo: Repo) -> None:
    repo.notes.append([repo.thing("head")], b"a record")
    theirs = repo.path / ".git" / "fast_import_crash_1"
    theirs.write_text("somebody else's")
    with pytest.raises(GitError, match="Nothing was recorded"):
        writing.commit(repo.git, [repo.tip()], {"a/b": "1" * 40}, "a blob that is not there")
    assert _crash_reports(repo) == ["fast_import_crash_1"]
    assert repo.lines("head") == {b"a record"}


def test_a_stale_lock_is_named(repo: Repo, monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "STALE_SECONDS", 0.0)
    repo.notes.append([repo.thing("head")], b"a record")
    lock = repo.path / ".git" / "refs" / "notes" / "cto-records.lock"
    lock.touch()
    with pytest.raises(ToolError) as told:
        repo.notes.append([repo.thing("head")], b"another")
    assert told.value.code == "stale_lock"
    assert told.value.hint.endswith(f"rm {lock}")
    assert repo.lines("head") == {b"a record"}
    lock.unlink()
    repo.notes.append([repo.thing("head")], b"another")
    assert repo.lines("head") == {b"a record", b"another"}


def test_to_have_stood_in_the_queue_for_long_makes_no_lock_a_stale_one(repo: Repo, monkeypatch: MonkeyPatch) -> None:
    """Somebody who does not queue holds the ref's lock for a moment, just when it is our turn at last."""
    repo.notes.append([repo.thing("head")], b"a record")
    lock = repo.path / ".git" / "refs" / "notes" / "cto-records.lock"
    lock.touch()
    other = os.open(repo.path / ".git" / writing.QUEUE, os.O_RDWR)
    fcntl.flock(other, fcntl.LOCK_EX)

    class Clock:
        """The time. The first pause in the queue takes long, and the lock is gone once git has waited for it."""

        past = turn = 0.0
        time = staticmethod(time.time)

        def monotonic(self) -> float:
            now = time.monotonic()
            if self.turn and now - self.turn > 1:  # which is how long git waits
                lock.unlink(missing_ok=True)
            return now + self.past

        def sleep(self, seconds: float) -> None:
            if self.turn:
                return time.sleep(seconds)
            self.past, self.turn = 2 * writing.STALE_SECONDS, time.monotonic()
            return os.close(other)

    monkeypatch.setattr(writing, "time", Clock())
    repo.notes.append([repo.thing("head")], b"another")
    assert repo.lines("head") == {b"a record", b"another"}


def test_a_queue_that_does_not_move_is_left(repo: Repo) -> None:
    common = repo.git.place.common_dir
    with writing.queue(common), writing.queue(common, 0.05):  # a second one in the same process waits as well
        assert writing.swap(repo.git, {"refs/cto/x": (repo.run("rev-parse", "HEAD"), None)}, "test") == ""


def test_no_locks_on_this_system(repo: Repo, monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "QUEUES", False)
    repo.notes.append([repo.thing("head")], b"a record")
    assert repo.lines("head") == {b"a record"}
    assert not (repo.path / ".git" / writing.QUEUE).exists()


@pytest.mark.parametrize("largest", [0, 30, 120, 700, 2500])
def test_disk_full(repo: Repo, largest: int) -> None:
    """No file may grow beyond `largest` bytes: git fails in the middle of writing, for real."""
    repo.notes.append([repo.thing("one")], b"a record")
    before = repo.run("for-each-ref")
    code, out, err = end(repo.writing("w", "1", "same", "4000", LARGEST_FILE=str(largest)))
    assert (code, out) == (3, "")
    assert err.startswith("disk_full: Nothing was recorded: ")
    assert "disk space" in err
    assert repo.run("for-each-ref") == before
    assert repo.lines("one") == {b"a record"}
    assert _crash_reports(repo) == []
    repo.notes.append([repo.thing("one")], b"later")
    assert repo.lines("one") == {b"a record", b"later"}


@pytest.mark.skipif(shutil.which("unshare") is None, reason="mounts a file system that nobody else sees")
def test_a_really_full_disk(tmp_path: Path, repo: Repo) -> None:
    """A file system of 300 KB, filled until git cannot even write why it crashed."""
    script = f"""
mount -t tmpfs -o size=300k tmpfs {tmp_path}/disk || exit 77
cp -r {repo.path}/.git {tmp_path}/disk/full.git
for turn in 1 2; do {sys.executable} {WRITER} {tmp_path}/disk/full.git $turn 100 same 3000; done
ls {tmp_path}/disk/full.git
git --git-dir={tmp_path}/disk/full.git notes --ref={RECORDS_REF} show {repo.thing("one")}
"""
    repo.run("config", "core.hooksPath", "none")
    shutil.rmtree(repo.path / ".git" / "hooks")
    (tmp_path / "disk").mkdir()
    argv = ["unshare", "-m", "sh", "-c", script]
    done = subprocess.run(argv, env=repo.env, capture_output=True, text=True, check=False)
    if done.returncode == 77 or done.stderr.startswith("unshare"):
        pytest.skip(f"no file system of our own here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^\w+(?=: Nothing)", done.stderr, re.MULTILINE) == ["disk_full", "disk_full"]
    assert "crash" not in done.stdout + done.stderr
    told, shown = (part.split() for part in done.stdout.split("HEAD\n"))
    kept = [line for line in shown if len(line) == 6000]
    assert len(kept) >= 1
    assert [line for line in told if len(line) == 6000] == kept


@pytest.fixture
def others_repo(env: dict[str, str]) -> Iterator[tuple[Repo, dict[str, str]]]:
    """A repository that the writer may read and not write, and what the writer's environment needs for that."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    repo = new_repo(folder / "repo", env)
    repo.commit("first")
    repo.notes.append([repo.thing("one")], b"a record")
    root = os.getuid() == 0
    if not root:
        subprocess.run(["chmod", "-R", "a-w", str(repo.path)], check=True)
    yield repo, {"RUN_AS": "65534"} if root else {}
    if not root:
        subprocess.run(["chmod", "-R", "u+w", str(repo.path)], check=True)
    shutil.rmtree(folder)


def test_read_only_repository(others_repo: tuple[Repo, dict[str, str]]) -> None:
    repo, as_other = others_repo
    code, _, err = end(repo.writing("w", "1", "same", **as_other))
    assert code == 3
    assert err.startswith("read_only: Nothing was recorded: ")
    assert f"check who may write to {repo.git.place.common_dir}" in err
    assert repo.lines("one") == {b"a record"}


# ---- killed

POINTS = {
    "before the commit": 'case "$*" in *" fast-import "*) kill -9 $PPID; exit 1;; esac; exec "$GIT" "$@"',
    "after the commit": 'case "$*" in *" fast-import "*) "$GIT" "$@"; kill -9 $PPID;; *) exec "$GIT" "$@";; esac',
    "before the swap": 'case "$*" in *" update-ref "*) kill -9 $PPID; exit 1;; esac; exec "$GIT" "$@"',
    "in the middle of the swap": 'case "$*" in *" update-ref "*) head -c 60 | "$GIT" "$@"; kill -9 $PPID;;'
    ' *) exec "$GIT" "$@";; esac',
    "after the swap": 'case "$*" in *" update-ref "*) "$GIT" "$@"; kill -9 $PPID;; *) exec "$GIT" "$@";; esac',
}
for _size in (40, 90, 140, 200, 250, 300):
    POINTS[f"after {_size} bytes of the commit"] = (
        f'case "$*" in *" fast-import "*) head -c {_size} | "$GIT" "$@"; kill -9 $PPID;; *) exec "$GIT" "$@";; esac'
    )


@pytest.mark.parametrize("point", POINTS)
def test_killed(repo: Repo, tmp_path: Path, point: str) -> None:
    repo.notes.append([repo.thing("one"), repo.thing("two")], b"a record")
    code, _, _ = end(repo.writing("w", "1", "same", **interposed(tmp_path / "bin", POINTS[point])))
    assert code == -signal.SIGKILL
    lines = repo.lines("one")
    assert lines == repo.lines("two")
    assert len(lines) == (2 if point == "after the swap" else 1)
    repo.notes.append([repo.thing("one")], b"later")
    assert repo.lines("one") == lines | {b"later"}
    assert _crash_reports(repo) == []
    assert "incoming" not in repo.run("for-each-ref")
    repo.run("fsck", "--strict")


# ---- others' writes


def test_a_write_between_our_reading_and_our_swap_is_seen(repo: Repo, tmp_path: Path) -> None:
    """Somebody who knows no lock appends right before the swap, twice: both are caught and everything is kept."""
    thing = repo.thing("one")
    foreign = f"""
case "$*" in *" update-ref "*)
  n=$(ls {tmp_path} | grep -c foreign)
  if [ $n -lt 2 ]; then
    touch {tmp_path}/foreign$n
    export GIT_COMMITTER_EMAIL=x@y GIT_AUTHOR_EMAIL=x@y
    "$GIT" -C {repo.path} notes --ref={RECORDS_REF} append -m "foreign $n" {thing} || exit 9
  fi;;
esac
exec "$GIT" "$@"
"""
    code, out, err = end(repo.writing("w", "1", "same", **interposed(tmp_path / "bin", foreign)))
    assert code == 0, err
    assert repo.lines("one") == {b"foreign 0", b"foreign 1", out.strip().encode()}


def test_a_ref_that_was_forced_back_is_restored_by_the_next_append(repo: Repo) -> None:
    for number in range(3):
        repo.notes.append(
            [repo.thing("head"), repo.thing(f"change {number}")], b"line %d" % number, {"changes/aabb": b"x"}
        )
    repo.run("update-ref", RECORDS_REF, f"{RECORDS_REF}~2")
    assert repo.lines("head") == {b"line 0"}
    repo.notes.append([repo.thing("head")], b"line 3")
    assert repo.lines("head") == {b"line 0", b"line 1", b"line 2", b"line 3"}
    assert repo.lines("change 2") == {b"line 2"}
    assert repo.tip() == repo.tip(SHADOW_REF)


def test_a_ref_that_was_replaced_or_deleted_is_restored(repo: Repo) -> None:
    repo.notes.append([repo.thing("head")], b"ours")
    repo.run("update-ref", "-d", RECORDS_REF)
    assert repo.lines("head") == set()
    assert repo.notes.restore() == Lines(1)
    assert repo.lines("head") == {b"ours"}
    other = new_repo(repo.path.parent / "other", repo.env)
    other.notes.append([other.thing("head")], b"theirs")
    repo.run("fetch", "--quiet", str(other.path), "+refs/notes/*:refs/notes/*")  # what many a recipe configures
    assert repo.lines("head") == {b"theirs"}
    assert repo.notes.restore() == Lines(1)
    assert repo.lines("head") == {b"ours", b"theirs"}
    assert repo.notes.restore() == Lines()


# ---- uniting


def _other(repo: Repo, name: str = "other") -> Repo:
    made = new_repo(repo.path.parent / name, repo.env)
    made.commit("theirs")
    return made


def _fetched(repo: Repo, other: Repo) -> str:
    repo.run("fetch", "--quiet", str(other.path), f"+{RECORDS_REF}:refs/theirs")
    return repo.tip("refs/theirs")


def test_unite_takes_everything_from_nothing(repo: Repo) -> None:
    other = _other(repo)
    other.notes.append([other.thing("head"), other.thing("change")], b"theirs", {"changes/aabb": b"x"})
    theirs = _fetched(repo, other)
    assert repo.notes.unite(theirs) == Lines(1)
    assert repo.tip() == repo.tip(SHADOW_REF) == theirs
    assert repo.notes.unite(theirs) == Lines()


def test_unite_keeps_both_and_descends_from_both(repo: Repo) -> None:
    other = _other(repo)
    repo.notes.append([repo.thing("head"), repo.thing("mine")], b"ours", {"changes/aabb": b"x", "series/aabb": b"s"})
    other.notes.append([other.thing("head"), other.thing("yours")], b"theirs", {"changes/ccdd": b"y"})
    ours, theirs = repo.tip(), _fetched(repo, other)
    assert repo.notes.missing_in(theirs) == Lines(1)
    assert repo.notes.unite(theirs) == Lines(1)
    assert repo.run("log", "-1", "--format=%P", RECORDS_REF).split() == [ours, theirs]
    assert repo.lines("head") == {b"ours", b"theirs"}
    assert repo.lines("yours") == {b"theirs"}
    for path in ("changes/aa/bb", "series/aa/bb", "changes/cc/dd"):
        repo.run("cat-file", "-e", f"{RECORDS_REF}:{path}")
    back = _fetched(other, repo)
    assert other.notes.unite(back) == Lines(1)
    assert other.tip() == back  # a fast-forward


def test_unite_never_deletes(repo: Repo) -> None:
    head = repo.thing("head")
    repo.notes.append([head], b"one")
    repo.notes.append([head], b"two")
    other = _other(repo)
    other.notes.unite(_fetched(other, repo))
    other.run("notes", f"--ref={RECORDS_REF}", "remove", head)  # on top of what we have
    theirs = _fetched(repo, other)
    assert repo.notes.unite(theirs) == Lines()
    assert repo.lines("head") == {b"one", b"two"}
    assert repo.run("merge-base", "--is-ancestor", theirs, RECORDS_REF) == ""


@pytest.mark.parametrize("how", ["zeros before modes", "odd modes", "empty folders of the same names"])
def test_unite_takes_no_tree_in_which_git_sees_everything_and_we_would_see_nothing(repo: Repo, how: str) -> None:
    names = ["head", "change", "series"]
    repo.notes.append(map(repo.thing, names), b"a refusal", {"changes/aabb": b"x"})
    other = _other(repo)
    other.notes.unite(_fetched(other, repo))
    hidden = _by_hand(other, f"{RECORDS_REF}^{{tree}}", how)
    other.run("update-ref", RECORDS_REF, other.run("commit-tree", "-p", RECORDS_REF, "-m", "by hand", hidden))
    assert repo.notes.unite(_fetched(repo, other)) == Lines()
    assert all(repo.lines(name) == {b"a refusal"} for name in names)
    repo.notes.append(map(repo.thing, names), b"another", {"changes/aabb": b"x"})
    assert all(repo.lines(name) == {b"a refusal", b"another"} for name in names)


def _by_hand(repo: Repo, tree: str, how: str) -> str:
    """The same tree, in a form that git itself would not write."""
    empty, raw = bytes.fromhex(repo.run("mktree")), b""
    for line in repo.run("ls-tree", tree).splitlines():
        _, kind, oid, name = line.split(maxsplit=3)
        mode = {"tree": "40000", "blob": "100644"}[kind]
        mode = {"zeros before modes": "0" + mode, "odd modes": {"40000": "40755"}.get(mode, "100664")}.get(how, mode)
        oid = _by_hand(repo, oid, how) if kind == "tree" else oid
        raw += f"{mode} {name}\0".encode() + bytes.fromhex(oid)
        if kind == "tree" and how.startswith("empty"):
            raw += f"{mode} {name}\0".encode() + empty
    return repo.run("hash-object", "-t", "tree", "-w", "--literally", "--stdin", data=raw)


def test_a_folder_is_found_although_a_file_of_theirs_stands_above_it(repo: Repo) -> None:
    stream = b"commit refs/notes/cto-records\ncommitter a <a@b> 1 +0000\ndata 1\nx\n"
    repo.run("fast-import", "--quiet", data=stream + b"M 100644 inline changes/aa\ndata 3\nbad\n")
    repo.notes.append([repo.thing("head")], b"ours", {"changes/aabb": b"x"})
    assert repo.lines("head") == {b"ours"}


def test_unite_takes_no_file_that_stands_where_we_have_a_folder(repo: Repo) -> None:
    repo.notes.append([repo.thing("head")], b"ours", {"changes/aabb": b"x"})
    other = _other(repo)
    stream = b"commit refs/notes/cto-records\ncommitter a <a@b> 1 +0000\ndata 1\nx\n"
    for path in (b"changes", b'"odd\\nname"', b"plain"):
        stream += b"M 100644 inline %s\ndata 3\nbad\n" % path
    other.run("fast-import", "--quiet", data=stream)
    repo.notes.unite(_fetched(repo, other))
    assert repo.run("ls-tree", "-r", "--name-only", RECORDS_REF).splitlines()[-2:] == ["changes/aa/bb", "plain"]


def test_unite_refuses_what_is_no_notes_commit(repo: Repo) -> None:
    with pytest.raises(GitError):
        repo.notes.unite(repo.run("rev-parse", "HEAD^{tree}"))
    with pytest.raises(GitError):
        repo.notes.unite("1" * 40)
    assert repo.tip() == ""


# ---- the readable notes


def test_readable_notes_are_replaced(repo: Repo) -> None:
    head, readable = repo.run("rev-parse", "HEAD"), Notes(repo.git, READABLE_REF)
    readable.replace(head, b"revise\n")
    readable.replace(head, b"approve\n")
    assert repo.run("log", "-1", "--notes=cto", "--format=%N") == "approve"
    tip = repo.tip(READABLE_REF)
    readable.replace_all({head: b"approve\n"})
    assert repo.tip(READABLE_REF) == tip
    assert repo.tip(SHADOW_REF) == ""


def test_records_are_never_replaced(repo: Repo) -> None:
    with pytest.raises(BugError):
        repo.notes.replace(repo.thing("head"), b"other")


# ---- cost


def test_reading_and_appending_cost_the_same_in_a_large_ledger(repo: Repo, tmp_path: Path) -> None:
    """Counted, not timed: git is started as often, and as much is read, with 20,000 notes as with 10."""
    stream = [b"commit refs/notes/cto-records\ncommitter a <a@b> 1 +0000\ndata 1\nx\n"]
    for number in range(20_000):
        thing = repo.thing(f"bulk {number}")
        stream.append(
            b"M 100644 inline %s/%s/%s\ndata 1\nx\n" % (thing[:2].encode(), thing[2:4].encode(), thing[4:].encode())
        )
        stream.append(b"M 100644 inline changes/%s/%s\ndata 1\nx\n" % (thing[:2].encode(), thing[2:].encode()))
    repo.run("fast-import", "--quiet", data=b"".join(stream))
    reads = []
    with repo.git.objects() as reader:
        ask = reader._ask

        def counted(verb: str, name: str) -> object:
            found = ask(verb, name)
            reads.append(found.size if found and verb == "contents" else 0)
            return found

        reader._ask = counted  # type: ignore[assignment,method-assign]
        assert repo.notes.read([repo.thing("bulk 77"), repo.thing("none")], reader) == [b"x"]
    assert len(reads) < 20
    assert sum(reads) < 40_000
    log = tmp_path / "log"
    env = interposed(tmp_path / "bin", f'echo "$*" >>{log}; exec "$GIT" "$@"')
    code, _, err = end(repo.writing("w", "1", "different", **env))
    assert code == 0, err
    verbs = [line for line in log.read_text().splitlines() if "rev-parse" not in line]
    assert len(verbs) == 4, verbs  # cat-file, for-each-ref (there was no shadow), fast-import, update-ref


def test_reading_notes_starts_fast() -> None:
    """What `git_cto.ledger.notes` brings along, beside what it runs git with, is next to nothing."""
    script = (
        "import sys, git_cto.repo.git; a = set(sys.modules); import git_cto.ledger.notes; print(*set(sys.modules) - a)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    assert {name for name in done.stdout.split() if not name.startswith("git_cto.")} <= {"fcntl"}
