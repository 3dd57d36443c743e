"""The one switch that ends submitting: Ctrl-C, no credits left, a refused key, a full disk.

Rule: what waits at the switch has neither claimed nor sent anything, so nothing is lost by leaving it there.
"""

from __future__ import annotations

import threading

import anyio


class Halt:
    """Whether jobs may still be submitted, and who is waiting because they may not."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reason: str | None = None
        self.parked: set[str] = set()

    def __call__(self, reason: str) -> None:
        """Submit no more jobs. The first reason is kept."""
        with self._lock:
            self.reason = self.reason or reason

    async def gate(self, key: str) -> None:
        """Let a row through to its submission, or keep it here until the run ends."""
        if self.reason is not None:
            self.parked.add(key)
            try:
                await anyio.sleep_forever()
            finally:
                self.parked.discard(key)
