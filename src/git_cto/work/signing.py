"""Whether a command signs what it records: as the option says, else `git config cto.sign`, else as git signs commits.

How a signature is made is `ledger.signing`'s business. Where signing was asked for and cannot be done, nothing is
begun; where it fails at the very end, the record is kept unsigned, since it may have cost a model call, and that is
said.
"""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from git_cto.errors import PolicyError, ToolError
from git_cto.ledger.signing import (
    KEY_VARIABLE,
    SigningConfig,
    SigningError,
    SigningKey,
    chosen_key,
    is_true,
    probed,
    read_config,
    signed,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from git_cto.ledger.signing import Signed
    from git_cto.model import Signature
    from git_cto.repo.git import Git

Wanted = Literal["no", "if possible", "yes"]
_USUAL_KEY = "~/.ssh/id_ed25519"
_USE_IT = f"git config gpg.format ssh && git config user.signingkey {_USUAL_KEY}.pub"
_SIGN_LATER = "git cto sign signs it later (an override: git cto sign --overrides)"


class Signing:
    """Signs records, or does not. `option` is what `--sign` or `--no-sign` said; to `notes` what fails is added."""

    def __init__(self, git: Git, environ: Mapping[str, str], setting: str | None, notes: list[str]) -> None:
        self.option: bool | None = None
        self._notes = notes
        self._git = git
        self._environ = environ
        self._setting = setting
        self._tried: Signed | None = None
        self._given_up = False

    @cached_property
    def config(self) -> SigningConfig:
        """What the user's git says about signing."""
        return read_config(self._git)

    @property
    def wanted(self) -> Wanted:
        """Whether to sign. What somebody asked for has to be possible; what git does anyway is done if it is."""
        if self.option is not None:
            return "yes" if self.option else "no"
        if self._setting is not None:
            return "yes" if self._truth(self._setting) else "no"
        if self._environ.get(KEY_VARIABLE, "").strip():
            return "yes"
        return "if possible" if self.config.automatic else "no"

    def _truth(self, said: str) -> bool:
        if said.lower() not in {"true", "yes", "on", "1", "false", "no", "off", "0"}:
            raise PolicyError(
                f"git config cto.sign is {said!r}, which is neither true nor false.", "git config cto.sign true"
            )
        return is_true(said)

    def key(self) -> SigningKey:
        """The key to sign with. Raises `SigningError` where there is none."""
        place = self._git.place
        found = chosen_key(self.config, self._environ, place.worktree or place.git_dir)
        if found is None:
            make = "" if os.path.exists(os.path.expanduser(_USUAL_KEY)) else "ssh-keygen -t ed25519 && "
            raise SigningError("There is no key to sign with.", make + _USE_IT)
        return found

    def try_it(self) -> Signed:
        """Signs something that is never recorded. Raises `SigningError`."""
        try:
            return probed(self.key(), self._environ)
        except ToolError as error:
            raise SigningError(error.message, error.hint) from error

    def prepare(self, option: bool | None = None) -> None:  # noqa: FBT001 -- what click hands over
        """Before anything is begun: makes sure that signing works where it is wanted. Raises `SigningError`."""
        self.option = option
        wanted = self.wanted
        if wanted == "no" or self._tried is not None or self._given_up:
            return
        try:
            self._tried = self.try_it()
        except SigningError as error:
            if wanted == "yes":
                raise SigningError(error.message, f"{error.hint}, or --no-sign") from error
            self._given_up = True
            self._notes.append(f"nothing is signed: {error.message} Next: {error.hint}")

    @property
    def signer(self) -> bytes:
        """The public key that what is recorded is signed with, b"" where nothing is. Known once it is prepared."""
        return self._tried.public_key if self._tried and self.wanted != "no" else b""

    @property
    def to_sign(self) -> str:
        """What to do so that what is recorded is signed, where it is not and nothing was said of it yet."""
        if self.option is False:
            return "leave out --no-sign"
        if self._setting is not None and not self._truth(self._setting):
            return "git config cto.sign true"
        own = "git config user.signingkey PATH && git config gpg.format ssh && git cto init --signing"
        return "" if self._given_up else f"put a private key into {KEY_VARIABLE}, or {own}"

    def sign(self, payload: bytes) -> tuple[Signature, ...]:
        """The signatures of a new record: one, or none where none is wanted or it cannot be made any more."""
        if self.wanted == "no":
            return ()
        self.prepare(self.option)
        if self._given_up:
            return ()
        try:
            return (signed(self.key(), payload, self._environ).signature,)
        except (SigningError, ToolError) as error:
            self._notes.append(f"what was recorded is not signed: {error.message} {_SIGN_LATER}")
            return ()
