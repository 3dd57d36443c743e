"""When to send again, and when never: the decisions about failures, as pure functions.

Rule: credits are charged when a create is accepted, and the service has no idempotency key, no list and no cancel.
So a create is sent again only where it is certain that it was not accepted. Everything else can be repeated freely.
"""

from __future__ import annotations

from enum import Enum

from magic_hour_client.errors import APIError, ConnectionFailed, InvalidArgument, UnexpectedResponse

from .errors import TransferFailed


class Outcome(Enum):
    """What a failure says about a request that charges credits."""

    NOT_SENT = "not sent"
    REFUSED = "refused"
    SLOWED = "slowed"
    UNKNOWN = "unknown"


_MAYBE_ACCEPTED = frozenset({408, 409, 425})
"""These 4xx can come from something between us and the service, after the service got the request."""

_EXPIRED = frozenset({400, 401, 403, 404, 410})
"""The statuses with which storage refuses an expired signed URL."""

_PASSING = frozenset({408, 425, 429})
"""The 4xx that may succeed next time."""


def outcome(error: Exception) -> Outcome:
    """What is known about a create that ended with `error`.

    >>> from magic_hour_client.errors import APIError
    >>> outcome(APIError("gateway", operation="x", status=502))
    <Outcome.UNKNOWN: 'unknown'>
    """
    if isinstance(error, InvalidArgument):
        return Outcome.REFUSED  # by ourselves, before anything was sent
    if isinstance(error, ConnectionFailed):
        return Outcome.UNKNOWN if error.sent else Outcome.NOT_SENT
    if not isinstance(error, APIError):
        return Outcome.UNKNOWN
    if error.status == 429 or (error.status == 503 and _says_so_itself(error)):
        return Outcome.SLOWED
    if 400 <= error.status < 500 and error.status not in _MAYBE_ACCEPTED:
        return Outcome.REFUSED
    return Outcome.UNKNOWN


def _says_so_itself(error: APIError) -> bool:
    """Whether a 503 is a refusal by the service itself, and not by a proxy that may have passed the request on.

    A message alone is not enough: gateways answer `{"message": "Service Unavailable"}` as well.
    """
    return error.retry_after is not None or error.code is not None


def may_repeat(error: Exception) -> bool:
    """Whether repeating may help, for requests that can be repeated freely."""
    if isinstance(error, (ConnectionFailed, UnexpectedResponse)):
        return True
    if isinstance(error, APIError):
        return error.status in _PASSING or error.status >= 500
    if isinstance(error, TransferFailed):
        return not error.final and (error.status is None or error.status in _PASSING or error.status >= 500)
    return False


def has_expired(error: Exception) -> bool:
    """Whether storage may have refused because a signed URL had expired, so that a fresh one is worth a try."""
    return isinstance(error, TransferFailed) and error.status in _EXPIRED


FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0


class Backoff:
    """How long to wait before each attempt: exponential with full jitter, never earlier than `Retry-After`.

    >>> backoff = Backoff()
    >>> [backoff.delay(ValueError(), random=1.0) for _ in range(8)]
    [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    """

    def __init__(self, failures: int = 0) -> None:
        self.failures: int = failures

    def delay(self, error: Exception, random: float) -> float:
        """Count a failure and return the seconds to wait; `random` is between 0 and 1."""
        ceiling: float = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(self.failures, 30))
        self.failures += 1
        asked: float | None = getattr(error, "retry_after", None)
        # A short Retry-After is obeyed too, but a failing service is never asked more often than without one.
        spread = random * ceiling
        return spread if asked is None else max(asked + random * FIRST_DELAY, spread)

    def made_progress(self) -> None:
        """Start over: the last attempt got further than the one before."""
        self.failures = 0
