"""The executor that is a person: shows what is to be done and waits until `git cto finish` has brought the results."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from git_cto.repo.runs import PREFIX
from git_cto.work.crew import SETTLED
from git_cto.work.progress import Event, Progress
from git_cto.work.runs import Run, load_run

if TYPE_CHECKING:
    from git_cto.work.workspace import Workspace

_LOOK = 0.5  # seconds between two looks at the branches


def wait_for_results(workspace: Workspace, run: Run, progress: Progress, stop: threading.Event) -> None:
    """Waits until every task of the run is settled. `stop` ends it."""
    shown = ""
    while True:
        seen = _branches(workspace, run)
        run = load_run(workspace, run.id)
        todo = [view for view in run.tasks if view.state not in SETTLED]
        if not todo:
            return
        ready = next((view for view in todo if view.state != "waiting"), todo[0])
        if ready.task.id != shown:
            shown = ready.task.id
            progress.tell(Event(kind="note", task=shown, text=_words(run, shown)))
        while _branches(workspace, run) == seen:
            if stop.wait(_LOOK):
                return


def _branches(workspace: Workspace, run: Run) -> tuple[dict[str, str], str | None]:
    """Where the run's branches stand, and which one is checked out: all that can tell of progress."""
    return workspace.git.refs(f"{PREFIX}{run.id}/*"), workspace.git.head_ref()


def _words(run: Run, task: str) -> str:
    view = run.task(task)
    said = f" ({view.feedback})" if view.feedback else ""
    do = f"git cto start {task}{run.option}, do it, git cto finish -m SUMMARY"
    return f"waits for you: {do} · {view.task.description}{said}"
