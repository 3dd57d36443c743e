"""Thousands of deliveries, duplicated, reordered, late and lost: each handler once per event, and no job missed.

Jobs are waited for one after the other on a virtual clock; their events arrive while the caller sleeps, mixed with late
copies of the events of earlier jobs and with forgeries.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from fakes import FakeBackend, call, project
from magic_hour_workflows import errors
from magic_hour_workflows._backend import run_sync
from magic_hour_workflows._flows.wait import wait
from magic_hour_workflows._results import Job
from magic_hour_workflows.webhooks import Inbox, WebhookEvent, sign
from webhook_events import SECRET, event_body

GET = "v1.image_projects.get"


class Campaign:
    """The service, with everything that can go wrong on the way of its events."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.backend = FakeBackend()
        self.backend.clock = 1_800_000_000.0
        self.inbox = Inbox(SECRET)
        self.inbox._clock = lambda: self.backend.clock
        self.called: Counter[tuple[str | None, str]] = Counter()
        self.expected: set[tuple[str | None, str]] = set()
        self.ended: set[str] = set()
        self.deliveries = self.lost = self.forged = 0
        self.inbox.on("*")(self.handle)

    def handle(self, event: WebhookEvent) -> None:
        self.called[event.id, event.type] += 1

    def deliver(self, type: str, id: str) -> None:
        self.deliveries += 1
        if type != "image.started":
            self.ended.add(id)
        if type != "image.started" or id not in self.ended:
            self.expected.add((id, type))
        body = event_body(type, id)
        self.inbox.receive(body, sign(body, SECRET, self.backend.clock))

    def forge(self, kind: int) -> None:
        """Four kinds: without a signature, with one of another secret, of another body, and of an hour ago."""
        body, now = event_body("image.completed", f"forged-{self.deliveries}"), self.backend.clock
        headers: list[Any] = [
            {},
            sign(body, "whsec_other", now),
            sign(body + b" ", SECRET, now),
            sign(body, SECRET, now - 3600),
        ]
        with pytest.raises(errors.WebhookRefused):
            self.inbox.receive(body, headers[kind])
        self.deliveries += 1
        self.forged += 1

    def job(self, number: int) -> None:
        """Submit a job, and wait for it while its events arrive somehow."""
        id, began = f"job-{number}", self.backend.clock
        seconds = self.random.uniform(1, 900)
        end = self.random.choice(["image.completed", "image.completed", "image.errored"])
        status = "complete" if end == "image.completed" else "error"
        self.backend.script(GET, lambda _: project(status if self.backend.clock >= began + seconds else "x", id=id))
        arrivals: list[float] = []
        for type, sent in (("image.started", began + self.random.uniform(0, seconds)), (end, began + seconds)):
            for _ in range(self.random.choice([0, 1, 1, 1, 2, 3])):
                late = self.random.choice([0.0, 0.0, 0.0, 2.0, 300.0, 4000.0])  # more than 1,800: after the wait
                self.backend.later.append((sent + late, lambda type=type: self.deliver(type, id)))  # type: ignore[misc]
                arrivals += [sent + late] if type == end else []
        self.lost += not arrivals
        kind = self.random.randrange(4)
        self.backend.later.append((began + self.random.uniform(0, 900), lambda: self.forge(kind)))
        self.backend.later.sort(key=lambda each: each[0])
        self.backend.sent.clear()
        try:
            assert run_sync(wait(call(self.backend, inbox=self.inbox), Job("image", id), new=True)).id == id
            assert status == "complete"
        except errors.JobFailed:
            assert status == "error"
        polls = len(self.backend.sent)
        assert polls <= 8
        if arrivals:
            assert self.backend.clock <= min(arrivals) + 1, "noticed within a second of the delivery"

    def finish(self) -> None:
        while self.backend.later:
            self.backend.clock, happen = self.backend.later.pop(0)
            happen()
        self.inbox.close()


def campaign(deliveries: int, seed: int) -> Campaign:
    """Jobs until there were so many deliveries."""
    this = Campaign(seed)
    number = 0
    while this.deliveries < deliveries:
        number += 1
        this.job(number)
    this.finish()
    assert this.called == dict.fromkeys(this.expected, 1)
    assert this.lost
    assert this.forged
    return this


def test_a_small_campaign() -> None:
    campaign(400, seed=1)


@pytest.mark.long
def test_ten_thousand_deliveries() -> None:
    this = campaign(10_000, seed=2)
    print(f"{this.deliveries} deliveries, {this.forged} forged, {this.lost} jobs without an event of their end")
