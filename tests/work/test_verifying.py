"""What is kept of a command's output holds no secret, not even half of one."""

from __future__ import annotations

import os
from pathlib import Path

from git_cto.redaction import HIDDEN
from git_cto.work.verifying import KEPT_OUTPUT, _run


def test_a_secret_where_the_output_is_cut_is_hidden_whole(tmp_path: Path) -> None:
    secret = "correct-horse-battery-staple"
    for after in range(KEPT_OUTPUT - len(secret) - 2, KEPT_OUTPUT + 2, 5):
        command = f"printf '%s' {secret}; head -c {after} /dev/zero | tr '\\0' x"
        done = _run(command, tmp_path, {"PATH": os.environ["PATH"]}, 60, lambda _: None, [secret])
        assert done.passed
        assert len(done.output) <= KEPT_OUTPUT
        assert done.output.strip().strip("x") in HIDDEN, done.output[:60]
