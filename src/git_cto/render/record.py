"""One record in full, for `git cto show`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from git_cto.model import OverrideRecord, PlanRecord, VerdictRecord
from git_cto.render.lines import filled, wrapped
from git_cto.render.terminal import plan_text, verdict_text
from git_cto.render.words import series_words, signature_words

if TYPE_CHECKING:
    from git_cto.model import Actor, Record
    from git_cto.render.terminal import Style


def record_text(record: Record, style: Style) -> str:
    """Everything in a record that a person wants to know."""
    body = record.body
    if isinstance(body, PlanRecord):
        text = plan_text(body.run, body.plan, body.start[:7], style)
        text += "\n\n" + wrapped(body.plan.analysis, 2)
    elif isinstance(body, VerdictRecord):
        text = verdict_text(record, style) + "\n" + "\n".join(_beyond(body))
    else:
        word, colour = ("override", "yellow") if isinstance(body, OverrideRecord) else ("continue", "")
        text = style(word, colour, bold=True) + filled(f"{word}   ", body.reason, 4).removeprefix(word)
        text += "\n" + wrapped(f"for {series_words(body.series)} into {body.target}", 0, 4)
    by = wrapped(f"{_by(body.actor)} · {body.time}", 0, 4)
    signed = [wrapped(words, 0, 4) for words in signature_words(record)]
    return "\n".join([f"{text}\n\n{by}", *signed, f"record {record.id}"])


def _beyond(body: VerdictRecord) -> list[str]:
    """What a verdict holds beyond what is printed when it is given."""
    at = f"at {body.target_commit[:7]}, merge base {body.merge_base[:7]}"
    lines = [wrapped(f"target {body.target} {at}", 0, 2)]
    for one in body.commands:
        ended = "stopped after its time limit" if one.exit_code is None else f"exit code {one.exit_code}"
        lines.append(wrapped(f"$ {one.command}: {ended}", 0, 2))
    lines += [wrapped(f"{one.id} {one.ruling}: {one.note}", 0, 2) for one in body.review.prior_findings]
    lines += [wrapped(f"{one.path}: {one.status}, {one.reason}", 0, 2) for one in body.coverage.partly]
    if body.dispute:
        lines.append(wrapped(f"disputed: {body.dispute}", 0, 2))
    return lines


def _by(actor: Actor) -> str:
    return f"{actor.name} <{actor.email}> on {actor.host}, {actor.tool}"
