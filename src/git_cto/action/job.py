"""One job: from the event to what is done about it, and from what comes out to exit code, outputs and summary.

The exit code is 0 only where the gate is open, or where there was nothing to be asked (a comment that is only talk).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

import msgspec

from git_cto.action.ending import Ended, stopped
from git_cto.action.gate import gate
from git_cto.action.group import Group, judge_group
from git_cto.action.inputs import read_event, read_inputs, read_job
from git_cto.action.outcome import Outcome, failed
from git_cto.action.posting import Post
from git_cto.action.review import review
from git_cto.action.scene import Means, Scene, scene_of, still_there, working_environment
from git_cto.action.slash import Command, may, obey, read_command
from git_cto.action.surprise import place_of, traced, understood
from git_cto.agents.process import termination_unwinds
from git_cto.errors import BugError, CtoError, ExitCode, ToolError, UsageError
from git_cto.forge.hub import Hub
from git_cto.forge.runner import Runner
from git_cto.forge.values import CheckReport
from git_cto.model import VerdictRecord
from git_cto.redaction import printable, redact_all, redacted, secret_values
from git_cto.render.check import job_summary
from git_cto.render.markdown import text
from git_cto.work.protecting import check_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from git_cto.action.inputs import Inputs, Job
    from git_cto.forge.event import Event
    from git_cto.forge.values import Pull
    from git_cto.render.comment import PullState

    Work = Callable[[Scene, Post], Outcome]

_OVERTAKEN = "The pull request changed while it was being looked at, so nothing was decided about it."


def run_job(environ: Mapping[str, str], log: TextIO) -> int:
    """Does what this job is there for; the exit code. Raises `CtoError` only where nothing can be told to anybody."""
    runner = Runner(environ, log)
    secrets = secret_values(environ)
    runner.outputs({"allowed": "false"})  # until something else is said: the last one counts
    try:
        job, inputs = read_job(environ), read_inputs(environ)
        for secret in (inputs.github_token, inputs.openai_api_key, inputs.anthropic_api_key, inputs.signing_key):
            runner.mask(secret)
        with runner.quiet_log(), termination_unwinds():  # a job that is cancelled leaves nothing running
            ended = _handled(job, inputs, environ)
    except Exception as error:  # noqa: BLE001 -- the boundary of a job: whatever is left closes, and is told
        ended = stopped(understood(error), environ)
    runner.outputs({name: redacted(value, secrets) for name, value in ended.outputs.items()})
    runner.summary(redacted(ended.summary, secrets))
    for problem in ended.problems:
        hint = f" Next: {problem.hint}." if problem.hint else ""
        place = f" It was {found}." if (found := place_of(problem)) else ""
        runner.say("error", redacted(f"{problem.message}{place}{hint}", secrets))
        runner.trace(redacted(traced(problem, environ), secrets))
    return ended.code


def _handled(job: Job, inputs: Inputs, environ: Mapping[str, str]) -> Ended:
    event = read_event(job)
    command = read_command(event)
    if event.kind == "comment" and command is None and inputs.mode != "run":
        return _ignored("That comment is no command of git-cto.")
    hub = Hub(job.api, inputs.github_token, job.repository, graphql_url=job.graphql, pace=job.pace)
    try:
        with working_environment(job, inputs, environ, hub.me()) as variables:
            means = Means(job=job, inputs=inputs, hub=hub, environ=variables)
            return _done(means, event, command)
    except CtoError:
        raise
    except Exception as error:  # noqa: BLE001 -- a check that stays as it was may be a success
        return _broken_down(Means(job=job, inputs=inputs, hub=hub, environ=environ), event, error)


def _broken_down(means: Means, event: Event, error: Exception) -> Ended:
    """Says so at the pull request, where the event names one that can be read; else what the event says has to do."""
    if means.inputs.mode == "run" or event.kind != "pull_request":
        raise error
    try:
        post = Post(means=means, pull=means.hub.pull(event.number), secrets=secret_values(means.environ))
    except CtoError:
        raise error from None
    return _closed(post, error, comment=means.inputs.mode == "review")


def _done(means: Means, event: Event, command: Command | None) -> Ended:
    """What this event is there for, in this mode."""
    mode = means.inputs.mode
    if mode == "run":
        from git_cto.action.run import run  # noqa: PLC0415 -- start-up: it brings the whole loop

        return run(means, event)
    if event.kind == "merge_group":
        return _group(means, event)
    if command is not None and event.comment is not None:
        return _obeyed(means, event.number, event.comment.id, command)
    number = event.number or means.inputs.pull_request
    if event.kind not in {"pull_request", "dispatch"} or not number:
        raise UsageError(
            f"Nothing can be judged on the event {event.name}: it names no pull request.",
            "on: pull_request_target, merge_group, issue_comment (or workflow_dispatch with pull-request)",
            code="event",
        )
    if mode == "gate":
        return judge_pull(means, number, lambda scene, _: gate(scene), comment=False)
    return judge_pull(
        means, number, lambda scene, post: review(scene, event.sender, before=post.underway), comment=True
    )


# ---- a pull request


def judge_pull(means: Means, number: int, work: Work, *, comment: bool) -> Ended:
    """What is done about a pull request, posted and told. Whatever fails on the way closes."""
    pull = means.hub.pull(number)
    if pull.closed:
        return _finished(means, pull)
    post = Post(means=means, pull=pull, secrets=secret_values(means.environ))
    try:
        with scene_of(means, number, pull) as scene:
            post.pull = scene.pull
            outcome = _judged(scene, post, work)
            state = post.everything(outcome, scene.workspace.lens, comment=comment)
    except Exception as error:  # noqa: BLE001 -- whatever it is, it closes
        return _closed(post, error, comment=comment)
    return _told(outcome, state, post)


def _closed(post: Post, error: Exception, *, comment: bool) -> Ended:
    """What stood in the way, posted and told: nothing is open."""
    if isinstance(error, CtoError) and error.code == "overtaken":
        outcome = failed(error, "overtaken")  # nothing that it came to is posted: the next job's word counts
        return _told(outcome, post.state_of(outcome), post)
    outcome = post.failed(error)
    return _told(outcome, post.everything(outcome, None, comment=comment), post)


def _judged(scene: Scene, post: Post, work: Work) -> Outcome:
    """What comes out, as long as the pull request is still what it was: else nothing of it is posted."""
    try:
        outcome = work(scene, post)
    except Exception as error:  # noqa: BLE001 -- whatever it is, it closes
        outcome = post.failed(error)
    if not still_there(scene):
        raise ToolError(_OVERTAKEN, "the run for its newest commit decides", code="overtaken")
    return outcome


def _finished(means: Means, pull: Pull) -> Ended:
    outcome = Outcome(state="finished", code=ExitCode.NOT_APPROVED, reasons=("The pull request is closed.",))
    post = Post(means=means, pull=pull, secrets=secret_values(means.environ))
    return _told(outcome, post.state_of(outcome), post)


def _told(outcome: Outcome, state: PullState, post: Post) -> Ended:
    """Outputs and summary of what came out. What could not be posted is no success."""
    code = int(outcome.exit_code)
    if post.problems and code == ExitCode.OK:
        code = int(ExitCode.INCONCLUSIVE)
    record = state.verdict
    here = record is not None and outcome.found is not None and record.subject.change == outcome.found.change.id
    verdict = record.body if record is not None and here and isinstance(record.body, VerdictRecord) else None
    findings = msgspec.to_builtins(verdict.open_findings) if verdict else []
    outputs = {
        "verdict": verdict.verdict if verdict else "",
        "allowed": "true" if outcome.allowed and code == ExitCode.OK else "false",
        "round": str(verdict.round) if verdict else "",
        "summary": printable(verdict.said if verdict else " ".join(outcome.reasons)),
        "findings": msgspec.json.encode(redact_all(findings, post.secrets)).decode(),
        "review-file": outcome.review_file,
        "run": (outcome.found.run or "") if outcome.found else "",
        "tokens": str(outcome.tokens),
    }
    return Ended(code=code, outputs=outputs, summary=job_summary(state), problems=tuple(post.problems))


# ---- comments and merge groups


def _obeyed(means: Means, number: int, comment: int, command: Command) -> Ended:
    """What a command comes to, where who typed it may; anybody else's costs nothing."""
    if not may(means, command):
        return _ignored(f"{command.who.login} may not do that here: nothing was done.")
    try:
        means.hub.react(comment, "eyes")
    except ToolError as error:
        if error.code == "forge_not_found":  # whoever typed it, or somebody who may, has taken it back
            return _ignored("The comment is not there any more: nothing was done.")
    return judge_pull(means, number, lambda scene, post: obey(scene, command, before=post.underway), comment=True)


def _ignored(why: str) -> Ended:
    return Ended(code=0, outputs={"allowed": "false", "summary": why}, summary=f"{text(why)}\n")


def _group(means: Means, event: Event) -> Ended:
    """The answer to a merge queue, on the group's head. A queue that gets none waits for ever."""
    try:
        return _answered(means, event, judge_group(means, event))
    except Exception as error:  # noqa: BLE001 -- whatever it is, it closes
        known = understood(error)
        return _answered(means, event, _no_group(known), known)


def _no_group(error: CtoError) -> Group:
    return Group(allowed=False, reasons=((0, error.message), (0, error.hint)))


def _answered(means: Means, event: Event, group: Group, failure: CtoError | None = None) -> Ended:
    code = ExitCode(failure.exit_code) if failure else ExitCode.OK if group.allowed else ExitCode.NOT_APPROVED
    secrets = secret_values(means.environ)
    reasons = [(number, redacted(one, secrets)) for number, one in group.reasons if one]
    title = f"✓ Approved: {', '.join(f'#{one}' for one in group.members)}" if group.allowed else "✗ Closed"
    lines = [f"### {title}", "", *(f"- {f'#{number}: ' if number else ''}{text(one)}" for number, one in reasons[:50])]
    if group.allowed:
        lines.append("Every member is approved, and merging them in order gives exactly this.")
    report = CheckReport(
        name=check_name(event.base_ref.removeprefix("refs/heads/")),
        title=title[:255],
        summary="\n".join(lines),
        conclusion="success" if group.allowed else "failure",
        details_url=means.job.run_page,
    )
    problems: tuple[CtoError, ...] = (failure,) if isinstance(failure, BugError) else ()
    try:
        means.hub.check_run(event.head_sha, report)
    except ToolError as error:
        problems, code = (*problems, error), code or ExitCode.INCONCLUSIVE
    outputs = {"allowed": "false" if code else "true", "summary": " ".join(one for _, one in reasons), "tokens": "0"}
    return Ended(code=int(code), outputs=outputs, summary="\n".join(lines) + "\n", problems=problems)
