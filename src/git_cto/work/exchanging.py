"""Records outside of the ledger: written as plain DSSE envelopes, summed up as SLSA does, and taken back.

What comes in passes the same checks as what is found in the ledger, and one more: what it says it is about has to be
here, and has to be what is computed of it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from msgspec import Struct

from git_cto import __version__
from git_cto.errors import UsageError, typed
from git_cto.gate.decision import plan_of
from git_cto.ledger.records import LARGEST_LINE, STATEMENT_TYPE, read, seal
from git_cto.ledger.strict import UnreadError, parse
from git_cto.model import OverrideRecord, Subject, VerdictRecord
from git_cto.repo.change import identify
from git_cto.work.workspace import now

if TYPE_CHECKING:
    from git_cto.model import Record
    from git_cto.work.proving import Proof
    from git_cto.work.workspace import Workspace

SUMMARY_TYPE = "https://slsa.dev/verification_summary/v1"
VERIFIER = "https://git-cto.github.io/gate/v1"
_SLSA = "1.2"
LARGEST_FILE = 4 * LARGEST_LINE  # bytes of an envelope, laid out by whatever wrote it


class Imported(Struct, frozen=True, kw_only=True):
    """A record that was taken in, and what to type next. `new` is False where it was here with all its signatures."""

    record: Record
    new: bool
    next_step: str
    notes: tuple[str, ...] = ()


def exported(record: Record) -> bytes:
    """A record with all its signatures as a DSSE envelope around an in-toto statement, one line of JSON."""
    return seal(record.payload, record.signatures) + b"\n"


def summary(workspace: Workspace, proof: Proof) -> bytes:
    """What a verification came to, as a SLSA verification summary in a DSSE envelope, signed where we sign."""
    found, by = proof.survey, proof.decision.by
    signed = by is not None and bool(by.signers)
    levels = ["GIT_CTO_GATE_OPEN", *(["GIT_CTO_SIGNED"] if signed else [])] if proof.proven else []
    known = [{"uri": "git:refs/notes/cto-records", "digest": {"sha256": by.id}}] if by else []
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": found.head.name, "digest": {"gitCommit": found.change.head}}],
        "predicateType": SUMMARY_TYPE,
        "predicate": {
            "verifier": {"id": VERIFIER, "version": {"git-cto": __version__}},
            "timeVerified": now(),
            "resourceUri": f"git:{found.target.ref}",
            "policy": {"uri": f"git:{found.target.ref}:.cto", "digest": {"gitCommit": found.target.commit}},
            "inputAttestations": known,
            "verificationResult": "PASSED" if proof.proven else "FAILED",
            "verifiedLevels": levels,
            "slsaVersion": _SLSA,
        },
    }
    text = json.dumps(statement, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    payload = text.encode("utf-8", "backslashreplace")
    return seal(payload, workspace.signing.sign(payload)) + b"\n"


def take_in(workspace: Workspace, data: bytes, where: str) -> Imported:
    """Adds a record from a file to the ledger. Raises `UsageError` for what would not count, and says why."""
    record = _read(data, where)
    change = _checked(workspace, record, where)
    target = workspace.target(record.body.target)
    policy = workspace.policy(target)
    (seen,) = workspace.trusting([record], target)
    notes = []
    if not seen.trusted:
        if policy.gate.trust == "signed":
            raise UsageError(
                f"{where} does not count here: {seen.doubt}.",
                f"have somebody sign it whom .cto/allowed_signers of {target.name} lists",
                code="untrusted_record",
            )
        notes.append(f"{seen.doubt}: it counts here because trust is local")
    before = workspace.ledger.find(head=record.subject.head, objects=workspace.objects)
    known = next((one for one in before if one.id == record.id), None)
    new = known is None or bool(set(record.signatures) - set(known.signatures))
    if new:
        workspace.ledger.put(record, series=record.body.series, change=change)
    run = _run_without_plan(workspace, record)
    if run:
        notes.append(f"it rests on a plan of {run}, which is not here: a plan is a record of its own")
    return Imported(record=seen, new=new, next_step=_next(workspace, record, run), notes=tuple(notes))


def _run_without_plan(workspace: Workspace, record: Record) -> str:
    """The run of whose plans the one is not here that a verdict rests on; "" where nothing is missing."""
    body = record.body
    if not isinstance(body, VerdictRecord) or not body.digests.plan or not body.run:
        return ""
    known = workspace.ledger.find(series=f"run/{body.run}", objects=workspace.objects)
    return "" if plan_of(body, known) else body.run


def _next(workspace: Workspace, record: Record, run: str) -> str:
    """What to type once a record is here: how its plan comes after it, else the gate about what was judged."""
    if run:
        return f"git cto sync, or where it came from git cto show {typed(run)} --export dsse, and import that too"
    here = workspace.objects.info("HEAD^{commit}")
    judged = isinstance(record.body, VerdictRecord | OverrideRecord)
    elsewhere = judged and (here is None or here.oid != record.subject.head)
    return f"git cto gate {record.subject.head[:12]}" if elsewhere else "git cto gate"


def _read(data: bytes, where: str) -> Record:
    hint = "git cto show --export dsse writes one"
    if not data.strip():
        raise UsageError(f"{where} holds no record: it is empty.", hint, code="no_record")
    try:
        if len(data) > LARGEST_FILE:
            raise UnreadError("too-long", f"more than {LARGEST_FILE:,} bytes are more than a record may have")  # noqa: TRY301
        one_line = json.dumps(parse(data, "the file"), sort_keys=True, separators=(",", ":")).encode("utf-8")
        return read(one_line)
    except UnreadError as error:
        raise UsageError(f"{where} holds no record: {error}.", hint, code="no_record") from error


def _checked(workspace: Workspace, record: Record, where: str) -> bytes | None:
    """The change that a record is about, computed from what is here; None for a record about none."""
    body, subject = record.body, record.subject
    if workspace.git.commit_of(subject.head) is None:
        raise UsageError(
            f"{where} is about commit {subject.head[:12]}, which is not here.", "git fetch, then import it again"
        )
    if isinstance(body, VerdictRecord):
        base = body.merge_base
    elif isinstance(body, OverrideRecord):
        base = _merge_base(workspace, body.target_commit, subject.head)
    else:
        return None
    if workspace.git.commit_of(base) is None:
        raise UsageError(f"{where} rests on commit {base[:12]}, which is not here.", "git fetch, then import it again")
    change = identify(workspace.lens, base, subject.head)
    if subject != Subject(head=change.head, tree=change.tree, change=change.id, sha256=change.sha256):
        raise UsageError(
            f"{where} speaks of another change than commit {subject.head[:12]} makes.",
            "git cto review judges what is here",
            code="other_change",
        )
    return change.raw


def _merge_base(workspace: Workspace, target: str, head: str) -> str:
    done = workspace.lens.attempt("merge-base", "--end-of-options", target, head)
    return done.stdout.decode().strip() if done.returncode == 0 else target
