"""Sets signing up: from now on records are signed here, and the list of signers in the worktree has one's own key.

The list counts once it is committed to the target. Done again it changes nothing.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from msgspec import Struct

from git_cto.errors import UsageError, typed
from git_cto.gate.policy import POLICY_PATH, read_policy
from git_cto.ledger.signers import LARGEST_LIST, SIGNERS_PATH, read_signers
from git_cto.ledger.sshsig import NAMESPACE, fingerprint, key_words
from git_cto.repo.git import git_error
from git_cto.work.setting_up import refuse_links, unwritable, write_whole

if TYPE_CHECKING:
    from git_cto.work.workspace import Workspace

_HEAD = """\
# Who may sign records of git-cto. It is read from the tip of the branch that a change is meant for: what stands here
# counts once it is committed there. A line: name, namespaces="git-cto.verdict.v1", public key.
"""


class SigningSetUp(Struct, frozen=True):
    """What was done or found done, one sentence each, and whether the list of signers has a new line."""

    done: tuple[str, ...]
    listed: bool


class SigningPlan(Struct, frozen=True):
    """What is to be done once everything else can be: `text` is the new list, "" where it stays as it is."""

    key: str
    who: str
    path: str
    text: str


def plan_signing(workspace: Workspace) -> SigningPlan:
    """Looks whether signing works and what has to be written. Raises `UsageError` before anything is."""
    worktree = workspace.place.worktree
    if worktree is None:
        raise UsageError(
            "This repository is bare: there is no worktree to write the signers in.", "git clone it, and init there"
        )
    public_key = workspace.signing.try_it().public_key
    who = workspace.actor(known=True).email
    line = f'{who} namespaces="{NAMESPACE}" {key_words(public_key)}\n'
    if not read_signers(line.encode(), None).allowed:
        raise UsageError(
            f"{who!r} cannot stand in a list of signers: no spaces, no wildcards.", "git config user.email EMAIL"
        )
    refuse_links(worktree, SIGNERS_PATH)
    path = os.path.join(worktree, SIGNERS_PATH)
    before = _read(path)
    known = read_signers(before, None)
    if known.fault:
        raise UsageError(known.fault, f"mend {typed(path)}")
    text = "" if who in known.names(public_key) else _extended(before, line)
    return SigningPlan(fingerprint(public_key), who, path, text)


def _read(path: str) -> bytes | None:
    """What there is, None for nothing. Raises `UsageError` for what is no file."""
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise UsageError(f"{path} is no ordinary file.", f"ls -l {typed(path)}")
        with open(path, "rb") as file:
            return file.read(LARGEST_LIST + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", f"ls -l {typed(path)}") from error


def _extended(before: bytes | None, line: str) -> str:
    if before is None:
        return _HEAD + line
    text = before.decode("utf-8")
    return text + ("" if text.endswith("\n") or not text else "\n") + line


def set_signing_up(workspace: Workspace, plan: SigningPlan) -> SigningSetUp:
    """Turns signing on in this repository, and writes the list of signers."""
    argv = ("config", "cto.sign", "true")
    done = workspace.git.polite(*argv)
    if done.returncode != 0:
        raise git_error(argv, done.returncode, done.stderr)
    if plan.text:
        try:
            os.makedirs(os.path.dirname(plan.path), exist_ok=True)
            write_whole(plan.path, plan.text, 0o666)
        except OSError as error:
            raise unwritable(plan.path, error) from error
    listed = "written" if plan.text else "was there, kept"
    done_now = (
        f"records are signed here with {plan.key} (cto.sign)",
        f"{SIGNERS_PATH}: the line of {plan.who}: {listed}",
        *_still_local(workspace),
    )
    return SigningSetUp(done_now, bool(plan.text))


def _still_local(workspace: Workspace) -> tuple[str, ...]:
    """That signatures are made and not asked for, where the policy of the worktree says so, and how it asks for them.

    That is for a human to decide, once everybody's line is on the list.
    """
    try:
        policy = read_policy(_text(os.path.join(workspace.place.worktree or "", POLICY_PATH)), POLICY_PATH)
    except UsageError:
        return ()  # which doctor tells
    if policy.gate.trust == "signed":
        return ()
    return (f'{POLICY_PATH}: unsigned records count as well, until it says trust = "signed" below [gate], without a #',)


def _text(path: str) -> str | None:
    found = _read(path)
    return None if found is None else found.decode("utf-8", "replace")
