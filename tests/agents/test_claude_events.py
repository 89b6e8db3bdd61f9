"""How the events of Claude Code are read: tolerant of what is new, and never taking an error for a result."""

from __future__ import annotations

import json

import pytest

from git_cto.agents.base import EngineError, Failure, Usage
from git_cto.agents.claude_events import Session, stops_all


def result(**said: object) -> dict[str, object]:
    """The event that ends a run well, but for what is said."""
    return {
        "type": "result",
        "subtype": "success",
        "is_error": False,
        "api_error_status": None,
        "result": "Done.",
        "stop_reason": "end_turn",
        "total_cost_usd": 0.25,
        "usage": {"input_tokens": 100, "cache_read_input_tokens": 40, "output_tokens": 7},
        "permission_denials": [],
        **said,
    }


def answer(number: int, *blocks: dict[str, object], **said: object) -> dict[str, object]:
    """One message of the model, or of Claude Code in its place."""
    usage = {"input_tokens": 10, "cache_creation_input_tokens": 5, "output_tokens": 1}
    return {"type": "assistant", "message": {"id": f"m{number}", "content": list(blocks), "usage": usage}, **said}


def retry(status: int | None, error: str) -> dict[str, object]:
    """Claude Code waits and asks again."""
    return {"type": "system", "subtype": "api_retry", "error_status": status, "error": error, "retry_delay_ms": 2357.6}


def read(*lines: object) -> tuple[Session, list[str]]:
    """What is known after these events, and what was shown meanwhile."""
    seen = Session()
    shown = [seen.read(line if isinstance(line, bytes) else json.dumps(line).encode()) for line in lines]
    return seen, [words for words in shown if words]


@pytest.mark.parametrize(
    "asked, offered, missing",
    [
        (("Read", "Bsh"), ["Read"], "Bsh"),
        (("Read", "Made", "Up"), ["Read"], "Made or Up"),
        (("Agent", "Bsh"), ["Task"], "Agent or Bsh"),  # one of them is listed as Task
        (("Agent",), ["Task"], None),  # under another name
        (("Read",), ["Bash", "Read"], None),
        (("Read", "mcp__a__b", "b)", "*"), ["Read"], None),
        (("default", "Bsh"), ["Read", "Bash"], None),
        (("Bsh",), [], None),
        (("Bsh",), None, None),
        (("Bsh",), [1, {}], None),
        (("Bsh",), "Read", None),
        ((), ["Read", "Bash"], None),
    ],
)
def test_tools_that_it_does_not_list_are_named_where_that_is_sure(
    asked: tuple[str, ...], offered: object, missing: str | None
) -> None:
    seen = Session(asked=asked)
    seen.read(json.dumps({"type": "system", "subtype": "init", "tools": offered}).encode())
    said = seen.note.replace(" (did you mean Bash?)", "").partition(" has none called ")[2]
    assert said == (missing or "")
    assert bool(seen.note) == bool(missing)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"[" * 100_000,
        b"[1]",
        b"null",
        {"type": "something.new", "item": 1},
        {"type": "system", "subtype": "something_new"},
        {"type": "system"},
        {"type": ["result"]},
        {"type": "assistant"},
        {"type": "assistant", "message": "text"},
        {"type": "stream_event", "event": {"type": "ping"}},
        {"type": "user", "message": {"content": [{"type": "tool_result"}]}},
        {"no": "type"},
    ],
)
def test_what_is_not_known_is_passed_over(line: object) -> None:
    assert read(line) == (Session(), [])


def test_what_it_does_is_shown_in_few_words() -> None:
    _, shown = read(
        {"type": "system", "subtype": "init", "model": "m"},
        answer(1, {"type": "text", "text": "Let me look."}),
        answer(2, {"type": "tool_use", "name": "Read", "input": {"file_path": "/w/app.py"}}),
        answer(3, {"type": "tool_use", "name": "Bash", "input": {"command": "pytest " + "x" * 900}}),
        answer(4, {"type": "tool_use", "name": "Telepathy", "input": 5}),
        answer(5, {"type": "thinking", "thinking": "hm"}),
        retry(529, "overloaded"),
    )
    assert shown[:3] == ["starting", "Let me look.", "Read: /w/app.py"]
    assert (shown[3][:12], len(shown[3])) == ("Bash: pytest", 200)
    assert shown[4:] == ["Telepathy", "waiting 2 s: overloaded"]


def test_a_good_end_has_words_tokens_and_a_price() -> None:
    seen, _ = read(result())
    assert (seen.ended, seen.summary, seen.problem, seen.cost, seen.refused) == (True, "Done.", "", 0.25, None)
    assert seen.usage == Usage(input=140, cached=40, output=7)


def test_until_the_end_tokens_are_counted_once_per_answer() -> None:
    text: dict[str, object] = {"type": "text", "text": "Hm"}
    seen, _ = read(answer(1, text), answer(1, {"type": "tool_use", "name": "Read"}), answer(2, text))
    assert (seen.usage.input, seen.problem) == (30, "it ended without a result")


def test_tokens_of_what_was_given_up_half_way_are_counted_too() -> None:
    models = {
        "a": {"inputTokens": 900, "cacheReadInputTokens": 50, "outputTokens": 60},
        "b": {"inputTokens": 1},
        "c": 1,
    }
    zero = {"input_tokens": 0, "output_tokens": 0}
    seen, _ = read(result(subtype="error_max_budget_usd", is_error=True, result=None, usage=zero, modelUsage=models))
    assert seen.usage == Usage(input=951, cached=50, output=60)


@pytest.mark.parametrize(
    "said, problem",
    [
        ({"is_error": True, "result": "API Error: 400 no"}, "ended with an error: API Error: 400 no"),
        ({"subtype": "error_max_turns", "result": None}, "ended with an error: error_max_turns"),
        ({"subtype": "error_max_budget_usd", "result": "", "errors": ["Reached maximum budget ($1)"]}, "budget ($1)"),
        ({"subtype": None}, "ended with an error: Done."),
        ({"api_error_status": 400}, "ended with an error: Done."),
        ({"result": ""}, "said nothing"),
        ({"result": " \n"}, "said nothing"),
        ({"result": {"text": "x"}}, "said nothing"),
        ({"stop_reason": None}, "was cut off"),
        ({"stop_reason": "max_tokens"}, "too long"),
        ({"stop_reason": "refusal"}, "the model refused"),
    ],
)
def test_an_end_that_is_no_success_says_why(said: dict[str, object], problem: str) -> None:
    seen, _ = read(result(**said))
    assert seen.ended
    assert problem in seen.problem
    assert seen.refused is None


def test_versions_that_do_not_say_why_they_stopped_are_believed() -> None:
    said = result()
    del said["stop_reason"]
    assert read(said)[0].problem == ""


@pytest.mark.parametrize(
    "error, words, failure",
    [
        ("authentication_failed", "whatever it says", Failure.NOT_LOGGED_IN),
        ("billing_error", "Credit balance is too low", Failure.QUOTA),
        ("rate_limit", "API Error: Request rejected (429)", Failure.RATE_LIMIT),
        ("rate_limit", "You've hit your limit · resets 3pm", Failure.QUOTA),
        ("model_not_found", "There's an issue with the selected model (x).", Failure.MODEL),
        ("server_error", "API Error: 529 Overloaded.", Failure.UNAVAILABLE),
        ("", "Invalid API key · Fix external API key", Failure.NOT_LOGGED_IN),
        ("", "Not logged in · Please run /login", Failure.NOT_LOGGED_IN),
        ("", "Failed to authenticate. API Error: 403 no", Failure.NOT_LOGGED_IN),
        ("", "Claude AI usage limit reached|1767225600", Failure.QUOTA),
        ("", "API Error: Repeated 529 Overloaded errors.", Failure.UNAVAILABLE),
        ("", "API Error: Unable to connect to API (ConnectionRefused)", Failure.UNAVAILABLE),
        ("something_new", "There's an issue with the selected model (x).", Failure.MODEL),
    ],
)
def test_what_no_other_job_could_get_past_stops_all(error: str, words: str, failure: Failure) -> None:
    seen, _ = read(answer(1, error=error), result(is_error=True, result=words))
    assert isinstance(seen.refused, EngineError)
    assert seen.refused.failure is failure
    assert seen.refused.hint


@pytest.mark.parametrize("error", ["", "invalid_request", "max_output_tokens", "unknown"])
def test_a_job_that_failed_by_itself_stops_no_other(error: str) -> None:
    assert stops_all("API Error: 400 messages: text content blocks must be non-empty", error) is None


def test_an_error_that_was_overcome_is_none() -> None:
    seen, _ = read(answer(1, error="rate_limit"), answer(2), result(is_error=True, result="odd"))
    assert seen.refused is None


def test_a_login_that_is_refused_twice_will_not_get_better() -> None:
    once, _ = read(retry(401, "authentication_failed"))
    twice, _ = read(retry(401, "authentication_failed"), retry(401, "authentication_failed"))
    other, _ = read(*[retry(529, "overloaded")] * 9)
    assert (once.refused, other.refused) == (None, None)
    assert twice.refused is not None
    assert twice.refused.failure is Failure.NOT_LOGGED_IN


def test_what_was_denied_is_named_with_its_object() -> None:
    denials: list[object] = [
        {"tool_name": "Write", "tool_input": {"file_path": "/etc/passwd"}},
        {"tool_name": "Bash", "tool_input": 5},
        {"tool_input": {}},
        "text",
        None,
    ]
    seen, _ = read(result(permission_denials=denials))
    assert seen.denied == ("Write /etc/passwd", "Bash", "a tool", "a tool")
    assert read(result(permission_denials="text"))[0].denied == ()


def test_fields_of_the_wrong_type_do_no_harm() -> None:
    broken = result(total_cost_usd="much", usage=[1], modelUsage="x", stop_reason=["end_turn"], errors=5)
    seen, _ = read(
        answer(1, usage=None), broken, b'{"type":"result","total_cost_usd":1e999,"usage":{"input_tokens":NaN}}'
    )
    assert (seen.cost, seen.usage.total) == (0.0, 16)


@pytest.mark.parametrize(
    "code, stderr, problem",
    [
        (1, "", "(exit 1): no message"),
        (-9, "half a", "(signal 9): half a"),
        (
            1,
            "12 | const limit = quota || 429\n\nerror: too many cooks\n   at x (y.js:1:2)\n\nBun v1.4.0",
            ": error: too many",
        ),
        (1, "12 | code\n  at x (y.js)\nBun v1.4.0 (Linux)", ": no message"),
    ],
)
def test_a_death_is_told_in_its_last_plain_words(code: int, stderr: str, problem: str) -> None:
    seen = Session()
    assert problem in seen.died(code, stderr)
    assert seen.refused is None


def test_a_death_for_want_of_a_login_stops_all() -> None:
    seen = Session()
    seen.died(1, "Error: Not logged in · Please run /login")
    assert seen.refused is not None


def test_after_a_result_it_may_die_as_it_likes() -> None:
    seen, _ = read(result())
    assert seen.died(1, "Segmentation fault") == ""
