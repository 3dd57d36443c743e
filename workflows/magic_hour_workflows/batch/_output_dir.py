"""The output directory of a batch: outputs get their final names once their bytes have reached the disk.

Rules: nothing counts as saved before its bytes and its name have been synced. A final name is given once, to a complete
file; a row that is saved again finds its file instead of creating a second one. Existing files keep their names: only
the truncated or empty rest of the same file is replaced. A row only stays saved while its files have the recorded size
and SHA-256.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import stat
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count, islice, zip_longest
from pathlib import Path
from typing import Any, Generic, TypeVar

import attrs

from .._outputs import safe_stem
from .._partial_download import moved
from .._sources import Source
from .._syncing import sync, sync_directory
from ._rows import DamagedFile, FileProblem, RowResult

CHECKERS = 4
"""Threads that read files: enough to keep a disk busy, few enough for other programs."""

_ROWS_AHEAD = 256


@attrs.frozen
class SavedFile:
    """A file as it was saved. Its size is None if it was saved by a release that did not record it."""

    path: Path
    size: int | None
    sha256: str


def listed(files: Iterable[SavedFile]) -> list[tuple[str, int | None, str]]:
    """Files in the form that the engine records."""
    return [(str(file.path), file.size, file.sha256) for file in files]


def recorded(files: Iterable[Sequence[Any]]) -> list[SavedFile]:
    """The files that `listed` recorded, maybe in an earlier release, which had no sizes."""
    return [SavedFile(Path(file[0]), file[1] if len(file) > 2 else None, file[-1]) for file in files]


def sha256(path: Path) -> str:
    """The SHA-256 of a file as it is now."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checked(
    rows: Iterable[RowResult], *, content: bool = True, stop: Callable[[], bool] = lambda: False
) -> Iterator[tuple[RowResult, list[DamagedFile]]]:
    """Each saved row with its damaged files; none if they are unchanged.

    Without `content` only sizes are compared. `stop` is called regularly; True ends the check.
    """
    waiting = iter(rows)
    with ThreadPoolExecutor(CHECKERS, thread_name_prefix="magic-hour-batch-check") as pool:
        while not stop() and (some := list(islice(waiting, _ROWS_AHEAD))):
            yield from zip(some, pool.map(lambda row: damage(row, content=content), some), strict=True)


def damage(row: RowResult, *, content: bool = True) -> list[DamagedFile]:
    """The damaged files of a saved row."""
    if not row.paths:  # a row without files is never saved: the database was edited
        return [DamagedFile(key=row.key, path=None, problem=FileProblem.MISSING)]
    known = zip_longest(row.paths, row.sizes, row.sha256)
    found = [(path, problem(path, size, digest, content=content)) for path, size, digest in known if path is not None]
    return [DamagedFile(key=row.key, path=path, problem=what) for path, what in found if what is not None]


def problem(path: Path, size: int | None, digest: str | None, *, content: bool = True) -> FileProblem | None:
    """What is wrong with a saved file, cheap checks first; None if it is unchanged."""
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


_known: dict[tuple[object, ...], str] = {}


def digest(source: Source | Path) -> str:
    """The SHA-256 of a file in hexadecimal; an unchanged file is read once."""
    path = source if isinstance(source, Path) else source.path
    if path is None:
        raise TypeError("rows name files by path")
    stat = path.stat()
    key = (str(path), stat.st_size, stat.st_mtime_ns, stat.st_ino)
    if key not in _known:
        _known[key] = sha256(path)
    return _known[key]


A = TypeVar("A")

B = TypeVar("B")

_SYNCERS = 4


def synced(path: Path) -> SavedFile:
    """A complete file, after its bytes have reached the disk."""
    with path.open("r+b") as file:  # Windows only syncs writable files
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        sync(file.fileno())
        return SavedFile(path, os.fstat(file.fileno()).st_size, digest)


def all_synced(paths: Sequence[Path]) -> list[SavedFile | OSError]:
    """`synced` for several files at once, each with its error: file systems combine concurrent syncs."""
    if len(paths) < 2:
        return [_tried(path) for path in paths]
    with ThreadPoolExecutor(min(_SYNCERS, len(paths)), thread_name_prefix="magic-hour-batch-sync") as pool:
        return list(pool.map(_tried, paths))


def _tried(path: Path) -> SavedFile | OSError:
    try:
        return synced(path)
    except OSError as error:
        return error


class GroupWork(Generic[A, B]):
    """Combines items that arrive at about the same time, so that they share slow work. Belongs to one event loop.

    Items that arrive while a group is processed belong to the next one. `work` runs in a thread; it takes the items and
    returns a result or an error for each.
    """

    def __init__(self, work: Callable[[list[A]], Sequence[B | OSError]]) -> None:
        self._work = work
        self._waiting: list[tuple[A, asyncio.Future[B]]] = []
        self._busy: asyncio.Task[None] | None = None

    async def __call__(self, item: A) -> B:
        """Hand in an item; returns or raises its result. If this is cancelled, the work is still completed."""
        future: asyncio.Future[B] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._busy is None or self._busy.done():
            self._busy = asyncio.ensure_future(self._work_through())
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            future.exception()  # mark it as retrieved
            raise

    async def _work_through(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            ends: Sequence[B | BaseException]
            try:
                ends = await asyncio.to_thread(self._work, [item for item, _ in group])
            except Exception as error:  # noqa: BLE001  (each item raises it)
                ends = [error] * len(group)
            for (_, future), end in zip(group, ends, strict=True):
                if isinstance(end, BaseException):
                    future.set_exception(end)
                else:
                    future.set_result(end)


_CHUNK_BYTES = 1024 * 1024


@attrs.frozen(kw_only=True)
class Incoming:
    """The complete outputs of a row: the number of each, from 1, and where it is now. `before` returns where the row
    had files before.
    """

    key: str
    files: Sequence[tuple[int, Path]]
    before: Callable[[], Collection[Path]]


class OutputDir:
    """The output directory of a batch, created when the first output arrives.

    `worker` is who saves there, so that workers in a shared directory do not interfere.
    """

    def __init__(self, directory: Path, worker: str) -> None:
        self.directory = directory
        self._incoming = directory / ".incoming" / safe_stem(worker)
        self._group: GroupWork[Incoming, list[SavedFile]] = GroupWork(self._save)
        self._unsynced: list[Path] = [directory, *directory.absolute().parents]  # it may be new

    def staging(self) -> Path:
        """A directory for incomplete files, on the same disk as the final ones."""
        return self._incoming / uuid.uuid4().hex

    async def save(self, incoming: Incoming) -> list[SavedFile]:
        """Give the outputs of a row their final names, after their bytes have reached the disk.

        Raises:
            OSError: the disk did not store them.
        """
        return await self._group(incoming)

    def _save(self, group: list[Incoming]) -> list[list[SavedFile] | OSError]:
        """The same for several rows: the directory is synced once for all of them."""
        synced = iter(all_synced([path for incoming in group for _, path in incoming.files]))
        ends = [self._named(incoming, list(islice(synced, len(incoming.files)))) for incoming in group]
        try:
            for directory in self._unsynced:
                sync_directory(directory)
        except OSError as error:
            return [error] * len(group)
        self._unsynced = [self.directory]
        return ends

    def _named(self, incoming: Incoming, synced: Sequence[SavedFile | OSError]) -> list[SavedFile] | OSError:
        placed = []
        try:
            for (number, _), file in zip(incoming.files, synced, strict=True):
                if isinstance(file, OSError):
                    return file
                path = self._place(file, f"{safe_stem(incoming.key)}-{number}", incoming.before)
                placed.append(attrs.evolve(file, path=path))
        except OSError as error:
            return error
        return placed

    def _place(self, file: SavedFile, stem: str, before: Callable[[], Collection[Path]]) -> Path:
        for number in count(1):
            name = f"{stem}{file.path.suffix}" if number == 1 else f"{stem} ({number}){file.path.suffix}"
            target = self.directory / name
            if moved(file.path, target):
                return target
            found = problem(target, file.size, file.sha256)
            if found is None:  # saved before, but the process ended before that was recorded
                synced(target)
                return target
            if found is FileProblem.SIZE and target in before() and _begins(file.path, target):
                os.replace(file.path, target)
                return target
        raise AssertionError("there is always another name")

    def clean(self) -> None:
        """Remove the files of an interrupted run."""
        shutil.rmtree(self._incoming, ignore_errors=True)
        with suppress(OSError):
            self._incoming.parent.rmdir()


def _begins(whole: Path, target: Path) -> bool:
    """Whether the second file is a prefix of the first."""
    with whole.open("rb") as one, target.open("rb") as other:
        while part := other.read(_CHUNK_BYTES):
            if one.read(len(part)) != part:
                return False
    return True
