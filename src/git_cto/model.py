"""The values that git-cto keeps and passes around, with the domain's names. Immutable, and free of input and output.

Everything here is a frozen `msgspec.Struct`: as cheap to define as a tuple (start-up is part of the product) and
strict to read (an unknown field, a wrong type, an unknown verdict is an error). Beside the plan stands what keeps one
from being carried out, whoever reads it. What a *model* may answer is `answers`' business; how a record is written
down is `ledger.records`'.
"""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

Action = Literal["create_file", "modify_file", "delete_file", "run_command", "verify"]
Verdict = Literal["approve", "revise", "abort"]
Severity = Literal["blocker", "major", "minor", "nit"]
TaskStatus = Literal["pass", "fail", "partial"]
RulingKind = Literal["fixed", "still_open", "withdrawn"]
ResultOutcome = Literal["done", "blocked", "failed"]
CoverageStatus = Literal["full", "summarised", "listed", "omitted"]

TRUNK = "trunk"
# A model or an effort goes to an engine as an argument: no option, nothing unprintable.
ENGINE_WORD = r"^[A-Za-z0-9][A-Za-z0-9._:/@\[\]-]*\Z"
TASK_ID = re.compile(r"[a-z][a-z0-9-]{0,30}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


# ---- the plan ------------------------------------------------------------------------------------------------------


class Task(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of a plan. `target` is a path in the repository, or a command for `run_command` and `verify`."""

    id: str
    action: Action
    target: str
    description: str
    acceptance_criteria: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    context: str = ""


class Verification(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The commands that show whether the objective was reached, and what they should say."""

    commands: tuple[str, ...] = ()
    expected: str = ""


class Plan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Codex's answer to an objective."""

    objective: str
    analysis: str
    strategy: str
    tasks: tuple[Task, ...]
    verification: Verification = Verification()
    phase: Literal["plan"] = "plan"

    def task(self, task_id: str) -> Task | None:
        """The task with this id."""
        return next((task for task in self.tasks if task.id == task_id), None)

    def amended(self, revised: tuple[Task, ...]) -> Plan:
        """The plan with revised tasks: a known id replaces that task, a new one is appended."""
        by_id = {task.id: task for task in revised}
        kept = tuple(by_id.pop(task.id, task) for task in self.tasks)
        return replace(self, tasks=(*kept, *by_id.values()))

    def in_order(self) -> tuple[Task, ...]:
        """The tasks so that each comes after what it depends on, otherwise as planned. Dependencies are acyclic."""
        left, done, order = list(self.tasks), set[str](), list[Task]()
        while left:
            ready = next((task for task in left if done.issuperset(task.depends_on)), left[0])
            left.remove(ready)
            done.add(ready.id)
            order.append(ready)
        return tuple(order)


def plan_fault(plan: Plan) -> str:
    """Why a plan cannot be carried out, "" if it can: ids, dependencies and targets have to make sense."""
    if not plan.tasks:
        return "tasks is empty; a plan has at least one task"
    ids = {task.id for task in plan.tasks}
    seen: set[str] = set()
    for task in plan.tasks:
        fault = task_fault(task)
        if fault:
            return fault
        if task.id in seen:
            return f"the task id {task.id} is used twice"
        seen.add(task.id)
        unknown = [other for other in task.depends_on if other not in ids]
        if unknown:
            return f"task {task.id} depends on tasks that are not in the plan: {_quoted(unknown)}"
    circle = _circle(plan)
    return f"these tasks depend on each other in a circle: {_quoted(circle)}" if circle else ""


def _circle(plan: Plan) -> list[str]:
    """Tasks of which each waits for the next and the last for the first, if there are any."""
    from graphlib import CycleError, TopologicalSorter  # noqa: PLC0415 -- start-up: most that is read is no plan

    try:
        TopologicalSorter({task.id: task.depends_on for task in plan.tasks}).prepare()
    except CycleError as error:
        first, *others = error.args[1]  # from each to one that waits for it, and at the end the first once more
        return [first, *reversed(others[:-1])]
    return []


def task_fault(task: Task) -> str:
    """Why a task by itself cannot be carried out, "" if it can. One line, whatever the task says."""
    if not TASK_ID.fullmatch(task.id) or task.id == TRUNK or task.id.endswith("-"):
        return f"the task id {_quoted([task.id])} must match [a-z][a-z0-9-]{{0,30}}, not end in - and not be {TRUNK}"
    if not task.target.strip():
        return f"task {task.id} has no target"
    if task.action not in {"run_command", "verify"} and not _inside(task.target):
        return f"the target {_quoted([task.target])} of task {task.id} is not a path inside the repository"
    return ""


def _inside(path: str) -> bool:
    """Whether a path stays in the worktree and out of .git, under whatever name a file system knows that."""
    parts = path.replace("\\", "/").split("/")
    return not (
        path.startswith(("/", "~", "\\"))
        or ".." in parts
        or ":" in parts[0]
        or any(part.rstrip(" .").casefold() in {".git", "git~1"} for part in parts)
        or _CONTROL.search(path)
    )


def _quoted(words: list[str]) -> str:
    """Words of a model as one line: it may be quoted back to it, and printed."""
    return ", ".join(ascii(word[:80]) for word in words[:5])


# ---- the change ----------------------------------------------------------------------------------------------------


class FileChange(Struct, frozen=True):
    """One path of a change: old and new mode (octal text, "000000" where absent) and blob id."""

    path: bytes
    old_mode: str
    new_mode: str
    old_oid: str
    new_oid: str
    status: str  # A, M, D or T, as git prints it

    @property
    def name(self) -> str:
        """The path as text for people, quoted like git does it where it is not plain text."""
        return display_path(self.path)

    @property
    def text(self) -> str:
        """The path as it is, for patterns: a quoted one would slip past them."""
        return self.path.decode("utf-8", "surrogateescape")


class Change(Struct, frozen=True, kw_only=True):
    """Which paths go from which blob to which, from `base` (the merge base) to `head`.

    `id` is the blob id of the raw listing, `sha256` its digest, `raw` the listing itself.
    """

    id: str
    sha256: str
    base: str
    head: str
    tree: str
    raw: bytes
    files: tuple[FileChange, ...]


def display_path(path: bytes) -> str:
    """A path as one line of printable text: itself where it is plain UTF-8, else C-quoted with octal escapes."""
    try:
        text = path.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    if text and text.isprintable() and '"' not in text and "\\" not in text:
        return text
    escapes = {0x22: '\\"', 0x5C: "\\\\", 0x0A: "\\n", 0x09: "\\t", 0x0D: "\\r"}
    quoted = (escapes.get(b) or (chr(b) if 0x20 <= b < 0x7F else f"\\{b:03o}") for b in path)
    return '"' + "".join(quoted) + '"'


class FileCoverage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of one file of a change the reviewer saw, and why it was not all of it."""

    path: str
    status: CoverageStatus
    reason: str = ""  # e.g. "binary, 10 -> 12 bytes"


class Coverage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of a change the reviewer saw. `digest` is over the status of every file, `partly` the ones not in full.

    `cut` counts what is missing in `partly` because it would have been too long to record. `budget` is how many bytes
    of patch and content could be shown at most, under the policy and the settings of whoever asked.
    """

    files: int
    full: int
    summarised: int
    listed: int
    omitted: int
    digest: str
    partly: tuple[FileCoverage, ...] = ()
    cut: int = 0
    budget: int = 0


# ---- the review ----------------------------------------------------------------------------------------------------


class CriterionReview(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether one acceptance criterion is met, and what shows it."""

    criterion: str
    met: bool
    evidence: str = ""


class TaskReview(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the reviewer says of one task."""

    task_id: str
    status: TaskStatus
    feedback: str = ""
    criteria: tuple[CriterionReview, ...] = ()


class Finding(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One remark. `path` is "" when it is about the whole; lines are of the new file, 1-based, None if on none."""

    id: str
    severity: Severity
    path: str
    body: str
    start_line: int | None = None
    end_line: int | None = None
    suggestion: str | None = None

    @property
    def where(self) -> str:
        """`path:line`, `path`, or "" for the whole change."""
        return f"{self.path}:{self.start_line}" if self.path and self.start_line else self.path


class Ruling(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What became of an earlier finding, as the reviewer sees it now."""

    id: str
    ruling: RulingKind
    note: str = ""


class Review(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Codex's answer to a change. Its verdict is an input; the recorded verdict is computed by `gate.rule`."""

    verdict: Verdict
    summary: str
    head: str
    task_reviews: tuple[TaskReview, ...] = ()
    findings: tuple[Finding, ...] = ()
    prior_findings: tuple[Ruling, ...] = ()
    revised_tasks: tuple[Task, ...] = ()
    reason: str = ""
    injection_suspected: bool = False
    phase: Literal["review"] = "review"


# ---- what was observed ---------------------------------------------------------------------------------------------


class TaskResult(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What came out of a task: the last result commit's word on it. `summary` is the executor's claim.

    `executor`, `tokens` and `cost` (US dollars) are said by executors that are programs, and empty otherwise.
    """

    task_id: str
    outcome: ResultOutcome
    summary: str = ""
    commit: str = ""
    round: int = 1
    executor: str = ""
    tokens: int = 0
    cost: float = 0.0


class CommandOutcome(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one verification command ended. `exit_code` is None when it was stopped after its time limit."""

    command: str
    exit_code: int | None
    seconds: float = 0.0
    output: str = ""  # the end of it

    @property
    def passed(self) -> bool:
        """Whether it ended by itself and with 0."""
        return self.exit_code == 0


class Suspicion(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something in an added line that is meant for the reviewer's eyes, or to deceive them."""

    path: str
    line: int
    what: str
    bars: bool = True  # whether it bars an approval


# ---- records -------------------------------------------------------------------------------------------------------


class Actor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who ran a command, and where."""

    name: str
    email: str
    host: str = ""
    tool: str = ""  # "git-cto 0.1.0"


class EngineUse(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which engine answered, how it was asked, and what it took."""

    engine: str
    version: str
    model: str
    effort: str
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    seconds: float = 0.0

    @property
    def tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens


class Digests(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """sha256 digests (hex) of what a verdict rests on; "" where there was none."""

    plan: str = ""
    outcomes: str = ""
    policy: str = ""
    prompt: str = ""
    schema: str = ""
    instructions: str = ""
    answer: str = ""


class Subject(Struct, frozen=True, kw_only=True):
    """What a record is about: a head commit, its tree and, for verdicts and overrides, exactly one change."""

    head: str
    tree: str = ""
    change: str = ""
    sha256: str = ""


class PlanRecord(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A plan and the run it started. `supersedes` is the record that a revised plan replaces."""

    run: str
    series: str
    target: str
    target_commit: str
    start: str  # the commit that trunk starts at
    plan: Plan
    engine: EngineUse
    actor: Actor
    time: str
    supersedes: str = ""
    base: str = ""  # what the user named as --base, "" when it was found


class VerdictRecord(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A verdict, what it covers, and everything needed to judge it again."""

    verdict: Verdict
    model_verdict: Verdict
    downgrades: tuple[str, ...]
    series: str
    round: int
    run: str
    target: str
    target_commit: str
    merge_base: str
    coverage: Coverage
    digests: Digests
    engine: EngineUse
    actor: Actor
    time: str
    review: Review
    carried: tuple[Finding, ...] = ()  # findings of earlier rounds that are still open
    results: tuple[TaskResult, ...] = ()
    commands: tuple[CommandOutcome, ...] = ()
    suspicions: tuple[Suspicion, ...] = ()
    control_paths: tuple[str, ...] = ()
    tasks: int = 0
    marker: str = ""  # of the data in the prompt, so that the very same question can be put together again
    dispute: str = ""
    claim: str = ""  # what whoever asked said of the whole
    shortened: bool = False  # whether texts were cut because the record would have been too long
    supersedes: str = ""

    @property
    def said(self) -> str:
        """The verdict in a line: what overruled the model, else why it said abort, else its summary."""
        if self.verdict != self.model_verdict:
            return "; ".join(self.downgrades)
        return (self.review.reason if self.verdict == "abort" else "") or self.review.summary

    @property
    def open_findings(self) -> tuple[Finding, ...]:
        """What a next round has to rule on: earlier findings that are open, then this review's own."""
        return (*self.carried, *self.review.findings)


class OverrideRecord(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A human's decision that exactly this change may be merged."""

    series: str
    target: str
    target_commit: str
    reason: str
    actor: Actor
    time: str
    supersedes: str = ""


class ContinueRecord(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A human's decision that an escalated or aborted series may go on."""

    series: str
    target: str
    reason: str
    actor: Actor
    time: str
    supersedes: str = ""


Predicate = PlanRecord | VerdictRecord | OverrideRecord | ContinueRecord


class Signature(Struct, frozen=True, kw_only=True):
    """A signature that a record carries, checked by nobody yet. `keyid` is only what its writer says of the key."""

    sig: bytes  # as OpenSSH makes them: an SSHSIG blob
    keyid: str = ""


NOBODY = ""  # stands among the authors of a change where a commit does not say whose it is: it may be anybody's
_EDGES = " \t\n\"'."


def person(name: str) -> str:
    """A name or an address as it is compared: capitals, look-alikes of one letter and invisible signs make no other.

    Nor does what stands behind a + in an address, nor a number before a login where GitHub hides the address. It only
    ever makes one of two: whom that makes an author approves nothing, and two of a threshold may be one.
    """
    if not name.isascii():
        name = without_the_unseen(name)
    name = name.casefold().strip(_EDGES)
    if "+" not in name or name.count("@") != 1:
        return name
    mailbox, _, host = name.partition("@")
    hidden = host.startswith("users.noreply.")  # ID+LOGIN@users.noreply.github.com, or LOGIN@... for old accounts
    plain = mailbox.rpartition("+")[2] if hidden else mailbox.partition("+")[0]
    plain = plain.strip(_EDGES)
    return f"{plain}@{host}" if plain else name  # never nobody's


def without_the_unseen(text: str) -> str:
    """A text in its compatibility form (NFKC), without invisible signs."""
    import unicodedata  # noqa: PLC0415 -- start-up: nearly every name is ASCII

    plain = unicodedata.normalize("NFKC", text)
    return "".join(sign for sign in plain if unicodedata.category(sign) != "Cf")


class Signer(Struct, frozen=True, kw_only=True):
    """Who signed a record, by a signature that was checked. The principal is the first that stands with the key.

    `aliases` are all names that the target's list of signers knows the key by, `principal` among them.
    """

    principal: str
    key: str  # fingerprint, "SHA256:..."
    aliases: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """Every name, so that they can be compared: capitals make no other person."""
        return frozenset(person(name) for name in (self.principal, *self.aliases))


class Record(Struct, frozen=True, kw_only=True):
    """One record of the ledger, read. `id` is the sha256 of its payload, the bytes that signatures are over.

    Until somebody has checked the signatures there are no `signers`, and afterwards only those the target allows;
    `doubt` says why a signature did not count, where none did. `own` is what this very process recorded.
    """

    id: str
    subject: Subject
    body: Predicate
    payload: bytes = b""
    signatures: tuple[Signature, ...] = ()
    signers: tuple[Signer, ...] = ()
    own: bool = False
    doubt: str = ""

    @property
    def trusted(self) -> bool:
        """Whether it counts where only signed records do."""
        return self.own or bool(self.signers)


class Target(Struct, frozen=True, kw_only=True):
    """The branch a change is meant for: full ref, and the commit it stands at for this command.

    `guessed` is whether nobody has named it and its name does not tell either: origin's default branch, whatever it is.
    """

    ref: str
    commit: str
    found_at: str  # the ref the commit was read from, e.g. refs/remotes/origin/main
    guessed: bool = False

    @property
    def name(self) -> str:
        """The short name, e.g. `main`."""
        return self.ref.removeprefix("refs/heads/")


class Series(Struct, frozen=True, kw_only=True):
    """What rounds are counted in: a name (`run/<id>`, `pull/...`, `branch/<ref>`) and the target's full ref."""

    name: str
    target: str

    @property
    def slug(self) -> str:
        """The name as one path component."""
        plain = "".join(c if c.isalnum() or c in "-_." else "-" for c in self.name.split("refs/heads/")[-1])
        return plain.removeprefix("run-").strip(".-") or "series"
