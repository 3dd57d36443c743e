"""What can go wrong with a single call, and the one place where failures of the network become typed errors.

The public names are those of the client's `errors` module, which also shows the tree.

Rule: the data is in attributes, the message can be read alone, every error survives pickling, and none holds an
API key or a signed URL.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, TypeAlias, TypeVar

from ._contract import BASE_ERROR, PACKAGE
from .redaction import clean, escaped, without_secrets
from .types import Response

E = TypeVar("E", bound="BaseError")

_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{0,15})?")
_LONGEST_RETRY_AFTER = 7 * 86400.0
"""Seconds. The service keeps inputs for 7 days (upload URLs API), so a longer wait cannot be meant."""
_QUOTED = re.compile(r"(?:bytearray\()?\bb['\"].*", re.DOTALL)
"""How h11 quotes bytes that it does not understand."""
_REASON = re.compile(r"\d{3} .*", re.DOTALL)
"""How httpx reports a proxy that refused: the status, then the proxy's own words."""


class Argument(NamedTuple):
    """An argument of a call as part of a message. Python shows its name, the command line shows its option.

    >>> print(Argument("style.prompt"), Argument("allow_http", "True"))
    `style.prompt` allow_http=True
    """

    name: str
    value: str | None = None

    def __str__(self) -> str:
        return f"`{self.name}`" if self.value is None else f"{self.name}={self.value}"


Text: TypeAlias = str | Sequence[object]
"""What a message says: a string, or its pieces. `describe` is given how to show pieces that are not strings."""


class BaseError(Exception):
    """The base of every error raised on purpose. `str(error)` is the problem and the remedy in one line.

    Attributes:
        problem: what is wrong.
        remedy: what to do about it, or None.
        project_id: the id of the job that was accepted before things went wrong, or None.
    """

    args: tuple[Any, ...]  # set below; without a type here, checkers of users' code find it ambiguous
    project_id: str | None = None

    def __init__(self, problem: Text, remedy: Text | None = None) -> None:
        self._problem = problem
        self._remedy = remedy
        super().__init__(str(self))

    @property
    def problem(self) -> str:
        return _joined(self._problem, str)

    @property
    def remedy(self) -> str | None:
        return None if self._remedy is None else _joined(self._remedy, str)

    def describe(self, show: Callable[[Any], str] = str) -> str:
        """The problem and the remedy in one line.

        Args:
            show: how to write the pieces that are not strings, such as an `Argument`.
        """
        problem = _joined(self._problem, show)
        return problem if self._remedy is None else f"{problem.rstrip('.')}; {_joined(self._remedy, show)}"

    def advise(self, *remedy: object) -> None:
        """Add to the remedy."""
        before = () if self._remedy is None else (*_pieces(self._remedy), "; ")
        self._remedy = (*before, *remedy)
        self.args = (str(self), *self.args[1:])

    def __str__(self) -> str:
        return self.describe()

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.args, self.__dict__)


def _restore(kind: type[E], args: tuple[Any, ...], state: dict[str, Any]) -> E:
    # Without __init__, which wants other arguments. Python insists on the base that lays out the object.
    error = (OSError if OSError in kind.__mro__ else Exception).__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


def _pieces(text: Text) -> Sequence[object]:
    return (text,) if isinstance(text, str) else text


def _joined(text: Text, show: Callable[[Any], str]) -> str:
    return "".join(piece if isinstance(piece, str) else show(piece) for piece in _pieces(text))


class FieldDeprecated(DeprecationWarning):
    """A field, or one of its values, that the service has retired. It still works.

    Attributes:
        operation: the call.
        field: the field, such as `style.quality_mode`.
        value: the value in Python's notation, or None if the field is deprecated whatever its value.
        remedy: what to do instead, in the contract's words.
    """

    def __init__(self, operation: str, field: str, value: str | None, remedy: str) -> None:
        super().__init__(operation, field, value, remedy)
        self.operation = operation
        self.field = field
        self.value = value
        self.remedy = remedy

    def __str__(self) -> str:
        shown = self.field if self.value is None else f"{self.field}={self.value}"
        return f"{self.operation}: `{shown}` is deprecated: {self.remedy}"


class InvalidArgument(BaseError, ValueError):
    """An argument is invalid for every account and model. Nothing was sent.

    Attributes:
        field: the argument or field that is meant, such as `style.prompt`, if there is one.
    """

    def __init__(self, problem: Text, remedy: Text | None = None, *, field: str | None = None) -> None:
        self.field = field
        super().__init__(problem, remedy)

    def describe(self, show: Callable[[Any], str] = str) -> str:
        """The argument that is meant, the problem and the remedy in one line."""
        text = super().describe(show)
        return f"{show(Argument(self.field))}: {text}" if self.field else text


class UnknownField(InvalidArgument, TypeError):
    """A field that the contract does not know, most likely misspelt. `extra_body` sends it anyway."""


class ConnectionFailed(BaseError):
    """No complete answer arrived.

    Attributes:
        operation: which call it was.
        sent: False if not a byte of the request went out; True if the service may have received it.
    """

    def __init__(self, problem: Text, remedy: Text | None = None, *, operation: str, sent: bool) -> None:
        super().__init__(problem, remedy)
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

    def __init__(self, problem: Text, remedy: Text | None = None, *, operation: str, status: int) -> None:
        super().__init__(problem, remedy)
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
        problem: Text,
        remedy: Text | None = None,
        *,
        operation: str,
        status: int,
        code: str | None = None,
        reason: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(problem, remedy)
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
    """404: it does not exist, or belongs to somebody else."""


class UnprocessableEntity(APIError):
    """422: well formed, but not possible."""


class TooManyRequests(APIError):
    """429: too many requests; `retry_after` says when to try again, if the service said so."""


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


def error_from_response(operation: str, response: Response) -> APIError:
    """The typed error for an answer that is not a success, whatever its body holds."""
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):  # HTML, binary or nothing
        body = None
    known = body if isinstance(body, dict) else {}
    code, reason = clean(known.get("code")), clean(known.get("message"))
    kind = _BY_STATUS.get(response.status, ServerError if response.status >= 500 else APIError)
    told = (f" ({code})" if code else "") + (f": {reason}" if reason else "")
    return kind(
        f"{operation} was refused with status {response.status}{told}",
        _REMEDIES.get(response.status),
        operation=operation,
        status=response.status,
        code=code,
        reason=reason,
        retry_after=retry_after(response.headers),
    )


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds the `Retry-After` header asks for, given as a number or a date; None if there is none that makes sense.

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

    # httpx raises these only before the first byte of the request is written. InvalidURL is not one of them: a
    # redirect's Location can cause it too.
    early = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.ProxyError)
    sent = started or not (unsent or isinstance(error, early))
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
        # The parts of an address are quoted in many ways, and may be those of a signed URL.
        link.args = ("the URL is invalid",) if bad_address else tuple(_unquoted(arg) for arg in link.args)
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
    if isinstance(_each, type) and issubclass(_each, (BaseError, FieldDeprecated, Argument)):
        _each.__module__ = f"{PACKAGE}.errors"
