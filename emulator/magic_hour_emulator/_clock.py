"""The emulator's own time, so that a 24-hour expiry can be tested in a millisecond.

Rule: nothing else in the emulator asks the machine what time it is.
"""

import math
import threading
import time
from datetime import UTC, datetime
from typing import Final

__all__ = ["Clock", "timestamp"]

# A thousand years: dates end with the year 9999, and every answer has one.
_FURTHEST_SECONDS: Final = 1000 * 365 * 24 * 3600.0


class Clock:
    """Seconds since 1970, passing as they do (`speed=1`), faster (`speed=100`), or only by `advance` (`frozen`)."""

    def __init__(self, *, speed: float = 1.0, frozen: bool = False) -> None:
        if not 0 < speed < math.inf:
            raise ValueError(f"speed must be more than 0 and finite, not {speed}")
        self.speed = speed
        self.frozen = frozen
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
        """Let `seconds` pass at once, whatever the speed, and answer the new time. Time never runs backwards."""
        if not seconds >= 0:
            raise ValueError(f"seconds must be 0 or more, not {seconds}")
        with self._lock:
            if not self._advanced + seconds <= _FURTHEST_SECONDS:
                raise ValueError(f"time can be advanced by {_FURTHEST_SECONDS:g} seconds in all, not by {seconds:g}")
            self._advanced += seconds
        return self.now()

    def reset(self) -> None:
        """Go back to the machine's time, with the same speed."""
        with self._lock:
            self._advanced = 0.0
            self._wall = time.time()
            self._origin = time.monotonic()


def timestamp(seconds: float) -> str:
    """An instant as the service writes it, such as `2024-07-25T16:56:21.932Z`."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
