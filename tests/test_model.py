"""Plans, paths and series as values: what their own words promise."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_cto.model import CommandOutcome, EngineUse, Series, Target, display_path, person, plan_fault, task_fault
from tests.gate.values import CODEX, a_file, a_finding, a_plan, a_review, a_task, a_verdict, quick

# ---- plans


def test_a_plan_finds_its_tasks() -> None:
    plan = a_plan(a_task("t1"), a_task("t2"))
    assert plan.task("t2") == a_task("t2")
    assert plan.task("t3") is None


def test_a_known_id_amends_its_task_in_place_and_a_new_one_is_appended() -> None:
    plan = a_plan(a_task("t1"), a_task("t2"))
    amended = plan.amended((a_task("t9"), a_task("t1", description="Say 3")))
    assert [(one.id, one.description) for one in amended.tasks] == [("t1", "Say 3"), ("t2", "Say 2"), ("t9", "Say 2")]
    assert plan.amended(()) == plan


def test_tasks_are_put_in_order_and_otherwise_left_as_planned() -> None:
    plan = a_plan(a_task("c", depends_on=("b",)), a_task("x"), a_task("b", depends_on=("a",)), a_task("a"), a_task("y"))
    assert [task.id for task in plan.in_order()] == ["x", "a", "b", "c", "y"]


names = st.sampled_from("abcdef")


@quick
@given(st.lists(st.tuples(names, st.sets(names, max_size=2)), max_size=6))
def test_order_holds_every_task_once_and_no_fault_means_that_dependencies_come_first(
    said: list[tuple[str, set[str]]],
) -> None:
    plan = a_plan(*(a_task(name, depends_on=tuple(sorted(after))) for name, after in said))
    ordered = plan.in_order()
    assert sorted(ordered, key=repr) == sorted(plan.tasks, key=repr)
    if not plan_fault(plan):
        place = {task.id: number for number, task in enumerate(ordered)}
        assert all(place[other] < place[task.id] for task in ordered for other in task.depends_on)


def test_a_circle_is_named_without_the_tasks_that_only_wait_for_it() -> None:
    plan = a_plan(
        a_task("before"),
        a_task("a", depends_on=("before", "b")),
        a_task("b", depends_on=("c",)),
        a_task("c", depends_on=("a",)),
        a_task("after", depends_on=("c",)),
    )
    assert plan_fault(plan) == "these tasks depend on each other in a circle: 'a', 'b', 'c'"


@pytest.mark.parametrize("words", ["x\ny", "\x1b[31m", "é\u202e", "a" * 500, "\ud800"])
def test_a_fault_is_one_printable_line_whatever_a_plan_says(words: str) -> None:
    faulty = [a_task(words), a_task(target=f"../{words}"), a_task(depends_on=(words,))]
    for fault in [task_fault(faulty[0]), task_fault(faulty[1]), plan_fault(a_plan(faulty[2]))]:
        assert fault
        assert fault.isprintable()
        assert fault.isascii()
        assert len(fault) < 250


# ---- paths


@pytest.mark.parametrize(
    "path, shown",
    [
        (b"a/b.py", "a/b.py"),
        (b"a b", "a b"),
        ("日本/é".encode(), "日本/é"),
        (b"a\nb", '"a\\nb"'),
        (b"a\n+++ b/ok.py", '"a\\n+++ b/ok.py"'),
        (b"\x1b[31m", '"\\033[31m"'),
        (b'a"b\\c\td\re', '"a\\"b\\\\c\\td\\re"'),
        (b"\xff", '"\\377"'),
        ("a\u202eb".encode(), '"a\\342\\200\\256b"'),
        (b"", '""'),
    ],
)
def test_a_path_is_shown_as_itself_or_quoted(path: bytes, shown: str) -> None:
    assert display_path(path) == shown
    assert a_file(path).name == shown


@quick
@given(st.binary(min_size=1, max_size=12).filter(lambda path: b"\0" not in path))
def test_a_shown_path_is_one_line_and_no_other_paths(path: bytes) -> None:
    shown = display_path(path)
    assert shown.isprintable()
    if shown.startswith('"'):
        assert shown.isascii()
        body = shown[1:-1].encode().decode("unicode_escape").encode("latin-1")
        assert body == path
    else:
        assert shown.encode() == path
    assert a_file(path).text.encode("utf-8", "surrogateescape") == path


def test_a_quoted_path_is_quoted_as_git_does_it(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    paths = [b'a"b', b"a\tb", b"\xff", b"a\nb\\", b"\x01\x7f"]
    for path in paths:
        Path(str(tmp_path), path.decode("utf-8", "surrogateescape")).touch()
    argv = ["git", "-c", "core.quotePath=true", "ls-files", "--others"]
    listed = subprocess.run(argv, cwd=tmp_path, capture_output=True, check=True).stdout.decode().splitlines()
    assert sorted(listed) == sorted(map(display_path, paths))


# ---- the rest


def test_a_finding_says_where_it_is() -> None:
    assert a_finding(start_line=3).where == "app.py:3"
    assert a_finding(start_line=None).where == "app.py"
    assert a_finding(path="", start_line=3).where == ""


def test_open_findings_are_earlier_ones_and_then_its_own() -> None:
    first, second = a_finding("nit", "1.1"), a_finding("nit", "2.1")
    assert a_verdict(carried=(first,), review=a_review(findings=(second,))).open_findings == (first, second)


@pytest.mark.parametrize("exit_code, passed", [(0, True), (1, False), (-9, False), (None, False)])
def test_a_command_passed_only_with_zero(exit_code: int | None, passed: bool) -> None:  # noqa: FBT001 -- a table
    assert CommandOutcome(command="x", exit_code=exit_code).passed is passed


def test_tokens_are_what_went_in_and_what_came_out() -> None:
    assert CODEX.tokens == 1_000
    use = EngineUse(engine="x", version="1", model="m", effort="e", input_tokens=5, cached_tokens=5, output_tokens=2)
    assert use.tokens == 7


def test_a_target_has_a_short_name() -> None:
    assert Target(ref="refs/heads/a/b", commit="", found_at="").name == "a/b"


@pytest.mark.parametrize(
    "name, slug",
    [
        ("run/say-2-3f2a1c", "say-2-3f2a1c"),
        ("branch/refs/heads/topic", "topic"),
        ("branch/refs/heads/a/b", "a-b"),
        ("branch/refs/heads/..", "series"),
        ("branch/refs/heads/.hidden.", "hidden"),
        ("branch/refs/heads/$(id);x", "--id--x"),
        ("pull/github.com/o/r/7", "pull-github.com-o-r-7"),
        ("", "series"),
    ],
)
def test_a_series_is_one_component_of_a_path(name: str, slug: str) -> None:
    made = Series(name=name, target="").slug
    assert made.strip("-.") == slug.strip("-.")
    assert "/" not in made
    assert not made.startswith((".", "-"))


# ---- people

ADA, OCTOCAT = "ada@example.org", "octocat@users.noreply.github.com"


@pytest.mark.parametrize(
    "name, same",
    [
        (" 'Ada@Example.ORG'. ", ADA),
        ("\uff21da@example.org", ADA),
        ("a\u200bda@example.org", ADA),
        ("ada+work@example.org", ADA),
        ("Ada+a+b@example.org", ADA),
        ("ada\uff0bwork@example.org", ADA),
        ("ada+@example.org", ADA),
        ("583231+Octocat@users.noreply.github.com", OCTOCAT),
        ("1+2+octocat@users.noreply.github.com", OCTOCAT),
        (OCTOCAT, OCTOCAT),
        ("7+octocat@users.noreply.git.example.org", "octocat@users.noreply.git.example.org"),
        # nothing is left of these, or they are no addresses: they stay what they are, and somebody's
        ("+work@example.org", "+work@example.org"),
        ("583231+@users.noreply.github.com", "583231+@users.noreply.github.com"),
        ("Ada + Ben", "ada + ben"),
        ("1+x@users.noreply.github.com@y", "1+x@users.noreply.github.com@y"),
        ("", ""),
    ],
)
def test_letters_and_tags_make_no_other_person(name: str, same: str) -> None:
    assert person(name) == same


@pytest.mark.parametrize(
    "one, other",
    [
        ("ada@example.org", "ada@example.com"),
        ("ada+work@example.org", "work@example.org"),
        ("ada-work@example.org", "ada@example.org"),
        ("1+octocat@users.noreply.github.com", "1+hubot@users.noreply.github.com"),
        ("1+octocat@users.noreply.github.com", "1+octocat@users.noreply.example.org"),
        ("octocat@github.com", OCTOCAT),
    ],
)
def test_other_people_are_others(one: str, other: str) -> None:
    assert person(one) != person(other)


_LOCAL = st.text("aAb+.1\uff0b\u200b'", max_size=6)
_NAMES = st.one_of(
    st.text("aAb+.@ '\uff0b\u200b", max_size=12),
    st.builds("{}@{}".format, _LOCAL, st.sampled_from(["x.org", "X.org", "users.noreply.github.com", "x@y", ""])),
)


@quick
@given(_NAMES)
def test_a_person_stays_the_same_and_somebody(name: str) -> None:
    """Nobody is lost: who was somebody before tags were looked at is still somebody."""
    assert person(person(name)) == person(name)
    assert bool(person(name)) == bool(person(name.replace("+", "_").replace("\uff0b", "_")))
