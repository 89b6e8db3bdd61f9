"""Runs plain git: finds the repository, asks it, and acts in it for the user.

Three ways to call git, from strict to polite:

* `lens.Lens`: reads commits, trees and blobs only. It sees the repository's objects but none of its configuration,
  attributes, grafts, replacements or refs, so that what it prints depends on the objects alone.
* `Git.run`: plumbing on the real repository (refs, notes), deaf to the user's configuration.
* `Git.polite`: commands that act for the user (status, fetch, push), with their configuration and credentials.

Branches and commits made for the user go through `repository`; what a change is, is `change`'s business.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from typing import TYPE_CHECKING

from msgspec import Struct

from git_cto.errors import GitError, UsageError, typed
from git_cto.repo.objects import Objects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

MINIMUM_VERSION = (2, 38)  # merge-tree --write-tree

# Inherited variables that describe the user's connection or identity, not another repository.
_POLITE = (
    "GIT_ALLOW_PROTOCOL",
    "GIT_ASKPASS",
    "GIT_AUTHOR_",
    "GIT_COMMITTER_",
    "GIT_CONFIG",
    "GIT_CURL",
    "GIT_EXEC_PATH",
    "GIT_HTTP",
    "GIT_PROTOCOL",
    "GIT_PROXY",
    "GIT_SSH",
    "GIT_SSL",
    "GIT_TERMINAL_PROMPT",
    "GIT_TRACE",
)


def elsewhere(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without what points git at a repository, an index or an editor: for use in another folder."""
    return {name: value for name, value in environ.items() if not name.startswith("GIT_") or name.startswith(_POLITE)}


class Place(Struct, frozen=True, kw_only=True):
    """Where we are: absolute paths of the repository, and what kind it is."""

    git_dir: str  # of this worktree
    common_dir: str  # shared by all worktrees
    worktree: str | None  # None: bare
    object_format: str  # "sha1" or "sha256"
    shallow: bool

    @property
    def oid_length(self) -> int:
        """Hex digits of an object id here."""
        return 64 if self.object_format == "sha256" else 40

    @property
    def zero(self) -> str:
        """The id that stands for "no object"."""
        return "0" * self.oid_length

    @property
    def reftable(self) -> bool:
        """Whether refs, CHERRY_PICK_HEAD and its like among them, stand in tables (git 2.45) and not in files."""
        return os.path.isdir(os.path.join(self.common_dir, "reftable"))


# Takes a folder for a repository only if it is named .git, is linked to by one, or is named in GIT_DIR.
_NO_BARE = ("-c", "safe.bareRepository=explicit")


def discover(cwd: str, environ: Mapping[str, str]) -> Place:
    """Finds the repository that git itself would use in `cwd`, worktrees and GIT_DIR included.

    Raises `UsageError` outside of a repository, and in what looks like one in the middle of a worktree: a change can
    bring a folder with a HEAD and a config of its own, whose settings would name commands to run.
    """
    asked = ["--absolute-git-dir", "--git-common-dir", "--show-object-format", "--is-shallow-repository"]
    argv = ["rev-parse", "--path-format=absolute", *asked, "--is-bare-repository", "--show-toplevel"]
    env = {**{name: value for name, value in environ.items() if not name.startswith("GIT_CTO_")}, "LC_ALL": "C"}
    done = run_git(["git", *_NO_BARE, *argv], cwd=cwd, env=env)
    if _is_bare_refusal(done.stderr):
        _refuse_embedded(cwd, env)
        done = run_git(["git", *argv], cwd=cwd, env=env)
    lines = done.stdout.decode("utf-8", "surrogateescape").split("\n")
    if len(lines) < len(asked) + 2:
        raise _no_repository(cwd, done.stderr.decode("utf-8", "replace"))
    if lines[2] not in {"sha1", "sha256"}:
        raise UsageError("The path of this repository has a line break in it.", "mv it to a path without")
    worktree = lines[5] if done.returncode == 0 and len(lines) > len(asked) + 2 else None
    return Place(
        git_dir=lines[0],
        common_dir=lines[1],
        worktree=worktree,
        object_format=lines[2],
        shallow=lines[3] == "true",
    )


def _is_bare_refusal(stderr: bytes) -> bool:
    return b"cannot use bare repository" in stderr


def _refuse_embedded(cwd: str, env: Mapping[str, str]) -> None:
    """Raises unless the bare repository that `cwd` is in lies outside of every worktree, or in a .git folder."""
    found = folder = _git_dir(cwd, env)
    while folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
        asked = ["--absolute-git-dir", "--git-common-dir", "--show-toplevel"]
        argv = ["git", *_NO_BARE, "rev-parse", "--path-format=absolute", *asked]
        done = run_git(argv, cwd=folder, env=env)
        if _is_bare_refusal(done.stderr):
            folder = _git_dir(folder, env)
            continue
        lines = done.stdout.decode("utf-8", "surrogateescape").split("\n")
        if b"not a git repository" in done.stderr or (done.returncode != 0 and len(lines) > 2):
            return  # nothing around it, or a repository that has no worktree
        if done.returncode != 0:
            raise _embedded(found)
        if not any(os.path.commonpath([found, os.path.realpath(own)]) == os.path.realpath(own) for own in lines[:2]):
            raise _embedded(found, lines[2])
        return


def _git_dir(cwd: str, env: Mapping[str, str]) -> str:
    done = run_git(["git", "rev-parse", "--absolute-git-dir"], cwd=cwd, env=env)
    if done.returncode != 0:
        raise _embedded(cwd)
    return os.path.realpath(done.stdout.decode("utf-8", "surrogateescape").removesuffix("\n"))


def _embedded(found: str, worktree: str = "") -> UsageError:
    around = f"inside of the worktree {worktree}" if worktree else "that git cannot look around"
    return UsageError(
        f"{found} looks like a bare repository {around}: a change may have brought it, so it is not used.",
        f"{f'cd {typed(worktree)}, or ' if worktree else ''}git --git-dir={typed(found)} cto ..., if it is yours",
        code="embedded_repository",
    )


def _no_repository(cwd: str, stderr: str) -> UsageError:
    if "dubious ownership" in stderr:
        hint = stderr.rsplit("\n\t", 1)[-1].strip()
        return UsageError("git does not trust this repository: it belongs to another user.", hint)
    if "not a git repository" in stderr:
        hint = "git init, or cd to your repository"
        return UsageError(f"{cwd} is not in a git repository.", hint, code="no_repository")
    return UsageError(f"git cannot use the repository here: {_last_line(stderr).rstrip('.')}.", "git status")


def run_git(
    argv: Sequence[str], *, cwd: str | None, env: Mapping[str, str], data: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Runs a git command line to its end. `GitError` where there is no git; the exit code is the caller's to judge."""
    try:
        return subprocess.run(
            argv,
            cwd=cwd,
            env=env,
            input=data,
            stdin=subprocess.DEVNULL if data is None else None,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError as missing:
        if cwd and not os.path.isdir(cwd):
            raise UsageError(f"{cwd} is not a directory.", "cd to your repository") from missing
        raise GitError("git is not installed.", "install git 2.38 or newer", code="git_missing") from missing


def _last_line(stderr: str) -> str:
    lines = [line for line in stderr.strip().splitlines() if line.strip()]
    return lines[-1].removeprefix("fatal: ").removeprefix("error: ") if lines else "no message"


def filter_hint(said: str) -> str:
    """What to do where a filter (Git LFS, say) failed, "" where none did."""
    found = re.search(r"(?:clean|smudge) filter '?([\w.-]+)'? failed", said)
    return f"see that what it names is installed: git config --get-regexp filter.{found[1]}" if found else ""


def git_error(argv: Sequence[str], returncode: int, stderr: bytes) -> GitError:
    """What to raise when `git <argv>` ended with `returncode`."""
    said = stderr.decode("utf-8", "replace")
    verb = next((word for word in argv if not word.startswith("-") and "=" not in word), "git")
    return GitError(
        f"git {verb} failed ({returncode}): {_last_line(said)}",
        filter_hint(said) or "git fsck, if the repository may be damaged; else try again",
        stderr=said,
    )


class Git:
    """git in one repository."""

    def __init__(self, place: Place, environ: Mapping[str, str]) -> None:
        self.place = place
        self._environ = environ
        self._base = ["git", f"--git-dir={place.git_dir}"]
        self._cwd = place.git_dir
        kept = {name: value for name, value in environ.items() if not name.startswith("GIT_")}
        self._env = {
            **kept,
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_OPTIONAL_LOCKS": "0",
        }
        self._settings = ["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "gc.auto=0"]

    def run(self, *argv: str, data: bytes | None = None, ok: tuple[int, ...] = (0,)) -> bytes:
        """Runs plumbing and returns its output; raises `GitError` unless it ends with one of `ok`."""
        done = self.attempt(*argv, data=data)
        if done.returncode not in ok:
            raise git_error(argv, done.returncode, done.stderr)
        return done.stdout

    def attempt(self, *argv: str, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        """Runs plumbing and returns what happened, good or bad."""
        return run_git([*self._base, *self._settings, *argv], cwd=self._cwd, env=self._env, data=data)

    def polite(self, *argv: str, data: bytes | None = None, prompt: bool = False) -> subprocess.CompletedProcess[bytes]:
        """Runs a command for the user, with their configuration and credentials, and returns what happened.

        It asks for nothing (passwords, editors) unless `prompt`.
        """
        return run_git(
            self._polite_argv(argv),
            cwd=self.place.worktree or self._cwd,
            env=self.polite_environment(prompt=prompt),
            data=data,
        )

    def _polite_argv(self, argv: Sequence[str]) -> list[str]:
        where = [] if self.place.worktree is None else [f"--work-tree={self.place.worktree}"]
        return [*self._base, *where, "-c", "protocol.ext.allow=never", *argv]

    def polite_environment(self, *, prompt: bool = False) -> dict[str, str]:
        """The user's environment without variables that point git at another repository or at an editor."""
        quiet = {} if prompt else {"GIT_TERMINAL_PROMPT": "0"}
        return {
            **elsewhere(self._environ),
            **quiet,
            "GIT_EDITOR": "false",
            "GIT_SEQUENCE_EDITOR": "false",
            "LC_ALL": "C",
        }

    def open(self, *argv: str) -> subprocess.Popen[bytes]:
        """Starts plumbing that is talked to (stdin and stdout are pipes, stderr is dropped)."""
        return subprocess.Popen(
            [*self._base, *self._settings, *argv],
            cwd=self._cwd,
            env=self._env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    @contextlib.contextmanager
    def meanwhile(self, *argv: str) -> Iterator[Callable[[], subprocess.CompletedProcess[bytes]]]:
        """Runs a command for the user, like `polite`, while the block runs; what it yields waits for the end, once."""
        with subprocess.Popen(
            self._polite_argv(argv),
            cwd=self.place.worktree or self._cwd,
            env=self.polite_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:

            def finished() -> subprocess.CompletedProcess[bytes]:
                out, err = process.communicate()
                return subprocess.CompletedProcess(argv, process.returncode, out, err)

            try:
                yield finished
            except BaseException:
                process.kill()  # nobody waits for its answer any more
                raise

    def objects(self) -> Objects:
        """A reader of this repository's objects; a context manager."""
        return Objects(self)

    def read_ref(self, ref: str) -> str | None:
        """The object a full ref points to, or None where it does not exist. No guessing: a tag cannot stand in."""
        done = self.attempt("show-ref", "--verify", "--hash", "--", ref)
        return done.stdout.decode().strip() or None if done.returncode == 0 else None

    def commit_of(self, name: str) -> str | None:
        """The commit that a revision means, or None. A full ref means that ref and nothing that looks like it."""
        if name.startswith("refs/"):
            found = self.read_ref(name)
            if found is None:
                return None
            name = found
        if name.startswith("^"):
            return None  # git would take it for "without this commit"
        done = self.attempt("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        return done.stdout.decode().strip() or None if done.returncode == 0 else None

    def head_ref(self) -> str | None:
        """The full name of the branch that HEAD is on, or None when it is detached."""
        done = self.attempt("symbolic-ref", "--quiet", "HEAD")
        return done.stdout.decode("utf-8", "surrogateescape").strip() or None if done.returncode == 0 else None

    def refs(self, *patterns: str) -> dict[str, str]:
        """Full ref names and the objects they point to, for `for-each-ref` patterns."""
        return {ref: oid for ref, (oid, _) in self.refs_and_links(*patterns).items()}

    def refs_and_links(self, *patterns: str) -> dict[str, tuple[str, str]]:
        """Like `refs`, and with each object the full name of the ref that the ref is a link to ("" for most)."""
        out = self.run("for-each-ref", "--format=%(objectname) %(refname) %(symref)", *patterns)
        rows = (line.split(" ") for line in out.decode("utf-8", "surrogateescape").split("\n") if line)
        return {ref: (oid, link) for oid, ref, link in rows}

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether commit `older` is contained in commit `newer` (a commit contains itself)."""
        if older == newer:
            return True
        done = self.attempt("merge-base", "--is-ancestor", older, newer)
        if done.returncode not in {0, 1}:
            raise git_error(("merge-base",), done.returncode, done.stderr)
        return done.returncode == 0

    def config(self, name: str) -> str | None:
        """One value of the user's git configuration (all scopes), or None where it is not set."""
        done = self.polite("config", "--get", name)
        return done.stdout.decode("utf-8", "replace").rstrip("\n") if done.returncode == 0 else None

    def configs(self, prefix: str) -> dict[str, str]:
        """The values of the user's git configuration whose names start with `prefix`; the last of each counts."""
        with self.configs_meanwhile(prefix) as found:
            return found()

    @contextlib.contextmanager
    def configs_meanwhile(self, prefix: str) -> Iterator[Callable[[], dict[str, str]]]:
        """What `configs` says, found out while the block runs; to be asked for once."""
        with self.meanwhile("config", "--null", "--get-regexp", "^" + prefix.replace(".", r"\.")) as done:
            yield lambda: _values(done().stdout)


def _values(listing: bytes) -> dict[str, str]:
    entries = (entry.partition("\n") for entry in listing.decode("utf-8", "replace").split("\0"))
    return {name: value for name, _, value in entries if name}


_STATUS = ("--no-optional-locks", "status", "--porcelain=v1", "-z", "--untracked-files=normal", "--no-renames")


def changed_paths(git: Git) -> list[str]:
    """Paths of this worktree that differ from HEAD or are not tracked; none in a bare repository."""
    if git.place.worktree is None:
        return []
    return _paths(git.polite(*_STATUS))


@contextlib.contextmanager
def changed_paths_meanwhile(git: Git) -> Iterator[Callable[[], list[str]]]:
    """What `changed_paths` says, found out while the block runs; to be asked for in it, once."""
    if git.place.worktree is None:
        yield list
        return
    with git.meanwhile(*_STATUS) as status:
        yield lambda: _paths(status())


def _paths(done: subprocess.CompletedProcess[bytes]) -> list[str]:
    if done.returncode != 0:
        raise git_error(_STATUS, done.returncode, done.stderr)
    return [entry[3:] for entry in done.stdout.decode("utf-8", "surrogateescape").split("\0") if entry]
