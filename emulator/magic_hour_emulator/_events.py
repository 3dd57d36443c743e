"""The event stream: what changes in the emulator, as server-sent events.

Rule: nothing reports to viewers. Each viewer compares the state with what it was sent last, a few times a second; so a
stream costs nothing when nobody watches, and a slow viewer gets fewer, larger events.
"""

import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import asdict
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ._recorder import RecordedRequest
from ._service import Service
from ._viewers import Viewer
from ._views import Describe, job_summary

__all__ = ["Changes", "event_stream"]

Event = tuple[str, Any]

LATEST_JOBS: Final = 100
LATEST_REQUESTS: Final = 200
LATEST_DELIVERIES: Final = 200
# People see no difference between this and at once.
_PAUSE_SECONDS: Final = 0.2
# Comparing thousands of jobs takes milliseconds; then it happens less often.
_MAX_LOAD: Final = 0.05
# How soon a browser connects again.
_RETRY_MILLISECONDS: Final = 1000


async def event_stream(service: Service, request: Request) -> Response:
    """`GET /_emulator/events`: the latest state, then every change, until the viewer or the emulator ends it."""
    viewer = Viewer()
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_stream(service, viewer, request), media_type="text/event-stream", headers=headers)


async def _stream(service: Service, viewer: Viewer, request: Request) -> AsyncIterator[bytes]:
    service.viewers.add(viewer)
    try:
        changes, pause = Changes(service), 0.0
        yield f"retry: {_RETRY_MILLISECONDS}\n\n".encode()
        while await viewer.pause(pause) and not await request.is_disconnected():
            began = time.monotonic()
            for name, data in changes.take():
                yield f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()
            pause = max(_PAUSE_SECONDS, (time.monotonic() - began) / _MAX_LOAD)
    finally:
        service.viewers.discard(viewer)


class Changes:
    """What one viewer was sent, and the events that bring it up to date."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._describe = Describe(service)
        self._resets: int | None = None
        self._start_again()

    def take(self) -> list[Event]:
        """The events since the last call; the first time, and after a reset, the latest state after a `start`."""
        events: list[Event] = []
        if self._resets != self._service.resets:
            self._resets = self._service.resets
            self._start_again()
            events.append(("start", {"url": self._service.url, "storage_url": self._service.storage_url}))
        events += self._jobs()
        events += self._requests()
        events += self._deliveries()
        for name, state, read in self._states():
            if self._sent.get(name) != state:
                self._sent[name] = state
                events.append((name, read()))
        return events

    def _start_again(self) -> None:
        self._known: dict[str, tuple[Any, ...]] | None = None
        self._next: int | None = None
        self._delivered: int | None = None
        self._running: dict[int, tuple[Any, ...]] = {}
        self._sent: dict[str, Any] = {}

    def _states(self) -> Iterator[tuple[str, Any, Callable[[], Any]]]:
        service = self._service
        sums = service.ledger.sums()
        yield "ledger", sums, lambda: sums
        yield "clock", service.clock.changes, service.clock.as_json
        schedule = service.faults
        yield "faults", (schedule.pending, len(schedule.fired)), lambda: _faults(service)

    def _jobs(self) -> Iterator[Event]:
        """The jobs that are new, changed or deleted, oldest first; at the start, the latest."""
        jobs = self._service.jobs.all()
        known = {job.id: (job.status, job.polls, job.credits_charged) for job in jobs}
        before, self._known = self._known, known
        if before is None:
            latest = [job_summary(job, self._service.settings.token) for job in jobs[-LATEST_JOBS:]]
            yield "jobs", {"changed": latest, "deleted": [], "total": len(jobs)}
            return
        token = self._service.settings.token
        changed = [job_summary(job, token) for job in jobs if before.get(job.id) != known[job.id]]
        deleted = [job_id for job_id in before if job_id not in known]
        if changed or deleted:
            yield "jobs", {"changed": changed, "deleted": deleted, "total": len(jobs)}

    def _requests(self) -> Iterator[Event]:
        """The requests that are new or have got further."""
        recorder = self._service.recorder
        count = len(recorder)
        first = max(count - LATEST_REQUESTS, 0 if self._next is None else self._next)
        latest = [recorder[number] for number in (*self._running, *range(first, count))]
        at_start, self._next = self._next is None, count
        changed = [request for request in latest if self._running.get(request.number) != _progress(request)]
        self._running = {each.number: _progress(each) for each in latest if each.seconds is None}
        if changed or at_start:
            yield "requests", {"changed": [self._describe.request(each) for each in changed], "total": count}

    def _deliveries(self) -> Iterator[Event]:
        """The attempts to deliver an event to a webhook since the last time; at the start, the latest."""
        attempts = self._service.webhooks.attempts
        before, self._delivered = self._delivered, len(attempts)
        fresh = attempts[-LATEST_DELIVERIES:] if before is None else attempts[before:]
        if fresh or before is None:
            yield "deliveries", {"added": [asdict(attempt) for attempt in fresh], "total": len(attempts)}


def _progress(request: RecordedRequest) -> tuple[Any, ...]:
    return request.status, request.fault, request.seconds


def _faults(service: Service) -> Any:
    fired = service.faults.as_json()["fired"]
    pending = [fault.as_json() for fault in service.faults.pending]
    return {"pending": pending, "fired": fired[-50:], "fired_total": len(fired)}
