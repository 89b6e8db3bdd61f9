"""The loop at --jobs 1, 2 and 4: eight independent tasks of equal length, done by a command that only waits.

What is measured is the time from the first task's start to the last one's merge, as the loop's own events tell it; so
the overhead is everything that git-cto does for a task beside waiting for its executor. Planner and reviewer are the
real Codex with scripted answers, and are measured as the rest of the run.
"""

from __future__ import annotations

import json
import re
import shlex
import statistics
import subprocess
import time
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import git_cto
from benchmarks.common import PYTHON, Row, print_table, world
from git_cto.demo.server import ModelServer, Reply, Request, message

if TYPE_CHECKING:
    from benchmarks.common import World

TASKS = 8
SECONDS = 2.0
JOBS = (1, 2, 4)
FASTER = {2: 1.8, 4: 3.2}
OVERHEAD = 0.5  # seconds for each task
SOURCE = str(Path(git_cto.__file__).resolve().parents[1])


@dataclass(frozen=True)
class Took:
    """Seconds of one run: its tasks, and all of it."""

    tasks: float
    whole: float


def main(*, quick: bool = False) -> None:
    """Prints the table."""
    turns, seconds = (1, 0.2) if quick else (3, SECONDS)
    took: dict[int, list[Took]] = {jobs: [] for jobs in JOBS}
    with world() as where, ModelServer(repeat(_answer)) as model:
        where.git("switch", "--quiet", "main")
        where.log_in(model)
        for _ in range(turns):
            for jobs in JOBS:
                took[jobs].append(_run(where, jobs, seconds))
    tasks = {jobs: statistics.median(one.tasks for one in took[jobs]) for jobs in JOBS}
    rest = statistics.median(one.whole - one.tasks for jobs in JOBS for one in took[jobs])
    rows = [Row(f"{TASKS} tasks of {seconds:g} s, --jobs 1", f"{tasks[1]:.2f} s")]
    rows += [
        # A target is the most that a value may be, so the share of the time is compared, not the gain.
        Row(f"--jobs {jobs} ({tasks[1] / tasks[jobs]:.2f} times as fast)", f"{tasks[jobs]:.2f} s", share, 1 / least)
        for jobs, least in FASTER.items()
        if (share := tasks[jobs] / tasks[1])
    ]
    overhead = tasks[1] / TASKS - seconds
    rows.append(Row("overhead of a task beyond its executor", f"{overhead * 1000:.0f} ms", overhead, OVERHEAD, "s"))
    rows.append(Row("plan, review and start-up beside the tasks", f"{rest:.2f} s"))
    print_table("The loop", rows)


def _run(where: World, jobs: int, seconds: float) -> Took:
    """One whole run, in a process of its own."""
    work = f"cat > /dev/null; sleep {seconds}; echo done > $CTO_TASK.txt"
    argv = [PYTHON, "-m", "git_cto", "run", "Write the files", "--events", "--jobs", str(jobs)]
    argv += ["--executor", "command", "--command", f"sh -c {shlex.quote(work)}"]
    began = time.perf_counter()
    done = subprocess.run(
        argv, cwd=where.repo, env={**where.environ, "PYTHONPATH": SOURCE}, capture_output=True, check=False
    )
    whole = time.perf_counter() - began
    if done.returncode != 0:
        raise SystemExit(f"git cto run ended with {done.returncode}: {(done.stdout + done.stderr).decode()[-2000:]}")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    at = {kind: [event["at"] for event in events if event.get("kind") == kind] for kind in ("started", "merged")}
    return Took(max(at["merged"]) - min(at["started"]), whole)


def _answer(request: Request) -> Reply:
    """The planner and the reviewer: eight tasks, and an approval of them."""
    found = re.search(r"Review the change of commit ([0-9a-f]{40,64})", request.user_text)
    return message(json.dumps(_approval(found[1]) if found else _plan()))


def _plan() -> dict[str, Any]:
    tasks = [
        {
            "id": f"t{number}",
            "action": "create_file",
            "target": f"t{number}.txt",
            "description": "Write the file",
            "acceptance_criteria": ["It is there"],
            "depends_on": [],
            "context": "",
        }
        for number in range(TASKS)
    ]
    return {
        "phase": "plan",
        "objective": "Write the files",
        "analysis": "None are there.",
        "strategy": "One after the other, or at once.",
        "tasks": tasks,
        "verification": {"commands": [], "expected": ""},
    }


def _approval(head: str) -> dict[str, Any]:
    criteria = [{"criterion": "It is there", "met": True, "evidence": "the diff"}]
    reviews = [
        {"task_id": f"t{number}", "status": "pass", "feedback": "", "criteria": criteria} for number in range(TASKS)
    ]
    return {
        "phase": "review",
        "head": head,
        "verdict": "approve",
        "summary": "They are there.",
        "task_reviews": reviews,
        "findings": [],
        "prior_findings": [],
        "revised_tasks": [],
        "reason": "",
        "injection_suspected": False,
    }
