"""How long a claim may be used without asking again: 15 seconds, by clocks that a sleeping machine cannot stop.

Rule: pure. A permit counts from before the first try of the transaction that granted it, so whoever takes a claim away
knows, by waiting, that it is used no more.
"""

from __future__ import annotations

import time

import attrs

PERMIT_SECONDS = 15.0
"""Less than the silence after which a worker's rows are taken over (`SILENT_SECONDS` of the engine, 20)."""


@attrs.frozen
class Instant:
    """A moment, as two clocks of this machine have it.

    Attributes:
        boot: seconds since the machine was started, those in which it slept included, where the system counts them.
        wall: seconds since 1970; people and servers may set it.
    """

    boot: float
    wall: float


def now() -> Instant:
    """This moment."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    boot = time.monotonic() if clock is None else time.clock_gettime(clock)
    return Instant(boot, time.time())


def passed(since: Instant, until: Instant) -> float:
    """The seconds between two moments: by the clock that ran further, so one that was set back shortens nothing.

    >>> passed(Instant(boot=10, wall=1000), Instant(boot=30, wall=900))
    20
    """
    return max(until.boot - since.boot, until.wall - since.wall)


@attrs.frozen
class Permit:
    """The right to begin sending what was claimed.

    Attributes:
        since: the moment before the claim, or its renewal, was first asked for.
        session: the session of the worker in which it was granted; another one makes it worthless.
        seconds: how long it lasts.
    """

    since: Instant
    session: object = None
    seconds: float = PERMIT_SECONDS

    def valid(self, at: Instant, session: object = None) -> bool:
        """Whether sending may begin at this moment."""
        return session == self.session and passed(self.since, at) < self.seconds
