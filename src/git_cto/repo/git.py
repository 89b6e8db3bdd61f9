"""Runs plain git: finds the repository, reads objects, and isolates what must not depend on anybody's settings.

Three ways to call git, from strict to polite:

* `Lens`: reads commits, trees and blobs only. It sees the repository's objects but none of its configuration,
  attributes, grafts, replacements or refs, so that what it prints depends on the objects alone.
* `Git.run`: plumbing on the real repository (refs, notes), deaf to the user's configuration.
* `Git.polite`: commands that act for the user (status, fetch, push), with their configuration and credentials.

Branches and commits made for the user go through `repository`; what a change is, is `change`'s business.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from functools import cached_property
from typing import IO, TYPE_CHECKING

from msgspec import Struct

from git_cto.errors import GitError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import Self

MINIMUM_VERSION = (2, 38)  # merge-tree --write-tree
CHUNK = 1 << 16
# How much of a pack git maps and caches: by default all of it, however large.
_SMALL = ("-c", "core.packedGitWindowSize=8m", "-c", "core.packedGitLimit=64m", "-c", "core.deltaBaseCacheLimit=32m")
_PIPE = 4096  # bytes that every pipe holds

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


def discover(cwd: str, environ: Mapping[str, str]) -> Place:
    """Finds the repository that git itself would use in `cwd`, worktrees and GIT_DIR included.

    Raises `UsageError` outside of a repository.
    """
    asked = ["--absolute-git-dir", "--git-common-dir", "--show-object-format", "--is-shallow-repository"]
    argv = ["git", "rev-parse", "--path-format=absolute", *asked, "--is-bare-repository", "--show-toplevel"]
    done = _run(argv, cwd=cwd, env={**environ, "LC_ALL": "C"})
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


def _no_repository(cwd: str, stderr: str) -> UsageError:
    if "dubious ownership" in stderr:
        hint = stderr.rsplit("\n\t", 1)[-1].strip()
        return UsageError("git does not trust this repository: it belongs to another user.", hint)
    if "not a git repository" in stderr:
        hint = "git init, or cd to your repository"
        return UsageError(f"{cwd} is not in a git repository.", hint, code="no_repository")
    return UsageError(f"git cannot use the repository here: {_last_line(stderr).rstrip('.')}.", "git status")


def _run(
    argv: Sequence[str], *, cwd: str | None, env: Mapping[str, str], data: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
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


def git_error(argv: Sequence[str], returncode: int, stderr: bytes) -> GitError:
    """What to raise when `git <argv>` ended with `returncode`."""
    said = stderr.decode("utf-8", "replace")
    verb = next((word for word in argv if not word.startswith("-") and "=" not in word), "git")
    return GitError(
        f"git {verb} failed ({returncode}): {_last_line(said)}",
        "git fsck, if the repository may be damaged; else try again",
        argv=tuple(argv),
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
        return _run([*self._base, *self._settings, *argv], cwd=self._cwd, env=self._env, data=data)

    def polite(self, *argv: str, data: bytes | None = None, prompt: bool = False) -> subprocess.CompletedProcess[bytes]:
        """Runs a command for the user, with their configuration and credentials, and returns what happened.

        It asks for nothing (passwords, editors) unless `prompt`.
        """
        return _run(
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
        kept = {k: v for k, v in self._environ.items() if not k.startswith("GIT_") or k.startswith(_POLITE)}
        quiet = {} if prompt else {"GIT_TERMINAL_PROMPT": "0"}
        return {**kept, **quiet, "GIT_EDITOR": "false", "GIT_SEQUENCE_EDITOR": "false", "LC_ALL": "C"}

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

    def version(self) -> tuple[int, ...]:
        """git's version, e.g. (2, 39, 5)."""
        words = self.run("--version").decode().split()
        numbers = words[2].split(".") if len(words) > 2 else []
        return tuple(int(number) for number in numbers[:3] if number.isdigit())


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


class Lens(Git):
    """Reads objects of a repository and nothing else of it.

    git runs in an empty repository of our own whose object directory is the real one. There is no configuration,
    attribute file, graft, replacement, shallow boundary, promisor or ref that could bend what it prints; an object
    that is missing is an error. A context manager: the empty repository is removed at the end.
    """

    def __init__(self, place: Place, environ: Mapping[str, str]) -> None:
        super().__init__(place, environ)
        self._home = _private_folder(environ)
        for folder in ("refs", "objects"):
            os.mkdir(os.path.join(self._home, folder))
        _write(os.path.join(self._home, "HEAD"), "ref: refs/heads/none\n")
        version = "1" if place.object_format == "sha256" else "0"
        config = f"[core]\n\trepositoryformatversion = {version}\n\tbare = true\n\tquotePath = true\n"
        if place.object_format == "sha256":
            config += "[extensions]\n\tobjectFormat = sha256\n"
        _write(os.path.join(self._home, "config"), config)
        self._base = ["git", f"--git-dir={self._home}", "--no-replace-objects", "--literal-pathspecs"]
        self._cwd = self._home
        self._env["GIT_OBJECT_DIRECTORY"] = os.path.join(place.common_dir, "objects")
        self._env["GIT_ATTR_NOSYSTEM"] = "1"
        self._settings += ["-c", "core.attributesFile=/dev/null", "-c", "protocol.allow=never", *_SMALL]
        self._stack = contextlib.ExitStack()
        self._stack.callback(_remove, self._home)

    @cached_property
    def reader(self) -> Objects:
        """A reader of objects that is open for as long as the lens is."""
        return self._stack.enter_context(self.objects())

    def merge_tree(self, ours: str, theirs: str) -> subprocess.CompletedProcess[bytes]:
        """Merges two commits in memory and names the conflicts; the objects it makes vanish with the lens."""
        self._write_here()
        return self.attempt("merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs)

    def tree(self, entries: bytes) -> str:
        """A tree of these files (as `git update-index -z --index-info` reads them), which vanishes with the lens."""
        self._write_here()
        index = os.path.join(self._home, "index")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(index)
        self.run("update-index", "-z", "--index-info", data=entries)
        return self.run("write-tree", "--missing-ok").decode().strip()

    def end_where_the_clone_ends(self) -> None:
        """From now on a shallow clone's oldest commits count as commits without parents, as they do for git."""
        self._env["GIT_SHALLOW_FILE"] = os.path.join(self.place.common_dir, "shallow")

    @property
    def cut(self) -> frozenset[str]:
        """The oldest commits of a shallow clone, whose parents are not here."""
        try:
            with open(os.path.join(self.place.common_dir, "shallow"), encoding="ascii") as file:
                return frozenset(file.read().split())
        except FileNotFoundError:
            return frozenset()

    def _write_here(self) -> None:
        """From now on new objects go into the lens, on top of the repository's."""
        objects = os.path.join(self._home, "objects")
        if self._env["GIT_OBJECT_DIRECTORY"] != objects:
            os.mkdir(os.path.join(objects, "info"))
            _write(os.path.join(objects, "info", "alternates"), self._env["GIT_OBJECT_DIRECTORY"] + "\n")
            self._env["GIT_OBJECT_DIRECTORY"] = objects

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)


def _private_folder(environ: Mapping[str, str]) -> str:
    """A new empty folder that only this user can enter."""
    path = os.path.join(environ.get("TMPDIR") or "/tmp", f"git-cto-lens-{os.urandom(8).hex()}")  # noqa: S108 -- new
    try:
        os.mkdir(path, 0o700)
    except OSError:
        import tempfile  # noqa: PLC0415 -- start-up: it knows more places, and costs as much as all of this module

        return tempfile.mkdtemp(prefix="git-cto-lens-")
    return path


def _remove(folder: str) -> None:
    """Removes a folder of ours, as far as that is possible."""
    for above, folders, files in os.walk(folder, topdown=False):
        with contextlib.suppress(OSError):
            for name in files:
                os.unlink(os.path.join(above, name))
            for name in folders:
                os.rmdir(os.path.join(above, name))
    with contextlib.suppress(OSError):
        os.rmdir(folder)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)


class ObjectInfo(Struct, frozen=True):
    """Id, type (`commit`, `tree`, `blob`, `tag`) and size in bytes of an object."""

    oid: str
    type: str
    size: int


class Objects:
    """Reads objects by name through one `git cat-file --batch-command`; a context manager.

    A name is whatever git takes (`<oid>`, `<commit>:<path>`, a full ref); one that names nothing is None.
    """

    def __init__(self, git: Git) -> None:
        self._process = git.open("cat-file", "--batch-command")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._in.close()
        self._out.close()
        self._process.kill()  # it only reads; it may be stuck in an answer that nobody wants, or be slow to end
        self._process.wait()

    @property
    def _in(self) -> IO[bytes]:
        assert self._process.stdin is not None  # noqa: S101 -- opened with a pipe
        return self._process.stdin

    @property
    def _out(self) -> IO[bytes]:
        assert self._process.stdout is not None  # noqa: S101 -- opened with a pipe
        return self._process.stdout

    def _ask(self, verb: str, name: str) -> ObjectInfo | None:
        if "\n" in name or "\0" in name:
            return None
        self._send(f"{verb} {name}\n".encode("utf-8", "surrogateescape"))
        return self._answer()

    def _send(self, questions: bytes) -> None:
        try:
            self._in.write(questions)
            self._in.flush()
        except OSError as gone:
            raise GitError("git cat-file ended early.", "git fsck") from gone

    def _answer(self) -> ObjectInfo | None:
        head = self._out.readline()
        if not head.endswith(b"\n"):
            raise GitError("git cat-file ended early.", "git fsck")
        if head.endswith((b" missing\n", b" ambiguous\n")):
            return None
        oid, kind, size = head.decode().split()
        return ObjectInfo(oid, kind, int(size))

    def _ahead(self, verb: str, oids: Iterable[str]) -> Iterator[ObjectInfo | None]:
        """The answers about many objects, asked for so far ahead that neither side waits for the other.

        What is on its way to git has to fit into the smallest pipe there is, or both could wait forever.
        """
        waiting = 0
        questions = b""
        for question in (f"{verb} {oid}\n".encode() for oid in oids):
            if len(questions) + len(question) > _PIPE:
                self._send(questions)
                for _ in range(waiting):
                    yield self._answer()
                questions, waiting = b"", 0
            questions += question
            waiting += 1
        self._send(questions)
        for _ in range(waiting):
            yield self._answer()

    def info(self, name: str) -> ObjectInfo | None:
        """What the object is, without reading it."""
        return self._ask("info", name)

    def read(self, name: str) -> tuple[ObjectInfo, bytes] | None:
        """The whole object."""
        info = self._ask("contents", name)
        return None if info is None else (info, self._body(info))

    def _body(self, info: ObjectInfo) -> bytes:
        body = self._out.read(info.size)
        if len(body) != info.size or self._out.read(1) != b"\n":
            raise GitError("git cat-file ended early.", "git fsck")
        return body

    def infos(self, oids: Sequence[str]) -> Iterator[ObjectInfo]:
        """What these objects are, in order; read it to the end. Raises `GitError` for one that is not here."""
        for oid, info in zip(oids, self._ahead("info", oids), strict=True):
            if info is None:
                raise missing_object(oid)
            yield info

    def contents(self, oids: Sequence[str]) -> Iterator[bytes]:
        """The contents of these objects, in order; read it to the end. Raises `GitError` for one that is not here."""
        for oid, info in zip(oids, self._ahead("contents", oids), strict=True):
            if info is None:
                raise missing_object(oid)
            yield self._body(info)

    def blob(self, name: str) -> bytes | None:
        """The content of a blob, or None where the name is nothing or something else."""
        found = self.read(name)
        return found[1] if found is not None and found[0].type == "blob" else None

    def first_parent(self, commit: str) -> str | None:
        """The first parent that a commit names; None where it names none or is not here."""
        found = self.read(commit)
        lines = found[1].split(b"\n", 2) if found and found[0].type == "commit" else []
        named = len(lines) > 1 and lines[1].startswith(b"parent ")
        return lines[1].removeprefix(b"parent ").decode("ascii") if named else None

    def entry(self, commit: str, path: str) -> tuple[str, str] | None:
        """Mode and object id of what a commit has at this path; None where it has nothing there."""
        mode, oid = b"40000", f"{commit}^{{tree}}"
        for name in path.split("/"):
            if mode != b"40000":
                return None
            found = self.read(oid)
            if found is None or found[0].type != "tree":
                raise missing_object(oid)
            entries = dict(tree_entries(found[1], len(found[0].oid) // 2))
            if name.encode() not in entries:
                return None
            mode, oid = entries[name.encode()]
        return mode.decode(), oid

    def stream(self, name: str) -> Iterator[bytes]:
        """The content of an object that must exist, in chunks; read it to the end."""
        info = self._ask("contents", name)
        if info is None:
            raise missing_object(name)
        left = info.size
        while left:
            chunk = self._out.read(min(left, CHUNK))
            if not chunk:
                raise GitError("git cat-file ended early.", "git fsck")
            left -= len(chunk)
            yield chunk
        self._out.read(1)


def tree_entries(tree: bytes, width: int) -> Iterator[tuple[bytes, tuple[bytes, str]]]:
    """(name, (mode, object id)) of each entry of a tree object; `width` is the length of an id in bytes."""
    at = 0
    while at < len(tree):
        end = tree.index(b"\0", at)
        mode, _, name = tree[at:end].partition(b" ")
        at = end + 1 + width
        yield name, (mode, tree[end + 1 : at].hex())


def missing_object(name: str) -> GitError:
    """The error for an object that should be here and is not."""
    return GitError(
        f"Object {name[:12]} is missing from this repository.",
        "git fetch --refetch (partial clone), git fetch --unshallow (shallow clone), or git fsck",
        code="missing_object",
    )
