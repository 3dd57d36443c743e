"""The bytes of uploads and outputs for people who look at the emulator, without a signed URL.

Rule: these bytes come from users and are served on the origin of the page, so nothing but media has a type of its own,
and no browser may guess another or run anything.
"""

import mimetypes
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from ._jobs import Abandoned
from ._request_checks import Refusal
from ._service import Service

__all__ = ["show_output", "show_upload"]

# Not SVG, which is a program as well.
_TYPES: Final = (
    frozenset(f"image/{name}" for name in ("avif", "bmp", "gif", "jpeg", "png", "webp"))
    | {f"video/{name}" for name in ("mp4", "quicktime", "webm")}
    | {f"audio/{name}" for name in ("aac", "flac", "mp4", "mpeg", "ogg", "wav", "webm", "x-wav")}
)
_HEADERS: Final = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


async def show_output(service: Service, request: Request) -> Response:
    """An output of a complete job. Rendered now if nobody has downloaded it yet."""
    job, index = service.jobs.find(request.path_params["id"]), request.path_params["index"]
    if job is None or job.status != "complete" or index >= job.count:
        raise Refusal(404, "not_found", "There is no such output")
    try:
        path = await anyio.to_thread.run_sync(service.outputs.get, job, index)
    except Abandoned:
        raise Refusal(404, "not_found", "There is no such output") from None
    return _media(path, job.media)


async def show_upload(service: Service, request: Request) -> Response:
    """An upload that has not expired."""
    file_path = request.path_params["path"]
    path = service.uploads.find(file_path)
    if path is None:
        raise Refusal(404, "not_found", "There is no such upload")
    return _media(path, mimetypes.guess_type(file_path)[0] or "")


def _media(path: Path, media_type: str) -> Response:
    known = media_type if media_type in _TYPES else "application/octet-stream"
    return FileResponse(path, media_type=known, headers=_HEADERS)
