"""The tables of a batch, on SQLite and on PostgreSQL, and opening the database they are in.

Rule: nothing here decides. A claim is on the disk before it counts, because one that a power cut takes away could be
paid for twice; whatever else is lost that way is found out again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.dialects import postgresql, sqlite

from magic_hour_client.errors import InvalidArgument

from . import _server as server

T = TypeVar("T")

CHUNK = 500
"""Rows in one statement: SQLite takes 32,766 values at most."""
BUSY_SECONDS = 60
"""How long a writer waits for another on SQLite."""

tables: sa.MetaData = sa.MetaData()
SETTINGS: dict[str, Any] = {"output": None, "max_credits": None, "concurrency": None, "rate": None, "halted": None}

batch: sa.Table = sa.Table(
    "batch",
    tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("output", sa.Text),
    sa.Column("max_credits", sa.Float),
    sa.Column("concurrency", sa.Integer),
    sa.Column("rate", sa.Float),
    sa.Column("halted", sa.Text),
    sa.Column("next_submit_at", sa.Float),  # with a rate: before then nothing is submitted
    sa.Column("committed", sa.Float, nullable=False),  # credits charged, or set aside for what is being submitted
    sa.Column("identity", sa.Text),  # tells this database from one that took its place
)
rows: sa.Table = sa.Table(
    "rows",
    tables,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, nullable=False, index=True),
    sa.Column("endpoint", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("parameters", sa.Text, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("estimate", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False, index=True),
    sa.Column("paths", sa.Text),
    sa.Column("sizes", sa.Text),
    sa.Column("sha256", sa.Text),
    sa.Column("seconds", sa.Float),
    sa.Column("error", sa.Text),
    sa.Column("error_type", sa.Text),
    sa.Column("finished_at", sa.Float, index=True),
)
paid: sa.Table = sa.Table(
    "paid",
    tables,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("project_id", sa.Text),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("token", sa.Text, nullable=False),
    sa.Column("worker", sa.Text, nullable=False),
    sa.Column("claimed_at", sa.Float, nullable=False),
    sa.Column("permitted_at", sa.Float),  # when the holder last asked whether it still may send
    sa.Column("closed", sa.Boolean),  # by a person who settles it: nobody may send any more
    sa.Column("reserved", sa.Float, nullable=False),
    sa.Column("credits", sa.Float),
)
strays: sa.Table = sa.Table(
    "strays",  # jobs of rows that have another one
    tables,
    sa.Column("project_id", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("worker", sa.Text, nullable=False),
    sa.Column("credits", sa.Float),
    sa.Column("reserved", sa.Float, nullable=False),
    sa.Column("found_at", sa.Float, nullable=False),
)
adopted: sa.Table = sa.Table(
    "adopted",  # what was taken over from side files, so that it is done once
    tables,
    sa.Column("note", sa.Text, primary_key=True),
)
uploads: sa.Table = sa.Table(
    "uploads",
    tables,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("role", sa.Text, primary_key=True),
    sa.Column("extension", sa.Text, primary_key=True),
    sa.Column("remote_path", sa.Text, nullable=False),
    sa.Column("uploaded_at", sa.Float, nullable=False),
)
workers: sa.Table = sa.Table(
    "workers",
    tables,
    sa.Column("worker", sa.Text, primary_key=True),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("seen_at", sa.Float, nullable=False),
)


def connect(url: str | sa.URL) -> sa.Engine:
    """A connection pool to a batch database; an SQLite file is made if it is missing."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return server.connect(parsed)
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
            raise server.DatabaseLost(lost)
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


def prepare(connection: sa.Connection) -> None:
    """Make the tables, and in those that an earlier release made the columns that have been added since."""
    tables.create_all(connection)
    known = sa.inspect(connection)
    for table in tables.sorted_tables:
        there = {column["name"] for column in known.get_columns(table.name)}
        for column in table.columns:
            if column.name in there:
                continue
            if not column.nullable:  # the rows that are there would need a value, which nobody knows
                message = "`database`: an older version made it, which has to finish this batch; or begin a new one"
                raise InvalidArgument(message, field="database")
            what = sa.schema.CreateColumn(column).compile(dialect=connection.dialect)
            connection.execute(sa.text(f"ALTER TABLE {table.name} ADD COLUMN {what}"))


def whole(engine: sa.Engine) -> str | None:
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


def database_time(dialect: str) -> Any:
    """The database's own clock in seconds since 1970, as SQL."""
    if dialect == "sqlite":
        return sa.literal_column("(julianday('now') - 2440587.5) * 86400.0", sa.Float)
    return sa.literal_column("extract(epoch from clock_timestamp())", sa.Float)


def inserted(connection: sa.Connection, table: sa.Table, values: Sequence[dict[str, Any]]) -> bool:
    """Insert what is not there yet; says whether anything was inserted."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(table).values(list(values)).on_conflict_do_nothing()
    return connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount > 0


def chunks(items: Sequence[T]) -> Iterator[list[T]]:
    """`items` in lists short enough for one statement."""
    for start in range(0, len(items), CHUNK):
        yield list(items[start : start + CHUNK])
