"""Following a batch while it runs: counts, speed, time left, and how often the database is polled.

Rule: the counts are the database's, since several machines may work on one batch; speed and activity are measured here.
A failure in here never fails the batch.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Protocol

from ...batch._batch import Batch
from ...batch._rows import RowResult, RowStatus, Summary
from ...events import Created, Downloading, Event, StatusChanged, Uploading
from ..printing import is_live, to_stderr
from ..terminal import Terminal
from .display import Lines, Panel, live

TICK_SECONDS = 0.25
_POLL_SECONDS = 1.0
_SHARE = 20
"""The database is polled for a twentieth of the time at most: counting a million rows takes a while."""
WINDOW_SECONDS = 60.0
"""Over which the speed is measured."""
LAST_ERRORS = 3
ENDED = (RowStatus.SAVED, RowStatus.FAILED, RowStatus.DOUBTFUL, RowStatus.SKIPPED)
ACTIVITIES = ("uploading", "queued", "rendering", "saving")
"""What the rows in progress may be doing, in that order; the service may know others."""


class Stats:
    """Written from threads, read from threads.

    Args:
        summary: the state of the batch at the start.
        now: a clock.
    """

    def __init__(self, summary: Summary, now: Callable[[], float] = time.monotonic) -> None:
        self.summary: Summary = summary
        self._now = now
        self._began = now()
        self._ends: deque[float] = deque()
        self._activities: dict[str, str] = {}
        self._errors: deque[RowResult] = deque(maxlen=LAST_ERRORS)
        self._lock = threading.Lock()

    def update(self, summary: Summary) -> None:
        """The database was polled."""
        self.summary = summary

    def on_event(self, key: str, event: Event) -> None:
        """Something happened to a row in progress."""
        match event:
            case Uploading():
                activity = "uploading"
            case Created():
                activity = "queued"
            case StatusChanged(status=status):
                activity = "saving" if status == "complete" else status
            case Downloading():
                activity = "saving"
            case _:
                return
        with self._lock:
            self._activities[key] = activity

    def row_ended(self, result: RowResult) -> None:
        """A row was done in this run."""
        with self._lock:
            self._activities.pop(result.key, None)
            self._ends.append(self._now())
            if result.error is not None and result.status is not RowStatus.SKIPPED:
                self._errors.append(result)

    @property
    def total(self) -> int:
        """How many rows there are."""
        return self.summary.rows

    @property
    def done(self) -> int:
        """How many rows are done."""
        return sum(self.summary.counts.get(status, 0) for status in ENDED)

    @property
    def activities(self) -> Sequence[tuple[str, int]]:
        """What the rows in progress are doing, and how many do it."""
        with self._lock:
            counted = Counter(self._activities.values())
        known = [(activity, counted.pop(activity)) for activity in ACTIVITIES if activity in counted]
        return [*known, *sorted(counted.items())]

    @property
    def errors(self) -> Sequence[RowResult]:
        """The last rows that were not saved."""
        with self._lock:
            return list(self._errors)

    @property
    def rows_per_minute(self) -> float | None:
        """The recent speed; None if it is not known yet."""
        now = self._now()
        with self._lock:
            while self._ends and self._ends[0] < now - WINDOW_SECONDS:
                self._ends.popleft()
            seconds = min(now - self._began, WINDOW_SECONDS)
            return len(self._ends) * 60.0 / seconds if self._ends and seconds > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """How long the rest will take at this speed."""
        speed = self.rows_per_minute
        return None if speed is None else (self.total - self.done) * 60.0 / speed


class View(Protocol):
    """Shows a batch."""

    def row_ended(self, result: RowResult) -> None: ...

    def tick(self, halted: str | None) -> None: ...


@contextmanager
def monitoring(terminal: Terminal, batch: Batch, stats: Stats, title: str) -> Iterator[Callable[[RowResult], None]]:
    """Show the batch while the block runs; gives the function to call with each row that is done."""
    with _view(terminal, stats, title) as view:
        over = threading.Event()
        thread = threading.Thread(
            target=_poll, args=(batch, stats, view, over), name="magic-hour-batch-monitor", daemon=True
        )
        thread.start()

        def row_ended(result: RowResult) -> None:
            stats.row_ended(result)
            view.row_ended(result)

        try:
            yield row_ended
        finally:
            over.set()
            thread.join()
            view.tick(batch.halted)


@contextmanager
def _view(terminal: Terminal, stats: Stats, title: str) -> Iterator[View]:
    lines = Lines(stats, to_stderr, quiet=terminal.quiet)
    would_overwrite = terminal.json and sys.stdout is not None and sys.stdout.isatty()
    if terminal.quiet or would_overwrite or not is_live(sys.stderr):
        yield lines
        return
    panel = Panel(stats, title)
    with live(panel) as drawn:
        yield panel if drawn else lines


def _poll(batch: Batch, stats: Stats, view: View, over: threading.Event) -> None:
    next_at = 0.0
    while not over.wait(TICK_SECONDS):
        view.tick(batch.halted)
        began = time.monotonic()
        if began >= next_at:
            with suppress(Exception):  # a busy database is polled again
                stats.update(batch.summary())
            spent = time.monotonic() - began
            next_at = began + max(_POLL_SECONDS, _SHARE * spent)
