"""The policy: what `.cto/config.toml` of the target's tip may say, with its defaults, read strictly.

Pure: from text to values. Where the text comes from (always the target's tip) is the caller's business, and so are
the user's own settings, which may narrow a policy and never widen it.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from git_cto.errors import PolicyError
from git_cto.gate.globs import matches
from git_cto.model import ENGINE_WORD

POLICY_PATH = ".cto/config.toml"
GUIDELINES = (".cto/guidelines.md", "AGENTS.md")

DEFAULT_CONTROL_PATHS = (
    ".github/**",
    ".cto/**",
    ".codex/**",
    ".claude/**",
    ".agents/**",
    ".mcp.json",
    "AGENTS*.md",
    "CLAUDE*.md",
    "GEMINI.md",
    ".cursor/**",
    ".vscode/**",
    ".devcontainer/**",
    ".husky/**",
    ".gitattributes",
    ".gitmodules",
    ".lfsconfig",
    "CODEOWNERS",
)
DEFAULT_SUMMARISED = (
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "Cargo.lock",
    "poetry.lock",
    "uv.lock",
    "pdm.lock",
    "Pipfile.lock",
    "Gemfile.lock",
    "composer.lock",
    "go.sum",
    "flake.lock",
)
LARGEST_REQUEST = 900_000  # bytes; Codex refuses more than 1,048,576 characters

Positive = Annotated[int, Meta(ge=1, le=100)]
EngineWord = Annotated[str, Meta(pattern=ENGINE_WORD)]
Glob = Annotated[str, Meta(pattern="^[^!]")]  # "!" would exclude in a gitignore; it must not pass as a plain pattern


class PlanPolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """`[plan]`: who plans, and how hard."""

    model: EngineWord | None = None
    effort: EngineWord | None = None


class ReviewPolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """`[review]`: who reviews, and what the reviewer gets to read.

    `context` are paths of the target whose text the reviewer gets as well; `suspicious_ok` are globs of files where
    text that speaks to a reviewer is expected (tests of prompts, say).
    """

    model: EngineWord | None = None
    effort: EngineWord | None = None
    allowed_models: tuple[EngineWord, ...] | None = None
    context: tuple[str, ...] = ()
    title_and_body: bool = False
    suspicious_ok: tuple[Glob, ...] = ()


class RoundsPolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """`[rounds]`: after how many verdicts, and how many `revise` in a row, a human is asked."""

    max: Positive = 5
    escalate_after: Positive = 3


class CoveragePolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """`[coverage]`: globs of files that are only counted, of unshowable ones that may pass, the budget in bytes."""

    summarised: tuple[Glob, ...] = DEFAULT_SUMMARISED
    listed_ok: tuple[Glob, ...] = ()
    max_bytes: Annotated[int, Meta(ge=1, le=LARGEST_REQUEST)] = 500_000


class GatePolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """`[gate]`: whose records count, and paths whose change needs a human on top.

    Where signed records count: whether those of the change's own authors open the gate, and how many people have to
    stand behind it. `executor_is_not_reviewer`: who made the model that wrote it may not be who made the reviewer's.
    """

    trust: Literal["local", "signed"] = "local"
    signer_is_not_author: bool = True
    threshold: Annotated[int, Meta(ge=1, le=10)] = 1
    executor_is_not_reviewer: bool = False
    control_paths: tuple[Glob, ...] = DEFAULT_CONTROL_PATHS

    def controls(self, path: str) -> bool:
        """Whether a path is a control path; the policy itself always is, and so is what stands in a folder's place."""
        patterns = (*self.control_paths, ".cto/**")
        return matches(path, patterns) or matches(path + "/", patterns)


class VerifyPolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """`[verify]`: commands that take the place of the plan's, and the time limit of each (and of hooks) in seconds."""

    commands: tuple[str, ...] | None = None
    timeout: Annotated[int, Meta(ge=1, le=86_400)] = 900


class ExecutePolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """`[execute]`: what an executor may use and spend."""

    allowed_tools: tuple[str, ...] | None = None
    model: EngineWord | None = None
    max_cost: Annotated[float, Meta(ge=0, le=1e9)] | None = None


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole policy."""

    plan: PlanPolicy = PlanPolicy()
    review: ReviewPolicy = ReviewPolicy()
    rounds: RoundsPolicy = RoundsPolicy()
    coverage: CoveragePolicy = CoveragePolicy()
    gate: GatePolicy = GatePolicy()
    verify: VerifyPolicy = VerifyPolicy()
    execute: ExecutePolicy = ExecutePolicy()

    @property
    def digest(self) -> str:
        """sha256 over the values, however they were written down."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()


_MEND = "mend it on the target branch"
_ONCE = "write each [section] and each key once: take the # off the lines that git cto init wrote"


def read_policy(text: str | None, where: str) -> Policy:
    """The policy that `text` (TOML) says; defaults where there is none. `where` is for messages, `<target>:<path>`.

    Raises `PolicyError` naming the file, the key, and the nearest known key.
    """
    if text is None:
        return Policy()
    import tomllib  # noqa: PLC0415 -- start-up: only where there is a policy

    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        twice = " twice " in str(error) or "overwrite" in str(error)
        raise PolicyError(f"{where} is not TOML: {error}.", _ONCE if twice else _MEND) from error
    except ValueError as error:  # a number of thousands of digits
        raise PolicyError(f"{where} cannot be read: it has a number that is far too long.", _MEND) from error
    except RecursionError as error:
        raise PolicyError(f"{where} is nested too deeply.", _MEND) from error
    _check_keys(values, where)
    try:
        return msgspec.convert(values, Policy)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$.")
        path = path.rstrip("`")
        raise PolicyError(f"{where}: {path}: {what}.", f"{_MEND}{_by_default(path)}") from error


def _by_default(path: str) -> str:
    """What a key such as `gate.threshold` is where the policy does not say, for a hint; "" where that is no help."""
    section, _, key = path.partition(".")
    default = getattr(getattr(Policy(), section, None), key, None)
    if not isinstance(default, bool | int | str):
        return ""
    return f"; by default it is {key} = {msgspec.json.encode(default).decode()}"  # of these as TOML has them


def _check_keys(values: dict[str, object], where: str) -> None:
    sections: dict[str, tuple[str, ...]] = {
        field.name: tuple(inner.name for inner in msgspec.structs.fields(field.type))
        for field in msgspec.structs.fields(Policy)
    }
    for section, inner in values.items():
        if section not in sections:
            raise _unknown(where, f"[{section}]", section, tuple(sections))
        if not isinstance(inner, dict):
            raise PolicyError(f"{where}: [{section}] must be a table.", f"write [{section}] on a line of its own")
        for key in inner:
            if key not in sections[section]:
                raise _unknown(where, f"[{section}] {key}", key, sections[section])


def _unknown(where: str, what: str, key: str, known: tuple[str, ...]) -> PolicyError:
    import difflib  # noqa: PLC0415 -- start-up

    near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
    return PolicyError(f"{where}: unknown key {what}.", f"did you mean {near[0]}? (known: {', '.join(known)})")
