"""Merging a task's result into trunk without a checkout: by objects, and by compare-and-swap on trunk's ref."""

from __future__ import annotations

from typing import TYPE_CHECKING

from git_cto.errors import GitError
from git_cto.model import TRUNK
from git_cto.redaction import without_secrets
from git_cto.repo.change import conflict_paths
from git_cto.repo.git import git_error
from git_cto.repo.runs import trunk_ref
from git_cto.work.limiting import limited

if TYPE_CHECKING:
    from git_cto.repo.git import Git
    from git_cto.work.workspace import Workspace


def merge_into_trunk(
    workspace: Workspace, run: str, task: str, trunk: str, result: str, *, patience: float
) -> str | tuple[str, ...]:
    """Trunk's new commit, or the paths in conflict; nothing has moved then.

    `trunk` is where trunk has to stand: somebody who moved it meanwhile makes this a `GitError`. The merge commit is
    the user's: their identity, and signed where they sign commits. `patience` is how many seconds a merge driver and a
    signer may take.
    """
    message = f"Merge {task} into {TRUNK} of {run}"
    environ = without_secrets(workspace.environ)  # merge drivers and signers may be anybody's
    with limited(workspace.place, environ, patience, f"The merge of {task}") as git:
        commit = _merge_commit(git, message, trunk, result)
    if isinstance(commit, tuple) or commit == trunk:
        return commit
    moved = workspace.git.attempt(
        "update-ref", "--no-deref", "-m", f"git cto: {message}", trunk_ref(run), commit, trunk
    )
    if moved.returncode != 0:
        raise GitError(
            f"cto/{run}/{TRUNK} was moved by somebody else meanwhile; the result of {task} is on its own branch.",
            f"git cto run --resume {run}",
        )
    return commit


def _merge_commit(git: Git, message: str, trunk: str, result: str) -> str | tuple[str, ...]:
    """A commit that merges a result into trunk (trunk itself, where it has it already), or the paths in conflict."""
    if git.is_ancestor(result, trunk):
        return trunk
    merged = git.attempt("merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", trunk, result)
    if merged.returncode == 1:
        return conflict_paths(merged.stdout)
    if merged.returncode != 0:
        raise git_error(("merge-tree",), merged.returncode, merged.stderr)
    tree = merged.stdout.split(b"\0", 1)[0].decode().strip()
    sign = ("-S",) if git.config("commit.gpgsign") in {"true", "yes", "on", "1"} else ()
    made = git.polite("commit-tree", *sign, "-p", trunk, "-p", result, "-m", message, tree)
    if made.returncode != 0:
        raise git_error(("commit-tree",), made.returncode, made.stderr)
    return made.stdout.decode().strip()
