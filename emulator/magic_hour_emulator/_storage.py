"""The storage's origin: clients PUT inputs and GET outputs here, each with a signed URL.

Rule: as strict as object storage with presigned URLs. A request with an API key is refused, so that a client that leaks
its key is noticed. A body without a length is refused. Bodies are written to disk as they arrive, not kept in memory.
"""

from pathlib import Path
from typing import Final, cast
from xml.sax.saxutils import escape

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from ._jobs import Abandoned
from ._request_checks import Refusal
from ._service import Service
from ._stored_files import parse_output_path

__all__ = ["storage_app"]

_CHUNK_BYTES: Final = 1024 * 1024
# Rendering is expensive; with two at a time a small machine still answers.
_RENDERERS: Final = 2


def storage_app(service: Service) -> Starlette:
    """The application of the storage's origin."""
    storage = _Storage(service)
    return Starlette(
        routes=[
            Route("/{path:path}", storage.put, methods=["PUT"]),
            Route("/{path:path}", storage.get, methods=["GET"]),
        ],
        exception_handlers={Refusal: _refused, Exception: _crashed},
    )


class _OutputResponse(FileResponse):
    """Starlette's file response, which supports Range, If-Range and HEAD, with larger chunks."""

    chunk_size = _CHUNK_BYTES


class _Storage:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._limiter: anyio.CapacityLimiter | None = None

    async def put(self, request: Request) -> Response:
        """Store the bytes of one upload."""
        self._check_permission(request)
        file_path = request.path_params["path"]
        if not self._service.uploads.is_issued(file_path):
            raise Refusal(404, "NoSuchKey", "No upload URL was issued for this key.")
        length = request.headers.get("content-length")
        if length is None:
            raise Refusal(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
        part = self._service.uploads.new_file()
        try:
            await _receive(request, part)
        except ClientDisconnect:
            part.unlink(missing_ok=True)
            return Response(status_code=400)  # the client has disconnected
        self._service.uploads.store(file_path, part)
        return Response(headers={"etag": f'"{part.stem}"'})

    async def get(self, request: Request) -> Response:
        """One output or kept asset, or a range of it."""
        self._check_permission(request)
        kept = self._service.uploads.find(request.path_params["path"])
        if kept is not None:
            return _OutputResponse(kept, media_type="application/octet-stream")
        output = parse_output_path(request.url.path)
        job = self._service.jobs.find(output[0]) if output else None
        if output is None or job is None or job.status != "complete" or output[1] >= job.count:
            raise Refusal(404, "NoSuchKey", "The specified key does not exist.")
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(_RENDERERS)
        try:
            path = await anyio.to_thread.run_sync(self._service.outputs.get, job, output[1], limiter=self._limiter)
        except Abandoned:
            raise Refusal(404, "NoSuchKey", "The specified key does not exist.") from None
        return _OutputResponse(path, media_type=job.media)

    def _check_permission(self, request: Request) -> None:
        if "authorization" in request.headers:
            raise Refusal(403, "AccessDenied", "The URL is signed; the header Authorization must not be sent.")
        objection = self._service.signer.objection(request.method, request.url.path, request.query_params)
        if objection:
            raise Refusal(403, "AccessDenied", objection)


async def _receive(request: Request, target: Path) -> None:
    """Write the body to a file, about a megabyte at a time."""
    buffer = bytearray()
    with target.open("wb") as file:  # closed without awaiting, which fails while the server stops
        async for chunk in request.stream():
            buffer += chunk
            if len(buffer) >= _CHUNK_BYTES:
                await anyio.to_thread.run_sync(file.write, bytes(buffer))
                buffer.clear()
        await anyio.to_thread.run_sync(file.write, bytes(buffer))


async def _refused(_: Request, refusal: Exception) -> Response:
    error = cast(Refusal, refusal)
    return _xml(error.status, error.code, error.message)


async def _crashed(_: Request, problem: Exception) -> Response:
    return _xml(500, "InternalError", f"The emulator failed: {type(problem).__name__}")


def _xml(status: int, code: str, message: str) -> Response:
    error = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    return Response(f'<?xml version="1.0" encoding="UTF-8"?>\n{error}', status, media_type="application/xml")
