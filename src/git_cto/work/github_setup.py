"""What `git cto init --github` decides for a repository: which action at which commit, which check on which branch.

Asks nobody: all of it is read from the repository and from how git-cto was installed.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

from msgspec import Struct

from git_cto import RELEASE, __version__
from git_cto.errors import CtoError, UsageError, typed
from git_cto.forge.address import GITHUB, Address, read_address
from git_cto.render.workflow import WorkflowChoices, workflow_text
from git_cto.repo.resolve import HEADS
from git_cto.work.protecting import Protection, protection
from git_cto.work.setting_up import WORKFLOW_PATH, default_remote

if TYPE_CHECKING:
    from git_cto.work.workspace import Workspace

_USES = re.compile(r"(\./[\w./-]*|[\w.-]+/[\w./-]+@[\w./-]+)", re.ASCII)
_COMMIT = re.compile(r".*@[0-9a-f]{40}", re.ASCII)
_APP = re.compile(r"""^ *app-id: *["']?(\d{1,18})\b""", re.MULTILINE | re.ASCII)
_LARGEST_WORKFLOW = 1 << 20  # bytes that are looked at
_WAIVER = "# zizmor: ignore[unpinned-uses] -- a tag; `git cto init --github --uses` takes a commit"


class GithubSetUp(Struct, frozen=True, kw_only=True):
    """The workflow to write, and what makes its check required."""

    workflow: str
    protection: Protection
    address: Address | None  # of the repository; None where its remote names none


def github_set_up(workspace: Workspace, *, app: int | None = None, uses: str | None = None) -> GithubSetUp:
    """What to set up for this repository. Raises `UsageError` where `uses` is no action.

    `app` is the id of a GitHub App that is to report the check; `uses` names the action, else it is our own release.
    """
    address = address_of(workspace)
    return GithubSetUp(
        workflow=workflow_text(
            WorkflowChoices(
                uses=_checked(uses) if uses is not None else _own(address),
                app=app,
                enterprise=address is not None and address.enterprise_server,
            )
        ),
        protection=protection(_target(workspace), address, app),
        address=address,
    )


def against_kept(workspace: Workspace, *, app: int | None, uses: str | None) -> tuple[str, str]:
    """Why the workflow that is there, and stays, does not go with these choices, and what to type; "" twice if it does.

    A ruleset that waits for the check of an App which no workflow reports would wait for ever.
    """
    try:
        with open(os.path.join(workspace.place.worktree or "", WORKFLOW_PATH), "rb") as file:
            text = file.read(_LARGEST_WORKFLOW).decode("utf-8", "replace")
    except OSError:
        return "", ""
    again = f"rm {WORKFLOW_PATH}, then git cto init --github{options(app, uses)}"
    found = _APP.search(text)
    there = int(found[1]) if found else None
    if there != app and (found or "create-github-app-token" not in text):  # else nobody knows which App it is
        reports = f"your App {there}" if there is not None else "GitHub Actions"
        waits = f"your App {app}" if app is not None else "GitHub Actions"
        step = again if app is not None else f"git cto init --github{options(there, uses)}"
        which = f"{WORKFLOW_PATH} reports as {reports}, and this ruleset waits for {waits}"
        return f"{which}: no merge would be possible.", step
    if uses is not None and f"uses: {uses}" not in text:
        return f"{WORKFLOW_PATH} uses another action than {uses}.", again
    return "", ""


def options(app: int | None, uses: str | None) -> str:
    """The options that say the same choices again, for a command to type."""
    return (f" --app-id {app}" if app is not None else "") + (f" --uses {typed(uses)}" if uses is not None else "")


def _target(workspace: Workspace) -> str:
    """The short name of the branch that changes are meant for; before the first commit, of the one that is to be."""
    try:
        return workspace.target(None).name
    except UsageError:
        ref = workspace.git.head_ref()
        if ref is None:
            raise
        return ref.removeprefix(HEADS)


def address_of(workspace: Workspace) -> Address | None:
    """Where on GitHub the repository is, by the remote that is meant; None where no remote names a place."""
    try:
        remote = default_remote(workspace)
    except CtoError:
        return None
    url = workspace.git.polite("remote", "get-url", remote).stdout.decode("utf-8", "replace")
    return read_address(url.rstrip("\n"))


def _checked(uses: str) -> str:
    if not _USES.fullmatch(uses):
        raise UsageError(f"{uses!r} names no action.", f"--uses {RELEASE}, or a commit in the place of the tag")
    return uses if _COMMIT.fullmatch(uses) or uses.startswith("./") else f"{uses} {_WAIVER}"


def _own(address: Address | None) -> str:
    """The action of this very git-cto: by its commit where pip knows it (PEP 610), else by the tag of its version."""
    from importlib.metadata import Distribution, PackageNotFoundError  # noqa: PLC0415 -- start-up

    try:
        told = json.loads(Distribution.from_name("git-cto").read_text("direct_url.json") or "{}")
        commit, url = told["vcs_info"]["commit_id"], told["url"]
    except (PackageNotFoundError, ValueError, LookupError, TypeError):
        return f"{RELEASE} {_WAIVER}"
    where = read_address(url) if isinstance(url, str) else None
    reachable = where is not None and where.host in {GITHUB, address.host if address else GITHUB}
    if where is None or not reachable or not _COMMIT.fullmatch(f"@{commit}"):
        return f"{RELEASE} {_WAIVER}"
    return f"{where.slug}@{commit} # v{__version__}"
