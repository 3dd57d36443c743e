"""From what happened to a row to what is said of it.

Rule: only what the service refused or gave up is failed. What may pass is left for the next run, and what nobody
knows is doubtful.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from magic_hour_client.errors import MagicHourError, NotFound

from .._retry import Outcome, outcome
from ..errors import DownloadFailed, JobCanceled, JobFailed, SubmissionUnknown
from ._claims import Paid
from ._rows import Row, RowStatus


class OverBudget(MagicHourError):
    """The row would have gone beyond `max_credits`. Nothing was sent."""

    def __init__(self, key: str, estimate: float) -> None:
        super().__init__(f"row {key!r} was left out: it costs about {estimate:g} credits, more than are left")


class OutputsMissing(DownloadFailed):
    """Not all outputs of a row could be saved.

    Attributes:
        known: what there is to write down all the same: those that could.
    """

    def __init__(self, error: DownloadFailed, files: list[Any]) -> None:
        super().__init__(str(error))
        self.known: dict[str, Any] = {"files": files}


class NotMine(MagicHourError):
    """Another execution, or a person who settles it, has the row by now. Nothing was sent."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"row {key!r} was not submitted: it was taken over while this worker stood still or was cut off"
        )


def doubtful(row: Row, paid: Paid) -> SubmissionUnknown:
    """The error of a row whose job was submitted by an execution that ended before the answer came."""
    return SubmissionUnknown(
        operation=f"v1.{row.endpoint}.create",
        name=paid.name,
        submitted_at=datetime.fromtimestamp(paid.claimed_at, UTC),
        reason="the process ended before the answer came",
    )


def described(error: MagicHourError, *, accepted: bool) -> dict[str, Any]:
    """What is said of a step that failed.

    Args:
        error: what happened.
        accepted: whether the job of the row had been accepted before.
    """
    said: dict[str, Any] = {"error": str(error), "error_type": type(error).__name__}
    if isinstance(error, (JobFailed, JobCanceled)):
        said["credits"] = error.credits_charged
    if isinstance(error, OutputsMissing):
        said |= {"error_type": DownloadFailed.__name__, **error.known}
    return {"status": status_of(error, accepted=accepted), **said}


def status_of(error: MagicHourError, *, accepted: bool) -> RowStatus:
    """Where a row stands that ended with `error`.

    A job that was accepted is given up only when the service has given it up: a failed row may be submitted anew.

    >>> from magic_hour_client.errors import APIError
    >>> refused = APIError("no such key", operation="x", status=401)
    >>> status_of(refused, accepted=False).value, status_of(refused, accepted=True).value
    ('failed', 'running')
    """
    if isinstance(error, SubmissionUnknown):
        return RowStatus.DOUBTFUL
    if isinstance(error, OverBudget):
        return RowStatus.SKIPPED
    if isinstance(error, (JobFailed, JobCanceled)):
        return RowStatus.FAILED
    gone = isinstance(error, NotFound) if accepted else outcome(error) is Outcome.REFUSED
    return RowStatus.FAILED if gone else RowStatus.RUNNING
