"""The moment at which credits are spent: from the claim of a row until the id of its job is on disk.

Rule: the right to send is checked directly before the first byte of every attempt, and renewed in the database after
any wait. The outcome is recorded before anything else happens: in the database or, whatever fails, in a side file.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol, TypeVar

import attrs
from sqlalchemy import exc

from magic_hour_client.errors import MagicHourError

from .._flows.call import Call
from .._flows.submit import submit
from .._results import Job
from ..errors import DatabaseAway, DatabaseLost, NotMine, OverBudget, SubmissionUnknown
from . import _fleet as fleet
from ._claims import Claim, Claims, Paid
from ._connections import error_kind
from ._fleet import Instant, Permit, StopSignal, passed
from ._rows import Row
from ._side_file import Note, SideFile


def doubtful(row: Row, paid: Paid) -> SubmissionUnknown:
    """The error of a row that was submitted by an execution which ended before the response."""
    return SubmissionUnknown(
        operation=f"v1.{row.endpoint}.create",
        name=paid.name,
        submitted_at=datetime.fromtimestamp(paid.claimed_at, UTC),
        reason="the process ended before the response arrived",
    )


T = TypeVar("T")

logger: logging.Logger = logging.getLogger("magic_hour_workflows")

_POLL_SECONDS = 0.5
"""How often a row that waits for the rate checks whether to keep waiting."""

_HELD_UP_SECONDS = 5.0
"""A claim granted this long ago is given back: the process was stopped, and its turn has passed."""

_RENEWALS = 3
"""How often a permit is renewed that has already expired when it arrives: the machine is slow or was stopped."""

_WRITE_TRIES = 150

_WRITE_PAUSE = 2.0
"""Seconds between attempts to record an id; five minutes in total."""


class Session(Protocol):
    """The connection that shows others that this worker is running."""

    @property
    def current(self) -> object:
        """Identifies this session; None if none is needed."""

    def hold(self) -> object:
        """Check the session, or start a new one; returns `current`."""


async def finished(function: Callable[[], T]) -> T:
    """The result of a short operation on the database or the disk, which completes even if this is cancelled."""
    work = asyncio.ensure_future(asyncio.to_thread(function))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise


@attrs.frozen(kw_only=True)
class Environment:
    """Time and the database, so that tests can simulate them. `run` completes even if the row is cancelled."""

    now: Callable[[], Instant] = fleet.now
    run: Callable[[Callable[[], Any]], Awaitable[Any]] = finished
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    permit_seconds: float = attrs.field(factory=lambda: fleet.PERMIT_SECONDS)


@attrs.define(slots=False, eq=False)
class Submitter:
    """Submits the jobs of rows, each once. The worker is recorded with each claim."""

    _claims: Claims
    _session: Session
    _side: SideFile
    _stop_signal: StopSignal
    _worker: str
    _environment: Environment = attrs.field(factory=Environment)
    _claim_lock: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)

    async def known(self, row: Row) -> str | None:
        """The id of the job of a row; None if it was never submitted.

        Raises:
            SubmissionUnknown: it was submitted before, with an unknown outcome.
        """
        paid = await self._environment.run(partial(self._claims.job_of, row.key))
        if paid is not None and paid.project_id is None:
            raise doubtful(row, paid)
        return None if paid is None else str(paid.project_id)

    async def submit(self, call: Call, row: Row, operation: Any, estimate: float) -> str:
        """Submit the job of a row exactly once, and return its id.

        Raises:
            SubmissionUnknown: it was submitted before, with an unknown outcome.
            OverBudget: it would exceed the budget.
            NotMine: another execution or a person has taken the row; nothing was sent.
        """
        note = Note(key=row.key, name=str(operation.body["name"]), token=uuid.uuid4().hex, estimate=estimate)
        granted, since = await self._claim(note)
        if granted is Claim.OVER_BUDGET:
            raise OverBudget(row.key, estimate)
        if granted is Claim.TAKEN:
            id = await self.known(row)
            return id if id is not None else await self.submit(call, row, operation, estimate)
        right = _SendPermit(self, note, since)
        return await self._submit(attrs.evolve(call, before_sending=right.check), row, operation, note)

    async def _claim(self, note: Note) -> tuple[Claim, Permit]:
        """Request the claim as soon as the rate allows it."""
        ask = partial(self._claims.claim, note.key, name=note.name, estimate=note.estimate)
        ask = partial(ask, token=note.token, worker=self._worker)
        release = partial(self._claims.release, note.key, note.token)
        while True:
            await self._stop_signal.gate(note.key)
            async with self._claim_lock:  # one row of this process at a time
                if self._stop_signal.reason is not None:
                    continue
                since = self._environment.now()
                try:
                    session = await self._environment.run(self._session.hold)
                    granted = await self._environment.run(ask)
                except BaseException:
                    self._try_to_record(note, release)  # if it was granted, it is not used
                    raise
                if granted is Claim.TOO_SOON:
                    pause = await self._environment.run(self._claims.pause)
                    await self._environment.sleep(min(pause, _POLL_SECONDS))
                elif granted is Claim.GRANTED and passed(since, self._environment.now()) > _HELD_UP_SECONDS:
                    await self._environment.run(release)
                else:
                    return granted, Permit(since, session, self._environment.permit_seconds)

    async def _submit(self, call: Call, row: Row, operation: Any, note: Note) -> str:
        self._side.submitting(note)
        try:
            _, job = await submit(call, operation)
        except SubmissionUnknown:
            raise
        except MagicHourError:  # certainly not accepted
            await self._persist(partial(self._released, note))
            raise
        except BaseException as stopped:
            self._try_to_record(note, partial(self._settle, note, stopped))
            raise
        return await self._record_job(row, job, note)

    async def _record_job(self, row: Row, job: Job, note: Note) -> str:
        own = await self._persist(partial(self._accepted, note, job.id, job.credits_charged))
        if own:
            return job.id
        return await self.known(row) or job.id

    def _accepted(self, note: Note, id: str, credits: float | None) -> bool:
        """Record an id. If that fails, it is printed and written to the side file first."""
        accepted = self._side.accepted(note.key, id, credits)
        try:
            own = self._claims.accepted(note.key, id, credits, name=note.name, worker=self._worker)
        except Exception as error:
            why = error.why if isinstance(error, (DatabaseLost, DatabaseAway)) else error_kind(error)
            self._side.write(accepted, why)
            self._stop_signal(f"the batch database did not store the id of a job ({why})")
            raise
        self._side.recorded(id)
        if not own:
            stray = f"{accepted.description()}, but the row has another job or is gone: it may have been charged twice"
            self._side.report(stray)
            self._stop_signal(stray)
        return own

    def _released(self, note: Note) -> None:
        self._claims.release(note.key, note.token)
        self._side.returned(note.key)

    async def _persist(self, write: Callable[[], T]) -> T:
        """Store what must not be lost; retry while the disk is full or the database is away."""
        for attempt in range(1, _WRITE_TRIES + 1):
            try:
                return await self._environment.run(write)  # type: ignore[no-any-return]
            except (exc.OperationalError, exc.TimeoutError, DatabaseAway) as error:
                if attempt == _WRITE_TRIES:
                    raise
                logger.error("the batch database is not writable (%s); retrying", error_kind(error))
                self._stop_signal(f"the batch database is not writable ({error_kind(error)})")
                await self._environment.sleep(_WRITE_PAUSE)
        raise AssertionError("the last attempt returns or raises")

    def _try_to_record(self, note: Note, write: Callable[[], object]) -> None:
        """Record something at the end of a run, without retries."""
        try:
            write()
        except Exception:
            logger.exception(
                "the outcome of submitting row %r could not be recorded; the row will be doubtful", note.key
            )

    def _settle(self, note: Note, stopped: BaseException) -> None:
        """Record what is known about a submission that the end of the run interrupted."""
        project_id = getattr(stopped, "project_id", None)
        if project_id is not None:
            self._accepted(note, project_id, None)
        elif (unknown := getattr(stopped, "submission_unknown", None)) is not None:
            self._claims.doubt(note.key, note.token, str(unknown))  # reported by this run, not only by the next
        else:
            self._released(note)


@attrs.define(eq=False)
class _SendPermit:
    """The right to send one job, checked directly before each first byte."""

    _submitter: Submitter
    _note: Note
    _permit: Permit

    async def check(self) -> None:
        """Return if sending may start now; renew the claim if its permit has expired.

        Raises:
            NotMine: the row has been taken over.
            DatabaseAway: the database is unreachable.
        """
        submitter, environment = self._submitter, self._submitter._environment
        for _ in range(_RENEWALS):
            if self._permit.valid(environment.now(), submitter._session.current):
                return
            since = environment.now()
            session = await environment.run(submitter._session.hold)
            if not await environment.run(partial(submitter._claims.renew, self._note.key, self._note.token)):
                raise NotMine(self._note.key)
            self._permit = Permit(since, session, environment.permit_seconds)
        if not self._permit.valid(environment.now(), submitter._session.current):
            raise DatabaseAway("it responds too slowly to confirm that this worker still has the row")
