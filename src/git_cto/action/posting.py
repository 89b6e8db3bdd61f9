"""What came out, put where people and GitHub look: findings on their lines, the comment, the label, the check run.

Posts what was decided and decides nothing. What stands there already is not posted again; every text is cleaned of
secrets here, before it is rendered. The check run comes last; what fails on the way does not keep the rest back.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import msgspec
from msgspec.structs import replace

from git_cto.action.outcome import failed, pull_state
from git_cto.action.surprise import understood
from git_cto.errors import BugError, ToolError
from git_cto.forge.values import Annotation, CheckReport, LineComment
from git_cto.model import VerdictRecord
from git_cto.redaction import redact_answer, redacted
from git_cto.render.check import annotations_of, check_summary, check_title
from git_cto.render.comment import MARKER, body
from git_cto.render.finding import finding_marker, inline_body
from git_cto.render.words import counted
from git_cto.repo.lines import shown_lines
from git_cto.work.protecting import check_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from git_cto.action.outcome import Outcome
    from git_cto.action.scene import Means
    from git_cto.errors import CtoError
    from git_cto.forge.values import Comment, Pull, Thread
    from git_cto.model import Finding, Record
    from git_cto.render.comment import PullState
    from git_cto.repo.lens import Lens
    from git_cto.repo.lines import Lines

MOST_INLINE = 50  # comments of one review; the rest is in the comment

_RUN = re.compile(r"/actions/runs/\d+")

T = TypeVar("T")


@dataclass(kw_only=True)
class Post:
    """What is posted to one pull request. No text has one of the `secrets`; `problems` are what could not be posted."""

    means: Means
    pull: Pull
    secrets: tuple[str, ...]
    problems: list[CtoError] = field(default_factory=list)
    _comment: Comment | None = None

    def failed(self, error: Exception) -> Outcome:
        """What comes out where something stood in the way. The log has what nobody expected, as it has problems."""
        known = understood(error)
        if isinstance(known, BugError):
            self.problems.append(known)
        return failed(known)

    def state_of(self, outcome: Outcome) -> PullState:
        """What is said of an outcome, without secrets."""
        return cleaned(pull_state(self.means, self.pull, outcome), self.secrets)

    def underway(self, outcome: Outcome) -> None:
        """Has our comment say how it stands while it is being judged, if there is one. That is only a courtesy."""
        with suppress(Exception):
            self.comment(self.state_of(outcome), new=False)

    def everything(self, outcome: Outcome, lens: Lens | None, *, comment: bool = True) -> PullState:
        """Posts all there is to an outcome, and says what was said. No new comment is made unless `comment`."""
        state = self.state_of(outcome)
        if lens is not None:
            nowhere: tuple[str, ...] = ()
            state = replace(state, inline=self._tried(lambda: self._findings(outcome, state, lens), nowhere))
        self._tried(lambda: self.comment(state, new=comment), None)
        self._tried(lambda: self._label(wanted=outcome.asks_human), None)
        known = len(self.problems)
        self._tried(lambda: self._check(outcome, state), None)
        if any(isinstance(one, BugError) or one.code == "forge_invalid" for one in self.problems[known:]):
            closed = failed(self.problems[known])  # in few words of ours: a check that stays as it was may be a success
            self._tried(lambda: self._check(closed, self.state_of(closed)), None)
        return state

    def _tried(self, post: Callable[[], T], otherwise: T) -> T:
        try:
            return post()
        except Exception as error:  # noqa: BLE001 -- the rest is posted all the same; what went wrong is told
            self.problems.append(understood(error))
            return otherwise

    def _plain(self, text: str) -> str:
        """Once more, at the door: a text that was put together may hold what its parts did not."""
        return redacted(text, self.secrets)

    # ---- the comment, the label, the check run

    def comment(self, state: PullState, *, new: bool) -> None:
        """Makes our one comment say this. It is found by its marker and by us as its author; others' are only text."""
        text = self._plain(body(state))
        hub, number = self.means.hub, self.pull.number
        if self._comment is None:
            self._comment = hub.sticky(number, MARKER)
        if self._comment is None:
            if new:
                self._comment = hub.create_comment(number, text)
        elif _said(self._comment.body) != _said(text):
            self._comment = hub.update_comment(self._comment.id, text)

    def _label(self, *, wanted: bool) -> None:
        label = self.means.inputs.label
        if wanted == (label.lower() in {name.lower() for name in self.pull.labels}):  # as GitHub compares them
            return
        put = self.means.hub.add_label if wanted else self.means.hub.remove_label
        put(self.pull.number, label)

    def _check(self, outcome: Outcome, state: PullState) -> None:
        here = _on_this(outcome, state)
        found = annotations_of(here.open_findings) if here and not outcome.allowed else ()
        report = CheckReport(
            name=check_name(state.target),
            title=self._plain(check_title(state)),
            summary=self._plain(check_summary(state)),
            conclusion=outcome.conclusion,
            annotations=tuple(
                Annotation(
                    path=one.path,
                    start=one.start_line,
                    end=one.end_line,
                    message=self._plain(one.message),
                    level=one.level,
                    title=one.title,
                )
                for one in found
            ),
            details_url=self.means.job.run_page,
        )
        self.means.hub.check_run(self.pull.head_sha, report)

    # ---- findings on their lines

    def _findings(self, outcome: Outcome, state: PullState, lens: Lens) -> tuple[str, ...]:
        """Puts new findings on their lines, in one review, and resolves those that are open no more.

        Returns the ids of the open findings that stand on a line.
        """
        verdict = _on_this(outcome, state)
        if verdict is None or outcome.found is None or not _ever_found(outcome, verdict):
            return ()
        open_ones = {finding_marker(one.id): one for one in verdict.open_findings}
        threads = self._our_threads()
        with suppress(ToolError):  # a token that may push no record may not do this either, and nothing rests on it
            for marker, thread in threads.items():
                if marker not in open_ones and not thread.resolved:
                    self.means.hub.resolve(thread.id)
        fresh = [one for marker, one in open_ones.items() if marker not in threads and one.path and one.start_line]
        comments = []
        if fresh:
            lines = shown_lines(lens, outcome.found.change)
            comments = [(one, at) for one in fresh if (at := self._line_comment(one, lines))][:MOST_INLINE]
        posted = self._review(verdict, comments) if comments else ()
        return tuple(one.id for marker, one in open_ones.items() if marker in threads or one.id in posted)

    def _our_threads(self) -> dict[str, Thread]:
        """Our own conversations, by the marker that their first comment ends with."""
        me = self.means.hub.me().lower()
        own = (one for one in self.means.hub.threads(self.pull.number) if one.author.login.lower() == me)
        return {marker: one for one in own if (marker := _lines(one.body)[-1]).startswith("<!-- git-cto:finding ")}

    def _line_comment(self, finding: Finding, lines: Lines) -> LineComment | None:
        """A comment on the lines of a finding that are in the diff; None where its first one is not."""
        start = finding.start_line or 0
        run = next((one for one in lines.get(finding.path, ()) if start in one), None)
        if run is None:
            return None
        end = max(start, finding.end_line or start)
        text = inline_body(finding, committable=end in run)
        last = end if end in run else run[-1]
        return LineComment(path=finding.path, line=last, start=start if start < last else None, body=self._plain(text))

    def _review(self, verdict: VerdictRecord, comments: list[tuple[Finding, LineComment]]) -> tuple[str, ...]:
        """Posts one review; nothing where GitHub shows these lines otherwise: the comment has every finding."""
        said = f"Round {verdict.round}: {counted(len(comments), 'finding')} on lines of this change."
        try:
            self.means.hub.create_review(self.pull.number, self.pull.head_sha, said, [at for _, at in comments])
        except ToolError as error:
            if error.code != "line_not_in_diff":
                raise
            return ()
        return tuple(one.id for one, _ in comments)


def cleaned(state: PullState, secrets: Iterable[str]) -> PullState:
    """The same, with no secret in any text that somebody else wrote."""
    held = tuple(secrets)

    def text(one: str) -> str:
        return redacted(one, held)

    def record(one: Record | None) -> Record | None:
        return None if one is None else _clean_record(one, held)

    plan = state.plan and msgspec.convert(redact_answer(msgspec.to_builtins(state.plan), held), type(state.plan))
    return replace(
        state,
        reasons=tuple(map(text, state.reasons)),
        notes=tuple(map(text, state.notes)),
        next_step=text(state.next_step),
        kept=text(state.kept),
        verdict=record(state.verdict),
        verdicts=tuple(_clean_record(one, held) for one in state.verdicts),
        by=record(state.by),
        plan=plan,
        control_paths=tuple(map(text, state.control_paths)),
    )


def _clean_record(record: Record, secrets: tuple[str, ...]) -> Record:
    plain = msgspec.convert(redact_answer(msgspec.to_builtins(record.body), secrets), type(record.body))
    return replace(record, body=plain)


def _on_this(outcome: Outcome, state: PullState) -> VerdictRecord | None:
    """The verdict, where it is one on this very change; its findings are on lines of it then."""
    record = state.verdict
    if record is None or outcome.found is None or record.subject.change != outcome.found.change.id:
        return None
    return record.body if isinstance(record.body, VerdictRecord) else None


def _ever_found(outcome: Outcome, verdict: VerdictRecord) -> bool:
    """Whether there may be a comment on a line, or is to be one: else nobody is asked for them."""
    assert outcome.found is not None  # noqa: S101 -- asked for by the caller
    earlier = (one.body for one in outcome.found.standing.verdicts)
    found = (one.review.findings for one in (*earlier, verdict) if isinstance(one, VerdictRecord))
    return any(one.path and one.start_line for listed in found for one in listed)


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").strip().split("\n")


def _said(text: str) -> list[str]:
    """What a comment says, whichever job says it."""
    return _lines(_RUN.sub("/actions/runs/", text))
