"""Running handlers in the background, so that the answer to the service never waits for one.

An async handler runs as a task in the event loop in which its event was received, on asyncio or trio. Everything else
runs in threads; an async handler of a program without an event loop gets one of its own for each call.

Rule: a handler that fails is logged and reported, and ends nothing but itself.
"""

from __future__ import annotations

import inspect
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import sniffio

from ._events import WebhookEvent

if TYPE_CHECKING:
    import asyncio

Handler: TypeAlias = Callable[[WebhookEvent], object]
OnError: TypeAlias = Callable[[WebhookEvent, BaseException], object]

_THREADS = 8
"""Handlers at a time, of those that run in threads."""
logger = logging.getLogger("magic_hour_workflows")


class Handlers:
    """Starts handlers and knows how many have not finished."""

    def __init__(self, on_error: OnError | None) -> None:
        self._on_error = on_error
        self._threads: ThreadPoolExecutor | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._in_loop = 0
        self._running = 0
        self._changed = threading.Condition()

    @property
    def running(self) -> int:
        """How many were started and have not finished."""
        return self._running

    def start(self, handler: Handler, event: WebhookEvent) -> None:
        """Run a handler in the background."""
        loop = current_loop() if _is_async(handler) else None
        with self._changed:
            self._running += 1
            self._in_loop += loop is not None
        try:
            self._spawn(loop, handler, event)
        except Exception as error:  # noqa: BLE001  (no thread can be started; the event must not be lost in silence)
            self._failed(handler, event, error)
            self._finished(loop)

    def _spawn(self, loop: str | None, handler: Handler, event: WebhookEvent) -> None:
        if loop == "asyncio":
            import asyncio

            task = asyncio.get_running_loop().create_task(self._run_async(loop, handler, event))
            self._tasks.add(task)  # the loop itself keeps no reference that holds it
            task.add_done_callback(self._tasks.discard)
        elif loop == "trio":
            import trio

            trio.lowlevel.spawn_system_task(partial(self._run_async, loop, handler, event))
        else:
            self._pool().submit(self._run, handler, event)

    def _pool(self) -> ThreadPoolExecutor:
        with self._changed:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="magic-hour-webhooks")
            return self._threads

    def _run(self, handler: Handler, event: WebhookEvent) -> None:
        try:
            returned = handler(event)
            if inspect.isawaitable(returned):
                import asyncio

                asyncio.run(_awaited(returned))
        except BaseException as error:  # noqa: BLE001  (reported; it would end this thread alone)
            self._failed(handler, event, error)
        finally:
            self._finished(None)

    async def _run_async(self, loop: str, handler: Handler, event: WebhookEvent) -> None:
        try:
            returned: Any = handler(event)
            await returned
        except Exception as error:  # noqa: BLE001  (reported)
            self._failed(handler, event, error)
        except BaseException as error:  # canceled, because the event loop ends
            self._failed(handler, event, error)
            raise
        finally:
            self._finished(loop)

    def _finished(self, loop: str | None) -> None:
        with self._changed:
            self._running -= 1
            self._in_loop -= loop is not None
            self._changed.notify_all()

    def _failed(self, handler: Handler, event: WebhookEvent, error: BaseException) -> None:
        name = getattr(handler, "__qualname__", type(handler).__name__)
        logger.error("webhook handler %s did not finish %s of job %a", name, event.type, event.id, exc_info=error)
        if self._on_error is None:
            return
        try:
            self._on_error(event, error)
        except Exception:
            logger.exception("on_error raised for %s", event.type)

    def wait(self) -> None:
        """Wait until no handler runs.

        Raises:
            RuntimeError: some run in the event loop of this thread, which waiting would block.
        """
        if self._in_loop and current_loop() is not None:
            raise RuntimeError("handlers run in this event loop: use `await inbox.aclose()` or `async with`")
        with self._changed:
            self._changed.wait_for(lambda: self._running == 0)
        if self._threads is not None:
            self._threads.shutdown()


def current_loop() -> str | None:
    """The library of the event loop that runs in this thread, `asyncio` or `trio`; None without one."""
    try:
        return sniffio.current_async_library()
    except sniffio.AsyncLibraryNotFoundError:
        return None


def _is_async(handler: Handler) -> bool:
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None))  # noqa: B004


async def _awaited(value: Any) -> None:
    await value
