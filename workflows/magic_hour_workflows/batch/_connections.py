"""Connections to PostgreSQL, where several machines work on one batch, and what to do while the server is away.

Rule: nobody who falls silent holds up the others. The server ends a transaction that stands still, and with it the
locks of a machine that was switched off in the middle of one; a server that restarts is waited for.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import psycopg
import sqlalchemy as sa
from sqlalchemy import event, exc

from magic_hour_client.errors import InvalidArgument, MagicHourError

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
        super().__init__(f"the batch database cannot be reached ({why})", "run the batch again when it can be")
        self.why = why


class DatabaseLost(MagicHourError):
    """The database of a batch is not the one that the run began with, or it has forgotten what it was told.

    Attributes:
        why: what happened to it.
    """

    def __init__(self, why: str, remedy: str = "put the database back and run the batch again") -> None:
        super().__init__(f"the batch database cannot be trusted: {why}. No more jobs are submitted", remedy)
        self.why = why


def _connect_server(url: sa.URL) -> sa.Engine:
    """A connection pool to a server."""
    engine = sa.create_engine(
        url,
        connect_args=connect_args(url),
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


def connect_args(url: sa.URL) -> dict[str, Any]:
    return {name: value for name, value in _NOTICE.items() if name not in url.query}


def is_away(error: BaseException) -> bool:
    """Whether it was the server or the way to it that failed, and not what was asked of it."""
    if not isinstance(error, exc.DBAPIError):
        return False
    return error.connection_invalidated or isinstance(error.orig, psycopg.OperationalError)


def error_kind(error: Exception) -> str:
    """What to call a failure of the database; its own text may quote what was written."""
    return type(getattr(error, "orig", None) or error).__name__


def retry_while_away(method: Callable[P, T]) -> Callable[P, T]:
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
                if not is_away(error):
                    raise
                if time.monotonic() > deadline:
                    raise DatabaseAway(error_kind(error)) from None
                time.sleep(_PAUSE_SECONDS)

    return again


BUSY_SECONDS = 60
"""How long a writer waits for another on SQLite."""


def connect(url: str | sa.URL) -> sa.Engine:
    """A connection pool to a batch database; an SQLite file is made if it is missing."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return _connect_server(parsed)
    path = Path(str(parsed.database))
    path.parent.mkdir(parents=True, exist_ok=True)
    # One connection: SQLite has one writer at a time, and a line in front of it is faster than trying again and again.
    engine = sa.create_engine(
        parsed,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
        poolclass=sa.pool.QueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=BUSY_SECONDS,
    )
    opened: list[tuple[int, int]] = []
    largest, lost = 0, ""

    def check(*_: object) -> None:
        """See that the file is still there: SQLite would go on in one that nobody will ever find again."""
        nonlocal largest, lost
        if not opened:
            return
        identity, size = _identity(path)
        if identity not in opened:
            lost = lost or f"{path.name} was removed or replaced while it was in use"
        elif size < largest:  # nothing here makes it smaller
            lost = lost or f"{path.name} was truncated while it was in use"
        if lost:  # for good: SQLite makes a file that was truncated as large again
            raise DatabaseLost(lost)
        largest = size

    event.listen(engine, "do_connect", check)
    event.listen(engine, "checkout", check)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        connection.isolation_level = "IMMEDIATE"  # no writer finds out at its end that another was faster
        connection.execute("PRAGMA journal_mode=WAL")  # readers do not wait for writers
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")  # for the engine's own tables
        identity, _ = _identity(path)
        if identity is not None:
            opened[:] = [identity]

    return engine


def _identity(path: Path) -> tuple[tuple[int, int] | None, int]:
    """What tells a file from another of the same name, and its size. It is never opened: closing it would take from
    SQLite the locks that this process has on it (fcntl's rule).
    """
    try:
        stat = os.stat(path)
    except OSError:
        return None, 0
    return (stat.st_dev, stat.st_ino), stat.st_size


def integrity_error(engine: sa.Engine) -> str | None:
    """What is wrong with the pages of an SQLite file; None if they fit together. Reads the whole file."""
    try:
        with engine.connect() as connection:
            found = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar())
    except exc.DatabaseError as error:
        return type(error.orig).__name__
    return None if found == "ok" else " ".join(found.split())[:200]


@contextmanager
def durable(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that no other comes between, and that survives a power cut once it has ended."""
    if engine.dialect.name != "sqlite":
        with engine.begin() as connection:
            yield connection
        return
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA synchronous=FULL")
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.commit()
        finally:
            connection.rollback()
            connection.exec_driver_sql("PRAGMA synchronous=NORMAL")


class FileLock:
    """Held from `take` to `release`; other processes see it by that name only, so it has to be the real one.

    Args:
        path: the file that stands for the lock; it is made, and left.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def take(self) -> None:
        """Take the lock.

        Raises:
            InvalidArgument: another process has it.
        """
        connection: sqlite3.Connection | None = None
        try:
            connection = sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False)
            connection.execute("PRAGMA journal_mode=MEMORY")  # no third file beside the batch
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")  # held also between transactions
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("CREATE TABLE IF NOT EXISTS begun (identity TEXT)")
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection is not None:
                connection.close()
            if getattr(error, "sqlite_errorcode", None) not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise InvalidArgument(
                    f"nothing can be written beside {self._path.with_suffix('').name!r} ({error})", field="database"
                ) from None
            raise InvalidArgument(
                f"another process runs the batch in {self._path.with_suffix('').name!r} right now",
                "wait for it or stop it; several processes can work on one batch if it is on PostgreSQL",
                field="database",
            ) from None
        self._connection = connection

    @property
    def _held(self) -> sqlite3.Connection:
        if self._connection is None:
            raise RuntimeError("the lock is not held")
        return self._connection

    def identity(self) -> str | None:
        """The identity of the batch that was begun here; None if none was."""
        found = self._held.execute("SELECT identity FROM begun").fetchone()
        return None if found is None else str(found[0])

    def remember(self, identity: str) -> None:
        """Write the identity of the batch down."""
        if self.identity() != identity:
            self._held.execute("DELETE FROM begun")
            self._held.execute("INSERT INTO begun VALUES (?)", (identity,))

    def release(self) -> None:
        """Give the lock back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
