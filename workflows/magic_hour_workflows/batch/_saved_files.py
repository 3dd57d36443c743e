"""Saved means the bytes: getting the files of a row onto the disk, and finding out later whether they are still there.

Rule: nothing counts as saved before its bytes and its name have been synced, and nothing stays saved whose size and
SHA-256 are not those that were written down.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

import attrs

from .._sources import Source
from ._rows import DamagedFile, FileProblem, RowResult

CHECKERS = 4
"""Threads that read files: enough to keep a disk busy, few enough to leave the machine to others."""


_ROWS_AHEAD = 256


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


_known: dict[tuple[object, ...], str] = {}


def digest(source: Source | Path) -> str:
    """The SHA-256 of a file in hexadecimal; a file that has not changed is read once."""
    path = source if isinstance(source, Path) else source.path
    if path is None:
        raise TypeError("rows name files by their paths")
    stat = path.stat()
    key = (str(path), stat.st_size, stat.st_mtime_ns, stat.st_ino)
    if key not in _known:
        _known[key] = sha256(path)
    return _known[key]
