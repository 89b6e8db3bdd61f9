"""A pull request reviewed: the gate first, and a model only where the gate is closed and somebody who may has asked.

One way leads to a model, and each step before it can only end it. What ends without a verdict opens nothing.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from msgspec.structs import replace

from git_cto.action.checks import observed, outcomes_of
from git_cto.action.gate import ask_gate, draft
from git_cto.action.outcome import Outcome
from git_cto.action.people import may_ask
from git_cto.agents.base import Limits
from git_cto.agents.codex import Codex
from git_cto.errors import AbortedError, EscalatedError, ExitCode, ToolError, UsageError
from git_cto.ledger.records import seal
from git_cto.ledger.sync import sync
from git_cto.repo.mirror import REMOTE
from git_cto.work.asking import Asker
from git_cto.work.briefing import LARGEST_CLAIM, Brief, prepare
from git_cto.work.composing import compose
from git_cto.work.reviewing import review as ask_reviewer
from git_cto.work.verdicts import standing_verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from git_cto.action.scene import Means, Scene
    from git_cto.forge.values import User
    from git_cto.model import CommandOutcome, Record
    from git_cto.render.comment import State
    from git_cto.repo.mirror import Mirror
    from git_cto.work.verdicts import Reviewed

RECORDS = "records.jsonl"
_STANDS = "It was judged before, and nothing has changed since: the verdict stands, and no model was asked."
_FORK_KEY = "A pull request from a fork gets no secrets in workflows on `pull_request`: `pull_request_target` does."


def review(scene: Scene, who: User, *, before: Callable[[Outcome], None] = lambda _: None) -> Outcome:
    """What comes out for a pull request; `who` is whose doing it is that it is asked for.

    `before` is called right before a model is. Raises `CtoError` where something fails.
    """
    outcome = ask_gate(scene)
    if scene.pull.draft:
        return draft(outcome)
    if outcome.allowed:
        return outcome
    try:
        brief = prepare(scene.workspace, scene.found, claim=_claim(scene), dispute="")
    except UsageError as error:
        return replace(outcome, state="closed", code=ExitCode.USAGE, reasons=(error.message,), next_step=error.hint)
    seen = _observed(scene)
    try:
        standing = standing_verdict(brief, seen)
    except (EscalatedError, AbortedError) as stopped:
        state: State = "abort" if outcome.state == "abort" else "escalated"
        return replace(outcome, state=state, code=ExitCode(stopped.exit_code), reasons=(stopped.message,))
    if standing is not None:
        return replace(outcome, notes=(*outcome.notes, _STANDS), review_file=standing.artifact)
    return _refused(scene, outcome, who) or _asked(scene, outcome, brief, seen, before)


def _refused(scene: Scene, outcome: Outcome, who: User) -> Outcome | None:
    """Why no model is asked, if none is: nobody who may has asked, or there is no key."""
    fork = scene.pull.fork
    if not may_ask(scene.means, who):
        named = "is no bot that `allow-bots` names" if who.bot else "has no write access here"
        why = f"{who.login} {named}, so no model was asked."
        state = replace(outcome, state="fork" if fork else "closed", reasons=(why,), next_step="")
        return replace(state, code=ExitCode.NOT_APPROVED)
    if not scene.means.inputs.openai_api_key:
        notes = (*outcome.notes, *([_FORK_KEY] if fork else []))
        return replace(outcome, state="no_key", code=ExitCode.INCONCLUSIVE, reasons=(), notes=notes)
    return None


def _claim(scene: Scene) -> str:
    """Title and body: only without a plan, and where policy asks for them. Claims, as all that an author says."""
    if scene.found.plan_record is not None or not scene.found.policy.review.title_and_body:
        return ""
    said = f"Title of the pull request: {scene.pull.title}\n\n{scene.pull.body}".strip()
    return said[: LARGEST_CLAIM // 2]


def _observed(scene: Scene) -> tuple[CommandOutcome, ...]:
    means = scene.means
    checks = means.hub.checks_on(scene.pull.head_sha)
    return observed(outcomes_of(checks, means.job, means.inputs.ignore_checks), scene.found)


def reviewer(means: Means) -> Asker:
    """Codex, with the key and the limits of this job."""
    plain = Limits()
    limits = Limits(total=means.inputs.timeout or plain.total, idle=min(means.inputs.timeout or plain.idle, plain.idle))
    return Asker(Codex(means.environ), limits, lambda _: None)


def _asked(
    scene: Scene,
    outcome: Outcome,
    brief: Brief,
    seen: tuple[CommandOutcome, ...],
    before: Callable[[Outcome], None],
) -> Outcome:
    """Asks, records, hands the record on, and asks the gate again."""
    inputs = scene.means.inputs
    asker = reviewer(scene.means)
    scene.workspace.signing.prepare()  # before anything is paid for
    question = compose(scene.workspace, brief, seen, model=inputs.model, effort=inputs.effort, asker=asker)
    asker.engine.require()
    before(replace(outcome, state="reviewing", reasons=()))
    done = ask_reviewer(scene.workspace, question, asker)
    return after(scene, done)


def after(scene: Scene, done: Reviewed) -> Outcome:
    """What a new verdict comes to."""
    now = scene.again()
    kept = hand_on(now)
    outcome = ask_gate(now)
    return replace(
        outcome,
        tokens=done.verdict.engine.tokens,
        review_file=done.artifact,
        kept=kept,
        notes=(*outcome.notes, *done.notes, *scene.workspace.notes),
    )


def hand_on(scene: Scene) -> str:
    """Pushes what this job recorded; where it is if it could not be pushed."""
    return hand_on_records(scene.means, scene.mirror, scene.found.records)


def hand_on_records(means: Means, mirror: Mirror, records: Iterable[Record]) -> str:
    """Pushes the ledger, and keeps what this job recorded as a file. Returns where, if that is all there is of it."""
    job = means.job
    path = os.path.join(job.record, RECORDS)
    with open(path, "wb") as file:
        for one in records:
            if one.own:
                file.write(seal(one.payload, one.signatures) + b"\n")
    try:
        sync(mirror.git, REMOTE, prompt=False)
    except ToolError as error:
        where = f"the artifact {job.artifact} of this run" if job.artifact else path
        return f"The record could not be pushed: {error.message.rstrip('.')}. It is in {where}."
    return ""
