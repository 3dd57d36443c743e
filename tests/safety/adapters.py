"""The two adapters alone, without a client: for servers that no emulator would be."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import anyio

from magic_hour_client._runtime.settings import settings
from magic_hour_client._runtime.transport import AsyncTransport, SyncTransport
from magic_hour_workflows._async_backend import AsyncBackend
from magic_hour_workflows._backend import Backend, run_sync
from magic_hour_workflows._sync_backend import SyncBackend

Use = Callable[[Backend], Coroutine[Any, Any, Any]]


def nothing(done: int, total: int | None) -> None:
    """Nobody listens."""


class Adapter:
    """Runs a piece of work with one of the adapters: "sync", "asyncio" or "trio"."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, use: Use, base_url: str = "https://api.example") -> Any:
        checked = settings("canary-key", base_url, 30, allow_http=False)
        if self.name == "sync":
            transport = SyncTransport(checked)
            try:
                return run_sync(use(SyncBackend(transport, 4)))
            finally:
                transport.close()
        return anyio.run(self._main, use, checked, backend=self.name)

    @staticmethod
    async def _main(use: Use, checked: Any) -> Any:
        transport = AsyncTransport(checked)
        try:
            return await use(AsyncBackend(transport, 4))
        finally:
            await transport.close()
