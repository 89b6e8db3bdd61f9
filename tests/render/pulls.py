"""Pull requests in each state that the comment knows: a plan of three tasks, a second round, two findings."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from git_cto.model import (
    Actor,
    CommandOutcome,
    CriterionReview,
    FileCoverage,
    Finding,
    Plan,
    Record,
    Review,
    Task,
    TaskResult,
    TaskReview,
    Verdict,
)
from git_cto.render.comment import Place, PullState
from tests.gate.values import CI, CODEX, a_verdict, an_override, record, seen

HEAD, EARLIER, NEWER = "9f8e7d6" + "5" * 33, "1a2b3c4" + "6" * 33, "7e57ab1" + "e" * 33
PLACE = Place(
    repository="https://github.example/octo/health",
    job="https://github.example/octo/health/actions/runs/7",
    docs="https://git-cto.example/docs",
)
PLAN = Plan(
    objective="Add a health check endpoint at /health returning {status: ok}",
    analysis="The API has no liveness route.",
    strategy="Add one beside /version and cover it.",
    tasks=(
        Task(
            id="t1",
            action="modify_file",
            target="src/app/routes.py",
            description="Add GET /health",
            acceptance_criteria=('answers 200 with {"status": "ok"}', "needs no authentication"),
        ),
        Task(
            id="t2",
            action="create_file",
            target="tests/test_health.py",
            description="Cover the route with a test that runs the whole application",
            acceptance_criteria=("the route is covered",),
            depends_on=("t1",),
        ),
        Task(id="t3", action="verify", target="pytest tests -q", description="Run the suite", depends_on=("t2",)),
    ),
)
GUARDED = Finding(
    id="2.1",
    severity="major",
    path="src/app/routes.py",
    body="The blueprint's guard also covers `/health`: a probe without a session gets **302**.",
    start_line=41,
    end_line=42,
    suggestion='@app.get("/health")\ndef health():',
)
UNNAMED = Finding(id="2.2", severity="nit", path="", body="The changelog does not name the route.")


def a_record(verdict: Verdict = "revise", head: str = HEAD, number: int = 2, **said: Any) -> Record:  # noqa: ANN401
    """A verdict in one of its rounds; what it approves has no findings."""
    approves = verdict == "approve"
    review = Review(
        verdict=verdict,
        summary="The route is there and answers anybody."
        if approves
        else "The route is there, but it asks for a login.",
        head=head,
        task_reviews=task_reviews(passing=approves),
        findings=() if approves else (GUARDED, UNNAMED),
        reason="" if approves else "An anonymous probe cannot reach it.",
    )
    values: dict[str, Any] = {
        "verdict": verdict,
        "round": number,
        "review": review,
        "engine": replace(CODEX, input_tokens=23_900, output_tokens=1_000),
        "coverage": seen(2),
        "commands": (CommandOutcome(command="pytest tests -q", exit_code=0 if approves else 1),),
        "tasks": 3,
        "target_commit": "c0ffee0" + "1" * 33,
    }
    return record(a_verdict(**values | said), f"{number}" * 64, head=head)


def task_reviews(*, passing: bool) -> tuple[TaskReview, ...]:
    """The three tasks, of which the first fails a criterion unless all pass."""
    return (
        TaskReview(
            task_id="t1",
            status="pass" if passing else "fail",
            feedback="" if passing else "Take the route out of the guarded blueprint.",
            criteria=(
                CriterionReview(criterion='answers 200 with {"status": "ok"}', met=True),
                CriterionReview(criterion="needs no authentication", met=passing, evidence="src/app/routes.py:41"),
            ),
        ),
        TaskReview(
            task_id="t2", status="pass", criteria=(CriterionReview(criterion="the route is covered", met=True),)
        ),
        TaskReview(task_id="t3", status="pass" if passing else "partial", feedback="" if passing else "Not run."),
    )


def a_pull(state: str, **said: Any) -> PullState:  # noqa: ANN401 -- fields
    """A pull request with a plan in a state, where nothing else is said after a first round that said revise."""
    first = a_record(head=EARLIER, number=1)
    values: dict[str, Any] = {
        "state": state,
        "target": "main",
        "head": HEAD,
        "place": PLACE,
        "rounds": 5,
        "plan": PLAN,
        "verdicts": (first,),
    }
    return PullState(**values | said)


def judged(state: str, word: Verdict, **said: Any) -> PullState:  # noqa: ANN401 -- fields
    """A pull request in its second round, of which there is a verdict."""
    latest = a_record(word)
    return a_pull(
        state,
        **{"round": 2, "verdict": latest, "verdicts": (a_record(head=EARLIER, number=1), latest)} | said,
    )


def _overruled() -> PullState:
    tested = (
        CommandOutcome(command="pytest tests -q --strict-markers --maxfail=1", exit_code=1),
        CommandOutcome(command="make lint", exit_code=0),
    )
    why = ("verification failed: pytest tests -q", "assets/logo.png cannot be shown: binary, 10 -> 12 bytes")
    latest = a_record(
        "revise",
        model_verdict="approve",
        downgrades=why,
        commands=tested,
        coverage=replace(
            seen(7, ("package-lock.json", "summarised")),
            files=9,
            listed=1,
            partly=(
                FileCoverage(path="package-lock.json", status="summarised", reason="1,204 lines"),
                FileCoverage(path="assets/logo.png", status="listed", reason="binary, 10 -> 12 bytes"),
            ),
        ),
        results=(TaskResult(task_id="t1", outcome="done", tokens=90_000, cost=1.25),),
    )
    return judged("revise", "revise", verdict=latest, verdicts=(a_record(head=EARLIER, number=1), latest))


CONTROL = (".github/workflows/ci.yml", ".cto/config.toml")
PULLS: dict[str, PullState] = {
    "approved": judged("approved", "approve"),
    "approved without a plan": judged("approved", "approve", plan=None, place=Place()),
    "overridden": judged(
        "overridden",
        "revise",
        by=record(an_override(reason="The probe runs inside the mesh, where it has a session."), "o" * 64),
    ),
    "revise": judged("revise", "revise", inline=("2.1",)),
    "overruled": _overruled(),
    "abort": judged("abort", "abort", asked=("ada", "octo/reviewers")),
    "escalated": judged(
        "escalated",
        "revise",
        asked=("ada", "grace"),
        reasons=("3 times in a row the verdict was revise: a human has to look.",),
    ),
    "unreviewed": a_pull(
        "unreviewed",
        reasons=("Your OpenAI quota is used up until 14:05 (Codex said so).",),
        next_step="git cto review again after 14:05, or --model gpt-5-mini",
    ),
    "stale": judged("stale", "approve", head=NEWER, commits_since=2),
    "needs a human": judged("needs_human", "approve", control_paths=CONTROL, asked=("ada",)),
    "closed": judged(
        "closed",
        "approve",
        reasons=("It conflicts with main: src/app/routes.py.",),
        next_step="git merge main, then git cto review",
    ),
    "waiting": a_pull("waiting", reasons=("It is a draft.",), verdicts=()),
    "reviewing": a_pull("reviewing", round=2),
    "no key": a_pull("no_key", verdicts=(), plan=None),
    "fork": a_pull("fork", verdicts=(), plan=None),
    "overtaken": a_pull("overtaken", head=NEWER, verdict=a_record(), kept="The record is in the artifact `git-cto-7`."),
    "finished": judged("finished", "approve"),
}


def worst(said: str, many: int = 3) -> PullState:
    """An escalated pull request in which everything that somebody else may write says this, `many` times over."""
    task = replace(PLAN.tasks[0], description=said, acceptance_criteria=(said,) * many)
    tasks = tuple(replace(task, id=f"t{number}") for number in range(1, many + 1))
    ids = [one.id for one in tasks][1:]
    criteria = tuple(CriterionReview(criterion=said, met=bool(n % 2), evidence=said) for n in range(min(many, 3)))
    review = Review(
        verdict="revise",
        summary=said,
        reason=said,
        head=HEAD,
        task_reviews=tuple(
            TaskReview(task_id=one, status="fail", feedback=said, criteria=criteria) for one in (*ids, said)
        ),
        findings=tuple(replace(UNNAMED, id=f"2.{n}", severity="minor", path=said, body=said) for n in range(many)),
    )
    latest = a_record(
        review=review,
        model_verdict="approve",
        downgrades=(said,) * 3,
        coverage=replace(
            seen(many), partly=(FileCoverage(path=said, status="listed", reason=said),) * many, listed=many
        ),
        engine=replace(CODEX, engine=said, version=said, model=said, effort=said),
        commands=(CommandOutcome(command=said, exit_code=1),) * many,
    )
    latest = replace(latest, signers=(replace(CI, principal=said),))
    return judged(
        "escalated",
        "revise",
        plan=replace(PLAN, objective=said, tasks=tasks),
        verdict=latest,
        verdicts=(latest,) * many,
        by=record(an_override(reason=said, actor=Actor(name=said, email=said)), "o" * 64),
        asked=("ada",) * many,
        target=said,
        **dict.fromkeys(("reasons", "control_paths", "notes"), (said,) * many),
        **dict.fromkeys(("kept", "next_step"), said),
    )
