"""Webhooks: which change of a job is an event, whom it goes to, and when it is due.

Rule: as on the service, an event is delivered at least once and in no promised order: until a target answers with 2xx,
for up to 24 hours of the emulator's clock. A canceled job and a free task send nothing. Nothing here touches the
network; that is `_courier`'s.
"""

import heapq
import json
import math
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from ._clock import Clock
from ._fault_schedule import FaultSchedule
from ._jobs import Job, Jobs, Status
from ._webhook_targets import Webhook
from .faults import Target

__all__ = ["EVENTS", "Attempt", "Delivery", "Webhooks"]

EVENTS: Final[Mapping[Status, str]] = {"rendering": "started", "complete": "completed", "error": "errored"}
"""The event of each status that has one."""

# spec/: an event is sent again with exponential backoff, for up to 24 hours. The first pause is the emulator's choice.
_FIRST_PAUSE_SECONDS: Final = 5.0
_LIFETIME_SECONDS: Final = 24 * 3600.0


@dataclass(frozen=True)
class Attempt:
    """One attempt to deliver an event: the target's status, or the problem if there was no answer.

    `number` counts the attempts of one delivery from 1. `fault` is the kind of fault that hit the delivery.
    """

    job_id: str
    type: str
    url: str
    number: int
    at: float
    status: int | None
    problem: str | None
    fault: str | None


@dataclass
class Delivery:
    """One event on its way to one target, with the body that its attempts send. `due` is infinite while it is held."""

    number: int
    job_id: str
    type: str
    url: str
    body: str
    created_at: float
    due: float
    attempts: int = 0
    fault: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Deliveries with the same key are sent one after the other."""
        return self.job_id, self.url


class Webhooks:
    """The targets, the deliveries that are still to be made, and every attempt so far. Safe to use from any thread."""

    def __init__(
        self,
        clock: Clock,
        jobs: Jobs,
        faults: FaultSchedule,
        describe: Callable[[Job], dict[str, Any]],
        initial: Iterable[Webhook] = (),
    ) -> None:
        self._clock = clock
        self._jobs = jobs
        self._faults = faults
        self._describe = describe
        self._initial = {webhook.url: webhook for webhook in initial}
        self._lock = threading.RLock()
        self.wake: Callable[[], None] = lambda: None
        """Called when something may be due earlier than before."""
        self._reset()

    def _reset(self) -> None:
        self._targets = dict(self._initial)
        self._attempts: list[Attempt] = []
        self._pending: dict[int, Delivery] = {}
        self._due: list[tuple[float, int]] = []  # a heap of deliveries, by number
        self._moves: list[tuple[float, str]] = []  # a heap of jobs that move by themselves, by id
        self._busy: dict[tuple[str, str], list[int]] = {}  # a key that is being sent, and what waits for it
        self._held: dict[tuple[str, str], list[Delivery]] = {}  # reordered, until a later one was sent
        self._last = 0

    # --- targets

    @property
    def targets(self) -> tuple[Webhook, ...]:
        """Where events are sent."""
        with self._lock:
            return tuple(self._targets.values())

    def secret(self, url: str) -> str | None:
        """The secret of a target; None if it was removed."""
        webhook = self._targets.get(url)
        return webhook.secret if webhook else None

    def add(self, webhook: Webhook) -> None:
        """Send events to this target too; it replaces an earlier one with the same URL."""
        with self._lock:
            self._targets[webhook.url] = webhook
        for job in self._jobs.all():
            self.follow(job)
        self.wake()

    def remove(self, url: str | None = None) -> None:
        """Remove one target, or all, with what is still to be delivered there. KeyError if there is no such target."""
        with self._lock:
            if url is not None and url not in self._targets:
                raise KeyError(url)
            for each in [url] if url is not None else list(self._targets):
                del self._targets[each]
            self._pending = {at: each for at, each in self._pending.items() if each.url in self._targets}

    def clear(self) -> None:
        """Forget all deliveries, and return to the first targets."""
        with self._lock:
            last = self._last
            self._reset()
            self._last = last  # what is being sent now must not be taken for a new delivery

    # --- events

    def follow(self, job: Job) -> None:
        """Let a job move by itself from now on, without a request for it."""
        due = self._jobs.due(job)
        if due is not None and self._targets:
            with self._lock:
                heapq.heappush(self._moves, (due, job.id))
            self.wake()

    def move_jobs(self) -> None:
        """Move every job that is due."""
        now = self._clock.now()
        while True:
            with self._lock:
                if not self._moves or self._moves[0][0] > now:
                    return
                _, job_id = heapq.heappop(self._moves)
            job = self._jobs.find(job_id)  # without the lock: jobs have their own, and report what moves
            due = self._jobs.due(job) if job else None
            if due is not None:
                with self._lock:
                    heapq.heappush(self._moves, (max(due, math.nextafter(now, math.inf)), job_id))

    def job_changed(self, job: Job) -> None:
        """Turn a change of a job into an event for every target, if it is one."""
        if job.status in ("canceled", "deleted"):
            for url in list(self._targets):
                self._release((job.id, url), math.inf)
        event = EVENTS.get(job.status)
        is_task = job.emulation.outputs is not None
        if event is None or is_task or not self._targets:
            return
        kind = f"{job.kind}.{event}"
        body = json.dumps({"type": kind, "payload": self._describe(job)}, ensure_ascii=False, separators=(",", ":"))
        for webhook in self.targets:
            self._send(job, kind, webhook.url, body, followed=event == "started")
        self.wake()

    def _send(self, job: Job, kind: str, url: str, body: str, *, followed: bool) -> None:
        hit = self._faults.strike(Target(kind, "webhook", followed=followed))
        now = self._clock.now()
        with self._lock:
            self._last += 1
            delivery = Delivery(self._last, job.id, kind, url, body, now, now)
            if hit is None:
                return self._enter(delivery)
            hit.happened()
            delivery.fault = hit.fault.kind
            if delivery.fault == "webhook_lost":
                self._attempts.append(Attempt(job.id, kind, _shown(url), 0, now, None, "lost", delivery.fault))
                return
            if delivery.fault == "webhook_late":
                delivery.due += hit.fault["seconds"]
            if delivery.fault == "webhook_reordered":
                delivery.due = math.inf
            self._enter(delivery)
            if delivery.fault == "webhook_duplicate":
                self._last += 1
                self._enter(replace(delivery, number=self._last))

    def _enter(self, delivery: Delivery) -> None:
        self._pending[delivery.number] = delivery
        if delivery.due == math.inf:
            self._held.setdefault(delivery.key, []).append(delivery)
        else:
            heapq.heappush(self._due, (delivery.due, delivery.number))

    def _release(self, key: tuple[str, str], before: float) -> None:
        """Let deliveries go that were held for a later one: that with the number `before`."""
        with self._lock:
            for each in self._held.pop(key, ()):
                each.due = self._clock.now() if each.number < before else math.inf
                if each.number in self._pending:
                    self._enter(each)
        self.wake()

    # --- deliveries

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Every attempt so far, oldest first. A lost event has one with the number 0."""
        with self._lock:
            return tuple(self._attempts)

    @property
    def pending(self) -> tuple[Delivery, ...]:
        """The deliveries that are still to be made."""
        with self._lock:
            return tuple(self._pending.values())

    def seconds_until_due(self) -> float:
        """How long nothing happens, in seconds of the emulator's clock; infinite if nothing is planned."""
        with self._lock:
            first = min((heap[0][0] for heap in (self._due, self._moves) if heap), default=math.inf)
        return first - self._clock.now()

    def take(self) -> Delivery | None:
        """The next delivery that is due, to be sent now and then reported with `attempted`."""
        now = self._clock.now()
        with self._lock:
            while self._due and self._due[0][0] <= now:
                number = heapq.heappop(self._due)[1]
                delivery = self._pending.get(number)
                if delivery is None:
                    continue
                if delivery.key in self._busy:
                    self._busy[delivery.key].append(number)
                elif delivery.attempts and now > delivery.created_at + _LIFETIME_SECONDS:
                    del self._pending[number]
                else:
                    self._busy[delivery.key] = []
                    return delivery
        return None

    def attempted(self, delivery: Delivery, at: float, status: int | None, problem: str | None) -> None:
        """Record an attempt, and plan the next one if the target has not accepted the event."""
        with self._lock:
            for number in self._busy.pop(delivery.key, ()):
                if number in self._pending:
                    self._enter(self._pending[number])
            if self._pending.get(delivery.number) is not delivery:
                return  # forgotten while it was sent
            delivery.attempts += 1
            about = delivery.job_id, delivery.type, _shown(delivery.url)
            self._attempts.append(Attempt(*about, delivery.attempts, at, status, problem, delivery.fault))
            self._release(delivery.key, delivery.number)
            accepted = status is not None and 200 <= status < 300
            delivery.due = self._clock.now() + _FIRST_PAUSE_SECONDS * 2 ** (delivery.attempts - 1)
            if accepted or delivery.due > delivery.created_at + _LIFETIME_SECONDS:
                del self._pending[delivery.number]
            else:
                self._enter(delivery)

    def as_json(self) -> list[dict[str, Any]]:
        """Every attempt, as `GET /_emulator/deliveries` returns it."""
        return [asdict(attempt) for attempt in self.attempts]


def _shown(url: str) -> str:
    return url.partition("?")[0]  # as in the record of requests
