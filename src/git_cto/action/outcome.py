"""What came out for a pull request, as one value: whether the gate is open, how that is called, and what is said of it.

Pure. From the same value follow the exit code, the check's conclusion, the texts and the outputs, so that they cannot
say different things.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from git_cto.errors import ExitCode
from git_cto.gate.rounds import in_order
from git_cto.model import OverrideRecord, PlanRecord, VerdictRecord
from git_cto.render.comment import Place, PullState

if TYPE_CHECKING:
    from git_cto.action.scene import Means
    from git_cto.errors import CtoError
    from git_cto.forge.values import Conclusion, Pull
    from git_cto.gate.decision import Decision
    from git_cto.model import Record
    from git_cto.render.comment import State
    from git_cto.work.surveying import Survey

_HUMAN: frozenset[State] = frozenset(("escalated", "abort", "needs_human"))
_CODES: dict[State, ExitCode] = {"abort": ExitCode.ABORT, "escalated": ExitCode.ESCALATED}
_UNSIGNED = "Its record is not signed (there is no signing-key): it counts in this run, and in no merge queue."
DOCS = "https://github.com/git-cto/git-cto#readme"


class Outcome(Struct, frozen=True, kw_only=True):
    """What came out. `decision` is None where the gate could not be asked; only it opens anything.

    `code` is the exit code of a closed gate. `verdict` is the last verdict that counts for something here.
    """

    state: State
    code: ExitCode
    decision: Decision | None = None
    found: Survey | None = None
    verdict: Record | None = None
    reasons: tuple[str, ...] = ()
    next_step: str = ""
    tokens: int = 0
    review_file: str = ""
    kept: str = ""
    notes: tuple[str, ...] = ()
    commits_since: int | None = None
    renamed: tuple[str, ...] = ()  # control paths that only merging changes

    @property
    def allowed(self) -> bool:
        """Whether the gate is open."""
        return self.decision is not None and self.decision.allowed and self.state in {"approved", "overridden"}

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the job: 0 only where the gate is open."""
        return ExitCode.OK if self.allowed else self.code or ExitCode.INCONCLUSIVE

    @property
    def conclusion(self) -> Conclusion:
        """The conclusion of the check run."""
        if self.allowed:
            return "success"
        return "action_required" if self.state in _HUMAN else "failure"

    @property
    def asks_human(self) -> bool:
        """Whether it goes on only with a human's word."""
        return self.state in _HUMAN and not self.allowed


def failed(error: CtoError, state: State = "unreviewed") -> Outcome:
    """What comes out where something stood in the way: nothing is open, and it is said what to do."""
    return Outcome(state=state, code=ExitCode(error.exit_code), reasons=(error.message,), next_step=error.hint)


def decided(found: Survey, decision: Decision, agreed: Decision | None = None) -> Outcome:
    """What the gate says, by its name. `agreed` is what it would say if a human had agreed as well."""
    verdict = shown_verdict(found, decision)
    if decision.allowed:
        by = decision.by.body if decision.by else None
        state: State = "overridden" if isinstance(by, OverrideRecord) else "approved"
    else:
        state = "needs_human" if agreed and agreed.allowed else _closed(found, verdict)
    ours = decision.allowed and decision.by is not None and decision.by.own and not decision.by.signers
    return Outcome(
        state=state,
        code=_CODES.get(state, ExitCode.NOT_APPROVED),
        decision=decision,
        found=found,
        verdict=verdict,
        reasons=decision.reasons,
        next_step=decision.next_step,
        notes=(_UNSIGNED,) if ours else (),
    )


def _closed(found: Survey, verdict: Record | None) -> State:
    """How a closed gate is called, after what was said last."""
    body = verdict.body if verdict else None
    here = verdict is not None and verdict.subject.change == found.change.id
    if here and isinstance(body, VerdictRecord) and body.verdict == "abort" and found.standing.aborted:
        return "abort"
    if found.standing.escalated or found.standing.aborted:
        return "escalated"
    if here and isinstance(body, VerdictRecord) and body.verdict == "revise":
        return "revise"
    if not here and isinstance(body, VerdictRecord) and body.verdict == "approve":
        return "stale"
    return "closed"


def shown_verdict(found: Survey, decision: Decision | None) -> Record | None:
    """The verdict that people are shown: what opened the gate, else the last one on this change, else in this series.

    An approval that nobody vouches for is none, whatever it says; a refusal stands, whoever wrote it.
    """
    if decision and decision.by and isinstance(decision.by.body, VerdictRecord):
        return decision.by
    real = [one for one in in_order(found.counted) if isinstance(one.body, VerdictRecord)]
    here = [one for one in real if one.subject.change == found.change.id and one.body.target == found.target.ref]
    return here[-1] if here else found.standing.latest


def pull_state(means: Means, pull: Pull, outcome: Outcome, inline: tuple[str, ...] = ()) -> PullState:
    """What is said of it at the pull request."""
    found, decision = outcome.found, outcome.decision
    standing = found.standing if found else None
    body = outcome.verdict.body if outcome.verdict else None
    by = decision.by if decision and decision.by and isinstance(decision.by.body, OverrideRecord) else None
    plan = found.plan_record.body if found and found.plan_record else None
    touched = [file.name for file in found.change.files if found.policy.gate.controls(file.text)] if found else []
    return PullState(
        state=outcome.state,
        target=pull.base_ref.removeprefix("refs/heads/"),
        head=pull.head_sha,
        place=Place(repository=means.job.page, job=means.job.run_page, docs=DOCS),
        round=body.round if isinstance(body, VerdictRecord) else standing.round if standing else 0,
        rounds=found.policy.rounds.max if found else 0,
        reasons=outcome.reasons,
        next_step=outcome.next_step,
        verdict=outcome.verdict,
        verdicts=standing.verdicts if standing else (),
        by=by,
        plan=plan.plan if isinstance(plan, PlanRecord) else None,
        asked=means.inputs.escalate_to,
        commits_since=outcome.commits_since,
        control_paths=(*touched, *outcome.renamed),
        inline=inline,
        kept=outcome.kept,
        notes=outcome.notes,
    )
