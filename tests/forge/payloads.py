"""Events as GitHub sends them: real payloads that it published, and those derived from them that it did not publish.

A derived payload (a comment on a pull request, a fork, a retarget ...) is held against GitHub's own schema of the
event before it is handed out.
"""

from __future__ import annotations

import copy
import functools
import json
from pathlib import Path
from typing import Any

import jsonschema

from tests.forge.state import now

Json = Any

_OCTOKIT = Path(__file__).parent.parent.parent / "node_modules/@octokit"
_THEIRS = "Codertocat/Hello-World"


@functools.cache
def _published() -> dict[str, list[Json]]:
    text = (_OCTOKIT / "webhooks-examples/api.github.com/index.json").read_text(encoding="utf-8")
    return {event["name"]: event["examples"][1:] or event["examples"] for event in json.loads(text)}  # the first is old


@functools.cache
def _schemas() -> Json:
    return json.loads((_OCTOKIT / "webhooks-schemas/schema.json").read_text(encoding="utf-8"))


@functools.cache
def _validator(event: str, action: str) -> jsonschema.Draft7Validator:
    definitions = _schemas()["definitions"]
    name = next(n for n in (f"{event}${action}", f"{event}$event", f"{event}_event") if n in definitions)
    return jsonschema.Draft7Validator({"$ref": f"#/definitions/{name}", "definitions": definitions})


def examples() -> list[tuple[str, Json]]:
    """All the payloads that GitHub published, each with the name of its event."""
    return [(name, copy.deepcopy(payload)) for name, payloads in _published().items() for payload in payloads]


def problems(event: str, payload: Json) -> list[str]:
    """What GitHub's schema has against a payload."""
    errors = _validator(event, payload.get("action", "")).iter_errors(payload)
    return [f"{list(error.absolute_path)}: {error.message[:200]}" for error in errors]


def encoded(payload: Json) -> bytes:
    """A payload as the file that GITHUB_EVENT_PATH names."""
    return json.dumps(payload).encode()


# ---- derived --------------------------------------------------------------------------------------------------------


def pull_request(
    action: str = "opened",
    *,
    number: int = 7,
    repository: str = "octo/app",
    server: str = "https://github.com",
    head_sha: str = "a" * 40,
    head_ref: str = "change",
    head_repository: str | None = "",
    base_ref: str = "main",
    base_sha: str = "b" * 40,
    author: str = "ada",
    sender: str = "",
    draft: bool = False,
    closed: bool = False,
    title: str = "A change",
    body: str | None = None,
) -> Json:
    """A `pull_request` (or `pull_request_target`) event.

    `head_repository`: "" for the repository itself, another name for a fork, None for one that was deleted.
    """
    payload = _based_on("pull_request", "opened" if action == "edited" else action, repository, server)
    pull = payload["pull_request"]
    payload.update(action=action, number=number, sender=_user(payload["sender"], sender or author))
    pull.update(
        number=number,
        title=title,
        body=body,
        draft=draft,
        state="closed" if closed else "open",
        closed_at=pull["created_at"] if closed else None,
        user=_user(pull["user"], author),
    )
    pull["head"].update(sha=head_sha, ref=head_ref)
    pull["base"].update(sha=base_sha, ref=base_ref)
    if head_repository is None:
        pull["head"]["repo"] = None
    elif head_repository:
        pull["head"]["repo"] = _fork(pull["head"]["repo"], head_repository)
    if action == "edited":
        payload["changes"] = {"title": {"from": "An older title"}}
    if action == "synchronize":
        payload["after"] = head_sha
    return _valid("pull_request", payload)


def comment(
    body: str,
    *,
    login: str = "ada",
    number: int = 7,
    author: str = "ada",
    repository: str = "octo/app",
    server: str = "https://github.com",
    comment_id: int = 4_300_000_999,
    on_issue: bool = False,
    closed: bool = False,
    action: str = "created",
    created: str = "",
) -> Json:
    """An `issue_comment` event: on a pull request, or `on_issue`."""
    payload = _based_on("issue_comment", action, repository, server)
    issue = payload["issue"]
    address = f"{server}/{repository}/pull/{number}"
    payload["sender"] = _user(payload["sender"], login)
    payload["comment"].update(
        id=comment_id, body=body, created_at=created or now(), user=_user(payload["comment"]["user"], login)
    )
    issue.update(number=number, user=_user(issue["user"], author), state="closed" if closed else "open")
    if not on_issue:
        api = f"https://api.github.com/repos/{repository}/pulls/{number}"
        issue["pull_request"] = {
            "url": api,
            "html_url": address,
            "diff_url": f"{address}.diff",
            "patch_url": f"{address}.patch",
            "merged_at": None,
        }
        issue["draft"] = False
    return _valid("issue_comment", payload)


def merge_group(
    head_sha: str,
    *,
    base_sha: str = "b" * 40,
    base_ref: str = "main",
    number: int = 7,
    repository: str = "octo/app",
    server: str = "https://github.com",
) -> Json:
    """A `merge_group` event: the queue asks for checks on a group whose last pull request is `number`."""
    payload = _based_on("merge_group", "checks_requested", repository, server)
    payload["merge_group"].update(
        head_sha=head_sha,
        head_ref=f"refs/heads/gh-readonly-queue/{base_ref}/pr-{number}-{base_sha}",
        base_sha=base_sha,
        base_ref=f"refs/heads/{base_ref}",
    )
    return _valid("merge_group", payload)


def dispatch(
    ref: str = "refs/heads/main",
    *,
    inputs: dict[str, str] | None = None,
    login: str = "ada",
    repository: str = "octo/app",
    server: str = "https://github.com",
) -> Json:
    """A `workflow_dispatch` event."""
    payload = _based_on("workflow_dispatch", "", repository, server)
    payload.update(ref=ref, inputs=inputs or {}, sender=_user(payload["sender"], login))
    return _valid("workflow_dispatch", payload)


def _based_on(event: str, action: str, repository: str, server: str) -> Json:
    """A published payload, moved to another repository on another server."""
    found = next((p for p in _published()[event] if p.get("action", "") == action), None)
    assert found is not None, f"GitHub published no {event} that was {action}"
    text = json.dumps(found).replace(_THEIRS, repository).replace("https://github.com", server)
    payload = json.loads(text)
    owner, _, name = repository.partition("/")
    payload["repository"].update(name=name, full_name=repository)
    payload["repository"]["owner"] = _user(payload["repository"]["owner"], owner)
    return payload


def _user(like: Json, login: str) -> Json:
    kind = "Bot" if login.endswith("[bot]") else "User"
    return {**like, "login": login, "id": 1000 + sum(login.encode()), "type": kind}


def _fork(repository: Json, full_name: str) -> Json:
    owner, _, name = full_name.partition("/")
    moved = json.loads(json.dumps(repository).replace(repository["full_name"], full_name))
    return {
        **moved,
        "id": repository["id"] + 1,
        "name": name,
        "full_name": full_name,
        "fork": True,
        "owner": _user(repository["owner"], owner),
    }


def _valid(event: str, payload: Json) -> Json:
    found = problems(event, payload)
    assert not found, "\n".join(found)
    return payload
