"""The inbox as an ASGI and as a WSGI application.

Rule: an answer has a status and nothing else, so it tells a forger nothing. A body is read only up to a limit, since it
comes from anybody until its signature is checked.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, MutableMapping
from http import HTTPStatus
from typing import Any, Protocol

from .._webhook_errors import InboxUnavailable, WebhookRefused

MOST_BYTES = 1024 * 1024
"""The largest body that is read. An event is a few kilobytes: a project and the URLs of its outputs."""
logger = logging.getLogger("magic_hour_workflows")


class Receiver(Protocol):
    """What the applications need of an inbox."""

    def receive(self, body: bytes, headers: list[tuple[str, str]], /) -> object: ...
    async def aclose(self) -> None: ...


class _Refused(Exception):
    """The request is answered with a status before its body is looked at."""

    def __init__(self, status: int) -> None:
        self.status = status


def _answer(inbox: Receiver, body: bytes, headers: list[tuple[str, str]]) -> int:
    """The status to answer with."""
    try:
        inbox.receive(body, headers)
    except (WebhookRefused, InboxUnavailable) as error:
        logger.warning("%s", error)
        return error.status
    return HTTPStatus.OK


async def serve_asgi(inbox: Receiver, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
    """Answer one HTTP request, or the start and the end of a server."""
    if scope["type"] == "lifespan":
        await _lifespan(inbox, receive, send)
        return
    if scope["type"] != "http":
        raise RuntimeError("an inbox takes HTTP requests only")
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    try:
        if scope["method"] != "POST":
            raise _Refused(HTTPStatus.METHOD_NOT_ALLOWED)
        status = _answer(inbox, await _body(receive), headers)
    except _Refused as refused:
        status = refused.status
    extra = [(b"allow", b"POST")] if status == HTTPStatus.METHOD_NOT_ALLOWED else []
    await send({"type": "http.response.start", "status": int(status), "headers": [(b"content-length", b"0"), *extra]})
    await send({"type": "http.response.body", "body": b""})


async def _body(receive: Any) -> bytes:
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Refused(HTTPStatus.BAD_REQUEST)
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > MOST_BYTES:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        more = message.get("more_body", False)
    return b"".join(chunks)


async def _lifespan(inbox: Receiver, receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.shutdown":
            await inbox.aclose()
            await send({"type": "lifespan.shutdown.complete"})
            return
        await send({"type": "lifespan.startup.complete"})


def serve_wsgi(inbox: Receiver, environ: MutableMapping[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer one HTTP request."""
    try:
        if environ["REQUEST_METHOD"] != "POST":
            raise _Refused(HTTPStatus.METHOD_NOT_ALLOWED)
        status = _answer(inbox, _read(environ), _headers(environ))
    except _Refused as refused:
        status = refused.status
    extra = [("Allow", "POST")] if status == HTTPStatus.METHOD_NOT_ALLOWED else []
    start_response(
        f"{int(status)} {HTTPStatus(status).phrase}", [("Content-Type", "text/plain"), ("Content-Length", "0"), *extra]
    )
    return [b""]


def _read(environ: MutableMapping[str, Any]) -> bytes:
    length = environ.get("CONTENT_LENGTH") or ""
    if not (length.isascii() and length.isdecimal()):
        raise _Refused(HTTPStatus.LENGTH_REQUIRED)
    if len(length) > len(str(MOST_BYTES)) or int(length) > MOST_BYTES:
        raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    body: bytes = environ["wsgi.input"].read(int(length))
    return body


def _headers(environ: MutableMapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (name.removeprefix("HTTP_").replace("_", "-"), value)
        for name, value in environ.items()
        if name.startswith("HTTP_")
    ]
