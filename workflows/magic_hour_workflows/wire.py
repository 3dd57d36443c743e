"""Requests to storage, as both worlds send them: the shared half of `BlockingIO` and `AsyncIO`.

Rule: a signed URL is its own permission. It goes to its own origin, without the API key, and is never shown: not in an
error, not by httpx's log, and not by httpcore's, which at DEBUG level tells the headers of every answer, a redirect's
`Location` among them. So during a transfer, and only then, `_Discreet` takes such details out of what the two log.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

import httpx

from magic_hour_client.errors import connection_error, retry_after, without_request, without_secrets

from .errors import TransferFailed

INACTIVITY_SECONDS = 60.0
"""How long storage may be silent within a transfer."""


def chunk_bytes(size: int, most: int) -> int:
    """How much of a file of `size` bytes is sent at a time: a percent, but not very little, nor more than `most`."""
    return min(max(size // 100, 64 * 1024), most)


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


def is_empty(headers: Mapping[str, str]) -> bool:
    """Whether an answer has nothing more to read: then reading that costs no waiting, and keeps the connection."""
    return headers.get("content-length") == "0"


def cut_short() -> TransferFailed:
    """A file ended before the length that was promised for it."""
    return TransferFailed("the file changed while it was read", final=True)


_transferring: ContextVar[bool] = ContextVar("transferring", default=False)


class _Discreet(logging.Filter):
    """Leaves of a record about a transfer what happened, without what came from storage; other records as they are."""

    def filter(self, record: logging.LogRecord) -> bool:
        if _transferring.get():
            text = without_secrets(record.getMessage())
            # httpx: a line with method, URL and status. httpcore: the event, then whatever belongs to it.
            record.msg, record.args = text if record.name == "httpx" else text.partition(" ")[0], None
        return True


_DISCREET = _Discreet()
# A filter works for the very logger it is given to, not for those below; these are all that httpx and httpcore have.
_LOGGERS = ("httpx", *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")))
for _name in _LOGGERS:
    logging.getLogger(_name).addFilter(_DISCREET)


@contextmanager
def network_errors(name: str) -> Iterator[None]:
    """Around a transfer: failures of httpx become `ConnectionFailed`, and neither they nor logs show the signed URL."""
    token = _transferring.set(True)
    try:
        yield
    except (httpx.InvalidURL, UnicodeError, OverflowError):  # their words would quote it
        raise TransferFailed(f"{name}: storage returned an invalid URL", final=True) from None
    except (httpx.HTTPError, httpx.StreamError, TimeoutError) as error:
        raise connection_error(name, error) from without_request(error)
    except OSError as error:
        # httpx translates those of the network; what is left comes from the disk.
        raise TransferFailed(f"{name}: {error.strerror or type(error).__name__}", final=True) from None
    finally:
        _transferring.reset(token)
