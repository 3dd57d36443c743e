"""Coroutines on a virtual clock, interleaved as the seed decides.

Rule: nothing happens by itself. A task continues only when the scheduler picks it; among tasks that are due at the same
time, the seed decides.
"""

from __future__ import annotations

import heapq
import types
from collections.abc import Coroutine, Generator, Sequence
from itertools import count
from random import Random
from typing import Any


class Cancelled(BaseException):
    """A cancellation, as an event loop throws it in."""


class CtrlC(KeyboardInterrupt):
    """A Ctrl-C of the simulated user; a real one is not caught."""


class Task:
    """A running coroutine."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], name: str) -> None:
        self.coroutine = coroutine
        self.name = name
        self.done = False
        self.result: Any = None
        self.error: BaseException | None = None
        self.thrown: BaseException | None = None
        self.turn = 0
        self.waiters: list[tuple[Task, int]] = []


class Scheduler:
    """Decides which task continues, and keeps the time."""

    def __init__(self, random: Random) -> None:
        self.clock = 0.0
        self._random = random
        self._queue: list[tuple[float, float, int, Task, int]] = []
        self._order = count()
        self._current: Task | None = None

    @property
    def current(self) -> Task:
        assert self._current is not None
        return self._current

    def spawn(self, coroutine: Coroutine[Any, Any, Any], name: str) -> Task:
        task = Task(coroutine, name)
        self._wake(task, self.clock, task.turn)
        return task

    def cancel(self, task: Task, error: BaseException) -> None:
        """Throw `error` in where the task is suspended."""
        if not task.done:
            task.thrown = error
            self._wake(task, self.clock, task.turn)

    async def sleep(self, seconds: float) -> None:
        self._wake(self.current, self.clock + seconds, self.current.turn)
        await _suspend()

    async def wait(self, tasks: Sequence[Task], until: float | None = None) -> None:
        """Return when one of the tasks is done, or at a certain time."""
        if any(task.done for task in tasks):
            return
        me = self.current
        for task in tasks:
            task.waiters.append((me, me.turn))
        if until is not None:
            self._wake(me, until, me.turn)
        await _suspend()

    def run(self) -> None:
        """Run until all tasks are done."""
        while self._queue:
            when, _, _, task, turn = heapq.heappop(self._queue)
            if task.done or turn != task.turn:
                continue  # woken by something else in the meantime
            self.clock = max(self.clock, when)
            self._step(task)

    def _wake(self, task: Task, when: float, turn: int) -> None:
        heapq.heappush(self._queue, (max(when, self.clock), self._random.random(), next(self._order), task, turn))

    def _step(self, task: Task) -> None:
        self._current = task
        task.turn += 1
        error, task.thrown = task.thrown, None
        try:
            if error is not None:
                task.coroutine.throw(error)
            else:
                task.coroutine.send(None)
            return
        except StopIteration as finished:
            task.result = finished.value
        except (Exception, Cancelled, CtrlC) as failure:  # noqa: BLE001  (handed to whoever waits)
            task.error = failure
        task.done = True
        for waiter, turn in task.waiters:
            self._wake(waiter, self.clock, turn)


@types.coroutine
def _suspend() -> Generator[None, None, None]:
    yield
