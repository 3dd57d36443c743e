"""Who watches the emulator now: the event streams that have to end when it stops.

Rule: a viewer costs a timer while it watches, no thread, and nothing afterwards.
"""

import asyncio
import threading
from contextlib import suppress

__all__ = ["Viewer", "Viewers"]


class Viewer:
    """One event stream. Made and used in the event loop of its server, except for `release`."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()

    async def pause(self, seconds: float) -> bool:
        """Wait a moment; False if the stream has to end."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), seconds)
        return not self._over.is_set()

    def release(self) -> None:
        """End the stream. From any thread, at any time."""
        with suppress(RuntimeError):  # the loop has ended, and the stream with it
            self._loop.call_soon_threadsafe(self._over.set)


class Viewers:
    """The event streams that are open. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[Viewer] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._open)

    def add(self, viewer: Viewer) -> None:
        """Add a stream; it ends at once if the emulator is stopping."""
        with self._lock:
            self._open.add(viewer)
            closed = self._closed
        if closed:
            viewer.release()

    def discard(self, viewer: Viewer) -> None:
        """Forget a stream that has ended."""
        with self._lock:
            self._open.discard(viewer)

    def close(self) -> None:
        """End all streams, and those that are still to come."""
        with self._lock:
            self._closed = True
            still_open = list(self._open)
        for viewer in still_open:
            viewer.release()
