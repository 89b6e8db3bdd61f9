"""What people see on a terminal: plain text of 80 columns, aligned, with colour only as an aid.

Every function returns text. Whatever comes from a model, a commit or a file is made printable first.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Protocol

from git_cto.model import ContinueRecord, OverrideRecord, PlanRecord, VerdictRecord
from git_cto.redaction import printable
from git_cto.render.words import SIGNS, ago, counted, elapsed, engine_words, tokens_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from git_cto.model import Coverage, Finding, Plan, Record, Task, TaskReview, Verification

WIDTH = 80
_VERBS = {
    "create_file": "create",
    "modify_file": "modify",
    "delete_file": "delete",
    "run_command": "run",
    "verify": "verify",
}
_COLOURS = {"approve": "green", "revise": "red", "abort": "red", "open": "green", "closed": "red"}


class Style(Protocol):
    """How a word is coloured; the identity where there is no colour."""

    def __call__(self, text: str, colour: str = "", *, bold: bool = False) -> str:
        """The text, coloured."""


def plain(text: str, colour: str = "", *, bold: bool = False) -> str:  # noqa: ARG001 -- the shape of a `Style`
    """A `Style` without any colour."""
    return text


def wrapped(text: str, indent: int = 0, hang: int | None = None) -> str:
    """Untrusted text as lines of at most 80 columns; `hang` indents the lines after the first."""
    rest = " " * (indent if hang is None else hang)
    return textwrap.fill(printable(text), WIDTH, initial_indent=" " * indent, subsequent_indent=rest)


def next_line(*steps: tuple[str, str] | str) -> str:
    """`Next: <command>   <what it does>`, one line for each step."""
    rows = [(step, "") if isinstance(step, str) else step for step in steps]
    widest = max((len(command) for command, why in rows if why), default=0)
    lines = [f"{command:<{widest}}   {why}".rstrip() if why else command for command, why in rows]
    return "Next: " + "\n      ".join(lines)


# ---- plans and tasks -----------------------------------------------------------------------------------------------


def plan_text(run: str, plan: Plan, started_at: str, style: Style) -> str:
    """A new plan with its run."""
    lines = [
        f"{style('Run ' + run, bold=True)} · {counted(len(plan.tasks), 'task')} · starts at {started_at}",
        wrapped(plan.strategy, 2),
        "",
        *_task_lines(plan.in_order()),
        *_verification_lines(plan.verification),
    ]
    return "\n".join(lines)


def _task_lines(
    tasks: Sequence[Task], states: Mapping[str, str] | None = None, notes: Mapping[str, str] | None = None
) -> list[str]:
    ids = max(len(task.id) for task in tasks)
    lines = []
    for task in tasks:
        after = f"   after {', '.join(task.depends_on)}" if task.depends_on else ""
        state = f"{states[task.id]:<8}" if states else ""
        head = f"  {task.id:<{ids}}  {state}{_VERBS[task.action]:<7}{printable(task.target)}{after}"
        margin = 4 + ids
        lines += [head, wrapped(task.description, margin)]
        lines += [wrapped("· " + criterion, margin, margin + 2) for criterion in task.acceptance_criteria]
        if notes and notes.get(task.id):
            lines.append(wrapped(notes[task.id], margin))
    return lines


def _verification_lines(verification: Verification) -> list[str]:
    return (
        ["", *(f"  Verify: {printable(command)}" for command in verification.commands)] if verification.commands else []
    )


def tasks_text(
    run: str, plan: Plan, states: Mapping[str, str], notes: Mapping[str, str], target: str, style: Style
) -> str:
    """The tasks of a run with their states."""
    done = sum(state == "done" for state in states.values())
    progress = f"{done} of {counted(len(plan.tasks), 'task')} done"
    head = f"{style('Run ' + run, bold=True)} · {progress} · for {printable(target)}"
    return "\n".join([head, "", *_task_lines(plan.in_order(), states, notes), *_verification_lines(plan.verification)])


def task_text(task: Task, style: Style) -> str:
    """One task, for whoever does it."""
    lines = [
        f"{style(task.id, bold=True)} · {_VERBS[task.action]} {printable(task.target)}",
        wrapped(task.description, 2),
    ]
    lines += [wrapped("· " + criterion, 2, 4) for criterion in task.acceptance_criteria]
    if task.context:
        lines += ["", wrapped(task.context, 2)]
    return "\n".join(lines)


# ---- verdicts ------------------------------------------------------------------------------------------------------


def review_head(commits: int, files: int, added: int, removed: int, target: str, round_: int, rounds: int) -> str:
    """What is about to be reviewed."""
    size = f"{counted(commits, 'commit')}, {counted(files, 'file')} (+{added:,} −{removed:,})"
    return f"Reviewing {size} against {printable(target)} · round {round_} of {rounds}"


def verdict_text(record: Record, style: Style) -> str:
    """A verdict with its tasks, findings and reasons."""
    body = record.body
    assert isinstance(body, VerdictRecord)  # noqa: S101 -- what callers pass
    said = f"{SIGNS[body.verdict]} {body.verdict}"
    summary = body.review.reason if body.verdict == "abort" and body.review.reason else body.review.summary
    lines = [style(said, _COLOURS[body.verdict], bold=True) + "   " + wrapped(summary, 0, 4), ""]
    lines += [_task_review_line(one) for one in body.review.task_reviews]
    if body.review.task_reviews:
        lines.append("")
    for finding in body.open_findings:
        lines += _finding_lines(finding)
    if body.model_verdict != body.verdict:
        lines.append(
            wrapped(
                f"Codex said {body.model_verdict}; git-cto says {body.verdict}: " + "; ".join(body.downgrades) + ".", 2
            )
        )
    if lines[-1]:
        lines.append("")
    cost = f"{engine_words(body.engine)} · {tokens_words(body.engine.tokens)} · {elapsed(body.engine.seconds)}"
    lines.append(f"Seen: {coverage_words(body.coverage)} · {cost}")
    lines.append(f"Recorded on {record.subject.head[:7]} · round {body.round} · {printable(body.series)} · unsigned")
    return "\n".join(lines)


def _task_review_line(one: TaskReview) -> str:
    met = sum(criterion.met for criterion in one.criteria)
    criteria = f"{met} of {counted(len(one.criteria), 'criterion', 'criteria')}" if one.criteria else ""
    head = f"  {one.task_id:<4} {one.status:<8} {criteria}".rstrip()
    return head if not one.feedback else head + "\n" + wrapped(one.feedback, 7)


def _finding_lines(finding: Finding) -> list[str]:
    where = printable(finding.where)
    head = f"  {finding.severity:<8} {where}".rstrip() + f"   [{printable(finding.id)}]"
    lines = [head, wrapped(finding.body, 11)]
    if finding.suggestion:
        lines += [f"           | {line}" for line in printable(finding.suggestion, lines=True).splitlines()[:8]]
    return lines


def coverage_words(coverage: Coverage) -> str:
    """`2 of 3 files in full, 1 counted`."""
    words = f"{coverage.full} of {counted(coverage.files, 'file')} in full"
    for number, name in (
        (coverage.summarised, "counted"),
        (coverage.listed, "listed"),
        (coverage.omitted, "not shown"),
    ):
        words += f", {number} {name}" if number else ""
    return words


# ---- gate and log --------------------------------------------------------------------------------------------------


def gate_text(word: str, reasons: Sequence[str], extra: str, style: Style) -> str:
    """The gate's answer: `open` or `closed`, with its reasons aligned beside it."""
    first, *others = [printable(reason) for reason in reasons]
    lines = textwrap.fill(first, WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8)
    text = style(f"{word:<8}", _COLOURS[word], bold=True) + lines[8:]
    for other in others:
        text += "\n" + wrapped(other, 8)
    return text + (f"\n{wrapped(extra, 8)}" if extra else "")


def log_text(records: Iterable[Record], now: str, style: Style) -> str:
    """Records, one line each, the newest first."""
    return "\n".join(_log_line(record, now, style) for record in records)


def _log_line(record: Record, now: str, style: Style) -> str:
    body = record.body
    when = ago(body.time, now)
    if isinstance(body, VerdictRecord):
        what = style(f"{body.verdict:<9}", _COLOURS[body.verdict])
        about = f"round {body.round}  {printable(body.review.summary)}"
    elif isinstance(body, PlanRecord):
        what, about = "plan     ", f"{body.run}  {printable(body.plan.objective)}"
    elif isinstance(body, OverrideRecord):
        what, about = style("override ", "yellow"), f"{printable(body.actor.name)}: {printable(body.reason)}"
    elif isinstance(body, ContinueRecord):
        what, about = "continue ", f"{printable(body.actor.name)}: {printable(body.reason)}"
    line = f"{record.subject.head[:7]}  {what}  {about}"
    room = WIDTH + (len(what) - 9) - len(when) - 2
    return f"{line[: room - 1] + '…' if len(line) > room else line}  {when}"
