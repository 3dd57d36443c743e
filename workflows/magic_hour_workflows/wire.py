"""Requests to storage, as both worlds send them: the shared half of `BlockingIO` and `AsyncIO`.

Rule: a signed URL is its own permission. It goes to its own origin, without the API key, and is never shown: not by
httpx's log, not in an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx

from magic_hour_client.errors import connection_error, retry_after, without_request, without_secrets

from .errors import TransferFailed

CHUNK_BYTES = 256 * 1024
INACTIVITY_SECONDS = 60.0
"""How long storage may be silent within a transfer."""


class SecretURL(httpx.URL):
    """A URL that keeps its query to itself when it is printed or logged."""

    def __str__(self) -> str:
        return without_secrets(super().__str__())

    def __repr__(self) -> str:
        return f"SecretURL({str(self)!r})"


def put_request(url: str, chunks: httpx.SyncByteStream | httpx.AsyncByteStream, size: int) -> httpx.Request:
    """A PUT of known length: storage may refuse chunked ones. No Content-Type, which would have to be signed."""
    return _request("PUT", url, {"content-length": str(size)}, chunks)


def fetch_request(url: str, headers: Mapping[str, str]) -> httpx.Request:
    """A GET with the headers a download asks for."""
    return _request("GET", url, headers, None)


def _request(
    method: str,
    url: str,
    headers: Mapping[str, str],
    stream: httpx.SyncByteStream | httpx.AsyncByteStream | None,
) -> httpx.Request:
    timeout = httpx.Timeout(INACTIVITY_SECONDS).as_dict()
    request = httpx.Request(method, url, headers=headers, extensions={"timeout": timeout})
    request.url = SecretURL(url)  # httpx logs it; its constructor would make a plain one of it
    if stream is not None:
        request.stream = stream  # given to the constructor, it would leave out the Host header
    return request


def answer_headers(response: httpx.Response) -> dict[str, str]:
    """Header names in lowercase."""
    return {name.lower(): value for name, value in response.headers.items()}


def check_put(status: int, headers: Mapping[str, str]) -> None:
    """Raises TransferFailed unless storage took the file."""
    if not 200 <= status < 300:
        raise TransferFailed(f"storage answered with status {status}", status=status, retry_after=retry_after(headers))


def cut_short() -> TransferFailed:
    """A file ended before the length that was promised for it."""
    return TransferFailed("the file changed while it was read", final=True)


@contextmanager
def network_errors(name: str) -> Iterator[None]:
    """Failures of httpx inside the block become `ConnectionFailed`, without the signed URL."""
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, TimeoutError) as error:
        raise connection_error(name, error) from without_request(error)
    except OSError as error:
        # httpx translates those of the network; what is left comes from the disk.
        raise TransferFailed(f"{name}: {error.strerror or type(error).__name__}", final=True) from None
