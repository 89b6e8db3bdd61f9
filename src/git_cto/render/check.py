"""What a check run and a job's summary say of a pull request: title, summary, annotations. Pure.

Whether the check passes is decided by the gate, never read out of a text. GitHub's limits are kept here; that it takes
50 annotations at a time is the business of who sends them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from git_cto.redaction import printable
from git_cto.render.comment import sections as comment_sections
from git_cto.render.comment import title
from git_cto.render.fitting import Section, fitted
from git_cto.render.markdown import block, code, fenced, named, plain, shortened
from git_cto.render.pull_parts import in_order, severities_words, verdict_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from git_cto.model import Finding
    from git_cto.render.comment import PullState

LARGEST_SUMMARY = 65_535  # characters
LARGEST_MESSAGE = 65_536  # bytes
LARGEST_TITLE = 255  # characters
LARGEST_JOB_SUMMARY = 250_000  # GitHub takes 1 MiB of bytes from a step; a character has four at most
_IN_FULL, _LONG = 100, 24_000  # findings and their characters: more than a review may have

Level = Literal["notice", "warning", "failure"]
_LEVELS: dict[str, Level] = {"blocker": "failure", "major": "failure", "minor": "warning", "nit": "notice"}


class Annotation(Struct, frozen=True, kw_only=True):
    """A remark at lines of a file, as GitHub's check runs have it: plain text, no Markdown."""

    path: str
    start_line: int
    end_line: int
    level: Level
    title: str
    message: str


def check_title(state: PullState) -> str:
    """The state and the findings that are open in one line of our own words."""
    verdict = verdict_of(state)
    found = verdict.open_findings if verdict else ()
    words = f"{title(state)}{f' · {severities_words(found)}' if found else ''}"
    return shortened(words, LARGEST_TITLE)


def check_summary(state: PullState) -> str:
    """What the comment says, without its marker and without telling anybody."""
    return fitted(_sections(state), LARGEST_SUMMARY, "The comment on the pull request may have more.")


def job_summary(state: PullState) -> str:
    """What the comment says, and every open finding in full."""
    verdict = verdict_of(state)
    found = in_order(verdict.open_findings) if verdict else []
    every = "\n\n".join(_in_full(one) for one in found[:_IN_FULL])
    listed = Section("the findings in full", 5, (f"#### Findings\n\n{every}" if every else "", ""))
    headline = Section("headline", 100, (f"### {title(state)}",))
    return fitted([headline, *_sections(state), listed], LARGEST_JOB_SUMMARY, "`git cto show` has all of it.")


def annotations_of(findings: Iterable[Finding]) -> tuple[Annotation, ...]:
    """The findings that are about lines of a file, the gravest first."""
    return tuple(_annotation(one) for one in in_order(findings) if one.path and one.start_line and _is_plain(one.path))


def _sections(state: PullState) -> list[Section]:
    return comment_sections(state, telling=named)[1:]


def _is_plain(path: str) -> bool:
    """Whether a path is named as it is, and not quoted because it cannot be shown."""
    return not path.startswith('"') and plain(path) == path


def _annotation(finding: Finding) -> Annotation:
    start = finding.start_line or 1
    return Annotation(
        path=finding.path,
        start_line=start,
        end_line=max(start, finding.end_line or start),
        level=_LEVELS[finding.severity],
        title=shortened(printable(f"{finding.severity}: {finding.id}"), LARGEST_TITLE),
        message=_in_bytes(plain(finding.body), LARGEST_MESSAGE) or finding.severity,
    )


def _in_bytes(words: str, limit: int) -> str:
    """The text, or as much of its beginning as has fewer bytes than that."""
    raw = words.encode("utf-8", "replace")
    if len(raw) <= limit:
        return raw.decode("utf-8")
    return raw[: limit - 3].decode("utf-8", "ignore").rstrip() + "…"


def _in_full(finding: Finding) -> str:
    parts = [f"**{finding.severity}** {code(finding.where, 300)}", block(finding.body, _LONG)]
    if finding.suggestion and finding.suggestion.strip():
        parts.append(fenced(finding.suggestion, limit=_LONG))
    return "\n\n".join(part for part in parts if part)
