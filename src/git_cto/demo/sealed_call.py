"""One sealed question to the real Codex, with the scripted server in the model's place: what would a model be offered?

Needs no key and no network, touches nothing of the user's own Codex, and takes about a third of a second. What the
request should hold is `agents.sealed`'s business.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from git_cto.agents.base import EngineError, Failure, Limits, Question
from git_cto.agents.codex import Codex
from git_cto.demo.server import KEY_VARIABLE, ModelServer, message

_SCHEMA = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
_LIMITS = Limits(idle=20.0, total=30.0, grace=1.0, rate_limit_tries=1)


def sealed_request(environ: Mapping[str, str], model: str) -> Mapping[str, object]:
    """The body of the request with which Codex would ask `model` a sealed question. Raises `EngineError`."""
    with tempfile.TemporaryDirectory(prefix="git-cto-sealed-", ignore_cleanup_errors=True) as folder:
        home, call = Path(folder, "home"), Path(folder, "call")
        home.mkdir()
        call.mkdir()
        # No proxy among them: the server is on this machine.
        kept = {name: environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in environ}
        own = {"HOME": folder, "CODEX_HOME": str(home), KEY_VARIABLE: "scripted"}
        question = Question(instructions="Answer.", prompt="{}", schema=_SCHEMA, model=model, effort="high")
        with ModelServer([message("{}")]) as server:
            (home / "config.toml").write_text(server.codex_config(), encoding="utf-8")
            Codex({**kept, **own}).ask(question, call, _LIMITS, lambda _: None)
            if not server.requests:
                words = "Codex answered, but did not ask the server that it was configured for."
                raise EngineError(Failure.CONFIG, words, "codex --version")
            return server.requests[0].body
