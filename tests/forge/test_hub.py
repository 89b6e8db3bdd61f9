"""What the hub reads from GitHub and posts there, over a fake that holds each request against GitHub's description."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from git_cto.errors import CtoError, ToolError, UsageError
from git_cto.forge.hub import Hub
from git_cto.forge.values import (
    MAX_BODY,
    Annotation,
    CheckReport,
    Comment,
    LineComment,
    QueueEntry,
    RequiredCheck,
    Rules,
    User,
)
from tests.forge.conftest import HEAD
from tests.forge.fake import TOKEN, FakeGitHub

if TYPE_CHECKING:
    from collections.abc import Callable

    from git_cto.forge.values import Conclusion

MARKER = "<!-- git-cto:pull -->"
CHECK = "git-cto (main)"
US = User("github-actions[bot]", "Bot")


def report(*, notes: int = 0, conclusion: Conclusion | None = "failure", known_by: str = "") -> CheckReport:
    """What a check run is to say, with so many annotations."""
    annotations = tuple(Annotation(path="app.py", start=n, end=n, message=f"note {n}") for n in range(1, notes + 1))
    return CheckReport(
        name=CHECK,
        title="Revise",
        summary="Not yet.",
        conclusion=conclusion,
        annotations=annotations,
        external_id=known_by,
    )


# ---- the pull request -----------------------------------------------------------------------------------------------


def test_a_pull_request_is_read_as_it_is_now(github: FakeGitHub, hub: Hub) -> None:
    github.open_pull(8, HEAD, base_ref="release/1", labels=["cto"], draft=True, body="Because.")

    pull = hub.pull(8)

    assert (pull.number, pull.title, pull.body, pull.author) == (8, "A change", "Because.", User("ada"))
    assert (pull.head_sha, pull.head_ref, pull.base_ref) == (HEAD, "change", "refs/heads/release/1")
    assert (pull.draft, pull.closed, pull.fork, pull.labels) == (True, False, False, ("cto",))
    github.state.pulls[8].state = "closed"
    assert hub.pull(8).closed


@pytest.mark.parametrize("head", ["eve/app", None], ids=["fork", "deleted fork"])
def test_a_head_elsewhere_is_a_fork(github: FakeGitHub, hub: Hub, head: str | None) -> None:
    github.open_pull(8, HEAD, head_repository=head)
    assert hub.pull(8).fork


def test_whoever_deleted_their_account_is_a_ghost(github: FakeGitHub, hub: Hub) -> None:
    github.open_pull(8, HEAD, author="ghost")
    github.say(8, "ghost", "boo")
    assert hub.pull(8).author == User("ghost")
    assert hub.comments(8)[0].author == User("ghost")


def test_the_pull_requests_of_a_commit(github: FakeGitHub, hub: Hub) -> None:
    github.open_pull(8, "c" * 40)
    github.state.contains["d" * 40] = [7, 8]
    assert [pull.number for pull in hub.pulls_of("d" * 40)] == [7, 8]
    assert [pull.number for pull in hub.pulls_of("c" * 40)] == [8]
    assert hub.pulls_of("e" * 40) == ()


def test_whose_the_commits_of_a_pull_request_are(github: FakeGitHub, hub: Hub) -> None:
    github.state.addresses["grace@corp.example"] = "grace"
    nobody, noreply = "nobody@example.org", "7+dependabot[bot]@users.noreply.github.com"
    made = [(f"{number:040x}", "grace@corp.example", nobody) for number in range(130)]
    github.open_pull(8, HEAD, commits=[*made, (HEAD, noreply, "grace@corp.example")])
    found = hub.commits(8)
    assert [one.id for one in found] == [one for one, _, _ in made] + [HEAD]
    assert (found[0].author, found[0].committer) == (User("grace"), None)
    assert (found[-1].author, found[-1].committer) == (User("dependabot[bot]", "Bot"), User("grace"))
    assert github.count("/pulls/8/commits") == 2


def test_the_merge_queue_is_read_in_its_order(github: FakeGitHub, hub: Hub) -> None:
    assert hub.queue("refs/heads/main") == ()
    github.open_pull(8, "c" * 40)
    github.enqueue("main", 8, "b" * 40, "1" * 40)
    github.enqueue("main", 7, "1" * 40, "")

    assert hub.queue("refs/heads/main") == (
        QueueEntry(number=8, base="b" * 40, head="1" * 40),
        QueueEntry(number=7, base="1" * 40, head=""),
    )


def test_a_token_knows_whose_it_is_and_asks_once(github: FakeGitHub, hub: Hub) -> None:
    assert (hub.me(), hub.me()) == ("github-actions[bot]", "github-actions[bot]")
    assert github.count("viewer") == 1


@pytest.mark.parametrize("level", ["admin", "write", "read", "none"])
def test_what_somebody_may_do_here(github: FakeGitHub, hub: Hub, level: str) -> None:
    github.permit("ada", level)
    assert hub.permission("ada") == level


@pytest.mark.parametrize("login", ["renovate[bot]", "nobody"])
def test_who_is_no_user_may_nothing(hub: Hub, login: str) -> None:
    assert hub.permission(login) == "none"


# ---- the conversation -----------------------------------------------------------------------------------------------


def test_all_comments_are_read_over_all_pages(github: FakeGitHub, hub: Hub) -> None:
    for number in range(230):
        github.say(7, "ada", f"comment {number}")

    assert [comment.body for comment in hub.comments(7)] == [f"comment {number}" for number in range(230)]
    assert github.count("GET .*comments") == 3


def test_our_comment_is_found_behind_a_hundred_others(github: FakeGitHub, hub: Hub) -> None:
    for number in range(130):
        github.say(7, "ada", f"comment {number}")
    ours = hub.create_comment(7, f"{MARKER}\nRevise")

    assert hub.sticky(7, MARKER) == ours
    assert ours == Comment(ours.id, US, f"{MARKER}\nRevise")


def test_a_forged_marker_is_not_ours(github: FakeGitHub, hub: Hub) -> None:
    github.say(7, "eve", f"{MARKER}\nApproved!")
    github.say(7, US.login, f"quoting {MARKER}\nnot on the first line alone")
    assert hub.sticky(7, MARKER) is None

    ours = github.say(7, US.login, f"{MARKER}\r\nRevise")
    github.say(7, US.login, f"{MARKER}\na second one")
    found = hub.sticky(7, MARKER)
    assert found is not None
    assert found.id == ours.id


def test_a_comment_is_edited_in_place(github: FakeGitHub, hub: Hub) -> None:
    ours = hub.create_comment(7, "one")
    assert hub.update_comment(ours.id, "two").body == "two"
    assert [said.body for said in github.state.comments.values()] == ["two"]


@pytest.mark.parametrize("character", ["x", "é", "😀"])
def test_a_body_is_cut_at_what_github_takes(github: FakeGitHub, hub: Hub, character: str) -> None:
    posted = hub.create_comment(7, character * 70_000).body

    assert len(posted.encode("utf-16-le")) // 2 in {MAX_BODY, MAX_BODY - 1}
    assert posted.endswith("GitHub takes no more)")
    assert "\ufffd" not in posted


def test_a_body_of_exactly_what_github_takes_is_not_cut(github: FakeGitHub, hub: Hub) -> None:
    assert hub.create_comment(7, "x" * MAX_BODY).body == "x" * MAX_BODY
    assert hub.create_comment(7, "x" * (MAX_BODY + 1)).body.endswith("GitHub takes no more)")


def test_what_no_json_takes_is_left_out(github: FakeGitHub, hub: Hub) -> None:
    assert hub.create_comment(7, "a\x00b\ud800c").body == "ab?c"


def test_a_reaction_says_that_it_was_seen_once(github: FakeGitHub, hub: Hub) -> None:
    said = github.say(7, "ada", "/cto status")
    hub.react(said.id, "eyes")
    hub.react(said.id, "eyes")
    assert said.reactions == [(US.login, "eyes")]


# ---- reviews --------------------------------------------------------------------------------------------------------


def test_findings_are_one_review_with_comments_on_lines(github: FakeGitHub, hub: Hub) -> None:
    comments = [
        LineComment(path="app.py", line=3, body="here"),
        LineComment(path="app.py", start=5, line=9, body="these lines"),
        LineComment(path="app.py", line=2, side="LEFT", body="it was better"),
    ]
    review = hub.create_review(7, HEAD, "Three findings", comments)

    assert (review.author, review.state, review.commit) == (US, "COMMENTED", HEAD)
    assert github.count("POST") == 1
    (made,) = github.state.reviews
    assert [(c.path, c.start, c.line, c.side, c.body, c.review, c.commit) for c in github.state.line_comments] == [
        ("app.py", None, 3, "RIGHT", "here", made.id, HEAD),
        ("app.py", 5, 9, "RIGHT", "these lines", made.id, HEAD),
        ("app.py", None, 2, "LEFT", "it was better", made.id, HEAD),
    ]


def test_a_comment_off_the_diff_refuses_the_whole_review_and_says_so(github: FakeGitHub, hub: Hub) -> None:
    github.state.pulls[7].lines = {"app.py": {3, 4}}
    with pytest.raises(ToolError) as refused:
        hub.create_review(7, HEAD, "", [LineComment(path="app.py", line=5, body="here")])
    assert refused.value.code == "line_not_in_diff"
    assert not github.state.reviews


def test_conversations_are_read_over_all_pages_and_resolved(github: FakeGitHub, hub: Hub) -> None:
    for number in range(1, 121):
        github.say_on_line(7, "ada", "app.py", number, f"line {number}")
    ours = github.say_on_line(7, US.login, "app.py", None, "finding f1")
    github.say_on_line(7, "bob", "app.py", None, "done", reply_to=ours.id)

    threads = hub.threads(7)

    assert len(threads) == 121
    last = threads[-1]
    assert (last.id, last.author, last.body, last.resolved) == (ours.thread, US, "finding f1", False)
    hub.resolve(last.id)
    hub.resolve(last.id)
    assert [thread.id for thread in hub.threads(7) if thread.resolved] == [ours.thread]


def test_when_a_pull_request_got_its_base_is_known(github: FakeGitHub, hub: Hub) -> None:
    assert hub.retargeted(7) == ""
    github.state.pulls[7].retargeted = "2026-01-02T03:04:05Z"
    assert hub.retargeted(7) == "2026-01-02T03:04:05Z"


def test_resolving_wants_more_than_it_seems_and_the_hint_says_what(github: FakeGitHub) -> None:
    thread = github.say_on_line(7, "ada", "app.py", 3, "why?").thread
    hub = Hub(github.url, github.token(US.login, pull_requests="write", contents="read"), "octo/app", pace=0)
    with pytest.raises(ToolError, match="the token may not") as refused:
        hub.resolve(thread)
    assert refused.value.code == "forge_permission"
    assert "contents: write" in refused.value.hint


def test_an_approval_counts_on_exactly_this_head_and_as_the_last_word(github: FakeGitHub, hub: Hub) -> None:
    github.review(7, "ada", "APPROVED", HEAD)
    github.review(7, "ada", "COMMENTED", HEAD)  # takes nothing back
    github.review(7, "bob", "APPROVED", "c" * 40)  # another head
    github.review(7, "cyd", "APPROVED", HEAD)
    github.review(7, "cyd", "CHANGES_REQUESTED", HEAD)
    github.review(7, "dan", "DISMISSED", HEAD)
    github.review(7, "eve", "COMMENTED", HEAD)
    github.review(7, "fay", "APPROVED", "")  # the commit is gone

    assert [review.author.login for review in hub.approving_reviews(7, HEAD)] == ["ada"]


# ---- checks ---------------------------------------------------------------------------------------------------------


def test_a_check_run_says_how_it_went(github: FakeGitHub, hub: Hub) -> None:
    hub.check_run(HEAD, report(notes=2))

    (check,) = github.state.checks.values()
    assert (check.name, check.head, check.status, check.conclusion) == (CHECK, HEAD, "completed", "failure")
    assert check.app == "github-actions"
    assert len(check.annotations) == 2
    assert check.annotations[1] == {
        "path": "app.py",
        "start_line": 2,
        "end_line": 2,
        "annotation_level": "warning",
        "message": "note 2",
    }


@pytest.mark.parametrize("notes, writes", [(0, 1), (50, 1), (51, 2), (100, 2), (101, 3)])
def test_annotations_go_out_fifty_at_a_time(github: FakeGitHub, hub: Hub, notes: int, writes: int) -> None:
    hub.check_run(HEAD, report(notes=notes))

    assert github.count("^(POST|PATCH) /repos") == writes
    (check,) = github.state.checks.values()
    assert check.conclusion == "failure"
    assert [note["start_line"] for note in check.annotations] == list(range(1, notes + 1))


def test_a_check_that_stops_between_batches_is_not_concluded(github: FakeGitHub, hub: Hub) -> None:
    github.fail("PATCH", "check-runs", 422)
    with pytest.raises(ToolError, match="does not accept"):
        hub.check_run(HEAD, report(notes=60, conclusion="success"))
    (check,) = github.state.checks.values()
    assert (check.status, check.conclusion) == ("in_progress", None)


def test_a_check_that_goes_on_is_continued_and_then_concluded(github: FakeGitHub, hub: Hub) -> None:
    hub.check_run(HEAD, report(conclusion=None))
    (check,) = github.state.checks.values()
    assert (check.status, check.conclusion) == ("in_progress", None)

    hub.check_run(HEAD, report(conclusion="success"))

    assert (check.status, check.conclusion) == ("completed", "success")
    assert len(github.state.checks) == 1


def test_the_same_report_is_not_annotated_twice(github: FakeGitHub, hub: Hub) -> None:
    hub.check_run(HEAD, report(notes=60, known_by="round-1"))
    hub.check_run(HEAD, report(notes=60, known_by="round-1"))
    assert [len(check.annotations) for check in github.state.checks.values()] == [60]


def test_a_new_round_on_the_same_head_is_a_new_check_run(github: FakeGitHub, hub: Hub) -> None:
    hub.check_run(HEAD, report(notes=1, known_by="round-1"))
    hub.check_run(HEAD, report(notes=1, known_by="round-2", conclusion="success"))
    told = [(check.conclusion, len(check.annotations)) for check in github.state.checks.values()]
    assert told == [("failure", 1), ("success", 1)]


def test_somebody_elses_check_of_our_name_is_left_alone(github: FakeGitHub, hub: Hub) -> None:
    theirs = github.check(HEAD, CHECK, None, app="evil")
    hub.check_run(HEAD, report())
    assert [check.app for check in github.state.checks.values()] == ["evil", "github-actions"]
    assert theirs.status == "in_progress"


def test_a_users_token_cannot_make_a_check_and_is_told_so(github: FakeGitHub) -> None:
    hub = Hub(github.url, github.token("ada"), "octo/app", pace=0)
    with pytest.raises(ToolError, match="authenticate via a GitHub App") as refused:
        hub.check_run(HEAD, report())
    assert refused.value.code == "forge_permission"


def test_summary_and_text_are_cut_at_what_github_takes(github: FakeGitHub, hub: Hub) -> None:
    long = CheckReport(name=CHECK, title="t" * 300, summary="s" * 70_000, text="t" * 70_000, conclusion="failure")
    hub.check_run(HEAD, long)
    (check,) = github.state.checks.values()
    assert [len(told or "") for told in (check.title, check.summary, check.text)] == [255, 65_535, 65_535]


def test_the_other_checks_and_statuses_of_a_commit(github: FakeGitHub, hub: Hub) -> None:
    github.check(HEAD, "tests", "failure")
    github.check(HEAD, "tests", "success")
    github.check(HEAD, "tests", "skipped", app="other")
    github.check(HEAD, "build", None)
    github.status(HEAD, "legacy", "pending")
    github.status(HEAD, "deploy", "pending")
    github.status(HEAD, "deploy", "error")
    github.check("c" * 40, "of another commit", "failure")

    assert [(check.name, check.kind, check.conclusion) for check in hub.checks_on(HEAD)] == [
        ("build", "check", ""),
        ("deploy", "status", "error"),
        ("legacy", "status", ""),
        ("tests", "check", "skipped"),
        ("tests", "check", "success"),
    ]


def test_more_than_a_page_of_checks_and_statuses(github: FakeGitHub, hub: Hub) -> None:
    for number in range(120):
        github.check(HEAD, f"check {number}", "success")
        github.status(HEAD, f"status {number}", "success")
    assert len(hub.checks_on(HEAD)) == 240


# ---- labels and rules -----------------------------------------------------------------------------------------------


def test_labels_come_and_go_and_twice_is_once(github: FakeGitHub, hub: Hub) -> None:
    hub.add_label(7, "cto: needs a human/now")
    hub.add_label(7, "cto: needs a human/now")
    assert github.state.pulls[7].labels == ["cto: needs a human/now"]
    hub.remove_label(7, "cto: needs a human/now")
    hub.remove_label(7, "cto: needs a human/now")
    assert github.state.pulls[7].labels == []


def test_a_label_that_the_repository_has_not_is_made_by_who_may(github: FakeGitHub, hub: Hub) -> None:
    job = Hub(github.url, github.token(US.login, pull_requests="write"), "octo/app", pace=0)
    with pytest.raises(ToolError, match=r"Could not label #7 'stuck': the token may not \(403: You do not") as refused:
        job.add_label(7, "stuck")
    assert refused.value.code == "forge_permission"
    assert "gh label create" in refused.value.hint
    hub.add_label(7, "Stuck")  # by somebody with `issues: write`
    hub.remove_label(7, "stuck")
    job.add_label(7, "stuck")
    assert github.state.pulls[7].labels == ["Stuck"]


def test_a_branch_without_rules_has_none(hub: Hub) -> None:
    assert hub.rules("refs/heads/feature/x") == Rules()


def test_rulesets_tell_the_check_its_app_and_who_may_bypass(github: FakeGitHub, hub: Hub) -> None:
    actor = {"actor_type": "RepositoryRole", "actor_id": 5, "bypass_mode": "always"}
    github.require("main", CHECK, app="github-actions", ruleset=3, bypass_actors=[actor])
    github.rule(
        "main",
        "pull_request",
        ruleset=3,
        required_approving_review_count=2,
        dismiss_stale_reviews_on_push=True,
        require_code_owner_review=False,
        require_last_push_approval=True,
        required_review_thread_resolution=False,
    )
    github.rule("main", "non_fast_forward", ruleset=3)

    rules = hub.rules("refs/heads/main")

    assert rules.required == (RequiredCheck(name=CHECK, app_id=15368, by="ruleset"),)
    assert rules.rules == ("non_fast_forward", "pull_request", "required_status_checks")
    assert rules.bypass == ("RepositoryRole 5 (always, git-cto)",)
    assert (rules.protection, rules.merge_queue) == (False, False)


def test_classic_protection_is_read_too(github: FakeGitHub, hub: Hub) -> None:
    github.protect("main", (CHECK, 15368), ("tests", None), ("lint", -1), admins_too=True, approvals=1)

    rules = hub.rules("main")

    assert rules.required == (
        RequiredCheck(name=CHECK, app_id=15368, by="protection"),
        RequiredCheck(name="tests", app_id=None, by="protection"),
        RequiredCheck(name="lint", app_id=None, by="protection"),  # -1 is any app
    )
    assert (rules.protection, rules.admins_too) == (True, True)


def test_an_older_server_without_rulesets_has_classic_protection_alone(github: FakeGitHub, hub: Hub) -> None:
    github.fail("GET", "/rules/", 404)
    github.protect("main", (CHECK, 15368))
    assert [check.by for check in hub.rules("main").required] == ["protection"]


def test_what_a_token_may_not_see_of_protection_stays_open(github: FakeGitHub) -> None:
    github.protect("main", (CHECK, 15368), admins_too=True, approvals=1)
    github.require("main", CHECK, bypass_actors=[{"actor_type": "OrganizationAdmin", "bypass_mode": "always"}])
    hub = Hub(github.url, github.token(US.login, metadata="read", contents="read"), "octo/app", pace=0)

    rules = hub.rules("main")

    assert {check.by for check in rules.required} == {"ruleset", "protection"}
    assert (rules.admins_too, rules.bypass) == (None, ())


# ---- what goes wrong ------------------------------------------------------------------------------------------------

READS: dict[str, Callable[[Hub], object]] = {
    "pull": lambda hub: hub.pull(7),
    "comments": lambda hub: hub.comments(7),
    "threads": lambda hub: hub.threads(7),
    "retargeted": lambda hub: hub.retargeted(7),
    "checks_on": lambda hub: hub.checks_on(HEAD),
    "permission": lambda hub: hub.permission("ada"),
}


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("name", READS)
def test_a_read_is_repeated_when_github_stumbles(github: FakeGitHub, hub: Hub, name: str, status: int) -> None:
    github.permit("ada", "write")
    github.fail("*", ".", status, times=2)
    READS[name](hub)
    assert len(github.log) >= 3


def test_a_server_that_keeps_failing_is_given_up(github: FakeGitHub, hub: Hub) -> None:
    github.fail("*", ".", 502, times=99)
    with pytest.raises(ToolError, match="GitHub fails") as failed:
        hub.pull(7)
    assert failed.value.code == "forge_down"
    assert len(github.log) == 5


@pytest.mark.parametrize("after", [False, True], ids=["nothing was done", "it was done"])
@pytest.mark.parametrize("status", [0, 500, 502, 504])
def test_a_comment_whose_answer_is_lost_is_posted_once(github: FakeGitHub, hub: Hub, status: int, after: bool) -> None:  # noqa: FBT001 -- a parameter
    github.say(7, "ada", "something else")
    github.fail("POST", "/comments$", status, times=2 if not after else 1, after=after)

    posted = hub.create_comment(7, "Revise  \n")

    assert posted.body == "Revise  \n"
    ours = [said.id for said in github.state.comments.values() if said.login == US.login]
    assert ours == [posted.id]
    assert github.count("POST .*/comments$") == (1 if after else 3)


def test_somebody_elses_same_words_are_not_taken_for_ours(github: FakeGitHub, hub: Hub) -> None:
    github.say(7, "eve", "Revise")
    github.fail("POST", "/comments$", 502)
    assert hub.create_comment(7, "Revise").author == US


def test_a_comment_that_was_made_at_the_last_try_is_found(github: FakeGitHub, hub: Hub) -> None:
    github.fail("POST", "/comments$", 502, times=4)
    github.fail("POST", "/comments$", 502, after=True)
    hub.create_comment(7, "Revise")
    assert len(github.state.comments) == 1


@pytest.mark.parametrize("after", [False, True], ids=["nothing was done", "it was done"])
def test_a_review_whose_answer_is_lost_is_posted_once(github: FakeGitHub, hub: Hub, after: bool) -> None:  # noqa: FBT001 -- a parameter
    github.review(7, US.login, "COMMENTED", "c" * 40, "One finding")  # of an earlier head
    github.fail("POST", "/reviews$", 502, after=after)

    review = hub.create_review(7, HEAD, "One finding", [LineComment(path="app.py", line=3, body="here")])

    assert (review.author, review.commit) == (US, HEAD)
    assert len([made for made in github.state.reviews if made.commit == HEAD]) == 1
    assert len(github.state.line_comments) == 1


@pytest.mark.parametrize("conclusion", ["failure", None])
@pytest.mark.parametrize("after", [False, True], ids=["nothing was done", "it was done"])
def test_a_check_run_whose_answer_is_lost_is_made_once(
    github: FakeGitHub,
    hub: Hub,
    conclusion: Conclusion | None,
    after: bool,  # noqa: FBT001 -- a parameter
) -> None:
    hub.check_run(HEAD, report(notes=1, conclusion="success"))  # an earlier one, which stays what it is
    github.fail("POST", "check-runs", 502, after=after)
    github.fail("PATCH", "check-runs", 502, after=after)

    hub.check_run(HEAD, report(notes=60, conclusion=conclusion))

    told = [(check.conclusion, len(check.annotations)) for check in github.state.checks.values()]
    assert told == [("success", 1), (conclusion, 60)]


def test_a_patch_is_repeated(github: FakeGitHub, hub: Hub) -> None:
    ours = hub.create_comment(7, "one")
    github.fail("PATCH", "comments", 502)
    github.drop("PATCH", "comments")
    assert hub.update_comment(ours.id, "two").body == "two"
    assert github.count("PATCH") == 3


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
@pytest.mark.parametrize("status", [403, 429])
def test_after_a_rate_limit_it_is_sent_again_and_nothing_is_posted_twice(
    github: FakeGitHub, hub: Hub, method: str, status: int
) -> None:
    ours = github.say(7, US.login, "one")
    said = {"message": "You have exceeded a secondary rate limit."}
    github.fail(method, "comments", status, headers={"Retry-After": "0"}, body=said)

    if method == "GET":
        hub.comments(7)
    elif method == "POST":
        hub.create_comment(7, "x")
    else:
        hub.update_comment(ours.id, "two")

    assert github.count(method) == 2
    assert github.count("GET") == (2 if method == "GET" else 0)  # nothing was done, so nothing is looked for


def test_a_rate_limit_is_waited_for_as_long_as_it_asks(github: FakeGitHub, hub: Hub) -> None:
    github.fail("GET", ".", 429, headers={"Retry-After": "1"})
    began = time.monotonic()
    hub.pull(7)
    assert time.monotonic() - began > 0.99


def test_a_rate_limit_that_lasts_too_long_says_until_when(github: FakeGitHub, hub: Hub) -> None:
    reset = int(time.time()) // 60 * 60 + 1830  # within a minute, however the seconds are rounded
    spent = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(reset)}
    github.fail("GET", ".", 403, body={"message": "API rate limit exceeded for installation ID 1."}, headers=spent)
    with pytest.raises(ToolError) as limited:
        hub.pull(7)
    assert limited.value.code == "forge_rate_limit"
    back = time.strftime("%H:%M UTC", time.gmtime(reset + 60))  # a minute in which it is over, not that it ends in
    assert back in limited.value.message
    assert back in limited.value.hint
    assert len(github.log) == 1


def test_graphql_says_in_its_own_way_that_a_limit_is_reached(github: FakeGitHub, hub: Hub) -> None:
    told = {"data": None, "errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]}
    github.fail("POST", "graphql", 201, body=told)
    with pytest.raises(ToolError) as limited:
        hub.me()
    assert limited.value.code == "forge_rate_limit"


def test_graphql_that_stumbles_is_asked_again(github: FakeGitHub, hub: Hub) -> None:
    told = {"data": None, "errors": [{"message": "Something went wrong while executing your query."}]}
    github.fail("POST", "graphql", 201, body=told)
    assert hub.me() == US.login


def test_a_pull_request_that_does_not_exist(hub: Hub) -> None:
    with pytest.raises(ToolError, match="Could not read pull request #99") as refused:
        hub.pull(99)
    assert refused.value.code == "forge_not_found"
    assert "pull-requests: read" in refused.value.hint


def test_a_token_that_is_none(github: FakeGitHub) -> None:
    with pytest.raises(ToolError, match="does not accept the token") as refused:
        Hub(github.url, "ghs_0ldT0ken0ldT0ken0ldT0ken0ldT0ken0", "octo/app", pace=0).pull(7)
    assert refused.value.code == "forge_auth"
    assert len(github.log) == 1


@pytest.mark.parametrize(
    "ask, wanted",
    [
        (lambda hub: hub.create_comment(7, "x"), "`permissions: issues: write` or `pull-requests: write`"),
        (lambda hub: hub.create_review(7, HEAD, "x"), "`permissions: pull-requests: write`"),
        (lambda hub: hub.add_label(7, "x"), "`permissions: issues: write` or `pull-requests: write`"),
        (lambda hub: hub.check_run(HEAD, report()), "`permissions: checks: write`"),
        (lambda hub: hub.checks_on(HEAD), "`permissions: statuses: read`"),
    ],
)
def test_a_permission_that_is_missing_is_named(github: FakeGitHub, ask: Callable[[Hub], object], wanted: str) -> None:
    token = github.token(US.login, pull_requests="read", checks="read")
    with pytest.raises(ToolError, match=r"the token may not \(403: Resource not accessible") as refused:
        ask(Hub(github.url, token, "octo/app", pace=0))
    assert refused.value.code == "forge_permission"
    assert wanted in refused.value.hint
    assert "fork" in refused.value.hint


def test_single_sign_on_is_named(github: FakeGitHub, hub: Hub) -> None:
    github.fail("GET", ".", 403, headers={"X-GitHub-SSO": "required; url=https://github.com/orgs/octo/sso"})
    with pytest.raises(ToolError) as refused:
        hub.pull(7)
    assert "single sign-on" in refused.value.hint


def test_what_github_finds_wrong_is_quoted(github: FakeGitHub, hub: Hub) -> None:
    error = {"resource": "Label", "code": "invalid", "field": "name", "message": "name is too long"}
    github.fail("POST", "labels", 422, body={"message": "Validation Failed", "errors": [error]})
    with pytest.raises(ToolError, match="422: Validation Failed: name invalid name is too long") as refused:
        hub.add_label(7, "x" * 99)
    assert refused.value.code == "forge_invalid"


def test_words_of_a_server_command_nothing_and_are_short(github: FakeGitHub, hub: Hub) -> None:
    github.fail("GET", ".", 404, body={"message": f"\x1b[31m\n::error::{TOKEN} " + "x" * 5000})
    with pytest.raises(ToolError) as refused:
        hub.pull(7)
    told = refused.value.message
    assert len(told) < 600
    assert not any(bad in told for bad in ("\x1b", "\n", "::error", TOKEN))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>We are down for maintenance</html>",
        b"[1, 2",
        b"{}",
        b"null",
        b'"text"',
        {"number": "7"},
        [{"message": "a list"}],
        b"[" * 100_000,
    ],
)
@pytest.mark.parametrize("name", READS)
def test_an_answer_that_is_none_is_an_error(github: FakeGitHub, hub: Hub, name: str, body: object) -> None:
    github.permit("ada", "write")
    github.fail("*", ".", 201, body=body, times=9)
    with pytest.raises(ToolError) as refused:
        READS[name](hub)
    assert refused.value.code == "forge_answer"
    assert "\n" not in refused.value.message


@pytest.mark.parametrize("body", [b"<html>Bad gateway</html>", b"", b'["x"]', b'{"message": 5}'])
def test_a_failure_with_an_odd_body_is_still_plain(github: FakeGitHub, hub: Hub, body: bytes) -> None:
    github.fail("GET", ".", 502, body=body, times=9)
    with pytest.raises(ToolError):
        hub.pull(7)


@pytest.mark.parametrize("status", [301, 302, 307])
def test_nothing_is_followed_to_another_server(github: FakeGitHub, hub: Hub, status: int) -> None:
    github.fail("*", ".", status, headers={"Location": "http://localhost:1/repos/octo/app/pulls/7"}, body={})
    with pytest.raises(ToolError) as refused:
        hub.pull(7)
    assert refused.value.code == "forge_answer"


@pytest.mark.parametrize(
    "there",
    [
        "http://evil.example/repos/octo/app/issues/7/comments?page=2",
        "http://127.0.0.1:1/repos/octo/app/issues/7/comments?page=2",
        "https://{here}/repos/octo/app/issues/7/comments?page=2",
        "http://127.0.0.1.evil.example/x",
        "file:///etc/passwd",
    ],
)
def test_a_next_page_on_another_server_is_not_asked_for(github: FakeGitHub, hub: Hub, there: str) -> None:
    link = f'<{there.format(here=github.server.removeprefix("http://"))}>; rel="next"'
    github.fail("GET", "comments", 201, body=[], headers={"Link": link})
    with pytest.raises(ToolError, match="points to another server"):
        hub.comments(7)
    assert len(github.log) == 1


def test_a_list_that_never_ends_is_given_up(github: FakeGitHub, hub: Hub) -> None:
    link = f'<{github.url}/repos/octo/app/issues/7/comments?page=2>; rel="next"'
    github.fail("GET", "comments", 201, body=[], headers={"Link": link}, times=9999)
    with pytest.raises(ToolError, match="more than 200 pages"):
        hub.comments(7)


def test_a_server_that_is_not_there(github: FakeGitHub) -> None:
    hub = Hub("http://127.0.0.1:1", TOKEN, "octo/app", pace=0)
    with pytest.raises(ToolError, match=r"127\.0\.0\.1 cannot be reached \(the connection failed\)") as failed:
        hub.pull(7)
    assert failed.value.code == "forge_down"


def test_a_slow_answer_is_still_an_answer(github: FakeGitHub, hub: Hub) -> None:
    github.fail("POST", "/comments$", 200, slow=0.3)
    assert hub.create_comment(7, "Revise").body == "Revise"
    assert len(github.log) == 1


def test_waiting_for_a_server_has_an_end(github: FakeGitHub) -> None:
    github.fail("GET", ".", 503, times=99)
    with pytest.raises(ToolError):
        Hub(github.url, TOKEN, "octo/app", pace=0.4, patience=1).pull(7)
    assert github.count("GET") <= 2  # of five: the second wait would end beyond its patience


# ---- where it is ----------------------------------------------------------------------------------------------------


def test_an_enterprise_server_has_its_api_below_a_prefix() -> None:
    with FakeGitHub(prefix="/api/v3") as github:
        github.open_pull(7, HEAD)
        for number in range(120):
            github.say(7, "ada", f"comment {number}")
        for given in ("", github.graphql_url):
            hub = Hub(f"{github.url}/", TOKEN, "octo/app", graphql_url=given, pace=0)
            assert hub.pull(7).number == 7
            assert len(hub.comments(7)) == 120
            assert hub.me() == US.login


@pytest.mark.parametrize(
    "told",
    [
        {"token": ""},
        {"repository": "octo"},
        {"repository": "octo/app/../x"},
        {"repository": "octo/app?x"},
        {"api_url": "ftp://api.github.com"},
        {"api_url": "api.github.com"},
        {"graphql_url": "https://evil.example/graphql"},
    ],
)
def test_what_a_hub_cannot_be_made_from(told: dict[str, str]) -> None:
    given = {"api_url": "https://api.github.com", "token": TOKEN, "repository": "octo/app", "graphql_url": "", **told}
    with pytest.raises(UsageError):
        Hub(given["api_url"], given["token"], given["repository"], graphql_url=given["graphql_url"])


def test_requests_name_the_api_version_and_do_not_hurry(github: FakeGitHub) -> None:
    hub = Hub(github.url, TOKEN, "octo/app", pace=0.3)
    began = time.monotonic()
    hub.create_comment(7, "one")
    hub.create_comment(7, "two")
    assert time.monotonic() - began > 0.29
    assert {headers["x-github-api-version"] for headers in github.headers} == {"2022-11-28"}
    assert {headers["user-agent"] for headers in github.headers} == {"git-cto"}


def test_no_error_and_no_text_of_a_hub_has_the_token(github: FakeGitHub, hub: Hub) -> None:
    github.fail("GET", ".", 403, body={"message": f"token {TOKEN} is bad"})
    with pytest.raises(CtoError) as refused:
        hub.pull(7)
    told = [repr(hub), str(hub), repr(hub._line), str(refused.value), refused.value.hint, repr(refused.value)]
    assert not [text for text in told if TOKEN in text]


def test_pygithub_is_loaded_when_something_is_asked() -> None:
    code = (
        "import sys; from git_cto.forge.hub import Hub; Hub('', 'ghs_x', 'a/b');"
        "print([m for m in ('github', 'requests', 'pydantic', 'git') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
