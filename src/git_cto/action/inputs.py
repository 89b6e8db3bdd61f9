"""What a job gives us: the action's inputs, where the runner says that we are, and the event. Read strictly.

Nobody else in the package looks at the environment; what an input means for a decision is said where it is decided.
"""

from __future__ import annotations

import os
import re
from functools import partial
from typing import TYPE_CHECKING, Literal, cast, get_args
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct

from git_cto import RELEASE
from git_cto.errors import ToolError, UsageError
from git_cto.forge.event import MAX_PAYLOAD, parse_event
from git_cto.model import ENGINE_WORD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from git_cto.forge.event import Event

Mode = Literal["review", "gate", "run"]

LABEL = "cto-escalated"
_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}(\[bot\])?", re.ASCII)
_ASKED = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}(/[A-Za-z0-9][A-Za-z0-9_.-]{0,99})?", re.ASCII)


class Inputs(Struct, frozen=True, kw_only=True):
    """The inputs of `action.yml`, under their names. "" or None is what was not given."""

    mode: Mode
    github_token: str
    openai_api_key: str = ""
    anthropic_api_key: str = ""
    signing_key: str = ""
    endpoint: str = ""  # base address of the Responses API, without `/responses`
    api_version: str = ""
    model: str | None = None
    effort: str | None = None
    timeout: float | None = None
    allow_users: frozenset[str] = frozenset()
    allow_bots: frozenset[str] = frozenset()
    escalate_to: tuple[str, ...] = ()
    ignore_checks: tuple[str, ...] = ()  # globs
    label: str = LABEL
    pull_request: int | None = None
    objective: str = ""
    run: str | None = None
    base: str | None = None
    jobs: int = 1
    max_cost: float | None = None
    max_tokens: int | None = None
    allow_commands: bool = False


class Job(Struct, frozen=True, kw_only=True):
    """Where the runner says that this job is: the event, the repository, the run, and folders to write in."""

    event_name: str
    event_path: str
    repository: str  # owner/name
    server: str
    api: str
    graphql: str
    run_id: str
    again: bool  # somebody had this run of the workflow done again
    job_id: str
    temp: str
    record: str  # the folder that is kept as an artifact
    artifact: str  # how it is called

    @property
    def page(self) -> str:
        """The repository's page."""
        return f"{self.server}/{self.repository}"

    @property
    def run_page(self) -> str:
        """The page of this run of the workflow, "" where there is none."""
        return f"{self.page}/actions/runs/{self.run_id}" if self.run_id else ""

    @property
    def pace(self) -> float:
        """Seconds between two writes: what GitHub asks for. A server on this very machine asks for none."""
        return 0.0 if urlsplit(self.api).hostname in {"127.0.0.1", "localhost"} else 1.0


def read_job(environ: Mapping[str, str]) -> Job:
    """What the runner says. Raises `UsageError` outside of a job."""
    needed = ("GITHUB_EVENT_NAME", "GITHUB_EVENT_PATH", "GITHUB_REPOSITORY", "RUNNER_TEMP")
    missing = [name for name in needed if not environ.get(name)]
    if missing:
        raise UsageError(
            f"This is for jobs of GitHub Actions: {missing[0]} is not set.", f"uses: {RELEASE}, in a workflow"
        )
    run_id = environ.get("GITHUB_RUN_ID", "")
    temp = environ["RUNNER_TEMP"]
    return Job(
        event_name=environ["GITHUB_EVENT_NAME"],
        event_path=environ["GITHUB_EVENT_PATH"],
        repository=environ["GITHUB_REPOSITORY"],
        server=environ.get("GITHUB_SERVER_URL", "https://github.com").rstrip("/"),
        api=environ.get("GITHUB_API_URL", "https://api.github.com").rstrip("/"),
        graphql=environ.get("GITHUB_GRAPHQL_URL", ""),
        run_id=run_id if run_id.isdigit() else "",
        again=environ.get("GITHUB_RUN_ATTEMPT", "") not in {"", "1"},
        job_id=environ.get("GITHUB_JOB", ""),
        temp=temp,
        record=environ.get("GIT_CTO_RECORD") or os.path.join(temp, "git-cto-record"),
        artifact=environ.get("GIT_CTO_ARTIFACT", ""),
    )


def read_event(job: Job) -> Event:
    """The event of this job. Raises `ToolError` where it cannot be read."""
    try:
        with open(job.event_path, "rb") as file:
            payload = file.read(MAX_PAYLOAD + 1)
    except OSError as error:
        raise ToolError(f"The event of this job cannot be read: {error.strerror}.", "run the job again") from error
    return parse_event(job.event_name, payload, repository=job.repository)


def token_and_mode(environ: Mapping[str, str]) -> tuple[str, str]:
    """Two inputs as they were given, for whoever has to say that the inputs are wrong."""
    return _said(environ, "github-token"), _said(environ, "mode")


def _said(environ: Mapping[str, str], name: str) -> str:
    return environ.get(f"INPUT_{name.upper().replace('-', '_')}", "").strip()


def read_inputs(environ: Mapping[str, str]) -> Inputs:
    """The inputs. Raises `UsageError` for what an input cannot be; no secret is part of its message."""
    said = partial(_said, environ)
    mode = said("mode") or "review"
    if mode not in get_args(Mode):
        raise _wrong("mode", mode, "review, gate or run")
    if not said("github-token"):
        raise UsageError("There is no github-token.", "leave the input out: its default is the job's own token")
    endpoint, version = _endpoint(said("responses-api-endpoint"))
    return Inputs(
        mode=cast("Mode", mode),
        github_token=said("github-token"),
        openai_api_key=said("openai-api-key"),
        anthropic_api_key=said("anthropic-api-key"),
        signing_key=environ.get("INPUT_SIGNING_KEY", "").strip() and environ["INPUT_SIGNING_KEY"],
        endpoint=endpoint,
        api_version=version,
        model=_word("model", said("model")),
        effort=_word("effort", said("effort")),
        timeout=_number("timeout", said("timeout")),
        allow_users=_logins("allow-users", said("allow-users")),
        allow_bots=frozenset(one.removesuffix("[bot]") for one in _logins("allow-bots", said("allow-bots"))),
        escalate_to=_asked(said("escalate-to")),
        ignore_checks=tuple(one.strip() for one in re.split(r"[\n,]", said("ignore-checks")) if one.strip()),
        label=_label(said("label")),
        pull_request=_count("pull-request", said("pull-request")),
        objective=said("objective"),
        run=said("run") or None,
        base=said("base") or None,
        jobs=_count("jobs", said("jobs"), most=16) or 1,
        max_cost=_number("max-cost", said("max-cost")),
        max_tokens=_count("max-tokens", said("max-tokens")),
        allow_commands=_yes("allow-commands", said("allow-commands")),
    )


def _wrong(name: str, value: str, instead: str) -> UsageError:
    return UsageError(f"The input {name} cannot be {value[:80]!r}.", f"{name}: {instead}", code="input")


def _word(name: str, value: str) -> str | None:
    if value and not re.match(ENGINE_WORD, value):
        raise _wrong(name, value, "one word, as the engine knows it")
    return value or None


def _number(name: str, value: str) -> float | None:
    if not value:
        return None
    if not re.fullmatch(r"\d{1,9}(\.\d{1,6})?", value, re.ASCII):
        raise _wrong(name, value, "a number")
    return float(value)


def _count(name: str, value: str, most: int = 10**12) -> int | None:
    if not value:
        return None
    if not re.fullmatch(r"\d{1,12}", value, re.ASCII) or not 0 < int(value) <= most:
        raise _wrong(name, value, "a whole number above 0" + (f", {most} at most" if most < 100 else ""))
    return int(value)


def _yes(name: str, value: str) -> bool:
    if value.lower() not in {"", "true", "false"}:
        raise _wrong(name, value, "true or false")
    return value.lower() == "true"


def _logins(name: str, value: str) -> frozenset[str]:
    """Logins, compared without regard to case. `*` is none of them: who may ask is said by name."""
    found = [one.removeprefix("@") for one in re.split(r"[\s,]+", value) if one]
    wrong = next((one for one in found if not _LOGIN.fullmatch(one)), None)
    if wrong is not None:
        raise _wrong(name, wrong, "logins, with commas between them")
    return frozenset(one.lower() for one in found)


def _asked(value: str) -> tuple[str, ...]:
    found = [one.removeprefix("@") for one in re.split(r"[\s,]+", value) if one]
    wrong = next((one for one in found if not _ASKED.fullmatch(one)), None)
    if wrong is not None:
        raise _wrong("escalate-to", wrong, "logins or org/team, with commas between them")
    return tuple(dict.fromkeys(found))


def _label(value: str) -> str:
    if len(value) > 50 or not value.isprintable():
        raise _wrong("label", value, "at most 50 characters")
    return value or LABEL


def _endpoint(value: str) -> tuple[str, str]:
    """Base address and api-version of what ends in `/responses`."""
    if not value:
        return "", ""
    wrong = UsageError(
        "The input responses-api-endpoint is no address of a Responses API.",
        "responses-api-endpoint: https://HOST/v1/responses (a key goes into openai-api-key)",
        code="input",
    )
    try:
        parts = urlsplit(value)
    except ValueError:  # brackets that are no address
        raise wrong from None
    query = dict(parse_qsl(parts.query))
    # The key goes there: in the clear to this very machine only.
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost", "::1"})
    fine = safe and parts.hostname and "@" not in parts.netloc and not parts.fragment
    if not fine or query.keys() - {"api-version"}:
        raise wrong
    path = parts.path.rstrip("/").removesuffix("/responses")
    return f"{parts.scheme}://{parts.netloc}{path}", query.get("api-version", "")
