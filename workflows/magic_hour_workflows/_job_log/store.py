"""The file of a job log: many processes append to it, and each follows what the others append.

Rule: who decides by what the file says reads it, decides and appends under one lock. The lock is not held while a line
is synced, so that many callers share the work of the disk.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from .._syncing import append, opened, sync_directory
from .._syncing import sync as sync_file
from .entries import Book, Entry
from .owners import is_running

Decide = Callable[[Book], str | None]
"""What to append, given all that is known; None for nothing. It may raise instead."""

MODE = 0o600
"""Names of jobs and of folders are for nobody else."""
LARGEST_BYTES = 1 << 20
"""A file that has grown to this is compacted, unless more than half of it is about open entries."""
_FIRST_BYTE = 1


class MemoryStore:
    """Entries of one client, which end with it."""

    path: Path | None = None

    def __init__(self) -> None:
        self._book = Book()
        self._lock = threading.Lock()

    def change(self, decide: Decide, *, sync: bool) -> None:
        """Append what `decide` returns."""
        with self._lock:
            if (lines := decide(self._book)) is not None:
                self._book.read(lines.splitlines())

    def entries(self) -> list[Entry]:
        """All of them."""
        return list(self._book.entries.values())

    @property
    def exists(self) -> bool:
        """Whether anything can be in it."""
        return bool(self._book.entries)


class _FileLock:
    """The lock of a log, against threads and processes. The system releases it if the process dies.

    It is no context manager: Ctrl-C may come after the block and before `__exit__` does anything. A thread never needs
    it twice, so what it still holds when it asks again is what an interruption has left behind.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held = threading.local()

    def acquire(self) -> None:
        self.release()
        self._held.descriptor = opened(self._path, MODE)
        if sys.platform == "win32":
            import msvcrt

            while True:
                with suppress(OSError):  # it gives up after 10 seconds
                    msvcrt.locking(self._held.descriptor, msvcrt.LK_LOCK, _FIRST_BYTE)
                    break
        else:
            import fcntl

            fcntl.flock(self._held.descriptor, fcntl.LOCK_EX)

    def release(self) -> None:
        """May be repeated, and interrupted at any line: at worst it leaves an open file without a lock."""
        descriptor = getattr(self._held, "descriptor", -1)
        if descriptor < 0:
            return
        if sys.platform != "win32":  # closing is not enough if the process has forked meanwhile
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_UN)
        self._held.descriptor = -1
        os.close(descriptor)


class FileStore:
    """Entries in a file.

    Args:
        path: the file; `<path>.lock` is the lock of all who use it.
        largest: bytes from which it is compacted.
    """

    def __init__(self, path: Path, largest: int = LARGEST_BYTES) -> None:
        self.path: Path = path
        self._largest = largest
        self._forget()

    def _forget(self) -> None:
        """Start again: in a new process, or with a file that was compacted or replaced."""
        self._process = os.getpid()
        self._lock = _FileLock(self.path.with_name(self.path.name + ".lock"))
        self._book = Book()
        self._file: tuple[int, int] | None = None
        self._offset = 0

    @property
    def exists(self) -> bool:
        """Whether anything can be in it."""
        return os.path.exists(self.path)

    def change(self, decide: Decide, *, sync: bool) -> None:
        """Append what `decide` returns.

        Args:
            decide: is called with all that any process has appended before.
            sync: return only when it is on disk.

        Raises:
            OSError: the file cannot be read or written.
        """
        if self._process != os.getpid():  # another thread may have been reading during the fork
            self._forget()
        descriptor = -1
        try:
            try:
                self._lock.acquire()
                new = not self.exists
                descriptor = opened(self.path, MODE)
                self._read(descriptor)
                lines = decide(self._book)
                if lines is None:
                    return
                append(descriptor, lines)
                self._read(descriptor)
                if self._offset > self._largest:
                    self._compact()
            finally:
                self._lock.release()
            if sync:
                sync_file(descriptor)
                if new:
                    sync_directory(self.path.parent)
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def _read(self, descriptor: int) -> None:
        """Take in what was appended since the last time. Half a line at the end waits for its rest."""
        status = os.fstat(descriptor)
        if self._file != (status.st_dev, status.st_ino) or status.st_size < self._offset:
            self._book, self._offset, self._file = Book(), 0, (status.st_dev, status.st_ino)
        os.lseek(descriptor, self._offset, os.SEEK_SET)
        content = b""
        while piece := os.read(descriptor, 1 << 20):
            content += piece
        complete = content[: content.rfind(b"\n") + 1]
        self._offset += len(complete)
        self._book.read(complete.decode("ascii", "replace").splitlines())

    def _compact(self) -> None:
        """Replace the file by a shorter one, and keep it as `<path>.old`. If that fails, it stays as it is."""
        shorter = self._book.compacted(is_running)
        if 2 * len(shorter) > self._offset:
            return
        new, old = (self.path.with_name(self.path.name + suffix) for suffix in (".new", ".old"))
        with suppress(OSError):
            new.unlink(missing_ok=True)
            descriptor = opened(new, MODE)
            try:
                append(descriptor, shorter)
                sync_file(descriptor)
            finally:
                os.close(descriptor)
            with suppress(OSError):  # not every file system has links; then the closed entries are not kept
                old.unlink(missing_ok=True)
                os.link(self.path, old)
            os.replace(new, self.path)
            sync_directory(self.path.parent)


def read(path: Path) -> Book:
    """What a log says now; an empty one if there is no such file.

    Raises:
        OSError: it exists and cannot be read.
    """
    book = Book()
    with suppress(FileNotFoundError, NotADirectoryError):
        book.read(path.read_text("ascii", errors="replace").splitlines())
    return book
