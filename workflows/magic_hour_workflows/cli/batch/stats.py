"""What a run has come to so far: counts, speed, time left, what the rows under way are doing.

Rule: numbers only. The counts are the database's, since several machines may work on one batch; how fast it goes and
what happens is heard here.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence

from ...batch._rows import RowResult, RowStatus, Summary
from ...events import Created, Downloading, Event, StatusChanged, Uploading

WINDOW_SECONDS = 60.0
"""Over which the speed is measured."""
LAST_ERRORS = 3
ENDED = (RowStatus.SAVED, RowStatus.FAILED, RowStatus.DOUBTFUL, RowStatus.SKIPPED)
STATES = ("uploading", "queued", "rendering", "saving")
"""What the rows under way may be doing, in the order in which they do it; the service may know others."""


class Tally:
    """Heard from threads, read from threads.

    Args:
        summary: how the batch stood in the beginning.
        now: a clock.
    """

    def __init__(self, summary: Summary, now: Callable[[], float] = time.monotonic) -> None:
        self.summary: Summary = summary
        self._now = now
        self._began = now()
        self._ends: deque[float] = deque()
        self._doing: dict[str, str] = {}
        self._errors: deque[RowResult] = deque(maxlen=LAST_ERRORS)
        self._lock = threading.Lock()

    def look(self, summary: Summary) -> None:
        """The database was asked again."""
        self.summary = summary

    def heard(self, key: str, event: Event) -> None:
        """Something happened to a row under way."""
        match event:
            case Uploading():
                state = "uploading"
            case Created():
                state = "queued"
            case StatusChanged(status=status):
                state = "saving" if status == "complete" else status
            case Downloading():
                state = "saving"
            case _:
                return
        with self._lock:
            self._doing[key] = state

    def ended(self, result: RowResult) -> None:
        """A row came to its end in this run."""
        with self._lock:
            self._doing.pop(result.key, None)
            self._ends.append(self._now())
            if result.error is not None and result.status is not RowStatus.SKIPPED:
                self._errors.append(result)

    @property
    def total(self) -> int:
        """How many rows there are."""
        return self.summary.rows

    @property
    def done(self) -> int:
        """How many rows are at an end."""
        return sum(self.summary.counts.get(status, 0) for status in ENDED)

    @property
    def doing(self) -> Sequence[tuple[str, int]]:
        """What the rows under way are doing, and how many."""
        with self._lock:
            counted = Counter(self._doing.values())
        known = [(state, counted.pop(state)) for state in STATES if state in counted]
        return [*known, *sorted(counted.items())]

    @property
    def errors(self) -> Sequence[RowResult]:
        """The last rows that were not saved."""
        with self._lock:
            return list(self._errors)

    @property
    def per_minute(self) -> float | None:
        """How many rows ended in a minute, lately; None if nobody can tell yet."""
        now = self._now()
        with self._lock:
            while self._ends and self._ends[0] < now - WINDOW_SECONDS:
                self._ends.popleft()
            seconds = min(now - self._began, WINDOW_SECONDS)
            return len(self._ends) * 60.0 / seconds if self._ends and seconds > 0 else None

    @property
    def left_seconds(self) -> float | None:
        """How long the rest will take at this speed."""
        speed = self.per_minute
        return None if speed is None else (self.total - self.done) * 60.0 / speed


def duration(seconds: float) -> str:
    """
    >>> duration(4.2), duration(95), duration(7300), duration(200000)
    ('4 s', '1 min 35 s', '2 h 1 min', '55 h 33 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
