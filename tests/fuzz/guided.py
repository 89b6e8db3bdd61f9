"""One target under atheris: `python -m tests.fuzz.guided TARGET CORPUS... [libFuzzer's options]`.

atheris is optional. `tests.fuzz.__main__` starts this module, once for each slice of time.
"""

from __future__ import annotations

import random
import sys
from importlib import import_module
from typing import Any


def main(argv: list[str]) -> None:
    """Fuzzes until libFuzzer ends the process."""
    try:
        atheris: Any = import_module("atheris")
    except ImportError:
        sys.exit("The long run is guided by atheris.\nNext: python -m pip install atheris")
    with atheris.instrument_imports(include=["git_cto", "tomllib"]):
        targets = import_module("tests.fuzz.targets")
    mutate = import_module("tests.fuzz.mutating").mutate

    def change(data: bytes, max_size: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if rng.random() < 0.5:
            return bytes(atheris.Mutate(data, max_size))
        return bytes(mutate(data, rng)[:max_size])

    atheris.Setup([argv[0], *argv[2:]], targets.TARGETS[argv[1]], custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
