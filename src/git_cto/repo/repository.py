"""The user's own checkout: its state, and the branches, commits and merges made in it, as the user would make them.

The only user of GitPython. Commands run with the user's configuration, so hooks, signing and sign-off are honoured.
Whatever switches branches restores the one it found when it fails.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import tempfile
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

import git as gitpython

from git_cto.errors import GitError, UsageError, some, typed
from git_cto.repo.git import changed_paths, discover, filter_hint, git_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from git_cto.repo.git import Git


_TRAILER = re.compile(r"[A-Za-z0-9-]+: \S.*")
_SCISSORS = re.compile(r"^(?=\S+ -{24} >8 -{24})", re.MULTILINE)  # for git a message ends there
_NO_ROOM = ("No space left on device", "Disk quota exceeded", "File too large")


class Repository:
    """The worktree that a command was called in."""

    def __init__(self, git: Git) -> None:
        if git.place.worktree is None:
            raise UsageError(
                "This repository is bare: there is no worktree to work in.", "git clone it, and work there"
            )
        self._git = git
        self.worktree = git.place.worktree
        polite = git.polite_environment()
        # GitPython passes on what this process has, also what `git` was made without: keys, say.
        # What begins with GIT_ is git's, but for ours: a key to sign records with.
        others = (name for name in os.environ if not name.startswith("GIT_") or name.startswith("GIT_CTO_"))
        beyond = {name: "" for name in others if name not in polite}
        environment = {**beyond, **polite, **_here(git)}
        # git itself finds the repository again: GitPython's `Repo` believes any HEAD and config at the top of a tree.
        if _git_dir_in(self.worktree, environment) != git.place.git_dir:
            raise UsageError(f"{self.worktree} is no ordinary git worktree.", "git status")
        self._commands = gitpython.Git(self.worktree)
        self._commands.update_environment(**environment)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._commands.clear_cache()

    def _run(self, verb: str, *argv: str, stdin: str | None = None) -> str:
        command = ["git", verb, *argv]
        try:
            if stdin is None:
                return str(self._commands.execute(command))
            with tempfile.TemporaryFile() as file:
                file.write(stdin.encode("utf-8", "replace"))
                file.seek(0)
                return str(self._commands.execute(command, istream=file))
        except gitpython.GitCommandError as error:
            said = "\n".join(_plain(text) for text in (error.stdout, error.stderr) if text)
            if error.status == -signal.SIGXFSZ:
                said += "\nFile too large"  # which git had no time to say
            raise _translated(verb, said) from error

    # ---- state

    def changed_paths(self) -> list[str]:
        """Paths that differ from HEAD or are not tracked (ignored ones are left out)."""
        return changed_paths(self._git)

    def branch(self) -> str | None:
        """The full ref that HEAD is on, or None when it is detached."""
        return self._git.head_ref()

    def operation(self) -> str | None:
        """The unfinished operation (merge, rebase, ...) that this worktree is in, if any."""
        marks = {
            "MERGE_HEAD": "merge",
            "CHERRY_PICK_HEAD": "cherry-pick",
            "REVERT_HEAD": "revert",
            "rebase-merge": "rebase",
            "rebase-apply": "rebase",
            "BISECT_LOG": "bisect",
        }
        return next((name for mark, name in marks.items() if self._is_there(mark)), None)

    def _is_there(self, mark: str) -> bool:
        place = self._git.place
        if os.path.exists(os.path.join(place.git_dir, mark)):
            return True
        return place.reftable and mark.endswith("_HEAD") and self._git.commit_of(mark) is not None

    def worktree_of(self, ref: str) -> str | None:
        """The other worktree that has this branch checked out, if any."""
        here = os.path.realpath(self.worktree)
        for block in self._git.run("worktree", "list", "--porcelain").decode("utf-8", "surrogateescape").split("\n\n"):
            lines = dict(line.partition(" ")[::2] for line in block.splitlines())
            if lines.get("branch") == ref and os.path.realpath(lines.get("worktree", "")) != here:
                return lines["worktree"]
        return None

    def unmerged_paths(self) -> list[str]:
        """Paths that the index has in conflict, whatever left them so (a `git stash pop` does, and leaves no mark)."""
        return list(dict.fromkeys(entry.partition("\t")[2] for entry in self._listed("--unmerged")))

    def in_the_way(self, source: str, destination: str) -> list[str]:
        """Files here that going from one tree to another would overwrite, and that are not part of `source`.

        git takes ignored files for worthless: it replaces them without a word when it switches or merges.
        """
        said = self._git.run("diff-tree", "-r", "-z", "--raw", "--no-renames", source, destination)
        words = said.decode("utf-8", "surrogateescape").split("\0")
        changes = [(line.split(" "), path) for line, path in zip(words[::2], words[1::2], strict=False)]
        ours = {path for line, path in changes if line[-1] == "D"}
        found: dict[str, None] = {}
        for line, path in changes:
            if line[-1] != "A" or line[1] == "160000":  # a submodule's folder stays where it is
                continue
            blocked = next((one for one in _parents(path) if self._is_file(one)), path)
            if self._is_file(blocked):
                inside = [blocked]
            elif os.path.isdir(os.path.join(self.worktree, path)):
                inside = self._listed("--others", "--", f":(top,literal){path}/")
            else:
                continue
            found.update(dict.fromkeys(one for one in inside if one not in ours))
        return list(found)

    def _is_file(self, path: str) -> bool:
        where = os.path.join(self.worktree, path)
        return os.path.lexists(where) and (os.path.islink(where) or not os.path.isdir(where))

    def _listed(self, *options: str) -> list[str]:
        done = self._git.polite("ls-files", "-z", *options)
        if done.returncode != 0:
            raise git_error(("ls-files",), done.returncode, done.stderr)
        return [entry for entry in done.stdout.decode("utf-8", "surrogateescape").split("\0") if entry]

    # ---- acting

    def switch(self, ref: str) -> None:
        """Checks out a branch (a full ref). Ignored files are the user's, too: none is overwritten."""
        try:
            self._run("switch", "--quiet", "--no-guess", "--no-overwrite-ignore", ref.removeprefix("refs/heads/"))
        except GitError:
            if self.branch() != ref:  # else it was only a post-checkout hook that failed, which git does not mind
                raise

    @contextmanager
    def returning(self) -> Iterator[None]:
        """Goes back to the branch (or commit) that is checked out now if what is done inside fails."""
        branch = self.branch()
        commit = self._git.commit_of("HEAD")
        try:
            yield
        except BaseException:
            if branch and self.branch() != branch:
                self.switch(branch)
            elif not branch and commit:
                self._run("switch", "--quiet", "--no-overwrite-ignore", "--detach", commit)
            raise

    def pending_tree(self) -> str:
        """The tree that committing everything would give, without touching the index."""
        with tempfile.TemporaryDirectory(prefix="git-cto-index-") as folder:
            copy = os.path.join(folder, "index")
            if os.path.exists(self._index):
                shutil.copy2(self._index, copy)  # with its time: git looks closer at files that are as new
            with self._commands.custom_environment(GIT_INDEX_FILE=copy):
                self._run("add", "--all")
                return self._run("write-tree").strip()

    @contextmanager
    def everything_staged(self) -> Iterator[None]:
        """Stages everything that is not ignored; what was staged before comes back if what is done inside fails."""
        with tempfile.TemporaryDirectory(prefix="git-cto-index-") as folder:
            copy = os.path.join(folder, "index")
            existed = os.path.exists(self._index)
            if existed:
                shutil.copy2(self._index, copy)
            try:
                self._run("add", "--all")
                yield
            except BaseException:
                if existed:
                    shutil.copy2(copy, self._index + ".git-cto")
                    os.replace(self._index + ".git-cto", self._index)
                raise

    @cached_property
    def _index(self) -> str:
        said = self._git.polite("rev-parse", "--path-format=absolute", "--git-path", "index").stdout
        return said.decode("utf-8", "surrogateescape").removesuffix("\n")

    def commit(self, message: str, trailers: dict[str, str]) -> str:
        """Commits what is staged, empty if nothing is, with `git commit`. Returns the new commit's id.

        The trailers are at its end, whatever the message says. Where a hook takes them away there is no commit.
        """
        before = self._run("rev-parse", "HEAD").strip()
        text = _with_trailers(message, trailers)
        self._run("commit", "--quiet", "--allow-empty", "--cleanup=whitespace", "--file=-", stdin=text)
        commit = self._run("rev-parse", "HEAD").strip()
        form = "--format=%(trailers:only,unfold)"
        plain = ("-c", "trailer.separators=:", "-c", "core.commentChar=#")  # as whoever reads results sees it
        found = self._git.run(*plain, "log", "-1", "--no-show-signature", form, commit)
        if not set(_lines(trailers)) <= set(found.decode("utf-8", "replace").splitlines()):
            self._run("update-ref", "-m", "git cto: undone, it lost its trailers", "HEAD", before, commit)
            raise GitError(
                f"A hook took the lines that make a commit a result ({', '.join(trailers)}) out of its message.",
                "see that the hooks prepare-commit-msg and commit-msg leave the last paragraph of a message alone",
                code="trailers_lost",
            )
        return commit

    def merge(self, ref: str, message: str) -> str:
        """Merges a branch into the one that is checked out, always as a merge commit. Undone where it fails."""
        try:
            self._run("merge", "--quiet", "--no-ff", "--no-edit", "-m", message, ref)
        except GitError:
            if self.operation() == "merge":
                self._run("merge", "--abort")
            raise
        return self._run("rev-parse", "HEAD").strip()

    def fast_forward(self, ref: str) -> None:
        """Moves the branch that is checked out forward to `ref`; fails where it would not be forward."""
        self._run("merge", "--quiet", "--ff-only", "--no-overwrite-ignore", ref)


def _with_trailers(message: str, trailers: dict[str, str]) -> str:
    """A message with trailers at its very end: git's own --trailer puts them before a line of dashes.

    They are the last of their names, and the last value of a trailer counts.
    """
    message = _SCISSORS.sub(" ", message.rstrip())
    subject, _, last = message.rpartition("\n\n")
    also = bool(subject) and all(map(_TRAILER.fullmatch, last.splitlines()))
    return message + ("\n" if also else "\n\n") + "".join(f"{line}\n" for line in _lines(trailers))


def _lines(trailers: dict[str, str]) -> list[str]:
    return [f"{name}: {value}" for name, value in trailers.items()]


def _git_dir_in(folder: str, environment: dict[str, str]) -> str | None:
    try:
        return discover(folder, environment).git_dir
    except UsageError:
        return None


def _here(git: Git) -> dict[str, str]:
    """What inherited variables have to say instead: GitPython passes them on, relative paths and all."""
    place = git.place
    meant = {
        "GIT_DIR": place.git_dir,
        "GIT_WORK_TREE": place.worktree or "",
        "GIT_INDEX_FILE": os.path.join(place.git_dir, "index"),
        "GIT_COMMON_DIR": place.common_dir,
        "GIT_OBJECT_DIRECTORY": os.path.join(place.common_dir, "objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": "",
    }
    return {name: value for name, value in meant.items() if name in os.environ}


def _parents(path: str) -> list[str]:
    """The folders that a path lies in, the outermost first."""
    folders = path.split("/")[:-1]
    return ["/".join(folders[: depth + 1]) for depth in range(len(folders))]


def _plain(text: object) -> str:
    """GitPython wraps output as `stdout: '...'`."""
    said = str(text).strip()
    for name in ("stdout:", "stderr:"):
        said = said.removeprefix(name).strip()
    return said[1:-1].strip() if said[:1] == said[-1:] == "'" else said


def _translated(verb: str, said: str) -> GitError | UsageError:
    last = said.strip().splitlines()[-1] if said.strip() else "no message"
    if "Please tell me who you are" in said or "unable to auto-detect email" in said or "empty ident" in said:
        return UsageError(
            "git does not know who you are, so it cannot commit.",
            "git config --global user.name NAME && git config --global user.email EMAIL",
            code="no_identity",
        )
    if any(words in said for words in ("failed to sign", "Couldn't load public key", "user.signingkey needs")):
        return GitError(
            f"git could not sign the commit: {said.strip().splitlines()[0].removeprefix('error: ')}",
            "unlock your key or correct user.signingkey, or git config commit.gpgsign false",
            code="signing_failed",
        )
    full = next((words for words in _NO_ROOM if words in said), "")
    if full:
        return GitError(f"git {verb} failed: {full}.", "free some disk space", stderr=said, code="disk_full")
    if "outside of your sparse-checkout definition" in said:
        lines = said.partition("updated in the index:")[2].strip().splitlines()
        paths = [line for line in lines if not line.startswith("hint:")]
        return UsageError(
            f"git does not add what lies outside of your sparse checkout: {some(paths)}.",
            f"git add --sparse {typed(paths[0])}, or mv it elsewhere" if paths else "git sparse-checkout disable",
            code="sparse_checkout",
        )
    text = "\n".join(said.splitlines()[-12:])
    return GitError(
        f"git {verb} failed: {last}" if text == last else f"git {verb} failed:\n{text}",
        filter_hint(said) or "git status",
        stderr=said,
    )
