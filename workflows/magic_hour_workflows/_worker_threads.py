"""Work that waits for the disk, done in threads, so that the event loop goes on: on asyncio and on trio.

Rule: the caller says what a cancellation does to the work, by the name of the function: it waits, or leaves it behind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread

T = TypeVar("T")


async def in_thread(function: Callable[[], T]) -> T:
    """The result of a function that writes, run in a thread.

    A cancellation waits until the thread has ended: what runs after it, such as removing the file that is being
    written, must not meet it at work. anyio's own, deadlines among them, wait beyond the return, so that what was done
    is told of; asyncio's are raised, and the task group sees to their waiting.
    """
    results: list[T] = []
    errors: list[Exception] = []

    async def work() -> None:
        try:
            results.append(await anyio.to_thread.run_sync(function))
        except Exception as error:  # noqa: BLE001  (raised below, outside of the group)
            errors.append(error)

    async with anyio.create_task_group() as group:
        group.cancel_scope.shield = True
        group.start_soon(work)
    if errors:
        raise errors[0]
    return results[0]


async def in_left_thread(function: Callable[[], T]) -> T:
    """The result of a function that reads, which a cancellation does not wait for: a stream may be silent for ever."""
    return await anyio.to_thread.run_sync(function, abandon_on_cancel=True)
