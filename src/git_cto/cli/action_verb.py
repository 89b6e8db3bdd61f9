"""`git cto action`: the entry point of action.yml. Everything it needs it finds in the environment of the job."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from git_cto.cli.shell import verb

if TYPE_CHECKING:
    from git_cto.cli.shell import Shell


@verb("action", "git cto action")
def command(shell: Shell) -> int:  # noqa: ARG001 -- what is told is told by outputs and the job's summary
    """Do what this job of GitHub Actions is there for: review, gate or run. For action.yml, not for people."""
    from git_cto.action.job import run_job

    return run_job(os.environ, sys.stdout)
