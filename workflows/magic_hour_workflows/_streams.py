"""The caller's objects that are read: an open file, a pipe, the response of a web server.

Rule: their methods may raise anything and return anything. Failures of optional methods are ignored; the rest become a
`TransferFailed`, in which the object's own words are escaped. Ctrl-C and cancellations pass.
"""

from __future__ import annotations

import os
import select
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, TypeVar

from ._formatting import reason
from .errors import TransferFailed

T = TypeVar("T")
_SPOOL_BYTES = 4 * 1024 * 1024
_CHUNK = 1024 * 1024
_GLANCE_SECONDS = 0.25
"""How long to wait for a silent pipe before checking the deadline."""


def ask(question: Callable[[], T], otherwise: T) -> T:
    """The result of something that an object need not support, or `otherwise`."""
    try:
        return question()
    except Exception:  # noqa: BLE001  (whatever it is, the object does not support it)
        return otherwise


def unreadable(error: Exception) -> TransferFailed:
    """The error for an object that raised while it was read."""
    return TransferFailed(f"it cannot be read ({reason(error)})", final=True)


def read_chunk(stream: IO[bytes], size: int) -> bytes:
    """At most `size` bytes; none at the end.

    Raises:
        TransferFailed: it cannot be read, or has nothing to read yet.
    """
    try:
        chunk: Any = stream.read(size)
        chunk = bytes(chunk) if isinstance(chunk, (bytearray, memoryview)) else chunk
    except TransferFailed:
        raise
    except Exception as error:  # noqa: BLE001  (a caller's object may raise anything)
        raise unreadable(error) from None
    if chunk is None:
        raise TransferFailed("it has nothing to read yet", "pass a stream that waits for its data", final=True)
    if not isinstance(chunk, bytes):
        what = f"its read() returned {type(chunk).__name__} instead of bytes"
        raise TransferFailed(f"it cannot be read ({what})", "open it with mode 'rb'", final=True)
    if len(chunk) > size:
        raise TransferFailed("it cannot be read (its read() returned more bytes than asked for)", final=True)
    return chunk


def seek(stream: IO[bytes], position: int) -> None:
    """Go to a position."""
    try:
        stream.seek(position)
    except Exception as error:  # noqa: BLE001  (a caller's object may raise anything)
        raise unreadable(error) from None


def extent(stream: IO[bytes]) -> tuple[int | None, int | None]:
    """The position of a stream and how much is left, or (None, None) if it cannot be rewound.

    Raises:
        TransferFailed: it moved to its end and cannot go back.
    """
    if not ask(lambda: bool(stream.seekable()), otherwise=False):
        return None, None
    start = ask(stream.tell, None)
    if not isinstance(start, int) or isinstance(start, bool):
        return None, None
    end = ask(lambda: (stream.seek(0, os.SEEK_END), stream.tell())[1], None)
    if isinstance(end, int):
        seek(stream, start)
        return start, max(0, end - start)
    # It claims to be seekable, and is not: nothing is lost if its position is unchanged.
    if ask(stream.tell, None) != start:
        seek(stream, start)
    return None, None


def length_left(stream: object) -> int | None:
    """How many bytes are left in a stream that cannot be rewound, if it announces that.

    Responses of web servers do: those of `urllib.request` as `length`, those of urllib3, which `requests` has as `raw`,
    as `length_remaining`, others in a header. A truncated one just ends, so only this length reveals it.
    """
    if callable(ask(lambda: getattr(stream, "getheader", None), None)):
        left = _count(ask(lambda: getattr(stream, "length", None), None))
        if left is not None:
            return left
    headers = ask(lambda: getattr(stream, "headers", None), None)
    if not isinstance(headers, Mapping) and not callable(ask(lambda: getattr(headers, "get", None), None)):
        return None
    known: Any = headers
    if ask(lambda: known.get("content-encoding"), None) not in (None, "", "identity"):
        return None  # it may unpack what it reads
    left = _count(ask(lambda: getattr(stream, "length_remaining", None), None))
    if left is not None:
        return left
    whole = _count(ask(lambda: int(known.get("content-length")), None))
    done = _count(ask(lambda: getattr(stream, "tell")(), 0)) or 0  # noqa: B009  (it may have none)
    return None if whole is None else max(0, whole - done)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def spooled(stream: IO[bytes], left: Callable[[], float]) -> tuple[IO[bytes], int]:
    """A copy of a stream that cannot be rewound, and its length.

    Args:
        stream: read to its end.
        left: returns the seconds left; called between chunks.

    Raises:
        TransferFailed: it cannot be read, not in time, or ends before its announced length.
    """
    promised = length_left(stream)
    spool = tempfile.SpooledTemporaryFile(_SPOOL_BYTES)  # noqa: SIM115  (closed by the source)
    try:
        while chunk := read_chunk(stream, _CHUNK):
            if left() <= 0:
                raise late()
            try:
                spool.write(chunk)
            except OSError as error:
                raise TransferFailed(
                    f"it cannot be copied to {tempfile.gettempdir()} ({reason(error)})", final=True
                ) from None
        size = spool.tell()
        if promised is not None and size < promised:
            raise TransferFailed(f"it ended early: {size} of {promised} bytes arrived", final=True)
    except BaseException:
        spool.close()
        raise
    return spool, size


def late() -> TransferFailed:
    """The error for what could not be read before the deadline."""
    return TransferFailed("it could not be read in time", final=True)


class Pipe:
    """A pipe in the file system, such as that of `<(command)`. Opening one could wait forever for a
    writer; here the reading waits instead, until the deadline."""

    def __init__(self, path: Path, left: Callable[[], float]) -> None:
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            raise unreadable(error) from None
        self._left = left
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)

    def read(self, size: int = -1) -> bytes:
        """What is there, at most `size` bytes; nothing once every writer has closed it."""
        while not self._poll.poll(min(max(self._left(), 0.0), _GLANCE_SECONDS) * 1000):
            if self._left() <= 0:
                raise late()
        return os.read(self._descriptor, size)

    def close(self) -> None:
        os.close(self._descriptor)
