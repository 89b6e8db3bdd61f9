"""Digests of what a verdict rests on, so that the same question is recognised when it is asked again. Pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from git_cto.model import CommandOutcome, Plan, TaskResult


def text_digest(text: str) -> str:
    """sha256 of a text as UTF-8, in hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def plan_digest(plan: Plan | None) -> str:
    """sha256 of a plan's values; "" without one."""
    return "" if plan is None else hashlib.sha256(msgspec.json.encode(plan, order="deterministic")).hexdigest()


def outcomes_digest(results: Iterable[TaskResult], commands: Iterable[CommandOutcome]) -> str:
    """sha256 of what was observed: outcomes of tasks and exit codes of verification. Prose does not count."""
    tasks = sorted((result.task_id, result.outcome) for result in results)
    exits = [(one.command, one.exit_code) for one in commands]
    return hashlib.sha256(msgspec.json.encode([tasks, exits])).hexdigest()
