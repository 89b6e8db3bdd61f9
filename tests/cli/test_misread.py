"""What is said of a command line that was not understood: what to type instead, as far as that can be known."""

from __future__ import annotations

import shlex

import pytest

from tests.cli.scenes import changed
from tests.world import World


@pytest.mark.parametrize(
    "argv, message, meant",
    [
        (["-q", "init"], "-q belongs behind the verb.", "git cto init -q"),
        (["--quiet", "--sign", "plan"], "--quiet belongs behind the verb.", "git cto plan --quiet --sign"),
        (["--base", "main", "gate", "HEAD"], "--base belongs behind the verb.", "git cto gate --base main HEAD"),
        (["-C", ".", "-q", "gate"], "-q belongs behind the verb.", "git cto -C . gate -q"),
        (["-C.", "--base=main", "gate"], "--base belongs behind the verb.", "git cto -C. gate --base=main"),
        (["--no-sign", "plan", "a b"], "--no-sign belongs behind the verb.", "git cto plan --no-sign 'a b'"),
        (["gate", "-C", "a b", "-q"], "-C belongs before the verb.", "git cto -C 'a b' gate -q"),
        (["gate", "-C.", "HEAD"], "-C belongs before the verb.", "git cto -C. gate HEAD"),
        (["gate", "-C"], "-C belongs before the verb.", "git cto -C DIR gate"),
        (["gate", "--version"], "--version is no option of a verb.", "git cto --version"),
        (["statsu", "x"], "No such command 'statsu'.", "git cto status x"),
        (["-C", ".", "gaet"], "No such command 'gaet'.", "git cto -C . gate"),
        (["help"], "No such command 'help'.", "git cto -h"),
        (["help", "gate"], "No such command 'help'.", "git cto gate -h"),
        (["Add a health check"], "No such command 'Add a health check'.", "git cto -h"),
        (["-q", "nonsense"], "No such option", "git cto -h"),
        (["--app-id", "gate"], "No such option", "git cto -h"),
        (["gate", "--bogus"], "No such option", "git cto gate -h"),
        (["gate", "a", "b"], "Got unexpected extra argument (b).", "git cto gate -h"),
        (
            ["override", "topic"],
            "Missing option '--reason'.",
            "git cto override topic --reason TEXT, or git cto override -h",
        ),
        (["start", "-q"], "Missing argument 'TASK'.", "git cto start -q TASK, or git cto start -h"),
        (["-C"], "Option '-C' requires an argument.", "git cto -h"),
        (["review", "--base"], "Option '--base' requires an argument.", "git cto review -h"),
        (["nonsense", "--base"], "No such command 'nonsense'.", "git cto -h"),
    ],
)
def test_what_was_probably_meant_is_the_hint(world: World, argv: list[str], message: str, meant: str) -> None:
    said = world.cto(*argv)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith(message)
    assert said.err.endswith(f"\nNext: {meant}\n")


@pytest.mark.parametrize("argv", [["-q", "gate"], ["--json", "gate"], ["--base", "main", "gate"], ["gate", "-C", "."]])
def test_what_the_hint_says_works(world: World, argv: list[str]) -> None:
    changed(world)
    hint = world.cto(*argv).text
    said = hint.partition('"hint": "')[2].partition('"')[0] or hint.partition("Next: ")[2]
    _, _, *words = shlex.split(said)
    assert world.cto(*words).code == 1


def test_a_misplaced_json_is_answered_with_a_document(world: World) -> None:
    said = world.cto("--json", "gate")
    assert (said.code, said.json["error"]["hint"]) == (2, "git cto gate --json")


def test_without_a_word_there_is_the_help_and_nothing_after_it(world: World) -> None:
    said = world.cto()
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("Usage: git cto ")
    assert "Next: " not in said.err


def test_a_secret_on_a_command_line_is_not_said_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPLOY_TOKEN", "hunter2-hunter2-hunter2")
    said = world.cto("statsu", "hunter2-hunter2-hunter2")
    assert "hunter2" not in said.text
    assert "Next: git cto status" in said.err
