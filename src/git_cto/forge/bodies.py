"""What is sent to GitHub, in its shape and within its limits. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from git_cto.forge.values import MAX_ANNOTATIONS, MAX_BODY, MAX_OUTPUT

if TYPE_CHECKING:
    from git_cto.forge.values import Annotation, CheckReport, LineComment

_CUT = "\n\n… (cut here: GitHub takes no more)"
_GOES_ON = {"status": "in_progress"}


def capped(text: str, most: int = MAX_BODY) -> str:
    """The text as GitHub takes it: no half characters, and no longer than `most`, counted as JavaScript does."""
    text = text.replace("\x00", "").encode("utf-16-le", "replace").decode("utf-16-le")
    if len(text.encode("utf-16-le")) // 2 <= most:
        return text
    kept = text.encode("utf-16-le")[: 2 * (most - len(_CUT))].decode("utf-16-le", "ignore")
    return kept + _CUT


def check_step(report: CheckReport, known_by: str, sent: int) -> dict[str, object]:
    """What a check run says with its annotations from `sent` on: at most 50 of them, the conclusion with the last."""
    batch = report.annotations[sent : sent + MAX_ANNOTATIONS]
    last = sent + len(batch) >= len(report.annotations)
    output = {"title": capped(report.title, 255), "summary": capped(report.summary, MAX_OUTPUT)}
    if report.text:
        output["text"] = capped(report.text, MAX_OUTPUT)
    state = {"status": "completed", "conclusion": report.conclusion} if report.conclusion and last else _GOES_ON
    where = {"details_url": report.details_url} if report.details_url else {}
    noted = {"annotations": [_annotation(note) for note in batch]} if batch else {}
    return {**state, **where, "external_id": known_by, "output": {**output, **noted}}


def _annotation(note: Annotation) -> dict[str, object]:
    title = {"title": capped(note.title, 255)} if note.title else {}
    return {
        "path": note.path,
        "start_line": note.start,
        "end_line": note.end,
        "annotation_level": note.level,
        "message": capped(note.message, MAX_OUTPUT),
        **title,
    }


def line_comment(comment: LineComment) -> dict[str, object]:
    """A comment of a review; over several lines it says where it starts."""
    several = comment.start is not None and comment.start != comment.line
    start = {"start_line": comment.start, "start_side": comment.side} if several else {}
    return {"path": comment.path, "line": comment.line, "side": comment.side, "body": capped(comment.body), **start}
