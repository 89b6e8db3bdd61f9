"""Whose word counts, how many people that is, and who wrote what they let in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from git_cto.gate.policy import GatePolicy
from git_cto.gate.trust import (
    admitted,
    by_another,
    co_author_vendor,
    for_rounds,
    people,
    same_hands,
    standing_approval,
    vendor,
    why_not_admitted,
)
from git_cto.model import NOBODY, Record, Signer, TaskResult, person
from tests.gate.values import CODEX, a_continue, a_plan_record, a_verdict, an_override, quick, record

LOCAL = GatePolicy()
SIGNED = GatePolicy(trust="signed")
SOLO = GatePolicy(trust="signed", signer_is_not_author=False)


def signer(name: str, key: str = "", *aliases: str) -> Signer:
    return Signer(principal=name, key=key or f"SHA256:{name}", aliases=(name, *aliases))


ADA, BEN, CLEO = signer("ada@x"), signer("ben@x"), signer("cleo@x")
APPROVE, REVISE, ABORT = (record(a_verdict(verdict=one)) for one in ("approve", "revise", "abort"))
OVERRIDE, CONTINUE, PLAN = record(an_override()), record(a_continue()), record(a_plan_record())
ALL = [APPROVE, REVISE, ABORT, OVERRIDE, CONTINUE, PLAN]


def by(one: Record, *signers: Signer) -> Record:
    return replace(one, signers=signers)


# ---- rounds


def test_locally_everything_counts_for_rounds() -> None:
    assert for_rounds(ALL, LOCAL) == ALL


def test_where_signatures_count_an_unsigned_refusal_narrows_and_nothing_else_widens() -> None:
    assert for_rounds(ALL, SIGNED) == [REVISE, ABORT]
    signed = [by(one, BEN) for one in ALL]
    assert for_rounds(signed, SIGNED) == signed
    own = [replace(one, own=True) for one in ALL]
    assert for_rounds(own, SIGNED) == own


# ---- what counts for the gate


def test_locally_everything_is_admitted() -> None:
    assert all(admitted(one, LOCAL, frozenset({"ada@x"})) is one for one in ALL)


def test_where_signatures_count_only_what_is_signed_or_our_own_is_admitted() -> None:
    for one in ALL:
        assert admitted(one, SIGNED, frozenset()) is None
        assert admitted(by(one, BEN), SIGNED, frozenset()) == by(one, BEN)
        assert admitted(replace(one, own=True), SIGNED, frozenset()) == replace(one, own=True)


def test_an_author_lets_nothing_in_and_may_do_everything_else() -> None:
    authors = frozenset({"ada@x", "other@x"})
    for one in (APPROVE, OVERRIDE):
        assert admitted(by(one, ADA), SIGNED, authors) is None
        assert admitted(by(one, ADA, BEN), SIGNED, authors) == by(one, BEN)
        assert admitted(by(one, ADA), SOLO, authors) == by(one, ADA)
    for one in (REVISE, ABORT, CONTINUE, PLAN):
        assert admitted(by(one, ADA), SIGNED, authors) == by(one, ADA)


@pytest.mark.parametrize(
    "name", [signer("ADA@X"), signer("lovelace@x", "", "Ada@X"), signer("ada+sign@x"), signer("l@x", "", "ada+a+b@x")]
)
def test_an_author_is_one_by_any_name_in_any_letters_and_with_any_tag(name: Signer) -> None:
    assert admitted(by(APPROVE, name), SIGNED, frozenset({"ada@x"})) is None
    assert admitted(by(APPROVE, name), SIGNED, frozenset({person("Ada+code@X")})) is None
    assert admitted(by(APPROVE, name), SIGNED, frozenset({"code@x"})) is not None


@pytest.mark.parametrize("name", ["octocat@users.noreply.github.com", "583231+Octocat@users.noreply.github.com"])
@pytest.mark.parametrize("wrote", ["octocat@users.noreply.github.com", "583231+octocat@users.noreply.github.com"])
def test_an_author_is_one_by_either_address_that_github_hides_an_address_behind(name: str, wrote: str) -> None:
    assert admitted(by(APPROVE, signer(name)), SIGNED, frozenset({person(wrote)})) is None
    other = wrote.replace("ctocat", "thocat")
    assert admitted(by(APPROVE, signer(name)), SIGNED, frozenset({person(other)})) is not None


def test_our_own_record_counts_though_an_author_signed_it() -> None:
    """The runner's word: who pushed may have signed as well."""
    own = replace(by(APPROVE, ADA), own=True)
    assert admitted(own, SIGNED, frozenset({"ada@x"})) == replace(own, signers=())


def test_why_a_record_is_not_admitted() -> None:
    assert why_not_admitted(APPROVE, frozenset()) == "it is not signed"
    assert why_not_admitted(replace(APPROVE, doubt="the key expired"), frozenset()) == "the key expired"
    said = why_not_admitted(by(APPROVE, BEN, ADA), frozenset({"ada@x"}))
    assert said == "ada@x signed it and is an author of the change"
    elsewhere = replace(by(APPROVE, BEN), doubt="it is of another run")
    assert why_not_admitted(elsewhere, frozenset({"ada@x"})) == "it is of another run"


def test_where_a_commit_names_no_address_that_is_why_a_signature_does_not_count() -> None:
    nobody = frozenset({NOBODY})
    said = "a commit of the change names no address, so that whoever signed it may be its author"
    assert why_not_admitted(by(APPROVE, BEN), nobody) == said
    assert why_not_admitted(APPROVE, nobody) == "it is not signed"


# ---- people


def test_different_names_with_different_keys_are_different_people() -> None:
    assert people([by(APPROVE, ADA, BEN), by(OVERRIDE, CLEO)]) == ["ada@x", "ben@x", "cleo@x"]
    assert people([by(APPROVE, ADA), by(OVERRIDE, ADA)]) == ["ada@x"]
    assert people([]) == people([APPROVE]) == []


def test_one_name_with_two_keys_and_one_key_with_two_names_are_one() -> None:
    assert people([by(APPROVE, ADA, signer("Ada@X", "SHA256:second"))]) == ["ada@x"]
    assert people([by(APPROVE, ADA, signer("lovelace@x", ADA.key))]) == ["ada@x"]
    assert people([by(APPROVE, ADA, signer("lovelace@x", "SHA256:second", "ada@x"))]) == ["ada@x"]


@pytest.mark.parametrize(
    "one, other",
    [("ada+a@x", "ada+b@x"), ("ada@x", "Ada+b@X"), ("1+o@users.noreply.github.com", "O@users.noreply.github.com")],
)
def test_one_mailbox_with_two_keys_is_one(one: str, other: str) -> None:
    first, second = signer(one), signer(other)
    assert people([by(APPROVE, first, second)]) == people([by(APPROVE, first), by(OVERRIDE, second)]) == [one]
    assert not by_another([by(OVERRIDE, second)], by(APPROVE, first))


def test_people_who_turn_out_to_be_one_are_counted_once() -> None:
    both = signer("ada@x", "SHA256:third", "ben@x")
    assert len(people([by(APPROVE, ADA, BEN, both)])) == 1
    assert len(people([by(APPROVE, both, ADA, BEN)])) == 1


def test_our_own_unsigned_record_is_the_word_of_one() -> None:
    own = replace(APPROVE, own=True)
    assert people([own]) == ["this run"]
    assert people([own, replace(OVERRIDE, own=True)]) == ["this run"]
    assert people([own, by(OVERRIDE, BEN)]) == ["ben@x", "this run"]
    assert people([replace(by(APPROVE, BEN), own=True)]) == ["ben@x"]


@quick
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("1234"), st.sampled_from("abcd")), max_size=6))
def test_there_are_never_more_people_than_names_or_keys(marks: list[tuple[str, str, str]]) -> None:
    signers = [signer(name, key, alias) for name, key, alias in marks]
    found = len(people([by(APPROVE, *signers)]))
    assert found <= min(len({name for name, _, _ in marks}), len({key for _, key, _ in marks}))
    assert found == len(people([by(APPROVE, *reversed(signers))]))
    assert (found > 0) == bool(marks)


def test_an_override_by_another_is_by_nobody_who_signed_the_approval() -> None:
    approval = by(APPROVE, ADA, BEN)
    assert by_another([by(OVERRIDE, CLEO)], approval)
    assert by_another([by(OVERRIDE, ADA), by(OVERRIDE, BEN, CLEO)], approval)
    assert not by_another([by(OVERRIDE, ADA), by(OVERRIDE, BEN)], approval)
    assert not by_another([by(OVERRIDE, signer("other@x", ADA.key))], approval)
    assert not by_another([by(OVERRIDE, signer("BEN@x", "SHA256:second"))], approval)
    assert not by_another([], approval)
    assert by_another([by(OVERRIDE, ADA)], None)
    assert by_another([replace(OVERRIDE, own=True)], approval)


def test_the_approval_that_stands_is_the_last_verdict() -> None:
    assert standing_approval([REVISE, APPROVE, OVERRIDE]) is APPROVE
    assert standing_approval([APPROVE, REVISE, OVERRIDE]) is None
    assert standing_approval([OVERRIDE]) is None
    assert standing_approval([]) is None


# ---- who wrote it


@pytest.mark.parametrize(
    "program, who",
    [
        ("claude", "Anthropic"),
        ("Claude 2.1.3 claude-opus", "Anthropic"),
        ("claude-code", "Anthropic"),
        ("codex 0.169.0", "OpenAI"),
        ("gemini-cli 1.0", "Google"),
        ("", ""),
        ("manual", ""),
        (" ", ""),
        ("command", None),
        ("clause 1.0", None),
        ("42", None),
    ],
)
def test_a_program_is_known_by_its_first_word(program: str, who: str | None) -> None:
    assert vendor(program) == who


@pytest.mark.parametrize(
    "said, who",
    [
        ("Claude <noreply@anthropic.com>", "Anthropic"),
        ("Claude Opus 4.5 <noreply@anthropic.com>", "Anthropic"),
        ("Claude Code <me@example.org>", "Anthropic"),
        ("Ada <ada@mail.openai.com>", "OpenAI"),
        ("codex[bot] <1+codex@users.noreply.github.com>", "OpenAI"),
        ("chatgpt <x@y>", "OpenAI"),
        ("gemini-cli <x@y>", "Google"),
        ("aider (gpt-5) <aider@aider.chat>", None),
        ("GitHub Copilot <x@github.com>", None),
        ("Cursor Agent <cursoragent@cursor.com>", None),
        ("dependabot[bot] <x@y>", None),
        ("Claude Monet <monet@example.fr>", ""),
        ("Ada Lovelace <ada@example.org>", ""),
        ("Evil <x@notopenai.com>", ""),
        ("Ada", ""),
        ("", ""),
    ],
)
def test_a_co_author_is_a_program_or_a_person(said: str, who: str | None) -> None:
    assert co_author_vendor(said) == who


@pytest.mark.parametrize(
    "who, words",
    [
        ("Anthropic", ("claude",)),
        ("OpenAI", ("chatgpt", "codex", "gpt", "openai")),
        ("Google", ("gemini", "jules")),
    ],
)
def test_every_program_of_a_vendor_is_known_by_name(who: str, words: tuple[str, ...]) -> None:
    for word in words:
        assert vendor(word) == vendor(f"{word.upper()} 1.0") == who
        assert co_author_vendor(f"{word.capitalize()} <x@y>") == co_author_vendor(f"{word}[bot] <x@y>") == who


MIXED = ("aider", "amp", "cline", "copilot", "cursor", "devin", "goose", "opencode", "openhands", "windsurf")


@pytest.mark.parametrize("word", MIXED)
def test_programs_with_models_of_whoever_are_nobodys(word: str) -> None:
    assert co_author_vendor(f"{word.capitalize()} <x@y>") is None
    assert co_author_vendor(f"{word} (gpt-5) <x@y>") is None
    assert vendor(word) is None


@pytest.mark.parametrize(
    "said",
    [
        *(f"claude {word}" for word in ("agent", "ai", "bot", "cli", "code", "fable", "haiku", "mythos", "opus")),
        *("claude pro", "claude sonnet", "claude-code", "claudecode", "claude 4.5", "claude-4-5-opus", "claude4"),
        *(
            "claude 0123456789.",
            "github claude",
            "GitHub Claude Code",
            "claude (any model)",
            "claude(any)",
            "claude ()",
        ),
        *("claude[bot]", "claude code [x](y)", "claude (a)[bot]", "claude 4 (a) (b)"),
    ],
)
def test_what_a_program_calls_itself(said: str) -> None:
    expected = "" if "[x]" in said else "Anthropic"
    assert co_author_vendor(f"{said} <x@y>") == expected


@pytest.mark.parametrize(
    "said",
    [
        *("claude monet", "claude  opus", "claude--code", "claude_code", "claude/code", "claude opusx", "claudex"),
        *(
            "my claude",
            "github github claude",
            "hub claude",
            "githubclaude",
            "github  claude",
            "github-claude",
            "claude  (a)",
            "claude (a",
            "claude a)",
        ),
        *(
            "claude (a) b",
            "claude -",
            "claude [bot]x",
            "claude opus,",
            "claude gith",
            "claude t",
            "claude [bot] b",
            "claude :",
        ),
    ],
)
def test_a_name_that_only_begins_like_a_programs_is_a_persons(said: str) -> None:
    assert co_author_vendor(f"{said} <x@y>") == ""


@pytest.mark.parametrize("said", ["claude [bot]", "my claude[bot]", "claude[bot][bot]", "claude  (a)[bot]"])
def test_a_bot_of_another_name_is_nobodys(said: str) -> None:
    assert co_author_vendor(f"{said} <x@y>") is None


def test_who_wrote_a_change_may_not_be_who_reviewed_it() -> None:
    verdict = a_verdict()
    assert same_hands(verdict, ["claude 2", "", "manual"], ["Ada <ada@x>", "Claude <noreply@anthropic.com>"]) == ()
    assert "codex 0.169" in same_hands(verdict, ["codex 0.169"], [])[0]
    assert "openai.com" in same_hands(verdict, [], ["Codex <codex@openai.com>"])[0]
    assert "nobody knows" in same_hands(verdict, ["mystery"], [])[0]
    done = (TaskResult(task_id="t1", outcome="done", executor="codex"),)
    assert len(same_hands(a_verdict(results=done), ["codex"], [])) == 1
    unknown = a_verdict(engine=replace(CODEX, engine="oracle"))
    assert len(same_hands(unknown, [], [])) == 1
    assert len(same_hands(a_verdict(engine=replace(CODEX, engine="")), [], [])) == 1


@pytest.mark.parametrize(
    "said, who",
    [
        ("Ada <ada@openai.com>", "OpenAI"),
        ("Ada <ada@anthropic.com >", "Anthropic"),
        ("Ada <ada@anthropic.com> (at work)", "Anthropic"),
        ("Ada <ada@example.org> <ada@openai.com>", "OpenAI"),
        ('Ada <"ada@home"@anthropic.com>', "Anthropic"),
        ("Ada <anthropic.com@example.org>", ""),
        ("Ada <ada@notanthropic.com>", ""),
        ("Ada <ada@anthropic.com.example.org>", ""),
        ("Claude <work> <ada@example.org>", "Anthropic"),
        ("Ada", ""),
    ],
)
def test_a_co_author_is_known_by_the_domain_of_an_address_wherever_that_ends(said: str, who: str) -> None:
    assert co_author_vendor(said) == who


def test_three_programs_of_a_kind_are_told_each_in_one_short_line() -> None:
    own = [f"codex {number}" for number in range(5)]
    unknown = [f"tool-{number} " + "x\n" * 99 for number in range(5)]
    said = same_hands(a_verdict(), [*unknown, *own], [])
    assert said[:3] == tuple(f"It was written by {one}, and OpenAI reviewed it: its own work." for one in own[:3])
    assert len(said) == 6
    assert said[3] == f"It was written by {('tool-0 ' + 'x ' * 99)[:60]}, and nobody knows whose model that is."


def test_no_name_takes_long() -> None:
    for name in ("claude" + " 1" * 40_000 + "x", "claude" + "1" * 80_000 + "x", "claude" + " ai" * 30_000 + "(" * 999):
        assert co_author_vendor(f"{name} <x@y>") == ""


@quick
@given(st.text(max_size=80))
def test_any_name_is_somebodys_or_nobodys(said: str) -> None:
    assert vendor(said) in {"Anthropic", "OpenAI", "Google", "", None}
    assert co_author_vendor(said) in {"Anthropic", "OpenAI", "Google", "", None}
