"""Every way in which Codex may fail to answer: what it is called, what is said, and when it is tried again.

The server plays the part of OpenAI's; what Codex makes of it is the real Codex's.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from itertools import repeat

import pytest

from git_cto.agents.base import Failure, Limits
from git_cto.agents.codex_events import Command, Transcript
from git_cto.agents.codex_failures import (
    MINIMUM,
    answer_of,
    check_version,
    command_was_not_run,
    failure_of,
    retry_after,
)
from git_cto.demo.server import Reply, Step, call, completed, cut, events, failure, hang, message, refusal
from tests.agents.conftest import Asked, World, reading, sealed

CREATED = {"type": "response.created", "response": {"id": "resp_x"}}


def error(status: int, words: str, **more: object) -> Reply:
    """An HTTP error as OpenAI sends it."""
    return failure(status, {"message": words, **more})


def in_an_hour() -> int:
    return int(time.time()) + 3600


# For each: what the server does, which failure it is, what the sentence says, and how many requests there
# were.
CASES: dict[str, tuple[Sequence[Step], str, str, int]] = {
    "401": (
        [error(401, "Incorrect API key provided", code="invalid_api_key")],
        "not_logged_in",
        r"refused Codex's login or key",
        1,
    ),
    "quota": (
        [error(429, "You exceeded your current quota", type="insufficient_quota", code="insufficient_quota")],
        "quota",
        r"quota is used up",
        1,
    ),
    "quota in the stream": ([refusal("insufficient_quota", "You exceeded it")], "quota", r"quota is used up", 1),
    "usage limit": (
        [error(429, "The usage limit has been reached", type="usage_limit_reached", resets_at=in_an_hour())],
        "quota",
        r"used up until (\w+ \d+\w\w, \d{4}, )?\d\d:\d\d \(Codex said so\)",
        1,
    ),
    "usage limit without a time": (
        [error(429, "limit", type="usage_limit_reached", resets_in_seconds=7200)],
        "quota",
        r"usage limit is reached",
        1,
    ),
    "usage not included": (
        [error(429, "no", type="usage_not_included")],
        "quota",
        r"plan does not include Codex",
        1,
    ),
    "schema": (
        [error(400, "Invalid schema for response_format 'codex_output_schema'", code="invalid_json_schema")],
        "schema_refused",
        r"refused the schema of the answer: invalid_json_schema: Invalid schema",
        1,
    ),
    "unknown model": (
        [error(400, "The requested model 'gpt-5.4' does not exist.", code="model_not_found")],
        "model_refused",
        r"The model was refused: .*gpt-5\.4",
        1,
    ),
    "unknown model, 404": (
        [error(404, "The model `gpt-5.4` does not exist or you do not have access to it.", code="model_not_found")],
        "model_refused",
        r"The model was refused",
        1,
    ),
    "context": (
        [error(400, "Your input exceeds the context window", code="context_length_exceeded")],
        "input_too_large",
        r"context window",
        1,
    ),
    "context in the stream": ([refusal("context_length_exceeded", "x")], "input_too_large", r"context window", 1),
    "413": ([error(413, "too big")], "input_too_large", r"context window", 1),
    "500": ([error(500, "boom")], "service_unavailable", r"could not answer just now", 1),
    "502 from a proxy": ([failure(502, "<html>bad</html>")], "service_unavailable", r"could not answer", 1),
    "503": ([error(503, "busy", code="server_is_overloaded")], "service_unavailable", r"at capacity", 1),
    "403": ([error(403, "country not supported")], "engine_failed", r"refused the request: .*country", 1),
    "refused for its content": ([refusal("invalid_prompt", "not this one")], "engine_failed", r"not this one", 1),
    "cut before the first word": ([cut()], "stream_cut", r"cut off", 1),
    "cut after a whole answer": ([cut('{"verdict": "approve"}')], "stream_cut", r"cut off", 1),
    "cut short by its length": (
        [
            events(
                CREATED,
                {"type": "response.incomplete", "response": {"incomplete_details": {"reason": "max_output_tokens"}}},
            )
        ],
        "stream_cut",
        r"max_output_tokens",
        1,
    ),
    "empty answer, exit 0": ([message("")], "no_answer", r"without an answer", 1),
    "no answer, exit 0": ([events(CREATED, completed())], "no_answer", r"without an answer", 1),
    "blank answer, exit 0": ([message(" \n ")], "no_answer", r"without an answer", 1),
}


@pytest.mark.parametrize("name", CASES)
def test_failures(world: World, name: str) -> None:
    """Cases 33, 74 and 75: one request, no answer, and a sentence that says why."""
    script, kind, words, requests = CASES[name]
    asked = world.ask(script)
    assert asked.failure == kind
    assert asked.error is not None
    assert re.search(words, asked.error.message)
    assert "\n" not in asked.error.message
    assert len(asked.requests) == requests
    assert (world.folder / "events.jsonl").stat().st_size > 0


def rate_limit(wait: str) -> Reply:
    return refusal("rate_limit_exceeded", f"Rate limit reached for gpt-5.4. Please try again in {wait}.")


def waited(asked: Asked) -> int:
    return sum("rate limit" in activity.text and "waiting" in activity.text for activity in asked.shown)


@pytest.mark.parametrize(
    "first", [error(429, "slow down", code="rate_limit_exceeded"), rate_limit("50ms")], ids=["http", "stream"]
)
def test_a_rate_limit_is_waited_for(world: World, first: Reply) -> None:
    """Case 73. Codex gives up at once; what it says of the time to wait is kept."""
    asked = world.ask([first, message("{}")])
    assert asked.answer is not None
    assert (len(asked.requests), waited(asked)) == (2, 1)


def test_a_rate_limit_is_not_waited_for_without_end(world: World) -> None:
    asked = world.ask(repeat(error(429, "slow down", code="rate_limit_exceeded")))
    assert asked.failure == "rate_limit"
    assert (len(asked.requests), waited(asked)) == (3, 2)


def test_a_wait_that_is_too_long_is_not_begun(world: World) -> None:
    asked = world.ask(repeat(rate_limit("3m20s")))
    assert asked.failure == "rate_limit"
    assert (len(asked.requests), waited(asked)) == (1, 0)


def test_what_failed_after_a_rate_limit_is_not_tried_again(world: World) -> None:
    asked = world.ask([rate_limit("50ms"), error(401, "no", code="invalid_api_key")])
    assert (asked.failure, len(asked.requests)) == ("not_logged_in", 2)


def test_a_broken_stream_is_tried_again_by_codex_itself(world: World) -> None:
    asked = world.ask([cut('{"verdict": "approve"}'), message('{"verdict": "revise"}')], stream_retries=1)
    assert asked.answer is not None
    assert asked.answer.text == '{"verdict": "revise"}'
    assert any(activity.text.startswith("Reconnecting") for activity in asked.shown)


@pytest.mark.parametrize("started", [False, True], ids=["before the first byte", "in mid-stream"])
def test_silence_is_ended(world: World, started: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    """Cases 71 and 72."""
    asked = world.ask([hang(started=started)], limits=Limits(idle=0.8, total=20, grace=1))
    assert asked.failure == "timeout"
    assert asked.error is not None
    assert "said nothing" in asked.error.message
    assert "--idle-timeout" in asked.error.hint


def test_a_call_may_not_last_for_ever(world: World) -> None:
    asked = world.ask([hang()], limits=Limits(idle=20, total=0.8, grace=1))
    assert asked.failure == "timeout"
    assert asked.error is not None
    assert "still running" in asked.error.message


def test_without_a_network_it_does_not_try_for_ever(world: World) -> None:
    """Left to itself, Codex waits for the network without end and says so every few seconds."""

    def unplug(port: int) -> str:
        return f"http://127.0.0.1:{port}/v1"

    real = world.bin / "codex"
    world.program(
        "codex",
        f"""#!/bin/sh
[ "$1" = exec ] || exec {real} "$@"
exec {real} "$@" -c 'model_providers.cto-demo.base_url="{unplug(9)}"'
""",
    )
    asked = world.ask([])
    assert asked.failure == "service_unavailable"
    assert asked.error is not None
    assert "could not reach" in asked.error.message


@pytest.mark.parametrize(
    "model,step",
    [
        ("gpt-5.4", call("exec_command", {"cmd": "ls"})),
        ("gpt-5.4", call("shell", {"command": ["ls"]})),
        ("gpt-5.4", call("web_search", {"query": "x"})),
        (
            "gpt-5.5",
            events(
                CREATED,
                {
                    "type": "response.output_item.done",
                    "item": {
                        "type": "custom_tool_call",
                        "id": "ctc_1",
                        "call_id": "call_x",
                        "name": "apply_patch",
                        "input": "*** Begin Patch\n*** Add File: x\n+hi\n*** End Patch",
                    },
                },
                completed(),
            ),
        ),
    ],
    ids=["exec_command", "shell", "web_search", "apply_patch"],
)
def test_a_tool_call_in_a_sealed_review_spoils_the_answer(world: World, model: str, step: Reply) -> None:
    """Case 32: Codex refuses the call and goes on as if nothing had been."""
    asked = world.ask([step, message('{"verdict": "approve"}')], sealed(model=model))
    assert asked.failure == "tool_call_in_sealed_mode"


def test_a_prompt_that_codex_does_not_take(world: World) -> None:
    asked = world.ask([message("{}")], sealed("x" * 1_048_577))
    assert (asked.failure, asked.requests) == ("input_too_large", [])


def test_no_key_for_the_provider(world: World) -> None:
    asked = world.ask([message("{}")], environ={"CTO_DEMO_KEY": ""})
    assert (asked.failure, asked.requests) == ("not_logged_in", [])
    assert asked.error is not None
    assert "CTO_DEMO_KEY" in asked.error.message


def test_not_logged_in(world: World) -> None:
    """Nothing is started: Codex would ask a server without a key."""
    asked = world.ask_as_configured("")
    assert asked.failure == "not_logged_in"
    assert asked.error is not None
    assert asked.error.message == "Codex is not logged in."
    assert asked.error.hint.startswith("codex login")


def test_a_broken_configuration(world: World) -> None:
    asked = world.ask_as_configured("model = [\n")
    assert asked.failure == "engine_configuration"


def test_not_installed(world: World) -> None:
    asked = world.ask([], environ={"PATH": "/nonexistent:.:"})
    assert asked.failure == "not_installed"
    assert asked.error is not None
    assert asked.error.hint == "npm install -g @openai/codex@latest"


OLD = """#!/bin/sh
if [ "$1" = --version ]; then echo codex-cli 0.42.0; exit 0; fi
cat > /dev/null
{exec}
"""


@pytest.mark.parametrize(
    "behaviour",
    ["echo \"error: unexpected argument '--ignore-rules' found\" >&2; exit 2", "exec sleep 600"],
    ids=["refuses the options", "does not mind them"],
)
def test_too_old(world: World, behaviour: str) -> None:
    """Case 83: whatever it would have done, it is stopped."""
    world.program("codex", OLD.format(exec=behaviour))
    asked = world.ask([])
    assert asked.failure == "too_old"
    assert asked.error is not None
    assert "Codex 0.42.0 is too old" in asked.error.message


def test_a_program_that_is_no_codex(world: World) -> None:
    world.program("codex", "#!/bin/sh\nexit 0\n")
    assert world.ask([]).failure == "too_old"


def test_a_sandbox_that_is_forbidden(world: World) -> None:
    """What a system says that forbids user namespaces. Codex keeps such commands out of its events."""
    real = world.bin / "codex"
    says = "bwrap: setting up uid map: Permission denied"
    world.program("codex", f'#!/bin/sh\n[ "$1" = sandbox ] || exec {real} "$@"\necho "{says}" >&2; exit 1\n')
    asked = world.ask(repeat(hang()), reading(world.root))
    assert asked.failure == "sandbox_broken"
    assert asked.error is not None
    assert says in asked.error.message


def test_a_broken_sandbox(world: World) -> None:
    """The real sandbox, told to hide the program that it is to run."""
    real = world.bin / "codex"
    hide = 'permissions.git-cto={filesystem={":minimal"="read"}}'
    world.program("codex", f'#!/bin/sh\n[ "$1" = exec ] || exec {real} "$@"\nexec {real} "$@" -c \'{hide}\'\n')
    asked = world.ask([call("exec_command", {"cmd": "ls"}), message("{}")], reading(world.root))
    assert asked.failure == "sandbox_broken"
    assert asked.error is not None
    assert "bwrap" in asked.error.message


def test_a_command_that_fails_by_itself_is_no_broken_sandbox(world: World) -> None:
    asked = world.ask([call("exec_command", {"cmd": "cat nothing-here"}), message("{}")], reading(world.root))
    assert asked.answer is not None


# What needs no Codex.


def test_there_is_one_way_to_an_answer() -> None:
    good = Transcript(completed=True, message="{}")
    assert answer_of(good, 0, "", "{}\n", sealed=True) == "{}\n"
    for seen, code, written in (
        (Transcript(message="{}"), 0, "{}"),
        (Transcript(completed=True, message="{}"), 1, "{}"),
        (Transcript(completed=True, message="{}", failed="no"), 0, "{}"),
        (Transcript(completed=True, message="{}"), 0, ""),
        (Transcript(completed=True), 0, "{}"),
        (Transcript(completed=True, message='{"a": 1}'), 0, '{"a": 2}'),
        (Transcript(completed=True, message="{}", tools=["something_new"]), 0, "{}"),
    ):
        with pytest.raises(Exception, match=r"\w"):
            answer_of(seen, code, "", written, sealed=True)


@pytest.mark.parametrize(
    "words,said",
    [
        ("You've hit your usage limit. Try again at 5:12 PM.", "until 17:12"),
        ("You've hit your usage limit. Try again at 12:05 AM.", "until 00:05"),
        ("You've hit your usage limit or try again at Nov 23rd, 2026 9:30 AM.", "until Nov 23rd, 2026, 09:30"),
        ("You've hit your usage limit.", "usage limit is reached"),
    ],
)
def test_when_the_quota_comes_back(words: str, said: str) -> None:
    found = failure_of(Transcript(failed=words), 1, "")
    assert found.failure is Failure.QUOTA
    assert said in found.message


@pytest.mark.parametrize(
    "words,seconds",
    [("50ms", 0.05), ("1.5s", 1.5), ("20s.", 20), ("2m3s", 123), ("1h", 3600), ("3 seconds", 3), ("soon", None)],
)
def test_how_long_to_wait(words: str, seconds: float | None) -> None:
    assert retry_after(Transcript(failed=f"Rate limit reached. Please try again in {words}")) == seconds


def test_somebody_elses_words_are_kept_harmless() -> None:
    words = "\x1b[31mred\r\n::error::\u202e" + "x" * 1000
    found = failure_of(Transcript(failed=words), 1, "").message
    assert found.isprintable()
    assert len(found) < 400


def test_the_last_error_of_stderr_speaks_when_nothing_else_does() -> None:
    assert "what it was" in failure_of(Transcript(), 1, "WARNING: no\nError: what it was\nmore\n").message
    assert "exit code 3" in failure_of(Transcript(), 3, "").message
    assert "signal 9" in failure_of(Transcript(), -9, "").message


@pytest.mark.parametrize("output", ["bwrap: No permissions to create a new namespace", "error applying Landlock rules"])
def test_a_sandbox_is_broken_when_every_command_says_so(output: str) -> None:
    assert command_was_not_run(1, output)
    assert not command_was_not_run(0, output)
    assert not command_was_not_run(1, "No such file")
    broken, fine = Command(exit_code=1, output=output), Command(exit_code=0, output="x")
    seen = Transcript(completed=True, message="{}", commands=[broken, fine])
    assert answer_of(seen, 0, "", "{}", sealed=False) == "{}"
    seen.commands.remove(fine)
    with pytest.raises(Exception, match="sandbox is broken"):
        answer_of(seen, 0, "", "{}", sealed=False)


@pytest.mark.parametrize("version", ["0.168.9", "0.42.0", "", "dev"])
def test_versions_that_will_not_do(version: str) -> None:
    with pytest.raises(Exception, match=r"needs 0\.169\.0"):
        check_version(version)


@pytest.mark.parametrize("version", [".".join(map(str, MINIMUM)), "0.170.0-alpha.3", "1.0.0"])
def test_versions_that_will_do(version: str) -> None:
    check_version(version)
