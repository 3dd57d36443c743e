"""Where the outputs of a batch go, and telling files apart by their content.

Rule: a final name is given once, to a complete file; the same row saved again finds its file instead of a second name.
"""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from threading import Lock

from ..files import moved
from ..outputs import safe_stem
from ..sources import Source

_CHUNK_BYTES = 1024 * 1024
_known: dict[tuple[object, ...], str] = {}
_lock = Lock()


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


def sha256(path: Path) -> str:
    """The SHA-256 of a file as it is now."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Places:
    """The output directory of a batch.

    Args:
        directory: where outputs go; made when the first one arrives.
        worker: who saves there, so that workers on one shared folder keep out of each other's way.
    """

    def __init__(self, directory: Path, worker: str) -> None:
        self.directory = directory
        self._incoming = directory / ".incoming" / safe_stem(worker)

    def staging(self) -> Path:
        """A directory of its own for files that are not complete yet, on the same disk as the final ones."""
        return self._incoming / uuid.uuid4().hex

    def place_all(self, key: str, paths: Sequence[Path]) -> list[tuple[str, str]]:
        """Give complete files their final names; gives the path and the SHA-256 of each."""
        placed = []
        for number, path in enumerate(paths, 1):
            content = sha256(path)
            placed.append((str(self._place(path, f"{safe_stem(key)}-{number}", content)), content))
        return placed

    def _place(self, path: Path, stem: str, content: str) -> Path:
        for number in count(1):
            name = f"{stem}{path.suffix}" if number == 1 else f"{stem} ({number}){path.suffix}"
            target = self.directory / name
            if moved(path, target):
                return target
            with suppress(OSError):
                if target.is_file() and not target.is_symlink() and sha256(target) == content:
                    return target  # saved before, and the process ended before that was written down
        raise AssertionError("there is always another name")

    def clean(self) -> None:
        """Remove what an interrupted run left behind."""
        shutil.rmtree(self._incoming, ignore_errors=True)
        with suppress(OSError):
            self._incoming.parent.rmdir()
