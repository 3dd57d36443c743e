"""The tables of a batch, on SQLite and on PostgreSQL, and opening the database they are in.

Rule: nothing here decides. A commit is on the disk before it counts, because a claim that a power cut takes away could
be paid for twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")

CHUNK = 500
"""Rows in one statement: SQLite takes 32,766 values at most."""
BUSY_SECONDS = 60
"""How long a writer waits for another on SQLite."""

tables = sa.MetaData()
SETTINGS: dict[str, Any] = {"output": None, "max_credits": None, "concurrency": None, "rate": None, "halted": None}

batch = sa.Table(
    "batch",
    tables,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("output", sa.Text),
    sa.Column("max_credits", sa.Float),
    sa.Column("concurrency", sa.Integer),
    sa.Column("rate", sa.Float),
    sa.Column("halted", sa.Text),
    sa.Column("committed", sa.Float, nullable=False),  # credits charged, or set aside for what is being submitted
)
rows = sa.Table(
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
    sa.Column("sha256", sa.Text),
    sa.Column("seconds", sa.Float),
    sa.Column("error", sa.Text),
    sa.Column("error_type", sa.Text),
    sa.Column("finished_at", sa.Float, index=True),
)
paid = sa.Table(
    "paid",
    tables,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("project_id", sa.Text),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("token", sa.Text, nullable=False),
    sa.Column("worker", sa.Text, nullable=False),
    sa.Column("claimed_at", sa.Float, nullable=False),
    sa.Column("reserved", sa.Float, nullable=False),
    sa.Column("credits", sa.Float),
)
uploads = sa.Table(
    "uploads",
    tables,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("role", sa.Text, primary_key=True),
    sa.Column("extension", sa.Text, primary_key=True),
    sa.Column("remote_path", sa.Text, nullable=False),
    sa.Column("uploaded_at", sa.Float, nullable=False),
)
workers = sa.Table(
    "workers",
    tables,
    sa.Column("worker", sa.Text, primary_key=True),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("seen_at", sa.Float, nullable=False),
)


def connect(url: str) -> sa.Engine:
    """A connection pool to a batch database; an SQLite file is made if it is missing."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return sa.create_engine(parsed, pool_size=10, max_overflow=20, pool_pre_ping=True)
    Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(parsed, connect_args={"timeout": BUSY_SECONDS})

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        connection.isolation_level = "IMMEDIATE"  # no writer finds out at its end that another was faster
        connection.execute("PRAGMA journal_mode=WAL")  # readers do not wait for writers
        connection.execute("PRAGMA synchronous=FULL")

    return engine


def database_time(dialect: str) -> Any:
    """The database's own clock in seconds since 1970, as SQL."""
    if dialect == "sqlite":
        return sa.literal_column("(julianday('now') - 2440587.5) * 86400.0", sa.Float)
    return sa.literal_column("extract(epoch from clock_timestamp())", sa.Float)


def inserted(connection: sa.Connection, table: sa.Table, values: Sequence[dict[str, Any]]) -> bool:
    """Insert what is not there yet; says whether anything was inserted."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    return connection.execute(insert(table).values(list(values)).on_conflict_do_nothing()).rowcount > 0


def chunks(items: Sequence[T]) -> Iterator[list[T]]:
    """`items` in lists short enough for one statement."""
    for start in range(0, len(items), CHUNK):
        yield list(items[start : start + CHUNK])
