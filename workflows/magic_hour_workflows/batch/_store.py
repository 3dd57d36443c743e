"""The state of a batch in its database: rows, results, uploads and settings, next to the tables of the engine.

Rule: all SQL is here and in the two parts, `_claims` and `_fleet`. Every method is one transaction.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from .._results import Kind, number
from ..errors import DatabaseLost
from ._asked import inputs_of, prompt_of
from ._claims import Claims, keep_ids
from ._connections import error_kind, is_away, retry_while_away
from ._fleet import Fleet
from ._rows import Planned, Row, RowResult, RowStatus, Summary
from ._tables import CHUNK, SETTINGS, batch, chunks, database_time, inserted, paid, prepare, rows, uploads

_DOUBTFUL = rows.c.state == RowStatus.DOUBTFUL

_STANDING = sa.case(
    (sa.and_(rows.c.state == RowStatus.WAITING, paid.c.key.is_not(None)), RowStatus.RUNNING),
    (sa.and_(_DOUBTFUL, paid.c.key.is_(None)), RowStatus.WAITING),
    (sa.and_(_DOUBTFUL, paid.c.project_id.is_not(None)), RowStatus.RUNNING),
    else_=rows.c.state,
)
"""The status as shown: a submitted row is not waiting, and a settled one is not doubtful."""

_WITH_JOBS = sa.select(
    rows, _STANDING.label("standing"), paid.c.project_id, paid.c.name, paid.c.credits, paid.c.key.label("claimed")
).outerjoin(paid, paid.c.key == rows.c.key)


class Store:
    """The tables of one batch."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine: sa.Engine = engine
        self._now = database_time(engine.dialect.name)
        self.claims: Claims = Claims(engine)
        self.fleet: Fleet = Fleet(engine)
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":  # two workers starting at once would both create the tables
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(7245091)"))
            prepare(connection)
            inserted(connection, batch, [{"id": 1, "committed": 0, **SETTINGS}])
            nameless = sa.update(batch).where(batch.c.identity.is_(None))
            connection.execute(nameless.values(identity=uuid.uuid4().hex))
        self.identity: str = self._identity()
        """Detects that another database has replaced this one."""

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """A transaction for what the engine writes to its tables in the same database."""
        with self.engine.begin() as connection:
            yield connection

    def _identity(self) -> str:
        with self.engine.connect() as connection:
            return str(connection.scalar(sa.select(batch.c.identity)))

    @retry_while_away
    def verify(self, ids: Iterable[str]) -> list[str]:
        """Check that this is still the batch that was opened; returns those of the recorded ids that it lacks.

        Raises:
            DatabaseLost: it is another batch.
        """
        try:
            identity = self._identity()
            missing = self.claims.missing_ids(ids)
        except exc.DBAPIError as error:
            if is_away(error):
                raise
            raise DatabaseLost(f"it is no longer readable ({error_kind(error)})") from None
        if identity != self.identity:
            raise DatabaseLost("it was replaced by another one")
        return missing

    # Rows

    def set_rows(self, planned: Sequence[Planned]) -> list[str]:
        """Replace the rows of the batch.

        New rows are added. Changed rows are replaced unless they were submitted; missing rows are removed unless they
        have a job that has not failed.

        Returns:
            The keys that were submitted with other parameters. If there are any, nothing is changed.
        """
        wanted = {one.row.key: one for one in planned}
        values = [_written(one, position) for position, one in enumerate(planned)]  # outside of the transaction
        with self.engine.begin() as connection:
            columns = sa.select(rows.c.key, rows.c.fingerprint, rows.c.state, rows.c.position)
            known = {one.key: one for one in connection.execute(columns)}
            claimed = set(connection.scalars(sa.select(paid.c.key)))
            changed = [key for key, one in wanted.items() if key in known and known[key].fingerprint != one.fingerprint]
            failed = {key for key, one in known.items() if one.state == RowStatus.FAILED}
            if refused := [key for key in changed if key in claimed and key not in failed]:
                return refused
            _forget(connection, changed, failed)
            new = [value for value in values if value["key"] in changed or value["key"] not in known]
            for some in chunks(new):
                inserted(connection, rows, some)
            moved = [
                {"moved": value["key"], "to": value["position"]}
                for value in values
                if value["key"] in known and known[value["key"]].position != value["position"]
            ]
            if moved:
                place = sa.update(rows).where(rows.c.key == sa.bindparam("moved"))
                connection.execute(place.values(position=sa.bindparam("to")), moved)
            gone = [key for key, one in known.items() if key not in wanted]
            _forget(connection, [key for key in gone if key not in claimed or key in failed], failed)
        return []

    def rows(self) -> Iterator[Row]:
        """Every row, in the order of the manifest."""
        query = sa.select(rows.c.key, rows.c.endpoint, rows.c.parameters).order_by(rows.c.position)
        with self.engine.connect() as connection:
            for found in connection.execution_options(yield_per=CHUNK).execute(query):
                yield Row(key=found.key, endpoint=found.endpoint, parameters=json.loads(found.parameters))

    def unsubmitted(self) -> Iterator[Row]:
        """The rows that wait and have no job, so that they still have to be paid for."""
        query = sa.select(rows.c.key, rows.c.endpoint, rows.c.parameters).outerjoin(paid, paid.c.key == rows.c.key)
        query = query.where(rows.c.state == RowStatus.WAITING, paid.c.key.is_(None))
        with self.engine.connect() as connection:
            for found in connection.execution_options(yield_per=CHUNK).execute(query):
                yield Row(key=found.key, endpoint=found.endpoint, parameters=json.loads(found.parameters))

    @retry_while_away
    def row(self, key: str) -> tuple[Row, RowStatus, int, Kind] | None:
        """A row with its stored state, its estimate and its kind; None if it was removed."""
        query = sa.select(rows).where(rows.c.key == key)
        with self.engine.connect() as connection:
            found = connection.execute(query).one_or_none()
        if found is None:
            return None
        row = Row(key=found.key, endpoint=found.endpoint, parameters=json.loads(found.parameters))
        return row, RowStatus(found.state), found.estimate, found.kind

    def keys(self, *states: RowStatus, only: Iterable[str] | None = None) -> list[str]:
        """The keys of the rows in one of these states, in the order of the manifest."""
        query = sa.select(rows.c.key).where(rows.c.state.in_(states)).order_by(rows.c.position)
        with self.engine.connect() as connection:
            found = list(connection.scalars(query))
        if only is None:
            return found
        wanted = set(only)
        return [key for key in found if key in wanted]

    @retry_while_away
    def has(self, state: RowStatus) -> bool:
        """Whether any row is in this state."""
        with self.engine.connect() as connection:
            return connection.scalar(sa.select(rows.c.key).where(rows.c.state == state).limit(1)) is not None

    def reopen(self, keys: Iterable[str], connection: sa.Connection | None = None) -> None:
        """Let rows start again; a job that was paid for is kept."""
        if connection is None:
            with self.engine.begin() as connection:
                return self.reopen(keys, connection)
        reset = {"state": RowStatus.WAITING, "error": None, "error_type": None}
        for some in chunks(list(keys)):
            connection.execute(sa.update(rows).where(rows.c.key.in_(some)).values(reset))

    # Results

    @retry_while_away
    def finish(self, result: RowResult) -> None:
        """Record the result of a row in this run; `running` means that the next run continues."""
        values = {
            "state": result.status,
            "seconds": result.seconds,
            "error": result.error,
            "error_type": result.error_type,
            "finished_at": self._now,
        }
        if result.paths:  # else those of before are kept
            values |= {
                "paths": json.dumps([str(path) for path in result.paths]),
                "sizes": json.dumps(result.sizes),
                "sha256": json.dumps(result.sha256),
            }
        with self.engine.begin() as connection:
            this = sa.and_(rows.c.key == result.key, rows.c.state.in_([RowStatus.WAITING, RowStatus.RUNNING]))
            if not connection.execute(sa.update(rows).where(this).values(values)).rowcount:
                return  # another execution finished the row
            credits = number(result.credits)
            if result.id is not None and credits is not None:
                mine = sa.and_(paid.c.key == result.key, paid.c.project_id == result.id)
                job = connection.execute(sa.select(paid.c.reserved, paid.c.credits).where(mine)).one_or_none()
                if job is not None and job.credits != credits:  # of a settled job it may be the estimate
                    now = {"credits": credits, "reserved": credits}
                    connection.execute(sa.update(paid).where(mine).values(now))
                    change = credits - job.reserved
                    connection.execute(sa.update(batch).values(committed=batch.c.committed + change))

    @retry_while_away
    def ended(self, since: float) -> list[tuple[str, RowStatus]]:
        """The rows that finished at or after that time, with their states."""
        recent = rows.c.finished_at >= since, rows.c.state != RowStatus.WAITING
        with self.engine.connect() as connection:
            found = connection.execute(sa.select(rows.c.key, rows.c.state).where(*recent)).all()
        return [(key, RowStatus(state)) for key, state in found]

    def results(self) -> Iterator[RowResult]:
        """Every row, in the order of the manifest."""
        with self.engine.connect() as connection:
            query = _WITH_JOBS.order_by(rows.c.position)
            for found in connection.execution_options(yield_per=CHUNK).execute(query):
                yield _result(found)

    def saved(self) -> Iterator[RowResult]:
        """The saved rows, in the order of the manifest; no transaction is open between them."""
        last = -1
        while some := self._saved(last):
            last = some[-1][0]
            yield from (result for _, result in some)

    @retry_while_away
    def _saved(self, after: int) -> list[tuple[int, RowResult]]:
        query = _WITH_JOBS.where(rows.c.state == RowStatus.SAVED, rows.c.position > after)
        with self.engine.connect() as connection:
            found = connection.execute(query.order_by(rows.c.position).limit(CHUNK)).all()
        return [(one.position, _result(one)) for one in found]

    @retry_while_away
    def result(self, key: str) -> RowResult | None:
        """One row; None if it was removed."""
        with self.engine.connect() as connection:
            found = connection.execute(_WITH_JOBS.where(rows.c.key == key)).one_or_none()
        return None if found is None else _result(found)

    def summary(self) -> Summary:
        """The summary of the batch."""
        counted = sa.select(_STANDING, sa.func.count()).outerjoin_from(rows, paid, paid.c.key == rows.c.key)
        unknown = sa.select(sa.func.sum(paid.c.reserved)).where(paid.c.project_id.is_(None))
        with self.engine.connect() as connection:
            counts = {RowStatus(state): number for state, number in connection.execute(counted.group_by(_STANDING))}
            of_batch = connection.execute(sa.select(batch)).one()
            reserved = connection.scalar(unknown) or 0
        return Summary(
            counts={status: counts[status] for status in RowStatus if counts.get(status)},
            credits=of_batch.committed - reserved,
            halted=of_batch.halted,
            strays=tuple(self.claims.strays()),
        )

    # Uploads

    @retry_while_away
    def upload(self, digest: str, role: str, extension: str) -> tuple[str, float] | None:
        """Where a file with this content was uploaded to, and when (seconds since 1970)."""
        same = sa.and_(uploads.c.digest == digest, uploads.c.role == role, uploads.c.extension == extension)
        with self.engine.connect() as connection:
            found = connection.execute(sa.select(uploads).where(same)).one_or_none()
        return None if found is None else (found.remote_path, found.uploaded_at)

    @retry_while_away
    def add_upload(self, digest: str, role: str, extension: str, remote_path: str, uploaded_at: float) -> None:
        """Record where a file was uploaded to."""
        same = sa.and_(uploads.c.digest == digest, uploads.c.role == role, uploads.c.extension == extension)
        known = {"digest": digest, "role": role, "extension": extension}
        place = {"remote_path": remote_path, "uploaded_at": uploaded_at}
        with self.engine.begin() as connection:
            if not inserted(connection, uploads, [{**known, **place}]):
                connection.execute(sa.update(uploads).where(same).values(place))

    # Settings

    def configure(self, **settings: Any) -> None:
        """Store settings: `output`, `max_credits`, `concurrency`, `rate`, `halted`."""
        with self.engine.begin() as connection:
            connection.execute(sa.update(batch).values(settings))

    def settings(self) -> Mapping[str, Any]:
        """The settings, and `committed`: credits charged or reserved so far."""
        with self.engine.connect() as connection:
            return dict(connection.execute(sa.select(batch)).one()._mapping)

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()


def _forget(connection: sa.Connection, keys: Sequence[str], failed: set[str]) -> None:
    """Remove rows, with the jobs of failed ones; a row that another machine claims meanwhile stays."""
    for some in chunks(keys):
        ended = sa.and_(paid.c.key.in_([key for key in some if key in failed]), paid.c.project_id.is_not(None))
        keep_ids(connection, ended)
        connection.execute(sa.delete(paid).where(ended))
        unclaimed = ~sa.exists().where(paid.c.key == rows.c.key)
        connection.execute(sa.delete(rows).where(rows.c.key.in_(some), unclaimed))


def _written(one: Planned, position: int) -> dict[str, Any]:
    return {
        "key": one.row.key,
        "position": position,
        "endpoint": one.row.endpoint,
        "kind": one.kind,
        "parameters": json.dumps(one.row.parameters),
        "fingerprint": one.fingerprint,
        "estimate": one.estimate,
        "state": RowStatus.WAITING,
    }


def _result(found: Any) -> RowResult:
    parameters = json.loads(found.parameters)
    return RowResult(
        key=found.key,
        endpoint=found.endpoint,
        status=RowStatus(found.standing),
        id=found.project_id,
        kind=found.kind,
        name=found.name,
        credits=0 if found.claimed is None else found.credits,
        paths=[Path(path) for path in json.loads(found.paths or "[]")],
        sizes=json.loads(found.sizes or "[]"),
        sha256=json.loads(found.sha256 or "[]"),
        seconds=found.seconds,
        error=found.error if found.standing == found.state else None,
        error_type=found.error_type if found.standing == found.state else None,
        prompt=prompt_of(found.endpoint, parameters),
        inputs=inputs_of(found.endpoint, parameters),
    )
