"""Exit codes are an API, and so is where things are printed: every verb, every way to end."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from git_cto import __version__
from git_cto.cli import VERBS
from git_cto.demo.server import ModelServer, hang
from tests.cli.scenes import changed, ledger, on_a_terminal
from tests.world import World, review_reply

# ---- the table


def test_the_codes_of_a_review(world: World) -> None:
    """0 approved, 1 revise, 2 nothing to review, 3 no verdict, 4 abort, 5 escalated."""
    assert world.ask([], "review").code == 2
    changed(world)
    assert world.ask([], "review").code == 3
    seen = []
    for number, verdict in enumerate(["approve", "revise", "revise", "revise", "continue", "abort"], start=5):
        if verdict == "continue":
            assert world.cto("continue", "--reason", "x").code == 0
            continue
        world.commit("Another", app__py=f"def version():\n    return {number}\n")
        seen.append(world.reviewed(verdict=verdict).code)
    assert seen == [0, 1, 1, 5, 4]


def test_the_codes_of_the_gate(world: World) -> None:
    """0 open, 1 closed, also where there is nothing to merge; 2 wrong place; 3 cannot be told."""
    world.branch("topic")
    assert world.cto("gate").code == 1
    world.commit("Say 2", app__py="def version():\n    return 2\n")
    assert world.cto("gate").code == 1
    world.reviewed()
    assert world.cto("gate").code == 0
    assert world.cto("gate", "nowhere").code == 2
    blob = world.git("rev-parse", "HEAD^{tree}")
    (world.path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    said = world.cto("gate")
    assert said.code == 3, said.text
    assert "Next: " in said.err


@pytest.mark.parametrize("verb", list(VERBS))
def test_help_is_0_with_an_example_and_wrong_options_are_2(world: World, verb: str) -> None:
    for option in ("-h", "--help"):
        said = world.cto(verb, option)
        assert (said.code, said.err) == (0, "")
        assert "Usage: git cto " + verb in said.out
        assert "Example:" in said.out
        assert all(len(line) <= 80 for line in said.out.splitlines())
    said = world.cto(verb, "--no-such-option")
    assert (said.code, said.out) == (2, "")
    assert "No such option" in said.err
    assert "Next: git cto" in said.err


def test_the_group_itself(world: World) -> None:
    assert world.cto("--version").out == f"git-cto {__version__}\n"
    said = world.cto("--help")
    assert said.code == 0
    assert [verb for verb in VERBS if not re.search(rf"^  {verb} ", said.out, re.MULTILINE)] == []
    for argv in (["nonsense"], ["--nonsense"], ["-C"], ["-C", "/nowhere/at/all", "gate"]):
        said = world.cto(*argv)
        assert (said.code, said.out) == (2, ""), said.text
        assert "Next: " in said.err
    assert world.cto().code == 2


def test_minus_c_acts_there(world: World, tmp_path: Path) -> None:
    changed(world)
    elsewhere = World(tmp_path / "elsewhere", world._monkeypatch)
    said = elsewhere.cto("-C", str(world.path), "gate", "--json")
    assert (said.code, said.json["head"]) == (1, world.head)


# ---- bugs and broken ends


def test_a_bug_is_3_and_one_sentence_never_a_traceback(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    changed(world)

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("made by the test")

    monkeypatch.setattr("git_cto.work.gating.survey", broken)
    said = world.cto("gate")
    assert (said.code, said.out) == (3, "")
    assert said.err.startswith("git-cto has a bug: ZeroDivisionError: made by the test (test_exit_codes.py:")
    assert "Traceback" not in said.err
    assert "Next: GIT_CTO_DEBUG=1" in said.err
    monkeypatch.setenv("GIT_CTO_DEBUG", "1")
    assert "Traceback" in world.cto("gate").err


def test_an_answer_that_cannot_be_printed_is_3(world: World) -> None:
    """Case 82 for stdout: full to the last byte. Never 0, never 1, which would be an answer."""
    changed(world)
    world.reviewed()
    for argv in (["gate"], ["gate", "--json"], ["log"], ["review"]):
        with open("/dev/full", "wb") as full:
            process = world.process(*argv, stdout=full, stderr=subprocess.PIPE)
            _, err = process.communicate(timeout=30)
        assert process.returncode == 3, err
        assert b"Traceback" not in err
        assert b"Exception ignored" not in err


@pytest.mark.parametrize("redirection", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_descriptors_are_no_bug(world: World, redirection: str) -> None:
    """As a service manager or a careless script leaves them."""
    changed(world)
    world.reviewed()
    command = f'exec "$0" -m git_cto gate {redirection}'
    done = subprocess.run(["sh", "-c", command, sys.executable], cwd=world.path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b"bug" not in done.stderr


def test_a_reader_that_has_gone_is_neither_an_approval_nor_a_refusal(world: World) -> None:
    changed(world)
    world.reviewed()
    read, write = os.pipe()
    os.close(read)
    try:
        process = world.process("gate", stdout=write, stderr=subprocess.PIPE)
        _, err = process.communicate(timeout=30)
    finally:
        os.close(write)
    assert (process.returncode, err) == (3, b"")


# ---- quiet, colour, terminal


def test_quiet_leaves_only_the_answer(world: World) -> None:
    changed(world)
    world.write("new.py", "1\n")
    said = world.ask([review_reply()], "review", "--quiet")
    assert (said.code, said.err) == (0, ""), said.text
    assert said.out.startswith("✓ approve")
    assert world.cto("gate", "-q").err == ""


def test_colour_is_for_terminals_and_off_with_no_color(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    changed(world)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b" not in on_a_terminal(world, [], "gate").out
    monkeypatch.delenv("NO_COLOR")
    assert "\x1b[31m\x1b[1mclosed" in on_a_terminal(world, [], "gate").out
    assert "\x1b" not in world.cto("gate").text
    assert "\x1b" not in on_a_terminal(world, [], "gate", "--json").out


def test_a_terminal_shows_one_live_line_and_takes_it_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    changed(world)
    monkeypatch.setenv("TERM", "xterm-256color")
    said = on_a_terminal(world, [review_reply()], "review")
    assert said.code == 0, said.text
    assert re.search(r"Codex gpt-5\.4 · \w+.* · 0:0\d", said.out)
    after = said.out[said.out.index("✓ approve") :]
    assert "Codex gpt-5.4 ·" not in after


def test_a_time_limit_is_3_with_the_option_to_raise(world: World) -> None:
    """71, 72: silence before the first byte, and after it."""
    changed(world)
    for started, option in ((False, "--timeout"), (True, "--idle-timeout")):
        with ModelServer([hang(started=started)]) as model:
            world.log_in(model.codex_config())
            said = world.cto("review", option, "2")
        assert said.code == 3, said.text
        assert f"{option} <seconds>" in said.err
    assert ledger(world) == ""


def test_every_verb_that_succeeds_is_0(world: World, tmp_path: Path) -> None:
    """The ones whose success is no verdict."""
    run = world.planned()
    world.git("clone", "--quiet", "--bare", str(world.path), str(tmp_path / "hub.git"))
    world.git("remote", "add", "origin", str(tmp_path / "hub.git"))
    for argv in (
        ["tasks"],
        ["start", "t1"],
        ["finish", "-m", "x"],
        ["log"],
        ["show", run],
        ["sync"],
        ["init"],
        ["plan", "x", "--dry-run"],
    ):
        said = world.cto(*argv)
        assert said.code == 0, said.text
    assert world.cto("override", "--reason", "x").code == 2  # nothing was changed
