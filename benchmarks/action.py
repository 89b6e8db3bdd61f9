"""The action on a pull request: what it adds to Codex, what it asks of GitHub, and what it fetches of a repository.

GitHub is a fake on loopback, which holds every request against GitHub's own description and so takes a few
milliseconds for each; git's server is real. On GitHub itself a write is followed by a second of rest, as GitHub asks
for: count them.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.common import PYTHON, World, world
from git_cto.demo.server import ModelServer, Reply, Request, message
from tests.forge import payloads
from tests.forge.fake import TOKEN, FakeGitHub
from tests.http_git import GitServer
from tests.world import finding, head_of, review_answer

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES, COMMENTS, ROUNDS = 100, 200, 5
LARGE, TOUCHED, COMMITS = 20_000, 10, 200
REPOSITORY = "octo/app"
KEY = "sk-proj-Sc1ptedKeyOfTheAction0123456789"
_MANY_ROUNDS = "[rounds]\nmax = 20\nescalate_after = 20\n"


@dataclass(frozen=True)
class Cost:
    """What one job took, without Codex's own: seconds by the clock and of processors, requests, fetches, bytes."""

    seconds: float
    processor: float
    requests: int
    writes: int
    fetches: int
    pushes: int
    received: int


class Forge:
    """A repository of `where` on a forge, with a model that always wants something else."""

    def __init__(self, where: World, github: FakeGitHub, git: GitServer, model: ModelServer) -> None:
        self.where, self.github, self.git, self.model = where, github, git, model
        self._jobs = 0

    @property
    def hub(self) -> Path:
        return self.git.root / f"{REPOSITORY}.git"

    def push(self, commit: str) -> None:
        """Makes a commit the head of the pull request."""
        self.where.git("push", "--quiet", "--force", str(self.hub), f"{commit}:refs/pull/7/head")
        self.github.state.pulls[7].head_sha = self.where.git("rev-parse", commit)

    def job(self) -> Cost:
        """One job of the action on the pull request as it is now."""
        self._jobs += 1
        temp = self.where.home / f"runner{self._jobs}"
        temp.mkdir()
        event = temp / "event.json"
        head = self.github.state.pulls[7].head_sha
        server = self.git.url("").rstrip("/")
        event.write_bytes(payloads.encoded(payloads.pull_request("synchronize", head_sha=head, server=server)))
        asked, fetched, before = len(self.github.log), len(self.git.requests), self.git.sent
        began = time.perf_counter()
        with (temp / "log").open("wb") as out:
            argv = [PYTHON, "-I", "-m", "git_cto", "action"]
            started = subprocess.Popen(
                argv, env=self._environment(temp, event, server), cwd=temp, stdout=out, stderr=out
            )
            _, status, used = os.wait4(started.pid, 0)  # its own processor time, and not that of the servers here
        started.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - began
        if started.returncode != 1:
            raise SystemExit((temp / "log").read_text())
        log, served = self.github.log[asked:], self.git.requests[fetched:]
        return Cost(
            seconds=seconds - _of_codex(temp),
            processor=used.ru_utime + used.ru_stime,
            requests=len(log),
            writes=sum(not line.startswith("GET") and "graphql" not in line for line in log),
            fetches=sum("info/refs?service=git-upload-pack" in line for line in served),
            pushes=sum("info/refs?service=git-receive-pack" in line for line in served),
            received=self.git.sent - before,
        )

    def _environment(self, temp: Path, event: Path, server: str) -> dict[str, str]:
        return {
            **self.where.environ,
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_NAME": "pull_request_target",
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_SERVER_URL": server,
            "GITHUB_API_URL": self.github.url,
            "GITHUB_GRAPHQL_URL": self.github.graphql_url,
            "GITHUB_OUTPUT": str(temp / "output"),
            "GITHUB_STEP_SUMMARY": str(temp / "summary"),
            "RUNNER_TEMP": str(temp),
            "INPUT_GITHUB_TOKEN": TOKEN,
            "INPUT_OPENAI_API_KEY": KEY,
            "INPUT_RESPONSES_API_ENDPOINT": f"http://127.0.0.1:{self.model.port}/v1/responses",
        }


def _of_codex(temp: Path) -> float:
    """What Codex took of a job, as the record says."""
    found = re.search(r"^review-file<<(\S+)\n(.*?)\n\1$", (temp / "output").read_text(), re.MULTILINE | re.DOTALL)
    return float(json.loads(Path(found[2]).read_text())["engine"]["seconds"]) if found else 0.0


def refusal(request: Request) -> Reply:
    """The scripted answer: five remarks on lines of the change, and every earlier one is still open."""
    question = request.user_text
    paths = sorted(set(re.findall(r"^<<<PATCH (\S+) ", question, re.MULTILINE)))[:5]
    earlier = re.findall(r"^(\d+\.\d+) \[", question, re.MULTILINE)
    said = review_answer(
        head_of(question),
        "revise",
        findings=[finding("minor", path=path, start_line=1, end_line=1, body="Hm.") for path in paths],
        prior_findings=[{"id": one, "ruling": "still_open", "note": ""} for one in earlier],
    )
    return message(json.dumps(said))


@contextmanager
def forge(where: World) -> Iterator[Forge]:
    """A forge with what `where` has on main."""
    with tempfile.TemporaryDirectory(prefix="git-cto-bench-") as root:
        served = Path(root, f"{REPOSITORY}.git")
        served.parent.mkdir()
        where.git("clone", "--quiet", "--bare", "--single-branch", "--branch", "main", ".", str(served))
        where.git(f"--git-dir={served}", "config", "uploadpack.allowFilter", "true")
        with (
            FakeGitHub(REPOSITORY) as github,
            GitServer(Path(root), token=TOKEN) as git,
            ModelServer(repeat(refusal)) as model,
        ):
            github.permit("ada", "write")
            github.open_pull(7, "0" * 40)
            yield Forge(where, github, git, model)


def main(*, quick: bool = False) -> None:
    """Prints the tables."""
    with world() as where, forge_of_rounds(where) as made:
        costs = []
        for number in range(1, (2 if quick else ROUNDS) + 1):
            made.push(_changed(where, number))
            costs.append(made.job())
    _print_rounds(costs)
    _print_bytes(*_large(2_000 if quick else LARGE))


@contextmanager
def forge_of_rounds(where: World) -> Iterator[Forge]:
    """A policy that lets five rounds be, and a pull request about which much was said."""
    where.git("switch", "--quiet", "main")
    policy = where.repo / ".cto" / "config.toml"
    policy.parent.mkdir()
    policy.write_text(_MANY_ROUNDS)
    where.git("add", "--all")
    where.git("commit", "--quiet", "-m", "Policy")
    where.git("switch", "--quiet", "-c", "change")
    with forge(where) as made:
        for number in range(COMMENTS):
            made.github.say(7, "ada", f"Comment {number}")
        yield made


def _changed(where: World, number: int) -> str:
    for file in range(FILES):
        (where.repo / f"src/part{file % 10}/module{file}.py").write_text(f"answer = {number}\n")
    where.git("commit", "--quiet", "--all", "-m", f"Try {number}")
    return where.git("rev-parse", "HEAD")


def _print_rounds(costs: list[Cost]) -> None:
    print(f"### A pull request of {FILES} files and {COMMENTS} comments\n")
    print(
        "| round | beyond Codex | processor, with Codex | requests to GitHub | writes | fetches | pushes | received |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for number, cost in enumerate(costs, start=1):
        if number in {1, len(costs)}:
            print(
                f"| {number} | {cost.seconds:.2f} s | {cost.processor:.2f} s | {cost.requests} | {cost.writes} "
                f"| {cost.fetches} | {cost.pushes} | {cost.received / 1000:,.0f} KB |"
            )
    print()


# ---- a large repository


def _large(files: int) -> tuple[int, Cost, dict[str, int]]:
    """How many files, what a job costs there, and what clones of it fetch."""
    with world() as where:
        where.git("fast-import", "--quiet", "--force", data=_history(files))
        where.git("switch", "--quiet", "--discard-changes", "-C", "change", "main")
        for number in range(TOUCHED):
            (where.repo / f"d{number}/e0/f{number * 10}.txt").write_text("changed\n" * 20)
        where.git("commit", "--quiet", "--all", "-m", "Change ten files")
        with forge(where) as made:
            made.push("HEAD")
            cost = made.job()
            clones = {name: _cloned(made, *argv) for name, argv in _CLONES.items()}
    return files, cost, clones


_CLONES = {
    "git clone": (),
    "git clone --filter=blob:none --no-checkout": ("--filter=blob:none", "--no-checkout"),
    "git clone --depth=1": ("--depth=1",),
}


def _cloned(made: Forge, *argv: str) -> int:
    before = made.git.sent
    with tempfile.TemporaryDirectory() as folder:
        url = made.git.url(f"{REPOSITORY}.git", with_token=True)
        made.where.git("clone", "--quiet", *argv, url, os.path.join(folder, "clone"))
    return made.git.sent - before


def _history(files: int) -> bytes:
    """A branch `main` of so many files of 2 KB, and commits that each change one of them."""
    known = random.Random(7)
    lines = [b"commit refs/heads/main\ncommitter A <a@example.org> 1700000000 +0000\ndata 5\nFirst"]
    lines += [_file(number, known) for number in range(files)]
    for number in range(COMMITS):
        lines.append(
            b"commit refs/heads/main\ncommitter A <a@example.org> %d +0000\ndata 4\nNext" % (1700000001 + number)
        )
        lines.append(_file(known.randrange(files), known))
    return b"\n".join(lines) + b"\n"


def _file(number: int, known: random.Random) -> bytes:
    content = known.randbytes(1_000).hex().encode() + b"\n"
    path = f"d{number % 10}/e{number % 100 // 10}/f{number}.txt".encode()
    return b"M 100644 inline %s\ndata %d\n%s" % (path, len(content), content)


def _print_bytes(files: int, cost: Cost, clones: dict[str, int]) -> None:
    print(f"### A change of {TOUCHED} files in a repository of {files:,} files and {COMMITS} commits\n")
    print("| | fetched | beside the action |")
    print("|---|---:|---:|")
    print(f"| the action, first round ({cost.fetches} fetches) | {cost.received / 1e6:.2f} MB | |")
    for name, received in clones.items():
        print(f"| `{name}` | {received / 1e6:.2f} MB | {received / cost.received:,.1f} × |")
    print()
