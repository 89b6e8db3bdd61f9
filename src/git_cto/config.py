"""The user's own settings: `git config cto.*`. They may narrow a policy, never widen it; unknown keys are errors.

What a user says of models, here or on the command line, is checked here, too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from git_cto.errors import PolicyError, UsageError
from git_cto.model import ENGINE_WORD

if TYPE_CHECKING:
    from collections.abc import Mapping

# Names as git prints them: section and key in lower case, the part between as written.
KNOWN = {
    "cto.base": "the branch that changes are meant for",
    "cto.timeout": "seconds that one call of an engine may take",
    "cto.idletimeout": "seconds that an engine may be silent",
    "cto.plan.model": "model that plans",
    "cto.plan.effort": "reasoning effort of the planner",
    "cto.review.model": "model that reviews",
    "cto.review.effort": "reasoning effort of the reviewer",
    "cto.rounds.max": "verdicts before a human is asked (at most the policy's)",
    "cto.rounds.escalateafter": "revise in a row before a human is asked (at most the policy's)",
    "cto.coverage.maxbytes": "bytes of patch and content shown to a reviewer (at most the policy's)",
    "cto.sign": "whether to sign what is recorded, whatever git does with commits",
    "cto.gate.trust": '"signed" demands signatures where the policy does not',
}


_ENGINE_WORDS = ("cto.plan.model", "cto.plan.effort", "cto.review.model", "cto.review.effort")


class Settings(Struct, frozen=True):
    """The values of `git config cto.*`, checked for unknown names, models and efforts."""

    values: Mapping[str, str]

    def text(self, name: str) -> str | None:
        """A setting as text; None where it is not set or empty."""
        return self.values.get(name) or None

    def number(self, name: str) -> int | None:
        """A setting as a whole number above 0; raises `PolicyError` for anything else."""
        said = self.text(name)
        if said is None:
            return None
        if not said.isascii() or not said.isdigit() or len(said) > 9 or int(said) == 0:
            raise PolicyError(
                f"git config {name} is {said!r}, which is no whole number above 0.", f"git config {name} NUMBER"
            )
        return int(said)


def engine_word(said: str | None, where: str) -> str | None:
    """The same model or effort, None where there is none; raises `UsageError` for what cannot be one.

    Any word is passed on, so that models and efforts of later need no later git-cto; `where` it was said is for people.
    """
    if said and not re.match(ENGINE_WORD, said):
        raise UsageError(
            f"{where} says {said!r}, which is no name of a model or an effort.",
            "letters, digits and . _ - : / @ [ ], beginning with a letter or a digit: gpt-5.4, high",
        )
    return said or None


def read_settings(values: Mapping[str, str]) -> Settings:
    """The settings in `values` (names as git prints them, beginning with `cto.`)."""
    for name in values:
        if name not in KNOWN:
            import difflib  # noqa: PLC0415 -- start-up

            near = difflib.get_close_matches(name, KNOWN, n=1, cutoff=0.0)[0]
            raise PolicyError(f"git config knows no key {name} of git-cto.", f"did you mean {near}? git config --list")
    for name in _ENGINE_WORDS:
        engine_word(values.get(name), f"git config {name}")
    return Settings(values)
