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
from .server import patient
from .tables import batch, chunks, database_time, durable, inserted, paid, rows


class Claim(Enum):
    """What came of asking for the right to submit the job of a row."""

    GRANTED = "granted"
    """This execution, and no other ever, submits it."""
    TAKEN = "taken"
    """Another execution has, or had, that right."""
    OVER_BUDGET = "over budget"
    """It would go beyond `max_credits`."""
    TOO_SOON = "too soon"
    """It would go beyond the rate; ask again."""


_MINUTE_SECONDS = 61.0
"""What a minute's submissions are spread over: a second more, as a request may take longer than the next one."""


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

    @patient
    def claim(self, key: str, *, name: str, estimate: float, token: str, worker: str) -> Claim:
        """Ask for the right to submit the job of a row now, and set aside the credits it will cost.

        With a rate, claims are spaced by the database's clock, all workers' together: the engine's own limiter holds
        for the beginnings of rows, and those that upload for long would submit in a bunch.

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
        due = sa.or_(batch.c.rate.is_(None), batch.c.next_submit_at.is_(None), batch.c.next_submit_at <= self._now)
        after = {
            "committed": batch.c.committed + estimate,
            "next_submit_at": self._now + _MINUTE_SECONDS / batch.c.rate,
        }
        with durable(self._engine) as connection:
            if not inserted(connection, paid, [claimed]):
                holder = connection.scalar(sa.select(paid.c.token).where(paid.c.key == key))
                return Claim.GRANTED if holder == token else Claim.TAKEN  # asked again: the first answer was lost
            if connection.execute(sa.update(batch).where(room, due).values(after)).rowcount == 1:
                return Claim.GRANTED
            fits = connection.scalar(sa.select(sa.func.count()).select_from(batch).where(room))
            connection.rollback()
            return Claim.TOO_SOON if fits else Claim.OVER_BUDGET

    @patient
    def pause(self) -> float:
        """How many seconds the rate wants until the next submission."""
        left = sa.select(batch.c.next_submit_at - self._now).where(batch.c.rate.is_not(None))
        with self._engine.connect() as connection:
            return max(0.0, connection.scalar(left) or 0.0)

    @patient
    def release(self, key: str, token: str) -> None:
        """Give a claim back: it is certain that the service accepted nothing."""
        mine = sa.and_(paid.c.key == key, paid.c.token == token, paid.c.project_id.is_(None))
        with durable(self._engine) as connection:
            _give_back(connection, mine)

    @patient
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
        mine = sa.and_(mine, _in_doubt(key) if token is None else paid.c.token == token)
        with durable(self._engine) as connection:
            reserved = connection.scalar(sa.select(paid.c.reserved).where(mine).with_for_update())
            if reserved is None:
                return False
            now = reserved if credits is None else credits
            values = {"project_id": project_id, "credits": credits, "reserved": now}
            connection.execute(sa.update(paid).where(mine).values(values))
            connection.execute(sa.update(batch).values(committed=batch.c.committed + (now - reserved)))
        return True

    @patient
    def paid_for(self, key: str) -> Paid | None:
        """What is known of the job of a row; None if it was never submitted."""
        with self._engine.connect() as connection:
            found = connection.execute(sa.select(paid).where(paid.c.key == key)).one_or_none()
        names = [field.name for field in attrs.fields(Paid)]
        return None if found is None else Paid(**{name: getattr(found, name) for name in names})

    def not_charged(self, key: str) -> bool:
        """A person found out that a doubtful row was not charged. False if it is not in doubt."""
        mine = sa.and_(paid.c.project_id.is_(None), _in_doubt(key))
        with durable(self._engine) as connection:
            return _give_back(connection, mine)

    @patient
    def settled(self) -> list[str]:
        """The doubtful rows of which the answer has arrived since: an id, or that nothing was charged."""
        known = sa.or_(paid.c.key.is_(None), paid.c.project_id.is_not(None))
        query = (
            sa.select(rows.c.key)
            .outerjoin(paid, paid.c.key == rows.c.key)
            .where(rows.c.state == RowStatus.DOUBTFUL, known)
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


def _in_doubt(key: str) -> sa.ColumnElement[bool]:
    """The claim on a doubtful row, and not on one that is being submitted right now."""
    doubtful = sa.exists().where(rows.c.key == key, rows.c.state == RowStatus.DOUBTFUL)
    return sa.and_(paid.c.key == key, doubtful)


def _give_back(connection: sa.Connection, mine: sa.ColumnElement[bool]) -> bool:
    reserved = connection.scalar(sa.select(paid.c.reserved).where(mine).with_for_update())
    if reserved is None:
        return False
    connection.execute(sa.delete(paid).where(mine))
    connection.execute(sa.update(batch).values(committed=batch.c.committed - reserved))
    return True
