"""What people type in a comment of a pull request: `/cto review`, `/cto status`, and what decides, with its reason.

Read strictly and obeyed only where write access stands behind it; everything else in a comment is only text. What is
decided here is recorded under the name of whoever typed it, and only about what stood there when it was typed: a
comment may wait long for its job, and anybody with write access may have an old job run again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, cast

from msgspec import Struct
from msgspec.structs import replace

from git_cto import __version__
from git_cto.action.gate import authors_of, gate, makers_of
from git_cto.action.people import may_ask, may_write
from git_cto.action.review import hand_on, review
from git_cto.errors import UsageError
from git_cto.model import Actor
from git_cto.work.deciding import checked_reason, record_continue, record_override

if TYPE_CHECKING:
    from collections.abc import Callable

    from git_cto.action.outcome import Outcome
    from git_cto.action.scene import Means, Scene
    from git_cto.forge.event import Event
    from git_cto.forge.values import User

Verb = Literal["review", "continue", "override", "status"]

_COMMAND = re.compile(r"/cto[ \t]+(review|continue|override|status)(?![^\s])[ \t]*(.*)", re.DOTALL)
_NAMED = re.compile(r"([0-9a-f]{7,64})(?!\S)\s*", re.ASCII | re.IGNORECASE)  # a commit, at the beginning of a reason
_LATER = "{who} lets exactly this change in. That is recorded, and counts once this is ready for review."
_NO_REASON = frozenset(("review", "status"))


class Command(Struct, frozen=True):
    """What somebody typed, and who. `reason` is "" where none was given; that of an override begins with a commit."""

    verb: Verb
    reason: str
    who: User
    typed: str = ""  # when, as the forge writes it


def read_command(event: Event) -> Command | None:
    """The command that a comment is; None where it is none. It begins the comment, and was not put there by an edit."""
    comment = event.comment
    if comment is None or event.action != "created" or comment.author.login.lower() != event.sender.login.lower():
        return None
    found = _COMMAND.fullmatch(comment.body.replace("\r\n", "\n").strip("\n"))
    if found is None:
        return None
    verb = cast("Verb", found[1])
    reason = found[2].strip()
    if reason and verb in _NO_REASON:
        return None  # a sentence that happens to begin like that
    return Command(verb, reason, comment.author, comment.created)


def may(means: Means, command: Command) -> bool:
    """Whether somebody may have this done: to decide takes write access; to ask, what it takes for any review."""
    if command.verb in {"continue", "override"}:
        return may_write(means, command.who)
    return may_ask(means, command.who)


def obey(scene: Scene, command: Command, *, before: Callable[[Outcome], None] = lambda _: None) -> Outcome:
    """Does what was typed. What cannot be done leaves everything as it is, and says why."""
    try:
        return _obeyed(scene, command, before)
    except UsageError as error:
        outcome = gate(scene)
        why = f"/cto {command.verb}, as {command.who.login} typed it, did nothing: {error.message} Next: {error.hint}."
        return replace(outcome, notes=(*outcome.notes, why))


def _obeyed(scene: Scene, command: Command, before: Callable[[Outcome], None]) -> Outcome:
    if command.verb == "status":
        return gate(scene)
    if command.verb == "override":
        return _override(scene, command)
    if command.verb == "review":
        return review(scene, command.who, before=before)
    now = _go_on(scene, command)
    outcome = review(now, command.who, before=before)
    return outcome if outcome.tokens else replace(outcome, kept=hand_on(now))


def _override(scene: Scene, command: Command) -> Outcome:
    reason = checked_reason(
        scene.workspace, _about_this(scene, command), f"/cto override {scene.pull.head_sha} <reason>"
    )
    if scene.found.policy.gate.signer_is_not_author:
        _not_their_own(scene, command.who.login)
    if scene.pull.draft:
        _sure_to_be_known_later(scene, command.verb)
    record_override(scene.workspace, scene.found, reason=reason, actor=_actor(scene, command.who))
    now = scene.again()
    kept = hand_on(now)
    outcome = gate(now)  # which waits for a draft, whoever lets it in
    notes = (*outcome.notes, *((_LATER.format(who=command.who.login),) if scene.pull.draft and not kept else ()))
    return replace(outcome, kept=kept, notes=notes)


def _not_their_own(scene: Scene, login: str) -> None:
    """Refuses whoever made the pull request or a commit of it; and where nobody knows who made one, whoever asks."""
    policy = "set [gate] signer_is_not_author = false on the target branch"
    theirs = login.lower() in authors_of(scene)
    makers = None if theirs else makers_of(scene)
    if makers is None or login.lower() in makers.logins:
        why = f"{login} wrote this, and nobody overrides the gate for what is their own."
        raise UsageError(why, f"ask somebody else with write access, or {policy}", code="own_work")
    if makers.unknown:
        raise UsageError(
            f"The forge does not know whose {makers.in_doubt}, and nobody overrides the gate for what may be theirs.",
            "have its author add the commit's address to their account (Settings › Emails), decide on a machine of "
            f"yours (git cto override --sign, git cto sync), or {policy}",
            code="unknown_author",
        )


def _about_this(scene: Scene, command: Command) -> str:
    """The reason of an override, without the commit that it begins with. Raises where it is about something else."""
    _only_once(scene)
    look = f"look at what is there now, then /cto override {scene.pull.head_sha} <reason>"
    named = _NAMED.match(command.reason)
    if named is None:
        why = "It does not name the commit that it is about, and others may have been pushed since it was typed."
        raise UsageError(why, look, code="which_commit")
    if not scene.pull.head_sha.startswith(named[1].lower()):
        raise UsageError(f"It names {named[1][:7]}, and the pull request stands elsewhere.", look, code="which_commit")
    if len(named[1]) != len(scene.pull.head_sha):  # whoever may push has a second commit at hand that begins like that
        why = "It does not name the commit in full, and others can be made that begin with the same digits."
        raise UsageError(why, look, code="which_commit")
    moved = scene.means.hub.retargeted(scene.pull.number)
    if moved and not command.typed > moved:
        raise UsageError("The pull request was meant for another branch then.", look, code="retargeted")
    return command.reason[named.end() :]


def _only_once(scene: Scene) -> None:
    """Refuses what was typed for an earlier attempt of this job: it was about what stood there then."""
    if scene.means.job.again:
        raise UsageError("This job was run again, and a decision counts once.", "type it again", code="run_again")


def _go_on(scene: Scene, command: Command) -> Scene:
    _only_once(scene)
    reason = checked_reason(scene.workspace, command.reason, "/cto continue <reason>")
    _sure_to_be_known_later(scene, command.verb)
    record_continue(scene.workspace, scene.found, reason=reason, actor=_actor(scene, command.who))
    return scene.again()


def _sure_to_be_known_later(scene: Scene, verb: Verb) -> None:
    """Refuses what is decided for later runs where they could not know who decided it."""
    if not scene.means.inputs.signing_key:
        raise UsageError(
            "There is no signing-key, so the next run could not know who decided this.",
            f"give the workflow a signing-key; or, on a machine of yours: git cto {verb} --sign --reason TEXT",
            code="cannot_sign",
        )


def _actor(scene: Scene, who: User) -> Actor:
    host = scene.means.job.server.partition("://")[2]
    return Actor(name=who.login, email=f"{who.login}@users.noreply.{host}", host=host, tool=f"git-cto {__version__}")
