"""The short run of the fuzzers, in plain Python: the whole corpus, and the same changes of it every time."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from git_cto.ledger.records import decode
from git_cto.ledger.signers import read_signers
from tests.fuzz.mutating import mutate
from tests.fuzz.seeds import ALL
from tests.fuzz.targets import TARGETS, line_around

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


def test_the_seeds_still_lead_inside() -> None:
    """Run `python -m tests.fuzz.seeds` where a record has another form now."""
    assert {target: sorted(f"seed-{name}" for name, _ in seeds()) for target, seeds in ALL.items()} == {
        target: [name for name in _inputs(target) if name.startswith("seed-")] for target in TARGETS
    }
    assert all(decode(line) for line in _inputs("envelope").values())
    assert all(decode(line_around(payload)) for payload in _inputs("statement").values())
    assert all(read_signers(data.partition(b"\0\0")[0], None).allowed for data in _inputs("signers").values())
