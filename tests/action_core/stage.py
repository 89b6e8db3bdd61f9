"""A stage for the action: a developer's clone, a git server, a fake GitHub, the real Codex with a scripted model.

The action runs inside of the test's process, through the same boundary as the console script, with the environment that
a runner would give it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest

from git_cto.demo.server import ModelServer, Request, Step
from tests.forge import payloads
from tests.forge.fake import TOKEN, FakeGitHub
from tests.http_git import GitServer
from tests.world import World, finding, review_reply

REPOSITORY = "octo/app"
KEY = "sk-proj-Sc1ptedKeyOfTheAction0123456789"
ONE = "def version():\n    return 1\n"
TWO = "def version():\n    return 2\n"
LEDGER = "refs/notes/cto-records"
Json = Any


@dataclass(frozen=True)
class Ran:
    """What one job came to."""

    code: int
    log: str
    outputs: dict[str, str]
    summary: str
    requests: Sequence[Request] = field(default=())

    @property
    def asked(self) -> int:
        """How many questions reached the model."""
        return len(self.requests)


class Stage:
    """A repository on a forge, with one pull request (#7) by Ada once `opened` was called."""

    def __init__(self, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world = world
        self.tmp = tmp_path
        self._monkeypatch = monkeypatch
        self._stack = ExitStack()
        self.hub = tmp_path / "served" / "octo" / "app.git"
        self.jobs = 0
        self.key = ""  # that jobs sign with

    def __enter__(self) -> Self:
        self.hub.parent.mkdir(parents=True)
        self.world.git("clone", "--quiet", "--bare", str(self.world.path), str(self.hub))
        self.bare("config", "uploadpack.allowFilter", "true")
        self.world.git("remote", "add", "origin", str(self.hub))
        self.github = self._stack.enter_context(FakeGitHub(REPOSITORY))
        self.github.permit("ada", "write")
        self.github.state.addresses["ada@example.org"] = "ada"
        self.git = self._stack.enter_context(GitServer(self.tmp / "served", token=TOKEN))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    # ---- the repository on the forge

    def bare(self, *argv: str) -> str:
        return self.world.git(f"--git-dir={self.hub}", *argv)

    def push(self, commit: str = "HEAD", *, number: int = 7) -> str:
        """Pushes a commit as the head of a pull request; the forge knows it then."""
        commit = self.world.git("rev-parse", commit)
        self.world.git("push", "--quiet", "--force", "origin", f"{commit}:refs/pull/{number}/head")
        if number in self.github.state.pulls:
            self.github.state.pulls[number].head_sha = commit
            self._list_commits(number)
        return commit

    def _list_commits(self, number: int) -> None:
        """Has the forge list the commits of a pull request."""
        pull = self.github.state.pulls[number]
        said = self.world.git("log", "--reverse", "--format=%H %ae %ce", pull.head_sha, "^main").splitlines()
        pull.commits = [(sha, author, committer) for sha, author, committer in map(str.split, said)]

    def publish(self, branch: str = "main") -> None:
        """Pushes a branch of the repository itself."""
        self.world.git("push", "--quiet", "--force", "origin", f"{branch}:refs/heads/{branch}")

    def opened(self, text: str = TWO, *, number: int = 7, **told: Json) -> str:
        """A pull request that changes app.py; returns its head."""
        self.publish()
        self.world.branch(f"topic{number}", "main")
        self.world.commit("Say 2", app__py=text)
        commit = self.push(number=number)
        self.github.open_pull(number, commit, **{"base_sha": self.world.git("rev-parse", "main"), **told})
        self._list_commits(number)
        return commit

    def pushed(self, text: str, *, number: int = 7) -> str:
        """One more commit on the pull request."""
        self.world.commit("Another try", app__py=text)
        return self.push(number=number)

    def policy(self, text: str) -> None:
        """A policy on main, here and on the forge."""
        self.world.policy(text)
        self.publish()

    def signs(self) -> None:
        """From now on jobs have a key that main allows. To be called before the pull request is opened."""
        self.key, line = signing_key(self.tmp)
        self.world.write(".cto/allowed_signers", line)
        self.world.commit("Who signs")
        self.publish()

    def overridden(self, *commits: str) -> None:
        """Somebody lets these commits in for main, on a machine of theirs, with a key that main allows."""
        self._monkeypatch.setenv("GIT_CTO_SIGNING_KEY", self.key)
        self.world.git("fetch", "--quiet", "origin")
        for commit in commits:
            said = self.world.cto("override", commit, "--base", "main", "--reason", "Seen")
            assert said.code == 0, said.text
        assert self.world.cto("sync").code == 0
        self._monkeypatch.delenv("GIT_CTO_SIGNING_KEY")

    def records(self) -> int:
        """How many records the forge's ledger has."""
        listed = self.bare("for-each-ref", "--format=%(objectname)", LEDGER)
        if not listed:
            return 0
        notes = self.bare("ls-tree", "-r", listed).splitlines()
        oids = [line.split()[2] for line in notes if re.search(r"\t[0-9a-f/]{40,}$", line)]
        lines = {line for oid in oids for line in self.bare("cat-file", "blob", oid).splitlines() if line}
        return len(lines)

    # ---- jobs

    def event(self, action: str = "opened", *, number: int = 7, sender: str = "ada", **told: Json) -> Json:
        """What GitHub says of the pull request as it is now."""
        pull = self.github.state.pulls[number]
        said = {
            "head_sha": pull.head_sha,
            "author": pull.author,
            "draft": pull.draft,
            "closed": pull.state == "closed",
            "base_ref": pull.base_ref,
            "head_repository": pull.head_repository,
        }
        return payloads.pull_request(action, number=number, sender=sender, server=self.server, **{**said, **told})

    def comment(self, body: str, login: str = "ada", **told: Json) -> Json:
        """Somebody comments on the pull request."""
        said = self.github.say(7, login, body)
        author = self.github.state.pulls[7].author
        return payloads.comment(body, login=login, author=author, server=self.server, comment_id=said.id, **told)

    @property
    def server(self) -> str:
        return self.git.url("").rstrip("/")

    def job(
        self,
        payload: Json,
        script: Iterable[Step] = (),
        *,
        event: str = "pull_request_target",
        token: str = TOKEN,
        key: str = KEY,
        **inputs: str,
    ) -> Ran:
        """Runs the action on an event, with a model that says what `script` says."""
        with ModelServer(script) as model:
            temp = self.prepared(payload, model, event, github_token=token, openai_api_key=key, **inputs)
            before = set(os.listdir(temp))
            said = World(temp / "work", self._monkeypatch).cto("action")
        left = set(os.listdir(temp)) - before - {"record", "work", "output", "summary"}
        assert not left, left  # nothing of the pull request stays on the runner
        summary = temp / "summary"
        return Ran(
            code=said.code,
            log=said.text,
            outputs=outputs_of(temp / "output"),
            summary=summary.read_text() if summary.exists() else "",
            requests=tuple(model.requests),
        )

    def prepared(self, payload: Json, model: ModelServer, event: str = "pull_request_target", /, **inputs: str) -> Path:
        """Gives this process the environment of a new job; the folder that it may write in."""
        self.jobs += 1
        temp = self.tmp / f"runner{self.jobs}"
        temp.mkdir()
        given = {
            "github_token": TOKEN,
            "openai_api_key": KEY,
            "responses_api_endpoint": f"http://127.0.0.1:{model.port}/v1/responses",
            "signing_key": self.key,
        }
        self._variables(temp, payload, event, {**given, **inputs})
        return temp

    def _variables(self, temp: Path, payload: Json, event: str, inputs: dict[str, str]) -> None:
        path = temp / "event.json"
        path.write_bytes(payloads.encoded(payload))
        said = {
            "GITHUB_ACTIONS": "true",
            "CI": "true",
            "GITHUB_EVENT_NAME": event,
            "GITHUB_EVENT_PATH": str(path),
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_SERVER_URL": self.server,
            "GITHUB_API_URL": self.github.url,
            "GITHUB_GRAPHQL_URL": self.github.graphql_url,
            "GITHUB_RUN_ID": str(9000 + self.jobs),
            "GITHUB_JOB": "cto",
            "GITHUB_OUTPUT": str(temp / "output"),
            "GITHUB_STEP_SUMMARY": str(temp / "summary"),
            "RUNNER_TEMP": str(temp),
            "GIT_CTO_RECORD": str(temp / "record"),
            "GIT_CTO_ARTIFACT": "git-cto-record",
        }
        for name in [name for name in os.environ if name.startswith("INPUT_")]:
            self._monkeypatch.delenv(name)
        for name, value in said.items():
            self._monkeypatch.setenv(name, value)
        for name, value in inputs.items():
            self._monkeypatch.setenv(name if name.isupper() else f"INPUT_{name.upper()}", value)

    def review(self, *script: Step, action: str = "synchronize", sender: str = "ada", **inputs: str) -> Ran:
        """A job for the pull request as it is now."""
        return self.job(self.event(action, sender=sender), script, **inputs)

    # ---- what people see

    @property
    def comments(self) -> list[str]:
        """What we said in the conversation."""
        return [one.body for one in self.github.state.comments.values() if one.login == "github-actions[bot]"]

    @property
    def comment_text(self) -> str:
        """Our one comment."""
        assert len(self.comments) == 1, self.comments
        return self.comments[0]

    def checks(self, head: str = "", name: str = "git-cto (main)") -> list[str | None]:
        """The conclusions of our check runs on a head, the oldest first."""
        head = head or self.github.state.pulls[7].head_sha
        found = [one for one in self.github.state.checks.values() if one.head == head and one.name == name]
        return [one.conclusion for one in found]


def outputs_of(path: Path) -> dict[str, str]:
    """What a step's outputs are, read as the runner reads them: of each name the last value counts."""
    text = path.read_text() if path.exists() else ""
    return {found[1]: found[3] for found in re.finditer(r"([\w-]+)<<(\S+)\n(.*?)\n\2\n", text, re.DOTALL)}


def approving(**said: Json) -> Step:
    """A model that approves."""
    return review_reply("approve", summary="It says 2.", **said)


def refusing(*findings: Json, verdict: str = "revise", **said: Json) -> Step:
    """A model that wants something else."""
    listed = list(findings) or [finding("major", body="It should say 3.", suggestion="    return 3")]
    return review_reply(verdict, **{"summary": "It says 2, and 3 was asked for.", "findings": listed, **said})


def ruling(ruling_: str = "fixed", *ids: str) -> list[Json]:
    """Rulings on earlier findings."""
    return [{"id": one, "ruling": ruling_, "note": ""} for one in ids or ("1.1",)]


def signing_key(folder: Path, name: str = "ci") -> tuple[str, str]:
    """A private key, and the line of `.cto/allowed_signers` for it."""
    path = folder / f"key-{name}"
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)]
    subprocess.run(argv, check=True, capture_output=True)
    public = " ".join(path.with_suffix(".pub").read_text().split()[:2])
    return path.read_text(), f'{name}@example.org namespaces="git-cto.verdict.v1" {public}\n'


def as_json(text: str) -> Json:
    return json.loads(text)
