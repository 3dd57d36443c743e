"""Where a batch is kept: one file by default, PostgreSQL for several machines.

Rule: one database is one batch. A file belongs to one process at a time; a password is never shown.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import sqlalchemy as sa

from magic_hour_client.errors import InvalidArgument

from ..wording import shown
from .lock import FileLock
from .store import Store
from .tables import connect

SUFFIX = ".batch.sqlite"


@attrs.frozen
class Database:
    """The database of one batch.

    Attributes:
        url: the address, for SQLAlchemy and for the engine.
        path: the file, if it is one.
    """

    url: str = attrs.field(repr=lambda url: sa.make_url(url).render_as_string(hide_password=True))
    path: Path | None = None

    @property
    def shared(self) -> bool:
        """Whether several machines can work on it."""
        return self.path is None

    def __str__(self) -> str:
        return str(self.path) if self.path else sa.make_url(self.url).render_as_string(hide_password=True)


def database_of(given: object, manifest: object = None) -> Database:
    """The database that was given, or the one beside the manifest.

    Args:
        given: a path, an address that begins with `postgresql://`, or None.
        manifest: the rows, of which a path has a database of its own.

    Raises:
        InvalidArgument: neither says where.

    Example:
        >>> print(database_of(None, "portraits.csv"))
        portraits.batch.sqlite
        >>> print(database_of("postgresql://me:secret@db/portraits"))
        postgresql+psycopg://me:***@db/portraits
    """
    if given is None:
        if not isinstance(manifest, (str, os.PathLike)):
            message = "`database`: rows that are not in a file need one: the path of a file, or postgresql://..."
            raise InvalidArgument(message, field="database")
        given = Path(manifest).with_suffix(SUFFIX)
    if isinstance(given, str) and "://" in given:
        return _from_url(given)
    if not isinstance(given, (str, os.PathLike)) or not os.fspath(given):
        raise InvalidArgument(
            f"`database`: expected a path or an address, got {type(given).__name__}", field="database"
        )
    path = Path(given).expanduser()
    if path.is_dir():
        message = f"`database`: {shown(str(path))} is a directory; give a file, such as portraits{SUFFIX}"
        raise InvalidArgument(message, field="database")
    return Database(f"sqlite:///{path.absolute()}", path)


def _from_url(given: str) -> Database:
    try:
        url = sa.make_url(given)
    except sa.exc.ArgumentError:  # its message has the address in it
        raise InvalidArgument(
            "`database`: the address cannot be read; give postgresql://...", field="database"
        ) from None
    if url.get_backend_name() == "sqlite" and url.database:
        return Database(f"sqlite:///{Path(url.database).absolute()}", Path(url.database))
    if url.get_backend_name() != "postgresql":
        message = "`database`: only files (SQLite) and postgresql:// are known"
        raise InvalidArgument(message, field="database")
    return Database(url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False))


@contextmanager
def opened(database: Database, *, existing: bool = False, alone: bool = True) -> Iterator[Store]:
    """The batch in a database, closed at the end.

    Args:
        database: where it is.
        existing: refuse a file that is not there instead of making one.
        alone: False to look or to settle beside a run.

    Raises:
        InvalidArgument: there is no such batch, or another process runs it.
    """
    if existing and database.path is not None and not database.path.is_file():
        raise InvalidArgument(f"`database`: there is no batch in {shown(str(database))}", field="database")
    lock = None
    if alone and database.path is not None:
        database.path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(database.path.with_name(f"{database.path.name}.lock"))
        lock.take()
    try:
        try:
            store = Store(connect(database.url))
        except sa.exc.DatabaseError as error:
            why = type(error.orig).__name__ if error.orig is not None else type(error).__name__
            message = f"`database`: {shown(str(database))} cannot be used as a batch ({why})"
            raise InvalidArgument(message, field="database") from None
        try:
            yield store
        finally:
            store.close()
    finally:
        if lock is not None:
            lock.release()
