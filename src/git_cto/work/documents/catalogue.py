"""Every document by its name, for the schemas and for tests. No verb loads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from git_cto.work.documents.errors import ErrorDocument
from git_cto.work.documents.gate import GateDocument
from git_cto.work.documents.ledger import DecisionDocument, ImportDocument, SignDocument, SyncDocument
from git_cto.work.documents.plans import PlanDocument
from git_cto.work.documents.proofs import AuditDocument, LandingDocument, ProofDocument
from git_cto.work.documents.questions import DryRunDocument, ReplayDocument
from git_cto.work.documents.records import LogDocument
from git_cto.work.documents.reviews import ReviewDocument
from git_cto.work.documents.runs import AbandonDocument, EventDocument, RunDocument
from git_cto.work.documents.set_up import DemoDocument, DoctorDocument, InitDocument
from git_cto.work.documents.tasks import FinishDocument, StartDocument, TasksDocument

if TYPE_CHECKING:
    from msgspec import Struct

DOCUMENTS: dict[str, type[Struct]] = {
    "plan": PlanDocument,
    "dry-run": DryRunDocument,
    "tasks": TasksDocument,
    "start": StartDocument,
    "finish": FinishDocument,
    "review": ReviewDocument,
    "gate": GateDocument,
    "run": RunDocument,
    "event": EventDocument,
    "abandon": AbandonDocument,
    "log": LogDocument,
    "decision": DecisionDocument,
    "sign": SignDocument,
    "proof": ProofDocument,
    "audit": AuditDocument,
    "landing": LandingDocument,
    "import": ImportDocument,
    "replay": ReplayDocument,
    "sync": SyncDocument,
    "doctor": DoctorDocument,
    "init": InitDocument,
    "demo": DemoDocument,
    "error": ErrorDocument,
}
