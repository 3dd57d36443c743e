"""Where a batch is kept: one file by default, PostgreSQL for several machines.

Rule: one database is one batch. A file belongs to one process at a time; a password is never shown.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path

import attrs
import sqlalchemy as sa
from sqlalchemy import exc

from magic_hour_client.errors import InvalidArgument

from .._formatting import shown
from .._outputs import safe_stem
from ._connections import DatabaseAway, DatabaseLost, FileLock, connect, error_kind, integrity_error, is_away
from ._side_file import SUFFIX as SIDE_SUFFIX
from ._side_file import read
from ._store import Store

SUFFIX = ".batch.sqlite"


logger: logging.Logger = logging.getLogger("magic_hour_workflows")


@attrs.frozen
class Database:
    """The database of one batch.

    Attributes:
        url: the address, for SQLAlchemy and for the engine.
        path: the file, if it is one.
        file: the file itself, whatever links lead to it: what stands beside it is found by every name.
    """

    url: str = attrs.field(repr=lambda url: _without_secrets(url))
    path: Path | None = None
    file: Path | None = attrs.field(
        init=False, repr=False, default=attrs.Factory(lambda self: _real(self.path), takes_self=True)
    )

    @property
    def address(self) -> sa.URL:
        """The address in its parts: written out, a path with `?` or `%` in it would be read as another one."""
        return sa.make_url(self.url) if self.file is None else sa.URL.create("sqlite", database=str(self.file))

    @property
    def shared(self) -> bool:
        """Whether several machines can work on it."""
        return self.path is None

    def __str__(self) -> str:
        return str(self.path) if self.path else _without_secrets(self.url)


def _real(path: Path | None) -> Path | None:
    return None if path is None else Path(os.path.realpath(path))


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
            raise InvalidArgument(
                "rows that are not in a file need one: the path of a file, or postgresql://...", field="database"
            )
        given = Path(manifest).with_suffix(SUFFIX)
    if isinstance(given, str) and "://" in given:
        return _from_url(given)
    if not isinstance(given, (str, os.PathLike)) or not os.fspath(given):
        raise InvalidArgument(f"expected a path or an address, got {type(given).__name__}", field="database")
    path = Path(given).expanduser()
    if path.is_dir():
        raise InvalidArgument(
            f"{shown(str(path))} is a directory", f"give a file, such as portraits{SUFFIX}", field="database"
        )
    return Database(f"sqlite:///{os.path.realpath(path)}", path)


def _from_url(given: str) -> Database:
    try:
        url = sa.make_url(given)
    except (exc.ArgumentError, ValueError):  # its message has the address in it
        raise InvalidArgument("the address cannot be read", "give postgresql://...", field="database") from None
    if "@" in f"{url.host}{url.database}":  # the rest of a password
        raise InvalidArgument(
            "the address has one @ too many", "write %40 for one that belongs to the password", field="database"
        )
    if url.get_backend_name() == "sqlite" and url.database:
        return Database(f"sqlite:///{os.path.realpath(url.database)}", Path(url.database))
    if url.get_backend_name() != "postgresql":
        raise InvalidArgument("only files (SQLite) and postgresql:// are known", field="database")
    return Database(url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False))


@contextmanager
def open_batch(database: Database, *, existing: bool = False, alone: bool = True) -> Iterator[Store]:
    """The batch in a database, closed at the end.

    Args:
        database: where it is.
        existing: refuse a file that is not there instead of making one.
        alone: False to look or to settle beside a run.

    Raises:
        InvalidArgument: there is no such batch, or another process runs it.
        DatabaseLost: there was one, which is missing, empty, or another one.
    """
    if database.file is None:
        with _open_on_server(database) as store:
            yield store
        return
    _check_file(database.file, existing=existing)
    with ExitStack() as stack:
        known, lock = None, None
        if alone:
            database.file.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(lock_path(database.file))
            lock.take()
            stack.callback(lock.release)
            known = lock.identity()
            _check_known(database.file, known)
        store = _open_store(database, existing=existing, begun=known is not None)
        if known is not None and (damage := integrity_error(store.engine)):
            store.close()
            raise DatabaseLost(f"{shown(str(database))} is damaged ({damage})", _REMEDY)
        stack.callback(store.close)
        if known is not None and store.identity != known:
            raise DatabaseLost(f"{shown(str(database))} is not the one of this batch", _REMEDY)
        if lock is not None:
            lock.remember(store.identity)
        yield store


@contextmanager
def open_beside_run(database: Database) -> Iterator[Store]:
    """The batch in a database, beside those who run it, with all that side files know of it."""
    with open_batch(database, existing=True, alone=False) as store:
        known = store.settings()["output"]
        adopt(database, store, None if known is None else Path(known))
        yield store


def lock_path(file: Path) -> Path:
    """The file whose lock stands for the batch."""
    return file.with_name(f"{file.name}.lock")


@contextmanager
def no_other_runner(database: Database) -> Iterator[None]:
    """Keep every other process from running the batch; on a server, where many may, nothing.

    Raises:
        InvalidArgument: one runs it.
    """
    if database.file is None:
        yield
        return
    lock = FileLock(lock_path(database.file))
    lock.take()
    try:
        yield
    finally:
        lock.release()


def _check_file(file: Path, *, existing: bool) -> None:
    try:
        stat = os.stat(file)
    except OSError:
        stat = None
    if stat is not None and stat.st_nlink > 1:  # SQLite and the lock know it by one name
        raise InvalidArgument(
            f"{shown(str(file))} has several names (hard links)",
            "keep one, with nothing else beside it",
            field="database",
        )
    if not existing:
        return
    if stat is None or not file.is_file() or not stat.st_size:
        if kept := [path for path in (lock_path(file), side_file_path(file)) if path.exists()]:
            raise DatabaseLost(f"{shown(str(file))} is missing or empty, and {shown(str(kept[-1]))} is there", _REMEDY)
        raise InvalidArgument(f"there is no batch in {shown(str(file))}", field="database")


def _check_known(file: Path, known: str | None) -> None:
    if known is not None and not (file.is_file() and file.stat().st_size):
        raise DatabaseLost(f"{shown(str(file))} is missing or empty, and a batch was begun in it", _REMEDY)


_REMEDY = (
    "put the database back. Without it, delete the .lock file beside it: then the batch begins anew, with what the"
    " .unrecorded.jsonl files beside it and beside the outputs know, and every other row is charged again"
)


def _open_store(database: Database, *, existing: bool, begun: bool) -> Store:
    engine = connect(database.address)
    try:
        if existing and not sa.inspect(engine).has_table("batch"):
            raise InvalidArgument(f"there is no batch in {shown(str(database))}", field="database")
        return Store(engine)
    except exc.DatabaseError as error:
        why = type(error.orig).__name__ if error.orig is not None else type(error).__name__
        if begun:
            raise DatabaseLost(f"{shown(str(database))} is damaged ({why})", _REMEDY) from None
        raise InvalidArgument(f"{shown(str(database))} cannot be used as a batch ({why})", field="database") from None


@contextmanager
def _open_on_server(database: Database) -> Iterator[Store]:
    """The batch on a server, of whose failures only the kind is told: it quotes what it was asked."""
    try:
        store = Store(connect(database.address))
        try:
            yield store
        finally:
            store.close()
    except exc.SQLAlchemyError as error:
        if is_away(error):
            raise DatabaseAway(f"{database}, {error_kind(error)}") from None
        raise InvalidArgument(f"{database} cannot be used as a batch ({error_kind(error)})", field="database") from None


# Side files: where they are, and what they know


def side_file_path(file: Path) -> Path:
    """The side file beside a database."""
    return file.with_name(f"{file.name}{SIDE_SUFFIX}")


def side_paths(database: Database, store: Store, output: Path | None) -> tuple[list[Path], list[Path]]:
    """Where the side files of a batch are: those that are always written, and the spare one.

    That of a file is beside it, and beside the outputs, where it is found when the folder of the database is gone.
    A server has no folder: there it is beside the outputs, which all machines share.
    """
    if database.file is not None:
        label = store.identity[:12]
    else:
        url = database.address
        told = f"{url.host}:{url.port}/{url.database}"
        label = f"{safe_stem(url.database or 'postgresql')}-{sha256(told.encode()).hexdigest()[:8]}"
    name = f"batch-{label}{SIDE_SUFFIX}"
    paths = [] if database.file is None else [side_file_path(database.file)]
    return paths + ([] if output is None else [output / name]), [Path(name).absolute()]


def adopt(database: Database, store: Store, output: Path | None) -> int:
    """Take over what side files know of the rows; gives how many notes were new.

    Raises:
        DatabaseLost: one cannot be read, so nobody knows which rows were charged.
    """
    paths, fallback = side_paths(database, store, output)
    new = 0
    try:
        notes = read([*paths, *fallback])
    except OSError as error:
        what = f"{shown(str(error.filename))}, which may name jobs that were charged, cannot be read ({error.strerror})"
        raise DatabaseLost(what, "make it readable and run the batch again") from error
    for note in notes:
        try:
            own = store.claims.adopt(note)
        except (exc.StatementError, ValueError) as error:  # an id that no database can hold: the row stays in doubt
            if note.project_id is None or isinstance(error, exc.OperationalError):
                raise
            own = store.claims.adopt(attrs.evolve(note, project_id=None, reason=note.description()))
        new += own is not None
        if own is False:
            logger.error("%s; the row has another job, or is not in the batch: see `batch status`", note.description())
    return new
