"""What a webhook event changes: when a job is polled, and whether a lost submission was accepted.

Rule: an event only says when to ask the service. The exception is a submission without an answer: an event about a job
of its name, which is unique, proves that the job was accepted, and has its id.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from magic_hour_client.events import EVENTS
from magic_hour_client.types import Request, Response

from .balance import reserve
from .call import Call, logger

if TYPE_CHECKING:
    from .._results import Job
    from ..webhooks._watches import Watch

T = TypeVar("T")

SETTLE_SECONDS = 360.0
"""How long to wait for the first event of a job whose submission got no answer. A job may be queued for 5 minutes
before it starts (spec/README.md), and a minute is left for the delivery."""
_FIRST_SECONDS = 30.0
_LONGEST_SECONDS = 600.0
_GROWTH = 1.5
_JITTER = 0.1
_KINDS = frozenset(each.kind for each in EVENTS.values())


def safety_interval(elapsed: float, random: float) -> float:
    """Seconds until the next poll of a job whose end an event will announce: in case it gets lost, or never comes,
    because somebody has canceled the job. At most 8 polls in 30 minutes, the one at the deadline included.

    >>> [safety_interval(elapsed, random=0.0) for elapsed in (0, 60, 1000)]
    [30.0, 90.0, 600.0]
    """
    return min(_LONGEST_SECONDS, max(_FIRST_SECONDS, _GROWTH * elapsed)) * (1 - _JITTER * random)


@contextmanager
def watching(call: Call, job: Job) -> Iterator[Watch | None]:
    """Watch for the end of a job; None if nothing will announce it."""
    if call.inbox is None or job.kind not in _KINDS:
        yield None
        return
    with call.inbox.watch(id=job.id) as watch:
        yield watch


@contextmanager
def watching_name(call: Call, request: Request[Any]) -> Iterator[Watch | None]:
    """Watch for the first event of a job that is about to be submitted; None if its name may not be unique."""
    name = request.body.get("name") if isinstance(request.body, dict) else None
    if call.inbox is None or request.endpoint.project_kind not in _KINDS or not is_unique(name):
        yield None
        return
    with call.inbox.watch(name=name) as watch:
        yield watch


async def accepted_after_all(call: Call, request: Request[T], watch: Watch | None) -> T | None:
    """The answer to a create that got lost, made of the event about its job; None if there is none in time."""
    if watch is None:
        return None
    logger.info("%s: waiting for a webhook event that has its job", request.name)
    await call.backend.sleep(min(SETTLE_SECONDS, max(0.0, call.room(reserve(call)))), watch.signal)
    event = watch.event
    if event is None or event.kind != request.endpoint.project_kind:
        return None
    content = {"id": event.id, "credits_charged": getattr(event.payload, "credits_charged", None)}
    return request.endpoint.parse(Response(200, content=json.dumps(content).encode()))


def is_unique(name: object) -> bool:
    """Whether a job's name was made by `job_name`: one that a caller gave may be that of other jobs too."""
    import re

    return isinstance(name, str) and re.fullmatch(r"\w+ [-\d]{10}T[:\d]{8}Z [0-9a-f]{8}", name) is not None
