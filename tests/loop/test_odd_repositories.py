"""Repositories with submodules, sparse checkouts and filters: what is done in them, and that it is said what is not."""

from __future__ import annotations

import pytest

from tests.loop.world import WORK, Loop


@pytest.fixture
def nested(loop: Loop) -> Loop:
    """A repository with a submodule in `vendor/lib`."""
    library = loop.path.parent / "library"
    loop.git("init", "--quiet", str(library))
    loop.git("-C", str(library), "commit", "--quiet", "--allow-empty", "-m", "A library")
    (library / "lib.py").write_text("def lib(): ...\n")
    loop.git("-C", str(library), "add", "lib.py")
    loop.git("-C", str(library), "commit", "--quiet", "-m", "It does something")
    loop.git("config", "--global", "protocol.file.allow", "always")
    loop.git("submodule", "--quiet", "add", str(library), "vendor/lib")
    loop.commit("A submodule")
    return loop


def test_submodules_are_empty_and_that_is_said_before_anything_is_done(nested: Loop) -> None:
    nested.does(f'ls vendor/lib > "$HOME/seen"\n{WORK}')
    said = nested.run()
    assert said.code == 0, said.text
    assert (nested.home / "seen").read_text() == ""
    assert "note: submodules are empty in the worktrees of tasks and verification:" in said.err
    assert "vendor/lib" in said.err
    assert "vendor/lib" not in said.err.partition("started")[2]  # nobody worked in it
    assert nested.git("submodule", "status").split()[1] == "vendor/lib"
    assert nested.git("status", "--porcelain") == ""
    assert nested.leftovers() == []


def test_what_is_written_into_a_submodule_is_not_taken_and_the_reviewer_hears_of_it(nested: Loop) -> None:
    nested.does(f"echo mine > vendor/lib/mine.py\n{WORK}")
    said = nested.run()
    assert said.code == 0, said.text
    words = "vendor/lib is a submodule: nothing that was written into it is taken"
    assert words in " ".join(said.err.split())
    assert words in nested.prompts()[1]
    assert "are lost" not in nested.prompts()[1]


def test_commits_that_were_made_in_a_submodule_are_said_to_be_lost(nested: Loop) -> None:
    """The new pointer is part of the result; that nobody can follow it is for the reviewer to know."""
    made = "git submodule --quiet update --init && echo mine > vendor/lib/mine.py && git -C vendor/lib add mine.py"
    nested.does(f'{made} && git -C vendor/lib commit --quiet -m "In it"\n{WORK}')
    nested.run("--max-tokens", "2000")  # ends after the first round: such a pointer bars an approval
    assert (
        "nothing that was written into it is taken, and commits that are not elsewhere too are lost"
        in (nested.prompts()[1])
    )
    assert nested.leftovers() == []


def test_a_task_beyond_a_sparse_checkout_is_done_and_the_checkout_stays_sparse(loop: Loop) -> None:
    loop.commit("Folders", **{"a/x": "1\n", "b/x": "1\n"})
    loop.git("sparse-checkout", "set", "--cone", "a")
    loop.does(f"cat b/x && echo 2 > b/x && echo new > b/y\n{WORK}")
    said = loop.run()
    assert said.code == 0, said.text
    assert (loop.files()["b/x"], loop.files()["b/y"]) == ("2", "new")
    assert loop.files()["a/x"] == "1"
    assert not (loop.path / "b").exists()
    assert loop.git("sparse-checkout", "list") == "a"


def test_filters_run_in_the_worktrees_of_tasks_as_they_do_in_the_checkout(loop: Loop) -> None:
    """As those of Git LFS do: what is committed is not what is in the worktree."""
    loop.git("config", "filter.shout.clean", "tr a-z A-Z")
    loop.git("config", "filter.shout.smudge", "tr A-Z a-z")
    loop.git("config", "filter.shout.required", "true")
    loop.write(".gitattributes", "*.txt filter=shout\n")
    loop.write("words.txt", "hello\n")
    loop.commit("All texts are filtered")
    loop.does(f'cat words.txt > "$HOME/seen"\n{WORK}')
    said = loop.run()
    assert said.code == 0, said.text
    assert (loop.home / "seen").read_text() == "hello\n"
    assert loop.files()["t1.txt"] == "T1 FIRST"


def test_a_filter_that_is_not_there_is_said_before_anything_is_paid_for(loop: Loop) -> None:
    """As where Git LFS is not installed."""
    loop.git("config", "filter.lfs.clean", "no-such-filter")
    loop.git("config", "filter.lfs.smudge", "cat")
    loop.git("config", "filter.lfs.required", "true")
    loop.write("words.bin", "hello\n")
    loop.commit("A file")
    loop.write(".gitattributes", "*.bin filter=lfs\n")
    (loop.path / "words.bin").touch()
    said = loop.run()
    assert said.code == 3, said.text
    assert "filter 'lfs' failed" in said.err
    assert "git config --get-regexp filter.lfs" in said.err
    assert loop.prompts() == []
