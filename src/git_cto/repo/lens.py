"""The strictest way to call git: objects, and nothing that could bend what is printed of them."""

from __future__ import annotations

import contextlib
import os
import sys
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

    from git_cto.repo.git import Place
    from git_cto.repo.objects import Objects

from git_cto.repo.git import Git

_MERGES_KEPT = 64
# How much of a pack git maps and caches: by default all of it, however large.
_SMALL = ("-c", "core.packedGitWindowSize=8m", "-c", "core.packedGitLimit=64m", "-c", "core.deltaBaseCacheLimit=32m")


class Lens(Git):
    """Reads objects of a repository and nothing else of it.

    git runs in an empty repository of our own whose object directory is the real one. There is no configuration,
    attribute file, graft, replacement, shallow boundary, promisor or ref that could bend what it prints; an object
    that is missing is an error. A context manager: the empty repository is removed at the end.
    """

    def __init__(self, place: Place, environ: Mapping[str, str]) -> None:
        super().__init__(place, environ)
        self._merged: dict[tuple[str, str], subprocess.CompletedProcess[bytes]] = {}
        self._home = private_folder(environ, "lens")
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
        # No commit is printed as what the encoding that it claims makes of it.
        self._settings += ["-c", "i18n.logOutputEncoding="]
        self._stack = contextlib.ExitStack()
        self._stack.callback(remove_folder, self._home)

    @cached_property
    def reader(self) -> Objects:
        """A reader of objects that is open for as long as the lens is."""
        return self._stack.enter_context(self.objects())

    def merge_tree(self, ours: str, theirs: str) -> subprocess.CompletedProcess[bytes]:
        """Merges two commits in memory and names the conflicts; the objects it makes vanish with the lens.

        Done once for the same two, unless it failed: what it lacked may have been fetched.
        """
        if (ours, theirs) not in self._merged:
            self._write_here()
            done = self.attempt("merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs)
            if done.returncode not in {0, 1}:
                return done
            if len(self._merged) == _MERGES_KEPT:
                self._merged.clear()
            self._merged[ours, theirs] = done
        return self._merged[ours, theirs]

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


def private_folder(environ: Mapping[str, str], what: str) -> str:
    """A new empty folder that only this user can enter: where `scratch` has temporary files go, if it does."""
    known = sys.modules.get("tempfile")  # start-up: it is not loaded for this
    top = (known and known.tempdir) or environ.get("TMPDIR") or "/tmp"  # noqa: S108 -- the folder's name is new
    path = os.path.join(top, f"git-cto-{what}-{os.urandom(8).hex()}")
    try:
        os.mkdir(path, 0o700)
    except OSError:
        import tempfile  # noqa: PLC0415 -- start-up: it knows more places, and costs as much as all of this module

        return tempfile.mkdtemp(prefix=f"git-cto-{what}-")
    return path


def remove_folder(folder: str) -> None:
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
