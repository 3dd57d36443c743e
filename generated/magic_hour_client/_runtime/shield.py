"""A paid call in flight may finish although the task around it was cancelled.

Rule: the cancellation is never swallowed, only delayed by a bounded time, and it carries the outcome of the call. It
does not wait for a call of which nothing was sent yet.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import anyio.lowlevel
import attrs

T = TypeVar("T")


@attrs.define
class _Work:
    """Work that a cancellation ends until `hold` is called, and from then on only after `seconds` more."""

    seconds: float
    scope: anyio.CancelScope = attrs.field(factory=anyio.CancelScope)
    cancelled: bool = False
    done: anyio.Event = attrs.field(factory=anyio.Event)
    results: list[object] = attrs.field(factory=list)
    error: Exception | None = None

    def hold(self) -> None:
        self.scope.shield = True
        self.limit()

    def limit(self) -> None:
        if self.cancelled and self.scope.shield:
            self.scope.deadline = anyio.current_time() + self.seconds

    async def run(self, work: Callable[[Callable[[], None]], Awaitable[object]]) -> None:
        try:
            with self.scope:
                self.results.append(await work(self.hold))
        except Exception as error:  # noqa: BLE001  (it is raised again by `shielded`)
            self.error = error
        finally:
            self.done.set()


async def shielded(work: Callable[[Callable[[], None]], Awaitable[T]], seconds: float) -> T:
    """Run `work` to its end; once it has called the function it is given, even if this task is cancelled meanwhile,
    and then for at most `seconds` more.

    Raises:
        the cancellation, with the result of the work as its attribute `result` or its error as `failure`, if it came
        to one, or with a true `unsent` if the work has not called that function; otherwise whatever `work` raises.
    """
    state = _Work(seconds)
    # Outside of the group, because on trio leaving a group raises another cancellation than the one that came in.
    try:
        await anyio.lowlevel.checkpoint()
        async with anyio.create_task_group() as group:
            group.start_soon(state.run, work)
            try:
                await state.done.wait()
            except anyio.get_cancelled_exc_class():
                state.cancelled = True
                state.limit()
                raise
    except anyio.get_cancelled_exc_class() as cancelled:
        if not state.scope.shield:
            cancelled.unsent = True  # type: ignore[attr-defined]
        for result in state.results:
            cancelled.result = result  # type: ignore[attr-defined]
        if state.error is not None:
            cancelled.failure = state.error  # type: ignore[attr-defined]
        raise
    if state.error is not None:
        raise state.error
    answer: T = state.results[0]  # type: ignore[assignment]
    return answer
