"""Repositories that the ledger's tests happen in, cut off from the developer's own git."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from git_cto.ledger.notes import Notes
from git_cto.repo.change import blob_id
from git_cto.repo.git import Git, discover

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
WRITER = Path(__file__).with_name("writer.py")


def environment(home: Path) -> dict[str, str]:
    """A sealed environment: nothing of the developer's, a fixed identity, fixed dates."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "src"),
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_AUTHOR_EMAIL": "ada@example.com",
        "GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z",
        "GIT_COMMITTER_NAME": "Ada",
        "GIT_COMMITTER_EMAIL": "ada@example.com",
        "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z",
        "GIT_EDITOR": "false",
        "GIT_TERMINAL_PROMPT": "0",
    }


class Repo:
    """A real repository, and the ledger in it."""

    def __init__(self, path: Path, env: Mapping[str, str]) -> None:
        self.path = path
        self.env = dict(env)

    def run(self, *argv: str, data: bytes = b"", ok: tuple[int, ...] = (0,)) -> str:
        """Runs git as a user would, and returns what it printed."""
        done = subprocess.run(["git", *argv], cwd=self.path, env=self.env, input=data, capture_output=True, check=False)
        assert done.returncode in ok, done.stderr.decode()
        return done.stdout.decode().strip()

    @cached_property
    def git(self) -> Git:
        return Git(discover(str(self.path), self.env), self.env)

    @property
    def notes(self) -> Notes:
        return Notes(self.git)

    def commit(self, text: str) -> str:
        """Commits a file that says `text`; returns the commit."""
        (self.path / "file").write_text(text)
        self.run("add", "file")
        self.run("commit", "--quiet", "-m", text)
        return self.run("rev-parse", "HEAD")

    def thing(self, name: str) -> str:
        """A full object id to hang a note on; the object itself need not exist."""
        return blob_id(name.encode(), self.git.place.object_format)

    def clone(self, name: str, *options: str, url: str = "") -> Repo:
        """A clone of this repository beside it."""
        path = self.path.parent / name
        self.run("clone", "--quiet", *options, url or str(self.path), str(path))
        return Repo(path, self.env)

    def tip(self, ref: str = "refs/notes/cto-records") -> str:
        """What a ref points to, "" where there is none."""
        return self.run("for-each-ref", "--format=%(objectname)", ref)

    def lines(self, *names: str) -> set[bytes]:
        """The lines on these things."""
        return set(self.notes.read([self.thing(name) for name in names]))

    def writing(self, *argv: str, **extra: str) -> subprocess.Popen[bytes]:
        """Starts `writer.py` on this repository."""
        return subprocess.Popen(
            [sys.executable, str(WRITER), str(self.path), *argv],
            env={**self.env, **extra},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )


def new_repo(path: Path, env: Mapping[str, str], *options: str) -> Repo:
    """`git init` with options."""
    subprocess.run(["git", "init", "--quiet", "-b", "main", *options, str(path)], env=dict(env), check=True)
    return Repo(path, env)


def interposed(folder: Path, script: str) -> dict[str, str]:
    """Environment in which `git` is a shell script that can run the real one as `"$GIT" "$@"`."""
    real = shutil.which("git")
    assert real
    folder.mkdir()
    git = folder / "git"
    git.write_text(f"#!/bin/sh\nGIT={real}\n{script}\n")
    git.chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def end(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    """Waits for a process: exit code, stdout, stderr."""
    out, err = process.communicate(timeout=120)
    return process.returncode, out.decode(), err.decode()
