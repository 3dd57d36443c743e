"""The steps of a row: upload and submit, wait and download. The flows do the work; this adds what a batch needs.

Rule: only the execution that was granted the claim submits a job, and its id is stored before anything else happens.
Each step can be repeated: only ids and paths are recorded, never a signed URL.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

from magic_hour_client.errors import MagicHourError, PaymentRequired, Unauthorized

from .._client import AsyncClient
from .._flows.call import Call
from .._flows.download import download
from .._flows.generate import prepare
from .._flows.upload import upload
from .._flows.wait import wait
from .._results import Job, Kind, number
from .._sources import Source
from ..errors import DownloadFailed, OutputsMissing, SubmissionUnknown
from ..events import Event
from ._entries import endpoint_of
from ._fleet import StopSignal
from ._output_dir import Incoming, OutputDir
from ._rows import Row
from ._saved_files import SavedFile, digest, listed, problem, recorded
from ._store import Store
from ._submission import Submitter, finished

UPLOADS_LAST = 6 * 24 * 3600.0
"""An upload is repeated after this time. The service keeps inputs for 7 days (upload URLs API)."""


_CLOCKS_DIFFER = 3600.0
"""Tolerated difference between machines' clocks. An upload from further in the future is not trusted."""


class Steps:
    """The steps of all rows that one process works on.

    Args:
        client: talks to the service.
        store: the state of the batch.
        output_dir: where the outputs go.
        stop_signal: whether jobs may still be submitted.
        submitter: submits the jobs.
        emit: called with the key of a row and each of its events.
    """

    def __init__(
        self,
        client: AsyncClient,
        store: Store,
        output_dir: OutputDir,
        stop_signal: StopSignal,
        submitter: Submitter,
        emit: Callable[[str, Event], object],
    ) -> None:
        self._client = client
        self._store = store
        self._output_dir = output_dir
        self._stop_signal = stop_signal
        self.submitter: Submitter = submitter
        self._emit = emit
        self._uploading: dict[object, asyncio.Lock] = {}
        self._saved: set[tuple[str, str]] = set()
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
            files = await self._give_names(row, paths)
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

    async def _give_names(self, row: Row, paths: Sequence[Path]) -> list[SavedFile]:
        """Outputs under their final names, numbered."""
        if not paths:
            return []
        numbered = [(int(path.stem.rpartition("-")[2]), path) for path in paths]
        return await self._output_dir.save(Incoming(key=row.key, files=numbered, before=partial(self._before, row.key)))

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
