"""The gate, asked about a pull request: no model, no key. Control paths also take a human's approval on the forge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from git_cto.action.outcome import Outcome, decided
from git_cto.errors import ExitCode
from git_cto.model import OverrideRecord
from git_cto.repo.authors import authorship
from git_cto.work.gating import commits_since, decide_on, renamed_control_paths

if TYPE_CHECKING:
    from git_cto.action.scene import Scene
    from git_cto.work.surveying import Survey

_MOST_ASKED = 10  # people whose permission is looked up
_NOREPLY = "@users.noreply."  # in an address of the forge's own, which says whose it is


def ask_gate(scene: Scene) -> Outcome:
    """What the gate says of the pull request right now."""
    found = scene.found
    renamed = renamed_control_paths(scene.workspace, found, found.target.commit)
    touched = bool(renamed) or any(found.policy.gate.controls(file.text) for file in found.change.files)
    decision = decide_on(scene.workspace, _without_our_word(found) if touched else found)
    agreed, doubt = None, ""
    if touched and not decision.allowed:
        agreed = decide_on(scene.workspace, found, agreed=("somebody",))
        people, doubt = approvers(scene) if agreed.allowed else ((), "")  # only now is it worth asking
        if people:
            decision, agreed = decide_on(scene.workspace, found, agreed=people), None
    outcome = decided(found, decision, agreed)
    since = commits_since(scene.workspace, found, outcome.verdict)
    notes = (*scene.notes, *outcome.notes, *((doubt,) if doubt else ()))
    return replace(outcome, commits_since=since, renamed=renamed, notes=notes)


def _without_our_word(found: Survey) -> Survey:
    """The same, where an override that this job recorded counts for no more than in later jobs.

    What a human typed in a comment has this job's signature, as its approval has: one voice, where two are needed.
    """
    records = (
        replace(one, own=False) if one.own and isinstance(one.body, OverrideRecord) else one for one in found.records
    )
    return replace(found, records=tuple(records))


def gate(scene: Scene) -> Outcome:
    """The gate alone. A draft is closed, whatever the ledger says."""
    outcome = ask_gate(scene)
    return draft(outcome) if scene.pull.draft else outcome


def draft(outcome: Outcome) -> Outcome:
    """The same for a draft, which waits."""
    why = ("It is a draft: it is judged once it is ready for review.",)
    return replace(outcome, state="waiting", code=ExitCode.NOT_APPROVED, reasons=why, next_step="")


def approvers(scene: Scene) -> tuple[tuple[str, ...], str]:
    """Who has approved exactly this head for this target on the forge, may write here, and is not its author.

    And why nobody's approval counts, "" where that is not so: nobody knows whose a commit is, so it may be theirs.
    """
    hub, pull, authors = scene.means.hub, scene.pull, authors_of(scene)
    reviews = hub.approving_reviews(pull.number, pull.head_sha)
    others = [one for one in reviews if not one.author.bot and one.author.login.lower() not in authors]
    makers = makers_of(scene) if others else _NOBODY_ELSE
    others = [one for one in others if one.author.login.lower() not in makers.logins]
    if others and makers.unknown and scene.found.policy.gate.signer_is_not_author:
        return (), (
            f"The forge does not know whose {makers.in_doubt}, and who approves it in a review may be its author: "
            "have the commit's address added to an account (Settings › Emails), or decide on a machine of yours "
            "(git cto override --sign, git cto sync)."
        )
    moved = hub.retargeted(pull.number) if others else ""  # the same head is another change for another branch
    here = [one.author for one in others if one.submitted > moved]
    return tuple(one.login for one in here[:_MOST_ASKED] if hub.permission(one.login) in {"admin", "write"}), ""


def authors_of(scene: Scene) -> set[str]:
    """The logins, in lower case, of whoever opened the pull request or made its commits, as far as these tell.

    A commit tells it where its address is the forge's own. Whose the others are, the forge knows: `makers_of`.
    """
    change = scene.found.change
    said = authorship(scene.workspace.lens, change.base, change.head).addresses
    names = (address.partition("@")[0] for address in said if _NOREPLY in address)
    return {scene.pull.author.login.lower(), *(name.rpartition("+")[2] for name in names)}


class Makers(Struct, frozen=True):
    """Who made a pull request: logins in lower case, and its commits that the forge knows nobody for."""

    logins: frozenset[str]
    unknown: tuple[str, ...]

    @property
    def in_doubt(self) -> str:
        """The commits that nobody is known for, as the subject of a sentence with its verb; there is at least one."""
        one = self.unknown[0][:7]
        return f"commit {one} is" if len(self.unknown) == 1 else f"{len(self.unknown):,} commits are ({one} ...)"


_NOBODY_ELSE = Makers(frozenset(), ())


def makers_of(scene: Scene) -> Makers:
    """Who made a pull request, also by what the forge knows of other addresses. Takes a request."""
    change = scene.found.change
    listed = {one.id: one for one in scene.means.hub.commits(scene.pull.number)}
    known = [user for one in listed.values() for user in (one.author, one.committer) if user is not None]
    asked = ("log", "-z", "--format=%H%x00%ae%x00%ce", "--end-of-options", change.head, f"^{change.base}")
    said = scene.workspace.lens.run(*asked).decode("utf-8", "replace").lower().split("\0")
    made = zip(*[iter(said)] * 3, strict=False)
    return Makers(
        logins=frozenset((*authors_of(scene), *(user.login.lower() for user in known))),
        unknown=tuple(
            commit
            for commit, author, committer in made
            if not (_NOREPLY in author or (commit in listed and listed[commit].author))
            or not (_NOREPLY in committer or (commit in listed and listed[commit].committer))
        ),
    )
