"""What `git cto doctor` checks of a repository: who works in it, what its target says, its ledger, refspecs and hook.

Looks only, changes nothing, asks no network. How a check is told is `checking`'s business.
"""

from __future__ import annotations

import os
import time
from functools import partial
from typing import TYPE_CHECKING

from git_cto.agents import process
from git_cto.errors import PolicyError, typed
from git_cto.gate.policy import POLICY_PATH, read_policy
from git_cto.ledger.artifacts import FOLDER, ArtifactsError, main_worktree
from git_cto.ledger.notes import READABLE_REF, RECORDS_REF, SHADOW_REF, Notes
from git_cto.ledger.records import decode
from git_cto.ledger.signers import REVOKED_PATH, SIGNERS_PATH
from git_cto.ledger.sync import dangerous_refspecs, wanted_refspec
from git_cto.ledger.tree import Lines
from git_cto.render.words import counted
from git_cto.repo.resolve import HEADS, REMOTES
from git_cto.work.checking import Check, ok, told
from git_cto.work.checking_signing import check_signing
from git_cto.work.setting_up import follows, hook_path, hook_state, remotes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from git_cto.model import Target
    from git_cto.work.workspace import Workspace

_HELD_SECONDS = 60.0  # no healthy git holds a lock for as long, unless an editor is open


def check_repository(workspace: Workspace) -> Iterator[Check]:
    """Everything about the repository that the command was called in."""
    looks = {
        "repository": _repository,
        "identity": _identity,
        "settings": _settings,
        "policy": _policy,
        "signing": check_signing,
        "branches": _branches,
        "ledger": _ledger,
        "locks": _locks,
        "remotes": _remotes,
        "hook": _hook,
        "artifacts": _artifacts,
    }
    for name, look in looks.items():
        yield from told(name, partial(look, workspace))


def _repository(workspace: Workspace) -> Iterator[Check]:
    place = workspace.place
    if place.shallow:
        message = "This clone is shallow: what a change is cannot always be said here."
        yield Check("repository", "warning", message, "git fetch --unshallow")
    else:
        yield ok("repository", place.worktree or f"{place.git_dir}, bare")


def _identity(workspace: Workspace) -> Iterator[Check]:
    actor = workspace.actor(known=True)
    yield ok("identity", f"{actor.name} <{actor.email}>")


def _settings(workspace: Workspace) -> Iterator[Check]:
    said = workspace.settings.values
    if said:
        yield ok("settings", ", ".join(f"{name} = {value}" for name, value in said.items()))


def _policy(workspace: Workspace) -> Iterator[Check]:
    target = workspace.target(None)
    if workspace.policy(target).gate.trust == "signed" and workspace.signing.wanted == "no":
        message = "Only signed records count, and what is recorded on this machine is not signed."
        yield Check("policy", "warning", message, "git cto init --signing, or let CI review and ask")
    there = workspace.text_at(target.commit, POLICY_PATH) is not None
    if there:
        yield ok("policy", f"{target.name}:{POLICY_PATH}, read at {target.found_at}")
    unpushed = _unpushed(workspace, target)
    if unpushed:
        yield unpushed
    if there or unpushed:
        return
    draft = os.path.join(workspace.place.worktree or "", POLICY_PATH)
    if workspace.place.worktree is None or not os.path.isfile(draft):
        yield ok("policy", f"{target.name} has none: the defaults apply (git cto init writes one)")
        return
    yield from _draft(draft, target.name)


def _unpushed(workspace: Workspace, target: Target) -> Check | None:
    """What the target's branch here has of the policy and the signers, and the remote that counts has not yet."""
    git, here = workspace.git, f"{HEADS}{target.name}"
    commit = git.read_ref(here) if target.found_at.startswith(REMOTES) else None
    if commit is None or commit == target.commit or not git.is_ancestor(target.commit, commit):
        return None
    entry = workspace.lens.reader.entry
    files = (POLICY_PATH, SIGNERS_PATH, REVOKED_PATH)
    new = [file for file in files if entry(commit, file) != entry(target.commit, file)]
    if not new:
        return None
    there = target.found_at.removeprefix(REMOTES)
    message = f"{', '.join(new)} of {target.name} here: not on {there} yet, which is what counts."
    remote = there.removesuffix(f"/{target.name}")
    return Check("policy", "warning", message, f"git push {typed(remote)} {typed(target.name)}, or a pull request")


def _draft(path: str, target: str) -> Iterator[Check]:
    """The policy in the worktree, where the target has none yet."""
    try:
        with open(path, encoding="utf-8") as file:
            read_policy(file.read(), path)
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path} cannot be read: {error}.", f"ls -l {typed(path)}") from error
    message = f"{POLICY_PATH} is not on {target} yet: until it is, the defaults apply."
    yield Check("policy", "warning", message, f"git add {POLICY_PATH} && git commit, on {typed(target)}")


def _branches(workspace: Workspace) -> Iterator[Check]:
    if workspace.git.read_ref(f"{HEADS}cto"):
        message = "A branch is called cto, so git can make none below cto/, where those of runs are."
        yield Check("branches", "problem", message, "git branch -m cto another-name")


# ---- the ledger ----------------------------------------------------------------------------------------------------


def _ledger(workspace: Workspace) -> Iterator[Check]:
    total = unreadable = 0
    for line in workspace.ledger.lines():
        total += 1
        unreadable += decode(line) is None
    if unreadable:
        message = (
            f"{counted(unreadable, 'line')} of {total:,} cannot be read as records; they stay, and the others count."
        )
        yield Check("ledger", "warning", message, "git notes --ref=cto-records list, or a newer git-cto")
    lost = list(_forced_back(workspace))
    if not unreadable and (total or not lost):
        yield ok("ledger", counted(total, "record") if total else "no records yet")
    yield from lost


def _forced_back(workspace: Workspace) -> Iterator[Check]:
    git = workspace.git
    notes, shadow = (git.refs(ref).get(ref) for ref in (RECORDS_REF, SHADOW_REF))
    lost = Notes(git, SHADOW_REF).missing_in(notes) if shadow else Lines()
    if not lost or shadow is None:
        return
    whole = notes is None or git.is_ancestor(notes, shadow)
    unite = "git cto sync" if remotes(git) else "git cto review: whatever is recorded next brings them back"
    restore = f"git update-ref {RECORDS_REF} {SHADOW_REF}" if whole else unite
    number, what = (lost.records, "record") if lost.records else (lost.signatures, "signature")
    are = "is" if number == 1 else "are"
    message = (
        f"{counted(number, what)} {are} missing from {RECORDS_REF}: somebody moved it. {SHADOW_REF} still has them."
    )
    yield Check("ledger", "problem", message, restore)


def _locks(workspace: Workspace) -> Iterator[Check]:
    place = workspace.place
    shared = (RECORDS_REF, SHADOW_REF, READABLE_REF, "packed-refs", "config")
    files = [os.path.join(place.common_dir, name) for name in shared]
    files += [os.path.join(place.git_dir, name) for name in ("HEAD", "index")]
    for lock in (f"{file}.lock" for file in files):
        try:
            age = time.time() - os.lstat(lock).st_mtime
        except OSError:
            continue
        if age > _HELD_SECONDS:
            message = f"{lock} has been there for {age / 60:,.0f} minutes: git waits for whoever made it."
            yield Check("locks", "problem", message, f"if no git is at work here, it crashed: rm {typed(lock)}")


# ---- remotes, hook, artifacts --------------------------------------------------------------------------------------


def _remotes(workspace: Workspace) -> Iterator[Check]:
    git = workspace.git
    dangerous = dangerous_refspecs(git)
    for entry in dangerous:
        key, _, refspec = entry.rpartition(" ")
        message = f"{key} {refspec} lets git fetch write over records."
        remove = f"git config --fixed-value --unset-all {typed(key)} {typed(refspec)}"
        yield Check("remotes", "problem", message, remove)
    found = remotes(git)
    for remote in found:
        if not follows(git, remote):
            by_hand = f"git config --add {typed(f'remote.{remote}.fetch')} {typed(wanted_refspec(remote))}"
            add = by_hand if workspace.place.worktree is None else "git cto init"  # which refuses to work in a bare one
            yield Check("remotes", "warning", f"git fetch does not bring the records of {remote}.", add)
        elif not dangerous:
            yield ok("remotes", f"git fetch brings the records of {remote}, git cto sync exchanges them")
    if not found:
        yield ok("remotes", "none: the records stay here")


def _hook(workspace: Workspace) -> Iterator[Check]:
    path = hook_path(workspace.git)
    state = hook_state(path)
    if state in {"none", "other"}:
        yield ok("hook", "no push is asked about (git cto init --hook)")
        return
    if not os.access(path, os.X_OK):
        message = f"{path} cannot be executed, so git passes over it."
        yield Check("hook", "problem", message, f"chmod +x {typed(path)}")
        return
    try:
        process.find_program("git-cto", workspace.environ)
    except process.ProgramNotFoundError:
        message = "The pre-push hook needs git-cto on the PATH, and it is not on this one: it will stop every push."
        yield Check("hook", "problem", message, "put the folder of git-cto on the PATH")
        return
    if state == "older":
        yield Check("hook", "warning", f"{path} was written by another git-cto, or changed.", "git cto init --hook")
    else:
        yield ok("hook", f"a push to the target asks the gate ({path})")


def _artifacts(workspace: Workspace) -> Iterator[Check]:
    try:
        folder = os.path.join(main_worktree(workspace.git), FOLDER)
    except ArtifactsError:
        return  # bare
    if os.path.islink(folder) or (os.path.lexists(folder) and not os.path.isdir(folder)):
        what = "a link" if os.path.islink(folder) else "no folder"
        message = f"{folder} is {what}: prompts and answers are not kept."
        yield Check("artifacts", "warning", message, f"rm {typed(folder)}")
