"""The events that `on_progress` receives while a call runs.

Rule: values only. If a callback raises, that is logged and the call continues, because a job may have been paid for.

Example:
    >>> def show(event):
    ...     match event:
    ...         case Created(id=id, credits_charged=credits):
    ...             print(f"job {id} for {credits} credits")
    ...         case Downloading(name=name, received=received, total=total):
    ...             print(f"{name}: {received} of {total} bytes")
    >>> show(Created(id="cuid-example", kind="image", credits_charged=5, name="portrait"))
    job cuid-example for 5 credits
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

import attrs

from ._results import Kind


@attrs.frozen(kw_only=True)
class Uploading:
    """Bytes of an input file were sent; the last event of a file has `sent == total`."""

    name: str
    sent: int
    total: int


@attrs.frozen(kw_only=True)
class Created:
    """The service accepted and charged the job; `id` is enough to get its outputs.

    Emitted once, and once more if Ctrl-C interrupted the callback, which may have missed it.
    """

    id: str
    kind: Kind
    credits_charged: float | None
    name: str | None


@attrs.frozen(kw_only=True)
class SubmissionLost:
    """A job was submitted, and it is unknown whether it was accepted. Emitted before `SubmissionUnknown` is raised."""

    operation: str
    name: str | None
    submitted_at: datetime
    reason: str


@attrs.frozen(kw_only=True)
class StatusChanged:
    """The status of the job has changed."""

    id: str
    kind: Kind
    status: str
    elapsed: float
    """Seconds since the call began to wait for the job."""


@attrs.frozen(kw_only=True)
class Downloading:
    """Bytes of an output arrived; `total` is None while the length is not known."""

    id: str
    name: str
    received: int
    total: int | None


@attrs.frozen(kw_only=True)
class Retrying:
    """A step failed and will be repeated."""

    step: str
    reason: str
    attempt: int
    """How many attempts have failed in a row."""
    delay: float
    """Seconds until the next one."""


Event: TypeAlias = Uploading | Created | SubmissionLost | StatusChanged | Downloading | Retrying

__all__ = ["Created", "Downloading", "Event", "Retrying", "StatusChanged", "SubmissionLost", "Uploading"]
