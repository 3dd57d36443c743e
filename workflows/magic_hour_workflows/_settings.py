"""The settings of a client beyond those of the low-level client: time limits, polling and parallel transfers.

Rule: checked when the client is made; a wrong value is found before anything is charged.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from numbers import Integral
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from magic_hour_client._runtime.settings import checked_flag, checked_seconds
from magic_hour_client.errors import InvalidArgument

if TYPE_CHECKING:
    from ._job_log.log import JobLog
    from .events import Event
    from .webhooks import Inbox

DEFAULT_TIMEOUT = 1800.0
"""Seconds a whole call may take. The vendor's own examples give up after half an hour."""
DEFAULT_MAX_PARALLEL = 4
SHORTEST_POLL_INTERVAL = 0.01
"""Seconds. Meant for the emulator at high speed; the service itself advises 2 seconds and more."""
POLL_INTERVAL_VARIABLE = "MAGIC_HOUR_POLL_INTERVAL"


class Defaults(NamedTuple):
    """The defaults for every call of a client."""

    timeout: float
    poll_interval: float | None
    max_parallel: int
    allow_http: bool
    check_balance: bool = False
    inbox: Inbox | None = None

    @classmethod
    def checked(
        cls,
        *,
        timeout: float,
        poll_interval: float | None,
        max_parallel: int,
        allow_http: bool,
        check_balance: bool,
        inbox: Inbox | None,
    ) -> Defaults:
        """Check the arguments of a client, with the environment filling in the poll interval.

        Raises:
            InvalidArgument: a value is invalid.
        """
        return cls(
            timeout=checked_seconds("timeout", timeout) or DEFAULT_TIMEOUT,
            poll_interval=checked_interval("poll_interval", poll_interval) or _from_environment(),
            max_parallel=_count("max_parallel", max_parallel),
            allow_http=checked_flag("allow_http", allow_http),
            check_balance=checked_flag("check_balance", check_balance),
            inbox=_checked_inbox(inbox),
        )


def _checked_inbox(inbox: object) -> Inbox | None:
    if inbox is None:
        return None
    from .webhooks import Inbox

    if not isinstance(inbox, Inbox):
        remedy = "create one with magic_hour_workflows.webhooks.Inbox"
        raise InvalidArgument(f"expected an Inbox, got {type(inbox).__name__}", remedy, field="inbox")
    return inbox


def checked_listener(value: Any) -> Callable[[Event], object] | None:
    """A plain function of one event, or None.

    Raises:
        InvalidArgument: it cannot be called, or would have to be awaited.
    """
    if value is None:
        return None
    if not callable(value) or inspect.iscoroutinefunction(value) or inspect.iscoroutinefunction(type(value).__call__):
        raise InvalidArgument(
            "expected a plain function that takes one event",
            "async functions are not supported",
            field="on_progress",
        )
    listener: Callable[[Event], object] = value
    return listener


JOB_LOG_VARIABLE = "MAGIC_HOUR_JOB_LOG"
NO_JOB_LOG = "none"
"""The value of the variable that means no log."""
JobLogPlace: TypeAlias = str | os.PathLike[str] | bool | None
"""A file; True for the one of the command line, False for none; None for what the variable says."""


def checked_job_log(place: JobLogPlace, service: str, max_credits: object, assume_credits: object) -> JobLog | None:
    """Where the calls of a client are recorded, and what they may cost; None if neither was asked for.

    Raises:
        InvalidArgument: a value is invalid.
    """
    limit, assumed = _credits("max_credits", max_credits), _credits("assume_credits", assume_credits)
    field = "job_log"
    if place is None:
        place, field = os.environ.get(JOB_LOG_VARIABLE) or NO_JOB_LOG, JOB_LOG_VARIABLE
        place = place.lower() != NO_JOB_LOG and place
    if place is False and limit is None:
        return None
    from ._job_log.log import JobLog, checked_place, default_place
    from ._job_log.store import FileStore, MemoryStore

    if place is False:
        return JobLog(store=MemoryStore(), service=service, limit=limit, assumed=assumed)
    path = default_place() if place is True else checked_place(place, field)
    return JobLog(store=FileStore(path), service=service, limit=limit, assumed=assumed)


def _credits(name: str, value: object) -> float | None:
    if value is None:
        return None
    from ._results import number, plain_number

    if (credits := number(plain_number(value))) is not None:
        return credits
    raise InvalidArgument("expected a number of credits, 0 or more", field=name)


def _count(name: str, value: Any) -> int:
    if not isinstance(value, bool) and isinstance(value, Integral) and int(value) >= 1:  # of other libraries too
        return int(value)
    raise InvalidArgument("expected an integer of at least 1", field=name)


def checked_interval(name: str, value: object) -> float | None:
    """Seconds between two polls, or None.

    Raises:
        InvalidArgument: it is not a number of seconds, or too small.
    """
    seconds = checked_seconds(name, value)
    if seconds is not None and seconds < SHORTEST_POLL_INTERVAL:
        raise InvalidArgument(f"{seconds:g} s is too short", f"give at least {SHORTEST_POLL_INTERVAL:g}", field=name)
    return seconds


def _from_environment() -> float | None:
    text = os.environ.get(POLL_INTERVAL_VARIABLE)
    if text is None or not text.strip():
        return None
    try:
        seconds = float(text)
    except ValueError:  # the text is not shown: it may be a key in the wrong place
        raise InvalidArgument(
            "expected a number of seconds, such as 2.5", "fix or unset it", field=POLL_INTERVAL_VARIABLE
        ) from None
    return checked_interval(POLL_INTERVAL_VARIABLE, seconds)
