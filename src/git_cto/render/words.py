"""Small words that several renderings share: counts, tokens, times, engines."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from git_cto.redaction import printable
from git_cto.render.lines import cut

if TYPE_CHECKING:
    from git_cto.model import Coverage, EngineUse, Record, Target

SIGNS = {"approve": "✓", "revise": "✗", "abort": "■", "pass": "✓", "fail": "✗", "partial": "◐"}


def counted(number: int, one: str, many: str = "") -> str:
    """`1 file`, `2 files`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def uncommitted_words(paths: int) -> str:
    """`1 path is not committed`."""
    return "1 path is not committed" if paths == 1 else f"{paths:,} paths are not committed"


def target_words(target: Target) -> tuple[str, ...]:
    """What somebody may not expect of the target: where it stands, or why it is that branch."""
    if target.guessed:
        return (f"for {target.name}: origin's default branch; --base or cto.base names another",)
    if target.found_at.startswith(("refs/heads/", "refs/remotes/origin/")):
        return ()
    return (f"compared with {target.found_at.removeprefix('refs/remotes/')}",)


def tokens_words(tokens: int) -> str:
    """`812 tokens`, `24.9k tokens`."""
    return f"{tokens} tokens" if tokens < 1_000 else f"{tokens / 1_000:.1f}k tokens"


def engine_words(engine: EngineUse) -> str:
    """`gpt-5.4, Codex 0.169.0`."""
    return f"{engine.model}, {engine.engine.capitalize()} {engine.version}"


def coverage_words(coverage: Coverage) -> str:
    """`2 of 3 files in full, 1 counted`."""
    words = f"{coverage.full} of {counted(coverage.files, 'file')} in full"
    for number, name in (
        (coverage.summarised, "counted"),
        (coverage.listed, "listed"),
        (coverage.omitted, "not shown"),
    ):
        words += f", {number} {name}" if number else ""
    return words


def signed_words(record: Record) -> str:
    """`signed by ada@example.org`, `unsigned`; or `signed, not verified` where nobody has found a signature good.

    `signed, not checked` where nobody has looked.
    """
    if record.signers:
        return "signed by " + ", ".join(one.principal for one in record.signers)
    if not record.signatures:
        return "unsigned"
    return "signed" if record.own else f"signed, not {'verified' if record.doubt else 'checked'}"


def shortly_signed_words(record: Record, columns: int) -> str:
    """The same in so many columns: one of the signers, and how many more there are: `signed by ada@example.org +2`."""
    if not record.signers:
        return cut(signed_words(record), columns)
    more = f" +{len(record.signers) - 1}" if len(record.signers) > 1 else ""
    return cut(f"signed by {printable(record.signers[0].principal)}", columns - len(more)) + more


def signature_words(record: Record) -> list[str]:
    """Who signed it, with which key, one sentence each; or that nobody did, or why a signature does not count."""
    if record.signers:
        return [f"signed by {one.principal} with {one.key}" for one in record.signers]
    why = f": {record.doubt}" if record.signatures and record.doubt else ""
    return [signed_words(record) + why]


def series_words(series: str) -> str:
    """What rounds are counted in, for people: `run health-check-3f2a1c`, `branch topic`, `commit 9f8e7d6`."""
    kind, _, name = series.partition("/")
    return f"{kind} {name.removeprefix('refs/heads/') if kind == 'branch' else name[:12] if kind == 'commit' else name}"


def elapsed(seconds: float) -> str:
    """`0:42`, `12:03`, `1:02:03`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def ago(time: str, now: str) -> str:
    """How long before `now` (both RFC 3339): `12 minutes ago`."""
    then, at = (dt.datetime.fromisoformat(text) for text in (time, now))
    seconds = max(0, int((at - then).total_seconds()))
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            return f"{counted(seconds // size, name)} ago"
    return "just now"
