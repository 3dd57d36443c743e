"""Waiting for a job: how often to poll, what each status means, when to stop.

Rule: a poll can always be repeated, so only the deadline ends waiting for a paid job. There is always a poll
shortly before the deadline, and no sleep after the last one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from magic_hour_client._runtime.redaction import clean
from magic_hour_client.endpoints import JOBS, project_endpoint
from magic_hour_client.errors import MagicHourError, NotFound, UnexpectedResponse

from .._results import Job, Kind, number
from .._retry import may_repeat
from ..errors import JobCanceled, JobFailed, JobTimeout, naming
from ..events import StatusChanged
from .call import Call
from .events import safety_interval, watching
from .recording import outcome_recorded

if TYPE_CHECKING:
    from ..webhooks._watches import Watch


class Project(Protocol):
    """What flows need to know about a job. The contract says where its outputs are, and which statuses it ends in."""

    @property
    def id(self) -> str: ...
    @property
    def status(self) -> str: ...


SHORTEST_INTERVAL = 1.0
LONGEST_INTERVAL = 30.0
GROWTH = 0.15
JITTER = 0.1
SLOWEST_POLLS = 1.5
"""The last poll is given this many times as long as the slowest poll so far took."""
NEW_JOB_SECONDS = 10.0
"""A job that was just accepted may not be found by its id yet; a 404 is only believed after this long."""


def interval(elapsed: float, random: float, fixed: float | None = None) -> float:
    """Seconds until the next poll: 15 % of the time waited so far, from 1 to 30; shortened by up to 10 %.

    So a job is seen to be done within max(1 s, 15 % of its duration, at most 30 s), with at most 26 polls in the
    first minute and 100 in half an hour.

    >>> [interval(elapsed, random=0.0) for elapsed in (0, 20, 1000)]
    [1.0, 3.0, 30.0]
    """
    if fixed is not None:
        return fixed
    growing = min(LONGEST_INTERVAL, max(SHORTEST_INTERVAL, GROWTH * elapsed))
    return growing * (1 - JITTER * random)


async def wait_for(call: Call, kind: Kind, id: str) -> Any:
    """Wait for a job by its id; returns its project."""
    job = named(kind, id)
    async with outcome_recorded(call, job):
        return await wait(call, job)


def named(kind: Kind, id: str) -> Job:
    """The job that a caller names, which may not exist."""
    project_endpoint(kind).request(id)
    return Job(kind=kind, id=id, known=False)


async def wait(call: Call, job: Job, *, new: bool = False) -> Any:
    """Poll a job until it is complete; returns its project.

    Args:
        new: True if it was accepted only now: the first poll can wait, and may not find it yet.

    Raises:
        JobFailed: the service could not complete it; the credits are refunded.
        JobCanceled: it was canceled in the web app.
        JobTimeout: it did not complete in time; it is still running.
    """
    with watching(call, job) as watch:
        return await _wait(call.paid(), job, new, watch)


async def _wait(call: Call, job: Job, new: bool, watch: Watch | None) -> Any:
    pause = _Pauses(call, job, watch)
    began = call.backend.now()
    status: str | None = None
    credits = job.credits_charged
    cause: MagicHourError | None = None
    slowest = 0.0
    if new:
        await pause()
    while call.left() > 0:
        elapsed = call.backend.now() - began
        try:
            project = await poll(call, job, missing_until=began + NEW_JOB_SECONDS if new else None)
        except MagicHourError as error:
            if not may_repeat(error) or getattr(error, "retry_after", None):
                raise
            cause = error
            break
        slowest = max(slowest, call.backend.now() - began - elapsed)
        reported = credits_of(project)
        credits = credits if reported is None else reported
        if reported_status(project) != status:
            status = reported_status(project)
            call.emit(StatusChanged(id=job.id, kind=job.kind, status=status or "unknown", elapsed=elapsed))
        if finished(job, project):
            return project
        # The last poll has to have its answer before the deadline.
        reserve = min(SLOWEST_POLLS * slowest, call.timeout / 2)
        if call.room(reserve) <= 0:
            break
        await pause(reserve)
    raise JobTimeout(job=job, status=status, credits_charged=credits, timeout=call.timeout) from cause


async def poll(call: Call, job: Job, *, missing_until: float | None = None) -> Any:
    """The project as it is now; before `missing_until`, a 404 is not believed."""
    asked = 0.0

    def again(error: Exception) -> bool:
        early = missing_until is not None and asked < missing_until
        return may_repeat(error) or (early and isinstance(error, NotFound))

    async def attempt() -> Any:
        nonlocal asked
        asked = call.backend.now()  # the answer may be as old as that, however long it took to come
        project = await call.backend.send(request, call.attempt_deadline())
        if project.id not in (job.id, None):
            message = f"{request.name} returned a job other than {job.shown_id}"
            raise UnexpectedResponse(message, operation=request.name, status=200)
        return project

    with naming(job):
        request = project_endpoint(job.kind).request(job.id)
        return await call.repeat(request.name, attempt, again=again)


def reported_status(project: Project) -> str | None:
    """The status in the service's own words, which may be new ones; None if there was none."""
    return clean(project.status)


def credits_of(project: Project) -> float | None:
    """The credits that it cost, as far as the service says."""
    return number(getattr(project, "credits_charged", None))


def finished(job: Job, project: Project) -> bool:
    """Whether the job is complete; an unknown status counts as not complete.

    Raises:
        JobFailed, JobCanceled: it never will be.
    """
    states = JOBS[job.kind]
    if project.status in states.failed:
        error = getattr(project, "error", None)
        raise JobFailed(
            job=job,
            status=project.status,
            credits_charged=credits_of(project),
            code=getattr(error, "code", None),
            reason=error if isinstance(error, str) else getattr(error, "message", None),
        )
    if project.status in states.canceled:
        raise JobCanceled(job=job, credits_charged=credits_of(project))
    return project.status in states.done


class _Pauses:
    """The sleeps between the polls of a job, each short enough for a last poll before the deadline.

    If an event will announce the end of the job, polls are rare until it comes. Should the service not know of the end
    by then, they are as frequent as they are without events, counted from there.
    """

    def __init__(self, call: Call, job: Job, watch: Watch | None) -> None:
        self._call, self._job, self._watch = call, job, watch
        self._since = call.backend.now()
        self._rare = watch is not None

    async def __call__(self, reserve: float = 0.0) -> None:
        backend, fixed = self._call.backend, self._call.poll_interval
        elapsed = backend.now() - self._since
        rare = self._rare and fixed is None
        seconds = safety_interval(elapsed, backend.random()) if rare else interval(elapsed, backend.random(), fixed)
        seconds = min(seconds, max(0.0, self._call.room(reserve)))
        with naming(self._job):
            if self._watch is None or not self._rare:
                await backend.sleep(seconds)
                return
            await backend.sleep(seconds, self._watch.signal)
        if self._watch.signal.is_set():
            self._rare, self._since = False, backend.now()
