"""What `git cto init` writes as `.cto/config.toml`: every key of the policy, commented out, with its default.

Keys and defaults come from `gate.policy`; here are only the words about them. Pure.
"""

from __future__ import annotations

import textwrap
from typing import Any

import msgspec

from git_cto.agents.codex_config import toml_value
from git_cto.gate.policy import LARGEST_REQUEST, Policy
from git_cto.work import composing, planning

WIDTH = 100
_HEAD = """\
# The policy of git-cto. It is read from the tip of the branch that a change is meant for, so what stands here
# counts once it is committed there. Every key has its default; take the first # off a line to change one.
"""
_NO_DEFAULT = " (No default: this is an example.)"

SECTIONS = {
    "plan": "How Codex is asked for a plan.",
    "review": "How Codex is asked for a review.",
    "rounds": "When a human is asked.",
    "coverage": "What of a change the reviewer has to see.",
    "gate": "What opens the gate.",
    "verify": "The commands of git cto review --verify.",
    "execute": "What an executor of tasks may do.",
}
_MODEL = "Model; --model and git config cto.{}.model come before it, Codex's own configuration after it."
WORDS = {
    ("plan", "model"): _MODEL.format("plan"),
    ("plan", "effort"): "Reasoning effort.",
    ("review", "model"): _MODEL.format("review"),
    ("review", "effort"): "Reasoning effort.",
    ("review", "allowed_models"): "Only these models may review, and only their approvals count.",
    ("review", "context"): "Paths whose text, as of the target, the reviewer gets as well.",
    ("review", "title_and_body"): "Whether commit messages go to the reviewer where there is no plan; they are claims.",
    ("review", "suspicious_ok"): "Globs of files in which text that speaks to a reviewer is expected.",
    ("rounds", "max"): "Verdicts before a human is asked.",
    ("rounds", "escalate_after"): "Times revise in a row before a human is asked.",
    ("coverage", "summarised"): "Globs of files that are counted and digested instead of shown.",
    (
        "coverage",
        "listed_ok",
    ): "Globs of files that cannot be shown (binaries, submodules, links) and may pass all the same.",
    ("coverage", "max_bytes"): f"Bytes of patch and content that a reviewer is shown, at most {LARGEST_REQUEST}.",
    ("gate", "trust"): (
        '"local": records count without a signature; "signed": only those count that somebody whom '
        ".cto/allowed_signers lists has signed. In CI it is always signed."
    ),
    ("gate", "signer_is_not_author"): (
        "Whether the signature of an author or committer of the change opens the gate for nothing (trust signed)."
    ),
    ("gate", "threshold"): "Different people who have to stand behind a change, 1 to 10 (trust signed).",
    ("gate", "executor_is_not_reviewer"): (
        "Whether the reviewer's model has to be of another vendor than the one that wrote the change."
    ),
    ("gate", "control_paths"): "Globs of files whose change needs a human's override on top (.cto/** always does).",
    ("verify", "commands"): "Commands that take the place of the plan's.",
    ("verify", "timeout"): "Seconds that each of them may take, and a hook of yours when a task is committed.",
    ("execute", "allowed_tools"): "Tools that the executor may use.",
    ("execute", "model"): "Model of the executor.",
    ("execute", "max_cost"): "Dollars that the executor may cost.",
}
EXAMPLES: dict[tuple[str, str], Any] = {
    ("review", "allowed_models"): ("gpt-5.4", "gpt-5.4-pro"),
    ("verify", "commands"): ("pytest -q",),
    ("execute", "allowed_tools"): ("Bash(pytest:*)",),
    ("execute", "model"): "sonnet",
    ("execute", "max_cost"): 5.0,
}
# Keys without a default in the policy that have one elsewhere.
PHASE_DEFAULTS = {
    ("plan", "model"): planning.DEFAULT_MODEL,
    ("plan", "effort"): planning.DEFAULT_EFFORT,
    ("review", "model"): composing.DEFAULT_MODEL,
    ("review", "effort"): composing.DEFAULT_EFFORT,
}


def policy_text() -> str:
    """The whole file. Without the first # of every line that is no remark it says what holds anyway."""
    parts = [_HEAD]
    for section in msgspec.structs.fields(Policy):
        lines = [f"[{section.name}]  # {SECTIONS[section.name]}"]
        for field in msgspec.structs.fields(section.type):
            lines += _key(section.name, field.name, field.default)
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _key(section: str, key: str, default: object) -> list[str]:
    where = (section, key)
    words = WORDS[where] + (_NO_DEFAULT if where in EXAMPLES else "")
    value = EXAMPLES.get(where, PHASE_DEFAULTS.get(where, default))
    remarks = textwrap.wrap(words, WIDTH, initial_indent="# ", subsequent_indent="# ")
    line = f"#{key} = {toml_value(value)}"
    if len(line) <= WIDTH or not isinstance(value, tuple):
        return [*remarks, line]
    items = ", ".join(toml_value(item) for item in value)
    # Two spaces: one is what remarks have, and these lines are meant to be uncommented as well.
    inner = textwrap.wrap(items, WIDTH, initial_indent="#  ", subsequent_indent="#  ", break_on_hyphens=False)
    return [*remarks, f"#{key} = [", *inner, "#]"]
