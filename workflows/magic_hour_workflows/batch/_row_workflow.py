"""The workflow of one row, as the engine runs it: each step once, unless its result is already recorded.

Rule: whatever happens, the row has a state. A failure of the service is a result; an error of our own stops the
submitting, because the next row would fail too. Only what the service refused or gave up is failed: what may pass is
left for the next run, and an unknown outcome is doubtful.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from dbos import DBOS
from dbos import error as dbos_errors

from magic_hour_client.errors import MagicHourError, NotFound

from .._results import Kind
from .._retry import Outcome, outcome
from ..errors import DownloadFailed, JobCanceled, JobFailed, NotMine, OutputsMissing, OverBudget, SubmissionUnknown
from ._fleet import StopSignal
from ._rows import Row, RowResult, RowStatus
from ._saved_files import recorded
from ._steps import Steps
from ._store import Store
from ._submission import finished

logger: logging.Logger = logging.getLogger("magic_hour_workflows")


class RowWorkflow:
    """Runs rows until they finish.

    Args:
        steps: does the work.
        store: the state of the batch.
        stop_signal: set on errors that would stop every row.
    """

    def __init__(self, steps: Steps, store: Store, stop_signal: StopSignal) -> None:
        self._steps = steps
        self._store = store
        self._stop_signal = stop_signal

    async def run(self, key: str) -> None:
        """Run a row until it finishes or cannot continue."""
        began = time.monotonic()
        try:
            found = await asyncio.to_thread(self._store.row, key)
            if found is None:
                return  # removed from the manifest
            row, state, estimate, kind = found
            if state not in (RowStatus.WAITING, RowStatus.RUNNING):
                return  # finished, but the process ended before the engine recorded it
            answer = await self._run_steps(row, estimate, kind)
        except dbos_errors.DBOSException:
            raise  # the row was cancelled or taken over
        except _RowTaken:
            return  # to its new owner
        except Exception as fault:
            logger.exception("row %r: unexpected error", key)
            self._stop_signal(
                f"row {key!r} failed with {type(fault).__name__}: {fault}; fix that and run the batch again"
            )
            answer = {"status": RowStatus.RUNNING, "error": f"{type(fault).__name__}: {fault}"}
        await finished(partial(self._finish, key, answer, time.monotonic() - began))

    async def close(self) -> None:
        """Close the connections and remove unfinished files."""
        await self._steps.close()

    async def _run_steps(self, row: Row, estimate: float, kind: Kind) -> dict[str, Any]:
        async def stopping(work: Callable[..., Awaitable[Any]], *given: Any, accepted: bool) -> Any:
            try:
                return await work(row, *given)
            except NotMine as error:
                logger.warning("%s", error)
                raise _RowTaken from error
            except MagicHourError as error:
                raise _RowStopped(described(error, accepted=accepted)) from error

        async def step(name: str, work: Callable[..., Awaitable[Any]], *given: Any, accepted: bool) -> Any:
            return await DBOS.run_step_async({"name": name}, partial(stopping, work, *given, accepted=accepted))

        try:
            id = await step("create", self._steps.create, estimate, accepted=False)
            saved = await step("save", self._steps.save, kind, id, accepted=True)
            saved = await stopping(self._steps.verified, kind, id, saved, accepted=True)
        except _RowStopped as stopped:
            return stopped.answer
        return {"status": RowStatus.SAVED, **saved}

    def _finish(self, key: str, answer: dict[str, Any], seconds: float) -> None:
        known = self._store.result(key)
        if known is None:
            return  # removed from the manifest meanwhile
        files = recorded(answer.get("files", []))
        self._store.finish(
            RowResult(
                key=key,
                endpoint=known.endpoint,
                status=RowStatus(answer["status"]),
                id=known.id,
                credits=answer.get("credits"),
                paths=[file.path for file in files],
                sizes=[file.size for file in files if file.size is not None],
                sha256=[file.sha256 for file in files],
                seconds=seconds,
                error=answer.get("error"),
                error_type=answer.get("error_type"),
            )
        )


class _RowTaken(BaseException):
    """Another execution has the row and records its result. Not an `Exception`, for the same reason as
    `_RowStopped`."""


class _RowStopped(BaseException):
    """A step failed. Not an `Exception`, so that the engine records nothing and the next run repeats the step."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(answer["error"])
        self.answer = answer


def described(error: MagicHourError, *, accepted: bool) -> dict[str, Any]:
    """The result of a step that failed.

    Args:
        error: what happened.
        accepted: whether the job of the row was accepted before.
    """
    result: dict[str, Any] = {"error": str(error), "error_type": type(error).__name__}
    if isinstance(error, (JobFailed, JobCanceled)):
        result["credits"] = error.credits_charged
    if isinstance(error, OutputsMissing):
        result |= {"error_type": DownloadFailed.__name__, **error.known}
    return {"status": status_of(error, accepted=accepted), **result}


def status_of(error: MagicHourError, *, accepted: bool) -> RowStatus:
    """The status of a row that ended with `error`.

    An accepted job only counts as failed when the service says so, because a failed row may be submitted again.

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
