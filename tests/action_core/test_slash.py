"""Commands in comments: who is obeyed, what is recorded under whose name, and what is only talk."""

from __future__ import annotations

import pytest

from tests.action_core.stage import TWO, Ran, Stage, approving, refusing
from tests.world import finding

THREE = "def version():\n    return 3\n"


def typed(stage: Stage, body: str, login: str = "ada", *script: object, **inputs: str) -> Ran:
    """Somebody comments, and the job runs. HEAD is the pull request's head."""
    body = body.replace("HEAD", stage.github.state.pulls[7].head_sha)
    return stage.job(stage.comment(body, login), script, event="issue_comment", **inputs)  # type: ignore[arg-type]


def reactions(stage: Stage) -> list[str]:
    return [content for one in stage.github.state.comments.values() for _, content in one.reactions]


def test_a_review_that_somebody_asks_for(stage: Stage) -> None:
    stage.opened(author="mallory", head_repository="mallory/app")
    ran = typed(stage, "/cto review", "ada", approving())
    assert (ran.code, ran.asked, stage.checks()) == (0, 1, ["success"]), ran.log
    assert reactions(stage) == ["eyes"]


@pytest.mark.parametrize("verb", ["review", "status", "override HEAD because", "continue because"])
def test_who_may_not_write_costs_nothing_and_changes_nothing(stage: Stage, verb: str) -> None:
    """Case 68."""
    stage.github.permit("mallory", "read")
    stage.opened(author="mallory", head_repository="mallory/app")
    ran = typed(stage, f"/cto {verb}", "mallory")
    assert (ran.code, ran.asked, ran.outputs["allowed"]) == (0, 0, "false"), ran.log
    assert (stage.checks(), stage.comments, reactions(stage), stage.records()) == ([], [], [], 0)
    assert not [line for line in stage.github.log if not line.startswith("GET") and "graphql" not in line]
    assert not stage.git.requests


@pytest.mark.parametrize(
    "body",
    [
        "Please /cto override this",
        "> /cto review",
        "/cto reviewed",
        "/cto review, please",
        "/cto",
        "/cto approve",
        "<!-- git-cto:pull -->\n### ✓ Approved",
        "`/cto review`",
    ],
)
def test_what_is_no_command_is_only_talk(stage: Stage, body: str) -> None:
    """Case 66, too: a comment with our marker is a comment."""
    stage.opened()
    ran = typed(stage, body)
    assert (ran.code, ran.asked, ran.outputs["allowed"], stage.github.log) == (0, 0, "false", []), ran.log


def test_a_command_that_an_edit_put_there_is_none(stage: Stage) -> None:
    stage.opened()
    ran = stage.job(stage.comment("/cto override because", action="edited"), event="issue_comment")
    assert (ran.code, stage.github.log) == (0, []), ran.log


def test_a_comment_on_an_issue_is_none_of_ours(stage: Stage) -> None:
    stage.opened()
    ran = stage.job(stage.comment("/cto review", on_issue=True), event="issue_comment")
    assert (ran.code, ran.asked, stage.checks()) == (2, 0, []), ran.log


@pytest.mark.parametrize("named, asked", [("", 0), ("helper", 1)])
def test_a_bot_is_heard_only_where_it_is_named_and_never_decides(stage: Stage, named: str, asked: int) -> None:
    stage.opened()
    ran = typed(stage, "/cto review", "helper[bot]", *[refusing()] * asked, allow_bots=named)
    assert ran.asked == asked, ran.log
    assert typed(stage, "/cto override HEAD because", "helper[bot]", allow_bots=named).code == 0
    assert "success" not in stage.checks()


def test_who_may_only_have_it_reviewed_may_not_decide(stage: Stage) -> None:
    stage.github.permit("linus", "read")
    stage.opened()
    assert typed(stage, "/cto review", "linus", refusing(), allow_users="linus").asked == 1
    assert typed(stage, "/cto override HEAD because", "linus", allow_users="linus").outputs["allowed"] == "false"
    assert stage.checks() == ["failure"]


# ---- override


def test_an_override_opens_for_exactly_this_change_and_is_recorded_by_name(stage: Stage) -> None:
    stage.signs()
    stage.opened()
    stage.github.permit("grace", "admin")
    assert stage.review(refusing()).code == 1
    ran = typed(stage, "/cto override HEAD We need this today,\nand I have read it.", "grace")
    assert (ran.code, ran.asked, stage.checks()) == (0, 0, ["failure", "success"]), ran.log
    assert "### ✓ Overridden" in stage.comment_text
    assert "**grace** lets exactly this change in: We need this today, and I have read it." in stage.comment_text
    assert stage.review(action="edited").code == 0
    stage.pushed(THREE)
    assert stage.review(refusing(prior_findings=[{"id": "1.1", "ruling": "fixed", "note": ""}])).code == 1


def test_nobody_overrides_the_gate_for_their_own_pull_request(stage: Stage) -> None:
    """Case 52."""
    stage.signs()
    stage.opened()
    assert stage.review(refusing()).code == 1
    ran = typed(stage, "/cto override HEAD It is fine", "ada")
    assert (ran.code, stage.checks()[-1], stage.records()) == (1, "failure", 1), ran.log
    assert "nobody overrides the gate for what is their own" in stage.comment_text
    assert "### ✗ Revise" in stage.comment_text
    stage.github.permit("grace", "write")
    stage.world.git("config", "user.email", "grace@users.noreply.github.com")
    stage.pushed(THREE)
    assert typed(stage, "/cto override HEAD It is fine", "grace").code == 1
    stage.policy("[gate]\nsigner_is_not_author = false\n")
    assert typed(stage, "/cto override HEAD It is fine", "ada").code == 0


def test_whose_a_commit_is_the_forge_knows_by_any_address(stage: Stage) -> None:
    stage.signs()
    stage.opened()
    stage.github.permit("grace", "write")
    stage.github.permit("linus", "write")
    stage.github.state.addresses["grace@corp.example"] = "grace"
    stage.world.git("config", "user.email", "Grace@corp.example")
    stage.pushed(THREE)
    ran = typed(stage, "/cto override HEAD It is fine", "grace")
    assert (ran.code, stage.records(), stage.checks()) == (1, 0, ["failure"]), ran.log
    assert "grace wrote this" in stage.comment_text
    assert typed(stage, "/cto override HEAD It is fine", "linus").code == 0


def test_whose_a_commit_is_has_to_be_known(stage: Stage) -> None:
    stage.signs()
    stage.opened()
    stage.github.permit("grace", "write")
    stage.world.git("config", "user.email", "somebody@corp.example")
    head = stage.pushed(THREE)
    ran = typed(stage, "/cto override HEAD It is fine", "grace")
    assert (ran.code, stage.records(), stage.checks()) == (1, 0, ["failure"]), ran.log
    assert f"does not know whose commit <code>{head[:7]}</code> is" in stage.comment_text
    assert "Settings › Emails" in stage.comment_text
    stage.github.state.addresses["somebody@corp.example"] = "mallory"
    stage.world.git("config", "user.email", "bot[bot]@users.noreply.ghe.example")  # which says whose it is by itself
    stage.pushed(TWO + "\n")
    assert typed(stage, "/cto override HEAD It is fine", "grace").code == 0


def test_whose_the_commits_are_that_the_forge_does_not_list_is_not_known(stage: Stage) -> None:
    """It lists 250 of a pull request."""
    stage.signs()
    stage.opened(author="mallory", head_repository="mallory/app")
    stage.github.permit("grace", "write")
    listed = stage.github.state.pulls[7].commits
    assert listed
    stage.github.state.pulls[7].commits = [("0" * 40, "ada@example.org", "ada@example.org")]
    assert typed(stage, "/cto override HEAD It is fine", "grace").code == 1
    stage.github.state.pulls[7].commits = listed
    stage.github.fail("GET", "/pulls/7/commits", 500, times=5)
    ran = typed(stage, "/cto override HEAD It is fine", "grace")
    assert (ran.code, stage.records(), stage.checks()) == (3, 0, ["failure"] * 2), ran.log
    assert "Could not ask whose the commits of" in stage.comment_text
    assert typed(stage, "/cto override HEAD It is fine", "grace").code == 0


def test_nobody_is_asked_whose_commits_are_unless_somebody_overrides(stage: Stage) -> None:
    stage.opened()
    assert stage.review(refusing()).code == 1
    assert typed(stage, "/cto status").code == 1
    assert not stage.github.count("/pulls/7/commits")


@pytest.mark.parametrize(
    "said, why",
    [
        ("Seen", "It does not name the commit that it is about"),
        ("defaced is the word", "</code>, and the pull request stands elsewhere"),
        ("OLD Seen", "and the pull request stands elsewhere"),
        ("SHORT Seen", "It does not name the commit in full, and others can be made"),
    ],
)
def test_an_override_is_about_the_commit_that_it_names(stage: Stage, said: str, why: str) -> None:
    """What was pushed between the comment and its job is nothing that anybody has looked at."""
    stage.signs()
    old = stage.opened()
    stage.github.permit("grace", "write")
    head = stage.pushed(THREE)
    ran = typed(stage, f"/cto override {said.replace('OLD', old).replace('SHORT', head[:39])}", "grace")
    assert (ran.code, stage.records(), stage.checks()) == (1, 0, ["failure"]), ran.log
    assert why in stage.comment_text
    assert f"/cto override <code>{head}</code>" in stage.comment_text
    assert typed(stage, f"/cto override {head.upper()} Seen", "grace").code == 0


def test_an_override_is_not_carried_to_another_target(stage: Stage) -> None:
    stage.signs()
    stage.opened()
    stage.github.permit("grace", "write")
    stage.github.state.pulls[7].retargeted = "2100-01-01T00:00:00Z"
    ran = typed(stage, "/cto override HEAD Seen", "grace")
    assert (ran.code, stage.records(), stage.checks()) == (1, 0, ["failure"]), ran.log
    assert "was meant for another branch then" in stage.comment_text
    stage.github.state.pulls[7].retargeted = "2020-01-01T00:00:00Z"
    assert typed(stage, "/cto override HEAD Seen", "grace").code == 0


@pytest.mark.parametrize("decision", ["override HEAD Seen", "continue It is wanted"])
def test_a_job_that_is_run_again_decides_nothing(stage: Stage, decision: str) -> None:
    """Whoever may write may run an old job again, and what was typed then was about something else."""
    stage.signs()
    stage.opened()
    stage.github.permit("grace", "write")
    assert stage.review(refusing(verdict="abort", reason="No.")).code == 4
    ran = typed(stage, f"/cto {decision}", "grace", GITHUB_RUN_ATTEMPT="2")
    assert (ran.code, ran.asked, stage.records(), "success" in stage.checks()) == (4, 0, 1, False), ran.log
    assert "This job was run again" in stage.comment_text


def test_an_override_of_a_draft_counts_once_it_is_ready(stage: Stage) -> None:
    stage.signs()
    stage.opened(draft=True)
    stage.github.permit("grace", "write")
    ran = typed(stage, "/cto override HEAD Seen", "grace")
    assert (ran.code, ran.outputs["allowed"], stage.checks(), stage.records()) == (1, "false", ["failure"], 1), ran.log
    assert "### … Waiting" in stage.comment_text
    assert "grace lets exactly this change in. That is recorded" in stage.comment_text
    assert typed(stage, "/cto review", "grace").asked == 0
    stage.github.state.pulls[7].draft = False
    ran = stage.review(action="ready_for_review")
    assert (ran.code, ran.asked, stage.checks()[-1]) == (0, 0, "success"), ran.log


def test_an_override_of_a_draft_takes_a_key_for_the_run_that_counts(stage: Stage) -> None:
    stage.opened(draft=True)
    stage.github.permit("grace", "write")
    ran = typed(stage, "/cto override HEAD Seen", "grace")
    assert (ran.code, stage.checks(), stage.records()) == (1, ["failure"], 0), ran.log
    assert "There is no signing-key" in stage.comment_text
    assert "git cto override --sign" in stage.comment_text


def test_an_override_without_a_reason_is_none(stage: Stage) -> None:
    stage.opened()
    stage.github.permit("grace", "write")
    ran = typed(stage, "/cto override HEAD", "grace")
    assert (ran.code, stage.records()) == (1, 0), ran.log
    assert "A decision needs a reason" in stage.comment_text


def test_an_override_does_not_stand_in_for_the_human_whom_control_paths_need(stage: Stage) -> None:
    """What one key signs is one voice: the approval and the override come from the same job."""
    stage.signs()
    stage.opened()
    stage.github.permit("grace", "write")
    stage.world.write(".github/workflows/ci.yml", "on: push\n")
    head = stage.pushed(TWO)
    assert stage.review(approving()).code == 1
    ran = typed(stage, "/cto override HEAD I have read it", "grace")
    assert (ran.code, "success" in stage.checks()) == (1, False), ran.log
    stage.github.review(7, "grace", "APPROVED", head)
    stage.github.state.pulls[7].retargeted = "2100-01-01T00:00:00Z"  # it was another change that she approved
    assert typed(stage, "/cto status", "grace").code == 1
    stage.github.state.pulls[7].retargeted = "2020-01-01T00:00:00Z"
    ran = typed(stage, "/cto status", "grace")
    assert (ran.code, ran.asked, stage.checks()[-1]) == (0, 0, "success"), ran.log


# ---- continue and status


def test_an_abort_goes_on_when_a_human_says_so(stage: Stage) -> None:
    stage.signs()
    stage.opened()
    stage.github.permit("grace", "write")
    assert stage.review(refusing(verdict="abort", reason="No.")).code == 4
    assert stage.github.state.pulls[7].labels == ["cto-escalated"]
    ran = typed(
        stage,
        "/cto continue It is wanted",
        "grace",
        approving(prior_findings=[{"id": "1.1", "ruling": "withdrawn", "note": ""}]),
    )
    assert (ran.code, ran.asked, stage.checks()[-1]) == (0, 1, "success"), ran.log
    assert stage.github.state.pulls[7].labels == []
    assert stage.records() == 3


def test_rounds_go_on_in_later_jobs_when_a_human_says_so(stage: Stage) -> None:
    stage.signs()
    stage.policy("[rounds]\nescalate_after = 1\n")
    stage.opened()
    assert stage.review(refusing(finding("nit"))).code == 5
    ran = typed(stage, "/cto continue Try again", "ada")
    assert (ran.code, ran.asked, stage.records()) == (1, 0, 2), ran.log  # nothing new was pushed
    stage.pushed(THREE)
    ran = stage.review(approving(prior_findings=[{"id": "1.1", "ruling": "fixed", "note": ""}]))
    assert (ran.code, ran.outputs["round"]) == (0, "1"), ran.log


def test_without_a_signing_key_nobody_would_know_in_the_next_job(stage: Stage) -> None:
    stage.opened()
    stage.policy("[rounds]\nescalate_after = 1\n")
    assert stage.review(refusing()).code == 5
    ran = typed(stage, "/cto continue Go on")
    assert (ran.code, stage.checks()[-1]) == (5, "action_required"), ran.log
    assert "There is no signing-key" in stage.comment_text


def test_the_status_says_where_it_stands_without_a_key(stage: Stage) -> None:
    stage.opened()
    ran = typed(stage, "/cto status", key="")
    assert (ran.code, ran.asked, stage.checks()) == (1, 0, ["failure"]), ran.log
    assert "### ✗ Closed" in stage.comment_text
