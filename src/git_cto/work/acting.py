"""What the action of a task says, done in a worktree: a file deleted, a command run, or an executor at work.

What comes back is what was said; `doing` compares it with what git sees. Prompt and events of an executor are kept.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from git_cto.agents.base import Limits, OnActivity
from git_cto.agents.executor import DEFAULT_TOOLS, Executor, Job, Work
from git_cto.gate.policy import GUIDELINES
from git_cto.ledger.artifacts import ArtifactsError, Slot
from git_cto.model import ResultOutcome, Task
from git_cto.work.asking import clean_events
from git_cto.work.questions import task_prompt
from git_cto.work.verifying import run_command

if TYPE_CHECKING:
    from git_cto.work.runs import Run, TaskView
    from git_cto.work.workspace import Workspace

_BLOCKED = re.compile(r"\W*BLOCKED\W*:\W*")  # people who write Markdown put stars around it
COMMANDS = frozenset({"run_command", "verify"})


@dataclass(frozen=True, kw_only=True)
class Doing:
    """How tasks are done: by whom, with what, for how long. `stop` ends what is under way."""

    executor: Executor
    limits: Limits = field(default_factory=Limits)
    tools: tuple[str, ...] = DEFAULT_TOOLS
    model: str | None = None
    fallback_model: str | None = None
    effort: str | None = None
    max_cost: float | None = None
    may_run: Callable[[str], bool] = lambda _: False  # which commands of the plan somebody has allowed
    command_timeout: int = 900
    guidance: str = ""
    stop: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, kw_only=True)
class Hints:
    """What an executor is told beside its task.

    `trouble` is why an earlier result could not be taken (the task starts anew at trunk then), `word` what a human says
    who has let the run go on.
    """

    trouble: str = ""
    word: str = ""


@dataclass(frozen=True, kw_only=True)
class Act:
    """What an action came to, as far as it was said; `work` is what an executor reported."""

    outcome: ResultOutcome
    said: str
    work: Work | None = None


def guidance(workspace: Workspace, commit: str) -> str:
    """What the project asks of agents and reviewers at a trusted commit, for an executor that must not look itself."""
    found = {path: workspace.text_at(commit, path) for path in ("CLAUDE.md", *GUIDELINES)}
    return "\n\n".join(f"# {path} of this project\n\n{text.strip()}" for path, text in found.items() if text)


def act(  # noqa: PLR0913, PLR0917 -- each of them is something else
    workspace: Workspace,
    run: Run,
    view: TaskView,
    doing: Doing,
    on_activity: OnActivity,
    folder: Path,
    hints: Hints,
    slot: Slot | None,
) -> Act:
    """Does what the task's action says, in the worktree `folder`."""
    task = view.task
    if task.action == "delete_file" and not view.feedback:  # what is left to do after a review takes more than that
        return _delete(folder, task.target)
    if task.action in COMMANDS:
        return _run(workspace, task, doing, folder)
    prompt = task_prompt(
        run.plan_record.plan,
        task,
        feedback=view.feedback,
        findings=run.standing.open_findings if view.feedback else (),
        trouble=hints.trouble,
        word=hints.word,
    )
    job = Job(
        task=task.id,
        prompt=prompt,
        worktree=folder,
        guidance=doing.guidance,
        tools=doing.tools,
        model=doing.model,
        fallback_model=doing.fallback_model,
        effort=doing.effort,
        max_cost=doing.max_cost,
    )
    with _call_folder(prompt, slot) as call:
        work = doing.executor.work(job, call, doing.limits, on_activity, doing.stop)
    said = work.summary.strip()
    if work.problem:
        return Act(outcome="failed", said=f"{work.problem}\n\n{said}".strip(), work=work)
    blocked = _BLOCKED.match(said)
    if blocked:
        return Act(outcome="blocked", said=said[blocked.end() :].strip() or "it did not say why", work=work)
    return Act(outcome="done", said=said, work=work)


@contextmanager
def _call_folder(prompt: str, slot: Slot | None) -> Iterator[Path]:
    """An empty folder for one call; its prompt and what the executor printed are kept in `slot`, however it ends."""
    folder = Path(tempfile.mkdtemp(prefix="git-cto-job-"))
    try:
        if slot:
            with suppress(ArtifactsError):
                slot.write("prompt.md", prompt.encode("utf-8", "replace"))
        yield folder
    finally:
        events = folder / "events.jsonl"
        if slot and events.exists():
            with suppress(ArtifactsError, OSError):
                slot.write("events.jsonl", clean_events(events.read_bytes()))
        shutil.rmtree(folder, ignore_errors=True)


def _run(workspace: Workspace, task: Task, doing: Doing, folder: Path) -> Act:
    """Runs the command that is the task, where somebody has allowed it."""
    if not doing.may_run(task.target):
        return Act(outcome="blocked", said=f"nobody has allowed the command {task.target!r} (--allow-commands)")
    ended = run_command(workspace.environ, task.target, folder, doing.command_timeout, doing.stop)
    how = "was stopped: time limit" if ended.exit_code is None else f"ended with exit code {ended.exit_code}"
    said = f"{task.target} {how}.\n\n{ended.output}".strip()
    return Act(outcome="done" if ended.passed else "failed", said=said)


def _delete(folder: Path, target: str) -> Act:
    """Deletes a file, a folder or a link (never what it points to). A path that leads elsewhere is left alone."""
    root = os.path.realpath(folder)
    path = os.path.normpath(os.path.join(root, target))
    inside = os.path.realpath(os.path.dirname(path)) == os.path.dirname(path) and path.startswith(root + os.sep)
    if not inside or ".git" in os.path.relpath(path, root).split(os.sep):
        return Act(outcome="blocked", said=f"{target} leads out of the repository, and nothing was deleted")
    if not os.path.lexists(path):
        return Act(outcome="done", said=f"{target} was not there.")
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)
    return Act(outcome="done", said=f"Deleted {target}.")
