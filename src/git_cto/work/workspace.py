"""One command's view of a repository: opened once at the edge, resolved once, passed on to what the verbs do."""

from __future__ import annotations

import datetime as dt
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from git_cto import __version__
from git_cto.config import Settings, read_settings
from git_cto.errors import PolicyError, UsageError
from git_cto.gate.policy import POLICY_PATH, Policy, read_policy
from git_cto.ledger.store import Ledger
from git_cto.model import Actor, Record, Series
from git_cto.redaction import writable
from git_cto.repo.change import fetch_blobs
from git_cto.repo.git import Git, discover
from git_cto.repo.lens import Lens
from git_cto.repo.objects import missing_object
from git_cto.repo.resolve import resolve_target
from git_cto.repo.runs import run_and_task

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType
    from typing import Self

    from git_cto.ledger.signers import Signers
    from git_cto.model import Predicate, Signature, Signer, Subject, Target
    from git_cto.repo.objects import Objects
    from git_cto.repo.resolve import Head
    from git_cto.work.signing import Signing


class Workspace:
    """A repository, its ledger, and the user's settings. A context manager: what it started ends with it.

    `artifacts` is the folder for the files beside the ledger where that is not the main worktree.
    """

    def __init__(self, cwd: str, environ: Mapping[str, str], *, artifacts: str = "") -> None:
        self.environ = environ
        self.artifacts = artifacts
        self.place = discover(cwd, environ)
        self.git = Git(self.place, environ)
        self.ledger = Ledger(self.git)
        self.notes: list[str] = []  # what a person should know that is no part of any answer
        self.signed_only = False  # set where a command wants to see signatures, whatever the policy says
        self.made: set[str] = set()  # the ids of what was recorded here: it counts without a signature
        self._signers: dict[str, Signers] = {}
        self._checked: dict[tuple[str, str, tuple[Signature, ...]], tuple[tuple[Signer, ...], str]] = {}
        self._stack = ExitStack()
        self._configs = self._stack.enter_context(self.git.configs_meanwhile("cto."))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def refuse_executors(self) -> None:
        """Raises `UsageError` where it is an executor of a loop on this very repository that has called us."""
        if "GIT_CTO_AT_WORK" not in self.environ:
            return
        from git_cto.agents.strays import MARK  # noqa: PLC0415 -- start-up
        from git_cto.repo import worktrees  # noqa: PLC0415 -- start-up

        if worktrees.is_home(self.git, self.environ[MARK]):
            raise UsageError(
                "An executor has called git cto, and this is not an executor's to do.",
                "do the task, and say what was done",
                code="executor",
            )

    @cached_property
    def lens(self) -> Lens:
        """Objects and nothing else."""
        return self._stack.enter_context(Lens(self.place, self.environ))

    @cached_property
    def objects(self) -> Objects:
        """A reader of objects and refs of the real repository."""
        return self._stack.enter_context(self.git.objects())

    @cached_property
    def settings(self) -> Settings:
        """The user's own settings: `git config cto.*`."""
        return read_settings(self._configs())

    # ---- records

    @cached_property
    def signing(self) -> Signing:
        """Whether, and with which key, this command signs what it records."""
        from git_cto.work.signing import Signing  # noqa: PLC0415 -- start-up: the gate signs nothing

        return Signing(self.git, self.environ, self.settings.text("cto.sign"), self.notes)

    def record(self, subject: Subject, body: Predicate, *, series: str, change: bytes | None = None) -> Record:
        """Records something, signed where that is wanted; from now on it counts as this process's own."""
        record = self.ledger.add(subject, body, series=series, change=change, sign=self.signing.sign)
        self.made.add(record.id)
        return msgspec.structs.replace(record, own=True)

    def signers(self, target: Target) -> Signers:
        """Who may sign for a target: the lists at its tip, and nowhere else."""
        known = self._signers.get(target.commit)
        if known is None:
            known = self._signers[target.commit] = self._read_signers(target)
        return known

    def _read_signers(self, target: Target) -> Signers:
        from git_cto.ledger.signers import REVOKED_PATH, SIGNERS_PATH, Signers, read_signers  # noqa: PLC0415 -- start-up

        lists = {path: self.bytes_at(target.commit, path) for path in (SIGNERS_PATH, REVOKED_PATH)}
        for path, content in lists.items():
            if content is None and self.lens.reader.entry(target.commit, path):
                return Signers(fault=f"{path} on {target.name} is no ordinary file, so no signature counts.")
        return read_signers(lists[SIGNERS_PATH], lists[REVOKED_PATH])

    def trusting(
        self, records: Iterable[Record], target: Target, *, at: dt.datetime | None = None
    ) -> tuple[Record, ...]:
        """The same records with those of their signers whom the target allows, as of `at` (default: now).

        Those that matter most stand first: only so many signatures are checked. What this process recorded is marked.
        """
        from git_cto.ledger.trusting import trusted  # noqa: PLC0415 -- start-up: only where signatures count

        listed = list(records)
        moment = (at or dt.datetime.now(dt.UTC)).astimezone(dt.UTC)
        known = {} if at else self._checked
        open_ = [one for one in listed if (target.commit, one.id, one.signatures) not in known]
        stamp = moment.strftime("%Y%m%d%H%M%S")
        for one in trusted(open_, self.signers(target), stamp, self.environ):
            known[target.commit, one.id, one.signatures] = one.signers, one.doubt
        return tuple(
            msgspec.structs.replace(one, signers=found[0], doubt=found[1], own=one.id in self.made)
            for one in listed
            for found in [known[target.commit, one.id, one.signatures]]
        )

    # ---- target and policy

    def target(self, name: str | None) -> Target:
        """The branch that changes are meant for: `name`, else the setting, else what the repository suggests."""
        return resolve_target(self.git, name, self.settings.text("cto.base"))

    def policy(self, target: Target) -> Policy:
        """The policy at the target's tip, as far as the user's settings do not narrow it."""
        return self._narrowed(self.committed_policy(target))

    def committed_policy(self, target: Target) -> Policy:
        """The policy at the target's tip as it was committed: what records name, whoever asks where."""
        where = f"{target.name}:{POLICY_PATH}"
        text = self.text_at(target.commit, POLICY_PATH)
        if text is None and self.lens.reader.entry(target.commit, POLICY_PATH):
            raise PolicyError(f"{where} is no ordinary file.", "make it one on the target branch: no link, mode 100644")
        return read_policy(text, where)

    def text_at(self, commit: str, path: str) -> str | None:
        """The text of an ordinary file (mode 100644) at a commit; None where there is none."""
        content = self.bytes_at(commit, path)
        try:
            return None if content is None else content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise UsageError(f"{path} on the target is not UTF-8.", "save it as UTF-8 on the target branch") from error

    def bytes_at(self, commit: str, path: str) -> bytes | None:
        """The content of an ordinary file (mode 100644) at a commit; None where there is none.

        One that a partial clone lacks is fetched; one that is missing is an error, and never the same as none.
        """
        mode, oid = self.lens.reader.entry(commit, path) or ("", "")
        if mode != "100644":
            return None
        content = self.lens.reader.blob(oid)
        if content is None:
            fetch_blobs(self.git, [oid])
            content = self.lens.reader.blob(oid)
        if content is None:
            raise missing_object(oid)
        return content

    @property
    def demands_signatures(self) -> bool:
        """Whether only signed records count here, whatever a policy says: in CI, and where the user wants it."""
        said = self.settings.text("cto.gate.trust")
        if said not in {None, "local", "signed"}:
            raise PolicyError(
                f"git config cto.gate.trust is {said!r}, which is neither local nor signed.",
                "git config cto.gate.trust signed",
            )
        in_ci = self.environ.get("CI", "").strip().lower() in {"true", "1"}
        return self.signed_only or in_ci or said == "signed"

    def _narrowed(self, policy: Policy) -> Policy:
        said = self.settings
        rounds, coverage, gate = policy.rounds, policy.coverage, policy.gate
        rounds = msgspec.structs.replace(
            rounds,
            max=min(rounds.max, said.number("cto.rounds.max") or rounds.max),
            escalate_after=min(rounds.escalate_after, said.number("cto.rounds.escalateafter") or rounds.escalate_after),
        )
        coverage = msgspec.structs.replace(
            coverage, max_bytes=min(coverage.max_bytes, said.number("cto.coverage.maxbytes") or coverage.max_bytes)
        )
        if self.demands_signatures:
            gate = msgspec.structs.replace(gate, trust="signed")
        return msgspec.structs.replace(policy, rounds=rounds, coverage=coverage, gate=gate)

    def actor(self, *, known: bool = False) -> Actor:
        """Who runs this command. Where git does not know: `UsageError` if it must be `known`, else a last resort."""
        done = self.git.polite("var", "GIT_COMMITTER_IDENT")
        name, _, rest = done.stdout.decode("utf-8", "replace").partition(" <")
        email = rest.partition(">")[0]
        if done.returncode != 0 or not name:
            if known:
                raise UsageError(
                    "git does not know who you are, and this has to be recorded.",
                    "git config --global user.name NAME && git config --global user.email EMAIL",
                    code="no_identity",
                )
            name, email = "unknown", ""
        import socket  # noqa: PLC0415 -- start-up

        return Actor(name=name, email=email, host=socket.gethostname(), tool=f"git-cto {__version__}")

    # ---- runs and series

    def current_run(self) -> str | None:
        """The run of the branch that is checked out, if it is one of a run."""
        found = run_and_task(self.git.head_ref())
        return found[0] if found else None


def run_series(run: str, target: str) -> Series:
    """What the rounds of a run are counted in."""
    return Series(name=f"run/{run}", target=target)


def head_series(head: Head, target: str) -> Series:
    """What rounds are counted in without a run: the branch, or where there is none the commit."""
    if head.ref is None:
        return Series(name=f"commit/{head.commit}", target=target)
    return Series(name=f"branch/{writable(head.ref)}", target=target)


def now() -> str:
    """The time as records write it: UTC, milliseconds."""
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
