"""The tables of a batch, on SQLite and on PostgreSQL, and small helpers for SQL.

Rule: nothing here makes decisions. Table and column names stay as they are: databases outlive releases.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from magic_hour_client.errors import InvalidArgument

T = TypeVar("T")

CHUNK = 500
"""Rows per statement: SQLite takes at most 32,766 values."""

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
    sa.Column("next_submit_at", sa.Float),  # with a rate: nothing is submitted before
    sa.Column("committed", sa.Float, nullable=False),  # credits charged or reserved
    sa.Column("identity", sa.Text),  # detects a database that was replaced
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
    sa.Column("permitted_at", sa.Float),  # when the holder last renewed its right to send
    sa.Column("closed", sa.Boolean),  # somebody settles the row: the holder may not send
    sa.Column("reserved", sa.Float, nullable=False),
    sa.Column("credits", sa.Float),
)

strays: sa.Table = sa.Table(
    "strays",  # jobs whose row has another one
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
    "adopted",  # notes already read from side files
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


def prepare(connection: sa.Connection) -> None:
    """Create the tables, and add the columns that databases of earlier releases lack."""
    tables.create_all(connection)
    known = sa.inspect(connection)
    for table in tables.sorted_tables:
        there = {column["name"] for column in known.get_columns(table.name)}
        for column in table.columns:
            if column.name in there:
                continue
            if not column.nullable:  # existing rows would need a value
                remedy = "finish the batch with that version, or start a new one"
                raise InvalidArgument("an older version created it", remedy, field="database")
            what = sa.schema.CreateColumn(column).compile(dialect=connection.dialect)
            connection.execute(sa.text(f"ALTER TABLE {table.name} ADD COLUMN {what}"))


def database_time(dialect: str) -> Any:
    """The database's clock in seconds since 1970, as SQL."""
    if dialect == "sqlite":
        return sa.literal_column("(julianday('now') - 2440587.5) * 86400.0", sa.Float)
    return sa.literal_column("extract(epoch from clock_timestamp())", sa.Float)


def inserted(connection: sa.Connection, table: sa.Table, values: Sequence[dict[str, Any]]) -> bool:
    """Insert the rows that do not exist yet; returns whether any was inserted."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(table).values(list(values)).on_conflict_do_nothing()
    return connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount > 0


def chunks(items: Sequence[T]) -> Iterator[list[T]]:
    """`items` in lists short enough for one statement."""
    for start in range(0, len(items), CHUNK):
        yield list(items[start : start + CHUNK])
