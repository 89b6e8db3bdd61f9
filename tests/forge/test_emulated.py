"""The hub against a GitHub that somebody else built: an App's token, one comment, labels, and a check that blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from git_cto.errors import ToolError
from git_cto.forge.hub import Hub
from git_cto.forge.values import CheckReport
from tests.forge.emulated import BOT, PROGRAM, Emulated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from git_cto.forge.values import Conclusion

pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="emulate is not installed: npm ci")

MARKER = "<!-- git-cto:pull -->"
CHECK = "git-cto (main)"
POSTING = {"checks": "write", "issues": "write", "pull_requests": "write", "contents": "read"}


@pytest.fixture(scope="module")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulated]:
    with Emulated(tmp_path_factory.mktemp("emulate")) as github:
        yield github


@pytest.fixture
def hub(emulated: Emulated) -> Hub:
    """As the App, which asks for no more than it needs."""
    return Hub(emulated.url, emulated.app_token(**POSTING), emulated.repository, login=BOT, pace=0, patience=5)


def conclude(hub: Hub, head: str, conclusion: Conclusion | None) -> None:
    hub.check_run(head, CheckReport(name=CHECK, title="Judged", summary="By git-cto.", conclusion=conclusion))


def test_a_required_check_blocks_the_merge_until_it_is_approved(emulated: Emulated, hub: Hub) -> None:
    number = emulated.open_pull("blocked")
    head = hub.pull(number).head_sha
    emulated.require(CHECK)
    assert not emulated.merge(number)  # nobody has said anything yet

    going: list[Conclusion | None] = [None, "failure", "action_required"]
    for conclusion in going:
        conclude(hub, head, conclusion)
        assert not emulated.merge(number), conclusion
    assert not hub.pull(number).closed

    conclude(hub, head, "success")
    assert emulated.merge(number)
    assert hub.pull(number).closed


def test_one_comment_is_found_and_edited_in_place(emulated: Emulated, hub: Hub) -> None:
    number = emulated.open_pull("talked-about")
    emulated.ask("POST", f"/issues/{number}/comments", {"body": f"{MARKER}\nApproved!"}, token="eve-token")
    assert hub.sticky(number, MARKER) is None

    for talk in range(110):
        emulated.ask("POST", f"/issues/{number}/comments", {"body": f"comment {talk}"})
    ours = hub.create_comment(number, f"{MARKER}\nRevise")
    found = hub.sticky(number, MARKER)
    assert found == ours
    assert found.author.login == BOT

    hub.update_comment(found.id, f"{MARKER}\nApproved")
    again = hub.sticky(number, MARKER)
    assert again is not None
    assert (again.id, again.body) == (ours.id, f"{MARKER}\nApproved")
    assert len(hub.comments(number)) == 112


def test_a_label_is_put_on_and_taken_off(emulated: Emulated, hub: Hub) -> None:
    number = emulated.open_pull("labelled")
    hub.add_label(number, "cto: needs a human")
    assert hub.pull(number).labels == ("cto: needs a human",)
    hub.remove_label(number, "cto: needs a human")
    hub.remove_label(number, "cto: needs a human")
    assert hub.pull(number).labels == ()


def test_the_apps_token_says_whose_it_is_and_what_others_may(emulated: Emulated, hub: Hub) -> None:
    assert (hub.permission("ada"), hub.permission("eve")) == ("admin", "none")
    number = emulated.open_pull("whose")
    assert hub.create_comment(number, "hello").author.bot


def test_a_token_without_the_permission_posts_nothing(emulated: Emulated) -> None:
    number = emulated.open_pull("read-only")
    reader = Hub(emulated.url, emulated.app_token(pull_requests="read"), emulated.repository, login=BOT, pace=0)
    with pytest.raises(ToolError, match="the token may not") as refused:
        reader.create_comment(number, "hello")
    assert refused.value.code == "forge_permission"
    with pytest.raises(ToolError):
        conclude(reader, "a" * 40, "success")
