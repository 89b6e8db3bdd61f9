"""The question of a verdict, asked once more of the model that answered it. Nothing of the answer is recorded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from git_cto.errors import UsageError
from git_cto.gate.rule import judge
from git_cto.model import ENGINE_WORD
from git_cto.work.asking import Asker, ask
from git_cto.work.planning import engine_use
from git_cto.work.reviewing import cleaned, reader

if TYPE_CHECKING:
    from git_cto.model import EngineUse, Review, TaskStatus, Verdict, VerdictRecord
    from git_cto.work.composing import ReviewQuestion
    from git_cto.work.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Again:
    """What the same model answered this time. `tasks` are ids with the recorded status and the one of now."""

    review: Review
    verdict: Verdict
    downgrades: tuple[str, ...]
    engine: EngineUse
    tasks: tuple[tuple[str, TaskStatus | None, TaskStatus | None], ...]
    agrees: bool  # on the verdict and on every task


def ask_again(workspace: Workspace, verdict: VerdictRecord, question: ReviewQuestion, asker: Asker) -> Again:
    """Asks, and judges by the rule. Raises `EngineError` where there is no usable answer."""
    check_engine(verdict)
    brief = question.brief
    asked = ask(asker, question.question, reader(brief), None)
    review = cleaned(workspace, brief, asked.value)
    judged = judge(
        review,
        plan=brief.plan,
        prior=brief.survey.standing.open_findings,
        coverage=question.view.coverage,
        commands=verdict.commands,
        suspicions=question.suspicions,
        policy=brief.survey.policy,
        results=brief.results,
    )
    then, now = ({one.task_id: one.status for one in given.task_reviews} for given in (verdict.review, review))
    tasks = tuple((task, then.get(task), now.get(task)) for task in {**then, **now})
    return Again(
        review=review,
        verdict=judged.verdict,
        downgrades=judged.downgrades,
        engine=engine_use(asked, question.question),
        tasks=tasks,
        agrees=judged.verdict == verdict.verdict and all(before == after for _, before, after in tasks),
    )


def check_engine(verdict: VerdictRecord) -> None:
    """Raises `UsageError` where the engine that a record names is none that can be asked: records can be forged."""
    engine = verdict.engine
    word = re.compile(ENGINE_WORD)
    if engine.engine != "codex" or not word.match(engine.model) or not word.match(engine.effort):
        raise UsageError(
            "The engine that this record names cannot be asked again from here.", "git cto replay, without --ask"
        )
