"""What a change is: its merge base, its identity, and whether it still merges.

Everything is computed from objects, through a `Lens`: no working tree, no configuration, no attribute. How much of a
change is shown, and as what text, is `repo.patch`'s business.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from git_cto.errors import GitError, ToolError, UsageError
from git_cto.model import Change, FileChange
from git_cto.repo.git import git_error, missing_object

if TYPE_CHECKING:
    from git_cto.repo.git import Git, Lens

RAW_OPTIONS = ("-r", "--raw", "--no-abbrev", "--no-renames", "-z", "--ignore-submodules=none")


def merge_base(lens: Lens, target: str, head: str, target_name: str) -> str:
    """The one merge base of two commits.

    Raises `UsageError` where there is none or more than one, `ToolError` where history is missing.
    """
    done = lens.attempt("merge-base", "--all", "--end-of-options", target, head)
    bases = done.stdout.decode().split()
    if done.returncode not in {0, 1} or (not bases and done.stderr.strip()):
        raise _missing_history(lens, done.returncode, done.stderr)
    if not bases:
        raise UsageError(
            f"This commit has no common ancestor with {target_name}.",
            "name the branch that the change is meant for with --base",
        )
    if len(bases) > 1:
        raise UsageError(
            f"This commit and {target_name} have {len(bases)} merge bases, so what changed is not well defined.",
            f"git merge {target_name}, then try again",
        )
    return bases[0]


def _missing_history(lens: Lens, returncode: int, stderr: bytes) -> GitError | ToolError:
    if lens.place.shallow:
        return ToolError(
            "The history here is shallow: what this change starts from is not in this clone.",
            "git fetch --unshallow",
            code="shallow",
        )
    return git_error(("merge-base",), returncode, stderr)


def identify(lens: Lens, base: str, head: str) -> Change:
    """The change from commit `base` to commit `head`. Its id is the blob id of the raw listing of what differs."""
    done = lens.attempt("diff-tree", *RAW_OPTIONS, "--end-of-options", base, head)
    if done.returncode != 0:
        if b"unable to read tree" in done.stderr or b"bad object" in done.stderr:
            raise missing_object(head)
        raise git_error(("diff-tree",), done.returncode, done.stderr)
    tree = lens.run("rev-parse", "--verify", "--end-of-options", f"{head}^{{tree}}").decode().strip()
    raw = done.stdout
    return Change(
        id=blob_id(raw, lens.place.object_format),
        sha256=hashlib.sha256(raw).hexdigest(),
        base=base,
        head=head,
        tree=tree,
        raw=raw,
        files=tuple(_parse(raw)),
    )


def blob_id(content: bytes, object_format: str) -> str:
    """The id that git gives to a blob with this content."""
    return hashlib.new(object_format, b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _parse(raw: bytes) -> list[FileChange]:
    fields = raw.split(b"\0")
    files = []
    for meta, path in zip(fields[0::2], fields[1::2], strict=False):
        old_mode, new_mode, old_oid, new_oid, status = meta[1:].decode("ascii").split(" ")
        files.append(FileChange(path, old_mode, new_mode, old_oid, new_oid, status[:1]))
    return files


def conflicts(lens: Lens, target: str, head: str) -> tuple[str, ...]:
    """Paths that conflict when `head` is merged into `target`; empty where it merges.

    Merging writes objects; they go into the lens, which is thrown away.
    """
    done = lens.merge_tree(target, head)
    if done.returncode == 0:
        return ()
    if done.returncode != 1:
        raise git_error(("merge-tree",), done.returncode, done.stderr)
    names = done.stdout.decode("utf-8", "replace").split("\0")[1:]
    listed = names[: names.index("")] if "" in names else names
    return tuple(dict.fromkeys(listed)) or ("(unknown)",)


def fetch_missing(git: Git, lens: Lens, change: Change) -> None:
    """In a partial clone, fetches the blobs of a change that are not here, in one request."""
    if not git.config("extensions.partialclone"):
        return
    wanted = {oid for file in change.files for oid in blobs_of(file)}
    with lens.objects() as objects:
        missing = sorted(oid for oid in wanted if objects.info(oid) is None)
    if not missing:
        return
    remote = git.config("extensions.partialclone") or "origin"
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
        data="".join(f"{oid}\n" for oid in missing).encode(),
    )
    if done.returncode != 0:
        raise ToolError(
            f"{len(missing)} files of this change are not in this partial clone and {remote} did not send them.",
            f"git fetch {remote}, or check your connection",
            code="missing_object",
        )


def blobs_of(file: FileChange) -> list[str]:
    """The blob ids of both sides of a file, without absent sides and submodules."""
    sides = ((file.old_mode, file.old_oid), (file.new_mode, file.new_oid))
    return [oid for mode, oid in sides if mode not in {"000000", "160000"}]
