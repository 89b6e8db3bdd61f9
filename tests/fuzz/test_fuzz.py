"""The short run of the fuzzers, in plain Python: the whole corpus, and the same changes of it every time."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.fuzz.mutating import mutate
from tests.fuzz.seeds import ALL
from tests.fuzz.targets import TARGETS

_CORPUS = Path(__file__).with_name("corpus")
_CHANGES = {"envelope": 400, "statement": 500}  # that cost more than a look at a name


def _inputs(target: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((_CORPUS / target).iterdir())}


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_of_the_corpus_breaks_a_reader(target: str) -> None:
    inputs = _inputs(target)
    assert inputs
    for data in inputs.values():
        TARGETS[target](data)


@pytest.mark.parametrize("target", TARGETS)
def test_no_small_change_of_the_corpus_breaks_a_reader(target: str) -> None:
    inputs = tuple(_inputs(target).values())
    rng = random.Random(f"{target} 1")
    for number in range(_CHANGES.get(target, 1_000)):
        data = mutate(rng.choice(inputs), rng, inputs)
        try:
            TARGETS[target](data)
        except Exception as error:
            raise AssertionError(f"change {number} of {target}: {data[:2_000]!r}") from error


@pytest.mark.parametrize("target", TARGETS)
def test_the_seeds_are_those_that_the_program_makes_today(target: str) -> None:
    """Run `python -m tests.fuzz.seeds` where a record has another form now."""
    kept = _inputs(target)
    assert {f"seed-{name}": data for name, data in ALL[target]()}.items() <= kept.items()
