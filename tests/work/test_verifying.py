"""What is kept of a command's output holds no secret, not even half of one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from git_cto.redaction import HIDDEN
from git_cto.work.verifying import KEPT_OUTPUT, _keep, run_command


def test_a_secret_where_the_output_is_cut_is_hidden_whole(tmp_path: Path) -> None:
    secret = "correct-horse-battery-staple"
    for after in range(KEPT_OUTPUT - len(secret) - 2, KEPT_OUTPUT + 2, 5):
        command = f"printf '%s' {secret}; head -c {after} /dev/zero | tr '\\0' x"
        done = run_command({"PATH": os.environ["PATH"], "MY_SECRET": secret}, command, tmp_path, 60)
        assert done.passed
        assert len(done.output) <= KEPT_OUTPUT
        assert done.output.strip().strip("x") in HIDDEN, done.output[:60]


def test_half_a_secret_at_the_beginning_of_what_is_held_is_left_out(tmp_path: Path) -> None:
    """Secret after secret in one line: whatever the line is cut to, it may begin within one."""
    secret = "-".join(str(number) for number in range(100, 370))  # nowhere like itself
    command = f"yes {secret} | head -n 1000 | tr -d '\\n'; printf '%s' x"
    done = run_command({"PATH": os.environ["PATH"], "MY_SECRET": secret}, command, tmp_path, 60)
    assert done.passed
    assert done.output.replace(HIDDEN, "") == "x\n"


def test_no_output_fills_the_memory() -> None:
    output = bytearray()
    for _ in range(50):
        _keep(output, b"\xe9" * 1_000_000)
        assert len(output) <= 64 * 1024
    _keep(output, b"THE-END")
    assert output.endswith(b"\xe9\nTHE-END\n")


def test_fifty_megabytes_in_one_line_take_little_memory(tmp_path: Path) -> None:
    """Measured in a process of its own: what a whole test run took before does not count."""
    script = (
        "import os, resource, sys; from pathlib import Path; from git_cto.work.verifying import run_command\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "command = \"head -c 50000000 /dev/zero | tr '\\\\0' x | fold -b -w 7000000; echo THE-END\"\n"
        "done = run_command({'PATH': os.environ['PATH']}, command, Path(sys.argv[1]), 60)\n"
        "assert done.passed and done.output.endswith('THE-END\\n') and len(done.output) <= 1000, done.output[-99:]\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) < 80  # MiB; 50 MB held as text took 200 and more


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
def test_our_own_environment_is_closed_to_commands_of_the_same_user() -> None:
    """Root reads it all the same, so what is asked is what the system would tell anybody else."""
    script = (
        "import ctypes, os; from git_cto.work.verifying import close_proc\n"
        "get = lambda: ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)\n"
        "assert get() == 1; close_proc(); assert get() == 0\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
