"""`mode: gate`: the ledger and the policy, no model and no key; and the answer to a merge queue."""

from __future__ import annotations

from tests.action_core.stage import ONE, TWO, Ran, Stage, approving
from tests.forge import payloads

THREE = "def version():\n    return 3\n"


def test_the_gate_is_closed_until_there_is_a_signed_approval(stage: Stage) -> None:
    stage.signs()
    stage.opened()
    ran = stage.review(mode="gate", key="")
    assert (ran.code, stage.checks(), stage.comments) == (1, ["failure"], []), ran.log
    assert stage.review(approving()).code == 0
    ran = stage.review(mode="gate", key="")
    assert (ran.code, ran.outputs["allowed"], stage.checks()[-1]) == (0, "true", "success"), ran.log


def test_an_approval_of_before_the_push_is_stale(stage: Stage) -> None:
    stage.signs()
    stage.opened()
    assert stage.review(approving()).code == 0
    stage.pushed(THREE)
    ran = stage.review(mode="gate", key="")
    assert (ran.code, stage.checks()) == (1, ["failure"]), ran.log
    assert "### ↻ The approval is stale" in stage.comment_text
    assert "1 commit came since then" in stage.comment_text


def test_a_signer_of_the_pull_request_is_none_and_neither_is_one_of_long_ago(stage: Stage) -> None:
    """Case 46."""
    stage.signs()
    stage.opened()
    assert stage.review(approving()).code == 0
    stage.world.git("switch", "--quiet", "main")
    stage.world.git("rm", "--quiet", ".cto/allowed_signers")
    stage.world.git("commit", "--quiet", "-m", "Nobody signs any more")
    stage.publish()
    ran = stage.review(mode="gate", key="")
    assert (ran.code, stage.checks()[-1]) == (1, "failure"), ran.log
    assert "the target has no .cto/allowed_signers" in ran.outputs["summary"]


def test_a_dispatch_names_the_pull_request(stage: Stage) -> None:
    stage.opened()
    payload = payloads.dispatch(server=stage.server)
    ran = stage.job(payload, event="workflow_dispatch", mode="gate", pull_request="7", key="")
    assert (ran.code, stage.checks()) == (1, ["failure"]), ran.log
    assert stage.job(payload, event="workflow_dispatch", mode="gate").code == 2


# ---- the merge queue


def queued(stage: Stage, *, reviewed: bool = False) -> tuple[str, str]:
    """Two pull requests, #7 and #8, that touch different files and are approved; their heads.

    By a human who signs on a machine of theirs, which is quicker, unless they are to be `reviewed`.
    """
    stage.signs()
    stage.world.commit("Two files", other__py=ONE)
    first = stage.opened()
    stage.world.branch("topic8", "main")
    second = stage.world.commit("Say 2 elsewhere", other__py=TWO)
    stage.push(number=8)
    stage.github.open_pull(8, second, head_ref="topic8")
    if reviewed:
        assert stage.review(approving()).code == 0
        assert stage.job(stage.event(number=8), [approving()]).code == 0
    else:
        stage.overridden(first, second)
    return first, second


def merged(stage: Stage, base: str, head: str, subject: str, *, squash: bool = False) -> str:
    """What the queue makes of merging `head` into `base`."""
    tree = stage.world.git("merge-tree", "--write-tree", base, head)
    parents = ["-p", base] if squash else ["-p", base, "-p", head]
    return stage.world.git("commit-tree", tree, *parents, "-m", subject)


def asked(stage: Stage, head: str) -> Ran:
    """The queue asks about a group."""
    main = stage.world.git("rev-parse", "main")
    stage.world.git("push", "--quiet", "--force", "origin", f"{head}:refs/heads/gh-readonly-queue/main/pr-8")
    payload = payloads.merge_group(head, base_sha=main, number=8, server=stage.server)
    return stage.job(payload, event="merge_group", key="")


def test_a_group_of_two_that_are_approved_is_open(stage: Stage) -> None:
    """Case 69."""
    first, second = queued(stage, reviewed=True)
    one = merged(stage, "main", first, "Merge pull request #7 from octo/topic7")
    both = merged(stage, one, second, "Merge pull request #8 from octo/topic8")
    ran = asked(stage, both)
    assert (ran.code, ran.outputs["allowed"], stage.checks(both)) == (0, "true", ["success"]), ran.log
    assert "#7, #8" in ran.summary


def test_squashed_members_are_known_by_their_trees_and_not_by_their_words(stage: Stage) -> None:
    first, second = queued(stage)
    one = merged(stage, "main", first, "Say 2 (#7)", squash=True)
    both = merged(stage, one, second, "Merge pull request #7 from nobody (#8)", squash=True)
    assert asked(stage, both).code == 0
    lying = merged(stage, "main", second, "Say 2 (#7)", squash=True)
    ran = asked(stage, lying)
    assert (ran.code, stage.checks(lying)) == (1, ["failure"]), ran.log
    assert "not what merging it gives" in ran.summary


def test_a_queue_that_rebases_is_asked_who_is_in_the_group(stage: Stage) -> None:
    first, second = queued(stage)
    main = stage.world.git("rev-parse", "main")
    one = merged(stage, "main", first, "Say 2", squash=True)
    half = stage.world.git("commit-tree", f"{one}^{{tree}}", "-p", one, "-m", "An empty commit of #8")
    both = merged(stage, half, second, "Say 2 elsewhere", squash=True)
    assert asked(stage, both).code == 1
    stage.github.enqueue("main", 7, main, one)
    stage.github.enqueue("main", 8, one, both)
    ran = asked(stage, both)
    assert (ran.code, stage.checks(both)) == (0, ["failure", "success"]), ran.log


def test_one_more_line_in_the_group_closes_it(stage: Stage) -> None:
    first, second = queued(stage)
    one = merged(stage, "main", first, "Merge pull request #7 from octo/topic7")
    stage.world.git("switch", "--quiet", "--detach", one)
    stage.world.write("evil.py", "import os\n")
    stage.world.git("add", "evil.py")
    tree = stage.world.git("write-tree")
    evil = stage.world.git("commit-tree", tree, "-p", one, "-p", second, "-m", "Merge pull request #8 from octo/x")
    ran = asked(stage, evil)
    assert (ran.code, stage.checks(evil)) == (1, ["failure"]), ran.log


def test_a_member_that_lands_in_a_workflow_since_the_one_before_it_renamed_a_file_closes_the_group(
    stage: Stage,
) -> None:
    stage.signs()
    text = "".join(f"echo {number}\n" for number in range(20))
    stage.world.commit("A script", ci__yml=text)
    stage.opened()
    stage.world.write(".github/workflows/ci.yml", "")
    stage.world.git("mv", "--force", "ci.yml", ".github/workflows/ci.yml")
    first = stage.pushed(TWO)
    stage.world.branch("topic8", "main")
    second = stage.world.commit("Do something else", ci__yml=text.replace("echo 7", "echo seven"))
    stage.push(number=8)
    stage.github.open_pull(8, second, head_ref="topic8")
    stage.overridden(first, second)
    one = merged(stage, "main", first, "Merge pull request #7 from octo/topic7")
    assert asked(stage, one).code == 0
    both = merged(stage, one, second, "Merge pull request #8 from octo/topic8")
    ran = asked(stage, both)
    assert (ran.code, stage.checks(both)) == (1, ["failure"]), ran.log
    assert "it changes what the gate itself rests on (.github/workflows/ci.yml)" in ran.summary


def test_a_member_that_is_not_approved_closes_the_group(stage: Stage) -> None:
    first, _ = queued(stage)
    stage.world.commit("One more", other__py=ONE.replace("1", "7"))
    third = stage.push(number=8)
    one = merged(stage, "main", first, "Merge pull request #7 from octo/topic7")
    both = merged(stage, one, third, "Merge pull request #8 from octo/topic8")
    ran = asked(stage, both)
    assert (ran.code, stage.checks(both)) == (1, ["failure"]), ran.log
    assert "#8" in ran.summary
    assert "#7:" not in ran.summary


def test_a_commit_that_no_pull_request_brought_closes_the_group(stage: Stage) -> None:
    first, _ = queued(stage)
    stray = stage.world.git("commit-tree", "main^{tree}", "-p", "main", "-m", "Nobody asked for this")
    one = merged(stage, stray, first, "Merge pull request #7 from octo/topic7")
    ran = asked(stage, one)
    assert (ran.code, stage.checks(one)) == (1, ["failure"]), ran.log
    assert "cannot be told" in ran.summary


def test_a_queue_that_cannot_be_read_is_answered_all_the_same(stage: Stage) -> None:
    """A queue that gets no answer waits for ever."""
    first, _ = queued(stage)
    one = merged(stage, "main", first, "Merge pull request #7 from octo/topic7")
    stage.github.fail("GET", "/pulls/7$", 500, times=99)
    ran = asked(stage, one)
    assert (ran.code, stage.checks(one)) == (3, ["failure"]), ran.log
    assert ran.outputs["allowed"] == "false"


def test_a_member_that_is_closed_or_moved_closes_the_group(stage: Stage) -> None:
    first, _ = queued(stage)
    one = merged(stage, "main", first, "Merge pull request #7 from octo/topic7")
    assert asked(stage, one).code == 0
    stage.github.state.pulls[7].base_ref = "release"
    assert asked(stage, one).code == 1
    stage.github.state.pulls[7].base_ref = "main"
    stage.github.state.pulls[7].state = "closed"
    assert asked(stage, one).code == 1
    assert stage.checks(one) == ["success", "failure", "failure"]
