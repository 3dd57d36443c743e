"""The job log of a client: what may still be spent, and what is recorded about each submission.

Rule: what a limit allows is decided and recorded in one step, so no two callers can spend the same credits. An outcome
that cannot be recorded never ends a call: the job is paid for.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import attrs

from magic_hour_client._runtime.schema import wrong_type
from magic_hour_client.errors import InvalidArgument

from .._formatting import reason, shown
from ..errors import JobLogUnusable, OverLimit
from .entries import Book, Entry, State, line_of
from .owners import NOBODY, is_running
from .store import Decide, FileStore, MemoryStore

logger: logging.Logger = logging.getLogger("magic_hour_workflows")

_SYNCED = frozenset({State.SUBMITTING, State.ACCEPTED})
"""What must be on disk before the call continues. Another line that a power cut takes is found out again."""


def default_place() -> Path:
    """Where programs keep what they must remember between runs (XDG Base Directory Specification, 0.8)."""
    if sys.platform == "win32":
        folder = os.environ.get("LOCALAPPDATA", "")
    else:
        folder = os.environ.get("XDG_STATE_HOME", "")
    place = Path(folder) if os.path.isabs(folder) else Path("~/.local/state").expanduser()
    return place / "magic-hour" / "jobs.jsonl"


def checked_place(place: object, field: str) -> Path:
    """The file of a job log, which need not exist.

    Raises:
        InvalidArgument: it is not a path of a file.
    """
    if not isinstance(place, (str, os.PathLike)) or isinstance(path := os.fspath(place), bytes):
        raise wrong_type(field, "a path, True or False", place)
    if not path or "://" in path or "\0" in path or os.path.isdir(os.path.expanduser(path)):
        raise InvalidArgument(f"{shown(path)} is not a file", "give a path such as jobs.jsonl", field=field)
    return Path(path).expanduser().absolute()


@attrs.frozen(kw_only=True)
class JobLog:
    """What the calls of one client record.

    Attributes:
        store: where.
        service: the address of the service; submissions to another one are another account's.
        limit: the most credits that may be spent by all that use the store.
        assumed: the credits to count for a call whose price is unknown.
    """

    store: FileStore | MemoryStore
    service: str
    limit: float | None = None
    assumed: float | None = None

    def add(self, entry: Entry) -> Entry:
        """Record a new submission, and set its credits aside.

        Raises:
            OverLimit: the limit does not allow it.
            JobLogUnusable: the file cannot be written.
        """
        if entry.estimate is None:
            entry = attrs.evolve(entry, estimate=self.assumed)

        def decide(book: Book) -> str:
            self._check(book, entry)
            return line_of(entry)

        self._change(decide, sync=entry.state in _SYNCED)
        return entry

    def _check(self, book: Book, entry: Entry) -> None:
        if self.limit is None:
            return
        used = book.used(self.service, is_running)
        if entry.estimate is not None and used + entry.estimate <= self.limit:
            return
        doubtful = [each for each in book.of(self.service) if is_doubtful(each)]
        raise OverLimit(
            operation=entry.operation,
            estimate=entry.estimate,
            used=used,
            limit=self.limit,
            unknown=sum(each.counted(is_running) for each in doubtful),
            place=None if self.store.path is None else shown(self.store.path),
        )

    def change(self, before: Entry, after: Entry) -> None:
        """Record what is known now.

        Raises:
            JobLogUnusable: the file cannot be written.
        """
        self._change(lambda book: line_of(after, before), sync=after.state in _SYNCED)

    def close_job(self, id: str, state: State, credits: float | None) -> None:
        """Record the outcome of a job, if it has an open entry.

        Raises:
            JobLogUnusable: the file cannot be written.
        """
        if self.store.exists:
            self._change(lambda book: _closing(book.open_job(self.service, id), state, credits), sync=False)

    def left(self, id: str) -> None:
        """Record that no call of this process waits for a job any more, if it has an open entry.

        Raises:
            JobLogUnusable: the file cannot be written.
        """
        self._change(lambda book: _leaving(book.open_job(self.service, id)), sync=False)

    def _change(self, decide: Decide, *, sync: bool) -> None:
        try:
            self.store.change(decide, sync=sync)
        except OSError as error:
            raise JobLogUnusable(shown(self.store.path), reason(error)) from error


def _closing(entry: Entry | None, state: State, credits: float | None) -> str | None:
    if entry is None:
        return None
    if credits is None and state is State.FAILED:  # refunded
        credits = 0.0
    return line_of(attrs.evolve(entry, state=state, credits=entry.credits if credits is None else credits), entry)


def _leaving(entry: Entry | None) -> str | None:
    return None if entry is None else line_of(attrs.evolve(entry, owner=NOBODY), entry)


def is_doubtful(entry: Entry) -> bool:
    """Whether it is unknown if the service accepted a submission, and nothing will find out by itself."""
    return entry.state is State.UNKNOWN or (entry.state is State.SUBMITTING and not is_running(entry.owner))
