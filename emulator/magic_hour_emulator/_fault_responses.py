"""Responses that replace the service's: an error, a page of a proxy, a redirect, or a body that is not JSON.

Rule: pure functions from a fault to a response. Nothing here reads a socket or changes the service: what the client
receives is wrong, what happened is not.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from email.utils import formatdate
from http import HTTPStatus
from typing import Final
from xml.sax.saxutils import escape

from .faults import Fault

__all__ = ["Circumstances", "Headers", "Response", "replacement"]

Headers = tuple[tuple[str, str], ...]

_HTML: Final = "<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
_XML: Final = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
# The service's own codes, as in the examples of spec/. A status without a code of its own gets one made of its number.
_CODES: Final = {
    **{400: "invalid_request", 401: "unauthorized", 402: "insufficient_credits", 403: "plan_upgrade_required"},
    **{404: "not_found", 422: "unprocessable_entity", 429: "too_many_requests", 500: "internal_server_error"},
    503: "service_unavailable",
}
# The codes of object storage.
_STORAGE_CODES: Final = {
    **{403: "AccessDenied", 404: "NoSuchKey", 408: "RequestTimeout", 429: "SlowDown", 500: "InternalError"},
    503: "SlowDown",
}


@dataclass(frozen=True)
class Response:
    """Status, headers and body as they are sent. Names of headers are in lower case."""

    status: int
    headers: Headers
    body: bytes

    def get(self, name: str) -> str | None:
        """The value of a header."""
        return dict(self.headers).get(name)

    def having(self, headers: Mapping[str, str | None], body: bytes | None = None) -> "Response":
        """This response with some headers set or, with None, removed, and perhaps with another body."""
        length = {} if body is None else {"content-length": str(len(body))}
        merged = {**dict(self.headers), **length, **headers}
        kept = tuple((name, value) for name, value in merged.items() if value is not None)
        return replace(self, headers=kept, body=self.body if body is None else body)


@dataclass(frozen=True)
class Circumstances:
    """What a response depends on besides its fault.

    `now` is the machine's time, which clients compare dates with; `next_second` is the number of seconds until the next
    full second of the emulator's clock; `location` is the target of a redirect.
    """

    storage: bool
    now: float
    next_second: int
    location: str


def replacement(fault: Fault, about: Circumstances) -> Response:
    """The response of a fault that does not depend on the service's own."""
    return _REPLACEMENTS[fault.kind](fault, about)


def _slowed(status: int) -> "_Replacement":
    def respond(fault: Fault, about: Circumstances) -> Response:
        wait, date = fault["retry_after"], fault["date"]
        header = None if wait is None else formatdate(about.now + wait, usegmt=True) if date else str(wait)
        return _error(status, about.storage).having({"retry-after": header})

    return respond


def _error(status: int, storage: bool, code: str | None = None, message: str | None = None) -> Response:
    message = message or f"The emulator was asked to answer {status} {_phrase(status)}".strip()
    if storage:
        code = code or _STORAGE_CODES.get(status, f"Error{status}")
        return _plain(status, "application/xml", _XML.format(code=escape(code), message=escape(message)).encode())
    body = {"code": code or _CODES.get(status, f"error_{status}"), "message": message}
    return _plain(status, "application/json", json.dumps(body).encode())


def _page(status: int, title: str) -> Response:
    return _plain(status, "text/html; charset=utf-8", _HTML.format(title=title.strip()).encode())


def _plain(status: int, media_type: str, body: bytes) -> Response:
    return Response(status, (("content-type", media_type), ("content-length", str(len(body)))), body)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Web server is returning an unknown error" if status == 520 else ""


_Replacement = Callable[[Fault, Circumstances], Response]
_REPLACEMENTS: Final[Mapping[str, _Replacement]] = {
    "rate_limited": _slowed(429),
    "unavailable": _slowed(503),
    "rate_limit": lambda _, about: _error(429, about.storage).having({"retry-after": str(about.next_second)}),
    "status": lambda fault, about: _error(fault["status"], about.storage, fault["code"], fault["message"]),
    "not_found": lambda _, about: _error(404, about.storage),
    "expired_url": lambda _, about: _error(403, storage=True, message="The URL has expired."),
    "proxy_error": lambda fault, _: _page(fault["status"], f"{fault['status']} {_phrase(fault['status'])}"),
    "redirect": lambda fault, about: _plain(fault["status"], "text/plain", b"").having({"location": about.location}),
    "html": lambda _, __: _page(200, "Welcome to our network"),
    "binary": lambda _, __: _plain(200, "application/json", bytes(range(256))),
    "empty": lambda _, __: _plain(200, "application/json", b""),
    "malformed_json": lambda _, __: _plain(200, "application/json", b'{"id": "none", "credits_charged": 5,}'),
}
