"""The long run: `python -m tests.fuzz [--seconds N] [--corpus DIR] [TARGET ...]`, guided by coverage, with atheris.

Each target gets a slice of the time, in turn, in a process of its own. The corpus grows in DIR; what breaks a target
is written there as `<target>.crash-*`, and what it all took is added to `figures.json`.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SEEDS = Path(__file__).with_name("corpus")
_SLICE = 600  # seconds for a target before the next one gets its turn
_LONGEST = {"envelope": 12_000, "statement": 9_000, "names": 500, "globs": 300}  # bytes; others: 5,000
_TIMEOUT = 20  # seconds that one input may take


def main(argv: list[str]) -> int:
    """Runs the targets until the time is up; 1 where one of them broke."""
    from tests.fuzz.targets import TARGETS

    asks = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    asks.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; default: all")
    asks.add_argument("--seconds", type=int, default=3600, help="how long, altogether (default: an hour)")
    asks.add_argument("--corpus", type=Path, default=Path(".fuzz"), help="where the corpora grow (default: .fuzz)")
    said = asks.parse_args(argv)
    names = said.targets or list(TARGETS)
    unknown = sorted(set(names) - set(TARGETS))
    if unknown:
        asks.error(f"no such target: {', '.join(unknown)}")
    figures_file = said.corpus / "figures.json"
    deadline = time.monotonic() + said.seconds
    turn = max(1, min(_SLICE, said.seconds // len(names)))
    broken = False
    while not broken and time.monotonic() + turn <= deadline + 1:
        for name in names:
            broken |= _slice(name, said.corpus, turn, figures_file)
    return int(broken)


def _slice(name: str, corpus: Path, seconds: int, figures_file: Path) -> bool:
    """One target for some seconds; whether it broke."""
    folder = corpus / name
    folder.mkdir(parents=True, exist_ok=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.fuzz.guided", name, str(folder), str(SEEDS / name)),
            *(
                f"-max_total_time={seconds}",
                f"-max_len={_LONGEST.get(name, 5_000)}",
                f"-timeout={_TIMEOUT}",
                "-rss_limit_mb=2048",
            ),
            *(f"-artifact_prefix={corpus}/{name}.", f"-seed={random.SystemRandom().randrange(1, 1 << 31)}"),
            "-print_final_stats=1",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    text = done.stdout.decode("utf-8", "replace")
    figures: dict[str, Any] = json.loads(figures_file.read_text()) if figures_file.exists() else {}
    one = figures.setdefault(name, {"cpu_seconds": 0.0, "executions": 0, "inputs": 0, "features": 0, "broken": 0})
    one["cpu_seconds"] += round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1)
    one["executions"] += _number(r"stat::number_of_executed_units: *(\d+)", text)
    one["inputs"] = sum(1 for _ in folder.iterdir())
    one["features"] = max(one["features"], _number(r".*\bft: (\d+)", text))
    if done.returncode != 0:
        one["broken"] += 1
        print(f"{name} broke:\n{text[-6000:]}", flush=True)
    figures_file.write_text(json.dumps(figures, indent=2) + "\n")
    print(f"{name}: {one}", flush=True)
    return done.returncode != 0


def _number(pattern: str, text: str) -> int:
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
