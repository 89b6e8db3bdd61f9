"""Sets a repository up: the policy file, the workflow, the refspec that brings records along, the pre-push hook.

Everything may be done again and changes nothing the second time; what somebody else has written is never touched.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from git_cto.errors import UsageError, typed
from git_cto.gate.policy import POLICY_PATH
from git_cto.ledger.sync import wanted_refspec
from git_cto.repo.git import git_error

if TYPE_CHECKING:
    from git_cto.repo.git import Git
    from git_cto.work.workspace import Workspace

WORKFLOW_PATH = ".github/workflows/cto.yml"
HOOK = "pre-push"
HOOK_LINE = 'git-cto pre-push "$@" || exit 1'
_MARK = "Written by `git cto init --hook`."
_HOOK_TEXT = f"""\
#!/bin/sh
# Asks the gate before a push to the branch that changes are meant for. {_MARK}
if ! command -v git-cto >/dev/null 2>&1; then
    echo "The gate cannot be asked, so nothing is pushed: git-cto is not on the PATH of this hook." >&2
    echo "Next: put git-cto on the PATH ($0 asks for it)" >&2
    exit 1
fi
exec git-cto pre-push "$@"
"""


@dataclass(frozen=True)
class SetUp:
    """What was done or found done, one sentence each, and the paths of the files that are new and not committed."""

    done: tuple[str, ...]
    new: tuple[str, ...]


def set_up(workspace: Workspace, *, hook: bool, workflow: str | None = None) -> SetUp:
    """Writes the policy file and the refspecs, and the hook and the workflow if they are wanted.

    Raises `UsageError` or `GitError`.
    """
    if workspace.place.worktree is None:
        raise UsageError(
            "This repository is bare: there is no worktree to write the policy in.", "git clone it, and init there"
        )
    path = _installable_hook(workspace) if hook else ""  # refused before anything is written
    files = _files(workflow)
    for file in files:
        refuse_links(workspace.place.worktree, file)
    new = [file for file, text in files.items() if _write_new(workspace.place.worktree, file, text)]
    done = [f"{file}: {_WRITTEN[file] if file in new else 'was there, kept'}" for file in files]
    done += [_follow(workspace.git, remote) for remote in remotes(workspace.git)]
    if hook:
        done.append(_install_hook(path))
    return SetUp(tuple(done), tuple(new))


# ---- remotes -------------------------------------------------------------------------------------------------------


def remotes(git: Git) -> list[str]:
    """The names of the remotes that have an address."""
    listed = git.polite("config", "--null", "--name-only", "--get-regexp", r"^remote\..*\.url$").stdout
    keys = listed.decode("utf-8", "surrogateescape").split("\0")
    return list(dict.fromkeys(key.removeprefix("remote.").removesuffix(".url") for key in keys if key))


def default_remote(workspace: Workspace) -> str:
    """The remote that is meant when none is named: origin, or the only one. Raises `UsageError`."""
    found = remotes(workspace.git)
    if "origin" in found or len(found) == 1:
        return "origin" if "origin" in found else found[0]
    if not found:
        raise UsageError("There is no remote to exchange records with.", "git remote add origin URL")
    raise UsageError(
        f"There are {len(found)} remotes and none is called origin: {', '.join(found)}.",
        f"git cto sync {typed(found[0])}",
    )


def follows(git: Git, remote: str) -> bool:
    """Whether a plain `git fetch` brings the records of this remote."""
    configured = git.polite("config", "--null", "--get-all", f"remote.{remote}.fetch").stdout
    return wanted_refspec(remote) in configured.decode("utf-8", "surrogateescape").split("\0")


def _follow(git: Git, remote: str) -> str:
    if follows(git, remote):
        return f"{remote}: git fetch brings its records, as before"
    argv = ("config", "--add", f"remote.{remote}.fetch", wanted_refspec(remote))
    done = git.polite(*argv)
    if done.returncode != 0:
        raise git_error(argv, done.returncode, done.stderr)
    return f"{remote}: git fetch brings its records from now on"


# ---- files of the worktree -----------------------------------------------------------------------------------------

_WRITTEN = {POLICY_PATH: "written, with every key at its default", WORKFLOW_PATH: "written"}


def _files(workflow: str | None) -> dict[str, str]:
    from git_cto.work.policy_file import policy_text  # noqa: PLC0415 -- start-up: the hook needs none of it

    return {POLICY_PATH: policy_text(), **({WORKFLOW_PATH: workflow} if workflow is not None else {})}


def refuse_links(worktree: str, file: str) -> None:
    """No link leads what is written out of the worktree."""
    folder = os.path.dirname(file)
    while folder:
        path = os.path.join(worktree, folder)
        if os.path.islink(path):
            raise UsageError(f"{path} is a link, and nothing is written through it.", f"rm {typed(path)}")
        folder = os.path.dirname(folder)


def _write_new(worktree: str, file: str, text: str) -> bool:
    """Writes a file unless there is one. Whether it did."""
    path = os.path.join(worktree, file)
    if os.path.lexists(path):
        return False
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_whole(path, text, 0o666)
    except OSError as error:
        raise unwritable(path, error) from error
    return True


def write_whole(path: str, text: str, mode: int) -> None:
    """A whole file under its name, or none: it is written under another one, then renamed."""
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with open(os.open(temporary, flags, mode), "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def unwritable(path: str, error: OSError) -> UsageError:
    """What to raise where a file cannot be written."""
    return UsageError(f"{path} cannot be written: {error.strerror}.", f"ls -ld {typed(os.path.dirname(path))}")


# ---- the hook ------------------------------------------------------------------------------------------------------

HookState = Literal["none", "ours", "older", "not executable", "asks", "other"]


def hook_path(git: Git) -> str:
    """Where git looks for the pre-push hook, core.hooksPath included."""
    argv = ("rev-parse", "--path-format=absolute", "--git-path", "hooks")
    done = git.polite(*argv)
    if done.returncode != 0:
        raise git_error(argv, done.returncode, done.stderr)
    return os.path.join(done.stdout.decode("utf-8", "surrogateescape").rstrip("\n"), HOOK)


def hook_state(path: str) -> HookState:
    """What there is at the path of the hook: nothing, ours (as it is now, or of an older git-cto), or another one.

    "asks": it is somebody else's, and asks the gate as well.
    """
    if not os.path.lexists(path):
        return "none"
    try:
        with open(path, "rb") as file:
            text = file.read(1 << 20).decode("utf-8", "replace")
    except OSError:
        return "other"
    if _MARK in text:
        if text != _HOOK_TEXT:
            return "older"
        return "ours" if os.access(path, os.X_OK) else "not executable"
    return "asks" if "git-cto pre-push" in text or "git cto pre-push" in text else "other"


def _installable_hook(workspace: Workspace) -> str:
    """The path of the hook; raises `UsageError` where it is not ours to write."""
    path = hook_path(workspace.git)
    line = f"add the line {HOOK_LINE} to {path}, before it reads its input"
    if hook_state(path) == "other" or (os.path.islink(path) and hook_state(path) != "asks"):
        raise UsageError(f"{path} is somebody else's hook and stays as it is.", line, code="hook_exists")
    scope = workspace.git.polite("config", "--show-scope", "--get", "core.hooksPath").stdout.partition(b"\t")[0]
    if scope in {b"global", b"system"} and hook_state(path) == "none":
        raise UsageError(
            f"The hooks in {os.path.dirname(path)} are those of all your repositories (core.hooksPath).",
            f"git config core.hooksPath {typed(os.path.join(workspace.place.common_dir, 'hooks'))}, and again",
            code="hooks_shared",
        )
    return path


def _install_hook(path: str) -> str:
    state = hook_state(path)
    if state in {"ours", "asks"}:
        return f"{path}: asks the gate, as before"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_whole(path, _HOOK_TEXT, 0o777)
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
    except OSError as error:
        raise unwritable(path, error) from error
    return f"{path}: asks the gate before a push to the branch that changes are meant for"
