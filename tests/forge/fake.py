"""A GitHub on loopback, small and stateful. Every request and every answer is held against GitHub's own description.

Tests put a repository into a state (`open_pull`, `say`, `permit`, `require` ...), point the client at `url`, and look
at `state` and `log` afterwards. Whatever was illegal, on either side, fails the test at the end of the `with`.
"""

from __future__ import annotations

import http.server
import json
import re
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Self

from tests.forge import graphql_answers, judge, rest
from tests.forge.state import (
    WORKFLOW,
    Check,
    Classic,
    Entry,
    LineSaid,
    PullState,
    ReviewState,
    Rule,
    Said,
    State,
    Status,
    Token,
    app_id,
)

Json = Any
TOKEN = "ghs_" + "w0rkfl0wT0ken" * 3  # of the workflow


@dataclass
class Fault:
    """What goes wrong with requests that match, `times` times. Status 0 drops the connection, 200 is just `slow`."""

    method: str
    pattern: re.Pattern[str]
    status: int
    times: int
    after: bool = False  # the request takes effect first
    body: Json = None
    headers: dict[str, str] = field(default_factory=dict)
    slow: float = 0.0

    def hits(self, method: str, path: str) -> bool:
        return self.times > 0 and self.method in {method, "*"} and bool(self.pattern.search(path))


class FakeGitHub:
    """A context manager. `prefix` is `/api/v3` on an enterprise server."""

    def __init__(self, repository: str = "octo/app", *, prefix: str = "") -> None:
        self.state = State(repository)
        self.state.tokens[TOKEN] = Token(WORKFLOW)
        self.prefix = prefix
        self.log: list[str] = []  # "POST /repos/octo/app/issues/1/comments", "POST /graphql resolveReviewThread"
        self.headers: list[dict[str, str]] = []  # of each request, lower-case
        self.problems: list[str] = []
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        fake = self

        class Handler(_Handler):
            github = fake

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        if kind is None:
            assert not self.problems, "\n".join(self.problems)

    # -- where it is ---------------------------------------------------------------------------------------------------

    @property
    def server(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def url(self) -> str:
        """What GITHUB_API_URL says."""
        return self.server + self.prefix

    @property
    def graphql_url(self) -> str:
        """What GITHUB_GRAPHQL_URL says."""
        return self.server + self.prefix.removesuffix("/v3") + "/graphql"

    def count(self, pattern: str) -> int:
        """How many requests there were that match, as `"POST .*/comments$"`."""
        return sum(bool(re.search(pattern, line)) for line in self.log)

    # -- what it is like -----------------------------------------------------------------------------------------------

    def token(self, login: str, value: str = "", **permissions: str) -> str:
        """A token of somebody; with permissions (`pull_requests="read"`) it may nothing else."""
        value = value or f"ghs_{len(self.state.tokens):036d}"
        self.state.tokens[value] = Token(login, permissions or None)
        return value

    def permit(self, login: str, permission: str) -> None:
        """What somebody may do here."""
        self.state.people[login] = permission

    def open_pull(self, number: int, head_sha: str, **told: Json) -> PullState:
        """A pull request; `told` are fields of a `PullState`."""
        self.state.pulls[number] = PullState(number, head_sha, **told)
        return self.state.pulls[number]

    def say(self, number: int, login: str, body: str) -> Said:
        """Somebody comments."""
        said = Said(self.state.next_id(), number, login, body)
        self.state.comments[said.id] = said
        return said

    def say_on_line(self, number: int, login: str, path: str, line: int | None, body: str, **told: Json) -> LineSaid:
        """Somebody comments on a line, or answers there (`reply_to`)."""
        said = LineSaid(self.state.next_id(), number, 0, login, path, body, "", line, **told)
        self.state.line_comments.append(said)
        return said

    def review(self, number: int, login: str, state: str, commit: str, body: str = "") -> ReviewState:
        """Somebody reviews: APPROVED, CHANGES_REQUESTED, COMMENTED, DISMISSED."""
        made = ReviewState(self.state.next_id(), number, login, state, commit, body)
        self.state.reviews.append(made)
        return made

    def check(self, head: str, name: str, conclusion: str | None, app: str = "github-actions") -> Check:
        """A check run of another workflow or app; without a conclusion it goes on."""
        status = "completed" if conclusion else "in_progress"
        made = Check(self.state.next_id(), name, head, app, status, conclusion, title=name, summary="")
        self.state.checks[made.id] = made
        return made

    def status(self, sha: str, context: str, state: str) -> None:
        """A commit status."""
        self.state.statuses.append(Status(self.state.next_id(), sha, context, state, "it said so"))

    def require(self, branch: str, check: str, *, app: str = "", ruleset: int = 1, **told: Json) -> None:
        """A ruleset that asks for a check on a branch, pinned to an app or not."""
        pinned = {"integration_id": app_id(app)} if app else {}
        self.rule(
            branch,
            "required_status_checks",
            ruleset=ruleset,
            required_status_checks=[{"context": check, **pinned}],
            strict_required_status_checks_policy=False,
        )
        self.state.rulesets[ruleset] = {"name": "git-cto", **told}

    def rule(self, branch: str, kind: str, *, ruleset: int = 1, **parameters: Json) -> None:
        """Any other rule of a ruleset."""
        self.state.rules.append(Rule(branch, kind, parameters, ruleset))
        self.state.rulesets.setdefault(ruleset, {"name": "rules"})

    def protect(self, branch: str, *checks: tuple[str, int | None], **told: Json) -> None:
        """Classic protection of a branch."""
        self.state.classic[branch] = Classic(list(checks), **told)

    def enqueue(self, branch: str, number: int, base: str, head: str) -> None:
        """A pull request in the merge queue of a branch."""
        self.state.queue.append(Entry(number, branch, base, head))

    def merge(self, number: int) -> str:
        """A person with write access presses the button. What GitHub says against it, empty when it is merged."""
        path = f"/repos/{self.state.repository}/pulls/{number}/merge"
        told = rest.answer(self.state, Token("ada"), "PUT", path, b"{}", self.url)
        return "" if told.status == 200 else str(told.body["message"])

    # -- what goes wrong -----------------------------------------------------------------------------------------------

    def fail(self, method: str, pattern: str, status: int, *, times: int = 1, **told: Json) -> None:
        """Answers matching requests with `status`, `times` times; `told` are fields of a `Fault`."""
        self._faults.append(Fault(method, re.compile(pattern), status, times, **told))

    def forgive(self) -> None:
        """Nothing goes wrong any more."""
        self._faults.clear()

    def drop(self, method: str, pattern: str, *, times: int = 1, after: bool = False) -> None:
        """Ends the connection instead of answering; with `after`, what was asked for has been done."""
        self.fail(method, pattern, 0, times=times, after=after)

    # -- how it answers ------------------------------------------------------------------------------------------------

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> rest.Answer | None:
        """What is answered; None drops the connection."""
        with self._lock:
            self._note(method, path, headers, body)
            fault = next((fault for fault in self._faults if fault.hits(method, path)), None)
            if fault is not None:
                fault.times -= 1
            effective = fault is None or fault.after or fault.status == 200
            told = self._done(method, path, headers, body) if effective else None
        if fault is None:
            return told
        time.sleep(fault.slow)
        if fault.status == 0:
            return None
        message = fault.body if fault.body is not None else {"message": "Something is wrong here"}
        return told if fault.status == 200 and told else rest.Answer(fault.status, message, fault.headers)

    def _note(self, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        word = ""
        if path.endswith("/graphql"):
            named = re.search(r"(?:viewer|reviewThreads|resolveReviewThread|mergeQueue)\b", body.decode())
            word = f" {named[0]}" if named else ""
        self.log.append(f"{method} {path.removeprefix(self.prefix) if not word else '/graphql'}{word}")
        self.headers.append(headers)

    def _done(self, method: str, path: str, headers: dict[str, str], body: bytes) -> rest.Answer:
        scheme, _, value = headers.get("authorization", "").partition(" ")
        token = self.state.tokens.get(value) if scheme.lower() in {"token", "bearer"} else None
        if path == self.graphql_url.removeprefix(self.server):
            if token is None:
                return rest.Answer(401, {"message": "Bad credentials"})
            given = json.loads(body)
            self.problems += judge.illegal_query(given["query"])
            return rest.Answer(200, graphql_answers.answer(self.state, token, given))
        if not path.startswith(f"{self.prefix}/"):
            return rest.Answer(404, {"message": "Not Found"})
        path = path.removeprefix(self.prefix)
        illegal = judge.illegal_request(method, path, body)
        if illegal:
            self.problems += illegal
            return rest.Answer(422, {"message": f"Illegal: {illegal[0]}"})
        told = rest.answer(self.state, token, method, path, body, self.url)
        if told.status < 400:  # refusals have GitHub's words, and descriptions do not list each of them
            self.problems += judge.illegal_answer(method, path, told.status, _bytes(told.body))
        return told


def _bytes(body: Json) -> bytes:
    return b"" if body is None else json.dumps(body).encode()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # 40 ms a request
    github: FakeGitHub

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        told = self.github.answer(self.command, self.path, headers, body)
        if told is None:
            self.close_connection = True
            self.connection.close()
            return
        content = told.body if isinstance(told.body, bytes) else _bytes(told.body)
        self.send_response(told.status)
        for name, value in (told.headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _answer  # noqa: N815 -- names of the standard library

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the name it overrides
        """A test's output is its own."""
