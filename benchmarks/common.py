"""What the benchmarks share: a sealed environment, a repository to measure in, turns in alternation, one table.

Everything that is compared is measured in one run and in turns, so that what else the machine does meets all of it
alike; what counts is the ratio of the medians.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import platform
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from git_cto.demo.server import KEY_VARIABLE, ModelServer, Reply, Request, message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

TOP = Path(__file__).resolve().parents[1]
PYTHON = sys.executable
GIT_CTO = str(Path(sys.executable).with_name("git-cto"))
AGENTS = Path(os.environ.get("GIT_CTO_TEST_BIN") or TOP / "node_modules" / ".bin")
FILES = 20  # of the change that is judged


@dataclass(frozen=True)
class Row:
    """One line of a table; `value` is what `target` (the most that it may be) is held against.

    `processor` is the same comparison in processor time, of all cores together: steadier where others work as well.
    """

    what: str
    measured: str
    value: float | None = None
    target: float | None = None
    unit: str = "×"
    processor: float | None = None

    def __str__(self) -> str:
        value, processor = ("" if one is None else f"{one:.2f} {self.unit}" for one in (self.value, self.processor))
        target = "" if self.target is None else f"≤ {self.target:g} {self.unit}"
        held = "" if self.target is None or self.value is None else "yes" if self.value <= self.target else "**no**"
        return f"| {self.what} | {self.measured} | {value} | {target} | {held} | {processor} |"


def print_table(title: str, rows: Sequence[Row]) -> None:
    """Prints a Markdown table."""
    print(f"### {title}\n\n| | median | beside it | target | held | in processor time |")
    print("|---|---:|---:|---:|---|---:|")
    print(*rows, sep="\n", end="\n\n")


def milliseconds(seconds: float) -> str:
    """Seconds as a cell."""
    return f"{seconds * 1000:.1f} ms"


@dataclass(frozen=True)
class Peak:
    """How a program ended, and the most memory that it and its children held together, in MB.

    `private` is without files that are mapped (packs, programs): the system drops these when it needs the room, and
    each process that reads one has it counted again.
    """

    code: int
    out: str
    megabytes: float
    private: float
    seconds: float


def peak(argv: list[str], cwd: Path, environ: Mapping[str, str] | None = None) -> Peak:
    """Runs a program and watches its memory (resident, of it and all its descendants) every few milliseconds."""
    start, most, private = time.perf_counter(), 0, 0
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(argv, cwd=cwd, env=environ, stdout=out, stderr=subprocess.STDOUT)
        while process.poll() is None:
            resident, mapped = _resident(process.pid)
            most, private = max(most, resident), max(private, resident - mapped)
            time.sleep(0.002)
        out.seek(0)
        said = out.read().decode("utf-8", "replace")
    return Peak(process.returncode, said, most / (1 << 20), private / (1 << 20), time.perf_counter() - start)


def _resident(pid: int) -> tuple[int, int]:
    """Bytes that a process and its descendants have in memory, and those of mapped files. The dead count nothing."""
    try:
        pages = [int(one) * os.sysconf("SC_PAGE_SIZE") for one in Path(f"/proc/{pid}/statm").read_text().split()[1:3]]
        children = [
            int(one) for task in Path(f"/proc/{pid}/task").iterdir() for one in (task / "children").read_text().split()
        ]
    except (OSError, IndexError):
        return 0, 0
    of_all = [pages, *(_resident(child) for child in children)]
    return sum(one[0] for one in of_all), sum(one[1] for one in of_all)


class Spent(NamedTuple):
    """Seconds that a program took, by the clock and of processors (its children's included)."""

    clock: float
    processor: float


@dataclass(frozen=True)
class Turns:
    """What each thing took in each turn, by its name."""

    spent: dict[str, list[Spent]]

    def median(self, name: str) -> float:
        """The median of one thing, by the clock."""
        return statistics.median(one.clock for one in self.spent[name])

    def processor(self, name: str) -> float:
        """The median of one thing, of processors."""
        return statistics.median(one.processor for one in self.spent[name])

    def ratio(self, name: str, beside: str) -> float:
        """One median divided by another, by the clock."""
        return self.median(name) / self.median(beside)

    def row(self, name: str, beside: str | None = None, target: float | None = None) -> Row:
        """One thing as a line of a table."""
        if beside is None:
            return Row(name, milliseconds(self.median(name)))
        return Row(
            name,
            milliseconds(self.median(name)),
            self.ratio(name, beside),
            target,
            processor=self.processor(name) / self.processor(beside),
        )


def in_turns(things: Mapping[str, Callable[[], Spent | float]], turns: int) -> Turns:
    """Measures each thing `turns` times, alternating, after once for practice. Each says what it took.

    What measures itself by the clock only says just that.
    """
    found = Turns({name: [] for name in things})
    names = list(things)
    for turn in range(turns + 1):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            spent = things[name]()
            if turn:
                found.spent[name].append(spent if isinstance(spent, Spent) else Spent(spent, math.nan))
    return found


@dataclass(frozen=True)
class World:
    """A home of its own, and a repository in it with a change of 20 files on `topic`, meant for `main`."""

    home: Path
    repo: Path
    environ: Mapping[str, str]

    def git(self, *argv: str, data: bytes | None = None) -> str:
        """Runs git in the repository; it has to succeed."""
        done = subprocess.run(
            ["git", *argv], cwd=self.repo, env=self.environ, input=data, capture_output=True, check=False
        )
        if done.returncode != 0:
            raise SystemExit(f"git {' '.join(argv[:3])} failed: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode().strip()

    def spent(
        self,
        *argv: str,
        data: bytes = b"",
        expect: int = 0,
        environ: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Spent:
        """What a program takes from its start to its end; it has to end with `expect`."""
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(
            argv, cwd=cwd or self.repo, env=environ or self.environ, input=data, capture_output=True, check=False
        )
        clock, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode != expect:
            said = (done.stdout + done.stderr).decode(errors="replace")
            raise SystemExit(f"{' '.join(argv[:3])} ended with {done.returncode}: {said[-2000:]}")
        return Spent(clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

    def log_in(self, model: ModelServer) -> None:
        """Lets Codex ask `model`, with the user's own configuration."""
        folder = self.home / ".codex"
        folder.mkdir(exist_ok=True)
        (folder / "config.toml").write_text(model.codex_config())

    def approve(self) -> None:
        """Has the change reviewed by the real Codex, whose scripted model approves."""
        with ModelServer([approval]) as model:
            self.log_in(model)
            self.spent(GIT_CTO, "review")

    def forget(self) -> None:
        """Takes back all records and artifacts."""
        for ref in ("refs/notes/cto-records", "refs/notes/cto", "refs/cto/records"):
            self.git("update-ref", "-d", ref)
        shutil.rmtree(self.repo / ".codex-cto", ignore_errors=True)


@contextlib.contextmanager
def world() -> Iterator[World]:
    """A world that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="git-cto-bench-", ignore_cleanup_errors=True) as folder:
        home, repo = Path(folder, "home"), Path(folder, "repo")
        home.mkdir()
        repo.mkdir()
        made = World(home, repo, _environment(home))
        made.git("init", "--quiet", "--initial-branch=main")
        for number in range(200):
            _write(repo, number, f"def answer_{number}():\n    return {number}\n")
        made.git("add", "--all")
        made.git("commit", "--quiet", "-m", "A service")
        made.git("switch", "--quiet", "-c", "topic")
        for number in range(FILES):
            _write(repo, number, f"def answer_{number}():\n    return {number + 1}\n\n\ndef more():\n    return None\n")
        made.git("commit", "--quiet", "--all", "-m", "Answer one more")
        yield made


def _write(repo: Path, number: int, text: str) -> None:
    path = repo / f"src/part{number % 10}/module{number}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _environment(home: Path) -> dict[str, str]:
    """Nothing of the developer's, and compiled modules are kept, as they are for everybody who has installed us."""
    path = os.pathsep.join([str(AGENTS), str(Path(GIT_CTO).parent), "/usr/local/bin", "/usr/bin", "/bin"])
    if node := shutil.which("node"):
        path += os.pathsep + str(Path(node).parent)
    return {
        "PATH": path,
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_AUTHOR_EMAIL": "ada@example.org",
        "GIT_COMMITTER_NAME": "Ada",
        "GIT_COMMITTER_EMAIL": "ada@example.org",
        KEY_VARIABLE: "sk-scripted-0123456789abcdef",
    }


def approval(request: Request) -> Reply:
    """The scripted answer: an approval of the commit that was asked about."""
    head = re.search(r"Review the change of commit ([0-9a-f]{40,64})", request.user_text)
    return message(
        json.dumps(
            {
                "phase": "review",
                "head": head[1] if head else "",
                "verdict": "approve",
                "summary": "Every answer is one more.",
                "task_reviews": [],
                "findings": [],
                "prior_findings": [],
                "revised_tasks": [],
                "reason": "",
                "injection_suspected": False,
            }
        )
    )


def machine() -> str:
    """When and where: one line."""
    cpu = "unknown CPU"
    with contextlib.suppress(OSError):
        found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        cpu = found[1] if found else cpu
    versions = [f"Python {platform.python_version()}", _version("git", "--version")]
    if (AGENTS / "codex").exists():
        versions.append("Codex " + _version(str(AGENTS / "codex"), "--version").rsplit(" ", 1)[-1])
    load = f"load {os.getloadavg()[0]:.1f}"
    today = time.strftime("%Y-%m-%d", time.gmtime())
    return f"{today} · {os.cpu_count()} × {cpu} · {platform.system()} · {' · '.join(versions)} · {load}"


def _version(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()
