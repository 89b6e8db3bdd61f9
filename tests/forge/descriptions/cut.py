"""Cuts GitHub's OpenAPI description down to the operations that git-cto uses, with all that they refer to.

    npm pack @octokit/openapi@23.0.2 && tar xzf octokit-openapi-23.0.2.tgz package/generated/api.github.com.json
    python tests/forge/descriptions/cut.py package/generated/api.github.com.json

The whole has 13 MB. Descriptions and examples are left out; what is legal stays exactly what it was, with exceptions
that are GitHub's own practice: see `_as_practised` and `_deleted_forks`.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

CUT = Path(__file__).with_name("api.github.com.json.gz")
OPERATIONS = """
GET    /repos/{owner}/{repo}
GET    /repos/{owner}/{repo}/branches/{branch}
GET    /repos/{owner}/{repo}/branches/{branch}/protection
GET    /repos/{owner}/{repo}/rules/branches/{branch}
GET    /repos/{owner}/{repo}/rulesets/{ruleset_id}
GET    /repos/{owner}/{repo}/collaborators/{username}/permission
GET    /repos/{owner}/{repo}/pulls
POST   /repos/{owner}/{repo}/pulls
GET    /repos/{owner}/{repo}/pulls/{pull_number}
PUT    /repos/{owner}/{repo}/pulls/{pull_number}/merge
GET    /repos/{owner}/{repo}/pulls/{pull_number}/comments
GET    /repos/{owner}/{repo}/pulls/{pull_number}/commits
GET    /repos/{owner}/{repo}/pulls/{pull_number}/reviews
POST   /repos/{owner}/{repo}/pulls/{pull_number}/reviews
GET    /repos/{owner}/{repo}/commits/{commit_sha}/pulls
GET    /repos/{owner}/{repo}/issues/{issue_number}/comments
POST   /repos/{owner}/{repo}/issues/{issue_number}/comments
PATCH  /repos/{owner}/{repo}/issues/comments/{comment_id}
POST   /repos/{owner}/{repo}/issues/comments/{comment_id}/reactions
POST   /repos/{owner}/{repo}/issues/{issue_number}/labels
DELETE /repos/{owner}/{repo}/issues/{issue_number}/labels/{name}
GET    /repos/{owner}/{repo}/commits/{ref}/check-runs
GET    /repos/{owner}/{repo}/commits/{ref}/status
POST   /repos/{owner}/{repo}/statuses/{sha}
POST   /repos/{owner}/{repo}/check-runs
GET    /repos/{owner}/{repo}/check-runs/{check_run_id}
PATCH  /repos/{owner}/{repo}/check-runs/{check_run_id}
GET    /repos/{owner}/{repo}/check-runs/{check_run_id}/annotations
GET    /repos/{owner}/{repo}/environments/{environment_name}
GET    /repos/{owner}/{repo}/environments/{environment_name}/deployment-branch-policies
GET    /repos/{owner}/{repo}/environments/{environment_name}/secrets
GET    /repos/{owner}/{repo}/actions/secrets
GET    /repos/{owner}/{repo}/actions/organization-secrets
"""

_PROSE = {"description", "summary", "externalDocs", "example", "examples"}
_OURS = {"x-github", "x-octokit", "externalDocs", "tags"}
Json = Any


def cut(whole: dict[str, Json]) -> dict[str, Json]:
    """The description of `OPERATIONS` alone."""
    paths: dict[str, Json] = {}
    for method, path in (line.split() for line in OPERATIONS.strip().splitlines()):
        operation = whole["paths"][path][method.lower()]
        kept = {key: value for key, value in operation.items() if key not in _OURS}
        paths.setdefault(path, {})[method.lower()] = _bare(kept)
    part = {
        "openapi": whole["openapi"],
        "info": {"title": whole["info"]["title"], "version": whole["info"]["version"]},
        "servers": [{"url": "https://api.github.com"}],
        "paths": paths,
        "components": {},
    }
    _add_components(part, whole)
    _as_practised(part)
    _deleted_forks(part["components"]["schemas"])
    return part


def _bare(node: Json, *, names: bool = False) -> Json:
    """The same without prose; `names` are keys that somebody chose, as those of `properties`."""
    if isinstance(node, list):
        return [_bare(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _bare(value, names=key in {"properties", "responses"})
        for key, value in node.items()
        if names or key not in _PROSE
    }


def _add_components(part: dict[str, Json], whole: dict[str, Json]) -> None:
    todo = sorted(_references(part["paths"]))
    while todo:
        _, _, kind, name = todo.pop().split("/")
        known = part["components"].setdefault(kind, {})
        if name not in known:
            known[name] = _bare(whole["components"][kind][name])
            todo += sorted(_references(known[name]))


def _references(node: Json) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(_references(value) for value in node.values()))
    return set().union(*(_references(item) for item in node)) if isinstance(node, list) else set()


def _as_practised(node: Json) -> None:
    """What is nullable lets null pass, also one of several; headers of an answer are examples, no promises."""
    if isinstance(node, list):
        for item in node:
            _as_practised(item)
    elif isinstance(node, dict):
        if node.get("nullable") is True and isinstance(node.get("enum"), list) and None not in node["enum"]:
            node["enum"] = [*node["enum"], None]
        if node.get("nullable") is True and isinstance(node.get("oneOf"), list) and "type" not in node:
            node["oneOf"] = [*node["oneOf"], {"type": "string", "nullable": True, "enum": [None]}]
        for response in (node.get("responses") or {}).values() if isinstance(node.get("responses"), dict) else ():
            response.pop("headers", None)
        for value in node.values():
            _as_practised(value)


def _deleted_forks(schemas: dict[str, Json]) -> None:
    """A pull request whose fork was deleted has no head repository; GitHub's schema of the event says so as well."""
    schemas["repository-or-none"] = {**schemas["repository"], "nullable": True}
    for name in ("pull-request", "pull-request-simple"):
        head = schemas[name]["properties"]["head"]["properties"]
        head["repo"] = {"$ref": "#/components/schemas/repository-or-none"}


def main() -> None:
    """Writes the cut beside this script."""
    part = cut(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    text = json.dumps(part, sort_keys=True, separators=(",", ":"))
    CUT.write_bytes(gzip.compress(text.encode(), mtime=0))
    print(f"{len(part['paths'])} paths, {len(text):,} bytes, {CUT.stat().st_size:,} compressed")


if __name__ == "__main__":
    main()
