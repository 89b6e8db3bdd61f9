"""Check runs and statuses of a commit, read and posted. A check run is continued in steps, and never made twice."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from msgspec import Struct

from git_cto.forge import wire
from git_cto.forge.bodies import check_step
from git_cto.forge.values import MAX_ANNOTATIONS, same_login

if TYPE_CHECKING:
    from collections.abc import Callable

    from git_cto.forge.failures import Asked
    from git_cto.forge.line import Line
    from git_cto.forge.values import CheckReport, CheckState

_READ = "checks: read"
_WRITE = "checks: write"


class Checks(Struct, frozen=True):
    """Reads and posts checks."""

    line: Line
    asked: Callable[[str, str], Asked]
    where: str  # /repos/{owner}/{repo}
    me: Callable[[], str]  # our own login

    def post(self, head: str, report: CheckReport) -> None:
        """Says how a check on `head` stands; without a conclusion it goes on.

        Our own run of that name that is not completed, or that has the same `external_id`, is continued. Annotations
        go out 50 at a time, and the conclusion comes with the last of them. Those that were sent are not repeated.
        """
        known_by = report.external_id or f"git-cto-{secrets.token_hex(8)}"
        run = self._own_run(head, report.name, known_by)
        if run is None:
            asked = self.asked("create a check run", _WRITE)
            body = {"name": report.name, "head_sha": head, **check_step(report, known_by, 0)}

            def made() -> wire.CheckRunAnswer | None:
                return self._own_run(head, report.name, known_by)

            run = self.line.send(asked, "POST", f"{self.where}/check-runs", body, wire.CheckRunAnswer, made)
            sent = MAX_ANNOTATIONS
        else:
            sent = run.output.annotations_count
            run = self._continued(run, report, known_by, sent)
            sent += MAX_ANNOTATIONS
        while sent < len(report.annotations):
            run = self._continued(run, report, known_by, sent)
            sent += MAX_ANNOTATIONS

    def _own_run(self, head: str, name: str, known_by: str) -> wire.CheckRunAnswer | None:
        """Our own run that `post` goes on with."""
        asked = self.asked("read the check runs", _READ)
        path = f"{self.where}/commits/{head}/check-runs"
        runs = [
            run
            for page in self.line.pages(asked, path, wire.CheckRunsAnswer, check_name=name, filter="latest")
            for run in page.check_runs
            if run.name == name and (run.external_id == known_by or run.status != "completed")
        ]
        ours = [run for run in runs if same_login(run.by, self.me())] if runs else []
        return max(ours, key=lambda run: (run.external_id == known_by, run.id), default=None)

    def _continued(
        self, run: wire.CheckRunAnswer, report: CheckReport, known_by: str, sent: int
    ) -> wire.CheckRunAnswer:
        """Sends the next annotations of a check run, and with the last of them its conclusion."""
        asked = self.asked("update a check run", _WRITE)
        path = f"{self.where}/check-runs/{run.id}"
        reached = min(sent + MAX_ANNOTATIONS, len(report.annotations))

        def made() -> wire.CheckRunAnswer | None:
            now = self.line.get(asked, path, wire.CheckRunAnswer)
            return now if now.output.annotations_count >= reached > sent else None

        return self.line.send(asked, "PATCH", path, check_step(report, known_by, sent), wire.CheckRunAnswer, made)

    def on(self, head: str) -> tuple[CheckState, ...]:
        """The newest state of every check run and commit status on a commit, by name, our own included."""
        asked = self.asked("read the check runs", _READ)
        path = f"{self.where}/commits/{head}/check-runs"
        checks = self.line.pages(asked, path, wire.CheckRunsAnswer, filter="latest")
        found = [run.state() for page in checks for run in page.check_runs]
        asked = self.asked("read the commit statuses", "statuses: read")
        statuses = self.line.pages(asked, f"{self.where}/commits/{head}/status", wire.StatusesAnswer)
        found += [status.value() for page in statuses for status in page.statuses]
        return tuple(sorted(found, key=lambda check: (check.name, check.kind)))
