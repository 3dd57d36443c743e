"""A client that waits without taking time: it uses the emulator's frozen clock, and sleeping advances that clock.

Rule: sockets, files and responses are real; only time is not. While a fault is pending that silences a connection
forever, responses are awaited only for a moment of real time; the rest of the timeout passes on the clock. A slow
machine changes nothing.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from magic_hour_client.errors import RequestTimeout
from magic_hour_client.types import Request
from magic_hour_emulator import Emulator
from magic_hour_workflows import Client
from magic_hour_workflows._backend import OnBytes
from magic_hour_workflows._partial_download import PartialDownload
from magic_hour_workflows._sources import Source
from magic_hour_workflows._storage_http import INACTIVITY_SECONDS
from magic_hour_workflows._sync_backend import SyncBackend

SILENT = frozenset({"hang", "stall", "upload_stall"})
MOMENT_SECONDS = 0.3
PATIENCE_SECONDS = 30.0
TIMEOUT = 300.0


class VirtualIO(SyncBackend):
    """`SyncBackend` on the emulator's clock, with its own random numbers."""

    def __init__(self, transport: Any, emulator: Emulator, numbers: random.Random) -> None:
        super().__init__(transport, max_parallel=1)  # one after another, so that a fault always hits the same one
        self._emulator = emulator
        self._clock = emulator.clock
        self._random_numbers = numbers

    async def send(self, request: Request[Any], deadline: float, *more: Any) -> Any:
        with self._patience(deadline) as seconds:
            return await super().send(request, self.now() + seconds, *more)

    async def put(self, url: str, source: Source, deadline: float, on_bytes: OnBytes) -> None:
        with self._patience(min(deadline, self.now() + INACTIVITY_SECONDS)) as seconds:
            await super().put(url, source, time.monotonic() + seconds, on_bytes)

    async def fetch(self, url: str, target: PartialDownload, deadline: float, on_bytes: OnBytes) -> Path:
        with self._patience(min(deadline, self.now() + INACTIVITY_SECONDS)) as seconds:
            return await super().fetch(url, target, time.monotonic() + seconds, on_bytes)

    @contextmanager
    def _patience(self, deadline: float) -> Iterator[float]:
        patience = MOMENT_SECONDS if impatient(self._emulator) else PATIENCE_SECONDS
        try:
            yield min(patience, deadline - self.now())
        except RequestTimeout:
            self._clock.advance(max(0.0, deadline - self.now()))
            raise

    async def sleep(self, seconds: float) -> None:
        self._clock.advance(seconds)

    def now(self) -> float:
        return self._clock.now()

    def utc(self) -> datetime:
        return datetime.fromtimestamp(self.now(), UTC)

    def random(self) -> float:
        return self._random_numbers.random()


def impatient(emulator: Emulator) -> bool:
    """Whether a connection may fall silent forever."""
    return any(fault.kind in SILENT for fault in emulator.faults.pending)


class VirtualClient(Client):
    """A `Client` on the emulator's clock."""

    def __init__(self, emulator: Emulator, numbers: random.Random) -> None:
        super().__init__(token=emulator.token, base_url=emulator.url, timeout=TIMEOUT)
        self.runner.backend = VirtualIO(self._transport, emulator, numbers)
