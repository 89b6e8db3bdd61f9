"""The executor that is a person: shows what is to be done and waits until `git cto finish` has brought the results."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from git_cto.work.crew import SETTLED
from git_cto.work.progress import Event, Progress
from git_cto.work.runs import Run, load_run

if TYPE_CHECKING:
    from git_cto.work.workspace import Workspace

_LOOK = 1.0  # seconds between two looks at the branches


def wait_for_results(workspace: Workspace, run: Run, progress: Progress, stop: threading.Event) -> int:
    """Waits until every task of the run is settled; returns how many were not at first. `stop` ends it."""
    open_at_first = sum(view.state not in SETTLED for view in run.tasks)
    shown = ""
    while True:
        todo = [view for view in run.tasks if view.state not in SETTLED]
        if not todo or stop.is_set():
            return open_at_first
        ready = next((view for view in todo if view.state != "waiting"), todo[0])
        if ready.task.id != shown:
            shown = ready.task.id
            words = f"git cto start {shown}, do it, git cto finish -m SUMMARY"
            progress.tell(Event(kind="note", task=shown, text=words))
        stop.wait(_LOOK)
        run = load_run(workspace, run.id)
