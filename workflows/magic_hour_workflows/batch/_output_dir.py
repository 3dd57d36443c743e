"""Where the outputs of a batch go, and telling files apart by their content.

Rule: a final name is given once, to a complete file whose bytes are on the disk; the same row saved again finds its
file instead of a second name. Whatever has a name keeps it: only what is left of the very same file, truncated or
emptied, is replaced.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from itertools import count, islice
from pathlib import Path

import attrs

from .._outputs import safe_stem
from .._partial_download import moved
from .._sources import Source
from ._rows import FileProblem
from ._saved import Group, SavedFile, all_kept, kept, problem, sha256, sync_directory

_CHUNK_BYTES = 1024 * 1024
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


@attrs.frozen(kw_only=True)
class Incoming:
    """The outputs of a row that are complete.

    Attributes:
        key: the row.
        files: the number of each output, from 1, and where it is now.
        before: where the row has had files before.
    """

    key: str
    files: Sequence[tuple[int, Path]]
    before: Callable[[], Collection[Path]]


class Places:
    """The output directory of a batch.

    Args:
        directory: where outputs go; made when the first one arrives.
        worker: who saves there, so that workers on one shared folder keep out of each other's way.
    """

    def __init__(self, directory: Path, worker: str) -> None:
        self.directory = directory
        self._incoming = directory / ".incoming" / safe_stem(worker)
        self._group: Group[Incoming, list[SavedFile]] = Group(self._save)
        self._unsynced: list[Path] = [directory, *directory.absolute().parents]  # it may have been made just now

    def staging(self) -> Path:
        """A directory of its own for files that are not complete yet, on the same disk as the final ones."""
        return self._incoming / uuid.uuid4().hex

    async def save(self, incoming: Incoming) -> list[SavedFile]:
        """Give the outputs of a row their final names, once their bytes have reached the disk.

        Raises:
            OSError: the disk did not take them.
        """
        return await self._group(incoming)

    def _save(self, group: list[Incoming]) -> list[list[SavedFile] | OSError]:
        """The same for several rows at once: the directory is synced once for all of them."""
        kept = iter(all_kept([path for incoming in group for _, path in incoming.files]))
        ends = [self._named(incoming, list(islice(kept, len(incoming.files)))) for incoming in group]
        try:
            for directory in self._unsynced:
                sync_directory(directory)
        except OSError as error:
            return [error] * len(group)
        self._unsynced = [self.directory]
        return ends

    def _named(self, incoming: Incoming, kept: Sequence[SavedFile | OSError]) -> list[SavedFile] | OSError:
        placed = []
        try:
            for (number, _), file in zip(incoming.files, kept, strict=True):
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
            if found is None:  # saved before, and the process ended before that was written down
                kept(target)
                return target
            if found is FileProblem.SIZE and target in before() and _begins(file.path, target):
                os.replace(file.path, target)
                return target
        raise AssertionError("there is always another name")

    def clean(self) -> None:
        """Remove what an interrupted run left behind."""
        shutil.rmtree(self._incoming, ignore_errors=True)
        with suppress(OSError):
            self._incoming.parent.rmdir()


def _begins(whole: Path, target: Path) -> bool:
    """Whether a file holds nothing but the beginning of another, or nothing at all."""
    with whole.open("rb") as one, target.open("rb") as other:
        while part := other.read(_CHUNK_BYTES):
            if one.read(len(part)) != part:
                return False
    return True
