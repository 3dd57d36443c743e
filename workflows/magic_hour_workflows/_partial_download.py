"""Downloads on disk: a temporary file that grows, and a final name that appears only when it is complete.

Rule: never a partial file under a final name, never an existing file overwritten. The decisions about an answer of
storage (continue, start over, refuse) are made here, once for sync and async.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import IO

from magic_hour_client._runtime.errors import retry_after

from . import _checksums as checksums
from ._formatting import shown
from ._media import FIRST_BYTES, is_media_type, output_extension
from ._storage_http import checked_url
from ._unpacking import NotUnpackable, Unpacker, encoding_names, unpacker
from .errors import DownloadFailed, TransferFailed

_SIZE = r"[0-9]{1,15}"
"""Up to a petabyte: no file is larger, and Python can read every number of this length."""
_LENGTH = re.compile(_SIZE)
_CONTENT_RANGE = re.compile(rf"bytes ({_SIZE})-({_SIZE})/({_SIZE}|\*)")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_NO_FILE = "storage returned an empty answer instead of a media file"


class PartialDownload:
    """One output on its way to disk."""

    def __init__(self, directory: Path, stem: str, suffix: str, *, allow_http: bool = False) -> None:
        self.directory = directory
        self.stem = stem
        self.suffix: str = suffix
        """The expected one, then the one that the first bytes require."""
        self.expected = suffix
        self.allow_http = allow_http
        self.path: Path = directory / f".{stem}.{secrets.token_hex(6)}.part"
        self.received: int = 0
        self.total: int | None = None
        self._etag: str | None = None
        self.mismatches: int = 0
        """How often the complete file did not match the checksum of storage."""
        self._checksum: checksums.Checksum | None = None
        self._unpacked: checksums.Checksum | None = None
        """Of the bytes as they arrive, and of the decompressed ones."""
        self._redirects = 0
        self._type = ""
        self._first = b""
        self.is_known: bool = False
        """Whether enough has arrived to know the format, and so the suffix."""
        self._unpacker: Unpacker | None = None
        self._file: IO[bytes] | None = None
        self._named = False
        """Whether there may be something under `path`."""

    @property
    def name(self) -> str:
        return f"{self.stem}{self.suffix}"

    def request_headers(self) -> dict[str, str]:
        """What to ask for: all of it, or the rest if the file cannot have changed meanwhile."""
        headers = {"accept-encoding": "identity"}
        if self.received and self._etag and self._unpacker is None:
            headers["range"] = f"bytes={self.received}-"
            headers["if-range"] = self._etag
        return headers

    def begin(self, url: str, status: int, headers: Mapping[str, str]) -> str | None:
        """Process the status and headers of an answer. Returns the URL to request instead, if storage redirects.

        Raises:
            TransferFailed: storage refused, or its answer does not continue what has arrived so far.
        """
        if status in _REDIRECTS and "location" in headers:
            self._redirects += 1
            if self._redirects > _MOST_REDIRECTS:
                self._redirects = 0
                raise TransferFailed("storage redirects in a loop", status=status)
            return checked_url(headers["location"], self.allow_http, url)
        self._redirects = 0
        if status == 206 and self.received:
            self._go_on(headers)
        elif status == 200:
            self._start_over(headers)
        elif status in (206, 416):
            self.reset()
            raise TransferFailed("storage returned the wrong byte range")
        else:
            message = f"storage answered with status {status}"
            raise TransferFailed(message, status=status, retry_after=retry_after(headers))
        return None

    def _start_over(self, headers: Mapping[str, str]) -> None:
        self.reset()
        length = headers.get("content-length", "").strip()
        if length == "0":
            raise TransferFailed(_NO_FILE)
        has_length = _LENGTH.fullmatch(length) is not None
        if not has_length and "transfer-encoding" not in headers:
            message = "storage did not say how long the file is, so a truncated file could not be detected"
            raise TransferFailed(message, final=True)
        try:
            self._unpacker = unpacker(headers.get("content-encoding", ""))
        except NotUnpackable as error:
            raise TransferFailed(str(error), final=error.final) from None
        self.total = int(length) if has_length else None
        etag = headers.get("etag", "")
        self._etag = etag if etag.startswith('"') else None  # a weak one does not promise the same bytes
        self._type = headers.get("content-type", "")
        self._checksum = checksums.reported(headers)
        self._unpacked = checksums.reported(headers, unpacked=True) if self._unpacker is not None else None

    def _go_on(self, headers: Mapping[str, str]) -> None:
        found = _CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
        same = found is not None and int(found[1]) == self.received and found[3] in ("*", str(self.total))
        packed = encoding_names(headers.get("content-encoding", ""))
        if not same or packed or headers.get("etag", self._etag) != self._etag:
            self.reset()
            raise TransferFailed("storage returned the wrong byte range")
        # A checksum that started further back covers this part as well.
        is_the_rest = self.total is not None and headers.get("content-length") == str(self.total - self.received)
        if self._checksum is None and is_the_rest:
            self._checksum = checksums.reported(headers, part=True)

    def reset(self) -> None:
        """Forget what arrived; the next request starts over."""
        self.received = 0
        self.total = self._etag = self._unpacker = None
        self._first, self.is_known = b"", False
        if self._file is not None:
            self._file.seek(0)
            self._file.truncate()

    def write(self, chunk: bytes) -> None:
        """Append what arrived.

        Raises:
            TransferFailed: it is not an output, or its encoding is not supported.
            DownloadFailed: it could not be written to disk.
        """
        if self._unpacker is None:
            self._append(chunk)
        else:
            self._unpack(chunk, self._unpacker)
        self.received += len(chunk)
        if self._checksum is not None:
            self._checksum.update(chunk)
        if self.received == self.total and not self.is_known:
            self._know()

    def _unpack(self, chunk: bytes, unpacker: Unpacker) -> None:
        try:
            for piece in unpacker.unpack(chunk):
                self._append(piece)
                if self._unpacked is not None:
                    self._unpacked.update(piece)
        except NotUnpackable as error:
            raise self._damaged(str(error), final=error.final) from None

    def _damaged(self, message: str, *, final: bool = False) -> TransferFailed:
        self.mismatches += 1
        self.reset()
        return TransferFailed(message, final=final)

    def _append(self, piece: bytes) -> None:
        try:
            if self._file is None:
                self._named = True
                descriptor = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
                self._file = os.fdopen(descriptor, "wb", buffering=0)
            view = memoryview(piece)
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            raise self._unwritable(error) from None
        if not self.is_known:
            self._first += piece[: FIRST_BYTES - len(self._first)]
            if len(self._first) == FIRST_BYTES:
                self._know()

    def _know(self) -> None:
        """Determine the format, and with it the suffix."""
        expected = self.expected.lstrip(".").lower()
        extension = output_extension(self._first, self._type, expected)
        if extension is None:
            media_type, nothing = self._type, not self._first
            self.reset()
            what = shown(media_type) if media_type and not is_media_type(media_type) else "a message"
            raise TransferFailed(_NO_FILE if nothing else f"storage returned {what} instead of a media file")
        self.suffix = self.expected if extension == expected else f".{extension}"
        self.is_known = True

    def _unwritable(self, error: OSError) -> DownloadFailed:
        why = error.strerror or type(error).__name__
        # Final: a retry does not make room on the disk.
        return DownloadFailed(f"{self.name} cannot be written to {shown(self.directory)}: {why}", final=True)

    def check_complete(self) -> None:
        """Called at the end of an answer.

        Raises:
            TransferFailed: bytes are missing, there are too many, or their checksum does not match.
        """
        if not self.received:
            raise TransferFailed(_NO_FILE)
        if self.total is not None and self.received != self.total:
            received, total = self.received, self.total
            if received > total:
                self.reset()
            raise TransferFailed(f"{received} of {total} bytes of {self.name} arrived")
        if self._unpacker is not None and not self._unpacker.finished:
            raise self._damaged(f"{self.name} ends early: it cannot be decompressed to its end")
        if not self.is_known:
            self._know()
        known = [checksum for checksum in (self._checksum, self._unpacked) if checksum is not None]
        if known and not any(checksum.fits for checksum in known):
            name = known[0].name
            raise self._damaged(f"{self.name} arrived damaged: {name} checksum mismatch")

    def finish(self) -> Path:
        """Give the file, if it is complete, the first free final name; returns its path.

        Raises:
            TransferFailed: it is not complete.
            DownloadFailed: it could not be renamed on disk.
        """
        self.check_complete()
        try:
            self._close()
            for number in count(1):
                stem = self.stem if number == 1 else f"{self.stem} ({number})"
                if moved(self.path, target := self.directory / f"{stem}{self.suffix}"):
                    self._named = False
                    return target
        except OSError as error:
            raise self._unwritable(error) from None
        raise AssertionError("there is always another name")

    def discard(self) -> None:
        """Remove what is left of an unfinished download."""
        with suppress(OSError):  # the directory may be gone; the earlier error says more
            self._close()
            if self._named:
                self.path.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def moved(source: Path, target: Path) -> bool:
    """Give the file its final name unless something has it: a link fails where a rename would overwrite."""
    try:
        os.link(source, target)
    except FileExistsError:
        return False
    except OSError:
        # No hard links here (FAT, some network drives). What is left is to check first; in the moment after that,
        # somebody else could take the name.
        if os.path.lexists(target):
            return False
        os.rename(source, target)
        return True
    with suppress(OSError):  # the file has its name; a hidden second one is not a failure
        source.unlink()
    return True
