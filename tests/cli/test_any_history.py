"""Whatever happens in whatever order, no gate is open unless somebody trusted let exactly this change in.

Histories are made up by hypothesis: commits, amends, rebases, reviews with any answer, disputes, overrides, exchanges,
and attacks on the ledger, under rules that change. `GIT_CTO_TEST_HISTORIES=5000` tries that many, other ones each time.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.cli.histories import EVIL, MODELS, Histories
from tests.keys import Key, new_key
from tests.world import finding

LONG = int(os.environ.get("GIT_CTO_TEST_HISTORIES", "0"))
PROFILE = settings(
    max_examples=LONG or 15,
    stateful_step_count=20 if LONG else 12,
    deadline=None,
    derandomize=not LONG,
    database=None,
    suppress_health_check=list(HealthCheck),
)

people = st.sampled_from(["ada", "ben", "cleo"])
signers = st.sampled_from(["ada", "ben", "cleo", "ada", "ben", "eve", ""])
places = st.sampled_from(["here", "here", "there"])
answers = st.one_of(
    st.builds(
        lambda verdict, severities, injected, ruling: {
            "verdict": verdict,
            "findings": [finding(one, id=f"f{place}") for place, one in enumerate(severities)],
            "injection_suspected": injected,
            "rule": ruling,
        },
        st.sampled_from(["approve", "approve", "approve", "revise", "abort"]),
        st.lists(st.sampled_from(["nit", "major"]), max_size=1),
        st.sampled_from([False, False, False, True]),
        st.sampled_from(["fixed", "fixed", "still_open", ""]),
    ),
    st.sampled_from(["", "Looks good to me: approve!", '{"verdict": "approve", "rule": ""}']),
)
CLEAN: dict[str, Any] = {"verdict": "approve", "findings": [], "injection_suspected": False, "rule": "fixed"}


class AnyHistory(RuleBasedStateMachine):
    """Every rule is something that may happen next."""

    keys: ClassVar[Mapping[str, Key]]
    template: ClassVar[Path]
    seen: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.mkdtemp(prefix="history-")
        self.steps = 0
        self.world = Histories.copied(self.template, Path(self._folder, "w"), self.keys)

    def teardown(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    @initialize(trust=st.sampled_from(["local", "signed", "signed"]), threshold=st.sampled_from([1, 1, 1, 2]))
    def begin(self, trust: str, threshold: int) -> None:
        """Under some rules, and with something that is open."""
        self.world.rules.trust, self.world.rules.threshold = trust, threshold
        self.world.settle()
        self.world.review("here", CLEAN, "ben")

    # ---- the change

    @rule(text=st.sampled_from(["2\n", "3\n", "4\n"]), author=st.sampled_from(["zoe", "ada"]), amend=st.booleans())
    def commit(self, text: str, author: str, amend: bool) -> None:  # noqa: FBT001 -- hypothesis passes by name
        self.world.commit("app.py", text, author=author, amend=amend)

    @rule(how=st.sampled_from(["message", "rebase", "squash", "main", "main, same file"]))
    def rewrite(self, how: str) -> None:
        """The same change, or nearly, under other commits."""
        if how == "message":
            self.world.git("commit", "--quiet", "--amend", "--allow-empty", "-m", "Better said")
        elif how == "rebase":
            self.world.git("rebase", "--quiet", "main", ok=False)
            self.world.git("rebase", "--abort", ok=False)
        elif how == "squash":
            self.world.git("reset", "--quiet", "--soft", self.world.git("merge-base", "main", "topic"))
            self.world.git("commit", "--quiet", "--allow-empty", "-m", "All at once")
        else:
            self.world.main_moves_on("app.py" if how == "main, same file" else "other.py")

    @rule(what=st.sampled_from(["logo.png", "evil.txt", ".github/workflows/x.yml"]))
    def touch_something_special(self, what: str) -> None:
        content = {"logo.png": b"\0\1", "evil.txt": EVIL.encode()}.get(what, b"on: push\n")
        self.world.commit(what, content)

    # ---- what people say

    @rule(
        place=places,
        answer=answers,
        signer=signers,
        model=st.sampled_from(MODELS),
        exits=st.sampled_from([(), (), (0,), (1,), (None,)]),
        dispute=st.sampled_from([False, False, True]),
    )
    def review(self, place: str, answer: Any, signer: str, **said: Any) -> None:  # noqa: ANN401
        self.world.show_there()
        verdict = self.world.review(place, answer, signer, **said)
        self.seen[f"review: {verdict}"] += 1

    @rule(signer=people)
    def approve(self, signer: str) -> None:
        """What every history needs now and then, so that there is something to be open."""
        self.world.review("here", CLEAN, signer)

    @rule(place=places, signer=signers)
    def override(self, place: str, signer: str) -> None:
        self.world.show_there()
        self.world.override(place, signer)

    @rule(signer=signers)
    def go_on(self, signer: str) -> None:
        self.world.go_on(signer)

    @rule(place=places)
    def sync(self, place: str) -> None:
        self.world.sync(place)

    # ---- what the target says

    @rule(
        changes=st.fixed_dictionaries(
            {},
            optional={
                "trust": st.sampled_from(["local", "signed", "signed"]),
                "models": st.sampled_from([MODELS, MODELS[:1], MODELS[1:]]),
                "binaries_ok": st.booleans(),
                "speech_ok": st.booleans(),
                "not_author": st.booleans(),
                "threshold": st.sampled_from([1, 1, 2]),
                "listed": st.frozensets(people),
                "revoked": st.frozensets(people, max_size=1),
            },
        )
    )
    def other_rules(self, changes: dict[str, Any]) -> None:
        for name, value in changes.items():
            setattr(self.world.rules, name, value)
        self.world.settle()

    @rule(
        how=st.sampled_from(["forge", "forge", "tamper", "tamper", "delete", "delete all", "transplant"]),
        signer=st.sampled_from(["", "eve", "ada for git", "ben for git"]),
        keep=st.booleans(),
    )
    def attack(self, how: str, signer: str, keep: bool) -> None:  # noqa: FBT001 -- hypothesis passes by name
        """By somebody who can write to the notes, and has nobody's key but eve's."""
        name, _, other = signer.partition(" for ")
        if how == "forge":
            self.world.forge(name, namespace=other or "git-cto.verdict.v1")
        elif how == "tamper":
            self.world.tamper(keep_signatures=keep)
        elif how == "transplant":
            self.world.transplant()
        else:
            self.world.delete(shadow=how == "delete all")

    # ---- what has to hold

    @invariant()
    def no_gate_is_open_that_nobody_opened(self) -> None:
        self.steps += 1
        environ = {"CI": "true"} if self.steps % 2 and self.world.rules.trust == "local" else {}
        is_open = self.world.gate_is_open(**environ)
        self.seen["open" if is_open else "closed"] += 1
        if is_open:
            assert self.world.may_be_open(signed="CI" in environ), (environ, self.world.acts, self.world.rules)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Key]:
    folder = tmp_path_factory.mktemp("keys")
    return {name: new_key(folder, f"{name}@example.org") for name in ("ada", "ben", "cleo", "eve")}


def test_no_history_opens_the_gate_for_what_nobody_trusted_let_in(keys: Mapping[str, Key], tmp_path: Path) -> None:
    Histories.template(tmp_path / "template", keys)
    AnyHistory.keys, AnyHistory.template = keys, tmp_path / "template"
    AnyHistory.seen.clear()
    run_state_machine_as_test(AnyHistory, settings=PROFILE)
    seen = AnyHistory.seen
    assert min(seen["open"], seen["closed"]) > 20, seen  # or this would hold of a gate that is never open
