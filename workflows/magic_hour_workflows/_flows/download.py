"""Saving the outputs of a complete job, several at a time.

Rule: the job is paid for, so only the deadline ends the attempts, and a failure of one output never costs another: what
can be saved is saved before it is raised. A URL that has expired, or that is invalid, is replaced by polling the job
again.
"""

from __future__ import annotations

from pathlib import Path

from magic_hour_client.endpoints import JOBS

from .._outputs import output_names
from .._partial_download import PartialDownload
from .._results import Job
from .._retry import has_expired, may_repeat
from .._storage_http import checked_url
from ..errors import DownloadFailed, MagicHourError, TransferFailed, UnusableURL, naming
from ..events import Downloading
from .call import Call
from .wait import SHORTEST_INTERVAL, Project, poll

_MOST_REFRESHES = 3
_MOST_MISMATCHES = 3
"""How often a file is downloaded again because it does not match the checksum that storage reported."""
_POLLS_FOR_OUTPUTS = 3
_MOST_REPORTED = 3
"""How many failed outputs an error describes."""


class DownloadState:
    """The outputs of one job: their URLs, and which were saved or failed."""

    def __init__(self, call: Call, job: Job, project: Project) -> None:
        self.call = call
        self.job = job
        self.urls: list[object] = _urls(job, project)
        self.saved: dict[int, Path] = {}
        self.failures: dict[int, MagicHourError] = {}
        """In the order in which they came."""

    async def refresh(self, number: int, stale: object) -> None:
        """Get fresh URLs, unless another download has done so since `stale` was read."""
        if self.urls[number] == stale:
            project = await poll(self.call, self.job)
            fresh = _urls(self.job, project)
            if len(fresh) == len(self.urls):
                self.urls = [new or old for new, old in zip(fresh, self.urls, strict=True)]

    @property
    def hopeless(self) -> bool:
        """Whether the next file would fail too because of this machine: a full disk, for example."""
        return any(isinstance(failure, DownloadFailed) for failure in self.failures.values())

    def paths(self) -> list[Path]:
        return [self.saved[number] for number in sorted(self.saved)]

    def failed(self) -> DownloadFailed:
        """The error for those that were not saved; its status is that of the first failure."""
        first = next(iter(self.failures.values()))
        lines = [f"output {number + 1}: {error}" for number, error in sorted(self.failures.items())]
        others = [f"and {len(lines) - _MOST_REPORTED} more"] if len(lines) > _MOST_REPORTED else []
        saved = f"{len(self.saved)} of {len(self.urls)}"
        details = "; ".join([*lines[:_MOST_REPORTED], *others])
        return DownloadFailed(
            f"not every output of {self.job.shown_id} was saved ({saved}): {details}",
            status=getattr(first, "status", None),
            retry_after=getattr(first, "retry_after", None),
            final=self.hopeless,
            downloaded_paths=self.paths(),
        )


async def download(
    call: Call,
    job: Job,
    project: Project,
    directory: Path,
    output_name: str | None = None,
) -> list[Path]:
    """Save every output; the paths come in the order of the outputs.

    If one of them fails, the others continue; the error is raised when all have ended.

    Raises:
        DownloadFailed: an output could not be saved; `downloaded_paths` has those that were.
    """
    call = call.paid()
    project = await _listed(call, job, project)
    outputs = DownloadState(call, job, project)
    names = output_names(job, outputs.urls, output_name)

    async def save(number: int) -> None:
        if outputs.hopeless:
            return
        partial = PartialDownload(directory, *names[number], allow_http=call.allow_http)
        try:
            outputs.saved[number] = await _save(outputs, number, partial)
        except MagicHourError as error:
            outputs.failures[number] = error

    with naming(job):
        await call.backend.map(save, range(len(names)))
        if outputs.failures:
            raise outputs.failed() from next(iter(outputs.failures.values()))
    return outputs.paths()


async def _listed(call: Call, job: Job, project: Project) -> Project:
    """The project once it lists its outputs, for which a complete one is polled a few times more.

    A task may have found nothing, so its list may be empty.
    """
    if JOBS[job.kind].is_task:
        return project
    for _ in range(_POLLS_FOR_OUTPUTS):
        if _urls(job, project) or call.left() <= SHORTEST_INTERVAL:
            break
        with naming(job):
            await call.backend.sleep(SHORTEST_INTERVAL)
        project = await poll(call, job)
    if not _urls(job, project):
        with naming(job):
            raise DownloadFailed(f"the {job.kind} job {job.shown_id} is complete, but the service lists no outputs")
    return project


def _urls(job: Job, project: Project) -> list[object]:
    """The URLs of the outputs, whatever they are, each at its position; empty if there is no list."""
    downloads = getattr(project, JOBS[job.kind].outputs or "", None)
    return [getattr(item, "url", None) for item in downloads] if isinstance(downloads, list) else []


async def _save(outputs: DownloadState, number: int, partial: PartialDownload) -> Path:
    call = outputs.call
    refreshes = 0
    replaced = False

    def report(received: int, total: int | None) -> None:
        if partial.is_known:  # else its name may still change
            call.emit(Downloading(id=outputs.job.id, name=partial.name, received=received, total=total))

    async def refresh(stale: object) -> None:
        nonlocal refreshes, replaced
        refreshes += 1
        await outputs.refresh(number, stale)
        replaced = outputs.urls[number] != stale

    async def attempt() -> Path:
        nonlocal replaced
        given, replaced = outputs.urls[number], False
        try:
            url = checked_url(given, call.allow_http)
        except UnusableURL:
            await refresh(given)
            raise
        try:
            return await call.backend.fetch(url, partial, call.deadline, report)
        except TransferFailed as error:
            if has_expired(error):
                await refresh(given)
            raise

    def again(error: Exception) -> bool:
        passing = may_repeat(error) and partial.mismatches <= _MOST_MISMATCHES
        return passing or ((replaced or has_expired(error)) and refreshes <= _MOST_REFRESHES)

    try:
        step = f"download of {partial.name}"
        return await call.repeat(step, attempt, again=again, progress=lambda: partial.received)
    finally:
        partial.discard()
