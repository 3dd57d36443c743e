"""Rules about money: charged once, always reported.

Rule: one rule, one function. Its messages are clear without the trace.
"""

from __future__ import annotations

from collections.abc import Iterator

from magic_hour_client.errors import NotFound
from magic_hour_workflows._job_log.entries import State
from magic_hour_workflows._results import Result
from magic_hour_workflows.errors import (
    InvalidArgument,
    JobCanceled,
    JobError,
    JobFailed,
    MagicHourError,
    SubmissionUnknown,
)
from magic_hour_workflows.events import Created, SubmissionLost

from .environment import World
from .facts import accepted, creates, is_refusal, job_of, unknown
from .scenario import CallRecord


def charged_once(call: CallRecord, world: World) -> Iterator[str]:
    count = sum(exchange.accepted is not None for exchange in creates(call))
    if count > 1:
        yield f"{count} creates of one call were accepted"


def sent_once(call: CallRecord, world: World) -> Iterator[str]:
    for earlier in creates(call)[:-1]:
        if earlier.sent and not is_refusal(earlier):
            why = earlier.fault.name if earlier.fault is not None else "a while"
            yield f"a create was sent again after {why!r}, when it may have been accepted"


def every_job_is_reported(call: CallRecord, world: World) -> Iterator[str]:
    job, lost = accepted(call, world), unknown(call)
    reported = [event.id for _, event in call.events if isinstance(event, Created)]
    losses = [event.name for _, event in call.events if isinstance(event, SubmissionLost)]
    if job is None:
        if reported or (call.what in ("generate", "create") and call.result is not None):
            yield "a job was reported that was not accepted"
        last = creates(call)[-1:]
        if isinstance(call.error, SubmissionUnknown) and not (last and last[0].sent and not is_refusal(last[0])):
            yield "SubmissionUnknown, though it is certain that nothing was accepted"
    elif any(exchange.accepted and exchange.answer is not None for exchange in creates(call)):
        heard = reported == [job.id] or call.what == "create"  # which has no listener; the judge checks the log
        if not heard or job.id not in (getattr(call.result, "id", None), getattr(call.error, "project_id", None)):
            yield f"{job.id} was accepted, and reported by {reported} and {call.error!r}"
    elif lost is None or lost.name != job.name:
        yield f"{job.id} was accepted, and its caller knows neither its id nor its name: {call.error!r}"
    if call.what == "generate" and losses != ([lost.name] if lost is not None else []):
        yield f"SubmissionLost was reported {len(losses)} times for {lost!r}"


def every_job_is_in_the_job_log(call: CallRecord, world: World) -> Iterator[str]:
    job = accepted(call, world)
    if job is None:
        return
    entries = world.job_log.store.entries()
    if any(entry.id == job.id for entry in entries):
        return
    if any(x.accepted and x.answer is not None for x in creates(call)):
        yield f"{job.id} was accepted and answered, and the job log does not have it"
    elif not any(entry.name == job.name and entry.state is State.UNKNOWN for entry in entries):
        yield f"{job.id} was accepted, and the job log has no unknown submission called {job.name!r}"


def named(call: CallRecord, world: World) -> Iterator[str]:
    job = job_of(call, world)
    if job is None or call.error is None or isinstance(call.error, InvalidArgument):
        return
    exempt = call.what in ("get", "delete") or (call.id and isinstance(call.error, NotFound))
    if not exempt and getattr(call.error, "project_id", None) != job.id:
        yield f"{type(call.error).__name__} does not name {job.id}"
    if isinstance(call.error, MagicHourError) and not exempt and job.id not in str(call.error):
        yield f"the message of {type(call.error).__name__} does not name {job.id}"


def credits_are_those_of_the_ledger(call: CallRecord, world: World) -> Iterator[str]:
    job = job_of(call, world)
    reported = (
        call.error if isinstance(call.error, JobError) else call.result if isinstance(call.result, Result) else None
    )
    if job is None or reported is None:
        return
    due = 0 if job.status(call.ended) == "error" else job.charged
    over = isinstance(reported, (JobFailed, JobCanceled)) or getattr(reported, "status", "") == "complete"
    if reported.credits_charged not in ((None, due) if over else (None, due, job.charged)):
        yield f"{reported.credits_charged} credits were reported for {job.id}, the ledger says {due}"
    created = [event.credits_charged for _, event in call.events if isinstance(event, Created)]
    if reported.credits_charged is None and not isinstance(reported, (JobFailed, JobCanceled)) and any(created):
        yield f"the credits of {job.id} were reported by Created and not in the end"


def nothing_after_a_mistake(call: CallRecord, world: World) -> Iterator[str]:
    if call.wrong and not isinstance(call.error, InvalidArgument) and call.interrupted_at is None:
        yield f"wrong arguments ended in {call.error!r}"
    if isinstance(call.error, InvalidArgument) and (creates(call) or any(x.what == "put" for x in call.exchanges)):
        yield f"InvalidArgument after something was uploaded or submitted: {call.error}"
