"""What a push may bring to the target branch: the question of the pre-push hook, put to the gate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from git_cto.errors import UsageError, typed
from git_cto.gate.decision import Decision
from git_cto.model import Target
from git_cto.repo.resolve import HEADS, Head, target_ref
from git_cto.work.gating import decide_on
from git_cto.work.surveying import survey

if TYPE_CHECKING:
    from collections.abc import Iterable

    from git_cto.work.workspace import Workspace


@dataclass(frozen=True)
class Push:
    """One line of what git tells its pre-push hook: what goes from here to where, and what is there now."""

    source: str  # as the user named it, e.g. HEAD or a full ref
    commit: str
    destination: str  # a full ref of the remote
    there: str  # the remote's commit


@dataclass(frozen=True)
class Asked:
    """A push to the target branch, and what the gate says of it."""

    target: Target
    decision: Decision


def read_pushes(text: str) -> list[Push]:
    """The lines of git. Raises `UsageError` for anything else: what cannot be read is not let through."""
    pushes = []
    for line in filter(None, text.split("\n")):  # a ref's name may hold what `splitlines` splits at
        fields = line.rsplit(" ", 3)
        if len(fields) != 4 or not fields[2].startswith("refs/"):
            raise UsageError("git cto pre-push is for git's pre-push hook.", "git cto init --hook installs it")
        pushes.append(Push(*fields))
    return pushes


def ask(workspace: Workspace, remote: str, pushes: Iterable[Push]) -> list[Asked]:
    """Asks the gate about what goes to the target branch; not about deletions, new branches, other branches and tags.

    The target is taken to stand where the remote has it now, which a remote-tracking branch may not know yet.
    """
    zero = workspace.place.zero
    updates = [one for one in pushes if one.destination.startswith(HEADS) and zero not in {one.commit, one.there}]
    if not updates:
        return []
    wanted = target_ref(workspace.git, None, workspace.settings.text("cto.base"))
    return [_asked(workspace, remote, one) for one in updates if one.destination == wanted]


def _asked(workspace: Workspace, remote: str, push: Push) -> Asked:
    target = Target(ref=push.destination, commit=push.there, found_at=push.destination)
    if workspace.git.commit_of(push.there) is None:
        return _closed(
            target, f"{remote} has {push.there[:12]} there, which is not here.", f"git fetch {typed(remote)}"
        )
    if not workspace.git.is_ancestor(push.there, push.commit):
        return _closed(
            target,
            f"It would take commits off {target.name}, and the gate is there for what is added.",
            "git pull --rebase; or, if you mean it, git push --no-verify, which asks nobody",
        )
    found = survey(workspace, head=_head(workspace, push), base=None, run=None, target=target)
    return Asked(target, decide_on(workspace, found))


def _closed(target: Target, reason: str, next_step: str) -> Asked:
    return Asked(target, Decision(False, (reason,), next_step))


def _head(workspace: Workspace, push: Push) -> Head:
    """What is pushed: exactly this commit, and the branch that it was named by."""
    ref = workspace.git.head_ref() if push.source in {"HEAD", "@"} else push.source
    return Head(push.commit, ref if ref and ref.startswith(HEADS) else None)
