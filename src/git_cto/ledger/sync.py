"""Exchanges records with a remote: fetch to a ref of its own, unite, push, again while the remote moves.

Nothing of ours is ever overwritten and nothing of the remote's removed; when the remote refuses, the records stay
here. The user's refspecs, hooks, pruning and mirroring have no part in it; their credentials and URLs do.
"""

from __future__ import annotations

import fnmatch
import random
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from git_cto.errors import ToolError, UsageError, typed
from git_cto.ledger.notes import READABLE_REF, RECORDS_REF, SHADOW_REF, Notes, remote_ref
from git_cto.ledger.tree import Lines

if TYPE_CHECKING:
    import subprocess

    from git_cto.repo.git import Git

ROUNDS = 50  # a remote that moves 50 times in a row while we push is not merely busy
LONGEST_PAUSE = 0.2  # seconds; a longer one starves whoever lost

_NEUTRAL = (
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "fetch.writeCommitGraph=false"),
    *("-c", "push.pushOption="),
    *("-c", "push.followTags=false"),
)
_FETCH = (
    *("fetch", "--quiet", "--no-tags", "--no-prune", "--no-write-fetch-head", "--no-recurse-submodules"),
    # No configured refspec is applied on the way, and a partial clone gets these blobs all the same.
    *("--no-auto-maintenance", "--no-show-forced-updates", "--refmap=", "--no-filter"),
)
_PUSH = (
    *("push", "--porcelain", "--no-verify", "--no-follow-tags", "--no-signed", "--recurse-submodules=no"),
    "--no-force-with-lease",
)
_NOTHING_THERE = "couldn't find remote ref"
_MOVED = re.compile(
    r"\[rejected\]|cannot lock ref|failed to update ref|incorrect old value|reference already exists|failed to lock",
)
# What git or the server said -> what went wrong, and what to do. The first that fits counts.
_REFUSALS = (
    (
        (
            r"could not read (Username|Password)|terminal prompts disabled|Authentication failed|Permission denied \("
            r"|error: 401|Host key verification failed"
        ),
        "{} wants to know who you are",
        "log in (git ls-remote {} asks for it), then git cto sync",
        "not_logged_in",
    ),
    (
        r"GH006|GH013|[Pp]rotected (branch|ref)|rule violations|not allowed to (push|force)",
        "{} protects refs/notes/cto-records",
        "let the people who review push to refs/notes/*",
        "protected",
    ),
    (
        r"hook declined|pre-receive hook|update hook",
        "A hook of {} refused the records",
        "ask whoever runs it to let refs/notes/cto-records pass",
        "hook_declined",
    ),
    (
        (
            r"error: 403|Permission to .* denied|[Ww]rite access .* not granted|[Rr]ead-only|insufficient permission"
            r"|unable to create temporary object directory|not authorized|access denied"
        ),
        "You may not push to {}",
        "ask for write access, or sync with a remote of your own: git cto sync <remote>",
        "no_permission",
    ),
    (
        r"not found|does not appear to be a git repository|does not exist|No such file or directory|error: 404",
        "{} is not there, or you may not see it",
        "git remote -v",
        "not_found",
    ),
    (
        (
            r"Could not resolve|[Cc]onnection (refused|timed out|reset)|Failed to connect|Network is unreachable"
            r"|Couldn't connect|unable to access|Could not read from remote|early EOF|hung up|error: 5\d\d"
        ),
        "{} cannot be reached",
        "try again when you are online",
        "no_network",
    ),
)


@dataclass(frozen=True)
class Synced:
    """What an exchange did: records new to us, records new to the remote, and how many times it took.

    Signatures are counted where they came for a record that was there, or are one more than the record came with.
    """

    received: int
    sent: int
    rounds: int
    signatures_received: int = 0
    signatures_sent: int = 0


def _synced(received: Lines, sent: Lines, rounds: int) -> Synced:
    return Synced(received.records, sent.records, rounds, received.signatures, sent.signatures)


def wanted_refspec(remote: str) -> str:
    """The fetch refspec that makes a plain `git fetch` bring a remote's records, next to ours and not over them.

    It matches one ref only, and yet it is a pattern: where the remote has no records, a configured refspec without a
    `*` makes every `git fetch` fail (measured). At the end of the names the `*` would also stand for other remotes,
    whose records `git fetch --prune` would then remove.
    """
    theirs, ours = (ref.replace("refs/notes/", "refs/note*/", 1) for ref in (RECORDS_REF, remote_ref(remote)))
    return f"+{theirs}:{ours}"


def dangerous_refspecs(git: Git) -> list[str]:
    """The configured fetch refspecs that write over records, as `<key> <refspec>`.

    That is every one whose destination may be the notes ref, the readable one or the shadow: `+refs/*:refs/*` of a
    mirror, `+refs/notes/*:refs/notes/*` of many a recipe.
    """
    found = []
    listed = git.polite("config", "--null", "--get-regexp", r"^remote\..*\.fetch$").stdout
    for entry in listed.decode("utf-8", "replace").split("\0"):
        key, _, refspec = entry.partition("\n")
        destination = "" if refspec.startswith("^") else refspec.partition(":")[2]
        # A refspec has one `*` and none of the other wildcards, which no ref's name may have.
        if any(fnmatch.fnmatchcase(ref, destination) for ref in (RECORDS_REF, READABLE_REF, SHADOW_REF)):
            found.append(f"{key} {refspec}")
    return found


def sync(git: Git, remote: str, *, prompt: bool) -> Synced:
    """Exchanges all records with `remote` (its name). Asks for passwords only if `prompt`.

    Raises `UsageError` where there is no such remote and `ToolError` where it refuses or cannot be reached; whatever
    was received by then is kept, and nothing of ours is lost.
    """
    if not _exists(git, remote):
        raise UsageError(f"There is no remote called {remote}.", "git remote -v")
    notes = Notes(git)
    # What the remote once had counts as well: it may have been forced back there and here.
    received = notes.restore() + _unite(notes, _tracked(git, remote))
    sources, theirs = [remote], None
    for rounds in range(1, ROUNDS + 1):
        for source in sources:
            theirs = _fetch(git, remote, source, prompt=prompt)
            received += _unite(notes, theirs)
        ours = notes.tip()
        if ours is None or ours == theirs:
            return _synced(received, Lines(), rounds)
        sent = notes.missing_in(theirs)
        if _push(git, remote, ours, prompt=prompt):
            git.run("update-ref", "--no-deref", remote_ref(remote), ours)
            return _synced(received, sent, rounds)
        # It moved; or what is pushed to is not what is fetched from.
        sources = [remote, *_push_urls(git, remote)]
        time.sleep(random.uniform(0, LONGEST_PAUSE))  # noqa: S311 -- no secret
    raise ToolError(
        f"{remote} kept moving while the records were sent. They are safe here.",
        f"git cto sync {typed(remote)}",
        code="busy",
    )


def _unite(notes: Notes, theirs: str | None) -> Lines:
    return notes.unite(theirs) if theirs else Lines()


def _exists(git: Git, remote: str) -> bool:
    if not remote or remote.startswith("-"):
        return False
    return git.polite("config", "--get-regexp", f"^remote\\.{re.escape(remote)}\\.url$").returncode == 0


def _tracked(git: Git, remote: str) -> str | None:
    return git.refs(remote_ref(remote)).get(remote_ref(remote))


def _push_urls(git: Git, remote: str) -> list[str]:
    """Where a push goes to, when that is elsewhere than where a fetch comes from."""
    pushed, fetched = (
        git.polite("remote", "get-url", "--all", *option, remote).stdout.decode("utf-8", "replace").splitlines()
        for option in (("--push",), ())
    )
    return [url for url in pushed if url not in fetched and not url.startswith("-")]


def _fetch(git: Git, remote: str, source: str, *, prompt: bool) -> str | None:
    """The remote's notes commit, here now; None where it has none."""
    refspec = f"+{RECORDS_REF}:{remote_ref(remote)}"
    done = git.polite(*_NEUTRAL, *_FETCH, "--", source, refspec, prompt=prompt)
    if done.returncode == 0:
        return _tracked(git, remote)
    if _NOTHING_THERE in done.stderr.decode("utf-8", "replace"):
        return None
    raise _refusal(remote, done)


def _push(git: Git, remote: str, ours: str, *, prompt: bool) -> bool:
    """Whether the remote took `ours`; False when it has moved meanwhile."""
    mirror = ("-c", f"remote.{remote}.mirror=false")  # refuses any refspec
    done = git.polite(*_NEUTRAL, *mirror, *_PUSH, "--", remote, f"{ours}:{RECORDS_REF}", prompt=prompt)
    if done.returncode == 0:
        return True
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    if _MOVED.search(said) and "hook declined" not in said:
        return False
    raise _refusal(remote, done)


def _refusal(remote: str, done: subprocess.CompletedProcess[bytes]) -> ToolError:
    """What to tell about a fetch or push that failed; what the server said is quoted, made harmless."""
    said = (done.stderr + b"\n" + done.stdout).decode("utf-8", "replace")
    for pattern, what, hint, code in _REFUSALS:
        if re.search(pattern, said):
            message = f"{what.format(remote)}; the records stay here. {_quoted(said)}"
            return ToolError(message.strip(), hint.format(typed(remote)), code=code)
    return ToolError(
        f"The records could not be exchanged with {remote}; they stay here. {_quoted(said)}".strip(),
        f"git ls-remote {typed(remote)} 'refs/notes/*'",
        code="sync_failed",
    )


def _quoted(said: str) -> str:
    """The line that says most, without control characters and credentials."""
    lines = [line for line in said.splitlines() if line.startswith(("remote: ", "fatal: ", "error: ", "!\t"))]
    telling = next((line for line in lines if line.partition(" ")[2].strip()), "")
    plain = "".join(c if c.isprintable() else " " for c in telling.replace("\t", " "))
    plain = re.sub(r"://[^/@\s]+@", "://", plain)
    return f"({plain.strip()[:200]})" if plain.strip() else ""
