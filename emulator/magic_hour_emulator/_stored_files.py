"""The files in storage: what clients upload, what jobs produce, and the signed URLs that give access to both.

Rule: a file appears under its name only when it is complete. A URL that was not signed here, was changed, or has
expired gives access to nothing.
"""

import hashlib
import hmac
import itertools
import math
import os
import re
import secrets
import shutil
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from ._clock import Clock
from ._jobs import Abandoned, Ids, Job

__all__ = ["DOWNLOAD_SECONDS", "Outputs", "Signer", "Uploads", "output_path", "parse_output_path"]

# spec/: uploaded files are kept for 7 days.
_UPLOAD_LIFETIME_SECONDS: Final = 7 * 24 * 3600
# spec/: download URLs are valid for 24 hours.
DOWNLOAD_SECONDS: Final = 24 * 3600.0
_OUTPUT_PATH: Final = re.compile(r"/(?P<id>c[a-z0-9]{24})(?:/(?P<index>\d+))?/output\.\w+")
_TASK_PATH: Final = re.compile(r"/api-assets/(?P<id>c[a-z0-9]{24})/0-(?P<index>\d+)\.\w+")


class Uploads:
    """Uploaded files, by the `file_path` that the service issued for each."""

    def __init__(self, directory: Path, clock: Clock, ids: Ids) -> None:
        self._directory = directory
        self._clock = clock
        self._ids = ids
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._issued: set[str] = set()
        self._stored: dict[str, tuple[Path, float]] = {}

    def issue(self, type: str, extension: str) -> str:
        """A new `file_path` for one file."""
        file_path = f"api-assets/{self._ids.next()}/{type}.{extension}"
        with self._lock:
            self._issued.add(file_path)
        return file_path

    def is_issued(self, file_path: str) -> bool:
        """Whether the service has issued this `file_path`."""
        return file_path in self._issued

    def new_file(self) -> Path:
        """Where to write the bytes of an upload until it is complete."""
        return self._directory / f"{next(self._numbers)}.bytes"

    def store(self, file_path: str, complete: Path, *, durable: bool = False) -> None:
        """Make a complete file available as `file_path`; it replaces an earlier one. A durable one never expires."""
        with self._lock:
            self._stored[file_path] = (complete, math.inf if durable else self._clock.now())

    def find(self, file_path: str) -> Path | None:
        """The uploaded file; None if there is none or it has expired."""
        with self._lock:
            stored = self._stored.get(file_path)
        if stored is None or self._clock.now() - stored[1] >= _UPLOAD_LIFETIME_SECONDS:
            return None
        return stored[0]

    def listed(self) -> list[dict[str, Any]]:
        """The uploads that have not expired, oldest first: `file_path`, `bytes` and `expires_at`, null for never."""
        with self._lock:
            stored = dict(self._stored)
        now = self._clock.now()
        return [
            {"file_path": name, "bytes": path.stat().st_size, "expires_at": None if end == math.inf else end}
            for name, (path, at) in stored.items()
            if (end := at + _UPLOAD_LIFETIME_SECONDS) > now and path.exists()
        ]

    def clear(self) -> None:
        """Forget all uploads and every issued `file_path`."""
        with self._lock:
            self._stored.clear()
            self._issued.clear()
        for path in self._directory.iterdir():
            path.unlink(missing_ok=True)


def output_path(job: Job, index: int) -> str:
    """The path of an output in storage: `/<id>/output.png`, or `/<id>/0/output.png` and so on if there are several.

    As on the service, all outputs of a job have the same base name. The outputs of a task are assets, which can be
    inputs by their path: `/api-assets/<id>/0-0.png`.
    """
    if job.emulation.outputs is not None:
        return f"/api-assets/{job.id}/0-{index}.{job.extension}"
    folder = f"{job.id}/{index}" if job.count > 1 else job.id
    return f"/{folder}/output.{job.extension}"


def parse_output_path(path: str) -> tuple[str, int] | None:
    """The job id and the index in an output's path; None for any other path."""
    match = _OUTPUT_PATH.fullmatch(path) or _TASK_PATH.fullmatch(path)
    return (match["id"], int(match["index"] or 0)) if match else None


class Outputs:
    """The outputs of jobs: each is rendered at its first request and then kept."""

    def __init__(self, directory: Path, render: Callable[[Job, int, Path], None]) -> None:
        self._directory = directory
        self._render = render

    def get(self, job: Job, index: int) -> Path:
        """The file of one output, rendered now if it does not exist yet. Slow: call it from a worker thread.

        Raises `Abandoned` if the job is deleted meanwhile.
        """
        target = self._file(job, index)
        with job.lock:
            if job.abandoned.is_set():
                raise Abandoned
            if not target.exists():
                unfinished = target.with_suffix(".part")
                try:
                    self._render(job, index, unfinished)
                    os.replace(unfinished, target)
                finally:
                    unfinished.unlink(missing_ok=True)
        return target

    def listed(self, job: Job, index: int) -> dict[str, Any] | None:
        """The path in storage and the size of an output; None if nobody has asked for it yet."""
        try:
            return {"path": output_path(job, index), "bytes": self._file(job, index).stat().st_size}
        except FileNotFoundError:
            return None

    def put(self, job: Job, index: int, content: Path) -> None:
        """Use a copy of this file as the output instead of a rendered one."""
        with job.lock:
            target = self._file(job, index)
            unfinished = target.with_suffix(".part")
            shutil.copyfile(content, unfinished)
            os.replace(unfinished, target)

    def discard(self, job: Job) -> None:
        """Delete the files of a job and stop rendering them."""
        job.abandoned.set()
        with job.lock:
            for index in range(job.count):
                self._file(job, index).unlink(missing_ok=True)

    def clear(self) -> None:
        """Delete all files."""
        for path in self._directory.iterdir():
            path.unlink(missing_ok=True)

    def _file(self, job: Job, index: int) -> Path:
        return self._directory / f"{job.id}-{index}.{job.extension}"


class Signer:
    """Signs URLs for one method, one path and a limited time, with a key that lives as long as the emulator."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)

    def sign(self, origin: str, method: str, path: str, lifetime: float) -> tuple[str, float]:
        """A URL for `method` on `path`, valid for `lifetime` seconds, and the time at which it expires."""
        expires = math.ceil(self._clock.now() + lifetime)
        return f"{origin}{quote(path)}?expires={expires}&signature={self._signature(method, path, expires)}", expires

    def objection(self, method: str, path: str, query: Mapping[str, str]) -> str | None:
        """Why the URL does not permit `method` on `path`; None if it does. A URL for GET permits HEAD too."""
        method = "GET" if method == "HEAD" else method
        given = query.get("signature", "")
        try:
            expires = int(query.get("expires", ""))
        except ValueError:
            return "The URL is not signed."
        if not hmac.compare_digest(given.encode(), self._signature(method, path, expires).encode()):
            return "The signature does not match the method and path of this request."
        if self._clock.now() >= expires:
            return "The URL has expired."
        return None

    def _signature(self, method: str, path: str, expires: int) -> str:
        message = f"{method}\n{path}\n{expires}".encode()
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()
