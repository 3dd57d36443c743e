"""The emulator's own time, so that a 24-hour expiry can be tested in a millisecond.

Rule: everything else in the emulator asks this clock, not the machine, except for delays and dates that clients see.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

__all__ = ["Clock", "timestamp"]

# A thousand years: responses contain dates, and dates end with the year 9999.
_FURTHEST_SECONDS: Final = 1000 * 365 * 24 * 3600.0
# With more, the dates of a program that runs for hours would need a year of five digits.
_MAX_SPEED: Final = 1_000_000


class Clock:
    """Seconds since 1970 that pass at `speed`, or only with `advance` if `frozen`."""

    def __init__(self, *, speed: float = 1.0, frozen: bool = False) -> None:
        self._initial = (_checked_speed(speed), frozen)
        self.speed, self.frozen = self._initial
        self.changes = 0
        """How often the clock was set, so that viewers notice it."""
        self.listeners: list[Callable[[], None]] = []
        """Called whenever the clock was set."""
        self._lock = threading.Lock()
        self._advanced = 0.0
        self._wall = time.time()
        self._origin = time.monotonic()

    def now(self) -> float:
        """The emulator's time, in seconds since 1970."""
        with self._lock:
            return self._wall + self._passed() + self._advanced

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

    def change(self, *, speed: float | None = None, frozen: bool | None = None) -> None:
        """Let time pass at another speed from now on, stop it or let it go on; None leaves a setting as it is."""
        if frozen is not None and not isinstance(frozen, bool):
            raise ValueError(f"frozen must be true or false, not {frozen!r}")
        speed = self.speed if speed is None else _checked_speed(speed)
        with self._lock:
            self._wall += self._passed()
            self._origin = time.monotonic()
            self.speed = speed
            self.frozen = self.frozen if frozen is None else frozen
        self._report()

    def reset(self) -> None:
        """Go back to the machine's time and the initial settings."""
        with self._lock:
            self.speed, self.frozen = self._initial
            self._advanced = 0.0
            self._wall = time.time()
            self._origin = time.monotonic()
        self._report()

    def as_json(self) -> dict[str, Any]:
        """The time and the settings, as `GET /_emulator/clock` returns them."""
        return {"now": self.now(), "speed": self.speed, "frozen": self.frozen}

    def _passed(self) -> float:
        return 0.0 if self.frozen else (time.monotonic() - self._origin) * self.speed

    def _report(self) -> None:
        self.changes += 1
        for listener in self.listeners:
            listener()


def _checked_speed(speed: Any) -> float:
    if isinstance(speed, bool) or not isinstance(speed, int | float) or not 0 < speed <= _MAX_SPEED:
        raise ValueError(f"speed must be more than 0 and at most {_MAX_SPEED:,}, not {speed!r}")
    return float(speed)


def timestamp(seconds: float) -> str:
    """A time in the service's format, such as `2024-07-25T16:56:21.932Z`."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
