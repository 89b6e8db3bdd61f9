"""The documents of `git cto init`, `doctor` and `demo`: what is done around the loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import UNSET, Struct, UnsetType

from git_cto.model import Verdict
from git_cto.work.protecting import Protection

if TYPE_CHECKING:
    from collections.abc import Iterable

    from git_cto.work.checking import Check


class InitDocument(Struct, frozen=True, kw_only=True):
    """What was set up (`git cto init`). `github` says how to require the check (`--github`)."""

    schema: Literal["git-cto/init/v1"] = "git-cto/init/v1"
    done: tuple[str, ...]
    next: str
    github: Protection | UnsetType = UNSET


class CheckDocument(Struct, frozen=True, kw_only=True):
    """One thing that was checked."""

    name: str
    state: Literal["ok", "warning", "problem"]
    message: str
    hint: str


class DoctorDocument(Struct, frozen=True, kw_only=True):
    """What was checked of the set-up (`git cto doctor`). `next` is what the first problem, else warning, asks for."""

    schema: Literal["git-cto/doctor/v1"] = "git-cto/doctor/v1"
    ok: bool
    checks: tuple[CheckDocument, ...]
    next: str


def doctor_document(checks: Iterable[Check]) -> DoctorDocument:
    """The document of what was checked."""
    found = tuple(CheckDocument(name=one.name, state=one.state, message=one.message, hint=one.hint) for one in checks)
    hints = [one.hint for state in ("problem", "warning") for one in found if one.state == state and one.hint]
    return DoctorDocument(ok=all(one.state != "problem" for one in found), checks=found, next=(*hints, "")[0])


class DemoDocument(Struct, frozen=True, kw_only=True):
    """How the demo ended (`git cto demo`)."""

    schema: Literal["git-cto/demo/v1"] = "git-cto/demo/v1"
    scripted: bool
    verdicts: tuple[Verdict, ...]
    allowed: bool
    repository: str | None
