"""`client.v1.image_projects` and `.video_projects`: `get` and `delete` from the contract; `wait`, `download` and
`check_result` on top, which are the same for both.

Rule: thin. The work is the flows', which are loaded by the first call that needs them: `get` alone needs few.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from magic_hour_client.api.v1_image_projects.get_image_project import request as get_image
from magic_hour_client.api.v1_video_projects.get_video_project import request as get_video
from magic_hour_client.resources.v1_image_projects import AsyncV1ImageProjects, V1ImageProjects
from magic_hour_client.resources.v1_video_projects import AsyncV1VideoProjects, V1VideoProjects
from magic_hour_client.types import Request

from .._backend import run_sync

if TYPE_CHECKING:
    from magic_hour_client.models import V1ImageProjectsGetResponse as Image  # noqa: F401  (named in quotes below)
    from magic_hour_client.models import V1VideoProjectsGetResponse as Video  # noqa: F401

    from .._client import AsyncClient, Client
    from .._flows.wait import Project
    from .._results import Kind, Result
    from ..events import Event

P = TypeVar("P", bound="Project")


class Jobs(Generic[P]):
    """What can be done with a job by its id."""

    _sender: Client
    _kind: Kind
    _get: Callable[[str], Request[P]]

    def wait(
        self,
        id: str,
        *,
        timeout: float | None = None,
        poll_interval: float | None = None,
        on_progress: Callable[[Event], object] | None = None,
    ) -> P:
        """Wait until a job is complete.

        Args:
            id: the id of the job, from `generate`, a `Created` event, an error or the log.
            timeout: seconds to wait at most; the client's `timeout` (1800) if not given.
            poll_interval: seconds between looks; growing from 1 to 30 if neither the call nor the client says.
            on_progress: called with each `StatusChanged` and `Retrying`.

        Returns:
            The job as the service describes it, with fresh download URLs.

        Raises:
            JobFailed, JobCanceled: it will never be complete.
            JobTimeout: it is not complete yet; it goes on.
            NotFound: there is no such job.

        Example:
            >>> client.v1.image_projects.wait(image_id).status
            'complete'
        """
        from .._flows.wait import wait
        from .._results import Job

        call = self._sender._begin(timeout, poll_interval, on_progress)
        self._get(id)  # refuses what is no id
        return run_sync(wait(call, Job(kind=self._kind, id=id, known=False), self._get))

    def download(
        self,
        id: str,
        download_directory: str | os.PathLike[str] | None = None,
        *,
        output_name: str | None = None,
        timeout: float | None = None,
        on_progress: Callable[[Event], object] | None = None,
    ) -> list[Path]:
        """Save the outputs of a complete job.

        Args:
            id: the id of the job.
            download_directory: where to save, made if missing; the current directory if not given.
            output_name: a file name for the outputs, numbered if there are several; `<id>-<n>` if not given.
            timeout: seconds the whole call may take; the client's `timeout` (1800) if not given.
            on_progress: called with each `Downloading` and `Retrying`.

        Returns:
            The saved files, in the order of the outputs. Existing files are never overwritten.

        Raises:
            InvalidArgument: the job is not complete yet, or nothing can be written there.
            DownloadFailed: an output could not be saved; `downloaded_paths` has those that were.

        Example:
            >>> [path.suffix for path in client.v1.image_projects.download(image_id, folder)]
            ['.png']
        """
        from .._flows.generate import OutputOptions, save

        call = self._sender._begin(timeout, None, on_progress)
        outputs = OutputOptions(download_directory=download_directory, output_name=output_name)
        return run_sync(save(call, self._kind, id, self._get, outputs))

    def check_result(
        self,
        id: str,
        wait_for_completion: bool = True,
        download_outputs: bool = True,
        download_directory: str | os.PathLike[str] | None = None,
        *,
        output_name: str | None = None,
        timeout: float | None = None,
        poll_interval: float | None = None,
        on_progress: Callable[[Event], object] | None = None,
    ) -> Result:
        """Pick a job up again by its id: wait for it and save its outputs.

        Args:
            id: the id of the job.
            wait_for_completion: wait until it is done; if False, look once.
            download_outputs: save the outputs, if it is complete.
            download_directory: where to save, made if missing; the current directory if not given.
            output_name: a file name for the outputs, numbered if there are several; `<id>-<n>` if not given.
            timeout: seconds the whole call may take; the client's `timeout` (1800) if not given.
            poll_interval: seconds between looks; growing from 1 to 30 if neither the call nor the client says.
            on_progress: called with each `Event`.

        Returns:
            The same as `generate`; without waiting, with whatever status the job has.

        Raises:
            JobFailed, JobCanceled, JobTimeout: the job did not end well, or not in time.
            DownloadFailed: the job is done, and an output could not be saved.

        Example:
            >>> client.v1.image_projects.check_result(image_id, download_outputs=False).status
            'complete'
        """
        from .._flows.generate import OutputOptions, check_result

        call = self._sender._begin(timeout, poll_interval, on_progress)
        outputs = OutputOptions(
            wait_for_completion=wait_for_completion,
            download_outputs=download_outputs,
            download_directory=download_directory,
            output_name=output_name,
        )
        return run_sync(check_result(call, self._kind, id, self._get, outputs))


class AsyncJobs(Generic[P]):
    """What can be done with a job by its id."""

    _sender: AsyncClient
    _kind: Kind
    _get: Callable[[str], Request[P]]

    async def wait(
        self,
        id: str,
        *,
        timeout: float | None = None,
        poll_interval: float | None = None,
        on_progress: Callable[[Event], object] | None = None,
    ) -> P:
        """Wait until a job is complete.

        Args:
            id: the id of the job, from `generate`, a `Created` event, an error or the log.
            timeout: seconds to wait at most; the client's `timeout` (1800) if not given.
            poll_interval: seconds between looks; growing from 1 to 30 if neither the call nor the client says.
            on_progress: called with each `StatusChanged` and `Retrying`.

        Returns:
            The job as the service describes it, with fresh download URLs.

        Raises:
            JobFailed, JobCanceled: it will never be complete.
            JobTimeout: it is not complete yet; it goes on.
            NotFound: there is no such job.

        Example:
            >>> client.v1.image_projects.wait(image_id).status
            'complete'
        """
        from .._flows.wait import wait
        from .._results import Job

        call = self._sender._begin(timeout, poll_interval, on_progress)
        self._get(id)  # refuses what is no id
        return await wait(call, Job(kind=self._kind, id=id, known=False), self._get)

    async def download(
        self,
        id: str,
        download_directory: str | os.PathLike[str] | None = None,
        *,
        output_name: str | None = None,
        timeout: float | None = None,
        on_progress: Callable[[Event], object] | None = None,
    ) -> list[Path]:
        """Save the outputs of a complete job.

        Args:
            id: the id of the job.
            download_directory: where to save, made if missing; the current directory if not given.
            output_name: a file name for the outputs, numbered if there are several; `<id>-<n>` if not given.
            timeout: seconds the whole call may take; the client's `timeout` (1800) if not given.
            on_progress: called with each `Downloading` and `Retrying`.

        Returns:
            The saved files, in the order of the outputs. Existing files are never overwritten.

        Raises:
            InvalidArgument: the job is not complete yet, or nothing can be written there.
            DownloadFailed: an output could not be saved; `downloaded_paths` has those that were.

        Example:
            >>> [path.suffix for path in client.v1.image_projects.download(image_id, folder)]
            ['.png']
        """
        from .._flows.generate import OutputOptions, save

        call = self._sender._begin(timeout, None, on_progress)
        outputs = OutputOptions(download_directory=download_directory, output_name=output_name)
        return await save(call, self._kind, id, self._get, outputs)

    async def check_result(
        self,
        id: str,
        wait_for_completion: bool = True,
        download_outputs: bool = True,
        download_directory: str | os.PathLike[str] | None = None,
        *,
        output_name: str | None = None,
        timeout: float | None = None,
        poll_interval: float | None = None,
        on_progress: Callable[[Event], object] | None = None,
    ) -> Result:
        """Pick a job up again by its id: wait for it and save its outputs.

        Args:
            id: the id of the job.
            wait_for_completion: wait until it is done; if False, look once.
            download_outputs: save the outputs, if it is complete.
            download_directory: where to save, made if missing; the current directory if not given.
            output_name: a file name for the outputs, numbered if there are several; `<id>-<n>` if not given.
            timeout: seconds the whole call may take; the client's `timeout` (1800) if not given.
            poll_interval: seconds between looks; growing from 1 to 30 if neither the call nor the client says.
            on_progress: called with each `Event`.

        Returns:
            The same as `generate`; without waiting, with whatever status the job has.

        Raises:
            JobFailed, JobCanceled, JobTimeout: the job did not end well, or not in time.
            DownloadFailed: the job is done, and an output could not be saved.

        Example:
            >>> client.v1.image_projects.check_result(image_id, download_outputs=False).status
            'complete'
        """
        from .._flows.generate import OutputOptions, check_result

        call = self._sender._begin(timeout, poll_interval, on_progress)
        outputs = OutputOptions(
            wait_for_completion=wait_for_completion,
            download_outputs=download_outputs,
            download_directory=download_directory,
            output_name=output_name,
        )
        return await check_result(call, self._kind, id, self._get, outputs)


class ImageProjects(Jobs["Image"], V1ImageProjects):
    """Image jobs by their id."""

    _sender: Client
    _kind = "image"
    _get = staticmethod(get_image)


class VideoProjects(Jobs["Video"], V1VideoProjects):
    """Video jobs by their id."""

    _sender: Client
    _kind = "video"
    _get = staticmethod(get_video)


class AsyncImageProjects(AsyncJobs["Image"], AsyncV1ImageProjects):
    """Image jobs by their id."""

    _sender: AsyncClient
    _kind = "image"
    _get = staticmethod(get_image)


class AsyncVideoProjects(AsyncJobs["Video"], AsyncV1VideoProjects):
    """Video jobs by their id."""

    _sender: AsyncClient
    _kind = "video"
    _get = staticmethod(get_video)
