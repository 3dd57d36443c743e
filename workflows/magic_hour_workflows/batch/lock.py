"""One runner at a time on a batch in a file.

Rule: the operating system holds the lock, so it is gone when the process is, however it ended. It is an SQLite
transaction on a file beside the batch, because that works wherever the batch itself does.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from magic_hour_client.errors import InvalidArgument


class FileLock:
    """Held from `take` to `release`.

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
            connection.execute("BEGIN EXCLUSIVE")
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

    def release(self) -> None:
        """Give the lock back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
