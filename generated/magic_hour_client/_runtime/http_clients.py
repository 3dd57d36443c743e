"""What the environment says about connections, certificates and proxies, checked before anything relies on it.

httpx reads these variables when a client is made and raises whatever comes of it; here the variable is named.

Rule: a value is never shown, it may hold the password of a proxy. What httpx can use is its own to say: it is asked.
"""

from __future__ import annotations

import os
import ssl
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx

from .errors import InvalidArgument

_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
_EXCEPT = "NO_PROXY"
_HERE = ("localhost", "*.localhost", "127.0.0.1", "[::1]")

_shared: list[ssl.SSLContext] = []


def check(*, secure: bool) -> None:
    """Refuse what no client could be made with; `secure` if it will speak https.

    Raises:
        InvalidArgument: naming the variable.
    """
    if secure and any(os.environ.get(name) for name in _CERTIFICATES):
        tls_context()
    if any(_named(name) for name in (*_PROXIES, _EXCEPT)):
        _check_proxies()


def tls_context() -> ssl.SSLContext:
    """One TLS context for all clients: loading the certificates takes longer than most requests.

    Raises:
        InvalidArgument: the environment names certificates that cannot be read.
    """
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
                "it names no certificates that can be read", "fix or unset this variable", field=name
            ) from None
    return _shared[0]


def trusting_nobody() -> ssl.SSLContext:
    """For plain http, which needs no certificates: made at once, and whoever used it for TLS would be refused."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def direct() -> dict[str, Any]:
    """The `mounts` by which requests to this machine go there, whatever proxy the environment names."""
    return {f"all://{host}": None for host in _HERE} if getproxies() else {}


def _named(name: str) -> tuple[str, str] | None:
    """The variable as it is written, in lowercase first as httpx has it, and its value."""
    for each in (name.lower(), name):
        if value := os.environ.get(each):
            return each, value
    return None


def _check_proxies() -> None:
    for name in _PROXIES:
        if found := _named(name):
            _try(found[0], found[1] if "://" in found[1] else f"http://{found[1]}")
    if found := _named(_EXCEPT):
        _try(found[0])


def _try(name: str, proxy: str | None = None) -> None:
    try:
        if proxy is not None:
            _ = urlsplit(proxy).port  # httpx takes brackets without an end, and ports that there are not
        httpx.Client(verify=trusting_nobody(), proxy=proxy, trust_env=proxy is None).close()
    except ImportError as error:
        raise InvalidArgument(
            "this kind of proxy needs another package", "pip install 'httpx[socks]'", field=name
        ) from error
    except Exception:  # noqa: BLE001  (httpx lets through whatever its parts raise)
        raise InvalidArgument("httpx cannot use its value", "fix or unset this variable", field=name) from None
