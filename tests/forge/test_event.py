"""What an Actions event says, read from GitHub's published payloads, derived ones, and hostile ones."""

from __future__ import annotations

import functools
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from git_cto.errors import ToolError
from git_cto.forge.event import MAX_PAYLOAD, Event, parse_event
from git_cto.forge.values import User
from tests.forge import payloads

Json = Any
ADA, EVE = User("ada"), User("eve")


def read(name: str, payload: Json) -> Event:
    return parse_event(name, payloads.encoded(payload), repository="octo/app")


def test_every_published_payload_can_be_read() -> None:
    kinds: dict[str, set[str]] = {}
    for name, payload in payloads.examples():
        event = parse_event(name, payloads.encoded(payload), repository=_repository(payload))
        kinds.setdefault(event.kind, set()).add(name)
    assert kinds["pull_request"] == {"pull_request"}
    assert kinds["merge_group"] == {"merge_group"}
    assert kinds["dispatch"] == {"workflow_dispatch", "repository_dispatch"}
    assert "comment" not in kinds  # GitHub published none on a pull request
    assert {"push", "issues", "issue_comment", "pull_request_review", "check_run"} <= kinds["other"]


def _repository(payload: Json) -> str:
    return str(payload.get("repository", {}).get("full_name", "octo/app"))


@pytest.mark.parametrize("name", ["pull_request", "pull_request_target"])
def test_a_pull_request_tells_its_head_and_its_target(name: str) -> None:
    event = read(name, payloads.pull_request("synchronize", number=12, head_sha="c" * 40))

    assert (event.kind, event.action, event.number, event.repository) == ("pull_request", "synchronize", 12, "octo/app")
    assert (event.head_sha, event.base_ref, event.sender) == ("c" * 40, "refs/heads/main", ADA)


def test_a_comment_on_a_pull_request_tells_who_said_what() -> None:
    event = read("issue_comment", payloads.comment("/cto review", login="eve", number=12))

    assert (event.kind, event.action, event.number) == ("comment", "created", 12)
    assert event.comment is not None
    assert (event.sender, event.comment.author, event.comment.body) == (EVE, EVE, "/cto review")
    assert not event.head_sha


def test_a_bot_is_known_by_its_type_and_by_its_name() -> None:
    said = read("issue_comment", payloads.comment("hello", login="renovate[bot]")).comment
    assert said is not None
    assert said.author.bot
    assert User("Copilot", "Bot").bot
    assert not ADA.bot


def test_a_comment_on_an_issue_is_none_of_ours() -> None:
    event = read("issue_comment", payloads.comment("/cto review", on_issue=True))
    assert (event.kind, event.comment) == ("other", None)


def test_a_merge_group_tells_what_would_be_merged_into_what() -> None:
    event = read("merge_group", payloads.merge_group("c" * 40))

    assert (event.kind, event.action, event.number) == ("merge_group", "checks_requested", 0)
    assert (event.head_sha, event.base_ref) == ("c" * 40, "refs/heads/main")


def test_a_dispatch_tells_what_it_was_started_on() -> None:
    event = read("workflow_dispatch", payloads.dispatch(inputs={"objective": "Add /health"}))
    assert (event.kind, event.ref) == ("dispatch", "refs/heads/main")


def test_an_event_without_a_repository_is_where_the_runner_says() -> None:
    event = parse_event("schedule", b'{"schedule": "0 4 * * *"}', repository="octo/app")
    assert (event.kind, event.repository) == ("other", "octo/app")


# ---- hostile and garbled --------------------------------------------------------------------------------------------


def changed(path: str, value: Json) -> Json:
    """A pull request's payload with one field changed."""
    payload = payloads.pull_request()
    *way, last = path.split(".")
    at = payload
    for name in way:
        at = at[name]
    at[last] = value
    return payload


HOSTILE = [
    ("pull_request.head.sha", "--output=/tmp/x"),
    ("pull_request.head.sha", "A" * 40),
    ("pull_request.head.sha", "a" * 40 + "\n"),
    ("pull_request.head.sha", None),
    ("pull_request.base.ref", "a..b"),
    ("pull_request.base.ref", "a b"),
    ("pull_request.base.ref", "a\nverdict=approve"),
    ("pull_request.base.ref", "x/../../y"),
    ("pull_request.base.ref", "x.lock"),
    ("pull_request.base.ref", ""),
    ("pull_request.base.repo.full_name", "eve/app"),
    ("pull_request.number", 8),
    ("pull_request.number", "7"),
    ("sender.login", "ada\n::set-output name=verdict::approve"),
    ("sender.login", "../../etc"),
    ("number", -1),
    ("pull_request", None),
    ("repository.full_name", "octo/app/../../x"),
    ("repository.full_name", "octo/.."),
]


@pytest.mark.parametrize("path, value", HOSTILE)
def test_a_field_that_is_none_refuses_the_whole_event(path: str, value: Json) -> None:
    payload = changed(path, value)
    if path == "number":
        payload["pull_request"]["number"] = value
    with pytest.raises(ToolError) as refused:
        parse_event("pull_request_target", payloads.encoded(payload))
    assert refused.value.code == "event"
    assert "\n" not in refused.value.message
    assert "::" not in refused.value.message


def test_a_payload_about_another_repository_is_refused() -> None:
    with pytest.raises(ToolError, match="another repository"):
        read("pull_request", payloads.pull_request(repository="eve/app"))


@pytest.mark.parametrize("payload", [b"", b"[]", b"null", b'"x"', b"{", b'{"a": NaN}', b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_payload_is_refused_in_one_sentence(payload: bytes) -> None:
    with pytest.raises(ToolError, match="cannot be read") as refused:
        parse_event("pull_request", payload, repository="octo/app")
    assert "\n" not in refused.value.message


def test_a_payload_beyond_what_github_sends_is_not_looked_at() -> None:
    with pytest.raises(ToolError, match="bytes"):
        parse_event("push", b" " * (MAX_PAYLOAD + 1), repository="octo/app")


def test_an_events_name_is_no_way_into_the_message() -> None:
    with pytest.raises(ToolError) as refused:
        parse_event("push\n::error::x", b"[]")
    assert refused.value.message.startswith("The payload of this pusherrorx event")


JUNK = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=30), st.builds(list), st.builds(dict))


@functools.cache
def whole() -> list[tuple[str, str]]:
    """One payload of each kind, as JSON."""
    made = [
        ("pull_request_target", payloads.pull_request("edited")),
        ("issue_comment", payloads.comment("/cto status")),
        ("merge_group", payloads.merge_group("c" * 40)),
        ("workflow_dispatch", payloads.dispatch(inputs={"a": "b"})),
    ]
    return [(name, json.dumps(payload)) for name, payload in made]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_whatever_is_garbled_it_is_an_event_or_a_plain_refusal(data: st.DataObject) -> None:
    name, text = data.draw(st.sampled_from(whole()))
    payload = json.loads(text)
    for _ in range(data.draw(st.integers(1, 3))):
        garble(payload, data)

    event = read_or_refused(name, json.dumps(payload).encode("utf-8", "surrogatepass"))

    if event is not None:
        told = (event.repository, event.head_sha, event.base_ref, event.ref, event.sender.login)
        assert not re.search(r"[\x00-\x20\x7f]", "".join(told))
        assert event.number >= 0


def read_or_refused(name: str, payload: bytes) -> Event | None:
    try:
        return parse_event(name, payload, repository="octo/app")
    except ToolError:
        return None


def garble(payload: Json, data: st.DataObject) -> None:
    """Replaces or removes one thing, somewhere."""
    at = payload
    while True:
        key = data.draw(st.sampled_from(sorted(at)))
        if isinstance(at[key], dict) and at[key] and data.draw(st.integers(0, 3)):
            at = at[key]
            continue
        if data.draw(st.booleans()):
            at[key] = data.draw(JUNK)
        else:
            del at[key]
        return
