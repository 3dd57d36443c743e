"""What can go wrong with a single call, and the one place where failures of the network become typed errors.

The public names are those of the client's `errors` module, which also shows the tree.

Rule: the data is in attributes, the message can be read alone, every error survives pickling, and none holds an
API key or a signed URL.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from ._contract import BASE_ERROR, PACKAGE
from .types import Reply

E = TypeVar("E", bound="BaseError")

_URL_SECRETS = re.compile(r"(?<=[a-z]://)[^/\s\"'<>@]*@|(?<=[?#])[^\s\"'<>]+")
_MAX_MESSAGE = 500
_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{0,15})?")
_LONGEST_RETRY_AFTER = 7 * 86400.0
"""Seconds. The service keeps inputs for 7 days (upload URLs API): who is told to wait for longer is told nothing."""
_QUOTED = re.compile(r"(?:bytearray\()?\bb['\"].*", re.DOTALL)
"""How h11 quotes bytes that it does not understand."""
_REASON = re.compile(r"\d{3} .*", re.DOTALL)
"""How httpx tells of a proxy that refused: the status, then the proxy's own words."""


def without_secrets(text: str) -> str:
    """`text` with the user info, query and fragment of every URL replaced by an ellipsis.

    >>> without_secrets("see https://storage.example/a.png?signature=abc for more")
    'see https://storage.example/a.png?… for more'
    """
    return _URL_SECRETS.sub("…", text) if "://" in text else text


_UNSHOWN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\ud800-\udfff\U000e0000-\U000e007f]"
)
"""What a terminal obeys (controls), what turns text around (marks of direction) or cannot be seen, and halves of
characters, which no encoding can say. Joiners stay: letters and pictures are made with them."""


def escaped(text: str, *, keep: str = "") -> str:
    """`text` on one line and safe to show, with escapes in place of everything else.

    Args:
        text: words from outside: of the service, of storage, of a file.
        keep: characters to leave as they are, such as line breaks of our own.

    >>> print(escaped("a" + chr(27) + "[31mb" + chr(10)))
    a\\x1b[31mb\\n
    """
    return _UNSHOWN.sub(lambda found: found[0] if found[0] in keep else ascii(found[0])[1:-1], text)


class BaseError(Exception):
    """The base of every error raised on purpose.

    Attributes:
        project_id: the id of the job that was accepted before things went wrong, or None.
    """

    project_id: str | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.args, self.__dict__)


def _restore(kind: type[E], args: tuple[Any, ...], state: dict[str, Any]) -> E:
    # Without __init__, which wants other arguments. Python insists on the base that lays out the object.
    error = (OSError if OSError in kind.__mro__ else Exception).__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class InvalidArgument(BaseError, ValueError):
    """A value of yours cannot be right for any account or model. Nothing was sent.

    Attributes:
        field: the argument or field that is meant, such as `style.prompt`, if there is one.
    """

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class UnknownField(InvalidArgument, TypeError):
    """A field that the contract does not know, most likely misspelt. `extra_body` sends it all the same."""


class ConnectionFailed(BaseError):
    """No complete answer arrived.

    Attributes:
        operation: which call it was.
        sent: False if not a byte of the request went out; True if the service may have received it.
    """

    def __init__(self, message: str, *, operation: str, sent: bool) -> None:
        super().__init__(message)
        self.operation = operation
        self.sent = sent


class RequestTimeout(ConnectionFailed, TimeoutError):
    """No complete answer arrived in time."""


class UnexpectedResponse(BaseError):
    """The answer claims success, but it is not what the contract promises.

    Attributes:
        operation: which call it was.
        status: the status code.
    """

    def __init__(self, message: str, *, operation: str, status: int) -> None:
        super().__init__(message)
        self.operation = operation
        self.status = status


class APIError(BaseError):
    """The service refused the request.

    Attributes:
        operation: which call it was.
        status: the status code.
        code: the service's own name of the error, if it gave one.
        reason: the service's own message, if it gave one.
        retry_after: how many seconds the service asked to wait, if it did.
    """

    def __init__(
        self,
        message: str,
        *,
        operation: str,
        status: int,
        code: str | None = None,
        reason: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.operation = operation
        self.status = status
        self.code = code
        self.reason = reason
        self.retry_after = retry_after


class InvalidRequest(APIError):
    """400: the request is not well formed."""


class Unauthorized(APIError):
    """401: the API key is missing or wrong."""


class PaymentRequired(APIError):
    """402: not enough credits, or the plan does not allow it."""


class Forbidden(APIError):
    """403: not part of the plan."""


class NotFound(APIError):
    """404: no such thing, or it belongs to somebody else."""


class UnprocessableEntity(APIError):
    """422: well formed, but not possible."""


class TooManyRequests(APIError):
    """429: too many requests; `retry_after` says when to come back, if the service said so."""


class ServerError(APIError):
    """5xx: the service failed, or something in front of it did."""


_BY_STATUS: Mapping[int, type[APIError]] = {
    400: InvalidRequest,
    401: Unauthorized,
    402: PaymentRequired,
    403: Forbidden,
    404: NotFound,
    422: UnprocessableEntity,
    429: TooManyRequests,
}

_REMEDIES: Mapping[int, str] = {
    401: "check the API key",
    402: "add credits or change the plan",
    403: "this is not part of your plan",
    429: "slow down",
}


def error_from_reply(operation: str, reply: Reply) -> APIError:
    """The typed error for an answer that is not a success, whatever its body holds."""
    code, reason = _explanation(reply)
    kind = _BY_STATUS.get(reply.status, ServerError if reply.status >= 500 else APIError)
    parts = [f"{operation} was refused with status {reply.status}"]
    if code:
        parts.append(f" ({code})")
    if reason:
        parts.append(f": {reason}")
    if reply.status in _REMEDIES:
        parts.append(f" ({_REMEDIES[reply.status]})" if reason else f": {_REMEDIES[reply.status]}")
    return kind(
        "".join(parts),
        operation=operation,
        status=reply.status,
        code=code,
        reason=reason,
        retry_after=retry_after(reply.headers),
    )


def _explanation(reply: Reply) -> tuple[str | None, str | None]:
    """Code and message of an error body; (None, None) for HTML, binary, nothing, or some other JSON."""
    try:
        body = json.loads(reply.content)
    except (ValueError, RecursionError):
        return None, None
    if not isinstance(body, dict):
        return None, None
    return clean(body.get("code")), clean(body.get("message"))


def clean(value: object) -> str | None:
    """Words of the service as part of a message: one line, not endless, without secrets; None for no words."""
    if not isinstance(value, (str, int, float)):
        return None
    printable = "".join(c if c.isprintable() else " " for c in str(value)[: 4 * _MAX_MESSAGE])
    text = without_secrets(" ".join(printable.split()))
    return (text if len(text) <= _MAX_MESSAGE else text[: _MAX_MESSAGE - 1] + "…") or None


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds the `Retry-After` header asks for, given as a number or a date; None without one that can be meant.

    >>> retry_after({"retry-after": "2.5"})
    2.5
    >>> retry_after({}) is None
    True
    """
    value = headers.get("retry-after", "").strip()
    if _NUMBER.fullmatch(value):
        seconds = float(value)
    else:
        try:
            moment = parsedate_to_datetime(value)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            # A date that has passed is now.
            seconds = max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())
        except (ValueError, TypeError, OverflowError, IndexError):
            return None
    return seconds if seconds <= _LONGEST_RETRY_AFTER else None


def connection_error(
    name: str, error: Exception, *, unsent: bool = False, started: bool = False, proxy: str | None = None
) -> ConnectionFailed:
    """The typed error for a failure of the network.

    Args:
        name: the call.
        error: what httpx, anyio or the system raised.
        unsent: True if it was observed that not a byte of the request went out.
        started: True if it was observed that one did, which outweighs every kind of error.
        proxy: host and port of the proxy in between, if there is one.
    """
    import httpx

    # httpx raises these only before the first byte of the request is written. InvalidURL is none of them: it comes of a
    # redirect's Location as well.
    not_sent = (
        httpx.ConnectError,
        httpx.ConnectTimeout,
        httpx.PoolTimeout,
        httpx.UnsupportedProtocol,
        httpx.ProxyError,
    )
    sent = started or not (unsent or isinstance(error, not_sent))
    timed_out = isinstance(error, (httpx.TimeoutException, TimeoutError))
    what = "timed out" if timed_out else "failed"
    where = "after the request was sent" if sent else "before anything was sent"
    way = f", through the proxy at {proxy}" if proxy else ""
    detail = escaped(without_secrets(str(unquoted(error))))
    message = f"{name} {what} {where}{way}" + (f": {detail}" if detail else f" ({type(error).__name__})")
    return (RequestTimeout if timed_out else ConnectionFailed)(message, operation=name, sent=sent)


def unquoted(error: Exception) -> Exception:
    """The same error, which no longer quotes what the other side sent, and neither do those it came from."""
    import httpx

    bad_address = isinstance(error, httpx.InvalidURL)
    links: list[BaseException] = [error]
    seen: set[int] = set()
    while links:
        link = links.pop()
        if id(link) in seen:
            continue
        seen.add(id(link))
        if bad_address:  # its parts are quoted in many ways, and may be those of a signed URL
            link.args = ("the URL is invalid",)
        else:
            link.args = tuple(_unquoted(arg) for arg in link.args)
        # httpcore keeps what it translates as its argument, httpx as its cause.
        links += [more for more in (link.__cause__, link.__context__, *link.args) if isinstance(more, BaseException)]
    return error


def _unquoted(value: object) -> object:
    if not isinstance(value, str):
        return value
    return f"the proxy answered {value[:3]}" if _REASON.fullmatch(value) else _QUOTED.sub("…", value)


def without_request(error: Exception) -> Exception:
    """The same error, no longer holding the request, whose headers include the API key."""
    for name in {"_request", "response"} & vars(error).keys():
        vars(error)[name] = None
    return error


# What people see, in tracebacks and in what they pickle, are the public names.
BaseError.__name__ = BaseError.__qualname__ = BASE_ERROR
for _each in [*globals().values()]:
    if isinstance(_each, type) and issubclass(_each, BaseError):
        _each.__module__ = f"{PACKAGE}.errors"
