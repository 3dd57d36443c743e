"""The whole `Backend` port on the virtual clock, for one call of a user.

Everything that decides is real: the client's own code makes requests, reads responses and translates failures, and
downloads grow in real files. Simulated are the network, the clock and the order of tasks.

Rule: like a real backend, it does each thing once and respects the deadline. It also records everything.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from random import Random
from typing import Any

import httpx

from magic_hour_client._runtime.send_trace import SendTrace
from magic_hour_client._runtime.settings import settings
from magic_hour_client._runtime.transport import SHIELD_SECONDS, BaseTransport
from magic_hour_client.types import Request
from magic_hour_workflows._backend import BeforeSending

from .environment import Exchange, World
from .faults import Phase, applied
from .scheduler import Cancelled, Task
from .service import BASE_URL, KEY
from .transfers import Transfers

MAX_PARALLEL = 3


class SimulatedBackend(Transfers):
    """A `Backend` in the simulated `World`."""

    def __init__(self, world: World, who: str, random: Random, *, blocking: bool) -> None:
        super().__init__(world, who, random, blocking=blocking)
        self._requests = BaseTransport(settings(KEY, BASE_URL, None, allow_http=False))

    async def map(self, work: Callable[[Any], Coroutine[Any, Any, Any]], items: Sequence[Any]) -> list[Any]:
        if len(items) < 2:
            return [await work(item) for item in items]
        waiting = list(enumerate(items))
        running: dict[int, Task] = {}
        results: dict[int, Any] = {}
        try:
            while waiting or running:
                while waiting and len(running) < MAX_PARALLEL:
                    number, item = waiting.pop(0)
                    running[number] = self._scheduler.spawn(work(item), f"{self._scheduler.current.name}.{number}")
                await self._scheduler.wait(list(running.values()))
                for number in [number for number, task in running.items() if task.done]:
                    task = running.pop(number)
                    if task.error is not None:
                        raise task.error
                    results[number] = task.result
        finally:
            await self._stop(list(running.values()))
        return [results[number] for number in range(len(items))]

    async def _stop(self, tasks: list[Task]) -> None:
        for task in tasks:
            self._scheduler.cancel(task, Cancelled())
        while left := [task for task in tasks if not task.done]:
            await self._scheduler.wait(left)

    async def send(
        self,
        request: Request[Any],
        deadline: float,
        before_sending: BeforeSending | None = None,
        trace: SendTrace | None = None,
    ) -> Any:
        trace = trace or SendTrace()
        trace.before_sending = before_sending
        if self.blocking or not request.endpoint.charges_credits:
            return await self._exchange(request, deadline, trace)
        return await self._shielded(request, deadline, trace)

    async def _shielded(self, request: Request[Any], deadline: float, trace: SendTrace) -> Any:
        """As in the async transport: a cancellation waits a while for the response, and then carries it."""
        try:
            await self._pass(0)
        except BaseException as cancelled:
            cancelled.unsent = True  # type: ignore[attr-defined]
            raise
        task = self._scheduler.spawn(self._exchange(request, deadline, trace), self._scheduler.current.name)
        try:
            while not task.done:
                await self._scheduler.wait([task])
        except BaseException as cancelled:
            limit = self.now() + SHIELD_SECONDS
            while not task.done and self.now() < limit:
                await self._scheduler.wait([task], limit)
            await self._stop([task])
            if isinstance(task.error, Exception):
                cancelled.failure = task.error  # type: ignore[attr-defined]
            elif task.error is None:
                cancelled.result = task.result  # type: ignore[attr-defined]
            raise
        if task.error is not None:
            raise task.error
        return task.result

    async def _exchange(self, request: Request[Any], deadline: float, trace: SendTrace) -> Any:
        limit = max(deadline, self.now() + 0.001)  # as in the real backends
        charges = request.endpoint.charges_credits
        outgoing = self._requests.outgoing(request, trace.on_event)
        fault = self.world.weather.of_api(request.name, charges, self.now())
        record = self._begin(request.name, charges, request.path, fault)
        try:
            response = await self._travel(record, outgoing, trace, limit)
            answer = self._requests.response(request, response, response.content)
            record.status = answer.status
            asked = answer.headers.get("retry-after")
            record.retry_after = float(asked) if asked else None
            record.answer = trace.result = request.endpoint.parse(answer)
        except (httpx.HTTPError, OSError) as error:
            raise trace.typed_error(request, error) from error
        finally:
            self._end(record)
        return record.answer

    async def _travel(self, record: Exchange, request: httpx.Request, trace: SendTrace, limit: float) -> httpx.Response:
        """Send a request and receive its response, or fail."""
        await trace.arun_hook()
        trace.hand_over()
        await self._connect(record.fault, trace, limit)
        await trace.aon_event("http11.send_request_headers.started", {})
        record.sent = True
        await self._spend(limit, httpx.ReadTimeout)
        fault, phase = record.fault, record.fault and record.fault.phase
        if phase is Phase.LOST:
            await self._fail(fault, limit)
        if phase in (Phase.INSTEAD, Phase.REFUSED, Phase.SLOWED):
            response = fault.response()  # type: ignore[union-attr]
        else:
            response = self._handled(record, request)
        if phase is Phase.AFTER:
            await self._fail(fault, limit)
        await self._spend(limit, httpx.ReadTimeout)
        if fault is not None and response.is_success:
            if phase is Phase.ODD:
                return applied(fault, response)
            if phase in (Phase.REPLACED, Phase.GARBLED):
                return fault.response()
        return response

    def _handled(self, record: Exchange, request: httpx.Request) -> httpx.Response:
        before = len(self.world.service.ledger)
        response = self.world.service.answer(request, self.now())
        for job in self.world.service.ledger[before:]:
            record.accepted = job.id
            self._note(
                f"** the service accepts {job.id} for {job.charged:g} credits: {job.end} after {job.duration:.1f} s"
            )
        return response
