"""`mode: review` on a pull request, from the event to what people see."""

from __future__ import annotations

from tests.action_core.stage import Stage, approving, refusing


def test_an_approval_opens_the_check_and_says_so_once(stage: Stage) -> None:
    stage.opened()
    ran = stage.review(approving(), action="opened")
    assert ran.code == 0, ran.log
    assert ran.outputs["verdict"] == "approve"
    assert ran.outputs["allowed"] == "true"
    assert stage.checks() == ["success"]
    assert stage.comment_text.startswith("<!-- git-cto:pull -->\n### ✓ Approved · round 1 of 5")
    assert stage.records() == 1
