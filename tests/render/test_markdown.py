"""Whatever a text says: in GitHub's Markdown it reads as it did, and nothing comes of it."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from git_cto.redaction import printable
from git_cto.render import markdown
from tests.gate.values import quick, thorough
from tests.render.github import HOSTILE, Page, hostile

HARMLESS = {"p", "span", "code", "wbr"}
IN_A_TABLE = HARMLESS | {"table", "thead", "tbody", "tr", "th", "td"}
COMMIT = "9f8e7d6" + "5" * 33


def readable(text: str) -> str:
    """What a person reads of a text, whatever is code in it and wherever it is broken."""
    return "".join(text.replace("`", "").split())


def check_harmless(page: Page, allowed: set[str]) -> None:
    assert set(page.tags) <= allowed
    assert page.found == []
    assert page.comments == []
    assert {name for _, name in page.attributes} <= {"align", "lang"}


# ---- text ------------------------------------------------------------------------------------------------------------


@thorough
@given(said=hostile, narrow=st.booleans())
@example(said=":-", narrow=False)
@example(said="1. a", narrow=False)
@example(said="`a``b`", narrow=False)
@example(said="1234567. x", narrow=False)
def test_a_line_reads_as_it_did_and_is_nothing_but_text(said: str, *, narrow: bool) -> None:
    page = Page(markdown.text(said, narrow=narrow))
    check_harmless(page, HARMLESS)
    assert readable(page.text) == readable(printable(said))


@thorough
@given(hostile, hostile)
@example("a|b", "`a|b`")
@example("\\", "`\\`")
@example("`\\|`", "\\|")
def test_no_text_leaves_its_cell(first: str, second: str) -> None:
    rows = [(markdown.text(first, narrow=True), markdown.code(second, narrow=True)), ("x", "y")]
    page = Page(markdown.table(("a", "b"), rows))
    check_harmless(page, IN_A_TABLE)
    assert (page.tags["tr"], page.tags["td"]) == (3, 4)
    assert readable(page.text) == "ab" + readable(printable(first)) + readable(printable(second)) + "xy"


@thorough
@given(hostile)
@example("a\n:-\n")
@example("a\n\n    b")
@example("a\n===")
@example("+ a\n* b")
def test_paragraphs_read_line_by_line_as_they_did(said: str) -> None:
    page = Page(markdown.block(said))
    check_harmless(page, {*HARMLESS, "br", "pre"})
    if "```" not in said and "~~~" not in said:
        assert readable(page.text) == readable(printable(said, lines=True))
        assert not page.blocks


@quick
@given(hostile)
@example("9f8e7d6|9f8e7d6")
def test_code_shows_every_character(said: str) -> None:
    inside, outside = Page(f"a {markdown.code(said)} b"), Page(markdown.code(said))
    for page in (inside, outside):
        check_harmless(page, {"p", "code", "span"})
        assert page.tags["code"] == bool(printable(said))
    assert "".join(outside.text.split()) == "".join(printable(said).split())


@quick
@given(hostile)
def test_nothing_closes_a_fence_but_its_own_end(said: str) -> None:
    page = Page(f"{markdown.fenced(said)}\n\nafter")
    assert page.tags == {"pre": 1, "code": 1, "p": 1}
    assert page.blocks[0][1] == (printable(said, lines=True) + "\n" if printable(said, lines=True) else "")


@pytest.mark.parametrize("said", HOSTILE)
def test_each_trick_by_itself_is_only_shown(said: str) -> None:
    for shown in (markdown.text(said), markdown.block(said), markdown.code(said)):
        check_harmless(Page(shown), {*HARMLESS, "pre"})


def test_code_between_backticks_stays_code() -> None:
    page = Page(markdown.text("`/health` goes through `` a`b `` and a ` that nobody closes"))
    assert page.tags["code"] == 2
    assert page.text.strip() == "/health goes through a`b and a ` that nobody closes"


def test_a_fence_in_a_text_stays_one_and_loses_what_it_is_for() -> None:
    page = Page(markdown.block("Do this:\n```suggestion\nx = 1\n```\nthen that\n~~~~mermaid\nopen"))
    assert page.blocks == [("", "x = 1\n"), ("", "open\n")]
    assert "then that" in page.text


def test_a_bot_reads_no_command_at_the_start_of_a_line() -> None:
    shown = markdown.block("/lgtm\n/cto override because\n  /approve")
    assert not any(line.startswith("/") for line in shown.splitlines())
    assert Page(shown).text.split() == ["/lgtm", "/cto", "override", "because", "/approve"]


def test_long_words_can_be_broken_in_a_narrow_place() -> None:
    word = "src/a_package_with_a_name/and_a_module_with_another_one.py"
    assert Page(markdown.text(word, narrow=True)).tags["wbr"] >= 3
    assert Page(markdown.text("x" * 100, narrow=True)).tags["wbr"] == 9
    assert Page(markdown.text(word)).tags["wbr"] == 0
    coded = Page(markdown.code(word, narrow=True))
    assert (coded.text.strip(), coded.tags["wbr"]) == (word, 8)


def test_a_limit_counts_what_is_read() -> None:
    assert Page(markdown.text("<" * 50, 10)).text.strip() == "<" * 9 + "…"
    assert markdown.text("short", 10) == "short"


def test_a_hundred_thousand_backticks_take_no_time() -> None:
    said = " ".join("`" * (1 + number % 300) for number in range(1_000)) + "`" * 100_000
    assert readable(Page(markdown.text(said)).text) == ""


# ---- suggestions -----------------------------------------------------------------------------------------------------


@quick
@given(hostile)
@example("a\n```\n@everyone\n````\nb")
@example("\tif x:\n\t\ty()")
@example("")
def test_a_suggestion_is_what_was_written_to_the_byte_or_is_not_offered(said: str) -> None:
    shown = markdown.suggestion(said)
    if shown:
        page = Page(f"{shown}\n\nafter")
        assert page.tags == {"pre": 1, "code": 1, "p": 1}
        wanted = said.replace("\r\n", "\n").removesuffix("\n")
        assert page.blocks == [("suggestion", f"{wanted}\n" if wanted else "")]


@pytest.mark.parametrize("unseen", ["\x1b", "\u202e", "\u200b", "\u2028", "\x00", "\r", "\U000e0041", "\ue000", "\x0c"])
def test_what_cannot_be_seen_is_not_offered_for_committing(unseen: str) -> None:
    assert markdown.suggestion("allow = True") == "```suggestion\nallow = True\n```"
    assert markdown.suggestion(f"allow = {unseen}True") == ""


def test_code_that_only_looks_like_a_command_can_be_committed() -> None:
    said = "\tstd::vector<int> v;\n::global();\n\techo '##[group]'"
    assert markdown.suggestion(said) == f"```suggestion\n{said}\n```"


# ---- what is ours ----------------------------------------------------------------------------------------------------


def test_lines_and_commits_are_linked_where_there_is_a_page() -> None:
    home = "https://github.example/octo/health"
    assert Page(markdown.commit_link(COMMIT, home)).links == [f"{home}/commit/{COMMIT}"]
    linked = markdown.line_link(markdown.code("a (b).py"), "docs/a (b)#?.py", 3, COMMIT, home)
    assert Page(linked).links == [f"{home}/blob/{COMMIT}/docs/a%20%28b%29%23%3F.py#L3"]


@pytest.mark.parametrize("home", ["", "javascript:alert(1)", "https://x.example/a) [b](c", "https://x.example/\n# a"])
def test_what_is_no_address_is_not_linked(home: str) -> None:
    assert Page(markdown.commit_link(COMMIT, home)).links == []
    assert Page(markdown.line_link("x", "a.py", 1, COMMIT, home)).links == []


def test_a_path_that_cannot_be_named_as_it_is_has_no_page() -> None:
    assert Page(markdown.line_link("x", '"a\\nb.py"', 1, COMMIT, "https://github.example/octo/health")).links == []


@quick
@given(hostile, st.text(max_size=10))
def test_a_link_leads_to_our_own_pages_whatever_the_path(path: str, commit: str) -> None:
    home = "https://github.example/octo/health"
    for at in (commit, COMMIT):
        page = Page(markdown.line_link(markdown.code("here"), path, 1, at, home))
        assert set(page.tags) <= {"p", "code", "a"}
        assert all(one.startswith(f"{home}/blob/{COMMIT}/") for one in page.links)


@pytest.mark.parametrize(
    "login, shown", [("ada", "@ada"), ("octo/reviewers", "@octo/reviewers"), ("a b", "a b"), ("*", "\\*")]
)
def test_only_a_login_is_mentioned(login: str, shown: str) -> None:
    assert markdown.mention(login) == shown
