"""One row, as the engine runs it: upload and submit, wait and download. The flows do the work.

Rules: only the execution that was granted the claim submits a job, and its id is stored before anything else happens.
Each step can be repeated: only ids and paths are recorded, never a signed URL. Whatever happens, the row has a state. A
failure of the service is a result; an error of our own stops the submitting, because the next row would fail too. Only
what the service refused or gave up is failed: what may pass is left for the next run, and an unknown outcome is
doubtful.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

import attrs
from dbos import DBOS
from dbos import error as dbos_errors

from magic_hour_client.errors import MagicHourError, NotFound, PaymentRequired, Unauthorized

from .._client import AsyncClient
from .._flows.call import Call
from .._flows.download import download
from .._flows.generate import prepare
from .._flows.upload import upload
from .._flows.wait import wait
from .._results import Job, Kind, number
from .._retry import Outcome, outcome
from .._sources import Source
from ..errors import DownloadFailed, JobCanceled, JobFailed, NotMine, OutputsMissing, OverBudget, SubmissionUnknown
from ..events import Event
from ._entries import endpoint_of
from ._fleet import StopSignal
from ._output_dir import Incoming, OutputDir, SavedFile, digest, listed, problem, recorded
from ._rows import Row, RowStatus
from ._store import Store
from ._submission import Submitter, finished

UPLOADS_LAST = 6 * 24 * 3600.0
"""An upload is repeated after this time. The service keeps inputs for 7 days (upload URLs API)."""

_CLOCKS_DIFFER = 3600.0
"""Tolerated difference between machines' clocks. An upload from further in the future is not trusted."""


@attrs.define(slots=False, eq=False)
class Steps:
    """The steps of all rows that one process works on. `emit` gets the key of a row and each of its events."""

    _client: AsyncClient
    _store: Store
    _output_dir: OutputDir
    _stop_signal: StopSignal
    submitter: Submitter
    _emit: Callable[[str, Event], object]
    _uploading: dict[object, asyncio.Lock] = attrs.field(factory=dict, init=False)
    _saved: set[tuple[str, str]] = attrs.field(factory=set, init=False)
    """Rows and jobs whose files this process has just saved; they need no check."""

    async def close(self) -> None:
        """Close the connections and remove unfinished files."""
        await self._client.close()
        await asyncio.to_thread(self._output_dir.clean)

    async def create(self, row: Row, estimate: float) -> str:
        """Submit the job of a row exactly once, and return its id.

        Raises:
            SubmissionUnknown: it was submitted before, with an unknown outcome.
            OverBudget: it would exceed the budget.
        """
        if (known := await self.submitter.known(row)) is not None:
            return known
        await self._stop_signal.gate(row.key)
        call = self._begin(row)
        request, assets = prepare(call.backend, endpoint_of(row.endpoint), row.parameters)
        assets.uploaded(await self._remote_paths(call, assets.sources))
        try:
            return await self.submitter.submit(call, row, request, estimate)
        except SubmissionUnknown:
            raise
        except MagicHourError as error:
            await self._stop_if_all_would_fail(row, error)
            raise

    async def _stop_if_all_would_fail(self, row: Row, error: MagicHourError) -> None:
        """Stop submitting if every other row would be refused too, and leave this one for the next run."""
        if isinstance(error, PaymentRequired):
            self._stop_signal(f"the account has too few credits ({error}); add credits and run the batch again")
        elif isinstance(error, Unauthorized):
            self._stop_signal(f"the API key was refused ({error}); set a valid one and run the batch again")
        else:
            return
        await self._stop_signal.gate(row.key)

    async def save(self, row: Row, kind: Kind, id: str) -> dict[str, Any]:
        """Wait until the job of a row is complete, and save its outputs.

        Returns the credits it cost, if the service reports them, and each output in the form of `listed`.

        Raises:
            OutputsMissing: some outputs could not be saved; it has those that were.
        """
        call = self._begin(row)
        job = Job(kind=kind, id=id)
        project = await wait(call, job, new=True)
        credits = number(project.credits_charged)
        try:
            return {"credits": credits, "files": listed(await self._download(row, job, project))}
        except OutputsMissing as missing:
            missing.known["credits"] = credits
            raise

    async def verified(self, row: Row, kind: Kind, id: str, saved: dict[str, Any]) -> dict[str, Any]:
        """The result of `save`, maybe of an earlier run, if the files are unchanged; else they are saved again.

        Raises:
            OutputsMissing: as `save`.
        """
        if (row.key, id) in self._saved:
            self._saved.discard((row.key, id))
            return saved
        files = recorded(saved["files"])
        if await finished(lambda: all(problem(file.path, file.size, file.sha256) is None for file in files)):
            return saved
        return await self.save(row, kind, id)

    async def _download(self, row: Row, job: Job, project: Any) -> list[SavedFile]:
        call = self._begin(row)
        staging = self._output_dir.staging()
        missing: DownloadFailed | None = None
        try:
            await finished(partial(staging.mkdir, parents=True))
            try:
                paths = await download(call, job, project, staging)
            except DownloadFailed as error:
                missing, paths = error, error.downloaded_paths
            numbered = [(int(path.stem.rpartition("-")[2]), path) for path in paths]
            before = partial(self._before, row.key)
            files = await self._output_dir.save(Incoming(key=row.key, files=numbered, before=before)) if paths else []
        except OSError as error:
            self._cannot_save(error)
            raise DownloadFailed(f"the outputs of {job.shown_id} cannot be saved: {error}", final=True) from error
        finally:
            with suppress(OSError):
                shutil.rmtree(staging, ignore_errors=True)
        if missing is not None:
            if missing.final or isinstance(missing.__cause__, DownloadFailed):  # a problem here, not in storage
                self._cannot_save(missing)
            raise OutputsMissing(missing, listed(files)) from missing
        self._saved.add((row.key, job.id))
        return files

    def _before(self, key: str) -> list[Path]:
        known = self._store.result(key)
        return [] if known is None else known.paths

    def _cannot_save(self, error: Exception) -> None:
        self._stop_signal(f"outputs cannot be saved ({error}); free some space and run the batch again")

    async def _remote_paths(self, call: Call, sources: Sequence[Source]) -> list[str]:
        """The remote paths of the files: uploaded now, or recently with the same bytes."""
        if not sources:
            return []
        wanted = [
            (await asyncio.to_thread(digest, source), source.known.role, source.known.extension) for source in sources
        ]
        async with AsyncExitStack() as stack:
            for key in sorted(set(wanted)):  # always in the same order, to avoid a deadlock
                await stack.enter_async_context(self._uploading.setdefault(key, asyncio.Lock()))
            known = await asyncio.to_thread(self._recent_uploads, wanted)
            missing = {key: source for key, source in zip(wanted, sources, strict=True) if key not in known}
            uploaded_at = time.time()
            paths = await upload(call, list(missing.values()))
            for key, path in zip(missing, paths, strict=True):
                known[key] = path
                await asyncio.to_thread(self._store.add_upload, *key, path, uploaded_at)
        return [known[key] for key in wanted]

    def _recent_uploads(self, wanted: Sequence[tuple[str, str, str]]) -> dict[tuple[str, str, str], str]:
        found = {key: self._store.upload(*key) for key in set(wanted)}
        now = time.time()
        return {
            key: place[0]
            for key, place in found.items()
            if place is not None and now - UPLOADS_LAST <= place[1] <= now + _CLOCKS_DIFFER
        }

    def _begin(self, row: Row) -> Call:
        return self._client.runner.begin(on_progress=partial(self._emit, row.key))


logger: logging.Logger = logging.getLogger("magic_hour_workflows")


@attrs.define(slots=False, eq=False)
class RowWorkflow:
    """Runs rows until they finish."""

    _steps: Steps
    _store: Store
    _stop_signal: StopSignal

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
            error = f"{type(fault).__name__}: {fault}"
            self._stop_signal(f"row {key!r} failed with {error}; fix that and run the batch again")
            answer = {"status": RowStatus.RUNNING, "error": error}
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
        ended = attrs.evolve(
            known,
            status=RowStatus(answer["status"]),
            credits=answer.get("credits"),
            paths=[file.path for file in files],
            sizes=[file.size for file in files if file.size is not None],
            sha256=[file.sha256 for file in files],
            seconds=seconds,
            error=answer.get("error"),
            error_type=answer.get("error_type"),
        )
        self._store.finish(ended)


class _RowTaken(BaseException):
    """Another execution has the row and records its result. Not an `Exception`, for the same reason as
    `_RowStopped`."""


class _RowStopped(BaseException):
    """A step failed. Not an `Exception`, so that the engine records nothing and the next run repeats the step."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(answer["error"])
        self.answer = answer


def described(error: MagicHourError, *, accepted: bool) -> dict[str, Any]:
    """The result of a step that failed. `accepted`: whether the job of the row was accepted before."""
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
