"""What is taken over from the user's own set-up of Codex, and what the environment of a call holds."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from git_cto.agents.base import EngineError, Failure
from git_cto.agents.codex import Codex
from git_cto.agents.codex_config import codex_environment, read_user_config, toml_value
from git_cto.demo.server import ModelServer, message
from tests.agents.conftest import QUICK, World, sealed

PROVIDER = """
model_provider = "corp"
[model_providers.corp]
name = "corp"
base_url = "https://models.example/v1"
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment whose CODEX_HOME is empty."""
    (tmp_path / "codex").mkdir()
    return {"HOME": str(tmp_path), "CODEX_HOME": str(tmp_path / "codex"), "PATH": "/usr/bin"}


def write(environ: dict[str, str], text: str) -> None:
    Path(environ["CODEX_HOME"], "config.toml").write_text(text)


def test_no_configuration_is_an_empty_one(environ: dict[str, str]) -> None:
    config = read_user_config(environ)
    assert (config.model, config.arguments(), config.needs_login) == (None, [], True)


def test_the_home_is_dot_codex_by_default(tmp_path: Path) -> None:
    assert read_user_config({"HOME": str(tmp_path)}).home == tmp_path / ".codex"


def test_a_relative_home_is_the_same_for_codex(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"CODEX_HOME": "here"}
    assert codex_environment(environ, read_user_config(environ))["CODEX_HOME"] == str(tmp_path / "here")


def test_only_the_way_to_the_model_is_taken_over(environ: dict[str, str]) -> None:
    write(
        environ,
        """
model = "gpt-5-mini"
model_reasoning_effort = "low"
model_provider = "corp"
openai_base_url = "https://proxy.example/v1"
cli_auth_credentials_store = "file"
developer_instructions = "mine"
sandbox_mode = "danger-full-access"
[model_providers.corp]
name = "corp \\"quoted\\" \\u007f"
base_url = "https://models.example/v1"
env_key = "CORP_KEY"
env_http_headers = { "X-Team" = "CORP_TEAM" }
query_params = { api-version = "2025-01-01" }
request_max_retries = 2
supports_websockets = false
[model_providers.other]
name = "other"
[mcp_servers.mine]
command = "mine"
""",
    )
    config = read_user_config(environ)
    settings = tomllib.loads("\n".join(config.arguments()))
    assert config.model == "gpt-5-mini"
    assert set(settings) == {"model_provider", "openai_base_url", "cli_auth_credentials_store", "model_providers"}
    assert set(settings["model_providers"]) == {"corp"}
    assert settings["model_providers"]["corp"] == config.provider
    assert config.variables() == {"CORP_KEY", "CORP_TEAM"}


@pytest.mark.parametrize(
    "line",
    [
        'http_headers = { "X-Key" = "hush" }',
        'experimental_bearer_token = "hush"',
        'query_params = { key = "hush" }',
        'auth_token = "hush"',
        'nested = { api-key = "hush" }',
        'base_url = "https://user:hush@models.example/v1"',
        'base_url = "https://models.example/v1?key=hush"',
    ],
)
def test_a_literal_secret_is_refused_and_not_repeated(environ: dict[str, str], line: str) -> None:
    text = PROVIDER if not line.startswith("base_url") else PROVIDER.partition("base_url")[0]
    write(environ, f"{text}\n{line}\n")
    with pytest.raises(EngineError) as caught:
        read_user_config(environ)
    assert caught.value.failure is Failure.CONFIG
    assert "env_key" in caught.value.hint
    assert "hush" not in caught.value.message


def test_a_secret_of_a_provider_that_is_not_in_use_is_nobodys_business(environ: dict[str, str]) -> None:
    write(environ, PROVIDER + '[model_providers.other]\nexperimental_bearer_token = "hush"\n')
    assert "hush" not in " ".join(read_user_config(environ).arguments())


@pytest.mark.parametrize("content", [b"model = [\n", b"\xff\xfe"])
def test_a_configuration_that_cannot_be_read_is_named(environ: dict[str, str], content: bytes) -> None:
    path = Path(environ["CODEX_HOME"], "config.toml")
    path.write_bytes(content)
    with pytest.raises(EngineError, match=r"codex/config\.toml cannot be read") as caught:
        read_user_config(environ)
    assert caught.value.failure is Failure.CONFIG


def test_the_environment_is_a_list_and_not_the_callers(environ: dict[str, str]) -> None:
    write(environ, PROVIDER + 'env_key = "CORP_KEY"\nenv_http_headers = { "X-Team" = "CORP_TEAM" }\n')
    config = read_user_config(environ)
    wanted = {
        "LC_TIME": "C",
        "https_proxy": "http://proxy",
        "HTTPS_PROXY": "http://proxy",
        "XDG_RUNTIME_DIR": "/run/user/1",
        "SSL_CERT_FILE": "/ca.pem",
        "CORP_KEY": "one",
        "CORP_TEAM": "two",
    }
    unwanted = dict.fromkeys(
        ("GITHUB_TOKEN", "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "GIT_DIR", "LD_PRELOAD"), "no"
    ) | {"NODE_OPTIONS": "--require evil", "RUST_LOG": "off", "PYTHONPATH": "here"}
    got = codex_environment({**environ, **wanted, **unwanted, "PATH": ".:/usr/bin::/bin"}, config)
    assert got == {**environ, **wanted, "PATH": "/usr/bin:/bin", "RUST_LOG": "error"}


def test_aws_credentials_only_for_who_signs_with_them(environ: dict[str, str]) -> None:
    aws = {"AWS_PROFILE": "corp"}
    assert "AWS_PROFILE" not in codex_environment({**environ, **aws}, read_user_config(environ))
    write(environ, 'model_provider = "amazon-bedrock"\n')
    assert codex_environment({**environ, **aws}, read_user_config(environ))["AWS_PROFILE"] == "corp"


@pytest.mark.parametrize(
    "stored,environment,sent",
    [
        (None, {"OPENAI_API_KEY": "sk-o"}, "sk-o"),
        (None, {"OPENAI_API_KEY": "sk-o", "CODEX_API_KEY": "sk-c"}, "sk-c"),
        ("sk-stored", {"OPENAI_API_KEY": "sk-o"}, "sk-stored"),
        ("sk-stored", {"CODEX_API_KEY": "sk-c"}, "sk-c"),
        ("sk-stored", {}, "sk-stored"),
    ],
)
def test_which_key_codex_sends(world: World, stored: str | None, environment: dict[str, str], sent: str) -> None:
    """A login goes before OPENAI_API_KEY, which Codex itself does not use; CODEX_API_KEY goes before both."""
    if stored:
        (world.codex_home / "auth.json").write_text(f'{{"auth_mode": "apikey", "OPENAI_API_KEY": "{stored}"}}')
    with ModelServer([message("{}")]) as server:
        world.configure(f'openai_base_url = "http://127.0.0.1:{server.port}/v1"\n')
        Codex(world.environ(**environment)).ask(sealed(), world.folder, QUICK, lambda _: None)
    assert server.requests[0].headers["authorization"] == f"Bearer {sent}"


def test_a_keyring_is_left_alone(environ: dict[str, str]) -> None:
    """Whether there is a login cannot be seen, so no other key is put in its place."""
    write(environ, 'cli_auth_credentials_store = "keyring"\n')
    config = read_user_config(environ)
    assert config.stored_login is None
    assert "CODEX_API_KEY" not in codex_environment({**environ, "OPENAI_API_KEY": "sk-o"}, config)


def test_headers_from_the_environment_reach_the_provider(world: World) -> None:
    with ModelServer([message("{}")]) as server:
        world.configure(server.codex_config() + 'env_http_headers = { "X-Team" = "CORP_TEAM" }\n')
        codex = Codex(world.environ(CORP_TEAM="blue"))
        codex.ask(sealed(), world.folder, QUICK, lambda _: None)
    assert server.requests[0].headers["x-team"] == "blue"


def test_values_survive_toml() -> None:
    value = {"a b": ['x"y\\z\n\x01\x7f\u2028é', 1, 2.5, True, {"c.d": {}}], "": False}
    assert tomllib.loads(f"v = {toml_value(value)}")["v"] == value
