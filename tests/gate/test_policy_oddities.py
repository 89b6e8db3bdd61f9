"""A policy with values that nobody means is refused in a sentence, whatever they would have broken."""

from __future__ import annotations

import re

import pytest

from git_cto.errors import PolicyError
from git_cto.gate.policy import read_policy

WHERE = "main:.cto/config.toml"


@pytest.mark.parametrize(
    "text",
    [
        "[rounds]\nmax = " + "9" * 5000,
        "[coverage]\nmax_bytes = -" + "9" * 5000,
        "[rounds]\nmax = 0x" + "f" * 5000,
        "[execute]\nmax_cost = nan",
        "[execute]\nmax_cost = inf",
    ],
)
def test_a_number_that_is_out_of_the_question_is_refused(text: str) -> None:
    with pytest.raises(PolicyError, match=rf"^{re.escape(WHERE)}") as caught:
        read_policy(text, WHERE)
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    "word", ["", "-c", "--yolo", "a\\u0000b", "a\\nb", "a\\n", "\\u001b[2J", "a b", "\u0430", "../a"]
)
@pytest.mark.parametrize(
    "key", ["plan.model", "plan.effort", "review.model", "review.effort", "execute.model", "review.allowed_models"]
)
def test_a_model_that_is_no_plain_word_is_refused(key: str, word: str) -> None:
    value = f'["{word}"]' if key.endswith("s") else f'"{word}"'
    with pytest.raises(PolicyError, match=f"^{re.escape(f'{WHERE}: {key}')}") as caught:
        read_policy(f"{key} = {value}", WHERE)
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("word", ["gpt-5.1-codex", "openai/gpt-5", "llama3:8b", "models/x@001", "opus[1m]", "xhigh"])
def test_a_model_may_have_any_usual_name(word: str) -> None:
    policy = read_policy(f'[review]\nmodel = "{word}"\neffort = "{word}"\nallowed_models = ["{word}"]', WHERE)
    assert (policy.review.model, policy.review.effort, policy.review.allowed_models) == (word, word, (word,))
