"""Situations in which only signed records count: signers on main, keys of Ada's and others', changes of hers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from git_cto.ledger.records import encode
from git_cto.ledger.sshsig import NAMESPACE
from git_cto.ledger.trusting import pre_authentication
from git_cto.model import Predicate, Record, Signature, Subject
from git_cto.work.surveying import Survey, survey
from git_cto.work.workspace import Workspace, now
from tests.cli.scenes import TWO, changed
from tests.gate.values import a_review, a_verdict, an_override
from tests.keys import Key, known_key
from tests.world import Said, World

SIGNED = '[gate]\ntrust = "signed"\n'


@dataclass
class Team:
    """Ada wrote the change and is signed by nobody; Ben, Cleo and a machine may sign; Eve may not."""

    world: World
    monkeypatch: pytest.MonkeyPatch
    ada: Key
    ben: Key
    cleo: Key
    ci: Key
    eve: Key

    @property
    def allowed(self) -> str:
        return "".join(key.line() for key in (self.ada, self.ben, self.cleo, self.ci))

    def signers(self, text: str, policy: str = SIGNED, **more: str | bytes) -> None:
        """Commits signers and a policy to main, and comes back."""
        here = self.world.git("branch", "--show-current")
        self.world.git("switch", "--quiet", "main")
        self.world.write(".cto/allowed_signers", text)
        for name, content in more.items():
            self.world.write(f".cto/{name}", content)
        self.world.policy(policy)
        self.world.git("switch", "--quiet", here)

    @contextmanager
    def as_(self, key: Key | None) -> Iterator[None]:
        """Whoever works here signs with this key meanwhile."""
        self.world.git("config", "cto.sign", "true" if key else "false")
        if key:
            self.world.git("config", "gpg.format", "ssh")
            self.world.git("config", "user.signingkey", str(key.path))
        yield
        self.world.git("config", "cto.sign", "false")

    def reviewed(self, key: Key | None, *argv: str, **said: Any) -> Said:  # noqa: ANN401 -- JSON
        """Has Codex review the change, for somebody who signs with this key."""
        with self.as_(key):
            return self.world.reviewed(*argv, **said)

    def approved(self, *keys: Key, base: str | None = None, **said: Any) -> Record:  # noqa: ANN401 -- fields
        """An approval of what is checked out, signed by all of these, with no model asked. `said` are its fields."""
        return self.put(*keys, body=lambda found: verdict(found, **said), base=base)

    def refused(self, *keys: Key, **said: Any) -> Record:  # noqa: ANN401 -- fields
        """The same, a refusal."""
        return self.approved(*keys, verdict="revise", **said)

    def let_in(self, *keys: Key, **said: Any) -> Record:  # noqa: ANN401 -- fields
        """An override of what is checked out, signed by all of these."""
        return self.put(*keys, body=lambda found: _override(found, **said))

    def put(
        self,
        *keys: Key,
        body: Callable[[Survey], Predicate],
        base: str | None = None,
        namespace: str = NAMESPACE,
        over: bytes | None = None,
    ) -> Record:
        """Puts a record into the ledger, the way whoever may push to the notes could."""
        with Workspace(str(self.world.path), os.environ) as workspace:
            found = survey(workspace, head=None, base=base, run=None)
            change = found.change
            record = encode(
                Subject(head=change.head, tree=change.tree, change=change.id, sha256=change.sha256), body(found)
            )
            data = pre_authentication(record.payload) if over is None else over
            signatures = tuple(Signature(sig=key.sign(data, namespace), keyid="") for key in keys)
            record = replace(record, signatures=signatures)
            workspace.ledger.put(record, series=record.body.series, change=change.raw)
        return record

    def again(self, record: Record, *signatures: Signature) -> None:
        """Puts the same record once more, with these signatures only."""
        with Workspace(str(self.world.path), os.environ) as workspace:
            found = survey(workspace, head=None, base=None, run=None)
            workspace.ledger.put(
                replace(record, signatures=signatures), series=record.body.series, change=found.change.raw
            )

    def overridden(self, key: Key | None, *argv: str) -> Said:
        """Has the change let in by whoever signs with this key."""
        with self.as_(key):
            said = self.world.cto("override", "--reason", "It is fine", *argv)
        assert said.code == 0, said.text
        return said

    def cosigned(self, key: Key, *argv: str) -> Said:
        """Signs what stands for the change."""
        with self.as_(key):
            return self.world.cto("sign", *argv)

    def open(self, *argv: str) -> str:
        """What the open gate says."""
        said = self.world.cto("gate", *argv)
        assert said.code == 0, said.text
        return said.out

    def closed(self, *argv: str) -> str:
        """What the closed gate says, in one line."""
        said = self.world.cto("gate", *argv)
        assert said.code == 1, said.text
        return " ".join(said.out.split())


def verdict(found: Survey, **said: Any) -> Predicate:  # noqa: ANN401 -- fields
    where: dict[str, Any] = {
        "series": found.series.name,
        "target": found.target.ref,
        "target_commit": found.target.commit,
        "merge_base": found.change.base,
        "time": now(),
        "review": a_review(head=found.change.head, verdict=said.get("verdict", "approve")),
        "supersedes": found.standing.supersedes,
        "round": found.standing.round,
    }
    return a_verdict(**where | said)


def _override(found: Survey, **said: Any) -> Predicate:  # noqa: ANN401 -- fields
    where: dict[str, Any] = {
        "series": found.series.name,
        "target": found.target.ref,
        "target_commit": found.target.commit,
        "time": now(),
        "supersedes": found.standing.supersedes,
    }
    return an_override(**where | said)


def team(world: World, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Team:
    """A repository with signers on main, and a branch `topic` of Ada's."""
    names = ("ada", "ben", "cleo", "ci", "eve")
    made = Team(world, monkeypatch, **{name: known_key(folder, f"{name}@example.org") for name in names})
    made.signers(made.allowed)
    changed(world, TWO)
    return made
