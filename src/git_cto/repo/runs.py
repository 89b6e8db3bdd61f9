"""Runs as git shows them: their branches, and the results that their commits carry in trailers.

What a trailer says is the executor's claim. Plans and verdicts of a run are in the ledger.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast, get_args

from git_cto.errors import UsageError
from git_cto.model import TRUNK, ResultOutcome, TaskResult
from git_cto.repo.resolve import HEADS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from git_cto.repo.git import Git
    from git_cto.repo.lens import Lens

PREFIX = f"{HEADS}cto/"
RUN_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,60}", re.ASCII)
_BRANCH = re.compile(r"refs/heads/cto/(?P<run>[^/]+)/(?P<task>[^/]+)")
_COST = re.compile(r"\d{1,6}(\.\d{1,6})?", re.ASCII)
_TRAILERS = ("Cto-Run", "Cto-Task", "Cto-Outcome", "Cto-Round", "Cto-Executor", "Cto-Tokens", "Cto-Cost")


def trunk_ref(run: str) -> str:
    """The full ref of a run's trunk."""
    return f"{PREFIX}{run}/{TRUNK}"


def task_ref(run: str, task: str) -> str:
    """The full ref of a task's branch."""
    return f"{PREFIX}{run}/{task}"


def run_and_task(ref: str | None) -> tuple[str, str] | None:
    """Run and task (or `trunk`) of a full ref that is a branch of a run, else None."""
    match = _BRANCH.fullmatch(ref or "")
    return (match["run"], match["task"]) if match else None


def runs(git: Git) -> dict[str, str]:
    """All runs with a trunk here, and where their trunks stand."""
    refs = git.refs(f"{PREFIX}*/{TRUNK}")
    return {found[0]: oid for ref, oid in refs.items() if (found := run_and_task(ref))}


def branch_at(git: Git, commit: str) -> str | None:
    """The branch whose tip a commit is: the one that is checked out, a run's trunk, or the only one; else None."""
    out = git.run("for-each-ref", "--points-at", commit, "--format=%(refname)", HEADS)
    found = out.decode("utf-8", "surrogateescape").splitlines()
    current = git.head_ref() if len(found) > 1 else None
    trunks = [ref for ref in found if ref.endswith(f"/{TRUNK}") and run_and_task(ref)]
    if current in found:
        return current
    return next(iter(trunks or found), None) if len(trunks or found) == 1 else None


def check_run_id(run: str) -> str:
    """The same id; raises `UsageError` for what cannot be one."""
    if not RUN_ID.fullmatch(run):
        raise UsageError(f"{run!r} is no run.", "git branch --list 'cto/*/trunk' shows the runs")
    return run


def results(lens: Lens, start: str, tip: str, run: str) -> dict[str, TaskResult]:
    """The last result of each task of `run` among the commits of `tip` that are not in `start`."""
    return {result.task_id: result for result in all_results(lens, start, [tip], run)}


def runs_named(lens: Lens, target: str, head: str) -> tuple[str, ...]:
    """The runs that the commits of `head` which are not in `target` say they are of, the last named first."""
    form = "%(trailers:key=Cto-Run,valueonly,separator=%x1F)"
    out = lens.run("log", "-z", f"--format={form}", "--end-of-options", head, f"^{target}").decode("utf-8", "replace")
    said = (value.rpartition("\x1f")[2].strip() for value in out.split("\0"))
    return tuple(dict.fromkeys(run for run in said if RUN_ID.fullmatch(run)))


def all_results(lens: Lens, start: str, tips: Sequence[str], run: str) -> list[TaskResult]:
    """All results of `run` among the commits of `tips` that are not in `start`, the oldest first."""
    trailers = "%x00".join(f"%(trailers:key={name},valueonly,separator=%x1F)" for name in _TRAILERS)
    out = lens.run(
        "log",
        "--topo-order",
        "--reverse",
        "-z",
        f"--format=%H%x00{trailers}%x00%B",  # a message can hold anything but NUL
        "--end-of-options",
        *tips,
        f"^{start}",
    )
    fields = iter(out.decode("utf-8", "replace").split("\0"))
    entries = zip(*[fields] * (len(_TRAILERS) + 2), strict=False)
    return [result for entry in entries if (result := _result(entry, run))]


def _result(entry: tuple[str, ...], run: str) -> TaskResult | None:
    """`entry`: a commit, the values of its trailers, its message. Of several values the last (ours) counts."""
    commit, *values, message = entry
    of_run, task, outcome, number, executor, tokens, cost = (value.rpartition("\x1f")[2] for value in values)
    if of_run != run or outcome not in get_args(ResultOutcome) or not task:
        return None
    return TaskResult(
        task_id=task,
        outcome=cast("ResultOutcome", outcome),
        summary=_without_trailers(message),
        commit=commit,
        round=_whole(number) or 1,
        executor=executor,
        tokens=_whole(tokens),
        cost=float(cost) if _COST.fullmatch(cost) else 0.0,
    )


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0


def _without_trailers(message: str) -> str:
    paragraphs = message.strip().split("\n\n")
    if len(paragraphs) > 1 and any(line.startswith("Cto-") for line in paragraphs[-1].splitlines()):
        paragraphs.pop()
    return "\n\n".join(paragraphs).strip()
