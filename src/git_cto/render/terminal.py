"""What people see on a terminal: plain text of 80 columns or fewer, aligned, with colour only as an aid.

Every function returns text. Whatever comes from a model, a commit or a file is made printable first.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from git_cto.model import OverrideRecord, PlanRecord, VerdictRecord
from git_cto.redaction import printable
from git_cto.render.lines import cut, filled, page, width, wrapped
from git_cto.render.words import (
    SIGNS,
    ago,
    counted,
    coverage_words,
    elapsed,
    engine_words,
    series_words,
    shortly_signed_words,
    signature_words,
    signed_words,
    tokens_words,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from git_cto.model import Finding, Plan, Predicate, Record, Task, TaskReview, Verification

_VERBS = {
    "create_file": "create",
    "modify_file": "modify",
    "delete_file": "delete",
    "run_command": "run",
    "verify": "verify",
}
_SHORTEST = 18  # columns for what a record says, which who signed it leaves to it
_SIGNED = (20, 32)  # columns for who signed it: with fewer it is left out
_SUGGESTED = 8  # lines of a suggestion that are shown
_COLOURS = {"approve": "green", "revise": "red", "abort": "red", "open": "green", "closed": "red"}


class Style(Protocol):
    """How a word is coloured; the identity where there is no colour."""

    def __call__(self, text: str, colour: str = "", *, bold: bool = False) -> str:
        """The text, coloured."""


def plain(text: str, colour: str = "", *, bold: bool = False) -> str:  # noqa: ARG001 -- the shape of a `Style`
    """A `Style` without any colour."""
    return text


def _led(lead: str, text: str, style: Style, colour: str = "") -> str:
    """Lines that begin with `lead`, a bold word or two."""
    lines = wrapped(f"{lead} {text}", 0, 4)
    lead = printable(lead)
    return style(lead, colour, bold=True) + lines.removeprefix(lead) if lines.startswith(lead) else lines


def next_line(*steps: tuple[str, str] | str) -> str:
    """`Next: <command>   <what it does>`, one line for each step.

    A command that does not fit is broken as a shell allows it, so that it can still be copied; a step that is a text
    (or has no "what it does") may be more than a command, and is wrapped where one of its commands ends.
    """
    rows = [(step, "") if isinstance(step, str) else step for step in steps]
    rows = [(printable(command), printable(why)) for command, why in rows]
    fitting = [width(command) for command, why in rows if why and 9 + width(command) + width(why) <= page()]
    widest = max(fitting, default=0)
    lines = []
    for number, (command, why) in enumerate(rows):
        start = "      " if number else "Next: "
        beside = f"{start}{command}{' ' * (widest - width(command))}   {why}"
        if why and width(beside) <= page():
            lines.append(beside)
            continue
        lines.append(_continued(start, command) if why else _by_commands(start, command))
        if why:
            lines.append(wrapped(why, 10))
    return "\n".join(lines)


_SHELL_WORD = re.compile(r"(?:'[^']*'|[^\s'])+")
_COMMAND_ENDS = (",", "&&")  # where a shell, or whoever copies a line, can begin anew


def _by_commands(start: str, text: str) -> str:
    """A text with commands, on a new line where one ends and the next does not fit. What is wider is wrapped."""
    words = _SHELL_WORD.findall(text)
    parts = [""]
    for word in words if " ".join(words) == text else text.split():
        parts[-1] += f" {word}" if parts[-1] else word
        if word.endswith(_COMMAND_ENDS):
            parts.append("")
    lines = [start]
    for number, part in enumerate(filter(None, parts)):
        if number and width(f"{lines[-1]} {part}") <= page():
            lines[-1] += f" {part}"
        else:
            lines += filled("      " if number else lines.pop(), part, 6).split("\n")
    return "\n".join(lines).rstrip()


def _continued(start: str, command: str) -> str:
    """A command on lines that end with a backslash where it goes on. A word is never broken, however wide it is."""
    words = _SHELL_WORD.findall(command)
    if width(start + command) <= page() or " ".join(words) != command:
        return (start + command).rstrip()
    room = page() - len(start) - 2
    lines = [words[0]]
    for word in words[1:]:
        if width(lines[-1]) + 1 + width(word) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return start + " \\\n      ".join(lines)


# ---- plans and tasks -----------------------------------------------------------------------------------------------


def plan_text(run: str, plan: Plan, started_at: str, style: Style) -> str:
    """A new plan with its run."""
    lines = [
        _led(f"Run {run}", f"· {counted(len(plan.tasks), 'task')} · starts at {started_at}", style),
        wrapped(plan.strategy, 2),
        "",
        *_task_lines(plan.in_order()),
        *_verification_lines(plan.verification),
    ]
    return "\n".join(lines)


def _task_lines(
    tasks: Sequence[Task], states: Mapping[str, str] | None = None, notes: Mapping[str, str] | None = None
) -> list[str]:
    ids = max((len(task.id) for task in tasks), default=0)
    lines = []
    for task in tasks:
        after = "   after " + printable(", ".join(task.depends_on)) if task.depends_on else ""
        state = f"{states[task.id]:<8}" if states else ""
        start = f"  {task.id:<{ids}}  {state}{_VERBS[task.action]:<7}"
        head = (start + printable(task.target) + after).rstrip()
        margin = 4 + ids
        lines.append(head if width(head) <= page() else filled(start, task.target + after, margin))
        lines.append(wrapped(task.description, margin))
        lines += [wrapped("· " + criterion, margin, margin + 2) for criterion in task.acceptance_criteria]
        if notes and notes.get(task.id):
            lines.append(wrapped(notes[task.id], margin))
    return [line for line in lines if line]


def _verification_lines(verification: Verification) -> list[str]:
    lines = [filled("  Verify: ", command, 10) for command in verification.commands]
    return ["", *lines] if lines else []


def tasks_text(
    run: str, plan: Plan, states: Mapping[str, str], notes: Mapping[str, str], target: str, style: Style
) -> str:
    """The tasks of a run with their states."""
    done = sum(state == "done" for state in states.values())
    progress = f"{done} of {counted(len(plan.tasks), 'task')} done"
    head = _led(f"Run {run}", f"· {progress} · for {target}", style)
    return "\n".join([head, "", *_task_lines(plan.in_order(), states, notes), *_verification_lines(plan.verification)])


def task_text(task: Task, style: Style) -> str:
    """One task, for whoever does it."""
    lines = [
        _led(task.id, f"· {_VERBS[task.action]} {task.target}", style),
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
    return wrapped(f"Reviewing {size} against {target} · round {round_} of {rounds}", 0, 4)


def verdict_text(record: Record, style: Style) -> str:
    """A verdict with its tasks, findings and reasons."""
    body = record.body
    assert isinstance(body, VerdictRecord)  # noqa: S101 -- what callers pass
    said = f"{SIGNS[body.verdict]} {body.verdict}"
    overruled = body.model_verdict != body.verdict
    opening = filled(f"{said}   ", body.review.summary if overruled else body.said, 4).removeprefix(said)
    lines = [style(said, _COLOURS[body.verdict], bold=True) + opening, ""]
    lines += [_task_review_line(one) for one in body.review.task_reviews]
    if body.review.task_reviews:
        lines.append("")
    for finding in body.open_findings:
        lines += filter(None, _finding_lines(finding))
    if overruled:
        lines.append(wrapped(f"Codex said {body.model_verdict}; git-cto says {body.verdict}: {body.said}.", 2))
    if lines[-1]:
        lines.append("")
    cost = f"{engine_words(body.engine)} · {tokens_words(body.engine.tokens)} · {elapsed(body.engine.seconds)}"
    lines.append(filled("Seen: ", f"{coverage_words(body.coverage)} · {cost}", 6))
    where = f"{record.subject.head[:7]} · round {body.round} · {series_words(body.series)} · {signed_words(record)}"
    lines.append(filled("Recorded on ", where, 6))
    return "\n".join(lines)


def _task_review_line(one: TaskReview) -> str:
    met = sum(criterion.met for criterion in one.criteria)
    criteria = f"{met} of {counted(len(one.criteria), 'criterion', 'criteria')}" if one.criteria else ""
    head = f"  {cut(printable(one.task_id), 40):<4} {one.status:<8} {criteria}".rstrip()
    return f"{head}\n{wrapped(one.feedback, 7)}".rstrip()


def _finding_lines(finding: Finding) -> list[str]:
    head = filled(f"  {finding.severity:<9}", f"{finding.where} [{finding.id}]", 11)
    lines = [head, wrapped(finding.body, 11)]
    suggested = printable(finding.suggestion or "", lines=True).splitlines()
    lines += [f"           | {cut(line, page() - 13)}".rstrip() for line in suggested[:_SUGGESTED]]
    if len(suggested) > _SUGGESTED:
        lines.append(f"           … {counted(len(suggested) - _SUGGESTED, 'more line')}")
    return lines


# ---- gate and log --------------------------------------------------------------------------------------------------


def gate_text(word: str, reasons: Sequence[str], extra: str, style: Style) -> str:
    """The gate's answer: `open` or `closed`, with its reasons aligned beside it."""
    first, *others = reasons
    text = style(word, _COLOURS[word], bold=True) + filled(f"{word:<8}", first, 8).removeprefix(word)
    return "\n".join([text, *filter(None, (wrapped(other, 8) for other in (*others, extra)))])


def log_text(records: Iterable[Record], now: str, style: Style, *, signatures: bool = False) -> str:
    """Records, one line each, the newest first: the commit it is about, its id, what it says.

    With `signatures` each is followed by who signed it.
    """
    lines: list[str] = []
    for record in records:
        lines.append(_log_line(record, now, style, signed=not signatures))
        lines += [wrapped(words, 9, 11) for words in signature_words(record)] if signatures else []
    return "\n".join(lines)


def _log_line(record: Record, now: str, style: Style, *, signed: bool) -> str:
    body = record.body
    when = ago(body.time, now)
    what, colour, about = _log_words(body)
    start = f"{record.subject.head[:7]} {record.id[:7]}  "
    room = page() - len(start) - len(when) - 2
    least, most = _SIGNED
    columns = min(most, room - len("  []") - _SHORTEST)
    by = f"  [{shortly_signed_words(record, columns)}]" if record.signatures and signed and columns >= least else ""
    line = cut(f"{what:<8}  {printable(about)}", room - width(by))
    return start + style(what, colour) + line.removeprefix(what) + by + "  " + when


def _log_words(body: Predicate) -> tuple[str, str, str]:
    """What a record is, in which colour, and what it says."""
    if isinstance(body, VerdictRecord):
        return body.verdict, _COLOURS[body.verdict], f"round {body.round} {body.said}"
    if isinstance(body, PlanRecord):
        return "plan", "", f"{body.run} {body.plan.objective}"
    if isinstance(body, OverrideRecord):
        return "override", "yellow", f"{body.actor.name}: {body.reason}"
    return "continue", "", f"{body.actor.name}: {body.reason}"
