"""GitHub as somebody else built it: `emulate` from npm, on loopback, with a repository, its owner and a GitHub App.

It has App tokens, comments, labels, check runs and protection that really blocks a merge. It has no GraphQL, no
rulesets and no commit statuses; for those, and for what goes wrong, there is `fake`.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any, Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from github import Auth, Github, GithubIntegration
from github.GithubException import GithubException

Json = Any

HERE = Path(__file__).parent
PROGRAM = HERE.parent.parent / "node_modules/emulate/dist/index.js"
APP, INSTALLATION = 12345, 100
_TRIES = 3  # to get a port
BOT = "git-cto[bot]"


class Emulated:
    """A context manager. `ada` owns `ada/app`; `eve` is just a user."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repository = "ada/app"
        self.port = 0
        key = rsa.generate_private_key(65537, 2048)
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
        self.key = key.private_bytes(encoding, form, serialization.NoEncryption()).decode()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        if not any(self._started() for _ in range(_TRIES)):
            raise AssertionError(f"emulate did not start: {(self.folder / 'log').read_text()}")
        return self

    def _started(self) -> bool:
        """Whether it runs, on a port that was free a moment ago: somebody else may have taken it since."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        seed = self.folder / "seed.json"
        seed.write_text(json.dumps(self._seed()))
        told = ["--service", "github", "--port", str(self.port), "--base-url", self.url, "--seed", str(seed)]
        argv = ["node", "--require", str(HERE / "loopback.cjs"), str(PROGRAM), "start", *told]
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(argv, stdout=log, stderr=subprocess.STDOUT, cwd=self.folder)
        return self._is_ready()

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _is_ready(self) -> bool:
        end = time.monotonic() + 30
        while time.monotonic() < end and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/zen", timeout=5):
                    return self._process.poll() is None
            except OSError:
                time.sleep(0.02)
        self.__exit__()
        return False

    def _seed(self) -> Json:
        app = {
            "app_id": APP,
            "slug": BOT.removesuffix("[bot]"),
            "name": "git-cto",
            "private_key": self.key,
            "permissions": dict.fromkeys(("contents", "issues", "pull_requests", "checks"), "write"),
            "events": [],
            "installations": [{"installation_id": INSTALLATION, "account": "ada", "repository_selection": "all"}],
        }
        return {
            "tokens": {"ada-token": {"login": "ada", "scopes": ["repo"]}, "eve-token": {"login": "eve", "scopes": []}},
            "github": {
                "users": [{"login": "ada"}, {"login": "eve"}],
                "repos": [{"owner": "ada", "name": "app", "auto_init": True}],
                "apps": [app],
            },
        }

    # -- what people and the App do ------------------------------------------------------------------------------------

    def app_token(self, **permissions: str) -> str:
        """A token of the App's installation, with these permissions and no others."""
        app = GithubIntegration(auth=Auth.AppAuth(APP, self.key), base_url=self.url)
        return app.get_access_token(INSTALLATION, permissions=permissions).token

    def ask(self, method: str, path: str, body: Json = None, *, token: str = "ada-token") -> Json:
        """A request by a person, and what was answered."""
        github = Github(
            auth=Auth.Token(token), base_url=self.url, retry=None, seconds_between_requests=0, seconds_between_writes=0
        )
        return github.requester.requestJsonAndCheck(method, f"/repos/{self.repository}{path}", input=body)[1]

    def open_pull(self, branch: str = "change") -> int:
        """A pull request of one new file."""
        main = self.ask("GET", "/git/ref/heads/main")["object"]["sha"]
        self.ask("POST", "/git/refs", {"ref": f"refs/heads/{branch}", "sha": main})
        file = {"message": "Say hello", "content": "aGVsbG8K", "branch": branch}
        self.ask("PUT", f"/contents/{branch}.txt", file)
        pull = self.ask("POST", "/pulls", {"title": "Say hello", "head": branch, "base": "main"})
        return int(pull["number"])

    def require(self, check: str) -> None:
        """Protects main: nobody merges without this check."""
        self.ask(
            "PUT",
            "/branches/main/protection",
            {
                "required_status_checks": {"strict": False, "contexts": [check]},
                "enforce_admins": True,
                "required_pull_request_reviews": None,
                "restrictions": None,
            },
        )

    def merge(self, number: int) -> bool:
        """Whether the owner can merge it; if not, a required check must be the reason."""
        try:
            return bool(self.ask("PUT", f"/pulls/{number}/merge", {})["merged"])
        except GithubException as error:
            if "Required status checks have not succeeded" in str(error):
                return False
            raise
