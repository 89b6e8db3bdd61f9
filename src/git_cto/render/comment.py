"""What people read at a pull request: the one comment, in each of its states. Pure: values in, Markdown out.

Whatever was written by a model, a commit or a person goes through `render.markdown`; that no secret is in it is the
caller's business, and so is what the state is. The rest of what is posted is in `render.check` and `render.finding`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from git_cto.model import OverrideRecord
from git_cto.render.fitting import Section, fitted
from git_cto.render.markdown import code, commit_link, mention, text
from git_cto.render.pull_parts import (
    details_section,
    findings_section,
    judged_head,
    judged_section,
    tasks_section,
    verdict_of,
)
from git_cto.render.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from git_cto.model import Plan, Record

MARKER = "<!-- git-cto:pull -->"
LARGEST = 65_536  # characters of a comment

State = Literal[
    "approved",  # the gate is open by a verdict
    "overridden",  # the gate is open by a human's word (`by` is that record)
    "revise",  # the verdict on this head
    "abort",  # the verdict on this head; a human has to say how to go on
    "escalated",  # the rounds are used up; a human is asked
    "unreviewed",  # it could not be reviewed: `reasons` say why, nothing was recorded
    "stale",  # there was an approval, and a push came after it
    "needs_human",  # approved, but control paths are changed
    "closed",  # closed for another of the gate's reasons: a conflict, an approval that does not count, no verdict
    "waiting",  # nothing is asked yet: a draft, or other checks first; `reasons` say which
    "reviewing",  # a model reads it right now
    "no_key",  # there is no key for a model
    "fork",  # it comes from a fork, and nobody with write access has asked for a review
    "overtaken",  # a push or another target came while it was being reviewed
    "finished",  # the pull request was closed or merged
]


class Place(Struct, frozen=True, kw_only=True):
    """Addresses that the comment links to; what is "" is not linked."""

    repository: str = ""  # https://github.com/owner/name
    job: str = ""  # of the workflow run
    docs: str = ""  # how all this works


class PullState(Struct, frozen=True, kw_only=True):
    """All that is said at a pull request, made of values that others worked out. Every text is redacted already."""

    state: State
    target: str  # the branch's short name, `main`
    head: str  # the commit that the pull request stands at
    place: Place = Place()
    round: int = 0  # of this verdict, or of the one that is being asked for; 0 where there is none
    rounds: int = 0  # how many there may be; 0 where nobody knows
    reasons: tuple[str, ...] = ()  # sentences: the gate's, or why nothing was reviewed
    next_step: str = ""  # what to type at a terminal, as errors and decisions say it
    verdict: Record | None = None  # the last verdict: on this head, or on an earlier one (its subject says which)
    verdicts: tuple[Record, ...] = ()  # every verdict of the series, in order
    by: Record | None = None  # what opened the gate, where it was an override
    plan: Plan | None = None
    asked: tuple[str, ...] = ()  # logins of those who may decide; they are mentioned where a human is asked
    commits_since: int | None = None  # commits after the last judged one, where that is known
    control_paths: tuple[str, ...] = ()  # what the gate itself rests on, and this changes
    inline: tuple[str, ...] = ()  # ids of the findings that stand on lines of the diff
    kept: str = ""  # where the record is when it could not be pushed: a sentence
    notes: tuple[str, ...] = ()  # anything else worth a line each


_TITLES: dict[State, str] = {
    "approved": "✓ Approved",
    "overridden": "✓ Overridden",
    "revise": "✗ Revise",
    "abort": "■ Abort",
    "escalated": "! A human is asked",
    "unreviewed": "? Could not be reviewed",
    "stale": "↻ The approval is stale",
    "needs_human": "! A human has to agree",
    "closed": "✗ Closed",
    "waiting": "… Waiting",
    "reviewing": "… Being reviewed",
    "no_key": "✗ Closed: no key for a model",
    "fork": "✗ Closed: from a fork",
    "overtaken": "↻ Overtaken",
    "finished": "– Finished",
}
_WITH_ROUND = frozenset[State](("approved", "revise", "abort", "escalated", "needs_human", "reviewing"))
# The last verdict is about an earlier commit there, and what it said of tasks and lines is not to be taken for news.
_OUTDATED = frozenset[State](("unreviewed", "stale", "waiting", "reviewing", "no_key", "fork", "overtaken"))
_WITH_HINT = frozenset[State](("unreviewed", "closed"))
_SAYS_IT_ALL = frozenset[State](("approved", "overridden", "stale"))  # what the gate says is said by the state
_CONTINUE, _OVERRIDE, _REVIEW = "`/cto continue <reason>`", "{override}", "`/cto review`"
_LEADS: dict[State, str] = {
    "approved": "{summary}",
    "overridden": "**{who}** lets exactly this change in: {why}",
    "revise": "{summary}",
    "abort": "The reviewer's reason: {reason}",
    "escalated": "There is no approval, and the reviewer is not asked again without a human's word.",
    "unreviewed": "Something stood in the way: nothing is decided about {now}. That is no verdict; the gate is closed.",
    "stale": "{judged} was approved. {came} since then, and nobody has judged {now}.",
    "needs_human": "It is approved. But it changes what the gate itself rests on:",
    "closed": "The gate is closed for {now}.",
    "waiting": "No model is asked about {now} yet.",
    "reviewing": "A model reads {now} against {target} right now.",
    "no_key": "There is no verdict that counts on {now}, and this workflow has no key for a model.",
    "fork": "There is no verdict that counts on {now}. It comes from a fork: somebody with write access has to ask.",
    "overtaken": "The pull request changed while {judged} was being reviewed. Nobody has judged {now}.",
    "finished": "The pull request is closed, and nothing more is judged.",
}
_ASK = f"{_REVIEW} asks for a verdict; it takes write access."
_CHANGES = "This comment changes when there is a verdict."
_NEXT: dict[State, str] = {
    "approved": "A push closes the gate again.",
    "overridden": "A push closes the gate again.",
    "revise": f"Push a fix and it is judged again; {_OVERRIDE} if you disagree (recorded).",
    "abort": f"{{asked}}: {_CONTINUE} if it shall go on all the same, or {_OVERRIDE}. Both are recorded.",
    "escalated": f"{{asked}}: {_CONTINUE} for more rounds, or {_OVERRIDE} for exactly this change. Both are recorded.",
    "unreviewed": f"{_REVIEW} tries again.",
    "stale": _ASK,
    "needs_human": "{asked}, but not the author: approve this commit in a review of your own, then `/cto status`.",
    "closed": _ASK,
    "waiting": "Say that it is ready for review, and it is judged.",
    "reviewing": _CHANGES,
    "no_key": "Give the workflow a key (`openai-api-key`), or judge it on a machine of yours: "
    "`git cto review --sign`, then `git cto sync`.",
    "fork": _ASK,
    "overtaken": _CHANGES,
    "finished": "It is judged again when it is opened again.",
}
_HINT = "`git cto show` has all of it."


def body(state: PullState) -> str:
    """The comment in full. Its first line is the marker that it is found by again."""
    return f"{MARKER}\n{fitted(sections(state, telling=mention), LARGEST - len(MARKER) - 1, _HINT)}"


def title(state: PullState) -> str:
    """The state in a few words of ours: `✗ Revise · round 2 of 5`."""
    words = _TITLES[state.state]
    if state.round and state.state in _WITH_ROUND:
        words += f" · round {state.round}" + (f" of {state.rounds}" if state.rounds else "")
    return words


def sections(state: PullState, *, telling: Callable[[str], str]) -> list[Section]:
    """The parts of the comment; `telling` is how a person who is asked is named."""
    return [
        Section("headline", 100, (f"### {title(state)}",)),
        Section("what it means", 90, (_lead(state, 4_000, 20), _lead(state, 150, 5))),
        _verdict_section(state),
        *(() if state.state in _OUTDATED else (tasks_section(state), findings_section(state))),
        details_section(state),
        judged_section(state),
        Section("notes", 40, ("\n\n".join(text(one, 1_000) for one in state.notes), "")),
        Section("where the record is", 85, (text(state.kept, 500),)),
        Section("what to do", 95, (_next(state, telling),)),
    ]


# ---- what it means ---------------------------------------------------------------------------------------------------


def _lead(state: PullState, limit: int, most: int) -> str:
    """The state in a sentence or two, and the reasons that others worked out, where they say more than that."""
    parts = [_own_lead(state, limit)]
    if state.state == "needs_human":
        parts.append(_touched(state, most))
    elif state.state not in _SAYS_IT_ALL:
        parts += [text(one, limit) for one in state.reasons[:most] if not _only_repeats(one, state)]
    return "\n\n".join(filter(None, parts))


def _only_repeats(reason: str, state: PullState) -> bool:
    """Whether a reason is what the verdict said, which stands below in full."""
    verdict = verdict_of(state)
    return verdict is not None and reason.startswith(f"Round {verdict.round} ")


def _own_lead(state: PullState, limit: int) -> str:
    verdict = verdict_of(state)
    by = state.by.body if state.by else None
    judged, now = (commit_link(one, state.place.repository) for one in (judged_head(state), state.head))
    return _LEADS[state.state].format(
        now=now,
        judged=judged or "it",
        target=code(state.target, 100),
        came=_came_after(state.commits_since),
        summary=text(verdict.review.summary, limit) if verdict else "",
        reason=text(verdict.review.reason or verdict.said, limit) if verdict else "",
        who=text(by.actor.name, 100) if isinstance(by, OverrideRecord) else "Somebody",
        why=text(by.reason, limit) if isinstance(by, OverrideRecord) else "",
    )


def _came_after(commits: int | None) -> str:
    return "A push came" if not commits else "1 commit came" if commits == 1 else f"{commits:,} commits came"


def _touched(state: PullState, most: int) -> str:
    lines = [f"- {code(path, 100)}" for path in state.control_paths[:most]]
    if len(state.control_paths) > most:
        lines.append(f"- and {counted(len(state.control_paths) - most, 'more path')}")
    return "\n".join(lines)


def _verdict_section(state: PullState) -> Section:
    """What the reviewer said where the lead is about something else, and what overruled it."""
    verdict = verdict_of(state)
    if verdict is None:
        return Section("the verdict", 60, ("",))
    forms = []
    for limit in (2_000, 300):
        lines = []
        if state.state not in {"approved", "revise", "abort"}:
            when = f"Round {verdict.round} said {verdict.verdict}"
            if judged_head(state) != state.head:
                when += f" of {commit_link(judged_head(state), state.place.repository)}"
            lines.append(f"{when}: {text(verdict.review.summary, limit)}")
        if verdict.verdict != verdict.model_verdict:
            model, why = text(verdict.engine.engine.capitalize(), 40), text(verdict.said, limit)
            lines.append(f"{model} said {verdict.model_verdict}; git-cto says {verdict.verdict}: {why}")
        forms.append("\n\n".join(lines))
    return Section("the verdict", 60, (*forms, ""))


# ---- what to do ------------------------------------------------------------------------------------------------------


def _next(state: PullState, telling: Callable[[str], str]) -> str:
    """What comes next, and what one can type."""
    asked = " ".join(map(telling, state.asked[:10])) or "Somebody with write access"
    hint = f"Next: {text(state.next_step, 500)}" if state.next_step and state.state in _WITH_HINT else ""
    override = code(f"/cto override {state.head} <reason>")  # of what has been looked at, and of nothing later
    return "\n\n".join(filter(None, (hint, _NEXT[state.state].format(asked=asked, override=override))))
