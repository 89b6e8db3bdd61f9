"""What a required check on GitHub holds up and what it does not, on the fake: facts that the gate is built on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from git_cto.forge.hub import Hub
from git_cto.forge.values import CheckReport
from tests.forge.conftest import HEAD
from tests.forge.fake import FakeGitHub

if TYPE_CHECKING:
    from git_cto.forge.values import Conclusion

CHECK = "git-cto (main)"
EXPECTED = f'Required status check "{CHECK}" is expected.'


def conclude(hub: Hub, conclusion: Conclusion | None, *, head: str = HEAD, name: str = CHECK) -> None:
    hub.check_run(head, CheckReport(name=name, title="Judged", summary="By git-cto.", conclusion=conclusion))


def test_nothing_but_success_opens_it(github: FakeGitHub, hub: Hub) -> None:
    github.require("main", CHECK)
    assert github.merge(7) == EXPECTED
    going: list[Conclusion | None] = [None, "failure", "action_required"]
    for conclusion in going:
        conclude(hub, conclusion)
        assert github.merge(7) == EXPECTED
    conclude(hub, "success")
    assert github.merge(7) == ""


def test_a_push_closes_it_again(github: FakeGitHub, hub: Hub) -> None:
    github.require("main", CHECK)
    conclude(hub, "success")
    github.state.pulls[7].head_sha = "c" * 40
    assert github.merge(7) == EXPECTED


def test_a_later_refusal_of_the_same_head_closes_it_again(github: FakeGitHub, hub: Hub) -> None:
    github.require("main", CHECK)
    conclude(hub, "success")
    conclude(hub, "failure")
    assert github.merge(7) == EXPECTED


def test_an_approval_for_one_target_is_none_for_another(github: FakeGitHub, hub: Hub) -> None:
    """Same head, two pull requests: a check belongs to a commit, so the target is part of its name."""
    github.open_pull(8, HEAD, base_ref="release")
    github.require("main", CHECK)
    github.require("release", "git-cto (release)", ruleset=2)
    conclude(hub, "success", name="git-cto (release)")
    assert github.merge(7) == EXPECTED
    assert github.merge(8) == ""


def test_a_forged_check_counts_unless_the_ruleset_names_the_app(github: FakeGitHub, hub: Hub) -> None:
    github.check(HEAD, CHECK, "success", app="evil")
    github.require("main", CHECK, app="github-actions")
    assert github.merge(7) == EXPECTED

    github.open_pull(8, HEAD, base_ref="loose")
    github.require("loose", CHECK, ruleset=2)
    assert github.merge(8) == ""


def test_a_forged_status_counts_unless_the_ruleset_names_the_app(github: FakeGitHub) -> None:
    github.status(HEAD, CHECK, "success")
    github.require("main", CHECK, app="github-actions")
    assert github.merge(7) == EXPECTED
    github.state.rules.clear()
    github.require("main", CHECK)
    assert github.merge(7) == ""


def test_a_skipped_job_of_that_name_would_count_as_success(github: FakeGitHub) -> None:
    github.require("main", CHECK)
    github.check(HEAD, CHECK, "skipped")
    assert github.merge(7) == ""
