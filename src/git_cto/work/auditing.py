"""What landed on a branch, and under which approval: the gate's question, asked again for every landing.

Each landing is judged as the gate would have judged it: by the policy and the signers of the commit that it landed on,
at the time that its committer wrote down, which no commit before it and no clock of ours contradicts. Keys that are
revoked today count nowhere. What landed as it was judged, by a merge or squashed, is found by the change that it makes;
what was rebased, by the change that a row of commits makes.
"""

from __future__ import annotations

import datetime as dt
import re
from contextlib import closing, contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from msgspec.structs import replace

from git_cto.errors import GitError, UsageError, typed
from git_cto.gate.decision import Facts, decide
from git_cto.gate.policy import POLICY_PATH, Policy
from git_cto.gate.rounds import in_order
from git_cto.ledger.records import united
from git_cto.ledger.signers import REVOKED_PATH, SIGNERS_PATH, Signers, read_signers
from git_cto.ledger.trusting import first_checks, trusted
from git_cto.model import OverrideRecord, PlanRecord, Target, VerdictRecord
from git_cto.redaction import printable
from git_cto.repo.authors import Authorship, author, authorship, plainly_merged
from git_cto.repo.change import tree_fault
from git_cto.repo.landings import Landing, Row, landings
from git_cto.repo.objects import MalformedTreeError
from git_cto.repo.ssh_keygen import Memory, check_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from git_cto.model import Change, Record
    from git_cto.repo.ssh_keygen import Check
    from git_cto.work.workspace import Workspace

LONGEST_ROW = 64  # commits that a rebased branch is looked for in
_AHEAD = 64  # landings that are looked up together
_CHECKED_AHEAD = 256  # signatures that are checked for them before the first one is judged
_KEPT = 64  # policies and lists of signers that are kept; a history changes them seldom

_NO_POLICY = "It landed on no policy that can be read."
_UNREADABLE = (UsageError, MalformedTreeError)  # a policy that says nothing, or is no text, or stands there twice
_COMMITTED = re.compile(rb"^committer .*> (\d{1,18})\b", re.MULTILINE)

How = Literal["approved", "overridden", "empty", "first", "unapproved"]


class Audited(Struct, frozen=True, kw_only=True):
    """How one landing came in; several commits where they landed as a row under one approval, the newest first.

    `reason` is a sentence. `by` is the record that would have opened the gate, with who signed it.
    """

    landings: tuple[Landing, ...]
    how: How
    reason: str
    by: Record | None = None

    @property
    def judged(self) -> bool:
        """Whether there is nothing to be said against it."""
        return self.how != "unapproved"


class _Waiting(Struct):
    """A row that may grow into what somebody approved, and why it has not so far, where anybody judged it."""

    row: Row
    against: str = "Nobody judged this change."

    def given_up(self) -> Audited:
        """What is said of its newest landing where no row was approved."""
        return Audited(landings=tuple(self.row.landings[:1]), how="unapproved", reason=self.against)


def _nothing_between(judged: Audited, row: Row) -> Audited:
    """An approved row as it is, unless it has what was no part of what anybody approved: landed, and taken back."""
    if not row.back_again:
        return judged
    some = ", ".join(printable(name) for name in row.back_again[:3])
    why = f"With what landed before it, it is an approved change, but {some} was changed on the way and changed back."
    return replace(judged, how="unapproved", reason=why, by=None)


class _Rules(Struct, frozen=True):
    """What was in force at a commit."""

    policy: Policy
    signers: Signers


class Audit:
    """The audit of one branch. `signed` asks for signatures, whatever the policy of the time said."""

    def __init__(self, workspace: Workspace, target: Target, *, signed: bool) -> None:
        self._workspace = workspace
        self._target = target
        self._signed = signed
        self._format = workspace.place.object_format
        self._known = frozenset(workspace.ledger.objects())
        self._revoked = workspace.bytes_at(target.commit, REVOKED_PATH)
        self._rules: dict[str, _Rules] = {}
        self._records: dict[str, list[Record]] = {}
        self._memory = Memory()

    def run(self, tip: str, without: Sequence[str]) -> Iterator[Audited]:
        """Everything that landed, the newest first, in memory that does not grow with it."""
        waiting: list[_Waiting] = []
        for landing in self._looked_up(landings(self._workspace.lens, tip, without)):
            alone = self._alone(landing)
            if alone is not None:
                yield from (one.given_up() for one in waiting)
                waiting = []
                yield alone
                continue
            found, waiting = self._in_a_row(waiting, landing)
            yield from found
        yield from (one.given_up() for one in waiting)

    def _alone(self, landing: Landing) -> Audited | None:
        """A landing that nobody has to have judged, or could have; None for the others."""
        one = (landing,)
        if not landing.onto:
            return Audited(landings=one, how="first", reason="The first commit: there was nothing to merge it into.")
        fault = tree_fault([file.path for file in landing.files])
        if fault:
            return Audited(landings=one, how="unapproved", reason=fault)
        return None if landing.files else Audited(landings=one, how="empty", reason="It changes no file.")

    def _in_a_row(self, waiting: list[_Waiting], landing: Landing) -> tuple[list[Audited], list[_Waiting]]:
        """Tries rows that begin with this landing; returns what is settled by that, and what still waits.

        The longest row comes first. What was judged on the way to an approval, or refused, says nothing against the
        whole that was approved in the end.
        """
        for one in waiting:
            one.row.extend(landing)
        waiting.append(_Waiting(Row(landing)))
        for place, one in enumerate(waiting):
            change = one.row.change(self._format)
            if change.files and change.id in self._known:
                judged = self._judged(tuple(one.row.landings), change)
                judged = _nothing_between(judged, one.row) if judged.judged else judged
                if judged.judged:
                    return [*(newer.given_up() for newer in waiting[:place]), judged], []
                one.against = judged.reason
        settled = waiting[:-LONGEST_ROW]
        return [one.given_up() for one in settled], waiting[len(settled) :]

    def _judged(self, landed: tuple[Landing, ...], change: Change) -> Audited:
        """What the gate would have said."""
        workspace = self._workspace
        try:
            rules = self._rules_at(change.base)
        except _UNREADABLE as error:
            return Audited(landings=landed, how="unapproved", reason=f"{_NO_POLICY} {error.message}")
        records: Sequence[Record] = self._about(change, landed[0])
        if rules.policy.gate.trust == "signed":
            moment = self._moment(landed)
            records = trusted(records, rules.signers, moment, workspace.environ, memory=self._memory)
        gate = rules.policy.gate
        matters = gate.executor_is_not_reviewer or (
            gate.trust == "signed" and gate.signer_is_not_author and any(one.signers for one in records)
        )
        wrote = self._wrote(landed, change, records) if matters else Authorship(frozenset(), (), ())
        facts = Facts(
            replace(self._target, commit=change.base),
            authors=wrote.addresses,
            executors=wrote.executors,
            co_authors=wrote.co_authors,
        )
        decision = decide(change, facts, records, None, rules.policy)
        how: How = "unapproved"
        if decision.allowed and decision.by is not None:
            how = "overridden" if isinstance(decision.by.body, OverrideRecord) else "approved"
        return Audited(landings=landed, how=how, reason=" ".join(decision.reasons), by=decision.by)

    def _looked_up(self, landed: Iterator[Landing]) -> Iterator[Landing]:
        """The same, some at a time, for which ssh-keygen was asked all at once what it would be asked one by one."""
        while some := list(islice(landed, _AHEAD)):
            self._records.clear()
            self._memory.forget()
            checks = [check for one in some if one.onto and one.files for check in self._checks(one)]
            check_all(checks[:_CHECKED_AHEAD], self._workspace.environ, self._memory)
            yield from some

    def _checks(self, landing: Landing) -> list[Check]:
        """What will be asked of ssh-keygen where this landing was approved as it is."""
        change = Row(landing).change(self._format)
        if change.id not in self._known:
            return []
        try:
            rules = self._rules_at(change.base)
        except _UNREADABLE:
            return []  # which is told where it is judged
        if rules.policy.gate.trust != "signed":
            return []
        return first_checks(self._about(change, landing), rules.signers, self._moment((landing,)))

    def _about(self, change: Change, landed: Landing) -> list[Record]:
        """The records about a change and the plans that it was judged by, in the order in which they are checked.

        They stand on the change, on the heads that were judged and on the series: where somebody took a refusal off
        one of them, it is still on the others.
        """
        key = f"{change.id} {landed.commit}"
        if key not in self._records:
            workspace, objects = self._workspace, self._workspace.objects
            find = workspace.ledger.find
            found = find(change=change.id, objects=objects)
            heads = {change.head, *landed.parents[1:], *(one.subject.head for one in found)}
            series = {one.body.series for one in found if not isinstance(one.body, PlanRecord)}
            runs = {one.body.run for one in found if isinstance(one.body, VerdictRecord)} - {""}
            named = (workspace.ledger.series_object(name) for name in (*series, *(f"run/{run}" for run in runs)))
            elsewhere = find(others=sorted({*heads, *named}), objects=objects)
            of_it = (one for one in elsewhere if one.subject.change == change.id)
            plans = (one for one in elsewhere if isinstance(one.body, PlanRecord) and one.body.run in runs)
            self._records[key] = in_order(united((*found, *of_it, *plans)))
        return self._records[key]

    def _moment(self, landed: tuple[Landing, ...]) -> str:
        """When it landed, as signatures are checked: never before what it landed on, and never in the future.

        Who commits writes down any time, also one at which a key was valid that is not any more.
        """
        onto = self._workspace.lens.reader.read(landed[-1].onto)
        before = _COMMITTED.search(onto[1].partition(b"\n\n")[0]) if onto else None
        latest = max(landed[0].time, int(before[1]) if before else 0)
        now = dt.datetime.now(dt.UTC)
        then = now if latest >= now.timestamp() else dt.datetime.fromtimestamp(latest, dt.UTC)
        return then.strftime("%Y%m%d%H%M%S")

    def _wrote(self, landed: tuple[Landing, ...], change: Change, found: Sequence[Record]) -> Authorship:
        """Who wrote it: the authors of what landed and, where they are still here, of the commits that were judged.

        Who only merged or squashed it is the committer of what landed, and no author of it. Who put more into a merge
        than was merged is one.
        """
        judged = {
            (one.body.merge_base, one.subject.head)
            for one in found
            if isinstance(one.body, VerdictRecord) and one.subject.change == change.id
        }
        lens = self._workspace.lens
        here = [(base, head) for base, head in judged if lens.reader.info(base) and lens.reader.info(head)]
        merged = landed[0].parents[1:] if len(landed) == 1 else ()
        wrote = Authorship(frozenset(), (), ())
        for head in merged or (change.head,):
            wrote = wrote.joined(authorship(lens, change.base, head, committers=False))
        if merged and not plainly_merged(lens, change.head):
            wrote = wrote.joined(author(lens, change.head))
        for base, head in here:
            wrote = wrote.joined(authorship(lens, base, head, mergers=False))
        return wrote

    def _rules_at(self, commit: str) -> _Rules:
        """Policy and signers of a commit."""
        entry = self._workspace.lens.reader.entry(commit, ".cto")
        key = entry[1] if entry else ""
        if key not in self._rules:
            if len(self._rules) >= _KEPT:
                self._rules.clear()
            self._rules[key] = self._read_rules(commit)
        return self._rules[key]

    def _read_rules(self, commit: str) -> _Rules:
        workspace = self._workspace
        policy = workspace.policy(replace(self._target, commit=commit))
        if self._signed:
            policy = replace(policy, gate=replace(policy.gate, trust="signed"))
        if self._revoked is None and workspace.lens.reader.entry(self._target.commit, REVOKED_PATH):
            fault = f"{REVOKED_PATH} on {self._target.name} is no ordinary file, so no signature counts."
            return _Rules(policy, Signers(fault=fault))
        return _Rules(policy, read_signers(workspace.bytes_at(commit, SIGNERS_PATH), self._revoked))


def newest_row(workspace: Workspace, target: Target) -> int:
    """How many commits landed last under one approval or override, by what is recorded; 1 where nothing is.

    Only looked up: whether that record counts is what the audit of these commits says.
    """
    with closing(landings(workspace.lens, target.commit)) as landed:
        row: Row | None = None
        for landing in islice(landed, LONGEST_ROW):
            if not landing.onto or not landing.files:
                break
            if row is None:
                row = Row(landing)
            else:
                row.extend(landing)
            change = row.change(workspace.place.object_format)
            records = workspace.ledger.find(change=change.id, objects=workspace.objects) if change.files else []
            if any(_lets_in(one, target) for one in records):
                return len(row.landings)
    return 1


def _lets_in(record: Record, target: Target) -> bool:
    body = record.body
    approves = isinstance(body, OverrideRecord) or (isinstance(body, VerdictRecord) and body.verdict == "approve")
    return approves and body.target == target.ref


def audit(workspace: Workspace, revisions: str | None, *, target: Target, signed: bool) -> Iterator[Audited]:
    """What landed on the target: in a range `A..B`, else since the policy was committed. The newest first.

    Raises `UsageError` at once where there is no such range; the rest is looked up while it is read.
    """
    with _all_of_it(workspace):
        tip, without = _range(workspace, target, revisions)
    return _run(workspace, Audit(workspace, target, signed=signed), tip, without)


def _run(workspace: Workspace, one: Audit, tip: str, without: Sequence[str]) -> Iterator[Audited]:
    with _all_of_it(workspace):
        yield from one.run(tip, without)


@contextmanager
def _all_of_it(workspace: Workspace) -> Iterator[None]:
    """Says where history is missing because the clone is a shallow one."""
    try:
        yield
    except GitError as error:
        if not workspace.lens.cut:
            raise
        raise UsageError(
            "This clone is shallow, and what landed before its oldest commit is not here.", "git fetch --unshallow"
        ) from error


def _range(workspace: Workspace, target: Target, revisions: str | None) -> tuple[str, tuple[str, ...]]:
    if revisions is None:
        return target.commit, _before_the_policy(workspace, target)
    since, dots, until = revisions.partition("..")
    if not dots or until.startswith("."):
        raise UsageError(f"{revisions} is no range.", "name one as git log takes it, for example v1.0..main")
    tip = _commit(workspace, until) if until else target.commit
    if not since:
        return tip, ()
    start = _commit(workspace, since)
    if not _on_the_line(workspace, start, tip):
        raise UsageError(
            f"{since} is no commit that {until or target.name} stood at: its history was rewritten or turned round.",
            f"git log --first-parent --oneline {typed(until or target.name)}",
            code="not_on_the_line",
        )
    return tip, (start,)


def _on_the_line(workspace: Workspace, start: str, tip: str) -> bool:
    """Whether a branch at `tip` has stood at `start`: what landed in between is all that landed since.

    Else somebody's branch took the place of the target's own history, which a merge can put behind it as a side branch.
    """
    landed = workspace.lens.run("rev-list", "--first-parent", "--count", tip, f"^{start}", "--").decode().strip()
    found = workspace.lens.attempt("rev-parse", "--verify", "--quiet", "--end-of-options", f"{tip}~{landed}")
    return found.stdout.decode().strip() == start


def _commit(workspace: Workspace, name: str) -> str:
    found = workspace.git.commit_of(name)
    if found is None:
        raise UsageError(f"There is no commit {name}.", "git log --oneline")
    return found


def _before_the_policy(workspace: Workspace, target: Target) -> tuple[str, ...]:
    """The commit before the one that brought the policy to the target; nothing where there is no policy."""
    done = workspace.lens.run(
        "log",
        "--first-parent",
        "--diff-merges=first-parent",
        "--diff-filter=A",
        "--no-patch",
        "--format=%P",
        target.commit,
        "--",
        POLICY_PATH,
    )
    added = done.decode("ascii").splitlines()
    return (added[-1].split()[0],) if added and added[-1] else ()
