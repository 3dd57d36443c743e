"""The outside world for async code: everything awaits, on asyncio and on trio; file work happens in threads.

Rule: no decisions. Each operation keeps to its deadline as a whole, and nothing blocks the event loop.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import IO, Any, TypeVar

import anyio
import anyio.to_thread
import attrs
import httpx

from magic_hour_client.bodies import close, unwind
from magic_hour_client.errors import connection_error
from magic_hour_client.transport import AsyncTransport
from magic_hour_client.types import Operation

from .errors import TransferFailed
from .files import Partial
from .io import OnBytes
from .sources import Source, read_chunk
from .wire import (
    answer_headers,
    check_put,
    chunk_bytes,
    cut_short,
    fetch_request,
    is_empty,
    network_errors,
    put_request,
)

T = TypeVar("T")
Item = TypeVar("Item")

_API_GATE = 16
"""Requests to the API at a time: a large connection pool is slower than a short queue in front of it. Creates have a
gate of their own, so that slow ones do not keep running jobs from being looked at."""
_TRANSFER_GATE = 8
"""Files on their way at a time, of all jobs of a client: more would only open connections to share the same line."""
_LARGEST_PIECE = 512 * 1024
"""Bytes of a file sent at a time: each piece costs a turn of the event loop, and has to go within the inactivity."""
_BUFFER_BYTES = 4 * 1024 * 1024
"""Bytes that a thread reads or writes at a time: going to a thread and back takes longer than a smaller piece."""


class AsyncIO:
    """An `IO` that awaits."""

    def __init__(self, transport: AsyncTransport, max_parallel: int) -> None:
        self._transport = transport
        self._max_parallel = max_parallel
        self._gates = {charges: anyio.Semaphore(_API_GATE) for charges in (True, False)}
        self._transfers = anyio.Semaphore(_TRANSFER_GATE)

    async def send(self, operation: Operation[T], deadline: float) -> T:
        gate = self._gates[operation.endpoint.charges_credits]
        await self._pass(gate, operation, deadline)
        try:
            return await self._transport.send(operation, timeout=max(self._left(deadline), 0.001))
        finally:
            gate.release()

    async def _pass(self, gate: anyio.Semaphore, operation: Operation[Any], deadline: float) -> None:
        try:
            with anyio.fail_after(self._left(deadline)):
                await gate.acquire()
        except TimeoutError as error:
            raise connection_error(operation.name, error, unsent=True) from None
        except anyio.get_cancelled_exc_class() as cancelled:
            if operation.endpoint.charges_credits:
                cancelled.unsent = True  # type: ignore[attr-defined]
            raise

    @asynccontextmanager
    async def _transfer(self, name: str, deadline: float) -> AsyncIterator[None]:
        """Around a transfer: its turn, its deadline, and its errors."""
        with network_errors(name), anyio.fail_after(self._left(deadline)):
            async with self._transfers:
                yield

    async def put(self, url: str, source: Source, deadline: float, on_bytes: OnBytes) -> None:
        async with self._transfer(f"upload of {source.name}", deadline):
            with source.opened() as file:
                # One way to a thread and back for a small file, however many things are done there.
                size, begin = await _in_left_thread(partial(_begin, source, file))
                response = await self._send(put_request(url, _Chunks(file, size, on_bytes, begin), size))
                try:
                    headers = answer_headers(response)
                    if is_empty(headers):
                        await response.aread()
                    check_put(response.status_code, headers)
                finally:
                    await close(response)

    async def fetch(self, url: str, target: Partial, deadline: float, on_bytes: OnBytes) -> None:
        async with self._transfer(f"download of {target.name}", deadline):
            next_url: str | None = url
            while next_url is not None:
                url = next_url
                response = await self._send(fetch_request(url, target.request_headers()))
                try:
                    next_url = target.begin(url, response.status_code, answer_headers(response))
                    if next_url is None:
                        await self._receive(response, target, on_bytes)
                finally:
                    await close(response)

    async def _receive(self, response: httpx.Response, target: Partial, on_bytes: OnBytes) -> None:
        gathered: list[bytes] = []

        def write(content: list[bytes]) -> None:
            for chunk in content:
                target.write(chunk)

        async def flush() -> None:
            content = gathered.copy()
            gathered.clear()
            await self.run(lambda: write(content))
            on_bytes(target.received, target.total)

        size = 0
        chunks = response.aiter_raw()
        try:
            async for chunk in chunks:
                gathered.append(chunk)
                size += len(chunk)
                if size >= _BUFFER_BYTES:
                    size = 0
                    await flush()
        except BaseException:
            await unwind(response, chunks)
            raise
        finally:
            # What arrived before a cut need not be fetched again.
            if gathered:
                await flush()
        target.check_complete()

    async def _send(self, request: httpx.Request) -> httpx.Response:
        client = self._transport.client(secure=request.url.scheme == "https", storage=True)
        return await client.send(request, stream=True, follow_redirects=False, auth=None)

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)

    async def map(self, work: Callable[[Item], Coroutine[Any, Any, T]], items: Sequence[Item]) -> list[T]:
        if len(items) < 2:
            return [await work(item) for item in items]
        results: dict[int, T] = {}
        failures: list[Exception] = []
        gate = anyio.Semaphore(self._max_parallel)

        async def run(number: int, item: Item) -> None:
            async with gate:
                try:
                    results[number] = await work(item)
                except Exception as error:  # noqa: BLE001  (raised below, outside of the group)
                    failures.append(error)
                    group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            for number, item in enumerate(items):
                group.start_soon(run, number, item)
        if failures:
            raise failures[0]
        return [results[number] for number in range(len(items))]

    async def run(self, function: Callable[[], T]) -> T:
        return await _in_thread(function)

    async def read(self, function: Callable[[], T], deadline: float) -> T:
        try:
            with anyio.fail_after(self._left(deadline)):
                return await _in_left_thread(function)
        except TimeoutError:
            raise TransferFailed("it could not be read in time", final=True) from None

    def _left(self, deadline: float) -> float:
        return deadline - self.now()

    def now(self) -> float:
        return time.monotonic()

    def utc(self) -> datetime:
        return datetime.now(UTC)

    def random(self) -> float:
        return random.random()


@attrs.define
class _Chunks(httpx.AsyncByteStream):
    """A file as the body of a request, read in a thread.

    An iterator and no generator: httpx does not close a generator that a cancellation leaves half-way.
    """

    file: IO[bytes]
    size: int
    on_bytes: OnBytes
    _read: deque[bytes]
    """What was read and is not sent yet."""
    sent: int = 0

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self.sent:
            self.on_bytes(self.sent, self.size)
        if self.sent == self.size:
            raise StopAsyncIteration
        if not self._read:
            self._read = await _in_left_thread(partial(_read_chunks, self.file, self.size, self.sent))
        if not self._read:
            raise cut_short()
        chunk = self._read.popleft()
        self.sent += len(chunk)
        return chunk


def _begin(source: Source, file: IO[bytes]) -> tuple[int, deque[bytes]]:
    """The length of a source, and its first bytes."""
    size = source.prepare()
    return size, _read_chunks(file, size, 0)


def _read_chunks(file: IO[bytes], size: int, sent: int) -> deque[bytes]:
    """The next bytes of a file, as many as a thread is sent for, in the pieces in which they are sent."""
    chunks: deque[bytes] = deque()
    piece, left = chunk_bytes(size, _LARGEST_PIECE), min(size - sent, _BUFFER_BYTES)
    while left and (chunk := read_chunk(file, min(piece, left))):
        chunks.append(chunk)
        left -= len(chunk)
    return chunks


async def _in_thread(function: Callable[[], T]) -> T:
    """The result of a function that waits for the disk, run in a thread.

    A cancellation waits until the thread has ended: what runs after it, such as removing the file that is being
    written, must not meet it at work. anyio sees to that for its own cancellations, the task group for asyncio's.
    """
    results: list[T] = []
    errors: list[Exception] = []

    async def work() -> None:
        try:
            results.append(await anyio.to_thread.run_sync(function))
        except Exception as error:  # noqa: BLE001  (raised below, outside of the group)
            errors.append(error)

    async with anyio.create_task_group() as group:
        group.start_soon(work)
    if errors:
        raise errors[0]
    return results[0]


async def _in_left_thread(function: Callable[[], T]) -> T:
    """The result of a function that reads, which a cancellation does not wait for: a stream may be silent for ever."""
    return await anyio.to_thread.run_sync(function, abandon_on_cancel=True)
