"""A scripted model server: what the real Codex talks to in the demo and in the tests, instead of a model.

Every answer that it gives was written beforehand; there is no model behind it. It speaks just enough of
OpenAI's Responses API (server-sent events) on a port of 127.0.0.1, never on another address, and it keeps
every request as it came, so that anyone can look up what would have reached a model. What the answers say is
left to the script.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from types import TracebackType
from typing import Literal, Self, cast

Json = Mapping[str, object]

KEY_VARIABLE = "CTO_DEMO_KEY"
"""The environment variable that holds the key of the scripted provider; any value will do."""

PROVIDER = "cto-demo"

_serial = count(1)


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """What a reply claims to have taken, in tokens."""

    input: int = 1200
    cached: int = 0
    output: int = 80
    reasoning: int = 0

    def as_json(self) -> dict[str, object]:
        """The `usage` object of `response.completed`."""
        return {
            "input_tokens": self.input,
            "input_tokens_details": {"cached_tokens": self.cached},
            "output_tokens": self.output,
            "output_tokens_details": {"reasoning_tokens": self.reasoning},
            "total_tokens": self.input + self.output,
        }


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer of the script: an HTTP error (`status` other than 200, `body`), or a stream of `events`.

    `ending` says what follows the last event: `close` ends the connection, `hang` keeps it open and silent
    until the server stops. `delay` (seconds) passes before the first byte.
    """

    events: tuple[Json, ...] = ()
    status: int = 200
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    ending: Literal["close", "hang"] = "close"
    delay: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request as it arrived: header names in lower case, the body decoded. Nothing is masked."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Json
    raw: str = field(repr=False, default="")

    @property
    def items(self) -> list[Json]:
        """The input items: messages, calls, outputs of calls."""
        found = self.body.get("input")
        return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []

    @property
    def instructions(self) -> str:
        """All text that reaches the model as instructions: the base, developer and system messages."""
        base = self.body.get("instructions")
        return "\n".join([base if isinstance(base, str) else "", *self._texts(("developer", "system"))])

    @property
    def user_text(self) -> str:
        """All text that reaches the model as the user's."""
        return "\n".join(self._texts(("user",)))

    @property
    def model(self) -> str:
        """The model that was asked for."""
        return str(self.body.get("model", ""))

    @property
    def schema(self) -> Json | None:
        """The answer's format, `{"type": "json_schema", "strict": ..., "schema": ...}`, if there is one."""
        text = self.body.get("text")
        form = text.get("format") if isinstance(text, Mapping) else None
        return cast("Json", form) if isinstance(form, Mapping) else None

    def outputs(self) -> list[str]:
        """What the tools that were called sent back, oldest first."""
        return [
            output if isinstance(output := item.get("output"), str) else json.dumps(output)
            for item in self.items
            if str(item.get("type", "")).endswith("_call_output")
        ]

    def _texts(self, roles: tuple[str, ...]) -> Iterator[str]:
        for item in self.items:
            if item.get("role") in roles:
                yield from _text_parts(item.get("content"))


Step = Reply | Callable[[Request], Reply]


def message(text: str, *, tokens: Tokens | None = None, delay: float = 0.0, before: Iterable[str] = ()) -> Reply:
    """The model says `text` and is done. `before` holds messages said on the way there."""
    said = [_message_item(words) for words in (*before, text)]
    return Reply(events=(*_opening(), *said, completed(tokens)), delay=delay)


def call(name: str, arguments: Json, *, tokens: Tokens | None = None) -> Reply:
    """The model calls the tool `name`; what came of it is in the next request."""
    item = {
        "type": "function_call",
        "id": f"fc_{next(_serial)}",
        "call_id": f"call_{next(_serial)}",
        "name": name,
        "arguments": json.dumps(arguments),
    }
    return Reply(events=(*_opening(), {"type": "response.output_item.done", "item": item}, completed(tokens)))


def failure(status: int, error: Json | str, *, headers: Mapping[str, str] | None = None) -> Reply:
    """An HTTP error. `error` becomes `{"error": ...}`, or the whole body when it is text."""
    body = error if isinstance(error, str) else json.dumps({"error": error})
    return Reply(status=status, body=body, headers=headers or {})


def refusal(code: str, words: str) -> Reply:
    """A stream that ends in `response.failed`, which is how most limits are reported."""
    response = {"id": f"resp_{next(_serial)}", "status": "failed", "error": {"code": code, "message": words}}
    return Reply(events=(*_opening(), {"type": "response.failed", "response": response}))


def cut(text: str = "") -> Reply:
    """The connection ends before the answer is complete; with `text`, after a whole message."""
    return Reply(events=(*_opening(), *([_message_item(text)] if text else [])))


def hang(*, started: bool = False) -> Reply:
    """Silence: before the first byte, or (`started`) after the first event."""
    return Reply(events=_opening() if started else (), ending="hang")


def events(*stream: Json) -> Reply:
    """Exactly these events and nothing else."""
    return Reply(events=stream)


def completed(tokens: Tokens | None = None) -> dict[str, object]:
    """The event that ends a turn."""
    usage = (tokens or Tokens()).as_json()
    return {"type": "response.completed", "response": {"id": f"resp_{next(_serial)}", "usage": usage}}


class ModelServer:
    """Serves `script` on a free port of 127.0.0.1 while the context lasts. The answers are scripted.

    Each step answers one request: a `Reply`, or a function that makes one of the request. An iterator without
    end (`itertools.repeat`) is fine. When the script has run out, the answer is an HTTP 400 that says so.
    """

    def __init__(self, script: Iterable[Step]) -> None:
        self.requests: list[Request] = []
        self.closing = threading.Event()
        self._steps = iter(script)
        self._lock = threading.Lock()
        self._server = _Loopback(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        return self._server.server_port

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def next_reply(self, request: Request) -> Reply:
        """Records `request` and answers it with the next step of the script."""
        with self._lock:
            self.requests.append(request)
            step = next(self._steps, None)
        if step is None:
            return failure(400, {"code": "script_exhausted", "message": "The scripted model has no more answers."})
        return step if isinstance(step, Reply) else step(request)

    def codex_config(self, *, request_retries: int = 0, stream_retries: int = 0, idle: float | None = None) -> str:
        """The `config.toml` of a CODEX_HOME whose Codex asks this server (key in `KEY_VARIABLE`).

        The retries are Codex's own, of refused requests and of streams that broke; `idle` (seconds) is how
        long it bears silence in a stream.
        """
        lines = [
            f'model_provider = "{PROVIDER}"',
            f"[model_providers.{PROVIDER}]",
            'name = "scripted answers"',
            f'base_url = "http://127.0.0.1:{self.port}/v1"',
            f'env_key = "{KEY_VARIABLE}"',
            'wire_api = "responses"',
            "supports_websockets = false",  # else it tries one first; and what it sends here is plain JSON
            f"request_max_retries = {request_retries}",
            f"stream_max_retries = {stream_retries}",
        ]
        if idle is not None:
            lines.append(f"stream_idle_timeout_ms = {int(idle * 1000)}")
        return "\n".join(lines) + "\n"


class _Loopback(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, owner: ModelServer) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Silent when the client has gone, which is what clients do that are ended."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    server: _Loopback
    timeout = 60
    protocol_version = "HTTP/1.1"  # without it Codex does not understand the 426 below

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the name is the base class's
        """Says nothing; the requests are recorded."""

    def do_POST(self) -> None:
        """Answers one request of the model."""
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding"):
            return self._send(failure(415, {"message": "The scripted model reads plain JSON only."}))
        text = raw.decode("utf-8", "replace")
        try:
            body = json.loads(text)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            return self._send(failure(400, {"message": "The body is not a JSON object."}))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(method="POST", path=self.path, headers=headers, body=body, raw=text)
        return self._send(self.server.owner.next_reply(request))

    def do_GET(self) -> None:
        """Nothing to read here; 426 tells Codex to do without a websocket."""
        self._send(failure(426, {"message": "The scripted model only answers POST."}))

    def _send(self, reply: Reply) -> None:
        closing = self.server.owner.closing
        if reply.delay:
            closing.wait(reply.delay)
        if not reply.events and reply.ending == "hang":
            closing.wait()
            return
        body = reply.body.encode()
        self.close_connection = True
        self.send_response(reply.status)
        self.send_header("Connection", "close")  # which is what ends a stream of events
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.status == 200 and not body:
            self.send_header("Content-Type", "text/event-stream")
        else:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        for event in reply.events:
            self.wfile.write(f"event: {event.get('type')}\ndata: {json.dumps(event)}\n\n".encode())
            self.wfile.flush()
        if reply.ending == "hang":
            closing.wait()


def _opening() -> tuple[Json, ...]:
    return (
        {
            "type": "response.created",
            "response": {"id": f"resp_{next(_serial)}", "created_at": int(time.time())},
        },
    )


def _message_item(text: str) -> Json:
    item = {
        "type": "message",
        "role": "assistant",
        "id": f"msg_{next(_serial)}",
        "content": [{"type": "output_text", "text": text}],
    }
    return {"type": "response.output_item.done", "item": item}


def _text_parts(content: object) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    for part in content if isinstance(content, list) else []:
        if isinstance(part, Mapping) and isinstance(text := part.get("text"), str):
            yield text
