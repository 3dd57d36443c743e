"""What the job log is told during a call, and when.

Rule: the name and the estimate are on disk before a create is sent, the id directly after its answer. Before that, a
log that cannot be written stops the call; afterwards nothing does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from magic_hour_client._runtime.redaction import without_secrets
from magic_hour_client.errors import InvalidArgument, MagicHourError
from magic_hour_client.types import Request

from ..errors import JobCanceled, JobFailed, naming
from .call import Call, logger

if TYPE_CHECKING:
    from pathlib import Path

    from .._job_log.entries import Entry, State
    from .._job_log.log import JobLog
    from .._results import Job, Result


@asynccontextmanager
async def recorded(
    call: Call,
    request: Request[Any],
    *,
    uploads: bool = False,
    followed: bool = False,
    directory: Path | None = None,
    output_name: str | None = None,
) -> AsyncIterator[None]:
    """Set the credits of a submission aside during its uploads, and record how it ends if it is not accepted.

    Args:
        call: the call.
        request: what will be submitted.
        uploads: whether files are uploaded before, which would be in vain if a limit does not allow the job.
        followed: whether this call waits for the job, so that nobody else should.
        directory: where its outputs are to be saved, for whoever resumes the job.
        output_name: under which name.

    Raises:
        OverLimit: the limit does not allow it; nothing was sent.
        JobLogUnusable: the log cannot be written; nothing was sent.
    """
    if call.job_log is None or not request.endpoint.charges_credits:
        yield
        return
    call.submission.entry, call.submission.followed = _entry(call, request, directory, output_name), followed
    try:
        if uploads and call.job_log.limit is not None:
            await call.backend.run_in_thread(partial(_reserve, call, call.job_log))
        yield
    except BaseException as error:
        _conclude(call, error)
        raise


def _reserve(call: Call, log: JobLog) -> None:
    if (entry := call.submission.entry) is not None:
        call.submission.entry = log.add(entry)
        call.submission.entry_added = True


async def record_submitting(call: Call) -> None:
    """Record, before the create is sent, that it may be.

    Raises:
        OverLimit, JobLogUnusable: as `recorded`.
    """
    if call.job_log is not None and call.submission.entry is not None:
        await call.backend.run_in_thread(partial(_submitting, call, call.job_log, call.submission.entry))


def _submitting(call: Call, log: JobLog, entry: Entry) -> None:
    from .._job_log.entries import State

    submission, now = call.submission, attrs.evolve(entry, state=State.SUBMITTING, at=call.backend.utc())
    if submission.entry_added:
        log.change(entry, now)
    else:
        now, submission.entry_added = log.add(now), True
    submission.entry = now


async def record_accepted(call: Call, job: Job) -> None:
    """Record the id of a job. It raises nothing but interruptions: the job is paid for."""
    if call.job_log is not None and call.submission.entry is not None:
        try:
            await call.backend.run_in_thread(partial(_accepted, call, job))
        except Exception:  # noqa: BLE001  (no thread can be started; nothing may come between a charge and its id)
            _accepted(call, job)


def _accepted(call: Call, job: Job) -> None:
    from .._job_log.entries import State
    from .._job_log.owners import NOBODY

    left = {} if call.submission.followed else {"owner": NOBODY}
    _record(call, state=State.ACCEPTED, id=job.id, credits=job.credits_charged, **left)


def record_left(call: Call) -> None:
    """Record, when a call fails after its job was accepted, that it no longer follows the job."""
    job = call.submission.job
    if call.job_log is None or job is None or not call.submission.followed:
        return
    try:
        call.job_log.left(job.id)
    except MagicHourError as error:
        logger.warning("%s; it lacks that no call waits for job %s", error, job.shown_id)


def _conclude(call: Call, error: BaseException) -> None:
    """Record how a submission ended that was not seen to be accepted; from memory, without waiting for the disk."""
    from .._job_log.entries import State

    submission, entry = call.submission, call.submission.entry
    if entry is None or not submission.entry_added or entry.state is State.ACCEPTED:
        return
    attempt = submission.attempt
    if submission.job is not None:
        _accepted(call, submission.job)
    elif submission.unknown is not None:
        _record(call, state=State.UNKNOWN, reason=without_secrets(submission.unknown.reason))
    elif attempt is None or attempt.trace.unsent or submission.settled:
        _record(call, state=State.NOT_CHARGED, reason=without_secrets(str(error)) or type(error).__name__)


def _record(call: Call, **changes: Any) -> None:
    if call.job_log is None or call.submission.entry is None:
        return
    before, after = call.submission.entry, attrs.evolve(call.submission.entry, **changes)
    try:
        call.job_log.change(before, after)
        call.submission.entry = after
    except MagicHourError as error:
        logger.error("%s; it lacks: %s %s, id %s", error, after.state, ascii(after.name), ascii(after.id))


@asynccontextmanager
async def outcome_recorded(call: Call, job: Job) -> AsyncIterator[None]:
    """Record it if the job fails, or is canceled, in the block."""
    try:
        yield
    except (JobFailed, JobCanceled) as error:
        from .._job_log.entries import State

        state = State.FAILED if isinstance(error, JobFailed) else State.CANCELED
        await _close(call, job, state, error.credits_charged)
        raise


async def record_result(call: Call, job: Job, result: Result) -> None:
    """Record that a job is complete, and its outputs saved as the caller wished."""
    if call.job_log is None or result.status != "complete":
        return
    from .._job_log.entries import State

    await _close(call, job, State.SAVED if result.downloaded_paths else State.COMPLETE, result.credits_charged)


async def _close(call: Call, job: Job, state: State, credits: float | None) -> None:
    if (log := call.job_log) is None:
        return
    try:
        with naming(job):
            await call.backend.run_in_thread(partial(log.close_job, job.id, state, credits))
    except MagicHourError as error:
        logger.warning("%s; it lacks that job %s is %s", error, job.shown_id, state)


def _entry(call: Call, request: Request[Any], directory: Path | None, output_name: str | None) -> Entry:
    import secrets

    from .._job_log.entries import Entry
    from .._job_log.owners import owner

    body = request.body if isinstance(request.body, dict) else {}
    return Entry(
        token=secrets.token_hex(8),
        service="" if call.job_log is None else call.job_log.service,
        operation=request.name,
        kind=request.endpoint.project_kind or "",
        name=body.get("name"),
        at=call.backend.utc(),
        owner=owner(),
        estimate=highest_price(request),
        directory=None if directory is None else str(directory.absolute()),
        output_name=output_name,
    )


def highest_price(request: Request[Any]) -> float | None:
    """The credits a limit counts for a request: at the highest price that the contract names; None if unknown."""
    from .._credits import estimate

    if not isinstance(request.body, dict):
        return None
    try:
        return estimate(request.endpoint, request.body).highest
    except InvalidArgument:  # what the price depends on is not given
        return None
