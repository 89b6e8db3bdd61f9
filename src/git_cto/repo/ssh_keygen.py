"""Runs ssh-keygen: makes a signature, and checks some. The only door to it; whose signature counts is others' business.

It never asks anybody anything and never waits for long: its input is the data, it has no terminal, no display and no
program that asks for passwords, and after a time limit it is stopped. It sees the user's agent where it signs, and
nothing of the user where it checks.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections import deque
from typing import TYPE_CHECKING

from msgspec import Struct

from git_cto.errors import ToolError
from git_cto.redaction import without_secrets
from git_cto.repo.lens import private_folder, remove_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PROGRAM = "ssh-keygen"
SECONDS = 30.0  # for one signature, and for all that are checked together
_STOPPED = -1000  # the exit code of what took too long
_AT_ONCE = 8
_LINES_KEPT = 1000
# What is said of a signature, a key or a line, and not of the machine.
_REFUSALS = (
    *("incorrect signature", "invalid format", "No principal matched", "not permitted", "not allowed", "revoked"),
    *("not supported", "unsupported", "namespace", "has expired", "not yet valid", "does not match"),
)
# What an agent, a security key or a smart card is found by. Keys of other services have no business there.
_PASSED_TO_SIGN = (
    *("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "XDG_RUNTIME_DIR", "SSH_AUTH_SOCK", "SSH_AGENT_PID"),
    *("SSH_SK_PROVIDER", "SSH_SK_HELPER", "SSH_PKCS11_HELPER"),
)
_PASSED_TO_CHECK = ("PATH", "TMPDIR")
_ASKING = ("SSH_ASKPASS", "DISPLAY", "WAYLAND_DISPLAY")


class Ran(Struct, frozen=True):
    """How a program ended, and what it said."""

    code: int
    out: bytes
    err: str

    @property
    def too_slow(self) -> bool:
        """Whether it was stopped after its time limit."""
        return self.code == _STOPPED

    @property
    def said(self) -> str:
        """The last thing it said."""
        lines = [line.strip() for line in self.err.splitlines() if line.strip()]
        return lines[-1][:300] if lines else f"exit code {self.code}"


class Check(Struct, frozen=True):
    """A signature (armoured) to be checked: over `message`, by `principal`, whom the one line `allowed` allows.

    `at` is the time as of which (YYYYMMDDHHMMSS, UTC); `revoked` is what `ssh-keygen -r` takes: public keys, or a key
    revocation list.
    """

    at: str
    allowed: str
    principal: str
    namespace: str
    signature: bytes
    message: bytes
    revoked: bytes | None = None

    @property
    def named(self) -> tuple[str, str]:
        """The line and, where it says times, the time: whom it names depends on nothing else."""
        return self.allowed, self.at if "valid-" in self.allowed else ""

    def files(self) -> dict[str, bytes]:
        """What ssh-keygen reads, by name."""
        given = {"allowed": self.allowed.encode() + b"\n", "sig": self.signature, "message": self.message}
        return given if self.revoked is None else {**given, "revoked": self.revoked}


class Checked(Struct, frozen=True):
    """What ssh-keygen said of a signature: whether it is good, and else why not (a few words, maybe none).

    `settled` is False where it did not come to an end, and the signature may well be good.
    """

    good: bool
    said: str = ""
    settled: bool = True


_TOO_SLOW = Checked(False, "ssh-keygen took too long", settled=False)


# ---- signing -------------------------------------------------------------------------------------------------------


class KeyFile(Struct, frozen=True):
    """A key where ssh-keygen finds it. `in_agent`: only its public half stands there."""

    path: str
    in_agent: bool = False
    descriptors: tuple[int, ...] = ()


def sign(key: KeyFile, message: bytes, namespace: str, environ: Mapping[str, str]) -> Ran:
    """Signs `message`; the signature (armoured) is in `out` where `code` is 0."""
    argv = [PROGRAM, *_signing(key, namespace)]
    with _folder(environ) as folder:
        data = _written(folder, "message", message)
        return _run([_Call(argv, data, _quiet(environ, _PASSED_TO_SIGN), folder, key.descriptors)])[0]


def sign_by(program: str, key: KeyFile, message: bytes, namespace: str, environ: Mapping[str, str]) -> Ran:
    """Signs with the user's own program in ssh-keygen's place, called the way git calls it: with a file."""
    with _folder(environ) as folder:
        data = _written(folder, "message", message)
        argv = [program, *_signing(key, namespace), data]
        ran = _run([_Call(argv, os.devnull, _quiet(environ), folder, key.descriptors)])[0]
        with contextlib.suppress(OSError), open(f"{data}.sig", "rb") as file:
            return Ran(ran.code, file.read(1 << 16), ran.err)
        return ran


def _signing(key: KeyFile, namespace: str) -> list[str]:
    return ["-Y", "sign", "-n", namespace, "-f", key.path, *(["-U"] if key.in_agent else [])]


def ask_for_key(argv: Sequence[str], cwd: str, environ: Mapping[str, str]) -> Ran:
    """Runs the user's command that says which key to sign with (git's gpg.ssh.defaultKeyCommand)."""
    return _run([_Call(list(argv), os.devnull, _quiet(environ), cwd)])[0]


@contextlib.contextmanager
def key_file(text: str, environ: Mapping[str, str]) -> Iterator[KeyFile]:
    """A private key as a file that is gone afterwards, and where the system can do that never was on a disk."""
    content = text.strip().replace("\r\n", "\n").encode("utf-8", "surrogateescape") + b"\n"
    if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):
        descriptor = os.memfd_create("git-cto")
        try:
            os.fchmod(descriptor, 0o600)
            os.write(descriptor, content)
            yield KeyFile(f"/proc/self/fd/{descriptor}", descriptors=(descriptor,))
        finally:
            os.close(descriptor)
        return
    with _folder(environ) as folder:
        yield KeyFile(_written(folder, "key", content))


@contextlib.contextmanager
def public_key_file(text: str, environ: Mapping[str, str]) -> Iterator[KeyFile]:
    """A public key whose private half is in the agent, as a file."""
    with _folder(environ) as folder:
        yield KeyFile(_written(folder, "key.pub", text.strip().encode() + b"\n"), in_agent=True)


# ---- checking ------------------------------------------------------------------------------------------------------


class Memory:
    """What ssh-keygen said, so that it is not asked again. What it did not settle is not remembered.

    Once it did not answer in time it is `stuck`, and not asked any more: a long history must not take forever.
    """

    def __init__(self) -> None:
        self.checked: dict[Check, Checked] = {}
        self.named: dict[tuple[str, str], Ran] = {}
        self.stuck = False

    def forget(self) -> None:
        """Forgets the signatures, which nobody asks about twice, and the lines where they are many."""
        self.checked.clear()
        if len(self.named) > _LINES_KEPT:
            self.named.clear()


def check_all(checks: Sequence[Check], environ: Mapping[str, str], memory: Memory | None = None) -> list[Checked]:
    """Checks signatures, several at once. With a `memory`, only those that are not in there, and they are then.

    Two questions have to be answered alike: whom the line of allowed signers names for the signature's key at that
    time (asked once for each line), and whether the signature by that principal is good.
    """
    memory = memory or Memory()
    new = [check for check in dict.fromkeys(checks) if check not in memory.checked]
    if memory.stuck:
        return [memory.checked.get(check, _TOO_SLOW) for check in checks]
    found = dict(zip(new, _asked(new, environ, memory) if new else (), strict=True))
    memory.checked.update((check, checked) for check, checked in found.items() if checked.settled)
    return [found.get(check) or memory.checked[check] for check in checks]


def _asked(checks: Sequence[Check], environ: Mapping[str, str], memory: Memory) -> list[Checked]:
    quiet = _quiet(environ, _PASSED_TO_CHECK)
    with _folder(environ) as folder:
        naming: dict[tuple[str, str], _Call] = {}
        verifying = []
        for number, check in enumerate(checks):
            files = {name: _written(folder, f"{name}-{number}", data) for name, data in check.files().items()}
            about = ["-O", f"verify-time={check.at}", "-s", files["sig"], "-f", files["allowed"]]
            if check.named not in memory.named:
                argv = [PROGRAM, "-Y", "find-principals", *about]
                naming.setdefault(check.named, _Call(argv, os.devnull, quiet, folder))
            revoked = ["-r", files["revoked"]] if "revoked" in files else []
            who = ["-n", check.namespace, "-I", check.principal, *revoked]
            verifying.append(_Call([PROGRAM, "-Y", "verify", *about, *who], files["message"], quiet, folder))
        ran = _run([*naming.values(), *verifying])
    named = {**memory.named, **dict(zip(naming, ran[: len(naming)], strict=True))}
    memory.named.update((line, one) for line, one in named.items() if one.code == 0)
    memory.stuck = any(one.too_slow for one in ran)
    verified = ran[len(naming) :]
    return [_judged(check, named[check.named], one) for check, one in zip(checks, verified, strict=True)]


def _judged(check: Check, found: Ran, verified: Ran) -> Checked:
    if found.too_slow or verified.too_slow:
        return _TOO_SLOW
    if found.code != 0 or check.principal.encode() not in found.out.splitlines():
        # The line was written by us, and is valid at that time. Maybe the signature that it was asked with was another.
        return Checked(False, found.said, settled=False)
    if verified.code < 0:
        return Checked(False, "ssh-keygen was stopped", settled=False)
    return Checked(True) if verified.code == 0 else Checked(False, verified.said, settled=_refuses(verified))


def _refuses(ran: Ran) -> bool:
    """Whether it says no. It ends the same way where it could not look: without memory, files or a disk."""
    said = ran.err + ran.out.decode("utf-8", "replace")
    return any(words in said for words in _REFUSALS)


def revoked_by(revoked: bytes, public_key: str, environ: Mapping[str, str]) -> bool | None:
    """Whether a key revocation list names a key (as it stands in a `.pub` file); None where it cannot be read."""
    with _folder(environ) as folder:
        listed, key = _written(folder, "revoked", revoked), _written(folder, "key.pub", public_key.encode() + b"\n")
        call = _Call([PROGRAM, "-Q", "-f", listed, key], os.devnull, _quiet(environ, _PASSED_TO_CHECK), folder)
        ran = _run([call])[0]
    return {0: False, 1: True}.get(ran.code) if b"key.pub" in ran.out else None


# ---- processes -----------------------------------------------------------------------------------------------------


class _Call(Struct, frozen=True):
    """A process to be run: its input is a file."""

    argv: list[str]
    stdin: str
    environ: dict[str, str]
    cwd: str
    descriptors: tuple[int, ...] = ()


def _run(calls: Sequence[_Call]) -> list[Ran]:
    """Runs several processes, a few at once, and returns how each ended."""
    deadline = time.monotonic() + SECONDS
    ended: list[Ran] = []
    running: deque[subprocess.Popen[bytes]] = deque()
    try:
        for call in calls:
            if len(running) == _AT_ONCE:
                ended.append(_ended(running.popleft(), deadline))
            running.append(_started(call))
        while running:
            ended.append(_ended(running.popleft(), deadline))
    finally:
        for process in running:
            _stop(process)
    return ended


def _started(call: _Call) -> subprocess.Popen[bytes]:
    """A process in a session of its own, so that it has no terminal."""
    try:
        with open(call.stdin, "rb") as stdin:
            return subprocess.Popen(
                call.argv,
                cwd=call.cwd,
                env=call.environ,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                pass_fds=call.descriptors,
            )
    except OSError as error:
        raise _unusable(call.argv[0], error) from error


def _ended(process: subprocess.Popen[bytes], deadline: float) -> Ran:
    """How it ended, at the latest then; it is gone afterwards."""
    try:
        out, err = process.communicate(timeout=max(0.01, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return Ran(_STOPPED, b"", "")
    finally:
        _stop(process)
    return Ran(process.returncode, out, err.decode("utf-8", "replace"))


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is None:
        with contextlib.suppress(OSError):  # its children too, which may hold the pipes
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe:
            pipe.close()


def _unusable(program: str, error: OSError) -> ToolError:
    if program == PROGRAM:
        why = "is not installed" if isinstance(error, FileNotFoundError) else f"cannot be run: {error.strerror}"
        return ToolError(f"ssh-keygen {why}.", "install OpenSSH 8.9 or newer", code="ssh_keygen_missing")
    return ToolError(f"{program} cannot be run: {error.strerror}.", "git config gpg.ssh.program", code="no_program")


def _quiet(environ: Mapping[str, str], passed: Sequence[str] | None = None) -> dict[str, str]:
    """An environment in which nothing asks: with only these names, or with all but secrets."""
    if passed is None:
        kept = {name: value for name, value in without_secrets(environ).items() if name not in _ASKING}
    else:
        kept = {name: environ[name] for name in passed if name in environ}
    # Times without a zone are UTC, in the list of signers and in what we ask.
    return {**kept, "SSH_ASKPASS_REQUIRE": "never", "LC_ALL": "C", "TZ": "UTC"}


@contextlib.contextmanager
def _folder(environ: Mapping[str, str]) -> Iterator[str]:
    folder = private_folder(environ, "sign")
    try:
        yield folder
    finally:
        remove_folder(folder)


def _written(folder: str, name: str, content: bytes) -> str:
    path = os.path.join(folder, name)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    return path
