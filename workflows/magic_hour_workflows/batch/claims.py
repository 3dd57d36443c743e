"""Who may submit the job of a row, and what it cost: the guard that no row is charged twice.

Rule: a claim is granted once, to one execution, before anything is sent. It is given back only when it is certain that
the service accepted nothing, or by a person who looked.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

import attrs
import sqlalchemy as sa

from .rows import RowStatus
from .tables import batch, chunks, database_time, inserted, paid, rows


class Claim(Enum):
    """What came of asking for the right to submit the job of a row."""

    GRANTED = "granted"
    """This execution, and no other ever, submits it."""
    TAKEN = "taken"
    """Another execution has, or had, that right."""
    OVER_BUDGET = "over budget"
    """It would go beyond `max_credits`."""


@attrs.frozen(kw_only=True)
class Paid:
    """What is known of the one job a row may have.

    Attributes:
        project_id: the id of the job; None as long as nobody knows whether there is one.
        name: the name it was submitted under.
        worker: the executor that claimed it.
        claimed_at: when, in seconds since 1970.
    """

    project_id: str | None
    name: str
    worker: str
    claimed_at: float


class Claims:
    """The table `paid`, and the credits that are charged or set aside.

    Args:
        engine: a connection pool to the batch database.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._now = database_time(engine.dialect.name)

    def claim(self, key: str, *, name: str, estimate: float, token: str, worker: str) -> Claim:
        """Ask for the right to submit the job of a row, and set aside the credits it will cost.

        Args:
            key: the row.
            name: what the job will be called.
            estimate: the credits to set aside.
            token: what tells this execution from all others.
            worker: the executor that asks.
        """
        claimed = {"key": key, "name": name, "token": token, "worker": worker, "reserved": estimate}
        claimed["claimed_at"] = self._now
        room = sa.or_(batch.c.max_credits.is_(None), batch.c.committed + estimate <= batch.c.max_credits)
        with self._engine.begin() as connection:
            if not inserted(connection, paid, [claimed]):
                return Claim.TAKEN
            reserve = sa.update(batch).where(room).values(committed=batch.c.committed + estimate)
            if connection.execute(reserve).rowcount == 1:
                return Claim.GRANTED
            connection.rollback()
            return Claim.OVER_BUDGET

    def release(self, key: str, token: str) -> None:
        """Give a claim back: it is certain that the service accepted nothing."""
        with self._engine.begin() as connection:
            mine = sa.and_(paid.c.key == key, paid.c.token == token, paid.c.project_id.is_(None))
            reserved = connection.scalar(sa.select(paid.c.reserved).where(mine))
            if reserved is not None:
                connection.execute(sa.delete(paid).where(mine))
                connection.execute(sa.update(batch).values(committed=batch.c.committed - reserved))

    def accepted(self, key: str, project_id: str, credits: float | None, token: str | None = None) -> bool:
        """Write down the job of a row, and what it cost.

        Args:
            key: the row.
            project_id: the id of the job.
            credits: what the service says it charged, if it said so.
            token: the execution that submitted it; None if a person settled the doubt.

        Returns:
            False if the row has no open claim (of this execution).
        """
        mine = sa.and_(paid.c.key == key, sa.or_(paid.c.project_id.is_(None), paid.c.project_id == project_id))
        if token is not None:
            mine = sa.and_(mine, paid.c.token == token)
        with self._engine.begin() as connection:
            reserved = connection.scalar(sa.select(paid.c.reserved).where(mine))
            if reserved is None:
                return False
            now = reserved if credits is None else credits
            values = {"project_id": project_id, "credits": credits, "reserved": now}
            connection.execute(sa.update(paid).where(mine).values(values))
            connection.execute(sa.update(batch).values(committed=batch.c.committed + (now - reserved)))
        return True

    def paid_for(self, key: str) -> Paid | None:
        """What is known of the job of a row; None if it was never submitted."""
        with self._engine.connect() as connection:
            found = connection.execute(sa.select(paid).where(paid.c.key == key)).one_or_none()
        names = [field.name for field in attrs.fields(Paid)]
        return None if found is None else Paid(**{name: getattr(found, name) for name in names})

    def not_charged(self, key: str) -> bool:
        """A person found out that a doubtful row was not charged. False if it is not in doubt."""
        with self._engine.begin() as connection:
            doubtful = sa.and_(paid.c.key == key, paid.c.project_id.is_(None))
            reserved = connection.scalar(sa.select(paid.c.reserved).where(doubtful))
            if reserved is None:
                return False
            connection.execute(sa.delete(paid).where(doubtful))
            connection.execute(sa.update(batch).values(committed=batch.c.committed - reserved))
        return True

    def settled(self) -> list[str]:
        """The doubtful rows whose id has arrived since."""
        query = (
            sa.select(rows.c.key)
            .join(paid, paid.c.key == rows.c.key)
            .where(rows.c.state == RowStatus.DOUBTFUL, paid.c.project_id.is_not(None))
        )
        with self._engine.connect() as connection:
            return list(connection.scalars(query))

    def forget_jobs(self, keys: Iterable[str]) -> None:
        """Let failed rows be submitted anew: their jobs are at an end. The credits they cost stay counted."""
        ended = sa.select(rows.c.key).where(rows.c.state == RowStatus.FAILED)
        with self._engine.begin() as connection:
            for some in chunks(list(keys)):
                job = sa.and_(paid.c.key.in_(some), paid.c.project_id.is_not(None), paid.c.key.in_(ended))
                connection.execute(sa.delete(paid).where(job))
