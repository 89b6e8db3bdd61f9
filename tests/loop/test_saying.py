"""What a loop says to people: every refusal before anything is paid for, every next step one that can be typed."""

from __future__ import annotations

import pytest

from tests.loop.world import Loop


@pytest.mark.parametrize("option", ["--model", "--effort", "--executor-model", "--fallback-model", "--executor-effort"])
def test_what_is_no_model_and_no_effort_is_refused_before_anything_is_asked(loop: Loop, option: str) -> None:
    said = loop.cto("run", "Write the files", f"{option}=gpt 5")
    assert said.code == 2
    assert said.err.startswith(f"{option} says 'gpt 5', which is no name of a model or an effort.\nNext: ")
    loop.git("config", "cto.review.effort", "very much")
    said = loop.run()
    assert said.code == 2
    assert "git config cto.review.effort says 'very much'" in said.err
    assert loop.prompts() == []
