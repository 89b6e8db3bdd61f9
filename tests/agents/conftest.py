"""A sealed world for the engines: the real Codex, a home of its own, and a scripted model on loopback."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from git_cto.agents.base import Activity, Answer, EngineError, Limits, Question
from git_cto.agents.codex import Codex
from git_cto.demo.server import KEY_VARIABLE, ModelServer, Request, Step
from tests.world import agents_folder

KEY = "sk-demo-0123456789abcdef"
STRICT_SCHEMA: Mapping[str, object] = {
    "type": "object",
    "properties": {"verdict": {"type": "string"}},
    "required": ["verdict"],
    "additionalProperties": False,
}
QUICK = Limits(idle=20, total=30, grace=1, rate_limit_tries=3, rate_limit_wait=0.1)


@pytest.fixture(scope="session")
def codex_bin() -> Path:
    """The directory of the real `codex`."""
    if (agents_folder() / "codex").exists():
        return agents_folder()
    found = shutil.which("codex")
    if found is None:
        pytest.fail("the tests run the real Codex: npm ci")
    return Path(found).parent


@dataclass
class Asked:
    """One call that was made: what came of it, what reached the model, what was shown meanwhile."""

    answer: Answer | None = None
    error: EngineError | None = None
    requests: list[Request] = field(default_factory=list)
    shown: list[Activity] = field(default_factory=list)

    @property
    def failure(self) -> str:
        assert self.error is not None, f"answered: {self.answer}"
        return self.error.failure.value


@dataclass
class World:
    """A user's machine: their home, their PATH, their Codex; and nothing of the developer's own."""

    root: Path
    bin: Path

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def codex_home(self) -> Path:
        return self.home / ".codex"

    @property
    def folder(self) -> Path:
        """The call's own folder."""
        return self.root / "call"

    def environ(self, **more: str) -> dict[str, str]:
        path = f"{self.root / 'bin'}:{self.bin}:/usr/local/bin:/usr/bin:/bin"
        return {"PATH": path, "HOME": str(self.home), "LANG": "C.UTF-8", "TZ": "UTC", KEY_VARIABLE: KEY, **more}

    def program(self, name: str, text: str) -> Path:
        """A script of this text, before everything else on the PATH."""
        path = self.root / "bin" / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def configure(self, text: str) -> None:
        (self.codex_home / "config.toml").write_text(text)

    def ask(
        self,
        script: Iterable[Step],
        question: Question | None = None,
        *,
        limits: Limits = QUICK,
        stream_retries: int = 0,
        environ: Mapping[str, str] | None = None,
    ) -> Asked:
        """Asks the real Codex, whose model says what `script` says."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        with ModelServer(script) as server:
            self.configure(server.codex_config(stream_retries=stream_retries))
            asked = self._ask(question or sealed(), limits, environ or {})
            asked.requests = server.requests
        return asked

    def ask_as_configured(self, config: str) -> Asked:
        """Asks a Codex with this `config.toml`; there is no model."""
        self.configure(config)
        return self._ask(sealed(), QUICK, {})

    def _ask(self, question: Question, limits: Limits, environ: Mapping[str, str]) -> Asked:
        asked = Asked()
        try:
            codex = Codex(self.environ(**environ))
            asked.answer = codex.ask(question, self.folder, limits, asked.shown.append)
        except EngineError as error:
            asked.error = error
        return asked


@pytest.fixture
def world(tmp_path: Path, codex_bin: Path) -> World:
    """A fresh machine with the real Codex, configured by `ask`."""
    made = World(root=tmp_path, bin=codex_bin)
    made.codex_home.mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    made.folder.mkdir()
    return made


def sealed(prompt: str = "Judge this.", *, model: str = "gpt-5.4") -> Question:
    """A review's question."""
    return Question(
        instructions="You are the reviewer.",
        prompt=prompt,
        schema=STRICT_SCHEMA,
        model=model,
        effort="high",
    )


def reading(directory: Path, *, model: str = "gpt-5.4") -> Question:
    """A plan's question."""
    return Question(
        instructions="You are the planner.",
        prompt="Plan this.",
        schema=STRICT_SCHEMA,
        model=model,
        effort="high",
        directory=directory,
    )


def processes_with(word: str) -> list[str]:
    """The command lines of all living processes that hold `word`."""
    command = ["ps", "-A", "-ww", "-o", "stat=,args="]  # without -ww it cuts lines to COLUMNS, and nothing is found
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if word in line and not line.startswith("Z")]


def python_script(text: str) -> str:
    """A program in Python."""
    return f"#!{sys.executable}\n{text}\n"
