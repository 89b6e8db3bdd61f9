"""How a fake GitHub answers REST requests: a table of routes, each with the permission that it takes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.forge import judge
from tests.forge.state import (
    Check,
    Environment,
    LineSaid,
    PullState,
    ReviewState,
    Said,
    State,
    Status,
    Token,
    app_id,
    now,
)

Json = Any


@dataclass
class Call:
    """A request, taken apart."""

    state: State
    token: Token
    method: str
    path: str
    query: dict[str, str]
    body: Json
    where: dict[str, str]  # what the path names
    url: str  # of the server

    def number(self, name: str) -> int:
        return int(self.where[name])


@dataclass
class Answer:
    status: int
    body: Json = None
    headers: dict[str, str] | None = None


class RefusalError(Exception):
    """An answer that is no success."""

    def __init__(
        self, status: int, message: str, *, errors: Json = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        body = {"message": message, "documentation_url": "https://docs.github.com/rest", "status": str(status)}
        self.answer = Answer(status, {**body, **({"errors": errors} if errors else {})}, headers)


Handler = Callable[[Call], Answer]
_ROUTES: list[tuple[str, re.Pattern[str], str, Handler]] = []


def route(method: str, path: str, accepted: str = "") -> Callable[[Handler], Handler]:
    """Says what a handler answers. `accepted` is as in GitHub's header `x-accepted-github-permissions`."""

    def add(handler: Handler) -> Handler:
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", f"/repos/{{owner}}/{{repo}}{path}")
        _ROUTES.append((method, re.compile(pattern), accepted, handler))
        return handler

    return add


def answer(state: State, token: Token | None, method: str, path: str, body: bytes, url: str) -> Answer:
    """What the fake answers. Whoever may not is told what it would take, as GitHub does."""
    try:
        call, accepted, handler = _taken_apart(state, token, method, path, url)
        if not call.token.may(accepted):
            return _refused_for_want_of(accepted)
        call.body = json.loads(body) if body else None
        return _whole(handler(call), call)
    except RefusalError as refusal:
        return refusal.answer


def _taken_apart(state: State, token: Token | None, method: str, path: str, url: str) -> tuple[Call, str, Handler]:
    at = urlsplit(path)
    if token is None:
        raise RefusalError(401, "Bad credentials")
    for verb, pattern, accepted, handler in _ROUTES:
        if verb == method and (match := pattern.fullmatch(at.path)):
            where = {name: unquote(value) for name, value in match.groupdict().items()}
            if f"{where['owner']}/{where['repo']}".lower() == state.repository.lower():
                query = {name: values[-1] for name, values in parse_qs(at.query).items()}
                return Call(state, token, method, at.path, query, None, where, url), accepted, handler
    raise RefusalError(404, "Not Found")


def _refused_for_want_of(accepted: str) -> Answer:
    told = {"x-accepted-github-permissions": accepted}
    return RefusalError(403, "Resource not accessible by integration", headers=told).answer


def _whole(told: Answer, call: Call) -> Answer:
    told.body = judge.completed(call.method, call.path, told.status, told.body)
    return told


def _page(call: Call, items: list[Json], within: str = "") -> Answer:
    """One page of a list, with the addresses of the others."""
    size, page = int(call.query.get("per_page", "30")), int(call.query.get("page", "1"))
    size = min(size, 100)
    part = items[(page - 1) * size : page * size]
    links = []
    if page * size < len(items):
        links.append(_link(call, page + 1, "next"))
    if page > 1:
        links.append(_link(call, page - 1, "prev"))
    body = {"total_count": len(items), within: part} if within else part
    return Answer(200, body, {"Link": ", ".join(links)} if links else None)


def _link(call: Call, page: int, rel: str) -> str:
    query = "&".join(f"{name}={value}" for name, value in {**call.query, "page": str(page)}.items())
    return f'<{call.url}{call.path}?{query}>; rel="{rel}"'


def user(login: str) -> Json:
    """`simple-user`."""
    if login == "ghost":
        return None
    return {"login": login, "id": 1000 + sum(login.encode()), "type": "Bot" if login.endswith("[bot]") else "User"}


def _repository(full_name: str) -> Json:
    return {"id": 1 + sum(full_name.encode()), "full_name": full_name, "name": full_name.split("/")[1]}


# ---- pull requests --------------------------------------------------------------------------------------------------

_PULLS_READ = "pull_requests=read"
_PULLS_WRITE = "pull_requests=write"
_TALK_READ = "issues=read; pull_requests=read"
_TALK_WRITE = "issues=write; pull_requests=write"


def _pull(call: Call, name: str = "pull") -> PullState:
    if call.number(name) not in call.state.pulls:
        raise RefusalError(404, "Not Found")
    return call.state.pulls[call.number(name)]


def _shown_pull(state: State, pull: PullState) -> Json:
    head = state.repository if pull.head_repository == "" else pull.head_repository
    return {
        "number": pull.number,
        "title": pull.title,
        "body": pull.body,
        "state": pull.state,
        "draft": pull.draft,
        "user": user(pull.author) or {"login": "ghost", "type": "User"},
        "merged_at": now() if pull.merged else None,
        "labels": [{"id": 1, "name": name, "color": "ededed", "default": False} for name in pull.labels],
        "html_url": f"https://github.com/{state.repository}/pull/{pull.number}",
        "head": {
            "ref": pull.head_ref,
            "sha": pull.head_sha,
            "label": f"x:{pull.head_ref}",
            "repo": _repository(head) if head else None,
        },
        "base": {
            "ref": pull.base_ref,
            "sha": pull.base_sha,
            "label": f"x:{pull.base_ref}",
            "repo": _repository(state.repository),
        },
    }


@route("GET", "/pulls/{pull}", _PULLS_READ)
def get_pull(call: Call) -> Answer:
    pull = _pull(call)
    return Answer(200, {**_shown_pull(call.state, pull), "merged": pull.merged})


@route("GET", "/pulls/{pull}/commits", _PULLS_READ)
def commits_of_pull(call: Call) -> Answer:
    """At most 250 of them, whatever the page; the authors that GitHub knows by their addresses."""
    pull, state = _pull(call), call.state
    listed = pull.commits if pull.commits is not None else [(pull.head_sha, pull.author, pull.author)]
    shown = [
        {"sha": sha, "author": _account(state, author), "committer": _account(state, committer)}
        for sha, author, committer in listed[:250]
    ]
    return _page(call, shown)


def _account(state: State, address: str) -> Json:
    login = state.account(address) if "@" in address else address
    return user(login) if login else None


@route("GET", "/commits/{sha}/pulls", _PULLS_READ)
def pulls_of_commit(call: Call) -> Answer:
    state, sha = call.state, call.where["sha"]
    numbers = [n for n, pull in state.pulls.items() if pull.head_sha == sha or n in state.contains.get(sha, ())]
    return _page(call, [_shown_pull(state, state.pulls[number]) for number in numbers])


@route("PUT", "/pulls/{pull}/merge", "contents=write")
def merge(call: Call) -> Answer:
    pull = _pull(call)
    if pull.state != "open" or pull.draft:
        raise RefusalError(405, "Pull Request is not mergeable")
    if call.body and call.body.get("sha", pull.head_sha) != pull.head_sha:
        raise RefusalError(409, "Head branch was modified. Review and try the merge again.")
    unmet = call.state.unmet(pull)
    if unmet:
        raise RefusalError(405, f'Required status check "{unmet[0]}" is expected.')
    pull.state, pull.merged = "closed", True
    return Answer(200, {"sha": "c" * 40, "merged": True, "message": "Pull Request successfully merged"})


@route("GET", "/collaborators/{login}/permission", "metadata=read")
def permission(call: Call) -> Answer:
    login = call.where["login"]
    if login.endswith("[bot]") or login not in call.state.people:
        raise RefusalError(404, f"{login} is not a user")
    level = call.state.people[login]
    return Answer(200, {"permission": level, "role_name": level, "user": {**user(login)}})


# ---- the conversation -----------------------------------------------------------------------------------------------


def _shown_comment(call: Call, said: Said) -> Json:
    return {
        "id": said.id,
        "body": said.body,
        "user": user(said.login),
        "created_at": said.created,
        "updated_at": said.updated,
        "html_url": f"https://github.com/{call.state.repository}/pull/{said.pull}#issuecomment-{said.id}",
    }


@route("GET", "/issues/{pull}/comments", _TALK_READ)
def comments(call: Call) -> Answer:
    pull, since = _pull(call), call.query.get("since", "")
    found = [c for c in call.state.comments.values() if c.pull == pull.number and c.updated >= since]
    return _page(call, [_shown_comment(call, said) for said in found])


@route("POST", "/issues/{pull}/comments", _TALK_WRITE)
def comment(call: Call) -> Answer:
    said = Said(call.state.next_id(), _pull(call).number, call.token.login, _body(call.body["body"]))
    call.state.comments[said.id] = said
    return Answer(201, _shown_comment(call, said))


@route("PATCH", "/issues/comments/{id}", _TALK_WRITE)
def edit_comment(call: Call) -> Answer:
    said = _said(call)
    said.body, said.updated = _body(call.body["body"]), now()
    return Answer(200, _shown_comment(call, said))


@route("POST", "/issues/comments/{id}/reactions", _TALK_WRITE)
def react(call: Call) -> Answer:
    said, reaction = _said(call), (call.token.login, call.body["content"])
    known = reaction in said.reactions
    if not known:
        said.reactions.append(reaction)
    return Answer(200 if known else 201, {"content": reaction[1], "user": user(reaction[0])})


def _said(call: Call) -> Said:
    if call.number("id") not in call.state.comments:
        raise RefusalError(404, "Not Found")
    return call.state.comments[call.number("id")]


def _body(text: str) -> str:
    if len(text) > 65_536:
        error = {"resource": "IssueComment", "code": "custom", "field": "body", "message": "body is too long"}
        raise RefusalError(422, "Validation Failed", errors=[error])
    return text


@route("POST", "/issues/{pull}/labels", _TALK_WRITE)
def add_labels(call: Call) -> Answer:
    """A label that the repository does not have is made, by who may; whether one has it, case does not matter."""
    pull, known = _pull(call), call.state.labels
    given = call.body["labels"] if isinstance(call.body, dict) else call.body
    new = {name.lower(): name for name in given if name.lower() not in known}
    if new and not call.token.may("issues=write"):  # as measured by others, since 2025; its pages say less
        error = {"resource": "Repository", "field": "label", "code": "unauthorized"}
        raise RefusalError(403, "You do not have permission to create labels on this repository.", errors=[error])
    known.update(new)
    pull.labels += [known[name.lower()] for name in given if known[name.lower()] not in pull.labels]
    return Answer(200, [{"name": name} for name in pull.labels])


@route("DELETE", "/issues/{pull}/labels/{name}", _TALK_WRITE)
def remove_label(call: Call) -> Answer:
    pull = _pull(call)
    left = [name for name in pull.labels if name.lower() != call.where["name"].lower()]
    if left == pull.labels:
        raise RefusalError(404, "Label does not exist")
    pull.labels = left
    return Answer(200, [{"name": name} for name in pull.labels])


# ---- reviews --------------------------------------------------------------------------------------------------------


def _shown_review(review: ReviewState) -> Json:
    return {
        "id": review.id,
        "user": user(review.login),
        "state": review.state,
        "commit_id": review.commit or None,
        "body": review.body,
        "submitted_at": review.submitted,
    }


@route("GET", "/pulls/{pull}/reviews", _PULLS_READ)
def reviews(call: Call) -> Answer:
    number = _pull(call).number
    return _page(call, [_shown_review(review) for review in call.state.reviews if review.pull == number])


@route("POST", "/pulls/{pull}/reviews", _PULLS_WRITE)
def review(call: Call) -> Answer:
    """Posts a review, wholly or not at all."""
    pull, given = _pull(call), call.body
    _body(given.get("body", ""))
    if given.get("event") == "COMMENT" and not given.get("body") and not given.get("comments"):
        raise RefusalError(422, "Unprocessable Entity", errors=["Body cannot be blank"])
    lines = given.get("comments", ())
    for line in lines:
        wanted = range(line.get("start_line", line["line"]), line["line"] + 1)
        if pull.lines is not None and not set(wanted) <= pull.lines.get(line["path"], set()):
            raise RefusalError(422, "Unprocessable Entity", errors=["Line could not be resolved"])
    states = {"COMMENT": "COMMENTED", "APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED"}
    state = states[given["event"]] if "event" in given else "PENDING"
    made = ReviewState(
        call.state.next_id(), pull.number, call.token.login, state, given.get("commit_id", ""), given.get("body", "")
    )
    call.state.reviews.append(made)
    call.state.line_comments += [_line_comment(call, made, line) for line in lines]
    return Answer(200, _shown_review(made))


def _line_comment(call: Call, made: ReviewState, line: Json) -> LineSaid:
    return LineSaid(
        id=call.state.next_id(),
        pull=made.pull,
        review=made.id,
        login=made.login,
        path=line["path"],
        body=_body(line["body"]),
        commit=made.commit,
        line=line["line"],
        side=line.get("side", "RIGHT"),
        start=line.get("start_line"),
    )


# ---- checks ---------------------------------------------------------------------------------------------------------


def _shown_check(call: Call, check: Check) -> Json:
    return {
        "id": check.id,
        "name": check.name,
        "head_sha": check.head,
        "status": check.status,
        "conclusion": check.conclusion,
        "external_id": check.external_id,
        "details_url": check.details_url,
        "html_url": f"https://github.com/{call.state.repository}/runs/{check.id}",
        "app": {"id": app_id(check.app), "slug": check.app, "name": check.app, "owner": user("github")},
        "output": {
            "title": check.title,
            "summary": check.summary,
            "text": check.text,
            "annotations_count": len(check.annotations),
            "annotations_url": f"{call.url}/repos/{call.state.repository}/check-runs/{check.id}/annotations",
        },
    }


@route("GET", "/commits/{sha}/check-runs", "checks=read")
def check_runs(call: Call) -> Answer:
    found = call.state.latest_checks(call.where["sha"])
    if call.query.get("filter") == "all":
        found = [check for check in call.state.checks.values() if check.head == call.where["sha"]]
    name = call.query.get("check_name")
    shown = [_shown_check(call, check) for check in found if name in {None, check.name}]
    return _page(call, shown, "check_runs")


@route("POST", "/check-runs", "checks=write")
def create_check(call: Call) -> Answer:
    if not call.token.app:
        raise RefusalError(403, "You must authenticate via a GitHub App.")
    check = Check(call.state.next_id(), call.body["name"], call.body["head_sha"], call.token.app)
    _update(check, call.body)
    call.state.checks[check.id] = check
    return Answer(201, _shown_check(call, check))


@route("GET", "/check-runs/{id}", "checks=read")
def get_check(call: Call) -> Answer:
    return Answer(200, _shown_check(call, _check(call)))


@route("PATCH", "/check-runs/{id}", "checks=write")
def update_check(call: Call) -> Answer:
    check = _check(call)
    if check.app != call.token.app:
        raise RefusalError(
            403,
            f"Invalid app_id `{app_id(call.token.app)}` - check run can only be modified by the app that made it",
        )
    _update(check, call.body)
    return Answer(200, _shown_check(call, check))


@route("GET", "/check-runs/{id}/annotations", "checks=read")
def list_annotations(call: Call) -> Answer:
    return _page(call, _check(call).annotations)


def _check(call: Call) -> Check:
    if call.number("id") not in call.state.checks:
        raise RefusalError(404, "Not Found")
    return call.state.checks[call.number("id")]


def _update(check: Check, given: Json) -> None:
    status = given.get("status", "completed" if "conclusion" in given else check.status)
    if status == "completed" and not given.get("conclusion"):
        raise RefusalError(422, "Invalid request.\n\nA conclusion is required for a completed check run.")
    check.status, check.conclusion = status, given.get("conclusion")
    check.external_id = given.get("external_id", check.external_id)
    check.details_url = given.get("details_url", check.details_url)
    output = given.get("output", {})
    check.title, check.summary = output.get("title", check.title), output.get("summary", check.summary)
    check.text = output.get("text", check.text)
    check.annotations += output.get("annotations", ())


@route("GET", "/commits/{sha}/status", "statuses=read")
def combined_status(call: Call) -> Answer:
    found = call.state.latest_statuses(call.where["sha"])
    shown = [
        {
            "id": status.id,
            "context": status.context,
            "state": status.state,
            "description": status.description,
            "target_url": "https://ci.example.org/1",
        }
        for status in found
    ]
    told = _page(call, shown, "statuses")
    ends = {status.state for status in found}
    told.body["state"] = "failure" if ends & {"error", "failure"} else "pending" if ends != {"success"} else "success"
    told.body["sha"] = call.where["sha"]
    return told


@route("POST", "/statuses/{sha}", "statuses=write")
def set_status(call: Call) -> Answer:
    status = Status(
        call.state.next_id(),
        call.where["sha"],
        call.body.get("context", "default"),
        call.body["state"],
        call.body.get("description") or "",
    )
    call.state.statuses.append(status)
    return Answer(201, {"id": status.id, "context": status.context, "state": status.state})


# ---- what protects a branch -----------------------------------------------------------------------------------------


@route("GET", "/branches/{branch}", "contents=read")
def branch(call: Call) -> Answer:
    name = call.where["branch"]
    classic = call.state.classic.get(name)
    checks = [{"context": context, "app_id": app} for context, app in classic.checks] if classic else []
    required = {
        "enforcement_level": "non_admins" if classic else "off",
        "contexts": [check["context"] for check in checks],
        "checks": checks,
    }
    ruled = any(rule.branch == name for rule in call.state.rules)
    return Answer(
        200,
        {
            "name": name,
            "protected": classic is not None or ruled,
            "protection": {"enabled": classic is not None, "required_status_checks": required},
        },
    )


@route("GET", "/branches/{branch}/protection", "administration=read")
def protection(call: Call) -> Answer:
    classic = call.state.classic.get(call.where["branch"])
    if classic is None:
        raise RefusalError(404, "Branch not protected")
    return Answer(
        200,
        {
            "enforce_admins": {"enabled": classic.admins_too},
            "required_pull_request_reviews": {"required_approving_review_count": classic.approvals},
        },
    )


@route("GET", "/rules/branches/{branch}", "metadata=read")
def rules(call: Call) -> Answer:
    found = [rule for rule in call.state.rules if rule.branch == call.where["branch"]]
    return _page(
        call,
        [
            {
                "type": rule.type,
                "ruleset_id": rule.ruleset,
                "ruleset_source": call.state.repository,
                "ruleset_source_type": "Repository",
                **({"parameters": rule.parameters} if rule.parameters else {}),
            }
            for rule in found
        ],
    )


@route("GET", "/rulesets/{id}", "administration=read; metadata=read")
def ruleset(call: Call) -> Answer:
    """A ruleset; who may bypass it is shown to those who may edit it."""
    if call.number("id") not in call.state.rulesets:
        raise RefusalError(404, "Not Found")
    shown = dict(call.state.rulesets[call.number("id")])
    if not call.token.may("administration=write"):
        shown.pop("bypass_actors", None)
    return Answer(200, {"id": call.number("id"), "enforcement": "active", **shown})


# ---- environments and secrets ---------------------------------------------------------------------------------------


@route("GET", "", "metadata=read")
def repository(call: Call) -> Answer:
    return Answer(200, {**_repository(call.state.repository), "default_branch": call.state.default_branch})


def _environment(call: Call) -> Environment:
    if call.where["name"] not in call.state.environments:
        raise RefusalError(404, "Not Found")
    return call.state.environments[call.where["name"]]


@route("GET", "/environments/{name}", "actions=read")
def environment(call: Call) -> Answer:
    found = _environment(call)
    several = found.patterns is not None
    limits = {"protected_branches": found.protected, "custom_branch_policies": several}
    rule = {"id": 3, "node_id": "x", "type": "branch_policy"}
    limited = several or found.protected
    return Answer(
        200,
        {
            "name": call.where["name"],
            "protection_rules": [rule] if limited else [],
            "deployment_branch_policy": limits if limited else None,
        },
    )


@route("GET", "/environments/{name}/deployment-branch-policies", "actions=read")
def branch_policies(call: Call) -> Answer:
    shown = [{"id": n, "name": name, "type": kind} for n, (kind, name) in enumerate(_environment(call).patterns or ())]
    return _page(call, shown, "branch_policies")


def _secrets(call: Call, names: list[str]) -> Answer:
    return _page(call, [{"name": name, "created_at": now(), "updated_at": now()} for name in names], "secrets")


@route("GET", "/environments/{name}/secrets", "environments=read")
def environment_secrets(call: Call) -> Answer:
    return _secrets(call, _environment(call).secrets)


@route("GET", "/actions/secrets", "secrets=read")
def repository_secrets(call: Call) -> Answer:
    return _secrets(call, call.state.secrets)


@route("GET", "/actions/organization-secrets", "secrets=read")
def organisation_secrets(call: Call) -> Answer:
    return _secrets(call, call.state.organisation_secrets)
