"""A policy is read strictly: every mistake names the file, the key and what was meant."""

from __future__ import annotations

import tomllib
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_cto.config import KNOWN, read_settings
from git_cto.errors import ExitCode, PolicyError, UsageError
from git_cto.gate.policy import (
    DEFAULT_CONTROL_PATHS,
    DEFAULT_SUMMARISED,
    LARGEST_REQUEST,
    CoveragePolicy,
    Policy,
    read_policy,
)
from tests.gate.values import quick

WHERE = "main:.cto/config.toml"


def refused(text: str) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        read_policy(text, WHERE)
    error = caught.value
    assert error.message.startswith(WHERE)
    assert error.hint
    assert "\n" not in error.message
    assert error.exit_code == ExitCode.USAGE
    return error


# ---- what there is


def test_without_a_policy_the_defaults_apply() -> None:
    policy = read_policy(None, WHERE)
    assert policy == read_policy("", WHERE) == read_policy("[gate]\n", WHERE) == Policy()
    assert (policy.rounds.max, policy.rounds.escalate_after) == (5, 3)
    assert policy.gate.trust == "local"
    assert policy.gate.control_paths == DEFAULT_CONTROL_PATHS
    assert policy.coverage.summarised == DEFAULT_SUMMARISED
    assert policy.coverage.listed_ok == ()
    assert policy.review.allowed_models is None
    assert policy.review.suspicious_ok == ()
    assert not policy.review.title_and_body
    assert (policy.gate.signer_is_not_author, policy.gate.threshold) == (True, 1)
    assert not policy.gate.executor_is_not_reviewer
    assert (policy.coverage.max_bytes, policy.verify.timeout) == (500_000, 900)
    assert (policy.verify.commands, policy.execute.allowed_tools, policy.execute.max_cost) == (None, None, None)


def test_every_key_of_the_contract_is_known() -> None:
    policy = read_policy(
        """
        plan = { model = "a", effort = "low" }
        review = { model = "b", effort = "high", allowed_models = ["b"], context = ["docs/x.md"] }
        rounds = { max = 4, escalate_after = 2 }
        coverage = { summarised = ["*.lock"], listed_ok = ["*.png"], max_bytes = 1000 }
        gate = { trust = "signed", control_paths = ["deploy/**"] }
        verify = { commands = ["make test"], timeout = 60 }
        execute = { allowed_tools = ["Bash"], model = "c", max_cost = 1.5 }
        """,
        WHERE,
    )
    assert (policy.plan.model, policy.review.allowed_models, policy.rounds.max) == ("a", ("b",), 4)
    assert (policy.coverage.listed_ok, policy.gate.trust, policy.execute.max_cost) == (("*.png",), "signed", 1.5)
    assert policy.verify.commands == ("make test",)


def test_a_request_within_the_budget_is_one_that_codex_takes() -> None:
    assert CoveragePolicy().max_bytes < LARGEST_REQUEST < 1_048_576


# ---- mistakes


@pytest.mark.parametrize(
    "text, unknown, near",
    [
        ("[gat]", "[gat]", "gate"),
        ("[gate]\ntrsut = 'local'", "[gate] trsut", "trust"),
        ("[coverage]\nlisted = []", "[coverage] listed", "listed_ok"),
        ("trust = 'signed'", "[trust]", ""),
        ("[rounds]\nMax = 3", "[rounds] Max", "max"),
        ("[review]\n'' = 1", "[review] ", ""),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_known_one(text: str, unknown: str, near: str) -> None:
    error = refused(text)
    assert f"unknown key {unknown}" in error.message
    assert f"did you mean {near}" in error.hint


@pytest.mark.parametrize(
    "text, says",
    [
        ("[rounds]\nmax = 0", "rounds.max"),
        ("[rounds]\nmax = 101", "rounds.max"),
        ("[rounds]\nmax = '3'", "rounds.max"),
        ("[rounds]\nmax = true", "rounds.max"),
        ("[rounds]\nmax = 3.0", "rounds.max"),
        ("[rounds]\nescalate_after = -1", "rounds.escalate_after"),
        ("[gate]\ntrust = 'none'", "gate.trust"),
        ("[gate]\ntrust = 'Signed'", "gate.trust"),
        ("[gate]\ncontrol_paths = 'x'", "gate.control_paths"),
        ("[gate]\ncontrol_paths = ['!x']", "gate.control_paths"),
        ("[gate]\ncontrol_paths = ['']", "gate.control_paths"),
        ("[gate]\nthreshold = 0", "gate.threshold"),
        ("[gate]\nthreshold = 11", "gate.threshold"),
        ("[verify]\ntimeout = 86401", "verify.timeout"),
        ("[execute]\nmax_cost = 1e10", "execute.max_cost"),
        ("[coverage]\nlisted_ok = ['*', '!*.png']", "coverage.listed_ok"),
        ("[coverage]\nlisted_ok = [1]", "coverage.listed_ok"),
        ("[coverage]\nmax_bytes = 0", "coverage.max_bytes"),
        ("[coverage]\nmax_bytes = 900001", "coverage.max_bytes"),
        ("[review]\nallowed_models = 'gpt'", "review.allowed_models"),
        ("[review]\ntitle_and_body = 1", "review.title_and_body"),
        ("[verify]\ntimeout = 0", "verify.timeout"),
        ("[execute]\nmax_cost = -1", "execute.max_cost"),
        ("[execute]\nmax_cost = nan", "execute.max_cost"),
        ("[execute]\nmax_cost = inf", "execute.max_cost"),
        ("gate = 3", "[gate] must be a table"),
        ("gate = []", "[gate] must be a table"),
    ],
)
def test_an_impossible_value_is_named_by_its_key(text: str, says: str) -> None:
    assert says in refused(text).message


@pytest.mark.parametrize(
    "text", ["[gate", "[gate]\n[gate]", "a = 1\na = 2", "\x00", "gate = " + "[" * 5_000, "gate = " + "{a=" * 5_000]
)
def test_what_is_no_toml_is_said_to_be_none(text: str) -> None:
    refused(text)


@quick
@given(st.text(max_size=60) | st.text(alphabet="[gate]trusmx=10'\"\n,{}", max_size=60))
def test_any_text_is_a_policy_or_an_error_that_can_be_read(text: str) -> None:
    policy = None
    with suppress(PolicyError):
        policy = read_policy(text, WHERE)
    if policy is not None:
        assert tomllib.loads(text) is not None
        assert len(policy.digest) == 64
    else:
        refused(text)


def test_a_mistake_is_said_in_one_sentence_with_what_to_do() -> None:
    wrong = refused("[rounds]\nmax = 0")
    assert wrong.message == f"{WHERE}: rounds.max: Expected `int` >= 1."
    assert wrong.hint == "mend it on the target branch; by default it is max = 5"
    assert refused("[gate]\ntrust = 'sined'").hint == 'mend it on the target branch; by default it is trust = "local"'
    assert refused("[execute]\nmax_cost = -1").hint == "mend it on the target branch"  # by default it is none
    table = refused("gate = 3")
    assert (table.message, table.hint) == (f"{WHERE}: [gate] must be a table.", "write [gate] on a line of its own")
    unknown = refused("[rounds]\nmaks = 3")
    assert unknown.message == f"{WHERE}: unknown key [rounds] maks."
    assert unknown.hint == "did you mean max? (known: max, escalate_after)"
    for text in ("[gate", "gate = " + "[" * 5_000, "[rounds]\nmax = " + "9" * 5_000):
        assert refused(text).hint == "mend it on the target branch"


@pytest.mark.parametrize("text", ["[gate]\n#trust = 'local'\n\n[gate]\n", "[gate]\ntrust = 'local'\ntrust = 'signed'"])
def test_who_appends_what_init_wrote_already_is_told_to_take_the_signs_off(text: str) -> None:
    assert refused(text).hint.startswith("write each [section] and each key once: take the # off")


# ---- the digest


def test_the_digest_is_of_the_values_and_not_of_how_they_were_written() -> None:
    written = read_policy("# strict\n[rounds]\nmax = 5\n", WHERE)
    assert written.digest == Policy().digest
    assert read_policy("[rounds]\nmax = 4", WHERE).digest != Policy().digest


def test_every_value_counts_in_the_digest() -> None:
    texts = ["[gate]\ntrust='signed'", "[gate]\ncontrol_paths=[]", "[coverage]\nlisted_ok=['x']", "[plan]\nmodel='x'"]
    digests = {read_policy(text, WHERE).digest for text in ["", *texts]}
    assert len(digests) == 5


# ---- control paths


def test_a_folder_is_controlled_with_all_that_is_in_it_and_as_such() -> None:
    gate = msgspec.convert({"control_paths": ["deploy/**"]}, type(Policy().gate))
    assert [path for path in ("deploy", "deploy/a", "deploy/a/b", "deployed", "x/deploy/a") if gate.controls(path)] == [
        "deploy",
        "deploy/a",
        "deploy/a/b",
    ]
    assert gate.controls(".cto/config.toml")
    assert gate.controls(".CTO/config.toml")


# ---- the user's own settings


def test_an_unknown_setting_is_named_with_the_nearest_known_one() -> None:
    with pytest.raises(PolicyError, match=r"knows no key cto\.rounds\.maxi") as caught:
        read_settings({"cto.rounds.maxi": "3"})
    assert "did you mean cto.rounds.max?" in caught.value.hint


def test_an_empty_setting_is_none() -> None:
    settings = read_settings({"cto.base": "", "cto.rounds.max": ""})
    assert (settings.text("cto.base"), settings.number("cto.rounds.max"), settings.text("cto.timeout")) == (None,) * 3


@pytest.mark.parametrize("said", ["0", "-1", "1.5", "five", "٣", "1e3", " 3", "0x10"])
def test_a_number_is_a_whole_one_above_zero(said: str) -> None:
    settings = read_settings({"cto.rounds.max": said})
    with pytest.raises(PolicyError, match=r"cto\.rounds\.max"):
        settings.number("cto.rounds.max")


def test_a_number_is_read() -> None:
    assert read_settings({"cto.timeout": "900"}).number("cto.timeout") == 900


@pytest.mark.parametrize("key", ["cto.plan.model", "cto.plan.effort", "cto.review.model", "cto.review.effort"])
@pytest.mark.parametrize("said", ["gpt 5", "--yolo", "-m", "gpt\n5", "..", "gpt-5;id"])
def test_a_model_or_an_effort_is_one_word_and_no_option(key: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_settings({key: said})
    assert caught.value.message.startswith(f"git config {key} says {said!r}")
    assert read_settings({key: "gpt-5.3-codex[1m]"}).text(key) == "gpt-5.3-codex[1m]"


def test_names_are_as_git_prints_them() -> None:
    assert all(name == name.lower() and name.startswith("cto.") for name in KNOWN)
