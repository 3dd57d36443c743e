"""Blocking work in threads, so that the event loop keeps running, on asyncio and on trio; above all reading a file for
the body of a request, ahead of what is being sent. Only a file that is in memory anyway is read at once.

Rule: the caller says what a cancellation does to the work: wait for it, or abandon it. A thread that reads is waited
for before the file is read again, and only a cancellation abandons it.
"""

from __future__ import annotations

import io
import os
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import IO, TypeVar

import anyio
import anyio.to_thread
import attrs
import httpx

from ._backend import OnBytes
from ._sources import Source
from ._storage_http import chunk_bytes, cut_short
from ._streams import read_chunk

_LARGEST_PIECE = 512 * 1024
"""Bytes sent at a time: each piece costs a turn of the event loop, and has to be sent within the inactivity limit."""
_WHOLE_BYTES = 4 * 1024 * 1024
"""Up to this size a file is read at once: switching to a thread and back takes longer than reading it."""
_AT_HAND_BYTES = 1024 * 1024
"""Up to this size a file that the system has in memory is read without a thread."""
_AHEAD_BYTES = 1024 * 1024
"""Bytes of a larger file read at a time: what was just read is still in the processor's cache when it is sent."""
T = TypeVar("T")


async def run_in_thread(function: Callable[[], T], *, abandon_on_cancel: bool = False) -> T:
    """The result of a function, run in a thread.

    With `abandon_on_cancel` a cancellation leaves it running: a stream that is read may be silent forever. Without,
    a cancellation waits until the thread has ended: what runs after it, such as removing the file that is being
    written, must not meet it at work. anyio's own, deadlines among them, wait beyond the return, so that what was done
    is reported; asyncio's are raised, and the task group sees to their waiting.
    """
    if abandon_on_cancel:
        return await anyio.to_thread.run_sync(function, abandon_on_cancel=True)
    results: list[T] = []
    errors: list[Exception] = []

    async def work() -> None:
        try:
            results.append(await anyio.to_thread.run_sync(function))
        except Exception as error:  # noqa: BLE001  (raised below, outside of the group)
            errors.append(error)

    async with anyio.create_task_group() as group:
        group.cancel_scope.shield = True
        group.start_soon(work)
    if errors:
        raise errors[0]
    return results[0]


@attrs.define(eq=False)
class Chunks(httpx.AsyncByteStream):
    """The pieces of a file.

    An iterator, not a generator: httpx does not close a generator that a cancellation leaves unfinished.
    """

    size: int
    _file: IO[bytes]
    _on_bytes: OnBytes
    _pieces: deque[bytes]
    """What was read and is not sent yet."""
    _asked: int
    """How far the file was read, or is being read."""
    _ahead: Future[deque[bytes]] | None = None
    """What is being read while the pieces are sent."""
    _reader: ThreadPoolExecutor | None = None
    _sent: int = 0

    def __attrs_post_init__(self) -> None:
        self._read_ahead()

    def _read_ahead(self) -> None:
        most = min(self.size - self._asked, _AHEAD_BYTES)
        if most:
            self._reader = self._reader or ThreadPoolExecutor(1, thread_name_prefix="magic-hour")
            self._ahead = self._reader.submit(_read, self._file, self.size, most)
            self._asked += most

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._sent:
            self._on_bytes(self._sent, self.size)
        if self._sent == self.size:
            raise StopAsyncIteration
        if not self._pieces and self._ahead is not None:
            ahead = self._ahead
            self._pieces = ahead.result() if ahead.done() else await run_in_thread(ahead.result, abandon_on_cancel=True)
            self._ahead = None
            self._read_ahead()
        if not self._pieces:
            raise cut_short()
        piece = self._pieces.popleft()
        self._sent += len(piece)
        return piece

    async def wait(self) -> None:
        """Return once nothing reads the file any more."""
        if self._ahead is not None and not self._ahead.cancel():
            with suppress(Exception):  # its result is not needed any more
                await run_in_thread(self._ahead.result, abandon_on_cancel=True)

    def close(self) -> None:
        """Let the thread end."""
        if self._reader is not None:
            self._reader.shutdown(wait=False, cancel_futures=True)


@asynccontextmanager
async def reading(source: Source, on_bytes: OnBytes) -> AsyncIterator[Chunks]:
    """The pieces of a source, from its beginning."""
    with source.opened() as file:
        begun = _at_hand(source, file)
        size, pieces = (
            begun if begun is not None else await run_in_thread(partial(_begin, source, file), abandon_on_cancel=True)
        )
        chunks = Chunks(size, file, on_bytes, pieces, _at_first(size))
        try:
            yield chunks
        except Exception:
            await chunks.wait()  # a retry reads the same file
            raise
        finally:
            chunks.close()


def _at_hand(source: Source, file: IO[bytes]) -> tuple[int, deque[bytes]] | None:
    """The length of a source, and its first bytes, if they are in memory; None if the disk may have to be waited for.

    Switching to a thread and back takes longer than reading such a file, and much longer where many do it at once.
    """
    if type(file) is io.BytesIO:
        return _begin(source, file)
    if sys.platform != "linux" or source.path is None:
        return None
    size = os.fstat(file.fileno()).st_size
    if not 0 < size <= _AT_HAND_BYTES:
        return None
    content = bytearray(size)
    try:
        read = os.preadv(file.fileno(), [content], 0, os.RWF_NOWAIT)
    except (AttributeError, OSError):  # not in memory; or this kernel or file system cannot tell
        return None
    if read < size:
        return None
    source.size = size
    return size, _read(io.BytesIO(content), size, size)


def _begin(source: Source, file: IO[bytes]) -> tuple[int, deque[bytes]]:
    """The length of a source, and its first bytes."""
    size = source.prepare()
    return size, _read(file, size, _at_first(size))


def _at_first(size: int) -> int:
    return size if size <= _WHOLE_BYTES else _AHEAD_BYTES


def _read(file: IO[bytes], size: int, most: int) -> deque[bytes]:
    """The next bytes of a file of `size`, at most `most`, in the pieces in which they are sent."""
    pieces: deque[bytes] = deque()
    piece = chunk_bytes(size, _LARGEST_PIECE)
    while most and (read := read_chunk(file, min(piece, most))):
        pieces.append(read)
        most -= len(read)
    return pieces
