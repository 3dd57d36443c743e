"""What is in the emulator, for people and programs that look at it: jobs, requests, files and kinds of faults.

Rule: reading changes nothing, and what is read has no secrets: texts of users pass through `blanked`, URLs that give
access to storage are left out.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from starlette.requests import Request

from ._bodies import blank, blanked
from ._contract import Json
from ._fault_schedule import api_targets, operation_steps, storage_target
from ._jobs import Job
from ._recorder import RecordedRequest
from ._request_checks import Refusal
from ._service import Service
from .faults import KINDS, STEPS

__all__ = ["Describe", "job_summary"]

_PROMPT_CHARACTERS: Final = 300
_MAX_PAGE: Final = 500
# A timeline has so many requests, the last ones.
_TIMELINE: Final = 1000


def job_summary(job: Job, token: str) -> Json:
    """A job as a row of a list."""
    return {
        "id": job.id,
        "resource": job.resource,
        "kind": job.kind,
        "name": None if job.name is None else blank(job.name, token),
        "prompt": blank(job.prompt[:_PROMPT_CHARACTERS], token),
        "status": job.status,
        "credits": job.credits_charged,
        "created_at": job.created_at,
        "polls": job.polls,
        "media": job.media,
        "outputs": job.count,
        "error": {"code": job.error.code, "message": job.error.message} if job.error else None,
    }


class Describe:
    """Requests as rows of a list: with the step that each of them is."""

    def __init__(self, service: Service) -> None:
        self._of_api = api_targets(service.contract)

    def request(self, request: RecordedRequest) -> Json:
        """A request without its headers and bodies."""
        scope = {"method": request.method, "path": request.path, "headers": []}
        target = self._of_api(scope) if request.origin == "api" else storage_target(scope)
        names = ("number", "origin", "method", "path", "at", "status", "seconds", "received", "sent", "fault")
        return {**{name: getattr(request, name) for name in names}, "step": target.step if target else None}


async def list_jobs(service: Service, request: Request) -> Json:
    """A page of the jobs, newest first."""
    jobs = service.jobs.all()
    statuses: dict[str, int] = {}
    for job in jobs:
        statuses[job.status] = statuses.get(job.status, 0) + 1
    before = request.query_params.get("before")
    if before is not None:
        ids = [job.id for job in jobs]
        jobs = jobs[: ids.index(before)] if before in ids else []
    limit = _limit(request)
    page = [job_summary(job, service.settings.token) for job in reversed(jobs[-limit:])]
    return {"jobs": page, "total": sum(statuses.values()), "statuses": statuses, "more": len(jobs) > limit}


async def show_job(service: Service, request: Request) -> Json:
    """A job with its body, its input files, and everything that happened to it."""
    job = service.jobs.find(request.path_params["id"])
    if job is None:
        raise Refusal(404, "not_found", "There is no job with this id")
    token = service.settings.token
    given = set(_strings(job.body))
    inputs = [name for name in sorted(given) if service.uploads.find(name)]
    return {
        **job_summary(job, token),
        "prompt": blank(job.prompt, token),
        "type": job.type,
        "held": job.held,
        "inputs": inputs,
        "body": blanked(job.body, token),
        "timeline": _timeline(service, job, given),
    }


def _timeline(service: Service, job: Job, given: set[str]) -> list[Json]:
    """The requests about a job, its charge, refund and deliveries, in order, also while the clock stands still."""
    requests = _requests_about(service, job, given)
    create = next((each.number for each in requests if job.id in each.issued), -1)
    describe = Describe(service)
    entries: list[tuple[tuple[float, float], Json]] = [
        ((each.at, each.number), {"what": "request", **describe.request(each)}) for each in requests
    ]
    moves = [("charge", service.ledger.charges, create), ("refund", service.ledger.refunds, math.inf)]
    for what, movements, after in moves:
        entries += [
            ((move.at, after), {"what": what, "at": move.at, "credits": move.credits})
            for move in movements
            if move.id == job.id
        ]
    deliveries = [attempt for attempt in service.webhooks.attempts if attempt.job_id == job.id]
    entries += [((each.at, math.inf), {"what": "delivery", **asdict(each)}) for each in deliveries]
    return [entry for _, entry in sorted(entries, key=lambda entry: entry[0])]


def _requests_about(service: Service, job: Job, given: set[str]) -> list[RecordedRequest]:
    """The requests that made the job or its inputs, asked for it, or moved its files."""

    def is_about(request: RecordedRequest) -> bool:
        path = request.path.lstrip("/")
        return job.id in (*path.split("/"), *request.issued) or not given.isdisjoint((path, *request.issued))

    return [request for request in service.recorder if is_about(request)][-_TIMELINE:]


async def show_request(service: Service, request: Request) -> Json:
    """A request with its headers and bodies."""
    try:
        detail = service.recorder.detail(request.path_params["number"])
    except IndexError:
        raise Refusal(404, "not_found", "There is no request with this number") from None
    return {**detail, **Describe(service).request(service.recorder[detail["number"]])}


async def show_clock(service: Service, _: Request) -> Json:
    """The time, and how it passes."""
    return service.clock.as_json()


async def list_storage(service: Service, request: Request) -> Json:
    """The files in storage, newest first, with their sums."""
    limit = _limit(request)
    uploads = service.uploads.listed()
    outputs = [
        {**output, "job": job.id, "index": index}
        for job in service.jobs.all()
        for index in range(job.count)
        if (output := service.outputs.listed(job, index)) is not None
    ]
    return {
        "uploads": uploads[: -limit - 1 : -1],
        "outputs": outputs[: -limit - 1 : -1],
        "sums": {
            "uploads": len(uploads),
            "upload_bytes": sum(each["bytes"] for each in uploads),
            "outputs": len(outputs),
            "output_bytes": sum(each["bytes"] for each in outputs),
        },
    }


async def list_kinds(service: Service, _: Request) -> Json:
    """The kinds of faults as data, and where each can be set: what a form needs that adds one."""
    operations = operation_steps(service.contract, service.contract.events)
    return {"kinds": [kind.as_json() for kind in KINDS.values()], "steps": STEPS, "operations": operations}


def _limit(request: Request) -> int:
    try:
        limit = int(request.query_params.get("limit", 100))
    except ValueError:
        limit = 0
    if not 1 <= limit <= _MAX_PAGE:
        raise ValueError(f"limit must be an integer from 1 to {_MAX_PAGE}")
    return limit


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)
