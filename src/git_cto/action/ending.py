"""How a job ended, and what is said where it ended before it had read its pull request.

Then the event has to do: it names the head that waits for an answer, and a failing check is posted there. Where that
cannot be done either, summary and log of the job say so: what the pull request shows is what it showed before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from git_cto.action.inputs import read_event, read_job, token_and_mode
from git_cto.action.surprise import understood
from git_cto.errors import CtoError, ToolError, UsageError
from git_cto.forge.hub import Hub
from git_cto.forge.values import CheckReport
from git_cto.redaction import redacted, secret_values
from git_cto.render.markdown import text
from git_cto.work.protecting import check_name

if TYPE_CHECKING:
    from collections.abc import Mapping

TITLE = "? Could not be done"
_PATIENCE = 30.0  # seconds: whatever stood in the way may have been waited for already
_SILENT = "Nothing of this could be said on the pull request, which shows what it showed before"


class Ended(Struct, frozen=True, kw_only=True):
    """How a job ended: its exit code, and what is told in its outputs and its summary."""

    code: int
    outputs: dict[str, str]
    summary: str = ""
    problems: tuple[CtoError, ...] = ()


def stopped(error: CtoError, environ: Mapping[str, str]) -> Ended:
    """The end of a job that could not even begin with a pull request, said where the event is waiting for an answer."""
    next_step = f"\n\nNext: {text(error.hint)}" if error.hint else ""
    summary = f"### {TITLE}\n\n{text(error.message)}{next_step}\n"
    problems: tuple[CtoError, ...] = (error,)
    try:
        _post(summary, environ)
    except Exception as failure:  # noqa: BLE001 -- the job fails for what it was; this is told beside it
        why = understood(failure)
        silent = ToolError(f"{_SILENT}: {why.message}", why.hint, code=why.code)
        problems, summary = (error, silent), f"{summary}\n{text(silent.message)}\n"
    outputs = {"allowed": "false", "summary": error.message}
    return Ended(code=int(error.exit_code), outputs=outputs, summary=summary, problems=problems)


def _post(summary: str, environ: Mapping[str, str]) -> None:
    """A failing check on the head that the event names. Raises where nobody is told anything by it.

    A comment names none: whoever may comment would have the check of another one's work fail.
    """
    token, mode = token_and_mode(environ)
    if mode == "run":
        return  # nobody waits for it
    try:
        job = read_job(environ)
    except UsageError:
        return  # on somebody's own machine
    event = read_event(job)
    if not event.head_sha:
        if event.kind == "comment":
            raise ToolError("A comment does not name the commit that it is about.")
        return
    report = CheckReport(
        name=check_name(event.base_ref.removeprefix("refs/heads/")),
        title=TITLE,
        summary=redacted(summary, secret_values(environ)),
        conclusion="failure",
        details_url=job.run_page,
    )
    hub = Hub(job.api, token, job.repository, graphql_url=job.graphql, pace=job.pace, patience=_PATIENCE)
    hub.check_run(event.head_sha, report)
