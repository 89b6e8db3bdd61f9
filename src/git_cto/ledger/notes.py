"""Lines in git notes, of which none is ever lost: read by object, appended by many at once, united.

A note is a set of lines; the union of two notes trees is all there is to merging. Next to the notes ref a shadow
ref that nobody's refspec touches has every line too: when a fetch or a force moves the notes back, the next write
unites them again. How a commit gets into the repository is `writing`'s business, how a tree is read `tree`'s, what
a line says `records`'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from git_cto.errors import BugError, GitError, ToolError, typed
from git_cto.ledger.tree import (
    Edits,
    Lines,
    Tree,
    annotated,
    compare,
    counted,
    distinct_lines,
    home,
    joined,
    kept,
    lines_of,
    listing,
)
from git_cto.ledger.writing import Races, commit, queue, swap
from git_cto.repo.git import git_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from git_cto.repo.git import Git
    from git_cto.repo.objects import Objects

RECORDS_REF = "refs/notes/cto-records"
SHADOW_REF = "refs/cto/records"
READABLE_REF = "refs/notes/cto"
LARGEST_LINE = 64 << 10  # bytes
# What is read for one object at most. No honest series comes near it; a forged one must not make the gate slow.
MOST_LINES = 2_000
LARGEST_NOTE = 16 << 20  # bytes

# Where git looks on for a name that is no ref. A clone brings tags along: one called "refs/notes/cto-records"
# must not become the ledger of a repository that has none.
_LOOKALIKES = ("refs/", "refs/tags/", "refs/heads/", "refs/remotes/")


def remote_ref(remote: str) -> str:
    """The ref that a remote's records are fetched to."""
    return f"refs/notes/cto-remote/{remote}"


class _Step:
    """What one write wants to do to the tree it was shown: edit it, merge with a commit, or become a commit.

    Neither edits nor a merge is nothing to do.
    """

    def __init__(
        self,
        edits: Edits | None = None,
        *,
        merge: str = "",
        become: str = "",
        gained: Lines | None = None,
        why: str = "append",
    ) -> None:
        self.edits: Edits = edits or {}
        self.merge = merge
        self.become = become
        self.gained = gained or Lines()
        self.why = why


class Notes:
    """The notes of one notes ref."""

    def __init__(self, git: Git, ref: str = RECORDS_REF) -> None:
        self._git = git
        self._ref = ref
        self._shadow = SHADOW_REF if ref == RECORDS_REF else None

    # ---- reading

    def read(self, objects: Iterable[str], reader: Objects | None = None) -> list[bytes]:
        """The lines on these objects (full ids): the union, without blank ones, once each, in stable order.

        Where the ref does not exist there are none; a note that is there and cannot be read is a `GitError`, and so
        are more lines on one object than anybody works with. The cost does not grow with the ledger. `reader`, an
        open reader of objects, saves starting one.
        """
        if reader is None:
            with self._git.objects() as own:
                return self.read(objects, own)
        tree = Tree(reader, self._tip(reader, self._ref))
        return list(dict.fromkeys(line for object_id in objects for line in _lines(tree, reader, object_id)))

    def read_each(self, objects: Iterable[str], reader: Objects) -> Iterator[tuple[str, list[bytes]]]:
        """Each of these objects that has lines, with them, from one look at the ref: cheap also for hundreds."""
        tree = Tree(reader, self._tip(reader, self._ref))
        for object_id in objects:
            lines = _lines(tree, reader, object_id)
            if lines:
                yield object_id, lines

    def taken_off(self, objects: Iterable[str], reader: Objects) -> list[bytes]:
        """The lines on these objects in the shadow, where the notes stand elsewhere; also those that both have.

        Somebody moved the notes, and the next write will bring back what they lost. A shadow that cannot be followed
        says nothing: only writing needs it.
        """
        if self._shadow is None:
            return []
        notes, shadow = reader.info(self._ref), reader.info(self._shadow)
        if shadow is None or shadow == notes:
            return []
        tree = Tree(reader, self._tip(reader, self._shadow))
        return list(dict.fromkeys(line for object_id in objects for line in _lines(tree, reader, object_id)))

    def tip(self) -> str | None:
        """The notes commit, or None where there are no notes."""
        return self._listed(self._ref)

    def all_objects(self) -> Iterator[str]:
        """Every object that has a note, once each, from one listing."""
        tip = self.tip()
        return iter(dict.fromkeys(object_id for object_id, _ in listing(self._git, tip)) if tip else ())

    def all_lines(self) -> Iterator[bytes]:
        """Every different line, once each, as they are read."""
        tip = self.tip()
        return distinct_lines(self._git, tip) if tip else iter(())

    def missing_in(self, theirs: str | None) -> Lines:
        """How many different lines of ours another notes commit does not have."""
        ours = self.tip()
        if ours is None or ours == theirs:
            return Lines()
        if theirs is None:
            return _count(self._git, ours)
        with self._git.objects() as reader:
            return compare(self._git, reader, ours, theirs).lacking

    # ---- writing

    def append(self, objects: Iterable[str], line: bytes, keep: Mapping[str, bytes] | None = None) -> None:
        """Puts a line on all these objects (full ids), in one commit. Once it returns, the line is not lost.

        `keep` is content to store beside the notes, by paths like `changes/<id>` (found at `changes/<2
        digits>/<rest>`), so that no clean-up of git's removes it. A `ToolError` or `GitError` means that nothing
        was written. A line that is there already stays as it is.
        """
        wanted = self._checked(objects, line)
        stored = {kept(path): blob for path, blob in (keep or {}).items()}

        def step(tree: Tree) -> _Step:
            edits: Edits = {path: blob for path, blob in stored.items() if not tree.has(path)}
            for object_id in wanted:
                if line not in tree.lines(object_id):
                    path, blob = next(iter(tree.notes(object_id)), (home(object_id), ""))
                    edits[path] = joined([*(lines_of(tree.blob(blob)) if blob else ()), line])
            return _Step(edits)

        self._update(step)

    def replace(self, object_id: str, text: bytes) -> None:
        """Sets the whole note of one object. For what is derived from records, never for records."""
        self.replace_all({object_id: text})

    def replace_all(self, texts: Mapping[str, bytes]) -> None:
        """Sets whole notes, object -> text, in one commit."""
        if self._shadow:
            raise BugError("Records are appended, never replaced.")

        def step(tree: Tree) -> _Step:
            edits: Edits = {}
            for object_id, text in texts.items():
                old = tree.notes(object_id) or [(home(object_id), "")]
                edits.update({path: text for path, blob in old if not blob or tree.blob(blob) != text})
            return _Step(edits, why="show")

        self._update(step)

    def unite(self, theirs: str) -> Lines:
        """Adds every line and kept entry of another notes commit, removes none. Returns how many lines are new.

        The result descends from both: theirs itself where that has everything of ours.
        """

        def step(tree: Tree) -> _Step:
            if tree.commit is None:
                return _Step(become=theirs, gained=_count(self._git, theirs), why="sync")
            return self._united(tree.commit, theirs)

        return self._update(step)

    def restore(self) -> Lines:
        """Brings back lines that somebody took away by moving or removing the ref. Returns how many."""
        return self._update(lambda _: _Step())

    def _united(self, ours: str, theirs: str) -> _Step:
        if ours == theirs:
            return _Step()
        with self._git.objects() as reader:
            found = compare(self._git, reader, ours, theirs)
        if found.contained and self._git.is_ancestor(ours, theirs):
            return _Step(become=theirs, gained=found.gained, why="sync")
        if not found.edits and self._git.is_ancestor(theirs, ours):
            return _Step()
        return _Step(found.edits, merge=theirs, gained=found.gained, why="sync")

    def _update(self, plan: Callable[[Tree], _Step]) -> Lines:
        """Does what `plan` wants done to the present tree; again when somebody was faster. Returns the gain.

        When a commit of the shadow has more than the notes, both are united first.
        """
        gained = Lines()
        with queue(self._git.place.common_dir):
            races = Races()  # from here: to have stood in the queue for long says nothing of a lock
            while True:
                with self._git.objects() as reader:
                    notes = self._tip(reader, self._ref)
                    shadow = self._tip(reader, self._shadow) if self._shadow else None
                    lost = self._lost(reader, notes, shadow)
                    step = lost or plan(Tree(reader, notes or shadow))
                new = self._made(notes or shadow, step)
                said = self._moved(new, notes, shadow, step.why)
                if said:
                    races.lose(said)
                    continue
                gained += step.gained
                if not lost:
                    return gained

    def _lost(self, reader: Objects, notes: str | None, shadow: str | None) -> _Step | None:
        """The step that brings back what only the shadow has."""
        if shadow is None or notes == shadow:
            return None
        if notes is None:
            return _Step(become=shadow, gained=_count(self._git, shadow), why="restore")
        found = compare(self._git, reader, notes, shadow)
        if not found.edits:
            return None
        return _Step(found.edits, merge=shadow, gained=found.gained, why="restore")

    def _made(self, base: str | None, step: _Step) -> str | None:
        """The commit to move to."""
        if step.become or not (step.edits or step.merge):
            return step.become or base
        parents = [parent for parent in (base, step.merge) if parent]
        return commit(self._git, parents, step.edits, f"git-cto: {step.why}")

    def _moved(self, new: str | None, notes: str | None, shadow: str | None, why: str) -> str:
        """Moves the refs that are not at `new`. Returns "" or why the race was lost."""
        moves: dict[str, tuple[str, str | None]] = {}
        if new and new != notes:
            moves[self._ref] = (new, notes)
        if new and self._shadow and new != shadow:
            moves[self._shadow] = (new, shadow)
        return swap(self._git, moves, why) if moves else ""

    def _tip(self, reader: Objects, ref: str) -> str | None:
        """The object of exactly this ref."""
        found = reader.info(ref)
        if found and not any(reader.info(prefix + ref) for prefix in _LOOKALIKES):
            return found.oid
        return self._listed(ref)  # none, or one that cannot be read, or one of several

    def _listed(self, ref: str) -> str | None:
        """The object of exactly this ref; None where there is no such ref, `ToolError` where git cannot follow it.

        git leaves such a ref out of its list; asked for it by name, it warns that it ignores it, and nothing more.
        """
        done = self._git.attempt("for-each-ref", "--format=%(objectname) %(refname)", ref)
        if done.returncode != 0:
            raise git_error(("for-each-ref",), done.returncode, done.stderr)
        rows = (line.partition(" ") for line in done.stdout.decode("utf-8", "surrogateescape").split("\n"))
        oid = next((oid for oid, _, name in rows if name == ref), None)
        if oid is None:
            done = self._git.attempt("rev-parse", "--verify", "--quiet", ref)
        if oid is None and ref.encode() in done.stderr.split():
            raise ToolError(
                f"The ref {ref} is there and cannot be followed to a commit, so no record can be read.",
                _mended_by(ref),
                code="broken_ref",
            )
        return oid

    def _checked(self, objects: Iterable[str], line: bytes) -> list[str]:
        wanted = list(dict.fromkeys(objects))
        if not line.strip() or b"\n" in line or b"\0" in line:
            raise BugError("A record is one line.")
        for object_id in wanted:
            if annotated(home(object_id), self._git.place.oid_length) != object_id:
                raise BugError(f"{object_id!r} is not a full object id.")
        if len(line) > LARGEST_LINE:
            raise ToolError(
                f"The record is {len(line)} bytes long, and {LARGEST_LINE} is the most that is kept.",
                "make the change or the plan smaller",
                code="record_too_long",
            )
        return wanted


def _mended_by(ref: str) -> str:
    """What to type where a ref is broken. Loses nothing: the notes ref and its shadow have the same lines."""
    name = typed(ref)  # a remote may be called anything
    away = f'rm -f "$(git rev-parse --git-path {name})"'  # git itself removes no ref that it cannot read, since 2.46
    if ref not in {RECORDS_REF, SHADOW_REF}:
        return away
    return f"{away} && git update-ref {ref} {SHADOW_REF if ref == RECORDS_REF else RECORDS_REF}, then git cto sync"


def _lines(tree: Tree, reader: Objects, object_id: str) -> list[bytes]:
    """The lines on an object, if they are not too many to be read."""
    notes = tree.notes(object_id)
    sizes = [info.size for _, oid in notes if (info := reader.info(oid))]  # a missing one fails where it is read
    lines = tree.lines_in(notes) if sum(sizes) <= LARGEST_NOTE else []
    if sum(sizes) > LARGEST_NOTE or len(lines) > MOST_LINES:
        raise GitError(
            f"The records on {object_id[:12]} are too many to be read: more than {MOST_LINES:,}, or "
            f"{LARGEST_NOTE >> 20} MiB.",
            f"see who wrote them: git log {RECORDS_REF}",
            code="ledger_too_large",
        )
    return lines


def _count(git: Git, notes_commit: str) -> Lines:
    return counted(distinct_lines(git, notes_commit))
