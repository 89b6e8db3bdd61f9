"""The ledger as the rest of git-cto sees it: records found by what they are about, and added to where they are found.

A record is put on the head commit, on the change and on its series, as one line in one commit; a reader takes the
union of what it looks up. How notes are written is `ledger.notes`' business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from git_cto.ledger.notes import READABLE_REF, Notes
from git_cto.ledger.records import decode_all, encode, seal, united
from git_cto.model import VerdictRecord
from git_cto.repo.change import blob_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from git_cto.model import Predicate, Record, Signature, Subject
    from git_cto.repo.git import Git
    from git_cto.repo.objects import Objects

    Sign = Callable[[bytes], tuple[Signature, ...]]  # from the payload of a record to the signatures over it


class Ledger:
    """All records of one repository."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._notes = Notes(git)

    def series_object(self, series: str) -> str:
        """The object that the records of a series are notes on."""
        return blob_id(_series_blob(series), self._git.place.object_format)

    def find(
        self,
        *,
        head: str | None = None,
        change: str | None = None,
        series: str | None = None,
        others: Iterable[str] = (),
        objects: Objects | None = None,
    ) -> list[Record]:
        """Every readable record on this head commit, this change, this series or `others` of them; unordered.

        Where somebody moved the notes, what was lost is lost until the next write, and only closes. But a refusal
        would be missed, so that one is taken from the shadow.
        """
        if objects is None:
            with self._git.objects() as own:
                return self.find(head=head, change=change, series=series, others=others, objects=own)
        annotated = [head, change, self.series_object(series) if series else None, *others]
        wanted = [oid for oid in annotated if oid]
        taken_off = decode_all(self._notes.taken_off(wanted, objects))
        return united((*decode_all(self._notes.read(wanted, objects)), *filter(_refuses, taken_off)))

    def taken_off(
        self, known: Iterable[Record], *, head: str, change: str, series: Iterable[str], objects: Objects
    ) -> int:
        """How many records on these objects somebody took away by moving the notes, besides those that are `known`."""
        wanted = [head, change, *map(self.series_object, series)]
        here = {record.id for record in known}
        return len({record.id for record in decode_all(self._notes.taken_off(wanted, objects))} - here)

    def objects(self) -> Iterator[str]:
        """Every head, change and series that there are records about, once each."""
        return self._notes.all_objects()

    def lines(self) -> Iterator[bytes]:
        """Every line of the ledger, readable or not, once each."""
        return self._notes.all_lines()

    def add(
        self, subject: Subject, body: Predicate, *, series: str, change: bytes | None = None, sign: Sign | None = None
    ) -> Record:
        """Records `body`, on the head, the series and (with its raw listing) the change. Returns it as recorded.

        `sign` signs it. What cannot be recorded is not signed: a signed record is in the ledger or nowhere.
        """
        record = encode(subject, body)
        if sign is not None:
            record = replace(record, signatures=sign(record.payload))
        self.put(record, series=series, change=change)
        return record

    def put(self, record: Record, *, series: str, change: bytes | None = None) -> None:
        """Adds a record that was made or signed elsewhere, with the signatures it has. One that is there gains them."""
        series_blob = _series_blob(series)
        series_id = blob_id(series_blob, self._git.place.object_format)
        annotated = [record.subject.head, series_id]
        keep = {f"series/{series_id}": series_blob}
        if change is not None:
            annotated.append(record.subject.change)
            keep[f"changes/{record.subject.change}"] = change
        self._notes.append(annotated, seal(record.payload, record.signatures), keep)

    def on_each(self, heads: Iterable[str], objects: Objects, most: int) -> Iterator[tuple[str, list[Record]]]:
        """Each of these commits that has records, with those that stand on it; ends after `most` bytes of them."""
        for head, lines in self._notes.read_each(heads, objects):
            most -= sum(map(len, lines))
            if most < 0:
                return
            yield head, united(decode_all(lines))

    def show(self, texts: Mapping[str, str]) -> None:
        """Sets what `git log --notes=cto` says of commits. Derived from records, for people."""
        Notes(self._git, READABLE_REF).replace_all(
            {one: text.encode("utf-8", "replace") for one, text in texts.items()}
        )


def _refuses(record: Record) -> bool:
    return isinstance(record.body, VerdictRecord) and record.body.verdict != "approve"


def _series_blob(series: str) -> bytes:
    return f"git-cto series\n{series}\n".encode("utf-8", "surrogateescape")
