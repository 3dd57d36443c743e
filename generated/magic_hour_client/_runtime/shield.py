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
class Outcome:
    """The outcome of the work: a result, an error, or neither yet."""

    done: anyio.Event = attrs.field(factory=anyio.Event)
    results: list[object] = attrs.field(factory=list)
    error: Exception | None = None


class Shield:
    """Around the work: open until `hold` is called, from then on closed for at most `seconds` after a cancellation."""

    def __init__(self, seconds: float) -> None:
        self.scope: anyio.CancelScope = anyio.CancelScope()
        self._seconds = seconds
        self._cancelled = False

    def hold(self) -> None:
        """From now on the work must not be torn down."""
        self.scope.shield = True
        self._limit()

    def cancelled(self) -> None:
        """The task around it was cancelled."""
        self._cancelled = True
        self._limit()

    def _limit(self) -> None:
        if self._cancelled and self.scope.shield:
            self.scope.deadline = anyio.current_time() + self._seconds


async def shielded(work: Callable[[Callable[[], None]], Awaitable[T]], seconds: float) -> T:
    """Run `work` to its end; once it has called the function it is given, even if this task is cancelled meanwhile,
    and then for at most `seconds` more.

    Raises:
        the cancellation, with the result of the work as its attribute `result` or its error as `failure`, if it came
        to one, or with a true `unsent` if the work has not called that function; otherwise whatever `work` raises.
    """
    await _begin()
    outcome = Outcome()
    shield = Shield(seconds)
    # Outside of the group, because on trio leaving a group raises another cancellation than the one that came in.
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(_run, work, shield, outcome)
            try:
                await outcome.done.wait()
            except anyio.get_cancelled_exc_class():
                shield.cancelled()
                raise
    except anyio.get_cancelled_exc_class() as cancelled:
        if not shield.scope.shield:
            cancelled.unsent = True  # type: ignore[attr-defined]
        for result in outcome.results:
            cancelled.result = result  # type: ignore[attr-defined]
        if outcome.error is not None:
            cancelled.failure = outcome.error  # type: ignore[attr-defined]
        raise
    if outcome.error is not None:
        raise outcome.error
    answer: T = outcome.results[0]  # type: ignore[assignment]
    return answer


async def _begin() -> None:
    try:
        await anyio.lowlevel.checkpoint()
    except anyio.get_cancelled_exc_class() as cancelled:
        cancelled.unsent = True  # type: ignore[attr-defined]
        raise


async def _run(work: Callable[[Callable[[], None]], Awaitable[object]], shield: Shield, outcome: Outcome) -> None:
    try:
        with shield.scope:
            outcome.results.append(await work(shield.hold))
    except Exception as error:  # noqa: BLE001  (it is raised again by `shielded`)
        outcome.error = error
    finally:
        outcome.done.set()
