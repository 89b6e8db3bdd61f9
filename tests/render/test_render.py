"""Whatever models and files say: 80 columns, no control character, no space at an end, colour only as an aid."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import click
import pytest
import wcwidth
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from git_cto.model import (
    Actor,
    CommandOutcome,
    ContinueRecord,
    Coverage,
    EngineUse,
    Finding,
    OverrideRecord,
    Plan,
    PlanRecord,
    Record,
    Signature,
    Subject,
    Task,
    TaskReview,
    VerdictRecord,
    Verification,
)
from git_cto.render.lines import fit
from git_cto.render.note import note
from git_cto.render.record import record_text
from git_cto.render.run import graph_text, taken_text
from git_cto.render.terminal import (
    gate_text,
    log_text,
    next_line,
    plain,
    plan_text,
    review_head,
    task_text,
    tasks_text,
    verdict_text,
)
from git_cto.render.words import ago, counted, coverage_words, elapsed, engine_words, tokens_words
from tests.gate.values import (
    CI,
    CODEX,
    HEAD,
    MAIN,
    a_continue,
    a_finding,
    a_plan,
    a_plan_record,
    a_review,
    a_task,
    a_verdict,
    an_override,
    anything,
    at,
    judged,
    quick,
    ran,
    record,
    ruled,
    seen,
    texts,
)

Style = Callable[..., str]


def coloured(text: str, colour: str = "", *, bold: bool = False) -> str:
    """A word in colour, as on a terminal."""
    return click.style(text, fg=colour or None, bold=bold or None)


def checked(render: Callable[[Style], str], columns: int = 80) -> str:
    """A rendering, after everything that holds of every rendering was found to hold."""
    text = render(plain)
    for line in text.removesuffix("\n").split("\n"):
        assert wcwidth.wcswidth(line) <= columns, line
        assert wcwidth.wcswidth(line) >= 0, line
        assert line == line.rstrip(), line
        assert not re.match(r"\s*::\S", line), line
        assert "##[" not in line
        assert not {unicodedata.category(one) for one in line} & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}, line
    assert click.unstyle(render(coloured)) == text
    return text


def told(body: Any, *, name: str = "", head: str = HEAD) -> Record:  # noqa: ANN401 -- a record's body
    return record(body, name or "f" * 64, head=head)


# ---- what it looks like


def test_a_plan() -> None:
    plan = Plan(
        objective="Add a health check",
        analysis="The API has no liveness route.",
        strategy="The API has no liveness route; add one beside /version and cover it.",
        tasks=(
            a_task(
                "t1", target="src/app/routes.py", description="Add GET /health", acceptance_criteria=("answers 200",)
            ),
            a_task("t2", action="verify", target="pytest -q", description="Run it", depends_on=("t1",)),
        ),
        verification=Verification(commands=("pytest -q",)),
    )
    text = checked(lambda style: plan_text("health-check-3f2a1c", plan, "main (a1b2c3d)", style))
    assert text.split("\n") == [
        "Run health-check-3f2a1c · 2 tasks · starts at main (a1b2c3d)",
        "  The API has no liveness route; add one beside /version and cover it.",
        "",
        "  t1  modify src/app/routes.py",
        "      Add GET /health",
        "      · answers 200",
        "  t2  verify pytest -q   after t1",
        "      Run it",
        "      · version() returns 2",
        "",
        "  Verify: pytest -q",
    ]


def test_tasks_with_states_and_hints() -> None:
    plan = a_plan(a_task("t1"), a_task("long-name", acceptance_criteria=()))
    states = {"t1": "fix", "long-name": "done"}
    text = checked(
        lambda style: tasks_text("say-2-3f2a1c", plan, states, {"t1": "→ it asks for a login"}, "main", style)
    )
    assert text.split("\n") == [
        "Run say-2-3f2a1c · 1 of 2 tasks done · for main",
        "",
        "  t1         fix     modify app.py",
        "             Say 2",
        "             · version() returns 2",
        "             → it asks for a login",
        "  long-name  done    modify app.py",
        "             Say 2",
    ]


def test_one_task() -> None:
    text = checked(lambda style: task_text(a_task(context="See app.py."), style))
    assert text == "t1 · modify app.py\n  Say 2\n  · version() returns 2\n\n  See app.py."


def test_a_verdict() -> None:
    plan = a_plan(a_task("t1"), a_task("t2"))
    review = a_review(
        plan,
        summary="The route is there, but it asks for a login.",
        task_reviews=(TaskReview(task_id="t1", status="fail", feedback="Let it through."), judged(a_task("t2"))),
        findings=(a_finding(start_line=41, body="The guard also covers /health.", suggestion="@open\n  def x():\n\n"),),
    )
    body = a_verdict(
        plan, verdict="revise", model_verdict="approve", review=review, downgrades=("t1 is fail",), coverage=seen(2)
    )
    text = checked(lambda style: verdict_text(told(body), style))
    assert text.split("\n") == [
        "✗ revise   The route is there, but it asks for a login.",
        "",
        "  t1   fail",
        "       Let it through.",
        "  t2   pass     1 of 1 criterion",
        "",
        "  major    app.py:41 [1.1]",
        "           The guard also covers /health.",
        "           | @open",
        "           |   def x():",
        "           |",
        "  Codex said approve; git-cto says revise: t1 is fail.",
        "",
        "Seen: 2 of 2 files in full · gpt-5.4, Codex 0.169.0 · 1.0k tokens · 0:00",
        "Recorded on aaaaaaa · round 1 · branch topic · unsigned",
    ]


def test_an_abort_gives_its_reason() -> None:
    body = a_verdict(verdict="abort", review=a_review(verdict="abort", reason="Wrong way."))
    assert checked(lambda style: verdict_text(told(body), style)).startswith("■ abort   Wrong way.\n\nSeen: ")


def test_a_long_suggestion_is_cut_and_says_by_how_much() -> None:
    review = a_review(findings=(a_finding("nit", suggestion="\n".join(f"line {number}" for number in range(20))),))
    text = checked(lambda style: verdict_text(told(a_verdict(review=review)), style))
    assert "| line 7\n           … 12 more lines\n" in text
    assert "line 8" not in text


def test_the_gate() -> None:
    text = checked(lambda style: gate_text("closed", ["It has no approval.", "x " * 60], "unsigned", style))
    lines = text.split("\n")
    assert lines[0] == "closed  It has no approval."
    assert all(line.startswith("        ") for line in lines[1:])
    assert lines[-1] == "        unsigned"
    assert checked(lambda style: gate_text("open", ["Approved."], "", style)) == "open    Approved."


def test_the_log() -> None:
    records = [
        told(a_verdict(time=at(59), round=2)),
        told(a_verdict(verdict="abort", time=at(30))),
        told(an_override(time=at(10))),
        told(a_continue(time=at(1))),
        told(a_plan_record(a_plan(), time=at(0))),
    ]
    text = checked(lambda style: log_text(records, at(60), style))
    assert text.split("\n") == [
        "aaaaaaa fffffff  approve   round 2 It says 2.  1 minute ago",
        "aaaaaaa fffffff  abort     round 1 It says 2.  30 minutes ago",
        "aaaaaaa fffffff  override  Ada: It is urgent.  50 minutes ago",
        "aaaaaaa fffffff  continue  Ada: Go on.  59 minutes ago",
        "aaaaaaa fffffff  plan      say-2-3f2a1c Say 2  1 hour ago",
    ]


def test_a_log_with_signatures_says_below_each_record_who_signed_it() -> None:
    signature = Signature(keyid="", sig=b"x")
    by_two = replace(told(a_verdict(time=at(0))), signers=(CI, replace(CI, principal="ben")), signatures=(signature,))
    bad = replace(told(an_override(time=at(0))), signatures=(signature,), doubt="the key of ben was revoked")
    unseen = replace(told(a_plan_record(a_plan(), time=at(0))), signatures=(signature,))
    listed = [by_two, bad, unseen, told(a_continue(time=at(0)))]
    text = checked(lambda style: log_text(listed, at(1), style, signatures=True))
    assert text.split("\n") == [
        "aaaaaaa fffffff  approve   round 1 It says 2.  1 minute ago",
        f"         signed by {CI.principal} with {CI.key}",
        f"         signed by ben with {CI.key}",
        "aaaaaaa fffffff  override  Ada: It is urgent.  1 minute ago",
        "         signed, not verified: the key of ben was revoked",
        "aaaaaaa fffffff  plan      say-2-3f2a1c Say 2  1 minute ago",
        "         signed, not checked",
        "aaaaaaa fffffff  continue  Ada: Go on.  1 minute ago",
        "         unsigned",
    ]
    brief = log_text(listed, at(1), plain).split("\n")
    assert [line.partition("[")[2].partition("]")[0] for line in brief] == [
        f"signed by {CI.principal} +1",
        "signed, not verified",
        "signed, not checked",
        "",
    ]


@pytest.mark.parametrize("first", ["alice@example.com", "somebody.with.a.long.name@an.even.longer.example.com"])
def test_signers_of_any_number_and_length_leave_its_round_to_a_line_of_the_log(first: str) -> None:
    signers = tuple(replace(CI, principal=name) for name in (first, "bob@example.com", "carol@example.com"))
    one = replace(told(a_verdict(time=at(0))), signers=signers, signatures=(Signature(keyid="", sig=b"x"),))
    line = checked(lambda style: log_text([one], at(45), style))
    assert " approve   round 1" in line
    assert f"[signed by {first[:11]}" in line
    assert " +2]  " in line


def test_a_log_line_is_cut_before_its_time() -> None:
    text = checked(lambda style: log_text([told(a_verdict(review=a_review(summary="日本語 " * 30)))], at(3), style))
    assert text.endswith("…  3 minutes ago")
    assert 78 <= wcwidth.wcswidth(text) <= 80


def test_a_note_fits_into_gits_indentation() -> None:
    body = a_verdict(a_plan(), review=a_review(a_plan(), summary="Good. " * 40), downgrades=("x " * 80,))
    text = checked(lambda _: note([told(body), told(an_override(reason="now " * 40))]), columns=76)
    assert text.startswith("approve · round 1 · 1/1 tasks · 0 open findings\n")
    assert "gpt-5.4, Codex 0.169.0, effort high, 1.0k tokens · branch topic\n" in text
    assert "\n- x x" in text
    assert "override · by Ada\n" in text
    assert note([told(a_plan_record())]) == ""


def test_a_record_in_full() -> None:
    body = a_verdict(
        commands=(ran(2), CommandOutcome(command="sleep", exit_code=None)),
        coverage=seen(1, ("a.png", "listed")),
        review=a_review(prior_findings=(ruled("fixed"),)),
        dispute="It is right.",
    )
    text = checked(lambda style: record_text(told(body, name="9" * 64), style))
    for line in (
        "target refs/heads/main at ccccccc, merge base ccccccc",
        "$ make test: exit code 2",
        "$ sleep: stopped after its time limit",
        "1.1 fixed:",
        "a.png: listed, why",
        "disputed: It is right.",
        "Ada <ada@example.org> on laptop, git-cto 0.1.0 · 2026-01-02T03:00:00.000Z",
        "record " + "9" * 64,
    ):
        assert line in text.split("\n")
    assert "It says 1." in checked(lambda style: record_text(told(a_plan_record()), style))
    overridden = record_text(told(an_override()), plain)
    assert overridden.startswith("override   It is urgent.\nfor branch topic into refs/heads/main\n")
    assert record_text(told(a_continue()), plain).startswith("continue   Go on.\n")


def test_what_comes_next() -> None:
    assert next_line("git cto gate") == "Next: git cto gate"
    two = next_line(("git cto start t1", "do it"), ("git cto tasks", "see them"))
    assert two == "Next: git cto start t1   do it\n      git cto tasks      see them"
    long = checked(lambda _: next_line(("git cto start " + "a" * 70, "do it"), "git cto gate"))
    assert "\n          do it\n      git cto gate" in long


def test_a_long_command_can_still_be_copied() -> None:
    command = "git cto run --resume write-three-files-3f2a1c --command 'sh work.sh --now' --executor-model some-model"
    said = checked(lambda _: next_line((command, "go on"), ("git cto gate", "it is open")))
    first, second, why, last = said.removeprefix("Next: ").split("\n")
    assert (why, last) == ("          go on", "      git cto gate   it is open")
    assert shlex.split(first.removesuffix("\\") + second) == shlex.split(command)
    assert first.endswith(" \\")
    prose = checked(lambda _: next_line(f"{command}, or something else"))
    assert "\\" not in prose


def test_of_several_commands_none_is_cut_in_two_that_fits_a_line() -> None:
    sign = "git cto sign cto/health-check-3f2a1c/trunk, by an allowed signer, then git cto override --reason TEXT"
    said = checked(lambda _: next_line(sign))
    assert said.split("\n") == [
        "Next: git cto sign cto/health-check-3f2a1c/trunk, by an allowed signer,",
        "      then git cto override --reason TEXT",
    ]
    merge = "git switch main && git merge --no-ff a-branch-with-quite-a-long-name-3f2a1c, or push it"
    said = checked(lambda _: next_line(("git cto gate", "asks"), merge))
    assert said.split("\n")[1:] == [
        "      git switch main &&",
        "      git merge --no-ff a-branch-with-quite-a-long-name-3f2a1c, or push it",
    ]
    quoted = checked(lambda _: next_line(f"git cto override {'x' * 28} --reason 'this, and that', or git log"))
    assert "--reason 'this, and that'," in quoted
    wide = checked(lambda _: next_line(f"{'word ' * 30}end, or git cto gate"))
    assert wide.split("\n")[-1].endswith("end, or git cto gate")


def test_what_is_about_to_be_reviewed() -> None:
    assert review_head(2, 1, 38, 1, "main", 1, 5) == (
        "Reviewing 2 commits, 1 file (+38 −1) against main · round 1 of 5"
    )
    checked(lambda _: review_head(10**6, 10**6, 10**9, 10**9, "feature/" + "x" * 200, 3, 5))


@pytest.mark.parametrize(
    "coverage, words",
    [
        (seen(3), "3 of 3 files in full"),
        (seen(1), "1 of 1 file in full"),
        (
            seen(1, ("a", "summarised"), ("b", "listed"), ("c", "omitted")),
            "1 of 4 files in full, 1 counted, 1 listed, 1 not shown",
        ),
    ],
)
def test_coverage(coverage: Coverage, words: str) -> None:
    assert coverage_words(coverage) == words


# ---- small words


@pytest.mark.parametrize(
    "seconds, words",
    [
        *((0, "just now"), (59, "just now"), (60, "1 minute ago"), (3_599, "59 minutes ago"), (3_600, "1 hour ago")),
        *((86_399, "23 hours ago"), (86_400, "1 day ago"), (864_000, "10 days ago"), (-5, "just now")),
    ],
)
def test_ago(seconds: int, words: str) -> None:
    then = 1_700_000_000
    assert ago(_moment(then), _moment(then + seconds)) == words


def _moment(seconds: int) -> str:
    import datetime as dt

    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


@pytest.mark.parametrize(
    "seconds, words", [(0, "0:00"), (42.9, "0:42"), (723, "12:03"), (3_723, "1:02:03"), (360_000, "100:00:00")]
)
def test_elapsed(seconds: float, words: str) -> None:
    assert elapsed(seconds) == words


@pytest.mark.parametrize(
    "tokens, words", [(0, "0 tokens"), (812, "812 tokens"), (1_000, "1.0k tokens"), (24_949, "24.9k tokens")]
)
def test_tokens(tokens: int, words: str) -> None:
    assert tokens_words(tokens) == words


def test_counted_and_engines() -> None:
    assert (counted(1, "file"), counted(2, "file"), counted(0, "criterion", "criteria")) == (
        "1 file",
        "2 files",
        "0 criteria",
    )
    assert counted(1_234_567, "file") == "1,234,567 files"
    assert engine_words(CODEX) == "gpt-5.4, Codex 0.169.0"


# ---- anything at all


ids = st.from_regex(r"\A[a-z][a-z0-9-]{0,29}[a-z0-9]\Z")
runs = st.from_regex(r"\A[a-z0-9][a-z0-9-]{0,59}[a-z0-9]\Z")
tasks = st.lists(anything(Task, id=ids), min_size=1, max_size=4, unique_by=lambda task: task.id).map(tuple)
plans = anything(Plan, tasks=tasks)
subjects = st.builds(Subject, head=st.just(HEAD), tree=st.just("b" * 40))
fields = {"time": st.integers(0, 90).map(at), "run": runs, "target": st.just(MAIN)}
bodies = st.one_of(
    anything(VerdictRecord, **fields),
    anything(OverrideRecord, **fields),
    anything(ContinueRecord, **fields),
    st.builds(
        PlanRecord,
        **fields,
        series=texts,
        target_commit=st.just(HEAD),
        start=st.just(HEAD),
        plan=plans,
        engine=anything(EngineUse),
        actor=anything(Actor),
    ),
)
records = st.builds(lambda subject, body: Record(id="f" * 64, subject=subject, body=body), subjects, bodies)


@settings(quick, max_examples=80)
@given(records)
def test_any_record_is_rendered_within_its_columns(one: Record) -> None:
    checked(lambda style: record_text(one, style))
    checked(lambda style: log_text([one], at(95), style))
    checked(lambda _: note([one]), columns=76)
    if isinstance(one.body, VerdictRecord):
        checked(lambda style: verdict_text(one, style))


@settings(quick, max_examples=60)
@given(plans, runs, texts, st.data())
def test_any_plan_is_rendered_within_its_columns(plan: Plan, run: str, target: str, data: st.DataObject) -> None:
    states = {
        task.id: data.draw(st.sampled_from(["waiting", "ready", "active", "done", "blocked"])) for task in plan.tasks
    }
    hints = {task.id: data.draw(texts) for task in plan.tasks}
    checked(lambda style: plan_text(run, plan, target, style))
    checked(lambda style: tasks_text(run, plan, states, hints, target, style))
    for task in plan.tasks:
        checked(lambda style, task=task: task_text(task, style))  # type: ignore[misc]


@settings(quick, max_examples=60)
@given(st.sampled_from(["open", "closed"]), st.lists(texts, min_size=1, max_size=3), texts, texts)
def test_any_reasons_and_steps_are_rendered_within_their_columns(
    word: str, reasons: list[str], extra: str, step: str
) -> None:
    checked(lambda style: gate_text(word, reasons, extra, style))
    checked(lambda _: next_line((step, ""), step))
    # What is there to be copied is broken only as a shell allows it.
    checked(lambda _: next_line((step, extra), (f"git cto start {step}", "do it")), max(80, 24 + len(step) * 2))
    checked(lambda _: review_head(1, 2, 3, 4, step, 1, 5))


@settings(quick, max_examples=60)
@given(anything(Finding))
def test_any_finding_is_rendered_whole(finding: Finding) -> None:
    text = checked(
        lambda style: verdict_text(told(a_verdict(verdict="revise", review=a_review(findings=(finding,)))), style)
    )
    assert f"\n  {finding.severity} " in text or f"\n  {finding.severity}\n" in text


# ---- narrower terminals


@pytest.fixture(params=[40, 57])
def narrow(request: pytest.FixtureRequest) -> Iterator[int]:
    """The columns of a narrow terminal, for which lines are made."""
    fit(request.param)
    yield request.param
    fit(0)


SAID = ("It asks for a login. " * 6, "日本語" * 40, "src/" + "a" * 100 + ".py", "x", "👍🏽 ❤️ " * 20)


@pytest.mark.parametrize("said", SAID)
def test_a_narrow_terminal_is_wide_enough_for_all_of_it(narrow: int, said: str) -> None:
    task = a_task(target=said, description=said, acceptance_criteria=(said,), depends_on=("t0",), context=said)
    plan = Plan(
        objective=said, analysis=said, strategy=said, tasks=(task,), verification=Verification(commands=(said,))
    )
    one = a_finding("blocker", path=said, body=said, suggestion=said, start_line=1)
    review = a_review(
        plan, summary=said, findings=(one,), task_reviews=(TaskReview(task_id="t1", status="fail", feedback=said),)
    )
    body = a_verdict(plan, verdict="revise", model_verdict="approve", review=review, downgrades=(said,), series=said)
    signature = Signature(keyid="SHA256:ci", sig=b"")
    signed = replace(told(body), signers=(replace(CI, principal=said),), signatures=(signature,))
    entries = [signed, told(an_override(reason=said)), told(a_plan_record(plan))]
    for render in (
        lambda style: plan_text("a-run-3f2a1c", plan, said, style),
        lambda style: tasks_text("a-run-3f2a1c", plan, {"t1": "active"}, {"t1": said}, said, style),
        lambda style: task_text(task, style),
        lambda style: verdict_text(signed, style),
        lambda style: gate_text("closed", [said, said], said, style),
        lambda style: log_text(entries, at(70), style),
        lambda style: log_text(entries, at(70), style, signatures=True),
        lambda _: next_line(said, (said.partition(" ")[0][:10], said)),
        lambda _: review_head(1, 2, 3, 4, said, 1, 5),
        lambda _: graph_text([("t1", "active", said, ("t0",))], {"t1": said}),
        lambda _: taken_text([("review", "", 1, said, 900, 0.5)]),
    ):
        checked(render, narrow)
