"""Signs records with the key that the user's git signs with, or one that the environment gives.

Which key that is follows git to the letter (`user.signingkey` with `gpg.format=ssh`: a file, `key::` and an agent, a
command that says which). Whether a command signs at all is `work`'s business; how ssh-keygen is called,
`repo.ssh_keygen`'s.
"""

from __future__ import annotations

import contextlib
import os
import shlex
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from git_cto.errors import UsageError, typed
from git_cto.ledger.sshsig import NAMESPACE, armoured, dearmoured, fingerprint, key_words, read_signature
from git_cto.ledger.trusting import pre_authentication
from git_cto.model import Signature
from git_cto.repo.ssh_keygen import (
    PROGRAM,
    Check,
    KeyFile,
    ask_for_key,
    check_all,
    key_file,
    public_key_file,
    sign,
    sign_by,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from git_cto.repo.git import Git
    from git_cto.repo.ssh_keygen import Ran

KEY_VARIABLE = "GIT_CTO_SIGNING_KEY"
PROBE_TYPE = "application/vnd.git-cto.probe"  # what is signed only to see whether it can be
_ANY_TIME = "20000101000000"
_ASKED = "user.signingkey gpg.format gpg.ssh.program gpg.ssh.defaultkeycommand commit.gpgsign"
_FALSE = frozenset({"", "false", "no", "off", "0"})
# What ssh-keygen says -> what is wrong with the key, and what to type.
_CAUSES = (
    ("are too open", "can be read by others, so ssh-keygen does not take it", "chmod 600 {path}"),
    ("incorrect passphrase", "needs a passphrase, and nobody is asked for one here", "{agent}ssh-add {path}"),
    ("No private key found", "has no private half here, nor in an agent", "{agent}ssh-add {path}"),
    ("Couldn't find key in agent", "is not in the agent", "ssh-add its private half"),
    ("Couldn't get agent socket", "should be in an agent, and there is none", "eval $(ssh-agent), then ssh-add"),
    ("No such file", "is not there", "git config user.signingkey PATH"),
    ("Permission denied", "cannot be read", "ls -l {path}"),
    ("invalid format", "is none", "git config user.signingkey PATH"),
    ("error in libcrypto", "is none", "git config user.signingkey PATH"),
    ("usage:", "cannot be used: this ssh-keygen makes no signatures", "install OpenSSH 8.9 or newer"),
)


class SigningError(UsageError):
    """There is no key, or it does not sign."""

    code = "cannot_sign"


class SigningConfig(Struct, frozen=True):
    """What the user's git is told about signing."""

    key: str = ""
    format: str = ""
    program: str = ""
    key_command: str = ""
    signs_commits: bool = False

    @property
    def automatic(self) -> bool:
        """Whether git signs commits, and in a way that we can sign as well."""
        return self.signs_commits and self.format == "ssh"


class SigningKey(Struct, frozen=True, kw_only=True):
    """A key to sign with: a file at `path`, or the `text` of a private one, or of a public one (`in_agent`)."""

    shown: str  # how people know it; never the key itself
    path: str = ""
    text: str = ""
    in_agent: bool = False
    program: str = PROGRAM
    given: bool = False  # by the environment


class Signed(Struct, frozen=True):
    """A signature that was made, and by which public key."""

    signature: Signature
    public_key: bytes


def read_config(git: Git) -> SigningConfig:
    """What the user's git configuration says about signing."""
    pattern = "^(" + "|".join(name.replace(".", r"\.") for name in _ASKED.split()) + ")$"
    listed = git.polite("config", "--null", "--get-regexp", pattern).stdout.decode("utf-8", "surrogateescape")
    entries = (entry.partition("\n") for entry in listed.split("\0") if entry)
    # A name without `=` has no line feed either, and means true.
    said = {name: value if equals else "true" for name, equals, value in entries}
    key, form, program, command, commits = (said.get(name, "") for name in _ASKED.split())
    return SigningConfig(key, form, program, command, is_true(commits))


def is_true(said: str) -> bool:
    """Whether a value of git's configuration means true."""
    return said.strip().lower() not in _FALSE


def chosen_key(config: SigningConfig, environ: Mapping[str, str], cwd: str) -> SigningKey | None:
    """The key to sign with: the environment's, else the one git signs with; None where there is none.

    Raises `SigningError` where what was said about it cannot be followed.
    """
    given = environ.get(KEY_VARIABLE, "").strip()
    if given:
        if "PRIVATE KEY-----" in given:
            return SigningKey(shown=KEY_VARIABLE, text=given, given=True)
        return replace(_named(given, cwd, PROGRAM), given=True)
    if config.format != "ssh":
        return None
    program = config.program or PROGRAM
    if config.key:
        return _named(config.key, cwd, program)
    return _named(_by_command(config, environ, cwd), cwd, program) if config.key_command else None


def _named(said: str, cwd: str, program: str) -> SigningKey:
    """The key that a value like git's `user.signingkey` means."""
    if said.startswith(("key::", "ssh-")):
        text = said.removeprefix("key::")
        return SigningKey(shown=" ".join(text.split()[:1]) + " key", text=text, in_agent=True, program=program)
    path = os.path.join(cwd, os.path.expanduser(said))
    return SigningKey(shown=said, path=path, program=program)


def _by_command(config: SigningConfig, environ: Mapping[str, str], cwd: str) -> str:
    try:
        argv = shlex.split(config.key_command)
    except ValueError:
        argv = []
    if not argv:
        raise SigningError("gpg.ssh.defaultKeyCommand is no command.", "git config gpg.ssh.defaultKeyCommand")
    ran = ask_for_key(argv, cwd, environ)
    first = ran.out.decode("utf-8", "replace").split("\n", 1)[0].strip()
    if ran.code != 0 or not first.startswith(("key::", "ssh-")):
        raise SigningError(
            f"gpg.ssh.defaultKeyCommand ({argv[0]}) named no key.",
            "git config user.signingkey PATH, or mend the command",
        )
    return first


def signed(key: SigningKey, payload: bytes, environ: Mapping[str, str]) -> Signed:
    """A signature over a record's payload. Raises `SigningError`."""
    return _signed(key, pre_authentication(payload), environ)


def probed(key: SigningKey, environ: Mapping[str, str]) -> Signed:
    """A signature over nothing that is ever recorded: whether the key signs. Raises `SigningError`."""
    return _signed(key, pre_authentication(b"", PROBE_TYPE), environ)


def _signed(key: SigningKey, message: bytes, environ: Mapping[str, str]) -> Signed:
    with _as_file(key, environ) as file:
        by_ssh_keygen = os.path.basename(key.program) == key.program == PROGRAM
        ran = (
            sign(file, message, NAMESPACE, environ)
            if by_ssh_keygen
            else sign_by(os.path.expanduser(key.program), file, message, NAMESPACE, environ)
        )
    if ran.code != 0:
        raise _cannot(key, ran, environ)
    try:
        blob = dearmoured(ran.out)
        said = read_signature(blob)
    except ValueError as error:
        raise SigningError(f"{key.program} made no signature: {error}.", "git config gpg.ssh.program") from error
    who = f'me namespaces="{NAMESPACE}" {key_words(said.public_key)}'
    check = Check(_ANY_TIME, who, "me", NAMESPACE, armoured(blob), message)
    if said.namespace != NAMESPACE.encode() or not check_all([check], environ)[0].good:
        # ssh-keygen may have taken the data for a passphrase, an agent may be broken: what is kept has to be good.
        raise SigningError(f"The signature made with {key.shown} does not fit what was to be signed.", "git cto doctor")
    return Signed(Signature(sig=blob, keyid=fingerprint(said.public_key)), said.public_key)


@contextlib.contextmanager
def _as_file(key: SigningKey, environ: Mapping[str, str]) -> Iterator[KeyFile]:
    if key.path:
        yield KeyFile(key.path)
        return
    with (public_key_file if key.in_agent else key_file)(key.text, environ) as file:
        yield file


def _cannot(key: SigningKey, ran: Ran, environ: Mapping[str, str]) -> SigningError:
    """What to say where a key does not sign."""
    if ran.too_slow:
        return SigningError(f"The signing key {key.shown} did not answer in time.", "git cto doctor")
    what = f"The key in {KEY_VARIABLE}" if key.text and key.given else f"The signing key {key.shown}"
    why, hint = next(
        ((why, hint) for words, why, hint in _CAUSES if words in ran.err),
        (f"does not sign: {ran.said}", "git cto doctor"),
    )
    if key.given and not key.in_agent:
        if not key.text and not os.path.exists(key.path):
            what, why = KEY_VARIABLE, "holds no private key, and names no file"
        elif key.text and "passphrase" not in why:
            why = "cannot be read: it may have lost its line breaks"
        return SigningError(
            f"{what} {why}.", f"put a private key without a passphrase into {KEY_VARIABLE}, all of its file"
        )
    agent = "" if environ.get("SSH_AUTH_SOCK") else "eval $(ssh-agent) && "
    return SigningError(f"{what} {why}.", hint.format(path=typed(key.path.removesuffix(".pub")), agent=agent))
