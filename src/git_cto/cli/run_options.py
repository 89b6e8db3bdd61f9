"""The options of `git cto run`, as one value."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from git_cto.errors import UsageError, typed

if TYPE_CHECKING:
    from git_cto.cli.shell import Shell


_OF_ONE_CALL = frozenset({"objective", "file", "resume", "base", "events"})  # a run remembers its base
_USUAL = {"jobs": (1,), "executor": ("claude",)}
_NAMES = {"program": "command"}


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the verb, as click gives them."""

    objective: str | None
    file: str | None
    resume: str | None
    base: str | None
    jobs: int
    executor: str
    program: str | None
    executor_model: str | None
    fallback_model: str | None
    executor_effort: str | None
    allowed_tools: str | None
    task_cost: float | None
    allow_commands: bool
    no_verify: bool
    max_tokens: int | None
    max_cost: float | None
    model: str | None
    effort: str | None
    timeout: float | None
    idle_timeout: float | None
    events: bool
    sign: bool | None

    def again(self, run: str, **instead: object) -> str:
        """The command that goes on with a run as this one was called: the same people, with the same limits.

        `instead` are options that are to be other ones.
        """
        words = [f"git cto run --resume {typed(run)}"]
        for field in fields(self):
            said = instead.get(field.name, getattr(self, field.name))
            if field.name in _OF_ONE_CALL or said in _USUAL.get(field.name, (None, False)):
                continue
            name = "--" + _NAMES.get(field.name, field.name).replace("_", "-")
            words.append(name if said is True else f"{name} {typed(str(said))}")
        return " ".join(words)

    def check(self, shell: Shell) -> None:
        """Refuses what contradicts itself."""
        if self.events and shell.json:
            raise UsageError("--events ends with the document of --json.", "leave --json out")
        if self.resume is None and self.objective is None and self.file is None:
            raise UsageError("What should be reached?", 'git cto run "OBJECTIVE", or git cto run --resume')
        if self.resume is not None and (self.objective is not None or self.file is not None):
            raise UsageError("A run that is resumed has its objective.", "git cto run --resume [RUN]")
        if (self.executor == "command") != (self.program is not None):
            raise UsageError("--executor command and --command go together.", 'add --executor command --command "CMD"')
