"""The request: how many bytes reach the model besides the prompt, and with Codex's defaults.

The same prompt goes through `git cto review` and through a plain `codex exec` in the same repository, whose user has
configured nothing but where the model is. The size is that of the first HTTP request's body, as the server received
it, less the prompt as it stands in there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import repeat

from benchmarks.common import AGENTS, GIT_CTO, approval, world
from git_cto.demo.server import ModelServer, Request


def main(*, quick: bool = False) -> None:
    """Prints the table."""
    with world() as where:
        with ModelServer(repeat(approval)) as model:
            where.log_in(model)
            where.spent(GIT_CTO, "review")
            ours = model.requests[0]
        prompt = ours.user_text
        with ModelServer(repeat(approval)) as model:
            where.log_in(model)
            where.spent(str(AGENTS / "codex"), "exec", "-", data=prompt.encode())
            plain = next(one for one in model.requests if prompt in one.user_text)
    print("### A review's request, beside Codex's defaults\n")
    print(f"The prompt has {_size(prompt):,} bytes.\n")
    print("| bytes of the request | git cto review | codex exec, defaults |\n|---|---:|---:|")
    for name, size in _SIZES.items():
        print(f"| {name} | {size(ours, prompt):,} | {size(plain, prompt):,} |")
    print(f"\nBeyond the prompt, git-cto sends {_beyond(ours, prompt) / _beyond(plain, prompt):.2f} × the defaults.\n")


def _size(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode())


def _beyond(request: Request, prompt: str) -> int:
    return len(request.raw.encode()) - _size(prompt)


def _tools(request: Request) -> int:
    """Tools stand in a list of their own, or in an input item."""
    listed = [request.body.get("tools"), *(item.get("tools") for item in request.items)]
    return sum(_size(tools) for tools in listed if tools)


_SIZES: dict[str, Callable[[Request, str], int]] = {
    "beyond the prompt": _beyond,
    "of these: instructions": lambda one, _: _size(one.instructions),
    "of these: tools": lambda one, _: _tools(one),
    "of these: the answer's schema": lambda one, _: _size(one.schema) if one.schema else 0,
}
