"""Signing uses the key that git uses, in every way git knows, asks nobody, and says what is wrong where it cannot."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from git_cto.errors import ToolError
from git_cto.ledger.signers import read_signers
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
from git_cto.ledger.sshsig import fingerprint
from git_cto.ledger.trusting import pre_authentication, trusted
from git_cto.model import Signature
from git_cto.repo.git import Git, discover
from tests.keys import AT, Key, agent, new_key
from tests.ledger.test_trusting import PLAIN
from tests.ledger.test_trusting import signed as carrying
from tests.world import World

SSH = SigningConfig(format="ssh")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def ada(folder: Path) -> Key:
    return new_key(folder)


@pytest.fixture(scope="module")
def locked(folder: Path) -> Key:
    return new_key(folder, name="locked", passphrase="open sesame")


def key_of(said: str, cwd: str = "/", program: str = "") -> SigningKey:
    found = chosen_key(SigningConfig(key=said, format="ssh", program=program), os.environ, cwd)
    assert found is not None
    return found


def accepted(signature: Signature, key: Key) -> bool:
    """Whether a reader takes the signature for one by this key."""
    found = trusted([carrying(signature)], read_signers(key.line().encode(), None), AT, os.environ)
    return [one.key for one in found[0].signers] == [fingerprint(key.blob)]


def refused(key: SigningKey) -> SigningError:
    began = time.monotonic()
    with pytest.raises(SigningError) as caught:
        signed(key, PLAIN.payload, os.environ)
    assert time.monotonic() - began < 10
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_key_in_a_file_signs(tmp_path: Path, kind: str) -> None:
    key = new_key(tmp_path, kind=kind)
    made = signed(key_of(str(key.path)), PLAIN.payload, os.environ)
    assert made.public_key == key.blob
    assert made.signature.keyid == fingerprint(key.blob)
    assert accepted(made.signature, key)


def test_the_public_half_names_the_file_beside_it(ada: Key) -> None:
    assert accepted(signed(key_of(f"{ada.path}.pub"), PLAIN.payload, os.environ).signature, ada)


def test_a_path_may_begin_at_home_or_where_the_repository_is(ada: Key, folder: Path) -> None:
    home = Path(os.environ["HOME"])
    (home / "key").write_text(ada.private)
    (home / "key").chmod(0o600)
    for key in (key_of("~/key"), key_of(ada.path.name, cwd=str(folder))):
        assert accepted(signed(key, PLAIN.payload, os.environ).signature, ada)


def test_a_probe_signs_nothing_that_could_be_a_record(ada: Key) -> None:
    made = probed(key_of(str(ada.path)), os.environ)
    assert made.public_key == ada.blob
    assert not accepted(made.signature, ada)


# ---- agents ----------------------------------------------------------------------------------------------------------


def test_a_key_in_an_agent_signs_by_its_public_half(ada: Key, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = tmp_path / "alone.pub"
    alone.write_text(ada.public + "\n")
    with agent(ada) as environ:
        monkeypatch.setenv("SSH_AUTH_SOCK", environ["SSH_AUTH_SOCK"])
        for said in (str(alone), f"key::{ada.public}", f"key::{ada.public} a comment", ada.public):
            assert accepted(signed(key_of(said), PLAIN.payload, os.environ).signature, ada)


def test_a_key_with_a_passphrase_signs_once_it_is_in_an_agent(locked: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    with agent(locked, passphrase="open sesame") as environ:
        monkeypatch.setenv("SSH_AUTH_SOCK", environ["SSH_AUTH_SOCK"])
        assert accepted(signed(key_of(str(locked.path)), PLAIN.payload, os.environ).signature, locked)


def test_a_key_that_is_in_no_agent_is_told_of(ada: Key, locked: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "there is none" in refused(key_of(f"key::{ada.public}")).message
    with agent(locked, passphrase="open sesame") as environ:
        monkeypatch.setenv("SSH_AUTH_SOCK", environ["SSH_AUTH_SOCK"])
        error = refused(key_of(f"key::{ada.public}"))
    assert "is not in the agent" in error.message
    assert ada.public.split()[1] not in error.message


# ---- what does not sign ----------------------------------------------------------------------------------------------


def test_a_passphrase_is_never_asked_for(locked: Key, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    asking = tmp_path / "askpass"
    asking.write_text(f"#!/bin/sh\ntouch {asked}\necho open sesame\n")
    asking.chmod(0o755)
    monkeypatch.setenv("SSH_ASKPASS", str(asking))
    monkeypatch.setenv("SSH_ASKPASS_REQUIRE", "force")
    monkeypatch.setenv("DISPLAY", ":0")
    error = refused(key_of(str(locked.path)))
    assert "needs a passphrase" in error.message
    assert error.hint == f"eval $(ssh-agent) && ssh-add {locked.path}"
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
    assert refused(key_of(str(locked.path))).hint == f"ssh-add {locked.path}"
    assert error.exit_code == 2
    assert not asked.exists()


def test_the_data_is_not_taken_for_a_passphrase(folder: Path) -> None:
    """Without a terminal ssh-keygen reads one from its input, and then signs what is left of it."""
    key = new_key(folder, name="eerie", passphrase=pre_authentication(PLAIN.payload)[:1023].decode())
    assert "does not fit what was to be signed" in refused(key_of(str(key.path))).message


@pytest.mark.parametrize(
    "content, mode, because",
    [
        (None, 0, "is not there"),
        ("junk\n", 0o600, "."),
        ("", 0o600, "."),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", 0o600, "."),
    ],
)
def test_a_file_that_is_no_key_is_told_of(tmp_path: Path, content: str | None, mode: int, because: str) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_text(content)
        path.chmod(mode)
    error = refused(key_of(str(path)))
    assert because in error.message
    assert "key" in error.message


@pytest.mark.parametrize(
    "spoilt, why",
    [
        (lambda _: "garbage", "GIT_CTO_SIGNING_KEY holds no private key, and names no file."),
        (lambda key: key.private.replace("\n", " "), "The key in GIT_CTO_SIGNING_KEY cannot be read"),
        (lambda key: key.private.split("\n")[1], "GIT_CTO_SIGNING_KEY holds no private key, and names no file."),
    ],
)
def test_of_a_key_that_was_spoilt_on_its_way_the_variable_is_named(
    ada: Key, spoilt: Callable[[Key], str], why: str
) -> None:
    key = chosen_key(SigningConfig(), {KEY_VARIABLE: spoilt(ada)}, "/")
    assert key is not None
    error = refused(key)
    assert error.message.startswith(why)
    assert error.hint == "put a private key without a passphrase into GIT_CTO_SIGNING_KEY, all of its file"
    assert ada.private.split("\n")[1] not in error.message + error.hint


def test_a_key_that_others_can_read_is_told_of(ada: Key, tmp_path: Path) -> None:
    path = tmp_path / "open"
    path.write_text(ada.private)
    path.chmod(0o644)
    error = refused(key_of(str(path)))
    assert "can be read by others" in error.message
    assert error.hint.startswith(f"chmod 600 {path}")


def test_without_ssh_keygen_it_says_what_to_install(ada: Key, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="ssh-keygen is not installed"):
        signed(key_of(str(ada.path)), PLAIN.payload, os.environ)


def test_what_hangs_is_stopped_with_its_children(ada: Key, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = script(tmp_path, "sleep 60 & echo $! > " + str(tmp_path / "child") + "; sleep 60")
    monkeypatch.setattr("git_cto.repo.ssh_keygen.SECONDS", 0.5)
    assert "did not answer in time" in refused(key_of(str(ada.path), program=program)).message
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 10
    while Path(f"/proc/{child}").exists() and "Z" not in Path(f"/proc/{child}/stat").read_text().split(")")[1]:
        assert time.monotonic() < deadline


# ---- the user's own program ------------------------------------------------------------------------------------------


def script(folder: Path, text: str, name: str = "op-ssh-sign") -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_a_program_of_the_users_is_called_the_way_git_calls_it(
    ada: Key, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    program = script(tmp_path, f'echo "$@" > {seen}; env >> {seen}; exec ssh-keygen "$@"')
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_0123456789abcdefghijklmnopqrstuvwxyz")
    made = signed(key_of(str(ada.path), program=program), PLAIN.payload, os.environ)
    assert accepted(made.signature, ada)
    argv = seen.read_text().splitlines()[0].split()
    assert argv[:6] == ["-Y", "sign", "-n", "git-cto.verdict.v1", "-f", str(ada.path)]
    assert len(argv) == 7
    assert not Path(argv[6]).exists()
    assert "ghp_" not in seen.read_text()


def test_a_program_is_found_on_the_path_or_at_home(ada: Key, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script(tmp_path, 'exec ssh-keygen "$@"', "my-signer")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for program in ("my-signer", "/usr/bin/ssh-keygen", "ssh-keygen"):
        assert accepted(signed(key_of(str(ada.path), program=program), PLAIN.payload, os.environ).signature, ada)


@pytest.mark.parametrize(
    "text, because",
    [
        ("exit 0", "made no signature"),
        ("exit 7", "does not sign: exit code 7"),
        ("echo 'it is locked' >&2; exit 1", "does not sign: it is locked"),
        ("eval last=\\${$#}; echo junk > $last.sig", "made no signature"),
        ('ssh-keygen -Y sign -n git -f "$6" < "$7"', "does not fit"),
        ('ssh-keygen -Y sign -n git-cto.verdict.v1 -f "$6" < /dev/null', "does not fit"),
    ],
)
def test_what_a_program_made_has_to_be_a_signature_of_ours(ada: Key, tmp_path: Path, text: str, because: str) -> None:
    assert because in refused(key_of(str(ada.path), program=script(tmp_path, text))).message


def test_a_program_that_is_not_there_is_told_of(ada: Key) -> None:
    with pytest.raises(ToolError, match="/nowhere/op-ssh-sign cannot be run"):
        signed(key_of(str(ada.path), program="/nowhere/op-ssh-sign"), PLAIN.payload, os.environ)


# ---- which key -------------------------------------------------------------------------------------------------------


def test_without_anything_said_there_is_no_key(ada: Key) -> None:
    assert chosen_key(SigningConfig(), {}, "/") is None
    assert chosen_key(SSH, {}, "/") is None
    assert chosen_key(SigningConfig(key="0xDEADBEEF"), {}, "/") is None, "a key of OpenPGP is none of ours"
    assert chosen_key(SSH, {KEY_VARIABLE: "  "}, "/") is None, "CI gives what is not set as nothing"


@pytest.mark.parametrize("spoilt", ["{}", "\n\n{}", "{}\n\n"])
def test_the_environment_may_hold_a_private_key(ada: Key, spoilt: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, spoilt.format(ada.private.strip()))
    other = SigningConfig(key="/nowhere", format="ssh", program="/nowhere/op-ssh-sign")
    found = chosen_key(other, os.environ, "/")
    assert found is not None
    assert found.shown == KEY_VARIABLE
    assert accepted(signed(found, PLAIN.payload, os.environ).signature, ada)


def test_the_environments_key_may_have_the_line_ends_of_another_system(
    ada: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, ada.private.replace("\n", "\r\n"))
    found = chosen_key(SSH, os.environ, "/")
    assert found is not None
    assert accepted(signed(found, PLAIN.payload, os.environ).signature, ada)


def test_the_environment_may_name_a_file(ada: Key) -> None:
    found = chosen_key(SSH, {KEY_VARIABLE: str(ada.path)}, "/")
    assert found is not None
    assert accepted(signed(found, PLAIN.payload, os.environ).signature, ada)


def test_the_environments_key_is_left_nowhere(ada: Key, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv(KEY_VARIABLE, ada.private)
    found = chosen_key(SSH, os.environ, "/")
    assert found is not None
    signed(found, PLAIN.payload, os.environ)
    assert list(tmp_path.iterdir()) == []


def test_a_broken_key_of_the_environment_is_not_printed(ada: Key, locked: Key, monkeypatch: pytest.MonkeyPatch) -> None:
    for text in (locked.private, ada.private[:150] + "-----END OPENSSH PRIVATE KEY-----"):
        monkeypatch.setenv(KEY_VARIABLE, text)
        found = chosen_key(SSH, os.environ, "/")
        assert found is not None
        error = refused(found)
        assert error.message.startswith("The key in GIT_CTO_SIGNING_KEY")
        assert all(line not in error.message + error.hint for line in text.splitlines()[1:3])
    monkeypatch.setenv(KEY_VARIABLE, locked.private)
    found = chosen_key(SSH, os.environ, "/")
    assert found is not None
    assert "without a passphrase" in refused(found).hint


def test_a_command_may_name_the_key(ada: Key, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = script(tmp_path, f'echo "key::{ada.public}"; echo "key::ssh-rsa other"; test "$1" = "a b"', "which-key")
    config = SigningConfig(format="ssh", key_command=f"{program} 'a b'")
    found = chosen_key(config, os.environ, "/")
    assert found is not None
    with agent(ada) as environ:
        monkeypatch.setenv("SSH_AUTH_SOCK", environ["SSH_AUTH_SOCK"])
        assert accepted(signed(found, PLAIN.payload, os.environ).signature, ada)


@pytest.mark.parametrize("text", ["exit 1", "echo /home/ada/.ssh/id", "true", "echo ssh-ed25519 AAAA; exit 1"])
def test_a_command_that_names_no_key_is_told_of(tmp_path: Path, text: str) -> None:
    config = SigningConfig(format="ssh", key_command=script(tmp_path, text, "which-key"))
    with pytest.raises(SigningError, match="named no key"):
        chosen_key(config, os.environ, "/")


def test_a_command_line_that_cannot_be_read_is_told_of() -> None:
    for command in ("'", " "):
        with pytest.raises(SigningError, match="is no command"):
            chosen_key(SigningConfig(format="ssh", key_command=command), os.environ, "/")


# ---- git's configuration ---------------------------------------------------------------------------------------------


def config_of(world: World) -> SigningConfig:
    place = discover(str(world.path), os.environ)
    return read_config(Git(place, os.environ))


def test_the_configuration_is_gits(world: World) -> None:
    assert config_of(world) == SigningConfig()
    world.git("config", "user.signingKey", "~/a key.pub")
    world.git("config", "gpg.format", "ssh")
    world.git("config", "gpg.ssh.program", "op-ssh-sign")
    world.git("config", "gpg.ssh.defaultKeyCommand", "ssh-add -L")
    assert config_of(world) == SigningConfig("~/a key.pub", "ssh", "op-ssh-sign", "ssh-add -L")
    assert not config_of(world).automatic


@pytest.mark.parametrize(
    "said, means",
    [("true", True), ("Yes", True), ("1", True), ("on", True), ("false", False), ("0", False), ("", False)],
)
def test_a_truth_is_written_in_gits_ways(world: World, said: str, means: bool) -> None:  # noqa: FBT001
    world.git("config", "commit.gpgsign", said)
    world.git("config", "gpg.format", "ssh")
    assert config_of(world).automatic is means
    assert is_true(said) is means


def test_a_truth_may_be_only_its_name(world: World) -> None:
    with (world.path / ".git" / "config").open("a") as file:
        file.write("[commit]\n\tgpgsign\n[gpg]\n\tformat = ssh\n")
    assert config_of(world).automatic


def test_commits_that_are_signed_by_openpgp_sign_nothing_here(world: World) -> None:
    world.git("config", "commit.gpgsign", "true")
    assert not config_of(world).automatic
