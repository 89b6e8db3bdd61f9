"""A pull request at hand: fetched into a repository of our own, looked up in the ledger, with what acts on it.

Everything is resolved once, here. What is made of it is left to `review`, `gate` and `slash`.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from git_cto.agents.codex_config import toml_value
from git_cto.errors import ToolError
from git_cto.gate.policy import GUIDELINES, POLICY_PATH
from git_cto.ledger.signers import REVOKED_PATH, SIGNERS_PATH
from git_cto.ledger.sync import sync
from git_cto.model import PlanRecord, Series, Target
from git_cto.repo.mirror import REMOTE, Mirror
from git_cto.repo.resolve import Head
from git_cto.repo.runs import runs_named
from git_cto.work.surveying import survey
from git_cto.work.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from git_cto.action.inputs import Inputs, Job
    from git_cto.forge.hub import Hub
    from git_cto.forge.values import Pull
    from git_cto.work.surveying import Survey

TRUSTED_FILES = (POLICY_PATH, SIGNERS_PATH, REVOKED_PATH, *GUIDELINES)
_PROVIDER = "git-cto-endpoint"
_READS = 3  # of a pull request whose branches move while they are fetched


@dataclass(frozen=True, kw_only=True)
class Means:
    """What a job works with: where it is, what it was given, the forge, and variables for what it starts."""

    job: Job
    inputs: Inputs
    hub: Hub
    environ: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One pull request, and all that git and the ledger know of it. `notes` are for people."""

    means: Means
    pull: Pull
    mirror: Mirror
    workspace: Workspace
    found: Survey
    notes: tuple[str, ...] = ()

    def again(self) -> Scene:
        """The same scene with what was recorded since."""
        found = self.found
        fresh = survey(
            self.workspace, head=found.head, base=None, run=found.run, target=found.target, series=found.series
        )
        return replace(self, found=fresh)


@contextmanager
def working_environment(job: Job, inputs: Inputs, environ: Mapping[str, str], login: str) -> Iterator[dict[str, str]]:
    """The variables of everything that the job starts: nobody's git or Codex settings, our own name, our own keys.

    Secrets stay in it under names that say so, for what must be kept out of texts is known by them.
    """
    host = job.server.partition("://")[2]
    strange = ("GIT_", "CODEX_", "OPENAI_", "ANTHROPIC_API_KEY")
    kept = {name: value for name, value in environ.items() if not name.startswith(strange)}
    own = {
        "CI": "true",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        **{f"GIT_{who}_NAME": login for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": f"{login}@users.noreply.{host}" for who in ("AUTHOR", "COMMITTER")},
    }
    keys = {
        "OPENAI_API_KEY": inputs.openai_api_key,
        "ANTHROPIC_API_KEY": inputs.anthropic_api_key,
        "GIT_CTO_SIGNING_KEY": inputs.signing_key,
    }
    given = {name: value for name, value in keys.items() if value}
    with _folder(job) as home:
        _configure_codex(home, inputs)
        yield {**kept, **own, **given, "CODEX_HOME": home}


def _folder(job: Job) -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="git-cto-", dir=job.temp, ignore_cleanup_errors=True)


def _configure_codex(home: str, inputs: Inputs) -> None:
    """A Codex that knows where the model is, and nothing else."""
    if not inputs.endpoint:
        return
    provider = {
        "name": "responses-api-endpoint",
        "base_url": inputs.endpoint,
        "env_key": "OPENAI_API_KEY",
        "wire_api": "responses",
        "supports_websockets": False,
        **({"query_params": {"api-version": inputs.api_version}} if inputs.api_version else {}),
    }
    with open(os.path.join(home, "config.toml"), "w", encoding="utf-8") as file:
        file.write(f"model_provider = {toml_value(_PROVIDER)}\n")
        file.write(f"model_providers = {toml_value({_PROVIDER: provider})}\n")


@contextmanager
def repository(means: Means, *, worktree: bool = False) -> Iterator[Mirror]:
    """An empty repository of our own beside the remote one; with its ledger, and gone at the end."""
    job = means.job
    url = f"{job.server}/{job.repository}.git"
    with ExitStack() as stack:
        folder = stack.enter_context(_folder(job))
        mirror = Mirror(folder, url, token=means.inputs.github_token, environ=means.environ, worktree=worktree)
        stack.enter_context(mirror)
        sync(mirror.git, REMOTE, prompt=False)
        yield mirror


@contextmanager
def workspace_of(means: Means, mirror: Mirror) -> Iterator[Workspace]:
    """The workspace of a repository of ours. It never talks to the remote."""
    os.makedirs(means.job.record, exist_ok=True)
    where = {"GIT_DIR": mirror.path} if mirror.git.place.worktree is None else {}
    with Workspace(mirror.path, {**means.environ, **where}, artifacts=means.job.record) as workspace:
        yield workspace


@contextmanager
def scene_of(means: Means, number: int, pull: Pull | None = None) -> Iterator[Scene]:
    """The scene of a pull request. Raises `CtoError` where it cannot be put together."""
    with repository(means) as mirror:
        pull, tip = _fetched(means, mirror, number, pull)
        mirror.bring(tip, pull.head_sha, TRUSTED_FILES)
        target = target_at(pull.base_ref, tip)
        with workspace_of(means, mirror) as workspace:
            found, notes = looked_up(means, workspace, pull, target)
            mirror.bring_files(tip, found.policy.review.context)
            yield Scene(means=means, pull=pull, mirror=mirror, workspace=workspace, found=found, notes=notes)


def target_at(ref: str, commit: str) -> Target:
    """The branch that something is meant for, as it was fetched."""
    return Target(ref=ref, commit=commit, found_at=_tracked(ref))


def fetch_branch(mirror: Mirror, ref: str, *, whole: bool = False) -> str:
    """Where a branch of the remote stands."""
    return mirror.fetch({ref: _tracked(ref)}, whole=whole)[0]


def _tracked(ref: str) -> str:
    return f"refs/remotes/{REMOTE}/{ref.removeprefix('refs/heads/')}"


def _fetched(means: Means, mirror: Mirror, number: int, pull: Pull | None) -> tuple[Pull, str]:
    """The pull request and where its target stands: what the forge says of its head is what was fetched."""
    for _ in range(_READS):
        pull = pull or means.hub.pull(number)
        theirs = f"refs/pull/{number}/head"
        tip, head = mirror.fetch({pull.base_ref: _tracked(pull.base_ref), theirs: theirs})
        if head == pull.head_sha:
            return pull, tip
        pull = None
    raise ToolError(f"Pull request #{number} keeps moving.", "/cto review, once it rests", code="overtaken")


def looked_up(means: Means, workspace: Workspace, pull: Pull, target: Target) -> tuple[Survey, tuple[str, ...]]:
    """What git and the ledger know of a pull request, and what is odd about the plan that it names."""
    job = means.job
    series = Series(name=f"pull/{job.server.partition('://')[2]}/{job.repository}/{pull.number}", target=target.ref)
    named = runs_named(workspace.lens, target.commit, pull.head_sha)
    planned = [run for run in named if has_plan(workspace, run, target)]
    run = planned[0] if len(planned) == 1 else None
    notes: tuple[str, ...] = ()
    if len(planned) > 1:
        notes = (f"Its commits name several runs ({', '.join(planned[:3])}), so it was looked at without a plan.",)
    elif named and not planned:
        notes = (f"Its commits name the run {named[0]}, but there is no plan of it here that is signed.",)
    head = Head(pull.head_sha, None)
    return survey(workspace, head=head, base=None, run=run, target=target, series=series), notes


def has_plan(workspace: Workspace, run: str, target: Target) -> bool:
    """Whether the ledger has a plan of a run for this target that is trusted. Trailers alone are a claim."""
    records = workspace.ledger.find(series=f"run/{run}", objects=workspace.objects)
    plans = [
        one
        for one in records
        if isinstance(one.body, PlanRecord) and (one.body.run, one.body.target) == (run, target.ref)
    ]
    return any(one.trusted for one in workspace.trusting(plans, target))


def still_there(scene: Scene) -> bool:
    """Whether the pull request still is what was looked at: the same head, for the same target, and open."""
    now, then = scene.means.hub.pull(scene.pull.number), scene.pull
    return (now.head_sha, now.base_ref, now.closed) == (then.head_sha, then.base_ref, then.closed)
