"""The API's origin: the emulated operations, on the routes of the contract.

Rule: every request passes the same checks in the same order: origin, key, body; then the service carries it out. A
create is accepted in `_create` and nowhere else, so before and after acceptance are one line above and one below.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NoReturn, cast

import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ._answers import cost_fields
from ._contract import Json, Operation
from ._controls import control_routes
from ._fault_kinds import Step
from ._page import page_routes
from ._request_checks import Refusal, check_origin, read_json
from ._service import Service

__all__ = ["api_app"]

Handler = Callable[[Service, Operation, Request], Awaitable[Response]]


def api_app(service: Service) -> Starlette:
    """The application of the API's origin: the routes of the contract, and the controls."""
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in service.contract.operations:
        by_path.setdefault(operation.path, {})[operation.method] = operation
    routes = [
        Route(path, _endpoint(service, operations), methods=list(operations)) for path, operations in by_path.items()
    ]
    return Starlette(
        routes=[*routes, *control_routes(service), *page_routes(service)],
        exception_handlers={
            Refusal: _refused,
            HTTPException: _no_route,
            ClientDisconnect: _abandoned,
            Exception: _crashed,
        },
    )


def _endpoint(service: Service, operations: Mapping[str, Operation]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        operation = operations["GET" if request.method == "HEAD" else request.method]
        check_origin(request, service.settings.allowed_hosts)
        _check_key(request, service.settings.token)
        handler = _read if operation.reading is not None else _HANDLERS.get(operation.step, _not_emulated)
        return await handler(service, operation, request)

    return endpoint


async def _create(service: Service, operation: Operation, request: Request) -> Response:
    body = await _checked_body(operation, request)
    # Before acceptance: nothing is charged yet.
    job = await anyio.to_thread.run_sync(service.accept, operation, body)
    # After acceptance: the job exists and is charged, whether or not this response arrives.
    service.recorder.note_issued(request.scope, [job.id])
    costs = {name: cost for name, cost in cost_fields(job.credits_charged).items() if name in operation.answer}
    return JSONResponse({"id": job.id, "credits_charged": job.credits_charged, **costs})


async def _not_emulated(service: Service, operation: Operation, request: Request) -> Response:
    message = f"{operation.method} {operation.path} is in the contract, but the emulator does not support it"
    raise Refusal(501, "not_implemented", message)


async def _upload_urls(service: Service, operation: Operation, request: Request) -> Response:
    slots = service.upload_slots(await _checked_body(operation, request))
    service.recorder.note_issued(request.scope, [slot["file_path"] for slot in slots["items"]])
    return JSONResponse(slots)


async def _read(service: Service, operation: Operation, request: Request) -> Response:
    return JSONResponse(service.readings.answer(operation, operation.query.values(request.query_params)))


async def _get_job(service: Service, operation: Operation, request: Request) -> Response:
    job = service.jobs.poll(_job_id(request), str(operation.kind))
    if job is None:
        _not_found(operation)
    return JSONResponse(service.describe(job))


async def _delete_job(service: Service, operation: Operation, request: Request) -> Response:
    if not await anyio.to_thread.run_sync(service.delete, _job_id(request), str(operation.kind)):
        _not_found(operation)
    return Response(status_code=204)


_HANDLERS: Final[Mapping[Step | None, Handler]] = {
    "create": _create,
    "upload-urls": _upload_urls,
    "get": _get_job,
    "delete": _delete_job,
}


def _job_id(request: Request) -> str:
    (job_id,) = request.path_params.values()
    return str(job_id)


def _not_found(operation: Operation) -> NoReturn:
    raise Refusal(404, "not_found", f"There is no such {operation.resource.replace('-', ' ').removesuffix('s')}")


def _check_key(request: Request, token: str) -> None:
    given = request.headers.get("authorization")
    if given is None:
        raise Refusal(401, "unauthorized", "The header Authorization is missing; it must be `Bearer <API key>`")
    if given != f"Bearer {token}":
        raise Refusal(401, "unauthorized", "The API key is not valid")


async def _checked_body(operation: Operation, request: Request) -> Json:
    body = await read_json(request)
    problem = operation.check.problem(body) if operation.check else None
    if problem:
        raise Refusal(422, "unprocessable_entity", problem)
    return body


async def _refused(_: Request, refusal: Exception) -> Response:
    error = cast(Refusal, refusal)
    return JSONResponse(error.body(), status_code=error.status)


async def _no_route(request: Request, error: Exception) -> Response:
    problem = cast(HTTPException, error)
    code = "not_found" if problem.status_code == 404 else "invalid_request"
    message = f"{request.method} {request.url.path}: {problem.detail}"
    return JSONResponse({"code": code, "message": message}, problem.status_code, headers=dict(problem.headers or {}))


async def _abandoned(_: Request, __: Exception) -> Response:
    return Response(status_code=400)  # the client has disconnected


async def _crashed(_: Request, problem: Exception) -> Response:
    message = f"The emulator failed: {type(problem).__name__}"
    return JSONResponse({"code": "internal_server_error", "message": message}, status_code=500)
