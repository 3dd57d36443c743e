"""Waiting for an event: who waits for which job, and how an event that arrives in one thread wakes a caller in another.

Rule: an event only says when to ask. What it says about a job is never taken for the answer of the API.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ._events import WebhookEvent


class Signal:
    """A flag that any thread may set, and that sync and async callers can sleep on."""

    def __init__(self) -> None:
        self._flag = threading.Event()
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], object]] = []

    def is_set(self) -> bool:
        return self._flag.is_set()

    def set(self) -> None:
        with self._lock:
            self._flag.set()
            callbacks = list(self._callbacks)
        for callback in callbacks:
            callback()

    def wait(self, seconds: float) -> None:
        """Block until it is set, at most this long."""
        self._flag.wait(seconds)

    @contextmanager
    def calling(self, callback: Callable[[], object]) -> Iterator[None]:
        """Call `callback` in the thread that sets the flag, or now if it is set."""
        with self._lock:
            self._callbacks.append(callback)
        try:
            if self.is_set():
                callback()
            yield
        finally:
            with self._lock:
                self._callbacks.remove(callback)


class Watch:
    """What one caller waits for: the end of a job, or any event of the job with a name."""

    def __init__(self) -> None:
        self.signal = Signal()
        self.event: WebhookEvent | None = None
        """The event that came, unless it came before the watch began."""

    def notify(self, event: WebhookEvent | None = None) -> None:
        """Wake the caller."""
        self.event = self.event or event
        self.signal.set()


class Watches:
    """All that callers wait for. Not thread-safe by itself."""

    def __init__(self) -> None:
        self._by_id: dict[str, list[Watch]] = {}
        self._by_name: dict[str, list[Watch]] = {}

    def add(self, watch: Watch, *, id: str | None = None, name: str | None = None) -> None:
        if id is not None:
            self._by_id.setdefault(id, []).append(watch)
        if name is not None:
            self._by_name.setdefault(name, []).append(watch)

    def remove(self, watch: Watch, *, id: str | None = None, name: str | None = None) -> None:
        for watches, key in ((self._by_id, id), (self._by_name, name)):
            if key is not None:
                watches[key].remove(watch)
                if not watches[key]:
                    del watches[key]

    def notify(self, event: WebhookEvent) -> None:
        """Wake whoever waits for this."""
        if event.ends_job:
            for watch in self._by_id.get(event.id or "", ()):
                watch.notify(event)
        for watch in self._by_name.get(event.name or "", ()) if event.id else ():
            watch.notify(event)
