"""What every exchange of a call needs: the shared world, the virtual clock, and a record of what really happened.

Rule: all time passes in `_pass`, where a call may be interrupted; every exchange is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from random import Random
from typing import Any

import attrs
import httpx

from magic_hour_client._runtime.send_trace import SendTrace
from magic_hour_workflows._job_log.log import JobLog
from magic_hour_workflows._job_log.store import MemoryStore
from magic_hour_workflows._storage_http import INACTIVITY_SECONDS
from magic_hour_workflows.errors import TransferFailed

from .faults import UNWRITTEN, Fault, Phase, Weather
from .scheduler import Scheduler
from .service import BASE_URL, Service
from .storage import START, Storage

RUNAWAY = 10_000
"""This many exchanges end a call, because a bug may make them go on forever."""


@attrs.define(eq=False)
class World:
    """The state that all calls of a run share."""

    random: Random
    scheduler: Scheduler
    weather: Weather
    storage: Storage
    service: Service
    trace: list[str] = attrs.field(factory=list)
    reached: set[str] = attrs.field(factory=set)
    job_log: JobLog = attrs.field(factory=lambda: JobLog(store=MemoryStore(), service=BASE_URL))
    """That of all users."""

    def note(self, who: str, what: str) -> None:
        self.trace.append(f"{self.scheduler.clock:12.4f}  {who:10}  {what}")


@attrs.define(eq=False)
class Exchange:
    """One attempt at a request, as it really was."""

    what: str
    charges: bool
    task: str
    target: str
    began: float
    left: float
    """Seconds until the deadline of the whole call."""
    fault: Fault | None
    sent: bool = False
    accepted: str | None = None
    """The id of the job, if the service accepted one."""
    status: int | None = None
    """The status that the caller received; None if nothing arrived."""
    retry_after: float | None = None
    expired: bool = False
    answer: Any = None
    """The parsed response."""
    ended: float | None = None


class Environment:
    """The clock and the record of one call."""

    def __init__(self, world: World, who: str, random: Random, *, blocking: bool) -> None:
        self.world = world
        self.who = who
        self.blocking = blocking
        self.exchanges: list[Exchange] = []
        self.sleeps: list[tuple[float, float, str]] = []
        self.deadline = float("inf")
        self.steps = 0
        self.interrupt_at: int | None = None
        self.interrupt_create_at: int | None = None
        """The step of the call, or of its create, at which to interrupt it."""
        self.interrupt: Callable[[], None] = lambda: None
        self._random = random
        self._scheduler = world.scheduler

    def now(self) -> float:
        return self._scheduler.clock

    def utc(self) -> datetime:
        return START + timedelta(seconds=self.now())

    def random(self) -> float:
        return self._random.random()

    async def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.sleeps.append((self.now(), seconds, self._scheduler.current.name))
        self._note(f"sleeps {seconds:.3f} s")
        await self._pass(seconds)

    async def run_in_thread(
        self, function: Callable[[], Any], *, abandon_on_cancel: bool = False, deadline: float | None = None
    ) -> Any:
        if deadline is not None and not self.blocking and self.world.weather.silent():
            self.world.reached.add("silent stream")
            self._note("reads from a stream that is silent")
            await self._pass(max(0.0, deadline - self.now()))
            raise TransferFailed("it could not be read in time", final=True)
        await self._pass(0)
        result = function()
        if not self.blocking:  # the thread has ended; a cancellation in the meantime is delivered afterwards
            await self._pass(self.world.weather.disk * self.world.random.random())
        return result

    async def _connect(self, fault: Fault | None, trace: SendTrace, limit: float) -> None:
        await self._spend(limit, httpx.ConnectTimeout)
        if fault is UNWRITTEN:
            trace.on_event("connection.connect_tcp.complete", {})
        if fault is not None and fault.phase is Phase.BEFORE:
            await self._fail(fault, limit)

    # --- time ---------------------------------------------------------------------------------------------------

    async def _pass(self, seconds: float) -> None:
        """Let time pass; the call may be interrupted at any such step."""
        self.steps += 1
        if self.steps == self.interrupt_at:
            self.interrupt()
        await self._scheduler.sleep(seconds)

    async def _spend(self, limit: float, timeout: type[Exception]) -> None:
        """Let a step of an exchange take its time, at most until the deadline."""
        seconds = self.world.weather.seconds()
        if self.now() + seconds >= limit:
            await self._pass(max(0.0, limit - self.now()))
            raise timeout("time ran out")
        await self._pass(seconds)

    async def _fail(self, fault: Fault | None, limit: float) -> None:
        assert fault is not None
        assert fault.error is not None
        if issubclass(fault.error, httpx.TimeoutException):
            if fault.phase is Phase.BODY and self.now() + INACTIVITY_SECONDS < limit:
                limit = self.now() + INACTIVITY_SECONDS
            await self._pass(max(0.0, limit - self.now()))
        else:
            await self._spend(limit, TimeoutError if fault.phase is Phase.BODY else _timeout_of(fault))
        raise fault.error(fault.name)

    # --- the record ---------------------------------------------------------------------------------------------

    def _begin(self, what: str, charges: bool, target: str, fault: Fault | None) -> Exchange:
        if len(self.exchanges) >= RUNAWAY:
            raise RuntimeError(f"{RUNAWAY} exchanges in one call")
        now, task = self.now(), self._scheduler.current.name
        record = Exchange(what, charges, task, target, now, self.deadline - now, fault)
        self.exchanges.append(record)
        if charges and self.interrupt_create_at is not None:
            self.interrupt_at = self.steps + self.interrupt_create_at
        shown = target.partition("?")[0]
        self._note(f"-> {what} {shown}" + (f" [{fault.name}, {fault.phase.value}]" if fault else ""))
        return record

    def _end(self, record: Exchange) -> None:
        record.ended = self.now()
        if record.fault is not None:
            self.world.reached.add(record.fault.name)
        seen = record.status or "no answer"
        state = getattr(record.answer, "status", "")
        self._note(f"<- {record.what} {seen} {state}{' (URL expired)' if record.expired else ''}")

    @contextmanager
    def _ending(self, record: Exchange) -> Iterator[None]:
        try:
            yield
        finally:
            self._end(record)

    def _note(self, what: str) -> None:
        self.world.note(self._scheduler.current.name, what)


def _timeout_of(fault: Fault) -> type[Exception]:
    return httpx.ConnectTimeout if fault.phase is Phase.BEFORE else httpx.ReadTimeout
