"""Who works on a batch: the heartbeats of a fleet.

Rule: the database's clock decides, and the rows of a silent worker are given to one other. A clock that jumps makes
nobody silent, and nobody alive for longer than the silence that is allowed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import sqlalchemy as sa

from . import _permit as permit
from ._permit import Instant, passed
from ._server import patient
from ._tables import database_time, inserted, workers

logger: logging.Logger = logging.getLogger("magic_hour_workflows")

JUMP_SECONDS = 5.0
"""How far the database's clock may run from this machine's between two looks; more is a jump."""


class Fleet:
    """The table `workers`.

    Args:
        engine: a connection pool to the batch database.
        clock: this machine's time.
    """

    def __init__(self, engine: sa.Engine, clock: Callable[[], Instant] = permit.now) -> None:
        self._engine = engine
        self._now = database_time(engine.dialect.name)
        self._clock = clock
        self._looked: tuple[Instant, float] | None = None
        self._trusted_at: Instant | None = None

    @patient
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
        if self._looked is not None:
            before, then = self._looked
            if (jump := database - then - passed(before, here)) > JUMP_SECONDS:
                logger.warning(
                    "the clock of the batch database jumped %.0f s ahead; nobody is taken over for now", jump
                )
                self._trusted_at = here
        self._looked = here, database
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
