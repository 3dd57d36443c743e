"""Rules about time: deadlines, schedules, patience.

Rule: one rule, one function. Its messages are clear without the trace.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from magic_hour_client._runtime.transport import SHIELD_SECONDS
from magic_hour_client.errors import APIError, ConnectionFailed, NotFound, UnexpectedResponse
from magic_hour_workflows.errors import (
    JobCanceled,
    JobFailed,
    JobTimeout,
)
from magic_hour_workflows.events import Created

from .environment import Exchange, World
from .facts import (
    BY_ID,
    EPSILON,
    MAX_EXCHANGES,
    MAX_TRIES,
    TERMINAL,
    creates,
    event_times,
    job_of,
    last_answer,
    polls,
)
from .scenario import CallRecord


def in_time(call: CallRecord, world: World) -> Iterator[str]:
    limit = call.started + call.timeout
    if call.interrupted_at is not None:
        limit = max(limit, call.interrupted_at + SHIELD_SECONDS)
    if call.ended > limit + 0.01 + 2 * world.weather.disk:
        yield f"{call.what} took {call.ended - call.started:.3f} s, its timeout is {call.timeout:g} s"


def retry_after_is_respected(call: CallRecord, world: World) -> Iterator[str]:
    for number, exchange in enumerate(call.exchanges):
        if exchange.retry_after is None or exchange.ended is None:
            continue
        for later in call.exchanges[number + 1 :]:
            if _step(later) == _step(exchange):
                after = later.began - exchange.ended
                if after < exchange.retry_after - EPSILON:
                    yield f"{exchange.what} came back after {after:.2f} s, asked for {exchange.retry_after:g}"
                break


def _step(exchange: Exchange) -> tuple[str, str, str]:
    return exchange.task, exchange.what, exchange.target.partition(" from ")[0]


def time_for_a_response(call: CallRecord, world: World) -> Iterator[str]:
    for exchange in creates(call):
        if exchange.left < min(5.0, call.timeout / 2) - EPSILON:
            yield f"a create was sent with {exchange.left:.3f} s left of {call.timeout:g}"


def polls_follow_the_schedule(call: CallRecord, world: World) -> Iterator[str]:
    """docs/workflows.md, Waiting: 15 % of the time so far, 1 to 30 s, at most 10 % less; a fixed interval is kept."""
    job = job_of(call, world)
    if job is None or not call.waits:
        return
    began = [*event_times(call, Created), call.started][0]
    for before, after in zip(polls(call), polls(call)[1:], strict=False):
        answer = before.answer
        if answer is None or answer.id not in (job.id, None) or before.ended is None:
            continue
        if answer.status in TERMINAL:
            break  # what follows concerns its outputs
        longest = call.poll_interval or min(30.0, max(1.0, 0.15 * (before.ended - began)))
        shortest = call.poll_interval or 0.9 * longest
        gap = after.began - before.ended
        ample = call.started + call.timeout - before.ended > longest + max(1.0, call.timeout / 2)
        if gap > longest + EPSILON or (ample and gap < shortest - EPSILON):
            yield f"{gap:.3f} s between two polls, {before.ended - began:.1f} s after the beginning"


def bounded(call: CallRecord, world: World) -> Iterator[str]:
    tries = Counter(_step(x) for x in call.exchanges if x.charges or x.what == "put")
    for (_, what, _), count in tries.items():
        if count > MAX_TRIES:
            yield f"{count} attempts at {what} while nothing was paid for"
    for attempts in _failures_in_a_row(call):
        hurry = zip(attempts, attempts[9:], strict=False)
        if any(tenth.began - first.began < 3.0 for first, tenth in hurry):
            yield f"ten failed attempts at {attempts[0].what} within 3 s"
    most = MAX_EXCHANGES + (2.5 * call.timeout / call.poll_interval if call.poll_interval else 0)
    if len(call.exchanges) > most:
        yield f"{len(call.exchanges)} exchanges in one call"


def _failures_in_a_row(call: CallRecord) -> Iterator[list[Exchange]]:
    """Attempts at one request to the API, each but the first after a failure of the one before."""
    row: list[Exchange] = []
    for exchange in (x for x in call.exchanges if x.what not in ("put", "fetch")):
        if row and (_step(row[-1]) != _step(exchange) or row[-1].answer is not None):
            yield row
            row = []
        row.append(exchange)
    yield row


def ends_at_once(call: CallRecord, world: World) -> Iterator[str]:
    """A job that has ended is reported at once, with its status."""
    job = job_of(call, world)
    last = job and last_answer(call, job)
    if job is None or last is None or call.interrupted_at is not None or call.what in ("get", "delete"):
        return
    status = last.answer.status
    wanted = {"error": JobFailed, "canceled": JobCanceled}.get(status)
    if wanted is not None and not isinstance(call.error, wanted):
        yield f"{job.id} has status {status!r}, and the call ended with {call.error!r}"
    over = wanted is not None or (status == "complete" and call.waits and not call.downloads)
    recorded = world.weather.disk  # the outcome, in the job log
    if over and not 0 <= call.ended - (last.ended or 0) <= recorded:
        yield f"the call went on for {call.ended - (last.ended or 0):.3f} s after {job.id} was {status}"
    if over and wanted is None and call.error is not None:
        yield f"{job.id} is complete, and the call ended with {call.error!r}"


def gives_up_only_at_the_deadline(call: CallRecord, world: World) -> Iterator[str]:
    job = job_of(call, world)
    if job is None or call.error is None or not (call.what == "generate" or call.what in BY_ID):
        return
    left = call.started + call.timeout - call.ended
    usual = min(1.0, 0.1 * call.timeout)
    if isinstance(call.error, JobTimeout):
        # The time for the last poll is reserved: one and a half times that of the slowest one so far.
        clean = all(x.fault is None and x.status == 200 for x in polls(call))
        slowest = max([0.0, *((x.ended or 0) - x.began for x in polls(call))])
        kept = max(usual, min(1.5 * slowest, call.timeout / 2) if clean else call.timeout / 2)
        if left > kept + EPSILON:
            yield f"JobTimeout {left:.3f} s before the time was up"
    elif isinstance(call.error, (ConnectionFailed, UnexpectedResponse)) and left > usual + EPSILON:
        yield f"{type(call.error).__name__} gave {job.id} up {left:.3f} s before the time was up"
    elif isinstance(call.error, NotFound) and call.what == "generate" and last_answer(call, job) is None:
        waited = polls(call)[-1].began - event_times(call, Created)[0]
        if waited < 10.0 - EPSILON and left > usual + EPSILON:
            yield f"a new job was believed to be missing when asked for after {waited:.3f} s"
    elif isinstance(call.error, APIError) and call.error.status in (408, 425, 429, *range(500, 600)):
        asked = call.error.retry_after or 0
        if max(usual, usual + asked) + EPSILON < left:
            yield f"status {call.error.status} gave {job.id} up {left:.3f} s before the time was up"


def succeeds_without_faults(call: CallRecord, world: World) -> Iterator[str]:
    """If nothing went wrong and there was enough time, there is a result."""
    job = job_of(call, world)
    if call.wrong or call.interrupted_at is not None or world.weather.slowness > 0.6 or world.storage.lifetime < 20:
        return
    if job is None or job.deleted or call.started < job.visible_at * (call.id is not None):
        return
    if any(x.fault is not None for x in call.exchanges) or "silent stream" in world.reached:
        return
    in_time = max(job.listed_at, call.started) + 200 < call.started + call.timeout
    if job.end == "complete" and job.outputs and in_time and call.waits and call.error is not None:
        yield f"nothing went wrong, and {call.what} ended with {call.error!r}"
