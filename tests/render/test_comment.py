"""What is said at a pull request: each state tells what it means, whatever anybody wrote, and it fits."""

from __future__ import annotations

import re
from typing import Any, get_args

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from git_cto.model import Finding, Plan, Task, VerdictRecord
from git_cto.render.check import (
    LARGEST_JOB_SUMMARY,
    LARGEST_MESSAGE,
    LARGEST_SUMMARY,
    LARGEST_TITLE,
    annotations_of,
    check_summary,
    check_title,
    job_summary,
)
from git_cto.render.comment import LARGEST, MARKER, PullState, State, body
from git_cto.render.finding import finding_marker, inline_body
from git_cto.render.fitting import size
from git_cto.render.pull_parts import graph
from tests.gate.values import CI, a_finding, quick
from tests.render.github import HOSTILE, Page, hostile
from tests.render.pulls import GUARDED, HEAD, NEWER, PLACE, PULLS, a_pull, a_record, judged, worst

INLINE = {"p", "br", "code", "span", "wbr", "strong", "a"}
OURS = INLINE | {"h3", "h4", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "pre"}
OUR_PAGES = (f"{PLACE.repository}/commit/", f"{PLACE.repository}/blob/", PLACE.job, PLACE.docs)
FIXED = {"state", "verdict", "model_verdict", "severity", "status", "ruling", "outcome", "action", "phase"}
KEPT = FIXED | {"place", "asked"}


def check_ours(text: str) -> Page:
    """That there is nothing in a text but what we put there."""
    page = Page(text)
    assert set(page.tags) <= OURS
    assert max(page.tags["h3"], page.tags["h4"]) <= 1
    assert page.tags["tr"] * 2 <= page.tags["td"] + page.tags["th"] <= page.tags["tr"] * 3
    assert page.tags["details"] == page.tags["summary"] <= 1
    assert all(one.startswith(OUR_PAGES) for one in page.links)
    assert {name for _, name in page.attributes} <= {"align", "lang", "href"}
    assert {language for language, _ in page.blocks} <= {"mermaid", ""}
    assert page.found == []
    return page


# ---- the states ------------------------------------------------------------------------------------------------------

SAID: dict[str, tuple[str, ...]] = {
    "approved": (
        "✓ Approved · round 2 of 5",
        "The route is there and answers anybody.",
        "A push closes the gate again.",
    ),
    "overridden": (
        "✓ Overridden",
        "Ada lets exactly this change in: The probe runs inside the mesh",
        "Round 2 said revise",
    ),
    "revise": (
        "✗ Revise · round 2 of 5",
        "The route is there, but it asks for a login.",
        "☐ needs no authentication (routes.py:41)",
        "2 findings: 1 major, 1 nit · on the lines of the diff: src/app/routes.py:41",
        f"Push a fix and it is judged again; /cto override {HEAD} <reason> if you disagree (recorded).",
    ),
    "overruled": (
        "Codex said approve; git-cto says revise: verification failed: pytest tests -q;",
        "7 of 9 files in full, 1 counted, 1 listed",
        "package-lock.json summarised: 1,204 lines",
        "✗ pytest tests -q --strict-markers --maxfail=1: exit code 1",
        "Taken: 49.8k tokens in 2 rounds, and $1.25 for the tasks",
    ),
    "abort": (
        "■ Abort · round 2 of 5",
        "The reviewer's reason: An anonymous probe cannot reach it.",
        "@ada @octo/reviewers: /cto continue <reason>",
    ),
    "escalated": (
        "! A human is asked · round 2 of 5",
        "3 times in a row the verdict was revise: a human has to look.",
        f"@ada @grace: /cto continue <reason> for more rounds, or /cto override {HEAD} <reason>",
    ),
    "unreviewed": (
        "? Could not be reviewed",
        "Your OpenAI quota is used up until 14:05",
        "That is no verdict; the gate is closed.",
        "Next: git cto review again after 14:05, or --model gpt-5-mini",
        "/cto review tries again.",
    ),
    "stale": (
        "↻ The approval is stale",
        "9f8e7d6 was approved. 2 commits came since then, and nobody has judged 7e57ab1.",
        "Round 2 said approve of 9f8e7d6",
        "/cto review asks for a verdict",
    ),
    "needs a human": (
        "! A human has to agree",
        ".github/workflows/ci.yml",
        "@ada, but not the author: approve this commit in a review of your own, then /cto status.",
    ),
    "closed": ("✗ Closed", "It conflicts with main: src/app/routes.py.", "Next: git merge main, then git cto review"),
    "waiting": ("… Waiting", "It is a draft."),
    "reviewing": ("… Being reviewed · round 2 of 5", "A model reads 9f8e7d6 against main right now."),
    "no key": ("✗ Closed: no key for a model", "git cto review --sign, then git cto sync."),
    "fork": (
        "✗ Closed: from a fork",
        "It comes from a fork: somebody with write access has to ask.",
        "/cto review asks for a verdict",
    ),
    "overtaken": ("↻ Overtaken", "Nobody has judged 7e57ab1.", "The record is in the artifact git-cto-7."),
    "finished": ("– Finished", "The pull request is closed, and nothing more is judged."),
}


def flat(page: Page) -> str:
    return " ".join(page.text.split())


@pytest.mark.parametrize("name", SAID)
def test_a_state_says_what_it_means_and_what_to_do(name: str) -> None:
    page = Page(body(PULLS[name]))
    for said in SAID[name]:
        assert said in flat(page)
    assert flat(page).startswith(SAID[name][0]) or name == "overruled"


def test_every_state_is_among_them() -> None:
    assert {pull.state for pull in PULLS.values()} == set(get_args(State))
    assert set(SAID) == set(PULLS) - {"approved without a plan"}


@pytest.mark.parametrize("name", PULLS)
def test_the_marker_comes_first_and_nothing_else_is_hidden(name: str) -> None:
    text = body(PULLS[name])
    assert text.splitlines()[0] == MARKER
    page = check_ours(text.replace("@ada", "").replace("@grace", "").replace("@octo/reviewers", ""))
    assert page.comments == ["git-cto:pull"]
    assert page.tags["h3"] == 1


@pytest.mark.parametrize("name", ["stale", "overtaken"])
def test_what_was_judged_before_a_push_is_not_shown_as_if_it_were_news(name: str) -> None:
    page = Page(body(PULLS[name]))
    assert "needs no authentication" not in page.text
    assert "finding" not in page.text


def test_an_approval_carried_to_another_commit_of_the_same_change_shows_its_tasks() -> None:
    page = Page(body(judged("approved", "approve", head=NEWER)))
    assert "needs no authentication" in page.text
    assert "Judged 9f8e7d6" in flat(page)


def test_what_the_gate_says_is_said_once() -> None:
    said = ("Round 2 said revise: An anonymous probe cannot reach it.", "It conflicts with main: a.py.")
    page = Page(body(judged("revise", "revise", reasons=said)))
    assert "It conflicts with main: a.py." in page.text
    assert "An anonymous probe cannot reach it." not in page.text
    for name in ("approved", "overridden", "stale"):
        told = replace(PULLS[name], reasons=("Approved in round 2 by gpt-5.4 (Codex 0.169.0), 3 of 3 tasks.",))
        assert body(told) == body(PULLS[name])


def test_tasks_that_nobody_judged_are_named() -> None:
    latest = a_record("revise")
    assert isinstance(latest.body, VerdictRecord)
    some = replace(latest.body.review, task_reviews=latest.body.review.task_reviews[:1])
    pull = judged("revise", "revise", verdict=replace(latest, body=replace(latest.body, review=some)))
    assert flat(Page(body(pull))).count("not judged") == 2


def test_without_a_word_on_tasks_there_is_no_table_of_them() -> None:
    latest = a_record("revise")
    assert isinstance(latest.body, VerdictRecord)
    none = replace(latest.body.review, task_reviews=())
    pull = judged("revise", "revise", verdict=replace(latest, body=replace(latest.body, review=none)))
    assert "not judged" not in Page(body(pull)).text


def test_only_who_is_asked_is_mentioned() -> None:
    mentions = [found for found in Page(body(PULLS["escalated"])).found if found[0] == "a mention"]
    assert len(mentions) == 1
    check_ours(body(a_pull("escalated", asked=("<b>", "a b"))))
    assert "Somebody with write access: " in flat(Page(body(a_pull("escalated"))))


def test_the_graph_is_drawn_with_names_of_ours() -> None:
    (language, drawn) = next(block for block in Page(body(PULLS["revise"])).blocks)
    assert language == "mermaid"
    assert drawn.splitlines() == [
        "graph TD",
        '  n1["✗ t1: Add GET /health"]',
        '  n2["✓ t2: Cover the route with a test that runs the whole…"]',
        "  n1 --> n2",
        '  n3["◐ t3: Run the suite"]',
        "  n2 --> n3",
    ]


def test_no_task_draws_anything_of_its_own() -> None:
    task = Task(id="t1", action="verify", target="x", description="")
    for odd in (*HOSTILE, '"]; click n1 "https://evil.example"', "end", "--> n2", "subgraph x", "#quot;"):
        drawn = graph(Plan(objective="", analysis="", strategy="", tasks=(replace(task, description=odd),)), None)
        assert re.fullmatch(r'```mermaid\ngraph TD\n  n1\["· t1: [\w /.…-]*"\]\n```', drawn)


def test_a_graph_that_nobody_could_read_is_not_drawn() -> None:
    plan = PULLS["revise"].plan
    assert plan
    tied = replace(plan.tasks[0], depends_on=tuple(f"t{number}" for number in range(200)))
    for tasks in (plan.tasks[:1], plan.tasks * 20, (tied, *plan.tasks[1:])):
        page = Page(body(judged("revise", "revise", plan=replace(plan, tasks=tasks))))
        assert page.blocks == []
        assert plan.objective in page.text


def test_lists_end_somewhere_and_say_so() -> None:
    paths = tuple(f".github/{number}.yml" for number in range(21))
    assert "and 1 more path" in Page(body(a_pull("needs_human", control_paths=paths))).text
    assert Page(body(a_pull("escalated", asked=("ada",) * 30))).text.count("@ada") == 10
    text = Page(body(worst("word", 101))).text
    assert "and 1 more file" in text
    assert "The last 100 of 101 rounds:" in text
    findings = tuple(replace(GUARDED, id=f"2.{number}") for number in range(7))
    latest = a_record()
    assert isinstance(latest.body, VerdictRecord)
    seven = replace(latest, body=replace(latest.body, review=replace(latest.body.review, findings=findings)))
    pull = judged("revise", "revise", verdict=seven, inline=tuple(one.id for one in findings))
    text = Page(body(pull)).text.partition("Plan, ")[0]
    assert (text.count("and 2 more"), text.count("src/app/routes.py:41")) == (1, 5)


def test_what_stands_on_its_line_and_what_was_met_is_not_explained_again() -> None:
    assert "The blueprint's guard" not in Page(body(PULLS["revise"])).text
    assert "The blueprint's guard" in Page(body(PULLS["overruled"])).text
    assert "routes.py" not in Page(body(PULLS["approved"])).text


def test_who_signed_is_said() -> None:
    signed = replace(a_record("approve"), signers=(CI, CI))
    page = check_ours(body(judged("approved", "approve", verdict=signed)))
    assert "effort high · signed by ci@example.org, ci@example.org · this run" in flat(page)
    assert "signed by" not in Page(body(PULLS["approved"])).text


# ---- whatever anybody wrote ------------------------------------------------------------------------------------------


def poisoned(value: Any, draw: st.DrawFn, name: str = "") -> Any:  # noqa: ANN401 -- any value, and the same kind of it
    """The same value with every text in it written by an attacker; what is one of a few words stays."""
    if isinstance(value, str):
        return value if name in FIXED or not draw(st.booleans()) else draw(hostile)
    if isinstance(value, tuple):
        return tuple(poisoned(one, draw, name) for one in value)
    if isinstance(value, Struct):
        fields = [one for one in value.__struct_fields__ if one not in KEPT or name_is_value(value, one)]
        return replace(value, **{one: poisoned(getattr(value, one), draw, one) for one in fields})
    return value


def name_is_value(value: Struct, field: str) -> bool:
    """Whether a field that is elsewhere a fixed word holds more here."""
    return isinstance(getattr(value, field), Struct) and field != "place"


@st.composite
def attacked(draw: st.DrawFn) -> PullState:
    pull: PullState = poisoned(draw(st.sampled_from(list(PULLS.values()))), draw)
    return replace(pull, asked=())


@pytest.mark.parametrize("state", get_args(State))
def test_no_state_lets_anything_through_when_all_of_it_is_hostile(state: State) -> None:
    pull = replace(worst(" ".join(HOSTILE), 2), state=state, asked=())
    for text in (body(pull), check_summary(pull), job_summary(pull)):
        check_ours(text)
    assert check_title(pull).isprintable()


@settings(quick, max_examples=50)
@given(attacked())
def test_nothing_that_is_written_becomes_more_than_text(pull: PullState) -> None:
    page = check_ours(body(pull))
    assert page.comments == ["git-cto:pull"]
    assert check_title(pull).isprintable()


@quick
@given(said=hostile, offered=hostile, committable=st.booleans())
def test_a_finding_on_a_line_is_only_text_and_what_is_offered(said: str, offered: str, *, committable: bool) -> None:
    finding = Finding(id="2.1", severity="major", path="a.py", body=said, start_line=1, suggestion=offered)
    page = Page(inline_body(finding, committable=committable))
    assert set(page.tags) <= {*INLINE, "pre"}
    assert page.found == []
    assert page.comments == ["git-cto:finding 2.1"]
    committed = [block for block in page.blocks if block[0]]
    assert len(committed) <= committable
    assert all(what == "suggestion" for what, _ in committed)


# ---- whatever the size -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["escalated", "needs_human", "overridden"])
@pytest.mark.parametrize("said, many", [("@" * 5_000, 1), ("``|@`" * 300, 25), ("`|` " * 100, 60), ("word", 700)])
def test_a_comment_fits_whatever_is_to_be_said(said: str, many: int, state: State) -> None:
    pull = replace(worst(said, many), state=state, asked=(said,) * many)
    text = body(pull)
    assert size(text) <= LARGEST
    assert size(check_summary(pull)) <= LARGEST_SUMMARY
    assert size(job_summary(pull)) <= LARGEST_JOB_SUMMARY
    assert len(check_title(pull)) <= LARGEST_TITLE
    page = Page(text)  # nothing is left open
    assert page.tags["h3"] == 1
    assert "/cto " in page.text or state == "overridden"


def test_what_is_left_out_is_said_and_what_matters_stays() -> None:
    page = Page(body(worst("word " * 200, 99)))
    assert "Shortened to fit: " in page.text
    assert "plan, rounds and cost" in page.text
    assert "! A human is asked" in page.text
    assert "99 findings" in page.text or "99 minor findings" in page.text


def test_a_comment_may_be_exactly_as_long_as_it_may_be() -> None:
    pull = a_pull("waiting", notes=("word",) * 2)
    room = LARGEST - size(body(pull))
    exact = replace(pull, notes=("n" * 998,) * (room // 1_000) + ("word", "word" + "n" * (room % 1_000)))
    longer = replace(exact, notes=(*exact.notes[:-1], exact.notes[-1] + "n"))
    assert size(body(exact)) == LARGEST
    assert "Shortened to fit: plan" in body(longer)


def test_more_tasks_or_findings_than_anybody_reads_are_only_counted() -> None:
    page = Page(body(worst("word", 101)))
    assert "0 of 102 tasks passed." in page.text
    assert page.text.count("minor word") == 0
    assert Page(body(worst("word", 99))).text.count("minor word") == 99


def test_what_fits_is_not_shortened() -> None:
    assert not any("Shortened" in body(pull) for pull in PULLS.values())


def test_the_comment_of_a_usual_review_is_small() -> None:
    assert max(len(body(pull)) for pull in PULLS.values()) < 4_000


# ---- the check run and the job ---------------------------------------------------------------------------------------


def test_the_title_of_the_check_says_what_is_open() -> None:
    assert check_title(PULLS["closed"]) == "✗ Closed"
    assert check_title(PULLS["revise"]) == "✗ Revise · round 2 of 5 · 2 findings: 1 major, 1 nit"
    assert check_title(PULLS["approved"]) == "✓ Approved · round 2 of 5"


def test_the_summary_of_the_check_tells_nobody() -> None:
    assert check_ours(check_summary(PULLS["escalated"])).comments == []
    assert "ada grace: /cto continue" in flat(Page(check_summary(PULLS["escalated"])))


def test_the_gravest_annotation_comes_first_and_needs_a_line() -> None:
    found = [
        a_finding("nit", "1.1", start_line=3, end_line=2),
        a_finding("blocker", "1.2", start_line=7, end_line=9),
        a_finding("minor", "1.3"),
        a_finding("minor", "1.4", path='"a\\nb"', start_line=1),
        a_finding("minor", "1.5", path="", start_line=1),
        a_finding("minor", "1.6", start_line=1),
    ]
    made = annotations_of(found)
    assert [(one.level, one.start_line, one.end_line, one.title) for one in made] == [
        ("failure", 7, 9, "blocker: 1.2"),
        ("warning", 1, 1, "minor: 1.6"),
        ("notice", 3, 3, "nit: 1.1"),
    ]


@quick
@given(hostile)
@example("\x1b[31m")
@example("::error::x")
def test_an_annotation_is_plain_text(said: str) -> None:
    (one,) = annotations_of([a_finding("nit", said or "x", body=said, start_line=1)])
    assert one.message
    assert not any(line.startswith("::") for line in (one.message + "\n" + one.title).splitlines())
    assert "\x1b" not in one.message + one.title


@pytest.mark.parametrize("said", ["x" * 70_000, "日" * 30_000, "x" + "👍" * 20_000])
def test_an_annotation_is_cut_between_characters(said: str) -> None:
    (one,) = annotations_of([a_finding("nit", "1" * 300, body=said, start_line=1)])
    assert LARGEST_MESSAGE - 6 < len(one.message.encode()) <= LARGEST_MESSAGE
    assert one.message[-2:] == said[-1] + "…"
    assert len(one.title) == LARGEST_TITLE


def test_the_jobs_summary_has_every_finding_in_full() -> None:
    page = Page(job_summary(PULLS["revise"]))
    assert ("", '@app.get("/health")\ndef health():\n') in page.blocks
    assert "a probe without a session gets **302**" in page.text


# ---- findings on lines -----------------------------------------------------------------------------------------------


def test_a_suggestion_can_be_committed_where_the_lines_are_in_the_diff() -> None:
    assert Page(inline_body(GUARDED, committable=True)).blocks == [("suggestion", f"{GUARDED.suggestion}\n")]
    assert Page(inline_body(GUARDED, committable=False)).blocks == [("", f"{GUARDED.suggestion}\n")]


def test_no_lines_at_all_is_a_suggestion_as_well() -> None:
    deleting = replace(GUARDED, suggestion="")
    assert Page(inline_body(deleting, committable=True)).blocks == [("suggestion", "")]
    assert Page(inline_body(deleting, committable=False)).blocks == []
    assert Page(inline_body(replace(GUARDED, suggestion=None), committable=True)).blocks == []


@pytest.mark.parametrize("changed", ["token = '[redacted]'", "if admin:\u202e pass", "x = 1\u200b"])
def test_what_is_not_what_the_reviewer_wrote_is_not_offered(changed: str) -> None:
    (block,) = Page(inline_body(replace(GUARDED, suggestion=changed), committable=True)).blocks
    assert block[0] == ""


def test_a_finding_is_found_again_by_its_last_line() -> None:
    assert inline_body(GUARDED, committable=True).splitlines()[-1] == finding_marker("2.1")
    for odd in HOSTILE:
        page = Page(f"x\n\n{finding_marker(odd)}")
        assert len(page.comments) == 1
        assert page.tags == {"p": 1}


def test_a_finding_fits_whatever_is_said() -> None:
    long = replace(GUARDED, body="@" * 60_000, suggestion="y" * 80_000)
    text = inline_body(long, committable=True)
    assert size(text) <= LARGEST
    assert text.splitlines()[-1] == finding_marker("2.1")
    assert "Shortened to fit: what was found, the suggestion." in text
