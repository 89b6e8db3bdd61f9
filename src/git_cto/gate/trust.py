"""Whose word counts: which signed records open the gate, how many people that is, who wrote what they let in. Pure.

Where trust is local every record counts. Where it is signed, those count that somebody allowed has signed, and what
this very process recorded. Whether a signature is good was found out before (`Record.signers`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from git_cto.model import NOBODY, OverrideRecord, VerdictRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from git_cto.gate.policy import GatePolicy
    from git_cto.model import Record, Signer

UNSIGNED = "it is not signed"
# Who stands behind a program, by the first word of what it calls itself.
_VENDORS = {
    "claude": "Anthropic",
    "chatgpt": "OpenAI",
    "codex": "OpenAI",
    "gemini": "Google",
    "gpt": "OpenAI",
    "jules": "Google",
    "openai": "OpenAI",
}
_DOMAINS = {"anthropic.com": "Anthropic", "openai.com": "OpenAI"}
# Programs that write themselves into commits, with models of whoever.
_PROGRAMS = ("aider", "amp", "cline", "copilot", "cursor", "devin", "goose", "opencode", "openhands", "windsurf")
_PERSON = frozenset({"", "manual"})
# `Claude Opus 4.5`, `gemini-cli`, `GitHub Copilot`, `aider (gpt-5)`; and not `Claude Monet`, who is a person. Compiled
# where it is used, which few gates do; every piece is taken in one way only, so that no name takes long.
_CALLS_ITSELF = (
    rf"(?:github )?({'|'.join((*_VENDORS, *_PROGRAMS))})"
    r"(?:[ -]?(?:agent|ai|bot|cli|code|fable|haiku|mythos|opus|pro|sonnet|[0-9.]))*(?: ?\(.*\))?(?:\[bot\])?"
)


def for_rounds(records: Iterable[Record], gate: GatePolicy) -> list[Record]:
    """The records that rounds and standing verdicts go by: those that count, and every refusal.

    A refusal that nobody signed can only narrow. An approval, an override, a "go on" or a plan would widen.
    """
    return [
        record
        for record in records
        if gate.trust != "signed"
        or record.trusted
        or (isinstance(record.body, VerdictRecord) and record.body.verdict != "approve")
    ]


def admitted(record: Record, gate: GatePolicy, authors: frozenset[str]) -> Record | None:
    """The record with those of its signers whose word counts for the gate; None where nobody's does.

    Who wrote the change does not let it in: `authors` are the e-mail addresses in its commits, as `person` compares
    them, and `NOBODY` where one of them names none.
    """
    if gate.trust != "signed":
        return record
    if not record.trusted:
        return None
    if not gate.signer_is_not_author or not _opens(record):
        return record
    others = () if NOBODY in authors else tuple(one for one in record.signers if not one.names & authors)
    return replace(record, signers=others) if others or record.own else None


def why_not_admitted(record: Record, authors: frozenset[str]) -> str:
    """Why a record that might have opened the gate does not count, as the end of a sentence."""
    wrote = signing_authors([record], authors)
    if wrote:
        return f"{wrote[0]} signed it and is an author of the change"
    if record.signers and NOBODY in authors:
        return "a commit of the change names no address, so that whoever signed it may be its author"
    return record.doubt or UNSIGNED


def signing_authors(records: Iterable[Record], authors: frozenset[str]) -> list[str]:
    """Who signed these records and is an author of what they are about; each once."""
    signers = (signer for record in records for signer in record.signers)
    return list(dict.fromkeys(signer.principal for signer in signers if signer.names & authors))


def _opens(record: Record) -> bool:
    body = record.body
    return isinstance(body, OverrideRecord) or (isinstance(body, VerdictRecord) and body.verdict == "approve")


def people(records: Iterable[Record]) -> list[str]:
    """The different people behind records, one name for each.

    What this run recorded and nobody signed is the word of one more, the run itself.
    """
    listed = list(records)
    unsigned = any(record.own and not record.signers for record in listed)
    return distinct(signer for record in listed for signer in record.signers) + (["this run"] if unsigned else [])


def distinct(signers: Iterable[Signer]) -> list[str]:
    """The different people among signers, one name for each: two keys of one name, or two names of one key, are one."""
    groups: list[tuple[str, frozenset[str]]] = []
    for signer in signers:
        marks = signer.names | {signer.key}
        same = [group for group in groups if group[1] & marks]
        groups = [group for group in groups if group not in same]
        name = same[0][0] if same else signer.principal
        groups.append((name, marks.union(*(group[1] for group in same))))
    return [name for name, _ in groups]


def by_another(overrides: Iterable[Record], approval: Record | None) -> bool:
    """Whether one of these overrides is by somebody who did not sign the approval."""
    approvers = approval.signers if approval else ()
    return any(
        record.own or any(not any(same_person(signer, other) for other in approvers) for signer in record.signers)
        for record in overrides
    )


def same_person(one: Signer, other: Signer) -> bool:
    """Whether two signers are one: by their key, or by a name."""
    return one.key == other.key or bool(one.names & other.names)


# ---- who wrote it ----------------------------------------------------------------------------------------------------


def vendor(program: str) -> str | None:
    """Who stands behind a program, by what it calls itself; "" for a person's own work, None where nobody knows."""
    said = program.strip().lower()
    if said in _PERSON:
        return ""
    found = re.match(r"[a-z]+", said)
    return _VENDORS.get(found[0]) if found else None


def co_author_vendor(said: str) -> str | None:
    """The same of a co-author, `Name <address>`. A name that is no program's is a person's."""
    name, _, address = said.lower().partition("<")
    name, domains = name.strip(), re.findall(r"@([^@<>\s]+)", address)
    for known, who in _DOMAINS.items():
        if any(domain == known or domain.endswith("." + known) for domain in domains):
            return who
    found = re.fullmatch(_CALLS_ITSELF, name)
    if found:
        return _VENDORS.get(found[1])
    return None if name.endswith("[bot]") else ""


def same_hands(verdict: VerdictRecord, executors: Iterable[str], co_authors: Iterable[str]) -> tuple[str, ...]:
    """Why an approval may come from whoever wrote the change, one sentence each; empty where that is ruled out."""
    reviewer = vendor(verdict.engine.engine)
    if not reviewer:
        return (f"Nobody knows who stands behind the reviewer {verdict.engine.engine!r}.",)
    wrote = {program: vendor(program) for program in (*(one.executor for one in verdict.results), *executors)}
    wrote |= {said: co_author_vendor(said) for said in co_authors}
    unknown = [program for program, who in wrote.items() if who is None]
    own = [program for program, who in wrote.items() if who == reviewer]
    return (
        *(f"It was written by {_short(one)}, and {reviewer} reviewed it: its own work." for one in own[:3]),
        *(f"It was written by {_short(one)}, and nobody knows whose model that is." for one in unknown[:3]),
    )


def _short(text: str) -> str:
    return " ".join(text.split())[:60]


def standing_approval(about: Sequence[Record]) -> Record | None:
    """The last verdict among the records about a change (in order), if it is an approval."""
    verdicts = [record for record in about if isinstance(record.body, VerdictRecord)]
    last = verdicts[-1] if verdicts else None
    return last if last and isinstance(last.body, VerdictRecord) and last.body.verdict == "approve" else None
