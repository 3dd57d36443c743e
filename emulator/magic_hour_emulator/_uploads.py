"""Uploaded input files and the places that were handed out for them.

Rule: bytes appear under their name only when all of them have arrived; before that, and after seven days, the name is
unknown.
"""

import itertools
import threading
from pathlib import Path
from typing import Final

from ._clock import Clock
from ._ids import Ids

__all__ = ["KEPT_SECONDS", "Uploads"]

# API-FACTS, Files: uploaded inputs live seven days.
KEPT_SECONDS: Final = 7 * 24 * 3600


class Uploads:
    """Files by the `file_path` that the service gave out for them."""

    def __init__(self, directory: Path, clock: Clock, ids: Ids) -> None:
        self._directory = directory
        self._clock = clock
        self._ids = ids
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._issued: set[str] = set()
        self._stored: dict[str, tuple[Path, float]] = {}

    def issue(self, type: str, extension: str) -> str:
        """A new place for one file."""
        file_path = f"api-assets/{self._ids.next()}/{type}.{extension}"
        with self._lock:
            self._issued.add(file_path)
        return file_path

    def is_issued(self, file_path: str) -> bool:
        """Whether this place was handed out."""
        return file_path in self._issued

    def begin(self) -> Path:
        """Where to collect the bytes of an upload."""
        return self._directory / f"{next(self._numbers)}.bytes"

    def store(self, file_path: str, complete: Path) -> None:
        """Put a completely received file under its name; an earlier one of that name is replaced."""
        with self._lock:
            self._stored[file_path] = (complete, self._clock.now())

    def find(self, file_path: str) -> Path | None:
        """The bytes of an upload, unless there are none or they are too old."""
        with self._lock:
            stored = self._stored.get(file_path)
        if stored is None or self._clock.now() - stored[1] >= KEPT_SECONDS:
            return None
        return stored[0]

    def clear(self) -> None:
        """Forget all uploads and places."""
        with self._lock:
            self._stored.clear()
            self._issued.clear()
        for path in self._directory.iterdir():
            path.unlink(missing_ok=True)
