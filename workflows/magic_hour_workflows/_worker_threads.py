"""Blocking work in threads, so that the event loop keeps running: on asyncio and on trio.

Rule: the caller says what a cancellation does to the work: wait for it, or abandon it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread

T = TypeVar("T")


async def run_in_thread(function: Callable[[], T], *, abandon_on_cancel: bool = False) -> T:
    """The result of a function, run in a thread.

    With `abandon_on_cancel` a cancellation leaves it running: a stream that is read may be silent forever. Without,
    a cancellation waits until the thread has ended: what runs after it, such as removing the file that is being
    written, must not meet it at work. anyio's own, deadlines among them, wait beyond the return, so that what was done
    is reported; asyncio's are raised, and the task group sees to their waiting.
    """
    if abandon_on_cancel:
        return await anyio.to_thread.run_sync(function, abandon_on_cancel=True)
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
