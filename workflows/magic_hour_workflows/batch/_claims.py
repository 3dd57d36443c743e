"""Who may submit the job of a row, and what it cost: this guard keeps every row from being charged twice.

Rule: a claim is granted once, to one execution, before anything is sent. It is given back only when it is certain that
the service accepted nothing, or by a person who closed the row, waited until nobody could use the claim, and only then
checked. An id is never refused: one that does not belong to the row is stored as a stray.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from enum import Enum

import attrs
import sqlalchemy as sa

from .._results import number
from ._connections import durable, retry_while_away
from ._rows import RowStatus, Stray
from ._side_file import Note
from ._tables import adopted, batch, chunks, database_time, inserted, paid, rows, strays

logger: logging.Logger = logging.getLogger("magic_hour_workflows")


class Claim(Enum):
    """The answer to a request for a claim."""

    GRANTED = "granted"
    """Only this execution may submit it."""
    TAKEN = "taken"
    """Another execution has or had the claim."""
    OVER_BUDGET = "over budget"
    """It would exceed `max_credits`."""
    TOO_SOON = "too soon"
    """It would exceed the rate; ask again later."""


_SIDE_FILE = "a side file"
"""Worker and token of a claim that is only known from a side file."""

_MINUTE_SECONDS = 61.0
"""The rate is per minute; one second is added because a request may take longer than the next one."""


@attrs.frozen(kw_only=True)
class Paid:
    """The claim on a row, with the id of its job once that is known.

    If it is `closed`, somebody is settling it: the holder may not send any more.
    """

    project_id: str | None
    name: str
    worker: str
    claimed_at: float
    closed: bool | None = False


class Claims:
    """The table `paid`, and the credits that are charged or reserved."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._now = database_time(engine.dialect.name)

    @retry_while_away
    def claim(self, key: str, *, name: str, estimate: float, token: str, worker: str) -> Claim:
        """Request the right to submit the job of a row now, and reserve the credits it will cost.

        A rate spaces the claims of all workers by the database's clock. The engine's own limiter counts when rows
        start: rows that upload for long would then submit all at once.
        """
        claimed = self._claimed(key, name, worker, estimate, token)
        room = sa.or_(batch.c.max_credits.is_(None), batch.c.committed + estimate <= batch.c.max_credits)
        wait = batch.c.next_submit_at - self._now
        interval = _MINUTE_SECONDS / batch.c.rate
        # No clock is trusted beyond one interval: a later moment was written by a wrong clock.
        wrong = wait > interval
        due = sa.or_(batch.c.rate.is_(None), batch.c.next_submit_at.is_(None), wait <= 0, wrong)
        after = {"committed": batch.c.committed + estimate, "next_submit_at": self._now + interval}
        with durable(self._engine) as connection:
            if not inserted(connection, paid, [claimed]):
                holder = connection.scalar(sa.select(paid.c.token).where(paid.c.key == key))
                return Claim.GRANTED if holder == token else Claim.TAKEN  # asked again after the first answer was lost
            ahead = connection.scalar(sa.select(wait).where(wrong))
            if connection.execute(sa.update(batch).where(room, due).values(after)).rowcount == 1:
                if ahead is not None:
                    logger.warning(
                        "the next submission was due in %.0f s, more than the rate implies: a clock was wrong", ahead
                    )
                return Claim.GRANTED
            fits = connection.scalar(sa.select(sa.func.count()).select_from(batch).where(room))
            connection.rollback()
            return Claim.TOO_SOON if fits else Claim.OVER_BUDGET

    @retry_while_away
    def renew(self, key: str, token: str) -> bool:
        """Whether the execution still has its claim: no job is known, and nobody is settling it."""
        mine = _open(key, token)
        with durable(self._engine) as connection:
            return connection.execute(sa.update(paid).where(mine).values(permitted_at=self._now)).rowcount == 1

    @retry_while_away
    def pause(self) -> float:
        """Seconds until the rate allows the next submission, at most one interval."""
        left = sa.select(batch.c.next_submit_at - self._now, _MINUTE_SECONDS / batch.c.rate)
        with self._engine.connect() as connection:
            seconds, interval = connection.execute(left.where(batch.c.rate.is_not(None))).one_or_none() or (0, 0)
        return 0.0 if seconds is None or seconds > interval else max(0.0, float(seconds))

    @retry_while_away
    def release(self, key: str, token: str) -> None:
        """Give a claim back; only if the service certainly accepted nothing."""
        with durable(self._engine) as connection:
            _give_back(connection, _open(key, token))

    @retry_while_away
    def doubt(self, key: str, token: str, reason: str) -> None:
        """Mark a row as doubtful: its submission was interrupted, so it is unknown whether it was accepted."""
        mine = sa.exists().where(_open(key, token))
        this = sa.and_(rows.c.key == key, rows.c.state.in_([RowStatus.WAITING, RowStatus.RUNNING]), mine)
        values = {"state": RowStatus.DOUBTFUL, "error": reason, "error_type": "SubmissionUnknown"}
        with durable(self._engine) as connection:
            connection.execute(sa.update(rows).where(this).values(**values, finished_at=self._now))

    @retry_while_away
    def accepted(self, key: str, project_id: str, credits: float | None, *, name: str, worker: str) -> bool:
        """Record a job that the service accepted for a row, whoever has the claim now, and its cost.

        Returns whether it is the job of the row. If not, the row has another one or is gone, and this one is a stray.
        """
        with durable(self._engine) as connection:
            return self._take(connection, Note(key=key, project_id=project_id, credits=credits, name=name), worker)

    @retry_while_away
    def announced(self, name: str, project_id: str, credits: float | None, *, worker: str) -> str | None:
        """Record the id of a job that a webhook event announces, if a row submitted it and does not know its id.

        Returns the key of the row. Names must be unique, or the job may be that of something else.
        """
        with durable(self._engine) as connection:
            unknown = sa.select(paid.c.key).where(paid.c.name == name, paid.c.project_id.is_(None))
            key = connection.scalar(unknown)
            if key is None:
                return None
            note = Note(key=key, project_id=project_id, credits=credits, name=name)
            return key if self._take(connection, note, worker) else None

    def _take(self, connection: sa.Connection, note: Note, worker: str) -> bool:
        """Assign a job to its row if the row has none, else store it as a stray."""
        key, id, credits = note.key, note.project_id, number(note.credits)
        estimate = connection.scalar(sa.select(rows.c.estimate).where(rows.c.key == key))
        if estimate is not None:
            fresh = self._claimed(key, note.name, worker, estimate)
            if inserted(connection, paid, [fresh]):  # its claim was given back
                _commit(connection, estimate)
                ended = sa.and_(rows.c.key == key, rows.c.state.in_([RowStatus.FAILED, RowStatus.SKIPPED]))
                connection.execute(sa.update(rows).where(ended).values(state=RowStatus.DOUBTFUL))
            this = sa.and_(paid.c.key == key, sa.or_(paid.c.project_id.is_(None), paid.c.project_id == id))
            reserved = connection.scalar(sa.select(paid.c.reserved).where(this).with_for_update())
            if reserved is not None:
                cost = reserved if credits is None else credits
                values = {"project_id": id, "name": note.name or paid.c.name, "credits": credits, "reserved": cost}
                connection.execute(sa.update(paid).where(this).values(values))
                _commit(connection, cost - reserved)
                return True
        cost = credits if credits is not None else note.estimate if estimate is None else estimate
        stray = {"project_id": id, "key": key, "name": note.name, "worker": worker, "credits": credits}
        if inserted(connection, strays, [{**stray, "reserved": cost, "found_at": self._now}]):
            _commit(connection, cost)
        return False

    def _claimed(self, key: str, name: str, worker: str, estimate: float, token: str = _SIDE_FILE) -> dict[str, object]:
        """The values of a new claim."""
        claimed = {"key": key, "name": name, "token": token, "worker": worker, "reserved": estimate}
        return {**claimed, "closed": False, "claimed_at": self._now, "permitted_at": self._now}

    def adopt(self, note: Note) -> bool | None:
        """Apply a note of a side file, once. None if it was applied before; else as `accepted`."""
        known = sa.select(adopted.c.note).where(adopted.c.note == note.project_id)
        with durable(self._engine) as connection:
            if note.project_id is not None and connection.scalar(known):
                return None  # known, and finished
            if not inserted(connection, adopted, [{"note": note.digest}]):
                return None
            if note.project_id is not None:
                return self._take(connection, note, _SIDE_FILE)
            estimate = connection.scalar(sa.select(rows.c.estimate).where(rows.c.key == note.key))
            if estimate is None:
                return False
            if inserted(connection, paid, [self._claimed(note.key, note.name, _SIDE_FILE, estimate)]):
                _commit(connection, estimate)
            open_claim = sa.exists().where(paid.c.key == note.key, paid.c.project_id.is_(None))
            values = {"state": RowStatus.DOUBTFUL, "error": note.reason, "error_type": "SubmissionUnknown"}
            connection.execute(sa.update(rows).where(rows.c.key == note.key, open_claim).values(values))
        return True

    def strays(self) -> list[Stray]:
        """The jobs whose row has another one or is gone, in the order of their discovery."""
        query = sa.select(strays).order_by(strays.c.found_at, strays.c.project_id)
        with self._engine.connect() as connection:
            found = connection.execute(query).all()
        return [Stray(key=one.key, id=one.project_id, name=one.name, credits=one.credits) for one in found]

    def missing_ids(self, ids: Iterable[str]) -> list[str]:
        """Those of the ids that the tables lack: the database has lost committed data."""
        missing = []
        with self._engine.connect() as connection:
            for some in chunks(list(ids)):
                known = set(connection.scalars(sa.select(paid.c.project_id).where(paid.c.project_id.in_(some))))
                known |= set(connection.scalars(sa.select(strays.c.project_id).where(strays.c.project_id.in_(some))))
                known |= set(connection.scalars(sa.select(adopted.c.note).where(adopted.c.note.in_(some))))
                missing += [id for id in some if id not in known]
        return missing

    @retry_while_away
    def job_of(self, key: str) -> Paid | None:
        """The claim on a row; None if it was never submitted."""
        with self._engine.connect() as connection:
            return _paid(connection, key)

    # Settling doubtful rows

    def set_project_id(self, key: str, project_id: str) -> bool:
        """Store the id of the job that a person found for a doubtful row. False if it is not doubtful."""
        same = sa.or_(paid.c.project_id.is_(None), paid.c.project_id == project_id)
        mine = sa.and_(_doubtful_claim(key), same)
        with durable(self._engine) as connection:
            return connection.execute(sa.update(paid).where(mine).values(project_id=project_id)).rowcount == 1

    def close(self, key: str, token: str) -> Paid | None:
        """Take the claim on a doubtful row away from its holder, who can no longer renew it. The token identifies who
        settles the row. None if it is not doubtful.
        """
        mine = sa.and_(paid.c.project_id.is_(None), _doubtful_claim(key))
        with durable(self._engine) as connection:
            if not connection.execute(sa.update(paid).where(mine).values(token=token, closed=True)).rowcount:
                return None
            return _paid(connection, key)

    def give_back(self, key: str, token: str) -> bool:
        """Let a row closed with this token be submitted again; False if an id arrived or it was closed again."""
        mine = sa.and_(paid.c.key == key, paid.c.token == token, paid.c.closed, paid.c.project_id.is_(None))
        with durable(self._engine) as connection:
            return _give_back(connection, mine)

    @retry_while_away
    def settled(self) -> list[str]:
        """The doubtful rows that have been settled: with an id, or as not charged."""
        known = sa.or_(paid.c.key.is_(None), paid.c.project_id.is_not(None))
        query = sa.select(rows.c.key).outerjoin(paid, paid.c.key == rows.c.key)
        with self._engine.connect() as connection:
            return list(connection.scalars(query.where(rows.c.state == RowStatus.DOUBTFUL, known)))

    def forget_jobs(self, keys: Iterable[str]) -> None:
        """Let failed rows be submitted again. The credits of their old jobs stay counted."""
        ended = sa.select(rows.c.key).where(rows.c.state == RowStatus.FAILED)
        with self._engine.begin() as connection:
            for some in chunks(list(keys)):
                job = sa.and_(paid.c.key.in_(some), paid.c.project_id.is_not(None), paid.c.key.in_(ended))
                keep_ids(connection, job)
                connection.execute(sa.delete(paid).where(job))


def keep_ids(connection: sa.Connection, which: sa.ColumnElement[bool]) -> None:
    """Remember the ids of finished jobs whose rows are about to be submitted again."""
    ids = list(connection.scalars(sa.select(paid.c.project_id).where(which, paid.c.project_id.is_not(None))))
    if ids:
        inserted(connection, adopted, [{"note": id} for id in ids])


def _paid(connection: sa.Connection, key: str) -> Paid | None:
    found = connection.execute(sa.select(paid).where(paid.c.key == key)).one_or_none()
    names = [field.name for field in attrs.fields(Paid)]
    return None if found is None else Paid(**{name: getattr(found, name) for name in names})


def _open(key: str, token: str) -> sa.ColumnElement[bool]:
    """The claim of this execution, while it may be used."""
    return sa.and_(paid.c.key == key, paid.c.token == token, paid.c.project_id.is_(None), paid.c.closed.is_not(True))


def _doubtful_claim(key: str) -> sa.ColumnElement[bool]:
    """The claim on a doubtful row, but not on one that is being submitted."""
    doubtful = sa.exists().where(rows.c.key == key, rows.c.state == RowStatus.DOUBTFUL)
    return sa.and_(paid.c.key == key, doubtful)


def _commit(connection: sa.Connection, credits: float) -> None:
    connection.execute(sa.update(batch).values(committed=batch.c.committed + credits))


def _give_back(connection: sa.Connection, mine: sa.ColumnElement[bool]) -> bool:
    reserved = connection.scalar(sa.select(paid.c.reserved).where(mine).with_for_update())
    if reserved is None:
        return False
    if not connection.execute(sa.delete(paid).where(mine)).rowcount:
        return False
    _commit(connection, -reserved)
    return True
