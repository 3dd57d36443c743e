"""The request that an HTTP client gets, and what is known of that client: whether it reports its steps, which proxy.

Rule: httpx is imported here and not where calls are made, so that importing the client costs nothing of it.
"""

from __future__ import annotations

from typing import Any

import httpx

from .send_trace import Wire

_TELLING = (httpx.HTTPTransport, httpx.AsyncHTTPTransport)


class Request(httpx.Request):
    """A request that notes when a transport gets it: a client asks for `stream` directly before."""

    wire: Wire | None = None

    @property
    def stream(self) -> Any:
        if self.wire is not None:
            self.wire.hand_over()
        return self._stream

    @stream.setter
    def stream(self, stream: Any) -> None:
        self._stream = stream


def made(wire: Wire, client: httpx.Client | httpx.AsyncClient, request: Request, *, charges: bool) -> Request:
    """The request, ready for this client: it notes what happens to it on `wire`.

    A client of another make than httpx's own, a subclass included, may do with it what it likes: it has the request
    from the beginning. So has a transport that may not call back.
    """
    plain = type(client) in (httpx.Client, httpx.AsyncClient)
    transports = (client._transport, *client._mounts.values())
    wire.traced = charges and plain and all(transport is None or _tells(transport) for transport in transports)
    wire.handed = not plain
    wire.proxy = lambda: proxy(client, request.url)
    request.wire = wire
    return request


def _tells(transport: Any) -> bool:
    """Whether a transport calls back at each step: one of httpx's own, in which nothing was replaced.

    Tools for tests and for browsers put functions of their own in its place, or in that of the pool behind it.
    """
    return type(transport) in _TELLING and _is_original(transport) and _is_original(transport._pool)


def _is_original(sender: Any) -> bool:
    """Whether the method that sends comes from the file of its class."""
    for name in ("handle_request", "handle_async_request"):
        owner = next((kind for kind in type(sender).__mro__ if name in vars(kind)), None)
        if owner is not None:
            files = [_file_of(vars(owner).get(method)) for method in (name, "__init__")]
            return name not in vars(sender) and files[0] is not None and files[0] == files[1]
    return False


def _file_of(function: Any) -> str | None:
    return getattr(getattr(function, "__code__", None), "co_filename", None)


def proxy(client: httpx.Client | httpx.AsyncClient, url: httpx.URL) -> str | None:
    """Host and port of the proxy that requests to `url` go through; None without one, and if it cannot be told."""
    try:
        address = client._transport_for_url(url)._pool._proxy_url  # type: ignore[union-attr]
        return f"{address.host.decode()}:{address.port}" if address is not None else None
    except Exception:  # noqa: BLE001  (private names: without them, no proxy is named)
        return None
