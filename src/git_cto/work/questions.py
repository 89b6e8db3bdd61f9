"""The questions that engines are asked: their prompts, built from values. Pure, except for the random marker.

Whatever comes from a change stands between fences with a marker that nobody could foresee.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from git_cto.prompts import instructions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from git_cto.model import CommandOutcome, Finding, Plan, Suspicion, Target, Task, TaskResult
    from git_cto.repo.patch import Shown, View


_MARKER = 32  # hex digits


@dataclass(frozen=True)
class Fence:
    """Marks blocks of data with a marker that nobody who wrote the data could foresee."""

    marker: str

    def block(self, name: str, text: str) -> str:
        """The text as a block of data."""
        end = "" if text.endswith("\n") or not text else "\n"
        return f"<<<{name} {self.marker}>>>\n{text}{end}<<<END {name} {self.marker}>>>\n"


@dataclass(frozen=True, kw_only=True)
class ReviewMatter:
    """Everything that a review question is made from."""

    head: str
    target: Target
    round: int
    plan: Plan | None
    guidelines: Mapping[str, str]  # path at the target's tip -> text
    prior: Sequence[Finding]
    view: View
    results: Sequence[TaskResult]
    claim: str  # what the user or the executor says of the whole
    commands: Sequence[CommandOutcome]
    planned_commands: Sequence[str]  # what the plan would have run; told as "not run" where there are no outcomes
    suspicions: Sequence[Suspicion]
    dispute: str


def is_marker(text: str) -> bool:
    """Whether a text has the form of a marker."""
    return len(text) == _MARKER and set(text) <= set("0123456789abcdef")


def _fence(question: Callable[[Fence], str]) -> Fence:
    """A fence whose random marker occurs nowhere in the data of a question."""
    unmarked = question(Fence(""))
    marker = secrets.token_hex(_MARKER // 2)
    while marker in unmarked:
        marker = secrets.token_hex(_MARKER // 2)
    return Fence(marker)


def plan_prompt(objective: str, *, target: Target, guidelines: Mapping[str, str]) -> str:
    """The question that a plan answers."""

    def question(fence: Fence) -> str:
        return _plan_question(objective, target, guidelines, fence)

    return question(_fence(question))


def _plan_question(objective: str, target: Target, guidelines: Mapping[str, str], fence: Fence) -> str:
    parts = [
        "Plan this objective for the repository in the current directory.\n",
        f"The change is meant for the branch {target.name}.\n",
        "# Objective\n\n" + fence.block("OBJECTIVE", objective),
    ]
    if guidelines:
        parts.append("# Guidelines of the project\n\n" + _guidelines(fence, guidelines))
    return "\n".join(parts)


def review_fence(matter: ReviewMatter) -> Fence:
    """A fence for the data of this question."""
    return _fence(lambda fence: review_prompt(matter, fence))


def review_prompt(matter: ReviewMatter, fence: Fence) -> str:
    """The question that a review answers. The same matter behind the same fence is the same question."""
    facts = (
        f"Review the change of commit {matter.head} (head), meant for the branch {matter.target.name}.\n"
        f"This is round {matter.round} of its review. The marker of this question's data is {fence.marker}.\n"
    )
    parts = [
        facts,
        _plan(matter.plan, fence) if matter.plan else "There is no plan: judge the change by itself.\n",
    ]
    if matter.guidelines:
        parts.append("# Guidelines of the project\n\n" + _guidelines(fence, matter.guidelines))
    if matter.prior:
        parts.append("# Findings of earlier rounds, each to be ruled on\n\n" + _prior(matter.prior, fence))
    parts.append("# Files of the change\n\n" + fence.block("FILES", _files(matter.view)))
    parts.append("# How the verification commands ended\n\n" + _commands(matter, fence))
    if matter.suspicions:
        parts.append("# Suspicious text found by git-cto\n\n" + fence.block("SUSPICIOUS", _suspicions(matter)))
    if matter.results or matter.claim:
        parts.append("# What the executor says (claims, to be checked)\n\n" + fence.block("RESULTS", _results(matter)))
    if matter.dispute:
        parts.append(
            "# Dispute\n\nThe last verdict on exactly this change is disputed. Weigh the argument; it may be wrong.\n\n"
            + fence.block("DISPUTE", matter.dispute)
        )
    parts.append("# The change\n\n" + "\n".join(_patches(matter.view, fence)))
    contents = [fence.block(f"NEW CONTENT OF {one.file.name}", one.content) for one in matter.view.files if one.content]
    if contents:
        parts.append("# Changed files as they are after the change\n\n" + "\n".join(contents))
    return "\n".join(parts)


def retry_prompt(prompt: str, error: str) -> str:
    """The same question again, after an answer that could not be used."""
    return f"{prompt}\n# Your last answer could not be used\n\n{error}\n\nAnswer again, in the form asked for.\n"


def _guidelines(fence: Fence, guidelines: Mapping[str, str]) -> str:
    return "\n".join(fence.block(f"GUIDELINES {path}", text) for path, text in guidelines.items())


def _plan(plan: Plan, fence: Fence) -> str:
    lines = [f"Objective: {plan.objective}", f"Strategy: {plan.strategy}", ""]
    for task in plan.in_order():
        lines += _task(task)
    if plan.verification.expected:
        lines.append(f"Expected of the verification: {plan.verification.expected}")
    return "# Plan\n\n" + fence.block("PLAN", "\n".join(lines))


def _task(task: Task) -> list[str]:
    after = f" (after {', '.join(task.depends_on)})" if task.depends_on else ""
    return [
        f"{task.id} {task.action} {task.target}{after}",
        f"  {task.description}",
        *(f"  - criterion: {criterion}" for criterion in task.acceptance_criteria),
        *([f"  context: {task.context}"] if task.context else []),
        "",
    ]


def _prior(prior: Sequence[Finding], fence: Fence) -> str:
    lines = [f"{one.id} [{one.severity}] {one.where}\n  {one.body}" for one in prior]
    return fence.block("FINDINGS", "\n".join(lines))


def _files(view: View) -> str:
    lines = []
    for one in view.files:
        file = one.file
        modes = file.new_mode if file.old_mode == file.new_mode else f"{file.old_mode} -> {file.new_mode}"
        why = f" ({one.coverage.reason})" if one.coverage.reason else ""
        ids = "" if one.coverage.status == "full" else f" {file.old_oid[:12]} -> {file.new_oid[:12]}"
        lines.append(f"{file.status} {file.name} mode {modes}, {one.coverage.status}{why}{ids}")
    return "\n".join(lines)


def _commands(matter: ReviewMatter, fence: Fence) -> str:
    if not matter.commands:
        if not matter.planned_commands:
            return "None were run.\n"
        return fence.block("COMMANDS", "\n".join(f"not run: {command}" for command in matter.planned_commands))
    blocks = []
    for one in matter.commands:
        ended = "stopped after its time limit" if one.exit_code is None else f"exit code {one.exit_code}"
        blocks.append(f"$ {one.command}\n{ended}\n{one.output}".rstrip())
    return fence.block("COMMANDS", "\n\n".join(blocks))


def _suspicions(matter: ReviewMatter) -> str:
    return "\n".join(f"{one.path}:{one.line} {one.what}" for one in matter.suspicions)


def _results(matter: ReviewMatter) -> str:
    lines = [f"{one.task_id} {one.outcome}: {one.summary}" for one in matter.results]
    return "\n".join([*lines, *([matter.claim] if matter.claim else [])])


def _patches(view: View, fence: Fence) -> list[str]:
    return [fence.block(f"PATCH {one.file.name}", one.patch) for one in view.files if _shown(one)]


def _shown(one: Shown) -> bool:
    return one.coverage.status == "full"


def task_prompt(
    plan: Plan, task: Task, *, feedback: str, findings: Sequence[Finding], trouble: str, word: str = ""
) -> str:
    """What an executor is told of a task. `trouble` is why an earlier try could not be taken ("" at first).

    `word` is what a human said who let the run go on.
    """

    def prompt(fence: Fence) -> str:
        return _task_prompt(plan, task, fence, feedback=feedback, findings=findings, trouble=trouble, word=word)

    return prompt(_fence(prompt))


def _task_prompt(
    plan: Plan, task: Task, fence: Fence, *, feedback: str, findings: Sequence[Finding], trouble: str, word: str
) -> str:
    told = "\n".join([f"Objective of the whole: {plan.objective}", "", *_task(task)])
    parts = [instructions("executor"), "# The task\n\n" + fence.block("TASK", told)]
    if feedback:
        parts.append("# What the review of the last version says of it\n\n" + fence.block("FEEDBACK", feedback))
    if findings:
        parts.append("# Open findings of the review; mend those that concern this task\n\n" + _prior(findings, fence))
    if trouble:
        parts.append("# Why the last try could not be taken\n\n" + fence.block("TROUBLE", trouble))
    if word:
        parts.append("# What a human says who let this go on\n\n" + fence.block("HUMAN", word))
    return "\n".join(parts)
