"""A finding as a comment on the lines of the diff that it is about. Pure; where it can stand is others' business."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from git_cto.redaction import HIDDEN
from git_cto.render.fitting import Section, fitted
from git_cto.render.markdown import block, fenced, suggestion

if TYPE_CHECKING:
    from git_cto.model import Finding

LARGEST = 65_536
_ID = re.compile(r"[A-Za-z0-9.-]{1,31}")


def finding_marker(finding_id: str) -> str:
    """The last line of a finding's comment, which nobody sees and by which it is found again."""
    if not _ID.fullmatch(finding_id) or "--" in finding_id:
        finding_id = finding_id.encode("utf-8", "replace").hex()[:62]
    return f"<!-- git-cto:finding {finding_id} -->"


def inline_body(finding: Finding, *, committable: bool) -> str:
    """The comment on a finding.

    `committable` says that the finding's lines are lines of the diff, so that GitHub can replace exactly them with the
    suggestion. Nobody is offered to commit what is not what the reviewer wrote.
    """
    said = block(finding.body) or "(nothing more was said)"
    offered = "" if finding.suggestion is None else _suggestion(finding.suggestion, committable=committable)
    sections = [
        Section("", 100, (f"**{finding.severity}**",)),
        Section("what was found", 20, (said, block(finding.body, 3_000))),
        Section("the suggestion", 10, (offered, "")),
    ]
    marker = finding_marker(finding.id)
    return f"{fitted(sections, LARGEST - len(marker) - 2)}\n\n{marker}"


def _suggestion(words: str, *, committable: bool) -> str:
    block_to_commit = suggestion(words) if committable and HIDDEN not in words else ""
    return block_to_commit or ("Suggested:\n\n" + fenced(words) if words.strip() else "")
