"""Connections to PostgreSQL, where several machines work on one batch, and what to do while the server is away.

Rule: nobody who falls silent holds up the others. The server ends a transaction that stands still, and with it the
locks of a machine that was switched off in the middle of one; a server that restarts is waited for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from threading import Lock
from typing import Any, ParamSpec, TypeVar

import psycopg
import sqlalchemy as sa
from sqlalchemy import event, exc

from magic_hour_client.errors import MagicHourError

P = ParamSpec("P")
T = TypeVar("T")

CONNECTIONS = 15
"""Of one worker at most; its session and the engine add one each. A server allows 100 unless it is told otherwise."""
IDLE_SECONDS = 10
"""How long a transaction may stand still: less than it takes to miss a worker."""
AWAY_SECONDS = 60.0
"""How long a server may take to restart before the run ends."""
_PAUSE_SECONDS = 0.5
_NOTICE: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""libpq's settings by which a server that is gone without a word is noticed."""


class DatabaseAway(MagicHourError):
    """The batch database cannot be reached. What was submitted is remembered there, and the next run goes on."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the batch database cannot be reached ({why}); run the batch again when it can be")
        self.why = why


class DatabaseLost(MagicHourError):
    """The database of a batch is not the one that the run began with, or it has forgotten what it was told.

    Attributes:
        why: what happened to it.
    """

    def __init__(self, why: str, remedy: str = "put the database back and run the batch again") -> None:
        super().__init__(f"the batch database cannot be trusted: {why}. No more jobs are submitted; {remedy}")
        self.why = why


def connect(url: sa.URL) -> sa.Engine:
    """A connection pool to a server."""
    engine = sa.create_engine(
        url,
        connect_args=_connect_args(url),
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_timeout=AWAY_SECONDS,
        pool_pre_ping=True,
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'")
        connection.commit()

    return engine


def _connect_args(url: sa.URL) -> dict[str, Any]:
    return {name: value for name, value in _NOTICE.items() if name not in url.query}


def away(error: BaseException) -> bool:
    """Whether it was the server or the way to it that failed, and not what was asked of it."""
    if not isinstance(error, exc.DBAPIError):
        return False
    return error.connection_invalidated or isinstance(error.orig, psycopg.OperationalError)


def kind(error: Exception) -> str:
    """What to call a failure of the database; its own text may quote what was written."""
    return type(getattr(error, "orig", None) or error).__name__


def patient(method: Callable[P, T]) -> Callable[P, T]:
    """Do it again when the server was away for a moment; for what is one transaction and may be done twice.

    A commit whose answer was lost may have happened: `method` has to come to the same end then.
    """

    @wraps(method)
    def again(*args: P.args, **kwargs: P.kwargs) -> T:
        deadline = time.monotonic() + AWAY_SECONDS
        while True:
            try:
                return method(*args, **kwargs)
            except exc.DBAPIError as error:
                if not away(error):
                    raise
                if time.monotonic() > deadline:
                    raise DatabaseAway(kind(error)) from None
                time.sleep(_PAUSE_SECONDS)

    return again


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
                connect_args=_connect_args(engine.url),
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

    @patient
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


def lives(engine: sa.Engine, worker: str) -> bool:
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
