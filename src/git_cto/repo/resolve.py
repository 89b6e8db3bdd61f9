"""Names to commits: what the user calls a head or a target, resolved once per command to full refs and object ids.

Full ref names are tried before git's own guesses, so that a tag or an odd branch name cannot stand in for a branch.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from git_cto.errors import UsageError, typed
from git_cto.model import Target

if TYPE_CHECKING:
    from git_cto.repo.git import Git
    from git_cto.repo.objects import Objects

HEADS, REMOTES, TAGS = "refs/heads/", "refs/remotes/", "refs/tags/"
_USUAL = ("main", "master")
_HEX = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)


class Head(Struct, frozen=True):
    """What is judged: a commit, and the branch it is the tip of (a full ref; None for any other commit)."""

    commit: str
    ref: str | None

    @property
    def name(self) -> str:
        """The branch's short name, else the short commit id."""
        return self.ref.removeprefix(HEADS) if self.ref else self.commit[:12]


def resolve_head(git: Git, name: str | None, objects: Objects) -> Head:
    """The commit that `name` (default: HEAD) means. Raises `UsageError` where it means none."""
    if name is None or name in {"HEAD", "@"}:
        ref = git.head_ref()  # meanwhile the reader of objects has started
        found = objects.info("HEAD^{commit}")
        if found is None:
            raise UsageError("There is no commit here yet.", "git add -A && git commit")
        return Head(found.oid, ref)
    for ref in _candidates(name):
        commit = git.commit_of(ref)
        if commit is None:
            continue
        if _HEX.fullmatch(name) and git.commit_of(name) not in {None, commit}:
            raise UsageError(f"{name[:12]}... is both a commit and a branch or tag.", f"say {ref} if you mean that one")
        return Head(commit, ref if ref.startswith(HEADS) else None)
    commit = git.commit_of(name)
    if commit is None:
        raise UsageError(f"{name!r} names no commit here.", "git branch --all, or git log, to see what does")
    return Head(commit, None)


def _candidates(name: str) -> tuple[str, ...]:
    return (name,) if name.startswith("refs/") else (HEADS + name, TAGS + name, REMOTES + name)


def resolve_target(git: Git, name: str | None, configured: str | None) -> Target:
    """The branch a change is meant for, and the commit it stands at.

    `name` is the user's --base, `configured` the value of `cto.base`; else the remote's default branch, `main` or
    `master`. Where one of them names a remote, the commit is that of its remote-tracking branch and no other. Else it
    is origin's where there is one, then the only remote's that has the branch, then the local branch's. Which of
    several remotes is meant is never guessed.
    """
    remote, branch, found = _meant(git, name, configured)
    found = found or git.refs(HEADS + branch, f"{REMOTES}*/{branch}")
    at = f"{REMOTES}{remote}/{branch}" if remote else _found_at(git, branch, found)
    if remote and at not in found:  # a remote whose name has slashes
        found = git.refs(at)
    if at not in found:
        where = " (git config cto.base)" if configured and name is None else ""
        which = f"{remote}/{branch}" if remote else branch
        raise UsageError(f"There is no branch {which!r} to compare with{where}.", "name it with --base, or git fetch")
    guessed = name is None and configured is None and branch not in _USUAL
    return Target(ref=HEADS + branch, commit=found[at], found_at=at, guessed=guessed)


def target_ref(git: Git, name: str | None, configured: str | None) -> str:
    """The full ref of the branch a change is meant for, whether or not it is known here where it stands."""
    return HEADS + _meant(git, name, configured)[1]


def _meant(git: Git, name: str | None, configured: str | None) -> tuple[str, str, dict[str, str]]:
    """The remote ("" where none is named) and the branch that are meant, and the refs found by the way, if any."""
    if name is None and configured is None:
        return ("", *_default_branch(git))
    if name is None or configured is None:
        return *_named(git, name or configured or ""), {}
    remote, branch = _named(git, name)
    if not remote and configured.endswith("/" + branch):
        usual = _named(git, configured)  # whose main is meant was said once and for all
        remote = usual[0] if usual[1] == branch else ""
    return remote, branch, {}


def _found_at(git: Git, branch: str, found: dict[str, str]) -> str:
    """The ref that tells where a branch stands of which no remote is named."""
    of = {ref.split("/", 3)[2]: ref for ref in found if ref.startswith(REMOTES) and ref.split("/", 3)[3:] == [branch]}
    if "origin" in of:
        return of["origin"]
    if len(of) > 1:
        tracked = git.config(f"branch.{branch}.remote")
        if tracked in of:
            return of[tracked]
        raise UsageError(
            f"Several remotes have a branch {branch!r}: {', '.join(sorted(of))}.",
            "say whose is meant: " + " or ".join(f"--base {typed(f'{one}/{branch}')}" for one in sorted(of)),
        )
    return next(iter(of.values()), HEADS + branch)


def _named(git: Git, said: str) -> tuple[str, str]:
    """Remote ("" where none is named) and branch in `main`, `refs/heads/main`, `up/main` or `refs/remotes/up/main`."""
    if said.startswith(HEADS):
        return "", said.removeprefix(HEADS)
    if said.startswith(REMOTES):
        return _split(git, said.removeprefix(REMOTES))
    if said.startswith(("refs/", "-")) or not said.strip():
        raise UsageError(f"{said!r} is no branch.", "name a branch, e.g. --base main")
    if "/" not in said:
        return "", said
    found = git.refs(HEADS + said, REMOTES + said)
    if HEADS + said in found:
        return "", said
    if REMOTES + said in found or any(said.startswith(remote + "/") for remote in _remotes(git)):
        return _split(git, said)  # never another remote's branch that is called like that
    return "", said


def _split(git: Git, said: str) -> tuple[str, str]:
    """Remote and branch in `up/main`; the name of a remote may have slashes itself."""
    known = [remote for remote in _remotes(git) if said.startswith(remote + "/")] if said.count("/") > 1 else []
    remote = max(known, key=len, default=said.partition("/")[0])
    return remote, said[len(remote) + 1 :]


def _remotes(git: Git) -> set[str]:
    """The names of the configured remotes."""
    return {key.removeprefix("remote.").rpartition(".")[0] for key in git.configs("remote.")} - {""}


def _default_branch(git: Git) -> tuple[str, dict[str, str]]:
    """The branch that the repository suggests, and the refs found by the way where they tell what it stands at."""
    listed = git.refs_and_links(
        f"{REMOTES}origin/HEAD", *(place + name for name in _USUAL for place in (HEADS, f"{REMOTES}*/"))
    )
    found = {ref: oid for ref, (oid, _) in listed.items()}
    link = listed.get(f"{REMOTES}origin/HEAD", ("", ""))[1]
    if link:
        branch = link.removeprefix(f"{REMOTES}origin/")
        return branch, found if branch in _USUAL else {}
    names = [f"{place}{name}" for name in _USUAL for place in (HEADS, f"{REMOTES}origin/")]
    chosen = next((ref for ref in names if ref in found), None)
    if chosen is None and not found and git.commit_of("HEAD") is None:
        raise UsageError("There is no commit here yet.", "git add -A && git commit")
    if chosen is None:
        raise UsageError(
            "Which branch the change is meant for is not clear: there is no main or master.",
            "name it with --base, or once and for all: git config cto.base BRANCH",
        )
    return chosen.rsplit("/", 1)[-1], found
