"""Connections to the database of a batch, the lock of a batch in a file, and waiting while a server is away.

Rules: a claim is on disk before it counts, because losing one in a power cut could mean paying twice. A worker that
stops responding blocks nobody: the server ends its transaction and releases its locks. A server that restarts is
waited for.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import psycopg
import sqlalchemy as sa
from sqlalchemy import event, exc

from magic_hour_client.errors import InvalidArgument

from ..errors import DatabaseAway, DatabaseLost

P = ParamSpec("P")
T = TypeVar("T")

CONNECTIONS = 15
"""Maximum per worker; its session and the engine add one each. By default a server allows 100."""

IDLE_SECONDS = 10
"""How long a transaction may be idle: less than the silence after which a worker is replaced."""

AWAY_SECONDS = 60.0
"""How long a restarting server is waited for before the run ends."""

_PAUSE_SECONDS = 0.5

_NOTICE: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""libpq settings that detect an unreachable server."""


def _connect_server(url: sa.URL) -> sa.Engine:
    """A connection pool to a PostgreSQL server."""
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
    """Whether the server or the network failed, not the statement."""
    if not isinstance(error, exc.DBAPIError):
        return False
    return error.connection_invalidated or isinstance(error.orig, psycopg.OperationalError)


def error_kind(error: Exception) -> str:
    """The name of a database error; its text may quote the data."""
    return type(getattr(error, "orig", None) or error).__name__


def retry_while_away(method: Callable[P, T]) -> Callable[P, T]:
    """Retry while the server is away, for methods that are one transaction and may run twice.

    A commit whose answer was lost may have happened: then `method` must come to the same result.
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


_SQLITE_WITH_MILLISECONDS = (3, 42)
"""DBOS asks for `unixepoch('subsec')` from Python 3.12 on. Older libraries, as of Debian 12, answer NULL."""

BUSY_SECONDS = 60
"""How long a writer waits for another one on SQLite."""


def connect(url: str | sa.URL) -> sa.Engine:
    """A connection pool to a batch database; an SQLite file is created if it is missing."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return _connect_server(parsed)
    path = Path(str(parsed.database))
    path.parent.mkdir(parents=True, exist_ok=True)
    # One connection: SQLite has one writer at a time, and queueing for it is faster than retrying.
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
        """Check that the file still exists: otherwise SQLite would continue in a deleted one."""
        nonlocal largest, lost
        if not opened:
            return
        identity, size = _identity(path)
        if identity not in opened:
            lost = lost or f"{path.name} was removed or replaced while it was in use"
        elif size < largest:  # it never shrinks by itself
            lost = lost or f"{path.name} was truncated while it was in use"
        if lost:  # permanently: SQLite would extend a truncated file again
            raise DatabaseLost(lost)
        largest = size

    event.listen(engine, "do_connect", check)
    event.listen(engine, "checkout", check)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        connection.isolation_level = "IMMEDIATE"  # a writer never fails at its commit because another was faster
        connection.execute("PRAGMA journal_mode=WAL")  # readers do not wait for writers
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")  # for the engine's own tables
        if sqlite3.sqlite_version_info < _SQLITE_WITH_MILLISECONDS:
            connection.create_function("unixepoch", -1, lambda *_: round(time.time(), 3))
        identity, _ = _identity(path)
        if identity is not None:
            opened[:] = [identity]

    return engine


def _identity(path: Path) -> tuple[tuple[int, int] | None, int]:
    """Identifies a file whatever its name, with its size. The file is never opened: closing it would release the locks
    that SQLite has on it in this process (a rule of fcntl).
    """
    try:
        stat = os.stat(path)
    except OSError:
        return None, 0
    return (stat.st_dev, stat.st_ino), stat.st_size


def integrity_error(engine: sa.Engine) -> str | None:
    """What is wrong with the pages of an SQLite file; None if nothing is. Reads the whole file."""
    try:
        with engine.connect() as connection:
            found = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar())
    except exc.DatabaseError as error:
        return type(error.orig).__name__
    return None if found == "ok" else " ".join(found.split())[:200]


@contextmanager
def durable(engine: sa.Engine) -> Iterator[sa.Connection]:
    """An exclusive transaction that survives a power cut once it has ended."""
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
    """Lets one process run a batch in a file, and remembers which batch the file had.

    The operating system releases the lock with the process, however that ends. It is an SQLite transaction on a file
    next to the batch, because that works wherever the batch itself works. That file outlives the database, so it shows
    whether the database is missing or was replaced. `locked` takes the lock.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def identity(self) -> str | None:
        """The identity of the batch that was started here; None if none was."""
        found = self._connection.execute("SELECT identity FROM begun").fetchone()
        return None if found is None else str(found[0])

    def remember(self, identity: str) -> None:
        """Store the identity of the batch."""
        if self.identity() != identity:
            self._connection.execute("DELETE FROM begun")
            self._connection.execute("INSERT INTO begun VALUES (?)", (identity,))


@contextmanager
def locked(path: Path) -> Iterator[FileLock]:
    """Take the lock in a file, by its real name, since other processes see the lock by that. It is created, and kept.

    Raises:
        InvalidArgument: another process has it.
    """
    batch = path.with_suffix("").name
    with ExitStack() as stack:
        try:
            connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
            stack.callback(connection.close)
            connection.execute("PRAGMA journal_mode=MEMORY")  # no journal file
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")  # held also between transactions
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("CREATE TABLE IF NOT EXISTS begun (identity TEXT)")
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                problem, remedy = f"the directory of {batch!r} is not writable ({error})", None
            else:
                problem = f"another process runs the batch in {batch!r}"
                remedy = "wait for it or stop it; several processes can only share a batch on PostgreSQL"
            raise InvalidArgument(problem, remedy, field="database") from None
        yield FileLock(connection)
