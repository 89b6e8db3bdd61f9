"""`python -m benchmarks [--quick] [NAME ...]`: runs the benchmarks (all of them by default) and prints Markdown."""

from __future__ import annotations

import argparse
import inspect
from importlib import import_module

from benchmarks.common import machine

# In the order in which benchmarks/README.md speaks of them.
NAMES = ("review", "gate", "startup", "change", "ledger", "request", "loop", "audit", "action")


def main() -> None:
    """Runs what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(NAMES)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="few turns: shows that all of it works, measures nothing")
    asked = parser.parse_args()
    unknown = [name for name in asked.names if name not in NAMES]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(NAMES)}")
    print(machine() + "\n", flush=True)
    for name in asked.names or NAMES:
        run = import_module(f"benchmarks.{name}").main
        run(**({"quick": True} if asked.quick and "quick" in inspect.signature(run).parameters else {}))


main()
