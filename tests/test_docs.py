"""What the documentation says is true: commands run, links resolve, tables and examples agree with the code.

A block that is marked with `<!-- tested: <situation> -->` is run, or read, in that situation.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import msgspec
import msgspec.inspect
import pytest

from docs import generate
from git_cto.cli import VERBS
from git_cto.demo.server import ModelServer, message
from git_cto.errors import ExitCode
from git_cto.gate.policy import Policy, read_policy
from git_cto.ledger.records import LARGEST_LINE, PREDICATES, decode
from git_cto.model import Verdict, VerdictRecord
from git_cto.repo.change import blob_id
from tests.keys import new_key
from tests.world import TOP, World, plan_answer, review_reply, task

PAGES = [TOP / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted((TOP / "docs").glob("*.md"))
HEALTH = 'def version():\n    return 1\n\n\ndef health():\n    return "ok"\n'


@dataclass(frozen=True)
class Block:
    """A fenced block that is marked, and the situation that it is marked with."""

    page: Path
    situation: str
    text: str


def blocks() -> Iterator[Block]:
    """Every marked block of every page."""
    for page in PAGES:
        for found in re.finditer(
            r"^<!-- tested: (\w+) -->\n```\w*\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL
        ):
            yield Block(page, found[1], found[2])


def marked(situation: str) -> list[Block]:
    return [block for block in blocks() if block.situation == situation]


def only(situation: str) -> str:
    """The text of the one block that is marked so."""
    (block,) = marked(situation)
    return block.text


# ---- what is generated ----------------------------------------------------------------------------------------------


def test_what_is_generated_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--check"]) == 0, capsys.readouterr().out


def test_the_check_fails_on_what_is_stale_and_on_what_nobody_generates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "docs"
    shutil.copytree(TOP / "docs", copy)
    monkeypatch.setattr(generate, "DOCS", copy)
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    (copy / "cli.md").write_text("old")
    assert generate.main(["--check"]) == 1
    assert generate.main([]) == 0
    (copy / "man" / "git-cto-gone.1").write_text("of a verb that is gone")
    assert generate.main(["--check"]) == 1
    assert generate.main([]) == 0
    assert not (copy / "man" / "git-cto-gone.1").exists()


def test_every_verb_is_in_the_reference_with_an_example_and_has_a_page_of_its_own() -> None:
    reference = (TOP / "docs" / "cli.md").read_text()
    for verb in VERBS:
        _, _, section = reference.partition(f"\n## git cto {verb}\n")
        assert "  Example:\n    git cto" in section.partition("\n## ")[0], verb
        assert (TOP / "docs" / "man" / f"git-cto-{verb}.1").exists(), verb


def test_no_help_text_shows_the_marks_that_are_meant_for_click() -> None:
    for path, text in generate.rendered().items():
        assert "\b" not in text, path
        assert "\\b" not in text.replace("\\be", ""), path


def test_man_pages_are_what_man_can_show() -> None:
    if not shutil.which("groff"):
        pytest.skip("groff is not installed")
    for page in sorted((TOP / "docs" / "man").glob("*.1")):
        done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", page], capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b""), page.name


# ---- what is run ----------------------------------------------------------------------------------------------------


@pytest.fixture
def shell(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Runs a block in the world's repository as a person would, with `git cto` on the PATH. It has to succeed."""
    tools = tmp_path / "bin"
    tools.mkdir()
    _executable(tools / "git-cto", f'exec "{sys.executable}" -m git_cto "$@"')
    _executable(tools / "editor", f"cat > \"$1\" <<'END'\n{HEALTH}END")
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("EDITOR", str(tools / "editor"))

    def run(text: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=world.path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def _executable(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def approved(world: World) -> str:
    """A run that was planned, done and approved, with its trunk checked out. Returns the run's id."""
    run = world.planned_by_codex()
    assert world.cto("start", "t1").code == 0
    world.write("app.py", "def version():\n    return 2\n")
    assert world.cto("finish", "-m", "Says 2").code == 0
    assert world.reviewed("Done").code == 0
    return run


def test_the_session_on_the_first_screen_ends_with_an_open_gate_and_a_note(
    world: World, shell: Callable[[str], str]
) -> None:
    plan = plan_answer(task("t1", target="app.py"), objective="Add a health check at /health")
    with ModelServer([message(json.dumps(plan)), review_reply()]) as model:
        world.log_in(model.codex_config())
        said = shell(only("session"))
    assert "\nopen " in said
    assert "Notes (cto):\n    approve · round 1" in said


def test_the_session_on_the_first_screen_fits_on_it() -> None:
    lines = only("session").splitlines()
    assert len(lines) == 6
    assert max(map(len, lines)) <= 120


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")
def test_the_ledger_can_be_read_with_what_its_page_says(
    approved: str, world: World, shell: Callable[[str], str]
) -> None:
    gate = world.cto("gate", "--json").json
    series = blob_id(f"git-cto series\nrun/{approved}\n".encode(), "sha1")
    said = [shell(block.text.replace("health-check-3f2a1c", approved)) for block in marked("approved")]
    series_id, records, verdicts, everything, history, change, ids = said
    assert series_id.strip() == series
    assert [json.loads(text)["predicate"]["verdict"] for text in _documents(records)] == ["approve"]
    assert verdicts.endswith("Z approve round 1 gpt-5.4: It says 2.\n")
    kinds = ["https://git-cto.github.io/plan/v1", "https://git-cto.github.io/verdict/v1"]
    assert sorted(json.loads(line)[1] for line in everything.splitlines()) == kinds
    assert sorted(json.loads(line)[0] for line in history.splitlines()) == kinds
    assert change.splitlines()[-1] == gate["change"]
    assert "app.py" in change.splitlines()
    assert ids.split()[0] == gate["record"]


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")
def test_a_signature_can_be_checked_with_what_the_ledgers_page_says(
    world: World, shell: Callable[[str], str], tmp_path: Path
) -> None:
    key = new_key(tmp_path / "keys", "ben@example.org")
    world.write(".cto/allowed_signers", key.line())
    world.commit("Let Ben sign")
    for name, value in (("gpg.format", "ssh"), ("user.signingkey", str(key.path)), ("cto.sign", "true")):
        world.git("config", name, value)
    world.branch("topic")
    world.commit("Say 2", app__py="def version():\n    return 2\n")
    assert world.cto("override", "--reason", "Fine").code == 0
    said = shell(only("signed"))
    assert said.startswith('Good "git-cto.verdict.v1" signature for ben@example.org with ED25519 key SHA256:')


def _documents(text: str) -> list[str]:
    """What jq prints one below the other."""
    return re.findall(r"^\{.*?^\}$", text, re.MULTILINE | re.DOTALL)


# ---- what is read ---------------------------------------------------------------------------------------------------


def test_the_policy_in_the_readme_is_the_default_one_and_names_every_key() -> None:
    text = only("policy")
    assert read_policy(text, "README.md") == Policy()
    for section in msgspec.structs.fields(Policy):
        assert f"[{section.name}]" in text
        for key in msgspec.structs.fields(section.type):
            assert re.search(rf"\b{key.name}\b", text.partition(f"[{section.name}]")[2].partition("\n[")[0]), key.name


def test_the_commented_keys_of_the_policy_in_the_readme_are_keys() -> None:
    uncommented = re.sub(r"^(# )?(\w+ = [^#]*).*$", r"\2", only("policy"), flags=re.MULTILINE)
    read = read_policy(re.sub(r"^\[(\w+)\] +#.*$", r"[\1]", uncommented, flags=re.MULTILINE), "README.md")
    assert read.review.allowed_models is not None
    assert read.coverage.summarised == ("package-lock.json", "generated/**")
    assert read.gate.control_paths == (".github/**", "CODEOWNERS")


def test_the_drawing_is_the_one_that_import_linter_enforces() -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text())
    layers = next(c["layers"] for c in project["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
    assert only("layers").strip().splitlines() == layers


def test_every_room_of_the_drawing_is_described() -> None:
    page = (TOP / "docs" / "architecture.md").read_text()
    for room in re.findall(r"\w+", only("layers")):
        assert f"| `{room}` |" in page


def test_every_module_of_the_largest_room_has_its_place_in_the_table() -> None:
    page = (TOP / "docs" / "architecture.md").read_text()
    rows = page.partition("| about | modules of `work` |\n")[2].partition("\n\n")[0].splitlines()
    named = sorted(name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[2]))
    room = (TOP / "src" / "git_cto" / "work").glob("[!_]*")
    assert named == sorted(path.stem for path in room)


def test_every_module_that_the_drawings_name_is_there() -> None:
    page = (TOP / "docs" / "architecture.md").read_text()
    named = re.findall(r"(?<![\w/])[a-z]+/\w+\.py", page)
    assert len(named) > 30
    for name in named:
        assert (TOP / "src" / "git_cto" / name).exists(), name


def test_the_readme_names_every_exit_code_and_every_verb() -> None:
    text = (TOP / "README.md").read_text()
    assert re.findall(r"^\| \*\*(\d+)\*\* \|", text, re.MULTILINE) == [str(code.value) for code in ExitCode]
    assert set(generate.EXIT_CODES) == set(ExitCode)
    for verb in VERBS:
        assert re.search(rf"\bgit cto {verb}\b|make {verb}\b", text), verb


def test_every_command_that_is_written_down_exists_with_its_options() -> None:
    known = {name: _options(command) for name, command, _ in generate.commands()}
    for page in PAGES:
        for written in _code(page.read_text()):
            for verb, rest in re.findall(r"\bgit cto ([a-z]+)\b([^\n|;&`]*)", written):
                assert verb in known, f"{page.name}: git cto {verb}"
                for option in re.findall(
                    r"(?<=\s)--?[a-zA-Z][a-z-]*", re.sub(r'"[^"]*"', '""', rest).partition(" #")[0]
                ):
                    assert option in known[verb], f"{page.name}: git cto {verb} {option}"


def _options(command: object) -> set[str]:
    params = getattr(command, "params", [])
    names = {name for param in params for name in (*param.opts, *param.secondary_opts)}
    return {"-h", "--help"} | {name for name in names if name.startswith("-")}


def _code(text: str) -> list[str]:
    """Fenced blocks and inline code."""
    fenced = re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return fenced + re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL))


def test_every_make_target_that_is_written_down_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (TOP / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        for written in _code(page.read_text()):
            for target in re.findall(r"^(?:\$ )?make ([a-z-]+)", written, re.MULTILINE):
                assert target in targets, f"{page.name}: make {target}"


def test_every_message_that_the_readme_explains_is_one_that_is_said() -> None:
    text = (TOP / "README.md").read_text().partition("## When something is in the way")[2].partition("\n## ")[0]
    source = "".join(path.read_text() for path in (TOP / "src").rglob("*.py"))
    said = re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)
    assert said
    for words in said:
        assert words in source, words


def test_the_promise_stands_in_the_readme_word_for_word() -> None:
    quoted = " ".join(re.findall(r"^> (.*)$", (TOP / "README.md").read_text(), re.MULTILINE))
    assert quoted == (
        "git-cto refuses unless a trusted runner recorded an approval for exactly this change. "
        "It does not promise that the model's approval is right."
    )


# ---- links ----------------------------------------------------------------------------------------------------------


def test_every_link_between_files_resolves() -> None:
    for page in PAGES:
        text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"https?:", link):
                continue
            path, _, anchor = link.partition("#")
            where = (page.parent / path).resolve() if path else page
            assert where.exists(), f"{page.name}: {link}"
            assert not anchor or anchor in _anchors(where), f"{page.name}: {link}"


def _anchors(page: Path) -> set[str]:
    """The anchors that headings get, as on GitHub."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


# ---- the ledger's page ----------------------------------------------------------------------------------------------


def ledger_page() -> str:
    return (TOP / "docs" / "ledger.md").read_text()


def test_the_ledgers_page_has_every_field_of_every_record_with_its_type() -> None:
    page = ledger_page()
    for kind in _structs():
        _, _, section = page.partition(f"\n### {kind.cls.__name__}\n")
        rows = re.findall(r"^\| `(\w+)`( \?)? \| (.*?) \| .*\|$", section.partition("\n##")[0], re.MULTILINE)
        written = [(name, not optional, re.sub(r"\[(\w+)\]\(#\w+\)", r"\1", words)) for name, optional, words in rows]
        assert written == [(one.encode_name, one.required, _words(one.type)) for one in kind.fields], kind.cls.__name__


def test_the_ledgers_page_describes_nothing_that_is_no_record() -> None:
    described = set(re.findall(r"^### (\w+)$", ledger_page(), re.MULTILINE))
    assert described == {kind.cls.__name__ for kind in _structs()}


def _structs() -> list[msgspec.inspect.StructType]:
    """Every kind of value that a record holds."""
    found: dict[type, msgspec.inspect.StructType] = {}

    def walk(kind: msgspec.inspect.Type) -> None:
        if isinstance(kind, msgspec.inspect.StructType) and kind.cls not in found:
            found[kind.cls] = kind
            for one in kind.fields:
                walk(one.type)
        elif isinstance(kind, msgspec.inspect.VarTupleType):
            walk(kind.item_type)

    for predicate in PREDICATES.values():
        walk(msgspec.inspect.type_info(predicate))
    return list(found.values())


def _words(kind: msgspec.inspect.Type) -> str:
    """A type as the page says it."""
    match kind:
        case msgspec.inspect.LiteralType():
            return " or ".join(f"`{value}`" for value in kind.values)
        case msgspec.inspect.VarTupleType():
            return f"list of {_words(kind.item_type)}"
        case msgspec.inspect.StructType():
            return kind.cls.__name__
        case msgspec.inspect.UnionType():
            return " or ".join(map(_words, kind.types))
    names = {
        "StrType": "string",
        "IntType": "integer",
        "FloatType": "number",
        "BoolType": "boolean",
        "NoneType": "null",
    }
    return names[type(kind).__name__]


def test_the_ledgers_page_names_every_kind_of_record_and_the_longest_line() -> None:
    page = ledger_page()
    for uri, kind in PREDICATES.items():
        assert f"| `{uri}` | [{kind.__name__}](#{kind.__name__.lower()}) |" in page
    assert f"{LARGEST_LINE:,} bytes" in page


def test_the_worked_record_is_one_that_can_be_read() -> None:
    (payload,) = re.findall(r"^```json\n(.*?)^```$", ledger_page(), re.MULTILINE | re.DOTALL)
    compact = json.dumps(json.loads(payload), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    (record_id,) = re.findall(r"record, id `([0-9a-f]{64})`", ledger_page())
    assert hashlib.sha256(compact).hexdigest() == record_id
    record = decode(_envelope(compact))
    assert record is not None
    assert isinstance(record.body, VerdictRecord)
    assert record.body.verdict in get_args(Verdict)
    listing = re.findall(r"^(:\d{6} .*)$", ledger_page(), re.MULTILINE)[0].replace("<NUL>", "\0").encode()
    assert (blob_id(listing, "sha1"), hashlib.sha256(listing).hexdigest()) == (
        record.subject.change,
        record.subject.sha256,
    )
    series = blob_id(f"git-cto series\n{record.body.series}\n".encode(), "sha1")
    for object_id in (record.subject.head, record.subject.change, series):
        row = rf"^\| `{object_id}` \| .* \| `{object_id[:2]}/{object_id[2:4]}/{object_id[4:]}` \|$"
        assert re.search(row, ledger_page(), re.MULTILINE), object_id


def _envelope(payload: bytes) -> bytes:
    encoded = base64.b64encode(payload).decode()
    return json.dumps({"payload": encoded, "payloadType": "application/vnd.in-toto+json", "signatures": []}).encode()


# ---- what people are told not to find ------------------------------------------------------------------------------


def test_nothing_is_said_about_registries_or_about_how_the_project_is_made() -> None:
    for page in [*PAGES, *(TOP / "docs").rglob("*.json"), *(TOP / "docs").rglob("*.1")]:
        text = page.read_text()
        assert not re.search(r"registry\.npmjs|pypi\.org|files\.pythonhosted|/work/|\.\./shared", text), page.name
