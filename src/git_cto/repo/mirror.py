"""A repository of our own for somebody else's change: fetched bare, in part, and never checked out.

What a large repository costs here is what its change costs: all commits, the folders of three of them, and exactly the
files that are asked for. A server that sends no part of a repository sends the whole one. The token goes to git in its
environment, for the commands that talk to the remote and for no other. What is made of the objects, and how records
are exchanged, is left to others.
"""

from __future__ import annotations

import base64
import re
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from git_cto.errors import GitError, ToolError
from git_cto.repo.change import blobs_needed, conflicts, identify
from git_cto.repo.git import Git, discover, git_error, run_git
from git_cto.repo.lens import Lens

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterable, Mapping, Sequence
    from types import TracebackType
    from typing import Self

REMOTE = "origin"
TOKEN_USER = "x-access-token"  # noqa: S105 -- what GitHub calls the user of a token
PAUSES = (1.0, 4.0)  # seconds between tries where the connection fails

# What git needs to work and to reach a server; nothing of a job's secrets, and nobody's settings.
_PASSED = re.compile(
    r"PATH|TMPDIR|LANG|LC_\w+|TZ|(?i:https?_proxy|all_proxy|no_proxy)|SSL_CERT_(FILE|DIR)|GIT_SSL_CAINFO|GIT_EXEC_PATH"
)
_FETCH = (
    *("fetch", "--quiet", "--no-tags", "--no-prune", "--no-write-fetch-head", "--no-recurse-submodules"),
    *("--no-auto-maintenance", "--no-show-forced-updates", "--refmap="),
)
_PUSH = ("push", "--quiet", "--porcelain", "--no-verify", "--no-follow-tags", "--no-signed", "--recurse-submodules=no")
_NO_PARTS = re.compile(r"filter '[^']*' not supported|invalid filter-spec|does not allow request for|not our ref")
_UNSTEADY = re.compile(
    r"error: (429|5\d\d)|Could not resolve|onnection (refused|reset|timed out)|Failed to connect|Couldn't connect"
    r"|early EOF|hung up|RPC failed|too slow|Timeout"
)
# What git or the server said -> what went wrong, what to do, and a word for programs. The first that fits counts.
_ANSWERS = (
    (r"couldn't find remote ref", "has no such branch", "look whether it was deleted", "not_found"),
    (
        r"error: 401|Authentication failed|could not read (Username|Password)|terminal prompts disabled",
        "does not take the token",
        "give github-token one that is valid",
        "no_login",
    ),
    (
        r"error: 40[34]|not found|does not appear to be a git repository",
        "is not there, or the token may not read it",
        "give the job `contents: read`",
        "no_access",
    ),
    (_UNSTEADY.pattern, "cannot be reached", "run the job again", "no_network"),
)


class Mirror:
    """A new repository in the empty folder `path`, whose only remote is `url`; a context manager.

    `git` talks to the remote with the token. It is bare, unless it is to have a `worktree`, which only branches that
    are trusted may get.
    """

    def __init__(self, path: str, url: str, *, token: str, environ: Mapping[str, str], worktree: bool = False) -> None:
        self.path = path
        self.url = url
        self.environ = plain_environment(environ, path)
        _make(path, url, self.environ, bare=not worktree)
        where = {} if worktree else {"GIT_DIR": path}  # else it would be looked for around `path` as well
        place = discover(path, self.environ | where)
        self.git = Git(place, self.environ | _connection(url, token))
        self.lens = Lens(place, self.environ)
        self._fetched: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.lens.__exit__(kind, error, trace)

    # ---- from the remote

    def fetch(self, refs: Mapping[str, str], *, whole: bool = False) -> tuple[str, ...]:
        """Fetches full refs of the remote (or commits) to refs of our own, and says where these stand now.

        Commits only, unless `whole`. Raises `ToolError`: with the code `not_found` where the remote has no such ref.
        """
        specs = [f"+{theirs}:{ours}" for theirs, ours in refs.items()]
        self._fetched += specs
        self._fetch("--no-filter" if whole else "--filter=tree:0", "--", REMOTE, *specs)
        found = self.git.refs(*refs.values())
        return tuple(found[ours] for ours in refs.values())

    def fetch_all(self, pattern: str) -> dict[str, str]:
        """Fetches all refs of the remote that match (one `*`), whole, to the same names; where these stand now."""
        spec = f"+{pattern}:{pattern}"
        self._fetched.append(spec)
        self._fetch("--no-filter", "--", REMOTE, spec)
        return self.git.refs(pattern)

    def bring(self, target: str, head: str, files: Iterable[str] = ()) -> None:
        """Fetches what telling the change from commit `target` to commit `head` takes: folders, and the change's files.

        With them come `files` of the target, as far as it has them. Where there is no one merge base only these:
        whoever asks what the change is will hear of it.
        """
        base = self.merge_base(target, head)
        self.bring_trees(target, *((base, head) if base else ()))
        wanted = self._files(target, files)
        if base is None:
            self.bring_objects(wanted)
            return
        change = identify(self.lens, base, head)
        self.bring_objects([*wanted, *sorted(blobs_needed(self.lens, change, target, renamed=False))])
        if base == target:
            return
        try:
            conflicts(self.lens, target, head)
        except GitError as error:
            if error.code != "missing_object":
                raise
            self.bring_objects(blobs_needed(self.lens, change, target))

    def merge_base(self, one: str, other: str) -> str | None:
        """The one merge base of two commits; None where there is none, or several."""
        bases = self.lens.attempt("merge-base", "--all", "--end-of-options", one, other).stdout.decode().split()
        return bases[0] if len(bases) == 1 else None

    def bring_trees(self, *commits: str) -> None:
        """Fetches all folders of these commits, without the files in them."""
        with self.lens.objects() as objects:
            bodies = [objects.read(commit) for commit in dict.fromkeys(commits)]
        self.bring_objects(_tree(found[1]) for found in bodies if found and found[0].type == "commit")

    def bring_files(self, commit: str, files: Iterable[str]) -> None:
        """Fetches these files of a commit whose folders are here, as far as it has them."""
        self.bring_objects(self._files(commit, files))

    def _files(self, commit: str, files: Iterable[str]) -> list[str]:
        with self.lens.objects() as objects:
            entries = [objects.entry(commit, path) for path in files]
        return [oid for mode, oid in filter(None, entries) if mode.startswith("100")]

    def bring_objects(self, oids: Iterable[str]) -> None:
        """Fetches these objects, as far as they are not here; a folder comes with all folders in it, and no file."""
        with self.lens.objects() as objects:
            missing = [oid for oid in dict.fromkeys(oids) if objects.info(oid) is None]
        if missing:
            self._fetch("--filter=blob:none", "--stdin", REMOTE, data="".join(f"{oid}\n" for oid in missing).encode())

    def _fetch(self, *argv: str, data: bytes | None = None) -> None:
        """Fetches; all of what was ever asked for where the server sends no parts."""
        # Without telling what is here: the server would take everything that hangs on it to be here, too.
        alone = ("-c", "fetch.negotiationAlgorithm=noop") if data else ()
        done = self._patiently(*alone, *_FETCH, *argv, data=data)
        if done.returncode != 0 and _NO_PARTS.search(_said(done)):
            done = self._patiently(*_FETCH, "--refetch", "--no-filter", "--", REMOTE, *self._fetched)
        if done.returncode != 0:
            raise _refused(self.url, done)

    def _patiently(self, *argv: str, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        """What became of a command; tried again a few times where the connection failed."""
        for pause in PAUSES:
            done = self.git.polite(*argv, data=data)
            if done.returncode == 0 or not _UNSTEADY.search(_said(done)):
                return done
            time.sleep(pause)
        return self.git.polite(*argv, data=data)

    def check_out(self, branch: str, commit: str) -> None:
        """Makes a branch (its short name) at a commit that is here whole, and puts its files into the worktree."""
        # Without the token: an attribute of the branch may name a filter, even if there is none that it could run.
        git = Git(self.git.place, self.environ)
        done = git.polite("checkout", "--quiet", "-B", branch, commit)
        if done.returncode != 0:
            raise git_error(("checkout",), done.returncode, done.stderr)

    # ---- to the remote

    def push(self, refs: Sequence[str]) -> None:
        """Pushes branches of ours (full refs) to the same names, forward only. Raises `ToolError` where it may not."""
        done = self._patiently(*_PUSH, "--", REMOTE, *(f"{ref}:{ref}" for ref in refs))
        if done.returncode != 0:
            raise _refused(self.url, done)


def plain_environment(environ: Mapping[str, str], home: str) -> dict[str, str]:
    """What git gets of `environ` when it works for us alone: nobody's settings, hooks, helpers and credentials."""
    kept = {name: value for name, value in environ.items() if _PASSED.fullmatch(name)}
    return {**kept, "HOME": home, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}


def _connection(url: str, token: str) -> dict[str, str]:
    """The variables that make git send the token, to this server only; no argument shows it, and no file keeps it."""
    parts = urlsplit(url)
    server = f"{parts.scheme}://{parts.netloc}/"
    settings = {
        "credential.helper": "",
        "core.askPass": "",
        "http.followRedirects": "false",  # the token would go along
        "http.lowSpeedLimit": "100",
        "http.lowSpeedTime": "60",
        "protocol.allow": "never",
        f"protocol.{parts.scheme}.allow": "always",
    }
    if token:
        login = base64.b64encode(f"{TOKEN_USER}:{token}".encode()).decode()
        settings[f"http.{server}.extraHeader"] = f"Authorization: Basic {login}"
    said = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings.items()):
        said |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return said


def _make(path: str, url: str, environ: Mapping[str, str], *, bare: bool) -> None:
    options = ["--quiet", "--template=", "--initial-branch=none", *(["--bare"] if bare else [])]
    inside = ["-C", path]
    for argv in (["init", *options, path], [*inside, "config", f"remote.{REMOTE}.url", url]):
        done = run_git(["git", *argv], cwd=path, env={**environ, **({"GIT_DIR": path} if bare else {})})
        if done.returncode != 0:
            raise git_error(argv, done.returncode, done.stderr)


def _tree(commit: bytes) -> str:
    return commit.partition(b"\n")[0].removeprefix(b"tree ").decode("ascii")


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    return (done.stderr + b"\n" + done.stdout).decode("utf-8", "replace")


def _refused(url: str, done: subprocess.CompletedProcess[bytes]) -> ToolError:
    """What to tell of a fetch or a push that failed. Nothing of what the server said: it may hold anything."""
    said = _said(done)
    for pattern, what, hint, code in _ANSWERS:
        if re.search(pattern, said):
            return ToolError(f"{url} {what}.", hint, code=code)
    return ToolError(f"git could not exchange anything with {url} ({done.returncode}).", "run the job again")
