"""What a change is: its merge base, its identity, and whether it still merges.

Everything is computed from objects, through a `Lens`: no working tree, no configuration, no attribute. How much of a
change is shown, and as what text, is `repo.patch`'s business.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from typing import TYPE_CHECKING

from git_cto.errors import GitError, ToolError, UsageError, typed
from git_cto.model import Change, FileChange
from git_cto.repo.git import git_error
from git_cto.repo.objects import MalformedTreeError, missing_object

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Sequence

    from git_cto.repo.git import Git
    from git_cto.repo.lens import Lens
    from git_cto.repo.objects import Objects

_FEW = 20  # commits
_OID = rb"[0-9a-f]{40}|[0-9a-f]{64}"
_LISTED = re.compile(rb":([0-7]{6}) ([0-7]{6}) (%b) (%b) ([AMDT])\0([^\0]*)\0" % (_OID, _OID))
_NO_NAMES = frozenset((b"", b".", b"..", b".git"))  # in lower case; git itself would never write them
RAW_OPTIONS = ("-r", "--raw", "--no-abbrev", "--no-renames", "-z", "--ignore-submodules=none")


def merge_base(lens: Lens, target: str, head: str, target_name: str) -> str:
    """The one merge base of two commits.

    Raises `UsageError` where there is none or more than one, `ToolError` where history is missing.
    """
    if _grew_from(lens.reader, head, target):
        return target
    done = lens.attempt("merge-base", "--all", "--end-of-options", target, head)
    bases = done.stdout.decode().split()
    if done.returncode not in {0, 1} or (not bases and done.stderr.strip()):
        if not lens.place.shallow:
            raise git_error(("merge-base",), done.returncode, done.stderr)
        bases = _above_the_cut(lens, target, head)
    if not bases:
        raise UsageError(
            f"This commit has no common ancestor with {target_name}.",
            "name the branch that the change is meant for with --base",
        )
    if len(bases) > 1:
        raise UsageError(
            f"This commit and {target_name} have {len(bases)} merge bases, so what changed is not well defined.",
            f"git merge {typed(target_name)}, then try again",
        )
    return bases[0]


def _grew_from(reader: Objects, head: str, target: str) -> bool:
    """Whether `target` is a few commits behind `head`, first parents only: then it is the one merge base.

    That is how most branches are, and asking for these commits is quicker than starting git once more.
    """
    commit: str | None = head
    for _ in range(_FEW):
        if commit is None or commit == target:
            break
        commit = reader.first_parent(commit)
    return commit == target


def _above_the_cut(lens: Lens, target: str, head: str) -> list[str]:
    """The merge bases in a shallow clone, where what was cut off cannot hold another one.

    That is so where every way back from either commit reaches one of the merge bases before it reaches the cut: all
    that is hidden then lies behind them.
    """
    lens.end_where_the_clone_ends()
    found = lens.attempt("merge-base", "--all", "--end-of-options", target, head)
    bases = found.stdout.decode().split()
    since = lens.attempt("rev-list", target, head, *(f"^{base}" for base in bases))
    if not bases or since.returncode != 0 or lens.cut.intersection(since.stdout.decode().split()):
        raise ToolError(
            "The history here is shallow: what this change starts from is not in this clone.",
            "git fetch --unshallow",
            code="shallow",
        )
    return bases


def identify(lens: Lens, base: str, head: str) -> Change:
    """The change from commit `base` to commit `head`. Its id is the blob id of the raw listing of what differs."""
    reader = lens.reader  # starts while git compares
    done = lens.attempt("diff-tree", *RAW_OPTIONS, "--end-of-options", base, head)
    if done.returncode != 0:
        if b"unable to read tree" in done.stderr or b"bad object" in done.stderr:
            raise missing_object(head)
        raise git_error(("diff-tree",), done.returncode, done.stderr)
    tree = reader.info(f"{head}^{{tree}}")
    if tree is None:
        raise missing_object(head)
    raw = done.stdout
    files = tuple(read_listing(raw))
    fault = tree_fault([file.path for file in files])
    if fault:
        raise MalformedTreeError(fault, "git fsck")
    return Change(
        id=blob_id(raw, lens.place.object_format),
        sha256=hashlib.sha256(raw).hexdigest(),
        base=base,
        head=head,
        tree=tree.oid,
        raw=raw,
        files=files,
    )


def tree_fault(paths: Sequence[bytes]) -> str:
    """What is wrong with trees that were made by hand so that what git lists of them is about something else, else "".

    git compares two trees by walking along both, and takes for granted that they are sorted: where one is not, it
    names one path twice, or lists files in an order that a tree made of them would not have.
    """
    for path in paths:
        if any(part.lower() in _NO_NAMES for part in path.split(b"/")):
            said = path.decode("utf-8", "replace")
            return f"A tree of this change has the path {said!a}, which no file can have."
    if any(one >= other for one, other in itertools.pairwise(paths)):
        return "A tree of this change names one path twice or is not sorted, so what it says is not well defined."
    return ""


def blob_id(content: bytes, object_format: str) -> str:
    """The id that git gives to a blob with this content."""
    return hashlib.new(object_format, b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def read_listing(raw: bytes) -> list[FileChange]:
    """The files of a raw listing of git's. Raises `GitError` where it is not one to the last byte."""
    files: list[FileChange] = []
    end = 0
    for found in _LISTED.finditer(raw):
        old_mode, new_mode, old_oid, new_oid, status = (field.decode("ascii") for field in found.groups()[:-1])
        files.append(FileChange(found[6], old_mode, new_mode, old_oid, new_oid, status))
        if found.start() != end:
            break
        end = found.end()
    if end != len(raw):  # what was passed over would be merged and judged by nobody
        raise GitError("git's list of what changed cannot be read.", "git fsck, or another git", code="unread_listing")
    return files


def conflicts(lens: Lens, target: str, head: str) -> tuple[str, ...]:
    """Paths that conflict when `head` is merged into `target`; empty where it merges.

    Merging writes objects; they go into the lens, which is thrown away.
    """
    done = _merged(lens, target, head)
    return () if done.returncode == 0 else conflict_paths(done.stdout)


def landing(lens: Lens, target: str, head: str) -> tuple[FileChange, ...]:
    """What merging `head` into `target` changes there; nothing where it does not merge.

    Mostly that is the very change. But a merge follows what was renamed meanwhile, and what the change does to one
    file it then does to another.
    """
    done = _merged(lens, target, head)
    if done.returncode != 0:
        return ()
    tree = done.stdout.split(b"\0", 1)[0].decode("ascii")
    return tuple(read_listing(lens.run("diff-tree", *RAW_OPTIONS, "--end-of-options", target, tree)))


def _merged(lens: Lens, target: str, head: str) -> subprocess.CompletedProcess[bytes]:
    """How git merged them: with 0 where they merge, with 1 where they conflict. Raises `GitError` for anything else."""
    done = lens.merge_tree(target, head)
    if done.returncode not in {0, 1}:
        if b"unable to read" in done.stderr or b"could not read" in done.stderr.lower():
            raise GitError(
                "What has to be merged is not all in this clone.",
                "git cto review (it fetches what a partial clone lacks), git fetch --unshallow, or git fsck",
                code="missing_object",
            )
        raise git_error(("merge-tree",), done.returncode, done.stderr)
    return done


def conflict_paths(said: bytes) -> tuple[str, ...]:
    """The paths in conflict in what `git merge-tree --write-tree -z --name-only` printed; never empty."""
    names = said.decode("utf-8", "replace").split("\0")[1:]
    listed = names[: names.index("")] if "" in names else names
    return tuple(dict.fromkeys(listed)) or ("(unknown)",)


def fetch_missing(git: Git, lens: Lens, change: Change, target: str) -> None:
    """In a partial clone, fetches what showing a change and merging it into commit `target` will read."""
    if _promisor(git) is None:
        return
    wanted = blobs_needed(lens, change, target)
    with lens.objects() as objects:
        missing = sorted(oid for oid in wanted if objects.info(oid) is None)
    if missing:
        fetch_blobs(git, missing)


def blobs_needed(lens: Lens, change: Change, target: str, *, renamed: bool = True) -> set[str]:
    """The blobs that showing a change and merging it into commit `target` read.

    Finding out what was `renamed` in the target meanwhile reads more of them, and few merges need that.
    """
    wanted = {oid for file in change.files for oid in blobs_of(file)}
    if target != change.base:
        touched = {file.path for file in change.files}
        theirs = identify(lens, change.base, target).files
        # What both sides touched is merged; what was added or deleted may be one half of a renamed file.
        merged = (file for file in theirs if file.path in touched or (renamed and file.status in "AD"))
        wanted |= {oid for file in merged for oid in blobs_of(file)}
    return wanted


def fetch_blobs(git: Git, oids: Sequence[str]) -> None:
    """Fetches these blobs from where a partial clone came from; in any other clone they are missing: `GitError`."""
    remote = _promisor(git)
    if remote is None:
        raise missing_object(oids[0])
    done = git.polite(
        "-c",
        "fetch.negotiationAlgorithm=noop",
        "fetch",
        "--quiet",
        "--no-tags",
        "--no-write-fetch-head",
        "--recurse-submodules=no",
        "--filter=blob:none",
        "--stdin",
        remote,
        data="".join(f"{oid}\n" for oid in oids).encode(),
    )
    if done.returncode != 0:
        files = "1 file is" if len(oids) == 1 else f"{len(oids)} files are"
        raise ToolError(
            f"{files} needed and not in this partial clone, and {remote} did not send them.",
            f"git fetch {typed(remote)}, or check your connection",
            code="missing_object",
        )


def _promisor(git: Git) -> str | None:
    """The remote that a partial clone has its objects from; None in a whole one."""
    said = git.configs("remote.")
    names = [name.removeprefix("remote.").removesuffix(".promisor") for name in said if name.endswith(".promisor")]
    found = [name for name in names if said[f"remote.{name}.promisor"] == "true"]
    return "origin" if "origin" in found else next(iter(found), None)


def submodules(git: Git, commit: str) -> tuple[str, ...]:
    """The paths of a commit's submodules."""
    if git.attempt("cat-file", "-e", f"{commit}:.gitmodules").returncode != 0:
        return ()  # without it they could not be filled; and to look through the whole tree takes a while
    listed = git.run("ls-tree", "-r", "-z", "--full-tree", commit).decode("utf-8", "surrogateescape").split("\0")
    return tuple(entry.partition("\t")[2] for entry in listed if entry.startswith("160000 "))


def blobs_of(file: FileChange) -> list[str]:
    """The blob ids of both sides of a file, without absent sides and submodules."""
    sides = ((file.old_mode, file.old_oid), (file.new_mode, file.new_oid))
    return [oid for mode, oid in sides if mode not in {"000000", "160000"}]
