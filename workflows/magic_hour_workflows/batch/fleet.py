"""Who works on a batch: the heartbeats of a fleet.

Rule: the database's clock decides, and the rows of a silent worker are given to one other.
"""

from __future__ import annotations

import sqlalchemy as sa

from .server import patient
from .tables import database_time, inserted, workers


class Fleet:
    """The table `workers`.

    Args:
        engine: a connection pool to the batch database.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._now = database_time(engine.dialect.name)

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
        taken = []
        with self._engine.begin() as connection:
            for worker in list(connection.scalars(sa.select(workers.c.worker).where(late, workers.c.worker != me))):
                mine = sa.update(workers).where(workers.c.worker == worker, late).values(seen_at=self._now)
                if connection.execute(mine).rowcount:
                    taken.append(worker)
        return taken

    def leave(self, worker: str) -> None:
        """A worker has ended, or its rows have been taken over."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(workers).where(workers.c.worker == worker))

    def alive(self, seconds: float) -> list[str]:
        """The workers heard of in the last so many seconds."""
        with self._engine.connect() as connection:
            query = sa.select(workers.c.worker).where(workers.c.seen_at >= self._now - seconds)
            return list(connection.scalars(query))
