"""Situations that the tests of the verbs share, and how to look at what a command left behind."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from itertools import repeat
from pathlib import Path
from typing import Any

from git_cto.demo.server import ModelServer, Step, message
from tests.world import Said, World, head_of

TWO = "def version():\n    return 2\n"
THREE = "def version():\n    return 3\n"
LEDGER = "refs/notes/cto-records"


def changed(world: World, text: str = TWO) -> str:
    """A branch `topic` with one commit that changes app.py; returns the commit."""
    world.branch("topic")
    return world.commit("Say 2", app__py=text)


def done(world: World, text: str = TWO, **said: Any) -> str:  # noqa: ANN401 -- JSON
    """A run whose one task was done; returns the run. `said` is what the plan says beyond the usual."""
    run = world.planned(**said)
    do(world, "t1", "app.py", text)
    return run


def do(world: World, task: str, path: str, text: str, summary: str = "Did it") -> Said:
    """Starts a task, writes one file and finishes it."""
    started = world.cto("start", task)
    assert started.code == 0, started.text
    world.write(path, text)
    finished = world.cto("finish", "-m", summary)
    assert finished.code == 0, finished.text
    return finished


def records(world: World, kind: str = "") -> list[dict[str, Any]]:
    """Every record of the ledger (of this kind), the newest first."""
    said = world.cto("log", "--all", "--json")
    assert said.code == 0, said.text
    return [one for one in said.json["records"] if one["kind"] == kind or not kind]


def ledger(world: World) -> str:
    """Where the ledger stands; "" where there is none."""
    return world.git("rev-parse", "--verify", "--quiet", LEDGER, ok=False)


def everything(world: World) -> dict[str, str]:
    """All that git knows of refs, index and worktree: equal before and after a command that moved nothing."""
    return {
        "refs": world.git("for-each-ref"),
        "head": world.git("rev-parse", "--symbolic-full-name", "HEAD"),
        "status": world.git("status", "--porcelain=v2", "--untracked-files=all"),
        "diff": world.git("diff"),
        "staged": world.git("diff", "--cached"),
    }


def artifacts(world: World) -> set[str]:
    """The artifacts that were kept, as `<run or series>/<name>`."""
    top = world.path / ".codex-cto"
    return {str(path.relative_to(top)) for path in top.glob("*/*") if not path.name.startswith(".")}


def saying(*texts: str) -> list[Step]:
    """A model that gives these answers, one after the other."""
    return [message(text) for text in texts]


def always(value: Any) -> Any:  # noqa: ANN401 -- JSON
    """A model that gives the same answer, however often it is asked."""
    return repeat(message(value if isinstance(value, str) else json.dumps(value)))


def hook(world: World, name: str, script: str) -> Path:
    """A hook of the user's."""
    path = world.write(f".git/hooks/{name}", "#!/bin/sh\n" + script)
    path.chmod(0o755)
    return path


def answering(text: Callable[[str], str]) -> Step:
    """A model whose answer is made from the commit that it is asked about."""
    return lambda request: message(text(head_of(request.user_text)))


def on_a_terminal(world: World, script: Iterable[Step], *argv: str, answers: Mapping[str, str] | None = None) -> Said:
    """Runs the program on a terminal of its own; `answers` is what somebody types when these words appear."""
    left = dict(answers or {})
    with ModelServer(script) as model:
        world.log_in(model.codex_config())
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "git_cto", *argv],
            cwd=world.path,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        text = b""
        try:
            while chunk := _read(ours):
                text += chunk
                for words in [words for words in left if words.encode() in text]:
                    os.write(ours, left.pop(words).encode())
            code = process.wait(timeout=60)
        finally:
            os.close(ours)
            process.kill()
    return Said(code, text.decode("utf-8", "replace"), "", tuple(model.requests))


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # how a terminal says that the other end was closed
        return b""


def wait_for(condition: Callable[[], object]) -> None:
    """Waits until `condition()` holds, for at most 30 seconds."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def processes_with(words: str) -> list[str]:
    """The living processes that have `words` on their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if words in line:
            found.append(line)
    return found
