"""The set-up of docs/trust.md, typed word for word: alone, with a remote, as a team of two, and in a job of CI.

Each person has a HOME and a clone of their own. Only Codex is scripted, and a question about a passphrase is answered.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from git_cto.demo.server import ModelServer
from git_cto.gate.policy import read_policy
from tests.test_docs import HEALTH, only
from tests.world import SOURCE, World, review_reply


@dataclass(frozen=True)
class Person:
    """Somebody with a machine and a clone."""

    name: str
    home: Path
    clone: Path

    def types(self, text: str, code: int = 0, **more: str) -> str:
        """Types a block, without its prompts, into a shell in the clone. Returns all that it says, on one line."""
        lines = re.sub(r"^\$ ", "", text, flags=re.MULTILINE)
        lines = lines.replace("ssh-keygen -t ed25519 -f", "ssh-keygen -q -N '' -t ed25519 -f")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", lines],
            cwd=self.clone,
            env={**os.environ, "HOME": str(self.home), **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout
        return " ".join(done.stdout.split())

    def sets(self, block: str) -> None:
        """Does with the policy that init wrote what the page says: takes the # off these lines, and changes them."""
        path = self.clone / ".cto" / "config.toml"
        text = path.read_text()
        for line in block.splitlines()[1:]:
            (there,) = re.findall(rf"^#{line.partition(' = ')[0]} = .*$", text, re.MULTILINE)
            text = text.replace(there, line)
        path.write_text(text)
        assert read_policy(text, "the file") == read_policy(block, "the page")


@dataclass(frozen=True)
class Place:
    """Where people work: a remote, and a folder in which each has a home."""

    folder: Path
    origin: Path

    def person(self, name: str, *, known: bool = True) -> Person:
        """Somebody with a clone and nothing else; git knows who it is, unless told otherwise."""
        home = self.folder / name
        home.mkdir()
        settings = Path(os.environ["HOME"], ".gitconfig").read_text()
        who = (
            f"[user]\n\tname = {name}\n\temail = {name}@example.org\n" if known else "[user]\n\tuseConfigOnly = true\n"
        )
        (home / ".gitconfig").write_text(re.sub(r"\[user\]\n(\t.*\n)*", who, settings))
        (home / ".codex").symlink_to(Path(os.environ["HOME"], ".codex"))
        clone = home / "clone"
        subprocess.run(["git", "clone", "--quiet", str(self.origin), str(clone)], check=True, capture_output=True)
        return Person(name, home, clone)


@pytest.fixture
def place(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Programs on the PATH, a Codex that approves, and a remote with a main of one commit."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, script in (
        ("git-cto", f'PYTHONPATH="{SOURCE}" exec "{sys.executable}" -P -m git_cto "$@"'),
        ("edit", f"cat > \"$1\" <<'END'\n{HEALTH}END"),
    ):
        (tools / name).write_text(f"#!/bin/sh\n{script}\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("EDITOR", str(tools / "edit"))
    origin = tmp_path / "origin.git"
    world.git("clone", "--quiet", "--bare", ".", str(origin))
    with ModelServer([review_reply()]) as model:
        world.log_in(model.codex_config())
        yield Place(tmp_path, origin)


DOCTOR = "git cto doctor"


def looked(text: str) -> str:
    """The same block, its doctor one that may miss Claude Code or a sandbox, which are not what the page is about."""
    assert text.count(DOCTOR) == 1
    return text.replace(DOCTOR, f"{DOCTOR} --json || test $? = 3")


def is_well(said: str) -> bool:
    """Whether doctor has nothing against policy, signing and signers."""
    found = re.findall(r'"name": ?"(policy|signing|signers)",\s*"state": ?"(\w+)"', said)
    assert {name for name, _ in found} == {"policy", "signing", "signers"}, said
    return {state for _, state in found} == {"ok"}


@pytest.mark.parametrize("remote", [True, False])
def test_one_person_sets_up_and_has_a_change_proven(place: Place, *, remote: bool) -> None:
    ada = place.person("ada")
    committed = looked(only("committed"))
    if not remote:
        ada.types("git remote remove origin")
        committed = re.sub(r"^\$ git push .*\n", "", committed, flags=re.MULTILINE)
    ada.types(only("key"))
    ada.sets(only("alone"))
    assert is_well(ada.types(committed))
    said = ada.types(only("change"))
    assert " proven " in said
    assert "signed by ada@example.org" in said


def test_what_was_not_pushed_is_missed_by_doctor(place: Place) -> None:
    ada = place.person("ada")
    ada.types(only("key"))
    ada.sets(only("alone"))
    said = ada.types(re.sub(r"^\$ git push .*\n", "", looked(only("committed")), flags=re.MULTILINE))
    assert "git push origin main" in said


def team_of_two(place: Place) -> tuple[Person, Person]:
    """Ada and Ben, whose lines and policy are on the target, and Ada's reviewed change, which she sent."""
    ada, ben = place.person("ada"), place.person("ben")
    ada.types(only("key"))
    ada.types(looked(only("committed")))
    ben.types(only("key").replace("$ git cto init --signing\n", ""))
    ben.types(only("line"))
    ada.types("git pull -q")
    ada.sets(only("team"))
    assert is_well(ada.types(looked(only("committed"))))
    said = ada.types(only("change"), code=1)
    assert "ada@example.org signed it and is an author of the change" in said
    (sends,) = re.findall(r"`(git push -u origin my-change &&\s+git\s+cto\s+sync)`", page())
    ada.types(" ".join(sends.split()))
    return ada, ben


def page() -> str:
    return (Path(__file__).parents[1] / "docs" / "trust.md").read_text()


def test_of_two_people_one_writes_and_the_other_signs_and_merges_past_the_hook(place: Place) -> None:
    ada, ben = team_of_two(place)
    ben.types("git pull -q && git cto init --hook")
    said = ben.types(only("second"))
    assert "signed by ben@example.org" in said
    assert ben.types("git rev-parse main") == ada.types("git fetch -q && git rev-parse origin/main")
    assert "unapproved" not in ada.types("git cto sync && git cto audit origin/main~1..origin/main")


def test_of_two_people_one_lets_in_what_the_other_changed_of_the_policy(place: Place) -> None:
    """A control path, whose change needs somebody who did not sign an approval of it."""
    ada, ben = team_of_two(place)
    ada.types("git switch -q -c policy main && echo '# a remark' >> .cto/config.toml && git commit -q -a -m Remark")
    ada.types("git push -q -u origin policy && git cto sync")
    (decides,) = re.findall(r"`(git cto override --reason) TEXT`", page())
    ben.types(f"git fetch -q && git switch -q policy && {decides} 'Looked at it' && git cto gate")


def test_a_job_of_ci_whose_key_is_listed_opens_the_gate_for_everybody(place: Place) -> None:
    ada = place.person("ada")
    ada.types(only("key"))
    ada.sets(only("team"))
    ada.types(looked(only("committed")))
    ada.types(only("ci_key"))
    ada.types(only("change").replace("git cto review && git cto verify", "git push -q -u origin my-change"))
    job = place.person("job", known=False)
    job.types("git switch -q my-change")
    private = (ada.home / "cto-ci").read_text()
    job.types(only("ci_job"), CI="true", GIT_CTO_SIGNING_KEY=private)
    assert "signed by ci@example.com" in ada.types("git cto sync && git cto gate")


def test_the_policies_of_the_page_are_policies() -> None:
    for situation in ("alone", "team"):
        read_policy(only(situation), "docs/trust.md")
        assert tomllib.loads(only(situation))["gate"]["trust"] == "signed"
