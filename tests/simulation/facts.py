"""What really happened in a call, and what its caller can know about it.

Rule: facts only; the rules decide whether they are right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from magic_hour_workflows._results import Result
from magic_hour_workflows.errors import (
    DownloadFailed,
    SubmissionUnknown,
)
from magic_hour_workflows.events import Created

from .environment import Exchange, World
from .faults import Phase
from .scenario import CallRecord
from .service import Job

EPSILON = 1e-6
SECRETS = ("canary",)
"""Part of the API key, of every signature, and of the secret in the service's messages."""
BY_ID = ("wait", "check_result", "download")
TERMINAL = ("complete", "error", "canceled")
MAX_TRIES = 5
MAX_EXCHANGES = 400

Rule = Callable[[CallRecord, World], Iterator[str]]


def creates(call: CallRecord) -> list[Exchange]:
    return [exchange for exchange in call.exchanges if exchange.charges]


def polls(call: CallRecord) -> list[Exchange]:
    return [exchange for exchange in call.exchanges if exchange.what.endswith("_projects.get")]


def is_refusal(exchange: Exchange) -> bool:
    """Whether the caller could know for certain that nothing was accepted."""
    phase = exchange.fault.phase if exchange.fault is not None else None
    return phase in (Phase.REFUSED, Phase.SLOWED) and exchange.status is not None


def accepted(call: CallRecord, world: World) -> Job | None:
    """The job that this call really created."""
    ids = [exchange.accepted for exchange in creates(call) if exchange.accepted]
    return world.service.job(ids[0]) if ids else None


def job_of(call: CallRecord, world: World) -> Job | None:
    """The job that this call is about, as far as its caller knows."""
    reported = [event.id for _, event in call.events if isinstance(event, Created)]
    id = call.id or (reported[0] if reported else None)
    return world.service.job(id) if id else None


def unknown(call: CallRecord) -> SubmissionUnknown | None:
    error = call.error
    found = error if isinstance(error, SubmissionUnknown) else getattr(error, "submission_unknown", None)
    return found if isinstance(found, SubmissionUnknown) else None


def last_answer(call: CallRecord, job: Job) -> Exchange | None:
    """The last poll with a response about the right job."""
    found = [x for x in polls(call) if x.answer is not None and x.answer.id in (job.id, None)]
    return found[-1] if found else None


def event_times(call: CallRecord, kind: type) -> list[float]:
    return [at for at, event in call.events if isinstance(event, kind)]


def reported_files(call: CallRecord) -> list[Path]:
    if isinstance(call.error, DownloadFailed):
        return call.error.downloaded_paths
    if isinstance(call.result, Result):
        return call.result.downloaded_paths
    return call.result if call.what == "download" and isinstance(call.result, list) else []
