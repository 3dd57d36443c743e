"""Everything that can go wrong, from a wrong argument to a submission whose outcome is unknown.

    MagicHourError                     every error of this SDK
    ├── InvalidArgument                refused before anything was sent (also a ValueError)
    │   ├── UnknownField               probably misspelt (also a TypeError)
    │   ├── AssetNotFound              no such input file (also a FileNotFoundError)
    │   └── ManifestError              invalid rows of a batch; `mistakes` has all of them
    ├── ConnectionFailed               no complete response; `sent` says whether the request may have arrived
    │   └── RequestTimeout             ... because time ran out (also a TimeoutError)
    ├── UnexpectedResponse             a response that reports success but cannot be read
    ├── APIError                       the service refused: InvalidRequest, Unauthorized, PaymentRequired,
    │                                  Forbidden, NotFound, UnprocessableEntity, TooManyRequests, ServerError
    ├── SubmissionUnknown              the job may have been accepted and charged, or not; never sent twice
    ├── JobError                       the job was accepted; `project_id` is its id
    │   ├── JobFailed                  the service failed; the credits are refunded
    │   ├── JobCanceled                it was canceled in the web app
    │   └── JobTimeout                 not complete in time; it is still running (also a TimeoutError)
    ├── TransferFailed                 an upload to or a download from storage failed
    │   ├── UploadFailed
    │   ├── UnusableURL                an invalid URL of storage; the service can give another
    │   └── DownloadFailed             `downloaded_paths` are those that were saved
    │       └── OutputsMissing         some outputs of a row could not be saved
    ├── OverLimit                      it may cost more than is left of the `max_credits` of a client
    ├── JobLogUnusable                 the job log cannot be read or written; nothing was sent
    ├── BalanceTooLow                  the account cannot pay for the rows of a batch; nothing was submitted
    ├── OverBudget                     a row of a batch costs more than is left of `max_credits`
    ├── WebhookRefused                 a webhook request that is not accepted; `status` is the answer to give
    │   ├── WebhookHeaderMissing
    │   ├── WebhookExpired             signed too long ago, or in the future
    │   ├── WebhookSignatureMismatch
    │   └── WebhookUnreadable          signed, but not an event
    ├── InboxUnavailable               an inbox is closed or full; the service sends the event again
    ├── NotMine                        a row of a batch was taken over; nothing was sent
    ├── DatabaseAway                   the database of a batch cannot be reached; the next run resumes the batch
    └── DatabaseLost                   the database of a batch was removed, replaced or damaged

Once a job is accepted, whatever is raised (cancellations and Ctrl-C too) has its id as `project_id` and says how to
resume it.

Rule: the data is in attributes: `problem` says what is wrong, `remedy` what to do; the message combines both.
Every error can be pickled, and none contains an API key or a signed URL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import attrs

from magic_hour_client._runtime.redaction import clean
from magic_hour_client.endpoints import JOBS
from magic_hour_client.errors import (
    APIError,
    Argument,
    ConnectionFailed,
    Forbidden,
    InvalidArgument,
    InvalidRequest,
    MagicHourError,
    NotFound,
    PaymentRequired,
    RequestTimeout,
    ServerError,
    Text,
    TooManyRequests,
    Unauthorized,
    UnexpectedResponse,
    UnknownField,
    UnprocessableEntity,
)

from ._formatting import shown
from ._webhook_errors import (
    InboxUnavailable,
    WebhookExpired,
    WebhookHeaderMissing,
    WebhookRefused,
    WebhookSignatureMismatch,
    WebhookUnreadable,
)

if TYPE_CHECKING:
    from ._results import Job, Kind


class Resume(NamedTuple):
    """How to resume a job, as part of a message: a call in Python, a command on the command line."""

    kind: Kind
    id: str

    def __str__(self) -> str:
        return f"resume it with client.{JOBS[self.kind].resource}.check_result({self.id!r})"


class AssetNotFound(InvalidArgument, FileNotFoundError):
    """An input file does not exist. Nothing was sent."""


class SubmissionUnknown(MagicHourError):
    """A request that charges credits was sent, and it is unknown whether the service accepted it.

    It is never sent again automatically, because that could charge twice. Look for `name` in the web app or in a
    webhook event: if the job is there, continue with its id; if not, call again.

    Attributes:
        operation: the call, such as `v1.ai_image_generator.create`.
        name: the name of the job, if any.
        submitted_at: when it was sent, in UTC.
        reason: what happened instead of a response.
        balance_before: the credits of the account before it was sent, with `Client(check_balance=True)`; else None.
        balance_after: the same once no response had come; None also after an interruption. The message says what
            follows from the difference.
    """

    balance_before: float | None = None
    balance_after: float | None = None

    def __init__(self, *, operation: str, name: str | None, submitted_at: datetime, reason: str) -> None:
        known = f"under the name {name!r}" if name else "without a name"
        why = reason.rstrip(".")
        super().__init__(
            f"it is unknown whether {operation} was accepted: {why}. It was sent at {submitted_at:%Y-%m-%d %H:%M:%S}"
            f" UTC {known} and may have been charged, so it is not sent again",
            "look for it in the web app or in your webhook events: if it is there, continue with its id; if not, call"
            " again",
        )
        self.operation = operation
        self.name = name
        self.submitted_at = submitted_at
        self.reason = reason


class JobError(MagicHourError):
    """A job was accepted and did not complete successfully.

    Attributes:
        project_id: the id of the job.
        kind: `image` or `video`.
        status: its last known status.
        credits_charged: the credits charged, as last reported, or None.
    """

    def __init__(
        self,
        problem: Text,
        remedy: Text | None = None,
        *,
        job: Job,
        status: str | None,
        credits_charged: float | None = None,
    ) -> None:
        super().__init__(problem, remedy)
        # Here it is always known, so narrower than in the base.
        self.project_id: str = job.id  # pyright: ignore[reportIncompatibleVariableOverride]
        self.kind = job.kind
        self.status = status
        self.credits_charged = credits_charged


class JobFailed(JobError):
    """The service failed to complete the job. The credits are refunded.

    Attributes:
        code: the service's error code, such as `no_source_face`, or None.
        reason: the service's error message, or None.
    """

    def __init__(
        self, *, job: Job, credits_charged: float | None, code: object, reason: object, status: str = "error"
    ) -> None:
        code, reason = clean(code), clean(reason)
        why = ": ".join(part for part in (code, reason) if part) or "the service gave no reason"
        super().__init__(
            f"the {job.kind} job {job.shown_id} failed: {why}", job=job, status=status, credits_charged=credits_charged
        )
        self.code = code
        self.reason = reason


class JobCanceled(JobError):
    """The job was canceled in the web app."""

    def __init__(self, *, job: Job, credits_charged: float | None) -> None:
        super().__init__(
            f"the {job.kind} job {job.shown_id} was canceled in the web app",
            job=job,
            status="canceled",
            credits_charged=credits_charged,
        )


class JobTimeout(JobError, TimeoutError):
    """The job was not complete in time. It is still running, and can be waited for again by its id."""

    def __init__(self, *, job: Job, status: str | None, credits_charged: float | None, timeout: float) -> None:
        super().__init__(
            f"the {job.kind} job {job.shown_id} was not complete within {timeout:g} s"
            f" (last status: {status or 'not known'}), and is still running",
            (Resume(job.kind, job.id),),
            job=job,
            status=status,
            credits_charged=credits_charged,
        )


class TransferFailed(MagicHourError):
    """An upload to or a download from storage failed.

    Attributes:
        status: the status code of storage, if it responded.
        retry_after: how many seconds storage asked to wait, if it did.
        final: True if a retry cannot help, as with a full disk or an unreadable file.
    """

    def __init__(
        self,
        problem: Text,
        remedy: Text | None = None,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        final: bool = False,
    ) -> None:
        super().__init__(problem, remedy)
        self.status = status
        self.retry_after = retry_after
        self.final = final


class UploadFailed(TransferFailed):
    """An input file could not be uploaded. No job was submitted."""


class UnusableURL(TransferFailed):
    """Storage returned an invalid URL; the service can give another one."""


class DownloadFailed(TransferFailed):
    """An output could not be saved. The job is complete, and the outputs stay available.

    Attributes:
        downloaded_paths: the outputs that were saved.
    """

    def __init__(
        self,
        problem: Text,
        remedy: Text | None = None,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        final: bool = False,
        downloaded_paths: Sequence[Path] = (),
    ) -> None:
        super().__init__(problem, remedy, status=status, retry_after=retry_after, final=final)
        self.downloaded_paths: list[Path] = list(downloaded_paths)


_MOST_SHOWN = 20
"""How many mistakes of a manifest its error shows."""


@attrs.frozen
class Mistake:
    """One mistake in a manifest.

    Attributes:
        line: the line where the row starts in the manifest, or its number in an iterable, from 1.
        key: the key of the row, if it has one.
        field: the field or column, such as `style.prompt`, if it is about one.
        message: what is wrong and how to fix it, as a single call would report it.

    Example:
        >>> print(Mistake(3, "anna", "image_count", "`image_count`: expected an integer, got str"))
        line 3, key anna: `image_count`: expected an integer, got str
    """

    line: int
    key: str | None
    field: str | None
    message: str

    def __str__(self) -> str:
        row = f"line {self.line}" if self.key is None else f"line {self.line}, key {shown(self.key)}"
        field = f"`{self.field}`: " if self.field and f"`{self.field}`" not in self.message else ""
        return f"{row}: {field}{self.message}"


class ManifestError(InvalidArgument):
    """Some rows of a manifest are invalid. Nothing was uploaded or charged.

    Attributes:
        mistakes: all of them, by line.

    Example:
        >>> print(ManifestError("foxes.csv", [Mistake(2, None, "key", "`key`: it is empty")]))
        foxes.csv: 1 mistake, so nothing was uploaded or charged
          line 2: `key`: it is empty
    """

    def __init__(self, source: str, mistakes: Sequence[Mistake]) -> None:
        self.mistakes: list[Mistake] = sorted(mistakes, key=lambda mistake: mistake.line)
        count = f"{len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''}"
        super().__init__(f"{source}: {count}, so nothing was uploaded or charged")

    def describe(self, show: Callable[[Any], str] = str) -> str:
        """What is wrong, and the first mistakes, each in a line of its own."""
        lines = [f"  {mistake}" for mistake in self.mistakes[:_MOST_SHOWN]]
        more = len(self.mistakes) - _MOST_SHOWN
        return "\n".join([super().describe(show), *lines, *([f"  ... and {more} more"] if more > 0 else [])])


class OverLimit(MagicHourError):
    """A call may cost more than is left of the `max_credits` of the client. Nothing was uploaded or sent.

    Attributes:
        operation: the call, such as `v1.ai_image_generator.create`.
        estimate: its credits at the highest known price, or None if the price is unknown.
        used: the credits charged, and set aside for submissions that have no outcome yet.
        limit: the value of `max_credits`.
        unknown: the part of `used` for submissions of which it is unknown whether they were accepted.
        place: the job log, or None if the client counts alone.
    """

    def __init__(
        self, *, operation: str, estimate: float | None, used: float, limit: float, unknown: float, place: str | None
    ) -> None:
        counted = "of this client" if place is None else f"in the job log {place}"
        if estimate is None:
            problem = f"{operation} was not sent: its price is unknown, and credits are limited to {limit:g}"
            remedy: Text = ("pass ", Argument("assume_credits"), " to say what to count for it")
        else:
            problem = f"{operation} was not sent: it may cost {estimate:g} credits, and {used:g} of {limit:g} are used"
            problem += f" {counted}"
            remedy = ("raise ", Argument("max_credits"), ", or choose another ", Argument("job_log"))
        if unknown:
            problem += f" ({unknown:g} of them for submissions of which it is unknown whether they were accepted)"
            remedy = (*remedy, ", or settle those first")
        super().__init__(problem, remedy)
        self.operation = operation
        self.estimate = estimate
        self.used = used
        self.limit = limit
        self.unknown = unknown
        self.place = place


class JobLogUnusable(MagicHourError):
    """The job log cannot be read or written. If that is found before a create, nothing was sent."""

    def __init__(self, place: str, why: str) -> None:
        super().__init__(
            f"the job log {place} cannot be used: {why}", ("fix that, or choose another ", Argument("job_log"))
        )


class BalanceTooLow(MagicHourError):
    """The account has fewer credits than the rows of a batch will cost. Nothing was submitted.

    Attributes:
        needed: the least that the rows without a job will cost.
        balance: the credits that the account has.
    """

    def __init__(self, problem: Text, remedy: Text, needed: float, balance: float) -> None:
        super().__init__(problem, remedy)
        self.needed = needed
        self.balance = balance


class OverBudget(MagicHourError):
    """The row would exceed `max_credits`. Nothing was sent."""

    def __init__(self, key: str, estimate: float) -> None:
        super().__init__(f"row {key!r} was skipped: it may cost {estimate:g} credits, more than the budget has left")


class NotMine(MagicHourError):
    """The row was taken over by another worker, or settled by a person. Nothing was sent."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"row {key!r} was not submitted: it was taken over while this worker was stopped or disconnected"
        )


class DatabaseAway(MagicHourError):
    """The batch database cannot be reached. It has the submitted jobs, and the next run resumes them."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the batch database cannot be reached ({why})", "run the batch again when it is back")
        self.why = why


class DatabaseLost(MagicHourError):
    """The database of a batch is not the one the run started with, or it has lost committed data.

    Attributes:
        why: what happened to it.
    """

    def __init__(self, why: str, remedy: str = "restore the database and run the batch again") -> None:
        super().__init__(f"the batch database cannot be trusted: {why}. No more jobs are submitted", remedy)
        self.why = why


class OutputsMissing(DownloadFailed):
    """Some outputs of a row could not be saved.

    Attributes:
        known: the outputs that were saved, to be recorded despite the error.
    """

    def __init__(self, error: DownloadFailed, files: list[Any]) -> None:
        super().__init__(error.problem, error.remedy)
        self.known: dict[str, Any] = {"files": files}


@contextmanager
def naming(job: Job) -> Iterator[None]:
    """Add the id of the job, and how to resume it, to whatever is raised in the block.

    Our own errors have it in their remedy; others, such as cancellations and Ctrl-C, get a note.
    """
    try:
        yield
    except JobError:
        raise
    except BaseException as error:
        if job.known or not isinstance(error, NotFound):
            name_job(error, job)
        raise


def name_job(error: BaseException, job: Job) -> None:
    """Add the id of the job to an exception."""
    if getattr(error, "project_id", None) == job.id:
        return
    accepted, resume = f"{job.kind} job {job.shown_id} was accepted; ", Resume(job.kind, job.id)
    with suppress(AttributeError):  # an exception class with slots; the note is left
        error.project_id = job.id  # type: ignore[attr-defined]
    if isinstance(error, MagicHourError):
        error.advise("the ", accepted, resume)
    else:
        error.add_note(f"The {accepted}{resume}")


__all__ = [
    "APIError",
    "AssetNotFound",
    "BalanceTooLow",
    "ConnectionFailed",
    "DatabaseAway",
    "DatabaseLost",
    "DownloadFailed",
    "Forbidden",
    "InboxUnavailable",
    "InvalidArgument",
    "InvalidRequest",
    "JobCanceled",
    "JobError",
    "JobFailed",
    "JobLogUnusable",
    "JobTimeout",
    "MagicHourError",
    "ManifestError",
    "NotFound",
    "NotMine",
    "OutputsMissing",
    "OverBudget",
    "OverLimit",
    "PaymentRequired",
    "RequestTimeout",
    "ServerError",
    "SubmissionUnknown",
    "TooManyRequests",
    "TransferFailed",
    "Unauthorized",
    "UnexpectedResponse",
    "UnknownField",
    "UnprocessableEntity",
    "UnusableURL",
    "UploadFailed",
    "WebhookExpired",
    "WebhookHeaderMissing",
    "WebhookRefused",
    "WebhookSignatureMismatch",
    "WebhookUnreadable",
]
