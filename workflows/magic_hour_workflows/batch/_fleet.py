"""Who works on a batch: the heartbeats of a fleet.

Rule: the database's clock decides, and the rows of a silent worker are given to one other. A clock that jumps makes
nobody silent, and nobody alive for longer than the silence that is allowed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Lock

import anyio
import attrs
import sqlalchemy as sa
from sqlalchemy import exc

from ._connections import (
    connect_args,
    retry_while_away,
)
from ._tables import database_time, inserted, workers


class StopSignal:
    """Whether jobs may still be submitted, and who is waiting because they may not."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reason: str | None = None
        self.parked: set[str] = set()

    def __call__(self, reason: str) -> None:
        """Submit no more jobs. The first reason is kept."""
        with self._lock:
            self.reason = self.reason or reason

    async def gate(self, key: str) -> None:
        """Let a row through to its submission, or keep it here until the run ends."""
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


class Session:
    """A connection of a worker's own, whose lock shows the others that it lives; none for a file, which has one runner.

    Args:
        engine: the connection pool to the batch database.
        worker: the executor.
    """

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
        self._lock = Lock()
        self._connection: sa.Connection | None = None
        self._current: object = None

    @property
    def current(self) -> object:
        """What tells this session from one that was lost; None if none is held."""
        return self._current

    @retry_while_away
    def hold(self) -> object:
        """See that the session is there, or begin another one; gives `current`."""
        if self._engine is None:
            return None
        with self._lock:
            if self._connection is not None:
                try:
                    self._connection.execute(sa.select(1))
                    return self._current
                except exc.DBAPIError:
                    self._drop()
            connection = self._engine.connect()
            try:
                connection.execute(sa.select(sa.func.pg_advisory_lock_shared(_number(self._worker))))
            except BaseException:
                connection.close()
                raise
            self._connection, self._current = connection, object()
            return self._current

    def _drop(self) -> None:
        connection, self._connection, self._current = self._connection, None, None
        if connection is not None:
            with suppress(exc.DBAPIError):
                connection.invalidate()
                connection.close()

    def close(self) -> None:
        """End the session."""
        with self._lock:
            self._drop()


def is_alive(engine: sa.Engine, worker: str) -> bool:
    """Whether a worker can be seen to live: it holds its session, though it may stand still."""
    if engine.dialect.name != "postgresql":
        return False  # its file has a lock instead
    with engine.connect() as connection:
        free = connection.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(_number(worker))))
        connection.rollback()
    return not free


def _number(worker: str) -> sa.ColumnElement[int]:
    """What a worker's lock is called."""
    return sa.func.hashtextextended(worker, sa.literal_column("0"))


logger: logging.Logger = logging.getLogger("magic_hour_workflows")


JUMP_SECONDS = 5.0
"""How far the database's clock may run from this machine's between two looks; more is a jump."""


class Fleet:
    """The table `workers`.

    Args:
        engine: a connection pool to the batch database.
        clock: this machine's time.
    """

    def __init__(self, engine: sa.Engine, clock: Callable[[], Instant] = now) -> None:
        self._engine = engine
        self._now = database_time(engine.dialect.name)
        self._clock = clock
        self._last_check: tuple[Instant, float] | None = None
        self._trusted_at: Instant | None = None

    @retry_while_away
    def now(self) -> float:
        """The time of the database, in seconds since 1970; the same for all workers."""
        with self._engine.connect() as connection:
            return float(connection.scalar(sa.select(self._now)) or 0)

    def beat(self, worker: str, host: str) -> None:
        """Say that a worker is alive."""
        with self._engine.begin() as connection:
            if not inserted(connection, workers, [{"worker": worker, "host": host, "seen_at": self._now}]):
                alive = sa.update(workers).where(workers.c.worker == worker)
                connection.execute(alive.values(seen_at=self._now))

    def silent(self, seconds: float, me: str) -> list[str]:
        """The workers not heard of for so long, each given to one caller only, who takes their rows over."""
        late = workers.c.seen_at < self._now - seconds
        taken: list[str] = []
        with self._engine.begin() as connection:
            # Seen in the future: the clock was ahead. The silence of a worker that is gone begins now.
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
        """Whether the database's clock has jumped ahead so lately that who lives has had no time to say so."""
        here = self._clock()
        if self._last_check is not None:
            before, then = self._last_check
            if (jump := database - then - passed(before, here)) > JUMP_SECONDS:
                logger.warning(
                    "the clock of the batch database jumped %.0f s ahead; nobody is taken over for now", jump
                )
                self._trusted_at = here
        self._last_check = here, database
        return self._trusted_at is not None and passed(self._trusted_at, here) < seconds

    def leave(self, worker: str) -> None:
        """A worker has ended, or its rows have been taken over."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(workers).where(workers.c.worker == worker))

    def alive(self, seconds: float) -> list[str]:
        """The workers heard of in the last so many seconds."""
        with self._engine.connect() as connection:
            query = sa.select(workers.c.worker).where(
                workers.c.seen_at.between(self._now - seconds, self._now + seconds)
            )
            return list(connection.scalars(query))
