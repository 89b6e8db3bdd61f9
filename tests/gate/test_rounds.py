"""Rounds are counted the same wherever records stand, whoever's clock was wrong, and however many there are."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from git_cto.gate.policy import RoundsPolicy
from git_cto.gate.rounds import Standing, in_order, standing
from git_cto.model import Record, Series
from tests.gate.values import (
    CI,
    MAIN,
    SERIES,
    a_continue,
    a_finding,
    a_plan_record,
    a_review,
    a_verdict,
    an_override,
    at,
    record,
    thorough,
)

if TYPE_CHECKING:
    from git_cto.model import Predicate, Verdict

SHORT: dict[str, Verdict] = {"A": "approve", "R": "revise", "X": "abort"}


def history(story: str) -> list[Record]:
    """Records of the series in a row: A(pprove), R(evise), X (abort), C(ontinue), O(verride)."""
    made: list[Record] = []
    for number, letter in enumerate(story):
        before = made[-1].id if made else ""
        body: Predicate
        if letter == "C":
            body = a_continue(time=at(number), supersedes=before)
        elif letter == "O":
            body = an_override(time=at(number), supersedes=before)
        else:
            body = a_verdict(verdict=SHORT[letter], time=at(number), supersedes=before)
        made.append(record(body, f"{number}{letter}"))
    return made


def stands(story: str, policy: RoundsPolicy | None = None) -> Standing:
    return standing(history(story), SERIES, policy or RoundsPolicy())


# ---- counting


def test_a_series_begins_with_round_one() -> None:
    found = stands("")
    assert (found.round, found.revises, found.escalated, found.aborted) == (1, 0, False, False)
    assert (found.latest, found.last, found.supersedes, found.open_findings, found.verdicts) == (None, None, "", (), ())


@pytest.mark.parametrize(
    "story, round_, revises, escalated, aborted",
    [
        ("R", 2, 1, False, False),
        ("RR", 3, 2, False, False),
        ("RRR", 4, 3, True, False),
        ("RRRA", 1, 0, False, False),
        ("RRA", 1, 0, False, False),
        ("RRAR", 2, 1, False, False),
        ("RRARRR", 4, 3, True, False),
        ("RRRC", 1, 0, False, False),
        ("RRRCR", 2, 1, False, False),
        ("RRRCRRR", 4, 3, True, False),
        ("X", 2, 0, False, True),
        ("XC", 1, 0, False, False),
        ("XA", 1, 0, False, False),
        ("XR", 3, 1, False, False),
        ("RRXRR", 6, 2, True, False),
        ("RRX", 4, 0, False, True),
        ("RRXRC", 1, 0, False, False),
        ("RRO", 3, 2, False, False),
        ("ROR", 3, 2, False, False),
        ("A", 1, 0, False, False),
        ("AAAAAA", 1, 0, False, False),
    ],
)
def test_counting(story: str, round_: int, revises: int, escalated: bool, aborted: bool) -> None:  # noqa: FBT001 -- a table
    found = stands(story)
    assert (found.round, found.revises, found.escalated, found.aborted) == (round_, revises, escalated, aborted)


def test_five_rounds_without_an_approval_escalate_though_no_three_are_in_a_row() -> None:
    assert not stands("RRXR").escalated
    found = stands("RRXRR")
    assert (found.escalated, found.revises) == (True, 2)


@pytest.mark.parametrize(
    "policy, story, escalated",
    [
        (RoundsPolicy(max=2), "RX", True),
        (RoundsPolicy(max=2), "R", False),
        (RoundsPolicy(escalate_after=1), "R", True),
        (RoundsPolicy(escalate_after=1), "X", False),
        (RoundsPolicy(max=9, escalate_after=9), "RRRRRRRR", False),
    ],
)
def test_the_policy_says_when_a_human_is_asked(policy: RoundsPolicy, story: str, escalated: bool) -> None:  # noqa: FBT001
    assert stands(story, policy).escalated is escalated


def test_only_records_of_this_series_and_target_count() -> None:
    others = [
        record(a_verdict(verdict="revise", series="branch/refs/heads/other"), "1"),
        record(a_verdict(verdict="revise", target="refs/heads/release"), "2"),
        record(a_continue(target="refs/heads/release"), "3"),
        record(a_plan_record(series=SERIES.name), "4"),
    ]
    assert standing(others, SERIES, RoundsPolicy()) == stands("")
    assert standing(others, Series(name="branch/refs/heads/other", target=MAIN), RoundsPolicy()).round == 2


def test_a_plan_of_the_run_is_no_record_that_a_verdict_supersedes() -> None:
    assert standing([record(a_plan_record(series=SERIES.name), "p")], SERIES, RoundsPolicy()).supersedes == ""


def test_the_latest_verdict_and_the_last_record_are_not_the_same_after_a_continue() -> None:
    found = stands("RC")
    assert (found.latest and found.latest.id, found.last and found.last.id) == ("0R", "1C")
    assert found.supersedes == "1C"
    assert [one.id for one in found.verdicts] == ["0R"]


def test_open_findings_are_the_last_refusals() -> None:
    own, earlier = a_finding("nit", "2.1"), a_finding("major", "1.1")
    body = a_verdict(verdict="revise", review=a_review(verdict="revise", findings=(own,)), carried=(earlier,))
    assert standing([record(body)], SERIES, RoundsPolicy()).open_findings == (earlier, own)
    after = record(a_verdict(time=at(1), carried=(earlier,)))
    assert standing([record(body), after], SERIES, RoundsPolicy()).open_findings == ()


# ---- order


def test_where_records_stand_says_nothing() -> None:
    told = history("RRCRXCRA")
    expected = [one.id for one in told]
    for seed in range(20):
        mixed = random.Random(seed).sample(told, len(told))
        assert [one.id for one in in_order(mixed)] == expected


def test_what_names_a_predecessor_comes_after_it_whatever_the_clocks_say() -> None:
    first = record(a_verdict(verdict="revise", time=at(40)), "first")
    second = record(a_verdict(time=at(10), supersedes="first"), "second")
    third = record(a_verdict(verdict="revise", time=at(20), supersedes="second"), "third")
    assert [one.id for one in in_order([third, second, first])] == ["first", "second", "third"]


def test_what_nobody_signed_was_made_before_what_is_signed_and_names_it_whatever_its_clock_says() -> None:
    planted = [
        record(a_verdict(verdict="revise", time=at(50 + n), supersedes=s), i)
        for n, s, i in [(0, "", "u"), (1, "u", "w")]
    ]
    approval = record(a_verdict(time=at(1), supersedes="w"), "a", signers=(CI,))
    refusal = record(a_verdict(verdict="revise", time=at(2)), "r", signers=(CI,))
    everything = [refusal, approval, *planted]
    assert [one.id for one in in_order(everything)] == ["u", "w", "a", "r"]
    assert [one.id for one in in_order([replace(one, signers=(CI,)) for one in everything])] == ["r", "u", "w", "a"]
    assert [one.id for one in in_order([replace(one, signers=()) for one in everything])] == ["r", "u", "w", "a"]


def test_two_branches_of_history_are_united_by_time() -> None:
    root = record(a_verdict(verdict="revise", time=at(0)), "root")
    here = [record(a_verdict(time=at(n), supersedes=s), i) for n, s, i in [(1, "root", "h1"), (5, "h1", "h2")]]
    there = [record(a_verdict(time=at(n), supersedes=s), i) for n, s, i in [(2, "root", "t1"), (3, "t1", "t2")]]
    assert [one.id for one in in_order([*there, *here, root])] == ["root", "h1", "t1", "t2", "h2"]


def test_a_predecessor_that_is_not_here_holds_nobody_up() -> None:
    late = record(a_verdict(time=at(5), supersedes="gone"), "late")
    early = record(a_verdict(time=at(1), supersedes="gone too"), "early")
    assert [one.id for one in in_order([late, early])] == ["early", "late"]


def test_records_of_one_moment_stand_in_the_order_of_their_ids() -> None:
    assert [one.id for one in in_order([record(a_verdict(), "b"), record(a_verdict(), "a")])] == ["a", "b"]


def test_a_chain_of_one_moment_keeps_its_order() -> None:
    chain = [record(a_verdict(supersedes=before), name) for before, name in [("", "c"), ("c", "b"), ("b", "a")]]
    assert [one.id for one in in_order(chain[::-1])] == ["c", "b", "a"]


def test_a_record_that_is_there_twice_counts_once() -> None:
    told = history("RR")
    assert standing([*told, *told], SERIES, RoundsPolicy()) == standing(told, SERIES, RoundsPolicy())


def test_records_that_supersede_each_other_in_a_circle_end_somewhere() -> None:
    links = {"a": ("c", 2), "b": ("a", 1), "c": ("b", 3)}
    circle = [record(a_verdict(supersedes=before, time=at(minute)), name) for name, (before, minute) in links.items()]
    alone = record(a_verdict(supersedes="self"), "self")
    behind = record(a_verdict(supersedes="b", time=at(0)), "behind")
    assert [one.id for one in in_order([*circle, alone, behind])] == ["b", "behind", "c", "a", "self"]


linked = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5)), max_size=10)


@thorough
@given(linked, st.randoms(use_true_random=False))
def test_any_links_give_one_order_that_holds_everybody_once(links: list[tuple[int, int]], mixer: random.Random) -> None:
    told = [
        record(a_verdict(supersedes=f"{before}", time=at(minute)), f"{number}")
        for number, (before, minute) in enumerate(links)
    ]
    ordered = in_order(told)
    assert sorted(one.id for one in ordered) == sorted(one.id for one in told)
    mixed = list(told)
    mixer.shuffle(mixed)
    assert in_order(mixed) == ordered
    place = {one.id: number for number, one in enumerate(ordered)}
    for one in told:
        before = one.body.supersedes
        if before in place and not _in_a_circle(one, told):
            assert place[before] < place[one.id]


def _in_a_circle(one: Record, told: list[Record]) -> bool:
    by_id = {each.id: each for each in told}
    seen = set[str]()
    at_: Record | None = by_id.get(one.body.supersedes)
    while at_ is not None and at_.id not in seen:
        seen.add(at_.id)
        at_ = by_id.get(at_.body.supersedes)
    return one.id in seen


class Counted(str):
    """A word that counts how often anybody looks at it."""

    looks = 0
    __slots__ = ()

    def __hash__(self) -> int:
        Counted.looks += 1
        return super().__hash__()

    def __eq__(self, other: object) -> bool:
        Counted.looks += 1
        return super().__eq__(other)

    def __lt__(self, other: str) -> bool:
        Counted.looks += 1
        return super().__lt__(other)


@pytest.mark.parametrize("backwards", [True, False])
def test_the_work_does_not_grow_with_the_square_of_the_records(backwards: bool) -> None:  # noqa: FBT001
    """Even in one chain of thousands whose clocks all run backwards. Counted, since clocks differ."""

    def looks(many: int) -> int:
        times = [
            f"2026-01-02T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}.000Z" for number in range(many)
        ]
        if backwards:
            times.reverse()
        chain = [
            record(a_verdict(supersedes=Counted(f"{number - 1}"), time=Counted(times[number])), Counted(f"{number}"))
            for number in range(many)
        ]
        Counted.looks = 0
        ordered = in_order(chain[::-1])
        taken = Counted.looks
        assert [str(one.id) for one in ordered] == [f"{number}" for number in range(many)]
        return taken

    assert looks(4_000) < 6 * looks(1_000)
