"""Ctrl-C and its kin, sent to the real program in the middle of a model's call: nothing recorded, nothing left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from git_cto.cli.signals import undisguised
from git_cto.demo.server import ModelServer, hang
from tests.cli.scenes import LEDGER, changed, everything, ledger, processes_with, wait_for
from tests.world import SOURCE, World, unmeasured


def interrupted(world: World, tmp: Path, *argv: str, number: int = signal.SIGINT) -> tuple[int, bytes, bytes]:
    """Runs the program until the model was asked, and sends the signal to its whole group, as a terminal does."""
    tmp.mkdir(exist_ok=True)
    with ModelServer([hang(started=True)]) as model:
        world.log_in(model.codex_config())
        process = world.process(
            *argv,
            signalled=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "TMPDIR": str(tmp)},
        )
        wait_for(lambda: model.requests)
        assert processes_with(f":{model.port}/"), "Codex has its server's address on its command line"
        os.killpg(process.pid, number)
        out, err = process.communicate(timeout=30)
        assert processes_with(f":{model.port}/") == []
    return process.returncode, out, err


@pytest.mark.parametrize("verb", ["review", "plan"])
def test_ctrl_c_during_a_call_leaves_no_record_and_no_child(world: World, tmp_path: Path, verb: str) -> None:
    """Case 76: exit 130, no file in the temporary folder, no ref moved; and it can be asked again."""
    changed(world)
    before = everything(world)
    code, out, err = interrupted(world, tmp_path / "tmp", verb, *(["Raise it"] if verb == "plan" else []))
    assert (code, out) == (130, b"")
    assert b"Interrupted.\nNext: " in err
    assert b"Traceback" not in err
    assert everything(world) == before
    assert ledger(world) == ""
    assert [path for path in (tmp_path / "tmp").iterdir() if path.name.startswith("git-cto")] == []
    if verb == "review":
        said = world.reviewed()
        assert (said.code, said.json["round"]) == (0, 1), said.text


def test_with_json_an_interruption_is_a_document_too(world: World, tmp_path: Path) -> None:
    changed(world)
    code, out, _ = interrupted(world, tmp_path / "tmp", "review", "--json")
    said = json.loads(out)
    assert (code, said["exit_code"], said["error"]["code"]) == (130, 130, "interrupted")


def test_a_termination_cleans_up_as_well(world: World, tmp_path: Path) -> None:
    changed(world)
    code, _, err = interrupted(world, tmp_path / "tmp", "review", number=signal.SIGTERM)
    assert code not in {0, 1}
    assert b"Traceback" not in err
    assert ledger(world) == ""
    assert [path for path in (tmp_path / "tmp").iterdir() if path.name.startswith("git-cto")] == []


def test_a_finish_that_is_interrupted_in_a_hook_loses_nothing(world: World, tmp_path: Path) -> None:
    """The hook runs for as long as somebody wants; Ctrl-C ends it, and the work is where it was."""
    world.planned()
    world.cto("start", "t1")
    world.write("app.py", "def version():\n    return 2\n")
    reached = tmp_path / "reached"
    slow = world.write(".git/hooks/pre-commit", f"#!/bin/sh\ntouch {reached}\nexec sleep 300\n")
    slow.chmod(0o755)
    before = everything(world)
    process = world.process("finish", "-m", "Says 2", signalled=True, stderr=subprocess.PIPE, start_new_session=True)
    wait_for(reached.exists)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert b"Traceback" not in err
    wait_for(lambda: not (world.path / ".git" / "index.lock").exists())
    assert everything(world) == before
    slow.unlink()
    assert world.cto("finish", "-m", "Says 2").code == 0


@pytest.mark.parametrize("moment", ["0.05", "0.15", "0.25", "0.35"])
def test_ctrl_c_at_any_moment_of_a_gate_is_no_approval(world: World, moment: str) -> None:
    """Whenever it comes, the exit code is the gate's own or 130, never another 0."""
    changed(world)
    process = world.process(
        "gate", signalled=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        process.wait(timeout=float(moment))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode != 0


DROPPING = """
import os, time

class Finalized:
    def __del__(self):
        os.kill(os.getpid(), {})

def drop():
    Finalized()  # Python drops what a signal raises in a finalizer, as in the callbacks of an import
    time.sleep(5)
"""
DISGUISING = """
import os

class Named:
    def __set_name__(self, *_):
        os.kill(os.getpid(), {})

def drop():
    type("Owner", (), dict(attribute=Named()))  # here Python 3.11 makes a RuntimeError of it
"""


@pytest.mark.parametrize("how", [DROPPING, DISGUISING], ids=["dropped", "disguised"])
def test_a_ctrl_c_that_python_drops_or_disguises_is_heard(world: World, tmp_path: Path, how: str) -> None:
    changed(world)
    at_the_first_program = """
import sys
first = [True]

def hook(event, _):
    if event == "subprocess.Popen" and first:
        first.clear()
        drop()

sys.addaudithook(hook)
"""
    (tmp_path / "sitecustomize.py").write_text(how.format(int(signal.SIGINT)) + at_the_first_program)
    environ = {**os.environ, "PYTHONPATH": f"{SOURCE}{os.pathsep}{tmp_path}"}
    process = world.process("gate", signalled=True, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, b""), err
    assert b"Interrupted.\nNext: " in err
    assert b"ignored" not in err


def test_a_ctrl_c_before_anything_has_begun_ends_it_without_a_word(world: World, tmp_path: Path) -> None:
    """As it ends any program: a shell calls that 130."""
    (tmp_path / "click.py").write_text(f"import os\nos.kill(os.getpid(), {int(signal.SIGINT)})\n")
    environ = {**os.environ, "PYTHONPATH": f"{SOURCE}{os.pathsep}{tmp_path}"}
    process = world.process("gate", signalled=True, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.communicate(timeout=30) == (b"", b"")
    assert process.returncode == -signal.SIGINT


def test_a_termination_that_python_drops_is_heard_a_moment_later() -> None:
    program = """
from git_cto.agents.process import termination_unwinds
from git_cto.cli.signals import heed
heed()
with termination_unwinds():
    drop()
"""
    environ = unmeasured({**os.environ, "PYTHONPATH": SOURCE})
    argv = [sys.executable, "-c", DROPPING.format(int(signal.SIGTERM)) + program]
    done = subprocess.run(argv, env=environ, capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (128 + signal.SIGTERM, b"")


def test_a_termination_that_python_disguises_is_one() -> None:
    with pytest.raises(RuntimeError) as wrapped:
        raise RuntimeError("Error calling __set_name__") from SystemExit(143)
    assert undisguised(wrapped.value) is wrapped.value.__cause__
    other = ValueError("of its own")
    other.__cause__ = SystemExit(143)
    assert undisguised(other) is other


def test_what_else_a_finalizer_raises_is_shown_as_ever() -> None:
    program = """
from git_cto.cli.signals import heed

class Broken:
    def __del__(self):
        raise ValueError("broken")

heed()
Broken()
"""
    environ = {**os.environ, "PYTHONPATH": SOURCE}
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, timeout=30, check=False)
    assert done.returncode == 0
    assert b"ValueError: broken" in done.stderr


def test_the_ledger_ref_is_the_only_one_that_a_review_moves(world: World) -> None:
    """So that an interruption has little to interrupt: everything else is for people, or derived."""
    changed(world)
    do_not_move = {line.split()[1] for line in world.git("for-each-ref", "--format=x %(refname)").splitlines()}
    assert world.reviewed().code == 0
    moved = {line.split()[1] for line in world.git("for-each-ref", "--format=x %(refname)").splitlines()} - do_not_move
    assert LEDGER in moved
    assert all(ref.startswith(("refs/notes/", "refs/cto/")) for ref in moved), moved
