"""Saved files: their sizes and SHA-256 sums, and checking later that they have not changed.

Rule: a row only stays saved while its files have the recorded size and SHA-256.
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
"""Threads that read files: enough to keep a disk busy, few enough for other programs."""


_ROWS_AHEAD = 256


@attrs.frozen
class SavedFile:
    """A file as it was saved.

    Attributes:
        path: where it is.
        size: its length in bytes; None if it was saved by a release that did not record it.
        sha256: of its bytes, in hexadecimal.
    """

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
    """Each row with its damaged files; none if they are unchanged.

    Args:
        rows: saved rows.
        content: False to compare sizes only.
        stop: called regularly; True ends the check.
    """
    waiting = iter(rows)
    with ThreadPoolExecutor(CHECKERS, thread_name_prefix="magic-hour-batch-check") as pool:
        while not stop() and (some := list(islice(waiting, _ROWS_AHEAD))):
            yield from zip(some, pool.map(lambda row: damage(row, content=content), some), strict=True)


def damage(row: RowResult, *, content: bool = True) -> list[DamagedFile]:
    """The damaged files of a saved row.

    Args:
        row: the row.
        content: False to compare sizes only.
    """
    if not row.paths:  # a row without files is never saved: the database was edited
        return [DamagedFile(key=row.key, path=None, problem=FileProblem.MISSING)]
    known = zip_longest(row.paths, row.sizes, row.sha256)
    found = [(path, problem(path, size, digest, content=content)) for path, size, digest in known if path is not None]
    return [DamagedFile(key=row.key, path=path, problem=what) for path, what in found if what is not None]


def problem(path: Path, size: int | None, digest: str | None, *, content: bool = True) -> FileProblem | None:
    """What is wrong with a saved file, cheap checks first; None if it is unchanged.

    Args:
        path: where it was saved.
        size: its length; None if it was saved by a release that did not record it.
        digest: its SHA-256.
        content: False to compare the size only.
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
    """The SHA-256 of a file in hexadecimal; an unchanged file is read once."""
    path = source if isinstance(source, Path) else source.path
    if path is None:
        raise TypeError("rows name files by path")
    stat = path.stat()
    key = (str(path), stat.st_size, stat.st_mtime_ns, stat.st_ino)
    if key not in _known:
        _known[key] = sha256(path)
    return _known[key]
