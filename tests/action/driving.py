"""Puts workflows and actions before GitHub's own parser, expressions and language service: `driver/`, run by Node."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = Any

TOP = Path(__file__).resolve().parents[2]
DRIVER = Path(__file__).parent / "driver"
ACTION = TOP / "action.yml"


def drive(program: str, asked: Json) -> Json:
    """Hands one of the driver's programs a JSON document and returns the one that it writes."""
    done = subprocess.run(
        ["node", "--import", DRIVER / "json_modules.mjs", DRIVER / f"{program}.mjs"],
        input=json.dumps(asked).encode(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


@dataclass(frozen=True)
class Run:
    """What became of an action: its status, its outputs, and each of its steps."""

    status: str
    outputs: dict[str, str]
    steps: list[dict[str, Json]]

    def step(self, name: str) -> dict[str, Json]:
        """The step with this id, or whose name begins so."""
        return next(one for one in self.steps if one["id"] == name or one["name"].startswith(name))

    @property
    def log(self) -> str:
        """All that its steps printed."""
        return "".join(one.get("log", "") for one in self.steps)


def run_action(
    folder: Path,
    temp: Path,
    event: str,
    payload: Json,
    inputs: Mapping[str, str] = {},
    environment: Mapping[str, str] = {},
) -> Run:
    """Runs the action in `folder` as a job does that was started by this event.

    `temp` is the runner's folder, `environment` what the job's own is beyond the test's.
    """
    workspace = temp / "workspace"
    workspace.mkdir(parents=True, exist_ok=True)
    asked = {
        "folder": str(folder),
        "event": event,
        "payload": payload,
        "inputs": dict(inputs),
        "environment": {**os.environ, **environment},
        "workspace": str(workspace),
        "temp": str(temp),
    }
    return Run(**drive("composite", asked))


def evaluate(event: str, payload: Json, *expressions: str) -> list[dict[str, Json]]:
    """The value of each expression for this event, as `text`, and whether it is `truthy`."""
    said = drive("expressions", {"event": event, "payload": payload, "environment": {}, "expressions": expressions})
    return list(said)


def language_service(files: Sequence[Path]) -> dict[str, list[dict[str, Json]]]:
    """What an editor would underline in these files."""
    return dict(drive("language", {"files": [str(file) for file in files], "action": str(ACTION)}))
