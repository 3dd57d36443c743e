"""What a request has to pass before the service looks at it: where it comes from, and its JSON.

Rule: whatever is refused here is refused with a `Refusal` and has changed nothing. A body costs a bounded amount of
memory. Its schema comes next: `_schema_checks`.

Any web page that a browser on this machine opens can send requests to loopback. The controls need no key, so they check
the headers that a page cannot forge: `Host` (a name rebound to 127.0.0.1 is still the page's own name), `Origin` and
`Sec-Fetch-Site`. The storage needs no such check, because its signed URLs are the permission.
"""

import ipaddress
import json
import math
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

__all__ = [
    "MAX_BODY_BYTES",
    "Refusal",
    "check_origin",
    "local_only",
    "loopback_address",
    "read_json",
]

Endpoint = Callable[[Request], Awaitable[Response]]

# Our own limit: bodies of this API are a prompt and a few names, files go to storage.
MAX_BODY_BYTES: Final = 4 * 1024 * 1024
# The contract's bodies are four levels deep. Python's own JSON tools recurse and fail at about a thousand.
_MAX_LEVELS: Final = 100
# More digits than any number of the contract; JSON does not promise that larger numbers stay distinct (RFC 8259, 6).
_MAX_DIGITS: Final = 20
_FORBIDDEN: Final = "forbidden"


class Refusal(Exception):
    """The service answers this request with an error: a status, a code for programs and a message for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def body(self) -> dict[str, str]:
        """The body of the error, in the service's form."""
        return {"code": self.code, "message": self.message}


# --- where a request comes from


def loopback_address(host: str) -> str:
    """The loopback address that `host` names. ValueError for every other host."""
    if host == "localhost":
        return "127.0.0.1"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise ValueError(f"{host!r} is not an address of this machine's loopback interface") from None
    if not address.is_loopback:
        raise ValueError(f"the emulator listens on the loopback interface only, not on {host}")
    return host


def local_only(endpoint: Endpoint, allowed_hosts: Iterable[str]) -> Endpoint:
    """`endpoint`, for requests to a loopback name or an allowed one, unless a page of another site sends them."""
    allowed = frozenset(allowed_hosts)

    async def guarded(request: Request) -> Response:
        if not _is_local(_host_name("//" + request.headers.get("host", "")), allowed):
            message = "The controls answer to loopback names only; allow others with `allowed_hosts` (--allow-host)"
            raise Refusal(403, _FORBIDDEN, message)
        check_origin(request, allowed)
        return await endpoint(request)

    return guarded


def check_origin(request: Request, allowed_hosts: Iterable[str]) -> None:
    """Refuse requests of web pages of another site. Programs send neither of these headers."""
    origins = [_host_name(origin) for origin in request.headers.getlist("origin")]
    cross_site = "cross-site" in request.headers.getlist("sec-fetch-site")
    if cross_site or not all(_is_local(origin, allowed_hosts) for origin in origins):
        raise Refusal(403, _FORBIDDEN, "Requests from web pages of another origin are refused")


def _host_name(url: str) -> str:
    """The host of a URL in lower case; empty if there is none, as in the origin `null`."""
    try:
        return (urlsplit(url).hostname or "").removesuffix(".")
    except ValueError:
        return ""


def _is_local(name: str, allowed_hosts: Iterable[str]) -> bool:
    if name == "localhost" or name.endswith(".localhost") or name in allowed_hosts:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


# --- JSON within limits


async def read_json(request: Request, *, may_be_empty: bool = False) -> dict[str, Any]:
    """The JSON object in the request's body. Raises `Refusal` for anything else, and for a body that is too large."""
    content = await _read(request)
    if may_be_empty and not content:
        return {}
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Refusal(400, "invalid_request", "The header Content-Type must be application/json")
    try:
        body: Any = json.loads(content, parse_constant=_parse_constant, parse_float=_parse_float, parse_int=_parse_int)
        if _is_too_deep(body):
            raise ValueError(f"it is nested more than {_MAX_LEVELS} levels deep")
        json.dumps(body, ensure_ascii=False).encode()  # an unpaired surrogate cannot be sent back or drawn
    except RecursionError:
        raise Refusal(400, "invalid_request", "The body is not JSON: it is nested too deeply") from None
    except ValueError as malformed:
        raise Refusal(400, "invalid_request", f"The body is not JSON: {malformed}") from malformed
    if not isinstance(body, dict):
        raise Refusal(400, "invalid_request", "The body must be a JSON object")
    return body


async def _read(request: Request) -> bytes:
    too_large = Refusal(413, "payload_too_large", f"The body must have at most {MAX_BODY_BYTES} bytes")
    if int(request.headers.get("content-length", 0)) > MAX_BODY_BYTES:
        raise too_large
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_BODY_BYTES:
            raise too_large
    return bytes(content)


def _is_too_deep(body: Any) -> bool:
    level = [body]
    for _ in range(_MAX_LEVELS):
        level = [
            inner
            for value in level
            if isinstance(value, dict | list)
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return False
    return True


def _parse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")


def _parse_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _parse_int(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError("a number is too large")
    return int(text)
