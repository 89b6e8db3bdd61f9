"""`git cto demo`: the whole loop without a key, with the real Codex and scripted answers, leaving nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from git_cto.cli import run
from tests.world import Said, World, agents_folder


def snapshot(*folders: Path) -> set[Path]:
    """Every file below these folders."""
    return {path for folder in folders for path in folder.rglob("*")}


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A folder that is no repository, on a machine without a key, with a temporary folder of its own."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", None)
    return World(tmp_path / "nowhere", monkeypatch)


def program(world: World, *argv: str) -> Said:
    """The demo, run as a program of its own."""
    process = world.process("demo", *argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=120)
    return Said(process.returncode, out.decode(), err.decode())


def test_the_demo_tells_the_whole_story_and_leaves_nothing_behind(
    nowhere: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plan, tasks, a refusal, the fix, an approval, the gate, the note; and not one file anywhere. As npm has it."""
    monkeypatch.setenv("PATH", f"{agents_folder()}{os.pathsep}{os.environ['PATH']}")
    home = Path(os.environ["HOME"])
    before = snapshot(home, tmp_path)
    said = program(nowhere)
    assert (said.code, said.err) == (0, ""), said.text
    story = [
        "Their answers are scripted",
        "$ git cto run",
        "t1 done",
        "revise · round 1 · The route is there, but it asks for a login.",
        "major app.py:16",
        "t1 done",
        "approve · round 2",
        "✓ approved",
        "open    ",
        "Notes (cto):",
        "That was scripted.",
        "codex login",
        'git cto run "OBJECTIVE"',
        "git cto review",
    ]
    place = 0
    for words in story:
        found = said.out.find(words, place)
        assert found >= 0, f"{words!r} is missing after {said.out[:place][-200:]}"
        place = found
    assert "Traceback" not in said.text
    assert snapshot(home, tmp_path) == before


def test_no_key_of_the_user_is_used_and_what_is_kept_goes_on_as_a_repository(
    nowhere: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where a key is set, and a configuration of the user's that would break Codex does not matter."""
    settings = Path(os.environ["HOME"]) / ".gitconfig"
    usual = settings.read_text()
    with monkeypatch.context() as user:
        user.setenv("CODEX_API_KEY", "sk-never-used-0123456789abcdef")
        user.setenv("CODEX_HOME", "/nowhere/at/all")
        user.setenv("GIT_DIR", "/nowhere/at/all")
        settings.write_text("[core]\n\thooksPath = /nowhere\n[commit]\n\tgpgsign = true\n")
        said = program(nowhere, "--keep", "--json")
    settings.write_text(usual)
    assert said.code == 0, said.text
    kept = json.loads(said.out)
    assert kept == {
        "schema": "git-cto/demo/v1",
        "scripted": True,
        "verdicts": ["revise", "approve"],
        "allowed": True,
        "repository": kept["repository"],
    }
    repository = World(Path(kept["repository"]), monkeypatch)
    trunk = repository.git("for-each-ref", "--format=%(refname:short)", "refs/heads/cto/*/trunk")
    assert repository.cto("gate", trunk).code == 0
    assert len(repository.cto("log", trunk, "--json").json["records"]) == 3
    assert "login=False" in repository.git("diff", f"main..{trunk}")


def test_without_codex_the_demo_says_what_to_install(
    nowhere: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert not (Path("/usr/bin") / "codex").exists()
    assert agents_folder().exists()
    assert run(["demo"]) == 3
    said = capsys.readouterr()
    assert "The demo needs the real Codex" in said.err
    assert "Next: npm install -g @openai/codex, then git cto demo" in said.err
