"""One scenario, three worlds: sync, asyncio and trio.

A scenario is a generator function of a client: it yields what the client's methods return, and receives the results or
the exceptions. So it is written once, and runs with `Client` and, awaited, with `AsyncClient`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any

import anyio
import httpx

from magic_hour_client._runtime.settings import settings
from magic_hour_client._runtime.transport import AsyncTransport, SyncTransport
from magic_hour_workflows import AsyncClient, Client
from magic_hour_workflows._async_backend import AsyncBackend
from magic_hour_workflows._backend import Backend, run_sync
from magic_hour_workflows._sync_backend import SyncBackend

MODES = ("sync", "asyncio", "trio")
KEY = "canary-key"
"""The API key of a backend without a client."""
Scenario = Callable[[Any], Generator[Any, Any, Any]]
UseBackend = Callable[[Backend], Coroutine[Any, Any, Any]]


class World:
    """A way to run scenarios."""

    kinds: tuple[Any, Any] = (Client, AsyncClient)

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_async = name != "sync"
        self.Client = self.kinds[self.is_async]
        self.HTTPClient: Any = httpx.AsyncClient if self.is_async else httpx.Client

    def __repr__(self) -> str:
        return self.name

    def run(self, scenario: Scenario, **options: Any) -> Any:
        """Run a scenario with a client made of `options`; what it returns is returned."""
        if not self.is_async:
            with self.Client(**options) as client:
                return run_sync(_drive(scenario(client)))

        async def main() -> Any:
            async with self.Client(**options) as client:
                return await _drive(scenario(client))

        return anyio.run(main, backend=self.name)

    def call(self, use: Callable[[Any], Any], **options: Any) -> Any:
        """The result of a single call."""
        return self.calls(use, **options)[0]

    def calls(self, *uses: Callable[[Any], Any], **options: Any) -> list[Any]:
        """The results of several calls, one after the other."""

        def scenario(client: Any) -> Generator[Any, Any, Any]:
            results = []
            for use in uses:
                results.append((yield partial(use, client)))
            return results

        return self.run(scenario, **options)

    def close(self, http: Any) -> None:
        """Close an HTTP client of this world."""
        anyio.run(http.aclose, backend=self.name) if self.is_async else http.close()

    def with_backend(self, use: UseBackend, base_url: str = "https://api.example", *, max_parallel: int = 4) -> Any:
        """Run a coroutine function with the backend alone, without a client."""
        checked = settings(KEY, base_url, 30, allow_http=False)

        async def main() -> Any:
            transport = AsyncTransport(checked)
            try:
                return await use(AsyncBackend(transport, max_parallel))
            finally:
                await transport.close()

        if self.is_async:
            return anyio.run(main, backend=self.name)
        transport = SyncTransport(checked)
        try:
            return run_sync(use(SyncBackend(transport, max_parallel)))
        finally:
            transport.close()


def ignore_bytes(done: int, total: int | None) -> None:
    """A listener for the bytes of a transfer that does nothing."""


async def _drive(steps: Generator[Any, Any, Any]) -> Any:
    send: Callable[[], Any] = partial(next, steps)
    while True:
        try:
            step = send()
        except StopIteration as finished:
            return finished.value
        try:
            value = step() if callable(step) else step
            send = partial(steps.send, await value if inspect.isawaitable(value) else value)
        except Exception as error:  # noqa: BLE001  (handed to the scenario)
            send = partial(steps.throw, error)
