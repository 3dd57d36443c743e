"""The outside world for async code: everything awaits, on asyncio and on trio; file work happens in threads.

Rule: no decisions. Each operation keeps to its deadline as a whole, and nothing blocks the event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio
import httpx
import sniffio

from magic_hour_client._runtime.bodies import close, unwind
from magic_hour_client._runtime.errors import connection_error
from magic_hour_client._runtime.log_filter import redact_logs_of
from magic_hour_client._runtime.send_trace import SendTrace
from magic_hour_client._runtime.transport import AsyncTransport
from magic_hour_client.types import Request

from ._backend import CHANCE, BeforeSending, OnBytes
from ._file_stream import reading, run_in_thread
from ._partial_download import PartialDownload
from ._sources import Source
from ._storage_http import answer_headers, check_put, fetch_request, is_empty, network_errors, put_request
from ._streams import late
from .webhooks._watches import Signal

T = TypeVar("T")
Item = TypeVar("Item")

_API_GATE = 12
"""Requests to the API at a time: a large connection pool is slower than a short queue in front of it. Creates have a
gate of their own, so that slow ones do not keep running jobs from being polled."""
_TRANSFER_GATE = 8
"""Files transferred at a time, for all jobs of a client: more connections would only share the same bandwidth."""
_BUFFER_BYTES = 4 * 1024 * 1024
"""Bytes that a thread writes at a time: switching to a thread and back takes longer than writing a smaller piece."""


class AsyncBackend:
    """A `Backend` that awaits."""

    def __init__(self, transport: AsyncTransport, max_parallel: int) -> None:
        self._transport = transport
        self._max_parallel = max_parallel
        self._gates = {charges: anyio.Semaphore(_API_GATE) for charges in (True, False)}
        self._transfers = anyio.Semaphore(_TRANSFER_GATE)
        redact_logs_of(AsyncBackend.put)
        redact_logs_of(AsyncBackend.fetch)

    async def send(
        self,
        request: Request[T],
        deadline: float,
        before_sending: BeforeSending | None = None,
        trace: SendTrace | None = None,
    ) -> T:
        gate = self._gates[request.endpoint.charges_credits]
        try:
            await self._pass(gate, request.name, deadline)
        except anyio.get_cancelled_exc_class() as cancelled:
            if request.endpoint.charges_credits:
                cancelled.unsent = True  # type: ignore[attr-defined]
            raise
        try:
            timeout = max(self._left(deadline), 0.001)
            return await self._transport.send(request, timeout=timeout, before_sending=before_sending, trace=trace)
        finally:
            gate.release()

    async def _pass(self, gate: anyio.Semaphore, name: str, deadline: float) -> None:
        try:
            with anyio.fail_after(self._left(deadline)):
                await gate.acquire()
        except TimeoutError as error:
            raise connection_error(name, error, unsent=True) from None

    @asynccontextmanager
    async def _transfer(self, name: str, deadline: float) -> AsyncIterator[None]:
        """Wrap a transfer: wait for its turn, keep its deadline, translate its errors."""
        await self._pass(self._transfers, name, deadline)
        try:
            with network_errors(name), anyio.fail_after(self._left(deadline)):
                yield
        finally:
            self._transfers.release()

    async def put(self, url: str, source: Source, deadline: float, on_bytes: OnBytes) -> None:
        async with self._transfer(f"upload of {source.name}", deadline), reading(source, on_bytes) as chunks:
            response = await self._send(put_request(url, chunks, chunks.size))
            try:
                headers = answer_headers(response)
                if is_empty(headers):
                    await response.aread()
                check_put(response.status_code, headers)
            finally:
                await close(response)

    async def fetch(self, url: str, target: PartialDownload, deadline: float, on_bytes: OnBytes) -> Path:
        async with self._transfer(f"download of {target.name}", deadline):
            while True:
                response = await self._send(fetch_request(url, target.request_headers()))
                try:
                    next_url = target.begin(url, response.status_code, answer_headers(response))
                    if next_url is None:
                        return await self._receive(response, target, on_bytes)
                    url = next_url
                finally:
                    await close(response)

    async def _receive(self, response: httpx.Response, target: PartialDownload, on_bytes: OnBytes) -> Path:
        gathered: list[bytes] = []
        size = 0
        chunks = response.aiter_raw()
        try:
            async for chunk in chunks:
                gathered.append(chunk)
                size += len(chunk)
                if size >= _BUFFER_BYTES:
                    content, gathered, size = gathered, [], 0
                    await run_in_thread(partial(_write, target, content))
                    on_bytes(target.received, target.total)
        except BaseException:
            await unwind(response, chunks)
            if gathered:  # what arrived before a cut need not be fetched again
                await run_in_thread(partial(_write, target, gathered))
                on_bytes(target.received, target.total)
            raise
        path = await run_in_thread(partial(_finish, target, gathered))
        on_bytes(target.received, target.total)
        return path

    async def _send(self, request: httpx.Request) -> httpx.Response:
        client = self._transport.client(secure=request.url.scheme == "https", storage=True)
        return await client.send(request, stream=True, follow_redirects=False, auth=None)

    async def sleep(self, seconds: float, signal: Signal | None = None) -> None:
        if signal is None:
            await anyio.sleep(seconds)
            return
        woken = anyio.Event()
        with signal.calling(_from_any_thread(woken.set)), anyio.move_on_after(seconds):
            await woken.wait()

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

    async def run_in_thread(
        self, function: Callable[[], T], *, abandon_on_cancel: bool = False, deadline: float | None = None
    ) -> T:
        if deadline is None:
            return await run_in_thread(function, abandon_on_cancel=abandon_on_cancel)
        try:
            with anyio.fail_after(self._left(deadline)):
                return await run_in_thread(function, abandon_on_cancel=abandon_on_cancel)
        except TimeoutError:
            raise late() from None

    def _left(self, deadline: float) -> float:
        return deadline - self.now()

    def now(self) -> float:
        return time.monotonic()

    def utc(self) -> datetime:
        return datetime.now(UTC)

    def random(self) -> float:
        return CHANCE.random()


def _from_any_thread(function: Callable[[], object]) -> Callable[[], None]:
    """Calls `function` in the event loop of this task, from whatever thread; does nothing once the loop has ended."""
    later: Callable[[Callable[[], object]], object]
    if sniffio.current_async_library() == "trio":
        import trio

        later = trio.lowlevel.current_trio_token().run_sync_soon
    else:
        later = asyncio.get_running_loop().call_soon_threadsafe

    def call() -> None:
        with suppress(RuntimeError):  # also trio's RunFinishedError
            later(function)

    return call


def _write(target: PartialDownload, chunks: Sequence[bytes]) -> None:
    for chunk in chunks:
        target.write(chunk)


def _finish(target: PartialDownload, chunks: Sequence[bytes]) -> Path:
    _write(target, chunks)
    return target.finish()
