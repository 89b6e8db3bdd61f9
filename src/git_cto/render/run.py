"""What people see of a loop: its tasks while it goes on, what it took, how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from git_cto.model import VerdictRecord
from git_cto.redaction import printable
from git_cto.render.lines import cut, filled, page, wrapped
from git_cto.render.words import counted, tokens_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from git_cto.model import Record
    from git_cto.render.terminal import Style

STATES = {
    "waiting": "·",
    "ready": "·",
    "active": "▸",
    "done": "✓",
    "blocked": "■",
    "failed": "✗",
    "fix": "↻",
}
_LONGEST_WHY = 600  # columns
_ENDINGS = {
    "approved": ("✓ approved", "green"),
    "aborted": ("■ aborted", "red"),
    "escalated": ("! escalated", "yellow"),
}


def graph_text(tasks: Sequence[tuple[str, str, str, tuple[str, ...]]], doing: Mapping[str, str]) -> str:
    """Tasks as (id, state, target, dependencies), one line each, indented under what they depend on."""
    depth: dict[str, int] = {}
    lines = []
    for task, state, target, needs in tasks:
        depth[task] = 1 + max((depth.get(other, 0) for other in needs), default=-1)
        arm = "  " * min(depth[task], 8) + ("└ " if needs else "")
        after = f"  after {', '.join(needs)}" if needs else ""
        now = f"  {printable(doing[task])}" if doing.get(task) else ""
        lines.append(cut(f"  {STATES[state]} {arm}{task}  {cut(printable(target), 40)}  {state}{after}{now}", page()))
    return "\n".join(lines)


def taken_text(taken: Iterable[tuple[str, str, int, str, int, float]]) -> str:
    """What was taken, as (phase, task, round, agent, tokens, US dollars), one line each and a sum."""
    rows = list(taken)
    widest = min(max((len(row[1]) for row in rows), default=0), 16)
    lines = []
    for phase, task, number, agent, tokens, cost in rows:
        money = f"${cost:.2f}" if cost else ""
        words = tokens_words(tokens) if tokens else ""  # not every executor says
        what = f"  {phase:<6}  {cut(task, widest):<{widest}}  round {number}  {words:>13}  {money:>6}"
        lines.append(cut(f"{what}  {printable(agent)}", page()).rstrip())
    total, dollars = sum(row[4] for row in rows), sum(row[5] for row in rows)
    money = f", ${dollars:.2f} as the executor says" if dollars else ""
    lines.append(filled("Taken: ", f"{tokens_words(total)}{money}", 7))
    return "\n".join(lines)


def ending_text(run: str, how: str, why: str, target: str, rounds: int, style: Style) -> str:
    """How a loop ended."""
    word, colour = _ENDINGS[how]
    head = f"{style(word, colour, bold=True)} · run {run} · {counted(rounds, 'round')} · for {printable(target)}"
    return f"{head}\n{wrapped(why, 2)}"


def behind_text(behind: int, target: str) -> str:
    """That the target has moved on; nothing is done about it without being asked."""
    has = f"{counted(behind, 'commit')} that this run has not"
    return wrapped(f"Meanwhile {printable(target)} has moved on: it has {has}. Nothing was merged.", 2)


def standing_text(run: str, target: str, state: str, latest: Record | None, style: Style) -> str:
    """Where a run stands, in a line or two."""
    lines = [f"{style('Run ' + run, bold=True)} · {state} · for {printable(target)}"]
    if latest is not None and isinstance(latest.body, VerdictRecord):
        lines.append(wrapped(f"Round {latest.body.round} said {latest.body.verdict}: {latest.body.review.summary}", 2))
    return "\n".join(lines)


def now_text(rounds: str, tokens: int, cost: float, now: str) -> str:
    """The rounds, what the run has taken, and what is being done beside its tasks."""
    money = f" · ${cost:.2f}" if cost else ""
    return cut(f"  {rounds} · {tokens_words(tokens)}{money}" + (f" · {printable(now)}" if now else ""), page())


def needs_text(tasks: Iterable[tuple[str, str]]) -> list[str]:
    """Tasks that somebody has to look at, and why: a line or more for each."""
    return [filled(f"  {task}  ", cut(printable(why), _LONGEST_WHY), 4 + len(task)) for task, why in tasks]
