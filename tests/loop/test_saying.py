"""What a loop says to people: every refusal before anything is paid for, every next step one that can be typed."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.loop.world import Loop
from tests.world import PATH_OF_SYSTEM, agents_folder


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


def test_an_executor_that_is_not_there_is_missed_before_the_plan(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    said = loop.cto("run", "Write the files", "--executor", "command", "--command", "NAME=x no-such-program --now")
    assert (said.code, said.err.splitlines()) == (
        3,
        [
            "The executor's command cannot be run: no-such-program is not installed, or not on the PATH.",
            'Next: --command "CMD" with the whole path of the program, or install it',
        ],
    )
    only_codex = loop.path.parent / "bin"
    only_codex.mkdir()
    (only_codex / "codex").symlink_to(os.path.realpath(agents_folder() / "codex"))
    monkeypatch.setenv("PATH", f"{only_codex}:{os.path.dirname(shutil.which('node') or '')}:{PATH_OF_SYSTEM}")
    assert shutil.which("claude") is None
    said = loop.cto("run", "Write the files")
    assert (said.code, said.err.splitlines()[1]) == (3, "Next: npm install -g @anthropic-ai/claude-code")
    assert (loop.prompts(), loop.runs) == ([], [])


def test_without_codex_no_task_is_paid_for_either(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    loop.run("--max-tokens", "1000")  # ends after the plan
    monkeypatch.setenv("PATH", PATH_OF_SYSTEM)
    assert shutil.which("codex") is None
    said = loop.resume()
    assert said.code == 3
    assert "Codex is not installed" in said.err
    assert set(loop.states().values()) == {"ready"}
