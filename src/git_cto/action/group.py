"""A merge group: open only if it is what its pull requests, each of them approved, come to when merged in order.

Who is in the group is told by the queue, or by the commits that the queue made, and is not believed: each step has to
have exactly the tree that merging that pull request's head gives. Messages can lie; trees cannot.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from git_cto.action.gate import gate
from git_cto.action.scene import TRUSTED_FILES, Scene, fetch_branch, looked_up, repository, target_at, workspace_of
from git_cto.errors import CtoError, GitError, ToolError
from git_cto.repo.change import blobs_needed, identify
from git_cto.work.gating import renamed_control_paths

if TYPE_CHECKING:
    from collections.abc import Sequence

    from git_cto.action.scene import Means
    from git_cto.forge.event import Event
    from git_cto.forge.values import QueueEntry
    from git_cto.model import Target
    from git_cto.repo.mirror import Mirror
    from git_cto.work.surveying import Survey
    from git_cto.work.workspace import Workspace

MOST = 100  # commits of a group; GitHub itself stops at 100 pull requests
_GROUP = "refs/cto-group/head"
_MERGED = re.compile(r"Merge pull request #(\d{1,9}) from ")
_SQUASHED = re.compile(r".*\(#(\d{1,9})\)")


class Step(Struct, frozen=True):
    """One pull request's way into the group: from commit `before` to commit `after`."""

    number: int
    before: str
    after: str


class Group(Struct, frozen=True, kw_only=True):
    """What the gate says of a merge group; `reasons` are why it is closed, each with its pull request, or 0."""

    allowed: bool
    members: tuple[int, ...] = ()
    reasons: tuple[tuple[int, str], ...] = ()


def judge_group(means: Means, event: Event) -> Group:
    """Asks the gate about every member, and whether the group is made of them and of nothing else."""
    with repository(means) as mirror:
        tip = fetch_branch(mirror, event.base_ref)
        mirror.fetch({event.head_sha: _GROUP})
        target = target_at(event.base_ref, tip)
        with workspace_of(means, mirror) as workspace:
            steps = _steps(workspace, event.head_sha, tip, means.hub.queue(event.base_ref))
            if not steps:
                return Group(allowed=False, reasons=((0, _unknown(event.base_ref)),))
            members = tuple(step.number for step in steps)
            reasons = [(0, "It names one pull request twice.")] if len(set(members)) != len(members) else []
            for step in steps:
                reasons += [(step.number, one) for one in _doubts(means, mirror, workspace, target, step)]
            return Group(allowed=not reasons, members=members, reasons=tuple(reasons))


def _unknown(base: str) -> str:
    return f"Which pull requests this group for {base.removeprefix('refs/heads/')} is made of cannot be told."


# ---- who is in it


def _steps(workspace: Workspace, head: str, tip: str, queue: Sequence[QueueEntry]) -> list[Step]:
    """From where the target stands to the group's head, one pull request at a time; none where a step is not known."""
    steps: list[Step] = []
    by_head = {entry.head: entry for entry in queue if entry.head and entry.base}
    commit = head
    while not workspace.git.is_ancestor(commit, tip):
        entry = by_head.get(commit)
        step = Step(entry.number, entry.base, commit) if entry else _made_by_queue(workspace, commit)
        if step is None or len(steps) >= MOST:
            return []
        steps.append(step)
        commit = step.before
    return steps[::-1]


def _made_by_queue(workspace: Workspace, commit: str) -> Step | None:
    """The step that a commit of the queue says it is: a merge of a pull request, or a squashed one."""
    found = workspace.lens.reader.read(commit)
    if found is None or found[0].type != "commit":
        return None
    header, _, message = found[1].decode("utf-8", "replace").partition("\n\n")
    parents = [line.removeprefix("parent ") for line in header.split("\n") if line.startswith("parent ")]
    subject = message.partition("\n")[0]
    named = _MERGED.match(subject) if len(parents) == 2 else _SQUASHED.fullmatch(subject)
    if named is None or len(parents) not in {1, 2} or int(named[1]) < 1:
        return None
    return Step(int(named[1]), parents[0], commit)


# ---- whether it belongs there


def _doubts(means: Means, mirror: Mirror, workspace: Workspace, target: Target, step: Step) -> list[str]:
    """Why a step is not an approved pull request and nothing but that."""
    try:
        pull = means.hub.pull(step.number)
        if pull.base_ref != target.ref or pull.closed:
            return [f"it is closed, or meant for another branch than {target.name}."]
        (head,) = mirror.fetch({f"refs/pull/{step.number}/head": f"refs/pull/{step.number}/head"})
        if head != pull.head_sha:
            return ["it has moved since it was queued."]
        mirror.bring(target.commit, head, TRUSTED_FILES)
        found, _ = looked_up(means, workspace, pull, target)
        scene = Scene(means=means, pull=pull, mirror=mirror, workspace=workspace, found=found)
        outcome = gate(scene)
        if not outcome.allowed:
            return list(outcome.reasons) or ["the gate is closed."]
        return _strange(mirror, workspace, found, step)
    except ToolError:
        raise  # it cannot be said; that is not the same as no
    except CtoError as error:
        return [error.message]


def _strange(mirror: Mirror, workspace: Workspace, found: Survey, step: Step) -> list[str]:
    """What a step does beside merging the pull request that was looked at, or by merging it where it does."""
    if _merged(mirror, workspace, step.before, found.head.commit) != _tree(workspace, step.after):
        return ["what the group has of it is not what merging it gives."]
    there, known = (renamed_control_paths(workspace, found, onto) for onto in (step.before, found.target.commit))
    moved = sorted({*there} - {*known})
    if moved:
        some = ", ".join(moved[:3])
        return [f"merged there, it changes what the gate itself rests on ({some}): queue it once the others landed."]
    return []


def _merged(mirror: Mirror, workspace: Workspace, before: str, head: str) -> str:
    """The tree that merging `head` into commit `before` gives; "" where it does not merge."""
    mirror.bring_trees(before, head)
    base = mirror.merge_base(before, head)
    if base is None:
        return ""
    mirror.bring_trees(base)
    change = identify(workspace.lens, base, head)
    mirror.bring_objects(blobs_needed(workspace.lens, change, before, renamed=False))
    done = workspace.lens.merge_tree(before, head)
    if done.returncode not in {0, 1}:
        mirror.bring_objects(blobs_needed(workspace.lens, change, before))
        done = workspace.lens.merge_tree(before, head)
    if done.returncode not in {0, 1}:
        raise GitError("git could not merge what the group is made of.", "run the job again", code="missing_object")
    return done.stdout.split(b"\0")[0].decode() if done.returncode == 0 else ""


def _tree(workspace: Workspace, commit: str) -> str:
    found = workspace.lens.reader.read(commit)
    return found[1].partition(b"\n")[0].removeprefix(b"tree ").decode("ascii") if found else "?"
