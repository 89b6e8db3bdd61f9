"""The document of `git cto plan`: what Codex answered, and the run that started with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from msgspec.structs import asdict

from git_cto.model import EngineUse, Task, Verification

if TYPE_CHECKING:
    from git_cto.work.planning import Planned, PlanQuestion


class PlanDocument(Struct, frozen=True, kw_only=True):
    """A plan that started a run (`git cto plan`)."""

    schema: Literal["git-cto/plan/v1"] = "git-cto/plan/v1"
    phase: Literal["plan"]
    objective: str
    analysis: str
    strategy: str
    tasks: tuple[Task, ...]
    verification: Verification
    run: str
    series: str
    target: str
    start: str
    trunk: str
    record: str
    engine: EngineUse
    artifact: str | None
    notes: tuple[str, ...]
    next: str


def plan_document(question: PlanQuestion, planned: Planned) -> PlanDocument:
    """The document of a new plan."""
    return PlanDocument(
        **asdict(planned.plan),
        run=planned.run,
        series=f"run/{planned.run}",
        target=question.target.ref,
        start=question.start,
        trunk=f"cto/{planned.run}/trunk",
        record=planned.record.id,
        engine=planned.engine,
        artifact=planned.artifact or None,
        notes=planned.notes,
        next=planned.next_step,
    )
