"""Which tools a request offers to the model, and which of them a sealed request may offer.

Pure: reads the body of a recorded request of Codex's. It is how a sealed call is shown to be sealed, instead
of being believed to be: `tools_of` names everything that is on offer, `unexpected_tools` what should not be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

Json = Mapping[str, object]

ASKING = frozenset({"request_user_input", "request_user_input_async"})
"""Questions to the user. There is none: Codex refuses the call, and the call ends the review."""

PATCHING = frozenset({"apply_patch"})
"""Writing files. The read-only sandbox refuses the call, and the call ends the review."""

CODE_MODE = frozenset(
    {
        "exec",  # an isolate without files, network or processes; it can only call the tools named below it
        "wait",
        "exec/apply_patch",
        "exec/clock__curr_time",
        "exec/list_mcp_resources",  # no MCP server is configured in a sealed call
        "exec/list_mcp_resource_templates",
        "exec/read_mcp_resource",
    }
)
"""What models that write code instead of calling tools are offered."""

_FAMILIES: tuple[tuple[str, frozenset[str]], ...] = (
    (r"gpt-5\.5\b", ASKING | PATCHING),
    (r"gpt-5\.[6-9]|gpt-[6-9]|gpt-\d\d|gpt-daybreak|codex-auto-review", ASKING | PATCHING | CODE_MODE),
)

# In code mode the tools that `exec` can call are only in its description: as a heading with the name in
# backticks, and as a declaration.
_NESTED = re.compile(r"^#{2,4} `([A-Za-z0-9_.-]+)`|declare const tools: \{\s*([A-Za-z0-9_]+)\s*\(", re.MULTILINE)


def tools_of(body: Json) -> frozenset[str]:
    """The names of all tools that the request `body` offers: in `tools`, in `additional_tools`, and nested.

    A tool without a name goes by its type (`web_search`); a tool that only code can call by `exec/<name>`.
    Namespaces other than `functions` are kept, as `<namespace>.<name>`.
    """
    names: set[str] = set()
    for tool in _offered(body):
        names.update(_names(tool, ""))
    return frozenset(names)


def allowed_tools(model: str) -> frozenset[str]:
    """The names of the tools that a sealed request to `model` may offer.

    Measured per family with Codex 0.169. A model that Codex does not know (gpt-5.4, gpt-5.4-pro, gpt-5-mini
    and gpt-5.3-codex among them) is offered the least.
    """
    for pattern, tools in _FAMILIES:
        if re.match(pattern, model):
            return tools
    return ASKING


def unexpected_tools(body: Json) -> frozenset[str]:
    """The tools of a sealed request that have no place in it. Empty is good."""
    return tools_of(body) - allowed_tools(str(body.get("model", "")))


def _offered(body: Json) -> Iterator[Json]:
    yield from _objects(body.get("tools"))
    for item in _objects(body.get("input")):
        if item.get("type") == "additional_tools":
            yield from _objects(item.get("tools"))


def _names(tool: Json, prefix: str) -> Iterable[str]:
    name = str(tool.get("name") or tool.get("type") or "unnamed")
    if tool.get("type") == "namespace":
        inner = "" if name == "functions" else f"{name}."
        return [nested for part in _objects(tool.get("tools")) for nested in _names(part, prefix + inner)]
    found = [prefix + name]
    if name == "exec":
        matches = _NESTED.finditer(str(tool.get("description", "")))
        found += [f"{prefix}{name}/{match[1] or match[2]}" for match in matches]
    return found


def _objects(value: object) -> Iterator[Json]:
    for entry in value if isinstance(value, list) else []:
        if isinstance(entry, Mapping):
            yield entry
