"""The whole loop on a runner: an objective planned, done and reviewed, and what came of it pushed.

Only somebody with write access starts it, and only on a branch of the repository itself: here a tree is checked out and
programs work in it. Branches are pushed before each review, so that nothing is lost with the runner.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from git_cto.action.ending import Ended
from git_cto.action.job import judge_pull
from git_cto.action.people import may_write
from git_cto.action.review import hand_on_records, review, reviewer
from git_cto.action.scene import fetch_branch, repository, workspace_of
from git_cto.agents.claude import Claude
from git_cto.errors import ExitCode, ToolError, UsageError
from git_cto.loop import Means as LoopMeans
from git_cto.loop import loop
from git_cto.model import VerdictRecord
from git_cto.redaction import redacted, secret_values
from git_cto.render import markdown
from git_cto.repo.runs import PREFIX, check_run_id, trunk_ref
from git_cto.repo.scratch import scratch
from git_cto.work import planning
from git_cto.work.acting import Doing, guidance
from git_cto.work.crew import Crew
from git_cto.work.gating import decide_on
from git_cto.work.progress import Budget, Event, Progress
from git_cto.work.runs import load_run
from git_cto.work.surveying import survey

if TYPE_CHECKING:
    from git_cto.action.scene import Means
    from git_cto.forge.event import Event as JobEvent
    from git_cto.loop import Ended as LoopEnded
    from git_cto.repo.mirror import Mirror
    from git_cto.work.runs import Run
    from git_cto.work.workspace import Workspace

_CODES = {"approved": ExitCode.OK, "aborted": ExitCode.ABORT, "escalated": ExitCode.ESCALATED}
_TITLES = {"approved": "✓ Approved", "aborted": "■ Aborted", "escalated": "! A human is asked"}


def run(means: Means, event: JobEvent) -> Ended:
    """Plans or resumes a run, goes round until it ends, and pushes its branches and records."""
    base = _base(means, event)
    _check(means, event)
    with scratch(), repository(means, worktree=True) as mirror:
        tip = fetch_branch(mirror, base, whole=True)
        mirror.check_out(base.removeprefix("refs/heads/"), tip)
        if means.inputs.run:
            mirror.fetch_all(f"{PREFIX}{check_run_id(means.inputs.run)}/*")
        with workspace_of(means, mirror) as workspace:
            ended, done, tokens = _looped(means, mirror, workspace, base)
            kept = hand_on_records(means, mirror, workspace.ledger.find(series=f"run/{done.id}"))
            told = _told(means, workspace, ended, done, tokens, kept)
    return _judged(means, event, done, told)


def _base(means: Means, event: JobEvent) -> str:
    """The branch that the run is meant for, a full ref: what was named, else what the job was started on."""
    named = means.inputs.base
    ref = f"refs/heads/{named.removeprefix('refs/heads/')}" if named else event.ref
    if not ref.startswith("refs/heads/"):
        raise UsageError("A run needs a branch that it is meant for.", "base: main, or start it on a branch")
    return ref


def _check(means: Means, event: JobEvent) -> None:
    """Refuses whoever may not, and what was not given."""
    inputs = means.inputs
    if event.kind != "dispatch":
        raise UsageError(
            f"mode: run is started by people, not by the event {event.name}.", "on: workflow_dispatch", code="event"
        )
    if not may_write(means, event.sender):
        raise UsageError(f"{event.sender.login} has no write access here, so nothing was run.", code="not_allowed")
    if bool(inputs.objective) == bool(inputs.run):
        raise UsageError("A run takes an objective, or the run to go on with.", "objective: ..., or run: RUN")
    missing = [name for name in ("openai-api-key", "anthropic-api-key") if not getattr(inputs, name.replace("-", "_"))]
    if missing:
        raise ToolError(f"There is no {missing[0]}.", f"{missing[0]}: ${{{{ secrets... }}}}", code="no_key")


def _looped(means: Means, mirror: Mirror, workspace: Workspace, base: str) -> tuple[LoopEnded, Run, int]:
    """The loop, with its branches pushed before every review and at its end, however it ends."""
    pushed: list[str] = []

    def watch(event: Event) -> None:
        if event.kind == "reviewing":
            _push(mirror, workspace, pushed[0])

    progress = Progress(watch)
    run_id = means.inputs.run or _planned(means, workspace, base, progress)
    pushed.append(run_id)
    try:
        ended = loop(workspace, run_id, _means(means, workspace, load_run(workspace, run_id), progress))
    finally:
        _push(mirror, workspace, run_id)
    return ended, load_run(workspace, run_id), progress.tokens


def _planned(means: Means, workspace: Workspace, base: str, progress: Progress) -> str:
    inputs = means.inputs
    asker = reviewer(means)
    name = base.removeprefix("refs/heads/")
    prepared = planning.prepare(
        workspace, inputs.objective, base=name, model=inputs.model, effort=inputs.effort, asker=asker
    )
    made = planning.plan(workspace, prepared, asker)
    progress.take("plan", "", f"codex {made.engine.model}", made.engine.tokens, 0.0)
    return made.run


def _means(means: Means, workspace: Workspace, run: Run, progress: Progress) -> LoopMeans:
    inputs, policy = means.inputs, run.policy.execute
    plain = Doing(executor=Claude(means.environ))
    doing = replace(
        plain,
        tools=policy.allowed_tools or plain.tools,
        model=policy.model,
        max_cost=inputs.max_cost if inputs.max_cost is not None else policy.max_cost,
        may_run=lambda _: inputs.allow_commands,
        command_timeout=run.policy.verify.timeout,
        guidance=guidance(workspace, run.target.commit),
    )
    crew = Crew(doing=doing, jobs=inputs.jobs, progress=progress, budget=Budget(tokens=inputs.max_tokens))
    return LoopMeans(
        crew=crew, reviewer=reviewer(means), model=inputs.model, effort=inputs.effort, verify=inputs.allow_commands
    )


def _push(mirror: Mirror, workspace: Workspace, run_id: str) -> None:
    refs = workspace.git.refs(f"{PREFIX}{run_id}/*")
    if refs:
        mirror.push(sorted(refs))


def _told(means: Means, workspace: Workspace, ended: LoopEnded, done: Run, tokens: int, kept: str) -> Ended:
    """Outputs and summary of the loop's end. An approval of the loop's is none where the gate is closed."""
    secrets = secret_values(means.environ)
    target, trunk = done.target.name, f"cto/{done.id}/trunk"
    latest = done.standing.latest.body if done.standing.latest else None
    reasons: tuple[str, ...] = (ended.why,)
    code = int(_CODES[ended.how])
    if ended.how == "approved":
        found = survey(workspace, head=trunk_ref(done.id), base=None, run=done.id, target=done.target)
        decision = decide_on(workspace, found)
        reasons, code = decision.reasons, 0 if decision.allowed else int(ExitCode.NOT_APPROVED)
    why = redacted(" ".join(reasons), secrets)
    page = f"{means.job.page}/compare/{target}...{trunk}?expand=1"
    lead = f"Its branch is {markdown.code(trunk)}. {markdown.link('Open a pull request', page)} from it, yourself: "
    lines = [
        f"### {_TITLES[ended.how]} · run {markdown.code(done.id)}",
        markdown.text(why, 4_000),
        lead + "one that the job's own token opens starts no workflow.",
        markdown.text(kept),
    ]
    outputs = {
        "verdict": latest.verdict if isinstance(latest, VerdictRecord) else "",
        "allowed": "false" if code else "true",
        "round": str(len(done.standing.verdicts)),
        "summary": why,
        "run": done.id,
        "tokens": str(tokens),
    }
    return Ended(code=code, outputs=outputs, summary="\n\n".join(filter(None, lines)) + "\n")


def _judged(means: Means, event: JobEvent, done: Run, told: Ended) -> Ended:
    """The same, after the review of the pull request that is open for the run's trunk, where there is one."""
    if done.trunk is None:
        return told
    try:
        pulls = means.hub.pulls_of(done.trunk)
    except ToolError as error:
        return Ended(code=told.code or 3, outputs=told.outputs, summary=told.summary, problems=(error,))
    head = trunk_ref(done.id).removeprefix("refs/heads/")
    for pull in pulls:
        if (pull.head_ref, pull.head_sha, pull.fork, pull.closed) == (head, done.trunk, False, False):
            judged = judge_pull(
                means, pull.number, lambda scene, post: review(scene, event.sender, before=post.underway), comment=True
            )
            summary = f"{told.summary}\n{judged.summary}"
            return Ended(code=told.code or judged.code, outputs=told.outputs, summary=summary, problems=judged.problems)
    return told
