"""The emulator's own time, so that a 24-hour expiry can be tested in a millisecond.

Rule: everything else in the emulator asks this clock, not the machine, except for delays and dates that clients see.
"""

import math
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

__all__ = ["Clock", "timestamp"]

# A thousand years: responses contain dates, and dates end with the year 9999.
_FURTHEST_SECONDS: Final = 1000 * 365 * 24 * 3600.0


class Clock:
    """Seconds since 1970 that pass at `speed`, or only with `advance` if `frozen`."""

    def __init__(self, *, speed: float = 1.0, frozen: bool = False) -> None:
        if not 0 < speed < math.inf:
            raise ValueError(f"speed must be more than 0 and finite, not {speed}")
        self.speed = speed
        self.frozen = frozen
        self.listeners: list[Callable[[], None]] = []
        """Called whenever the time has jumped."""
        self._lock = threading.Lock()
        self._advanced = 0.0
        self._wall = time.time()
        self._origin = time.monotonic()

    def now(self) -> float:
        """The emulator's time, in seconds since 1970."""
        with self._lock:
            passed = 0.0 if self.frozen else (time.monotonic() - self._origin) * self.speed
            return self._wall + passed + self._advanced

    def advance(self, seconds: float) -> float:
        """Advance by `seconds`, whatever the speed, and return the new time. Time never runs backwards."""
        if not seconds >= 0:
            raise ValueError(f"seconds must be 0 or more, not {seconds}")
        with self._lock:
            if not self._advanced + seconds <= _FURTHEST_SECONDS:
                raise ValueError(
                    f"the clock can be advanced by {_FURTHEST_SECONDS:g} seconds in total, not by {seconds:g}"
                )
            self._advanced += seconds
        self._report()
        return self.now()

    def reset(self) -> None:
        """Go back to the machine's time, with the same speed."""
        with self._lock:
            self._advanced = 0.0
            self._wall = time.time()
            self._origin = time.monotonic()
        self._report()

    def _report(self) -> None:
        for listener in self.listeners:
            listener()


def timestamp(seconds: float) -> str:
    """A time in the service's format, such as `2024-07-25T16:56:21.932Z`."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
