"""Who may work and submit: heartbeats of the workers, their sessions, permits to send, and the signal to stop.

Rules: the database's clock decides, and the rows of a silent worker go to exactly one other. A clock that jumps makes
no worker silent, and keeps none alive beyond the allowed silence. A permit counts from before the first attempt of the
transaction that granted it, so whoever waits for it to expire knows that it is no longer used.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import anyio
import attrs
import sqlalchemy as sa
from sqlalchemy import exc

from ._connections import connect_args, retry_while_away
from ._tables import database_time, inserted, workers


class StopSignal:
    """Set once, it ends submitting: Ctrl-C, no credits left, a refused key, a full disk.

    A row that waits here has neither claimed nor sent anything, so nothing is lost when it stays.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reason: str | None = None
        self.parked: set[str] = set()

    def __call__(self, reason: str) -> None:
        """Submit no more jobs. The first reason is kept."""
        with self._lock:
            self.reason = self.reason or reason

    async def gate(self, key: str) -> None:
        """Let a row pass to its submission, or hold it here until the run ends."""
        if self.reason is not None:
            self.parked.add(key)
            try:
                await anyio.sleep_forever()
            finally:
                self.parked.discard(key)


PERMIT_SECONDS = 15.0
"""Less than the silence after which a worker's rows are taken over (`SILENT_SECONDS` of the engine, 20)."""


@attrs.frozen
class Instant:
    """A moment on two clocks of this machine.

    Attributes:
        boot: seconds since the machine was started, including sleep where the system counts it.
        wall: seconds since 1970; people and servers may set this clock.
    """

    boot: float
    wall: float


def now() -> Instant:
    """The current moment."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    boot = time.monotonic() if clock is None else time.clock_gettime(clock)
    return Instant(boot, time.time())


def passed(since: Instant, until: Instant) -> float:
    """The seconds between two moments, by the clock that ran further: setting one back shortens nothing.

    >>> passed(Instant(boot=10, wall=1000), Instant(boot=30, wall=900))
    20
    """
    return max(until.boot - since.boot, until.wall - since.wall)


@attrs.frozen
class Permit:
    """The right to start sending what was claimed.

    Attributes:
        since: the moment before the claim, or its renewal, was first requested.
        session: the session of the worker that requested it; the permit ends with that session.
        seconds: how long it lasts.
    """

    since: Instant
    session: object = None
    seconds: float = PERMIT_SECONDS

    def valid(self, at: Instant, session: object = None) -> bool:
        """Whether sending may start now."""
        return session == self.session and passed(self.since, at) < self.seconds


class Session:
    """A worker's own connection, whose lock shows others that it is running; none for a file, which has one process."""

    def __init__(self, engine: sa.Engine, worker: str) -> None:
        self._worker = worker
        self._engine: sa.Engine | None = None
        if engine.dialect.name == "postgresql":
            self._engine = sa.create_engine(
                engine.url,
                connect_args=connect_args(engine.url),
                poolclass=sa.pool.NullPool,
                isolation_level="AUTOCOMMIT",
                hide_parameters=True,
            )
        self._lock = threading.Lock()
        self._connection: sa.Connection | None = None
        self.current: object = None
        """Identifies this session; None if none is held."""

    @retry_while_away
    def hold(self) -> object:
        """Check the session, or start a new one; returns `current`."""
        if self._engine is None:
            return None
        with self._lock:
            if self._connection is not None:
                try:
                    self._connection.execute(sa.select(1))
                    return self.current
                except exc.DBAPIError:
                    self._drop()
            connection = self._engine.connect()
            try:
                connection.execute(sa.select(sa.func.pg_advisory_lock_shared(_number(self._worker))))
            except BaseException:
                connection.close()
                raise
            self._connection, self.current = connection, object()
            return self.current

    def _drop(self) -> None:
        connection, self._connection, self.current = self._connection, None, None
        if connection is not None:
            with suppress(exc.DBAPIError):
                connection.invalidate()
                connection.close()

    def close(self) -> None:
        """End the session."""
        with self._lock:
            self._drop()


def is_alive(engine: sa.Engine, worker: str) -> bool:
    """Whether a worker holds its session, even if it is stopped."""
    if engine.dialect.name != "postgresql":
        return False  # a file has its lock instead
    with engine.connect() as connection:
        free = connection.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(_number(worker))))
        connection.rollback()
    return not free


def _number(worker: str) -> sa.ColumnElement[int]:
    """The number of a worker's lock."""
    return sa.func.hashtextextended(worker, sa.literal_column("0"))


logger: logging.Logger = logging.getLogger("magic_hour_workflows")

JUMP_SECONDS = 5.0
"""A larger difference between the database's clock and this machine's since the last check is a jump."""


class Fleet:
    """The table `workers`."""

    def __init__(self, engine: sa.Engine, clock: Callable[[], Instant] = now) -> None:
        self._engine = engine
        self._now = database_time(engine.dialect.name)
        self._clock = clock
        self._last_check: tuple[Instant, float] | None = None
        self._trusted_at: Instant | None = None

    @retry_while_away
    def now(self) -> float:
        """The database's time in seconds since 1970; the same for all workers."""
        with self._engine.connect() as connection:
            return float(connection.scalar(sa.select(self._now)) or 0)

    def beat(self, worker: str, host: str) -> None:
        """Record that a worker is alive."""
        with self._engine.begin() as connection:
            if not inserted(connection, workers, [{"worker": worker, "host": host, "seen_at": self._now}]):
                alive = sa.update(workers).where(workers.c.worker == worker)
                connection.execute(alive.values(seen_at=self._now))

    def silent(self, seconds: float, me: str) -> list[str]:
        """The workers that have been silent this long; each is returned to one caller, who takes over its rows."""
        late = workers.c.seen_at < self._now - seconds
        taken: list[str] = []
        with self._engine.begin() as connection:
            # Seen in the future: the clock was ahead. Count the silence of such a worker from now.
            ahead = sa.update(workers).where(workers.c.seen_at > self._now + JUMP_SECONDS)
            connection.execute(ahead.values(seen_at=self._now))
            if self._jumped(float(connection.scalar(sa.select(self._now)) or 0), seconds):
                return taken
            for worker in list(connection.scalars(sa.select(workers.c.worker).where(late, workers.c.worker != me))):
                mine = sa.update(workers).where(workers.c.worker == worker, late).values(seen_at=self._now)
                if connection.execute(mine).rowcount:
                    taken.append(worker)
        return taken

    def _jumped(self, database: float, seconds: float) -> bool:
        """Whether the database's clock jumped ahead so recently that live workers had no time to report."""
        here = self._clock()
        if self._last_check is not None:
            before, then = self._last_check
            if (jump := database - then - passed(before, here)) > JUMP_SECONDS:
                logger.warning(
                    "the clock of the batch database jumped %.0f s ahead; no worker is replaced for now", jump
                )
                self._trusted_at = here
        self._last_check = here, database
        return self._trusted_at is not None and passed(self._trusted_at, here) < seconds

    def leave(self, worker: str) -> None:
        """Remove a worker that has ended, or whose rows were taken over."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(workers).where(workers.c.worker == worker))

    def alive(self, seconds: float) -> list[str]:
        """The workers seen within the last `seconds`."""
        recent = workers.c.seen_at.between(self._now - seconds, self._now + seconds)
        with self._engine.connect() as connection:
            return list(connection.scalars(sa.select(workers.c.worker).where(recent)))
