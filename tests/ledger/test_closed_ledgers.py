"""A ledger that cannot be read, or not in bearable time, is an error that says so: never "no records"."""

from __future__ import annotations

import subprocess
import time

import pytest

from git_cto.errors import GitError, ToolError
from git_cto.ledger.notes import LARGEST_NOTE, MOST_LINES, READABLE_REF, RECORDS_REF, SHADOW_REF, Notes
from git_cto.model import Plan, Task, Verification, plan_fault
from tests.ledger.world import Repo

BROKEN = pytest.mark.parametrize("content", ["garbage\n", f"ref: {RECORDS_REF}\n", "ref: refs/heads/none\n", ""])


def broken(repo: Repo, ref: str, content: str) -> None:
    path = repo.path / ".git" / ref
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


@BROKEN
def test_a_ref_that_cannot_be_followed_is_an_error_for_every_reader_and_writer(repo: Repo, content: str) -> None:
    thing = repo.thing("a")
    broken(repo, RECORDS_REF, content)
    notes = repo.notes
    for attempt in (
        lambda: notes.read([thing]),
        notes.tip,
        lambda: list(notes.all_lines()),
        lambda: notes.append([thing], b"line"),
        notes.restore,
    ):
        with pytest.raises(ToolError, match=RECORDS_REF) as caught:
            attempt()
        assert caught.value.code == "broken_ref"
    assert (repo.path / ".git" / RECORDS_REF).read_text() == content


@BROKEN
def test_what_is_said_to_type_brings_every_line_back(repo: Repo, content: str) -> None:
    thing = repo.thing("a")
    repo.notes.append([thing], b"line")
    broken(repo, RECORDS_REF, content)
    with pytest.raises(ToolError) as caught:
        repo.notes.read([thing])
    typed, _, then = caught.value.hint.partition(", then ")
    assert then == "git cto sync"
    subprocess.run(typed, cwd=repo.path, env=repo.env, shell=True, check=True)
    assert repo.notes.read([thing]) == [b"line"]


def test_a_broken_shadow_stops_writing_and_not_reading(repo: Repo) -> None:
    thing = repo.thing("a")
    repo.notes.append([thing], b"line")
    broken(repo, SHADOW_REF, "garbage\n")
    assert repo.notes.read([thing]) == [b"line"]
    with pytest.raises(ToolError, match=SHADOW_REF):
        repo.notes.append([thing], b"another")


def test_a_broken_ref_of_a_longer_name_is_another_matter(repo: Repo) -> None:
    broken(repo, RECORDS_REF, "garbage\n")
    assert Notes(repo.git, READABLE_REF).read([repo.thing("a")]) == []


def test_a_broken_ref_of_a_remote_of_any_name_is_quoted_where_it_is_to_be_typed(repo: Repo) -> None:
    ref = "refs/notes/cto-remote/it's;a$IFS"
    broken(repo, ref, "garbage\n")
    with pytest.raises(ToolError) as caught:
        Notes(repo.git, ref).tip()
    subprocess.run(caught.value.hint, cwd=repo.path, env=repo.env, shell=True, check=True)
    assert Notes(repo.git, ref).tip() is None


def noted(repo: Repo, text: bytes) -> str:
    """An object with this note, put there by somebody else's hand."""
    head = repo.run("rev-parse", "HEAD")
    blob = repo.run("hash-object", "-w", "--stdin", data=text)
    repo.run("notes", f"--ref={RECORDS_REF}", "add", "-f", "-C", blob, head)
    return head


def test_more_lines_than_anybody_works_with_are_an_error(repo: Repo) -> None:
    head = noted(repo, b"".join(b"%d\n" % number for number in range(MOST_LINES)))
    assert len(repo.notes.read([head])) == MOST_LINES
    head = noted(repo, b"".join(b"%d\n" % number for number in range(MOST_LINES + 1)))
    with pytest.raises(GitError, match="too many") as caught:
        repo.notes.read([head])
    assert caught.value.code == "ledger_too_large"


def test_more_bytes_than_anybody_works_with_are_an_error(repo: Repo) -> None:
    head = noted(repo, b"x" * (LARGEST_NOTE - 1) + b"\n")
    assert len(repo.notes.read([head])) == 1
    head = noted(repo, b"x" * LARGEST_NOTE + b"\n")
    with pytest.raises(GitError) as caught:
        repo.notes.read([head])
    assert caught.value.code == "ledger_too_large"


def a_chain(length: int) -> Plan:
    """A plan in which every task waits for the next one."""
    ids = [f"a{number}" for number in range(length)]
    tasks = tuple(
        Task(id=one, action="verify", target="x", description="", depends_on=(other,) if other else ())
        for one, other in zip(ids, [*ids[1:], ""], strict=True)
    )
    return Plan(objective="o", analysis="", strategy="", tasks=tasks, verification=Verification())


def test_checking_a_plan_takes_time_in_proportion_to_its_size() -> None:
    began = time.perf_counter()
    assert plan_fault(a_chain(20_000)) == ""
    assert time.perf_counter() - began < 5  # with every pair looked at it takes minutes
