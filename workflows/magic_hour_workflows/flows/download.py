"""Saving the outputs of a complete job, several at a time.

Rule: the job is paid for, so only the deadline ends the trying, and a failure of one output never costs another: what
can be saved is saved before it is raised. A URL that has become too old is replaced by asking for the job again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from magic_hour_client.types import Operation

from ..errors import DownloadFailed, MagicHourError, TransferFailed, naming
from ..events import Downloading
from ..files import Partial, checked_url
from ..outputs import output_names
from ..results import Job
from ..retry import has_expired, may_repeat
from .call import Call
from .wait import SHORTEST_INTERVAL, Project, look

_MOST_REFRESHES = 3
_MOST_MISMATCHES = 3
"""How often a file is fetched once more because its bytes do not fit the checksum that storage tells of it."""
_LOOKS_FOR_OUTPUTS = 3


class Saving:
    """The outputs of one job: where they are now, and what has become of them."""

    def __init__(self, call: Call, job: Job, project: Project, get: Callable[[str], Operation[Project]]) -> None:
        self.call = call
        self.job = job
        self.get = get
        self.urls: list[str] = _urls(project)
        self.saved: dict[int, Path] = {}
        self.failures: list[MagicHourError] = []

    async def refresh(self, number: int, stale: str) -> None:
        """Get fresh URLs, unless somebody has done so since `stale` was read."""
        if self.urls[number] == stale:
            project = await look(self.call, self.job, self.get)
            fresh = _urls(project)
            if len(fresh) == len(self.urls):
                self.urls = fresh

    @property
    def hopeless(self) -> bool:
        """Whether this machine has refused a file, and will refuse the next one too: its disk is full, say."""
        return any(isinstance(failure, DownloadFailed) for failure in self.failures)

    def paths(self) -> list[Path]:
        return [self.saved[number] for number in sorted(self.saved)]


async def download(
    call: Call,
    job: Job,
    project: Project,
    get: Callable[[str], Operation[Project]],
    directory: Path,
    output_name: str | None = None,
) -> list[Path]:
    """Save every output; the paths come in the order of the outputs.

    If one of them fails, the others go on; what the first failure was is raised when all have ended.

    Raises:
        DownloadFailed: an output could not be saved; `downloaded_paths` has those that were.
    """
    call = call.paid()
    project = await _listed(call, job, project, get)
    outputs = Saving(call, job, project, get)
    names = output_names(job, outputs.urls, output_name)

    async def save(number: int) -> None:
        if outputs.hopeless:
            return
        partial = Partial(directory, *names[number], allow_http=call.allow_http)
        try:
            outputs.saved[number] = await _save(outputs, number, partial)
        except MagicHourError as error:
            outputs.failures.append(error)

    with naming(job):
        await call.io.map(save, range(len(names)))
        if outputs.failures:
            error, paths = outputs.failures[0], outputs.paths()
            raise DownloadFailed(
                f"not every output of {job.shown_id} was saved ({len(paths)} of {len(names)}): {error}",
                status=getattr(error, "status", None),
                retry_after=getattr(error, "retry_after", None),
                downloaded_paths=paths,
            ) from error
    return outputs.paths()


async def _listed(call: Call, job: Job, project: Project, get: Callable[[str], Operation[Project]]) -> Project:
    """The project once it lists its outputs, for which a complete one is looked at a few times more.

    Raises:
        DownloadFailed: it lists none.
    """
    for _ in range(_LOOKS_FOR_OUTPUTS):
        if _urls(project) or call.left() <= SHORTEST_INTERVAL:
            break
        with naming(job):
            await call.io.sleep(SHORTEST_INTERVAL)
        project = await look(call, job, get)
    if not _urls(project):
        with naming(job):
            raise DownloadFailed(f"the {job.kind} job {job.shown_id} is complete, but the service lists no outputs")
    return project


def _urls(project: Project) -> list[str]:
    """Where the outputs are; nowhere, if even one of the URLs is no text, so that none is left out unnoticed."""
    urls = [item.url for item in project.downloads or []]
    return urls if all(isinstance(url, str) for url in urls) else []


async def _save(outputs: Saving, number: int, partial: Partial) -> Path:
    call = outputs.call
    expired = 0

    def told(received: int, total: int | None) -> None:
        call.tell(Downloading(id=outputs.job.id, name=partial.name, received=received, total=total))

    async def attempt() -> Path:
        nonlocal expired
        url = outputs.urls[number]
        try:
            return await call.io.fetch(checked_url(url, call.allow_http), partial, call.deadline, told)
        except TransferFailed as error:
            if has_expired(error):
                expired += 1
                await outputs.refresh(number, url)
            raise

    def again(error: Exception) -> bool:
        passing = may_repeat(error) and partial.mismatches <= _MOST_MISMATCHES
        return passing or (has_expired(error) and expired <= _MOST_REFRESHES)

    try:
        step = f"download of {partial.name}"
        return await call.repeat(step, attempt, again=again, progress=lambda: partial.received)
    finally:
        partial.discard()
