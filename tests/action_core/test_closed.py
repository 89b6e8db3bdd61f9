"""What keeps the gate closed, whoever tries and whatever fails: never green, and no model where nobody may ask."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from git_cto.demo.server import ModelServer, hang
from tests.action_core.stage import KEY, TWO, Stage, approving, outputs_of, refusing
from tests.forge.fake import TOKEN
from tests.loop.world import until

THREE = "def version():\n    return 3\n"


# ---- who may ask


def test_a_draft_waits(stage: Stage) -> None:
    stage.opened(draft=True)
    ran = stage.review()
    assert (ran.code, ran.asked, stage.checks()) == (1, 0, ["failure"]), ran.log
    assert "draft" in ran.summary


def test_a_draft_whose_change_is_approved_waits_as_well(stage: Stage) -> None:
    stage.signs()
    stage.opened()
    assert stage.review(approving()).code == 0
    stage.github.state.pulls[7].draft = True
    assert (stage.review().code, stage.checks()) == (1, ["success", "failure"])
    assert (stage.review(mode="gate", key="").code, stage.checks()[-1]) == (1, "failure")


def test_a_closed_pull_request_is_left_alone(stage: Stage) -> None:
    stage.opened(state="closed")
    ran = stage.review(action="closed")
    assert (ran.code, ran.asked, stage.checks(), stage.comments) == (1, 0, [], []), ran.log
    assert ran.outputs["allowed"] == "false"


def test_no_key_is_said_plainly(stage: Stage) -> None:
    stage.opened()
    ran = stage.review(key="")
    assert (ran.code, ran.asked, stage.checks()) == (3, 0, ["failure"]), ran.log
    assert "### ✗ Closed: no key for a model" in stage.comment_text
    assert "openai-api-key" in stage.comment_text


def test_a_fork_by_somebody_who_may_not_write_costs_no_model(stage: Stage) -> None:
    """Cases 65 and 68, with secrets at hand (`pull_request_target`)."""
    stage.github.permit("mallory", "read")
    stage.opened(author="mallory", head_repository="mallory/app")
    ran = stage.review(action="opened", sender="mallory")
    assert (ran.code, ran.asked, stage.checks()) == (1, 0, ["failure"]), ran.log
    assert "### ✗ Closed: from a fork" in stage.comment_text
    assert "mallory has no write access here" in stage.comment_text
    assert stage.records() == 0


def test_a_fork_on_a_workflow_without_secrets_is_closed_even_where_nothing_can_be_posted(stage: Stage) -> None:
    """Case 65, on `pull_request`: no secrets, and a token that may only read."""
    token = stage.github.token("github-actions[bot]", TOKEN[:-1] + "R", contents="read", pull_requests="read")
    stage.git.token = token
    stage.github.permit("mallory", "read")
    stage.opened(author="mallory", head_repository="mallory/app")
    ran = stage.job(stage.event(sender="mallory"), event="pull_request", key="", token=token)
    assert ran.code != 0, ran.log
    assert (ran.asked, ran.outputs["allowed"], stage.checks(), stage.comments) == (0, "false", [], [])
    assert "fork" in ran.summary


def test_a_fork_is_reviewed_when_somebody_with_write_access_has_a_hand_in_it(stage: Stage) -> None:
    stage.opened(author="mallory", head_repository="mallory/app")
    ran = stage.review(approving(), action="labeled", sender="ada")
    assert (ran.code, ran.asked) == (0, 1), ran.log


def test_a_fork_that_was_deleted_is_still_fetched(stage: Stage) -> None:
    stage.opened(author="mallory", head_repository=None)
    assert stage.review(approving(), sender="ada").code == 0


def test_whom_the_workflow_names_is_reviewed_without_write_access(stage: Stage) -> None:
    stage.github.permit("linus", "read")
    stage.opened(author="linus", head_repository="linus/app")
    assert stage.review(refusing(), sender="linus", allow_users="grace, Linus").asked == 1


@pytest.mark.parametrize("named, asked", [("", 0), ("renovate", 0), ("dependabot", 1), ("dependabot[bot]", 1)])
def test_a_bot_is_reviewed_only_where_it_is_named(stage: Stage, named: str, asked: int) -> None:
    stage.opened(author="dependabot[bot]")
    ran = stage.review(*[refusing()] * asked, sender="dependabot[bot]", allow_bots=named)
    assert (ran.code, ran.asked, stage.checks()) == (1, asked, ["failure"]), ran.log


def test_a_bot_that_is_named_among_users_is_none_of_them(stage: Stage) -> None:
    stage.opened(author="dependabot[bot]")
    assert stage.review(sender="dependabot[bot]", allow_users="dependabot[bot]").asked == 0


# ---- what moves meanwhile


def test_a_push_during_the_review_approves_nothing(stage: Stage) -> None:
    """Case 61."""
    head = stage.opened()

    def pushes(request: object) -> object:
        answer = approving()(request)  # type: ignore[operator, arg-type]
        stage.pushed(THREE)
        return answer

    ran = stage.review(pushes)  # type: ignore[arg-type]
    assert (ran.code, ran.outputs["allowed"]) == (3, "false"), ran.log
    assert (stage.checks(), stage.checks(head), stage.comments) == ([], [], [])
    assert ran.summary.startswith("### ↻ Overtaken")
    assert stage.records() == 1  # it was judged, and paid for


def test_a_new_target_during_the_review_approves_nothing(stage: Stage) -> None:
    """Case 62."""
    stage.opened()
    stage.world.git("push", "--quiet", "origin", "main:refs/heads/release")

    def retargets(request: object) -> object:
        stage.github.state.pulls[7].base_ref = "release"
        return approving()(request)  # type: ignore[operator, arg-type]

    ran = stage.review(retargets)  # type: ignore[arg-type]
    assert (ran.code, ran.outputs["allowed"], stage.comments) == (3, "false", []), ran.log
    assert (stage.checks(), stage.checks(name="git-cto (release)")) == ([], [])


def test_one_head_for_two_targets_is_two_questions(stage: Stage) -> None:
    """Case 63: also on a forge that knows a check only by its commit."""
    stage.signs()
    head = stage.opened()
    stage.world.git("push", "--quiet", "origin", "main:refs/heads/release")
    stage.github.open_pull(8, head, base_ref="release", head_ref="same")
    stage.push(head, number=8)
    assert stage.review(approving()).code == 0
    ran = stage.job(stage.event(number=8), [refusing()])
    assert (ran.code, ran.asked) == (1, 1), ran.log
    assert stage.checks(head) == ["success"]
    assert stage.checks(head, "git-cto (release)") == ["failure"]


def test_a_target_that_is_gone_closes(stage: Stage) -> None:
    stage.opened()
    stage.github.state.pulls[7].base_ref = "gone"
    ran = stage.job(stage.event())
    assert (ran.code, ran.asked, stage.checks(name="git-cto (gone)")) == (3, 0, ["failure"]), ran.log
    assert "has no such branch" in stage.comment_text


def test_an_old_event_is_about_the_pull_request_as_it_is_now(stage: Stage) -> None:
    old = stage.opened()
    event = stage.event()
    new = stage.pushed(THREE)
    ran = stage.job(event, [approving()])
    assert (ran.code, stage.checks(new), stage.checks(old)) == (0, ["success"], []), ran.log


def test_a_forge_whose_word_and_whose_branches_differ_is_not_believed(stage: Stage) -> None:
    old = stage.opened()
    new = stage.pushed(THREE)
    stage.github.state.pulls[7].head_sha = old
    ran = stage.review(approving())
    assert (ran.code, ran.asked, stage.checks(old), stage.checks(new)) == (3, 0, [], []), ran.log


# ---- what the gate itself rests on


def test_a_pull_request_that_edits_its_own_gate_needs_a_human_who_is_not_its_author(stage: Stage) -> None:
    """Cases 64 and 46."""
    stage.signs()
    stage.opened()
    stage.world.write(".github/workflows/cto.yml", "on: never\n")
    stage.world.write(".cto/config.toml", "[gate]\ncontrol_paths = []\n")
    head = stage.pushed(TWO)
    ran = stage.review(approving())
    assert (ran.code, ran.outputs["verdict"], stage.checks()) == (1, "approve", ["action_required"]), ran.log
    assert "### ! A human has to agree" in stage.comment_text
    assert ".github/workflows/cto.yml" in stage.comment_text
    stage.github.permit("reader", "read")
    stage.github.permit("grace", "write")
    for who, commit in (("ada", head), ("reader", head), ("grace", "0" * 40), ("dependabot[bot]", head)):
        stage.github.review(7, who, "APPROVED", commit)
        assert stage.review().code == 1, who
    stage.github.review(7, "grace", "APPROVED", head)
    ran = stage.review()
    assert (ran.code, ran.asked, stage.checks()[-1]) == (0, 0, "success"), ran.log
    stage.github.review(7, "grace", "CHANGES_REQUESTED", head)
    assert stage.review().code == 1


def test_a_file_that_became_a_workflow_meanwhile_needs_a_human_under_its_old_name(stage: Stage) -> None:
    stage.signs()
    text = "".join(f"echo {number}\n" for number in range(20))
    stage.world.commit("A script", ci__yml=text)
    stage.opened()
    stage.world.write("ci.yml", text.replace("echo 7", "echo seven"))
    head = stage.pushed(TWO)
    assert stage.review(approving()).code == 0
    stage.world.git("switch", "--quiet", "main")
    stage.world.write(".github/workflows/ci.yml", "")
    stage.world.git("mv", "--force", "ci.yml", ".github/workflows/ci.yml")
    stage.world.commit("Have it run")
    stage.publish()
    ran = stage.review()
    assert (ran.code, stage.checks()[-1]) == (1, "action_required"), ran.log
    assert ".github/workflows/ci.yml" in stage.comment_text
    stage.github.permit("grace", "write")
    stage.github.review(7, "grace", "APPROVED", head)
    assert (stage.review().code, stage.checks()[-1]) == (0, "success")


def test_who_made_a_commit_of_it_is_no_other_human(stage: Stage) -> None:
    stage.opened()
    stage.world.git("config", "user.email", "17+Grace@users.noreply.github.com")
    stage.world.write(".github/workflows/ci.yml", "on: push\n")
    head = stage.pushed(TWO)
    stage.github.permit("grace", "write")
    stage.github.review(7, "grace", "APPROVED", head)
    assert (stage.review(approving()).code, stage.checks()) == (1, ["action_required"])


def test_who_made_a_commit_of_it_at_work_is_no_other_human(stage: Stage) -> None:
    stage.signs()
    stage.opened()
    stage.github.state.addresses["grace@corp.example"] = "grace"
    stage.world.git("config", "user.email", "grace@corp.example")
    stage.world.write(".github/workflows/ci.yml", "on: push\n")
    head = stage.pushed("def version():\n    return 2  # as said\n")
    stage.github.permit("grace", "write")
    stage.github.permit("linus", "write")
    stage.github.review(7, "grace", "APPROVED", head)
    assert (stage.review(approving()).code, stage.checks()) == (1, ["action_required"])
    stage.github.review(7, "linus", "APPROVED", head)
    assert stage.review().code == 0


def test_where_nobody_knows_who_made_a_commit_of_it_no_review_agrees(stage: Stage) -> None:
    """A second address is quickly made up; whoever is behind it may be the one who approves."""
    stage.signs()
    stage.opened()
    stage.world.git("config", "user.email", "linus@nowhere.example")
    stage.world.write(".github/workflows/ci.yml", "on: push\n")
    head = stage.pushed(TWO)
    stage.github.permit("linus", "write")
    assert (stage.review(approving()).code, stage.checks()) == (1, ["action_required"])
    assert "does not know whose" not in stage.comment_text  # nobody has approved it yet
    stage.github.review(7, "linus", "APPROVED", head)
    assert (stage.review().code, stage.checks()[-1]) == (1, "action_required")
    assert f"The forge does not know whose commit <code>{head[:7]}</code> is" in stage.comment_text
    stage.github.state.addresses["linus@nowhere.example"] = "torvalds"
    assert (stage.review().code, stage.checks()[-1]) == (0, "success")


# ---- what fails


def test_a_reviewer_that_cannot_be_reached_is_no_verdict(stage: Stage) -> None:
    stage.opened()
    ran = stage.review()  # its script is empty: the server refuses
    assert (ran.code, ran.outputs["allowed"], stage.checks()) == (3, "false", ["failure"]), ran.log
    assert "### ? Could not be reviewed" in stage.comment_text
    assert stage.records() == 0


@pytest.mark.parametrize("how, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_job_that_is_cancelled_decides_nothing_and_leaves_nothing_running(
    stage: Stage, how: signal.Signals, code: int
) -> None:
    """Case 76."""
    stage.opened()
    with ModelServer([hang()]) as model:
        temp = stage.prepared(stage.event(), model)
        before = set(os.listdir(temp))
        with stage.world.process("action", signalled=True, cwd=temp) as job:
            until(lambda: model.requests)
            job.send_signal(how)
            assert job.wait(30) == code
    assert set(os.listdir(temp)) - before <= {"record", "output", "summary"}
    assert outputs_of(temp / "output") == {"allowed": "false"}
    assert (stage.checks(), stage.records()) == ([], 0)
    assert not [one for one in Path("/proc").glob("[0-9]*/environ") if _has(one, temp)]


def _has(environ: Path, temp: Path) -> bool:
    try:
        return f"CODEX_HOME={temp}".encode() in environ.read_bytes()
    except OSError:
        return False


def test_a_signing_key_that_is_none_is_told_before_anything_is_paid_for(stage: Stage) -> None:
    stage.opened()
    ran = stage.review(signing_key="-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n")
    assert (ran.code, ran.asked, stage.checks()) == (2, 0, ["failure"]), ran.log


def test_a_record_that_may_not_be_pushed_is_kept_and_that_is_said(stage: Stage) -> None:
    stage.signs()
    stage.opened()
    refuse = stage.hub / "hooks" / "pre-receive"
    refuse.parent.mkdir(exist_ok=True)
    refuse.write_text("#!/bin/sh\necho 'notes are not for you' >&2\nexit 1\n")
    refuse.chmod(0o755)
    ran = stage.review(approving())
    assert (ran.code, stage.checks(), stage.records()) == (0, ["success"], 0), ran.log
    assert "could not be pushed" in stage.comment_text
    assert "artifact git-cto-record" in ran.summary
    (kept,) = (stage.tmp / "runner1" / "record" / "records.jsonl").read_text().splitlines()
    assert '"signatures":[{' in kept


@pytest.mark.parametrize(
    "what, pattern",
    [
        ("the pull request", r"/pulls/7$"),
        ("who asks", r"/collaborators/"),
        ("other checks", r"/commits/.*/check-runs"),
    ],
)
def test_a_forge_that_fails_while_it_is_asked_opens_nothing(stage: Stage, what: str, pattern: str) -> None:
    stage.opened()
    stage.github.fail("GET", pattern, 500, times=99)
    ran = stage.review(approving())
    assert (ran.code, ran.outputs["allowed"], ran.asked) == (3, "false", 0), ran.log
    assert "success" not in stage.checks()


def test_a_job_that_breaks_down_has_said_beforehand_that_nothing_is_allowed(stage: Stage) -> None:
    stage.opened()
    ran = stage.review(approving(), signing_key="x", RUNNER_TEMP="/nowhere/at/all")
    assert (ran.code, ran.outputs["allowed"], stage.checks()) == (3, "false", ["failure"]), ran.log
    assert "### ? Could not be reviewed" in stage.comment_text
    assert ran.asked == 0


@pytest.mark.parametrize(
    "variable, value", [("mode", "force"), ("model", "--yes"), ("pull_request", "7;8"), ("allow_users", "*")]
)
def test_an_input_that_cannot_be_is_refused(stage: Stage, variable: str, value: str) -> None:
    stage.opened()
    ran = stage.review(**{variable: value})
    assert (ran.code, ran.outputs["allowed"], ran.asked, stage.checks()) == (2, "false", 0, ["failure"]), ran.log
    assert KEY not in ran.summary


def test_nothing_of_a_job_is_a_skipped_or_neutral_check(stage: Stage) -> None:
    """Case 67: a skipped check counts as success on GitHub."""
    stage.opened()
    stage.review(refusing())
    stage.review(key="")
    assert {one.conclusion for one in stage.github.state.checks.values()} <= {"success", "failure", "action_required"}
