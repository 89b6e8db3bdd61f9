"""Values that the tests of the pure parts are made of, each of them in order unless a test says otherwise."""

from __future__ import annotations

import types
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec
from hypothesis import settings
from hypothesis import strategies as st

from git_cto.gate.digests import plan_digest
from git_cto.gate.policy import Policy
from git_cto.model import (
    Actor,
    Change,
    CommandOutcome,
    ContinueRecord,
    Coverage,
    CoverageStatus,
    CriterionReview,
    Digests,
    EngineUse,
    FileChange,
    FileCoverage,
    Finding,
    OverrideRecord,
    Plan,
    PlanRecord,
    Predicate,
    Record,
    Review,
    Ruling,
    RulingKind,
    Series,
    Severity,
    Signer,
    Subject,
    Target,
    Task,
    TaskReview,
    TaskStatus,
    VerdictRecord,
)

T = TypeVar("T")
HEAD, TREE, BASE = "a" * 40, "b" * 40, "c" * 40
CHANGE, SHA256 = "d" * 40, "e" * 64
MAIN = "refs/heads/main"
SERIES = Series(name="branch/refs/heads/topic", target=MAIN)
TARGET = Target(ref=MAIN, commit=BASE, found_at=MAIN)
CI = Signer(principal="ci@example.org", key="SHA256:ci", aliases=("ci@example.org",))
ADA = Actor(name="Ada", email="ada@example.org", host="laptop", tool="git-cto 0.1.0")
CODEX = EngineUse(
    engine="codex", version="0.169.0", model="gpt-5.4", effort="high", input_tokens=900, output_tokens=100
)
POLICY = Policy()

# The same examples in every run, no folder of examples, and no limit that a busy machine would break.
quick = settings(max_examples=100, deadline=None, derandomize=True, database=None)
thorough = settings(quick, max_examples=400)


def at(minute: int) -> str:
    """A time as records write it."""
    return f"2026-01-02T{3 + minute // 60:02}:{minute % 60:02}:00.000Z"


def a_task(task_id: str = "t1", **said: Any) -> Task:  # noqa: ANN401 -- fields
    values: dict[str, Any] = {
        "action": "modify_file",
        "target": "app.py",
        "description": "Say 2",
        "acceptance_criteria": ("version() returns 2",),
    }
    return Task(id=task_id, **values | said)


def a_plan(*tasks: Task) -> Plan:
    return Plan(objective="Say 2", analysis="It says 1.", strategy="Say 2.", tasks=tasks or (a_task(),))


def judged(task: Task, status: TaskStatus = "pass", *, met: bool = True) -> TaskReview:
    """A task, judged as planned."""
    criteria = tuple(CriterionReview(criterion=one, met=met) for one in task.acceptance_criteria)
    return TaskReview(task_id=task.id, status=status, criteria=criteria)


def a_review(plan: Plan | None = None, **said: Any) -> Review:  # noqa: ANN401 -- fields
    """An approval in which every task of the plan passes."""
    values: dict[str, Any] = {
        "verdict": "approve",
        "summary": "It says 2.",
        "head": HEAD,
        "task_reviews": tuple(judged(task) for task in plan.tasks) if plan else (),
    }
    return Review(**values | said)


def a_finding(severity: Severity = "major", finding_id: str = "1.1", **said: Any) -> Finding:  # noqa: ANN401 -- fields
    return Finding(id=finding_id, severity=severity, **{"path": "app.py", "body": "This is wrong."} | said)


def ruled(ruling: RulingKind, finding_id: str = "1.1") -> Ruling:
    return Ruling(id=finding_id, ruling=ruling)


def seen(full: int = 1, *partly: tuple[str, CoverageStatus], cut: int = 0) -> Coverage:
    """Coverage with `full` files in full and `partly` (path, status) not."""
    counts = {kind: sum(status == kind for _, status in partly) for kind in ("summarised", "listed", "omitted")}
    return Coverage(
        files=full + len(partly) + cut,
        full=full,
        digest="0" * 64,
        partly=tuple(FileCoverage(path=path, status=status, reason="why") for path, status in partly),
        cut=cut,
        **counts,
    )


def ran(exit_code: int | None = 0) -> CommandOutcome:
    return CommandOutcome(command="make test", exit_code=exit_code)


def a_file(path: str | bytes = "app.py") -> FileChange:
    raw = path if isinstance(path, bytes) else path.encode()
    return FileChange(raw, "100644", "100644", "1" * 40, "2" * 40, "M")


def a_change(*files: FileChange, change: str = CHANGE, sha256: str = SHA256) -> Change:
    return Change(id=change, sha256=sha256, base=BASE, head=HEAD, tree=TREE, raw=b"", files=files or (a_file(),))


def record(body: Predicate, name: str = "", *, signers: tuple[Signer, ...] = (), **subject: str) -> Record:
    """A record about the change. Its id is `name`, where there is one."""
    about = Subject(**{"head": HEAD, "tree": TREE, "change": CHANGE, "sha256": SHA256} | subject)
    return Record(id=name or f"{id(body):x}", subject=about, body=body, signers=signers)


def a_verdict(plan: Plan | None = None, **said: Any) -> VerdictRecord:  # noqa: ANN401 -- fields
    """An approval; another `verdict` is the model's own as well, unless a `review` is given."""
    verdict = said.get("verdict", "approve")
    values: dict[str, Any] = {
        "verdict": verdict,
        "model_verdict": verdict,
        "downgrades": (),
        "series": SERIES.name,
        "round": 1,
        "run": "",
        "target": MAIN,
        "target_commit": BASE,
        "merge_base": BASE,
        "coverage": seen(),
        "digests": Digests(plan=plan_digest(plan)),
        "engine": CODEX,
        "actor": ADA,
        "time": at(0),
        "review": a_review(plan, verdict=verdict),
        "tasks": len(plan.tasks) if plan else 0,
    }
    return VerdictRecord(**values | said)


def an_override(**said: Any) -> OverrideRecord:  # noqa: ANN401 -- fields
    values: dict[str, Any] = {"series": SERIES.name, "target": MAIN, "target_commit": BASE, "reason": "It is urgent."}
    return OverrideRecord(**values | {"actor": ADA, "time": at(0)} | said)


def a_continue(**said: Any) -> ContinueRecord:  # noqa: ANN401 -- fields
    values: dict[str, Any] = {"series": SERIES.name, "target": MAIN, "reason": "Go on.", "actor": ADA, "time": at(0)}
    return ContinueRecord(**values | said)


def a_plan_record(plan: Plan | None = None, **said: Any) -> PlanRecord:  # noqa: ANN401 -- fields
    values: dict[str, Any] = {
        "run": "say-2-3f2a1c",
        "series": "run/say-2-3f2a1c",
        "target": MAIN,
        "target_commit": BASE,
        "start": BASE,
    }
    return PlanRecord(**values | {"plan": plan or a_plan(), "engine": CODEX, "actor": ADA, "time": at(0)} | said)


# ---- anything at all -------------------------------------------------------------------------------------------------

texts = st.text(max_size=60) | st.sampled_from(
    ["", " ", "a" * 200, "日本語" * 40, "\x1b[31mred", "::error::x", "a\nb\r\nc", "e\u202ee", "\ud83d", "👍🏽 ❤️", "```"]
)


def anything(kind: type[T], **given: st.SearchStrategy[Any]) -> st.SearchStrategy[T]:
    """Any value of a struct, whatever a type allows in its fields; `given` are strategies for fields by name."""
    fields = {
        field.name: given[field.name] if field.name in given else _of_type(field.type, given)
        for field in msgspec.structs.fields(kind)  # type: ignore[arg-type]
    }
    return st.builds(kind, **fields)


def _of_type(kind: Any, given: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:  # noqa: ANN401 -- a type
    origin = get_origin(kind)
    if origin is Literal:
        return st.sampled_from(get_args(kind))
    if origin is tuple:
        return st.lists(_of_type(get_args(kind)[0], given), max_size=3).map(tuple)
    if origin in {Union, types.UnionType}:
        return st.one_of([_of_type(one, given) for one in get_args(kind)])
    simple = {
        str: texts,
        int: st.integers(0, 10**6),
        bool: st.booleans(),
        float: st.floats(0, 1e6),
        type(None): st.none(),
    }
    return simple[kind] if kind in simple else anything(kind, **given)
