"""The parts of what is said at a pull request: tasks, findings, plan, rounds, what was judged. Pure.

Each is a `Section`, whose shorter forms say less and never half of something.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from git_cto.errors import some
from git_cto.model import VerdictRecord
from git_cto.render.fitting import Section
from git_cto.render.markdown import code, commit_link, details, fenced, line_link, link, shortened, table, text
from git_cto.render.words import SIGNS, counted, coverage_words, engine_words, tokens_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from git_cto.model import Finding, Plan, Record, TaskReview
    from git_cto.render.comment import Place, PullState

SEVERITIES = ("blocker", "major", "minor", "nit")
_PLACE = re.compile(r"(?P<path>[^\s:]{1,300}):(?P<line>[1-9]\d{0,6})")
_DRAWN, _ARROWS = 40, 120  # tasks and what they wait for; a larger graph is no help
_LISTED = 100  # of anything


def verdict_of(state: PullState) -> VerdictRecord | None:
    """The last verdict, where there is one."""
    body = state.verdict.body if state.verdict else None
    return body if isinstance(body, VerdictRecord) else None


def judged_head(state: PullState) -> str:
    """The commit that the last verdict is about."""
    return state.verdict.subject.head if state.verdict else ""


# ---- tasks -----------------------------------------------------------------------------------------------------------


def tasks_section(state: PullState) -> Section:
    """The tasks as a table, with their criteria; "" where nobody judged tasks."""
    verdict = verdict_of(state)
    reviews = {one.task_id: one for one in verdict.review.task_reviews} if verdict else {}
    planned = [task.id for task in state.plan.in_order()] if state.plan and reviews else []
    ids = [*planned, *(one for one in reviews if one not in planned)]
    if not ids:
        return Section("tasks", 50, ("",))
    passed = sum(one.status == "pass" for one in reviews.values())
    forms = [
        table(("task", "criteria"), (_task_row(one, reviews.get(one), state, brief=brief) for one in ids))
        for brief in (False, True)
        if len(ids) <= _LISTED
    ]
    return Section("tasks", 50, (*forms, f"{passed} of {counted(len(ids), 'task')} passed."))


def _task_row(task_id: str, review: TaskReview | None, state: PullState, *, brief: bool) -> tuple[str, str]:
    task = state.plan.task(task_id) if state.plan else None
    status = f"{SIGNS[review.status]}&nbsp;{review.status}" if review else "–&nbsp;not judged"
    words = f"<br>{text(task.description, 40 if brief else 120, narrow=True)}" if task else ""
    name = f"**{text(task_id, 40, narrow=True)}** {status}{words}"
    return name, _criteria(review, state, brief=brief) if review else ""


def _criteria(review: TaskReview, state: PullState, *, brief: bool) -> str:
    if brief:
        met = sum(one.met for one in review.criteria)
        return f"{met} of {len(review.criteria)} met" if review.criteria else ""
    lines = []
    for one in review.criteria:
        shown = "" if one.met else _evidence(one.evidence, state)
        lines.append(f"{'☑' if one.met else '☐'} {text(one.criterion, 300, narrow=True)}{shown}")
    if review.status != "pass" and review.feedback.strip():
        lines.append(text(review.feedback, 400, narrow=True))
    return "<br>".join(lines)


def _evidence(evidence: str, state: PullState) -> str:
    if not evidence.strip():
        return ""
    at = _PLACE.fullmatch(evidence.strip())
    if not at:
        return f" ({text(evidence, 200, narrow=True)})"
    words = text(f"{at['path'].split('/')[-1]}:{at['line']}", 80, narrow=True)
    return f" ({line_link(words, at['path'], int(at['line']), judged_head(state), state.place.repository)})"


# ---- findings --------------------------------------------------------------------------------------------------------


def findings_section(state: PullState) -> Section:
    """How many findings are open, where those on lines stand, and the others in full."""
    verdict = verdict_of(state)
    found = in_order(verdict.open_findings) if verdict else []
    if not found:
        return Section("findings", 70, ("",))
    inline = [one for one in found if one.id in state.inline]
    here = [one for one in found if one.id not in state.inline]
    head = f"**{severities_words(found)}**"
    if inline:
        head += " · on the lines of the diff: " + some([_where(one, state) for one in inline], 5)
    lists = [
        "\n\n".join(filter(None, (head, "\n".join(_listed(one, state, limit) for one in here))))
        for limit in (1_500, 200, 0)
        if len(here) <= _LISTED
    ]
    return Section("findings", 70, (*lists, f"**{severities_words(found)}**"))


def in_order(found: Iterable[Finding]) -> list[Finding]:
    """Findings, the gravest first."""
    return sorted(found, key=lambda one: SEVERITIES.index(one.severity))


def severities_words(found: Sequence[Finding]) -> str:
    """`1 major finding`, `3 findings: 1 blocker, 2 minor`."""
    counts = {kind: sum(one.severity == kind for one in found) for kind in SEVERITIES}
    there = [f"{number} {kind}" for kind, number in counts.items() if number]
    if len(there) == 1:
        return f"{there[0]} {'finding' if len(found) == 1 else 'findings'}"
    return f"{counted(len(found), 'finding')}: {', '.join(there)}"


def _listed(finding: Finding, state: PullState, limit: int) -> str:
    body = f" {text(finding.body, limit)}" if limit else ""
    return f"- **{finding.severity}** {_where(finding, state)}{body}"


def _where(finding: Finding, state: PullState) -> str:
    if not finding.path:
        return "on the whole:"
    return line_link(
        code(finding.where, 200), finding.path, finding.start_line, judged_head(state), state.place.repository
    )


# ---- plan, rounds, cost ----------------------------------------------------------------------------------------------


def details_section(state: PullState) -> Section:
    """What can be unfolded: the plan as a graph, what was run, what was not seen in full, the rounds and their cost."""
    plan, ran, unseen = _plan(state.plan, verdict_of(state)), _commands(state), _unseen(state)
    forms = [
        _unfolded(plan, ran, unseen, _rounds(state, _LISTED)),
        _unfolded("", ran, unseen, _rounds(state, 20)),
        _unfolded("", "", "", _rounds(state, 10)),
        "",
    ]
    return Section("plan, rounds and cost", 10, tuple(dict.fromkeys(forms)))


def _unfolded(plan: str, ran: str, unseen: str, rounds: str) -> str:
    named = (("plan", plan), ("checks", ran), ("not in full", unseen), ("rounds, cost", rounds))
    there = [(name, part) for name, part in named if part]
    return details(", ".join(name for name, _ in there).capitalize(), "\n\n".join(part for _, part in there))


def _plan(plan: Plan | None, verdict: VerdictRecord | None) -> str:
    if plan is None:
        return ""
    words = f"**Plan** {text(plan.objective, 600)}"
    arrows = sum(len(task.depends_on) for task in plan.tasks)
    return f"{words}\n\n{graph(plan, verdict)}" if 1 < len(plan.tasks) <= _DRAWN and arrows <= _ARROWS else words


def graph(plan: Plan, verdict: VerdictRecord | None) -> str:
    """The tasks as a Mermaid graph. Names of nodes are ours, and a label holds letters, digits and little else."""
    status = {one.task_id: SIGNS[one.status] for one in verdict.review.task_reviews} if verdict else {}
    nodes = {task.id: f"n{number}" for number, task in enumerate(plan.in_order(), 1)}
    lines = ["graph TD"]
    for task in plan.in_order():
        label = f"{status.get(task.id, '·')} {_label(task.id, 31)}: {_label(task.description, 48)}"
        lines.append(f'  {nodes[task.id]}["{label}"]')
        lines += [f"  {nodes[other]} --> {nodes[task.id]}" for other in task.depends_on if other in nodes]
    return fenced("\n".join(lines), "mermaid")


def _label(words: str, limit: int) -> str:
    kept = "".join(one if one.isalnum() or one in " /._-" else " " for one in words)
    return shortened(" ".join(kept.split()), limit)


def _commands(state: PullState) -> str:
    verdict = verdict_of(state)
    lines = []
    for one in (verdict.commands if verdict else ())[:_LISTED]:
        ended = "" if one.passed else ": time limit" if one.exit_code is None else f": exit code {one.exit_code}"
        lines.append(f"- {'✓' if one.passed else '✗'} {code(one.command, 200)}{ended}")
    return "\n".join(["**Run to check it**\n", *lines]) if lines else ""


def _unseen(state: PullState) -> str:
    verdict = verdict_of(state)
    partly = verdict.coverage.partly if verdict else ()
    lines = [f"- {code(one.path, 200)} {one.status}: {text(one.reason, 200)}" for one in partly[:_LISTED]]
    if len(partly) > _LISTED:
        lines.append(f"- and {counted(len(partly) - _LISTED, 'more file')}")
    return "\n".join(["**Not seen in full**\n", *lines]) if lines else ""


def _rounds(state: PullState, most: int) -> str:
    verdicts = [(one, one.body) for one in state.verdicts if isinstance(one.body, VerdictRecord)]
    if not verdicts:
        return ""
    rows = [_round_row(record, body, state.place) for record, body in verdicts[-most:]]
    total = f"{tokens_words(sum(body.engine.tokens for _, body in verdicts))} in {counted(len(verdicts), 'round')}"
    cost = sum(one.cost for one in verdicts[-1][1].results)
    money = text(f", and ${cost:.2f} for the tasks as their executor says") if cost else ""
    earlier = f"The last {most} of {len(verdicts)} rounds:\n\n" if len(verdicts) > most else ""
    return f"{earlier}{table(('round', 'verdict', 'tokens'), rows)}\n\nTaken: {total}{money}."


def _round_row(record: Record, body: VerdictRecord, place: Place) -> tuple[str, ...]:
    found = len(body.open_findings)
    verdict = f"{SIGNS[body.verdict]}&nbsp;{body.verdict}" + (f", {found}&nbsp;open" if found else "")
    tokens = tokens_words(body.engine.tokens).removesuffix(" tokens")
    return f"{body.round} {commit_link(record.subject.head, place.repository)}", verdict, tokens


# ---- what was judged -------------------------------------------------------------------------------------------------


def judged_section(state: PullState) -> Section:
    """Which commit was judged against what, how much of it was seen, and by whom."""
    verdict, place = verdict_of(state), state.place
    parts = []
    if verdict:
        target = f"{code(state.target, 100)} ({commit_link(verdict.target_commit, place.repository)})"
        parts = [
            f"Judged {commit_link(judged_head(state), place.repository)} against {target}",
            coverage_words(verdict.coverage),
            text(f"{engine_words(verdict.engine)}, effort {verdict.engine.effort}", 200),
        ]
        if state.verdict and state.verdict.signers:
            parts.append(f"signed by {', '.join(text(one.principal, 100) for one in state.verdict.signers[:3])}")
    parts += [link(words, page) for words, page in (("this run", place.job), ("how this works", place.docs)) if page]
    return Section("what was judged", 80, (" · ".join(parts),))
