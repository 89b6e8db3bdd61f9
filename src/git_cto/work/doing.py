"""One task, done in a worktree of its own, up to its result commit on the task's branch.

What was said of the work is compared with what git sees, and both are kept. Of work that is not taken a patch stays
beside the ledger, for a human to find. Merging into trunk is `merging`'s business.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from git_cto.agents.base import OnActivity
from git_cto.agents.executor import Work
from git_cto.errors import CtoError, GitError, some
from git_cto.ledger.artifacts import Slot
from git_cto.model import ResultOutcome, Task, TaskResult
from git_cto.redaction import printable, redacted, secret_values, without_secrets
from git_cto.repo import worktrees
from git_cto.repo.change import submodules
from git_cto.repo.git import git_error
from git_cto.repo.repository import Repository
from git_cto.repo.runs import results, task_ref
from git_cto.work.acting import COMMANDS, Act, Doing, Hints, act
from git_cto.work.keeping import reserve
from git_cto.work.limiting import limited

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from git_cto.repo.git import Git
    from git_cto.work.runs import Run, TaskView
    from git_cto.work.workspace import Workspace

_LARGEST_PATCH = 64 << 20  # bytes


@dataclass(frozen=True, kw_only=True)
class Result:
    """A task with its result commit. `seen` is what git saw beside what was said; `work` what an executor reported."""

    task: str
    outcome: ResultOutcome
    summary: str
    commit: str
    seen: tuple[str, ...] = ()
    work: Work | None = None


@dataclass(kw_only=True)
class Tab:
    """What an executor has taken for a task in this round: also for tries of which nothing else is left.

    `heard` is told of each try when it has ended.
    """

    heard: Callable[[Work], None] = lambda _: None
    executor: str = ""
    tokens: int = 0
    cost: float = 0.0

    def put(self, work: Work) -> None:
        """One more try."""
        self._add(work.name, work.usage.total, work.cost)
        self.heard(work)

    def put_result(self, result: TaskResult) -> None:
        """A try of an earlier loop, of which everybody has heard."""
        self._add(result.executor, result.tokens, result.cost)

    def _add(self, executor: str, tokens: int, cost: float) -> None:
        self.executor = executor or self.executor
        self.tokens += tokens
        self.cost += cost

    @property
    def trailers(self) -> dict[str, str]:
        """What a result commit says of it."""
        if not self.executor:
            return {}
        return {"Cto-Executor": self.executor, "Cto-Tokens": str(self.tokens), "Cto-Cost": f"{self.cost:.6f}"}


def do_task(  # noqa: PLR0913, PLR0917 -- each of them is something else
    workspace: Workspace,
    run: Run,
    view: TaskView,
    trunk: str,
    doing: Doing,
    on_activity: OnActivity,
    hints: Hints,
    tab: Tab,
) -> Result:
    """Does one task on top of `trunk` (or of what its branch has that trunk has not) and commits the result.

    Where that cannot be done (the executor cannot work at all, a hook says no) a patch of what there is stays, and the
    error is raised.
    """
    workspace.actor(known=True)  # before anything is paid for: without a name nothing can be committed
    tip = workspace.git.read_ref(task_ref(run.id, view.task.id))
    start = tip if tip and not hints.trouble and _goes_on(workspace, run, tip, trunk) else trunk
    slot = None if view.task.action in COMMANDS else reserve(workspace, run.id, "task")[0]

    def work(place: _Place) -> Result:
        done = act(workspace, run, view, doing, on_activity, place.folder, hints, slot)
        if done.work:
            tab.put(done.work)
        seen = _seen(workspace, place, view.task, done)
        if not seen.taken:
            seen = seen.noting(place.keep_patch(slot, seen.tree))
            place.renew()
        message, trailers = _message(workspace, run, view.task, seen, tab)
        commit = place.commit(message, trailers)
        return Result(
            task=view.task.id,
            outcome=seen.outcome,
            summary=seen.said,
            commit=commit,
            seen=seen.notes,
            work=done.work,
        )

    return _in_worktree(workspace, run, view.task, start, tip, slot, work)


def skip_task(workspace: Workspace, run: Run, task: Task, trunk: str, why: str, tab: Tab) -> Result:
    """A result for a task that cannot be tried (again): an empty commit on top of `trunk` that says why."""

    def work(place: _Place) -> Result:
        seen = _Seen(outcome="blocked", said=_clean(workspace, why))
        commit = place.commit(*_message(workspace, run, task, seen, tab))
        return Result(task=task.id, outcome="blocked", summary=seen.said, commit=commit)

    tip = workspace.git.read_ref(task_ref(run.id, task.id))
    return _in_worktree(workspace, run, task, trunk, tip, None, work)


def finished_result(workspace: Workspace, run: Run, view: TaskView, trunk: str, tab: Tab) -> Result | None:
    """The result of this round that the task's branch has and trunk has not: only its merge is missing."""
    tip = workspace.git.read_ref(task_ref(run.id, view.task.id))
    if tip is None or not _goes_on(workspace, run, tip, trunk):
        return None
    found = results(workspace.lens, trunk, tip, run.id).get(view.task.id)
    if found is None or found.commit != tip or found.round != run.standing.round:
        return None
    tab.put_result(found)
    return Result(task=view.task.id, outcome=found.outcome, summary=found.summary, commit=tip)


def _goes_on(workspace: Workspace, run: Run, tip: str, trunk: str) -> bool:
    """Whether a task's branch has something of this run that trunk has not. Another history could never be merged."""
    return not workspace.git.is_ancestor(tip, trunk) and workspace.git.is_ancestor(run.plan_record.start, tip)


def _in_worktree(
    workspace: Workspace,
    run: Run,
    task: Task,
    start: str,
    tip: str | None,
    slot: Slot | None,
    work: Callable[[_Place], Result],
) -> Result:
    """Lets `work` make a result commit on top of `start`, and the task's branch (now at `tip`) be moved to it."""
    place = _Place(workspace, worktrees.place(workspace.git, run.id, task.id), start, run.policy.verify.timeout)
    try:
        result = work(place)
        _move(workspace, task_ref(run.id, task.id), result.commit, place.taken_in(task_ref(run.id, task.id)) or tip)
    except BaseException as error:
        lost = place.keep_patch(slot, None)
        if lost and isinstance(error, GitError):
            raise GitError(f"{error.message}\n{lost}", error.hint, stderr=error.stderr, code=error.code) from error
        raise
    else:
        return result
    finally:
        worktrees.remove(workspace.git, place.folder)


def _move(workspace: Workspace, ref: str, commit: str, tip: str | None) -> None:
    moved = workspace.git.attempt(
        "update-ref", "--no-deref", "-m", "git cto run", ref, commit, tip or workspace.place.zero
    )
    if moved.returncode != 0:
        branch = ref.removeprefix("refs/heads/")
        said = moved.stderr.decode("utf-8", "replace").strip().splitlines()
        raise GitError(
            f"{branch} was moved by somebody else meanwhile, or cannot be written: {said[-1] if said else ''}",
            f"git log {branch}, then git cto run --resume",
            code="branch_moved",
        )


class _Place:
    """The worktree of one task, made at `start`. `patience` is how many seconds git's hooks and filters may take."""

    def __init__(self, workspace: Workspace, folder: Path, start: str, patience: float) -> None:
        self.folder = folder
        self.start = start
        self._workspace = workspace
        self._environ = without_secrets(workspace.environ)  # hooks may be anybody's
        self._patience = patience
        self._reached: str | None = None  # the last commit of whoever worked here
        self.renew()

    def _limited(self, what: str) -> AbstractContextManager[Git]:
        """git in this worktree, for something in which it calls programs that are not its own."""
        return limited(self.git.place, self._environ, self._patience, what)

    def _open(self) -> None:
        self.git = worktrees.opened(self.folder, self._environ)
        self._ties = worktrees.ties(self.git, self.folder)
        self._rules = worktrees.rules(self.git)
        self._stashed = worktrees.stashed(self.git)

    def taken_in(self, ref: str) -> str | None:
        """Where a branch stands now, if all of it is part of what was done here: the executor has moved it itself."""
        tip = self._workspace.git.read_ref(ref)
        return tip if tip and self._reached and self.git.is_ancestor(tip, self._reached) else None

    def settle(self) -> worktrees.Settled:
        """Puts git's side of the worktree in order (see `worktrees.settle`)."""
        found = worktrees.settle(self.git, self.folder, self._ties, self.start)
        self._reached = self._reached or found.head
        return found

    def bent(self) -> Iterator[str]:
        """What everybody who works in the repository shares and was changed meanwhile, maybe by whoever worked here."""
        now = worktrees.rules(self.git)
        ruled = sorted(path for path in now.keys() | self._rules if now.get(path) != self._rules.get(path))
        if ruled:
            yield f"meanwhile the repository's own settings changed: {_some(ruled)} (in .git)"
        stashed = worktrees.stashed(self.git)
        for gone in [one for one in self._stashed if one not in stashed]:
            yield f"meanwhile something was taken from the stash (git stash store {gone} brings it back)"
        if set(stashed) - set(self._stashed):
            yield "meanwhile something was put into the stash: it is not part of this"

    def renew(self) -> None:
        """Makes the worktree (again), as it is at first."""
        with limited(self._workspace.place, self._workspace.environ, self._patience, "Making the worktree") as git:
            worktrees.add(git, self.folder, self.start)
        self._open()

    def tree(self, *, anyhow: bool) -> str:
        """The tree that a commit of everything would have.

        A repository within the worktree is a `GitError`, unless its files are to be had `anyhow`: it is none then.
        """
        try:
            return self._tree()
        except GitError:
            if not anyhow:
                raise
        for folder, folders, files in os.walk(self.folder):
            if ".git" in (*folders, *files) and Path(folder) != self.folder:
                worktrees.erase(Path(folder, ".git"))
        return self._tree()

    def _tree(self) -> str:
        with self._limited("Looking at what was done (git add)") as git, Repository(git) as repository:
            tree = repository.pending_tree()
        said = self.git.run("diff-tree", "-r", "-z", "--raw", "--no-renames", self.start, tree)
        words = said.decode("utf-8", "surrogateescape").split("\0")
        changes = dict(zip(words[1::2], words[::2], strict=False))
        inner = [path for path, line in changes.items() if line.split()[1] == "160000" != line.split()[0][1:]]
        if inner and ".gitmodules" not in changes:
            raise GitError(
                f"{_some(inner)} is a repository of its own: git would take none of its files.", "git status"
            )
        return tree

    def changed(self, tree: str) -> tuple[str, ...]:
        """Paths in which a tree differs from the start."""
        out = self.git.run("diff-tree", "-r", "-z", "--name-only", "--no-renames", self.start, tree)
        return tuple(path for path in out.decode("utf-8", "surrogateescape").split("\0") if path)

    def in_submodules(self, changed: Sequence[str]) -> list[str]:
        """What is said of submodules that somebody worked in: a result takes only the commit that they point to."""
        notes = []
        for path in submodules(self._workspace.git, self.start):
            folder = self.folder / path
            if not folder.is_dir() or not any(folder.iterdir()):
                continue
            said = f"{printable(path)} is a submodule: nothing that was written into it is taken"
            notes.append(said + (", and commits that are not elsewhere too are lost" if path in changed else ""))
        return notes

    def ignores(self, target: str) -> bool:
        """Whether something is there that git would not commit."""
        there = (self.folder / target).exists()
        return there and self.git.polite("check-ignore", "--quiet", "--", target).returncode == 0

    def commit(self, message: str, trailers: dict[str, str]) -> str:
        """A commit of everything, as the user would make it."""
        try:
            with self._limited("The commit") as git, Repository(git) as repository, repository.everything_staged():
                return repository.commit(message, trailers)
        except GitError as error:
            if error.code == "git_failed" and error.hint == "git status":  # for a worktree that is gone by then
                error.hint = "see what the hook wants: git commit --allow-empty -m try"
            raise

    def keep_patch(self, slot: Slot | None, tree: str | None) -> str:
        """Keeps a patch of what is here in `slot`; says where it is, or "" where there is nothing or no place."""
        if slot is None:
            return ""
        with suppress(CtoError, OSError), tempfile.TemporaryFile(prefix="git-cto-patch-") as patch:
            if tree is None:
                self.settle()
                tree = self.tree(anyhow=True)
            size = self._diff(tree, patch)
            if size == 0:
                return ""
            if size > _LARGEST_PATCH:
                return f"what it had done is too much to be kept: more than {_LARGEST_PATCH >> 20} MiB"
            patch.seek(0)
            with slot.stream("patch") as kept:
                shutil.copyfileobj(patch, kept)
            return f"what it had done is kept in {slot.path('patch')}"
        return ""

    def _diff(self, tree: str, patch: IO[bytes]) -> int:
        """Writes what was done since the start; returns how many bytes that are. It ends when they are too many."""
        size = 0
        with self.git.open("diff-tree", "-r", "-p", "--binary", self.start, tree) as process:
            assert process.stdout is not None  # noqa: S101 -- it was asked for
            while size <= _LARGEST_PATCH and (chunk := process.stdout.read(1 << 20)):
                size += patch.write(chunk)
            if size > _LARGEST_PATCH:
                process.kill()
            elif process.wait() != 0:
                raise git_error(("diff-tree",), process.returncode, b"")
        return size


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What is made of an act once git was asked: the outcome, what was said, notes; `tree` is what was left behind."""

    outcome: ResultOutcome
    said: str
    notes: tuple[str, ...] = ()
    tree: str | None = None
    taken: bool = True

    def noting(self, note: str) -> _Seen:
        """The same with one more note, if there is one."""
        notes = (*self.notes, note) if note else self.notes
        return _Seen(outcome=self.outcome, said=self.said, notes=notes, tree=self.tree, taken=self.taken)


def _seen(workspace: Workspace, place: _Place, task: Task, done: Act) -> _Seen:
    """What git sees beside what was said. A claim of success is none where nothing changed."""
    found = place.settle()
    said = _clean(workspace, done.said)
    taken = done.outcome == "done" and task.action != "verify"
    tree = place.tree(anyhow=not taken) if found.intact else None
    paths = place.changed(tree) if tree else ()
    notes = (*found.notes, *_notes(place, task, done, paths))
    outcome: ResultOutcome = done.outcome
    if done.outcome == "done" and not found.intact:
        outcome, said = "failed", f"{notes[0]}.\n\nIt said: {said}"
    elif done.outcome == "done" and done.work and not paths:
        outcome, said = "failed", f"nothing was changed, though success was claimed.\n\nIt said: {said}"
    return _Seen(outcome=outcome, said=said, notes=notes, tree=tree, taken=taken and outcome == "done")


def _notes(place: _Place, task: Task, done: Act, paths: tuple[str, ...]) -> tuple[str, ...]:
    """What is odd about the paths that changed, and what an executor was denied."""
    notes = []
    outside = [path for path in paths if not _is_in(path, task.target)]
    if task.action == "verify" and paths:
        notes.append(f"a verification changed files, which are not taken: {_some(paths)}")
    elif task.action not in COMMANDS and outside:
        notes.append(f"changed outside of {printable(task.target)}: {_some(outside)}")
    if task.action not in COMMANDS and not paths and place.ignores(task.target):
        notes.append(f"git ignores {printable(task.target)}, so that it cannot be committed")
    notes += place.in_submodules(paths)
    notes += place.bent()
    if done.work and done.work.denied:
        notes.append(f"denied: {_some(tuple(dict.fromkeys(done.work.denied)))}")
    return tuple(notes)


def _is_in(path: str, target: str) -> bool:
    target = target.removeprefix("./").rstrip("/")
    return path == target or path.startswith(target + "/")


def _some(words: Sequence[str], limit: int = 5) -> str:
    return some([printable(word) for word in words], limit)


def _clean(workspace: Workspace, said: str) -> str:
    """What was said, fit to be recorded and shown."""
    return redacted(printable(said, lines=True), secret_values(workspace.environ)).strip() or "(nothing was said)"


def _message(workspace: Workspace, run: Run, task: Task, seen: _Seen, tab: Tab) -> tuple[str, dict[str, str]]:
    """Message and trailers of a result commit: what was said, what git saw, and what it took."""
    trailers = {
        "Cto-Run": run.id,
        "Cto-Task": task.id,
        "Cto-Outcome": seen.outcome,
        "Cto-Round": str(run.standing.round),
        **tab.trailers,
    }
    subject, _, rest = seen.said.partition("\n")
    seen_by_git = "\n".join(f"git-cto saw: {_clean(workspace, note)}" for note in seen.notes)
    parts = (f"{task.id}: {subject[:100]}", rest.strip(), seen_by_git)
    return "\n\n".join(part for part in parts if part), trailers
