"""A git server on loopback: git's own `http-backend` behind the standard library's HTTP server.

Serves every bare repository in a folder for fetch and push, after a token where one is set.
"""

from __future__ import annotations

import base64
import http.server
import os
import subprocess
import threading
from functools import cache
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path

USER = "x-access-token"  # what GitHub calls the user of a token


class GitServer:
    """Serves the bare repositories in `root`; a context manager.

    With a `token`, a client has to give it as the password of `x-access-token`. `status`, when set, is answered to
    every request from then on (403, 500, ...).
    """

    def __init__(self, root: Path, *, token: str = "") -> None:
        self.root = root
        self.token = token
        self.status = 0
        self.requests: list[str] = []  # "GET /repo.git/info/refs?service=git-upload-pack"
        self.sent = 0  # bytes of content that clients got
        server = self

        class Handler(_Handler):
            git_server = server

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    def url(self, name: str, *, with_token: bool = False) -> str:
        """The address of the repository `name` (`<root>/<name>`)."""
        login = f"{USER}:{self.token}@" if with_token else ""
        return f"http://{login}127.0.0.1:{self.port}/{name}"

    def answer(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """What git answers to a request: status, headers, content."""
        self.requests.append(f"{method} {path}")
        if self.token and headers.get("authorization") != self._authorization():
            return 401, [("WWW-Authenticate", 'Basic realm="git"')], b""
        if self.status:
            return self.status, [], b""
        done = subprocess.run(
            [_backend()], input=body, env=self._cgi(method, path, headers, len(body)), capture_output=True, check=False
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        said = [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n") if ": " in line]
        status = next((int(value.split()[0]) for name, value in said if name == "Status"), 200)
        self.sent += len(content)
        return status, [(name, value) for name, value in said if name not in {"Status", "Content-Length"}], content

    def _authorization(self) -> str:
        return "Basic " + base64.b64encode(f"{USER}:{self.token}".encode()).decode()

    def _cgi(self, method: str, path: str, headers: dict[str, str], length: int) -> dict[str, str]:
        where, _, query = path.partition("?")
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_PROTOCOL": headers.get("git-protocol", ""),
            "GATEWAY_INTERFACE": "CGI/1.1",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REQUEST_METHOD": method,
            "PATH_INFO": where,
            "QUERY_STRING": query,
            "CONTENT_TYPE": headers.get("content-type", ""),
            "CONTENT_LENGTH": str(length),
            "HTTP_CONTENT_ENCODING": headers.get("content-encoding", ""),
            "REMOTE_ADDR": "127.0.0.1",
            "REMOTE_USER": USER,  # whoever is known may push
        }


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    git_server: GitServer

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        chunked = self.headers.get("Transfer-Encoding", "").lower() == "chunked"
        self._answer(self._chunks() if chunked else self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, body: bytes) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        status, said, content = self.git_server.answer(self.command, self.path, headers, body)
        self.send_response(status)
        for name, value in said:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the name it overrides
        """A test's output is its own."""


def refuse_pushes(repository: Path, message: str) -> None:
    """Puts a pre-receive hook into a bare repository that refuses everything and says why."""
    hook = repository / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\necho '{message}' >&2\nexit 1\n")
    hook.chmod(0o755)


@cache
def _backend() -> str:
    exec_path = subprocess.run(["git", "--exec-path"], capture_output=True, check=True, text=True).stdout.strip()
    return f"{exec_path}/git-http-backend"
