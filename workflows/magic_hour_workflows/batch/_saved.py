"""Saved means the bytes: getting the files of a row onto the disk, and finding out later whether they are still there.

Rule: nothing counts as saved before its bytes and its name have been synced, and nothing stays saved whose size and
SHA-256 are not those that were written down.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any, Generic, TypeVar

import attrs

from ._rows import DamagedFile, FileProblem, RowResult

A = TypeVar("A")
B = TypeVar("B")

CHECKERS = 4
"""Threads that read files: enough to keep a disk busy, few enough to leave the machine to others."""
_SYNCERS = 4
_ROWS_AHEAD = 256
_NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)
"""What file systems say that sync no directories."""


@attrs.frozen
class SavedFile:
    """A file as it was saved.

    Attributes:
        path: where it is.
        size: its length in bytes; None if a release saved it that did not write that down.
        sha256: of its bytes, in hexadecimal.
    """

    path: Path
    size: int | None
    sha256: str


def listed(files: Iterable[SavedFile]) -> list[tuple[str, int | None, str]]:
    """Files as the engine records them."""
    return [(str(file.path), file.size, file.sha256) for file in files]


def recorded(files: Iterable[Sequence[Any]]) -> list[SavedFile]:
    """The files that `listed` made a list of, maybe in an earlier release, when they had no size."""
    return [SavedFile(Path(file[0]), file[1] if len(file) > 2 else None, file[-1]) for file in files]


def sha256(path: Path) -> str:
    """The SHA-256 of a file as it is now."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- Checking ---------------------------------------------------------------------------------------------------------


def checked(
    rows: Iterable[RowResult], *, content: bool = True, stop: Callable[[], bool] = lambda: False
) -> Iterator[tuple[RowResult, list[DamagedFile]]]:
    """Each row with what is wrong with its files; nothing, if they are as they were saved.

    Args:
        rows: saved rows.
        content: False to look at sizes only.
        stop: asked now and then whether somebody has had enough of it.
    """
    waiting = iter(rows)
    with ThreadPoolExecutor(CHECKERS, thread_name_prefix="magic-hour-batch-check") as pool:
        while not stop() and (some := list(islice(waiting, _ROWS_AHEAD))):
            yield from zip(some, pool.map(lambda row: damage(row, content=content), some), strict=True)


def damage(row: RowResult, *, content: bool = True) -> list[DamagedFile]:
    """What is wrong with the files of a saved row.

    Args:
        row: the row.
        content: False to look at sizes only.
    """
    if not row.paths:  # an empty row is never saved: somebody edited the database
        return [DamagedFile(key=row.key, path=None, problem=FileProblem.MISSING)]
    known = zip_longest(row.paths, row.sizes, row.sha256)
    found = [(path, problem(path, size, digest, content=content)) for path, size, digest in known if path is not None]
    return [DamagedFile(key=row.key, path=path, problem=what) for path, what in found if what is not None]


def problem(path: Path, size: int | None, digest: str | None, *, content: bool = True) -> FileProblem | None:
    """What is wrong with a saved file, the cheap questions first; None if it is as it was.

    Args:
        path: where it was saved.
        size: its length; None if a release saved it that did not write that down.
        digest: its SHA-256.
        content: False to look at the size only.
    """
    try:
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode):
            return FileProblem.SYMLINK
        if not stat.S_ISREG(found.st_mode):
            return FileProblem.NOT_A_FILE
        if size is not None and found.st_size != size:
            return FileProblem.SIZE
        return FileProblem.CONTENT if content and sha256(path) != digest else None
    except (FileNotFoundError, NotADirectoryError):
        return FileProblem.MISSING
    except OSError:
        return FileProblem.UNREADABLE


# --- Syncing ----------------------------------------------------------------------------------------------------------


def kept(path: Path) -> SavedFile:
    """A complete file, once its bytes have reached the disk."""
    with path.open("r+b") as file:  # Windows syncs only what may be written to
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        _sync(file.fileno())
        return SavedFile(path, os.fstat(file.fileno()).st_size, digest)


def all_kept(paths: Sequence[Path]) -> list[SavedFile | OSError]:
    """`kept` for several files at once, each with what went wrong: file systems join syncs that come together."""
    if len(paths) < 2:
        return [_tried(path) for path in paths]
    with ThreadPoolExecutor(min(_SYNCERS, len(paths)), thread_name_prefix="magic-hour-batch-sync") as pool:
        return list(pool.map(_tried, paths))


def _tried(path: Path) -> SavedFile | OSError:
    try:
        return kept(path)
    except OSError as error:
        return error


def sync_directory(path: Path) -> None:
    """Let the names in a directory reach the disk, where the system can be asked to."""
    if sys.platform == "win32":  # NTFS keeps names in its journal, and opens no directory
        return
    with suppress(PermissionError):  # above the folder of the outputs, other people's may be unreadable
        descriptor = os.open(path, os.O_RDONLY)
        try:
            _sync(descriptor)
        except OSError as error:
            if error.errno not in _NO_SYNC:
                raise
        finally:
            os.close(descriptor)


def _sync(descriptor: int) -> None:
    if sys.platform == "darwin":  # there `fsync` stops at the cache of the disk (its man page)
        import fcntl

        with suppress(OSError):  # not every file system can
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
    os.fsync(descriptor)


class Group(Generic[A, B]):
    """Does what comes at about the same time in one go, so that it shares what is slow. Belongs to one event loop.

    What comes while a group is at work belongs to the next one.

    Args:
        work: runs in a thread; takes what was handed in, gives for each what came of it or what went wrong.
    """

    def __init__(self, work: Callable[[list[A]], Sequence[B | OSError]]) -> None:
        self._work = work
        self._waiting: list[tuple[A, asyncio.Future[B]]] = []
        self._busy: asyncio.Task[None] | None = None

    async def __call__(self, item: A) -> B:
        """Hand something in; returns or raises what came of it. If this is cancelled, it is done all the same."""
        future: asyncio.Future[B] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._busy is None or self._busy.done():
            self._busy = asyncio.ensure_future(self._go())
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            future.exception()  # whatever it was, nobody asks any more
            raise

    async def _go(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            ends: Sequence[B | BaseException]
            try:
                ends = await asyncio.to_thread(self._work, [item for item, _ in group])
            except Exception as error:  # noqa: BLE001  (each of them raises it)
                ends = [error] * len(group)
            for (_, future), end in zip(group, ends, strict=True):
                if isinstance(end, BaseException):
                    future.set_exception(end)
                else:
                    future.set_result(end)
