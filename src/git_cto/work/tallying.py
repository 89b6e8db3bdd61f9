"""What an audit came to: numbers, and what to type next. What landed how is `auditing`'s business."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from git_cto.errors import typed
from git_cto.gate.policy import POLICY_PATH
from git_cto.ledger.signers import SIGNERS_PATH
from git_cto.repo.objects import MalformedTreeError

if TYPE_CHECKING:
    from git_cto.model import Target
    from git_cto.work.auditing import Audited
    from git_cto.work.workspace import Workspace


class Tally:
    """What an audit came to so far: numbers, and the little that the next steps are made of.

    The commit that brought the policy and the first signers in has no signed approval that could count, since nobody
    was listed where it landed. It stays unapproved; which range leaves it out is told.
    """

    def __init__(self, workspace: Workspace, target: Target, *, base: str | None, whole: bool, signed: bool) -> None:
        self._workspace = workspace
        self._target = target
        self._options = (f" --base {typed(base)}" if base else "") + ("" if signed else " --local")
        self._needed = SIGNERS_PATH if signed else POLICY_PATH
        self._whole = whole
        self._set_up = ""  # the newest commit of those at the beginning of which nobody could approve any
        self.commits: Counter[str] = Counter()
        self.landings: Counter[str] = Counter()
        self._more = False  # whether more is unapproved than those
        self.worst = ""  # the newest commit that nobody approved

    def add(self, one: Audited) -> None:
        """Counts one, the newest first."""
        self.commits[one.how] += len(one.landings)
        self.landings[one.how] += 1
        newest = one.landings[0]
        if not one.judged:
            self.worst = self.worst or newest.commit
        if not self._whole:
            return
        if one.by or (newest.onto and self._has(newest.onto)):
            self._set_up, self._more = "", bool(self.worst)
        elif not self._set_up:
            self._set_up = newest.commit

    def next_steps(self) -> tuple[str | tuple[str, str], ...]:
        """What to type, where anything is unapproved."""
        if not self.worst:
            return ()
        show = f"git show {self.worst[:12]}"
        if not self._set_up or not self._has(self._set_up):
            return (show,)
        command = f"git cto audit {self._set_up[:12]}..{typed(self._target.name)}{self._options}"
        without = (command, "leaves out the set-up")
        return (show, without) if self._more else (without,)

    def _has(self, commit: str) -> bool:
        try:
            return self._workspace.lens.reader.entry(commit, self._needed) is not None
        except MalformedTreeError:
            return False
