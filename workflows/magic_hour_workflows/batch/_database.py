"""Opening the database of a batch: a file by default, PostgreSQL for several machines.

Rule: one database is one batch. A file belongs to one process at a time; a password is never shown.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from hashlib import sha256
from pathlib import Path

import attrs
import sqlalchemy as sa
from sqlalchemy import exc

from magic_hour_client.errors import InvalidArgument

from .._formatting import shown
from .._outputs import safe_stem
from ..errors import DatabaseAway, DatabaseLost
from ._connections import connect, error_kind, integrity_error, is_away, locked
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
        path: the file as it was given; None for a server.
        file: the real file, whatever links lead to it, so that the files next to it are found by every name.
    """

    url: str = attrs.field(repr=lambda url: _without_secrets(url))
    path: Path | None = None
    file: Path | None = attrs.field(
        init=False,
        repr=False,
        default=attrs.Factory(lambda self: self.path and Path(os.path.realpath(self.path)), takes_self=True),
    )

    @property
    def address(self) -> sa.URL:
        """The address in parts: as text, a path with `?` or `%` would be parsed as another one."""
        return sa.make_url(self.url) if self.file is None else sa.URL.create("sqlite", database=str(self.file))

    @property
    def shared(self) -> bool:
        """Whether several machines can work on it."""
        return self.path is None

    def __str__(self) -> str:
        return str(self.path) if self.path else _without_secrets(self.url)


def _without_secrets(url: str) -> str:
    """The address for people: its options may hold a password too."""
    return sa.make_url(url).set(query={}).render_as_string(hide_password=True)


def database_of(given: object, manifest: object = None) -> Database:
    """The given database, a path or an address that starts with `postgresql://`, or the one next to the manifest.

    Raises:
        InvalidArgument: neither names a database.

    Example:
        >>> print(database_of(None, "portraits.csv"))
        portraits.batch.sqlite
        >>> print(database_of("postgresql://me:secret@db/portraits"))
        postgresql+psycopg://me:***@db/portraits
    """
    if given is None:
        if not isinstance(manifest, (str, os.PathLike)):
            needed = "required for rows that are not in a file: a path, or postgresql://..."
            raise InvalidArgument(needed, field="database")
        given = Path(manifest).with_suffix(SUFFIX)
    if isinstance(given, str) and "://" in given:
        return _from_url(given)
    if not isinstance(given, (str, os.PathLike)) or not os.fspath(given):
        raise InvalidArgument(f"expected a path or an address, got {type(given).__name__}", field="database")
    path = Path(given).expanduser()
    if path.is_dir():
        remedy = f"pass a file, such as portraits{SUFFIX}"
        raise InvalidArgument(f"{shown(str(path))} is a directory", remedy, field="database")
    return Database(f"sqlite:///{os.path.realpath(path)}", path)


def _from_url(given: str) -> Database:
    try:
        url = sa.make_url(given)
    except (exc.ArgumentError, ValueError):  # its message contains the address
        raise InvalidArgument("invalid address", "expected postgresql://...", field="database") from None
    if "@" in f"{url.host}{url.database}":  # the rest of a password
        raise InvalidArgument("the address has more than one @", "write %40 for one in the password", field="database")
    if url.get_backend_name() == "sqlite" and url.database:
        return Database(f"sqlite:///{os.path.realpath(url.database)}", Path(url.database))
    if url.get_backend_name() != "postgresql":
        raise InvalidArgument("expected a file (SQLite) or a postgresql:// address", field="database")
    return Database(url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False))


@contextmanager
def open_batch(database: Database, *, existing: bool = False, alone: bool = True) -> Iterator[Store]:
    """The batch in a database; closed at the end.

    `existing` refuses a missing file instead of creating it. Without `alone`, inspect or settle it during a run.

    Raises:
        InvalidArgument: there is no such batch, or another process runs it.
        DatabaseLost: the file of a known batch is missing, empty or another one.
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
            lock = stack.enter_context(locked(lock_path(database.file)))
            known = lock.identity()
            if known is not None and not (database.file.is_file() and database.file.stat().st_size):
                missing = f"{shown(str(database.file))} is missing or empty, but a batch was started in it"
                raise DatabaseLost(missing, _REMEDY)
        store = _open_store(database, existing=existing, known=known is not None)
        if known is not None and (damage := integrity_error(store.engine)):
            store.close()
            raise DatabaseLost(f"{shown(str(database))} is damaged ({damage})", _REMEDY)
        stack.callback(store.close)
        if known is not None and store.identity != known:
            raise DatabaseLost(f"{shown(str(database))} belongs to another batch", _REMEDY)
        if lock is not None:
            lock.remember(store.identity)
        yield store


@contextmanager
def open_beside_run(database: Database) -> Iterator[Store]:
    """The batch in a database, also while it runs, with the notes of its side files applied."""
    with open_batch(database, existing=True, alone=False) as store:
        known = store.settings()["output"]
        adopt(database, store, None if known is None else Path(known))
        yield store


def lock_path(file: Path) -> Path:
    """The lock file of a batch."""
    return file.with_name(f"{file.name}.lock")


def no_other_runner(database: Database) -> AbstractContextManager[object]:
    """Keep other processes from running the batch; on a server, where many may run it, do nothing.

    Entering it raises `InvalidArgument` if one is running it.
    """
    return nullcontext() if database.file is None else locked(lock_path(database.file))


def _check_file(file: Path, *, existing: bool) -> None:
    try:
        stat = os.stat(file)
    except OSError:
        stat = None
    if stat is not None and stat.st_nlink > 1:  # SQLite and the lock need a single name
        raise InvalidArgument(f"{shown(str(file))} has several names (hard links)", "keep only one", field="database")
    if not existing:
        return
    if stat is None or not file.is_file() or not stat.st_size:
        if kept := [path for path in (lock_path(file), side_file_path(file)) if path.exists()]:
            raise DatabaseLost(f"{shown(str(file))} is missing or empty, but {shown(str(kept[-1]))} exists", _REMEDY)
        raise InvalidArgument(f"there is no batch in {shown(str(file))}", field="database")


_REMEDY = (
    "restore the database. Without it, delete the .lock file next to it to start the batch again: jobs named in the"
    " .unrecorded.jsonl files next to it and in the output directory are kept, every other row is charged again"
)


def _open_store(database: Database, *, existing: bool, known: bool) -> Store:
    engine = connect(database.address)
    try:
        if existing and not sa.inspect(engine).has_table("batch"):
            raise InvalidArgument(f"there is no batch in {shown(str(database))}", field="database")
        return Store(engine)
    except exc.DatabaseError as error:
        why = type(error.orig).__name__ if error.orig is not None else type(error).__name__
        if known:
            raise DatabaseLost(f"{shown(str(database))} is damaged ({why})", _REMEDY) from None
        raise InvalidArgument(f"{shown(str(database))} cannot be used as a batch ({why})", field="database") from None


@contextmanager
def _open_on_server(database: Database) -> Iterator[Store]:
    """The batch on a server. Its errors are reported by kind only: their text quotes the data."""
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


# Side files


def side_file_path(file: Path) -> Path:
    """The side file next to a database."""
    return file.with_name(f"{file.name}{SIDE_SUFFIX}")


def side_paths(database: Database, store: Store, output: Path | None) -> tuple[list[Path], list[Path]]:
    """The side files of a batch: the ones that are always written, and the fallback.

    A file has one next to it, and one in the output directory in case the folder of the database is gone. For a server
    it is only in the output directory, which all machines share.
    """
    if database.file is not None:
        label = store.identity[:12]
    else:
        url = database.address
        location = f"{url.host}:{url.port}/{url.database}"
        label = f"{safe_stem(url.database or 'postgresql')}-{sha256(location.encode()).hexdigest()[:8]}"
    name = f"batch-{label}{SIDE_SUFFIX}"
    paths = [] if database.file is None else [side_file_path(database.file)]
    return paths + ([] if output is None else [output / name]), [Path(name).absolute()]


def adopt(database: Database, store: Store, output: Path | None) -> int:
    """Take over the notes of the side files; returns the number of new ones.

    Raises:
        DatabaseLost: one cannot be read, so it is unknown which rows were charged.
    """
    paths, fallback = side_paths(database, store, output)
    new = 0
    try:
        notes = read([*paths, *fallback])
    except OSError as error:
        what = f"{shown(str(error.filename))}, which may name charged jobs, cannot be read ({error.strerror})"
        raise DatabaseLost(what, "make it readable and run the batch again") from error
    for note in notes:
        try:
            own = store.claims.adopt(note)
        except (exc.StatementError, ValueError) as error:  # no database can store this id: the row stays doubtful
            if note.project_id is None or isinstance(error, exc.OperationalError):
                raise
            own = store.claims.adopt(attrs.evolve(note, project_id=None, reason=note.description()))
        new += own is not None
        if own is False:
            logger.error("%s; the row has another job or is not in the batch: see `batch status`", note.description())
    return new
