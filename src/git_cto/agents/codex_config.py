"""What git-cto takes over from the user's own set-up of Codex: the way to the model, and nothing else.

Reads `config.toml` of `CODEX_HOME`, and makes of it the settings that are handed on and the environment that
Codex gets. Instructions, MCP servers, hooks, trust and everything else of that file stay out; the model is
the caller's.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from git_cto.agents.base import EngineError, Failure
from git_cto.agents.process import absolute_path

Table = Mapping[str, object]

CARRIED = ("model_provider", "openai_base_url", "cli_auth_credentials_store")

# fmt: off
_PASSED = frozenset({
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TERM", "TMPDIR", "TZ",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "NIX_SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "CODEX_CA_CERTIFICATE",
    "DBUS_SESSION_BUS_ADDRESS",  # the keyring
    "CODEX_HOME", "CODEX_SQLITE_HOME", "CODEX_API_KEY", "CODEX_ACCESS_TOKEN",
    "CODEX_OSS_BASE_URL", "CODEX_OSS_PORT",
    "OPENAI_ORGANIZATION", "OPENAI_PROJECT",  # OPENAI_BASE_URL is not read by Codex, and OPENAI_API_KEY neither
})
# fmt: on
_PASSED_PREFIXES = ("LC_", "XDG_")

_BUILT_IN = "openai"
_SECRET_TABLES = {"http_headers": "env_http_headers", "experimental_bearer_token": "env_key"}
_SECRET_NAME = re.compile(r"(token|secret|password|passwd|credential|api_?-?key)s?$", re.IGNORECASE)
_NO_SECRET = frozenset({"env_key", "env_key_instructions", "env_http_headers"})
_HARMLESS_QUERY = frozenset({"api-version"})


@dataclass(frozen=True, kw_only=True)
class UserConfig:
    """The user's Codex: where it lives, and the part of its configuration that leads to the model."""

    home: Path
    model: str | None = None
    settings: Table = field(default_factory=dict)  # of CARRIED, those that are set
    provider: Table = field(default_factory=dict)  # the table of the provider in use, if the user wrote one

    @property
    def provider_id(self) -> str:
        """The provider in use."""
        return str(self.settings.get("model_provider", _BUILT_IN))

    @property
    def needs_login(self) -> bool:
        """Whether the provider lives on Codex's own login or key, and not on a variable of its own."""
        return self.provider_id == _BUILT_IN or self.provider.get("requires_openai_auth") is True

    @property
    def stored_login(self) -> bool | None:
        """Whether there is a login on disk. None: it would be in the keyring, and nobody has looked."""
        if (self.home / "auth.json").is_file():
            return True
        return None if self.settings.get("cli_auth_credentials_store") in ("keyring", "auto") else False

    def arguments(self) -> list[str]:
        """The settings as `key=value` arguments for `-c`. No secret is in them: see `read_user_config`."""
        found = [f"{key}={_toml(value)}" for key, value in self.settings.items()]
        if self.provider:
            # the whole table, since a dotted path could not hold every name of a provider
            found.append(f"model_providers={_toml({self.provider_id: self.provider})}")
        return found

    def variables(self) -> frozenset[str]:
        """The names of the environment variables that the provider in use reads."""
        names = {self.provider.get("env_key")}
        headers = self.provider.get("env_http_headers")
        if isinstance(headers, Mapping):
            names.update(headers.values())
        return frozenset(name for name in names if isinstance(name, str))

    @property
    def uses_aws(self) -> bool:
        """Whether the provider signs with AWS credentials."""
        return self.provider_id.startswith("amazon-bedrock") or "aws" in self.provider


def codex_home(environ: Mapping[str, str]) -> Path:
    """`CODEX_HOME`, which is `~/.codex` where it is not set."""
    return Path(environ.get("CODEX_HOME") or Path(environ.get("HOME") or Path.home()) / ".codex").absolute()


def read_user_config(environ: Mapping[str, str]) -> UserConfig:
    """Reads the user's `config.toml`; one that is not there is an empty one.

    Raises `EngineError(CONFIG)` when it cannot be read, or when its provider holds literal secrets: those
    would have to go through the command line, which other users of the machine can see.
    """
    home = codex_home(environ)
    path = home / "config.toml"
    table = _load(path)
    settings = {key: table[key] for key in CARRIED if key in table}
    provider = _provider(table, str(settings.get("model_provider", _BUILT_IN)))
    for words in (*_secrets(provider), *_secret_address("openai_base_url", settings.get("openai_base_url"))):
        raise EngineError(Failure.CONFIG, f"{words} (in {path}), and a command line is no place for secrets.", _HINT)
    model = table.get("model")
    return UserConfig(home=home, model=model if isinstance(model, str) else None, settings=settings, provider=provider)


_HINT = "name environment variables instead, with env_key or env_http_headers"


def codex_environment(environ: Mapping[str, str], config: UserConfig) -> dict[str, str]:
    """The environment that Codex gets: what is on the list, and what its provider reads.

    Codex itself does not use OPENAI_API_KEY (measured: it sends no key at all). Where there is no login and
    no CODEX_API_KEY, it is handed on under that name; a login always goes first.
    """
    wanted = _PASSED | config.variables()
    prefixes = (*_PASSED_PREFIXES, "AWS_") if config.uses_aws else _PASSED_PREFIXES
    passed = {name: value for name, value in environ.items() if name in wanted or name.startswith(prefixes)}
    passed["PATH"] = absolute_path(environ.get("PATH", ""))
    if "CODEX_HOME" in passed:
        passed["CODEX_HOME"] = str(config.home)  # Codex starts in another directory than we did
    passed["RUST_LOG"] = "error"  # tool calls that were refused are only seen in this log
    key = environ.get("OPENAI_API_KEY")
    if key and config.needs_login and config.stored_login is False and not has_key(passed):
        passed["CODEX_API_KEY"] = key
    return passed


def has_key(environ: Mapping[str, str]) -> bool:
    """Whether the environment holds a key that Codex itself uses."""
    return bool(environ.get("CODEX_API_KEY") or environ.get("CODEX_ACCESS_TOKEN"))


def toml_value(value: object) -> str:
    """`value` (text, numbers, booleans, lists, tables) as TOML on one line."""
    return _toml(value)


def _load(path: Path) -> Table:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        words = error.strerror if isinstance(error, OSError) else str(error).partition("\n")[0]
        raise EngineError(Failure.CONFIG, f"Codex's {path} cannot be read: {words}.", f"correct {path}") from error


def _provider(table: Table, name: str) -> Table:
    providers = table.get("model_providers")
    found = providers.get(name) if isinstance(providers, Mapping) else None
    return cast("Table", found) if isinstance(found, Mapping) else {}


def _secrets(provider: Table) -> Iterator[str]:
    """One sentence, without an end, for each place where the provider's table may hold a secret."""
    for key, instead in _SECRET_TABLES.items():
        if provider.get(key):
            yield f"Codex's provider has {key} (use {instead})"
    query = provider.get("query_params")
    for key in query if isinstance(query, Mapping) else ():
        if key not in _HARMLESS_QUERY:
            yield f"Codex's provider has a query parameter {key}"
    yield from _secret_address("base_url", provider.get("base_url"))
    yield from _secret_names(provider)


def _secret_names(table: Table) -> Iterator[str]:
    for key, value in table.items():
        if key in _NO_SECRET:
            continue
        if isinstance(value, Mapping):
            yield from _secret_names(value)
        elif isinstance(value, str) and _SECRET_NAME.search(key):
            yield f"Codex's provider has a literal {key}"


def _secret_address(key: str, value: object) -> Iterator[str]:
    if isinstance(value, str) and re.search(r"^[a-z]+://[^/]*@|[?#]", value, re.IGNORECASE):
        yield f"Codex's {key} holds a login or parameters"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_toml(str(key))} = {_toml(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(entry) for entry in value) + "]"
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
