"""The HTTP clients that carry requests: how ours are made, and what is known of one that is given.

httpx reads the environment when a client is made and raises whatever comes of it; here the variable is named.

Rule: httpx is imported here, not where requests are built, so that importing the client costs nothing of it. The value
of an environment variable is never shown, because it may hold the password of a proxy.
"""

from __future__ import annotations

import os
import ssl
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx

from .errors import InvalidArgument
from .send_trace import SendTrace

_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
_HERE = ("localhost", "*.localhost", "127.0.0.1", "[::1]")

_shared: list[ssl.SSLContext] = []


def client_options(timeout: float | None, *, fresh: bool, secure: bool) -> dict[str, Any]:
    """How to make an httpx client; `fresh` for one that keeps no connection, `secure` for https."""
    # No ceiling of ours on connections: a large pool is slow, so callers with many jobs gate them in front.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0 if fresh else 32)
    verify = tls_context() if secure else without_certificates()
    # Requests to this machine stay away from the proxies of the environment.
    mounts = {f"all://{host}": None for host in _HERE} if getproxies() else {}
    return {"limits": limits, "verify": verify, "timeout": timeout, "cookies": NoCookies(), "mounts": mounts}


class NoCookies(CookieJar):
    """A jar that stays empty: the key identifies the caller, and handling cookies is 5 % of the work of a request."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Ignore them."""


def check_environment(*, secure: bool) -> None:
    """Refuse an environment with which no client can be made, naming the variable; `secure` if it will use https."""
    if secure and any(os.environ.get(name) for name in _CERTIFICATES):
        tls_context()
    for name in (*_PROXIES, "NO_PROXY"):
        # The variable as it is set, lowercase first as in httpx.
        if set_as := next((each for each in (name.lower(), name) if os.environ.get(each)), None):
            value = os.environ[set_as]
            _try(set_as, None if name == "NO_PROXY" else value if "://" in value else f"http://{value}")


def tls_context() -> ssl.SSLContext:
    """One TLS context for all clients: loading the certificates takes longer than most requests."""
    if not _shared:
        name = next((name for name in _CERTIFICATES if os.environ.get(name)), None)
        try:
            if name == "SSL_CERT_DIR" and not os.path.isdir(os.environ[name]):
                raise NotADirectoryError
            _shared.append(httpx.create_ssl_context())
        except OSError:  # ssl.SSLError is one
            if name is None:
                raise
            raise InvalidArgument(
                "it names certificates that cannot be read", "fix or unset this variable", field=name
            ) from None
    return _shared[0]


def without_certificates() -> ssl.SSLContext:
    """A context for plain http, cheap to make: it trusts no certificate, so TLS would fail with it."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _try(name: str, proxy: str | None) -> None:
    """Make a client with this proxy, or with what the environment says."""
    try:
        if proxy is not None:
            _ = urlsplit(proxy).port  # httpx accepts an unclosed bracket and ports out of range
        httpx.Client(verify=without_certificates(), proxy=proxy, trust_env=proxy is None).close()
    except ImportError as error:
        raise InvalidArgument(
            "this kind of proxy needs another package", "pip install 'httpx[socks]'", field=name
        ) from error
    except Exception:  # noqa: BLE001  (httpx lets through whatever its parts raise)
        raise InvalidArgument("httpx cannot use its value", "fix or unset this variable", field=name) from None


class TracedRequest(httpx.Request):
    """A request that notices when a transport gets it: a client reads `stream` directly before."""

    trace: SendTrace | None = None

    @property
    def stream(self) -> Any:
        if self.trace is not None:
            self.trace.hand_over()
        return self._stream

    @stream.setter
    def stream(self, stream: Any) -> None:
        self._stream = stream


def attach(
    trace: SendTrace, client: httpx.Client | httpx.AsyncClient, request: TracedRequest, *, charges: bool
) -> None:
    """Let `trace` follow the request through this client.

    A client that is not httpx's own, a subclass included, may do anything with a request: it counts as having it from
    the beginning. So does a transport that may not call back.
    """
    plain = type(client) in (httpx.Client, httpx.AsyncClient)
    transports = (client._transport, *client._mounts.values())
    trace.traced = charges and plain and all(transport is None or _reports_steps(transport) for transport in transports)
    trace.handed = not plain
    trace.proxy = lambda: proxy(client, request.url)
    request.trace = trace


def _reports_steps(transport: Any) -> bool:
    """Whether a transport calls back at each step: one of httpx's own, in which nothing was replaced.

    Tools for tests and for browsers put functions of their own in its place, or in that of the pool behind it.
    """
    ours = type(transport) in (httpx.HTTPTransport, httpx.AsyncHTTPTransport)
    return ours and _is_original(transport) and _is_original(transport._pool)


def _is_original(sender: Any) -> bool:
    """Whether the method that sends comes from the file of its class."""
    for name in ("handle_request", "handle_async_request"):
        owner = next((kind for kind in type(sender).__mro__ if name in vars(kind)), None)
        if owner is not None:
            codes = [getattr(vars(owner).get(method), "__code__", None) for method in (name, "__init__")]
            sends, made = [getattr(code, "co_filename", None) for code in codes]
            return name not in vars(sender) and sends is not None and sends == made
    return False


def proxy(client: httpx.Client | httpx.AsyncClient, url: httpx.URL) -> str | None:
    """Host and port of the proxy that requests to `url` go through; None without one, or if it is not known."""
    try:
        address = client._transport_for_url(url)._pool._proxy_url  # type: ignore[union-attr]
        return f"{address.host.decode()}:{address.port}" if address is not None else None
    except Exception:  # noqa: BLE001  (private names: without them, no proxy is named)
        return None
