"""Events as GitHub sends them, and an action whose git-cto only writes down what it was given."""

from __future__ import annotations

import copy
import functools
import json
import os
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import Any

from tests.action.driving import TOP

Json = Any

EXAMPLES = TOP / "node_modules/@octokit/webhooks-examples/api.github.com/index.json"

_PYTHON = """\
#!/bin/sh
# The real Python, but that a new environment has the packages of the tests: there is no network to get them from.
if [ "$*" = "-I -m venv venv" ]; then
    {python} -I -m venv --without-pip venv
    packages=$(venv/bin/python -I -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    echo '{packages}' >"$packages/tests.pth"
    {pip} || {{ mkdir "$packages/pip"; : >"$packages/pip/__init__.py"; echo '{none}' >"$packages/pip/__main__.py"; }}
else
    exec {python} "$@"
fi
"""


# To see that all is there already takes the real one a second.
_NO_PIP = 'import sys; sys.exit(0 if {"install", "--require-hashes"} <= set(sys.argv) else 9)'

_NPM = """\
#!/bin/sh
# No network either: what npm would install are the programs of the tests, and it writes down how it was called.
printf '%s\\n' "$PWD" "$@" >"{log}"
[ "$1" = ci ] && cmp -s package-lock.json '{lock}' || [ "$1" = install ] || exit 9
mkdir -p node_modules/.bin node_modules/@anthropic-ai/claude-code
ln -s '{agents}/codex' node_modules/.bin/codex
echo 'require("fs").writeFileSync("claude-was-set-up", "")' >node_modules/@anthropic-ai/claude-code/install.cjs
"""

_STUB = '''\
"""Stands in for git-cto: writes down what it was given, and gives the outputs that it was told to give."""
import json, os, shutil, sys

if sys.argv[1:] == ["--version"]:
    print("git-cto of the test")
    sys.exit()
told = {
    "argv": sys.argv[1:],
    "environment": dict(os.environ),
    "cwd": os.getcwd(),
    "isolated": bool(sys.flags.isolated),
    "path": sys.path,
    "codex": shutil.which("codex"),
}
with open(os.environ["TOLD"], "w", encoding="utf-8") as file:
    json.dump(told, file)
with open(os.environ["GITHUB_OUTPUT"], "a", encoding="utf-8") as file:
    file.write(os.environ.get("SAY", ""))
sys.exit(int(os.environ.get("EXIT", "0")))
'''


@functools.cache
def _examples() -> dict[str, list[Json]]:
    return {one["name"]: one["examples"] for one in json.loads(EXAMPLES.read_text())}


def example(event: str, action: str) -> Json:
    """A real payload of GitHub's. The first of each event is of long ago."""
    found = next(one for one in _examples()[event][1:] if one["action"] == action)
    return copy.deepcopy(found)


def comment(body: str, *, pull_request: bool = True) -> Json:
    """A comment on a pull request, or on an issue."""
    payload = example("issue_comment", "created")
    payload["comment"]["body"] = body
    payload["issue"].pop("pull_request", None)
    if pull_request:
        url = f"{payload['repository']['url']}/pulls/{payload['issue']['number']}"
        payload["issue"]["pull_request"] = {"url": url, "html_url": url, "diff_url": url, "patch_url": url}
    return payload


def tools(folder: Path, *, pip: bool = False) -> Path:
    """A folder for the front of PATH: Python and npm as they are, but for the network. With `pip`, pip is real."""
    folder.mkdir(parents=True, exist_ok=True)
    agents = TOP / "node_modules/.bin"
    lock = TOP / "package-lock.json"
    script = _PYTHON.format(
        python=sys.executable, packages=sysconfig.get_path("purelib"), pip="true" if pip else "false", none=_NO_PIP
    )
    _executable(folder / "python3", script)
    _executable(folder / "npm", _NPM.format(log=folder / "npm.log", lock=lock, agents=agents))
    return folder


def npm_calls(folder: Path) -> list[str]:
    """The folder that npm was called in, and its arguments; empty where it was not called."""
    log = folder / "npm.log"
    return log.read_text().splitlines() if log.exists() else []


def unpacked(folder: Path, *, stub: bool = True) -> Path:
    """The action as a runner unpacks it. With `stub`, its git-cto only writes down what it was given."""
    folder.mkdir(parents=True)
    for name in ("action.yml", "package.json", "package-lock.json"):
        shutil.copy(TOP / name, folder)
    for name in ("action", "requirements"):
        shutil.copytree(TOP / name, folder / name)
    if stub:
        package = folder / "src/git_cto"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")
        (package / "__main__.py").write_text(_STUB)
    else:
        os.symlink(TOP / "src", folder / "src")
    return folder


def _executable(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
