"""One runner at a time on a batch in a file, and a memory of which batch that is.

Rule: the operating system holds the lock, so it is gone when the process is, however it ended. It is an SQLite
transaction on a file beside the batch, because that works wherever the batch itself does. That file outlives the
database, so it can tell that the database is missing, or another one.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from magic_hour_client.errors import InvalidArgument


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
                message = f"`database`: nothing can be written beside {self._path.with_suffix('').name!r} ({error})"
                raise InvalidArgument(message, field="database") from None
            message = (
                f"another process runs the batch in {self._path.with_suffix('').name!r} right now; wait for it or stop"
                " it. Several processes can work on one batch if it is on PostgreSQL"
            )
            raise InvalidArgument(message, field="database") from None
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
