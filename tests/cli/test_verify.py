"""`git cto review --verify`: commands in a clean worktree, agreed to by a person, limited, and without any key."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from git_cto.demo.server import KEY_VARIABLE, ModelServer
from tests.cli.scenes import TWO, changed, do, ledger, on_a_terminal, processes_with, wait_for
from tests.world import World, review_reply

VERIFY = ("--verify", "--allow-commands")


def with_commands(world: World, *commands: str, timeout: int = 900) -> None:
    """A branch with a change, and a policy with these verification commands."""
    changed(world)
    listing = ", ".join(repr(command) for command in commands)
    world.policy(f"[verify]\ncommands = [{listing}]\ntimeout = {timeout}\n")


def leftovers(world: World) -> list[str]:
    """Worktrees that git knows of beside ours, and folders where they are made."""
    known = [line for line in world.git("worktree", "list", "--porcelain").splitlines() if line.startswith("worktree ")]
    state = Path(os.environ["HOME"], ".local", "state", "git-cto", "worktrees")
    return known[1:] + [str(path) for path in state.glob("*")]


def test_commands_run_in_a_clean_worktree_of_the_head(world: World, tmp_path: Path) -> None:
    """Not in the user's: what is not committed is not there, what they write is gone, the head is checked out."""
    seen = tmp_path / "seen"
    with_commands(world, f"pwd > {seen}; git rev-parse HEAD >> {seen}; ls >> {seen}; touch litter")
    world.write("untracked.py", "1\n")
    said = world.reviewed(*VERIFY)
    assert said.code == 0, said.text
    folder, head, *names = seen.read_text().splitlines()
    assert not Path(folder).is_relative_to(world.path)
    assert not Path(folder).exists()
    assert (head, names) == (world.head, ["app.py"])
    assert not (world.path / "litter").exists()
    assert leftovers(world) == []


def test_what_a_killed_verification_has_left_goes_with_the_next_one(world: World, tmp_path: Path) -> None:
    """Its worktree, and the commands that it ran."""
    began, free = tmp_path / "began", tmp_path / "free"
    with_commands(world, f"[ -e {free} ] || {{ touch {began}; sleep 298; }}")
    with ModelServer([]) as model:
        world.log_in(model.codex_config())
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = world.process("review", *VERIFY, signalled=True, **quiet)
        wait_for(began.exists)
        process.kill()
        process.wait()
    assert len(leftovers(world)) > 1
    assert processes_with("sleep 298")
    free.touch()
    assert world.reviewed(*VERIFY).code == 0
    assert leftovers(world) == []
    assert processes_with("sleep 298") == []


def test_how_they_ended_is_a_fact_in_the_question_and_in_the_record(world: World) -> None:
    with_commands(world, "echo all 12 tests pass", "true")
    said = world.reviewed(*VERIFY)
    assert said.code == 0, said.text
    assert "$ echo all 12 tests pass\nexit code 0\nall 12 tests pass" in said.question()
    outcomes = said.json["commands"]
    assert [(one["command"], one["exit_code"]) for one in outcomes] == [("echo all 12 tests pass", 0), ("true", 0)]
    assert "running true" in said.err


def test_a_failing_command_bars_the_approval_and_the_others_still_run(world: World) -> None:
    with_commands(world, "echo one is wrong >&2; exit 7", "true")
    said = world.reviewed(*VERIFY)
    assert (said.code, said.json["model_verdict"]) == (1, "approve")
    assert said.json["downgrades"] == ["verification failed: echo one is wrong >&2; exit 7"]
    assert [one["exit_code"] for one in said.json["commands"]] == [7, 0]
    assert "exit code 7\none is wrong" in said.question()
    assert world.cto("gate").code == 1
    assert "$ true: exit code 0" in world.cto("show").out


def test_a_command_that_hangs_is_ended_with_its_children(world: World, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with_commands(world, f"sleep 300 & echo $! > {pid}; wait", timeout=1)
    said = world.reviewed(*VERIFY)
    assert said.code == 1, said.text
    assert said.json["commands"][0]["exit_code"] is None
    assert "stopped after its time limit" in said.question()
    assert not Path(f"/proc/{pid.read_text().strip()}/cwd").exists()
    assert leftovers(world) == []


def test_a_command_that_reads_stdin_finds_it_empty(world: World) -> None:
    with_commands(world, 'test -z "$(cat)"')
    assert world.reviewed(*VERIFY).code == 0


def test_no_key_is_in_their_environment_and_none_in_what_they_print(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen = tmp_path / "environment"
    keys = {
        "OPENAI_API_KEY": "sk-openai-fedcba9876543210",
        "ANTHROPIC_API_KEY": "sk-ant-fedcba9876543210",
        "GITHUB_TOKEN": "ghp-fedcba9876543210",
        "SSH_AUTH_SOCK": "/run/agent",
    }
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "dotenv").write_text("sk-openai-fedcba9876543210\n")
    with_commands(world, f"env > {seen}; cat {tmp_path / 'dotenv'}")
    said = world.reviewed(*VERIFY)
    assert said.code == 0, said.text
    text = seen.read_text()
    assert not [name for name in (*keys, KEY_VARIABLE) if name in text]
    assert "PATH=" in text
    assert "sk-openai" not in said.out + said.question()
    assert "[redacted]" in said.json["commands"][0]["output"]


def test_much_output_is_cut_to_its_end(world: World) -> None:
    with_commands(world, "yes 0123456789 | head -n 200000; echo THE-END; printf 'no newline \\033[31m\\377'")
    said = world.reviewed(*VERIFY)
    assert said.code == 0, said.text
    output = said.json["commands"][0]["output"]
    assert len(output) <= 1000
    assert "THE-END\nno newline [31m" in output


def test_the_plans_commands_run_where_the_policy_names_none(world: World) -> None:
    world.planned(verification={"commands": ["grep -q 2 app.py"], "expected": "It is there."})
    do(world, "t1", "app.py", TWO)
    assert "not run: grep -q 2 app.py" in world.cto("review", "--dry-run").out
    said = world.reviewed(*VERIFY)
    assert (said.code, said.json["commands"][0]["command"]) == (0, "grep -q 2 app.py"), said.text
    assert "Expected of the verification: It is there." in said.question()


def test_the_policys_commands_take_the_place_of_the_plans(world: World) -> None:
    world.policy('[verify]\ncommands = ["true"]\n')
    world.planned(verification={"commands": ["false"], "expected": ""})
    do(world, "t1", "app.py", TWO)
    said = world.reviewed(*VERIFY)
    assert (said.code, [one["command"] for one in said.json["commands"]]) == (0, ["true"]), said.text


def test_nothing_to_verify_with_is_a_note(world: World) -> None:
    changed(world)
    said = world.reviewed(*VERIFY)
    assert said.code == 0
    assert "neither plan nor policy names a command" in said.err


def test_a_dry_run_runs_no_command(world: World, tmp_path: Path) -> None:
    with_commands(world, f"touch {tmp_path / 'ran'}")
    assert world.cto("review", *VERIFY, "--dry-run").code == 0
    assert not (tmp_path / "ran").exists()


# ---- who agrees


def test_without_a_terminal_nothing_runs_unless_it_is_allowed(world: World, tmp_path: Path) -> None:
    """What would run is shown; nothing is asked of the model either."""
    with_commands(world, f"touch {tmp_path / 'ran'}")
    said = world.ask([], "review", "--verify")
    assert (said.code, said.requests) == (2, ()), said.text
    assert f"touch {tmp_path / 'ran'}" in said.err
    assert "Next: git cto review --verify --allow-commands" in said.err
    assert not (tmp_path / "ran").exists()
    assert ledger(world) == ""


@pytest.mark.parametrize("answer, code", [("y\n", 0), ("n\n", 2), ("\n", 2), ("\x04", 130)])
def test_on_a_terminal_it_is_shown_and_asked(world: World, tmp_path: Path, answer: str, code: int) -> None:
    with_commands(world, f"touch {tmp_path / 'ran'}")
    said = on_a_terminal(world, [review_reply()], "review", "--verify", answers={"Run them?": answer})
    assert said.code == code, said.text
    assert f"  touch {tmp_path / 'ran'}" in said.text.replace("\r", "")
    assert "Run them?" in said.text
    assert (tmp_path / "ran").exists() is (code == 0)
    assert bool(ledger(world)) is (code == 0)


def test_ctrl_c_in_a_command_leaves_no_worktree_and_no_process(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = tmp_path / "pid"
    with_commands(world, f"sleep 300 & echo $! > {pid}.new; mv {pid}.new {pid}; wait")
    monkeypatch.setenv("CODEX_API_KEY", "sk-nobody-asks-0123456789")  # else nothing would start
    process = world.process("review", *VERIFY, signalled=True, stderr=subprocess.PIPE, start_new_session=True)
    wait_for(pid.exists)
    assert leftovers(world)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert b"Traceback" not in err
    assert not Path(f"/proc/{pid.read_text().strip()}/cwd").exists()
    assert leftovers(world) == []
    assert ledger(world) == ""
