"""The question of a review, ready to be asked: who is asked, what is shown, and what its verdict will rest on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from git_cto.agents.base import Question
from git_cto.answers import review_schema
from git_cto.errors import InconclusiveError, PolicyError, typed
from git_cto.gate.digests import outcomes_digest, plan_digest, text_digest
from git_cto.gate.globs import matches
from git_cto.gate.policy import GUIDELINES, LARGEST_REQUEST
from git_cto.gate.suspicion import name_suspicions, suspicions
from git_cto.model import (
    CommandOutcome,
    Digests,
    Suspicion,
)
from git_cto.prompts import instructions
from git_cto.render.words import counted
from git_cto.repo.patch import Shown, View, view
from git_cto.work.asking import Asker
from git_cto.work.briefing import Brief
from git_cto.work.planning import first
from git_cto.work.questions import Fence, ReviewMatter, review_fence, review_prompt

if TYPE_CHECKING:
    from git_cto.work.surveying import Survey
    from git_cto.work.workspace import Workspace

DEFAULT_MODEL = "gpt-5.4"
DEFAULT_EFFORT = "high"
LARGEST_SUSPICION = 50  # suspicions
LARGEST_GUIDELINE = 60_000


@dataclass(frozen=True, kw_only=True)
class ReviewQuestion:
    """A review question that is ready to be asked, and what its verdict will rest on."""

    brief: Brief
    question: Question
    view: View
    outcomes: tuple[CommandOutcome, ...]
    suspicions: tuple[Suspicion, ...]
    marker: str  # of the prompt's data


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """Everything that a review question is made from, but who is asked. `odd` is all that looks suspicious."""

    brief: Brief
    view: View
    outcomes: tuple[CommandOutcome, ...]
    odd: tuple[Suspicion, ...]
    matter: ReviewMatter


def compose(
    workspace: Workspace,
    brief: Brief,
    outcomes: tuple[CommandOutcome, ...],
    *,
    model: str | None,
    effort: str | None,
    asker: Asker,
) -> ReviewQuestion:
    """The question for a change, with what the reviewer is shown. Raises `PolicyError` and `InconclusiveError`."""
    chosen = _model(workspace, brief.survey, model, asker)
    hard = first(
        effort, workspace.settings.text("cto.review.effort"), brief.survey.policy.review.effort, DEFAULT_EFFORT
    )
    gathered = gather(workspace, brief, outcomes)
    return worded(gathered, review_fence(gathered.matter), model=chosen, effort=hard)


def _model(workspace: Workspace, found: Survey, named: str | None, asker: Asker) -> str:
    """Who is asked: the first that is named by anybody, if the policy allows it."""
    policy, said = found.policy, workspace.settings
    chosen = first(
        named, said.text("cto.review.model"), policy.review.model, asker.engine.default_model(), DEFAULT_MODEL
    )
    allowed = policy.review.allowed_models
    if allowed is not None and chosen not in allowed:
        raise PolicyError(
            f"The policy of {found.target.name} does not allow the model {chosen}.",
            f"--model {' or '.join(map(typed, allowed))}",
        )
    return chosen


def gather(workspace: Workspace, brief: Brief, outcomes: tuple[CommandOutcome, ...]) -> Gathered:
    """What the reviewer of a change is shown and told. Raises `InconclusiveError` for what is too large."""
    found = brief.survey
    policy = found.policy
    shown = view(
        workspace.lens,
        found.change,
        max_bytes=policy.coverage.max_bytes,
        summarise=lambda path: matches(path, policy.coverage.summarised),
        may_be_unseen=lambda path: matches(path, policy.coverage.listed_ok),
    )
    _refuse_too_large(shown)
    odd = [one for file in shown.files for one in _suspicions(file)]
    # What bars an approval comes first, so that harmless oddities cannot push it out of what is kept.
    odd.sort(key=lambda one: (matches(one.path, policy.review.suspicious_ok), not one.bars))
    odd = odd[:LARGEST_SUSPICION]
    matter = ReviewMatter(
        head=found.change.head,
        target=found.target,
        round=found.standing.round,
        plan=brief.plan,
        guidelines=_guidelines(workspace, found),
        prior=found.standing.open_findings,
        view=shown,
        results=brief.results,
        claim="\n\n".join(filter(None, (brief.claim, brief.messages))),
        commands=outcomes,
        planned_commands=brief.commands,
        suspicions=[one for one in odd if not matches(one.path, policy.review.suspicious_ok)],
        dispute=brief.dispute,
    )
    return Gathered(brief=brief, view=shown, outcomes=outcomes, odd=tuple(odd), matter=matter)


def worded(gathered: Gathered, fence: Fence, *, model: str, effort: str) -> ReviewQuestion:
    """The question in words. The same matter behind the same fence is the same question, to the byte."""
    prompt = review_prompt(gathered.matter, fence)
    if len(prompt) > LARGEST_REQUEST:
        raise InconclusiveError(
            f"The question has {len(prompt):,} characters, and Codex takes {LARGEST_REQUEST:,}.",
            "split the change, or lower [coverage] max_bytes",
            code="too_large",
        )
    question = Question(
        instructions=instructions("reviewer"),
        prompt=prompt,
        schema=review_schema(),
        model=model,
        effort=effort,
    )
    return ReviewQuestion(
        brief=gathered.brief,
        question=question,
        view=gathered.view,
        outcomes=gathered.outcomes,
        suspicions=gathered.odd,
        marker=fence.marker,
    )


def rests_on(workspace: Workspace, asked: ReviewQuestion) -> Digests:
    """Digests of what the verdict on this question rests on, except for the answer."""
    brief, question = asked.brief, asked.question
    return Digests(
        plan=plan_digest(brief.plan),
        outcomes=outcomes_digest(brief.results, asked.outcomes),
        policy=workspace.committed_policy(brief.survey.target).digest,
        prompt=text_digest(question.prompt),
        schema=text_digest(msgspec.json.encode(question.schema, order="deterministic").decode()),
        instructions=text_digest(question.instructions),
    )


def _suspicions(shown: Shown) -> list[Suspicion]:
    """What is odd about a file: the name of a new one (the reviewer reads it even where no text is shown), its text."""
    file = shown.file
    named = name_suspicions(file.name, file.text) if file.status == "A" else []
    return named + (suspicions(file.name, shown.patch) if shown.patch else [])


def _guidelines(workspace: Workspace, found: Survey) -> dict[str, str]:
    paths = (*GUIDELINES, *found.policy.review.context)
    texts = {path: workspace.text_at(found.target.commit, path) for path in paths}
    return {path: _cut(text) for path, text in texts.items() if text}


def _cut(text: str) -> str:
    if len(text) <= LARGEST_GUIDELINE:
        return text
    return text[:LARGEST_GUIDELINE] + f"\n[cut by git-cto after {LARGEST_GUIDELINE:,} characters]\n"


def _refuse_too_large(shown: View) -> None:
    """No model is asked about a change of which it would see the lesser part."""
    if shown.coverage.omitted > shown.coverage.files - shown.coverage.omitted:
        raise InconclusiveError(
            f"{shown.coverage.omitted} of {counted(shown.coverage.files, 'file')} would not fit into one review.",
            "split the change, or list generated files under [coverage] summarised in .cto/config.toml",
            code="too_large",
        )
