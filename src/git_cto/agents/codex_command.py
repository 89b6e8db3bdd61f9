"""The command lines of `codex exec`: one for sealed questions, one for questions that may read a repository.

Every switch is here for a measured reason, and the tests look at the request that results. `-c` is used
for features, and not `--disable`: a name that another version of Codex does not know is fatal with the
latter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from git_cto.agents.base import Question
from git_cto.agents.codex_config import UserConfig, toml_value

PROFILE = "git-cto"

# What neither kind of question needs. Some of it runs programs or reaches a network, some of it puts text of
# the repository or of the user's machine before the model, all of it costs tokens in every turn.
_OFF = (
    "apps",
    "browser_use",
    "browser_use_external",
    "computer_use",
    "daemon_auto_start",  # a process that would outlive the call
    "goals",
    "hooks",
    "image_generation",
    "js_repl",
    "memories",
    "multi_agent",
    "multi_agent_v2",
    "plugins",
    "remote_plugin",
    "shell_snapshot",  # hands the variables of the user's shell profile to the model's shell
    "skill_mcp_dependency_install",
    "skill_search",
    "sleep_tool",
    "standalone_web_search",
    "tool_suggest",
    "unbounded_connection_retries",  # without a network it would otherwise try for ever
    "view_image",
)
_OFF_WHEN_SEALED = ("shell_tool", "unified_exec")

_SETTINGS: tuple[tuple[str, object], ...] = (
    ("agents.enabled", False),
    ("analytics.enabled", False),  # the user's own choice is in the file that is not read
    ("approval_policy", "never"),
    ("check_for_update_on_startup", False),
    ("include_environment_context", False),  # paths of the user's machine
    ("include_permissions_instructions", False),
    ("project_doc_max_bytes", 0),  # AGENTS.md
    ("project_root_markers", []),  # nobody looks for a project around the working directory
    ("skills.bundled.enabled", False),
    ("skills.include_instructions", False),
    ("web_search", "disabled"),
)

# Where logins are kept. The model's shell may read, and what it reads may come back in an answer.
_CREDENTIALS = (
    ".aws",
    ".azure",
    ".claude",
    ".claude.json",
    ".config/gcloud",
    ".config/gh",
    ".config/git/credentials",
    ".config/hub",
    ".docker/config.json",
    ".git-credentials",
    ".gnupg",
    ".kube",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".ssh",
)


_LOGIN_FILES = ("auth.json", ".credentials.json", "config.toml")
"""The files of CODEX_HOME that may hold keys."""


@dataclass(frozen=True, kw_only=True)
class CallFiles:
    """The files of one call, in a folder of its own."""

    folder: Path

    @property
    def schema(self) -> Path:
        """The JSON Schema of the answer."""
        return self.folder / "schema.json"

    @property
    def instructions(self) -> Path:
        """The instructions, which take the place of Codex's own."""
        return self.folder / "instructions.md"

    @property
    def answer(self) -> Path:
        """Codex writes the last message here."""
        return self.folder / "answer.txt"

    @property
    def events(self) -> Path:
        """What Codex printed, line by line."""
        return self.folder / "events.jsonl"


def command_line(program: str, question: Question, files: CallFiles, config: UserConfig, home: Path) -> list[str]:
    """The argv of one call; the prompt comes on stdin. No secret is in it.

    `home` is the user's home directory. A sealed question is asked from an empty working directory, which the
    caller provides; another one from `question.directory`, which the model can read and not write.
    """
    argv = [
        program,
        "exec",
        "--json",
        "--ephemeral",  # no session file
        "--ignore-user-config",
        "--ignore-rules",  # a rule of the user's that allows a command lets it out of the sandbox
        "--skip-git-repo-check",
        "--color",
        "never",
        "--output-schema",
        str(files.schema),
        "--output-last-message",
        str(files.answer),
        "--model",
        question.model,
    ]
    if question.directory is None:
        argv += ["--sandbox", "read-only"]
    else:
        argv += ["--cd", str(question.directory.absolute())]
    settings = [*config.arguments(), *_for_all(question, files)]
    if question.directory is None:
        settings += _for_sealed()
    else:
        settings += _for_reading(_hidden(config, home, question.directory))
    return [*argv, *_overrides(settings), "-"]


def sandbox_probe(config: UserConfig, home: Path) -> list[str]:
    """The arguments with which `codex` runs nothing, in the sandbox of questions that read a repository."""
    return ["sandbox", *_overrides(_profile(_hidden(config, home))), "--", "/bin/sh", "-c", ":"]


def _for_all(question: Question, files: CallFiles) -> list[str]:
    own = (("model_reasoning_effort", question.effort), ("model_instructions_file", str(files.instructions)))
    return [*_features(_OFF), *(_setting(key, value) for key, value in (*_SETTINGS, *own))]


def _for_sealed() -> list[str]:
    return [*_features(_OFF_WHEN_SEALED), _setting("shell_environment_policy.inherit", "none")]


def _for_reading(hidden: Iterable[Path]) -> list[str]:
    """A sandbox that reads everything but credentials, and a shell that knows no key.

    No `--sandbox` beside it: that would win over the profile, and with it the credentials could be read
    again.
    """
    # bash reads ~/.bashrc when its input is a socket and SHLVL is low, and zsh always reads .zshenv in
    # ZDOTDIR
    quiet = {"SHLVL": "1", "ZDOTDIR": "/nonexistent"}
    return [
        *_profile(hidden),
        _setting("allow_login_shell", value=False),
        _setting("shell_environment_policy.inherit", "core"),
        _setting("shell_environment_policy.set", quiet),
    ]


def _hidden(config: UserConfig, home: Path, directory: Path | None = None) -> list[Path]:
    """What the model must not read.

    A repository in one of these places (a worktree of Codex's own is in CODEX_HOME) stays readable.
    """
    places = [config.home, *(home / name for name in _CREDENTIALS)]
    if directory is None:
        return places
    inside = directory.resolve()
    hidden = [place for place in places if not inside.is_relative_to(place.resolve())]
    if config.home not in hidden:
        hidden += [config.home / name for name in _LOGIN_FILES]
    return hidden


def _profile(hidden: Iterable[Path]) -> list[str]:
    profile = {"extends": ":read-only", "filesystem": {str(path): "deny" for path in hidden}}
    return [_setting("default_permissions", PROFILE), _setting("permissions", {PROFILE: profile})]


def _overrides(settings: Iterable[str]) -> Iterator[str]:
    for setting in settings:
        yield from ("-c", setting)


def _features(names: Iterable[str]) -> list[str]:
    return [_setting(f"features.{name}", value=False) for name in names]


def _setting(key: str, value: object) -> str:
    return f"{key}={toml_value(value)}"
