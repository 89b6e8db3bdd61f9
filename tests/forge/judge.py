"""GitHub's own descriptions of its API, as a judge of what we send and of what the fake answers.

REST: the cut under `descriptions/`. GraphQL: the whole schema, from npm. `completed` makes an answer of a few fields
whole, with the dullest values that the description allows, so that a fake need not know all of them.
"""

from __future__ import annotations

import functools
import gzip
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from graphql import GraphQLSchema, build_schema, parse, validate
from openapi_core import Config, OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse

Json = Any

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
SERVER = "https://api.github.com"

_DULL: dict[str, Json] = {"string": "", "integer": 1, "number": 1, "boolean": False, "array": []}
_FORMATS = {"uri": f"{SERVER}/x", "date-time": "2026-01-01T00:00:00Z", "email": "nobody@example.org"}


@functools.cache
def description() -> dict[str, Json]:
    """The cut of GitHub's OpenAPI description."""
    whole: dict[str, Json] = json.loads(gzip.decompress((HERE / "descriptions/api.github.com.json.gz").read_bytes()))
    return whole


@functools.cache
def _openapi() -> OpenAPI:
    unchecked = Config(spec_validator_cls=None)  # type: ignore[arg-type]  # which is how it is told to trust us
    return OpenAPI.from_dict(description(), config=unchecked)


@functools.cache
def graphql_schema() -> GraphQLSchema:
    """GitHub's GraphQL schema; it takes a second."""
    text = (ROOT / "node_modules/@octokit/graphql-schema/schema.graphql").read_text(encoding="utf-8")
    return build_schema(text, assume_valid=True, no_location=True)


def illegal_query(query: str) -> list[str]:
    """What GitHub's schema has against a query."""
    return [str(error) for error in validate(graphql_schema(), parse(query))]


def illegal_request(method: str, path: str, body: bytes) -> list[str]:
    """What GitHub's description has against a request. `path` has no prefix of an enterprise server."""
    try:
        _openapi().validate_request(_request(method, path, body))
    except OpenAPIError as error:
        return [f"{method} {path}: {_words(error)}"]
    return _unknown_fields(method, path, body)


def illegal_answer(method: str, path: str, status: int, answer: bytes) -> list[str]:
    """What it has against the answer to a request."""
    told = MockResponse(answer, status, content_type="application/json; charset=utf-8")
    try:
        _openapi().validate_response(_request(method, path, b""), told)
    except OpenAPIError as error:
        return [f"{status} to {method} {path}: {_words(error)}"]
    return []


def _request(method: str, path: str, body: bytes) -> MockRequest:
    url = urlsplit(path)
    args = dict(parse_qsl(url.query))
    return MockRequest(SERVER, method.lower(), url.path, args=args, data=body or None, content_type="application/json")


def _words(error: BaseException) -> str:
    """What an error of openapi-core has to say; the point is often in its cause."""
    told = [str(error)[:300]]
    link: BaseException | None = error
    while link is not None:
        told += [f"{list(e.absolute_path)}: {e.message[:200]}" for e in getattr(link, "schema_errors", ())]
        link = link.__cause__
    return "; ".join(told)


def _unknown_fields(method: str, path: str, body: bytes) -> list[str]:
    """Fields of a request that the operation does not know: the description lets them pass, we do not send any."""
    operation = _operation(method, urlsplit(path).path)
    given = json.loads(body) if body else None
    if operation is None or not isinstance(given, dict):
        return []
    known = _properties(operation["requestBody"]["content"]["application/json"]["schema"])
    return [f"{method} {path}: it knows no field {name}" for name in given if name not in known]


# ---- answers made whole ---------------------------------------------------------------------------------------------


def completed(method: str, path: str, status: int, part: Json) -> Json:
    """An answer with every field that its description asks for."""
    operation = _operation(method, path)
    assert operation is not None, f"{method} {path} is not part of the cut"
    response = _resolved(operation["responses"][str(status)])
    if "content" not in response:
        return part
    schema = next(iter(response["content"].values()))["schema"]
    return _completed(schema, part)


@functools.cache
def _operation(method: str, path: str) -> dict[str, Json] | None:
    """The operation that a path belongs to; of several, the one with the most fixed words."""
    parts = path.strip("/").split("/")
    best: tuple[int, dict[str, Json]] | None = None
    for template, item in description()["paths"].items():
        names = template.strip("/").split("/")
        fits = len(names) == len(parts) and all(n.startswith("{") or n == p for n, p in zip(names, parts, strict=True))
        fixed = sum(not name.startswith("{") for name in names)
        if fits and method.lower() in item and (best is None or fixed > best[0]):
            best = (fixed, item[method.lower()])
    return best[1] if best else None


def _resolved(node: Json) -> dict[str, Json]:
    while "$ref" in node:
        _, _, kind, name = node["$ref"].split("/")
        node = description()["components"][kind][name]
    found: dict[str, Json] = node
    return found


def _properties(schema: Json) -> dict[str, Json]:
    """The properties of an object, from wherever its description takes them."""
    schema = _resolved(schema)
    found = dict(schema.get("properties", {}))
    for group in ("allOf", "anyOf", "oneOf"):
        for option in schema.get(group, ()):
            found = {**_properties(option), **found}
    return found


def _required(schema: dict[str, Json]) -> set[str]:
    required = set(schema.get("required", ()))
    return required.union(*(_required(_resolved(option)) for option in schema.get("allOf", ())))


def _chosen(schema: Json, part: Json) -> dict[str, Json]:
    """The alternative that a part belongs to: the first that knows all its fields."""
    whole = _resolved(schema)
    options = [_resolved(option) for group in ("anyOf", "oneOf") for option in whole.get(group, ())]
    if not options or whole.get("properties"):
        return whole
    fitting = [o for o in options if not isinstance(part, dict) or set(part) <= set(_properties(o))]
    return _chosen((fitting or options)[0], part)


def _completed(schema: Json, part: Json) -> Json:
    schema = _chosen(schema, part)
    if isinstance(part, list):
        return [_completed(schema.get("items", {}), item) for item in part]
    if not isinstance(part, dict):
        return part
    known = _properties(schema)
    whole = {name: _completed(known[name], value) if name in known else value for name, value in part.items()}
    return {**{name: _dull(known[name]) for name in sorted(_required(schema)) if name not in part}, **whole}


def _dull(schema: Json) -> Json:
    schema = _resolved(schema)
    if schema.get("nullable") and "oneOf" not in schema:  # none of whose alternatives is null
        return None
    schema = _chosen(schema, None)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type") or ("object" if _properties(schema) else "string")
    if kind == "object":
        return _completed(schema, {})
    return _FORMATS.get(schema.get("format", ""), "") if kind == "string" else _DULL[kind]
