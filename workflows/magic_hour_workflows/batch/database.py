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
from sqlalchemy import exc

from magic_hour_client.errors import InvalidArgument

from ..wording import shown
from .lock import FileLock
from .server import DatabaseAway, away, kind
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

    url: str = attrs.field(repr=lambda url: _without_secrets(url))
    path: Path | None = None

    @property
    def shared(self) -> bool:
        """Whether several machines can work on it."""
        return self.path is None

    def __str__(self) -> str:
        return str(self.path) if self.path else _without_secrets(self.url)


def _without_secrets(url: str) -> str:
    """The address for people: options may hold a password too."""
    return sa.make_url(url).set(query={}).render_as_string(hide_password=True)


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
    except (exc.ArgumentError, ValueError):  # its message has the address in it
        raise InvalidArgument(
            "`database`: the address cannot be read; give postgresql://...", field="database"
        ) from None
    if "@" in f"{url.host}{url.database}":  # the rest of a password
        message = "`database`: the address has one @ too many; write %40 for one that belongs to the password"
        raise InvalidArgument(message, field="database")
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
    if database.path is None:
        with _served(database) as store:
            yield store
        return
    lock = None
    if alone:
        database.path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(database.path.with_name(f"{database.path.name}.lock"))
        lock.take()
    try:
        try:
            store = Store(connect(database.url))
        except exc.DatabaseError as error:
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


@contextmanager
def _served(database: Database) -> Iterator[Store]:
    """The batch on a server, of whose failures only the kind is told: it quotes what it was asked."""
    try:
        store = Store(connect(database.url))
        try:
            yield store
        finally:
            store.close()
    except exc.SQLAlchemyError as error:
        if away(error):
            raise DatabaseAway(f"{database}, {kind(error)}") from None
        raise InvalidArgument(
            f"`database`: {database} cannot be used as a batch ({kind(error)})", field="database"
        ) from None
