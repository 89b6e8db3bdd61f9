"""The pure parts of the action: inputs, commands, other checks."""

from __future__ import annotations

from typing import Any

import pytest

from git_cto.action.checks import outcomes_of
from git_cto.action.inputs import Job, read_inputs, read_job
from git_cto.action.slash import read_command
from git_cto.errors import UsageError
from git_cto.forge.event import Event
from git_cto.forge.values import CheckState, Comment, User

JOB: dict[str, str] = {
    "GITHUB_EVENT_NAME": "pull_request_target",
    "GITHUB_EVENT_PATH": "/tmp/event.json",
    "GITHUB_REPOSITORY": "octo/app",
    "RUNNER_TEMP": "/tmp/runner",
    "GITHUB_RUN_ID": "77",
    "GITHUB_JOB": "review",
}


def job(**said: str) -> Job:
    return read_job({**JOB, **said})


def inputs(**said: str) -> Any:  # noqa: ANN401 -- every field is looked at
    return read_inputs(
        {"INPUT_GITHUB_TOKEN": "ghs_x", **{f"INPUT_{name.upper()}": text for name, text in said.items()}}
    )


# ---- inputs


def test_what_is_not_given_has_its_default() -> None:
    found = inputs(mode="", jobs="", label="")
    assert (found.mode, found.jobs, found.label, found.pull_request) == ("review", 1, "cto-escalated", None)
    assert (found.openai_api_key, found.signing_key, found.allow_commands) == ("", "", False)


def test_lists_are_read_with_commas_lines_and_at_signs() -> None:
    found = inputs(
        allow_users="@Ada, grace\nlinus", allow_bots="dependabot[bot] renovate", escalate_to="@octo/owners,ada"
    )
    assert found.allow_users == {"ada", "grace", "linus"}
    assert found.allow_bots == {"dependabot", "renovate"}
    assert found.escalate_to == ("octo/owners", "ada")
    assert inputs(ignore_checks="codecov/*\nci / slow, x").ignore_checks == ("codecov/*", "ci / slow", "x")


@pytest.mark.parametrize(
    "said, endpoint, version",
    [
        ("https://api.example.com/v1/responses", "https://api.example.com/v1", ""),
        ("https://api.example.com/v1/responses/", "https://api.example.com/v1", ""),
        (
            "https://x.openai.azure.com/openai/responses?api-version=2025-04-01",
            "https://x.openai.azure.com/openai",
            "2025-04-01",
        ),
        ("http://127.0.0.1:8080/v1/responses", "http://127.0.0.1:8080/v1", ""),
        ("http://localhost:8080/v1", "http://localhost:8080/v1", ""),
    ],
)
def test_an_endpoint_may_end_in_responses_and_name_a_version(said: str, endpoint: str, version: str) -> None:
    found = inputs(responses_api_endpoint=said)
    assert (found.endpoint, found.api_version) == (endpoint, version)


@pytest.mark.parametrize(
    "name, value",
    [
        ("mode", "approve"),
        ("model", "--yes"),
        ("effort", "high; rm"),
        ("timeout", "soon"),
        ("jobs", "0"),
        ("jobs", "17"),
        ("max_cost", "-1"),
        ("max_tokens", "1e9"),
        ("pull_request", "7/../8"),
        ("allow_users", "*"),
        ("allow_bots", "a b; c"),
        ("escalate_to", "<b>"),
        ("label", "x" * 51),
        ("allow_commands", "yes"),
        ("responses_api_endpoint", "http://api.example.com/v1/responses"),
        ("responses_api_endpoint", "https://user:pass@api.example.com/v1"),
        ("responses_api_endpoint", "https://api.example.com/v1?key=abc"),
        ("responses_api_endpoint", "file:///etc/passwd"),
        ("responses_api_endpoint", "https://[api.example.com/v1/responses"),
        ("github_token", ""),
    ],
)
def test_what_an_input_cannot_be_is_refused(name: str, value: str) -> None:
    with pytest.raises(UsageError) as error:
        inputs(**{name: value})
    assert error.value.hint


@pytest.mark.parametrize("name", ["GITHUB_EVENT_NAME", "GITHUB_EVENT_PATH", "GITHUB_REPOSITORY", "RUNNER_TEMP"])
def test_outside_of_a_job_that_is_said(name: str) -> None:
    with pytest.raises(UsageError, match=name):
        job(**{name: ""})


def test_where_a_job_is() -> None:
    found = job(GITHUB_SERVER_URL="https://ghe.example/", GITHUB_RUN_ID="77; rm")
    assert (found.page, found.run_page, found.record) == (
        "https://ghe.example/octo/app",
        "",
        "/tmp/runner/git-cto-record",
    )


# ---- commands


def comment(body: str, *, author: str = "ada", sender: str = "ada", action: str = "created") -> Event:
    return Event(
        kind="comment",
        name="issue_comment",
        repository="octo/app",
        action=action,
        sender=User(sender),
        comment=Comment(1, User(author), body),
    )


@pytest.mark.parametrize(
    "body, verb, reason",
    [
        ("/cto review", "review", ""),
        ("/cto review\r\n", "review", ""),
        ("\n/cto   status  ", "status", ""),
        ("/cto override 9f8e7d6 It is fine.", "override", "9f8e7d6 It is fine."),
        ("/cto continue\nIt is\r\nwanted.\n", "continue", "It is\nwanted."),
        ("/cto override", "override", ""),
    ],
)
def test_a_command_begins_the_comment(body: str, verb: str, reason: str) -> None:
    found = read_command(comment(body))
    assert found is not None
    assert (found.verb, found.reason, found.who.login) == (verb, reason, "ada")


@pytest.mark.parametrize(
    "event",
    [
        comment("/cto"),
        comment("/CTO review"),
        comment(" /cto review"),
        comment("/cto review it"),
        comment("/cto overrides x"),
        comment("/cto\noverride x"),
        comment("> /cto override x"),
        comment("```\n/cto override x\n```"),
        comment("/cto override x", action="edited"),
        comment("/cto override x", sender="mallory"),
    ],
)
def test_everything_else_is_none(event: Event) -> None:
    assert read_command(event) is None


# ---- other checks


def check(name: str, conclusion: str, run: int = 5, **said: str) -> CheckState:
    url = f"https://github.com/octo/app/actions/runs/{run}/job/1"
    return CheckState(name=name, kind="check", conclusion=conclusion, **{"url": url, **said})


def test_only_what_ended_and_says_something_is_an_outcome_and_what_failed_comes_first() -> None:
    checks = [
        check("a", "success"),
        check("b", "failure"),
        check("c", ""),
        check("d", "neutral"),
        check("e", "cancelled"),
        check("f", "timed_out"),
    ]
    found = outcomes_of(checks, job(), ())
    assert [(one.command, one.exit_code) for one in found] == [("check: b", 1), ("check: f", None), ("check: a", 0)]


def test_our_own_checks_and_jobs_are_no_outcome_whatever_the_job_is_called() -> None:
    checks = [
        check("git-cto (main)", "failure", run=76),
        check("A gate by any name", "failure", run=76),  # the job that made it
        check("A gate by any name too", "failure", run=77),  # a job of this run
        check("review", "failure"),  # GITHUB_JOB
        check("git-cto", "failure"),
        check("tests", "failure"),
    ]
    assert [one.command for one in outcomes_of(checks, job(), ())] == ["check: tests"]


def test_names_and_titles_are_one_line_of_plain_text_and_not_too_many() -> None:
    checks = [check(f"{number:03} \x1b[31m\n::error::", "failure", title="x" * 999) for number in range(80)]
    found = outcomes_of(checks, job(), ())
    assert len(found) == 50
    assert found[0].command == "check: 000 [31m : :error::"
    assert len(found[0].output) == 300
