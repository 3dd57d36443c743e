"""What the batch database could not be told of submitted jobs, as lines of JSON beside it and beside the outputs.

Rule: a note is on stderr, and on the disk, before anything else is tried. Files are only appended to; they are read
before anything is planned, and what they name is never submitted again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any

import attrs

from magic_hour_client.errors import without_secrets

from .._results import number

logger: logging.Logger = logging.getLogger("magic_hour_workflows")


SUFFIX = ".unrecorded.jsonl"


_LONGEST_ID = 500
"""Characters of an id that are printed; the file has all of it."""


@attrs.frozen(kw_only=True)
class Note:
    """What is known of a submission.

    Attributes:
        key: the row.
        name: what the job is called.
        token: the execution that submitted it; no other submission has the same.
        project_id: the id of the job; None if it is unknown whether there is one.
        credits: what the service says it charged, if it said so.
        estimate: what it was thought to cost.
        reason: why the database was not told.
    """

    key: str
    name: str
    token: str = ""
    project_id: str | None = None
    credits: float | None = None
    estimate: float = 0.0
    reason: str = ""

    @property
    def digest(self) -> str:
        """What tells a note from all others, however it was found."""
        told = json.dumps([self.key, self.token, self.project_id])
        return hashlib.sha256(told.encode()).hexdigest()

    def line(self) -> str:
        """The note as a line of ASCII, whatever is in it."""
        data: dict[str, Any] = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "key": self.key,
            "name": self.name,
        }
        data |= {"token": self.token, "id": self.project_id, "credits": number(self.credits), "estimate": self.estimate}
        return json.dumps({**data, "reason": self.reason}) + "\n"

    def description(self) -> str:
        """The note for people, on one line and in ASCII."""
        row = f"row {self.key!a} (name {self.name!a})"
        if self.project_id is None:
            return f"it is unknown whether the job of {row} was accepted"
        id = ascii(self.project_id)[1:-1]
        return f"job {id[:_LONGEST_ID]}{'...' * (len(id) > _LONGEST_ID)} of {row} was accepted"


def read_line(line: str) -> Note | None:
    """A note from its line; None of one that is no note, such as the half of one that a power cut left."""
    try:
        data = json.loads(line)
        key, name, id = data["key"], data["name"], data["id"]
        if not (isinstance(key, str) and isinstance(name, str) and (id is None or isinstance(id, str))):
            return None
        known = {"credits": number(data.get("credits")), "estimate": number(data.get("estimate")) or 0.0}
        texts = {"token": str(data.get("token") or ""), "reason": str(data.get("reason") or "")}
        return Note(key=key, name=name, project_id=id, **texts, **known)  # type: ignore[arg-type]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def read(paths: Iterable[Path]) -> list[Note]:
    """All notes of these files; ids last, so that what was unknown at first is known in the end.

    Raises:
        OSError: one is there and cannot be read: what it has must not be overlooked.
    """
    notes: dict[str, Note] = {}
    for path in dict.fromkeys(paths):
        try:
            text = path.read_text("ascii", errors="replace")
        except (FileNotFoundError, NotADirectoryError):
            continue
        for note in filter(None, map(read_line, text.splitlines())):
            notes.setdefault(note.digest, note)
    ids = [note for note in notes.values() if note.project_id is not None]
    known = {(note.key, note.token) for note in ids}
    return [note for note in notes.values() if note.project_id is None and (note.key, note.token) not in known] + ids


class SideFile:
    """The notes of one run: in memory what it submitted, on the disk what the database was not told.

    Args:
        places: where to write: all that can be written to, so that one of them is found again.
        spare: where to write if none of them can.
    """

    def __init__(self, paths: Sequence[Path], fallback: Sequence[Path] = ()) -> None:
        self._paths = paths
        self._fallback = fallback
        self._lock = Lock()
        self._submitted: dict[str, Note] = {}
        self._written: set[str] = set()
        self._recorded: set[str] = set()

    def submitting(self, note: Note) -> None:
        """A row was claimed, and its job may be sent from now on."""
        self._submitted[note.key] = note

    def returned(self, key: str) -> None:
        """It is certain that nothing was accepted."""
        note = self._submitted.get(key)
        if note is not None and note.project_id is None:
            del self._submitted[key]

    def accepted(self, key: str, project_id: str, credits: float | None) -> Note:
        """There is a job."""
        known = self._submitted.get(key) or Note(key=key, name=key)
        self._submitted[key] = note = attrs.evolve(known, project_id=project_id, credits=credits)
        return note

    def recorded(self, project_id: str) -> None:
        """The database has the id."""
        self._recorded.add(project_id)

    def ids(self) -> list[str]:
        """The ids that the database took."""
        return list(self._recorded)

    def report(self, text: str) -> None:
        """On stderr whatever is logged where, and in the log."""
        with suppress(Exception):  # closed, or full
            sys.stderr.write(f"magic-hour: {text}\n")
            sys.stderr.flush()
        if logger.hasHandlers():  # else logging would say it on stderr again
            logger.error("%s", text)

    def write(self, note: Note, why: str) -> None:
        """Say a note on stderr, and write it to the disk. Nothing is raised: what can be done was done."""
        self._write([attrs.evolve(note, reason=without_secrets(why))])

    def write_all(self, why: str, *, only: Iterable[str] | None = None) -> None:
        """The same for everything that this run submitted, or some ids of it: the database has lost it."""
        wanted = None if only is None else set(only)
        notes = [note for note in list(self._submitted.values()) if wanted is None or note.project_id in wanted]
        self._write([attrs.evolve(note, reason=without_secrets(why)) for note in notes])

    def _write(self, notes: Sequence[Note]) -> None:
        with self._lock:
            new = [note for note in notes if note.digest not in self._written]
            self._written.update(note.digest for note in new)
            if not new:
                return
            for note in new:
                self.report(f"{note.description()}, and the batch database does not have it ({note.reason})")
            lines = "".join(note.line() for note in new)
            kept = [path for path in self._paths if _appended(path, lines)]
            kept = kept or [path for path in self._fallback if _appended(path, lines)]
            if kept:
                where = ", ".join(ascii(str(path)) for path in kept)
                self.report(f"kept in {where}; the next run reads that before it submits anything")
            else:
                self.report("no file could be written either: write down what is said above")


def _appended(path: Path, lines: str) -> bool:
    """Whether the lines are at the end of a file, and on the disk."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab") as file:
            if file.tell():
                with open(path, "rb") as old:
                    old.seek(-1, os.SEEK_END)
                    lines = lines if old.read(1) == b"\n" else f"\n{lines}"  # after the half of a line
            file.write(lines.encode("ascii"))
            file.flush()
            os.fsync(file.fileno())
        with suppress(OSError):  # not on every system
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        return True
    except OSError:
        return False
