"""Storage over HTTP: checked URLs, and the requests that `SyncBackend` and `AsyncBackend` have in common.

Rule: no URL of the service or storage reaches the HTTP client, a resolver or a socket unchecked. A signed URL is its
own permission. It goes to its own origin, without the API key, and is never shown: not in an
error, and not in what httpx and httpcore log of a transfer (`magic_hour_client._runtime.log_filter`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address
from urllib.parse import SplitResult, urljoin, urlsplit

import httpx

from magic_hour_client._runtime.errors import connection_error, retry_after, without_request
from magic_hour_client._runtime.settings import may_speak_to

from ._formatting import shown
from .errors import TransferFailed, UnusableURL

Timeouts = Mapping[str, float | None]
INACTIVITY_SECONDS = 60.0
"""How long storage may be silent within a transfer."""


def chunk_bytes(size: int, most: int) -> int:
    """How much of a file of `size` bytes is sent at a time: one percent, but not very little, and at most `most`."""
    return min(max(size // 100, 64 * 1024), most)


def put_request(
    url: str, chunks: httpx.SyncByteStream | httpx.AsyncByteStream, size: int, timeouts: Timeouts | None = None
) -> httpx.Request:
    """A PUT of known length: storage may refuse chunked ones. No Content-Type, which would have to be signed."""
    request = fetch_request(url, {"content-length": str(size)}, timeouts, method="PUT")
    request.stream = chunks  # given to the constructor, it would leave out the Host header
    return request


def fetch_request(
    url: str, headers: Mapping[str, str], timeouts: Timeouts | None = None, *, method: str = "GET"
) -> httpx.Request:
    """A GET with the headers a download asks for."""
    timeouts = timeouts or httpx.Timeout(INACTIVITY_SECONDS).as_dict()
    return httpx.Request(method, url, headers=headers, extensions={"timeout": timeouts})


def answer_headers(response: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def check_put(status: int, headers: Mapping[str, str]) -> None:
    """Raises TransferFailed unless storage accepted the file."""
    if not 200 <= status < 300:
        raise TransferFailed(f"storage answered with status {status}", status=status, retry_after=retry_after(headers))


def is_empty(headers: Mapping[str, str]) -> bool:
    """Whether an answer has no body: then reading it takes no time, and the connection can be used again."""
    return headers.get("content-length") == "0"


def cut_short() -> TransferFailed:
    """The error for a file that ended before its announced length."""
    return TransferFailed("the file changed while it was read", final=True)


@contextmanager
def network_errors(name: str) -> Iterator[None]:
    """Translate the errors of a transfer: failures of httpx become `ConnectionFailed`, without the signed URL.

    A `StreamError` is not translated: it is a bug in a program, and a retry would not help.
    """
    try:
        yield
    except (httpx.InvalidURL, UnicodeError, OverflowError):  # their messages would quote it
        raise TransferFailed(f"{name}: storage returned an invalid URL", final=True) from None
    except (httpx.HTTPError, TimeoutError) as error:
        raise connection_error(name, error) from without_request(error)
    except OSError as error:
        # httpx translates those of the network; what is left comes from the disk.
        raise TransferFailed(f"{name}: {error.strerror or type(error).__name__}", final=True) from None


_LONGEST_URL = 65536  # httpx refuses longer ones
_INVALID = re.compile(r"[\x00-\x1f\x7f]|\A | \Z")
"""The standard library drops some of these silently, and httpx refuses all of them."""


def checked_url(url: object, allow_http: bool, base: str = "") -> str:
    """A signed URL that may be requested: HTTPS, or plain HTTP to this machine or if allowed.

    Args:
        url: what storage or the service returned, of any type.
        allow_http: whether plain HTTP may go anywhere.
        base: the URL that a relative one, in a redirect, is relative to.

    Raises:
        UnusableURL: it is not a URL.
        TransferFailed: its scheme is not allowed.
    """
    try:
        if not isinstance(url, str) or _INVALID.search(url):
            raise ValueError
        joined = urljoin(base, url)
        parts = urlsplit(joined)
        host = _usable_host(joined, parts)
    except ValueError:  # UnicodeError is one too; what they say would quote the URL
        raise UnusableURL("storage returned an invalid URL", final=True) from None
    if not may_speak_to(parts.scheme, host, allow_http):
        problem, remedy = f"storage returned a plain http:// URL on {shown(host)}", "allow_http=True would accept it"
        raise TransferFailed(problem, remedy, final=True)
    return joined


def _usable_host(url: str, parts: SplitResult) -> str:
    """The host of a URL, if HTTP clients, resolvers and sockets can use it."""
    host = parts.hostname or ""
    url.encode()  # no half of a surrogate pair
    if ":" in host:
        ip_address(host.partition("%")[0])
    else:
        host.encode("idna")  # as the resolver does: no empty or endless label
    if parts.scheme not in ("http", "https") or not host or parts.port == 0 or len(url) > _LONGEST_URL:
        raise ValueError
    return host
