"""Who may talk to the emulator: this machine's programs, and no web page.

Rule: a browser on this machine visits foreign pages, and each of them can send requests to loopback. The controls need
no key, so they check what browsers cannot be made to forge: `Host` (a name rebound to 127.0.0.1 is still the page's
own), `Origin` and `Sec-Fetch-Site`. The storage is left out: there the signed URL is the permission.
"""

import ipaddress
from collections.abc import Awaitable, Callable, Iterable
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from ._errors import Refusal

__all__ = ["check_origin", "for_this_machine", "loopback_address"]

Endpoint = Callable[[Request], Awaitable[Response]]

_FORBIDDEN: Final = "forbidden"


def loopback_address(host: str) -> str:
    """The loopback address that `host` names. ValueError if it is any other."""
    if host == "localhost":
        return "127.0.0.1"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise ValueError(f"{host!r} is not an address of this machine's loopback interface") from None
    if not address.is_loopback:
        raise ValueError(f"the emulator listens on the loopback interface only, not on {host}")
    return host


def for_this_machine(endpoint: Endpoint, allowed_hosts: Iterable[str]) -> Endpoint:
    """`endpoint`, for requests that were sent to a loopback name (or an allowed one), and by no foreign page."""
    allowed = frozenset(allowed_hosts)

    async def guarded(request: Request) -> Response:
        if not _is_local(_name("//" + request.headers.get("host", "")), allowed):
            message = "The controls answer to loopback names only; allow others with `allowed_hosts` (--allow-host)"
            raise Refusal(403, _FORBIDDEN, message)
        check_origin(request, allowed)
        return await endpoint(request)

    return guarded


def check_origin(request: Request, allowed_hosts: Iterable[str]) -> None:
    """Refuse what a page of a foreign site sends. Programs send neither of these headers."""
    origins = [_name(origin) for origin in request.headers.getlist("origin")]
    cross_site = "cross-site" in request.headers.getlist("sec-fetch-site")
    if cross_site or not all(_is_local(origin, allowed_hosts) for origin in origins):
        raise Refusal(403, _FORBIDDEN, "Requests from web pages of another origin are refused")


def _name(url: str) -> str:
    """The host of a URL, lower-case; empty if it has none, as the origin `null`."""
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
