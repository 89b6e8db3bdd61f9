"""The gate, asked about a pull request: no model, no key. Control paths also take a human's approval on the forge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from git_cto.action.outcome import Outcome, decided
from git_cto.errors import ExitCode
from git_cto.work.gating import decide_on

if TYPE_CHECKING:
    from git_cto.action.scene import Scene
    from git_cto.gate.decision import Decision

_MOST_ASKED = 10  # people whose permission is looked up
_LOOK_AGAIN = "Once somebody has approved it in a review of their own, `/cto status` looks again."


def ask_gate(scene: Scene) -> Outcome:
    """What the gate says of the pull request right now."""
    decision = decide_on(scene.workspace, scene.found)
    agreed = _if_agreed(scene, ("somebody",)) if not decision.allowed else None
    outcome = decided(scene.found, decision, agreed)
    if outcome.state == "needs_human":  # only now is it worth asking who has approved it
        people = approvers(scene)
        agreed = _if_agreed(scene, people) if people else None
        outcome = decided(scene.found, agreed) if agreed else replace(outcome, notes=(_LOOK_AGAIN,))
    return replace(outcome, commits_since=_commits_since(scene, outcome), notes=(*scene.notes, *outcome.notes))


def _if_agreed(scene: Scene, people: tuple[str, ...]) -> Decision | None:
    """What the gate says if these people have approved it; None where that makes no difference."""
    gate = scene.found.policy.gate
    if not any(gate.controls(file.text) for file in scene.found.change.files):
        return None
    return decide_on(scene.workspace, scene.found, agreed=people)


def gate(scene: Scene) -> Outcome:
    """The gate alone. A draft is closed, whatever the ledger says."""
    outcome = ask_gate(scene)
    return draft(outcome) if scene.pull.draft else outcome


def draft(outcome: Outcome) -> Outcome:
    """The same for a draft, which waits."""
    why = ("It is a draft: it is judged once it is ready for review.",)
    return replace(outcome, state="waiting", code=ExitCode.NOT_APPROVED, reasons=why, next_step="")


def approvers(scene: Scene) -> tuple[str, ...]:
    """Who has approved exactly this head on the forge, may write here, and is not its author."""
    hub, pull = scene.means.hub, scene.pull
    authors = {pull.author.login.lower(), *_logins_in(scene)}
    reviews = hub.approving_reviews(pull.number, pull.head_sha)
    others = [one.author for one in reviews if not one.author.bot and one.author.login.lower() not in authors]
    return tuple(one.login for one in others[:_MOST_ASKED] if hub.permission(one.login) in {"admin", "write"})


def _logins_in(scene: Scene) -> set[str]:
    """The logins that the change's commits were made under, as far as their addresses are the forge's own."""
    change = scene.found.change
    asked = ("log", "--format=%ae%n%ce", "--end-of-options", change.head, f"^{change.base}")
    said = scene.workspace.lens.run(*asked).decode("utf-8", "replace").lower().split("\n")
    names = (address.partition("@")[0] for address in said if "@users.noreply." in address)
    return {name.rpartition("+")[2] for name in names}


def _commits_since(scene: Scene, outcome: Outcome) -> int | None:
    """How many commits came after the verdict that is shown, where that is known and it is about something else."""
    verdict = outcome.verdict
    if verdict is None or verdict.subject.change == scene.found.change.id:
        return None
    done = scene.workspace.lens.attempt("rev-list", "--count", scene.pull.head_sha, f"^{verdict.subject.head}")
    return int(done.stdout) if done.returncode == 0 else None
