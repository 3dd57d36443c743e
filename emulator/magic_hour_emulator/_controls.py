"""The emulator's own controls, under `/_emulator/` on the API's origin, for tests in other processes and languages.

Rule: each control does what a method of `Emulator` does, and each view shows what it has. Both need no key but answer
this machine only (`_request_checks`), and they are not recorded.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import _views
from ._contract import Json
from ._events import event_stream
from ._jobs import UNFINISHED, Job, JobError, Status
from ._media import show_output, show_upload
from ._request_checks import Refusal, local_only, read_json
from ._service import Service
from ._webhook_targets import parse_webhook
from .faults import Fault

__all__ = ["CONTROLS", "VIEWS", "control_routes", "force"]

_STEPS_TO_COMPLETE: Final[tuple[Status, ...]] = ("queued", "rendering", "complete")
_FORCED: Final[dict[str, Status]] = {
    **{status: status for status in UNFINISHED},
    "complete": "complete",
    "error": "error",
    "canceled": "canceled",
}


def control_routes(service: Service) -> list[Route]:
    """The routes of the controls."""
    controls, allowed = _Controls(service), service.settings.allowed_hosts
    bound = {
        **{place: partial(_respond, control, controls) for place, control in CONTROLS.items()},
        **{place: partial(_show, view, service) for place, view in VIEWS.items()},
    }
    return [
        Route(f"/_emulator/{path}", local_only(endpoint, allowed), methods=[method])
        for (method, path), endpoint in bound.items()
    ]


async def _respond(control: "Control", controls: "_Controls", request: Request) -> Response:
    try:
        answer = await control(controls, request)
    except (TypeError, ValueError) as wrong:
        raise Refusal(422, "unprocessable_entity", str(wrong)) from wrong
    if answer is None:
        return Response(status_code=204)
    return JSONResponse(answer, 201 if control in _CREATING else 200)


async def _show(view: "View", service: Service, request: Request) -> Response:
    try:
        shown = await view(service, request)
    except ValueError as wrong:
        raise Refusal(422, "unprocessable_entity", str(wrong)) from wrong
    return shown if isinstance(shown, Response) else JSONResponse(shown)


def force(service: Service, job: Job, status: str, error: JobError) -> None:
    """Put a job into a status; an unfinished one is held. ValueError if the job cannot reach the status."""
    if status not in _FORCED:
        raise ValueError(f"status must be one of {', '.join(_FORCED)}, not {status!r}")
    wanted = _FORCED[status]
    if wanted in UNFINISHED:
        done = service.jobs.hold(job, wanted)
    elif wanted == "complete":
        done = [service.jobs.move(job, step) for step in _STEPS_TO_COMPLETE][-1]
    else:
        done = service.jobs.move(job, wanted, error if wanted == "error" else None)
    if not done:
        raise ValueError(f"a job that is {job.status} cannot become {status}")


@dataclass(frozen=True)
class _Controls:
    service: Service

    async def health(self, _: Request) -> Json:
        return {"status": "ok", "storage_url": self.service.storage_url}

    async def ledger(self, _: Request) -> Json:
        self.service.jobs.all()  # finish the jobs that are due first, so that their refunds are included
        return self.service.ledger.as_json()

    async def requests(self, _: Request) -> Json:
        return {"requests": self.service.recorder.as_json()}

    async def reset(self, _: Request) -> None:
        self.service.reset()

    async def clock(self, request: Request) -> Json:
        body = await read_json(request, may_be_empty=True)
        clock = self.service.clock
        clock.change(speed=body.get("speed"), frozen=body.get("frozen"))
        try:
            clock.advance(float(body.get("advance", 0)))
        except (TypeError, ValueError) as wrong:
            raise ValueError(f"advance: {wrong}") from wrong
        return clock.as_json()

    async def fail_next(self, request: Request) -> None:
        body = await read_json(request, may_be_empty=True)
        self.service.fail_next(_job_error(body), body.get("resource"), body.get("times", 1))

    async def answers(self, request: Request) -> None:
        body = await read_json(request)
        self.service.readings.change(str(body.get("resource")), dict(body.get("fields", {})))

    async def add_item(self, request: Request) -> Json:
        body = await read_json(request)
        return self.service.readings.add(str(body.get("resource")), dict(body.get("item", {})), ())

    async def faults(self, _: Request) -> Json:
        return self.service.faults.as_json()

    async def add_fault(self, request: Request) -> Json:
        body = await read_json(request, may_be_empty=True)
        return self.service.faults.add(Fault(body.pop("kind", ""), **body)).as_json()

    async def clear_faults(self, _: Request) -> None:
        self.service.faults.clear()

    async def deliveries(self, _: Request) -> Json:
        return {"deliveries": self.service.webhooks.as_json()}

    async def webhooks(self, _: Request) -> Json:
        return {"webhooks": [webhook.url for webhook in self.service.webhooks.targets]}

    async def add_webhook(self, request: Request) -> Json:
        body = await read_json(request)
        given = str(body.get("url")), str(body.get("secret", ""))
        webhook = await anyio.to_thread.run_sync(parse_webhook, *given)  # looks the name up
        self.service.webhooks.add(webhook)
        return {"url": webhook.url}

    async def remove_webhooks(self, request: Request) -> None:
        try:
            self.service.webhooks.remove(request.query_params.get("url"))
        except KeyError:
            raise Refusal(404, "not_found", "There is no webhook with this URL") from None

    async def job(self, request: Request) -> Json:
        job = self.service.jobs.find(request.path_params["id"])
        if job is None:
            raise Refusal(404, "not_found", "There is no job with this id")
        body = await read_json(request, may_be_empty=True)
        force(self.service, job, body.get("status", "error"), _job_error(body))
        return self.service.describe(job)


Control = Callable[[_Controls, Request], Awaitable[Json | None]]
CONTROLS: Final[Mapping[tuple[str, str], Control]] = {
    ("GET", "health"): _Controls.health,
    ("GET", "ledger"): _Controls.ledger,
    ("GET", "requests"): _Controls.requests,
    ("POST", "reset"): _Controls.reset,
    ("POST", "clock"): _Controls.clock,
    ("POST", "fail-next"): _Controls.fail_next,
    ("POST", "answers"): _Controls.answers,
    ("POST", "items"): _Controls.add_item,
    ("GET", "faults"): _Controls.faults,
    ("POST", "faults"): _Controls.add_fault,
    ("DELETE", "faults"): _Controls.clear_faults,
    ("POST", "jobs/{id}"): _Controls.job,
    ("GET", "webhooks"): _Controls.webhooks,
    ("POST", "webhooks"): _Controls.add_webhook,
    ("DELETE", "webhooks"): _Controls.remove_webhooks,
    ("GET", "deliveries"): _Controls.deliveries,
}
"""Every control by its method and its path below `/_emulator/`."""
_CREATING: Final = (_Controls.add_fault, _Controls.add_item, _Controls.add_webhook)

View = Callable[[Service, Request], Awaitable[Json | Response]]
VIEWS: Final[Mapping[tuple[str, str], View]] = {
    ("GET", "events"): event_stream,
    ("GET", "clock"): _views.show_clock,
    ("GET", "kinds"): _views.list_kinds,
    ("GET", "jobs"): _views.list_jobs,
    ("GET", "jobs/{id}"): _views.show_job,
    ("GET", "jobs/{id}/outputs/{index:int}"): show_output,
    ("GET", "requests/{number:int}"): _views.show_request,
    ("GET", "storage"): _views.list_storage,
    ("GET", "uploads/{path:path}"): show_upload,
}
"""What can be looked at without changing anything, for the page and for programs, in the same form."""


def _job_error(body: Json) -> JobError:
    code = str(body.get("code", "unknown_error"))
    return JobError(code, str(body.get("message", f"The emulator was asked to fail this job with {code}")))
