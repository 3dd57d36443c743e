"""Side files: lines of JSON about submitted jobs that the batch database could not store.

Rule: a note is on stderr and on disk before anything else is tried. Files are only appended to; they are read before
anything is planned, and the rows they name are never submitted again.
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

from magic_hour_client._runtime.redaction import without_secrets

from .._results import number
from .._syncing import append, opened, sync, sync_directory

logger: logging.Logger = logging.getLogger("magic_hour_workflows")

SUFFIX = ".unrecorded.jsonl"

_LONGEST_ID = 500
"""Characters of an id that are printed; the file has all of it."""


@attrs.frozen(kw_only=True)
class Note:
    """What is known about a submission by one execution, its `token`, and why the database does not have it. Without an
    id it is unknown whether there is a job; credits are None unless the service reported them.
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
        """Identifies a note, wherever it was found."""
        identity = json.dumps([self.key, self.token, self.project_id])
        return hashlib.sha256(identity.encode()).hexdigest()

    def line(self) -> str:
        """The note as a line of ASCII, whatever it contains."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        data: dict[str, Any] = {"at": at, "key": self.key, "name": self.name}
        data |= {"token": self.token, "id": self.project_id, "credits": number(self.credits), "estimate": self.estimate}
        return json.dumps({**data, "reason": self.reason}) + "\n"

    def description(self) -> str:
        """The note for people, on one line in ASCII."""
        row = f"row {self.key!a} (name {self.name!a})"
        if self.project_id is None:
            return f"it is unknown whether the job of {row} was accepted"
        id = ascii(self.project_id)[1:-1]
        return f"job {id[:_LONGEST_ID]}{'...' * (len(id) > _LONGEST_ID)} of {row} was accepted"


def read_line(line: str) -> Note | None:
    """The note of a line; None if it is not one, such as the half of a line that a power cut left."""
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
    """All notes of these files; ids last, so that an id replaces what was unknown before.

    Raises:
        OSError: a file exists and cannot be read: its notes must not be overlooked.
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


@attrs.define(slots=False, eq=False)
class SideFile:
    """The notes of one run: in memory what it submitted, on disk what the database did not store.

    All `paths` that are writable are written, so that one of them is found again; if none is, those of `fallback`.
    """

    _paths: Sequence[Path]
    _fallback: Sequence[Path] = ()
    _lock: Lock = attrs.field(factory=Lock, init=False)
    _submitted: dict[str, Note] = attrs.field(factory=dict, init=False)
    _written: set[str] = attrs.field(factory=set, init=False)
    _recorded: set[str] = attrs.field(factory=set, init=False)

    def submitting(self, note: Note) -> None:
        """A row was claimed; its job may be sent from now on."""
        self._submitted[note.key] = note

    def returned(self, key: str) -> None:
        """Certainly nothing was accepted."""
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
        """The ids that the database has stored."""
        return list(self._recorded)

    def report(self, text: str) -> None:
        """Print on stderr, whatever the logging configuration, and log."""
        with suppress(Exception):  # closed, or full
            sys.stderr.write(f"magic-hour: {text}\n")
            sys.stderr.flush()
        if logger.hasHandlers():  # else logging would print it on stderr again
            logger.error("%s", text)

    def write(self, note: Note, why: str) -> None:
        """Print a note on stderr and write it to disk. Raises nothing."""
        self._write([attrs.evolve(note, reason=without_secrets(why))])

    def write_all(self, why: str, *, only: Iterable[str] | None = None) -> None:
        """The same for everything this run submitted, or for some ids: the database has lost it."""
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
                self.report(f"written to {where}; the next run reads it before it submits anything")
            else:
                self.report("no file could be written either: please note the messages above")


def _appended(path: Path, lines: str) -> bool:
    """Append lines to a file and sync it; returns False if that failed."""
    try:
        descriptor = opened(path)
        try:
            append(descriptor, lines)
            sync(descriptor)
        finally:
            os.close(descriptor)
    except OSError:
        return False
    with suppress(OSError):  # the line has been synced
        sync_directory(path.parent)
    return True
