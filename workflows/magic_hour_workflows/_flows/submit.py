"""Sending a request: never twice if it may cost credits, otherwise as often as needed.

Rule: after the first byte of a paid request went out, it is never sent again. Its outcome is known, or reported as
unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from magic_hour_client._runtime.endpoints import checked_headers
from magic_hour_client._runtime.send_trace import SendTrace
from magic_hour_client.errors import InvalidArgument, MagicHourError, NotFound, RequestTimeout, UnexpectedResponse
from magic_hour_client.types import Request

from .._hints import hinting
from .._retry import Outcome, may_repeat, outcome
from ..errors import SubmissionUnknown, name_job, naming
from .balance import compare, note_before
from .balance import reserve as reserve_for_balance
from .call import Attempt, Call, logger
from .events import accepted_after_all, watching_name
from .recording import record_accepted, record_submitting, recorded

if TYPE_CHECKING:
    from .._results import Job, Kind

T = TypeVar("T")

LEAST_SECONDS = 5.0
"""With less time than this left, or half of a shorter timeout, a create is not sent: its answer might come too late."""
SUBMIT_SECONDS = 120.0
"""How long to wait for the answer to a create. Giving up early would make an accepted job an unknown one."""
_MOST_ANNOUNCEMENTS = 2
"""How often a listener is called with an id: the first call may be interrupted by an exception of the listener."""


async def send(call: Call, request: Request[T], extra_headers: Mapping[str, str] | None = None) -> T:
    """Send any request and return its result; it is repeated after temporary failures where that is safe."""
    if extra_headers is not None:
        request = attrs.evolve(request, headers={**request.headers, **checked_headers(extra_headers)})
    if request.endpoint.charges_credits:
        try:
            async with recorded(call, request):
                created, _ = await submit(call, request)
            return created
        except BaseException as error:
            carry(call, error)
            raise
    return await query(call, request)


async def query(call: Call, request: Request[T], *, again: Callable[[Exception], bool] = may_repeat) -> T:
    """Send a request that can be repeated freely.

    A DELETE that finds nothing has succeeded, if an earlier attempt may have arrived.
    """
    may_be_done = False

    async def attempt() -> Any:
        nonlocal may_be_done
        try:
            return await call.backend.send(request, call.attempt_deadline())
        except NotFound:
            if may_be_done:
                return None
            raise
        except MagicHourError as error:
            may_be_done = request.endpoint.method == "DELETE" and (may_be_done or outcome(error) is Outcome.UNKNOWN)
            raise

    result: T = await call.repeat(request.name, attempt, again=again)
    return result


async def submit(call: Call, request: Request[T]) -> tuple[T, Job]:
    """Send a request that charges credits, so that it is accepted at most once. Returns its answer and the job.

    The id is recorded and published, as an event and in the log, before anything else happens.

    Raises:
        SubmissionUnknown: it was sent, and its outcome is unknown.
        APIError: the service refused it; nothing was charged.
        ConnectionFailed: it could not be sent in time; nothing was charged.
    """
    kind_of(request)  # do not pay for a job that nobody could wait for
    await note_before(call)
    await record_submitting(call)
    reserve = _reserved(call, request)

    async def attempt() -> tuple[T, Job]:
        trace = SendTrace()
        this = Attempt(request, call.backend.utc(), trace)
        call.submission.begin(this)
        try:
            deadline = min(call.attempt_deadline(SUBMIT_SECONDS), call.deadline - reserve_for_balance(call))
            created = await call.backend.send(request, deadline, call.before_sending, trace)
            call.submission.job = job = job_from(request, created)
            await record_accepted(call, job)
            publish(call, job)
            return created, job
        except Exception as error:
            known = isinstance(error, MagicHourError) and outcome(error) is not Outcome.UNKNOWN
            if error is trace.refusal or (known and trace.result is None):
                call.submission.settled = True
                raise
            carry(call, error)
            if call.submission.settled or (trace.unsent and not isinstance(error, MagicHourError)):
                raise
            raise _lost(call, this, str(error) or type(error).__name__) from error

    try:
        with watching_name(call, request) as watch:
            try:
                with hinting(request):
                    return await call.repeat(request.name, attempt, again=may_submit_again, reserve=reserve)
            except SubmissionUnknown as unknown:
                if (created := await accepted_after_all(call, request, watch)) is not None:
                    return created, await _found(call, request, created)
                await compare(call, request, unknown)
                raise
    except BaseException as error:
        carry(call, error)
        raise


def _reserved(call: Call, request: Request[Any]) -> float:
    """Seconds of the call that are kept for an answer: without them, nothing is sent."""
    reserve = min(LEAST_SECONDS, call.timeout / 2)
    if call.left() < reserve:
        message = f"{request.name} was not sent: too little time is left for its answer"
        raise RequestTimeout(message, operation=request.name, sent=False)
    return reserve


async def _found(call: Call, request: Request[Any], created: Any) -> Job:
    """The job of a submission that was reported as lost, recorded and published like one that got its answer."""
    submission = call.submission
    submission.unknown, submission.settled = None, False
    if submission.attempt is not None:
        submission.attempt.trace.result = created  # an interruption from here on has the id
    submission.job = job = job_from(request, created)
    await record_accepted(call, job)
    publish(call, job)
    return job


async def start(call: Call, request: Request[Any]) -> Job:
    """Send a request that starts a job; returns the job, whose id is published before anything else happens.

    What costs nothing is repeated after any temporary failure: at worst, there is a job that nobody asks for.

    Raises:
        SubmissionUnknown, APIError, ConnectionFailed: as for `submit`.
    """
    if request.endpoint.charges_credits:
        return (await submit(call, request))[1]
    kind_of(request)
    with hinting(request):
        job = job_from(request, await query(call, request))
    publish(call, job)
    return job


def may_submit_again(error: Exception) -> bool:
    """Only what certainly was not accepted is sent again."""
    return outcome(error) in (Outcome.NOT_SENT, Outcome.SLOWED)


def publish(call: Call, job: Job) -> None:
    """Make the id known, whatever happens next: if the listener is interrupted, it is called once more."""
    from ..events import Created

    if call.submission.settled or call.submission.announcements == _MOST_ANNOUNCEMENTS:
        return
    call.submission.announcements += 1
    with naming(job):
        logger.info("%s job accepted: id=%s credits=%s name=%s", job.kind, job.shown_id, job.credits_charged, job.name)
        call.emit(Created(id=job.id, kind=job.kind, credits_charged=job.credits_charged, name=job.name))
    call.submission.settled = True


def job_from(request: Request[Any], created: Any) -> Job:
    """The job that the answer to a create names."""
    from .._results import Job, number

    if not (isinstance(created.id, str) and created.id):
        message = f"{request.name} returned no usable id"
        raise UnexpectedResponse(message, operation=request.name, status=200)
    credits = number(getattr(created, "credits_charged", None))
    return Job(kind=kind_of(request), id=created.id, credits_charged=credits, name=_name(request))


def kind_of(request: Request[Any]) -> Kind:
    """What the job of a request makes, according to the contract."""
    if request.endpoint.job_kind is None:
        raise InvalidArgument(f"{request.name} makes no job that could be waited for", field=None)
    return request.endpoint.job_kind


def carry(call: Call, error: BaseException) -> None:
    """Attach what is known about the job to whatever ends a call, even a cancellation or Ctrl-C at any line.

    It is taken from the submission, which is recorded before the request and as the answer comes in; so nothing
    depends on where the call was interrupted.
    """
    attempt, settled = call.submission.attempt, call.submission.settled
    if attempt is None or attempt.trace.unsent:
        return
    if attempt.trace.result is not None:
        with suppress(UnexpectedResponse, InvalidArgument):  # the id is unusable, so the outcome is unknown
            call.submission.job = job = job_from(attempt.request, attempt.trace.result)
            publish(call, job)
            name_job(error, job)
            return
    if isinstance(error, Exception):
        return
    lost = call.submission.unknown  # reported before; a second Ctrl-C has replaced the exception that carried it
    if lost is None:
        failure = getattr(error, "failure", None)
        if failure and outcome(failure) is not Outcome.UNKNOWN:
            call.submission.settled = settled = True
        if settled:
            return
        lost = _lost(call, attempt, f"interrupted by {type(error).__name__}")
    error.submission_unknown = lost  # type: ignore[attr-defined]
    error.add_note(str(lost))


def _lost(call: Call, attempt: Attempt, reason: str) -> SubmissionUnknown:
    """The error for an unknown outcome; also emitted and logged, because the exception may be replaced on its way."""
    from ..events import SubmissionLost

    request, submitted_at = attempt.request, attempt.submitted_at
    name = _name(request)
    unknown = SubmissionUnknown(operation=request.name, name=name, submitted_at=submitted_at, reason=reason)
    unknown.balance_before = call.submission.balance
    call.submission.unknown, call.submission.settled = unknown, True
    logger.warning("%s", unknown)
    call.emit(SubmissionLost(operation=request.name, name=name, submitted_at=submitted_at, reason=reason))
    return unknown


def _name(request: Request[Any]) -> str | None:
    """The name the job was given, by which it can be found again."""
    return request.body.get("name") if isinstance(request.body, dict) else None
