"""What the demo tells: a small repository, an objective, two tasks, and the scripted answers of both agents.

The first version of the work is really wrong in the way that the first review says (and the test suite, which really
runs, says so too); the second mends it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from git_cto.demo.claude_replies import folder_of, prompt_of, says, task_of
from git_cto.demo.server import Tokens, call, message

if TYPE_CHECKING:
    from collections.abc import Callable

    from git_cto.demo.server import Reply, Request

OBJECTIVE = "Add a health check endpoint at /health returning {status: ok}"

BEFORE = {
    "app.py": '''\
"""A tiny service: routes, and who may call them."""

ROUTES = {}


def route(path, login=True):
    """Registers a handler; without a login it answers only where login=False."""

    def register(handler):
        ROUTES[path] = (handler, login)
        return handler

    return register


@route("/version")
def version():
    return {"version": "1.0"}


def get(path, user=None):
    """Answers a request with a status and a body."""
    handler, login = ROUTES.get(path, (None, False))
    if handler is None:
        return 404, {}
    if login and user is None:
        return 401, {}
    return 200, handler()
''',
    "test_app.py": """\
import unittest

from app import get


class Version(unittest.TestCase):
    def test_needs_a_login(self):
        self.assertEqual(get("/version")[0], 401)
""",
}

_ANCHOR = '@route("/version")'
_WRONG = '@route("/health")\ndef health():\n    return {"status": "ok"}\n\n\n'
_RIGHT = _WRONG.replace('"/health")', '"/health", login=False)')
_TEST = """

class Health(unittest.TestCase):
    def test_answers_without_a_login(self):
        self.assertEqual(get("/health"), (200, {"status": "ok"}))
"""

FIRST_TRY = BEFORE["app.py"].replace(_ANCHOR, _WRONG + _ANCHOR)
FIXED = BEFORE["app.py"].replace(_ANCHOR, _RIGHT + _ANCHOR)
_LAST_TEST = '        self.assertEqual(get("/version")[0], 401)\n'

_CRITERIA = {
    "t1": ['GET /health answers 200 with {"status": "ok"}', "GET /health needs no login"],
    "t2": ["The suite calls /health without a user"],
}

PLAN: dict[str, Any] = {
    "phase": "plan",
    "objective": OBJECTIVE,
    "analysis": "app.py registers routes with @route; every route asks for a login unless it says login=False.",
    "strategy": "The API has no liveness route; add one beside /version and cover it.",
    "tasks": [
        {
            "id": "t1",
            "action": "modify_file",
            "target": "app.py",
            "description": "Add GET /health",
            "acceptance_criteria": _CRITERIA["t1"],
            "depends_on": [],
            "context": "Routes are functions under @route(path). Keep /version as it is.",
        },
        {
            "id": "t2",
            "action": "modify_file",
            "target": "test_app.py",
            "description": "Cover the route",
            "acceptance_criteria": _CRITERIA["t2"],
            "depends_on": [],
            "context": "The suite uses unittest and calls get(). Another task adds the route.",
        },
    ],
    "verification": {"commands": ["python3 -m unittest -q"], "expected": "All tests pass."},
}


def _line_of(text: str, words: str) -> int:
    return text[: text.index(words)].count("\n") + 1


def _task(task: str, met: list[bool], feedback: str, evidence: str) -> dict[str, Any]:
    criteria = [
        {"criterion": criterion, "met": one, "evidence": evidence}
        for criterion, one in zip(_CRITERIA[task], met, strict=True)
    ]
    return {"task_id": task, "status": "pass" if all(met) else "fail", "feedback": feedback, "criteria": criteria}


def _review(head: str, **said: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON
    return {
        "phase": "review",
        "head": head,
        "task_reviews": [],
        "findings": [],
        "prior_findings": [],
        "revised_tasks": [],
        "reason": "",
        "injection_suspected": False,
        **said,
    }


def _first_review(head: str, _: str) -> dict[str, Any]:
    line = _line_of(FIRST_TRY, '@route("/health")')
    return _review(
        head,
        verdict="revise",
        summary="The route is there, but it asks for a login.",
        reason="/health goes through the login check, so nobody can probe it.",
        task_reviews=[
            _task("t1", [True, False], f"app.py:{line} needs login=False.", f"app.py:{line}"),
            _task("t2", [True], "", "test_app.py"),
        ],
        findings=[
            {
                "id": "f1",
                "severity": "major",
                "path": "app.py",
                "start_line": line,
                "end_line": line,
                "body": "@route asks for a login unless it is told not to; /health answers 401 to a probe.",
                "suggestion": '@route("/health", login=False)',
            }
        ],
    )


def _second_review(head: str, question: str) -> dict[str, Any]:
    earlier = re.findall(r"^(\d+\.\d+) \[major\]", question, re.MULTILINE)
    line = _line_of(FIXED, '@route("/health", login=False)')
    return _review(
        head,
        verdict="approve",
        summary="The route answers 200 without a login and is covered.",
        task_reviews=[
            _task("t1", [True, True], "", f"app.py:{line}"),
            _task("t2", [True], "", "test_app.py"),
        ],
        prior_findings=[{"id": one, "ruling": "fixed", "note": f"login=False at app.py:{line}"} for one in earlier],
    )


def _answering(answer: Callable[[str, str], dict[str, Any]]) -> Callable[[Request], Reply]:
    """An answer that names the commit of the question, as a review has to."""

    def reply(request: Request) -> Reply:
        question = request.user_text
        found = re.search(r"Review the change of commit ([0-9a-f]{40})", question)
        return message(json.dumps(answer(found[1] if found else "", question)), tokens=Tokens(input=3100, output=420))

    return reply


def codex_script() -> list[Any]:
    """The answers in the order in which Codex will ask: look around, plan, revise, approve."""
    return [
        call("exec_command", {"cmd": "cat app.py test_app.py"}, tokens=Tokens(input=1500, output=40)),
        message(json.dumps(PLAN), tokens=Tokens(input=2200, output=610)),
        _answering(_first_review),
        _answering(_second_review),
    ]


# ---- the executor's part -------------------------------------------------------------------------------------------

_EDITS = {
    ("t1", False): ("app.py", _ANCHOR, _WRONG + _ANCHOR, "Added GET /health beside /version."),
    ("t1", True): ("app.py", '@route("/health")', '@route("/health", login=False)', "/health needs no login any more."),
    ("t2", False): ("test_app.py", _LAST_TEST, _LAST_TEST + _TEST, "The suite calls /health without a user."),
}


def claude_reply(request: Request) -> Reply:
    """What Claude Code's model says next: read the file, edit it, say what was done. By what it is asked, not when."""
    said = prompt_of(request)
    name, old, new, closing = _EDITS[task_of(request), "<<<FEEDBACK" in said]
    path = f"{folder_of(request)}/{name}"
    turns = (
        says("Let me look.", ("Read", {"file_path": path})),
        says("Now the change.", ("Edit", {"file_path": path, "old_string": old, "new_string": new})),
    )
    done = said.count('"tool_result"')
    return turns[done] if done < len(turns) else says(closing)
