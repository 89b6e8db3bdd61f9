"""Writes the documentation that is generated: docs/cli.md, docs/comment.md, the man pages and the JSON Schemas.

`python docs/generate.py` writes what is stale and removes what nobody generates any more; with `--check` it only says
so, and fails. What is written by hand (README.md, docs/ledger.md, ...) is held to the code by tests/test_docs.py.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec.structs import replace

from git_cto import __version__
from git_cto.answers import plan_schema, review_schema
from git_cto.cli import VERBS, group
from git_cto.config import KNOWN
from git_cto.errors import ExitCode
from git_cto.ledger.records import PREDICATES
from git_cto.render.comment import Place, body
from git_cto.work.documents.catalogue import DOCUMENTS

DOCS = Path(__file__).resolve().parent
DIALECT = "https://json-schema.org/draft/2020-12/schema"
PROGRAM = "git cto"

_FOR_ALL = """\
Every command takes `-h`, `--json` (one document on stdout, everything else on stderr; the schemas are in
[schemas/](schemas/)) and `--quiet`. Nothing prompts when standard input is no terminal. `NO_COLOR` switches colours
off.
TARGET is a branch: `main`, `origin/main` or a full ref. Without `--base` it is what `cto.base` says, else the default
branch of `origin` (which is told where it is neither `main` nor `master`), else `main` or `master`; a run remembers the
target it was planned for."""
_SETTINGS = """\
`git config` keys, for this repository or (`--global`) for all of yours. They may narrow the policy of the target
branch, never widen it; an unknown `cto.` key is an error."""

_ABOUT_THE_COMMENT = """\
The action keeps one comment at a pull request and edits it in place. Its first line says how the pull request stands.
It is for people: nothing is ever read back from it. What a model, a commit or a person wrote is shown as plain text.
Where it would be longer than GitHub allows, whole parts are left out, the least important first, and it says so."""

EXIT_CODES: dict[ExitCode, str] = {
    ExitCode.OK: "approved, or done",
    ExitCode.NOT_APPROVED: "not approved: the verdict is revise, or the gate is closed",
    ExitCode.USAGE: "usage, configuration or place: nothing was tried",
    ExitCode.INCONCLUSIVE: "inconclusive, or a tool failed: nothing was recorded, and nothing is approved",
    ExitCode.ABORT: "the verdict is abort: the objective should not be reached this way",
    ExitCode.ESCALATED: "escalated: the loop has stopped and asks a human",
    ExitCode.INTERRUPTED: "interrupted",
}


def main(argv: list[str]) -> int:
    """Writes, or with `--check` compares. The number of stale files decides the exit code of a check."""
    check = "--check" in argv
    stale = sorted(_stale(rendered()))
    for path in stale:
        print(f"{'stale' if check else 'written'}: {path.relative_to(DOCS.parent)}")
    if check:
        if stale:
            print("Next: make docs", file=sys.stderr)
        return int(bool(stale))
    for path, text in rendered().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for path in _orphans(rendered()):
        path.unlink()
    return 0


def rendered() -> dict[Path, str]:
    """Every generated file with what it should say."""
    files = {DOCS / "cli.md": _cli(), DOCS / "comment.md": _comment()}
    files |= {DOCS / "man" / f"{name}.1": text for name, text in _man_pages()}
    files |= {DOCS / "schemas" / f"{name}.json": _json(schema) for name, schema in schemas()}
    return files


def _stale(files: Mapping[Path, str]) -> Iterator[Path]:
    yield from (path for path, text in files.items() if not path.exists() or path.read_text(encoding="utf-8") != text)
    yield from _orphans(files)


def _orphans(files: Mapping[Path, str]) -> Iterator[Path]:
    there = (path for folder in ("man", "schemas") for path in (DOCS / folder).glob("*"))
    yield from (path for path in there if path not in files)


# ---- the commands --------------------------------------------------------------------------------------------------


def commands() -> Iterator[tuple[str, click.Command, click.Context]]:
    """Every verb with its command and a context to ask it in, in the order of `git cto -h`."""
    top = _context(group, PROGRAM)
    for name in VERBS:
        command = group.get_command(top, name)
        assert command is not None, f"{name} has no module"  # noqa: S101 -- VERBS says it has
        yield name, command, _context(command, name, parent=top)


def _context(command: click.Command, name: str, parent: click.Context | None = None) -> click.Context:
    return click.Context(command, parent, name, terminal_width=80, **command.context_settings)


def _cli() -> str:
    top = _context(group, PROGRAM)
    parts = [
        "# Commands",
        "<!-- Written by docs/generate.py (`make docs`); edits here are lost. -->",
        _text_block(group.get_help(top)),
        _FOR_ALL,
        "## Exit codes",
        _table(("code", "means"), ((f"**{code.value}**", words) for code, words in EXIT_CODES.items())),
        "## Settings",
        _SETTINGS,
        _table(("key", "says"), ((f"`{key}`", words) for key, words in KNOWN.items())),
    ]
    for name, command, context in commands():
        parts += [f"## git cto {name}", _text_block(command.get_help(context))]
    return "\n\n".join(parts) + "\n"


def _text_block(text: str) -> str:
    return f"```text\n{text.rstrip()}\n```"


def _table(head: tuple[str, str], rows: Iterator[tuple[str, str]]) -> str:
    lines = [f"| {head[0]} | {head[1]} |", "|---|---|", *(f"| {left} | {right} |" for left, right in rows)]
    return "\n".join(lines)


# ---- the comment at a pull request ---------------------------------------------------------------------------------


def _comment() -> str:
    """What each state of a pull request says first and last, and one of them in full, from the tests' situations."""
    sys.path.insert(0, str(DOCS.parent))  # as a script, this one is not in a package
    from tests.render.pulls import PULLS  # noqa: PLC0415 -- needs the path

    shown = [body(replace(pull, place=Place())).split("\n\n") for pull in PULLS.values()]
    rows = dict.fromkeys((parts[0].split("### ")[1], parts[1], parts[-1]) for parts in shown)
    lines = [f"| {' | '.join(' '.join(part.split()) for part in row)} |" for row in rows]
    parts = [
        "# The comment at a pull request",
        "<!-- Written by docs/generate.py (`make docs`); edits here are lost. -->",
        _ABOUT_THE_COMMENT,
        "\n".join(["| first line | then | last line |", "|---|---|---|", *lines]),
        "## One in full",
        body(PULLS["revise"]),
    ]
    return "\n\n".join(parts) + "\n"


# ---- man pages -----------------------------------------------------------------------------------------------------


def _man_pages() -> Iterator[tuple[str, str]]:
    """(name, page) of `git-cto`, which git shows for `git cto --help`, and of each verb."""
    yield "git-cto", _main_page()
    for name, command, context in commands():
        yield f"git-cto-{name}", _verb_page(name, command, context)


def _main_page() -> str:
    top = _context(group, PROGRAM)
    text, example = _help(group)
    lines = [
        *_page_head("git-cto", "a Git-native review gate"),
        *_section("SYNOPSIS", [f".B {_roff(PROGRAM)}", _roff(" ".join(group.collect_usage_pieces(top)))]),
        *_section(
            "DESCRIPTION",
            [
                *_paragraphs(text),
                ".PP",
                "A plan is asked of",
                '.BR "codex exec" ,',
                "every task of it is done on a branch of its own and committed, and the actual diff goes back to",
                ".B codex exec",
                "for a verdict. The verdict is kept in git notes, and the gate decides from them alone.",
            ],
        ),
        *_section("OPTIONS", _options(group, top)),
        *_section("COMMANDS", _items((f"git-cto-{name}(1)", words) for name, words in VERBS.items())),
        *_section("EXIT STATUS", _items((str(code.value), words) for code, words in EXIT_CODES.items())),
        *_section("CONFIGURATION", _items(KNOWN.items())),
        *_section(
            "FILES",
            _items(
                [
                    ("refs/notes/cto-records", "the ledger: every plan, verdict, override and continue"),
                    ("refs/notes/cto", "the same for people, shown by git log --notes=cto"),
                    (".cto/config.toml", "the policy, as of the tip of the target branch"),
                    (".codex-cto/", "answers, prompts and event streams; ignores itself"),
                ]
            ),
        ),
        *_section("EXAMPLES", _verbatim(example)),
        *_section("SEE ALSO", [".BR git (1),", ".BR git\\-notes (1)"]),
    ]
    return "\n".join(lines) + "\n"


def _verb_page(name: str, command: click.Command, context: click.Context) -> str:
    text, example = _help(command)
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [
        *_page_head(f"git-cto-{name}", VERBS[name].rstrip(".")),
        *_section("SYNOPSIS", [f".B {_roff(f'{PROGRAM} {name}')}", _roff(usage)]),
        *_section("DESCRIPTION", _paragraphs(text)),
        *_section("OPTIONS", _options(command, context)),
        *_section("EXAMPLES", _verbatim(example)),
        *_section("EXIT STATUS", ["See", ".BR git\\-cto (1)."]),
        *_section("SEE ALSO", [".BR git\\-cto (1)"]),
    ]
    return "\n".join(lines) + "\n"


def _help(command: click.Command) -> tuple[str, str]:
    """A command's text and its example: the block that click is told not to wrap."""
    text, _, example = inspect.cleandoc(command.help or "").partition("\b\nExample:\n")
    return text.strip(), example


def _page_head(name: str, words: str) -> list[str]:
    return [
        '.\\" Written by docs/generate.py; edits here are lost.',
        f'.TH {_roff(name.upper())} 1 "" "git\\-cto {__version__}" "git\\-cto Manual"',
        ".SH NAME",
        f"{_roff(name)} \\- {_roff(words)}",
    ]


def _section(title: str, lines: list[str]) -> list[str]:
    return [f".SH {title}", *lines] if lines else []


def _paragraphs(text: str) -> list[str]:
    return "\n.PP\n".join(_roff(" ".join(paragraph.split())) for paragraph in text.split("\n\n")).split("\n")


def _options(command: click.Command, context: click.Context) -> list[str]:
    options = (param for param in command.get_params(context) if isinstance(param, click.Option))
    return _items(record for option in options if (record := option.get_help_record(context)))


def _items(rows: Any) -> list[str]:  # noqa: ANN401 -- any iterable of pairs
    return [line for term, words in rows for line in (".TP", f".B {_roff(term)}", _roff(words))]


def _verbatim(text: str) -> list[str]:
    return [".nf", *(_roff(line) for line in text.rstrip().split("\n")), ".fi"] if text.strip() else []


def _roff(text: str) -> str:
    """A line of text that troff takes as text."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


# ---- schemas -------------------------------------------------------------------------------------------------------


def schemas() -> Iterator[tuple[str, dict[str, Any]]]:
    """(name, schema) of every document of `--json`, of both answers, and of every predicate of a record."""
    for name, kind in DOCUMENTS.items():
        yield name, {"$schema": DIALECT, **msgspec.json.schema(kind)}
    yield "answer-plan", plan_schema()
    yield "answer-review", review_schema()
    for uri, predicate in PREDICATES.items():
        yield f"record-{uri.split('/')[-2]}", {"$schema": DIALECT, "$id": uri, **msgspec.json.schema(predicate)}


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
