"""The outside world for sync code: every method does its work before it returns, so flows never suspend.

Rule: no decisions. Network calls keep to their deadline down to the socket, and workers of `map` notice within a
quarter of a second that they should stop. What only transfers need is loaded by the first transfer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any, TypeVar

import httpx

from magic_hour_client._runtime.deadline import timeouts
from magic_hour_client._runtime.log_filter import redact_logs_of
from magic_hour_client._runtime.transport import SyncTransport
from magic_hour_client.types import Request

from ._backend import CHANCE, BeforeSending, OnBytes, run_sync

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

    from magic_hour_client._runtime.send_trace import SendTrace

    from ._partial_download import PartialDownload
    from ._sources import Source
    from ._storage_http import Timeouts
    from .webhooks._watches import Signal

_GLANCE_SECONDS = 0.25
_LARGEST_PIECE = 256 * 1024
"""Bytes of a file sent at a time: what was just read is still in the processor's cache when it is sent."""
T = TypeVar("T")
Item = TypeVar("Item")

_stop: ContextVar[threading.Event | None] = ContextVar("stop", default=None)
"""Set only in the threads of `map`, which end with it; the caller's threads never have one."""


class SyncBackend:
    """A `Backend` that waits for everything."""

    def __init__(self, transport: SyncTransport, max_parallel: int) -> None:
        self._transport = transport
        self._max_parallel = max_parallel
        redact_logs_of(SyncBackend.put)
        redact_logs_of(SyncBackend.fetch)

    async def send(
        self,
        request: Request[T],
        deadline: float,
        before_sending: BeforeSending | None = None,
        trace: SendTrace | None = None,
    ) -> T:
        timeout = max(deadline - self.now(), 0.001)
        ask = None if before_sending is None else lambda: run_sync(before_sending())
        return self._transport.send(request, timeout=timeout, before_sending=ask, trace=trace, stopped=_stopped())

    async def put(self, url: str, source: Source, deadline: float, on_bytes: OnBytes) -> None:
        from ._storage_http import answer_headers, check_put, is_empty, network_errors, put_request

        size = source.prepare()
        with network_errors(f"upload of {source.name}"), source.opened() as file:
            response = self._send(put_request(url, _Chunks(file, size, on_bytes), size, self._timeouts(deadline)))
            try:
                headers = answer_headers(response)
                if is_empty(headers):
                    response.read()
                check_put(response.status_code, headers)
            finally:
                response.close()

    async def fetch(self, url: str, target: PartialDownload, deadline: float, on_bytes: OnBytes) -> Path:
        from ._storage_http import answer_headers, fetch_request, network_errors

        with network_errors(f"download of {target.name}"):
            while True:
                response = self._send(fetch_request(url, target.request_headers(), self._timeouts(deadline)))
                try:
                    next_url = target.begin(url, response.status_code, answer_headers(response))
                    if next_url is None:
                        for chunk in response.iter_raw():
                            target.write(chunk)
                            on_bytes(target.received, target.total)
                        return target.finish()
                    url = next_url
                finally:
                    response.close()

    def _timeouts(self, deadline: float) -> Timeouts:
        from ._storage_http import INACTIVITY_SECONDS

        return timeouts(INACTIVITY_SECONDS, deadline, _stopped())

    def _send(self, request: httpx.Request) -> httpx.Response:
        client = self._transport.client(secure=request.url.scheme == "https", storage=True)
        return client.send(request, stream=True, follow_redirects=False, auth=None)

    async def sleep(self, seconds: float, signal: Signal | None = None) -> None:
        if signal is not None:
            signal.wait(seconds)
            return
        stop = _stop.get()
        if stop is None:
            time.sleep(seconds)  # noqa: ASYNC251  (blocking is what this adapter is for)
        elif stop.wait(seconds):
            raise Stopped

    async def map(self, work: Callable[[Item], Coroutine[Any, Any, T]], items: Sequence[Item]) -> list[T]:
        if len(items) < 2:
            return [await work(item) for item in items]
        return _in_threads(lambda item: run_sync(work(item)), items, self._max_parallel)

    async def run_in_thread(
        self, function: Callable[[], T], *, abandon_on_cancel: bool = False, deadline: float | None = None
    ) -> T:
        return function()

    def now(self) -> float:
        return time.monotonic()

    def utc(self) -> datetime:
        return datetime.now(UTC)

    def random(self) -> float:
        return CHANCE.random()


class _Chunks(httpx.SyncByteStream):
    """A file as the body of a request."""

    def __init__(self, file: IO[bytes], size: int, on_bytes: OnBytes) -> None:
        self.file = file
        self.size = size
        self.on_bytes = on_bytes

    def __iter__(self) -> Iterator[bytes]:
        from ._storage_http import chunk_bytes, cut_short
        from ._streams import read_chunk

        piece = chunk_bytes(self.size, _LARGEST_PIECE)
        sent = 0
        while sent < self.size:
            chunk = read_chunk(self.file, min(piece, self.size - sent))
            if not chunk:
                raise cut_short()
            yield chunk
            sent += len(chunk)
            self.on_bytes(sent, self.size)


class Stopped(Exception):
    """A worker was stopped because another one failed."""


def _stopped() -> Callable[[], bool] | None:
    stop = _stop.get()
    return None if stop is None else stop.is_set


def _in_threads(work: Callable[[Item], T], items: Sequence[Item], workers: int) -> list[T]:
    """The results in order; the first failure in time stops the others and is raised."""
    from concurrent.futures import ThreadPoolExecutor

    stop = threading.Event()

    def run(item: Item) -> T:
        _stop.set(stop)
        if stop.is_set():
            raise Stopped
        return work(item)

    with ThreadPoolExecutor(min(workers, len(items)), thread_name_prefix="magic-hour") as pool:
        futures: list[Future[T]] = []
        try:
            futures += [pool.submit(run, item) for item in items]
            _wait_for_all(futures)
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
        return [future.result() for future in futures]


def _wait_for_all(futures: Sequence[Future[T]]) -> None:
    """Return when all are done; raise the first failure as soon as it happens."""
    from concurrent.futures import FIRST_EXCEPTION, wait

    running = set(futures)
    while running:
        # With a limit, because on Windows an unlimited wait does not notice Ctrl-C.
        done, running = wait(running, timeout=_GLANCE_SECONDS, return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()
