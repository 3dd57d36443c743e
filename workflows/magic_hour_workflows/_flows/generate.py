"""A whole job in one call: check, upload, create, wait, download.

Rule: everything that can be wrong is found before the first upload, and from the moment the job is accepted nothing
leaves this module without its id.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from magic_hour_client._runtime.schema import unknown_field
from magic_hour_client._runtime.settings import checked_flag
from magic_hour_client.errors import InvalidArgument
from magic_hour_client.types import UNSET, Endpoint, Request

from .._assets import Assets, collect, to_source
from .._backend import Backend
from .._outputs import checked_directory, checked_output_name
from .._results import Job, Kind, Result
from ..errors import name_job, naming
from .call import Call
from .download import download
from .recording import outcome_recorded, record_left, record_result, recorded
from .submit import carry, kind_of, start
from .upload import upload
from .wait import Project, credits_of, finished, named, poll, reported_status, wait


@attrs.frozen(kw_only=True)
class OutputOptions:
    """Whether to wait, and what to do with the outputs."""

    wait_for_completion: bool = True
    download_outputs: bool = True
    download_directory: Any = None
    output_name: str | None = None

    def __attrs_post_init__(self) -> None:
        checked_flag("wait_for_completion", self.wait_for_completion)
        checked_flag("download_outputs", self.download_outputs)
        checked_output_name(self.output_name)

    def directory(self, kind: Kind, operation: str | None = None) -> Path | None:
        """Where to save outputs of this kind, made by this operation, checked; None if nothing will be saved."""
        checked_output_name(self.output_name, kind, operation)
        return checked_directory(self.download_directory) if self.download_outputs else None


OPTIONS = (
    *(field.name for field in attrs.fields(OutputOptions)),
    "timeout",
    "poll_interval",
    "on_progress",
    "extra_body",
)
"""What `generate` takes besides the fields of the contract."""


async def generate(
    call: Call, endpoint: Endpoint[..., Any], parameters: Mapping[str, Any], outputs: OutputOptions
) -> Result:
    """Run a whole job; `parameters` have local files where the contract has remote paths."""
    request, assets = prepare(call.backend, endpoint, parameters)
    try:
        try:
            directory = None
            if outputs.wait_for_completion:
                directory = await call.backend.run_in_thread(partial(outputs.directory, kind_of(request), request.name))
            async with recorded(
                call,
                request,
                uploads=bool(assets.sources),
                followed=outputs.wait_for_completion,
                directory=directory,
                output_name=outputs.output_name,
            ):
                assets.uploaded(await upload(call, assets.sources))
                job = await start(call, request)
        finally:
            assets.close()
        with naming(job):
            if not outputs.wait_for_completion:
                return Result(id=job.id, kind=job.kind, status="queued", credits_charged=job.credits_charged)
            async with outcome_recorded(call, job):
                project = await wait(call, job, new=True)
            return await _saved(call, job, project, directory, outputs)
    except BaseException as error:
        carry(call, error)
        record_left(call)
        raise


def prepare(
    backend: Backend, endpoint: Endpoint[..., Any], parameters: Mapping[str, Any]
) -> tuple[Request[Any], Assets]:
    """The request to send, fully checked, with placeholders in place of local files; and those files.

    Raises:
        InvalidArgument: an argument is invalid.
    """
    parameters = {name: value for name, value in parameters.items() if value is not UNSET}
    extra_body = parameters.pop("extra_body", None)
    for name in parameters:
        if name not in endpoint.fields:
            raise unknown_field("", name, dict.fromkeys((*endpoint.fields, *OPTIONS)))
    for name in endpoint.required:
        if parameters.get(name) is None:
            raise InvalidArgument("required, but missing", field=name)
    if "name" in endpoint.fields and parameters.get("name") is None:
        parameters["name"] = job_name(backend, endpoint)
    prepared, assets = collect(endpoint, parameters)
    request: Request[Any] = endpoint.request(**prepared, extra_body=extra_body)
    return request, assets


def job_name(backend: Backend, endpoint: Endpoint[..., Any]) -> str:
    """A name to find the job by in the web app and in webhook events, in case its id is lost."""
    digits = f"{int(backend.random() * 16**8):08x}"
    return f"{endpoint.name.split('.')[1]} {backend.utc():%Y-%m-%dT%H:%M:%SZ} {digits}"


async def check_result(call: Call, kind: Kind, id: str, outputs: OutputOptions) -> Result:
    """Continue a job by its id: wait for it, save its outputs.

    Without waiting, a job that is not complete yet is returned as it is.
    """
    job = named(kind, id)
    directory = outputs.directory(kind)
    call = call.paid()
    with naming(job):
        async with outcome_recorded(call, job):
            project = await (wait if outputs.wait_for_completion else poll)(call, job)
            complete = finished(job, project)
        if not complete:
            return _result(job, project, [])
        return await _saved(call, job, project, directory, outputs)


async def save(call: Call, kind: Kind, id: str, outputs: OutputOptions) -> list[Path]:
    """Save the outputs of a complete job.

    Raises:
        InvalidArgument: it is not complete yet.
    """
    job = named(kind, id)
    directory = outputs.directory(kind)
    call = call.paid()
    async with outcome_recorded(call, job):
        project = await poll(call, job)
        complete = finished(job, project)
    if not complete:
        early = InvalidArgument(
            f"the {kind} job {job.shown_id} is not complete yet ({reported_status(project) or 'unknown'})", field="id"
        )
        name_job(early, job)  # not only a mistake: there is a job, and a way to resume it
        raise early
    return (await _saved(call, job, project, directory, outputs)).downloaded_paths


async def upload_file(call: Call, value: Any, role: Any) -> str:
    source = to_source(value, role, "file")
    try:
        [path] = await upload(call, [source])
    finally:
        source.close()
    return path


async def _saved(call: Call, job: Job, project: Project, directory: Path | None, outputs: OutputOptions) -> Result:
    paths = [] if directory is None else await download(call, job, project, directory, outputs.output_name)
    result = _result(job, project, paths)
    await record_result(call, job, result)
    return result


def _result(job: Job, project: Project, paths: list[Path]) -> Result:
    credits = credits_of(project)
    return Result(
        id=job.id,
        kind=job.kind,
        status=reported_status(project) or "unknown",
        credits_charged=job.credits_charged if credits is None else credits,
        downloaded_paths=paths,
        project=project,
    )
